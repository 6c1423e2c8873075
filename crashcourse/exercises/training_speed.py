"""Lesson 18, training speed: one cycle, the scaled rate with its warm-up, and smoothed labels to write.

Papers: Smith and Topin, 2017, arXiv 1708.07120; Goyal et al., 2017, arXiv 1706.02677, sections 2.1 and 2.2; Szegedy et
al., 2015, arXiv 1512.00567, section 7. The mistakes are in the modules `training_speed_..._mistakes.py`, the table and
the questions in `training_speed_questions.py`.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from crashcourse.exercises.case import Case
from crashcourse.exercises.kinds import FunctionExercise
from crashcourse.exercises.training_speed_cycle_mistakes import CYCLE_MISTAKES
from crashcourse.exercises.training_speed_label_mistakes import LABEL_MISTAKES
from crashcourse.exercises.training_speed_questions import QUESTIONS
from crashcourse.exercises.training_speed_warmup_mistakes import WARMUP_MISTAKES


def one_cycle_at(step: int, total_steps: int, peak: float, rise: float = 0.3) -> tuple[float, float]:
    """Learning rate and momentum of one cycle, in the form of torch's OneCycleLR.

    The rate goes along half a cosine from peak / 25, at step 0, up to the peak, at step rise * total_steps - 1 (which
    need not be a whole number). From there it goes along another one down to peak / 250000, its lowest, at the last
    step, total_steps - 1. Momentum goes the other way at the same time: from 0.95 down to 0.85, and up to 0.95 again.

    Args:
        step: which update, from 0 to total_steps - 1.
        total_steps: how many updates there are in all.
        peak: the highest rate.
        rise: the part of all steps in which the rate rises.

    Returns:
        The rate and the momentum at this step, two floats.
    """

    def half_cosine(start: float, end: float, part: float) -> float:
        return end + (start - end) * (1 + math.cos(math.pi * part)) / 2

    top, last = rise * total_steps - 1, total_steps - 1
    if step <= top:
        part = step / top
        return half_cosine(peak / 25, peak, part), half_cosine(0.95, 0.85, part)
    part = (step - top) / (last - top)
    return half_cosine(peak, peak / 250_000, part), half_cosine(0.85, 0.95, part)


def warmed_rate(
    step: int, batch_size: int, images: int, base_rate: float = 0.1, base_batch: int = 256, epochs: int = 5
) -> float:
    """The learning rate for large batches: scaled in proportion to the batch, after a warm-up.

    Args:
        step: how many updates are done; 0 before the first.
        batch_size: images in a batch.
        images: images in the training set. An epoch has all of them, so that its last batch may be smaller.
        base_rate: a rate that is known to work with batches of base_batch images. The warm-up begins with it. The
            scaled rate is as many times as high as the batch is as large; for small batches, it is lower.
        base_batch: see base_rate.
        epochs: how long the warm-up is. The rate changes by the same amount at every update. It is the scaled rate when
            all the updates of these epochs are done, and stays so.

    Returns:
        The rate for the next update, a float.
    """
    target = base_rate * batch_size / base_batch
    warmup_steps = epochs * math.ceil(images / batch_size)
    part = min(1.0, step / warmup_steps)
    return base_rate + (target - base_rate) * part


def smoothed_cross_entropy(logits: Tensor, labels: Tensor, epsilon: float = 0.1) -> Tensor:
    """Cross-entropy with smoothed labels: each class gets epsilon / K of the truth, the label's class 1 - epsilon more.

    Args:
        logits: (N, K) float, scores of any size, before softmax.
        labels: (N,) int64, the classes, from 0 to K - 1.
        epsilon: how much of the truth is shared out among all K classes, in [0, 1].

    Returns:
        A scalar tensor, the mean over the N examples. Gradients flow back through it to the logits.
    """
    log_probabilities = F.log_softmax(logits, dim=1)  # (N, K)
    truth = torch.full_like(log_probabilities, epsilon / logits.shape[1])  # (N, K)
    truth[torch.arange(len(labels)), labels] += 1 - epsilon
    return -(truth * log_probabilities).sum(dim=1).mean()


def _cycle_cases(seed: int) -> list[Case]:
    peak = 1 + (seed % 7) / 4
    forms = [
        ((0, 20, peak), "the first step"),
        ((2, 20, peak), "while the rate rises"),
        ((5, 20, peak), "step 5 of 20: the peak"),
        ((6, 20, 2 * peak), "just after the peak"),
        ((14, 20, peak), "while the rate falls"),
        ((19, 20, peak), "the last step"),
        ((3, 17, peak), "17 steps: the peak lies between two of them"),
        ((4, 17, peak), "17 steps, just behind the peak"),
        ((30, 100, peak, 0.5), "rise=0.5: still rising at step 30 of 100"),
        ((30, 100, peak, 0.2), "rise=0.2: falling at step 30 of 100"),
    ]
    return [Case(args, label=label) for args, label in forms]


def _warmup_cases(seed: int) -> list[Case]:
    images, even = 10_000 + 100 * (seed % 10), 20 + seed % 10
    other = {"base_rate": 0.04, "base_batch": 64, "epochs": 3}
    forms = [
        ((0, 2048, images), {}, "before the first update"),
        ((1, 2048, images), {}, "after the first update"),
        ((9, 2048, images), {}, "in the third epoch"),
        ((25, 2048, images), {}, "the warm-up is just over"),
        ((1000, 2048, images), {}, "long after the warm-up"),
        ((30, 256, images), {}, "the batch that the rate is known for"),
        ((7, 640, images), other, "another known rate, three epochs, in the first of them"),
        ((40, 640, images), other, "another known rate, three epochs, in the last of them"),
        ((500, 640, images), other, "another known rate, after its three epochs"),
        ((5000, 32, images), {"epochs": 1}, "small batches, long after one epoch"),
        ((100, 32, images), {}, "small batches, in the first epoch: the rate falls"),
        ((60, 500, 500 * even), {}, "batches that come out even: the last of an epoch is full, too"),
        ((60, 500, 500 * even + 20), {}, "the last batch of an epoch has 20 images"),
    ]
    return [Case(args, kwargs, label=label) for args, kwargs, label in forms]


def _label_cases(seed: int) -> list[Case]:
    rows = 4 + seed % 3
    large = torch.tensor([[300.0, 0.0, -300.0], [-200.0, 100.0, 200.0]])
    return [
        Case((torch.tensor([[1.0, 0.0]]) + torch.rand(1, 2), torch.tensor([1]), 0.2), label="one example, two classes"),
        Case((torch.randn(3, 4), torch.tensor([2, 0, 3])), label="three examples, four classes, epsilon 0.1"),
        Case((torch.randn(rows, 5), torch.randint(5, (rows,)), 0.4), label="epsilon 0.4"),
        Case((torch.randn(rows, 3), torch.randint(3, (rows,)), 0.0), label="epsilon 0: the usual cross-entropy"),
        Case((torch.randn(rows, 3), torch.randint(3, (rows,)), 1.0), label="epsilon 1: every class alike"),
        Case((torch.randn(3, 4), torch.tensor([1, 0, 1]), 0.3), label="the last two classes do not occur"),
        Case((large + torch.rand(2, 3), torch.tensor([1, 2]), 0.1), label="large scores"),
        Case((3 * torch.randn(8, 10), torch.randint(10, (8,)), 0.1), label="eight examples, ten classes"),
    ]


EXERCISES = [
    FunctionExercise(
        name="classification.one_cycle_at",
        title="One cycle, step by step",
        lesson=18,
        reference=one_cycle_at,
        cases=_cycle_cases,
        tolerance=(1e-4, 1e-7),
        hints=(
            "Two phases, and in each of them two half cosines: one for the rate, one for momentum. First work out how "
            "far the step is in its phase, as a part from 0 to 1.",
            "From start to end: end + (start - end) · (1 + cos(π · part)) / 2. Phase 1 goes from step 0 to "
            "rise · total_steps - 1, phase 2 from there to total_steps - 1.",
            "top = rise * total_steps - 1; if step <= top: part = step / top, and return two half cosines; else part = "
            "(step - top) / (total_steps - 1 - top), and return the two others.",
        ),
        wrong=CYCLE_MISTAKES,
    ),
    FunctionExercise(
        name="classification.warmed_rate",
        title="Linear scaling with warm-up",
        lesson=18,
        reference=warmed_rate,
        cases=_warmup_cases,
        tolerance=(1e-5, 1e-7),
        hints=(
            "Three numbers first: the scaled rate, the updates in the warm-up, and which part of them is done.",
            "scaled = base_rate · batch_size / base_batch. The warm-up has epochs · (images / batch_size, rounded up) "
            "updates. The rate goes in a straight line from base_rate to scaled.",
            "part = min(1.0, step / warmup_steps); return base_rate + (scaled - base_rate) * part.",
        ),
        wrong=WARMUP_MISTAKES,
    ),
    FunctionExercise(
        name="classification.smoothed_cross_entropy",
        title="Cross-entropy with smoothed labels",
        lesson=18,
        reference=smoothed_cross_entropy,
        cases=_label_cases,
        gradient=True,
        hints=(
            "Write the truth as a table (N, K) first: what does each class of each example get?",
            "loss = - Σ truth · log softmax(logits), summed over classes, averaged over examples. truth is epsilon / K "
            "everywhere, and 1 - epsilon more at the label.",
            "F.log_softmax(logits, dim=1); torch.full_like(..., epsilon / K); truth[torch.arange(N), labels] += 1 - "
            "epsilon; the negative of the product, .sum(dim=1).mean().",
        ),
        wrong=LABEL_MISTAKES,
    ),
    *QUESTIONS,
]
