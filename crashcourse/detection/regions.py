"""Regions of several images as one tensor: what RoIPool and RoIAlign take, and refuse."""

from collections.abc import Sequence

import torch
from torch import Tensor

from crashcourse.detection.boxes import check_boxes
from crashcourse.errors import CourseError


def numbered(boxes: Sequence[Tensor], *, like: Tensor | None = None) -> Tensor:
    """The boxes of several images in one list: `(K_i, 4)` xyxy for each image -> `(K, 5)`, the image's number in front.

    Raises:
        CourseError: boxes that are not `(K_i, 4)` floats.
    """
    for each in boxes:
        check_boxes(each)
    if not boxes:
        return (like if like is not None else torch.zeros(0)).new_zeros(0, 5)
    return torch.cat([torch.cat([each.new_full((len(each), 1), k), each], 1) for k, each in enumerate(boxes)])


def check_regions(
    name: str,
    features: Tensor,
    rois: Tensor | Sequence[Tensor],
    output_size: int | tuple[int, int],
    spatial_scale: float,
) -> tuple[Tensor, int, int]:
    """What `name` was called with, refused or put into one form.

    Args:
        name: of the operation, for the sentence.
        features: `(N, C, H, W)` float.
        rois: `(K, 5)` float, or a list of `(K_i, 4)`.
        output_size: one number, or two.
        spatial_scale: pixels of the map for one pixel of the image.

    Returns:
        Regions `(K, 5)`, in single precision at least; bins down; bins across.

    Raises:
        CourseError: wrong shapes, an image that is not there, NaN, or an output size or scale that is not above 0.
    """
    if not isinstance(features, Tensor) or features.ndim != 4 or not features.is_floating_point():
        got = f"{tuple(features.shape)} {features.dtype}" if isinstance(features, Tensor) else type(features).__name__
        raise CourseError(f"{name} takes features (N, C, H, W) float; got {got}.")
    if not isinstance(rois, Tensor):
        rois = numbered(rois, like=features)
    if rois.ndim != 2 or rois.shape[1] != 5 or not rois.is_floating_point():
        raise CourseError(
            "Boxes come as (K, 5) float, the image's number and then xyxy, or as a list of (K, 4), one for each image; "
            f"got {tuple(rois.shape)} {rois.dtype}."
        )
    down, across = (output_size, output_size) if isinstance(output_size, int) else output_size
    if down < 1 or across < 1 or not spatial_scale > 0:
        raise CourseError(f"output_size and spatial_scale are above 0; got {output_size} and {spatial_scale}.")
    if not bool(rois.isfinite().all()):
        raise CourseError("There is a NaN or an infinite number among the boxes; training may have diverged.")
    if len(rois) and not 0 <= float(rois[:, 0].min()) <= float(rois[:, 0].max()) < len(features):
        raise CourseError(
            f"There are {len(features)} images, numbered from 0; a box is in image {rois[:, 0].max():g}. Is the first "
            "column the image's number?"
        )
    return (rois.float() if rois.dtype in (torch.float16, torch.bfloat16) else rois), down, across
