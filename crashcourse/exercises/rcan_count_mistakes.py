"""Lesson 53, RCAN: what people get wrong when they count its parameters, each as code that behaves so, with its "
"hint."""

from collections.abc import Callable
from functools import partial


def _size(
    groups: int,
    blocks: int,
    width: int,
    reduction: int = 16,
    *,
    convs: int = 2,
    bias: int = 1,
    units: Callable[[int, int], float] = lambda width, reduction: width // reduction,
    gates: Callable[[int, float], float] = lambda width, units: 2 * width * units + units + width,
    in_group: int = 1,
    in_body: int = 1,
    up: int = 4,
    extra: int = 0,
    head: bool = True,
    last: bool = True,
    repeat: Callable[[int, int], int] = lambda groups, blocks: groups * blocks,
    result: Callable[[float], float] = lambda total: total,
) -> float:
    """`rcan_size` with one thing wrong: what the keyword arguments say."""

    def conv(ins: int, outs: int) -> int:
        return 9 * ins * outs + bias * outs

    body = repeat(groups, blocks) * (convs * conv(width, width) + gates(width, units(width, reduction)))
    body += (groups * in_group + in_body) * conv(width, width)
    tail = conv(width, up * width) + last * conv(width, 3)
    return result(head * conv(3, width) + body + tail + extra)


COUNT_MISTAKES = {
    "weights_only": (
        partial(_size, bias=0, gates=lambda width, units: 2 * width * units),
        "Those are weights. Every convolution has a bias for each of its outputs, too.",
    ),
    "no_conv_biases": (
        partial(_size, bias=0),
        "The 3×3 convolutions have biases, too: one for each output channel.",
    ),
    "no_gate_biases": (
        partial(_size, gates=lambda width, units: 2 * width * units),
        "The 1×1 convolutions of the gates have biases, too: C // r and C.",
    ),
    "no_gates": (
        partial(_size, gates=lambda width, units: 0),
        "The gates are missing: two 1×1 convolutions in every block.",
    ),
    "first_gate_layer": (
        partial(_size, gates=lambda width, units: width * units + units),
        "That is the first convolution of the gates. The second leads back to C channels.",
    ),
    "square_gates": (
        partial(_size, units=lambda width, reduction: width),
        "Between the convolutions of the gates are C // r channels, not C.",
    ),
    "units_for_ratio": (
        partial(_size, units=lambda width, reduction: reduction),
        "Between the convolutions of the gates are C // r channels, not r.",
    ),
    "usual_ratio": (
        partial(_size, units=lambda width, reduction: width // 16),
        "Your gates always reduce by 16. Use the argument.",
    ),
    "rounded_up": (
        partial(_size, units=lambda width, reduction: -(-width // reduction)),
        "You round C / r up. C // r rounds down.",
    ),
    "true_division": (
        partial(_size, units=lambda width, reduction: width / reduction, result=float),
        "With / channels become fractions, and a float comes back. Use //.",
    ),
    "gates_of_3_by_3": (
        partial(_size, gates=lambda width, units: 18 * width * units + units + width),
        "The convolutions of the gates are 1×1: a mean has no neighbours.",
    ),
    "one_conv": (
        partial(_size, convs=1),
        "A block has two 3×3 convolutions.",
    ),
    "three_convs": (
        partial(_size, convs=3),
        "A block has two 3×3 convolutions. The one behind the blocks comes once in a group.",
    ),
    "no_conv_in_group": (
        partial(_size, in_group=0),
        "The 3×3 convolution behind the blocks of each group is missing.",
    ),
    "no_conv_in_body": (
        partial(_size, in_body=0),
        "The 3×3 convolution behind all groups is missing.",
    ),
    "no_convs_behind": (
        partial(_size, in_group=0, in_body=0),
        "The 3×3 convolutions behind the blocks of each group, and behind all groups, are missing.",
    ),
    "one_group": (
        partial(_size, repeat=lambda groups, blocks: blocks),
        "The blocks of one group are counted. Every group has its own.",
    ),
    "added_up": (
        partial(_size, repeat=lambda groups, blocks: groups + blocks),
        "You add groups and blocks. Each group has all the blocks: multiply.",
    ),
    "no_upscaling": (
        partial(_size, up=1),
        "The convolution before the pixel shuffle has 4 · C outputs for ×2.",
    ),
    "twice_the_width": (
        partial(_size, up=2),
        "A pixel shuffle by 2 needs 2² times the channels, not 2 times.",
    ),
    "no_head": (
        partial(_size, head=False),
        "The first convolution, from 3 channels to C, is missing.",
    ),
    "no_last": (
        partial(_size, last=False),
        "The last convolution, from C channels to 3, is missing.",
    ),
    "mean_colour": (
        partial(_size, extra=24),
        "You count the mean colour, 24 numbers as two 1×1 convolutions. It is not learned.",
    ),
}
