"""What detectors learn from: images in memory with a list of objects for each, in batches that are flipped at random.

Scenes are made from fixed seeds, so that every detector and every seed of a run sees the same ones; they stay in memory
while Python runs. PASCAL VOC 2007 has the same form.
"""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from crashcourse.datasets.batches import Batches, seeded_generator
from crashcourse.errors import CourseError, unknown
from crashcourse.recipes.base import Scale

Objects = dict[str, Tensor]
"""What is in an image: "boxes" `(M, 4)` float32 xyxy pixels, "labels" `(M,)` int64; where asked "masks" `(M, S, S)`
bool; of VOC also "ignore" `(M,)` bool, objects that are too difficult to count."""
SEEDS = {"train": 1, "test": 2}
"""Of the scenes. Training and test scenes also have no photograph and no garment in common."""
SCENES = {
    "scenes": {"objects": (1, 6), "sides": (0.09, 0.55), "clutter": (0, 3)},
    "clear_scenes": {"objects": (3, 6), "sides": (0.2, 0.5), "clutter": (0, 0)},
}
"""What is in them: arguments of `datasets.scenes`. Clear ones have large garments and nothing else, and several in each
image, so that a small network learns something from them within a minute."""
SCENES_CARD = "scenes: garments of Fashion-MNIST (MIT licence) on photographs; see data/README.md"
VOC_CARD = "PASCAL VOC 2007 (photographs from Flickr under their own terms)"
"""What a recipe says of its data, for the cards of weights."""

LAPTOP_IMAGES: dict[str, Any] = {"data": "clear_scenes", "image_size": 112, "images": 2000, "test_images": 300}
STUDY_IMAGES: dict[str, Any] = {**LAPTOP_IMAGES, "data": "scenes"}
GPU_IMAGES: dict[str, Any] = {
    "data": "scenes",
    "image_size": 224,
    "images": 20000,
    "test_images": 1000,
    "objects": (1, 12),
}
"""The part of a `Scale` that says what detectors see: the same for all of them, unless a recipe says why not."""


@dataclass(frozen=True, eq=False)
class DetectionData:
    """Images of one size with their objects.

    Attributes:
        images: `(N, 3, S, S)` uint8, RGB.
        targets: `Objects` for each image.
        classes: the names of the labels.
        name: one of `SCENES`, or "voc2007".
    """

    images: Tensor
    targets: tuple[Objects, ...]
    classes: tuple[str, ...]
    name: str = "scenes"

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        objects = sum(len(target["labels"]) for target in self.targets)
        return f"DetectionData({len(self)} of {self.size}×{self.size}, {objects} objects)"

    @property
    def size(self) -> int:
        """The side of an image in pixels."""
        return self.images.shape[-1]

    def take(self, count: int | None) -> "DetectionData":
        """The first `count`; all for None."""
        return replace(self, images=self.images[:count], targets=self.targets[:count])


def detection_data(scale: Scale, split: str, *, masks: bool = False) -> DetectionData:
    """The images of a scale: `scale.images` or `scale.test_images` of `scale.image_size`, of the set `scale.data`.

    Args:
        scale: a detector's budget.
        split: "train" or "test".
        masks: with "masks" among the objects; scenes alone have them.

    Raises:
        CourseError: a scale without image size, an unknown set or split, masks of VOC, or no network to fetch it.
    """
    if scale.image_size is None:
        raise CourseError("This scale has no image_size, so it is not a detector's: give it one, and images.")
    if split not in SEEDS:
        raise unknown("split", split, SEEDS)
    count = scale.images if split == "train" else scale.test_images
    if scale.data == "voc2007":
        if masks:
            raise CourseError("voc2007 comes with boxes and without masks here; scenes have both.")
        return _voc(split, scale.image_size).take(count)
    if scale.data not in SCENES:
        raise unknown("set of images for detectors", scale.data, (*SCENES, "voc2007"))
    if count is None:
        raise CourseError("scenes are made, so the scale says how many: images=... and test_images=...")
    return _scenes(scale.data, split, scale.image_size, count, scale.objects, masks)


