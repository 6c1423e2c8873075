"""Lesson 10, AlexNet: the table of its shapes and parameters, and a question about ZFNet's first layer."""

import torch

from crashcourse.exercises.questions import AnswerExercise, ChoiceExercise


def alexnet_shapes() -> dict[str, tuple[int, ...] | int]:
    """Rows of the table of AlexNet as published in 2012, read from the live module: (C, H, W) and parameter counts."""
    from crashcourse.classification import alexnet
    from crashcourse.inspection import summarize

    with torch.device("meta"):
        network = alexnet(paper=True)
    layers = {block.name: block for block in summarize(network, (3, 227, 227))}
    return {
        "conv1 output": layers["features.0"].output_shape,
        "conv1 parameters": layers["features.0"].parameters,
        "pool1 output": layers["features.3"].output_shape,
        "conv2 output": layers["features.4"].output_shape,
        "conv2 parameters": layers["features.4"].parameters,
        "conv3 parameters": layers["features.8"].parameters,
        "conv4 parameters": layers["features.10"].parameters,
        "pool5 output": layers["features.14"].output_shape,
        "fc6 parameters": layers["classifier.0"].parameters,
    }


# Each entry is about one row, so that its hint can be shown beside those of other rows.
ALEXNET_WRONG = {
    "image_of_224": (
        {"conv1 output": (96, 54, 54)},
        "That is for the 224×224 that the paper states. Its own 55×55 maps need 227×227: use 227.",
    ),
    "conv1_rounded_up": (
        {"conv1 output": (96, 56, 56)},
        "(227 - 11) / 4 is 54 without a rest, so there are 54 steps, and one place more than steps.",
    ),
    "channels_last": (
        {"conv1 output": (55, 55, 96)},
        "PyTorch puts channels first: (channels, rows, columns).",
    ),
    "with_batch": (
        {"conv1 output": (1, 96, 55, 55)},
        "Leave the batch out: a shape here is (channels, rows, columns).",
    ),
    "rows_and_columns_only": (
        {"conv1 output": (55, 55)},
        "Rows and columns are right; the channels are missing. Every filter makes one: (channels, rows, columns).",
    ),
    "side_only": ({"conv1 output": 55}, "The side is right. A shape is (channels, rows, columns)."),
    "colours_kept": (
        {"conv1 output": (3, 55, 55)},
        "The 3 colours go in. What comes out has one channel for each filter.",
    ),
    "no_bias_in_conv1": ({"conv1 parameters": 96 * 3 * 121}, "Biases count too: one for every filter."),
    "one_bias_in_conv1": (
        {"conv1 parameters": 96 * 3 * 121 + 1},
        "There is not one bias for the layer, but one for each of the 96 filters.",
    ),
    "bias_for_every_weight": (
        {"conv1 parameters": 2 * 96 * 3 * 121},
        "You count a bias for every weight. There is one for every filter.",
    ),
    "one_channel": (
        {"conv1 parameters": 96 * 121 + 96},
        "A filter of conv1 has 11×11 weights for each of the 3 colours.",
    ),
    "macs_of_conv1": (
        {"conv1 parameters": 96 * 3 * 121 * 55 * 55},
        "That is the number of multiply-adds. Parameters do not count how often they are used: no 55×55.",
    ),
    "pool_rounded_up": (
        {"pool1 output": (96, 28, 28)},
        "A pooling window is 3 wide and moves by 2; it is placed like a kernel: output_size(55, 3, 2).",
    ),
    "pool_without_one": (
        {"pool1 output": (96, 26, 26)},
        "(55 - 3) / 2 = 26 is the number of steps. The places are one more.",
    ),
    "pool_stride_three": (
        {"pool1 output": (96, 18, 18)},
        "AlexNet's windows overlap: 3 wide, but they move by 2, not by 3.",
    ),
    "pool_stride_one": (
        {"pool1 output": (96, 53, 53)},
        "The window is 3 wide and moves by 2: the stride is missing.",
    ),
    "pool_halves": (
        {"pool1 output": (96, 27.5, 27.5)},
        "There are no half pixels, and halving is not quite it: count the places of a window of 3 with stride 2.",
    ),
    "pool_of_one_card": (
        {"pool1 output": (48, 27, 27)},
        "48 channels are those on one of the two cards. Pooling keeps all 96.",
    ),
    "conv2_without_padding": (
        {"conv2 output": (256, 23, 23)},
        "conv2 has padding 2: a 5×5 kernel then keeps the size.",
    ),
    "conv2_padded_once": (
        {"conv2 output": (256, 25, 25)},
        "conv2 has padding 2 at both ends of a side: 27 + 4 - 5, then one place more.",
    ),
    "conv2_of_one_group": (
        {"conv2 output": (128, 27, 27)},
        "128 filters are one of the two groups. Their maps are put side by side: 256 channels.",
    ),
    "conv2_after_its_pool": (
        {"conv2 output": (256, 13, 13)},
        "13×13 comes after the pooling that follows conv2. The row asks for conv2 itself.",
    ),
    "conv2_channels_kept": (
        {"conv2 output": (96, 27, 27)},
        "conv2 has 256 filters, and each makes one channel.",
    ),
    "one_group_in_conv2": (
        {"conv2 parameters": 256 * 96 * 25 + 256},
        "conv2 has two groups: each of its filters sees 48 of the 96 channels.",
    ),
    "one_group_and_no_bias_in_conv2": (
        {"conv2 parameters": 256 * 96 * 25},
        "Two things: conv2 has two groups, so that each filter sees 48 of the 96 channels; and every filter has a "
        "bias.",
    ),
    "half_of_conv2": (
        {"conv2 parameters": 128 * 48 * 25 + 128},
        "That is one of the two groups of conv2. There are 256 filters in all.",
    ),
    "half_the_biases_in_conv2": (
        {"conv2 parameters": 256 * 48 * 25 + 128},
        "The weights of conv2 are right. But there are 256 biases, one for each filter of both groups.",
    ),
    "no_bias_in_conv2": ({"conv2 parameters": 256 * 48 * 25}, "The 256 biases of conv2 are missing."),
    "two_groups_in_conv3": (
        {"conv3 parameters": 384 * 128 * 9 + 384},
        "conv3 is the one layer after the first that is not split: every filter sees all 256 channels.",
    ),
    "no_bias_in_conv3": ({"conv3 parameters": 384 * 256 * 9}, "The 384 biases of conv3 are missing."),
    "conv3_sees_96": (
        {"conv3 parameters": 384 * 96 * 9 + 384},
        "conv3 does not see the 96 maps of conv1, but the 256 of conv2.",
    ),
    "conv3_sees_384": (
        {"conv3 parameters": 384 * 384 * 9 + 384},
        "384 is what comes out of conv3. What goes in are the 256 maps of conv2.",
    ),
    "one_group_in_conv4": (
        {"conv4 parameters": 384 * 384 * 9 + 384},
        "conv4 has two groups: each of its filters sees 192 of the 384 channels.",
    ),
    "no_bias_in_conv4": ({"conv4 parameters": 384 * 192 * 9}, "The 384 biases of conv4 are missing."),
    "conv4_sees_256": (
        {"conv4 parameters": 384 * 256 * 9 + 384},
        "What goes into conv4 are the 384 maps of conv3, in two groups of 192, not 256.",
    ),
    "conv4_sees_half_of_256": (
        {"conv4 parameters": 384 * 128 * 9 + 384},
        "The two groups of conv4 are right, but they share the 384 maps of conv3: each filter sees 192, not 128.",
    ),
    "before_pool5": (
        {"pool5 output": (256, 13, 13)},
        "13×13 goes into pool5. A window of 3 with stride 2 makes it smaller.",
    ),
    "pool5_rounded_up": (
        {"pool5 output": (256, 7, 7)},
        "A pooling window is placed like a kernel, only where it fits whole: output_size(13, 3, 2).",
    ),
    "pool5_without_one": (
        {"pool5 output": (256, 5, 5)},
        "(13 - 3) / 2 = 5 is the number of steps of pool5's window. The places are one more.",
    ),
    "pool5_flat": (
        {"pool5 output": 256 * 6 * 6},
        "That is how many values come out of pool5. The row asks for their shape, (channels, rows, columns).",
    ),
    "pool5_after_conv4": (
        {"pool5 output": (384, 6, 6)},
        "pool5 comes after conv5, which has 256 filters.",
    ),
    "fc6_reads_maps": (
        {"fc6 parameters": 256 * 4096 + 4096},
        "fc6 does not read one number a map: it reads all 256 · 6 · 6 values.",
    ),
    "fc6_before_pool5": (
        {"fc6 parameters": 256 * 13 * 13 * 4096 + 4096},
        "fc6 comes after pool5, where the maps are 6×6.",
    ),
    "fc6_of_7x7": (
        {"fc6 parameters": 256 * 7 * 7 * 4096 + 4096},
        "7×7 is VGG's last map, or a pooling that rounds up. Here pool5 gives 6×6.",
    ),
    "no_bias_in_fc6": ({"fc6 parameters": 256 * 36 * 4096}, "The 4096 biases of fc6 are missing."),
    "bias_for_every_input_of_fc6": (
        {"fc6 parameters": 256 * 36 * 4096 + 256 * 36},
        "The weights of fc6 are right. But a bias belongs to an output, of which there are 4096, not to an input.",
    ),
    "fc7_for_fc6": (
        {"fc6 parameters": 4096 * 4096 + 4096},
        "That is fc7, from 4096 to 4096. fc6 reads what pool5 gives.",
    ),
}


