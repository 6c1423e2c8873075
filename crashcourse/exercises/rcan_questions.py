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
            "no_biases": ({GATES: 512, ALL_GATES: 102_400}, "The biases are missing: 4 and 64."),
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
