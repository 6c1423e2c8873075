"""Lesson 42, distillation: what people get wrong in its loss, each as code that behaves so, with its hint."""

from collections.abc import Callable
from functools import partial

from torch import Tensor
from torch.nn import functional as F


def _divergence(student: Tensor, teacher: Tensor) -> Tensor:
    return F.kl_div(student.log_softmax(1), teacher.softmax(1), reduction="batchmean")


def _kd(
    student: Tensor,
    teacher: Tensor,
    labels: Tensor,
    temperature: float,
    hard_weight: float,
    *,
    cool: Callable[[Tensor, float], Tensor] = lambda student, t: student / t,
    heat: Callable[[Tensor, float], Tensor] = lambda teacher, t: teacher / t,
    soft: Callable[[Tensor, Tensor], Tensor] = _divergence,
    factor: Callable[[float], float] = lambda t: t**2,
    hard: Callable[[Tensor, Tensor, float], Tensor] = lambda student, labels, t: F.cross_entropy(student, labels),
    mix: Callable[[Tensor, Tensor, float, float], Tensor] = lambda soft, hard, w, t: (1 - w) * soft + w * hard,
) -> Tensor:
    """`kd_loss` with one thing wrong: what the keyword arguments say."""
    softened = factor(temperature) * soft(cool(student, temperature), heat(teacher, temperature))
    return mix(softened, hard(student, labels, temperature), hard_weight, temperature)


KD_MISTAKES = {
    "factor_forgotten": (
        partial(_kd, factor=lambda t: 1.0),
        "T² is missing. Without it the soft part fades as T grows, and the labels take over.",
    ),
    "factor_not_squared": (
        partial(_kd, factor=lambda t: t),
        "You multiply by T. The gradient at T is about 1/T² of that at 1: multiply by T².",
    ),
    "factor_divides": (
        partial(_kd, factor=lambda t: t**-2),
        "You divide by T². The gradient is too small already: multiply.",
    ),
    "factor_on_all": (
        partial(_kd, mix=lambda soft, hard, w, t: (1 - w) * soft + w * t**2 * hard),
        "The hard loss is multiplied by T² as well. It has no temperature, so it needs no factor.",
    ),
    "arguments_swapped": (
        partial(_kd, soft=lambda z, v: _divergence(v, z)),
        "That is KL(q ‖ p). The teacher's p weighs the logarithms: F.kl_div(log_q, p), the student first.",
    ),
    "probabilities_for_logs": (
        partial(_kd, soft=lambda z, v: F.kl_div(z.softmax(1), v.softmax(1), reduction="batchmean")),
        "The first argument of F.kl_div is a logarithm: F.log_softmax, not F.softmax.",
    ),
    "softmax_twice": (
        partial(_kd, soft=lambda z, v: _divergence(z.softmax(1), v)),
        "You take a log-softmax of a softmax. F.log_softmax does both by itself: give it the logits.",
    ),
    "logs_for_both": (
        partial(_kd, soft=lambda z, v: F.kl_div(z.log_softmax(1), v.log_softmax(1), reduction="batchmean")),
        "The teacher's part of F.kl_div is a probability, unless you say log_target=True.",
    ),
    "student_alone_softened": (
        partial(_kd, heat=lambda teacher, t: teacher),
        "Only the student's logits are divided by T. The teacher answers at the same temperature.",
    ),
    "teacher_alone_softened": (
        partial(_kd, cool=lambda student, t: student),
        "Only the teacher's logits are divided by T. The student answers at the same temperature.",
    ),
    "multiplied": (
        partial(_kd, cool=lambda student, t: student * t, heat=lambda teacher, t: teacher * t),
        "You multiply the logits by T. Divide: a high temperature makes probabilities even.",
    ),
    "probabilities_divided": (
        partial(
            _kd,
            soft=lambda z, v: F.kl_div(z.log_softmax(1), v, reduction="batchmean"),
            heat=lambda teacher, t: teacher.softmax(1) / t,
        ),
        "You divide the teacher's probabilities by T. Divide the logits, then take the softmax.",
    ),
    "mean_over_classes": (
        partial(_kd, soft=lambda z, v: F.kl_div(z.log_softmax(1), v.softmax(1), reduction="none").mean()),
        'Your mean runs over classes, too: the loss is K times too small. Say reduction="batchmean".',
    ),
    "sum_over_images": (
        partial(_kd, soft=lambda z, v: F.kl_div(z.log_softmax(1), v.softmax(1), reduction="sum")),
        "You add up the divergences of all images. Average them.",
    ),
    "softmax_over_images": (
        partial(_kd, soft=lambda z, v: F.kl_div(z.log_softmax(0), v.softmax(0), reduction="batchmean")),
        "Your softmax runs over the images. Classes are dimension 1.",
    ),
    "cross_entropy_form": (
        partial(_kd, soft=lambda z, v: F.cross_entropy(z, v.softmax(1))),
        "That is the cross-entropy H(p, q). Its gradient is the same; the divergence is smaller by the entropy of p.",
    ),
    "hard_at_temperature": (
        partial(_kd, hard=lambda student, labels, t: F.cross_entropy(student / t, labels)),
        "The labels are met at temperature 1: give F.cross_entropy the student's logits as they are.",
    ),
    "hard_on_probabilities": (
        partial(_kd, hard=lambda student, labels, t: F.cross_entropy(student.softmax(1), labels)),
        "F.cross_entropy takes logits: it has its own softmax.",
    ),
    "teachers_labels": (
        lambda student, teacher, labels, temperature, hard_weight: _kd(
            student, teacher, teacher.argmax(1), temperature, hard_weight
        ),
        "Your hard loss takes the teacher's first choice. It has the labels for that.",
    ),
    "weights_swapped": (
        partial(_kd, mix=lambda soft, hard, w, t: w * soft + (1 - w) * hard),
        "The weights have changed places: hard_weight belongs to the labels.",
    ),
    "sum_for_mean": (
        partial(_kd, mix=lambda soft, hard, w, t: soft + w * hard),
        "The soft loss has weight 1 - hard_weight.",
    ),
    "soft_alone": (
        partial(_kd, mix=lambda soft, hard, w, t: soft),
        "The labels are not used.",
    ),
    "unweighted": (
        partial(_kd, mix=lambda soft, hard, w, t: soft + hard),
        "You add both losses without weights.",
    ),
    "negative": (
        partial(_kd, soft=lambda z, v: -_divergence(z, v)),
        "The sign of the divergence is wrong: training would drive the student away from its teacher.",
    ),
}
