"""Recipe of lesson 23: a small Faster R-CNN on scenes.

Papers: Ren et al., 2015, arXiv:1506.01497; RoIAlign in place of RoIPool: He et al., 2017, arXiv:1703.06870, section 3.
**Differs from the papers:** no pretraining; AdamW under one cycle; all four losses together; whole images at one size.
"""

from torch import Tensor

from crashcourse.detection.faster_rcnn import ALIGNED, SMALL_SIZES, FasterRCNN, small_faster_rcnn
from crashcourse.detection.roi_pool import roi_pool
from crashcourse.recipes.base import Job, Recipe, Run, Scale
from crashcourse.recipes.detector import train_on_scenes
from crashcourse.recipes.detector_data import Objects

SCENES = "scenes: garments of Fashion-MNIST (MIT licence) on photographs; see data/README.md"
POOLS = {"roi_align": ALIGNED, "roi_pool": roi_pool}


def faster_rcnn_step(model: FasterRCNN, batch: tuple[Tensor, list[Objects]]) -> dict[str, Tensor]:
    """The step of Faster R-CNN: the sum of its four losses, and each by its name.

    Args:
        model: images and targets -> losses; its labels begin at 1.
        batch: images `(N, 3, H, W)` float in [0, 1], and for each its objects, whose labels begin at 0.
    """
    images, targets = batch
    places = images.device
    losses = model(
        images, [{"boxes": t["boxes"].to(places), "labels": t["labels"].to(places) + 1} for t in targets]
    )  # fmt: skip
    return {"loss": sum(losses.values()), **losses}


def faster_rcnn_predict(model: FasterRCNN, images: Tensor) -> list[dict[str, Tensor]]:
    """Detections with labels from 0, scores from 0.05 on."""
    return [{**found, "labels": found["labels"] - 1} for found in model(images)]


def faster_rcnn_variant(variant: str, scale: Scale) -> FasterRCNN:
    """The small network of a variant; anchors grow with the scenes."""
    sizes = [size * scale.image_size / 112 for size in SMALL_SIZES]
    return small_faster_rcnn(width=scale.width, pool=POOLS[variant], sizes=sizes)


def _train_scenes(job: Job) -> Run:
    model = faster_rcnn_variant(job.variant, job.scale)
    return train_on_scenes(model, job, step=faster_rcnn_step, predict=faster_rcnn_predict)


LAPTOP = Scale(
    epochs=4,
    batch_size=8,
    learning_rate=5e-3,
    compares=("roi_align",),
    stages=(),
    data="scenes",
    image_size=112,
    images=2000,
    test_images=300,
    objects=(1, 6),
)

FASTER_RCNN_SCENES = Recipe(
    name="faster_rcnn_scenes",
    title="a small Faster R-CNN on scenes",
    data=SCENES,
    variants={"roi_align": "regions pooled by RoIAlign", "roi_pool": "regions pooled by RoIPool, as in the paper"},
    scales={
        "laptop": LAPTOP,
        "study": Scale(
            epochs=12,
            batch_size=8,
            learning_rate=5e-3,
            compares=("roi_align", "roi_pool"),
            stages=(),
            data="scenes",
            image_size=112,
            images=2000,
            test_images=300,
            objects=(1, 6),
        ),
        "gpu": Scale(
            epochs=30,
            batch_size=32,
            learning_rate=5e-3,
            width=48,
            compares=("roi_align", "roi_pool"),
            stages=(),
            data="scenes",
            image_size=224,
            images=20000,
            test_images=1000,
            objects=(1, 12),
        ),
    },
    run=_train_scenes,
)

RECIPES = [FASTER_RCNN_SCENES]
