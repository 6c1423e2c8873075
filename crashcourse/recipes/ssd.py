"""Recipes of lesson 22: a small SSD on scenes, and SSD300 on PASCAL VOC 2007.

Paper: Liu et al., 2015, arXiv:1512.02325: default boxes, matching, hard negative mining and loss. **Differs from the
paper:** no pretraining, AdamW under one cycle, images of one size, and flips in place of the paper's crops. Its 77.2
mAP on VOC 2007 needs VGG-16 pretrained on ImageNet, and VOC 2012 besides.
"""

from torch import Tensor

from crashcourse.datasets.voc import VOC_CLASSES
from crashcourse.detection.detection_images import MEAN, STD
from crashcourse.detection.ssd import SSD, predict_ssd, small_ssd
from crashcourse.detection.ssd_boxes import SSD300, SsdTarget, encode_ssd_targets, stack_ssd_targets
from crashcourse.detection.ssd_loss import NEGATIVES, multibox_loss
from crashcourse.detection.ssd_maps import VggMaps
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

RATIOS = {"mined": NEGATIVES, "all_negatives": 1e6, "no_negatives": 0.0}
"""Negatives for each positive. A million is all of them wherever an image has an object."""
MOST = 100  # detections in an image
SETTINGS = DetectorSettings(clip_norm=1.0, watched=50)


def ssd_step(model: SSD, batch: tuple[Tensor, list[Objects]], *, ratio: float = NEGATIVES) -> dict[str, Tensor]:
    """The step of SSD: the sum of the two terms of equation 1, and each by its name.

    Args:
        model: images -> offsets and logits, with its default boxes; class 0 is background.
        batch: images `(N, 3, H, W)` float in [0, 1], and for each its objects, whose labels begin at 0.
        ratio: negatives for each positive.
    """
    images, targets = batch
    goal = stack_ssd_targets(
        [encode_ssd_targets(t["boxes"], t["labels"] + 1, model.layout, model.num_classes) for t in targets]
    )
    goal = SsdTarget(*(part.to(images.device, non_blocking=True) for part in goal))
    output = model(images)
    loss = multibox_loss(output.offsets.float(), output.logits.float(), goal, ratio=ratio)
    return {"loss": loss.total, **loss._asdict()}


def ssd_predict(model: SSD, images: Tensor) -> list[dict[str, Tensor]]:
    """Up to 100 detections an image, with labels from 0 and scores from 0.01 on."""
    return [{**found, "labels": found["labels"] - 1} for found in predict_ssd(model, images, most=MOST)]


def _train_scenes(job: Job) -> Run:
    def step(model: SSD, batch: tuple[Tensor, list[Objects]]) -> dict[str, Tensor]:
        return ssd_step(model, batch, ratio=RATIOS[job.variant])

    model = small_ssd(6, image=job.scale.image_size, width=job.scale.width)
    return train_on_scenes(model, job, step=step, predict=ssd_predict, settings=SETTINGS)


def _train_voc(job: Job) -> Run:
    # random weights by He's rule want inputs about as large as 1; those of `ssd300_vgg16` go up to 150, as its own do
    model = SSD(VggMaps(), SSD300, 1 + len(VOC_CLASSES), mean=MEAN, std=STD)
    settings = DetectorSettings(clip_norm=1.0, watched=500)
    return train_on_scenes(model, job, step=ssd_step, predict=ssd_predict, settings=settings)


SSD_SCENES = Recipe(
    name="ssd_scenes",
    title="a small SSD on scenes",
    data=SCENES_CARD,
    variants={
        "mined": "three hard negatives for each positive, as in the paper",
        "all_negatives": "every negative counts",
        "no_negatives": "no negative counts",
    },
    scales={
        "laptop": Scale(
            epochs=2,
            batch_size=8,
            learning_rate=5e-3,
            width=12,
            stages=(),
            compares=("mined",),
            **LAPTOP_IMAGES,
        ),
        "study": Scale(
            epochs=4,
            batch_size=8,
            learning_rate=5e-3,
            width=12,
            stages=(),
            compares=("mined", "all_negatives", "no_negatives"),
            **STUDY_IMAGES,
        ),
        "gpu": Scale(
            epochs=60,
            batch_size=64,
            learning_rate=5e-3,
            width=48,
            stages=(),
            compares=("mined", "all_negatives"),
            **GPU_IMAGES,
        ),
    },
    run=_train_scenes,
)

SSD_VOC = Recipe(
    name="ssd_voc",
    title="SSD300 on PASCAL VOC 2007, without pretraining",
    data=VOC_CARD,
    variants={"ssd300": "VGG-16, six maps and the paper's 8732 default boxes"},
    scales={
        "gpu": Scale(
            epochs=120,
            batch_size=32,
            learning_rate=3e-4,
            stages=(),
            compares=("ssd300",),
            data="voc2007",
            image_size=300,
        ),
    },
    run=_train_voc,
)

RECIPES = [SSD_SCENES, SSD_VOC]
