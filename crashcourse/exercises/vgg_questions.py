"""Lesson 11, VGG: the tables to fill in and the questions. Paper: Simonyan, Zisserman, 2014, arXiv 1409.1556."""

from functools import cache

import torch

from crashcourse.classification.convolution import conv_parameters, receptive_field
from crashcourse.classification.vgg import vgg16
from crashcourse.exercises.questions import AnswerExercise, ChoiceExercise


def _stacks() -> dict[str, int]:
    """Receptive fields in pixels and weights in units of C², of stacks that see equally far."""
    return {
        "receptive field of two 3×3": receptive_field([(3, 1)] * 2),
        "receptive field of three 3×3": receptive_field([(3, 1)] * 3),
        "weights of one 5×5": conv_parameters(1, 1, 5, bias=False),
        "weights of two 3×3": 2 * conv_parameters(1, 1, 3, bias=False),
        "weights of one 7×7": conv_parameters(1, 1, 7, bias=False),
        "weights of three 3×3": 3 * conv_parameters(1, 1, 3, bias=False),
    }


@cache
def _vgg16_table() -> dict[str, tuple[int, ...] | int]:
    """Shapes, parameters and MACs of some of VGG-16's layers, read from the network itself."""
    from crashcourse.inspection import summarize

    with torch.device("meta"):
        rows = {row.name: row for row in summarize(vgg16(), (3, 224, 224))}
    return {
        "conv1_1: output shape": rows["features.0"].output_shape,
        "conv1_1: parameters": rows["features.0"].parameters,
        "pool1: output shape": rows["features.4"].output_shape,
        "conv3_1: output shape": rows["features.10"].output_shape,
        "conv3_1: parameters": rows["features.10"].parameters,
        "conv3_1: MACs": rows["features.10"].macs,
        "pool5: output shape": rows["features.30"].output_shape,
        "first dense layer: parameters": rows["classifier.0"].parameters,
        "first dense layer: MACs": rows["classifier.0"].macs,
        "last dense layer: parameters": rows["classifier.6"].parameters,
    }


