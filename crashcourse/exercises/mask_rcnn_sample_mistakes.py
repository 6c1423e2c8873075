"""Lesson 24, Mask R-CNN: what people get wrong in a bilinear sample, each as code that behaves so, with its hint."""

import math
from collections.abc import Callable

import torch
from torch import Tensor


def _clamped(place: float, size: int) -> float:
    return min(max(place, 0), size - 1)


def _mix(four: Tensor, across: float, down: float) -> Tensor:
    """Bilinear: `four` is (C, 2, 2), upper left to lower right."""
    upper = (1 - across) * four[:, 0, 0] + across * four[:, 0, 1]
    lower = (1 - across) * four[:, 1, 0] + across * four[:, 1, 1]
    return (1 - down) * upper + down * lower


def _sample(
    features: Tensor,
    x: float,
    y: float,
    *,
    to_index: Callable[[float, int], float] = lambda place, size: _clamped(place - 0.5, size),
    mix: Callable[[Tensor, float, float], Tensor] = _mix,
) -> Tensor:
    """`sample_between` with one thing wrong: what the keyword arguments say."""
    height, width = features.shape[1:]
    x, y = to_index(x, width), to_index(y, height)
    left, top = int(x), int(y)
    rows, columns = ([first, min(first + 1, size - 1)] for first, size in ((top, height), (left, width)))
    return mix(features[:, rows][:, :, columns], x - left, y - top)


def _with_index(to_index: Callable[[float, int], float]) -> Callable[[Tensor, float, float], Tensor]:
    return lambda features, x, y: _sample(features, x, y, to_index=to_index)


def _with_mix(mix: Callable[[Tensor, float, float], Tensor]) -> Callable[[Tensor, float, float], Tensor]:
    return lambda features, x, y: _sample(features, x, y, mix=mix)


def _turned(features: Tensor, x: float, y: float) -> Tensor:
    return _sample(features.mT, x, y)


def _nearest(features: Tensor, x: float, y: float) -> Tensor:
    return features[:, min(int(y), features.shape[1] - 1), min(int(x), features.shape[2] - 1)]


def _wrapped(features: Tensor, x: float, y: float) -> Tensor:
    """floor without a clamp on the left: index -1 is the last row or column."""
    height, width = features.shape[1:]
    x, y = min(x - 0.5, width - 1), min(y - 0.5, height - 1)
    left, top = math.floor(x), math.floor(y)
    rows, columns = ([first, min(first + 1, size - 1)] for first, size in ((top, height), (left, width)))
    return _mix(features[:, rows][:, :, columns], x - left, y - top)


def _no_right_clamp(features: Tensor, x: float, y: float) -> Tensor:
    height, width = features.shape[1:]
    x, y = _clamped(x - 0.5, width), _clamped(y - 0.5, height)
    left, top = int(x), int(y)
    four = torch.stack([features[:, row, column] for row in (top, top + 1) for column in (left, left + 1)], 1)
    return _mix(four.unflatten(1, (2, 2)), x - left, y - top)


def _zeros_outside(features: Tensor, x: float, y: float) -> Tensor:
    padded = torch.nn.functional.pad(features, (1, 1, 1, 1))
    return _sample(padded, x + 1, y + 1)


def _numbers(features: Tensor, x: float, y: float) -> Tensor:
    return torch.tensor(_sample(features, x, y).tolist())


SAMPLE_MISTAKES = {
    "no_half_pixel": (
        _with_index(_clamped),
        "You take x for the index of a column. The value of column 0 sits at its centre, x = 0.5: subtract half a "
        "pixel first. Yours reads everything half a pixel too far right and down.",
    ),
    "half_pixel_added": (
        _with_index(lambda place, size: _clamped(place + 0.5, size)),
        "You add the half pixel. The centre of column 0 is at x = 0.5 and has index 0: subtract it.",
    ),
    "nearest": (
        _nearest,
        "That is the value of the pixel in which the place lies. Rounding is what RoIPool does; mix the four nearest.",
    ),
    "upper_left": (
        _with_mix(lambda four, across, down: four[:, 0, 0]),
        "You take the upper left of the four pixels only. Mix all four, by their distances.",
    ),
    "mean_of_four": (
        _with_mix(lambda four, across, down: four.mean((1, 2))),
        "You take the plain mean of the four. The nearer one counts more: 1 − distance, across and down.",
    ),
    "largest_of_four": (
        _with_mix(lambda four, across, down: four.amax((1, 2))),
        "You take the largest of the four. Max is for RoIPool's bins; a sample is a weighted mean.",
    ),
    "weights_swapped": (
        _with_mix(lambda four, across, down: _mix(four, 1 - across, 1 - down)),
        "The weights are swapped: a pixel at distance 0.25 should count 0.75, and not 0.25.",
    ),
    "across_swapped": (
        _with_mix(lambda four, across, down: _mix(four, 1 - across, down)),
        "Left and right are swapped in your weights; the rows are right.",
    ),
    "distances_swapped": (
        _with_mix(lambda four, across, down: _mix(four, down, across)),
        "The distance across weighs your rows, and the distance down your columns. Exchange them.",
    ),
    "across_only": (
        _with_mix(lambda four, across, down: _mix(four, across, 0)),
        "You mix left and right, but always in the upper row. Mix the lower row too, and then the two.",
    ),
    "down_only": (
        _with_mix(lambda four, across, down: _mix(four, 0, down)),
        "You mix above and below, but always in the left column. Mix the right one too, and then the two.",
    ),
    "diagonal": (
        _with_mix(lambda four, across, down: (1 - across) * (1 - down) * four[:, 0, 0] + across * down * four[:, 1, 1]),
        "You take two of the four: upper left and lower right. The weights of all four add up to 1.",
    ),
    "turned": (
        _turned,
        "x and y have changed places: x counts columns, the last dimension, and y rows.",
    ),
    "corners": (
        _with_index(lambda place, size: place * (size - 1) / size),
        "You stretch the map so that its outermost centres lie on the border (align_corners). Nothing is stretched "
        "here: the index is x − 0.5.",
    ),
    "wrapped": (
        _wrapped,
        "Near the left or upper border your index is −1, and Python reads from the other end. Clamp x − 0.5 at 0.",
    ),
    "extrapolated": (
        _with_index(lambda place, size: min(place - 0.5, size - 1)),
        "Near the left or upper border your distance is negative, and the mix shoots beyond both pixels. Clamp x − 0.5 "
        "at 0 before you take it apart.",
    ),
    "over_the_border": (
        _no_right_clamp,
        "At the right or lower border there is no pixel left + 1. Take the last one again: min(left + 1, width − 1).",
    ),
    "zeros_outside": (
        _zeros_outside,
        "Near the border you mix in zeros from outside. Here the border's own value goes on: clamp the place.",
    ),
    "one_channel": (
        lambda features, x, y: _sample(features, x, y)[0],
        "Only the first channel comes back. Index with features[:, row, column], for all C.",
    ),
    "mean_over_channels": (
        lambda features, x, y: _sample(features, x, y).mean(),
        "You have averaged over the channels. Each has its own value: (C,).",
    ),
    "kept_dimensions": (
        lambda features, x, y: _sample(features, x, y)[:, None, None],
        "The numbers are right, the shape is (C, 1, 1). A sample is (C,).",
    ),
    "numbers": (
        _numbers,
        "The values are right, but you made a new tensor of plain numbers. No gradient comes back to the map through "
        "it. Index features and compute with what you get.",
    ),
}
