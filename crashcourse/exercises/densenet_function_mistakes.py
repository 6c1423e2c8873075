"""Lesson 14, DenseNet: what people get wrong in its two functions, each as code that behaves so, with its hint."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor


def _channels(
    stem: int,
    growth: int,
    blocks: Sequence[int],
    compression: float,
    *,
    grow: Callable[[int, int, int], int] = lambda channels, layers, growth: channels + layers * growth,
    keep: Callable[[int, float], float] = lambda channels, compression: int(compression * channels),
    has_transition: Callable[[int, int], bool] = lambda place, count: place > 0,
) -> list[int]:
    """`channels_through` with one thing wrong: what the keyword arguments say."""
    channels = [stem]
    for place, layers in enumerate(blocks):
        if has_transition(place, len(blocks)):
            channels.append(keep(channels[-1], compression))
        channels.append(grow(channels[-1], layers, growth))
    return channels


def _after_each(stem: int, growth: int, blocks: Sequence[int], compression: float) -> list[int]:
    channels = [stem]
    for layers in blocks:
        channels.append(channels[-1] + layers * growth)
        channels.append(int(compression * channels[-1]))
    return channels


def _always_from_the_stem(stem: int, growth: int, blocks: Sequence[int], compression: float) -> list[int]:
    channels = [stem]
    for place, layers in enumerate(blocks):
        if place > 0:
            channels.append(int(compression * channels[-1]))
        channels.append(stem + layers * growth)
    return channels


def _only_growth_compressed(stem: int, growth: int, blocks: Sequence[int], compression: float) -> list[int]:
    channels = [stem]
    for place, layers in enumerate(blocks):
        if place > 0:
            channels.append(channels[-2] + int(compression * blocks[place - 1] * growth))
        channels.append(channels[-1] + layers * growth)
    return channels


def _growth_doubles(stem: int, growth: int, blocks: Sequence[int], compression: float) -> list[int]:
    channels = [stem]
    for place, layers in enumerate(blocks):
        if place > 0:
            channels.append(int(compression * channels[-1]))
        channels.append(channels[-1] + layers * growth * 2**place)
    return channels


CHANNEL_MISTAKES = {
    "only_what_is_new": (
        partial(_channels, grow=lambda channels, layers, growth: layers * growth),
        "Your blocks give out layers · growth channels: what they received is missing. It stands at the front of the "
        "concatenation.",
    ),
    "growth_once": (
        partial(_channels, grow=lambda channels, layers, growth: channels + growth),
        "Your blocks add growth once. Every one of their layers adds growth channels.",
    ),
    "every_layer_multiplies": (
        partial(_channels, grow=lambda channels, layers, growth: channels * layers),
        "Your blocks multiply. A layer adds growth channels, so that a block adds layers · growth.",
    ),
    "bottleneck_counted": (
        partial(_channels, grow=lambda channels, layers, growth: channels + 4 * layers * growth),
        "The 4k channels of the bottleneck live inside a layer. What it adds to the block is k.",
    ),
    "last_layer_forgotten": (
        partial(_channels, grow=lambda channels, layers, growth: channels + (layers - 1) * growth),
        "That is what the last layer of a block *sees*. It adds its own growth channels, too.",
    ),
    "one_layer_too_many": (
        partial(_channels, grow=lambda channels, layers, growth: channels + (layers + 1) * growth),
        "Your blocks have a layer too many: the input of the block counts as it is, without another growth.",
    ),
    "no_transitions": (
        partial(_channels, has_transition=lambda place, count: False),
        "There are no transitions. One stands between every two blocks.",
    ),
    "transition_after_the_last": (
        _after_each,
        "There is a transition after the last block. Transitions stand between blocks; the last one is followed by "
        "the head.",
    ),
    "transition_after_the_stem": (
        partial(_channels, has_transition=lambda place, count: True),
        "There is a transition between the stem and the first block. Transitions stand between two blocks.",
    ),
    "keeps_all": (
        partial(_channels, keep=lambda channels, compression: channels),
        "compression is ignored: your transitions keep all channels.",
    ),
    "always_half": (
        partial(_channels, keep=lambda channels, compression: channels // 2),
        "Your transitions always halve. They keep the share `compression`.",
    ),
    "rounded_up": (
        partial(_channels, keep=lambda channels, compression: math.ceil(compression * channels)),
        "You round up. The paper keeps ⌊θm⌋ channels, rounded down.",
    ),
    "floats": (
        partial(_channels, keep=lambda channels, compression: compression * channels),
        "You do not round: there are no half channels. int() rounds down.",
    ),
    "removes_the_share": (
        partial(_channels, keep=lambda channels, compression: channels - int(compression * channels)),
        "Your transitions take the share away. θ is what they keep.",
    ),
    "only_growth_compressed": (
        _only_growth_compressed,
        "You compress only what the block added. A transition mixes all channels and keeps a share of all.",
    ),
    "from_the_stem": (
        _always_from_the_stem,
        "Every block of yours begins with the stem's channels. It begins with those of the transition before it.",
    ),
    "growth_doubles": (
        _growth_doubles,
        "In your network the growth doubles from block to block. k is the same everywhere.",
    ),
    "only_blocks": (
        lambda stem, growth, blocks, compression: _channels(stem, growth, blocks, compression)[1::2],
        "Only the blocks are in your list. The stem comes first, and a transition before each further block.",
    ),
    "no_stem": (
        lambda stem, growth, blocks, compression: _channels(stem, growth, blocks, compression)[1:],
        "Your list begins after the first block. It begins with the stem.",
    ),
    "only_the_last": (
        lambda stem, growth, blocks, compression: _channels(stem, growth, blocks, compression)[-1],
        "Only the last number comes back. Return the list of all.",
    ),
}


def _use(
    weight: Tensor,
    sources: Sequence[int],
    *,
    split: Callable[[Tensor, list[int]], Sequence[Tensor]] = lambda weight, sources: weight.split(sources, 1),
    measure: Callable[[Tensor], Tensor] = lambda part: part.abs().mean(),
    join: Callable[[list[Tensor]], object] = torch.stack,
) -> object:
    """`use_of_sources` with one thing wrong: what the keyword arguments say."""
    return join([measure(part) for part in split(weight, list(sources))])


def _normalised(values: list[Tensor]) -> Tensor:
    stacked = torch.stack(values)
    return stacked / stacked.sum()


def _running(weight: Tensor, sources: list[int]) -> list[Tensor]:
    return [weight[:, : sum(sources[: place + 1])] for place in range(len(sources))]


def _slices(weight: Tensor, sources: list[int]) -> list[Tensor]:
    return [weight[:, place : place + count] for place, count in enumerate(sources)]


REUSE_MISTAKES = {
    "signed": (
        partial(_use, measure=lambda part: part.mean()),
        "Positive and negative weights cancel in your mean. Take absolute values first.",
    ),
    "absolute_of_mean": (
        partial(_use, measure=lambda part: part.mean().abs()),
        "You take the absolute value of the mean, after the signs have cancelled. Take it of every weight.",
    ),
    "sum": (
        partial(_use, measure=lambda part: part.abs().sum()),
        "You add up, so a source with more channels looks more used. Take the mean.",
    ),
    "sum_per_channel": (
        partial(_use, measure=lambda part: part.abs().sum() / part.shape[1]),
        "You divide by the channels of the source alone. The mean is over all its weights: filters and kernel, too.",
    ),
    "sum_over_kernel": (
        partial(_use, measure=lambda part: part.abs().sum((2, 3)).mean()),
        "You add up over the kernel and take the mean over the rest. Take the mean over all four dimensions.",
    ),
    "squared": (
        partial(_use, measure=lambda part: part.square().mean()),
        "That is the mean square. Take the mean of absolute values.",
    ),
    "root_mean_square": (
        partial(_use, measure=lambda part: part.square().mean().sqrt()),
        "That is the root of the mean square. Take the mean of absolute values.",
    ),
    "norm": (
        partial(_use, measure=lambda part: part.norm()),
        "That is the norm, which grows with the number of weights. Take the mean of absolute values.",
    ),
    "largest": (
        partial(_use, measure=lambda part: part.abs().max()),
        "You take the largest weight. Take the mean of all.",
    ),
    "deviation": (
        partial(_use, measure=lambda part: part.std(unbiased=False)),
        "That is the standard deviation. Take the mean of absolute values.",
    ),
    "shares": (
        partial(_use, join=_normalised),
        "You divide by the sum over all sources. Return the means themselves.",
    ),
    "filters_split": (
        partial(_use, split=lambda weight, sources: weight.split(sources, 0)),
        "You cut dimension 0, which counts the filters. What they read is counted by dimension 1.",
    ),
    "equal_parts": (
        partial(_use, split=lambda weight, sources: weight.tensor_split(len(sources), 1)),
        "You cut equal parts. The sources are not equally large: the input of a block has more channels than a layer.",
    ),
    "running": (
        partial(_use, split=_running),
        "Each of your parts begins at channel 0. It begins where the one before ends.",
    ),
    "slices": (
        partial(_use, split=_slices),
        "Your slices begin at the source's place and overlap. They begin at the sum of the sizes before it.",
    ),
    "reversed": (
        partial(_use, join=lambda values: torch.stack(values[::-1])),
        "The order is reversed: the first source comes first.",
    ),
    "per_channel": (
        lambda weight, sources: weight.abs().mean((0, 2, 3)),
        "That is one number for each channel. Take the mean over all the channels of a source.",
    ),
    "per_filter": (
        partial(_use, measure=lambda part: part.abs().mean((1, 2, 3))),
        "There is a number for each filter of yours. Take the mean over the filters, too.",
    ),
    "list": (
        partial(_use, join=list),
        "A list comes back. Join the numbers with torch.stack.",
    ),
    "python_numbers": (
        partial(_use, join=lambda values: [value.item() for value in values]),
        "A list of Python numbers comes back. Return a tensor: torch.stack of the means.",
    ),
    "everything": (
        lambda weight, sources: weight.abs().mean(),
        "That is one mean over all weights. Take one for each source.",
    ),
}
