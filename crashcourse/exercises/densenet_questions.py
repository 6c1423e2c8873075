"""Lesson 14, DenseNet: the table to fill in and the questions. Papers: arXiv 1608.06993 and 1707.06990."""

from functools import cache

import torch

from crashcourse.classification.densenet import densenet121
from crashcourse.exercises.questions import AnswerExercise, ChoiceExercise
from crashcourse.inspection import summarize

STEM, BLOCK1, TRANSITION1 = "after the stem: shape", "denseblock1: output shape", "transition1: output shape"
BLOCK4, NEW = "denseblock4: output shape", "first layer of denseblock1: output shape"
FIRST, LAST = "first layer of denseblock1: parameters", "last layer of denseblock1: parameters"
WORK, MIX, DENSE = "first layer of denseblock1: MACs", "transition1: parameters", "classifier: parameters"


@cache
def _table() -> dict[str, tuple[int, ...] | int]:
    """Shapes, parameters and MACs of DenseNet-121, read from the live module."""
    with torch.device("meta"):
        network = densenet121()
    parts = {row.name: row for row in summarize(network.features, (3, 224, 224), by="child")}
    layers = summarize(network.features.denseblock1, parts["pool0"].output_shape, by="child")
    return {
        STEM: parts["pool0"].output_shape,
        NEW: layers[0].output_shape,
        BLOCK1: parts["denseblock1"].output_shape,
        TRANSITION1: parts["transition1"].output_shape,
        BLOCK4: parts["denseblock4"].output_shape,
        FIRST: layers[0].parameters,
        LAST: layers[-1].parameters,
        WORK: layers[0].macs,
        MIX: parts["transition1"].parameters,
        DENSE: sum(parameter.numel() for parameter in network.classifier.parameters()),
    }


