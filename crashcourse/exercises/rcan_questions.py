"""Lesson 53, RCAN: the table to fill in and the questions. Paper: arXiv 1807.02758."""

from functools import cache

import torch
from torch import nn

from crashcourse.exercises.questions import AnswerExercise, ChoiceExercise
from crashcourse.inspection import count_macs, count_parameters
from crashcourse.restoration.rcan import RCAB, ChannelAttention, rcan

GATES, BLOCK = "the gates of one block: parameters", "one block, gates included: parameters"
ALL_GATES, CONVS = "all gates of the network: parameters", "3×3 convolutions from input to output"
SEES, OUTPUT = "side of what a place sees behind one block, without gates", "output of the network for ×4: shape"
MACS, GATE_MACS = "3×3 convolutions of one block: MACs", "1×1 convolutions of one block's gates: MACs"
SIZE = (64, 48, 40)


@cache
def _table() -> dict[str, tuple[int, ...] | int]:
    """Sizes and costs, read from the live modules."""
    with torch.device("meta"):
        network, block, gates = rcan(2), RCAB(64), ChannelAttention(64)
    kernels = [layer.kernel_size[0] for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    attention = [module for module in network.modules() if isinstance(module, ChannelAttention)]
    gate_macs = count_macs(gates, SIZE)
    return {
        GATES: count_parameters(gates),
        BLOCK: count_parameters(block),
        ALL_GATES: sum(map(count_parameters, attention)),
        CONVS: kernels.count(3),
        SEES: 5,
        OUTPUT: (3, 4 * SIZE[1], 4 * SIZE[2]),
        MACS: count_macs(block, SIZE) - gate_macs,
        GATE_MACS: gate_macs,
    }


QUESTIONS = [
    AnswerExercise(
        name="rcan.sizes",
        title="Sizes and costs of RCAN",
        lesson=53,
        question=(
            "RCAN of the paper: 10 groups of 20 blocks, 64 channels, reduction 16, for ×2 where nothing else is said. "
            "A block has two 3×3 convolutions of 64 channels and its gates, all with biases. Count 3×3 convolutions "
            "from the first to the last, one for the upscaling. Shapes and MACs are for one image of 3 channels, 48 "
            "rows and 40 columns."
        ),
        reference=_table,
        because=(
            "Gates are 0.8 % of the parameters and next to nothing of the work: they run on one number for each "
            "channel. What they give every block is a view of the whole image, however small its own window is."
        ),
        hints=(
            "Gates: two 1×1 convolutions, 64 to 4 and back. A 3×3 convolution has 9 · 64 · 64 weights and 64 biases.",
            "A 3×3 convolution sees one pixel further on each side. MACs are weights times places; the gates have one "
            "place.",
            "2 · 64 · 4 + 4 + 64; 2 · 36,928 more; 200 times; 10 · (2 · 20 + 1) + 4; 2 · 36,864 · 48 · 40.",
        ),
        wrong={
            "no_biases": ({GATES: 512}, "The biases are missing: 4 and 64."),
            "no_biases_at_all": (
                {ALL_GATES: 102_400},
                "Those are weights. Each of the 200 blocks has 4 + 64 biases, too.",
            ),
            "one_layer": (
                {GATES: 260},
                "That is the first convolution of the gates. The second leads back to 64 channels.",
            ),
            "no_reduction": ({GATES: 8_320}, "Between the two are only 64 / 16 = 4 channels."),
            "ratio_for_units": ({GATES: 2_128}, "Between the two are 64 / 16 = 4 channels, not 16."),
            "without_gates": ({BLOCK: 73_856}, "Those are the two 3×3 convolutions. The gates belong to the block."),
            "one_conv": ({BLOCK: 37_508}, "A block has two 3×3 convolutions."),
            "weights": ({BLOCK: 74_240}, "The biases are missing: 64, 64, 4 and 64."),
            "gates_of_groups": ({ALL_GATES: 5_800}, "Every block has gates, not every group: 200 of them."),
            "gates_of_one_group": ({ALL_GATES: 11_600}, "Those are the gates of one group. There are ten."),
            "blocks_only": (
                {CONVS: 400},
                "Those are the convolutions in blocks. 10 stand behind groups, 4 outside of all groups.",
            ),
            "no_group_convs": ({CONVS: 404}, "A convolution stands behind the blocks of each group, too."),
            "no_outside": ({CONVS: 410}, "Four are outside of the groups: first, behind all groups, upscaling, last."),
            "with_gates": ({CONVS: 814}, "The convolutions of the gates are 1×1."),
            "three": ({SEES: 3}, "That is behind one of the two convolutions."),
            "six": ({SEES: 6}, "Two windows of 3 overlap: the second adds one pixel on each side."),
            "nine": ({SEES: 9}, "Side, not area, and 2 · 2 + 1."),
            "not_enlarged": ({OUTPUT: (3, 48, 40)}, "×4 makes both sides four times as long."),
            "enlarged_once": ({OUTPUT: (3, 96, 80)}, "That is ×2. For ×4 it is done twice."),
            "before_shuffle": ({OUTPUT: (64, 192, 160)}, "The last convolution leads from 64 channels to 3."),
            "squared": ({OUTPUT: (3, 768, 640)}, "×4 is for each side: four times the rows, four times the columns."),
            "one_of_two": ({MACS: 70_778_880}, "A block has two of them."),
            "biases_as_macs": ({MACS: 141_803_520}, "A bias is added, not multiplied: it is no MAC."),
            "one_place": ({MACS: 73_728}, "Those are weights. They are used at each of 48 · 40 places."),
            "gates_everywhere": ({GATE_MACS: 983_040}, "The gates run once for the image, on the means."),
            "parameters_as_macs": ({GATE_MACS: 580}, "Those are the parameters. A bias is no MAC."),
            "half_the_gates": ({GATE_MACS: 256}, "That is one of two: 64 to 4, and 4 to 64."),
            "biases_of_second": ({GATES: 576}, "The first convolution has biases, too: 4."),
            "biases_of_first": ({GATES: 516}, "The second convolution has biases, too: 64."),
            "biases_of_inputs": ({GATES: 640}, "A bias goes with an output: 4 for the first convolution, not 64."),
            "weights_of_one": ({GATES: 256}, "Those are the weights of one of the two convolutions, without biases."),
            "kernel_of_gates": ({GATES: 4_676}, "The kernels are 1×1, not 3×3: a mean has no neighbours."),
            "square_gates": (
                {GATES: 8_192},
                "Those are the weights of two convolutions of 64 to 64. Between the two are only 64 / 16 = 4 channels.",
            ),
            "no_conv_biases": ({BLOCK: 74_308}, "The 3×3 convolutions have 64 biases each."),
            "conv_weights": (
                {BLOCK: 73_728},
                "Those are the weights of the two 3×3 convolutions. Biases and gates come on top.",
            ),
            "no_gate_biases": ({BLOCK: 74_368}, "The gates have biases, too: 4 and 64."),
            "one_plain_conv": ({BLOCK: 36_928}, "That is one 3×3 convolution. There are two, and the gates."),
            "gates_of_one_block": ({ALL_GATES: 580}, "Those are the gates of one block. There are 200 blocks."),
            "gates_of_groups_too": ({ALL_GATES: 121_800}, "Groups have no gates, only blocks: 200 of them."),
            "gates_twice": (
                {ALL_GATES: 232_000},
                "A block has one attention, behind its second convolution: 200 of them.",
            ),
            "one_missing": (
                {CONVS: 413},
                "One is missing. Outside of the groups: first, behind all groups, upscaling, last.",
            ),
            "two_missing": (
                {CONVS: 412},
                "Two are missing. Beside the first and the last, one is behind all groups and one for the upscaling.",
            ),
            "three_missing": (
                {CONVS: 411},
                "Three are missing. Outside of the groups: first, behind all groups, upscaling, last.",
            ),
            "upscaling_twice": ({CONVS: 415}, "One too many. The upscaling is one here: the network is for ×2."),
            "one_of_a_block": ({CONVS: 214}, "Each of the 200 blocks has two 3×3 convolutions."),
            "gate_each": ({CONVS: 614}, "A block has two 3×3 convolutions; those of its gates are 1×1."),
            "four": ({SEES: 4}, "n convolutions see n pixels on each side, and the one in the middle: 2n + 1."),
            "seven": ({SEES: 7}, "That is three convolutions. A block has two."),
            "area": ({SEES: 25}, "That is the area. The side is asked for."),
            "turned": ({OUTPUT: (3, 160, 192)}, "Rows come before columns: 48 rows become 192."),
            "colours_last": ({OUTPUT: (192, 160, 3)}, "Channels come first in PyTorch: (C, H, W)."),
            "shrunk": ({OUTPUT: (3, 12, 10)}, "×4 makes the image larger."),
            "colours_shuffled": (
                {OUTPUT: (48, 192, 160)},
                "3 · 16 maps would be there before a shuffle at the small size. The output has three colours.",
            ),
            "bias_once": (
                {MACS: 141_680_640},
                "A bias is no MAC: 64 of them are added at each place, none multiplied.",
            ),
            "apart": (
                {MACS: 283_115_520},
                "You count a multiplication and its addition as two. Together they are one MAC.",
            ),
            "at_the_output": (
                {MACS: 566_231_040},
                "The blocks run at the small size, 48 · 40 places. The upscaling comes behind them.",
            ),
            "one_tap": ({MACS: 15_728_640}, "Each pair of channels has 9 weights; you count one."),
            "without_border": ({MACS: 128_876_544}, "With zeros around there are as many places as pixels: 48 · 40."),
            "gates_included": ({MACS: 141_558_272}, "The gates are asked for in the next row."),
            "gates_apart": ({GATE_MACS: 1_024}, "A multiplication and its addition are one MAC, not two."),
            "gates_of_64": ({GATE_MACS: 8_192}, "Between the two are only 4 channels."),
            "parameters_everywhere": (
                {GATE_MACS: 1_113_600},
                "The gates run once for the image, not at each place; and a bias is no MAC.",
            ),
            "half_everywhere": (
                {GATE_MACS: 491_520},
                "That is one of the two, at each place. The gates run once for the image, on the means.",
            ),
            "gates_of_all_blocks": ({GATE_MACS: 102_400}, "Those are all 200 blocks. One is asked for."),
        },
    ),
    ChoiceExercise(
        name="rcan.why_long_skip",
        title="What does the long skip carry?",
        lesson=53,
        question="The long skip adds the first features to those behind all groups. What is left to the groups?",
        options={
            "a": "The low frequencies: the skip carries the edges, which a blurred image has already.",
            "b": "Nothing at first; with more training the skip is used less and less.",
            "c": "The upscaling, for which the skip has not enough channels.",
            "d": "What is missing, mostly high frequencies: what the small image shows already goes past them.",
        },
        reference="d",
        because=(
            "A low-resolution image holds nearly all of the low frequencies of the result. Zhang et al. let these pass "
            "by long and short skips, so that 400 layers work on detail."
        ),
        hints=(
            "Which part of the large image can you read off the small one at once?",
            "Compare with lesson 50: what did DnCNN's layers have to give out, since the image itself was there "
            "already?",
        ),
        wrong={
            "a": "It is the other way: what survives the shrinking, and so arrives at the input, is low frequencies.",
            "b": "The sum has no weights: the skip always carries everything.",
            "c": "The upscaling comes behind the sum, and the skip has as many channels as the groups.",
        },
    ),
    ChoiceExercise(
        name="rcan.attention_in_tiles",
        title="Gates and tiles",
        lesson=53,
        question="You restore a large photograph in tiles, with more margin than the 3×3 convolutions see. Is the "
        "result that of one pass?",
        options={
            "a": "Yes: with enough margin no pixel of the inside sees a border.",
            "b": "No: the zeros around the tiles reach the inside through 414 convolutions.",
            "c": "No: gates come from means over what the network sees, so each tile has its own.",
            "d": "Yes, if the tiles are as large as the patches of training.",
        },
        reference="c",
        because=(
            "The mean over a tile of sky is not the mean over the photograph. Differences are small, and seams seldom "
            "visible, but a channel's gate does change at the border of a tile."
        ),
        hints=(
            "Which layer of RCAN has no limited window?",
            "Compute the gates of a bright tile and of a dark one by hand. Are they the same?",
        ),
        wrong={
            "a": "That holds for convolutions. One kind of layer here sees all of its input.",
            "b": "That is what the margin is for, and here it is large enough.",
            "d": "Then the means are like those of training, but still not those of the whole photograph.",
        },
    ),
]
