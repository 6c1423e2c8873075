"""Lesson 53, RCAN: what people get wrong when they count its parameters, each as code that behaves so."""

from collections.abc import Callable
from functools import partial


def _size(
    groups: int,
    blocks: int,
    width: int,
    reduction: int = 16,
    *,
    convs: int = 2,
    taps: int = 9,
    biases: Callable[[int, int], int] = lambda ins, outs: outs,
    units: Callable[[int, int], float] = lambda width, reduction: width // reduction,
    gates: Callable[[int, float], float] = lambda width, units: 2 * width * units + units + width,
    in_group: int = 1,
    in_body: int = 1,
    up: int = 4,
    extra: Callable[[int, int, int], int] = lambda groups, blocks, width: 0,
    head: int = 3,
    last: Callable[[int], tuple[int, int]] = lambda width: (width, 3),
    repeat: Callable[[int, int], int] = lambda groups, blocks: groups * blocks,
    gated: Callable[[int, int], int] | None = None,
    result: Callable[[float], float] = lambda total: total,
) -> float:
    """`rcan_size` with one thing wrong: what the keyword arguments say."""

    def conv(ins: int, outs: int) -> int:
        return taps * ins * outs + (biases(ins, outs) if ins and outs else 0)

    body = repeat(groups, blocks) * convs * conv(width, width)
    body += (gated or repeat)(groups, blocks) * gates(width, units(width, reduction))
    body += (groups * in_group + in_body) * conv(width, width)
    tail = conv(width, up * width) + conv(*last(width))
    return result(conv(head, width) + body + tail + extra(groups, blocks, width))


def _conv(width: int) -> int:
    return 9 * width * width + width


