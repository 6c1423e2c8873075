"""Soft targets: a student learns the probabilities that a teacher gives to all classes, at a temperature.

Hinton, Vinyals, Dean, "Distilling the knowledge in a neural network", 2015, arXiv 1503.02531: section 2 (equation 1,
the softmax at a temperature; the factor T² where soft and hard targets meet), section 2.1 (equations 2 to 4: at a high
temperature, distillation is the matching of logits), section 3 (a class that the student never sees, and its bias).

**Differs from the paper:** it writes the soft loss as a cross-entropy; `soft_loss` is the divergence KL(teacher ‖
student), which is smaller by the entropy of the targets, has the same gradients, and is 0 where the student answers
as the teacher does. All losses are computed in double precision: at a temperature T the divergence is of the order of
1/T², and would drown in the rounding of single precision. The paper picks the bias of the missing class on the test
set; `fitted_bias` takes whatever images you give it, and those should not be the ones that you test on.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from crashcourse.distillation.doors import (
    check_class,
    check_labels,
    check_logits,
    check_pair,
    check_share,
    check_temperature,
)


def soften(logits: Tensor, temperature: float) -> Tensor:
    """Probabilities at a temperature: softmax(logits / T), equation 1. The higher T, the more even they are.

    Args:
        logits: (N, K) float.
        temperature: T, above 0; 1 is the usual softmax.

    Returns:
        (N, K) float; rows add up to 1.

    Raises:
        CourseError: other shapes, or a temperature out of range.
    """
    check_logits(logits)
    check_temperature(temperature)
    return (logits / temperature).softmax(1)


def soft_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T² · KL(p ‖ q), the mean over images; p and q are the teacher's and the student's probabilities at T.

    Its gradient in the student's logits is T (q - p) / N. T² keeps that about as large as at T = 1, so that the balance
    with a hard loss does not move when T does.

    Args:
        student, teacher: logits, (N, K) float. The teacher's get no gradient.
        temperature: T, above 0.

    Returns:
        A scalar, at least 0, in float32, or in float64 where the student's logits are.

    Raises:
        CourseError: other shapes, or a temperature out of range.
    """
    check_pair(student, teacher)
    check_temperature(temperature)
    log_q = F.log_softmax(_exact(student) / temperature, 1)  # (N, K)
    log_p = F.log_softmax(_exact(teacher.detach()) / temperature, 1)  # (N, K)
    divergence = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return _single(temperature**2 * divergence, student)


def soft_cross_entropy(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T² · H(p, q), the mean over images: the paper's form. It is `soft_loss` plus T² times the entropy of p.

    Args:
        student, teacher: logits, (N, K) float. The teacher's get no gradient.
        temperature: T, above 0.

    Returns:
        A scalar, at least T² times the mean entropy of the targets.

    Raises:
        CourseError: other shapes, or a temperature out of range.
    """
    check_pair(student, teacher)
    check_temperature(temperature)
    log_q = F.log_softmax(_exact(student) / temperature, 1)  # (N, K)
    p = soften(_exact(teacher.detach()), temperature)  # (N, K)
    return _single(temperature**2 * -(p * log_q).sum(1).mean(), student)


def logit_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """What `soft_loss` becomes at a high temperature: half the mean squared difference of logits of mean zero.

    From equation 4: with both logits centred in each row, the gradient is (z - v) / (K N).

    Args:
        student, teacher: logits, (N, K) float. The teacher's get no gradient.

    Returns:
        A scalar, at least 0.

    Raises:
        CourseError: other shapes.
    """
    check_pair(student, teacher)
    difference = _exact(student) - _exact(teacher.detach())
    return _single(0.5 * (difference - difference.mean(1, keepdim=True)).square().mean(), student)


def distillation_loss(
    student: Tensor, teacher: Tensor, labels: Tensor, *, temperature: float = 4.0, hard_weight: float = 0.1
) -> Tensor:
    """A weighted mean of the soft loss at T and of the cross-entropy with the labels at temperature 1.

    Args:
        student, teacher: logits, (N, K) float. The teacher's get no gradient.
        labels: (N,) int64.
        temperature: T, above 0, of the soft loss.
        hard_weight: of the cross-entropy, from 0 to 1; the soft loss has the rest. The paper found small ones best.

    Returns:
        A scalar: (1 - hard_weight) · `soft_loss` + hard_weight · cross-entropy.

    Raises:
        CourseError: other shapes, or a number out of range.
    """
    check_pair(student, teacher)
    check_labels(labels, student)
    check_share(hard_weight, "hard_weight")
    soft = soft_loss(student, teacher, temperature)
    return (1 - hard_weight) * soft + hard_weight * F.cross_entropy(student.to(soft.dtype), labels)


def _exact(logits: Tensor) -> Tensor:
    """In double precision, where the device has it."""
    return logits.float() if logits.device.type == "mps" else logits.double()


def _single(loss: Tensor, logits: Tensor) -> Tensor:
    """In the precision of the logits, but no less than single."""
    return loss.to(torch.promote_types(logits.dtype, torch.float32))


def raise_logit(logits: Tensor, index: int, amount: float) -> Tensor:
    """Logits as if the bias of one class were higher by `amount`.

    Args:
        logits: (N, K) float.
        index: the class.
        amount: what to add; it may be negative.

    Returns:
        New logits, (N, K) float.

    Raises:
        CourseError: other shapes, or there is no such class.
    """
    check_logits(logits)
    check_class(index, logits)
    raised = logits.clone()
    raised[:, index] += amount
    return raised


@torch.no_grad()
def fitted_bias(logits: Tensor, labels: Tensor, index: int) -> float:
    """By how much to raise the bias of one class so that most of these images are classified correctly.

    Image i goes to the class as soon as its logit is raised by more than d_i, its distance from the largest other one.
    So only the order of these distances counts: the accuracy is computed between every two of them.

    Args:
        logits: (N, K) float, of a student that never saw the class.
        labels: (N,) int64. Take held-out images, not those that you test on.
        index: the class.

    Returns:
        The amount for `raise_logit`: the middle of the best interval, the one nearest to 0 where several are as good.

    Raises:
        CourseError: other shapes, labels out of range, or there is no such class.
    """
    check_logits(logits)
    check_labels(labels, logits)
    check_class(index, logits)
    others = raise_logit(logits, index, -float("inf"))
    distances, order = (others.max(1).values - logits[:, index]).double().sort()
    of_class = (labels == index)[order]  # won once raised above their distance
    lost = (others.argmax(1) == labels)[order]  # right as long as they are not
    gains = of_class.double() - lost.double()
    correct = lost.sum() + torch.cat([gains.new_zeros(1), gains.cumsum(0)])  # (N + 1,): after each distance
    edges = torch.cat([distances[:1] - 2, distances, distances[-1:] + 2])
    middles = (edges[1:] + edges[:-1]) / 2  # (N + 1,): a bias within each interval
    correct[1:-1][edges[2:-1] == edges[1:-2]] = -1  # nothing lies between equal distances
    best = middles[correct == correct.max()]
    return float(best[best.abs().argmin()])
