"""Lesson 20, boxes: what people get wrong in corners and IoU, each as code that behaves so, with its hint."""

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
}


def _area(boxes: Tensor, more: float = 0.0) -> Tensor:
    return (boxes[:, 2:] - boxes[:, :2] + more).prod(1)


def _inner(a: Tensor, b: Tensor, more: float = 0.0) -> Tensor:
    """Width and height of the intersections, `(N, M, 2)`, below 0 where boxes are apart."""
    lower_right = torch.minimum(a[:, None, 2:], b[None, :, 2:])
    return lower_right - torch.maximum(a[:, None, :2], b[None, :, :2]) + more


def _plus_one(a: Tensor, b: Tensor) -> Tensor:
    shared = _inner(a, b, 1).clamp(min=0).prod(2)
    return shared / (_area(a, 1)[:, None] + _area(b, 1)[None] - shared)


def _iou(
    a: Tensor,
    b: Tensor,
    *,
    shared: Callable[[Tensor], Tensor] = lambda inner: inner.clamp(min=0).prod(2),
    whole: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda a, b, shared: a + b - shared,
) -> Tensor:
    """`pairwise_iou` with one thing wrong: what the keyword arguments say."""
    intersection = shared(_inner(a, b))
    return intersection / whole(_area(a)[:, None], _area(b)[None], intersection)


def _enclosing(a: Tensor, b: Tensor) -> Tensor:
    size = torch.maximum(a[:, None, 2:], b[None, :, 2:]) - torch.minimum(a[:, None, :2], b[None, :, :2])
    return _inner(a, b).clamp(min=0).prod(2) / size.prod(2)


def _corners_swapped(a: Tensor, b: Tensor) -> Tensor:
    lower_right = torch.maximum(a[:, None, 2:], b[None, :, 2:])
    shared = (lower_right - torch.minimum(a[:, None, :2], b[None, :, :2])).clamp(min=0).prod(2)
    return shared / (_area(a)[:, None] + _area(b)[None] - shared)


def _by_rows(a: Tensor, b: Tensor) -> Tensor:
    count = min(len(a), len(b))
    return _iou(a[:count], b[:count]).diagonal()


def _as_sizes(a: Tensor, b: Tensor) -> Tensor:
    """xywh for xyxy."""
    a, b = (torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1) for boxes in (a, b))
    return _iou(a, b)


IOU_MISTAKES = {
    "not_clamped": (
        lambda a, b: _iou(a, b, shared=lambda inner: inner.prod(2)),
        "Boxes that are apart get an intersection: a negative width times a negative height is positive. Clamp each at "
        "0 before you multiply.",
    ),
    "clamped_late": (
        lambda a, b: _iou(a, b, shared=lambda inner: inner.prod(2).clamp(min=0)),
        "You clamp the product. Apart in both directions, minus times minus is plus: clamp width and height first.",
    ),
    "absolute": (
        lambda a, b: _iou(a, b, shared=lambda inner: inner.abs().prod(2)),
        "abs() makes a gap into an overlap. A negative width means no overlap: clamp(min=0).",
    ),
    "union_is_the_sum": (
        lambda a, b: _iou(a, b, whole=lambda a, b, shared: a + b + 0 * shared),
        "The part that both cover is counted twice in your union: take the intersection off the sum of the areas.",
    ),
    "union_plus": (
        lambda a, b: _iou(a, b, whole=lambda a, b, shared: a + b + shared),
        "You add the intersection to the areas. It is in both of them already: subtract it once.",
    ),
    "minus_twice": (
        lambda a, b: _iou(a, b, whole=lambda a, b, shared: (a + b - 2 * shared).clamp(min=1e-6)),
        "You take the intersection off twice: what both cover belongs to the union, once.",
    ),
    "smaller_area": (
        lambda a, b: _iou(a, b, whole=lambda a, b, shared: torch.minimum(a, b)),
        "You divide by the smaller area, so that a box inside another gets 1. Divide by the union.",
    ),
    "larger_area": (
        lambda a, b: _iou(a, b, whole=lambda a, b, shared: torch.maximum(a, b)),
        "You divide by the larger area. Divide by what both cover together.",
    ),
    "area_of_a": (
        lambda a, b: _iou(a, b, whole=lambda a, b, shared: a + 0 * shared),
        "You divide by the area of a alone: IoU(a, b) and IoU(b, a) then differ. Divide by the union.",
    ),
    "area_of_b": (
        lambda a, b: _iou(a, b, whole=lambda a, b, shared: b + 0 * shared),
        "You divide by the area of b alone: IoU(a, b) and IoU(b, a) then differ. Divide by the union.",
    ),
    "enclosing_box": (
        _enclosing,
        "You divide by the box around both. The union is smaller: it leaves out the corners that neither covers.",
    ),
    "intersection_only": (
        lambda a, b: _iou(a, b, whole=lambda a, b, shared: torch.ones_like(shared)),
        "That is the intersection in pixels. Divide it by the union.",
    ),
    "dice": (
        lambda a, b: 2 * _iou(a, b, whole=lambda a, b, shared: a + b + 0 * shared),
        "2 · intersection / (area a + area b) is the Dice coefficient. IoU divides by the union.",
    ),
    "max_for_min": (
        _corners_swapped,
        "You took the smaller upper left and the larger lower right corner: that is the box *around* both. For the "
        "intersection it is the other way round.",
    ),
    "plus_one": (
        _plus_one,
        "You add 1 to widths and heights, as VOC's code did for numbers of pixels. Coordinates here are continuous.",
    ),
    "xywh": (
        _as_sizes,
        "You took the last two numbers for width and height. They are the lower right corner: subtract the first two.",
    ),
    "distance_of_x_only": (
        lambda a, b: _iou(a, b, shared=lambda inner: inner[..., 0].clamp(min=0)),
        "Your intersection is a width. Multiply it by the height.",
    ),
    "by_rows": (
        _by_rows,
        "You compare the first with the first, the second with the second. Every box of a meets every box of b: the "
        "result is (N, M). Use a[:, None] and b[None].",
    ),
    "transposed": (
        lambda a, b: _iou(b, a),
        "Rows and columns are swapped: row n belongs to box n of a.",
    ),
    "in_percent": (lambda a, b: 100 * _iou(a, b), "That is per cent. IoU lies between 0 and 1."),
}
