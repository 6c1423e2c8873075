"""Lesson 12, GoogLeNet: the table to fill in and the question. Paper: Szegedy et al., 2014, arXiv 1409.4842."""

from functools import cache

import torch

from crashcourse.classification.convolution import conv_macs
from crashcourse.classification.googlenet import INCEPTIONS, BasicConv2d, Inception
from crashcourse.exercises.questions import AnswerExercise, ChoiceExercise

REDUCED, WHOLE, POOLED = "3×3 reduce: output shape", "whole module: output shape", "pool projection: output shape"
THREE, REDUCE5, FIVE = "3×3: parameters", "5×5 reduce: parameters", "5×5: parameters"
ALL, WORK, STRAIGHT = "whole module: parameters", "3×3: MACs", "3×3 without its reduction: MACs"


@cache
def _module_3a() -> dict[str, tuple[int, ...] | int]:
    """Shapes, parameters and MACs of module 3a in the paper's form, read from the module itself."""
    from crashcourse.inspection import count_parameters, summarize

    with torch.device("meta"):
        module = Inception(BasicConv2d, 192, INCEPTIONS["3a"])
    rows = {row.name: row for row in summarize(module, (192, 28, 28))}
    channels = sum(INCEPTIONS["3a"][place] for place in (0, 2, 4, 5))
    return {
        REDUCED: rows["branch2.0.conv"].output_shape,
        THREE: rows["branch2.1.conv"].parameters,
        REDUCE5: rows["branch3.0.conv"].parameters,
        FIVE: rows["branch3.1.conv"].parameters,
        WORK: rows["branch2.1.conv"].macs,
        STRAIGHT: conv_macs(192, 128, 3, 28),
        POOLED: rows["branch4.1.conv"].output_shape,
        WHOLE: (channels, 28, 28),
        ALL: count_parameters(module),
    }


