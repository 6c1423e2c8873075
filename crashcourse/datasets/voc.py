"""PASCAL VOC 2007 with its boxes, as tensors of one size, through torchvision's loader.

Everingham et al., "The PASCAL Visual Object Classes challenge", IJCV 2010. The files number pixels from 1 and name the
first and the last that belong to an object: here a box is `(xmin − 1, ymin − 1, xmax, ymax)`, in continuous
coordinates, times what the picture was stretched by.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from crashcourse.datasets.downloads import download
from crashcourse.errors import CourseError, unknown

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
IMAGE_SETS = {"train": "trainval", "test": "test"}


class VocImages(NamedTuple):
    """Photographs with their boxes.

    Attributes:
        images: `(N, 3, S, S)` uint8, RGB, stretched to a square as YOLO and SSD do.
        targets: for each image "boxes" `(M, 4)` float32 xyxy pixels of the square, "labels" `(M,)` int64, an index into
            `VOC_CLASSES`, and "ignore" `(M,)` bool: marked as difficult.
        classes: the names of the labels.
    """

    images: Tensor
    targets: tuple[dict[str, Tensor], ...]
    classes: tuple[str, ...] = VOC_CLASSES


@lru_cache(maxsize=2)
def voc2007(split: str = "train", *, size: int = 224) -> VocImages:
    """All 5,011 photographs for training, or all 4,952 for testing; downloaded when they are not there.

    Args:
        split: "train" (the publisher's trainval) or "test".
        size: side in pixels.

    Raises:
        CourseError: an unknown split, a size below 1, or no network and no files (the sentence says what still works).
    """
    from torchvision.datasets import VOCDetection

    if split not in IMAGE_SETS:
        raise unknown("split", split, IMAGE_SETS)
    if not isinstance(size, int) or size < 1:
        raise CourseError(f"size must be a whole number of at least 1 pixel, but is {size!r}.")
    known = VOCDetection(download("voc2007"), year="2007", image_set=IMAGE_SETS[split])
    made = [_square(picture, tree, size) for picture, tree in (known[row] for row in range(len(known)))]
    images, targets = zip(*made, strict=True)
    return VocImages(torch.stack(images), targets)


def _square(picture: Any, tree: dict[str, Any], size: int) -> tuple[Tensor, dict[str, Tensor]]:
    """One photograph and its annotation as torchvision gives them -> `(3, S, S)` uint8 and its target."""
    from torchvision.transforms.functional import pil_to_tensor

    objects = tree["annotation"]["object"]
    corners = [[float(one["bndbox"][key]) for key in ("xmin", "ymin", "xmax", "ymax")] for one in objects]
    boxes = torch.tensor(corners).reshape(-1, 4) - torch.tensor([1.0, 1.0, 0.0, 0.0])  # (M, 4)
    stretch = torch.tensor([size / picture.width, size / picture.height]).repeat(2)
    target = {
        "boxes": boxes * stretch,
        "labels": torch.tensor([VOC_CLASSES.index(one["name"]) for one in objects], dtype=torch.int64),
        "ignore": torch.tensor([one.get("difficult", "0") == "1" for one in objects], dtype=torch.bool),
    }
    return pil_to_tensor(picture.resize((size, size))), target