EXERCISES = [
    AnswerExercise(
        name="vgg.stacks",
        title="What a stack sees and weighs",
        lesson=11,
        question=(
            "How far do these stacks see, in pixels along one side, and how many weights have they, in units of C²?"
        ),
        reference=_stacks,
        because="Equal sight, fewer weights: 18 C² against 25 C², and 27 C² against 49 C².",
        hints=(
            "Each further 3×3 with stride 1 sees one more pixel on either side.",
            "receptive field = 1 + sum of (kernel - 1) · jump; the jump stays 1 while every stride is 1. Weights: "
            "k² · C² a layer.",
            "receptive_field([(3, 1)] * 3), and 3 layers times 3² weights.",
        ),
        wrong={
            "added": (
                {"receptive field of two 3×3": 6, "receptive field of three 3×3": 9},
                "You added the kernel sizes. The filters overlap: each further 3×3 adds 2 pixels, not 3.",
            ),
            "multiplied": (
                {"receptive field of two 3×3": 9, "receptive field of three 3×3": 27},
                "You multiplied the sizes. The second filter moves by one pixel, so it adds 2 pixels, not 3 times "
                "as many.",
            ),
            "no_growth": (
                {"receptive field of two 3×3": 3, "receptive field of three 3×3": 3},
                "That is what each layer sees of the layer before it. How far does the last one see in the input?",
            ),
            "one_layer": (
                {"weights of two 3×3": 9, "weights of three 3×3": 9},
                "That is one layer of the stack. Add up the layers.",
            ),
            "side": (
                {"weights of one 5×5": 5, "weights of one 7×7": 7},
                "A k×k filter has k times k weights for each channel.",
            ),
            "area": (
                {"receptive field of two 3×3": 25, "receptive field of three 3×3": 49},
                "That is the area of the square. The question asks for one side.",
            ),
            "swapped": (
                {"receptive field of two 3×3": 7, "receptive field of three 3×3": 5},
                "The two are swapped: more layers see further.",
            ),
            "radius": (
                {"receptive field of two 3×3": 2, "receptive field of three 3×3": 3},
                "That is how far it sees to one side of the centre. Count both sides and the centre.",
            ),
            "doubled": (
                {"receptive field of two 3×3": 7, "receptive field of three 3×3": 15},
                "That is how it grows with stride 2. Here every stride is 1, so each layer adds 2 pixels.",
            ),
            "with_biases": (
                {
                    "weights of one 5×5": 26,
                    "weights of two 3×3": 20,
                    "weights of one 7×7": 50,
                    "weights of three 3×3": 30,
                },
                "The biases are counted, too. Weights alone: conv_parameters(1, 1, kernel, bias=False).",
            ),
            "product": (
                {"weights of two 3×3": 81, "weights of three 3×3": 729},
                "Weights of layers in a row add up; they do not multiply.",
            ),
        },
    ),
    ChoiceExercise(
        name="vgg.where_parameters",
        title="Where VGG-16 keeps its parameters",
        lesson=11,
        question="Which single layer of VGG-16 has most of its 138 million parameters?",
        options={
            "a": "the first convolution, which sees the whole 224×224 image",
            "b": "one of the 3×3 convolutions from 512 to 512 channels",
            "c": "the first dense layer, from 7×7×512 to 4096",
            "d": "the last dense layer, with its 1000 classes",
        },
        reference="c",
        because="7 · 7 · 512 · 4096 is 103 million weights: three quarters of the network in one layer.",
        hints=(
            "The weights of a convolution do not depend on the size of the maps. Those of a dense layer do.",
            "Dense: inputs · outputs. Convolution: k² · channels in · channels out.",
            "7·7·512·4096 against 3·3·512·512 against 4096·1000 against 3·3·3·64.",
        ),
        wrong={
            "a": "Its weights are used at every pixel, so they are busy, but there are only 3·3·3·64 of them.",
            "b": "3·3·512·512 is 2.4 million, and there are five of them: 12 million of 138.",
            "d": "4096·1000 is 4 million. What comes into the first dense layer is longer than 4096.",
        },
    ),
    AnswerExercise(
        name="vgg.shapes",
        title="Shapes, parameters and MACs of VGG-16",
        lesson=11,
        question=(
            "Fill in the output shapes (C, H, W), the parameters, biases included, and the multiply-adds (MACs) for "
            "one 224×224 colour image."
        ),
        reference=_vgg16_table,
        because=(
            "Shapes from three rules: 3×3 keeps the size, pooling halves it, channels double up to 512. The dense "
            "layer has 350 times the weights of conv3_1 and a ninth of its work: it uses each weight once."
        ),
        hints=(
            "Convolutions keep height and width; only the pools halve them: 224, 112, 56, 28, 14, 7.",
            "A convolution has (k² · channels in + 1) · channels out parameters, a dense layer (in + 1) · out. MACs: "
            "the weights, without biases, once for every pixel that comes out.",
            "conv3_1 takes 128 channels and gives 256, on maps of 56 · 56; the first dense layer takes 512 · 7 · 7 "
            "values and gives 4096.",
        ),
        wrong={
            "no_biases": (
                {
                    "conv1_1: parameters": 3 * 9 * 64,
                    "conv3_1: parameters": 128 * 9 * 256,
                    "first dense layer: parameters": 512 * 49 * 4096,
                    "last dense layer: parameters": 4096 * 1000,
                },
                "The biases are missing: one for each output channel, or each output of a dense layer.",
            ),
            "channels_last": (
                {"conv1_1: output shape": (224, 224, 64), "pool1: output shape": (112, 112, 64)},
                "The order of a shape is (C, H, W): channels first.",
            ),
            "shrinking": (
                {"conv1_1: output shape": (64, 222, 222)},
                "With one pixel of padding, a 3×3 convolution keeps the size.",
            ),
            "pool_channels": (
                {"pool1: output shape": (128, 112, 112)},
                "Pooling works on each channel alone: their number stays. The next convolution doubles it.",
            ),
            "too_early": (
                {"conv3_1: output shape": (256, 112, 112)},
                "Count the poolings before the third stage: there are two, so 224 was halved twice.",
            ),
            "same_channels": (
                {"conv3_1: parameters": (256 * 9 + 1) * 256},
                "That is conv3_2, from 256 to 256 channels. conv3_1 takes the 128 channels of stage 2.",
            ),
            "seven_forgotten": (
                {"first dense layer: parameters": (512 + 1) * 4096},
                "The first dense layer sees every pixel of the last maps: 512 · 7 · 7 values, not 512.",
            ),
            "input_channels_forgotten": (
                {"conv1_1: parameters": (9 + 1) * 64, "conv3_1: parameters": (9 + 1) * 256},
                "Each filter has 3×3 weights for every channel that comes in, and one bias.",
            ),
            "macs": (
                {"conv1_1: parameters": 3 * 9 * 64 * 224 * 224},
                "That is the work, in MACs. A filter's weights are the same at every pixel: count them once.",
            ),
            "with_batch": (
                {"conv1_1: output shape": (1, 64, 224, 224), "pool1: output shape": (1, 64, 112, 112)},
                "Leave the batch out: a shape here is (C, H, W).",
            ),
            "doubled_on": (
                {"pool5: output shape": (1024, 7, 7)},
                "The channels double up to 512, and stay there for the fifth stage.",
            ),
            "too_late": (
                {"conv3_1: output shape": (256, 28, 28)},
                "The pooling of the third stage comes after its convolutions. Two poolings come before conv3_1.",
            ),
            "fourteen": (
                {"first dense layer: parameters": (512 * 14 * 14 + 1) * 4096},
                "The first dense layer comes after the fifth pooling: its maps are 7×7.",
            ),
            "seven_once": (
                {"first dense layer: parameters": (512 * 7 + 1) * 4096},
                "The maps have 7 · 7 pixels, not 7.",
            ),
            "middle_layer": (
                {"last dense layer: parameters": (4096 + 1) * 4096},
                "That is the middle one, from 4096 to 4096. The last one gives a score for each of 1000 classes.",
            ),
            "weights_for_macs": (
                {"conv3_1: MACs": 128 * 9 * 256},
                "Those are its weights. Each of them is used at every one of 56 · 56 places.",
            ),
            "macs_too_early": (
                {"conv3_1: MACs": 128 * 9 * 256 * 112 * 112},
                "That is the work on maps of 112×112. Two pools come before conv3_1.",
            ),
            "macs_too_late": (
                {"conv3_1: MACs": 128 * 9 * 256 * 28 * 28},
                "That is the work on maps of 28×28. The third pool comes after the convolutions of its stage.",
            ),
            "flops": (
                {"conv3_1: MACs": 2 * 128 * 9 * 256 * 56 * 56, "first dense layer: MACs": 2 * 512 * 49 * 4096},
                "You count a multiplication and an addition as two. A MAC is both together.",
            ),
            "macs_with_biases": (
                {
                    "conv3_1: MACs": (128 * 9 + 1) * 256 * 56 * 56,
                    "first dense layer: MACs": (512 * 49 + 1) * 4096,
                },
                "Adding a bias is no multiply-add: the weights alone count.",
            ),
            "macs_of_one_channel": (
                {"conv3_1: MACs": 9 * 256 * 56 * 56},
                "Each filter reads all 128 channels that come in.",
            ),
            "macs_without_kernel": (
                {"conv3_1: MACs": 128 * 256 * 56 * 56},
                "That is a 1×1. A 3×3 has nine weights for each channel that it reads.",
            ),
            "dense_at_every_pixel": (
                {"first dense layer: MACs": 512 * 49 * 4096 * 49},
                "A dense layer has a weight of its own for each pixel already, and uses each weight once.",
            ),
            "one_pool_too_few": (
                {"pool5: output shape": (512, 14, 14)},
                "There are five poolings: 224, 112, 56, 28, 14, and one more.",
            ),
        },
    ),
    ChoiceExercise(
        name="vgg.why_not_1x1",
        title="Why not 1×1?",
        lesson=11,
        question=(
            "C and D are equally deep and both have three layers more than B. C's are 1×1 and help less: top-5 errors "
            "of 9.9 % (B), 9.4 % (C), 8.8 % (D). What does that suggest?"
        ),
        options={
            "a": "1×1 convolutions do nothing: they only mix channels.",
            "b": "Another bend helps (C beats B); looking at neighbours helps more (D beats C).",
            "c": "D wins because it is deeper than C.",
            "d": "1×1 convolutions have too many parameters and over-fit.",
        },
        reference="b",
        because=(
            "Both add a layer and a ReLU. Only the 3×3 also widens the receptive field and sees spatial patterns "
            "(section 4.1 of the paper)."
        ),
        hints=(
            "Compare two pairs: B with C, and C with D. What changes in each?",
            "B to C: more layers and ReLUs, the same receptive field. C to D: equal depth, a larger receptive field.",
        ),
        wrong={
            "a": (
                "Then C would be no better than B. A 1×1 with its ReLU mixes channels and bends once more: 9.9 to "
                "9.4 %."
            ),
            "c": (
                "Both have 16 layers with weights. Compare the rows of C and D again: what differs is the size of "
                "the kernel."
            ),
            "d": "A 1×1 has a ninth of the weights of a 3×3. D has more parameters than C and is better.",
        },
    ),
]
