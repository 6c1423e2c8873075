"""Images of any sizes as one batch for a detector, and boxes there and back.

As in torchvision's `GeneralizedRCNNTransform`: mean and deviation taken off, the shorter side scaled to a given number
of pixels unless the longer one grew too long, zeros at the right and lower border up to a common size.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crashcourse.detection.boxes import check_objects
from crashcourse.errors import CourseError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's training images, for red, green and blue in [0, 1]."""

Target = Mapping[str, Tensor]
"""Of one image: "boxes" `(M, 4)` xyxy float and "labels" `(M,)` int64, 0 being background; other keys may be there."""


class ImageBatch(NamedTuple):
    """Images of different sizes in one tensor.

    Attributes:
        tensor: `(N, 3, H, W)` float, zero where an image does not reach.
        sizes: height and width of each image inside.
        original: height and width of each image as it came.
    """

    tensor: Tensor
    sizes: list[tuple[int, int]]
    original: list[tuple[int, int]]


class DetectionTransform(nn.Module):
    """Normalises, scales and pads.

    Args:
        min_size: the shorter side becomes this long, in pixels; None leaves images as large as they are.
        max_size: the longer side becomes no longer than this.
        divisible: height and width of the batch are multiples of it.
        mean, std: for each channel, of images in [0, 1].
    """

    def __init__(
        self,
        min_size: int | None = 800,
        max_size: int = 1333,
        *,
        divisible: int = 32,
        mean: Sequence[float] = MEAN,
        std: Sequence[float] = STD,
    ) -> None:
        super().__init__()
        self.min_size, self.max_size, self.divisible = min_size, max_size, divisible
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)

    def extra_repr(self) -> str:
        """Sizes."""
        return f"min_size={self.min_size}, max_size={self.max_size}, divisible={self.divisible}"

    def forward(
        self, images: Sequence[Tensor], targets: Sequence[Target] | None = None
    ) -> tuple[ImageBatch, list[dict[str, Tensor]] | None]:
        """Make a batch.

        Args:
            images: each `(3, H, W)` float in [0, 1].
            targets: one for each image; "boxes" are scaled with the image, and so are "masks" `(M, H, W)`, if any.

        Returns:
            The batch, and new targets in its pixels (None for none).
        """
        original = [tuple(image.shape[-2:]) for image in images]
        scaled = [self.scale((image - self.mean) / self.std) for image in images]
        sizes = [tuple(image.shape[-2:]) for image in scaled]
        batch = ImageBatch(self._padded(scaled, sizes), sizes, original)
        if targets is None:
            return batch, None
        return batch, [self._target(*known) for known in zip(targets, original, sizes, strict=True)]

    def scale(self, image: Tensor, *, mode: str = "bilinear") -> Tensor:
        """`(C, H, W)` float -> the same at the size that `min_size` and `max_size` ask for."""
        if self.min_size is None:
            return image
        sides = image.shape[-2:]
        factor = min(self.min_size / min(sides), self.max_size / max(sides))
        size = [int(side * factor) for side in sides]
        if size == list(sides):
            return image
        corners = {"align_corners": False} if mode == "bilinear" else {}
        return F.interpolate(image[None], size=size, mode=mode, **corners)[0]

    def _padded(self, images: Sequence[Tensor], sizes: Sequence[tuple[int, int]]) -> Tensor:
        height, width = (-(-max(side) // self.divisible) * self.divisible for side in zip(*sizes, strict=True))
        if all(size == (height, width) for size in sizes):
            return torch.stack(list(images))
        batch = images[0].new_zeros(len(images), images[0].shape[0], height, width)
        for place, image, (own_height, own_width) in zip(batch, images, sizes, strict=True):
            place[:, :own_height, :own_width] = image
        return batch

    def _target(self, target: Target, old: tuple[int, int], new: tuple[int, int]) -> dict[str, Tensor]:
        scaled = {**target, "boxes": resize_boxes(target["boxes"], old, new)}
        if "masks" in target:
            scaled["masks"] = self.scale(target["masks"].float(), mode="nearest").to(torch.uint8)
        return scaled


def resize_boxes(boxes: Tensor, old: tuple[int, int], new: tuple[int, int]) -> Tensor:
    """Boxes `(N, 4)` of an image of height and width `old`, in the pixels of the same image at size `new`."""
    if old == new:
        return boxes
    height, width = (
        torch.tensor(after, dtype=torch.float32) / torch.tensor(before, dtype=torch.float32)
        for before, after in zip(old, new, strict=True)
    )
    return boxes * torch.stack([width, height, width, height]).to(boxes)


def check_detection_input(
    images: Sequence[Tensor], targets: Sequence[Target] | None, *, num_classes: int, training: bool
) -> None:
    """Refuse images and targets that no detector of this family can use.

    Raises:
        CourseError: says what came and what was expected.
    """
    for image in images:
        if not isinstance(image, Tensor) or image.ndim != 3 or image.shape[0] != 3 or not image.is_floating_point():
            got = f"{tuple(image.shape)} {image.dtype}" if isinstance(image, Tensor) else type(image).__name__
            raise CourseError(f"A detector takes a list of (3, H, W) float images in [0, 1]; one of them is {got}.")
    if not len(images):
        raise CourseError("A detector takes one image at least; got an empty list.")
    if targets is None:
        if training:
            raise CourseError("In training a detector needs targets; for predictions call model.eval() first.")
        return
    if len(targets) != len(images):
        raise CourseError(f"{len(images)} images came with {len(targets)} targets; each image needs its own.")
    for target in targets:
        check_target(target, num_classes)


def check_target(target: Target, num_classes: int) -> None:
    """Refuse a target whose boxes have no area, or whose labels are not 1 to num_classes − 1."""
    missing = [name for name in ("boxes", "labels") if name not in target]
    if missing:
        raise CourseError(f'A target has "boxes" and "labels"; {missing[0]!r} is missing from {sorted(target)}.')
    boxes, labels = target["boxes"], target["labels"]
    check_objects(boxes)
    if labels.shape != boxes.shape[:1]:
        raise CourseError(f"{len(boxes)} boxes came with labels of shape {tuple(labels.shape)}; each box needs one.")
    if labels.dtype != torch.int64 or (len(labels) and not 1 <= int(labels.min()) <= int(labels.max()) < num_classes):
        raise CourseError(
            f"Labels are int64 from 1 to {num_classes - 1}, as 0 is background; got {labels.dtype}, {labels.tolist()}."
        )