QUESTIONS = [
    AnswerExercise(
        name="convolution.alexnet_shapes",
        title="AlexNet's table",
        lesson=10,
        question="AlexNet as published in 2012, for one image of 3×227×227. What comes out, as (channels, rows, "
        "columns), and how many parameters are there, biases included?",
        reference=alexnet_shapes,
        because="The first dense layer alone, fc6, has more weights than everything else in the network together.",
        hints=(
            "Use your output_size for rows and columns; the channels are the number of filters.",
            "Parameters of a convolution: K · (C / groups) · R · S weights and K biases. Of a dense layer: in · out "
            "weights and out biases.",
            "conv1: output_size(227, 11, 4) is the side, 96 · 3 · 11 · 11 + 96 the count. fc6 reads every value of the "
            "last pooling: its inputs are the product of that shape.",
        ),
        wrong=ALEXNET_WRONG,
    ),
    ChoiceExercise(
        name="convolution.why_stride_2",
        title="Why ZFNet's first layer is smaller",
        lesson=10,
        question="ZFNet changes AlexNet's first layer from 11×11, stride 4 to 7×7, stride 2. Which statement is right?",
        options={
            "a": "With fewer weights in the first layer, the whole network becomes smaller and cheaper.",
            "b": "It samples the image twice as densely, so that fine stripes are no longer mistaken for coarse ones. "
            "The price is more multiply-adds.",
            "c": "A 7×7 kernel sees more context than an 11×11 kernel, because its stride is smaller.",
            "d": "It is what brought the top-5 error on ImageNet from 16.4 % down to 11.7 %.",
        },
        reference="b",
        because="Stripes need at least two samples a period. The maps grow from 55×55 to 110×110, and the whole "
        "network from 0.72 to 1.17 billion multiply-adds.",
        wrong={
            "a": "The first layer does lose weights, 34,944 to 14,208. But look at the tables: the maps it makes are "
            "four times as large, and the network as a whole has more weights and more multiply-adds than before.",
            "c": "One output of the first layer sees exactly its kernel: 7×7 pixels are fewer than 11×11. The stride "
            "decides how far apart two outputs look.",
            "d": "The 11.7 % is the ILSVRC-2013 entry of Clarifai, an average of several networks with better "
            "hyper-parameters. In the paper, one network goes from 18.1 % to 16.5 % (table 2).",
        },
    ),
]
