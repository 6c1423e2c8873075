"""Lesson 21, YOLO: what people get wrong in filling the grid, each as code that behaves so, with its hint."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

Place = tuple[float, float]


def _middle(box: list[float]) -> Place:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _sizes(box: list[float], cells: int, size: int) -> Place:
    return (box[2] - box[0]) / size, (box[3] - box[1]) / size


def _encode(
    boxes: Tensor,
    cells: int,
    size: int,
    *,
    point: Callable[[list[float]], Place] = _middle,
    count: Callable[[float, int, int], float] = lambda value, cells, size: value / size * cells,
    whole: Callable[[float, int], int] = lambda value, cells: min(int(value), cells - 1),
    inside: Callable[[float, int, int, int], float] = lambda value, place, cells, size: value - place,
    sizes: Callable[[list[float], int, int], Place] = _sizes,
    order: Callable[[Place], Place] = lambda place: place,
    index: Callable[[int, int], Place] = lambda row, column: (row, column),
    fill: Callable[[Tensor, Tensor], Tensor] = lambda old, new: new if old[4] == 0 else old,
    flag: float = 1.0,
) -> Tensor:
    """`encode_cells` with one thing wrong: what the keyword arguments say."""
    goal = torch.zeros(cells, cells, 5)
    for box in boxes.tolist():
        x, y = (count(value, cells, size) for value in point(box))
        column, row = whole(x, cells), whole(y, cells)
        at = index(row, column)
        place = order((inside(x, column, cells, size), inside(y, row, cells, size)))
        new = [*place, *sizes(box, cells, size), flag]
        goal[at] = fill(goal[at].clone(), torch.tensor(new))
    return goal


def _none_at_the_border(boxes: Tensor, cells: int, size: int) -> Tensor:
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    return _encode(boxes[(centres < size).all(1)], cells, size)


def _everywhere(boxes: Tensor, cells: int, size: int) -> Tensor:
    """Every cell that the box covers a part of gets the object."""
    goal = torch.zeros(cells, cells, 5)
    for box in boxes.tolist():
        x, y = (value / size * cells for value in _middle(box))
        first = [max(0, int(value / size * cells)) for value in box[:2]]
        last = [min(cells, math.ceil(value / size * cells)) for value in box[2:]]
        for row in range(first[1], last[1]):
            for column in range(first[0], last[0]):
                if goal[row, column, 4] == 0:
                    goal[row, column] = torch.tensor([x - column, y - row, *_sizes(box, cells, size), 1.0])
    return goal


def _stacked(boxes: Tensor, cells: int, size: int) -> Tensor:
    """Right, but for a stack of nothing where there is no box."""
    return _encode(torch.stack(list(boxes)), cells, size)


def _larger(old: Tensor, new: Tensor) -> Tensor:
    return new if new[2] * new[3] > old[2] * old[3] else old


ENCODE_MISTAKES = {
    "rows_and_columns": (
        partial(_encode, index=lambda row, column: (column, row)),
        "Rows and columns are swapped. A tensor is indexed by row first, and the row comes from y.",
    ),
    "rounded": (
        partial(_encode, whole=lambda value, cells: min(round(value), cells - 1)),
        "You round to the nearest cell. A centre at 1.7 cells lies in cell 1: round down.",
    ),
    "corner": (
        partial(_encode, point=lambda box: (box[0], box[1])),
        "You give the object to the cell of its upper left corner. Its *centre* decides.",
    ),
    "part_of_the_image": (
        partial(_encode, inside=lambda value, place, cells, size: value / cells),
        "Your x and y are parts of the image. They count inside the cell: 0 at its left or upper edge, 1 at the other.",
    ),
    "in_cells": (
        partial(_encode, inside=lambda value, place, cells, size: value),
        "Your x and y count cells from the image's corner. Take off the cell's own column and row.",
    ),
    "from_the_middle": (
        partial(_encode, inside=lambda value, place, cells, size: value - place - 0.5),
        "You measure from the middle of the cell. x and y count from its upper left corner, 0 to 1.",
    ),
    "in_pixels": (
        partial(_encode, inside=lambda value, place, cells, size: (value - place) * size / cells),
        "Your x and y inside the cell are pixels. Divide by the cell's side: 0 to 1.",
    ),
    "sizes_in_pixels": (
        partial(_encode, sizes=lambda box, cells, size: (box[2] - box[0], box[3] - box[1])),
        "Width and height are pixels. Divide by the size of the image.",
    ),
    "sizes_in_cells": (
        partial(_encode, sizes=lambda box, cells, size: tuple(cells * side for side in _sizes(box, cells, size))),
        "Width and height count cells. Only x and y belong to the cell; sizes are parts of the image.",
    ),
    "roots": (
        partial(_encode, sizes=lambda box, cells, size: tuple(math.sqrt(side) for side in _sizes(box, cells, size))),
        "You took the roots already. The target holds width and height; the loss takes the roots.",
    ),
    "half_sizes": (
        partial(_encode, sizes=lambda box, cells, size: tuple(side / 2 for side in _sizes(box, cells, size))),
        "Your width and height are half of what they should be.",
    ),
    "corner_for_size": (
        partial(_encode, sizes=lambda box, cells, size: (box[2] / size, box[3] / size)),
        "You took x2 and y2 for width and height. Subtract x1 and y1.",
    ),
    "height_first": (
        partial(_encode, sizes=lambda box, cells, size: _sizes(box, cells, size)[::-1]),
        "Height comes before width in yours. The order is x, y, w, h.",
    ),
    "last_counts": (
        partial(_encode, fill=lambda old, new: new),
        "Where two objects share a cell, your last one counts. The first one does: see whether the cell is taken.",
    ),
    "larger_counts": (
        partial(_encode, fill=_larger),
        "Where two objects share a cell, your larger one counts. Here the first in the list does.",
    ),
    "added": (
        partial(_encode, fill=lambda old, new: old + new),
        "Where two objects share a cell, you add them up, to something between that is neither.",
    ),
    "border": (
        partial(_encode, whole=lambda value, cells: int(value)),
        "A centre on the right or lower border gives column or row S, and there is none. The last is S − 1.",
    ),
    "border_dropped": (
        _none_at_the_border,
        "You leave out objects whose centre lies on the border. They belong to the last cell.",
    ),
    "every_cell": (
        _everywhere,
        "You fill every cell that the object touches. One cell learns an object: the one that holds its centre.",
    ),
    "no_flag": (
        partial(_encode, flag=0.0, fill=lambda old, new: new if old[2] == 0 else old),
        "The fifth number stays 0. It should be 1 where there is an object: the loss asks for it.",
    ),
    "rows_and_columns_and_border": (
        partial(_encode, whole=lambda value, cells: int(value), index=lambda row, column: (column, row)),
        "Two things. Rows come first in a tensor, and the row comes from y. And a centre on the right or lower border "
        "belongs to the last cell, S − 1.",
    ),
    "remainder": (
        partial(_encode, inside=lambda value, place, cells, size: value % 1),
        "% 1 makes 0 of a centre on the right or lower border. It lies at the far edge of the last cell: x − column, "
        "which is 1 there.",
    ),
    "half_the_size": (
        partial(_encode, point=lambda box: ((box[2] - box[0]) / 2, (box[3] - box[1]) / 2)),
        "(x2 − x1) / 2 is half the width. The centre is half of the *sum*: (x1 + x2) / 2.",
    ),
    "read_as_sizes": (
        partial(
            _encode,
            point=lambda box: (box[0] + box[2] / 2, box[1] + box[3] / 2),
            sizes=lambda box, cells, size: (box[2] / size, box[3] / size),
        ),
        "You read the boxes as x, y, width, height. They are two corners: x1, y1, x2, y2.",
    ),
    "y_before_x": (
        partial(_encode, order=lambda place: place[::-1]),
        "The object is in the right cell, but y stands before x there. Only the index has the row first; the numbers "
        "are x, y, w, h.",
    ),
    "whole_centre": (
        partial(_encode, point=lambda box: ((box[0] + box[2]) // 2, (box[1] + box[3]) // 2)),
        "// rounds the centre down to a whole pixel. Divide with /.",
    ),
    "whole_side": (
        partial(_encode, count=lambda value, cells, size: value / (size // cells)),
        "// rounds the side of a cell down to whole pixels: 100 // 3 is 33. Divide with /.",
    ),
    "one_cell_less": (
        partial(_encode, count=lambda value, cells, size: value / size * (cells - 1)),
        "You stretch the image over S − 1 cells. S cells lie along a side; S − 1 is the number of the last one.",
    ),
    "divided_by_cells": (
        partial(_encode, count=lambda value, cells, size: value / cells),
        "Pixels / S is not a count of cells. A cell is size / S pixels wide: divide by that.",
    ),
    "nothing_to_stack": (
        _stacked,
        "An image may hold no object at all: M is 0 then, and there is nothing to stack. A loop over boxes.tolist() "
        "just does nothing.",
    ),
}
