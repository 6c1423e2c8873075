"""One generated scene, and many of one size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import torch
from torch import Tensor

SCENE_CLASSES = ("top", "trousers", "dress", "shoe", "bag")
KEYPOINTS = ("upper left", "upper right", "lower right", "lower left")


@dataclass(frozen=True, eq=False)
class Scene:
    """An image with everything that is known about it. Coordinates are continuous: pixel `(row, column)` covers
    `[column, column + 1) × [row, row + 1)`, so that its centre is at `(column + 0.5, row + 0.5)`.

    Attributes:
        image: `(3, S, S)` uint8, RGB.
        boxes: `(M, 4)` float32, xyxy pixels, tight around the visible mask.
        labels: `(M,)` int64, an index into `SCENE_CLASSES`.
        instances: `(S, S)` uint8: 0 is background or clutter, `k + 1` is object `k`; objects are in the order of
            painting.
        keypoints: `(M, 4, 3)` float32: x, y and visibility of the silhouette's four corners in the object's own upright
            frame (`KEYPOINTS`). Visibility: 2 seen, 1 hidden behind something, 0 outside the image.
        visible: `(M,)` float32, the visible part of each object, at least 0.3.
    """

    image: Tensor
    boxes: Tensor
    labels: Tensor
    instances: Tensor
    keypoints: Tensor
    visible: Tensor

    def __len__(self) -> int:
        """Objects in the scene."""
        return len(self.labels)

    @property
    def masks(self) -> Tensor:
        """`(M, S, S)` bool: the visible pixels of each object."""
        numbers = torch.arange(1, len(self) + 1, dtype=torch.uint8)
        return self.instances == numbers.view(-1, 1, 1)

    @property
    def semantic(self) -> Tensor:
        """`(S, S)` int64: 0 for background, `label + 1` where an object is seen."""
        table = torch.cat([torch.zeros(1, dtype=torch.int64), self.labels + 1])
        return table[self.instances.long()]


@dataclass(frozen=True, eq=False)
class Scenes(Sequence[Scene]):
    """Scenes of one size: a sequence of `Scene`, with all images in one tensor.

    Attributes:
        images: `(N, 3, S, S)` uint8, RGB.
        items: the scenes; their images are views of `images`.
        classes: the names of the labels.
    """

    images: Tensor
    items: tuple[Scene, ...]
    classes: tuple[str, ...] = SCENE_CLASSES

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Scene]:
        return iter(self.items)

    def __repr__(self) -> str:
        objects = sum(map(len, self.items))
        return f"Scenes({len(self)} of {self.images.shape[-1]}×{self.images.shape[-1]}, {objects} objects)"

    @overload
    def __getitem__(self, index: int) -> Scene: ...
    @overload
    def __getitem__(self, index: slice) -> "Scenes": ...
    def __getitem__(self, index: int | slice) -> "Scene | Scenes":
        if isinstance(index, slice):
            return Scenes(self.images[index], self.items[index], self.classes)
        return self.items[index]
