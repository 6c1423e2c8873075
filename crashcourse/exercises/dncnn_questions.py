"""Lesson 50, DnCNN: the table to fill in and the questions. Papers: arXiv 1608.03981 and 1710.04026."""

import math
from functools import cache

import torch

from crashcourse.classification.convolution import layers_of, receptive_field
from crashcourse.exercises.questions import AnswerExercise, ChoiceExercise
from crashcourse.inspection import count_macs, count_parameters, summarize
from crashcourse.restoration.dncnn import dncnn_b, dncnn_s
from crashcourse.restoration.ffdnet import ffdnet

LAYER = "DnCNN-S, a layer in the middle, BatchNorm included: parameters"
SEES_S, SEES_B = "DnCNN-S: side of what one output pixel sees", "DnCNN-B: side of what one output pixel sees"
WHOLE, MACS = "DnCNN-S: parameters", "DnCNN-S: MACs for each pixel of the image"
FFDNET_INPUT = "FFDNet for colour: shape before its first convolution"
FFDNET_MACS = "FFDNet for grey, in whole MACs: for each pixel of the image"
NOISE_25, NOISE_50 = "noise of sigma 25: PSNR in dB", "noise of sigma 50: PSNR in dB"


@cache
def _table() -> dict[str, tuple[int, ...] | int | float]:
    """Sizes and costs, read from the live modules."""
    with torch.device("meta"):
        specific, blind, flexible, colour = dncnn_s(), dncnn_b(), ffdnet(), ffdnet(3)
    rows = {row.name: row for row in summarize(specific, (1, 64, 64))}
    first = colour.model[0]
    return {
        LAYER: rows["model.2"].parameters + rows["model.3"].parameters,
        WHOLE: count_parameters(specific),
        SEES_S: receptive_field(layers_of(specific)),
        SEES_B: receptive_field(layers_of(blind)),
        MACS: count_macs(specific, (1, 64, 64)) // 64**2,
        FFDNET_INPUT: (first.in_channels, 64 // 2, 96 // 2),
        FFDNET_MACS: count_macs(flexible.model, (5, 32, 32)) // 64**2,
        NOISE_25: 20 * math.log10(255 / 25),
        NOISE_50: 20 * math.log10(255 / 50),
    }


QUESTIONS = [
    AnswerExercise(
        name="dncnn.sizes",
        title="Sizes, costs and decibels",
        lesson=50,
        question=(
            "DnCNN-S has 17 convolutions 3×3 with 64 channels between, for grey images: the first and the last have a "
            "bias, the others BatchNorm instead. DnCNN-B has 20. FFDNet has 15 with 64 channels on sub-images and a "
            "map; for colour 12 with 96, here on an image of 64 rows and 96 columns. MACs: those of the convolutions. "
            "The last two rows: the PSNR of an image with noise that nobody clipped, to two decimals."
        ),
        reference=_table,
        tolerance=(1e-4, 6e-3),
        because=(
            "Nearly all parameters are in the middle layers. FFDNet sees four pixels as one place, so it costs a "
            "quarter for each layer. Twice the noise is four times the squared error: 6.02 dB."
        ),
        hints=(
            "BatchNorm learns a scale and a shift for each channel. Each 3×3 layer sees one pixel further on each "
            "side.",
            "MACs for a pixel are the weights of the convolutions. FFDNet applies its own once for four pixels. MSE of "
            "the noise is sigma².",
            "64 · 64 · 9 + 2 · 64 for a layer; 2 D + 1; 9 · 64 + 15 · 64 · 64 · 9 + 64 · 9; 4 · 3 + 1 channels; 20 · "
            "log10(255 / sigma).",
        ),
        wrong={
            "no_batch_norm": (
                {LAYER: 36_864},
                "BatchNorm's scale and shift are missing: two numbers for each channel.",
            ),
            "with_bias": ({LAYER: 37_056}, "A convolution before BatchNorm has no bias here: BatchNorm has a shift."),
            "bias_for_norm": ({LAYER: 36_928}, "BatchNorm has two numbers for each channel, a scale and a shift."),
            "statistics": ({LAYER: 37_120}, "Running means and variances are not learned: they are buffers."),
            "without_norms": (
                {WHOLE: 555_137},
                "That is the network with BatchNorm merged into biases. The layers in the middle have 2 · 64 numbers "
                "of it.",
            ),
            "convolutions_only": ({WHOLE: 554_177}, "BatchNorm is missing: 15 layers with 2 · 64 numbers."),
            "no_biases": ({WHOLE: 556_032}, "The first and the last convolution have biases, 64 and 1."),
            "seventeen_in_the_middle": (
                {WHOLE: 630_081},
                "17 is the number of all convolutions, so 15 are in the middle.",
            ),
            "sixteen_in_the_middle": (
                {WHOLE: 593_089},
                "Of 17 convolutions the first and the last are not in the middle: 15 are.",
            ),
            "biases_too": (
                {WHOLE: 557_057},
                "The layers in the middle have no bias: BatchNorm's shift takes its place.",
            ),
            "statistics_too": (
                {WHOLE: 558_017},
                "Running means and variances are buffers. BatchNorm learns 2 · 64 numbers a layer.",
            ),
            "depth": ({SEES_S: 17, SEES_B: 20}, "That is the number of layers. Each adds a pixel on both sides."),
            "twice_depth": ({SEES_S: 34, SEES_B: 40}, "Twice the depth, and the pixel itself: + 1."),
            "three_times_depth": (
                {SEES_S: 51, SEES_B: 60},
                "Windows overlap: every layer after the first adds 2, not 3.",
            ),
            "first_layer_lost": (
                {SEES_S: 33, SEES_B: 39},
                "One layer is lost: the first sees 3 pixels, and each of the others adds 2.",
            ),
            "patches": (
                {SEES_S: 40, SEES_B: 50},
                "Those are the patches of the paper, a little larger than what is seen.",
            ),
            "parameters_as_macs": (
                {MACS: 556_097},
                "Biases and BatchNorm are no MACs. Count the convolutions' weights.",
            ),
            "operations": (
                {MACS: 1_108_224},
                "A multiplication and the addition after it are one MAC, not two.",
            ),
            "whole_patch": (
                {MACS: 886_579_200},
                "That is for a patch of 40×40. A single pixel is asked for.",
            ),
            "sixteen_layers_of_macs": (
                {MACS: 590_976},
                "One layer in the middle is too many: 17 without the first and the last are 15.",
            ),
            "biases_as_macs": (
                {MACS: 554_177},
                "Biases are added, not multiplied: they are no MACs.",
            ),
            "middle_only": ({MACS: 552_960}, "The first and the last layer are missing: 9 · 64 MACs each."),
            "eight_more": ({FFDNET_INPUT: (16, 32, 48)}, "So deepinv has it: four channels of map. FFDNet has one."),
            "no_map": ({FFDNET_INPUT: (12, 32, 48)}, "The map is missing: one more channel."),
            "not_halved": ({FFDNET_INPUT: (13, 64, 96)}, "Sub-images have half the rows and half the columns."),
            "three_maps": ({FFDNET_INPUT: (15, 32, 48)}, "One map serves all three colours."),
            "behind_it": ({FFDNET_INPUT: (96, 32, 48)}, "That is behind the first convolution."),
            "width_first": ({FFDNET_INPUT: (13, 48, 32)}, "Rows come before columns: 64 rows are halved to 32."),
            "not_rearranged": (
                {FFDNET_INPUT: (4, 64, 96)},
                "That is colour and map at full size. FFDNet works on sub-images.",
            ),
            "as_grey": ({FFDNET_INPUT: (5, 32, 48)}, "That is for grey. Each of three colours has four sub-images."),
            "not_quartered": (
                {FFDNET_MACS: 484_416},
                "That is for a place of the sub-images. A place stands for four pixels.",
            ),
            "halved": ({FFDNET_MACS: 242_208}, "Rows and columns are both halved: a place stands for four pixels."),
            "first_without_map": (
                {FFDNET_MACS: 120_960},
                "The first convolution sees five channels: four sub-images and the map.",
            ),
            "one_image_out": (
                {FFDNET_MACS: 120_672},
                "The last convolution gives out four sub-images, not one image.",
            ),
            "fourteen_between": (
                {FFDNET_MACS: 130_320},
                "15 convolutions without the first and the last are 13.",
            ),
            "between_alone": (
                {FFDNET_MACS: 119_808},
                "The first convolution, 5 · 64 · 9, and the last, 64 · 4 · 9, are missing.",
            ),
            "one_decimal": (
                {NOISE_25: 20.2, NOISE_50: 14.2},
                "Two decimals, please.",
            ),
            "measured": (
                {NOISE_25: 20.59, NOISE_50: 15.02},
                "Those were measured on files, where noise is clipped. Nobody clips it here.",
            ),
            "twenty": (
                {NOISE_25: 40.34, NOISE_50: 28.3},
                "20 · log10 belongs to 255 / sigma. With the squares it is 10.",
            ),
            "six_decibels": ({NOISE_50: 14.17}, "Half is 6.02 dB, not 6: the second decimal notices."),
            "ten": ({NOISE_25: 10.09, NOISE_50: 7.08}, "10 · log10 belongs to 255² / sigma², or 20 to 255 / sigma."),
            "natural": ({NOISE_25: 46.45, NOISE_50: 32.58}, "That is the natural logarithm. Decibels have log10."),
            "three_decibels": ({NOISE_50: 17.16}, "Twice the deviation is four times the squared error: 6.02 dB less."),
        },
    ),
    ChoiceExercise(
        name="dncnn.why_residual",
        title="Why predict the noise?",
        lesson=50,
        question="A network that gives out the image could do what one that gives out the noise does. Why is the noise "
        "easier to learn?",
        options={
            "a": "Noise has fewer different values than an image, so there is less to remember.",
            "b": "Layers are near the identity when little is wrong; to give out zero is easier than to copy every "
            "pixel.",
            "c": "A network that sees the noise cannot blur, and blur is what costs decibels.",
            "d": "Its output has fewer pixels than the image, so the last layers have less to do.",
        },
        reference="b",
        because=(
            "The image is already there; what is missing is small. Zhang et al. (section III) add that a target "
            "without the image's structure is nearly Gaussian, which suits BatchNorm."
        ),
        hints=(
            "Imagine an image with hardly any noise. What must each of the two networks give out?",
            "Think of lesson 13: what did the shortcut of a residual block carry?",
        ),
        wrong={
            "a": "Noise can take any value, at every pixel anew. It is the image that has structure.",
            "c": "What it takes off too much is missing in the image: it can blur as well as any other.",
            "d": "It predicts noise for every pixel. Input and output have one size.",
        },
    ),
    ChoiceExercise(
        name="dncnn.mean_of_psnr",
        title="Which average do papers print?",
        lesson=50,
        question="Two restored images have PSNRs of 40 dB and 20 dB. What does a table that averages over images "
        "print?",
        options={
            "a": "23.0 dB: the PSNR of the mean squared error of both.",
            "b": "40.0 dB: the best of the two.",
            "c": "30.0 dB: the mean of the two numbers.",
            "d": "20.0 dB: a method is as good as its worst image.",
        },
        reference="c",
        because=(
            "The mean of decibels is a mean of logarithms: one very good image lifts it a lot. The PSNR of the mean "
            "error, 23.0 dB, is ruled by the worst image. The two must not stand in one column."
        ),
        hints=(
            "Papers compute a number for each image. What do they do with them?",
            "MSE of 40 dB is 0.0001 of the peak's square, of 20 dB 0.01. Which option averages those, and which the "
            "decibels?",
        ),
        wrong={
            "a": "That is what you get when you average squared errors over the whole set first.",
            "b": "Tables average. A best case would say little.",
            "d": "Tables average. That the worst image decides is nearly true of the PSNR of the mean error.",
        },
    ),
]
