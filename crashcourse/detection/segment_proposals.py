"""Proposals without learning: boxes around pieces of an image that look alike, and around neighbouring pairs of them.

Paper of the segmentation: Felzenszwalb and Huttenlocher, "Efficient graph-based image segmentation", IJCV 2004, as in
scikit-image. Selective search (Uijlings et al., IJCV 2013), which R-CNN used, starts from the same pieces and goes on
merging them by colour, texture and size. **Differs from it:** several sizes of pieces instead of merging; near
duplicates are dropped; the order is random, as selective search's nearly is.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crashcourse.detection.nms import nms
from crashcourse.errors import CourseError

SCALES = (30.0, 100.0, 300.0)
"""How unlike neighbouring pieces have to be; larger makes larger pieces."""
LEAST_SIDE, MOST_PART = 6.0, 0.7
"""A proposal's sides: pixels at least, and at most this part of the image's sides."""
NEARLY_SAME = 0.8  # IoU above which two proposals are one


def segment_proposals(
    image: Tensor, *, most: int | None = None, scales: Sequence[float] = SCALES, seed: int = 0
) -> Tensor:  # fmt: skip
    """Boxes that may hold an object, by colour alone.

    Args:
        image: `(3, H, W)` uint8, or float in [0, 1].
        most: how many to return at most; None for all, some hundreds.
        scales: of the segmentations; each gives its own pieces.
        seed: of the order.

    Returns:
        `(P, 4)` float xyxy pixels, in random order, the same for the same image and seed.

    Raises:
        CourseError: not one image of three channels, or no scale.
    """
    if not isinstance(image, Tensor) or image.ndim != 3 or image.shape[0] != 3:
        got = tuple(image.shape) if isinstance(image, Tensor) else type(image).__name__
        raise CourseError(f"segment_proposals takes one image (3, H, W); got {got}.")
    if not scales:
        raise CourseError("segment_proposals needs one scale at least, such as (30, 100, 300).")
    from skimage.segmentation import felzenszwalb

    pixels = image.permute(1, 2, 0).cpu().numpy()  # (H, W, 3)
    made = [_boxes(felzenszwalb(pixels, scale=scale, sigma=0.5, min_size=20)) for scale in scales]
    boxes = torch.from_numpy(np.unique(np.concatenate(made), axis=0)).float()
    sides, whole = boxes[:, 2:] - boxes[:, :2], torch.tensor([image.shape[2], image.shape[1]])
    boxes = boxes[((sides >= LEAST_SIDE) & (sides <= MOST_PART * whole)).all(1)]
    chance = torch.rand(len(boxes), generator=torch.Generator().manual_seed(seed))
    return boxes[nms(boxes, chance, NEARLY_SAME)[:most]]


def _boxes(pieces: NDArray[np.int64]) -> NDArray[np.int64]:
    """Boxes `(P, 4)` around each piece of a segmentation `(H, W)`, and around each pair of pieces that touch."""
    y, x = np.indices(pieces.shape)
    places = np.stack([x.ravel(), y.ravel()], 1)
    low = np.full((pieces.max() + 1, 2), max(pieces.shape))
    high = np.zeros_like(low)
    np.minimum.at(low, pieces.ravel(), places)
    np.maximum.at(high, pieces.ravel(), places + 1)
    beside = np.stack([pieces[:, :-1].ravel(), pieces[:, 1:].ravel()], 1)
    below = np.stack([pieces[:-1].ravel(), pieces[1:].ravel()], 1)
    first, second = np.unique(np.sort(np.concatenate([beside, below]), axis=1), axis=0).T  # a piece touches itself, too
    return np.concatenate([np.minimum(low[first], low[second]), np.maximum(high[first], high[second])], 1)
