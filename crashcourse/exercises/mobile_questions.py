"""Lesson 16, small networks: the table to fill in and two questions. Papers: arXiv 1704.04861 and 1801.04381."""

from functools import cache

import torch

from crashcourse.classification.mobilenet import InvertedResidual, separable_conv
from crashcourse.exercises.questions import AnswerExercise, ChoiceExercise
from crashcourse.inspection import count_parameters, summarize


@cache
def _table() -> dict[str, tuple[int, ...] | int]:
    """Shapes, parameters and MACs of two blocks, read from the live modules."""
    with torch.device("meta"):
        separable, inverted = separable_conv(64, 128, stride=2), InvertedResidual(24, 24)
    depthwise, pointwise = [row for row in summarize(separable, (64, 56, 56)) if row.kind == "Conv2d"]
    rows = [row for row in summarize(inverted, (24, 56, 56)) if row.kind == "Conv2d"]
    return {
        "separable: output shape": pointwise.output_shape,
        "separable: weights of the 3×3": depthwise.parameters,
        "separable: weights of the 1×1": pointwise.parameters,
        "separable: all parameters": count_parameters(separable),
        "separable: MACs of the 3×3": depthwise.macs,
        "separable: MACs of the 1×1": pointwise.macs,
        "inverted residual: widest shape": rows[0].output_shape,
        "inverted residual: all parameters": count_parameters(inverted),
        "inverted residual: MACs": sum(row.macs for row in rows),
    }


