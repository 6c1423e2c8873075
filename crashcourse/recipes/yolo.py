"""Recipes of lesson 21: a small YOLO on scenes, and on PASCAL VOC 2007.

Paper: Redmon et al., 2015, arXiv:1506.02640: grid, loss and decoding. **Differs from the paper:** a small network with
batch normalization, no pretraining, AdamW under one cycle, images of one size, and flips alone against overfitting.
The paper's own 63.4 mAP on VOC 2007 needs the large network, pretrained on ImageNet, and VOC 2012 besides.
"""

from torch import Tensor

from crashcourse.datasets.voc import VOC_CLASSES
from crashcourse.detection.yolo import Grid, Target, encode_batch, predict
from crashcourse.detection.yolo_loss import COORD, NO_OBJECT, yolo_v1_loss
from crashcourse.detection.yolo_network import SmallYolo
from crashcourse.recipes.base import Job, Recipe, Run, Scale
from crashcourse.recipes.detector import DetectorSettings, train_on_scenes
from crashcourse.recipes.detector_data import (
    GPU_IMAGES,
    LAPTOP_IMAGES,
    SCENES_CARD,
    STUDY_IMAGES,
    VOC_CARD,
    Objects,
)

CELL = 16  # pixels along a cell's side
LEAST_SCORE = 0.01  # of a detection that is scored: average precision looks at low scores too
SETTINGS = DetectorSettings(watched=50)


def yolo_step(
    model: SmallYolo, batch: tuple[Tensor, list[Objects]], *, coord: float = COORD, no_object: float = NO_OBJECT
) -> dict[str, Tensor]:
    """The step of YOLO v1: the sum of the five terms of equation 3, and each by its name.

    Args:
        model: images -> output, with its grid.
        batch: images `(N, 3, H, W)` float in [0, 1], and for each its objects.
        coord: λ_coord.
        no_object: λ_noobj.
    """
    images, targets = batch
    boxes, labels = ([target[name] for target in targets] for name in ("boxes", "labels"))
    goal = encode_batch(boxes, labels, model.grid, tuple(images.shape[-2:]))
    goal = Target(*(part.to(images.device, non_blocking=True) for part in goal))
    loss = yolo_v1_loss(model(images).float(), goal, model.grid, coord=coord, no_object=no_object)
    return {"loss": loss.total, **loss._asdict()}


def yolo_predict(model: SmallYolo, images: Tensor) -> list[dict[str, Tensor]]:
    """Up to 100 detections an image, with scores from 0.01 on."""
    return predict(model, images, model.grid, least_score=LEAST_SCORE)


def yolo_variant(variant: str, scale: Scale, classes: int) -> SmallYolo:
    """The network of a variant: 16 pixels a cell, two boxes in each."""
    grid = Grid(scale.image_size // CELL, 2, classes, scores_per_box=variant == "per_box")
    return SmallYolo(grid, width=scale.width, stages=scale.stages)


def _train_scenes(job: Job) -> Run:
    weights = {"coord": 1.0, "no_object": 1.0} if job.variant == "equal" else {}

    def step(model: SmallYolo, batch: tuple[Tensor, list[Objects]]) -> dict[str, Tensor]:
        return yolo_step(model, batch, **weights)

    model = yolo_variant(job.variant, job.scale, 5)
    return train_on_scenes(model, job, step=step, predict=yolo_predict, settings=SETTINGS)


def _train_voc(job: Job) -> Run:
    model = yolo_variant(job.variant, job.scale, len(VOC_CLASSES))
    return train_on_scenes(model, job, step=yolo_step, predict=yolo_predict, settings=DetectorSettings(watched=500))


FORMS = {
    "per_cell": "one set of class scores for each cell, as in the paper",
    "per_box": "class scores for each box, as since version 2",
}
YOLO_SCENES = Recipe(
    name="yolo_scenes",
    title="a small YOLO v1 on scenes",
    data=SCENES_CARD,
    variants={**FORMS, "equal": "as per_cell, with both λ of the loss 1"},
    scales={
        "laptop": Scale(
            epochs=8,
            batch_size=16,
            learning_rate=3e-3,
            width=24,
            stages=(1, 1, 1),
            compares=("per_cell",),
            **LAPTOP_IMAGES,
        ),
        "study": Scale(
            epochs=12,
            batch_size=16,
            learning_rate=3e-3,
            width=24,
            stages=(1, 1, 1),
            compares=("per_cell", "per_box", "equal"),
            **STUDY_IMAGES,
        ),
        "gpu": Scale(
            epochs=60,
            batch_size=64,
            learning_rate=3e-3,
            width=64,
            stages=(1, 2, 4),
            compares=("per_cell", "per_box"),
            **GPU_IMAGES,
        ),
    },
    run=_train_scenes,
)

YOLO_VOC = Recipe(
    name="yolo_voc",
    title="a small YOLO v1 on PASCAL VOC 2007, without pretraining",
    data=VOC_CARD,
    variants=FORMS,
    scales={
        "gpu": Scale(
            epochs=120,
            batch_size=64,
            learning_rate=2e-3,
            width=64,
            stages=(1, 2, 4),
            compares=("per_cell", "per_box"),
            data="voc2007",
            image_size=224,
        ),
    },
    run=_train_voc,
)

RECIPES = [YOLO_SCENES, YOLO_VOC]
