"""Lesson 20, boxes: what people get wrong in IoU, each as code, with its hint."""

from collections.abc import Callable

import torch
from torch import Tensor


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


def _clamped_width(inner: Tensor) -> Tensor:
    return inner[..., 0].clamp(min=0) * inner[..., 1]


def _generalized(a: Tensor, b: Tensor) -> Tensor:
    size = torch.maximum(a[:, None, 2:], b[None, :, 2:]) - torch.minimum(a[:, None, :2], b[None, :, :2])
    around, iou = size.prod(2), _iou(a, b)
    shared = _inner(a, b).clamp(min=0).prod(2)
    return iou - (around - (_area(a)[:, None] + _area(b)[None] - shared)) / around


def _row_with_row(a: Tensor, b: Tensor) -> Tensor:
    size = torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])
    shared = size.clamp(min=0).prod(1)
    return shared / (_area(a) + _area(b) - shared)


def _with_areas(whole: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """`pairwise_iou` with what `whole` says of boxes a and b as the sum of the areas."""

    def wrong(a: Tensor, b: Tensor) -> Tensor:
        shared = _inner(a, b).clamp(min=0).prod(2)
        return shared / (whole(a, b) - shared)

    return wrong


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
    "result_clamped": (
        lambda a, b: _iou(a, b, shared=lambda inner: inner.prod(2)).clamp(0, 1),
        "You clamp the result. A little apart in both directions, minus times minus still counts: clamp width and "
        "height at 0, before the product.",
    ),
    "width_clamped_only": (
        lambda a, b: _iou(a, b, shared=_clamped_width),
        "Only the width is clamped. One above the other, it is the height that is negative.",
    ),
    "meet_in_any_direction": (
        lambda a, b: _iou(a, b, shared=lambda inner: inner.prod(2) * (inner > 0).any(2)),
        "Boxes meet when they do in x *and* in y: all, not any. Or clamp(min=0), and no mask is needed.",
    ),
    "sum_of_sides": (
        lambda a, b: _iou(a, b, shared=lambda inner: inner.clamp(min=0).sum(2)),
        "Your intersection is width plus height. An area is their product: prod.",
    ),
    "product_of_corners": (
        _with_areas(lambda a, b: a[:, None, 2:].prod(2) + b[None, :, 2:].prod(2)),
        "Your areas are x2 times y2, as if these were sizes. The sides are x2 − x1 and y2 − y1.",
    ),
    "one_more": (
        _with_areas(lambda a, b: _area(a)[:, None] + _area(b)[None] + 1),
        "You add 1 to the union. Every box here has an area, so nothing is divided by 0.",
    ),
    "area_of_a_twice": (
        _with_areas(lambda a, b: 2 * _area(a)[:, None]),
        "The area of a is in your union twice, that of b is not. Both, minus what they share.",
    ),
    "generalized": (
        _generalized,
        "That is generalized IoU, which comes further down. Leave out what it takes off.",
    ),
    "distance": (
        lambda a, b: 1 - _iou(a, b),
        "That is 1 − IoU, the loss. The same box gives 1 here, boxes apart give 0.",
    ),
    "row_with_row": (
        _row_with_row,
        "Row n of a meets only row n of b. For all pairs: boxes_a[:, None] against boxes_b[None].",
    ),
    "areas_in_one_row": (
        _with_areas(lambda a, b: _area(a) + _area(b)),
        "The areas are (N,) and (M,). Their sum has to be (N, M): area_a[:, None] + area_b[None].",
    ),
    "areas_by_the_wrong_axis": (
        _with_areas(lambda a, b: _area(a)[None] + _area(b)[:, None]),
        "Your sum of areas is (M, N). Rows belong to a: area_a[:, None] + area_b[None].",
    ),
}