QUESTIONS = [
    AnswerExercise(
        name="densenet.shapes",
        title="Shapes, parameters and MACs of DenseNet-121",
        lesson=14,
        question=(
            "DenseNet-121: stem of 64 channels, k = 32, blocks of 6, 12, 24 and 16 layers with bottlenecks of 4k, "
            "transitions that halve the channels. Fill in shapes (C, H, W) for one 224×224 colour image, parameters "
            "and MACs. Convolutions have no bias, a BatchNorm two numbers for each channel; the classifier has a bias."
        ),
        reference=_table,
        because=(
            "The last layer of the block sees three and a half times as many channels as the first, and weighs less "
            "than one and a half times as much: only its 1×1 grows."
        ),
        hints=(
            "224 is halved by the stem's convolution, by its max-pool and by three transitions. A layer gives out k "
            "channels, a block what it received plus layers · k.",
            "A layer that sees C channels: BatchNorm over C, C · 4k weights, BatchNorm over 4k, 9 · 4k · k weights. "
            "MACs: the weights of the convolutions, once for each pixel.",
            "First layer: C = 64. Last: C = 64 + 5 · 32. The transition: a BatchNorm over 256 and 256 · 128 weights.",
        ),
        wrong={
            "one_layer": (
                {BLOCK1: (96, 56, 56)},
                "That is after one layer. The block has six, and each adds 32 channels.",
            ),
            "only_new": (
                {BLOCK1: (192, 56, 56)},
                "Those are the new channels alone. The block's input stands in front of them.",
            ),
            "before_the_last": (
                {BLOCK1: (224, 56, 56)},
                "That is what the last layer sees. It adds 32 more.",
            ),
            "bottleneck_out": (
                {NEW: (128, 56, 56)},
                "128 channels leave the 1×1, inside the layer. Its 3×3 makes k = 32.",
            ),
            "concatenated": (
                {NEW: (96, 56, 56)},
                "A layer gives out its new channels only; the block concatenates.",
            ),
            "no_pool": (
                {STEM: (64, 112, 112)},
                "That is before the max-pool, the last part of the stem. It halves once more.",
            ),
            "not_compressed": (
                {TRANSITION1: (256, 28, 28), BLOCK4: (1920, 7, 7)},
                "The transitions keep half of their channels.",
            ),
            "not_pooled": (
                {TRANSITION1: (128, 56, 56)},
                "A transition ends with 2×2 average pooling: the maps are halved.",
            ),
            "stem_compressed": (
                {TRANSITION1: (32, 28, 28)},
                "Half of what the block gives out, not of what it received.",
            ),
            "transition4": (
                {BLOCK4: (512, 7, 7)},
                "Those are the channels that the last block receives, or half of what it gives out. No transition "
                "follows it.",
            ),
            "last_too_large": (
                {BLOCK4: (1024, 14, 14)},
                "Count the halvings: convolution, max-pool, three transitions. That is five: 224 / 32.",
            ),
            "channels_last": (
                {STEM: (56, 56, 64), NEW: (56, 56, 32), BLOCK1: (56, 56, 256)},
                "The order of a shape is (C, H, W): channels first.",
            ),
            "no_norms": (
                {FIRST: 45_056, LAST: 65_536, MIX: 32_768},
                "The BatchNorms are missing: each has a scale and a shift for every channel it receives.",
            ),
            "one_number_per_channel": (
                {FIRST: 45_248, LAST: 65_888, MIX: 33_024},
                "A BatchNorm learns two numbers for each channel, a scale and a shift.",
            ),
            "running_statistics": (
                {FIRST: 45_824, LAST: 66_944, MIX: 33_792},
                "You counted the running mean and variance of BatchNorm. They are measured, not learned.",
            ),
            "norm_of_the_output": (
                {FIRST: 45_376, LAST: 65_856, MIX: 33_024},
                "Your BatchNorms follow the convolutions. Here they come first: over all the channels that come in.",
            ),
            "with_biases": (
                {FIRST: 45_600, LAST: 66_400, MIX: 33_408},
                "You gave the convolutions biases. There are none.",
            ),
            "no_bottleneck": (
                {FIRST: 18_560, LAST: 64_960, WORK: 57_802_752},
                "That is a layer with one 3×3 over everything. With the bottleneck: 1×1 to 128 channels, 3×3 to 32.",
            ),
            "like_the_first": (
                {LAST: 45_440},
                "That is the first layer. The last one sees 64 + 5 · 32 channels.",
            ),
            "sees_the_whole_block": (
                {LAST: 70_400},
                "The last layer does not see its own output: 64 + 5 · 32 channels, not 256.",
            ),
            "three_by_three_only": (
                {WORK: 115_605_504},
                "That is the 3×3 alone. The 1×1 from 64 to 128 channels costs, too.",
            ),
            "one_by_one_only": (
                {WORK: 25_690_112},
                "That is the 1×1 alone. The 3×3 from 128 to 32 channels costs, too.",
            ),
            "at_112": (
                {WORK: 565_182_464},
                "The max-pool has halved the maps: 56 · 56 pixels.",
            ),
            "norms_in_macs": (
                {WORK: 45_440 * 3136},
                "MACs are those of the convolutions. BatchNorm's numbers are not counted.",
            ),
            "transition_keeps": (
                {MIX: 66_048},
                "From 256 channels to 128: the transition halves them.",
            ),
            "classifier_without_bias": (
                {DENSE: 1_024_000},
                "The classifier has a bias for each of the 1000 classes.",
            ),
            "classifier_over_pixels": (
                {DENSE: 50_177_000},
                "Global average pooling comes first: the classifier sees 1024 means, not 7 · 7 pixels of each map.",
            ),
            "classifier_of_resnet": (
                {DENSE: 2_049_000},
                "That is ResNet-50's, over 2048 channels. The last block of DenseNet-121 gives out 1024.",
            ),
        },
    ),
    ChoiceExercise(
        name="densenet.own_norm",
        title="Why every layer normalises the same maps again",
        lesson=14,
        question=(
            "The maps of layer 1 are read by layers 2, 3, 4, ... Each of them has a BatchNorm in front, which "
            "normalises those same maps again. Why not once, behind layer 1, for all of them?"
        ),
        options={
            "a": "The mean and the variance of the maps are different for each layer that reads them.",
            "b": "Each reader learns its own scale and shift, and so can take up or silence a map for itself.",
            "c": "It saves memory: the normalised maps need not be kept.",
            "d": "Without it the tensors could not be concatenated.",
        },
        reference="b",
        because=(
            "Mean and variance are the same for all readers; scale and shift are not. ReLU comes after them, so a "
            "reader also chooses where each map is cut. The price is a normalised copy of everything for every layer."
        ),
        hints=(
            "What does a BatchNorm compute from its input, and what does it learn?",
            "Same maps, same batch: what is equal for all readers? What is left?",
        ),
        wrong={
            "a": "They are statistics of the same maps on the same batch: equal for all readers.",
            "c": "It is the other way round: every reader has a normalised copy of its own. You will measure that.",
            "d": "Concatenation asks for equal heights and widths. Values of any size will do.",
        },
    ),
    ChoiceExercise(
        name="densenet.memory_growth",
        title="What a block keeps for the backward pass",
        lesson=14,
        question=(
            "Each layer of a dense block concatenates all the maps before it into a new tensor, and autograd keeps it. "
            "Think of a very deep block. Twice as many layers: how many times as much is kept?"
        ),
        options={
            "a": "Twice as much: every layer adds the same k channels.",
            "b": "Four times: twice as many tensors, and on average each is twice as wide.",
            "c": "Eight times: tensors, channels and weights double.",
            "d": "As much as before: the maps are only passed on.",
        },
        reference="b",
        because=(
            "Layer l keeps a copy of C + (l − 1)k channels. The sum over L layers is LC + kL(L − 1)/2: for many layers "
            "the square wins."
        ),
        hints=(
            "How many channels does the copy of layer l have?",
            "Add them up: C + (C + k) + (C + 2k) + ... It is a triangle.",
        ),
        wrong={
            "a": "The *maps* double. But each layer keeps a copy of all the maps before it, and the copies grow.",
            "c": "Weights are not kept twice, and pixels do not double. Number and width of the copies do.",
            "d": "torch.cat makes a new tensor each time: nothing is passed on without a copy.",
        },
    ),
]
