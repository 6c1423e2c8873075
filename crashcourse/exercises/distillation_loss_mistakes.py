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
    "factor_on_hard": (
        partial(_kd, factor=lambda t: 1.0, mix=lambda soft, hard, w, t: (1 - w) * soft + w * t**2 * hard),
        "T² stands at the labels' loss. It belongs to the divergence, whose gradient the temperature has shrunk.",
    ),
    "arguments_swapped": (
        partial(_kd, soft=lambda z, v: _divergence(v, z)),
        "That is KL(q ‖ p). The teacher's p weighs the logarithms: F.kl_div(log_q, p), the student first.",
    ),
    "probabilities_for_logs": (
        partial(_kd, soft=lambda z, v: F.kl_div(z.softmax(1), v.softmax(1), reduction="batchmean")),
        "The first argument of F.kl_div is a logarithm: F.log_softmax, not F.softmax.",
    ),
    "probability_first": (
        partial(_kd, soft=lambda z, v: F.kl_div(v.softmax(1), z.softmax(1), reduction="batchmean")),
        "F.kl_div(p, q) is not KL(p ‖ q). It takes the student first, and as logarithms: F.kl_div(log_q, p).",
    ),
    "log_second": (
        partial(_kd, soft=lambda z, v: F.kl_div(v.softmax(1), z.log_softmax(1), reduction="batchmean")),
        "The logarithm comes first in F.kl_div: log_q, then p. A logarithm in the second place makes NaN.",
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
    "not_softened": (
        partial(_kd, cool=lambda student, t: student, heat=lambda teacher, t: teacher),
        "No logits are divided by T, only the factor knows of it. Both networks answer at temperature T.",
    ),
    "temperature_written_in": (
        partial(_kd, cool=lambda student, t: student / 4, heat=lambda teacher, t: teacher / 4, factor=lambda t: 16.0),
        "You divide by 4, whatever T is. The temperature is an argument.",
    ),
    "logs_divided": (
        partial(
            _kd,
            cool=lambda student, t: student.log_softmax(1) / t,
            soft=lambda z, v: F.kl_div(z, v.softmax(1), reduction="batchmean"),
        ),
        "You divide the student's log-probabilities by T, which no longer belong to probabilities that add up to 1. "
        "Divide the logits.",
    ),
    "both_probabilities_divided": (
        partial(
            _kd,
            cool=lambda student, t: student.softmax(1) / t,
            heat=lambda teacher, t: teacher.softmax(1) / t,
            soft=lambda z, v: (v * (v.log() - z.log())).sum(1).mean(),
        ),
        "You divide probabilities by T, the student's and the teacher's: they no longer add up to 1. Divide the "
        "logits, before the softmax.",
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
    "mean_over_classes_alone": (
        partial(_kd, soft=lambda z, v: F.kl_div(z.log_softmax(1), v.softmax(1), reduction="sum") / z.shape[1]),
        "Sum and mean have changed places: the divergence is a sum over classes, and the mean is over images.",
    ),
    "all_summed": (
        partial(
            _kd,
            soft=lambda z, v: F.kl_div(z.log_softmax(1), v.softmax(1), reduction="sum"),
            hard=lambda student, labels, t: F.cross_entropy(student, labels, reduction="sum"),
        ),
        "You add up both losses over the images. Both are means over them.",
    ),
    "for_each_image": (
        partial(_kd, soft=lambda z, v: F.kl_div(z.log_softmax(1), v.softmax(1), reduction="none").sum(1)),
        "A number for each image comes back. The divergence is averaged over the images, too.",
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
    "entropy_forgotten": (
        partial(_kd, soft=lambda z, v: (v.softmax(1) * z.log_softmax(1)).sum(1).mean()),
        "Σ p log q is a part of the divergence, with the wrong sign: Σ p (log p - log q).",
    ),
    "squared_error": (
        partial(_kd, soft=lambda z, v: F.mse_loss(z.softmax(1), v.softmax(1))),
        "You square the differences of probabilities. The divergence compares their logarithms: Σ p (log p - log q).",
    ),
    "teachers_choice": (
        partial(
            _kd,
            cool=lambda student, t: student,
            factor=lambda t: 1.0,
            soft=lambda z, v: F.cross_entropy(z, v.argmax(1)),
        ),
        "Your soft loss knows only the teacher's first choice. What is new is in its other probabilities.",
    ),
    "student_cut_off": (
        partial(_kd, soft=lambda z, v: _divergence(z.detach(), v)),
        "The value is right, but the soft loss is cut off from the student (detach, no_grad): it would learn from the "
        "labels alone.",
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
    "teachers_cross_entropy": (
        lambda student, teacher, labels, temperature, hard_weight: _kd(
            student,
            teacher,
            labels,
            temperature,
            hard_weight,
            hard=lambda student, labels, t: F.cross_entropy(teacher, labels),
        ),
        "Your hard loss asks the teacher for the labels. It is the student who learns from them.",
    ),
    "weights_swapped": (
        partial(_kd, mix=lambda soft, hard, w, t: w * soft + (1 - w) * hard),
        "The weights have changed places: hard_weight belongs to the labels.",
    ),
    "sum_for_mean": (
        partial(_kd, mix=lambda soft, hard, w, t: soft + w * hard),
        "The soft loss has weight 1 - hard_weight.",
    ),
    "weight_written_in": (
        partial(_kd, mix=lambda soft, hard, w, t: 0.9 * soft + 0.1 * hard),
        "You weigh with 0.9 and 0.1, whatever hard_weight is. It is an argument.",
    ),
    "soft_alone": (
        partial(_kd, mix=lambda soft, hard, w, t: soft),
        "The labels are not used.",
    ),
    "unweighted": (
        partial(_kd, mix=lambda soft, hard, w, t: soft + hard),
        "You add both losses without weights.",
    ),
    "as_number": (
        lambda *args: _kd(*args).item(),
        ".item() makes a plain number of the loss, through which no gradient flows. Return the tensor.",
    ),
    "negative": (
        partial(_kd, soft=lambda z, v: -_divergence(z, v)),
        "The sign of the divergence is wrong: training would drive the student away from its teacher.",
    ),
}
