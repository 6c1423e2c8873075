"""Lesson 15, SENet: what people get wrong in its two functions, each as code that behaves so, with its hint."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor


def _added(
    channels: Sequence[int],
    reduction: int = 16,
    *,
    units: Callable[[int, int], int] = lambda count, reduction: count // reduction,
    block: Callable[[int, int], int] = lambda count, units: 2 * count * units + units + count,
    blocks: Callable[[Sequence[int]], Sequence[int]] = lambda channels: channels,
) -> int:
    """`added_parameters` with one thing wrong: what the keyword arguments say."""
    return sum(block(count, units(count, reduction)) for count in blocks(channels))


def _product_first(channels: Sequence[int], reduction: int = 16) -> int:
    return sum(2 * count * count // reduction + count // reduction + count for count in channels)


def _true_division(channels: Sequence[int], reduction: int = 16) -> float:
    return sum(2 * count * (count / reduction) + count / reduction + count for count in channels) + 0.0


PARAMETER_MISTAKES = {
    "weights_only": (
        partial(_added, block=lambda count, units: 2 * count * units),
        "Those are the weights, as in equation 5. Both layers also have a bias for each of their outputs.",
    ),
    "first_layer": (
        partial(_added, block=lambda count, units: count * units + units),
        "That is the first layer. The second leads back to all C channels.",
    ),
    "second_layer": (
        partial(_added, block=lambda count, units: count * units + count),
        "That is the second layer. The first leads from C channels to the units.",
    ),
    "inner_biases": (
        partial(_added, block=lambda count, units: 2 * count * units + units),
        "The biases of the second layer are missing: one for each channel.",
    ),
    "outer_biases": (
        partial(_added, block=lambda count, units: 2 * count * units + count),
        "The biases of the first layer are missing: one for each unit.",
    ),
    "biases_of_channels": (
        partial(_added, block=lambda count, units: 2 * count * units + 2 * count),
        "You gave both layers C biases. The first has one for each of its C // r units.",
    ),
    "two_per_output": (
        partial(_added, block=lambda count, units: 2 * count * units + 2 * (units + count)),
        "Two numbers for each output is BatchNorm. A dense layer has one bias for each.",
    ),
    "no_reduction": (
        partial(_added, units=lambda count, reduction: count),
        "You counted two C × C layers. Between them are only C // r units.",
    ),
    "units_for_ratio": (
        partial(_added, units=lambda count, reduction: reduction),
        "Your layer between has r units. It has C // r.",
    ),
    "usual_ratio": (
        partial(_added, units=lambda count, reduction: count // 16),
        "Your count always reduces by 16. Use the argument.",
    ),
    "rounded_up": (
        partial(_added, units=lambda count, reduction: -(-count // reduction)),
        "You round the number of units up. C // r rounds down.",
    ),
    "product_first": (
        _product_first,
        "You divide 2·C·C by r at the end. Units are whole: C // r first, then multiply.",
    ),
    "true_division": (
        _true_division,
        "With / the units are fractions, and a float comes back. Use // for whole units.",
    ),
    "one_block": (
        partial(_added, blocks=lambda channels: channels[:1]),
        "Only the first block is counted. Is the `return` inside the loop?",
    ),
    "last_block": (
        partial(_added, blocks=lambda channels: channels[-1:]),
        "Only the last block is counted. Add with +=, and set the total to 0 before the loop.",
    ),
    "each_width_once": (
        partial(_added, blocks=lambda channels: sorted(set(channels))),
        "Blocks of the same width are counted once. Each has layers of its own.",
    ),
    "one_wide_block": (
        partial(_added, blocks=lambda channels: [sum(channels)]),
        "You added up the channels first: that is one wide block. Count each block, then add.",
    ),
}


def _in_place_fold(scale: Tensor, shift: Tensor, gates: Tensor) -> tuple[Tensor, Tensor]:
    return scale.mul_(gates), shift.mul_(gates)


FOLD_MISTAKES = {
    "shift_kept": (
        lambda scale, shift, gates: (scale * gates, shift),
        "The shift stays as it was. The gate multiplies the whole output of BatchNorm, its shift included.",
    ),
    "scale_kept": (
        lambda scale, shift, gates: (scale, shift * gates),
        "The scale stays as it was. The gate multiplies both.",
    ),
    "divided": (
        lambda scale, shift, gates: (scale / gates, shift / gates),
        "You divide by the gates: that would undo them. BatchNorm is to do their work, so multiply.",
    ),
    "shift_divided": (
        lambda scale, shift, gates: (scale * gates, shift / gates),
        "You divide the shift. g · (scale · x + shift): the gate multiplies both.",
    ),
    "sigmoid_again": (
        lambda scale, shift, gates: (scale * gates.sigmoid(), shift * gates.sigmoid()),
        "You take a sigmoid. The gates that come in are what the channels are multiplied by, after the sigmoid.",
    ),
    "mean_gate": (
        lambda scale, shift, gates: (scale * gates.mean(), shift * gates.mean()),
        "You use the mean gate for all channels. Each channel has its own.",
    ),
    "added": (
        lambda scale, shift, gates: (scale + gates, shift + gates),
        "You add the gates. They multiply.",
    ),
    "shift_added": (
        lambda scale, shift, gates: (scale * gates, shift + gates),
        "You add the gates to the shift. g · (scale · x + shift): the gate multiplies it, too.",
    ),
    "swapped": (
        lambda scale, shift, gates: (shift * gates, scale * gates),
        "Scale and shift have changed places. The scale comes back first.",
    ),
    "gates_ignored": (
        lambda scale, shift, gates: (scale, shift),
        "Scale and shift come back as they were.",
    ),
    "scale_alone": (
        lambda scale, shift, gates: scale * gates,
        "Only the scale comes back. Return two tensors: the new scale and the new shift.",
    ),
    "stacked": (
        lambda scale, shift, gates: torch.stack((scale * gates, shift * gates)),
        "One tensor with two rows comes back. Return two tensors, with a comma between them.",
    ),
    "in_place": (
        _in_place_fold,
        "`*=` or `mul_` changes the BatchNorm's own scale and shift. Write scale * gates.",
    ),
    "shift_times_scale": (
        lambda scale, shift, gates: (scale * gates, shift * scale * gates),
        "You multiply the shift by the scale as well. g · (scale · x + shift): shift · g is left.",
    ),
}