EXERCISES = [
    AnswerExercise(
        name="googlenet.module_3a",
        title="Shapes and costs of module 3a",
        lesson=12,
        question=(
            "Module 3a receives (192, 28, 28). Its row is 64, 96, 128, 16, 32, 32, its third path 5×5, without "
            "BatchNorm. Fill in output shapes (C, H, W), parameters with biases, and MACs for one image."
        ),
        reference=_module_3a,
        because=(
            "The reduction halves the price of the 3×3, which sees 96 channels of 192. The 5×5 sees 16 and costs a "
            "twelfth: the dearer the filter, the harder the squeeze."
        ),
        hints=(
            "Every path keeps 28×28. A row reads: 1×1, 3×3 reduce, 3×3, 5×5 reduce, 5×5, pool projection.",
            "Parameters: out · (in · k² + 1). MACs: out · in · k² · 28 · 28. The reductions do not leave the module.",
            "5×5: conv_parameters(16, 32, 5). 3×3: conv_macs(96, 128, 3, 28); conv_macs(192, ...) without reduction.",
        ),
        wrong={
            "no_biases": (
                {THREE: 96 * 9 * 128, REDUCE5: 192 * 16, FIVE: 16 * 25 * 32},
                "The biases are missing: one for each output channel.",
            ),
            "no_biases_whole": (
                {ALL: 163_328},
                "The biases are missing: one for each output channel of six convolutions, 368 in all.",
            ),
            "three_not_reduced": (
                {THREE: (192 * 9 + 1) * 128},
                "That is a 3×3 on all 192 channels. It sees the 96 that its reduction leaves.",
            ),
            "three_backwards": (
                {THREE: (128 * 9 + 1) * 96},
                "You go from 128 channels to 96. The reduction gives 96, the 3×3 makes 128 of them.",
            ),
            "three_from_64": (
                {THREE: (64 * 9 + 1) * 128},
                "64 is what the first path gives. The paths stand side by side: the 3×3 sees its own reduction's 96.",
            ),
            "five_not_reduced": (
                {FIVE: (192 * 25 + 1) * 32},
                "That is a 5×5 on all 192 channels. It sees the 16 that its reduction leaves.",
            ),
            "five_as_three": (
                {FIVE: (16 * 9 + 1) * 32},
                "That is a 3×3, as in torchvision's network. The paper's third path is 5×5.",
            ),
            "kernel_once": (
                {THREE: (96 * 3 + 1) * 128, FIVE: (16 * 5 + 1) * 32},
                "A k×k filter has k·k weights for each channel, not k.",
            ),
            "channels_forgotten": (
                {THREE: (9 + 1) * 128, FIVE: (25 + 1) * 32},
                "Each filter has k×k weights for every channel that comes in.",
            ),
            "reduce_as_five": (
                {REDUCE5: (192 * 25 + 1) * 16},
                "The reduction before the 5×5 is a 1×1.",
            ),
            "reduce_after_three": (
                {REDUCE5: (128 + 1) * 16},
                "The paths do not follow each other. The 5×5's reduction sees the 192 channels of the module's input.",
            ),
            "reduced_output": (
                {REDUCED: (128, 28, 28)},
                "That is the 3×3 after it. The reduction gives 96 channels, the second number of the row.",
            ),
            "reduced_unpadded": (
                {REDUCED: (96, 26, 26)},
                "A 1×1 looks at one pixel at a time: the maps keep their 28×28.",
            ),
            "halved": (
                {POOLED: (32, 14, 14)},
                "The pool inside a module has stride 1: it keeps 28×28.",
            ),
            "pool_unpadded": (
                {POOLED: (32, 26, 26)},
                "The pool has padding 1: it keeps 28×28.",
            ),
            "pool_moves_by_three": (
                {POOLED: (32, 9, 9)},
                "That is a pool that moves by 3, as nn.MaxPool2d(3) does unless told otherwise. This one has stride 1.",
            ),
            "pool_keeps_channels": (
                {POOLED: (192, 28, 28)},
                "That is the pool alone. The 1×1 after it projects to 32 channels.",
            ),
            "everything_concatenated": (
                {WHOLE: (368, 28, 28)},
                "You added up all six numbers. The two reductions stay inside; only the ends of the four paths leave.",
            ),
            "pool_not_projected": (
                {WHOLE: (416, 28, 28)},
                "You let the pool path out with all 192 channels. Its 1×1 leaves 32.",
            ),
            "input_concatenated": (
                {WHOLE: (448, 28, 28)},
                "You added the 192 channels that came in. Only what the four paths make goes out.",
            ),
            "whole_halved": (
                {WHOLE: (256, 14, 14)},
                "Nothing in the module has a stride: all paths keep 28×28.",
            ),
            "pool_path_forgotten": (
                {WHOLE: (224, 28, 28)},
                "The pool path is missing: 32 channels more.",
            ),
            "widest": (
                {WHOLE: (128, 28, 28)},
                "That is the widest path. The four are concatenated, so their channels add up.",
            ),
            "channels_last": (
                {WHOLE: (28, 28, 256)},
                "The order of a shape is (C, H, W): channels first.",
            ),
            "with_batch": (
                {WHOLE: (1, 256, 28, 28)},
                "Leave the batch out: a shape here is (C, H, W).",
            ),
            "macs_at_one_place": (
                {WORK: 96 * 9 * 128, STRAIGHT: 192 * 9 * 128},
                "That is the work at one place. The filters are used at each of 28·28 places.",
            ),
            "flops": (
                {WORK: 2 * 96 * 9 * 128 * 784, STRAIGHT: 2 * 192 * 9 * 128 * 784},
                "You count a multiplication and an addition as two. A MAC is both together.",
            ),
            "macs_of_a_row": (
                {WORK: 96 * 9 * 128 * 28, STRAIGHT: 192 * 9 * 128 * 28},
                "That is one row of the maps. There are 28 rows of 28 places.",
            ),
            "macs_with_bias": (
                {WORK: (96 * 9 + 1) * 128 * 784, STRAIGHT: (192 * 9 + 1) * 128 * 784},
                "Adding the bias is no multiply-add: weights alone count.",
            ),
            "macs_shrunk": (
                {WORK: 96 * 9 * 128 * 26 * 26, STRAIGHT: 192 * 9 * 128 * 26 * 26},
                "With padding 1, a 3×3 keeps all 28·28 places.",
            ),
            "macs_with_reduction": (
                {WORK: 96 * (9 * 128 + 192) * 784},
                "You added the work of the reduction. This row asks for the 3×3 alone.",
            ),
            "macs_without_kernel": (
                {WORK: 96 * 128 * 784, STRAIGHT: 192 * 128 * 784},
                "That is a 1×1. A 3×3 has nine weights for each channel that it sees.",
            ),
            "macs_of_the_five": (
                {WORK: 16 * 25 * 32 * 784, STRAIGHT: 192 * 25 * 32 * 784},
                "Those are the 5×5's numbers, from the cell further up. Here the 3×3 is asked for.",
            ),
            "straight_to_96": (
                {STRAIGHT: 192 * 9 * 96 * 784},
                "You go from 192 channels to 96. Without a reduction the 3×3 still makes 128, now of all 192.",
            ),
            "ends_only": (
                {ALL: 12_352 + 110_720 + 12_832 + 6_176},
                "The two reductions have parameters, too: 18,528 and 3,088.",
            ),
            "projection_forgotten": (
                {ALL: 12_352 + 18_528 + 110_720 + 3_088 + 12_832},
                "The pool projection is missing. A pool has no parameters, the 1×1 after it has 6,176.",
            ),
            "naive_whole": (
                {ALL: 12_352 + 221_312 + 153_632},
                "That is the module without any reduction or projection. Count the six convolutions of the row.",
            ),
        },
    ),
    ChoiceExercise(
        name="googlenet.why_reduce",
        title="Why may channels be squeezed?",
        lesson=12,
        question=(
            "Module 4b squeezes 512 channels to 24 before its 5×5. Why can that work, although most of what the 512 "
            "hold does not fit into 24?"
        ),
        options={
            "a": "A 1×1 convolution loses nothing: it only changes the order of the channels.",
            "b": "Channels repeat each other. 24 learned mixtures keep what this path needs; other paths see all 512.",
            "c": "A 5×5 filter looks at places, not at channels, so that their number does not matter to it.",
            "d": "The 1×1 is there for its ReLU; the 5×5 still sees all 512 channels.",
        },
        reference="b",
        because=(
            "The paper assumes that many units fire together and that dense information can be embedded in fewer "
            "dimensions (sections 3 and 4). Which mixtures to keep is learned with everything else."
        ),
        hints=(
            "Which shapes go in and out of the 1×1, and who else reads the module's input?",
            "512 → 24 at every pixel is a matrix of 24×512: mixtures. Beside it stand a 1×1, a 3×3 and a pool path.",
        ),
        wrong={
            "a": "From 512 numbers at a pixel to 24 is a loss: no reordering can undo it. What makes it bearable?",
            "c": "A 5×5 filter has 25 weights for every channel that comes in. That is why 512 of them were expensive.",
            "d": "The 5×5 comes after the 1×1 and sees its 24 channels only. That is what makes it cheap.",
        },
    ),
]
