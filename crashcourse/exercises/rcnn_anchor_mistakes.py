"""Lesson 23: what people get wrong in anchors, each as code that behaves so, with its hint."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Sides = Callable[[float, float], tuple[float, float]]


def _right(size: float, ratio: float) -> tuple[float, float]:
    return size / ratio**0.5, size * ratio**0.5


def _corners(x: float, y: float, width: float, height: float) -> list[float]:
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def _anchors(
    rows: int,
    columns: int,
    stride: int,
    sizes: Sequence[float],
    ratios: Sequence[float],
    *,
    offset: float = 0.5,
    sides: Sides = _right,
    box: Callable[[float, float, float, float], list[float]] = _corners,
    place: Callable[[int, int], tuple[int, int]] = lambda row, column: (column, row),
) -> Tensor:
    """`place_anchors` with one thing wrong: what the keyword arguments say."""
    made = []
    for row in range(rows):
        for column in range(columns):
            x, y = ((number + offset) * stride for number in place(row, column))
            made += [box(x, y, *sides(size, ratio)) for ratio in ratios for size in sizes]
    return torch.tensor(made, dtype=torch.float32)


def _ordered(order: Sequence[int]) -> Callable[..., Tensor]:
    """With the dimensions rows, columns, ratios, sizes in another order."""

    def made(rows: int, columns: int, stride: int, sizes: Sequence[float], ratios: Sequence[float]) -> Tensor:
        right = _anchors(rows, columns, stride, sizes, ratios)
        return right.view(rows, columns, len(ratios), len(sizes), 4).permute(*order, 4).reshape(-1, 4)

    return made


ANCHOR_MISTAKES = {
    "corner_of_the_place": (
        lambda *a: _anchors(*a, offset=0.0),
        "Your anchors sit on the upper left corner of their places. The middle is half a stride further.",
    ),
    "whole_stride": (
        lambda *a: _anchors(*a, offset=1.0),
        "Your anchors sit on the lower right corner of their places. Go half a stride, not a whole one.",
    ),
    "half_a_pixel": (
        lambda rows, columns, stride, *a: _anchors(rows, columns, stride, *a, offset=0.5 / stride),
        "You add half a pixel. The middle of a place is half a *stride* from its corner: (column + 0.5) · stride.",
    ),
    "ratio_upside_down": (
        lambda *a: _anchors(*a, sides=lambda size, ratio: _right(size, ratio)[::-1]),
        "Your ratio is width over height. Here it is height over width: 2 stands upright.",
    ),
    "area_grows": (
        lambda *a: _anchors(*a, sides=lambda size, ratio: (size, size * ratio)),
        "Your anchors grow with their ratio. All of one size have the area size²: divide the width by √ratio.",
    ),
    "area_shrinks": (
        lambda *a: _anchors(*a, sides=lambda size, ratio: (size / ratio, size)),
        "Your anchors shrink with their ratio. All of one size have the area size²: √ratio on both sides.",
    ),
    "no_root": (
        lambda *a: _anchors(*a, sides=lambda size, ratio: (size / ratio, size * ratio)),
        "The area is right, but height / width is ratio². Take the square root of the ratio.",
    ),
    "twice_as_large": (
        lambda *a: _anchors(*a, box=lambda x, y, w, h: [x - w, y - h, x + w, y + h]),
        "Your anchors are twice as large: from the centre it is *half* the width to an edge.",
    ),
    "half_as_large": (
        lambda *a: _anchors(*a, box=lambda x, y, w, h: [x - w / 4, y - h / 4, x + w / 4, y + h / 4]),
        "Your anchors are half as large: it is half the width to an edge, not a quarter.",
    ),
    "centre_and_size": (
        lambda *a: _anchors(*a, box=lambda *numbers: list(numbers)),
        "You return centre, width and height. Two corners are wanted: x1, y1, x2, y2.",
    ),
    "from_the_corner": (
        lambda *a: _anchors(*a, box=lambda x, y, w, h: [x, y, x + w, y + h]),
        "Your anchors begin at the middle of the place. They lie *around* it.",
    ),
    "minus_one": (
        lambda *a: _anchors(*a, box=lambda x, y, w, h: [x - w / 2, y - h / 2, x + w / 2 - 1, y + h / 2 - 1]),
        "You subtract 1, as for numbers of pixels. Coordinates here are continuous: a box is x2 − x1 wide.",
    ),
    "x_and_y_swapped": (
        lambda *a: _anchors(*a, place=lambda row, column: (row, column)),
        "x comes from the row and y from the column in your code. Columns count x.",
    ),
    "no_stride": (
        lambda rows, columns, stride, *a: _anchors(rows, columns, 1, *a),
        "Your places are one pixel apart. They are `stride` pixels apart in the image.",
    ),
    "column_by_column": (
        _ordered((1, 0, 2, 3)),
        "The anchors are right, their order is not: places come row by row, the columns of a row first.",
    ),
    "sizes_first": (
        _ordered((0, 1, 3, 2)),
        "The anchors are right, their order at a place is not: for each ratio all sizes, not the other way round.",
    ),
    "places_last": (
        _ordered((2, 3, 0, 1)),
        "The anchors are right, but all places of one shape come together. All shapes of a place belong together.",
    ),
    "on_the_map": (
        lambda *a: _anchors(*a) / a[2],
        "Those are coordinates on the map. Anchors are given in pixels of the image.",
    ),
}
