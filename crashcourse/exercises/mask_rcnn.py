"""Lesson 24, Mask R-CNN: a sample between pixels, the pyramid's way down, the loss of the mask branch.

Papers: He et al., "Mask R-CNN", 2017, arXiv 1703.06870, section 3; Lin et al., "Feature pyramid networks", 2016, arXiv
1612.03144, section 3. The mistakes are in `mask_rcnn_sample_mistakes.py`, `mask_rcnn_merge_mistakes.py` and
`mask_rcnn_loss_mistakes.py`, the questions in `mask_rcnn_questions.py`.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from crashcourse.exercises.case import Case
from crashcourse.exercises.kinds import FunctionExercise
from crashcourse.exercises.mask_rcnn_loss_mistakes import LOSS_MISTAKES
from crashcourse.exercises.mask_rcnn_merge_mistakes import MERGE_MISTAKES
from crashcourse.exercises.mask_rcnn_questions import QUESTIONS
from crashcourse.exercises.mask_rcnn_sample_mistakes import SAMPLE_MISTAKES


def sample_between(features: Tensor, x: float, y: float) -> Tensor:
    """The value of a map between its pixels, by bilinear interpolation.

    Coordinates are continuous: pixel (row, column) covers [column, column + 1) × [row, row + 1), so that its value
    sits at its centre, at x = column + 0.5 and y = row + 0.5.

    Args:
        features: (C, H, W) float.
        x, y: a place in the map, Python numbers, 0 <= x <= W and 0 <= y <= H.

    Returns:
        (C,) float: the four nearest pixels, mixed in proportion to how near they are across and down. Beyond the
        outermost centres, up to the border, the value of the outermost centre goes on.
    """
    height, width = features.shape[1:]
    x = min(max(x - 0.5, 0), width - 1)  # now a whole number is a centre
    y = min(max(y - 0.5, 0), height - 1)
    left, top = int(x), int(y)
    right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
    across, down = x - left, y - top  # how far from the upper left of the four, 0 to 1
    upper = (1 - across) * features[:, top, left] + across * features[:, top, right]  # (C,)
    lower = (1 - across) * features[:, bottom, left] + across * features[:, bottom, right]
    return (1 - down) * upper + down * lower


def merge_levels(maps: Sequence[Tensor], weights: Sequence[Tensor]) -> list[Tensor]:
    """A pyramid's way from the top down: 1×1 convolutions, and each level added to the next finer one.

    Args:
        maps: a list, C2, C3, ...: (N, C_i, H_i, W_i) float, finest first. Each is half as large as the one before; of
            an odd side the larger half.
        weights: a list, for each level its 1×1 convolution (D, C_i, 1, 1) float, without bias; finest first, too.

    Returns:
        A list of (N, D, H_i, W_i) float, finest first: the coarsest is its own 1×1 convolution; every other is its 1×1
        convolution plus the level above it, enlarged to the same size by repeating every place.
    """
    merged = [F.conv2d(level, weight) for level, weight in zip(maps, weights, strict=True)]
    for place in range(len(merged) - 2, -1, -1):  # from the top down
        size = merged[place].shape[-2:]
        merged[place] = merged[place] + F.interpolate(merged[place + 1], size=size, mode="nearest")
    return merged


def mask_loss(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """The loss of the mask branch: binary cross-entropy of the mask of the true class.

    Args:
        logits: (R, K, S, S) float: for each region with an object a mask for each class, before the sigmoid. Class 0 is
            background, and one of the K.
        labels: (R,) int64, the true class of each region, 1 to K − 1.
        targets: (R, S, S) float in [0, 1]: the true mask, cut out of the region by RoIAlign.

    Returns:
        A scalar, the mean over all regions and pixels. The masks of the other classes take no part.
    """
    own = logits[torch.arange(len(labels)), labels]  # (R, S, S)
    return F.binary_cross_entropy_with_logits(own, targets)


def _sample_cases(seed: int) -> list[Case]:
    corners = torch.tensor([[[1.0, 3.0], [5.0, 11.0]]])
    wide, deep = torch.randn(2, 3, 5), torch.randn(3, 6, 4)
    inside = 1 + torch.rand(2)
    return [
        Case((corners, 0.75, 1.0), label="between four pixels, nearer to the left"),
        Case((corners, 1.25, 1.25), label="between four pixels, nearer to the lower right"),
        Case((corners, 0.5, 1.5), label="on the centre of a pixel"),
        Case((corners, 1.5, 0.75), label="between two pixels of one column"),
        Case((wide, 0.2, 1.9), label="nearer to the left border than any centre"),
        Case((wide, 4.9, 0.1), label="in the upper right corner"),
        Case((wide, 2.6, 2.8), label="near the lower border"),
        Case((deep, 2 + inside[0].item() / 3, 3 + inside[1].item()), label="inside a larger map"),
        Case((deep, 4.0, 6.0), label="the lower right corner itself"),
    ]


def _pyramid(sizes: Sequence[tuple[int, int]], channels: Sequence[int], out: int, count: int = 1) -> Case:
    maps = [torch.randn(count, width, *size) for width, size in zip(channels, sizes, strict=True)]
    weights = [torch.randn(out, width, 1, 1) / width**0.5 for width in channels]
    return Case((maps, weights))


def _merge_cases(seed: int) -> list[Case]:
    by_hand = Case(
        (
            [torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), torch.tensor([[[[10.0]]]])],
            [torch.ones(1, 1, 1, 1), torch.full((1, 1, 1, 1), 2.0)],
        ),
        label="two levels of one channel",
    )
    ramp = torch.arange(8.0).view(1, 1, 2, 4)
    enlarged = Case(([torch.zeros(1, 1, 4, 8), ramp], [torch.ones(1, 1, 1, 1)] * 2), label="zeros under a ramp")
    cases = [
        (_pyramid([(4, 6), (2, 3)], (2, 3), 2), "two levels"),
        (_pyramid([(8, 4), (4, 2), (2, 1)], (3, 3, 3), 3), "three levels with equal channels"),
        (_pyramid([(5, 7), (3, 4), (2, 2)], (2, 4, 6), 3, count=2), "three levels with odd sides"),
        (_pyramid([(8, 8), (4, 4), (2, 2), (1, 1)], (2, 3, 4, 5), 2), "four levels"),
        (_pyramid([(3, 2)], (3,), 2), "a single level"),
    ]
    return [by_hand, enlarged, *(Case(case.args, label=label) for case, label in cases)]


def _regions(count: int, classes: int, side: int, labels: Sequence[int]) -> Case:
    logits = 2 * torch.randn(count, classes, side, side)
    return Case((logits, torch.tensor(labels), torch.rand(count, side, side)))


def _loss_cases(seed: int) -> list[Case]:
    by_hand = torch.tensor([[[[0.0]], [[2.0]], [[-1.0]]]])
    first = 1 + seed % 3
    cases = [
        (_regions(1, 3, 2, [2]), "one region"),
        (_regions(3, 4, 2, [3, 1, 2]), "three regions of three classes"),
        (_regions(4, 5, 3, [first, 4, first, 2]), "four regions, two of one class"),
        (_regions(5, 3, 4, [1, 2, 2, 1, 1]), "five regions"),
    ]
    made = [Case((by_hand, torch.tensor([1]), torch.ones(1, 1, 1)), label="one region of one pixel")]
    return made + [Case(case.args, label=label) for case, label in cases]


EXERCISES = [
    FunctionExercise(
        name="detection.sample_between",
        title="A sample between pixels",
        lesson=24,
        reference=sample_between,
        cases=_sample_cases,
        gradient=True,
        hints=(
            "Which four centres lie around the place, and how far is it from the upper left one?",
            "In x − 0.5 and y − 0.5 the centres are whole numbers. Weights: 1 − distance, across and down.",
            "Subtract 0.5 and clamp to 0 ... size − 1. left = int(x), right = min(left + 1, width − 1), the same down. "
            "Mix left and right in the upper and in the lower row, then mix the rows.",
        ),
        wrong=SAMPLE_MISTAKES,
    ),
    FunctionExercise(
        name="detection.merge_levels",
        title="The pyramid's way down",
        lesson=24,
        reference=merge_levels,
        cases=_merge_cases,
        gradient=True,
        hints=(
            "Where does the loop begin, and what does each level receive from above: the lateral, or the sum?",
            "M_i = conv1x1(C_i) + enlarged(M_{i+1}), from the coarsest level to the finest.",
            "merged = [F.conv2d(...) for each]; then for place from len − 2 down to 0, add F.interpolate(merged[place "
            '+ 1], size=merged[place].shape[-2:], mode="nearest").',
        ),
        wrong=MERGE_MISTAKES,
    ),
    FunctionExercise(
        name="detection.mask_loss",
        title="The loss of the mask branch",
        lesson=24,
        reference=mask_loss,
        cases=_loss_cases,
        gradient=True,
        hints=(
            "For each region, pick the one mask out of K that counts.",
            "logits[r, labels[r]] for each r, then binary cross-entropy with logits against targets[r].",
            "own = logits[torch.arange(len(labels)), labels]; F.binary_cross_entropy_with_logits(own, targets).",
        ),
        wrong=LOSS_MISTAKES,
    ),
    *QUESTIONS,
]
