"""Lesson 17, EfficientNet: the table to fill in and the questions. Paper: arXiv 1905.11946."""

from functools import cache

import torch

from crashcourse.classification.efficientnet import MBConv
from crashcourse.exercises.questions import AnswerExercise, ChoiceExercise
from crashcourse.inspection import count_parameters, summarize


@cache
def _table() -> dict[str, tuple[int, ...] | int]:
    """Shapes, parameters and multiply-adds of the first block of B0's third stage, read from the live module."""
    with torch.device("meta"):
        block = MBConv(24, 40, kernel=5, stride=2)
        expand, depthwise, gates, project = summarize(block.block, (24, 56, 56), by="child")
    return {
        "expand 1×1: output shape": expand.output_shape,
        "depthwise 5×5: output shape": depthwise.output_shape,
        "project 1×1: output shape": project.output_shape,
        "depthwise 5×5 and its BatchNorm: parameters": depthwise.parameters,
        "squeeze and excite: parameters": gates.parameters,
        "whole block: parameters": count_parameters(block),
        "expand 1×1: multiply-adds": expand.macs,
        "depthwise 5×5: multiply-adds": depthwise.macs,
        "project 1×1: multiply-adds": project.macs,
    }


QUESTIONS = [
    AnswerExercise(
        name="efficientnet.costs",
        title="What one block costs",
        lesson=17,
        question=(
            "MBConv with expansion 6, kernel 5×5, stride 2, from 24 channels of 56×56 to 40 channels. Fill in shapes "
            "(C, H, W), parameters, and multiply-adds for one image. Convolutions have no bias; a BatchNorm has two "
            "numbers for each channel; the two layers of the gates have biases."
        ),
        reference=_table,
        because=(
            "The 5×5, the only layer that looks around, costs a quarter of the 1×1 that prepares its channels. Most of "
            "the work is done before the stride takes effect."
        ),
        hints=(
            "24 channels become 6 · 24 = 144 until the projection. The depthwise convolution has the stride. The gates "
            "have a quarter of 24 units.",
            "Convolution: k² · in / groups · out weights, and as many multiply-adds for each output pixel. Gates: two "
            "dense layers, 144 → 6 → 144.",
            "Depthwise: 25 · 144 + 2 · 144 parameters, 25 · 144 · 28² multiply-adds. Gates: 144 · 6 + 6 + 6 · 144 + "
            "144. Expand and project: in · out + 2 · out parameters.",
        ),
        wrong={
            "expansion_of_output": (
                {"expand 1×1: output shape": (240, 56, 56)},
                "The block expands what comes in: 6 · 24, not 6 · 40.",
            ),
            "expand_halves": (
                {"expand 1×1: output shape": (144, 28, 28)},
                "The expansion has stride 1. The depthwise convolution halves the maps.",
            ),
            "expand_not_expanded": (
                {"expand 1×1: output shape": (24, 56, 56)},
                "The 1×1 expands: 24 channels become 6 · 24.",
            ),
            "channels_last": (
                {"expand 1×1: output shape": (56, 56, 144)},
                "The order of a shape is (C, H, W): channels first.",
            ),
            "depthwise_one_channel": (
                {"depthwise 5×5: output shape": (1, 28, 28)},
                "A depthwise convolution gives one map for each of its input channels, not one for all.",
            ),
            "depthwise_not_halved": (
                {"depthwise 5×5: output shape": (144, 56, 56)},
                "The stride of 2 is on the depthwise convolution: 28 rows and columns come out.",
            ),
            "depthwise_not_padded": (
                {"depthwise 5×5: output shape": (144, 26, 26)},
                "The 5×5 is padded by 2, so that only the stride shrinks the maps: 28.",
            ),
            "project_not_halved": (
                {"project 1×1: output shape": (40, 56, 56)},
                "The maps were halved before, by the depthwise convolution.",
            ),
            "project_halves_again": (
                {"project 1×1: output shape": (40, 14, 14)},
                "The projection has stride 1; only the depthwise convolution halves.",
            ),
            "full_convolution": (
                {"depthwise 5×5 and its BatchNorm: parameters": 518_688},
                "That is a full 5×5 over all 144 channels. Depthwise, each channel has one 5×5 kernel of its own.",
            ),
            "depthwise_without_norm": (
                {"depthwise 5×5 and its BatchNorm: parameters": 3_600},
                "The BatchNorm is missing: a scale and a shift for each of 144 channels.",
            ),
            "depthwise_3x3": (
                {"depthwise 5×5 and its BatchNorm: parameters": 1_584},
                "That is a 3×3. The kernel is 5×5 here.",
            ),
            "depthwise_before_expansion": (
                {"depthwise 5×5 and its BatchNorm: parameters": 648},
                "The depthwise convolution sees the expanded channels: 144, not 24.",
            ),
            "gates_without_biases": (
                {"squeeze and excite: parameters": 1_728},
                "The biases of the two layers are missing: 6 and 144.",
            ),
            "gates_of_expanded": (
                {"squeeze and excite: parameters": 10_548},
                "You squeezed to a quarter of the 144 expanded channels. It is a quarter of the 24 that come in: 6.",
            ),
            "gates_sixteenth": (
                {"squeeze and excite: parameters": 2_745},
                "You squeezed 144 to a sixteenth, 9, as SENet does. Here it is a quarter of the 24 that come in: 6.",
            ),
            "gates_one_layer": (
                {"squeeze and excite: parameters": 20_880},
                "You have one layer from 144 to 144. There are two, with 6 units between them.",
            ),
            "block_without_gates": (
                {"whole block: parameters": 13_472},
                "The gates are missing in your sum.",
            ),
            "block_without_norms": (
                {"whole block: parameters": 14_694},
                "The three BatchNorms are missing in your sum: of 144, 144 and 40 channels.",
            ),
            "block_with_shortcut": (
                {"whole block: parameters": 16_390},
                "You added a 1×1 convolution with BatchNorm for the shortcut. Where the shape changes, this block has "
                "no shortcut.",
            ),
            "expand_one_pixel": (
                {"expand 1×1: multiply-adds": 3_456},
                "That is for one pixel. There are 56 · 56.",
            ),
            "expand_at_28": (
                {"expand 1×1: multiply-adds": 2_709_504},
                "The expansion works on the maps as they come, 56×56. They are halved after it.",
            ),
            "expand_doubled": (
                {"expand 1×1: multiply-adds": 21_676_032},
                "A multiply-add counts once here. You counted the multiplication and the addition.",
            ),
            "depthwise_at_56": (
                {"depthwise 5×5: multiply-adds": 11_289_600},
                "Count output pixels: with stride 2 there are 28 · 28.",
            ),
            "depthwise_full": (
                {"depthwise 5×5: multiply-adds": 406_425_600},
                "That is a full 5×5. Each output of a depthwise one has 25 multiply-adds, in its own channel.",
            ),
            "project_from_input": (
                {"project 1×1: multiply-adds": 752_640},
                "The projection sees the 144 expanded channels, not the 24 of the input.",
            ),
            "project_at_56": (
                {"project 1×1: multiply-adds": 18_063_360},
                "The projection works on the halved maps, 28×28.",
            ),
        },
    ),
    ChoiceExercise(
        name="efficientnet.one_alone",
        title="Why one dimension alone saturates",
        lesson=17,
        question=(
            "You double the side of the images, and change nothing else in a network that was good on the smaller "
            "ones. Accuracy grows a little, then no more. Which explanation is the paper's?"
        ),
        options={
            "a": "The number of weights is the same, and accuracy depends on the weights alone.",
            "b": "The last layers see a smaller part of the object, and there are no more channels for the new detail.",
            "c": "Four times the pixels make four times the multiply-adds, and the network runs out of time.",
            "d": "The network over-fits: larger images hold more noise.",
        },
        reference="b",
        because=(
            "A receptive field of a fixed number of pixels covers less of a larger image: more layers are needed. More "
            "pixels hold finer patterns: more channels are needed. The three dimensions belong together (section 3.3)."
        ),
        hints=(
            "What does a network of fixed depth see of an image that is twice as large?",
            "Count the pixels of the receptive field, and those of the object.",
            "Two of the options are about what the layers can see and hold, or cannot.",
        ),
        wrong={
            "a": "Resolution does raise accuracy at first, with the same weights: so they are not all that counts.",
            "c": "It costs four times as much, true, but why should accuracy stop growing? Training went to its end.",
            "d": "Finer detail is signal, too. The trouble is that this network cannot use it.",
        },
    ),
]
