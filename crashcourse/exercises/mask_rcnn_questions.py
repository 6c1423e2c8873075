"""Lesson 24, Mask R-CNN: the table to fill in and the question. Papers: arXiv 1612.03144 and 1703.06870."""

from functools import cache

import torch

from crashcourse.detection.fpn import assign_levels
from crashcourse.detection.mask_rcnn import maskrcnn_resnet50_fpn
from crashcourse.exercises.questions import AnswerExercise, ChoiceExercise
from crashcourse.inspection import count_parameters


@cache
def _table() -> dict[str, tuple[int, ...] | int]:
    """Shapes, levels and parameters of Mask R-CNN over ResNet-50, from the live network."""
    boxes = torch.tensor([[0.0, 0.0, 112.0, 112.0], [0.0, 0.0, 448.0, 28.0]])
    square, flat = assign_levels(boxes, 2, 5).tolist()
    with torch.device("meta"):
        model = maskrcnn_resnet50_fpn()
        heads = model.roi_heads
        levels = model.backbone(torch.zeros(1, 3, 800, 1088))
        pooled = torch.zeros(1, 256, *heads.mask_roi_pool.output_size)
        masks = heads.mask_predictor(heads.mask_head(pooled))
    return {
        "P2: shape": tuple(levels[0].shape[1:]),
        "P5: shape": tuple(levels[3].shape[1:]),
        "level of a box of 112×112 pixels": square,
        "level of a box of 448×28 pixels": flat,
        "1×1 lateral from 2048 to 256 channels: parameters": count_parameters(model.backbone.fpn.inner_blocks[3]),
        "pooled for the mask branch: shape": tuple(pooled.shape[1:]),
        "masks of one region: shape": tuple(masks.shape[1:]),
        "transposed 2×2, 256 to 256: parameters": count_parameters(heads.mask_predictor.conv5_mask),
        "RoIPool, stride 16: where x = 100 is read, in pixels": round(100 / 16) * 16,
    }


