"""Masks of objects, into the frame of a box and back into the image.

Paper: He et al., "Mask R-CNN", 2017, arXiv:1703.06870, section 3: the mask branch sees and draws inside a box, on a
square of 28 pixels. `mask_targets` makes that square of an object's true mask, `paste_masks` the way back.

**Differs from the paper:** it resizes a mask to its box "rounded to whole pixels"; so does torchvision, and so does
`paste_masks(whole_pixels=True)`. Without, each pixel of the image asks the mask at the place of its own centre.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from crashcourse.detection.boxes import check_boxes, convert_boxes
from crashcourse.detection.roi_align import roi_align
from crashcourse.errors import CourseError


@torch.no_grad()
def mask_targets(masks: Tensor, boxes: Tensor, objects: Tensor, size: int, *, aligned: bool = False) -> Tensor:
    """What the mask branch should draw in each box: the part of the object's mask that lies there, by RoIAlign.

    Args:
        masks: `(M, H, W)` bool, or 0 and 1: of all objects of one image.
        boxes: `(R, 4)` xyxy float pixels.
        objects: `(R,)` int64: which object each box belongs to.
        size: the side of the result.
        aligned: see `roi_align`; as in the pooling of the features.

    Returns:
        `(R, size, size)` float in [0, 1].
    """
    rois = torch.cat([objects[:, None].to(boxes), boxes], 1)
    return roi_align(masks[:, None].to(boxes), rois, size, aligned=aligned)[:, 0]


def paste_masks(masks: Tensor, boxes: Tensor, size: tuple[int, int], *, whole_pixels: bool = False) -> Tensor:
    """Masks in the frames of their boxes -> in the image.

    Args:
        masks: `(D, S, S)` float, inside the boxes.
        boxes: `(D, 4)` xyxy float pixels.
        size: height and width of the image.
        whole_pixels: round the boxes first, as torchvision does: up to a pixel off, and right where boxes are.

    Returns:
        `(D, height, width)`: bilinear inside the boxes, falling to 0 at their borders, 0 outside.

    Raises:
        CourseError: masks that are not `(D, S, S)` float, or another number of boxes.

    >>> paste_masks(torch.ones(1, 2, 2), torch.tensor([[1.0, 0.0, 3.0, 2.0]]), (2, 4))[0].tolist()
    [[0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0]]
    """
    check_boxes(boxes)
    if masks.ndim != 3 or masks.shape[1] != masks.shape[2] or not masks.is_floating_point():
        raise CourseError(f"Masks in boxes have shape (D, S, S) and are float; got {tuple(masks.shape)} {masks.dtype}.")
    if boxes.shape != (len(masks), 4):
        raise CourseError(f"{len(masks)} masks need as many boxes; got boxes of shape {tuple(boxes.shape)}.")
    if whole_pixels:
        pasted = [_paste_resized(mask, box, size) for mask, box in zip(masks, _whole_boxes(boxes, masks), strict=True)]
        return torch.stack(pasted) if pasted else masks.new_zeros(0, *size)
    rows, columns = (_weights(boxes[:, axis], boxes[:, axis + 2], size[1 - axis], masks) for axis in (1, 0))
    return rows @ masks @ columns.mT  # (D, H, S) · (D, S, S) · (D, S, W)


def _weights(start: Tensor, end: Tensor, length: int, masks: Tensor) -> Tensor:
    """`(D, length, S)`: along one axis, how much each pixel of the image takes from each of the mask."""
    side = masks.shape[-1]
    centres = torch.arange(length, device=masks.device) + 0.5
    place = (centres - start[:, None]) / (end - start)[:, None].clamp(min=1e-6) * side - 0.5  # (D, length), in the mask
    distance = (place[:, :, None] - torch.arange(side, device=masks.device)).abs()
    return (1 - distance).clamp(min=0).to(masks.dtype)


def _whole_boxes(boxes: Tensor, masks: Tensor) -> list[list[int]]:
    """Boxes around the masks with a border of one pixel of the mask, cut to whole pixels of the image."""
    centre_and_size = convert_boxes(boxes, "xyxy", "cxcywh")
    larger = centre_and_size[:, 2:] * ((masks.shape[-1] + 2) / masks.shape[-1])
    return convert_boxes(torch.cat([centre_and_size[:, :2], larger], 1), "cxcywh", "xyxy").long().tolist()


def _paste_resized(mask: Tensor, box: list[int], size: tuple[int, int]) -> Tensor:
    """Torchvision's way: a border of zeros, resized to the whole box, copied to where it lies in the image."""
    left, top, right, bottom = box
    height, width = max(bottom - top + 1, 1), max(right - left + 1, 1)  # both ends count
    resized = F.interpolate(F.pad(mask, (1, 1, 1, 1))[None, None], size=(height, width), mode="bilinear")[0, 0]
    image = mask.new_zeros(size)
    rows, columns = (
        slice(max(low, 0), max(min(high + 1, whole), 0))
        for low, high, whole in ((top, bottom, size[0]), (left, right, size[1]))
    )
    part = resized[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    image[rows, columns] = part
    return image


def check_masks(image: Tensor, target: Mapping[str, Tensor]) -> None:
    """Refuse masks that do not fit the image or its boxes, or in which an object has no pixel.

    Raises:
        CourseError: says what came and what was expected.
    """
    if "masks" not in target:
        raise CourseError(f'Mask R-CNN needs "masks" (M, H, W) in each target; got {sorted(target)}.')
    masks, expected = target["masks"], (len(target.get("boxes", ())), *image.shape[-2:])
    if tuple(masks.shape) != expected:
        raise CourseError(
            f"Masks are as many as boxes, and as large as the image: {expected}; got {tuple(masks.shape)}."
        )
    empty = ~(masks > 0).flatten(1).any(1)
    if bool(empty.any()):
        raise CourseError(f"The mask of object {int(empty.nonzero()[0])} has no pixel. Leave such objects out.")
