"""Lesson 20, boxes: what people get wrong in corners, each as code, with its hint."""

from collections.abc import Callable

import torch
from torch import Tensor


def _corners(
    make: Callable[[Tensor, Tensor, Tensor, Tensor], list[Tensor]], dim: int = 1
) -> Callable[[Tensor], Tensor]:
    """`to_corners` whose four columns are what `make` says of cx, cy, width, height."""
    return lambda boxes: torch.stack(make(*boxes.unbind(1)), dim)


def _in_place(boxes: Tensor) -> Tensor:
    boxes[:, :2] -= boxes[:, 2:] / 2
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def _overwritten(boxes: Tensor) -> Tensor:
    boxes = boxes.clone()
    boxes[:, :2] = boxes[:, :2] - boxes[:, 2:] / 2
    boxes[:, 2:] = boxes[:, :2] + boxes[:, 2:] / 2
    return boxes


def _to_centres(boxes: Tensor) -> Tensor:
    x1, y1, x2, y2 = boxes.unbind(1)
    return torch.stack([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1], 1)


def _rows_unpacked(boxes: Tensor) -> Tensor:
    cx, cy, w, h = boxes
    return torch.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], 1)


CORNER_MISTAKES = {
    "centre_as_corner": (
        _corners(lambda x, y, w, h: [x, y, x + w, y + h]),
        "You took x and y for the upper left corner. They are the centre: go half the size to either side.",
    ),
    "whole_size": (
        _corners(lambda x, y, w, h: [x - w, y - h, x + w, y + h]),
        "Your boxes are twice as large: from the centre it is *half* the width to an edge.",
    ),
    "width_for_height": (
        _corners(lambda x, y, w, h: [x - h / 2, y - w / 2, x + h / 2, y + w / 2]),
        "Width and height are swapped: the third number is the width, and belongs to x.",
    ),
    "still_a_size": (
        _corners(lambda x, y, w, h: [x - w / 2, y - h / 2, w, h]),
        "The last two numbers are still width and height. They should be the lower right corner.",
    ),
    "order": (
        _corners(lambda x, y, w, h: [x - w / 2, x + w / 2, y - h / 2, y + h / 2]),
        "The numbers are right, their order is not: x1, y1, x2, y2, a corner after a corner.",
    ),
    "y_upwards": (
        _corners(lambda x, y, w, h: [x - w / 2, y + h / 2, x + w / 2, y - h / 2]),
        "y runs *down* in images: the upper edge has the smaller y.",
    ),
    "corners_swapped": (
        _corners(lambda x, y, w, h: [x + w / 2, y + h / 2, x - w / 2, y - h / 2]),
        "The lower right corner comes first here. Upper left first: minus, then plus.",
    ),
    "plus_one": (
        _corners(lambda x, y, w, h: [x - w / 2, y - h / 2, x + w / 2 - 1, y + h / 2 - 1]),
        "You subtract 1, as for numbers of pixels. Coordinates here are continuous: a box is x2 − x1 wide.",
    ),
    "plus_one_wider": (
        _corners(lambda x, y, w, h: [x - w / 2, y - h / 2, x + w / 2 + 1, y + h / 2 + 1]),
        "You add 1, as for numbers of pixels. Coordinates here are continuous: a box is x2 − x1 wide.",
    ),
    "whole_pixels": (
        _corners(lambda x, y, w, h: [x - w // 2, y - h // 2, x + w // 2, y + h // 2]),
        "// rounds down, so that boxes of odd size shrink. Boxes are floats: use /.",
    ),
    "rounded": (
        _corners(lambda x, y, w, h: [torch.round(v) for v in (x - w / 2, y - h / 2, x + w / 2, y + h / 2)]),
        "You round to whole pixels. Boxes are floats; rounding loses up to half a pixel at each edge.",
    ),
    "size_from_the_new_corner": (
        _overwritten,
        "x1 is right, but x2 is x1 plus *half* the width. You overwrote the centre with x1 before you used it again.",
    ),
    "wrong_dimension": (
        _corners(lambda x, y, w, h: [x - w / 2, y - h / 2, x + w / 2, y + h / 2], 0),
        "Your result is (4, N). Stack along dimension 1: a row for each box.",
    ),
    "in_place": (
        _in_place,
        "The result is right, but you changed `boxes` itself: whoever holds it now has corners without knowing. Make a "
        "new tensor.",
    ),
    "half_for_the_upper_only": (
        _corners(lambda x, y, w, h: [x - w / 2, y - h / 2, x + w, y + h]),
        "The upper left corner is right. To the lower right one it is half the size, too.",
    ),
    "width_for_both": (
        _corners(lambda x, y, w, h: [x - w / 2, y - w / 2, x + w / 2, y + w / 2]),
        "Your boxes are squares: y needs the height.",
    ),
    "corners_to_centre": (
        _to_centres,
        "That is the way back, from corners to the centre. Here centre and size come in.",
    ),
    "clamped": (
        _corners(lambda x, y, w, h: [v.clamp(min=0) for v in (x - w / 2, y - h / 2, x + w / 2, y + h / 2)]),
        "You cut the boxes at 0. A box may reach beyond the image: leave its corners as they are.",
    ),
    "rows_unpacked": (
        _rows_unpacked,
        "You take the tensor apart by rows, and each row is a box. By columns: boxes.unbind(1).",
    ),
}
