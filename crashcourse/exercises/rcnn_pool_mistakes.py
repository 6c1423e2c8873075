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
) -> Tensor:
    """`pool_region` with one thing wrong: what the keyword arguments say. A bin without a pixel is 0."""
    x1, y1 = (near(side * scale) for side in box[:2])
    x2, y2 = ((far or near)(side * scale) for side in box[2:])
    region = features[:, y1 : y2 + more, x1 : x2 + more]
    height, width = region.shape[1:]
    pooled = features.new_zeros(len(features), bins, bins)
    for i in range(bins):
        for j in range(bins):
            part = region[:, start(i, height, bins) : end(i, height, bins), start(j, width, bins) : end(j, width, bins)]
            if part.numel():
                pooled[:, i, j] = take(part)
    return pooled


def _resized(features: Tensor, box: Sequence[float], scale: float, bins: int) -> Tensor:
    x1, y1, x2, y2 = (round(side * scale) for side in box)
    region = features[None, :, y1 : y2 + 1, x1 : x2 + 1]
    return F.interpolate(region, (bins, bins), mode="bilinear", align_corners=False)[0]


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
}
