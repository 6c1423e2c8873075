"""Lesson 42, distillation: a loss with soft targets, its limit at a high temperature, a hint's loss to write.

Papers: Hinton et al., 2015, arXiv 1503.02531, equations 1 to 4; Romero et al., 2014, arXiv 1412.6550, equation 3. The
mistakes are in `distillation_loss_mistakes.py` and `distillation_hint_mistakes.py`, the questions in
`distillation_questions.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from crashcourse.exercises.case import Case
from crashcourse.exercises.distillation_hint_mistakes import HINT_MISTAKES, LIMIT_MISTAKES
from crashcourse.exercises.distillation_loss_mistakes import KD_MISTAKES
from crashcourse.exercises.distillation_questions import QUESTIONS
from crashcourse.exercises.isolation import Budget
from crashcourse.exercises.kinds import FunctionExercise
from crashcourse.exercises.outcome import Outcome


def kd_loss(student: Tensor, teacher: Tensor, labels: Tensor, temperature: float, hard_weight: float) -> Tensor:
    """The loss of a distilled student: (1 - hard_weight) · T² · KL(p ‖ q) + hard_weight · cross-entropy with labels.

    p is the teacher's softmax and q the student's, both at temperature T: softmax(logits / T). The divergence,
    Σ p (log p - log q) over the classes, and the cross-entropy are means over the images. The labels are met at
    temperature 1.

    Args:
        student: (N, K) float, logits.
        teacher: (N, K) float, logits.
        labels: (N,) int64.
        temperature: T, above 0.
        hard_weight: of the labels, from 0 to 1.

    Returns:
        A scalar tensor.
    """
    log_q = F.log_softmax(student / temperature, dim=1)  # (N, K)
    p = F.softmax(teacher / temperature, dim=1)  # (N, K)
    soft = temperature**2 * F.kl_div(log_q, p, reduction="batchmean")
    hard = F.cross_entropy(student, labels)
    return (1 - hard_weight) * soft + hard_weight * hard


def high_temperature_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """What T² · KL becomes when T goes to infinity: half the mean squared difference of centred logits.

    Centred: in each image, the mean over its classes is taken off. The mean of the squares is over images and classes.

    Args:
        student: (N, K) float, logits.
        teacher: (N, K) float, logits.

    Returns:
        A scalar tensor.
    """
    z = student - student.mean(1, keepdim=True)  # (N, K)
    v = teacher - teacher.mean(1, keepdim=True)  # (N, K)
    return 0.5 * (z - v).square().mean()


def hint_loss(guided: Tensor, hint: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The loss of a hint, ½ ‖hint - r(guided)‖², where r is a convolution without padding and a ReLU.

    The squares are added up over channels and pixels, and averaged over the images.

    Args:
        guided: (N, C, H, W) float, the student's maps.
        hint: (N, D, H - k + 1, W - k + 1) float, the teacher's maps.
        weight: (D, C, k, k) float, the regressor's.
        bias: (D,) float, the regressor's.

    Returns:
        A scalar tensor.
    """
    regressed = F.conv2d(guided, weight, bias).relu()  # (N, D, H - k + 1, W - k + 1)
    return 0.5 * (hint - regressed).square().sum((1, 2, 3)).mean()


@dataclass(eq=False, kw_only=True)
class StudentLearns(FunctionExercise):
    """A loss between a student and a teacher, whose gradients count, except in what the teacher says: argument 1.

    A learner may cut the teacher off or not: lessons call it without gradients anyway.
    """

    gradient: bool = True

    def run(self, candidate: Callable[..., Any], case: Case, budget: Budget) -> Outcome:
        """What a candidate does in one case, with a teacher that does not learn."""

        @wraps(candidate)
        def taught(first: Tensor, said: Tensor, *rest: Any) -> Any:
            return candidate(first, said.detach(), *rest)

        return super().run(taught, case, budget)


