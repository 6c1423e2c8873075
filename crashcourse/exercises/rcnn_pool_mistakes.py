"""Lesson 23: what people get wrong in RoIPool, each as code that behaves so, with its hint."""

import math
from collections.abc import Callable, Sequence

import torch.nn.functional as F
from torch import Tensor


def _first(i: int, n: int, bins: int) -> int:
    return i * n // bins


def _behind(i: int, n: int, bins: int) -> int:
    return -(-(i + 1) * n // bins)


def _pool(
    features: Tensor,
    box: Sequence[float],
    scale: float,
    bins: int,
    *,
    near: Callable[[float], int] = round,
    far: Callable[[float], int] | None = None,
    more: int = 1,
    start: Callable[[int, int, int], int] = _first,
    end: Callable[[int, int, int], int] = _behind,
    take: Callable[[Tensor], Tensor] = lambda part: part.amax((1, 2)),
    careful: bool = True,
) -> Tensor:
    """`pool_region` with one thing wrong: what the keyword arguments say.

    A bin without a pixel is 0, or an error where `careful` is off, as amax() makes it.
    """
    x1, y1 = (near(side * scale) for side in box[:2])
    x2, y2 = ((far or near)(side * scale) for side in box[2:])
    region = features[:, y1 : y2 + more, x1 : x2 + more]
    height, width = region.shape[1:]
    pooled = features.new_zeros(len(features), bins, bins)
    for i in range(bins):
        for j in range(bins):
            part = region[:, start(i, height, bins) : end(i, height, bins), start(j, width, bins) : end(j, width, bins)]
            if part.numel() or not careful:
                pooled[:, i, j] = take(part)
    return pooled


def _resized(features: Tensor, box: Sequence[float], scale: float, bins: int) -> Tensor:
    x1, y1, x2, y2 = (round(side * scale) for side in box)
    region = features[None, :, y1 : y2 + 1, x1 : x2 + 1]
    return F.interpolate(region, (bins, bins), mode="bilinear", align_corners=False)[0]


def _adaptive(features: Tensor, box: Sequence[float], scale: float, bins: int, *, more: int = 1) -> Tensor:
    """By PyTorch's own function for bins, whose error for a region without pixels is another one than amax()'s."""
    x1, y1, x2, y2 = (round(side * scale) for side in box)
    return F.adaptive_max_pool2d(features[:, y1 : y2 + more, x1 : x2 + more], bins)


def _rows_by_x(features: Tensor, box: Sequence[float], *others: float) -> Tensor:
    x1, y1, x2, y2 = box
    return _pool(features, (y1, x1, y2, x2), *others)


def _whole_map(features: Tensor, box: Sequence[float], scale: float, bins: int) -> Tensor:
    return F.adaptive_max_pool2d(features, bins)


POOL_MISTAKES = {
    "floor": (
        lambda *a: _pool(*a, near=math.floor),
        "You cut the corners off to whole pixels (int() does, too). Round them to the nearest one.",
    ),
    "ceil": (
        lambda *a: _pool(*a, near=math.ceil),
        "You round the corners up. Round to the nearest pixel.",
    ),
    "outwards": (
        lambda *a: _pool(*a, near=math.floor, far=math.ceil),
        "You round outwards, down at the upper left and up at the lower right. RoIPool rounds both to the nearest.",
    ),
    "last_pixel_missing": (
        lambda *a: _pool(*a, more=0),
        "Your region ends before x2 and y2. The last pixel belongs to it: slice up to x2 + 1.",
    ),
    "one_too_many": (
        lambda *a: _pool(*a, more=2),
        "Your region is a pixel too large. It ends with pixel x2: slice up to x2 + 1.",
    ),
    "mean": (
        lambda *a: _pool(*a, take=lambda part: part.mean((1, 2))),
        "You take means. RoIPool takes the largest value of each bin.",
    ),
    "smallest": (
        lambda *a: _pool(*a, take=lambda part: part.amin((1, 2))),
        "You take the smallest value of each bin. Take the largest.",
    ),
    "bins_end_early": (
        lambda *a: _pool(*a, end=lambda i, n, bins: (i + 1) * n // bins),
        "Both ends of your bins are rounded down. A bin's end is rounded *up*, so that bins may share a pixel.",
    ),
    "bins_of_equal_size": (
        lambda *a: _pool(
            *a,
            start=lambda i, n, bins: i * max(1, n // bins),
            end=lambda i, n, bins: (i + 1) * max(1, n // bins),
        ),
        "All your bins have n // bins pixels, and what is left over is lost. Bins grow where n is not a multiple.",
    ),
    "bins_rounded_up": (
        lambda *a: _pool(
            *a,
            start=lambda i, n, bins: i * -(-n // bins),
            end=lambda i, n, bins: (i + 1) * -(-n // bins),
        ),
        "All your bins have ⌈n / bins⌉ pixels, so that the last ones are short or empty. Compute each bin's own ends.",
    ),
    "top_left_pixel": (
        lambda *a: _pool(*a, take=lambda part: part[:, 0, 0]),
        "You take the first pixel of each bin. Take the largest value of all its pixels.",
    ),
    "interpolated": (
        _resized,
        "You resize the region by interpolation. RoIPool cuts it into bins and takes the largest value of each.",
    ),
    "transposed": (
        lambda *a: _pool(*a).transpose(1, 2),
        "Rows and columns of your result are swapped: the second dimension runs down, the third across.",
    ),
    "whole_map": (
        _whole_map,
        "You pool the whole map. Cut out the box first.",
    ),
    "channels_together": (
        lambda *a: _pool(*a).amax(0, keepdim=True),
        "Every channel keeps its own maximum: take it over the last two dimensions only.",
    ),
    "one_for_all_channels": (
        lambda *a: _pool(*a).amax(0),
        "Your result has lost its channels. Each of the C channels has bins of its own: take amax over (1, 2), not 0.",
    ),
    "last_pixel_missing_no_pixel_left": (
        lambda *a: _pool(*a, more=0, careful=False),
        "A box one pixel wide has no pixel in your region: it ends before x2 and y2. The last pixel belongs to it, "
        "so slice up to x2 + 1.",
    ),
    "last_pixel_missing_adaptive": (
        lambda *a: _adaptive(*a, more=0),
        "Nothing is left of a box one pixel wide, since your region ends before x2 and y2. Slice up to x2 + 1.",
    ),
    "bins_rounded_up_no_pixel_left": (
        lambda *a: _pool(
            *a,
            start=lambda i, n, bins: i * -(-n // bins),
            end=lambda i, n, bins: (i + 1) * -(-n // bins),
            careful=False,
        ),
        "All your bins have ⌈n / bins⌉ pixels, so that none are left for the last one. Compute each bin's own ends.",
    ),
    "rows_by_x": (
        _rows_by_x,
        "You cut rows by x and columns by y. A map is (C, rows, columns): features[:, y1 : y2 + 1, x1 : x2 + 1].",
    ),
    "divided_by_the_scale": (
        lambda features, box, scale, bins: _pool(features, box, 1 / scale, bins, careful=False),
        "Your corners lie outside the map: you divide by `scale`, or leave it out. It is pixels of the map for one "
        "of the image: multiply.",
    ),
    "divided_by_the_scale_adaptive": (
        lambda features, box, scale, bins: _adaptive(features, box, 1 / scale, bins),
        "Your region lies outside the map. Multiply the corners by `scale`: 1/16 makes one pixel of 16. Divided, or "
        "as they are, they do not fit.",
    ),
    "begun_at_zero": (
        lambda *a: _pool(*a).clamp(min=0),
        "Where all values of a bin are negative you give 0. Begin with the first value, not with 0.",
    ),
}
