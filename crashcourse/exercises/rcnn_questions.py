"""Lesson 23, the R-CNN family: the table to fill in and two questions."""

from functools import cache

import torch

from crashcourse.detection.faster_rcnn import fasterrcnn_vgg16
from crashcourse.exercises.questions import AnswerExercise, ChoiceExercise
from crashcourse.inspection import count_parameters


@cache
def _table() -> dict[str, tuple[int, ...] | int]:
    """Shapes and parameters of the paper's Faster R-CNN, read from the live network."""
    with torch.device("meta"):
        network = fasterrcnn_vgg16()
        (features,) = network.backbone(torch.zeros(1, 3, 608, 800))
    heads = network.roi_heads
    return {
        "map of VGG-16: shape": tuple(features.shape[1:]),
        "anchors of the image": features.shape[2] * features.shape[3] * network.rpn.anchors.per_place,
        "one region after RoIPool: shape": (features.shape[1], *heads.box_roi_pool.output_size),
        "RPN, both 1×1 layers: outputs at a place": 5 * network.rpn.anchors.per_place,
        "RPN: parameters": count_parameters(network.rpn),
        "first dense layer: parameters": count_parameters(heads.box_head[1]),
        "predictor: outputs for a region": heads.box_predictor.cls_score.out_features * 5,
        "runs of the backbone, R-CNN": 2000,
        "runs of the backbone, Fast R-CNN": 1,
    }


QUESTIONS = [
    AnswerExercise(
        name="rcnn.counts",
        title="What Faster R-CNN computes",
        lesson=23,
        question=(
            "An image of 608×800 pixels, VGG-16 with stride 16 and 512 channels, nine anchors a place, one objectness "
            "and four deltas for each; RoIPool to 7×7; dense layers of 4096; 20 classes and background, with four "
            "deltas for each. The RPN's 3×3 convolution keeps 512 channels; all layers have biases. Shapes are (C, H, "
            "W). For the last two rows there are 2000 proposals."
        ),
        reference=_table,
        because=(
            "38 · 50 · 9 = 17,100 anchors cost two small convolutions. Nearly all parameters are in the first dense "
            "layer, and the whole step from R-CNN to Fast R-CNN is 2000 runs of the backbone against one."
        ),
        hints=(
            "608 / 16 and 800 / 16 are the sides of the map.",
            "A convolution has k² · in · out weights and out biases; a dense layer in · out + out.",
            "RPN: 9 · 512 · 512 + 512, and for both 1×1 layers 512 · 45 + 45. Predictor: 21 scores and 21 · 4 deltas.",
        ),
        wrong={
            "stride_32": (
                {"map of VGG-16: shape": (512, 19, 25), "anchors of the image": 19 * 25 * 9},
                "That is stride 32. Detectors leave out VGG's last max-pool, so that the stride is 16.",
            ),
            "one_anchor": (
                {"anchors of the image": 38 * 50},
                "Those are places. Each has nine anchors.",
            ),
            "pooled_to_the_map": (
                {"one region after RoIPool: shape": (512, 38, 50)},
                "That is the whole map. A region is pooled to 7×7, whatever its size.",
            ),
            "flat_region": (
                {"one region after RoIPool: shape": (25_088, 1, 1)},
                "That is what the dense layer sees after flattening. RoIPool gives out maps of 7×7.",
            ),
            "channels_last": (
                {"map of VGG-16: shape": (38, 50, 512), "one region after RoIPool: shape": (7, 7, 512)},
                "The order of a shape is (C, H, W): channels first.",
            ),
            "two_scores": (
                {"RPN, both 1×1 layers: outputs at a place": 54},
                "You gave each anchor two scores, as the paper's code does. Here it is one objectness: 9 · (1 + 4).",
            ),
            "deltas_only": (
                {"RPN, both 1×1 layers: outputs at a place": 36},
                "Those are the deltas. Each anchor has an objectness, too.",
            ),
            "no_hidden_layer": (
                {"RPN: parameters": 23_085},
                "Those are the two 1×1 layers. The 3×3 convolution before them is most of the RPN.",
            ),
            "hidden_layer_only": (
                {"RPN: parameters": 2_359_808},
                "That is the 3×3 convolution. The two 1×1 layers come on top.",
            ),
            "no_biases": (
                {"RPN: parameters": 2_382_336, "first dense layer: parameters": 102_760_448},
                "The biases are missing.",
            ),
            "dense_over_channels": (
                {"first dense layer: parameters": 2_101_248},
                "You count 512 inputs. The dense layer sees all 7 · 7 places of all 512 channels.",
            ),
            "shared_deltas": (
                {"predictor: outputs for a region": 25},
                "You gave a region four deltas in all. Each class has its own four.",
            ),
            "without_background": (
                {"predictor: outputs for a region": 100},
                "Background is a class as well: 21 of them.",
            ),
            "once_for_all": (
                {"runs of the backbone, R-CNN": 1},
                "That is Fast R-CNN. R-CNN runs the network on each cut-out proposal.",
            ),
            "one_for_each": (
                {"runs of the backbone, Fast R-CNN": 2000},
                "That is R-CNN. Fast R-CNN runs once, and cuts proposals out of the *map*.",
            ),
        },
    ),
    ChoiceExercise(
        name="rcnn.in_between",
        title="Neither object nor background",
        lesson=23,
        question="Why does the RPN learn nothing from an anchor whose IoU with the nearest object is 0.5?",
        options={
            "a": "There are too many such anchors for the memory.",
            "b": "Its deltas could not be computed.",
            "c": "It covers half an object: calling it either way teaches something wrong.",
            "d": "Suppression drops it afterwards anyway.",
        },
        reference="c",
        because=(
            "Its features are largely an object's. As background it would push down the scores of good anchors beside "
            "it; as an object it would propose loose boxes. In evaluation it gets whatever score follows from the rest."
        ),
        hints=(
            "Imagine the two possible labels. What would the network learn from each?",
            "Think of the anchor right beside it, with an IoU of 0.75.",
        ),
        wrong={
            "a": "256 anchors are sampled in any case, however many candidates there are.",
            "b": "Any two boxes with an area have deltas, also those that do not meet.",
            "d": "Suppression compares anchors with each other, not with the truth. It may well keep this one.",
        },
    ),
    ChoiceExercise(
        name="rcnn.no_gradient",
        title="Why proposals pass no gradient",
        lesson=23,
        question=(
            "The second stage's losses send no gradient through the proposals' coordinates. What trains the boxes of "
            "the RPN?"
        ),
        options={
            "a": "Nothing: anchors are used as they are.",
            "b": "Its own loss: the smooth L1 of its deltas for the sampled positive anchors.",
            "c": "The second stage's box loss, through RoIPool's rounding.",
            "d": "The classification loss of the second stage.",
        },
        reference="b",
        because=(
            "RoIPool rounds coordinates, and a rounded number has a slope of zero. So the RPN has losses of its own, "
            "two of the four; what both stages share is the backbone."
        ),
        hints=("What is the slope of round(x)?", "Count the four losses, and which stage each belongs to."),
        wrong={
            "a": "The RPN predicts deltas for its anchors, and something must train them.",
            "c": "Rounding has a slope of zero almost everywhere: nothing would arrive.",
            "d": "It reaches the backbone through the features, but not the coordinates of a box.",
        },
    ),
]
