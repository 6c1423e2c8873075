"""Boxes: three formats, area, intersection over union, and its generalized form.

Coordinates are continuous: x runs to the right and y down, in pixels, from the upper left corner of the image; pixel
`(row, column)` covers `[column, column + 1) × [row, row + 1)`. A box from x1 to x2 is therefore `x2 − x1` wide.

Papers: Everingham et al., "The PASCAL Visual Object Classes challenge", IJCV 2010, section 4.2 (IoU as the criterion);
Rezatofighi et al., "Generalized intersection over union", 2019, arXiv:1902.09630, algorithm 1.
**Differs from the papers:** VOC's own code takes coordinates as numbers of pixels and adds 1 to widths and heights.
"""

import torch
from torch import Tensor

from crashcourse.errors import CourseError, unknown

FORMATS = ("xyxy", "xywh", "cxcywh")
"""Two corners; upper left corner and size; centre and size."""


def convert_boxes(boxes: Tensor, from_: str, to: str) -> Tensor:
    """The same boxes in another format.

    Args:
        boxes: `(..., 4)` float.
        from_, to: "xyxy" (two corners), "xywh" (upper left corner, width, height) or "cxcywh" (centre, width, height).

    Returns:
        `(..., 4)`, a new tensor.

    Raises:
        CourseError: an unknown format, or a last dimension other than 4.

    >>> convert_boxes(torch.tensor([[10.0, 20.0, 30.0, 60.0]]), "xyxy", "cxcywh").tolist()
    [[20.0, 40.0, 20.0, 40.0]]
    """
    for name in (from_, to):
        if name not in FORMATS:
            raise unknown("box format", name, FORMATS)
    check_boxes(boxes)
    first, second, third, fourth = boxes.unbind(-1)
    if from_ == "xyxy":
        x1, y1, x2, y2 = first, second, third, fourth
    elif from_ == "xywh":
        x1, y1, x2, y2 = first, second, first + third, second + fourth
    else:
        x1, y1, x2, y2 = first - third / 2, second - fourth / 2, first + third / 2, second + fourth / 2
    if to == "xyxy":
        return torch.stack([x1, y1, x2, y2], -1)
    if to == "xywh":
        return torch.stack([x1, y1, x2 - x1, y2 - y1], -1)
    return torch.stack([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1], -1)


def box_area(boxes_xyxy: Tensor) -> Tensor:
    """Areas in square pixels: `(..., 4)` xyxy float -> `(...)`. A box whose corners are swapped has area 0.

    Half-precision boxes have float32 areas: float16 ends at 65,504, less than 256 × 256.

    Raises:
        CourseError: a last dimension other than 4.
    """
    check_boxes(boxes_xyxy)
    boxes_xyxy = at_least_float32(boxes_xyxy)
    return (boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]).clamp(min=0).prod(-1)


def intersection_and_union(boxes_a: Tensor, boxes_b: Tensor) -> tuple[Tensor, Tensor]:
    """The areas that every box of a shares with, and covers together with, every box of b.

    Args:
        boxes_a: `(N, 4)` xyxy float.
        boxes_b: `(M, 4)` xyxy float.

    Returns:
        Intersections `(N, M)` and unions `(N, M)`, in square pixels.
    """
    boxes_a, boxes_b = at_least_float32(boxes_a), at_least_float32(boxes_b)
    upper_left = torch.maximum(boxes_a[:, None, :2], boxes_b[None, :, :2])  # (N, M, 2)
    lower_right = torch.minimum(boxes_a[:, None, 2:], boxes_b[None, :, 2:])
    intersection = (lower_right - upper_left).clamp(min=0).prod(-1)  # (N, M)
    union = box_area(boxes_a)[:, None] + box_area(boxes_b)[None, :] - intersection
    return intersection, union


def box_iou(boxes_a: Tensor, boxes_b: Tensor) -> Tensor:
    """Intersection over union of every box of a with every box of b; 0 where both have no area.

    Args:
        boxes_a: `(N, 4)` xyxy float; N may be 0.
        boxes_b: `(M, 4)` xyxy float; M may be 0.

    Returns:
        `(N, M)` in [0, 1]; float32 where the boxes are of half precision.

    Raises:
        CourseError: boxes that are not `(N, 4)` floats.

    >>> box_iou(torch.tensor([[0.0, 0.0, 2.0, 2.0]]), torch.tensor([[1.0, 0.0, 3.0, 2.0]])).tolist()
    [[0.3333333432674408]]
    """
    check_pair(boxes_a, boxes_b)
    intersection, union = intersection_and_union(boxes_a, boxes_b)
    return intersection / union.clamp(min=torch.finfo(union.dtype).tiny)  # 0 / 0 is 0