QUESTIONS = [
    AnswerExercise(
        name="mobile.costs",
        title="What two blocks cost",
        lesson=16,
        question=(
            "A separable convolution from 64 to 128 channels with stride 2 takes maps of (64, 56, 56). An inverted "
            "residual from 24 to 24 channels with t = 6 takes (24, 56, 56). Fill in shapes (C, H, W), weights, and "
            "multiply-adds (MACs) for one image. No convolution has a bias; a BatchNorm, two numbers for each channel, "
            "follows each."
        ),
        reference=_table,
        because=(
            "Most of the cost is in the 1×1 convolutions. The inverted residual has fewer parameters than the "
            "separable convolution and four times its MACs: it works on maps of 56×56, at 144 channels."
        ),
        hints=(
            "Take the layers one by one: how many channels go in, how many come out, at how many pixels?",
            "Depthwise: 9·C weights; 1×1: C·K weights. MACs are weights times the pixels of the *output*. BatchNorm: 2 "
            "for each channel.",
            "Separable: 9·64, 64·128, 28² pixels. Inverted: 24·144 + 9·144 + 144·24 weights, 56² pixels, BatchNorms of "
            "144, 144 and 24 channels.",
        ),
        wrong={
            "not_halved": (
                {"separable: output shape": (128, 56, 56)},
                "The stride of 2 halves height and width.",
            ),
            "channels_last": (
                {"separable: output shape": (28, 28, 128), "inverted residual: widest shape": (56, 56, 144)},
                "The order of a shape is (C, H, W): channels first.",
            ),
            "channels_of_the_3x3": (
                {"separable: output shape": (64, 28, 28)},
                "That is what the depthwise 3×3 gives. The 1×1 makes 128 channels of it.",
            ),
            "full_3x3": (
                {"separable: weights of the 3×3": 73_728},
                "That is a full 3×3 from 64 to 128 channels. Depthwise, each of the 64 channels has one kernel.",
            ),
            "full_3x3_same_channels": (
                {"separable: weights of the 3×3": 36_864},
                "Each depthwise kernel sees one channel, not 64.",
            ),
            "one_kernel": (
                {"separable: weights of the 3×3": 9},
                "Each of the 64 channels has a kernel of its own.",
            ),
            "depthwise_over_outputs": (
                {"separable: weights of the 3×3": 1_152, "separable: MACs of the 3×3": 903_168},
                "The depthwise convolution comes first, while there are 64 channels.",
            ),
            "no_norms": (
                {"separable: all parameters": 8_768, "inverted residual: all parameters": 8_208},
                "The BatchNorms are missing: each has a scale and a shift for every channel.",
            ),
            "one_number_per_channel": (
                {"separable: all parameters": 8_960, "inverted residual: all parameters": 8_520},
                "A BatchNorm learns two numbers for each channel, a scale and a shift.",
            ),
            "running_statistics": (
                {"separable: all parameters": 9_536, "inverted residual: all parameters": 9_456},
                "You counted the running mean and variance of BatchNorm. They are measured, not learned.",
            ),
            "pixels_before_the_stride": (
                {"separable: MACs of the 3×3": 1_806_336, "separable: MACs of the 1×1": 25_690_112},
                "You multiplied by 56² pixels. The kernel stands only where an output pixel is made: 28².",
            ),
            "weights_for_macs": (
                {"separable: MACs of the 3×3": 576, "separable: MACs of the 1×1": 8_192},
                "Those are the weights. Each is used once at every output pixel.",
            ),
            "flops": (
                {"separable: MACs of the 3×3": 903_168, "separable: MACs of the 1×1": 12_845_056},
                "Those are twice as many: a multiplication and an addition counted apart. One MAC is both.",
            ),
            "not_expanded": (
                {"inverted residual: widest shape": (24, 56, 56)},
                "Inside, the block is t = 6 times as wide as at its ends.",
            ),
            "classic_bottleneck": (
                {"inverted residual: widest shape": (4, 56, 56)},
                "You divided by t. This bottleneck is inverted: its ends are narrow, its middle is wide.",
            ),
            "full_3x3_inside": (
                {"inverted residual: all parameters": 194_160, "inverted residual: MACs": 606_928_896},
                "Your 3×3 sees all 144 channels. It is depthwise: 9·144 weights.",
            ),
            "no_projection": (
                {"inverted residual: all parameters": 5_328, "inverted residual: MACs": 14_902_272},
                "The last 1×1, from 144 back to 24 channels, is missing.",
            ),
            "no_norm_after_projection": (
                {"inverted residual: all parameters": 8_784},
                "The projection has no activation. It does have a BatchNorm, of 24 channels.",
            ),
        },
    ),
    ChoiceExercise(
        name="mobile.slower_than_counted",
        title="Why the time does not follow the MACs",
        lesson=16,
        question=(
            "A depthwise 3×3 over 128 channels has 128 times fewer MACs than the full 3×3, and is far less than 128 "
            "times faster. What is the main reason?"
        ),
        options={
            "a": "A 3×3 kernel of one channel has too few weights to keep in memory.",
            "b": "It reads and writes as many values as the full one, and does little with each.",
            "c": "Its MACs take longer, because they multiply numbers of different channels.",
            "d": "It needs a BatchNorm and a ReLU after it, and the full one does not.",
        },
        reference="b",
        because=(
            "Both read all input maps and write all output maps. The full one uses each value that it reads 1152 "
            "times, the depthwise one 9 times: then moving the values takes longer than computing with them."
        ),
        hints=(
            "Count for both layers the values that they read and write, and the MACs. Which of the two differs by 128?",
            "Time is at least MACs / (MACs per second), and at least bytes / (bytes per second).",
            "Which of these two limits is reached first by a layer with 1 MAC per byte, and which by one with 100?",
        ),
        wrong={
            "a": "Few weights are easy to keep: they stay in the fastest memory. What is large are the maps.",
            "c": "Depthwise never multiplies across channels, and one MAC takes as long as another.",
            "d": "Both are followed by BatchNorm and ReLU. And the layer was timed alone.",
        },
    ),
    ChoiceExercise(
        name="mobile.linear",
        title="Why the projection is linear",
        lesson=16,
        question="Why does an inverted residual have no ReLU after its last 1×1?",
        options={
            "a": "Few channels come out there; a ReLU would set much of them to 0, with nothing to make up for it.",
            "b": "A ReLU costs too many MACs on a phone.",
            "c": "The BatchNorm before it already sets negative values to 0.",
            "d": "Without it the whole block is linear, and can be multiplied out into one convolution.",
        },
        reference="a",
        because=(
            "Where channels are many, what one loses another still holds. Where they are few, a ReLU loses it for "
            "good: the spiral above."
        ),
        hints=(
            "Compare the panels of the spiral: what differs between the one that is lost and the one that survives?",
            "At which of its three layers does the block have the fewest channels?",
            "What does ReLU keep of a point whose few coordinates are negative?",
        ),
        wrong={
            "b": "A ReLU has no MACs at all, and the block has two of them elsewhere.",
            "c": "BatchNorm shifts and scales. What comes out has both signs.",
            "d": "The block is not linear: a ReLU6 follows the first 1×1 and the 3×3.",
        },
    ),
]
