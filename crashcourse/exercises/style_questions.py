"""Lesson 40, style transfer: the table to fill in and the question. Paper: arXiv 1508.06576."""

import math
from functools import cache

import torch

from crashcourse.exercises.questions import AnswerExercise, ChoiceExercise
from crashcourse.style import CONTENT_LAYER, STYLE_LAYERS, gram, random_encoder

MAPS, GRAM, WIDE = "maps of conv4_2: shape", "Gram matrix of conv4_1: shape", "the same, of an image twice as wide"
NUMBERS, MULTIPLIED = "numbers in the five Gram matrices", "F Fᵀ of conv1_1: multiplications"
LAYERS, SEES = "convolutions that style needs, conv5_1 included", "side of what a place of conv2_1 sees"
HEIGHT, WIDTH = 256, 192


@cache
def _table() -> dict[str, tuple[int, ...] | int]:
    """Sizes and costs, read from the live encoder."""
    encoder = random_encoder().to("meta")
    image = torch.empty(1, 3, HEIGHT, WIDTH, device="meta")
    maps = encoder(image, {CONTENT_LAYER, *STYLE_LAYERS})
    wide = encoder(torch.cat([image, image], 3), ["conv4_1"])["conv4_1"]
    grams = {name: gram(maps[name]) for name in STYLE_LAYERS}
    first = maps["conv1_1"]
    return {
        MAPS: tuple(maps[CONTENT_LAYER].shape[1:]),
        GRAM: tuple(grams["conv4_1"].shape[1:]),
        WIDE: tuple(gram(wide).shape[1:]),
        NUMBERS: sum(matrix.numel() for matrix in grams.values()),
        MULTIPLIED: grams["conv1_1"].numel() * math.prod(first.shape[2:]),
        LAYERS: encoder.layers.index("conv5_1") + 1,
        SEES: 10,
    }


