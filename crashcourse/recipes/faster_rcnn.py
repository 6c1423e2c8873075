"""Recipes of lesson 23: a small Faster R-CNN on scenes, and the same, wider, on PASCAL VOC 2007.

Papers: Ren et al., 2015, arXiv:1506.01497; RoIAlign in place of RoIPool: He et al., 2017, arXiv:1703.06870, section 3.
**Differs from the papers:** no pretraining; AdamW under one cycle; all four losses together; whole images at one size.
"""

from dataclasses import replace

from torch import Tensor

from crashcourse.datasets.scene_types import SCENE_CLASSES
from crashcourse.datasets.voc import VOC_CLASSES
from crashcourse.detection.faster_rcnn import ALIGNED, SMALL_SIZES, FasterRCNN, small_faster_rcnn
from crashcourse.detection.roi_pool import roi_pool
from crashcourse.recipes.base import Job, Recipe, Run, Scale
from crashcourse.recipes.detector import train_on_scenes
from crashcourse.recipes.detector_data import (
    GPU_IMAGES,
    LAPTOP_IMAGES,
    SCENES_CARD,
    STUDY_IMAGES,
    VOC_CARD,
    Objects,
)

POOLS = {"roi_pool": roi_pool, "roi_align": ALIGNED}
ANCHOR_SIDES = {"scenes": SMALL_SIZES, "clear_scenes": (20.0, 32.0, 48.0), "voc2007": (14.0, 32.0, 72.0)}
"""Of each set of images, in pixels of images of 112; they grow with the images."""


def faster_rcnn_step(model: FasterRCNN, batch: tuple[Tensor, list[Objects]]) -> dict[str, Tensor]:
    """The step of Faster R-CNN, and of Mask R-CNN: the sum of its losses, four or five, and each by its name.

    Args:
        model: images and targets -> losses; its labels begin at 1.
        batch: images `(N, 3, H, W)` float in [0, 1], and for each its objects, whose labels begin at 0.
    """
    images, targets = batch
    moved = [{name: values.to(images.device) for name, values in target.items()} for target in targets]
    losses = model(images, [{**target, "labels": target["labels"] + 1} for target in moved])
    return {"loss": sum(losses.values()), **losses}


def faster_rcnn_predict(model: FasterRCNN, images: Tensor) -> list[dict[str, Tensor]]:
    """Detections with labels from 0, scores from 0.05 on."""
    return [{**found, "labels": found["labels"] - 1} for found in model(images)]


def anchor_sides(scale: Scale) -> list[float]:
    """Of a scale's images, in pixels: anchors grow with the images."""
    return [side * scale.image_size / 112 for side in ANCHOR_SIDES[scale.data]]


def faster_rcnn_variant(variant: str, scale: Scale) -> FasterRCNN:
    """The small network of a variant."""
    classes = len(VOC_CLASSES) if scale.data == "voc2007" else len(SCENE_CLASSES)
    return small_faster_rcnn(classes, width=scale.width, pool=POOLS[variant], sizes=anchor_sides(scale))


def _train(job: Job) -> Run:
    model = faster_rcnn_variant(job.variant, job.scale)
    return train_on_scenes(model, job, step=faster_rcnn_step, predict=faster_rcnn_predict)


VARIANTS = {"roi_align": "regions pooled by RoIAlign", "roi_pool": "regions pooled by RoIPool, as in the paper"}
LAPTOP = Scale(
    epochs=2,
    batch_size=16,
    learning_rate=5e-3,
    compares=("roi_align",),
    stages=(),
    **LAPTOP_IMAGES,
)
GPU = Scale(
    epochs=30,
    batch_size=32,
    learning_rate=5e-3,
    width=48,
    compares=("roi_align", "roi_pool"),
    stages=(),
    **GPU_IMAGES,
)

FASTER_RCNN_SCENES = Recipe(
    name="faster_rcnn_scenes",
    title="a small Faster R-CNN on scenes",
    data=SCENES_CARD,
    variants=VARIANTS,
    scales={
        "laptop": LAPTOP,
        "study": replace(LAPTOP, epochs=4, compares=("roi_align", "roi_pool"), **STUDY_IMAGES),
        "gpu": GPU,
    },
    run=_train,
)
FASTER_RCNN_VOC = Recipe(
    name="faster_rcnn_voc2007",
    title="a small Faster R-CNN on PASCAL VOC 2007, from scratch",
    data=VOC_CARD,
    variants=VARIANTS,
    scales={
        "gpu": replace(
            GPU, epochs=60, data="voc2007", image_size=256, images=None, test_images=None, objects=None, width=64
        )
    },
    run=_train,
)

RECIPES = [FASTER_RCNN_SCENES, FASTER_RCNN_VOC]
