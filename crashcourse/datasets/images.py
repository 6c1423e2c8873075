"""A set of labelled images, as tensors in memory."""

from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor

from crashcourse.datasets.batches import Batches, seeded_generator
from crashcourse.errors import CourseError


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Labelled images of one size.

    Attributes:
        images: `(N, C, H, W)` uint8, 0 to 255.
        labels: `(N,)` int64, an index into `classes`.
        classes: the names of the classes.
        mean: mean of each channel over the full training set, on the scale 0 to 1.
        std: standard deviation of each channel, on the same scale.

    Raises:
        CourseError: shapes, types, lengths or labels do not fit together.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.dtype != torch.uint8:
            shape, kind = tuple(self.images.shape), self.images.dtype
            raise CourseError(f"Images must be (N, C, H, W) uint8, but these are {shape} {kind}.")
        if self.labels.shape != self.images.shape[:1] or self.labels.dtype != torch.int64:
            raise CourseError(
                f"Labels must be ({len(self.images)},) int64, one for each image, but these are "
                f"{tuple(self.labels.shape)} {self.labels.dtype}."
            )
        if self.labels.numel() and self.labels.device.type != "meta":
            low, high = int(self.labels.min()), int(self.labels.max())
            if low < 0 or high >= len(self.classes):
                raise CourseError(
                    f"Labels of {len(self.classes)} classes are 0 to {len(self.classes) - 1}, "
                    f"but these run from {low} to {high}."
                )
        if not len(self.mean) == len(self.std) == self.images.shape[1]:
            raise CourseError(
                f"Give one mean and one deviation for each of {self.images.shape[1]} channels, "
                f"not {len(self.mean)} and {len(self.std)}."
            )

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        n, c, h, w = self.images.shape
        return f"ImageSet({n:,} images of {c}×{h}×{w}, {len(self.classes)} classes)"

    def to(self, device: torch.device | str) -> Self:
        """The same set on another device."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))

    def take(self, n: int) -> Self:
        """The first `n` images.

        Raises:
            CourseError: `n` is below 1 or above the number of images.
        """
        if not 1 <= n <= len(self):
            raise CourseError(f"take({n}) asks for {n} images; this set can give 1 to {len(self)}.")
        return self._rows(torch.arange(n))

    def split(self, n: int, *, seed: int = 0) -> tuple[Self, Self]:
        """Two sets without a common image: `n` images drawn at random, and the rest. Both keep the order of this set.

        Raises:
            CourseError: one of the two would be empty.
        """
        if not 1 <= n < len(self):
            raise CourseError(
                f"split({n}) leaves one side empty; this set has {len(self)} images: choose 1 to {len(self) - 1}."
            )
        order = torch.randperm(len(self), generator=seeded_generator(seed, "split"))
        return self._rows(order[:n].sort().values), self._rows(order[n:].sort().values)

    def _rows(self, rows: Tensor) -> Self:
        rows = rows.to(self.images.device)
        return replace(self, images=self.images[rows], labels=self.labels[rows])

    def normalise(self, images: Tensor) -> Tensor:
        """`(images / 255 - mean) / std` with this set's mean and deviation: a transform for `Batches`.

        Args:
            images: `(N, C, H, W)` uint8, on any device.

        Returns:
            `(N, C, H, W)` float32, about zero mean and unit deviation over the training set.
        """
        mean = torch.tensor(self.mean, device=images.device).view(1, -1, 1, 1)
        std = torch.tensor(self.std, device=images.device).view(1, -1, 1, 1)
        return images.float().sub_(255 * mean).div_(255 * std)

    def normalised(self) -> Tensor:
        """All images as `(N, C, H, W)` float32: see `normalise`. Takes four times the memory of `images`."""
        return self.normalise(self.images)

    def batches(self, batch_size: int, **options: Any) -> Batches:
        """`Batches` of (normalised images, labels); `options` are those of `Batches`."""
        return Batches(self.images, self.labels, batch_size=batch_size, **{"transform": self.normalise, **options})
