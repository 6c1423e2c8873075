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


def _clipped(rows: int, columns: int, stride: int, *others: Sequence[float]) -> Tensor:
    limit = torch.tensor([columns, rows, columns, rows]) * stride
    return _anchors(rows, columns, stride, *others).clamp(min=0).minimum(limit)


def _edge_to_edge(rows: int, columns: int, stride: int, *others: Sequence[float]) -> Tensor:
    """The first and last centre on the edges of the map, as linspace(0, side, count) lays them."""
    step = [stride * count / max(1, count - 1) for count in (columns, rows)]
    right = _anchors(rows, columns, 1, *others, offset=0.0)
    places = torch.tensor([[column, row] for row in range(rows) for column in range(columns)])
    moved = (places * (torch.tensor(step) - 1)).repeat(1, 2).repeat_interleave(len(right) // len(places), 0)
    return right + moved


def _paired(rows: int, columns: int, stride: int, sizes: Sequence[float], ratios: Sequence[float]) -> Tensor:
    """zip(sizes, ratios): the first size with the first ratio, and so on."""
    right = _anchors(rows, columns, stride, sizes, ratios).view(rows * columns, len(ratios), len(sizes), 4)
    both = range(min(len(sizes), len(ratios)))
    return right[:, both, both].reshape(-1, 4)


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
    "half_a_stride_cut_off": (
        lambda rows, columns, stride, *a: _anchors(rows, columns, stride, *a, offset=stride // 2 / stride),
        "stride // 2 loses half a pixel where the stride is odd. The middle is at (column + 0.5) · stride.",
    ),
    "edge_to_edge": (
        _edge_to_edge,
        "Your centres run from one edge of the image to the other. They are one stride apart, and begin half a stride "
        "from the edge.",
    ),
    "begins_at_the_place": (
        lambda *a: _anchors(*a, offset=0.0, box=lambda x, y, w, h: [x, y, x + w, y + h]),
        "Your anchors have their upper left corners where their places have theirs. They lie *around* the middle.",
    ),
    "size_in_strides": (
        lambda rows, columns, stride, *a: _anchors(
            rows, columns, stride, *a, sides=lambda size, ratio: _right(size * stride, ratio)
        ),
        "You multiply sizes by the stride. They are in pixels of the image already.",
    ),
    "size_as_area": (
        lambda *a: _anchors(*a, sides=lambda size, ratio: _right(size**0.5, ratio)),
        "You take `sizes` for areas. A size is the side of a square of the anchor's area: width · height = size².",
    ),
    "y_first": (
        lambda *a: _anchors(*a, box=lambda x, y, w, h: [y - h / 2, x - w / 2, y + h / 2, x + w / 2]),
        "You write y before x. The order is x1, y1, x2, y2.",
    ),
    "clipped_at_zero": (
        lambda *a: _anchors(*a).clamp(min=0),
        "You clip anchors at 0. Leave them: an anchor may reach beyond the image.",
    ),
    "clipped_to_the_image": (
        _clipped,
        "You clip anchors to the image. Leave them: clipped ones would have other sizes and ratios than they should.",
    ),
    "whole_pixels": (
        lambda *a: _anchors(*a).round(),
        "You round to whole pixels. Anchors keep their fractions, or sizes and ratios are only nearly right.",
    ),
    "ratios_outermost": (
        _ordered((2, 0, 1, 3)),
        "The anchors are right, but all places of one ratio come together. Go through places first, then ratios.",
    ),
    "rows_and_columns_swapped": (
        lambda rows, columns, *a: _anchors(columns, rows, *a),
        "Your map has as many rows as it should have columns. x runs over the columns, y over the rows.",
    ),
    "paired": (
        _paired,
        "You pair sizes with ratios. Every ratio comes with every size.",
    ),
    "by_place": (
        lambda rows, columns, *a: _anchors(rows, columns, *a).view(rows, columns, -1, 4),
        "The anchors are right; one list is wanted: reshape(-1, 4).",
    ),
}
