"""Lesson 21, YOLO: what people get wrong on the way back to boxes, each as code that behaves so, with its hint."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

Decoded = tuple[Tensor, Tensor]


def _corners(cells: int, indexing: str = "xy") -> Tensor:
    step = torch.arange(cells)
    return torch.stack(torch.meshgrid(step, step, indexing=indexing), -1)[:, :, None]  # (S, S, 1, 2)


def _decode(
    xy: Tensor,
    root_wh: Tensor,
    confidence: Tensor,
    classes: Tensor,
    size: int,
    *,
    corners: Callable[[int], Tensor] = _corners,
    place: Callable[[Tensor, Tensor, int, int], Tensor] = lambda xy, corner, cells, size: (xy + corner) / cells * size,
    sizes: Callable[[Tensor, int, int], Tensor] = lambda root, cells, size: root**2 * size,
    form: Callable[[Tensor, Tensor], list[Tensor]] = lambda centre, wh: [centre - wh / 2, centre + wh / 2],
    finish: Callable[[Tensor, int], Tensor] = lambda boxes, size: boxes,
    score: Callable[[Tensor, Tensor], Tensor] = lambda confidence, classes: confidence * classes,
    list_boxes: Callable[[Tensor], Tensor] = lambda values: values.flatten(0, 2),
    list_scores: Callable[[Tensor], Tensor] = lambda values: values.flatten(0, 2),
) -> Decoded:
    """`decode_cells` with one thing wrong: what the keyword arguments say."""
    cells = len(xy)
    centre = place(xy, corners(cells), cells, size)  # (S, S, B, 2)
    boxes = finish(torch.cat(form(centre, sizes(root_wh, cells, size)), -1), size)
    scores = score(confidence[..., None], classes[:, :, None])  # (S, S, B, C)
    return list_boxes(boxes), list_scores(scores)


def _boxes_first(values: Tensor) -> Tensor:
    return values.permute(2, 0, 1, 3).flatten(0, 2)


def _columns_first(values: Tensor) -> Tensor:
    return values.transpose(0, 1).flatten(0, 2)


def _as_it_is(values: Tensor) -> Tensor:
    return values


def _stacked_in_front(values: Tensor) -> Tensor:
    return values.permute(3, 0, 1, 2).reshape(-1, 4)


def _cell_by_cell(confidence: Tensor, classes: Tensor) -> Tensor:
    """Scores with the cells repeated as a whole: cell 0, 1, 2 ..., 0, 1, 2 ... instead of 0, 0, 1, 1 ..."""
    cells, _, boxes, _ = confidence.shape
    scores = confidence.reshape(-1, 1) * classes.reshape(cells**2, -1).repeat(boxes, 1)
    return scores.view(cells, cells, boxes, -1)


def _not_repeated(confidence: Tensor, classes: Tensor) -> Tensor:
    scores = confidence.reshape(-1, 1) * classes.reshape(-1, classes.shape[-1])
    return scores.view(*confidence.shape[:3], -1)


def _best_box(xy: Tensor, root_wh: Tensor, confidence: Tensor, classes: Tensor, size: int) -> Decoded:
    """Of each cell the box of which the cell is surest, and no other."""
    boxes, scores = _decode(xy, root_wh, confidence, classes, size)
    best = confidence.argmax(-1).flatten()  # (S·S,)
    rows = torch.arange(len(best)) * confidence.shape[-1] + best
    return boxes[rows], scores[rows]


def _scores_first(*args: Tensor) -> Decoded:
    return _decode(*args)[::-1]


DECODE_MISTAKES = {
    "no_corner": (
        partial(_decode, corners=lambda cells: torch.zeros(2)),
        "All your boxes lie in the first cell: add each cell's own column and row to x and y.",
    ),
    "rows_for_x": (
        partial(_decode, corners=partial(_corners, indexing="ij")),
        "You add the row to x and the column to y. meshgrid(..., indexing='xy') gives x first; 'ij' gives rows first.",
    ),
    "middle_of_the_cell": (
        partial(_decode, corners=lambda cells: _corners(cells) + 0.5),
        "You add half a cell. xy counts from the cell's upper left corner.",
    ),
    "not_divided": (
        partial(_decode, place=lambda xy, corner, cells, size: (xy + corner) * size),
        "Your centres are S times too far out: divide by S before you multiply by the size.",
    ),
    "not_squared": (
        partial(_decode, sizes=lambda root, cells, size: root * size),
        "root_wh holds roots: square them to get width and height.",
    ),
    "root_again": (
        partial(_decode, sizes=lambda root, cells, size: root.sqrt() * size),
        "You took the root of a root. Square root_wh to get width and height.",
    ),
    "sizes_in_cells": (
        partial(_decode, sizes=lambda root, cells, size: root**2 / cells * size),
        "You divided the sizes by S. They are parts of the whole image already; only xy belongs to the cell.",
    ),
    "exponential": (
        partial(_decode, sizes=lambda root, cells, size: root.exp() * size),
        "exp belongs to versions 2 and 3, where it multiplies an anchor. Here width = root².",
    ),
    "sigmoid": (
        partial(_decode, place=lambda xy, corner, cells, size: (xy.sigmoid() + corner) / cells * size),
        "The sigmoid on xy belongs to version 2. Here xy is the place inside the cell itself.",
    ),
    "still_centres": (
        partial(_decode, form=lambda centre, wh: [centre, wh]),
        "Your boxes are centre and size. Two corners are wanted: centre − size / 2 and centre + size / 2.",
    ),
    "centre_is_corner": (
        partial(_decode, form=lambda centre, wh: [centre, centre + wh]),
        "You took the centre for the upper left corner. Go half the size to either side.",
    ),
    "whole_size": (
        partial(_decode, form=lambda centre, wh: [centre - wh, centre + wh]),
        "Your boxes are twice as large: from the centre it is half the size to an edge.",
    ),
    "parts_of_the_image": (
        partial(_decode, finish=lambda boxes, size: boxes / size),
        "Your boxes are parts of the image, 0 to 1. Multiply by its size.",
    ),
    "whole_pixels": (
        partial(_decode, finish=lambda boxes, size: boxes.round()),
        "You round to whole pixels. Boxes are floats.",
    ),
    "classes_only": (
        partial(_decode, score=lambda confidence, classes: classes.expand(*confidence.shape[:3], -1)),
        "Your scores are class scores alone. A cell names a class even where there is nothing: times confidence.",
    ),
    "confidence_only": (
        partial(_decode, score=lambda confidence, classes: confidence.expand(*confidence.shape[:3], classes.shape[-1])),
        "Your scores are confidences alone, the same for every class. Times the class scores of the cell.",
    ),
    "softmax": (
        partial(_decode, score=lambda confidence, classes: confidence * classes.softmax(-1)),
        "You put a softmax on the class scores. They were trained as squared differences from 0 and 1: take them as "
        "they are.",
    ),
    "root_of_product": (
        partial(_decode, score=lambda confidence, classes: (confidence * classes).sqrt()),
        "The score is the product itself, not its root.",
    ),
    "best_class_only": (
        partial(_decode, score=lambda confidence, classes: (confidence * classes).amax(-1, keepdim=True)),
        "Only the best class has come back. The scores are (S·S·B, C): all classes; suppression goes class by class.",
    ),
    "boxes_first": (
        partial(_decode, list_boxes=_boxes_first, list_scores=_boxes_first),
        "Your list has the first box of all cells, then the second. Row by row, cell by cell: reshape(-1, 4).",
    ),
    "columns_first": (
        partial(_decode, list_boxes=_columns_first, list_scores=_columns_first),
        "Your list runs down the columns of the grid. Row by row: reshape(-1, 4) does it.",
    ),
    "not_flat": (
        partial(_decode, list_boxes=_as_it_is, list_scores=_as_it_is),
        "The grid is still there: (S, S, B, ...). A list is wanted, (S·S·B, ...): reshape(-1, 4).",
    ),
    "size_squared": (
        partial(_decode, sizes=lambda root, cells, size: (root * size) ** 2),
        "You scale the root to pixels and then square: size comes in twice. Square first, then multiply by the size.",
    ),
    "centres_in_cells": (
        partial(_decode, place=lambda xy, corner, cells, size: xy + corner),
        "Your widths are pixels, your centres still count cells. A cell is size / S pixels wide.",
    ),
    "centres_in_parts": (
        partial(_decode, place=lambda xy, corner, cells, size: (xy + corner) / cells),
        "Your widths are pixels, your centres still parts of the image. Multiply those by the size, too.",
    ),
    "sizes_in_parts": (
        partial(_decode, sizes=lambda root, cells, size: root**2),
        "Your centres are pixels, your widths and heights still parts of the image. Multiply those by the size, too.",
    ),
    "inside_scaled_by_the_image": (
        partial(_decode, place=lambda xy, corner, cells, size: xy * size + corner * size / cells),
        "xy is a part of the *cell*: times size / S. Only the corner of the cell is where it should be in yours.",
    ),
    "whole_side": (
        partial(_decode, place=lambda xy, corner, cells, size: (xy + corner) * (size // cells)),
        "size // S rounds the side of a cell down to whole pixels. Divide with /.",
    ),
    "seven_cells": (
        partial(_decode, place=lambda xy, corner, cells, size: (xy + corner) / 7 * size),
        "You divide by 7. The grid may have any number of cells: S = len(xy).",
    ),
    "height_first": (
        partial(_decode, sizes=lambda root, cells, size: root.flip(-1) ** 2 * size),
        "Width and height are swapped: root_wh[..., 0] is the root of the width.",
    ),
    "half_before_the_square": (
        partial(_decode, form=lambda centre, wh: [centre - wh / 4, centre + wh / 4]),
        "Your boxes are half as wide and high as they should be. Square the root before you take half of it.",
    ),
    "edges_in_pairs": (
        partial(_decode, finish=lambda boxes, size: boxes[..., [0, 2, 1, 3]]),
        "Your boxes are x1, x2, y1, y2. The order is x1, y1, x2, y2.",
    ),
    "y_before_x": (
        partial(_decode, finish=lambda boxes, size: boxes[..., [1, 0, 3, 2]]),
        "Your boxes are y1, x1, y2, x2. x comes first.",
    ),
    "stacked_in_front": (
        partial(_decode, list_boxes=_stacked_in_front),
        "torch.stack puts the four edges into a new *first* dimension, and reshape(-1, 4) then mixes boxes. Put them "
        "last: torch.stack([...], -1).",
    ),
    "clamped": (
        partial(_decode, finish=lambda boxes, size: boxes.clamp(0, size)),
        "You cut boxes at the border of the image. A box may reach beyond it, and is given back as it is.",
    ),
    "only_boxes_by_box": (
        partial(_decode, list_boxes=_boxes_first),
        "Your boxes have the first box of all cells, then the second; your scores go cell by cell. So they do not "
        "belong together: both row by row, cell by cell.",
    ),
    "cells_repeated": (
        partial(_decode, score=_cell_by_cell),
        "repeat lists all cells, and then all cells again. The boxes of *one* cell stand together: "
        "repeat_interleave(B, 0), or classes[:, :, None].",
    ),
    "classes_not_repeated": (
        partial(_decode, score=_not_repeated),
        "S·S·B confidences meet S·S sets of class scores. Every box takes the set of its cell: classes[:, :, None], "
        "before you flatten.",
    ),
    "best_class_alone": (
        partial(_decode, list_scores=lambda values: values.flatten(0, 2).amax(1)),
        "You keep the largest score of each box. All classes are wanted, (S·S·B, C): suppression goes class by class.",
    ),
    "best_box_only": (
        _best_box,
        "You keep one box of each cell. All B come back; suppression chooses later.",
    ),
    "root_of_confidence": (
        partial(_decode, score=lambda confidence, classes: confidence.sqrt() * classes),
        "You took the root of the confidence. Only width and height are given as roots.",
    ),
    "scores_first": (
        _scores_first,
        "Scores come before boxes in yours. Boxes first.",
    ),
}
