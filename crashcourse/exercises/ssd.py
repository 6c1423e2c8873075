"""Lesson 22, SSD: three functions to write. A test holds each to the package's own.

Paper: Liu et al., 2015, arXiv:1512.02325, section 2.2: default boxes, matching, hard negative mining. The mistakes are
in `ssd_box_mistakes.py`, `ssd_choice_mistakes.py` and `ssd_negative_mistakes.py`, the questions in `ssd_questions.py`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from crashcourse.exercises.case import Case
from crashcourse.exercises.kinds import FunctionExercise
from crashcourse.exercises.ssd_box_mistakes import BOX_MISTAKES
from crashcourse.exercises.ssd_choice_mistakes import MATCH_MISTAKES
from crashcourse.exercises.ssd_negative_mistakes import NEGATIVE_MISTAKES
from crashcourse.exercises.ssd_questions import QUESTIONS


def default_boxes(side: int, step: float, size: float, next_size: float, ratios: Sequence[float]) -> Tensor:
    """The default boxes of one map.

    Args:
        side: how many places the map has along a side.
        step: pixels from one place to the next; the first lies half a step from the border.
        size: s, in pixels.
        next_size: the s of the next map.
        ratios: aspect ratios besides 1.

    Returns:
        (side · side · (2 + 2 · len(ratios)), 4) float: x and y of the centre, width, height, in pixels. Places come row
        by row. At each place come the square of side s, that of side √(s · next s), and for each ratio r the box s√r
        wide and s/√r high, then the same upright: s/√r wide and s√r high.
    """
    shapes = [(size, size), ((size * next_size) ** 0.5, (size * next_size) ** 0.5)]
    for ratio in ratios:
        long, short = size * ratio**0.5, size / ratio**0.5
        shapes += [(long, short), (short, long)]
    boxes = []
    for row in range(side):
        for column in range(side):
            x, y = (column + 0.5) * step, (row + 0.5) * step
            boxes += [(x, y, width, height) for width, height in shapes]
    return torch.tensor(boxes)


def match_objects(iou: Tensor, threshold: float) -> Tensor:
    """Which object each default box learns.

    Args:
        iou: (M, P) float: IoU of every object with every default box. No two objects have the same best default box.
        threshold: a default box learns the object it overlaps most, if their IoU is above this.

    Returns:
        (P,) int64: the index of the object, or -1 for background. Besides, every object is learned by the default box
        that overlaps it most, however little, and whatever else that box overlaps.
    """
    best, matched = iou.max(0)  # (P,): for each default box
    matched = torch.where(best > threshold, matched, -1)
    matched[iou.argmax(1)] = torch.arange(len(iou))  # for each object
    return matched


def hardest_negatives(loss: Tensor, positive: Tensor, ratio: int) -> Tensor:
    """Which negatives count: in each image those with the highest loss.

    Args:
        loss: (N, P) float: the classification loss of every default box, a row for each image; all different.
        positive: (N, P) bool: the default boxes that learn an object.
        ratio: negatives for each positive of the same image, or all there are if they are fewer.

    Returns:
        (N, P) bool: True for a negative that counts.
    """
    order = loss.masked_fill(positive, -torch.inf).argsort(1, descending=True)  # positives last
    rank = order.argsort(1)  # (N, P): 0 for the highest loss
    return (rank < ratio * positive.sum(1, keepdim=True)) & ~positive


def _box_cases(seed: int) -> list[Case]:
    drawn = torch.randint(5, 40, (3,)).tolist()
    step, size, more = float(drawn[0]), float(drawn[1]), float(drawn[2])
    return [
        Case((1, 20.0, 8.0, 18.0, ()), label="one place, no ratio"),
        Case((1, 300.0, 64.0, 81.0, (4,)), label="one place, one ratio"),
        Case((2, 10.0, 4.0, 9.0, ()), label="two by two places"),
        Case((2, 16.0, 9.0, 16.0, (4, 9)), label="two by two places, two ratios"),
        Case((3, step, size, size + more, (2, 3)), label="three by three places, sizes as they come"),
    ]


def _match_cases(seed: int) -> list[Case]:
    places = torch.randperm(9)
    drawn = 0.75 * torch.rand(3, 9)
    drawn[torch.arange(3), places[:3]] = 0.8 + 0.1 * torch.rand(3)  # one best default box for each object
    drawn[1, places[0]], drawn[2, places[3]] = 0.78, 0.7
    wanted_by_both = torch.tensor([[0.6, 0.1, 0.55, 0.0], [0.7, 0.8, 0.0, 0.1]])
    weak = torch.tensor([[0.4, 0.1, 0.2, 0.0], [0.7, 0.8, 0.1, 0.0]])
    crowd = torch.tensor([[0.9, 0.3, 0.55, 0.1, 0.2], [0.1, 0.95, 0.7, 0.0, 0.2], [0.3, 0.2, 0.6, 0.3, 0.85]])
    return [
        Case((torch.tensor([[0.7, 0.2, 0.6]]), 0.5), label="one object, two good default boxes"),
        Case((torch.tensor([[0.1, 0.3, 0.2]]), 0.5), label="one object, no good default box"),
        Case((torch.tensor([[0.01, 0.0, 0.02, 0.0]]), 0.5), label="one object that hardly overlaps anything"),
        Case((torch.tensor([[0.5, 0.8, 0.1]]), 0.5), label="an IoU of exactly the threshold"),
        Case((torch.tensor([[0.35, 0.2, 0.9], [0.0, 0.4, 0.1]]), 0.3), label="a threshold of 0.3"),
        Case((wanted_by_both, 0.5), label="the first object's best box overlaps the second one more"),
        Case((weak, 0.5), label="the same, and the first object has no other"),
        Case((crowd, 0.5), label="a default box that overlaps three objects"),
        Case((drawn, 0.5), label="three objects, nine default boxes"),
    ]


def _negative_cases(seed: int) -> list[Case]:
    loss = (torch.randperm(24) + 1.0).view(2, 12) / 4
    positive = torch.zeros(2, 12, dtype=torch.bool)
    positive[0, torch.randperm(12)[:2]] = True
    positive[1, torch.randperm(12)[:1]] = True
    row = torch.tensor([[5.0, 1.0, 4.0, 2.0, 6.0, 3.0]])
    first = torch.tensor([[True, False, False, False, False, False]])
    easy = torch.tensor([[0.1, 7.0, 0.3, 5.0, 0.2, 6.0, 0.4, 0.5]])
    return [
        Case((row, first, 1), label="one positive, one negative"),
        Case((row, first, 3), label="one positive, three negatives"),
        Case((row, ~row.bool(), 3), label="no positive"),
        Case((row[:, :4], torch.tensor([[True, False, True, False]]), 3), label="fewer negatives than wanted"),
        Case((easy, easy > 5.5, 1), label="positives with the highest loss"),
        Case((loss, positive, 2), label="two images"),
        Case((loss, positive, 3), label="two images, three negatives for each positive"),
        Case((loss, positive & torch.tensor([[True], [False]]), 3), label="two images, one of them empty"),
    ]


EXERCISES = [
    FunctionExercise(
        name="detection.default_boxes",
        title="The default boxes of one map",
        lesson=22,
        reference=default_boxes,
        cases=_box_cases,
        hints=(
            "Two parts: the shapes, the same everywhere, and the places. List the shapes first.",
            "A box of ratio r and area s² is s√r wide and s/√r high. Place number k lies at (k + 0.5) · step.",
            "Loop over rows, in it over columns, in it over shapes; append (x, y, width, height); torch.tensor at the "
            "end.",
        ),
        wrong=BOX_MISTAKES,
    ),
    FunctionExercise(
        name="detection.match_objects",
        title="Which object a default box learns",
        lesson=22,
        reference=match_objects,
        cases=_match_cases,
        hints=(
            "Two rules: one asks each default box for its best object, the other each object for its best default box.",
            "iou.max(0) gives, for every default box, the best IoU and its object. iou.argmax(1) gives every object's "
            "best default box.",
            "torch.where(best > threshold, matched, -1), then matched[iou.argmax(1)] = torch.arange(len(iou)).",
        ),
        wrong=MATCH_MISTAKES,
    ),
    FunctionExercise(
        name="detection.hardest_negatives",
        title="Hard negatives",
        lesson=22,
        reference=hardest_negatives,
        cases=_negative_cases,
        hints=(
            "Put the positives out of the way, then rank what is left by loss, image by image.",
            "The rank of each entry is argsort(argsort): where it stands in the sorted row. How many may count?",
            "loss.masked_fill(positive, -torch.inf), two argsorts along dimension 1, and rank < ratio · positives.",
        ),
        wrong=NEGATIVE_MISTAKES,
    ),
    *QUESTIONS,
]