COUNT_MISTAKES = {
    "weights_only": (
        partial(_size, biases=lambda ins, outs: 0, gates=lambda width, units: 2 * width * units),
        "Those are weights. Every convolution has a bias for each of its outputs, too.",
    ),
    "no_conv_biases": (
        partial(_size, biases=lambda ins, outs: 0),
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
        partial(_size, head=0),
        "The first convolution, from 3 channels to C, is missing.",
    ),
    "no_last": (
        partial(_size, last=lambda width: (0, 0)),
        "The last convolution, from C channels to 3, is missing.",
    ),
    "mean_colour": (
        partial(_size, extra=lambda groups, blocks, width: 24),
        "You count the mean colour, 24 numbers as two 1×1 convolutions. It is not learned.",
    ),
    "no_shuffle": (
        partial(_size, up=0),
        "The convolution to 4 · C channels, for the pixel shuffle, is missing.",
    ),
    "no_tail": (
        partial(_size, up=0, last=lambda width: (0, 0)),
        "The two convolutions behind the body, to 4 · C channels and to 3 colours, are missing.",
    ),
    "body_alone": (
        partial(_size, up=0, head=0, last=lambda width: (0, 0)),
        "That is the body. One convolution comes before it and two behind it.",
    ),
    "shuffle_twice": (
        partial(_size, extra=lambda groups, blocks, width: 36 * width**2 + 4 * width),
        "You count the convolution before the pixel shuffle twice. That is so for ×4; this is ×2.",
    ),
    "four_times_in": (
        partial(_size, last=lambda width: (4 * width, 3)),
        "Your last convolution takes 4 · C channels. The pixel shuffle before it has made C of them.",
    ),
    "shuffle_of_width": (
        partial(_size, last=lambda width: (width // 4, 3)),
        "Your last convolution takes C / 4 channels. The shuffle takes 4 · C to C.",
    ),
    "straight_to_colours": (
        partial(_size, up=0, last=lambda width: (width, 12)),
        "Your tail shuffles 12 maps into 3 colours. Here it shuffles 4 · C into C, and a convolution to 3 follows.",
    ),
    "one_colour_in": (
        partial(_size, head=1),
        "Your first convolution takes one channel. It takes three colours.",
    ),
    "one_colour_out": (
        partial(_size, last=lambda width: (width, 1)),
        "Your last convolution has one output. It has three: colours.",
    ),
    "last_as_first": (
        partial(_size, extra=lambda groups, blocks, width: width - 3),
        "Your last convolution has C biases, like the first. It has one for each of its 3 outputs.",
    ),
    "first_as_last": (
        partial(_size, extra=lambda groups, blocks, width: 3 - width),
        "Your first convolution has 3 biases. There is one for each output: C.",
    ),
    "no_bias_of_one": (
        partial(_size, extra=lambda groups, blocks, width: -width),
        "C biases are missing: those of the first convolution, or of the one behind all groups.",
    ),
    "no_bias_of_last": (
        partial(_size, extra=lambda groups, blocks, width: -3),
        "The 3 biases of the last convolution are missing.",
    ),
    "no_bias_of_shuffle": (
        partial(_size, extra=lambda groups, blocks, width: -4 * width),
        "The 4 · C biases of the convolution before the shuffle are missing.",
    ),
    "few_biases_of_shuffle": (
        partial(_size, extra=lambda groups, blocks, width: -3 * width),
        "3 · C biases are missing. A convolution has one for each output: the one before the shuffle has 4 · C.",
    ),
    "no_bias_in_groups": (
        partial(_size, extra=lambda groups, blocks, width: -groups * width),
        "The convolution behind the blocks of each group has C biases, too.",
    ),
    "one_bias_each": (
        partial(_size, biases=lambda ins, outs: 1, gates=lambda width, units: 2 * width * units + 2),
        "You count one bias for each convolution. There is one for each output channel.",
    ),
    "gate_biases_of_inputs": (
        partial(_size, gates=lambda width, units: 2 * width * units + 2 * width),
        "You count 2 · C biases for the gates. The first convolution has C // r outputs: C // r + C biases.",
    ),
    "gate_biases_of_units": (
        partial(_size, gates=lambda width, units: 2 * width * units + 2 * units),
        "You count 2 · (C // r) biases for the gates. The second convolution has C outputs: C // r + C biases.",
    ),
    "gate_biases_of_second": (
        partial(_size, gates=lambda width, units: 2 * width * units + width),
        "The first convolution of the gates has biases, too: C // r.",
    ),
    "gate_biases_of_first": (
        partial(_size, gates=lambda width, units: 2 * width * units + units),
        "In every block C biases are missing: those of the second convolution of the gates, or of a 3×3 one.",
    ),
    "gates_twice": (
        partial(_size, gates=lambda width, units: 4 * width * units + 2 * units + 2 * width),
        "You count the gates of a block twice. A block has one pair of 1×1 convolutions, not one behind each 3×3 one.",
    ),
    "gates_of_groups": (
        partial(_size, gated=lambda groups, blocks: groups),
        "You count gates once for each group. Every block has its own.",
    ),
    "gates_once": (
        partial(_size, gated=lambda groups, blocks: 1),
        "You count gates once for the network. Every block has its own.",
    ),
    "one_block": (
        partial(_size, repeat=lambda groups, blocks: groups),
        "One block for each group is counted. There are B of them.",
    ),
    "one_whole_group": (
        partial(
            _size,
            repeat=lambda groups, blocks: blocks,
            extra=lambda groups, blocks, width: (1 - groups) * _conv(width),
        ),
        "One group is counted, with its convolution. There are G of them.",
    ),
    "conv_in_every_group": (
        partial(_size, extra=lambda groups, blocks, width: (groups - 1) * _conv(width)),
        "You count the convolution behind all groups in each group. It comes once, beside the one that each group has.",
    ),
    "conv_in_every_block": (
        partial(_size, extra=lambda groups, blocks, width: groups * (blocks - 1) * _conv(width)),
        "You count the group's convolution in each block. It comes once, behind the blocks.",
    ),
    "swapped": (
        partial(_size, extra=lambda groups, blocks, width: (blocks - groups) * _conv(width)),
        "Groups and blocks have changed places: G groups have a convolution each, not B.",
    ),
    "three_taps": (
        partial(_size, taps=3),
        "A 3×3 kernel has 9 weights for each pair of channels; you count 3.",
    ),
    "six_taps": (
        partial(_size, taps=6),
        "A 3×3 kernel has 9 weights for each pair of channels; you count 6: 3 · 3, not 3 + 3.",
    ),
    "batch_norm": (
        partial(_size, extra=lambda groups, blocks, width: 4 * groups * blocks * width),
        "You count BatchNorm behind the convolutions of the blocks. There is none.",
    ),
    "float": (
        partial(_size, result=float),
        "The number is right, but it is a float. Use // or int().",
    ),
    "millions": (
        partial(_size, result=lambda total: total / 1e6),
        "Those are millions. Return the number itself.",
    ),
}
