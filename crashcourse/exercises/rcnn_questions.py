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
            "coordinates_of_anchors": (
                {"anchors of the image": 38 * 50 * 9 * 4},
                "Those are coordinates. An anchor is counted once, with its four numbers.",
            ),
            "outputs_of_anchors": (
                {"anchors of the image": 38 * 50 * 9 * 5},
                "Those are all outputs of the RPN, five for each anchor. Count the anchors.",
            ),
            "anchors_of_pixels": (
                {"anchors of the image": 608 * 800 * 9},
                "You put nine anchors at every pixel. They lie at the places of the map.",
            ),
            "turned": (
                {"map of VGG-16: shape": (512, 50, 38)},
                "Height comes before width: 608 is the height.",
            ),
            "pooled_to_the_map": (
                {"one region after RoIPool: shape": (512, 38, 50)},
                "That is the whole map. A region is pooled to 7×7, whatever its size.",
            ),
            "flat_region": (
                {"one region after RoIPool: shape": (25_088, 1, 1)},
                "That is what the dense layer sees after flattening. RoIPool gives out maps of 7×7.",
            ),
            "region_of_4096": (
                {"one region after RoIPool: shape": (4096, 7, 7)},
                "4096 comes later, out of the dense layers. RoIPool keeps the channels of the map.",
            ),
            "channels_last": (
                {"map of VGG-16: shape": (38, 50, 512)},
                "The map: channels come first, (C, H, W).",
            ),
            "region_channels_last": (
                {"one region after RoIPool: shape": (7, 7, 512)},
                "The region: channels come first, (C, H, W).",
            ),
            "one_anchor_scored": (
                {"RPN, both 1×1 layers: outputs at a place": 5},
                "Those are the outputs for one anchor. Nine lie at a place.",
            ),
            "deltas_once": (
                {"RPN, both 1×1 layers: outputs at a place": 13},
                "You gave a place four deltas in all. Each of its nine anchors has its own four.",
            ),
            "objectness_only": (
                {"RPN, both 1×1 layers: outputs at a place": 9},
                "That is the objectness. Each anchor has four deltas, too.",
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
                {"RPN: parameters": 2_382_336},
                "The RPN's biases are missing: one for each of 512 channels, and one for each of 45 outputs.",
            ),
            "no_biases_in_the_last": (
                {"RPN: parameters": 2_382_848},
                "The biases of the 1×1 layers are missing, one for each output.",
            ),
            "no_biases_in_the_first": (
                {"RPN: parameters": 2_382_381},
                "The biases of the 3×3 convolution are missing, one for each of its 512 channels.",
            ),
            "first_1x1": (
                {"RPN: parameters": 285_741},
                "You took the first convolution for a 1×1. It is a 3×3, with nine times the weights.",
            ),
            "two_scores_in_the_rpn": (
                {"RPN: parameters": 2_387_510},
                "You gave each anchor two scores, as the paper's code does: 54 outputs. Here there are 45.",
            ),
            "at_every_place": (
                {"RPN: parameters": 2_382_893 * 38 * 50},
                "You multiplied by the places. A convolution uses the same weights at all of them.",
            ),
            "dense_without_biases": (
                {"first dense layer: parameters": 102_760_448},
                "The dense layer's biases are missing, one for each of its 4096 outputs.",
            ),
            "dense_over_places": (
                {"first dense layer: parameters": 204_800},
                "You count 49 inputs. The dense layer sees 512 channels at each of the 49 places.",
            ),
            "dense_from_4096": (
                {"first dense layer: parameters": 16_781_312},
                "That is the second dense layer, from 4096 to 4096. The first sees the pooled region.",
            ),
            "dense_over_the_map": (
                {"first dense layer: parameters": 512 * 38 * 50 * 4096 + 4096},
                "You count the whole map as input. The dense layer sees one region, pooled to 7×7.",
            ),
            "dense_over_channels": (
                {"first dense layer: parameters": 2_101_248},
                "You count 512 inputs. The dense layer sees all 7 · 7 places of all 512 channels.",
            ),
            "shared_deltas": (
                {"predictor: outputs for a region": 25},
                "You gave a region four deltas in all. Each class has its own four.",
            ),
            "without_deltas": (
                {"predictor: outputs for a region": 21},
                "Those are the scores. Four deltas for each class come on top.",
            ),
            "without_scores": (
                {"predictor: outputs for a region": 84},
                "Those are the deltas. A score for each class comes on top.",
            ),
            "no_deltas_for_background": (
                {"predictor: outputs for a region": 101},
                "You left out the deltas of background. They are never used, but the layer has them: 21 · 4.",
            ),
            "no_score_for_background": (
                {"predictor: outputs for a region": 104},
                "You left out the score of background. It is a class to choose: 21 scores.",
            ),
            "shared_deltas_without_background": (
                {"predictor: outputs for a region": 24},
                "Background has a score as well, and each class has four deltas of its own.",
            ),
            "without_background": (
                {"predictor: outputs for a region": 100},
                "Background is a class as well: 21 of them.",
            ),
            "once_for_all": (
                {"runs of the backbone, R-CNN": 1},
                "That is Fast R-CNN. R-CNN runs the network on each cut-out proposal.",
            ),
            "one_for_each_anchor": (
                {"runs of the backbone, R-CNN": 17_100},
                "You count anchors. R-CNN has none: it runs once for each of its 2000 proposals.",
            ),
            "one_more": (
                {"runs of the backbone, R-CNN": 2001},
                "R-CNN does not look at the whole image: one run for each proposal, and no more.",
            ),
            "two_runs": (
                {"runs of the backbone, Fast R-CNN": 2},
                "The second stage has dense layers only, on what is cut out of the map. The backbone runs once.",
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
            "a": "A step draws a fixed number of anchors, however many candidates there are.",
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