def _kd_cases(seed: int) -> list[Case]:
    def drawn(n: int, classes: int) -> tuple[Tensor, Tensor, Tensor]:
        return 2 * torch.randn(n, classes), 1 + 3 * torch.randn(n, classes), torch.randint(classes, (n,))

    return [
        Case((*drawn(1, 3), 2.0, 0.5), label="one image, T = 2"),
        Case((*drawn(4, 3), 4.0, 0.0), label="no hard loss"),
        Case((*drawn(3, 4), 3.0, 1.0), label="the hard loss alone"),
        Case((*drawn(5, 10), 5.0 + seed % 3, 0.1), label="ten classes"),
        Case((*drawn(3, 5), 1.0, 0.25), label="T = 1"),
    ]


def _limit_cases(seed: int) -> list[Case]:
    by_hand = torch.tensor([[1.0, 3.0]]), torch.tensor([[2.0, 2.0]])
    return [
        Case(by_hand, label="one image, two classes"),
        Case((torch.randn(3, 4) + 2, 2 * torch.randn(3, 4)), label="three images"),
        Case((3 * torch.randn(4 + seed % 3, 10) - 1, torch.randn(4 + seed % 3, 10)), label="ten classes"),
    ]


def _hint_cases(seed: int) -> list[Case]:
    def drawn(
        n: int, c: int, size: int, d: int, kernel: int, least: float = 0.0
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        guided = torch.randn(n, c, size, size + 1)
        hint = torch.randn(n, d, size - kernel + 1, size - kernel + 2).clamp(min=least)
        return guided, hint, torch.randn(d, c, kernel, kernel), torch.randn(d)

    return [
        Case(drawn(1, 2, 3, 2, 1), label="maps of one size"),
        Case(drawn(3, 2, 4, 3, 1), label="more channels in the teacher"),
        Case(drawn(2, 3, 5, 4 + seed % 2, 3), label="smaller maps in the teacher"),
        Case(drawn(2, 3, 4, 2, 2, least=-9.0), label="a hint from before its ReLU, k = 2"),
    ]


EXERCISES = [
    StudentLearns(
        name="distillation.kd_loss",
        title="The loss of a distilled student",
        lesson=42,
        reference=kd_loss,
        cases=_kd_cases,
        hints=(
            "Two losses, one weighted mean. The temperature divides both logits in the first, and none in the second.",
            "soft = T² · KL(softmax(teacher / T) ‖ softmax(student / T)). F.kl_div(log_q, p) takes the student first, "
            'as logarithms; reduction="batchmean" averages over images alone.',
            "log_q = F.log_softmax(student / temperature, dim=1); p = F.softmax(teacher / temperature, dim=1); "
            "soft = temperature**2 * F.kl_div(...); hard = F.cross_entropy(...); return their weighted mean",
        ),
        wrong=KD_MISTAKES,
    ),
    StudentLearns(
        name="distillation.high_temperature",
        title="Distillation at a high temperature",
        lesson=42,
        reference=high_temperature_loss,
        cases=_limit_cases,
        hints=(
            "A softmax does not notice a number that is added to all logits of an image. So take the mean off first.",
            "z = student - its mean in each row, v likewise; ½ · mean of (z - v)².",
            "student - student.mean(1, keepdim=True), the same for the teacher, then 0.5 * (z - v).square().mean()",
        ),
        wrong=LIMIT_MISTAKES,
    ),
    StudentLearns(
        name="distillation.hint_loss",
        title="The loss of a hint",
        lesson=42,
        reference=hint_loss,
        cases=_hint_cases,
        hints=(
            "First make the student's maps look like the teacher's: a convolution, a ReLU. Then compare.",
            "½ · Σ (hint - relu(conv(guided)))² over channels and pixels; the mean over images.",
            "regressed = F.conv2d(guided, weight, bias).relu(); the difference, .square().sum((1, 2, 3)), .mean(), "
            "and a half.",
        ),
        wrong=HINT_MISTAKES,
    ),
    *QUESTIONS,
]
