"""Lesson 13, ResNet: the table to fill in and the question. Papers: arXiv 1512.03385 and 1611.05431."""

from functools import cache

import torch

from crashcourse.classification.resnet import BasicBlock, Bottleneck, resnet50
from crashcourse.exercises.questions import AnswerExercise, ChoiceExercise
from crashcourse.inspection import count_macs, count_parameters, summarize

BASIC_WORK, BOTTLENECK_WORK = "basic block on 56×56: MACs", "bottleneck on 56×56: MACs"


@cache
def _table() -> dict[str, tuple[int, ...] | int]:
    """Shapes of ResNet-50, parameters and MACs of its blocks, read from the live modules."""
    with torch.device("meta"):
        rows = {row.name: row for row in summarize(resnet50(), (3, 224, 224), by="child")}
        basic, bottleneck = BasicBlock(64, 64), Bottleneck(256, 64)
    return {
        "after the stem's max-pool: shape": rows["maxpool"].output_shape,
        "layer1: output shape": rows["layer1"].output_shape,
        "layer2: output shape": rows["layer2"].output_shape,
        "layer4: output shape": rows["layer4"].output_shape,
        "basic block, 64 channels: parameters": count_parameters(basic),
        "bottleneck, 256 channels in and out: parameters": count_parameters(bottleneck),
        BASIC_WORK: count_macs(basic, (64, 56, 56)),
        BOTTLENECK_WORK: count_macs(bottleneck, (256, 56, 56)),
        "projection in layer1, from 64 to 256: parameters": 64 * 256 + 2 * 256,
        "last dense layer: parameters": rows["fc"].parameters,
    }


