"""Lesson 12, GoogLeNet: what people get wrong in response normalisation: the reference with one thing changed."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from crashcourse.classification.googlenet import local_response_norm


def _around(c: int, size: int, channels: int) -> slice:
    return slice(max(0, c - size // 2), c + size // 2 + 1)


def _total(near: Tensor) -> Tensor:
    return near.square().sum(1)


def _norm(
    maps,
    *,
    size=5,
    alpha=1e-4,
    beta=0.75,
    k=2.0,
    window: Callable[[int, int, int], slice] = _around,
    total: Callable[[Tensor], Tensor] = _total,
    divide: Callable[..., Tensor] = lambda a, s, alpha, beta, k: a / (k + alpha * s) ** beta,
    stack: int = 1,
) -> Tensor:
    """`local_response_norm` with one thing wrong: what the last four keyword arguments say."""
    channels = maps.shape[1]
    outputs = [divide(maps[:, c], total(maps[:, window(c, size, channels)]), alpha, beta, k) for c in range(channels)]
    return torch.stack(outputs, stack)


def _without_itself(maps, *, size=5, alpha=1e-4, beta=0.75, k=2.0):
    whole = (maps / local_response_norm(maps, size=size, alpha=1.0, beta=1.0, k=0.0)).nan_to_num()
    return maps / (k + alpha * (whole - maps.square())) ** beta


def _circular(maps, *, size=5, alpha=1e-4, beta=0.75, k=2.0):
    half = size // 2
    total = sum(maps.square().roll(shift, 1) for shift in range(-half, half + 1))
    return maps / (k + alpha * total) ** beta


def _in_space(maps, *, size=5, alpha=1e-4, beta=0.75, k=2.0):
    squares = F.pad(maps.square(), (size // 2, size // 2))
    total = sum(squares[..., start : start + maps.shape[3]] for start in range(size))
    return maps / (k + alpha * total) ** beta


def _around_the_pixel(maps, *, size=5, alpha=1e-4, beta=0.75, k=2.0):
    total = size**2 * F.avg_pool2d(maps.square(), size, 1, size // 2)
    return maps / (k + alpha * total) ** beta


def _edge_repeated(maps, *, size=5, alpha=1e-4, beta=0.75, k=2.0):
    channels, half = maps.shape[1], size // 2
    near = [[min(max(j, 0), channels - 1) for j in range(c - half, c + half + 1)] for c in range(channels)]
    total = torch.stack([maps[:, places].square().sum(1) for places in near], 1)
    return maps / (k + alpha * total) ** beta


def _pooled_in_depth(maps, *, size=5, alpha=1e-4, beta=0.75, k=2.0):
    mean = F.avg_pool3d(maps.square()[:, None], (size, 1, 1), stride=1, padding=(size // 2, 0, 0))[:, 0]
    return maps / (k + alpha * size * mean) ** beta


def _in_place(maps, *, size=5, alpha=1e-4, beta=0.75, k=2.0):
    maps /= (maps / local_response_norm(maps, size=size, alpha=alpha, beta=1.0, k=k)) ** beta
    return maps


def _already_normalised(maps, *, size=5, alpha=1e-4, beta=0.75, k=2.0):
    outputs = list(maps.unbind(1))
    for c in range(len(outputs)):
        near = outputs[max(0, c - size // 2) : c + size // 2 + 1]
        outputs[c] = outputs[c] / (k + alpha * sum(one.square() for one in near)) ** beta
    return torch.stack(outputs, 1)


def _copy_overwritten(maps, *, size=5, alpha=1e-4, beta=0.75, k=2.0):
    copy = maps.clone()
    for c in range(maps.shape[1]):
        near = copy[:, max(0, c - size // 2) : c + size // 2 + 1]
        copy[:, c] = copy[:, c] / (k + alpha * near.square().sum(1)) ** beta
    return copy


def _maps_overwritten(maps, *, size=5, alpha=1e-4, beta=0.75, k=2.0):
    for c in range(maps.shape[1]):
        near = maps[:, max(0, c - size // 2) : c + size // 2 + 1]
        maps[:, c] = maps[:, c] / (k + alpha * near.square().sum(1)) ** beta
    return maps


def _first_channel_only(maps, *, size=5, alpha=1e-4, beta=0.75, k=2.0):
    outputs = torch.zeros_like(maps)
    outputs[:, 0] = local_response_norm(maps, size=size, alpha=alpha, beta=beta, k=k)[:, 0]
    return outputs


NORM = {
    "alpha_divided": (
        lambda maps, *, size=5, alpha=1e-4, beta=0.75, k=2.0: F.local_response_norm(maps, size, alpha, beta, k),
        "Your sum is divided by size. PyTorch's own function does that; the formula does not. With it, pass "
        "alpha * size.",
    ),
    "alpha_divided_twice": (
        lambda maps, *, size=5, alpha=1e-4, beta=0.75, k=2.0: F.local_response_norm(maps, size, alpha / size, beta, k),
        "PyTorch's function divides alpha by size already, and you divide once more. Undo it: pass alpha * size.",
    ),
    "five_times_alpha": (
        lambda maps, *, size=5, alpha=1e-4, beta=0.75, k=2.0: F.local_response_norm(maps, size, 5 * alpha, beta, k),
        "5 · alpha makes up for PyTorch's division only where size is 5. Pass alpha * size.",
    ),
    "k_of_pytorch": (
        lambda maps, *, size=5, alpha=1e-4, beta=0.75, k=2.0: local_response_norm(
            maps, size=size, alpha=alpha, beta=beta, k=1.0
        ),
        "Your k is always 1, as it is in PyTorch's function unless one says otherwise. Use the argument k.",
    ),
    "torchs_defaults": (
        lambda maps, *, size=5, alpha=1e-4, beta=0.75, k=2.0: F.local_response_norm(maps, size),
        "You call PyTorch's function with its own constants. Pass alpha * size (it divides by size), beta and k on.",
    ),
    "mean": (
        partial(_norm, total=lambda near: near.square().mean(1)),
        "You take the mean of the squares. The formula takes their sum.",
    ),
    "not_squared": (
        partial(_norm, total=lambda near: near.sum(1)),
        "The neighbours are summed as they are; the formula sums their squares.",
    ),
    "absolute": (
        partial(_norm, total=lambda near: near.abs().sum(1)),
        "You sum absolute values. The formula sums squares.",
    ),
    "squared_sum": (
        partial(_norm, total=lambda near: near.sum(1).square()),
        "You square the sum. Square each value first, then sum.",
    ),
    "root": (
        partial(_norm, total=lambda near: near.square().sum(1).sqrt()),
        "You take the root of the sum of squares (a norm). The formula takes the sum itself.",
    ),
    "everything_summed": (
        partial(_norm, total=lambda near: near.square().sum()),
        "Your sum runs over the whole batch and all pixels, too. Sum over the channels alone: .sum(dim=1).",
    ),
    "all_pixels": (
        partial(_norm, total=lambda near: near.square().sum((1, 2, 3))[:, None, None]),
        "Your sum runs over all pixels of an image, too. Sum over the channels alone: .sum(dim=1).",
    ),
    "summed_over_batch": (
        partial(_norm, total=lambda near: near.square().sum(0)),
        "You sum over dimension 0, the images of the batch. Channels are dimension 1.",
    ),
    "all_channels": (
        partial(_norm, window=lambda c, size, channels: slice(None)),
        "You sum over all channels. Only `size` of them count: those around c.",
    ),
    "no_neighbours": (
        partial(_norm, window=lambda c, size, channels: slice(c, c + 1)),
        "Every value is divided by a term of its own square alone. Its neighbours at the same place count, too.",
    ),
    "end_missing": (
        partial(_norm, window=lambda c, size, channels: slice(max(0, c - size // 2), c + size // 2)),
        "The last neighbour is missing: a slice ends before its end. Write c + size // 2 + 1.",
    ),
    "last_channel_missing": (
        partial(_norm, window=lambda c, size, channels: slice(max(0, c - size // 2), min(channels - 1, c + size // 2))),
        "Your window ends one channel too early: a slice ends before its end. Write min(C, c + size // 2 + 1).",
    ),
    "one_more_on_each_side": (
        partial(_norm, window=lambda c, size, channels: slice(max(0, c - size // 2 - 1), c + size // 2 + 2)),
        "Your window has one channel too many on each side: size // 2 on each side, and c itself, make `size`.",
    ),
    "negative_start": (
        partial(_norm, window=lambda c, size, channels: slice(c - size // 2, c + size // 2 + 1)),
        "For the first channels the slice starts below 0, which Python counts from the end. Write max(0, c - size // "
        "2).",
    ),
    "after_only": (
        partial(_norm, window=lambda c, size, channels: slice(c, c + size)),
        "Your window begins at c. c belongs in its middle: half of the neighbours before, half after.",
    ),
    "before_only": (
        partial(_norm, window=lambda c, size, channels: slice(max(0, c - size + 1), c + 1)),
        "Your window ends at c. c belongs in its middle: half of the neighbours before, half after.",
    ),
    "size_on_each_side": (
        partial(_norm, window=lambda c, size, channels: slice(max(0, c - size), c + size + 1)),
        "You take `size` neighbours on each side. There are `size` channels in all: size // 2 on each side.",
    ),
    "wraps_around": (
        _circular,
        "Your window wraps around: the first channel has the last ones as neighbours. Beyond the ends is nothing.",
    ),
    "in_space": (
        _in_space,
        "Your neighbours are pixels of the same map. The formula takes the same pixel of neighbouring maps.",
    ),
    "around_the_pixel": (
        _around_the_pixel,
        "You sum over a square of pixels of the same map. The formula sums over channels, at the one pixel.",
    ),
    "edge_repeated": (
        _edge_repeated,
        "Your window counts the first or last channel again where it hangs over. Beyond the ends is nothing.",
    ),
    "pooled_in_depth": (
        _pooled_in_depth,
        "avg_pool3d refuses fewer channels than its window, whatever its padding. Pad the squares first, with F.pad.",
    ),
    "itself_left_out": (
        _without_itself,
        "You leave the channel itself out of the sum. It belongs in it.",
    ),
    "no_power": (
        partial(_norm, divide=lambda a, s, alpha, beta, k: a / (k + alpha * s)),
        "The power beta is missing: divide by (k + alpha · sum) ** beta.",
    ),
    "power_before_k": (
        partial(_norm, divide=lambda a, s, alpha, beta, k: a / (k + (alpha * s) ** beta)),
        "You raise alpha · sum to the power and then add k. Add k first: (k + alpha · sum) ** beta.",
    ),
    "whole_to_the_power": (
        partial(_norm, divide=lambda a, s, alpha, beta, k: (a / (k + alpha * s)) ** beta),
        "You raise the whole fraction to the power, the value itself included. Only the denominator has it.",
    ),
    "no_k": (
        partial(_norm, divide=lambda a, s, alpha, beta, k: a / (alpha * s) ** beta),
        "k is missing: without it, small values are divided by almost nothing.",
    ),
    "no_alpha": (
        partial(_norm, divide=lambda a, s, alpha, beta, k: a / (k + s) ** beta),
        "alpha is missing: it weighs the sum of squares.",
    ),
    "alpha_of_both": (
        partial(_norm, divide=lambda a, s, alpha, beta, k: a / (alpha * (k + s)) ** beta),
        "alpha multiplies k as well. It weighs the sum of squares alone: k + alpha · sum.",
    ),
    "multiplied": (
        partial(_norm, divide=lambda a, s, alpha, beta, k: a * (k + alpha * s) ** beta),
        "You multiply by the term. Divide by it: where the neighbours are strong, the value becomes smaller.",
    ),
    "denominator_alone": (
        partial(_norm, divide=lambda a, s, alpha, beta, k: (k + alpha * s) ** beta),
        "You return what the values are divided by. Divide them.",
    ),
    "constants_fixed": (
        lambda maps, *, size=5, alpha=1e-4, beta=0.75, k=2.0: local_response_norm(maps),
        "You always use the paper's constants. Use the arguments size, alpha, beta and k.",
    ),
    "alpha_fixed": (
        lambda maps, *, size=5, alpha=1e-4, beta=0.75, k=2.0: local_response_norm(maps, size=size, beta=beta, k=k),
        "Your alpha is always 0.0001. Use the argument alpha.",
    ),
    "beta_fixed": (
        lambda maps, *, size=5, alpha=1e-4, beta=0.75, k=2.0: local_response_norm(maps, size=size, alpha=alpha, k=k),
        "Your power is always 0.75. Use the argument beta.",
    ),
    "root_taken": (
        lambda maps, *, size=5, alpha=1e-4, beta=0.75, k=2.0: local_response_norm(
            maps, size=size, alpha=alpha, beta=0.5, k=k
        ),
        "You divide by the square root of the term. The power is the argument beta, 0.75 unless told otherwise.",
    ),
    "k_fixed": (
        lambda maps, *, size=5, alpha=1e-4, beta=0.75, k=2.0: local_response_norm(
            maps, size=size, alpha=alpha, beta=beta
        ),
        "Your k is always 2. Use the argument k.",
    ),
    "size_fixed": (
        lambda maps, *, size=5, alpha=1e-4, beta=0.75, k=2.0: local_response_norm(maps, alpha=alpha, beta=beta, k=k),
        "Your window always has 5 channels. Use the argument size.",
    ),
    "size_three": (
        lambda maps, *, size=5, alpha=1e-4, beta=0.75, k=2.0: local_response_norm(
            maps, size=3, alpha=alpha, beta=beta, k=k
        ),
        "Your window is one channel to each side. It has `size` channels: size // 2 to each side.",
    ),
    "stacked_first": (
        partial(_norm, stack=0),
        "Your channels come first in the result: torch.stack(..., dim=1) keeps them second.",
    ),
    "stacked_last": (
        partial(_norm, stack=-1),
        "Your channels come last in the result: torch.stack(..., dim=1) keeps them second.",
    ),
    "first_channel_only": (
        _first_channel_only,
        "Only the first channel is filled in. Is the `return` inside the loop?",
    ),
    "in_place": (
        _in_place,
        "You change maps itself (/= or *=). Make a new tensor: result = maps / ...",
    ),
    "copy_overwritten": (
        _copy_overwritten,
        "You write results into the copy from which later channels are summed. Sum from maps, write elsewhere.",
    ),
    "maps_overwritten": (
        _maps_overwritten,
        "You write results into maps itself: later channels are summed from them, and the caller's tensor is changed. "
        "Collect the channels in a list and torch.stack them.",
    ),
    "already_normalised": (
        _already_normalised,
        "You write results over the maps while later channels still need them. Keep the input as it is.",
    ),
}