QUESTIONS = [
    AnswerExercise(
        name="mask_rcnn.shapes",
        title="Shapes, levels and parameters of Mask R-CNN",
        lesson=24,
        question=(
            "Mask R-CNN over ResNet-50 with a pyramid of 256 channels, an image of 800×1088, and 91 classes with "
            "background. Shapes are (C, H, W). Convolutions have biases."
        ),
        reference=_table,
        because=(
            "A level depends on the area, so that a long thin box comes from the same level as a square one. And "
            "RoIPool rounds 100 / 16 = 6.25 to 6: it reads 4 pixels beside the box."
        ),
        hints=(
            "P2 has a stride of 4, and each level after it doubles that. A level is ⌊4 + log2(√(w h) / 224)⌋.",
            "A convolution has k² · in · out weights and out biases. The mask branch takes 14×14 and doubles the side "
            "once; it ends with a mask for each class.",
            "√(448 · 28) = 112, half of 224. 2048 · 256 + 256. 2 · 2 · 256 · 256 + 256. 6 · 16.",
        ),
        wrong={
            "stride_2": (
                {"P2: shape": (256, 400, 544)},
                "That is a stride of 2. The stem of a ResNet halves twice, by the 7×7 and by the max-pool.",
            ),
            "one_finer": (
                {"P5: shape": (256, 50, 68)},
                "That is P4. Each level halves once more: strides 4, 8, 16, 32.",
            ),
            "one_coarser": (
                {"P5: shape": (256, 13, 17)},
                "That is the level after it, with a stride of 64.",
            ),
            "backbone_channels": (
                {"P5: shape": (2048, 25, 34)},
                "2048 is C5, of the backbone. The 1×1 laterals make 256 channels of every level.",
            ),
            "channels_last": (
                {"P2: shape": (200, 272, 256)},
                "P2: channels come first: (C, H, W).",
            ),
            "channels_last_above": (
                {"P5: shape": (25, 34, 256)},
                "P5: channels come first: (C, H, W).",
            ),
            "turned": (
                {"P2: shape": (256, 272, 200)},
                "P2: height comes before width, and 800 is the height.",
            ),
            "turned_above": (
                {"P5: shape": (256, 34, 25)},
                "P5: height comes before width, and 800 is the height.",
            ),
            "stem_channels": (
                {"P2: shape": (64, 200, 272)},
                "64 channels come out of the stem. Every level of the pyramid has 256.",
            ),
            "stride_8": (
                {"P2: shape": (256, 100, 136)},
                "That is P3, with a stride of 8.",
            ),
            "level_rounded_up": (
                {"level of a box of 112×112 pixels": 4},
                "112×112: level 4 is for 224. Half the side is one level finer.",
            ),
            "flat_level_rounded_up": (
                {"level of a box of 448×28 pixels": 4},
                "448×28: its area is that of 112×112, and level 4 is for 224×224.",
            ),
            "level_the_wrong_way": (
                {"level of a box of 112×112 pixels": 5},
                "112×112: smaller boxes come from finer levels, and those have lower numbers.",
            ),
            "level_by_area": (
                {"level of a box of 112×112 pixels": 2},
                "A quarter of the area is half the side, and that is one level finer than 4, not two.",
            ),
            "level_by_long_side": (
                {"level of a box of 448×28 pixels": 5},
                "448 is the long side. The level goes by the square root of the area.",
            ),
            "level_by_short_side": (
                {"level of a box of 448×28 pixels": 2},
                "28 is the short side. The level goes by the square root of the area: √(448 · 28) = 112, half of 224.",
            ),
            "no_bias": (
                {
                    "1×1 lateral from 2048 to 256 channels: parameters": 524_288,
                    "transposed 2×2, 256 to 256: parameters": 262_144,
                },
                "The biases are missing, one for each channel that comes out.",
            ),
            "lateral_bias_per_input": (
                {"1×1 lateral from 2048 to 256 channels: parameters": 526_336},
                "You count a bias for each channel that comes in. There is one for each that comes out.",
            ),
            "lateral_3x3": (
                {"1×1 lateral from 2048 to 256 channels: parameters": 4_718_848},
                "That is a 3×3. The lateral is a 1×1; the 3×3 smooths afterwards, from 256 to 256.",
            ),
            "transposed_3x3": (
                {"transposed 2×2, 256 to 256: parameters": 590_080},
                "That is one of the four 3×3 before it. The transposed convolution has a kernel of 2×2.",
            ),
            "transposed_once": (
                {"transposed 2×2, 256 to 256: parameters": 65_792},
                "That is a 1×1. A transposed convolution has weights for each of its 2×2 places, like any other.",
            ),
            "box_pool": (
                {"pooled for the mask branch: shape": (256, 7, 7)},
                "7×7 is for the box head. The mask branch pools finer: 14×14.",
            ),
            "pooled_as_mask": (
                {"pooled for the mask branch: shape": (256, 28, 28)},
                "28 is the side at the end, after the transposed convolution has doubled it.",
            ),
            "coco_classes": (
                {"masks of one region: shape": (80, 28, 28)},
                "COCO has 80 classes, but their numbers run to 90, and 0 is background: this network has 91.",
            ),
            "masks_last": (
                {"masks of one region: shape": (28, 28, 91)},
                "Channels come first: (C, H, W), here a channel for each class.",
            ),
            "pooled_last": (
                {"pooled for the mask branch: shape": (14, 14, 256)},
                "Channels come first: (C, H, W).",
            ),
            "one_mask": (
                {"masks of one region: shape": (1, 28, 28)},
                "One mask is what is left after the class is chosen. The branch gives a mask for every class.",
            ),
            "without_background": (
                {"masks of one region: shape": (90, 28, 28)},
                "In this network background has a mask too, which never learns. The paper needs 90; torchvision, whose "
                "weights fit, has 91.",
            ),
            "mask_not_doubled": (
                {"masks of one region: shape": (91, 14, 14)},
                "The transposed convolution doubles the side.",
            ),
            "mask_channels": (
                {"masks of one region: shape": (256, 28, 28)},
                "256 channels come out of the transposed convolution. A 1×1 makes one mask for each class of them.",
            ),
            "not_rounded": (
                {"RoIPool, stride 16: where x = 100 is read, in pixels": 100},
                "RoIPool rounds: 100 / 16 = 6.25 becomes 6. Where does place 6 of the map lie in the image?",
            ),
            "rounded_up": (
                {"RoIPool, stride 16: where x = 100 is read, in pixels": 112},
                "112 is where cell 6 ends. Its first pixel counts: 6.25 is rounded to 6, and cell 6 begins at 6 · 16.",
            ),
            "centre_of_the_cell": (
                {"RoIPool, stride 16: where x = 100 is read, in pixels": 104},
                "104 is the middle of cell 6. RoIPool takes whole cells: it reads from where the cell begins.",
            ),
            "not_rounded_in_the_map": (
                {"RoIPool, stride 16: where x = 100 is read, in pixels": 6.25},
                "6.25 is the place in the map before it is rounded. Round it, and go back to pixels.",
            ),
            "in_the_map": (
                {"RoIPool, stride 16: where x = 100 is read, in pixels": 6},
                "6 is the place in the map. In pixels of the image it is 16 times that.",
            ),
        },
    ),
    ChoiceExercise(
        name="mask_rcnn.sigmoid",
        title="Why sigmoid and not softmax",
        lesson=24,
        question=(
            "The branch draws a mask for every class, each with a sigmoid, and learns only that of the true class. "
            "With a softmax over the classes at each pixel it loses 5.5 points of mask AP. Why?"
        ),
        options={
            "a": "With a softmax two objects could not overlap any more.",
            "b": "A softmax over 80 classes is too slow at every pixel.",
            "c": "With a softmax the masks compete: the branch has to classify as well, although the box head does.",
            "d": "A softmax cannot say that a pixel belongs to nothing.",
        },
        reference="c",
        because=(
            "The paper decouples the two questions: what is it? (box head) and where is it? (mask branch). In its "
            "Table 2b, over ResNet-50-C4, softmax reaches 24.8 AP and sigmoid 30.3."
        ),
        hints=(
            "Which other part of the network says what the object is?",
            "With a softmax, what happens to the probability of the dog's mask when the cat's logit rises?",
        ),
        wrong={
            "a": "Two objects are two regions, each with masks of its own. They may overlap with either.",
            "b": "It costs a few thousand exponentials for a region. The loss of AP is not a matter of time.",
            "d": "It could: with a class for background, as the box head has one, and networks that segment images.",
        },
    ),
]