QUESTIONS = [
    AnswerExercise(
        name="resnet.shapes",
        title="Shapes, parameters and MACs of ResNet-50 and its blocks",
        lesson=13,
        question=(
            "Fill in shapes (C, H, W) for one 224×224 colour image, parameters and multiply-adds (MACs). Convolutions "
            "have no bias. Blocks and projection are counted with their BatchNorms, each with two numbers a channel; "
            "BatchNorms have no MACs. The dense layer has a bias. Both blocks have stride 1."
        ),
        reference=_table,
        because=(
            "A bottleneck over 256 channels weighs less than a basic block over 64, and works less: its 3×3 sees a "
            "quarter of the channels."
        ),
        hints=(
            "224 is halved by the stem, by the max-pool, and by layer2, layer3 and layer4. Bottlenecks give out four "
            "times the width: 64, 128, 256, 512.",
            "A convolution has k² · in · out weights, a BatchNorm 2 · channels. MACs: the weights of the convolutions, "
            "once for each of the 56 · 56 pixels that come out.",
            "Basic: 2 · 9 · 64² + 2 · 2 · 64. Bottleneck: 256·64 + 9·64² + 64·256, and BatchNorms of 64, 64 and 256.",
        ),
        wrong={
            "basic_widths": (
                {"layer1: output shape": (64, 56, 56), "layer2: output shape": (128, 28, 28)},
                "Those are the widths of the 3×3. The last 1×1 of a bottleneck gives out four times as many channels.",
            ),
            "basic_width_at_the_end": (
                {"layer4: output shape": (512, 7, 7)},
                "512 is the width of the 3×3 in layer4. The block gives out four times as many.",
            ),
            "layer1_halves": (
                {"layer1: output shape": (256, 28, 28)},
                "layer1 has stride 1: the max-pool before it has just halved the maps.",
            ),
            "no_pool": (
                {"after the stem's max-pool: shape": (64, 112, 112)},
                "That is before the max-pool. It halves once more.",
            ),
            "stem_too_small": (
                {"after the stem's max-pool: shape": (64, 28, 28)},
                "You halved three times. The stem has two halvings: the 7×7, and the max-pool.",
            ),
            "odd_pool": (
                {"after the stem's max-pool: shape": (64, 55, 55)},
                "That is AlexNet's size. Here the 7×7 is padded by 3 and the pool by 1: 224, 112, 56.",
            ),
            "last_too_large": (
                {"layer4: output shape": (2048, 14, 14)},
                "Count the halvings: stem, max-pool, layer2, layer3, layer4. That is five: 224 / 32.",
            ),
            "layer2_not_halved": (
                {"layer2: output shape": (512, 56, 56)},
                "The first block of layer2 has stride 2.",
            ),
            "layer2_as_wide": (
                {"layer2: output shape": (256, 28, 28)},
                "Each stage is twice as wide as the one before: layer1 gives out 256, layer2 twice that.",
            ),
            "one_doubling_too_few": (
                {"layer4: output shape": (1024, 7, 7)},
                "That is layer3's width. 256 doubles three times: in layer2, layer3 and layer4.",
            ),
            "pooled_at_the_end": (
                {"layer4: output shape": (2048, 1, 1)},
                "That is after global average pooling. layer4 itself gives out maps.",
            ),
            "channels_last": (
                {"layer1: output shape": (56, 56, 256), "after the stem's max-pool: shape": (56, 56, 64)},
                "The order of a shape is (C, H, W): channels first.",
            ),
            "no_norms": (
                {
                    "basic block, 64 channels: parameters": 73_728,
                    "bottleneck, 256 channels in and out: parameters": 69_632,
                },
                "The BatchNorms are missing: each has a scale and a shift for every channel.",
            ),
            "projection_without_norm": (
                {"projection in layer1, from 64 to 256: parameters": 16_384},
                "A BatchNorm follows the projection, too: 2 · 256 more.",
            ),
            "one_convolution": (
                {"basic block, 64 channels: parameters": 36_992},
                "A basic block has two convolutions, each with its BatchNorm. You counted one.",
            ),
            "with_biases": (
                {
                    "basic block, 64 channels: parameters": 74_112,
                    "bottleneck, 256 channels in and out: parameters": 70_784,
                    "projection in layer1, from 64 to 256: parameters": 17_152,
                },
                "You gave the convolutions biases. BatchNorm would subtract them again, so there are none.",
            ),
            "one_number_per_channel": (
                {
                    "basic block, 64 channels: parameters": 73_856,
                    "bottleneck, 256 channels in and out: parameters": 70_016,
                    "projection in layer1, from 64 to 256: parameters": 16_640,
                },
                "A BatchNorm learns two numbers for each channel, a scale and a shift. Its running statistics are not "
                "learned.",
            ),
            "running_statistics": (
                {
                    "basic block, 64 channels: parameters": 74_240,
                    "bottleneck, 256 channels in and out: parameters": 71_168,
                    "projection in layer1, from 64 to 256: parameters": 17_408,
                },
                "You counted the running mean and variance of BatchNorm. They are measured, not learned.",
            ),
            "full_3x3": (
                {"bottleneck, 256 channels in and out: parameters": 1_180_672},
                "Those are two 3×3 over 256 channels, a basic block. A bottleneck: 1×1 to 64, 3×3 over 64, 1×1 to 256.",
            ),
            "with_projection": (
                {"bottleneck, 256 channels in and out: parameters": 136_448},
                "You added a projection. 256 channels come in and 256 go out, so that the shortcut is free.",
            ),
            "small_projection": (
                {"projection in layer1, from 64 to 256: parameters": 4_224},
                "The shortcut must fit what the block gives out: from 64 to 256 channels.",
            ),
            "weights_for_macs": (
                {BASIC_WORK: 73_728, BOTTLENECK_WORK: 69_632},
                "Those are the weights. Each is used at every one of 56 · 56 places.",
            ),
            "macs_with_norms": (
                {BASIC_WORK: 73_984 * 3136, BOTTLENECK_WORK: 70_400 * 3136},
                "You counted the BatchNorms' numbers, too. MACs are those of the convolutions.",
            ),
            "flops": (
                {BASIC_WORK: 2 * 73_728 * 3136, BOTTLENECK_WORK: 2 * 69_632 * 3136},
                "You count a multiplication and an addition as two. A MAC is both together.",
            ),
            "macs_at_28": (
                {BASIC_WORK: 73_728 * 784, BOTTLENECK_WORK: 69_632 * 784},
                "That is the work on maps of 28×28. Here 56 · 56 pixels come out: both blocks have stride 1.",
            ),
            "macs_of_one_convolution": (
                {BASIC_WORK: 36_864 * 3136},
                "A basic block has two 3×3 convolutions. You counted one.",
            ),
            "macs_of_the_3x3": (
                {BOTTLENECK_WORK: 36_864 * 3136},
                "That is the 3×3 alone. The two 1×1, from 256 to 64 and back, do nearly as much.",
            ),
            "macs_of_full_3x3": (
                {BOTTLENECK_WORK: 1_179_648 * 3136},
                "Those are two 3×3 over 256 channels, a basic block. A bottleneck: 1×1 to 64, 3×3 over 64, 1×1 to 256. "
                "Only that 3×3 costs nine weights a pair.",
            ),
            "macs_with_projection": (
                {BOTTLENECK_WORK: (69_632 + 65_536) * 3136},
                "You added a projection's work. 256 channels come in and 256 go out, so that the shortcut is free.",
            ),
            "dense_without_bias": (
                {"last dense layer: parameters": 2_048_000},
                "The dense layer has a bias for each of the 1000 classes.",
            ),
            "dense_over_pixels": (
                {"last dense layer: parameters": 100_353_000},
                "Global average pooling comes first: the dense layer sees 2048 means, not 7·7 pixels of each map.",
            ),
            "dense_512": (
                {"last dense layer: parameters": 513_000},
                "That is the dense layer of ResNet-18 and 34. Bottlenecks end with four times 512 channels.",
            ),
        },
    ),
    ChoiceExercise(
        name="resnet.not_overfitting",
        title="Why it is not over-fitting",
        lesson=13,
        question="The plain network of 56 layers is worse than that of 20. What says that it does not over-fit?",
        options={
            "a": "It has more parameters than the one of 20 layers.",
            "b": "It is worse on the training images, too.",
            "c": "It is worse on unseen images, too.",
            "d": "It trained on the same images, in the same order, for as many epochs.",
        },
        reference="b",
        because=(
            "A network that over-fits does too well on its training images. This one cannot even fit those, although "
            "a good solution exists: 20 layers that work, and 36 that pass their input on."
        ),
        hints=(
            "What is over-fitting: on which images is such a network good, and on which is it bad?",
            "Compare the four numbers above: accuracy on training images and on unseen ones, of both networks.",
        ),
        wrong={
            "a": "More parameters make over-fitting possible. They do not show whether it happened.",
            "c": "That holds for a network that over-fits, too. What separates the two is the other set of images.",
            "d": "That makes the comparison fair. But it does not say on which images the deeper one fails.",
        },
    ),
]
