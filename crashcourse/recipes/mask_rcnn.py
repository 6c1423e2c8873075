"""Recipe of lesson 24: a small Mask R-CNN on scenes.

Paper: He et al., 2017, arXiv:1703.06870: the branch (section 3), RoIAlign against RoIPool (tables 2c and 2d).
**Differs from the paper:** no pretraining; AdamW under one cycle; whole images at one size; RoIPool stands in for
RoIAlign in both branches.
"""

from dataclasses import replace

import torch
from torch import Tensor

from crashcourse.detection.average_precision import COCO_THRESHOLDS, DetectionScores
from crashcourse.detection.detection_images import resize_boxes
from crashcourse.detection.mask_rcnn import MaskRCNN, small_mask_rcnn
from crashcourse.recipes.base import Job, Recipe, Run, Scale
from crashcourse.recipes.detector import DetectorSettings, train_on_scenes
from crashcourse.recipes.detector_data import (
    GPU_IMAGES,
    LAPTOP_IMAGES,
    SCENES_CARD,
    STUDY_IMAGES,
    DetectionData,
    detection_data,
)
from crashcourse.recipes.faster_rcnn import POOLS, anchor_sides, faster_rcnn_step

SETTINGS = DetectorSettings(watched=50)


def mask_rcnn_predict(model: MaskRCNN, images: Tensor) -> list[dict[str, Tensor]]:
    """Detections with labels from 0, and "masks" `(D, H, W)` bool: where the probability is above one half."""
    return [{**found, "labels": found["labels"] - 1, "masks": found["masks"] > 0.5} for found in model(images)]


def boxes_only(model: MaskRCNN, images: Tensor) -> list[dict[str, Tensor]]:
    """The boxes, scores and labels of `mask_rcnn_predict`, without the time and the memory that masks take."""
    batch, _ = model.transform(images)
    features = model.backbone(batch.tensor)
    proposals, _ = model.rpn(batch, features)
    found = zip(model.roi_heads.detect(features, proposals, batch.sizes), batch.sizes, batch.original, strict=True)
    return [
        {**own, "boxes": resize_boxes(own["boxes"], size, original), "labels": own["labels"] - 1}
        for own, size, original in found
    ]


@torch.no_grad()
def mask_scores(model: MaskRCNN, data: DetectionData, *, batch_size: int = 25) -> dict[str, float]:
    """Average precision of masks by COCO's rules. Call `model.eval()` first.

    Args:
        model: a trained network.
        data: images whose objects have masks.
        batch_size: masks of so many images are in memory at a time.

    Returns:
        "mask_map50": mean over classes, with a mask IoU of 0.5; "mask_map": at 0.50, 0.55, ..., 0.95.
    """
    device = next(model.parameters()).device
    scores = DetectionScores(len(data.classes), iou_thresholds=COCO_THRESHOLDS, by="masks")
    for start in range(0, len(data), batch_size):
        found = mask_rcnn_predict(model, data.images[start : start + batch_size].to(device).float() / 255)
        for own, target in zip(found, data.targets[start : start + batch_size], strict=True):
            said = {name: own[name].cpu() for name in ("masks", "scores", "labels")}
            scores.add(said, {name: target[name] for name in ("masks", "labels")})
    result = scores.coco()
    return {"mask_map50": result.per_threshold[0.5], "mask_map": result.mean}


def mask_rcnn_variant(variant: str, scale: Scale) -> MaskRCNN:
    """The small network of a variant."""
    return small_mask_rcnn(width=scale.width, pool=POOLS[variant], sizes=anchor_sides(scale))


def _train_scenes(job: Job) -> Run:
    model = mask_rcnn_variant(job.variant, job.scale)
    run = train_on_scenes(model, job, step=faster_rcnn_step, predict=boxes_only, masks=True, settings=SETTINGS)
    masks = mask_scores(run.model, detection_data(job.scale, "test", masks=True))
    return replace(run, metrics={**run.metrics, **masks})


LAPTOP = Scale(
    epochs=2,
    batch_size=8,
    learning_rate=2e-3,
    compares=("roi_align",),
    stages=(),
    **LAPTOP_IMAGES,
)

MASK_RCNN_SCENES = Recipe(
    name="mask_rcnn_scenes",
    title="a small Mask R-CNN on scenes",
    data=SCENES_CARD,
    variants={"roi_align": "regions pooled by RoIAlign", "roi_pool": "regions pooled by RoIPool, in both branches"},
    scales={
        "laptop": LAPTOP,
        "study": replace(LAPTOP, epochs=4, compares=("roi_align", "roi_pool"), **STUDY_IMAGES),
        "gpu": replace(
            LAPTOP,
            epochs=30,
            batch_size=32,
            width=48,
            compares=("roi_align", "roi_pool"),
            **GPU_IMAGES,
        ),
    },
    run=_train_scenes,
)

RECIPES = [MASK_RCNN_SCENES]
