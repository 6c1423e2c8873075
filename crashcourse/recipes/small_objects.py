"""Study of lesson 22: a small SSD against a small YOLO on small objects.

Both learn from the same images for about the same processor time: each has a number of epochs of its own, set from the
processor seconds that an image took with it. Equal multiply-adds would be something else: SSD's targets and loss cost
time without any, and small batches cost more than large ones. The seconds of a record are those of the clock; they are
equal only where nothing else runs on the machine.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from crashcourse.detection.boxes import box_area
from crashcourse.detection.failures import found_objects
from crashcourse.detection.ssd import small_ssd
from crashcourse.recipes.base import Job, Recipe, Run, Scale
from crashcourse.recipes.detector import MEDIUM, SMALL, Predict, detect, train_on_scenes
from crashcourse.recipes.detector_data import GPU_IMAGES, SCENES_CARD, STUDY_IMAGES, DetectionData, detection_data
from crashcourse.recipes.ssd import SETTINGS as SSD_SETTINGS
from crashcourse.recipes.ssd import ssd_predict, ssd_step
from crashcourse.recipes.yolo import SETTINGS as YOLO_SETTINGS
from crashcourse.recipes.yolo import yolo_predict, yolo_step, yolo_variant

BANDS = ("small", "medium", "large")
"""Of objects: up to (S / 8)², up to (S / 4)², and above, in square pixels of S×S images, as for map50."""
SSD_RATE, SSD_EPOCHS = 5e-3, 1 / 3
"""Its peak learning rate, and its epochs for one of YOLO that take the same time."""


def recall_by_size(found: list[dict[str, Tensor]], data: DetectionData) -> dict[str, float]:
    """How many objects of each size are found: some detection of their class has an IoU of 0.5 or more with them.

    Args:
        found: detections of each image, of any score.
        data: the images' objects.

    Returns:
        "recall_small", "recall_medium", "recall_large", over objects of all classes together.
    """
    hits = torch.cat([found_objects(own, target) for own, target in zip(found, data.targets, strict=True)])
    areas = torch.cat([box_area(target["boxes"]) for target in data.targets])
    limits = torch.tensor([(SMALL * data.size) ** 2, (MEDIUM * data.size) ** 2])
    bands = torch.bucketize(areas, limits)  # 0 up to the first limit
    return {f"recall_{name}": hits[bands == band].float().mean().item() for band, name in enumerate(BANDS)}


def ssd_scale(scale: Scale) -> Scale:
    """SSD's own budget at a scale that says YOLO's: fewer channels, half the batch, its own rate and epochs.

    Found in a few runs of a minute on clear scenes; no grid of settings was searched, for neither of the two.
    """
    epochs, width = round(SSD_EPOCHS * scale.epochs), scale.width // 2
    return replace(scale, epochs=max(1, epochs), width=width, batch_size=scale.batch_size // 2, learning_rate=SSD_RATE)


def _train(job: Job) -> Run:
    classes = len(detection_data(job.scale, "test").classes)
    predict: Predict = ssd_predict if job.variant == "ssd" else yolo_predict
    if job.variant == "ssd":
        job = replace(job, scale=ssd_scale(job.scale))
        model = small_ssd(1 + classes, image=job.scale.image_size, width=job.scale.width)
        run = train_on_scenes(model, job, step=ssd_step, predict=predict, settings=SSD_SETTINGS)
    else:
        model = yolo_variant("per_cell", job.scale, classes)
        run = train_on_scenes(model, job, step=yolo_step, predict=predict, settings=YOLO_SETTINGS)
    test = detection_data(job.scale, "test")
    return replace(run, metrics={**run.metrics, **recall_by_size(detect(predict, run.model, test), test)})


def _scale(epochs: int, **more: Any) -> Scale:
    common = {"batch_size": 16, "learning_rate": 3e-3, "width": 24, "stages": (1, 1, 1), **STUDY_IMAGES}
    return Scale(epochs=epochs, compares=("ssd", "yolo"), **{**common, **more})


SMALL_OBJECTS = Recipe(
    name="small_objects",
    title="a small SSD and a small YOLO on the same scenes for the same time",
    data=SCENES_CARD,
    variants={
        "ssd": "a small SSD: four maps of default boxes",
        "yolo": "a small YOLO v1: cells of 16×16 pixels with two boxes, one set of class scores for each cell",
    },
    scales={
        "laptop": _scale(4, images=1000, test_images=200),
        "study": _scale(18),
        "gpu": _scale(60, batch_size=64, width=72, **GPU_IMAGES),
    },
    run=_train,
    timed=True,
)

RECIPES = [SMALL_OBJECTS]