@lru_cache(maxsize=4)
def _scenes(
    name: str, split: str, size: int, count: int, objects: tuple[int, int] | None, masks: bool
) -> DetectionData:
    from crashcourse.datasets import scenes

    look = {**SCENES[name], **({"objects": objects} if objects else {})}
    made = scenes(count, seed=SEEDS[split], size=size, split=split, **look)
    targets = tuple(
        {"boxes": scene.boxes, "labels": scene.labels, **({"masks": scene.masks} if masks else {})} for scene in made
    )
    return DetectionData(made.images, targets, made.classes, name)


def _voc(split: str, size: int) -> DetectionData:
    from crashcourse.datasets.voc import voc2007

    found = voc2007(split, size=size)
    targets = tuple(map(without_ignored, found.targets)) if split == "train" else found.targets
    return DetectionData(found.images, targets, found.classes, "voc2007")


def without_ignored(target: Objects) -> Objects:
    """The objects that are not marked "ignore", without that mark: nothing is trained on the others."""
    keep = ~target["ignore"]
    return {name: values[keep] for name, values in target.items() if name != "ignore"}


class DetectionBatches:
    """Shuffled batches for `fit`: `(images (N, 3, S, S) float in [0, 1], [Objects of each])`.

    The order of an epoch depends on `(seed, epoch)` alone, and so does which images are flipped in it.

    Args:
        data: images and objects.
        batch_size: images in a batch, for all processes together. An epoch's last batch is left out where it is not
            full.
        seed: an integer.
        flip: mirror each image left to right with probability one half, its boxes and masks with it.
        device: where the images are kept.

    Raises:
        CourseError: fewer images than a batch.
    """

    def __init__(
        self, data: DetectionData, batch_size: int, *, seed: int = 0, flip: bool = True, device: str | None = None
    ) -> None:
        rows = torch.arange(len(data), device=device)
        images = data.images.to(device) if device else data.images
        self.inner = Batches(images, rows, batch_size=batch_size, seed=seed, drop_last=True)
        self.targets, self.seed, self.flip = data.targets, seed, flip

    def __len__(self) -> int:
        return len(self.inner)

    def epoch(self, index: int, *, start: int = 0) -> Iterator[tuple[Tensor, list[Objects]]]:
        """The batches of one epoch, from batch `start` on."""
        chance = torch.rand(self.inner.rows, generator=seeded_generator(self.seed, index, "flip"))
        flipped = (chance < 0.5) & self.flip
        for images, rows in self.inner.epoch(index, start=start):
            places = rows.cpu()
            targets = [self.targets[row] for row in places.tolist()]
            yield flip_some(images, targets, flipped[places])

    def shard(self, rank: int, world: int) -> "DetectionBatches":
        """This process's part of every batch."""
        part = copy(self)
        part.inner = self.inner.shard(rank, world)
        return part


def flip_some(images: Tensor, targets: list[Objects], flipped: Tensor) -> tuple[Tensor, list[Objects]]:
    """Mirror some images of a batch left to right, with their objects.

    Args:
        images: `(N, 3, S, S)` uint8.
        targets: for each image.
        flipped: `(N,)` bool: which.

    Returns:
        `(N, 3, S, S)` float in [0, 1], and new targets; those given are not changed.
    """
    where = flipped.to(images.device).view(-1, 1, 1, 1)
    images = torch.where(where, images.flip(-1), images).float() / 255
    width = images.shape[-1]
    turned = [_mirrored(t, width) if flip else t for t, flip in zip(targets, flipped.tolist(), strict=True)]
    return images, turned


def _mirrored(target: Objects, width: int) -> Objects:
    x1, y1, x2, y2 = target["boxes"].unbind(1)
    new = {**target, "boxes": torch.stack([width - x2, y1, width - x1, y2], 1)}
    return {**new, "masks": target["masks"].flip(-1)} if "masks" in target else new
