"""Study of lesson 24: the four small detectors of part 2 on the same scenes, with what each costs.

All see the same images for as many epochs; width, learning rate and batch are those with which each detector's own
lesson trains it. **Differs from the papers:** everything that made each of them good in its time: its size, its
pretrained backbone, its own training. So the chart says what these small networks do, and not who has won.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

import torch
from torch import nn

from crashcourse.recipes.base import Job, Recipe, Run, Scale, find
from crashcourse.recipes.detector import Predict
from crashcourse.recipes.detector_data import (
    GPU_IMAGES,
    LAPTOP_IMAGES,
    SCENES_CARD,
    DetectionData,
    detection_data,
)
from crashcourse.recipes.faster_rcnn import faster_rcnn_predict
from crashcourse.recipes.mask_rcnn import mask_rcnn_predict
from crashcourse.recipes.ssd import ssd_predict
from crashcourse.recipes.yolo import yolo_predict

TIMED = 40  # images


@dataclass(frozen=True)
class Detector:
    """One of the four.

    Attributes:
        recipe: which trains it, in its default variant.
        predict: images -> detections, with all that the detector gives.
    """

    recipe: str
    predict: Predict


DETECTORS = {
    "yolo": Detector("yolo_scenes", yolo_predict),
    "ssd": Detector("ssd_scenes", ssd_predict),
    "faster_rcnn": Detector("faster_rcnn_scenes", faster_rcnn_predict),
    "mask_rcnn": Detector("mask_rcnn_scenes", mask_rcnn_predict),
}


def detector_scale(name: str, scale: Scale) -> Scale:
    """A detector's own budget at its lesson's laptop scale, on the images and for the epochs of the study."""
    own = find(DETECTORS[name].recipe).scale("laptop")
    images = ("epochs", "data", "image_size", "images", "test_images", "objects")
    batch_size = min(own.batch_size, scale.batch_size)
    return replace(own, batch_size=batch_size, **{field: getattr(scale, field) for field in images})


@torch.no_grad()
def milliseconds_per_image(predict: Predict, model: nn.Module, data: DetectionData) -> float:
    """How long a trained detector takes for one image, from pixels in [0, 1] to detections: the median.

    On a CPU these are milliseconds of the processor, so that whatever else the machine does counts little; on a GPU of
    the clock on the wall.
    """
    device = next(model.parameters()).device
    clock: Callable[[], float] = time.process_time if device.type == "cpu" else time.perf_counter
    spent = []
    for image in data.take(TIMED).images:
        pixels = image[None].to(device).float() / 255
        start = clock()
        for answer in predict(model, pixels):
            answer["scores"].cpu()  # a GPU has finished then
        spent.append(1000 * (clock() - start))
    return median(spent[len(spent) // 4 :])  # the first ones are the warm-up


def _train(job: Job) -> Run:
    detector, scale = DETECTORS[job.variant], detector_scale(job.variant, job.scale)
    recipe = find(detector.recipe)
    run = recipe.run(replace(job, scale=scale, variant=recipe.default))
    test = detection_data(scale, "test")
    metrics = {name: value for name, value in run.metrics.items() if not name.startswith("mask_")}
    spent = milliseconds_per_image(detector.predict, run.model, test)
    return replace(run, metrics={**metrics, "milliseconds": spent})


LAPTOP = Scale(
    epochs=2,
    batch_size=16,
    learning_rate=3e-3,
    compares=tuple(DETECTORS),
    stages=(),
    **LAPTOP_IMAGES,
)

RECIPES = [
    Recipe(
        name="detectors_scenes",
        title="the small detectors of part 2 on the same scenes",
        data=SCENES_CARD,
        variants={
            "yolo": "YOLO v1, cells of 16×16 pixels with two boxes",
            "ssd": "SSD, default boxes on several maps",
            "faster_rcnn": "Faster R-CNN, as lesson 23 trains it",
            "mask_rcnn": "Mask R-CNN, its milliseconds with masks",
        },
        scales={
            "laptop": LAPTOP,
            "study": replace(LAPTOP, epochs=4),
            "gpu": replace(
                LAPTOP,
                epochs=30,
                batch_size=64,
                **GPU_IMAGES,
            ),
        },
        run=_train,
        timed=True,
    )
]
