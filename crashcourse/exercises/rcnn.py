"""Lesson 23, the R-CNN family: five functions to write. A test holds each to the package's own.

Papers: Girshick, "Fast R-CNN", 2015, arXiv:1504.08083, section 2.1 (RoIPool); Ren et al., "Faster R-CNN", 2015,
arXiv:1506.01497, sections 3.1.1 to 3.1.3 (anchors, deltas, sampling). The mistakes are in `rcnn_pool_mistakes.py`,
`rcnn_anchor_mistakes.py`, `rcnn_delta_mistakes.py`, `rcnn_decode_mistakes.py` and `rcnn_sample_mistakes.py`, the
questions in `rcnn_questions.py`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from crashcourse.exercises.case import Case
from crashcourse.exercises.kinds import FunctionExercise
from crashcourse.exercises.rcnn_anchor_mistakes import ANCHOR_MISTAKES
from crashcourse.exercises.rcnn_decode_mistakes import DECODE_MISTAKES
from crashcourse.exercises.rcnn_delta_mistakes import ENCODE_MISTAKES
from crashcourse.exercises.rcnn_pool_mistakes import POOL_MISTAKES
from crashcourse.exercises.rcnn_questions import QUESTIONS
from crashcourse.exercises.rcnn_sample_mistakes import SAMPLE_MISTAKES


def pool_region(features: Tensor, box: Sequence[float], scale: float, bins: int) -> Tensor:
    """RoIPool of one box.

    Args:
        features: (C, H, W) float.
        box: x1, y1, x2, y2 in pixels of the image; inside it.
        scale: pixels of the map for one pixel of the image, such as 1/16. No corner falls on a half.
        bins: how many the region is cut into, down and across.

    Returns:
        (C, bins, bins). Corners are rounded to the nearest pixel of the map, and the last pixel belongs to the region.
        Bin i of n pixels goes from ⌊i n / bins⌋ to before ⌈(i + 1) n / bins⌉, and holds the largest value there.
    """
    x1, y1, x2, y2 = (round(side * scale) for side in box)
    region = features[:, y1 : y2 + 1, x1 : x2 + 1]  # (C, height, width)
    height, width = region.shape[1:]
    pooled = features.new_zeros(len(features), bins, bins)
    for i in range(bins):
        top, bottom = i * height // bins, -(-(i + 1) * height // bins)
        for j in range(bins):
            left, right = j * width // bins, -(-(j + 1) * width // bins)
            pooled[:, i, j] = region[:, top:bottom, left:right].amax((1, 2))
    return pooled


def place_anchors(rows: int, columns: int, stride: int, sizes: Sequence[float], ratios: Sequence[float]) -> Tensor:
    """All anchors of a map.

    Args:
        rows, columns: places of the map.
        stride: pixels of the image from one place to the next; an anchor's centre is the middle of its place.
        sizes: a square of this side has the anchor's area.
        ratios: height over width.

    Returns:
        (rows · columns · ratios · sizes, 4) float: x1, y1, x2, y2 in pixels. Places come row by row; at each place, for
        each ratio, all sizes.
    """
    anchors = []
    for row in range(rows):
        for column in range(columns):
            x, y = (column + 0.5) * stride, (row + 0.5) * stride
            for ratio in ratios:
                for size in sizes:
                    width, height = size / ratio**0.5, size * ratio**0.5
                    anchors.append([x - width / 2, y - height / 2, x + width / 2, y + height / 2])
    return torch.tensor(anchors)


def box_to_deltas(boxes: Tensor, anchors: Tensor) -> Tensor:
    """What turns each anchor into its box.

    Args:
        boxes: (N, 4) float, x1, y1, x2, y2.
        anchors: (N, 4) float, x1, y1, x2, y2.

    Returns:
        (N, 4): tx, ty: from the anchor's centre to the box's, in widths and heights of the anchor; tw, th: natural
        logarithms of the box's width over the anchor's, and of the heights.
    """
    size, anchor_size = boxes[:, 2:] - boxes[:, :2], anchors[:, 2:] - anchors[:, :2]  # (N, 2)
    centre, anchor_centre = (boxes[:, :2] + boxes[:, 2:]) / 2, (anchors[:, :2] + anchors[:, 2:]) / 2
    return torch.cat([(centre - anchor_centre) / anchor_size, (size / anchor_size).log()], 1)


def deltas_to_box(deltas: Tensor, anchors: Tensor) -> Tensor:
    """The boxes that deltas make of anchors: the way back.

    Args:
        deltas: (N, 4) float: tx, ty, tw, th.
        anchors: (N, 4) float, x1, y1, x2, y2.

    Returns:
        (N, 4): x1, y1, x2, y2.
    """
    anchor_size, anchor_centre = anchors[:, 2:] - anchors[:, :2], (anchors[:, :2] + anchors[:, 2:]) / 2
    centre = anchor_centre + deltas[:, :2] * anchor_size  # (N, 2)
    size = anchor_size * deltas[:, 2:].exp()
    return torch.cat([centre - size / 2, centre + size / 2], 1)


def sample_anchors(iou: Tensor, order: Tensor, count: int) -> Tensor:
    """Which anchors a step of the RPN learns from.

    Args:
        iou: (M, N) float: every object with every anchor. Every object meets an anchor.
        order: (N,) int64: the indices of the anchors in random order; take them in this order.
        count: how many anchors to take, an even number.

    Returns:
        (N,) int64. 1: taken as an object. Candidates are anchors with an IoU of 0.7 or more, and the best anchor of
        each object; at most half of `count` are taken. 0: taken as background. Candidates are the other anchors whose
        largest IoU is below 0.3; they fill up to `count`, if there are so many. -1: not taken.
    """
    best = iou.amax(0)  # (N,): for each anchor
    positive = best >= 0.7
    positive[iou.argmax(1)] = True  # the best of each object
    negative = (best < 0.3) & ~positive
    objects = order[positive[order]][: count // 2]
    background = order[negative[order]][: count - len(objects)]
    labels = torch.full_like(order, -1)
    labels[objects], labels[background] = 1, 0
    return labels


def _pool_cases(seed: int) -> list[Case]:
    ramp = torch.arange(42.0).view(1, 6, 7) * torch.tensor([1.0, -1.0]).view(2, 1, 1)
    noise = torch.randn(3, 12, 14)
    return [
        Case((ramp, [1.0, 1.0, 4.0, 4.0], 1.0, 2), label="4×4 pixels, two bins a side"),
        Case((ramp, [0.0, 1.0, 4.0, 3.0], 1.0, 2), label="5 wide and 3 high: bins share a row and a column"),
        Case((ramp, [8.0, 4.0, 8.0, 20.0], 0.25, 1), label="one bin, one pixel wide"),
        Case((noise, [25.0, 10.6, 101.0, 66.0], 0.125, 3), label="corners between pixels, three bins a side"),
        Case((noise, [20.5, 31.0, 94.8, 85.0], 0.125, 4), label="corners between pixels, four bins a side"),
        Case((noise, [3.0, 5.3, 12.7, 10.0], 1.0, 5), label="five bins a side"),
    ]


def _anchor_cases(seed: int) -> list[Case]:
    first, second = (float(n) for n in torch.randint(9, 40, (2,)))
    return [
        Case((1, 1, 16, (32,), (1.0,)), label="one place, one square"),
        Case((1, 1, 16, (32,), (4.0,)), label="one place, upright"),
        Case((2, 3, 8, (10,), (1.0,)), label="two by three places"),
        Case((2, 1, 5, (8,), (1.0,)), label="an odd stride"),
        Case((1, 2, 16, (16, 40), (0.25, 1.0)), label="two sizes, two ratios"),
        Case((3, 2, 20, (first, first + second), (0.5, 1.0, 2.0)), label="three by two places, sizes as they come"),
    ]


def _boxes(count: int) -> Tensor:
    corner = torch.rand(count, 2) * 40
    return torch.cat([corner, corner + torch.tensor([6.0, 15.0]) + torch.rand(count, 2) * 30], 1)


ANCHOR = torch.tensor([[10.0, 20.0, 30.0, 60.0]])  # centre (20, 40), 20 wide and 40 high


def _encode_cases(seed: int) -> list[Case]:
    return [
        Case((ANCHOR + torch.tensor([[4.0, -8.0, 4.0, -8.0]]), ANCHOR), label="moved, as large as its anchor"),
        Case((torch.tensor([[0.0, 30.0, 40.0, 50.0]]), ANCHOR), label="same centre, twice as wide, half as high"),
        Case((torch.tensor([[5.0, 7.0, 16.0, 61.0]]), ANCHOR), label="moved and of another size"),
        Case((_boxes(5), _boxes(5)), label="five boxes and anchors"),
    ]


def _decode_cases(seed: int) -> list[Case]:
    return [
        Case((torch.tensor([[0.25, -0.5, 0.0, 0.0]]), ANCHOR), label="moved, as large as its anchor"),
        Case((torch.tensor([[0.0, 0.0, 0.7, -0.4]]), ANCHOR), label="same centre, wider and lower"),
        Case((torch.tensor([[-0.3, 0.1, -0.5, 0.2]]), ANCHOR), label="moved and of another size"),
        Case((torch.randn(5, 4) * 0.5, _boxes(5)), label="five anchors"),
    ]


def _sample_cases(seed: int) -> list[Case]:
    few = torch.tensor([[0.8, 0.1, 0.5, 0.2, 0.0], [0.1, 0.0, 0.1, 0.2, 0.1]])
    weak = torch.tensor([[0.5, 0.1, 0.2, 0.2, 0.0], [0.1, 0.0, 0.1, 0.2, 0.4]])
    exact = torch.tensor([[0.7, 0.3, 0.29, 0.0, 0.9]], dtype=torch.float64)  # a loop's 0.7 is this
    half = torch.tensor([[0.9, 0.75, 0.72, 0.1, 0.0, 0.2, 0.25, 0.05], [0.1, 0.2, 0.0, 0.75, 0.1, 0.1, 0.4, 0.0]])
    drawn = torch.rand(3, 60) * 0.29
    places = torch.randperm(60)
    for row in range(2):
        drawn[row, places[8 * row : 8 * row + 5]] = 0.7 + 0.3 * torch.rand(5)
        drawn[row, places[8 * row + 5 : 8 * row + 8]] = 0.3 + 0.39 * torch.rand(3)
    drawn[2] = torch.rand(60) * 0.25  # the third object has no good anchor
    drawn[2, places[30]] = 0.29
    return [
        Case((few, torch.tensor([4, 2, 0, 3, 1]), 4), label="two objects, one of them without a good anchor"),
        Case((weak, torch.tensor([3, 0, 4, 2, 1]), 4), label="two objects, no good anchor at all"),
        Case((half, torch.tensor([1, 7, 3, 5, 0, 2, 4, 6]), 4), label="more good anchors than half"),
        Case((half, torch.tensor([6, 2, 4, 0, 5, 3, 7, 1]), 16), label="fewer anchors than asked for"),
        Case((exact, torch.tensor([1, 3, 2, 0, 4]), 8), label="exactly at the thresholds"),
        Case((drawn, torch.randperm(60), 16), label="three objects, sixty anchors, sixteen taken"),
        Case((drawn, torch.randperm(60), 32), label="three objects, sixty anchors, thirty-two taken"),
    ]


EXERCISES = [
    FunctionExercise(
        name="detection.pool_region",
        title="RoIPool of one box",
        lesson=23,
        reference=pool_region,
        cases=_pool_cases,
        hints=(
            "First the box in pixels of the map, then the bins of that region, then the largest value of each.",
            "Rows y1 to y2 are y2 − y1 + 1 pixels. Bin i: from i · n // bins to before −(−(i + 1) · n // bins).",
            "Cut out features[:, y1 : y2 + 1, x1 : x2 + 1]; two loops; region[:, top:bottom, left:right].amax((1, 2)).",
        ),
        wrong=POOL_MISTAKES,
    ),
    FunctionExercise(
        name="detection.place_anchors",
        title="Anchors of a map",
        lesson=23,
        reference=place_anchors,
        cases=_anchor_cases,
        hints=(
            "Four loops: rows, columns, ratios, sizes. Where is the middle of a place?",
            "height / width = ratio and height · width = size²: height = size · √ratio, width = size / √ratio.",
            "x = (column + 0.5) · stride; [x − width / 2, y − height / 2, x + width / 2, y + height / 2].",
        ),
        wrong=ANCHOR_MISTAKES,
    ),
    FunctionExercise(
        name="detection.box_to_deltas",
        title="From a box to deltas",
        lesson=23,
        reference=box_to_deltas,
        cases=_encode_cases,
        hints=(
            "Centres and sizes of both first. What is divided by what?",
            "tx = (x − xa) / wa, ty = (y − ya) / ha, tw = log(w / wa), th = log(h / ha).",
            "size = boxes[:, 2:] − boxes[:, :2] is (N, 2): x and y at once; torch.cat([..., ....log()], 1).",
        ),
        wrong=ENCODE_MISTAKES,
    ),
    FunctionExercise(
        name="detection.deltas_to_box",
        title="From deltas to a box",
        lesson=23,
        reference=deltas_to_box,
        cases=_decode_cases,
        hints=(
            "Turn the four equations around. The last step is from centre and size to corners.",
            "x = xa + tx · wa and w = wa · exp(tw).",
            "centre = anchor_centre + deltas[:, :2] * anchor_size; size = anchor_size * deltas[:, 2:].exp().",
        ),
        wrong=DECODE_MISTAKES,
    ),
    FunctionExercise(
        name="detection.sample_anchors",
        title="Which anchors the RPN learns from",
        lesson=23,
        reference=sample_anchors,
        cases=_sample_cases,
        hints=(
            "Two masks over anchors first, positive and negative; then take from `order` what is in each.",
            "The largest IoU of an anchor is iou.amax(0), the best anchor of an object iou.argmax(1).",
            "order[positive[order]][: count // 2] are the objects; background fills up: count − len(objects).",
        ),
        wrong=SAMPLE_MISTAKES,
    ),
    *QUESTIONS,
]