QUESTIONS = [
    AnswerExercise(
        name="style.sizes",
        title="Sizes of content and style",
        lesson=40,
        question=(
            f"VGG-19 looks at an image of 3 channels, {HEIGHT} rows and {WIDTH} columns. Its stages have 2, 2, 4, 4 "
            "and 4 convolutions of 3×3 with 64, 128, 256, 512 and 512 channels; before each stage but the first, both "
            "sides are halved by 2×2 pooling. Shapes are without the batch. Style is taken at conv1_1, conv2_1, "
            "conv3_1, conv4_1 and conv5_1."
        ),
        reference=_table,
        because=(
            "A Gram matrix has no height and no width: an image of any size has a style of the same size. And it has "
            "lost where things are: 512 × 512 numbers, none of which belongs to a place."
        ),
        hints=(
            "Three poolings lie before conv4_2. A Gram matrix has a row and a column for each channel.",
            "Each entry of a Gram matrix is a sum over all places. A place of conv2_1 sees 3×3 places of the pooled "
            "maps of conv1_2.",
            "256 / 8 and 192 / 8; 64² + 128² + 256² + 2 · 512²; 64² · 256 · 192; 2 + 2 + 4 + 4 + 1.",
        ),
        wrong={
            "not_pooled": ({MAPS: (512, 256, 192)}, "Three poolings lie before conv4_2: both sides are divided by 8."),
            "one_pooling_more": ({MAPS: (512, 16, 12)}, "You pooled four times. The fourth is behind conv4_4."),
            "one_pooling_less": ({MAPS: (512, 64, 48)}, "You pooled twice. That is the size of stage 3."),
            "channels_of_stage_3": ({MAPS: (256, 32, 24)}, "Stage 4 has 512 channels."),
            "columns_first": ({MAPS: (512, 24, 32)}, "Rows come before columns."),
            "channels_last": ({MAPS: (32, 24, 512)}, "Channels come first in PyTorch: (C, H, W)."),
            "with_batch": ({GRAM: (1, 512, 512)}, "Shapes are asked without the batch: leave out the first 1."),
            "gram_of_places": ({GRAM: (768, 768)}, "That compares places. A Gram matrix compares channels."),
            "gram_keeps_places": ({GRAM: (512, 32, 24)}, "Those are the maps. The sum over places leaves none."),
            "one_row": ({GRAM: (512,)}, "That is one number for each channel. There is one for each pair."),
            "gram_of_stage_3": ({GRAM: (256, 256)}, "Stage 4 has 512 channels, conv4_1 too."),
            "gram_is_f": ({GRAM: (512, 768)}, "That is F, channels by places. The matrix is F Fᵀ."),
            "wide_maps": ({WIDE: (512, 32, 48)}, "Those are the wider maps. What is their Gram matrix?"),
            "wide_places": ({WIDE: (1536, 1536)}, "Those are pairs of places. Only channels are paired."),
            "wider": ({WIDE: (512, 1024)}, "The sum runs over more places; the pairs of channels are as many."),
            "doubled": ({WIDE: (1024, 1024)}, "Channels do not double where an image does."),
            "one_matrix": ({NUMBERS: 262_144}, "That is the matrix of conv4_1. There are five."),
            "four_matrices": ({NUMBERS: 348_160}, "conv4_1 and conv5_1 have 512 channels, both."),
            "sum_first": ({NUMBERS: 2_166_784}, "You added up the channels and squared afterwards."),
            "channels_added": ({NUMBERS: 1_472}, "Those are channels. A Gram matrix has the square of their number."),
            "pairs_once": ({NUMBERS: 305_888}, "Each pair stands there twice: count all entries."),
            "five_alike": ({NUMBERS: 1_310_720}, "You took 512 channels for all five. The first stages have fewer."),
            "all_layers": (
                {NUMBERS: 2_400_256},
                "You counted the matrices of all 16 convolutions. Style is taken at five.",
            ),
            "maps_counted": ({NUMBERS: 5_996_544}, "Those are the numbers in the maps. The matrices have no places."),
            "one_product": ({MULTIPLIED: 49_152}, "That is one entry of the matrix. It has 64 · 64."),
            "entries": ({MULTIPLIED: 4_096}, "Those are the entries. Each is a sum over 256 · 192 places."),
            "row": ({MULTIPLIED: 3_145_728}, "That is one row of the matrix. It has 64 rows."),
            "additions_too": ({MULTIPLIED: 402_653_184}, "You counted the additions, too."),
            "half_saved": ({MULTIPLIED: 102_236_160}, "One could save the half below the diagonal. F Fᵀ makes all."),
            "convolution": (
                {MULTIPLIED: 84_934_656},
                "That is the convolution conv1_1 itself, not the matrix of its maps.",
            ),
            "all": ({LAYERS: 16}, "Those are all of VGG-19. Nothing behind conv5_1 is needed."),
            "stage_left_out": ({LAYERS: 12}, "conv5_1 belongs to it."),
            "layers_of_style": ({LAYERS: 5}, "To get to conv5_1, all convolutions before it are needed."),
            "layers_of_vgg16": ({LAYERS: 11}, "That is VGG-16. VGG-19 has 4 convolutions in stages 3 and 4."),
            "poolings_counted": ({LAYERS: 17}, "The four poolings are no convolutions."),
            "five": ({SEES: 5}, "That is what a place of conv1_2 sees. Pooling and conv2_1 come on top."),
            "step_of_one": ({SEES: 8}, "You have the pooling's own pixel. But behind it, a step is two pixels wide."),
            "twice_six": ({SEES: 12}, "Three places of the pooled maps, each sees 6; their centres are 2 apart."),
            "three": ({SEES: 3}, "Places of the maps before it. How much of the image does each of those see?"),
            "no_pooling": ({SEES: 7}, "The pooling doubles the step: the last 3×3 adds 2 · 2 pixels, not 2."),
            "pooling_sees_nothing": ({SEES: 9}, "The pooling itself looks at two places: it adds one pixel."),
            "six": ({SEES: 6}, "That is behind the pooling. The 3×3 of conv2_1 comes on top."),
        },
    ),
    ChoiceExercise(
        name="style.why_gram",
        title="What a Gram matrix forgets",
        lesson=40,
        question=(
            "The maps of a layer are cut into single places, and the places are shuffled, all channels together. Which "
            "of the two losses, content and style of this layer, notices?"
        ),
        options={
            "a": "Both: other maps have another Gram matrix.",
            "b": "Content alone: a sum over places does not depend on their order.",
            "c": "Style alone: brush strokes are destroyed when places are shuffled.",
            "d": "Neither: the same numbers are still there, in each channel.",
        },
        reference="b",
        because=(
            "G is a sum over places of F_i · F_j, and a sum has no order. What goes together at a place stays "
            "together, and that is all that style asks. Content compares place with place. Strokes survive in style "
            "because one place of a deep layer has seen a whole patch."
        ),
        hints=(
            "Write down G[i, j]. Does the order of the places enter?",
            "Σ F[i, place] F[j, place] against Σ (F[place] - P[place])².",
        ),
        wrong={
            "a": "Other maps, but the same products, in another order. What is their sum?",
            "c": "So one would think. But the layer has seen the strokes already, each place its own patch.",
            "d": "Content compares each place with the same place of the photograph.",
        },
    ),
]
