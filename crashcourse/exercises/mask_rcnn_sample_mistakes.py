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


def _places(features: Tensor, x: float, y: float, height: int, width: int) -> tuple[int, int, int, int, float, float]:
    """Upper left and lower right of the four, and the distances from the first."""
    x, y = _clamped(x - 0.5, width), _clamped(y - 0.5, height)
    left, top = int(x), int(y)
    return left, top, min(left + 1, width - 1), min(top + 1, height - 1), x - left, y - top


def _four(features: Tensor, left: int, top: int, right: int, bottom: int) -> Tensor:
    """(C, 2, 2), pixel by pixel: an index that is not there raises."""
    rows = [torch.stack([features[:, row, left], features[:, row, right]], 1) for row in (top, bottom)]
    return torch.stack(rows, 1)


def _indexed_turned(features: Tensor, x: float, y: float) -> Tensor:
    """The place is right, but features[:, x, y]."""
    left, top, right, bottom, across, down = _places(features, x, y, *features.shape[1:])
    return _mix(_four(features.mT, left, top, right, bottom), across, down)


def _sizes_turned(features: Tensor, x: float, y: float) -> Tensor:
    """C, W, H = features.shape."""
    width, height = features.shape[1:]
    left, top, right, bottom, across, down = _places(features, x, y, height, width)
    return _mix(_four(features, left, top, right, bottom), across, down)


def _inverse_distance(features: Tensor, x: float, y: float) -> Tensor:
    left, top, right, bottom, across, down = _places(features, x, y, *features.shape[1:])
    beside, below = across - (right - left), down - (bottom - top)
    far = [math.hypot(i, j) + 1e-6 for j in (down, below) for i in (across, beside)]
    weights = torch.tensor([1 / one for one in far], dtype=features.dtype)
    return _four(features, left, top, right, bottom).flatten(1) @ (weights / weights.sum())


def _rounded(features: Tensor, x: float, y: float) -> Tensor:
    """round in place of floor: the first of the four may lie right of the place."""
    height, width = features.shape[1:]
    x, y = _clamped(x - 0.5, width), _clamped(y - 0.5, height)
    left, top = round(x), round(y)
    four = _four(features, left, top, min(left + 1, width - 1), min(top + 1, height - 1))
    return _mix(four, x - left, y - top)


def _corner_clamped(features: Tensor, x: float, y: float) -> Tensor:
    """The corner is clamped so that there is always a pixel beside it; the place is not."""
    height, width = features.shape[1:]
    x, y = x - 0.5, y - 0.5
    left, top = min(max(int(x), 0), width - 2), min(max(int(y), 0), height - 2)
    return _mix(_four(features, left, top, left + 1, top + 1), x - left, y - top)


def _distance_from_corner(features: Tensor, x: float, y: float) -> Tensor:
    """Half a pixel is subtracted for the index, and not for the distance."""
    left, top, right, bottom, _, _ = _places(features, x, y, *features.shape[1:])
    return _mix(_four(features, left, top, right, bottom), x - left, y - top)


def _clamp_method(features: Tensor, x: float, y: float) -> Tensor:
    return features[:, (y - 0.5).clamp(0), (x - 0.5).clamp(0)]


def _torch_floor(features: Tensor, x: float, y: float) -> Tensor:
    return features[:, torch.floor(y - 0.5), torch.floor(x - 0.5)]


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
    "indexed_turned": (
        _indexed_turned,
        "You index features[:, x, y]. Rows come first: features[:, y, x].",
    ),
    "sizes_turned": (
        _sizes_turned,
        "features.shape is (C, H, W): height before width. You have them the other way round.",
    ),
    "inverse_distance": (
        _inverse_distance,
        "You weigh by one over the distance. Bilinear weights are 1 − distance, across times down.",
    ),
    "rounded": (
        _rounded,
        "You round to find the first pixel. At 0.75 that is pixel 1, which lies behind the place. Take the floor.",
    ),
    "corner_clamped": (
        _corner_clamped,
        "You clamp the corner, not the place, so that beyond the outermost centres the distance is below 0 or above 1 "
        "and the mix shoots beyond both pixels. Clamp x − 0.5 itself to 0 ... size − 1.",
    ),
    "distance_from_corner": (
        _distance_from_corner,
        "For the index you subtract half a pixel, for the distance you do not. Use x − 0.5 in both.",
    ),
    "clamp_method": (
        _clamp_method,
        "x and y are Python numbers, which have no clamp(): write min(max(x - 0.5, 0), width - 1).",
    ),
    "torch_floor": (
        _torch_floor,
        "x and y are Python numbers, and torch.floor wants a tensor: write int(...) or math.floor(...).",
    ),
}
