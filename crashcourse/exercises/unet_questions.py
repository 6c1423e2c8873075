"""Lesson 31, U-Net: the table to fill in and two questions. Paper: arXiv 1505.04597."""

from functools import cache

import torch

from crashcourse.exercises.questions import AnswerExercise, ChoiceExercise
from crashcourse.inspection import count_parameters, summarize
from crashcourse.segmentation.unet import unet_2015

FIRST, DEEPEST = "behind the first two convolutions: shape", "behind the two convolutions of the coarsest level: shape"
JOINED, BRIDGE = "concatenated, in the first up block: shape", "the finest skip, after its crop: shape"
CUT, OUTPUT = "cut off the finest skip on every side: pixels", "output: shape"
UP, LEAST = "first transposed convolution: parameters", "smallest image that the network takes: side"
BELOW, STEP = (
    "largest image below 600 that it takes: side",
    "tiles of 388: step that keeps every pooling in place",
)
TILES = "windows for an image of 1000×1000, with that step"


@cache
def _table() -> dict[str, tuple[int, ...] | int]:
    """Sizes and costs, read from the live network."""
    with torch.device("meta"):
        network = unet_2015()
    shapes = {row.name: row.output_shape for row in summarize(network, (1, 572, 572))}
    finest, raised = shapes["contracting.0.2"], shapes["expansive.3.up"]
    deep = shapes["expansive.0.up"]
    step = 388 - 388 % network.stride
    return {
        FIRST: finest,
        DEEPEST: shapes["contracting.4.2"],
        JOINED: (network.expansive[0].convs[0].in_channels, *deep[1:]),
        BRIDGE: (finest[0], *raised[1:]),
        CUT: (finest[1] - raised[1]) // 2,
        OUTPUT: shapes["scores"],
        UP: count_parameters(network.expansive[0].up),
        LEAST: network.least_side,
        BELOW: network.nearest_sides(599)[0],
        STEP: step,
        TILES: len(range(0, 1000 - (388 - step), step)) ** 2,
    }


