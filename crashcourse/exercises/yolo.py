"""Lesson 21, YOLO: four functions to write. A test holds each to the package's own.

Paper: Redmon et al., 2015, arXiv 1506.02640, section 2 and equation 3. The mistakes are in `yolo_encode_mistakes.py`,
`yolo_responsible_mistakes.py`, `yolo_loss_mistakes.py`, `yolo_mask_mistakes.py` and `yolo_decode_mistakes.py`, the
questions in `yolo_questions.py` and `yolo_choices.py`.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from crashcourse.exercises.case import Case
from crashcourse.exercises.isolation import Budget
from crashcourse.exercises.kinds import FunctionExercise
from crashcourse.exercises.outcome import Outcome, run_function
from crashcourse.exercises.yolo_choices import CHOICES
from crashcourse.exercises.yolo_decode_mistakes import DECODE_MISTAKES
from crashcourse.exercises.yolo_encode_mistakes import ENCODE_MISTAKES
from crashcourse.exercises.yolo_loss_mistakes import LOSS_MISTAKES, NAMES
from crashcourse.exercises.yolo_mask_mistakes import MASK_MISTAKES
from crashcourse.exercises.yolo_questions import QUESTIONS
from crashcourse.exercises.yolo_responsible_mistakes import RESPONSIBLE_MISTAKES

GRADIENT_CASE = "three of four cells hold an object"


def encode_cells(boxes: Tensor, cells: int, size: int) -> Tensor:
    """Give every object to the cell that its centre lies in.

    Args:
        boxes: (M, 4) float, xyxy, pixels; M may be 0.
        cells: S, cells along a side of the grid.
        size: the side of the square image in pixels.

    Returns:
        (S, S, 5) float, row by row: in a cell with an object x and y of its centre (inside the cell, 0 to 1), its
        width and height (as parts of the image), and 1; zeros in other cells. Of several objects in one cell the
        first counts. A centre on the right or lower border of the image belongs to the last cell.
    """
    goal = torch.zeros(cells, cells, 5)
    for x1, y1, x2, y2 in boxes.tolist():
        x, y = (x1 + x2) / 2 / size * cells, (y1 + y2) / 2 / size * cells  # in cells
        column, row = min(int(x), cells - 1), min(int(y), cells - 1)
        if goal[row, column, 4] == 0:
            w, h = (x2 - x1) / size, (y2 - y1) / size
            goal[row, column] = torch.tensor([x - column, y - row, w, h, 1.0])
    return goal


def responsible_box(iou: Tensor, has_object: Tensor) -> Tensor:
    """Which box of each cell has to learn the cell's object: the one that overlaps it most already.

    Args:
        iou: (S, S, B) float, of each predicted box with the object of its cell; 0 in cells without one.
        has_object: (S, S) bool.

    Returns:
        (S, S, B) bool: True for one box of each cell with an object. Of equal boxes the first.
    """
    best = F.one_hot(iou.argmax(-1), iou.shape[-1]).bool()  # (S, S, B)
    return best & has_object[..., None]


def yolo_terms(
    xy: Tensor,
    root_wh: Tensor,
    confidence: Tensor,
    classes: Tensor,
    goal: Tensor,
    labels: Tensor,
    iou: Tensor,
    mine: Tensor,
) -> dict[str, Tensor]:
    """The five terms of YOLO's loss (equation 3) for one image, weighted.

    Args:
        xy: (S, S, B, 2) float, predicted centres inside their cells.
        root_wh: (S, S, B, 2) float, predicted *roots* of width and height.
        confidence: (S, S, B) float, predicted.
        classes: (S, S, C) float, predicted, one set for each cell.
        goal: (S, S, 5) float: x, y, w, h, and whether there is an object.
        labels: (S, S, C) float, one-hot; zeros in cells without an object.
        iou: (S, S, B) float, of each predicted box with the object of its cell.
        mine: (S, S, B) bool: the responsible boxes.

    Returns:
        "xy", "wh", "object", "no_object" and "classes", each a scalar: 5 and 0.5 are in already.
    """
    has_object = goal[..., 4]  # (S, S)
    off_centre = ((xy - goal[..., None, :2]) ** 2).sum(-1)  # (S, S, B)
    off_size = ((root_wh - goal[..., None, 2:4].sqrt()) ** 2).sum(-1)
    return {
        "xy": 5 * off_centre[mine].sum(),
        "wh": 5 * off_size[mine].sum(),
        "object": ((confidence - iou)[mine] ** 2).sum(),
        "no_object": 0.5 * (confidence[~mine] ** 2).sum(),
        "classes": (has_object[..., None] * (classes - labels) ** 2).sum(),
    }


def decode_cells(xy: Tensor, root_wh: Tensor, confidence: Tensor, classes: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """All boxes that an output describes, in pixels, with a score for each class.

    Args:
        xy: (S, S, B, 2) float, centres inside their cells.
        root_wh: (S, S, B, 2) float, roots of width and height as parts of the image.
        confidence: (S, S, B) float.
        classes: (S, S, C) float, one set for each cell.
        size: the side of the square image in pixels.

    Returns:
        Boxes (S·S·B, 4) xyxy, row by row, cell by cell; and scores (S·S·B, C): confidence times class.
    """
    cells = len(xy)
    step = torch.arange(cells)
    corner = torch.stack(torch.meshgrid(step, step, indexing="xy"), -1)  # (S, S, 2): x and y of each cell's corner
    centre = (xy + corner[:, :, None]) / cells * size  # (S, S, B, 2)
    wh = root_wh**2 * size
    boxes = torch.cat([centre - wh / 2, centre + wh / 2], -1)  # (S, S, B, 4)
    scores = confidence[..., None] * classes[:, :, None]  # (S, S, B, C)
    return boxes.reshape(-1, 4), scores.reshape(-1, classes.shape[-1])


def _encode_cases(seed: int) -> list[Case]:
    corner = torch.rand(5, 2) * 40
    many = torch.cat([corner, corner + 4 + torch.rand(5, 2) * 20], 1)
    shift = torch.tensor([8.0, 0.0, 8.0, 0.0]) * (seed % 3)
    return [
        Case((torch.zeros(0, 4), 2, 100), label="nothing in the image"),
        Case((torch.tensor([[60.0, 10.0, 80.0, 60.0]]), 2, 100), label="one object, on the upper right"),
        Case((torch.tensor([[11.0, 30.0, 31.0, 34.0]]) + shift, 3, 96), label="one object, wider than high"),
        Case((torch.tensor([[88.0, 20.0, 92.0, 44.0]]), 3, 90), label="a centre on the right border"),
        Case((torch.tensor([[10.0, 76.0, 40.0, 104.0]]), 3, 90), label="a centre on the lower border"),
        Case((torch.tensor([[0.0, 0.0, 20.0, 26.0], [2.0, 0.0, 40.0, 30.0]]), 2, 100), label="two in one cell"),
        Case((torch.tensor([[2.0, 4.0, 40.0, 30.0], [0.0, 0.0, 20.0, 26.0]]), 2, 100), label="the larger one first"),
        Case((torch.tensor([[50.0, 58.0, 79.0, 92.0]]), 3, 100), label="cells of 33⅓ pixels"),
        Case((many, 4, 64), label="five objects"),
    ]


def _responsible_cases(seed: int) -> list[Case]:
    iou = torch.rand(3, 3, 2) * 0.9 + 0.05
    there = torch.rand(3, 3) < 0.5
    there[0, 0], there[2, 1] = True, False
    one = torch.tensor([[True]])
    high = torch.tensor([[[0.9, 0.2, 0.0], [0.3, 0.6, 0.55]], [[0.05, 0.1, 0.3], [0.0, 0.0, 0.0]]])
    return [
        Case((torch.tensor([[[0.2, 0.7]]]), one), label="one cell with an object, the second box is better"),
        Case((torch.tensor([[[0.0, 0.0]]]), ~one), label="one cell without an object"),
        Case((torch.tensor([[[0.4, 0.4]]]), one), label="two equal boxes"),
        Case((torch.tensor([[[0.0, 0.0]]]), one), label="no box meets the object"),
        Case((high, torch.tensor([[True, True], [True, False]])), label="four cells of three boxes"),
        Case((iou * there[..., None], there), label="nine cells"),
    ]


def _loss_cases(seed: int) -> list[Case]:
    forms = [
        (1, 1, 2, torch.tensor([[True]]), "one cell, one box, one object"),
        (1, 2, 2, torch.tensor([[True]]), "one cell, two boxes, one object"),
        (2, 2, 3, torch.tensor([[False, False], [False, False]]), "no object at all"),
        (2, 2, 3, torch.tensor([[True, True], [False, True]]), GRADIENT_CASE),
        (3, 3, 4, torch.rand(3, 3) < 0.5, "nine cells of three boxes"),
        (3, 2, 4, torch.rand(3, 3) < 0.5, "nine cells of two boxes"),
    ]
    return [_loss_case(*form) for form in forms]


def _loss_case(cells: int, boxes: int, classes: int, there: Tensor, label: str) -> Case:
    where = there[..., None].float()
    goal = torch.cat([torch.rand(cells, cells, 2), 0.1 + 0.8 * torch.rand(cells, cells, 2), where], -1) * where
    iou = torch.rand(cells, cells, boxes) * where
    names = F.one_hot(torch.randint(classes, (cells, cells)), classes) * where
    shape = (cells, cells, boxes)
    found = (torch.rand(*shape, 2), 0.2 + 0.7 * torch.rand(*shape, 2), 0.05 + 0.9 * torch.rand(shape))
    said = 0.05 + 0.9 * torch.rand(cells, cells, classes)
    return Case((*found, said, goal, names, iou, responsible_box(iou, there)), label=label)


def _decode_cases(seed: int) -> list[Case]:
    def drawn(cells: int, boxes: int, classes: int) -> tuple[Tensor, ...]:
        shape = (cells, cells, boxes)
        found = (torch.rand(*shape, 2), 0.2 + 0.7 * torch.rand(*shape, 2), 0.05 + 0.9 * torch.rand(shape))
        return (*found, torch.rand(cells, cells, classes))

    half = torch.full((1, 1, 1, 2), 0.5)
    one = torch.ones(1, 1, 1)
    return [
        Case((half, half, one, torch.tensor([[[1.0, 0.0]]]), 100), label="one cell, one box in its middle"),
        Case((half * 0.5, half, one * 0.8, torch.tensor([[[0.5, 0.25]]]), 64), label="one cell, one box, not sure"),
        Case((*drawn(2, 1, 2), 96), label="four cells, one box each"),
        Case((*drawn(3, 2, 4), 112), label="nine cells, two boxes each"),
    ]


class _TermsExercise(FunctionExercise):
    """What is learned from is checked, too: in one of the cases the gradients of the predictions, of nothing else."""

    def run(self, candidate: Callable[..., Any], case: Case, budget: Budget) -> Outcome:
        @wraps(candidate)
        def prepared(*args: Tensor) -> Any:
            terms = candidate(*args[:4], *(given.detach() for given in args[4:]))
            ordered = isinstance(terms, dict) and set(terms) == set(NAMES)
            return {name: terms[name] for name in NAMES} if ordered else terms

        outcome = run_function(
            prepared, case, self.input_names(case), gradient=case.label == GRADIENT_CASE, budget=budget
        )
        return _without_wild_gradients(outcome)


def _without_wild_gradients(outcome: Outcome) -> Outcome:
    """Where a term is already nan or infinite, its gradients say no more."""
    terms = outcome.value.values() if isinstance(outcome.value, dict) else ()
    wild = any(isinstance(term, Tensor) and not term.isfinite().all() for term in terms)
    return replace(outcome, gradients=None) if wild else outcome


EXERCISES = [
    FunctionExercise(
        name="detection.encode_cells",
        title="What every cell should say",
        lesson=21,
        reference=encode_cells,
        cases=_encode_cases,
        hints=(
            "Which cell? Measure the centre in cells instead of pixels: what comes before the point counts cells.",
            "x = (x1 + x2) / 2 / size · cells; column = ⌊x⌋, at most cells − 1; inside the cell x − column.",
            "A loop over boxes.tolist(); goal[row, column] = torch.tensor([x - column, y - row, w, h, 1.0]), unless "
            "the cell is taken. Rows come first: y before x.",
        ),
        wrong=ENCODE_MISTAKES,
    ),
    FunctionExercise(
        name="detection.responsible_box",
        title="Who is responsible?",
        lesson=21,
        reference=responsible_box,
        cases=_responsible_cases,
        hints=(
            "Within a cell, the largest IoU. In which cells does nobody learn a box at all?",
            "One-hot of the argmax over the last dimension, and False wherever has_object is False.",
            "F.one_hot(iou.argmax(-1), number of boxes).bool() & has_object[..., None].",
        ),
        wrong=RESPONSIBLE_MISTAKES,
    ),
    _TermsExercise(
        name="detection.yolo_terms",
        title="The loss, term by term",
        lesson=21,
        reference=yolo_terms,
        cases=_loss_cases,
        hints=(
            "Three terms belong to responsible boxes, one to all the others, one to cells with an object.",
            "Every term is a sum of squared differences. Sizes compare roots; confidence compares with the IoU.",
            "mine picks boxes: values[mine].sum(), values[~mine].sum(). goal[..., None, :2] gives every box its cell's "
            "goal. goal[..., 4] is 1 in cells with an object.",
        ),
        wrong={**MASK_MISTAKES, **LOSS_MISTAKES},
        gradient=True,
    ),
    FunctionExercise(
        name="detection.decode_cells",
        title="From an output to boxes",
        lesson=21,
        reference=decode_cells,
        cases=_decode_cases,
        hints=(
            "The way back: inside the cell, in cells, as a part of the image, in pixels.",
            "centre = (xy + corner of the cell) / S · size; width = root² · size; corners lie half a size away.",
            "torch.meshgrid(step, step, indexing='xy') gives x and y of the corners, (S, S) each; the box dimension "
            "needs corner[:, :, None]. Scores: confidence[..., None] * classes[:, :, None].",
        ),
        wrong=DECODE_MISTAKES,
    ),
    *QUESTIONS,
    *CHOICES,
]