def generalized_box_iou(boxes_a: Tensor, boxes_b: Tensor) -> Tensor:
    """IoU minus the part of the smallest enclosing box that neither covers: it has a slope where boxes do not meet.

    Args:
        boxes_a: `(N, 4)` xyxy float.
        boxes_b: `(M, 4)` xyxy float.

    Returns:
        `(N, M)` in [-1, 1]: IoU − (C − union) / C, with C the enclosing box's area (algorithm 1).

    Raises:
        CourseError: boxes that are not `(N, 4)` floats.
    """
    check_pair(boxes_a, boxes_b)
    boxes_a, boxes_b = at_least_float32(boxes_a), at_least_float32(boxes_b)
    tiny = torch.finfo(boxes_a.dtype).tiny
    intersection, union = intersection_and_union(boxes_a, boxes_b)
    upper_left = torch.minimum(boxes_a[:, None, :2], boxes_b[None, :, :2])
    lower_right = torch.maximum(boxes_a[:, None, 2:], boxes_b[None, :, 2:])
    enclosing = (lower_right - upper_left).clamp(min=0).prod(-1)
    return intersection / union.clamp(min=tiny) - (enclosing - union) / enclosing.clamp(min=tiny)


def clip_boxes(boxes_xyxy: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes cut off at the borders of an image of `size` (height, width): `(..., 4)` xyxy -> `(..., 4)` xyxy.

    Raises:
        CourseError: a last dimension other than 4, or a size that is not two numbers above 0.
    """
    check_boxes(boxes_xyxy)
    try:
        height, width = size
        good = height > 0 and width > 0
    except (TypeError, ValueError):
        good = False
    if not good:
        raise CourseError(f"The size of an image is (height, width), both above 0; got {size!r}.")
    x, y = boxes_xyxy[..., 0::2].clamp(0, width), boxes_xyxy[..., 1::2].clamp(0, height)
    return torch.stack([x[..., 0], y[..., 0], x[..., 1], y[..., 1]], -1)


def at_least_float32(boxes: Tensor) -> Tensor:
    """The boxes, float16 and bfloat16 as float32, so that areas neither overflow nor lose their digits."""
    return boxes if boxes.dtype in (torch.float32, torch.float64) else boxes.float()


def check_boxes(boxes: Tensor) -> None:
    """Refuse anything but a float tensor whose last dimension is 4."""
    if not isinstance(boxes, Tensor):
        raise CourseError(f"Boxes are a tensor of shape (..., 4); got {type(boxes).__name__}. Use torch.tensor(boxes).")
    if boxes.ndim == 0 or boxes.shape[-1] != 4:
        raise CourseError(f"Boxes have shape (..., 4): four numbers each; got {tuple(boxes.shape)}.")
    if not boxes.is_floating_point():
        raise CourseError(f"Boxes are float, so that nothing overflows or is rounded; got {boxes.dtype}. Use .float().")


def check_pair(boxes_a: Tensor, boxes_b: Tensor) -> None:
    """Refuse two sets of boxes that are not `(N, 4)` and `(M, 4)`."""
    for boxes in (boxes_a, boxes_b):
        check_boxes(boxes)
        if boxes.ndim != 2:
            shape = tuple(boxes.shape)
            raise CourseError(f"A set of boxes has shape (N, 4); got {shape}. For one box, write boxes[None].")


def check_objects(boxes_xyxy: Tensor) -> None:
    """Refuse labelled boxes that no loss can use: swapped corners, no area, NaN or infinity.

    Raises:
        CourseError: names the first such box.
    """
    check_pair(boxes_xyxy, boxes_xyxy)
    size = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    good = (size > 0).all(1) & boxes_xyxy.isfinite().all(1)
    if not good.all():
        first = int((~good).nonzero()[0])
        values = ", ".join(f"{value:g}" for value in boxes_xyxy[first].tolist())
        raise CourseError(
            f"Box {first} is ({values}); an object's box needs x1 < x2 and y1 < y2, finite. Leave such boxes out."
        )