QUESTIONS = [
    AnswerExercise(
        name="unet.shapes",
        title="Shapes of U-Net",
        lesson=31,
        question=(
            "U-Net of 2015: an image of 572×572 with 1 channel; levels of 64, 128, 256, 512 and 1024 channels; two "
            "valid 3×3 convolutions at each; 2×2 max pooling; transposed convolutions that halve the channels. Shapes "
            "are (channels, rows, columns); parameters include biases."
        ),
        reference=_table,
        because=(
            "92 pixels are missing on every side of the output. The network takes sides of 188, 204, ..., 556, 572, "
            "588: 16 apart, because four poolings in a row must each meet an even side. For the same reason tiles keep "
            "the poolings in place only if they are a multiple of 16 apart."
        ),
        hints=(
            "Two valid convolutions take 4 pixels off a side, pooling halves it, a transposed convolution doubles it.",
            "Down: 572, 568, 284, 280, 140, 136, 68, 64, 32, 28. Up: 56, 52, 104, 100, 200, 196, 392, 388. Sides that "
            "fit are 16 apart.",
            "The crop is (568 - 392) / 2. 1024 · 512 · 2 · 2 + 512. From 572 down by 16 until the output, 184 smaller, "
            "is gone. 388 // 16 · 16.",
        ),
        wrong={
            "zeros_around": (
                {FIRST: (64, 572, 572)},
                "That would be with zeros around. Here each convolution takes 2 off a side.",
            ),
            "one_convolution": ({FIRST: (64, 570, 570)}, "That is behind the first of the two."),
            "one_pixel_each": (
                {FIRST: (64, 564, 564)},
                "A 3×3 convolution takes a pixel off each side of the map: 2 in all.",
            ),
            "columns_first": ({FIRST: (568, 568, 64)}, "Channels come first: (channels, rows, columns)."),
            "channels_of_the_image": ({FIRST: (1, 568, 568)}, "The image has one channel. The first level has 64."),
            "next_level": ({FIRST: (128, 568, 568)}, "Channels double after the pooling. The first level has 64."),
            "three_each": ({FIRST: (64, 566, 566)}, "A 3×3 convolution takes 2 off a side, not 3: 572, 570, 568."),
            "pooled": ({FIRST: (64, 284, 284)}, "That is behind the pooling, which comes after the two."),
            "one_of_the_deepest": ({DEEPEST: (1024, 30, 30)}, "That is behind the first of its two convolutions."),
            "channels_above": ({DEEPEST: (512, 28, 28)}, "The coarsest level has twice the channels of that above it."),
            "size_above": (
                {DEEPEST: (1024, 64, 64)},
                "Those are the sides of the level above: 64, pooled to 32, then 28.",
            ),
            "enlarged": ({DEEPEST: (1024, 56, 56)}, "That is twice as wide: it is enlarged only after this."),
            "columns_first_deep": ({DEEPEST: (28, 28, 1024)}, "Channels come first here, too."),
            "padded_deep": ({DEEPEST: (1024, 35, 35)}, "572 / 16, but the convolutions take 4 off at every level."),
            "before_its_convolutions": ({DEEPEST: (1024, 32, 32)}, "That is what comes in. Two convolutions follow."),
            "level_above": ({DEEPEST: (512, 64, 64)}, "That is the level above the coarsest."),
            "not_joined": ({JOINED: (512, 56, 56)}, "That is one of the two. They are concatenated, not added."),
            "not_cropped": ({JOINED: (1024, 64, 64)}, "The skip is cut to the size of the enlarged map."),
            "not_halved": (
                {JOINED: (1536, 56, 56)},
                "The transposed convolution halves the channels before they are joined.",
            ),
            "before_enlarging": (
                {JOINED: (1024, 28, 28)},
                "That is what comes from below. It is enlarged, then joined.",
            ),
            "kept_then_joined": (
                {JOINED: (2048, 56, 56)},
                "512 from the skip and 512 from below: the transposed convolution has halved the 1024.",
            ),
            "one_of_the_two": ({JOINED: (1024, 54, 54)}, "No convolution comes in between: 28 is enlarged to 56."),
            "after_both": ({JOINED: (1024, 52, 52)}, "That side is behind the block's two convolutions."),
            "after_convolutions": ({JOINED: (512, 52, 52)}, "That is behind the block's two convolutions."),
            "uncut": (
                {BRIDGE: (64, 568, 568)},
                "That is the skip as it leaves the contracting path. Its middle is 392 wide.",
            ),
            "both": ({BRIDGE: (128, 392, 392)}, "Those are the channels after joining. The skip alone has 64."),
            "as_output": ({BRIDGE: (64, 388, 388)}, "Two convolutions follow between the joining and the output."),
            "coarsest_skip": ({BRIDGE: (512, 56, 56)}, "That is the coarsest skip. The finest leaves the first level."),
            "coarsest_uncut": ({BRIDGE: (512, 64, 64)}, "That is the coarsest skip, uncut. The finest is of 568."),
            "after_one": ({BRIDGE: (64, 390, 390)}, "That is behind one convolution. The crop comes before both."),
            "joined_as_output": (
                {BRIDGE: (128, 388, 388)},
                "The skip alone has 64 channels, and two convolutions follow until the output's 388.",
            ),
            "both_sides": ({CUT: 176}, "That is both sides together."),
            "margin": (
                {CUT: 92},
                "That is what the output lacks against the image. The skip is of 568, and is cut to 392.",
            ),
            "until_the_output": (
                {CUT: 90},
                "(568 - 388) / 2. The skip is cut to what it is joined with, which is 392.",
            ),
            "both_ends": ({CUT: 180}, "568 - 388. It is cut to 392, and by half of the difference on each side."),
            "both_deepest": ({CUT: 8}, "That is the deepest skip, both sides together. The finest: 568 to 392."),
            "second_finest": ({CUT: 40}, "That is the skip of the second level: 280 to 200."),
            "deepest_cut": ({CUT: 4}, "That is the deepest skip: 64 to 56. The finest loses much more."),
            "same_size": ({OUTPUT: (2, 572, 572)}, "Valid convolutions: the output is smaller than the image."),
            "without_classes": ({OUTPUT: (1, 388, 388)}, "Two classes, cell and background: two channels."),
            "features": ({OUTPUT: (64, 388, 388)}, "A last 1×1 convolution leads from 64 channels to the classes."),
            "joined_side": ({OUTPUT: (2, 392, 392)}, "That side is before the last two 3×3 convolutions."),
            "first_side": ({OUTPUT: (2, 568, 568)}, "That is the first level's side. The skip is cut on the way up."),
            "one_short": (
                {OUTPUT: (2, 390, 390)},
                "Two 3×3 convolutions follow 392. The last is 1×1 and takes nothing.",
            ),
            "columns_first_out": (
                {OUTPUT: (388, 388, 2)},
                "Channels come first: a map of scores for each of two classes.",
            ),
            "no_channels": ({OUTPUT: (388, 388)}, "A score for each of two classes: there are channels, too."),
            "inputs_biased": ({UP: 2_098_176}, "A bias for each channel that goes out: 512, not 1024."),
            "three_by_three_unbiased": ({UP: 4_718_592}, "The transposed convolution is 2×2, and has biases."),
            "next_one": ({UP: 524_544}, "That is the second: 512 to 256. The first leads from 1024 to 512."),
            "kept_with_halved_bias": ({UP: 4_194_816}, "It halves the channels: 1024 · 512 pairs, not 1024 · 1024."),
            "bias_for_each_weight": (
                {UP: 2_099_200},
                "One bias for each of 512 channels, not for each of its 2 · 2 weights.",
            ),
            "no_bias": ({UP: 2_097_152}, "The biases are missing: one for each of 512 channels."),
            "three_by_three": ({UP: 4_719_104}, "The transposed convolution is 2×2."),
            "channels_kept": ({UP: 4_195_328}, "It halves the channels: 1024 to 512."),
            "one_weight": ({UP: 524_800}, "Each pair of channels has 2 · 2 weights."),
            "sixteen": ({LEAST: 16}, "Two convolutions at each level need much more: the output must not be empty."),
            "bottom_of_one": ({LEAST: 140}, "Then the coarsest map is 1×1, and on the way up nothing would be left."),
            "a_step_too_many": ({LEAST: 204}, "One step of 16 smaller still leaves an output of 4×4."),
            "a_step_too_few": ({LEAST: 172}, "Its output would be empty: on the way up 2 · 3 - 4 = 2, then 0."),
            "margin_for_image": (
                {LEAST: 185},
                "An output of one pixel, but 181 is odd at the first pooling. Every pooled side is even.",
            ),
            "taken_away": ({LEAST: 184}, "That is what the network takes away: nothing would be left."),
            "even_only": ({LEAST: 186}, "182 is even, but 91 - 4 = 87 at the second pooling is not."),
            "one_more_than_nothing": ({LEAST: 192}, "188 at the first pooling, 90 at the second, but then 41 is odd."),
            "poolings_only": (
                {LEAST: 32},
                "The convolutions take 4 off at each level, on the way down and on that up.",
            ),
            "multiple_of_sixteen": (
                {BELOW: 592},
                "That would do with zeros around. Here 588 = 16 · 37 - 4 is the one that fits.",
            ),
            "even": ({BELOW: 598}, "594 is even, but 297 - 4 at the second pooling is not."),
            "multiple_of_four": ({BELOW: 596}, "592, 292 and 142 are even, but 142 / 2 - 4 = 67 is not."),
            "anything": ({BELOW: 599}, "599 - 4 is odd: the first pooling already has half a pixel left."),
            "from_the_other_end": ({BELOW: 576}, "A multiple of 16, but 16 · 36 + 12 is what fits: 588."),
            "the_papers": ({BELOW: 572}, "The next one is still below 600."),
            "tile_as_step": (
                {STEP: 388},
                "388 = 16 · 24 + 4: the second tile's poolings would take other pixels than the first one's.",
            ),
            "window_as_step": ({STEP: 572}, "Windows overlap. It is the tiles that lie side by side."),
            "raised": ({STEP: 392}, "That is above the tile: 4 pixels between two tiles would be in neither."),
            "stride": (
                {STEP: 16},
                "That keeps them in place, but any multiple of 16 does. Take the largest that is not above 388.",
            ),
            "a_stride_less": (
                {STEP: 368},
                "That keeps them in place, but a larger one does, too, and needs fewer windows.",
            ),
            "multiple_of_four_step": ({STEP: 380}, "380 = 16 · 23 + 12. It takes a multiple of 16."),
            "less_by_sixteen": ({STEP: 372}, "372 = 388 - 16 is no multiple of 16, since 388 is none."),
            "multiple_of_two": ({STEP: 386}, "The step must be a multiple of 16, not only of 2."),
            "next_above": ({STEP: 400}, "Then 12 pixels between two tiles are in neither."),
            "two_by_two": ({TILES: 4}, "Two tiles cover 384 + 388 = 772 pixels."),
            "area": ({TILES: 7}, "Divide sides, not areas: along each side tiles are counted as wholes."),
            "sides_added": ({TILES: 6}, "3 along each side: they are multiplied."),
            "five_by_five": ({TILES: 25}, "Windows overlap, but tiles begin every 384 pixels: 0, 384, 768."),
            "three": ({TILES: 3}, "That is along one side."),
            "four_by_four": ({TILES: 16}, "The third tile ends at 2 · 384 + 388 = 1156, which is enough."),
        },
    ),
    ChoiceExercise(
        name="unet.why_concatenate",
        title="What does a skip bring?",
        lesson=31,
        question=(
            "At each level of the expansive path the map from below is joined with one from the contracting path. What "
            "is in the one, and what in the other?"
        ),
        options={
            "a": "The skip brings where edges are, to the pixel; the map from below what is there, seen from afar.",
            "b": "Both hold the same; twice as many channels make the network more certain.",
            "c": "The skip brings the gradient to the early layers, which is all that it is for.",
            "d": "The skip brings the large context, which poolings have kept; the map from below has lost it.",
        },
        reference="a",
        because=(
            "Poolings widen the view and lose the place. The paper combines high-resolution features of the "
            "contracting path with the enlarged output, and convolutions learn from both to be more precise."
        ),
        hints=(
            "How much of the image does a place of the skip see, and how much one of the map from below?",
            "Which of the two went through poolings that the other did not?",
        ),
        wrong={
            "b": "They come from different depths: one went through more poolings than the other.",
            "c": "It does help the gradient, as in lesson 13; but an added skip would do so, too, and without the skip "
            "the output would be blurred.",
            "d": "It is the other way: the skip has seen little of the image, and knows that to the pixel.",
        },
    ),
    ChoiceExercise(
        name="unet.why_no_seams",
        title="Why are there no seams?",
        lesson=31,
        question=(
            "A U-Net without padding segments a large image in windows that overlap. At the border of the image, "
            "windows are completed by its mirror image. Why does the result have no seams between tiles?"
        ),
        options={
            "a": "Because the mirror makes neighbouring tiles alike where they meet.",
            "b": "Because overlapping predictions are averaged where tiles meet.",
            "c": "Because the network was trained on mirrored tiles.",
            "d": "Because windows overlap: a pixel sees the same image around it, whichever tile it is in.",
        },
        reference="d",
        because=(
            "Windows overlap, tiles do not: a pixel next to the line between two tiles sees the same neighbourhood in "
            "either window. That is why the result equals that of one pass. Mirroring is for the border of the image."
        ),
        hints=(
            "Take a pixel just left of the line between two tiles. Which input pixels does its output depend on?",
            "Would there be seams inside of the image if zeros were put around it in place of the mirror?",
        ),
        wrong={
            "a": "Inside of the image nothing is mirrored: a window's context there is the image itself.",
            "b": "Nothing is averaged: every pixel is predicted once.",
            "c": "Training helps at the border of the image. Seams would be absent with random weights, too.",
        },
    ),
]
