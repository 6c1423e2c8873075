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
    within: Callable[[Tensor], Tensor] = lambda xy: xy,
    spread: Callable[[Tensor, int], Tensor] = lambda places, cells: places / cells,
    sizes: Callable[[Tensor, int], Tensor] = lambda root, cells: root**2,
    form: Callable[[Tensor, Tensor], list[Tensor]] = lambda centre, wh: [centre - wh / 2, centre + wh / 2],
    scale: Callable[[Tensor, int], Tensor] = lambda boxes, size: boxes * size,
    score: Callable[[Tensor, Tensor], Tensor] = lambda confidence, classes: confidence * classes,
    flat: Callable[[Tensor], Tensor] = lambda values: values.flatten(0, 2),
) -> Decoded:
    """`decode_cells` with one thing wrong: what the keyword arguments say. Boxes are parts of the image at first."""
    cells = len(xy)
    centre = spread(within(xy) + corners(cells), cells)  # (S, S, B, 2)
    boxes = scale(torch.cat(form(centre, sizes(root_wh, cells)), -1), size)
    scores = score(confidence[..., None], classes[:, :, None])  # (S, S, B, C)
    return flat(boxes), flat(scores)


def _boxes_first(values: Tensor) -> Tensor:
    return values.permute(2, 0, 1, 3).flatten(0, 2)


def _columns_first(values: Tensor) -> Tensor:
    return values.transpose(0, 1).flatten(0, 2)


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
        partial(_decode, spread=lambda places, cells: places),
        "Your centres count cells. Divide by S to get parts of the image, then scale.",
    ),
    "not_squared": (
        partial(_decode, sizes=lambda root, cells: root),
        "root_wh holds roots: square them to get width and height.",
    ),
    "root_again": (
        partial(_decode, sizes=lambda root, cells: root.sqrt()),
        "You took the root of a root. Square root_wh to get width and height.",
    ),
    "sizes_in_cells": (
        partial(_decode, sizes=lambda root, cells: root**2 / cells),
        "You divided the sizes by S. They are parts of the whole image already; only xy belongs to the cell.",
    ),
    "exponential": (
        partial(_decode, sizes=lambda root, cells: root.exp()),
        "exp belongs to versions 2 and 3, where it multiplies an anchor. Here width = root².",
    ),
    "sigmoid": (
        partial(_decode, within=torch.sigmoid),
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
        partial(_decode, scale=lambda boxes, size: boxes),
        "Your boxes are parts of the image, 0 to 1. Multiply by its size.",
    ),
    "whole_pixels": (
        partial(_decode, scale=lambda boxes, size: (boxes * size).round()),
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
        partial(_decode, flat=_boxes_first),
        "Your list has the first box of all cells, then the second. Row by row, cell by cell: reshape(-1, 4).",
    ),
    "columns_first": (
        partial(_decode, flat=_columns_first),
        "Your list runs down the columns of the grid. Row by row: reshape(-1, 4) does it.",
    ),
    "not_flat": (
        partial(_decode, flat=lambda values: values),
        "The grid is still there: (S, S, B, ...). A list is wanted, (S·S·B, ...): reshape(-1, 4).",
    ),
}
