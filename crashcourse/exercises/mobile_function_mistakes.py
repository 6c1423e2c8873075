"""Lesson 16, small networks: what people get wrong in its two functions, each as code that behaves so."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor


def _ratio(
    in_channels: int,
    out_channels: int,
    kernel: int,
    side: int,
    groups: int = 1,
    *,
    depthwise: Callable[[int, int, int, int, int], float] = lambda c, k, r, s, g: r * r * c * s * s,
    pointwise: Callable[[int, int, int, int, int], float] = lambda c, k, r, s, g: c * k / g * s * s,
    full: Callable[[int, int, int, int, int], float] = lambda c, k, r, s, g: r * r * c * k * s * s,
    end: Callable[[float, float, float], float] = lambda depthwise, pointwise, full: (depthwise + pointwise) / full,
) -> float:
    """`cost_ratio` with one thing wrong: what the keyword arguments say; r is the kernel's side, s the maps'."""
    sizes = (in_channels, out_channels, kernel, side, groups)
    return end(depthwise(*sizes), pointwise(*sizes), full(*sizes))


RATIO_MISTAKES = {
    "inverse": (
        partial(_ratio, end=lambda depthwise, pointwise, full: full / (depthwise + pointwise)),
        "That says how many times the full convolution costs more. Divide the other way round: a number below 1.",
    ),
    "saving": (
        partial(_ratio, end=lambda depthwise, pointwise, full: 1 - (depthwise + pointwise) / full),
        "That is the part that is saved. Return the part that is left.",
    ),
    "product": (
        partial(_ratio, end=lambda depthwise, pointwise, full: depthwise * pointwise / full),
        "You multiply the two costs. They come one after the other: add them.",
    ),
    "whole_numbers": (
        partial(_ratio, end=lambda depthwise, pointwise, full: (depthwise + pointwise) // full),
        "// divides to a whole number, and this one is below 1. Use /.",
    ),
    "percent": (
        partial(_ratio, end=lambda depthwise, pointwise, full: 100 * (depthwise + pointwise) / full),
        "You return per cent. Return the ratio itself.",
    ),
    "no_pointwise": (
        partial(_ratio, pointwise=lambda c, k, r, s, g: 0),
        "Only the depthwise part is counted. The 1×1 costs C·K at every pixel, and is most of it.",
    ),
    "no_depthwise": (
        partial(_ratio, depthwise=lambda c, k, r, s, g: 0),
        "Only the 1×1 is counted. The depthwise convolution adds k²·C at every pixel.",
    ),
    "kernel_not_squared": (
        partial(_ratio, depthwise=lambda c, k, r, s, g: r * c * s * s, full=lambda c, k, r, s, g: r * c * k * s * s),
        "A kernel of side k has k² taps; you count k.",
    ),
    "kernel_not_squared_in_depthwise": (
        partial(_ratio, depthwise=lambda c, k, r, s, g: r * c * s * s),
        "Your depthwise kernel has k taps. It has k², as the full one has.",
    ),
    "depthwise_over_outputs": (
        partial(_ratio, depthwise=lambda c, k, r, s, g: r * r * k * s * s),
        "The depthwise convolution comes first, while there are C channels, not K.",
    ),
    "full_depthwise": (
        partial(_ratio, depthwise=lambda c, k, r, s, g: r * r * c * c * s * s),
        "Your first convolution sees all channels: k²·C·C. Depthwise, each channel sees itself alone: k²·C.",
    ),
    "kernel_in_pointwise": (
        partial(_ratio, pointwise=lambda c, k, r, s, g: r * r * c * k / g * s * s),
        "Your second convolution has k² taps. It is 1×1: one tap.",
    ),
    "pointwise_without_pixels": (
        partial(_ratio, pointwise=lambda c, k, r, s, g: c * k / g),
        "Your 1×1 is counted once. It runs at every one of the side² pixels, as the others do.",
    ),
    "pointwise_c_squared": (
        partial(_ratio, pointwise=lambda c, k, r, s, g: c * c * k / g),
        "K·C·C is not what a 1×1 costs: at every pixel it multiplies C channels by K filters, K·C·side².",
    ),
    "side_not_squared": (
        partial(_ratio, full=lambda c, k, r, s, g: r * r * c * k * s),
        "Your full convolution runs at `side` pixels. The maps have side² of them.",
    ),
    "groups_ignored": (
        partial(_ratio, pointwise=lambda c, k, r, s, g: c * k * s * s),
        "The groups are ignored. In g groups, each of the K filters of the 1×1 sees C / g channels.",
    ),
    "groups_multiplied": (
        partial(_ratio, pointwise=lambda c, k, r, s, g: c * k * g * s * s),
        "You multiply by the groups. In g groups each filter sees fewer channels, C / g: divide.",
    ),
    "groups_squared": (
        partial(_ratio, pointwise=lambda c, k, r, s, g: c * k / g**2 * s * s),
        "You divide by the groups twice. There are g groups, each with (C / g)·(K / g): C·K / g in all.",
    ),
    "groups_in_full": (
        partial(_ratio, full=lambda c, k, r, s, g: r * r * c * k / g * s * s),
        "You divide the full convolution by the groups, too. It has none: the groups are those of the 1×1.",
    ),
}


def _shuffled(
    features: Tensor,
    groups: int,
    *,
    form: Callable[[int, int], tuple[int, int]] = lambda channels, groups: (groups, channels // groups),
    swap: Callable[[Tensor], Tensor] = lambda table: table.transpose(1, 2),
    end: Callable[[Tensor, Tensor], Tensor] = lambda table, features: table.reshape(features.shape),
) -> Tensor:
    """`channel_shuffle` with one thing wrong: what the keyword arguments say."""
    n, c, h, w = features.shape
    return end(swap(features.reshape(n, *form(c, groups), h, w)), features)


def _in_place(features: Tensor, groups: int) -> Tensor:
    features.copy_(_shuffled(features, groups))
    return features


SHUFFLE_MISTAKES = {
    "no_swap": (
        partial(_shuffled, swap=lambda table: table, end=lambda table, features: table.flatten(1, 2) + 0),
        "The channels come out as they went in. Reshaping there and back moves nothing: between the two, swap the "
        "dimensions of groups and channels.",
    ),
    "inverse": (
        partial(_shuffled, form=lambda channels, groups: (channels // groups, groups)),
        "Your table has a row for every channel of a group. That deals the cards back: groups come first, then C / "
        "groups.",
    ),
    "five_dimensions": (
        partial(_shuffled, end=lambda table, features: table),
        "Five dimensions come back. Flatten groups and channels into one again.",
    ),
    "pixels_first": (
        partial(_shuffled, swap=lambda table: table.transpose(2, 3)),
        "You swapped channels and rows: pixels move. Count from the batch, dimension 0: groups are 1, channels 2.",
    ),
    "batch_first": (
        partial(_shuffled, swap=lambda table: table.transpose(0, 1)),
        "You swapped the batch and the groups, so images are mixed. Groups are dimension 1, channels dimension 2.",
    ),
    "batch_in_table": (
        lambda features, groups: (
            features.reshape(groups, -1, *features.shape[2:]).transpose(0, 1).reshape(features.shape)
        ),
        "Your table has no dimension for the batch, so images are mixed. Keep N in front: (N, groups, ...).",
    ),
    "view": (
        partial(_shuffled, end=lambda table, features: table.view(features.shape)),
        "view cannot join dimensions that were swapped, because they no longer lie in order. Use reshape, or "
        "contiguous() before view.",
    ),
    "reversed": (
        lambda features, groups: features.flip(1),
        "You turned the order of the channels round. Take the first channel of every group, then the second of every "
        "one.",
    ),
    "groups_rotated": (
        lambda features, groups: features.roll(features.shape[1] // groups, 1),
        "You moved whole groups to other places. They stay together so: take one channel of each in turn.",
    ),
    "groups_reversed": (
        lambda features, groups: torch.cat(features.chunk(groups, 1)[::-1], 1),
        "You turned the order of the groups round. They stay together so: take one channel of each in turn.",
    ),
    "reversed_inside": (
        partial(_shuffled, swap=lambda table: table.flip(2)),
        "The channels move inside their own group. Each has to meet the other groups.",
    ),
    "rotated_by_groups": (
        lambda features, groups: features.roll(groups, 1),
        "You shift all channels by `groups` places, and neighbours stay neighbours. Take one channel of each group.",
    ),
    "only_first_two": (
        lambda features, groups: _shuffled(features, 2 if features.shape[1] % 2 == 0 else groups),
        "Your shuffle always has two groups. Take their number from `groups`.",
    ),
    "in_place": (
        _in_place,
        "You changed the features that came in. Make a new tensor.",
    ),
}
