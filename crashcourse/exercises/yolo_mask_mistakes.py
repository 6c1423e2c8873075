"""Lesson 21, YOLO: the five terms over the wrong boxes or cells, or wrongly summed, each with its hint."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from crashcourse.exercises.yolo_loss_mistakes import terms_with


def _in_the_cell(mine: Tensor, there: Tensor) -> Tensor:
    return there.expand_as(mine)


def _in_empty_cells(mine: Tensor, there: Tensor) -> Tensor:
    return ~there.expand_as(mine)


def _all(mine: Tensor, there: Tensor) -> Tensor:
    return torch.ones_like(mine)


def _all_cells(mine: Tensor, there: Tensor) -> Tensor:
    return torch.ones_like(there[..., 0], dtype=torch.float32)


def _classes_of_each_box(mine: Tensor, there: Tensor) -> Tensor:
    return there[..., 0].float() * mine.shape[-1]


def _index_with_floats(
    xy: Tensor, root_wh: Tensor, confidence: Tensor, classes: Tensor, goal: Tensor, *_: Tensor
) -> Tensor:
    return classes[goal[..., 4]]


def _chosen_mean(key: str, values: Tensor, mask: Tensor) -> Tensor:
    """The mean of the values that a mask chooses: of every coordinate, every class."""
    return values[mask.expand_as(values) > 0].mean()


def _mean_of_chosen_sums(key: str, values: Tensor, mask: Tensor) -> Tensor:
    """The mean over the boxes or cells that a mask chooses, of sums over coordinates or classes."""
    if mask.shape == values.shape:
        return values[mask > 0].mean()
    return values.sum(-1)[mask[..., 0] > 0].mean()


def _for_each_object(
    xy: Tensor, root_wh: Tensor, confidence: Tensor, classes: Tensor, goal: Tensor, *rest: Tensor, least: int = 0
) -> dict[str, Tensor]:
    """Every term divided by how many objects the image holds, or by `least` where it holds fewer."""
    objects = goal[..., 4].sum().clamp_min(least)
    terms = terms_with(xy, root_wh, confidence, classes, goal, *rest)
    return {key: value / objects for key, value in terms.items()}


def _last_mean(*keys: str) -> Callable[[str, Tensor, Tensor], Tensor]:
    """In some of the terms the mean over the last dimension, before the sum."""

    def total(key: str, values: Tensor, mask: Tensor) -> Tensor:
        return (mask * values).sum() / (values.shape[-1] if key in keys else 1)

    return total


def _root_of_xy(key: str, values: Tensor, mask: Tensor) -> Tensor:
    whole = (mask * values).sum()
    return whole.sqrt() if key == "xy" else whole


def _squared_xy(key: str, values: Tensor, mask: Tensor) -> Tensor:
    whole = (mask * values).sum()
    return whole**2 if key == "xy" else whole


def _absolute(difference: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda *args: difference(*args).abs()


# The differences themselves, before they are squared.
_XY = {"place": lambda xy, goal: xy - goal[..., :2]}
_PLAIN = {
    **_XY,
    "size": lambda root, goal: root - goal[..., 2:4].sqrt(),
    "sure": lambda confidence, iou: confidence - iou,
    "empty": lambda confidence, iou: confidence,
    "name": lambda classes, labels, confidence: classes - labels,
}

MASK_MISTAKES = {
    "all_boxes_of_the_cell": (
        partial(terms_with, boxes=_in_the_cell),
        "All boxes of a cell with an object learn its place in yours. Only the responsible one does: values[mine].",
    ),
    "all_boxes_at_all": (
        partial(terms_with, boxes=_all),
        "All boxes learn a place in yours: the second box of a cell with an object, and boxes of empty cells, which "
        "are pulled to (0, 0). Only responsible boxes learn one: values[mine].",
    ),
    "cells_for_boxes": (
        partial(terms_with, boxes=_in_the_cell, certain=_in_the_cell, others=_in_empty_cells),
        "You split by *cell*: every box of a cell with an object learns it. The loss splits by box, and one box of "
        "such a cell is responsible. In the first four terms, mine and ~mine.",
    ),
    "confidence_by_cell": (
        partial(terms_with, certain=_in_the_cell, others=_in_empty_cells),
        "Your two terms of confidence split by *cell*. They split by box: mine, and ~mine, which holds the other "
        "box of a cell with an object, too.",
    ),
    "mask_not_aligned": (
        partial(terms_with, spread=lambda mask: mask),
        "mine is (S, S, B), your differences (S, S, B, 2): aligned from the right, the *boxes* of the mask meet x "
        "and y. mine[..., None], or sum over the last dimension first.",
    ),
    "confidence_of_all_in_the_cell": (
        partial(terms_with, certain=_in_the_cell),
        "The confidence of every box of the cell is compared with its IoU in yours. Only the responsible one's is.",
    ),
    "confidence_of_all": (
        partial(terms_with, certain=_all),
        "Your third term is over all boxes, empty cells included. It is over responsible ones: values[mine].",
    ),
    "empty_cells_only": (
        partial(terms_with, others=_in_empty_cells),
        "Your fourth term counts empty cells alone. It counts *every* box that is not responsible, also the other "
        "boxes of a cell with an object: ~mine.",
    ),
    "all_boxes_are_no_object": (
        partial(terms_with, others=_all),
        "Your fourth term pushes responsible boxes down, too. Leave them out: ~mine.",
    ),
    "for_each_box": (
        partial(terms_with, named=_classes_of_each_box),
        "You count the class error once for each box. A cell has one set of class scores: count it once a cell.",
    ),
    "every_cell_has_a_class": (
        partial(terms_with, named=_all_cells),
        "Empty cells are taught to name no class in yours. Their class scores are free: confidence says there is none.",
    ),
    "index_with_floats": (
        _index_with_floats,
        "goal[..., 4] holds floats, and only whole numbers and bools can choose: goal[..., 4] == 1. Or multiply by it.",
    ),
    "means": (
        partial(terms_with, total=lambda key, values, mask: (mask * values).mean()),
        "You take means, so that the many empty boxes dilute the few that matter. The terms are sums.",
    ),
    "means_of_the_chosen": (
        partial(terms_with, total=_chosen_mean),
        "You take means over what the masks choose: of every coordinate and class. Then an image with one object "
        "counts as much as one with six, and one without gives nan. The terms are sums.",
    ),
    "means_over_boxes": (
        partial(terms_with, total=_mean_of_chosen_sums),
        "You take means over the boxes and cells that the masks choose. Where none is chosen that is nan. The terms "
        "are sums.",
    ),
    "for_each_object": (
        _for_each_object,
        "You divide by the number of objects. There may be none, and the paper's terms are plain sums over an image.",
    ),
    "for_each_object_or_one": (
        partial(_for_each_object, least=1),
        "You divide by the number of objects. Many losses do; this paper's terms are plain sums over an image.",
    ),
    "mean_of_x_and_y": (
        partial(terms_with, total=_last_mean("xy")),
        "In xy you take the mean of the two coordinates: half of their sum. Every term is a sum.",
    ),
    "mean_of_coordinates": (
        partial(terms_with, total=_last_mean("xy", "wh")),
        "In xy and wh you take the mean of two numbers: half of their sum. Every term is a sum.",
    ),
    "mean_of_classes": (
        partial(terms_with, total=_last_mean("classes")),
        "In the last term you take the mean over classes. Every term is a sum.",
    ),
    "mean_of_last": (
        partial(terms_with, total=_last_mean("xy", "wh", "classes")),
        "You take means over coordinates and over classes before you sum. Every term is a sum: .sum(-1), or .sum() "
        "of all.",
    ),
    "absolute": (
        partial(terms_with, **{key: _absolute(value) for key, value in _PLAIN.items()}),
        "You take absolute differences. All terms are squared ones.",
    ),
    "absolute_places": (
        partial(terms_with, place=_absolute(_XY["place"])),
        "In xy you take absolute differences. It is squared, as all terms are.",
    ),
    "not_squared": (
        partial(terms_with, **_PLAIN),
        "You sum the differences as they are, so that those above and below cancel. All terms are squared differences.",
    ),
    "square_of_the_sum": (
        partial(terms_with, **_PLAIN, total=lambda key, values, mask: (mask * values).sum() ** 2),
        "You square the *sum*: differences cancel before they count. Square each difference, then sum.",
    ),
    "square_of_the_sum_in_xy": (
        partial(terms_with, **_XY, total=_squared_xy),
        "In xy you square the *sum*: differences cancel before they count. Square each difference, then sum.",
    ),
    "distance": (
        partial(terms_with, total=_root_of_xy),
        "In xy you take the root of the sum, a distance. The loss takes the squares as they are.",
    ),
}
