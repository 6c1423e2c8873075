"""Lesson 22, SSD: the table to fill in and two questions."""

from functools import cache

from crashcourse.detection.ssd_boxes import SSD300
from crashcourse.exercises.questions import AnswerExercise, ChoiceExercise


@cache
def _table() -> dict[str, int]:
    """Counts of SSD300, from the package's default boxes."""
    names = ("conv4_3", "fc7", "conv8", "conv9", "conv10", "conv11")
    rows = {
        f"{name}: {side}×{side}, {boxes} at a place": count
        for name, side, boxes, count in zip(names, SSD300.maps, SSD300.per_place, SSD300.counts, strict=True)
    }
    outputs = SSD300.per_place[0] * (21 + 4)
    return {
        **rows,
        "default boxes in all": len(SSD300),
        "outputs at a place of conv4_3, 21 classes": outputs,
        "weights and biases of both heads on conv4_3": outputs * (512 * 9 + 1),
        "boxes of YOLO, 7×7 cells": 7 * 7 * 2,
    }


QUESTIONS = [
    AnswerExercise(
        name="ssd.maps",
        title="Maps and boxes of SSD300",
        lesson=22,
        question=(
            "How many default boxes does each map have, and how many are there in all? conv4_3 has 512 channels; both "
            "heads on it are 3×3 convolutions, one for 21 class scores and one for 4 offsets of each default box."
        ),
        reference=_table,
        because=(
            "5776 + 2166 + 600 + 150 + 36 + 4 = 8732, and two thirds of them belong to the finest map. A place of "
            "conv4_3 has 4 · (21 + 4) = 100 outputs, each with 9 · 512 weights and a bias."
        ),
        hints=(
            "A map of 38×38 has 38 · 38 places.",
            "Default boxes of a map: places times boxes at a place. Outputs: each box has 21 scores and 4 offsets.",
            "38 · 38 · 4 for the first. Weights of a 3×3 convolution: 9 · 512 · outputs, and a bias for each output.",
        ),
        wrong={
            "places_not_boxes": (
                {
                    "conv4_3: 38×38, 4 at a place": 38 * 38,
                    "fc7: 19×19, 6 at a place": 19 * 19,
                    "conv8: 10×10, 6 at a place": 100,
                },
                "Those are places. Each has several default boxes.",
            ),
            "side_times_boxes": (
                {"conv4_3: 38×38, 4 at a place": 38 * 4, "fc7: 19×19, 6 at a place": 19 * 6},
                "A map has side · side places, not side.",
            ),
            "six_everywhere": (
                {"conv4_3: 38×38, 4 at a place": 38 * 38 * 6, "conv10: 3×3, 4 at a place": 54},
                "The first and the last two maps leave out the ratios 3 and 1/3: four boxes at a place.",
            ),
            "four_everywhere": (
                {"fc7: 19×19, 6 at a place": 19 * 19 * 4, "conv8: 10×10, 6 at a place": 400},
                "These maps have the ratios 3 and 1/3 besides: six boxes at a place.",
            ),
            "places_in_all": (
                {"default boxes in all": 1940},
                "Those are all places. Add up the default boxes of the six maps.",
            ),
            "without_the_last": (
                {"default boxes in all": 8728},
                "The last map is missing in your sum: one place, four boxes.",
            ),
            "without_the_first": (
                {"default boxes in all": 2956},
                "The finest map is missing in your sum. It has more boxes than the others together.",
            ),
            "six_in_all": (
                {"default boxes in all": 11_640},
                "That counts six boxes at each of 1940 places. Three of the maps have four.",
            ),
            "four_in_all": (
                {"default boxes in all": 7760},
                "That counts four boxes at each of 1940 places. Three of the maps have six.",
            ),
            "scores_only": (
                {"outputs at a place of conv4_3, 21 classes": 84},
                "You counted the class scores alone. Each default box has 4 offsets, too.",
            ),
            "head_of_the_scores": (
                {"weights and biases of both heads on conv4_3": 84 * (512 * 9 + 1)},
                "That is the head for the scores. The one for the offsets has 4 · 4 outputs more.",
            ),
            "no_background": (
                {"outputs at a place of conv4_3, 21 classes": 96},
                "You left a class out: 21 counts background, and each box has a score for it.",
            ),
            "outputs_of_the_map": (
                {"outputs at a place of conv4_3, 21 classes": 38 * 38 * 100},
                "Those are the outputs of all 38 · 38 places. Only one place is asked for.",
            ),
            "one_box": (
                {"outputs at a place of conv4_3, 21 classes": 25},
                "25 numbers describe one default box. A place of conv4_3 has four.",
            ),
            "one_set_of_scores": (
                {"outputs at a place of conv4_3, 21 classes": 37},
                "You share the class scores between the boxes of a place, as YOLO v1 does. Here each box has its own.",
            ),
            "classes_and_background": (
                {"outputs at a place of conv4_3, 21 classes": 104},
                "Background is one of the 21 already.",
            ),
            "no_bias": (
                {"weights and biases of both heads on conv4_3": 100 * 512 * 9},
                "Each of the 100 outputs has a bias, too.",
            ),
            "one_by_one": (
                {"weights and biases of both heads on conv4_3": 100 * 513},
                "The heads are 3×3 convolutions: nine weights for each channel.",
            ),
            "three_weights": (
                {"weights and biases of both heads on conv4_3": 100 * (512 * 3 + 1)},
                "A 3×3 kernel has nine weights for each channel, not three.",
            ),
            "one_channel": (
                {"weights and biases of both heads on conv4_3": 100 * (9 + 1)},
                "Each output looks at all 512 channels of the map.",
            ),
            "weights_of_one_box": (
                {"weights and biases of both heads on conv4_3": 25 * (512 * 9 + 1)},
                "Those are the weights for one default box. Each of the four at a place has its own.",
            ),
            "weights_at_every_place": (
                {"weights and biases of both heads on conv4_3": 38 * 38 * 100 * (512 * 9 + 1)},
                "A convolution has the same weights at every place: the size of the map does not matter.",
            ),
            "cells_only": (
                {"boxes of YOLO, 7×7 cells": 49},
                "Each cell has two boxes.",
            ),
            "four_in_a_cell": (
                {"boxes of YOLO, 7×7 cells": 196},
                "That counts four boxes in a cell. Lesson 21's YOLO has two.",
            ),
            "yolo_channels": (
                {"boxes of YOLO, 7×7 cells": 7 * 7 * 30},
                "That counts YOLO's outputs. Its boxes: two for each cell.",
            ),
        },
    ),
    ChoiceExercise(
        name="ssd.why_mining",
        title="Why not all negatives?",
        lesson=22,
        question=(
            "In an image with two objects, about 20 of 8732 default boxes learn an object. What happens in the first "
            "steps of training if all the others count as negatives, all alike?"
        ),
        options={
            "a": "The boxes become too large, since background is larger than objects.",
            "b": "Nothing: the loss is divided by the number of positives.",
            "c": "The network learns to say background everywhere, and is slow to learn anything else.",
            "d": "Memory runs out, since every negative needs a gradient.",
        },
        reference="c",
        because=(
            "More than 400 negatives for each positive pull the same way. Saying background everywhere makes the loss "
            "small at once. The hardest ones are those that look like objects: they teach something."
        ),
        hints=(
            "Compare how many default boxes pull towards background with how many pull away from it.",
            "Which constant answer has a small loss, if 99.8 % of all labels are background?",
        ),
        wrong={
            "a": "Negatives have no location loss: nothing is said about their boxes. Look at the class scores.",
            "b": "Dividing changes the size of the gradient, not its direction. The sum has 8712 terms for background.",
            "d": "The gradient of the scores is computed for all boxes anyway; mining sets most of it to 0.",
        },
    ),
    ChoiceExercise(
        name="ssd.why_the_best",
        title="Why two rules?",
        lesson=22,
        question=(
            "Matching lets each object claim the default box that fits it best, besides all pairs with an IoU above "
            "0.5. Which objects need that?"
        ),
        options={
            "a": "Large ones: they overlap too many default boxes.",
            "b": "Those between two classes.",
            "c": "Those hidden behind others.",
            "d": "Those smaller than the smallest default box, or longer than any.",
        },
        reference="d",
        because=(
            "An object of 10×10 pixels inside a default box of 30×30 has an IoU of 1/9, wherever it lies. Without the "
            "second rule no default box would learn it, and the network would be taught that it is background."
        ),
        hints=(
            "For which objects is every IoU with a default box below 0.5?",
            "Compute the IoU of a 10×10 box inside one of 30×30.",
        ),
        wrong={
            "a": "Where default boxes of about its size and shape lie, a large object is above the threshold with "
            "several: the first rule is enough for it.",
            "b": "Matching looks at boxes alone. Classes come later.",
            "c": "Matching does not look at the image: a hidden object's box is a box like others.",
        },
    ),
]
