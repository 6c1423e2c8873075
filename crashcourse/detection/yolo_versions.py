"""What changed from YOLO v2 to v5: the table of versions, anchors from the data, two ways to decode them, CIoU.

Papers: v2: Redmon and Farhadi, 2016, arXiv:1612.08242, section 2 (anchors by k-means with 1 − IoU as the distance;
equations of figure 3); v3: the same, 2018, arXiv:1804.02767, section 2.1; CIoU: Zheng et al., 2019, arXiv:1911.08287,
equations 7 to 10. YOLOv5 has no paper: its decoding and results are those of its repository at tag v5.0. Which boxes
learn which objects is in `yolo_assignment.py`.
**Differs from the papers:** k-means starts from quantiles of the area, so that it needs no chance.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from crashcourse.detection.boxes import check_pair
from crashcourse.detection.yolo_assignment import shape_iou
from crashcourse.errors import CourseError


@dataclass(frozen=True)
class Version:
    """One version of YOLO as published.

    Attributes:
        name, year: of the version.
        source: its paper or repository.
        backbone, boxes, classes, changes: in words.
        result: the authors' own number, with its data set.
    """

    name: str
    year: int
    source: str
    backbone: str
    boxes: str
    classes: str
    changes: str
    result: str


VERSIONS = (
    Version(
        name="v1",
        year=2015,
        source="arXiv:1506.02640",
        backbone="24 convolutions, 2 dense layers",
        boxes="2 for each cell, free",
        classes="one set of scores for each cell",
        changes="one pass, one regression",
        result="63.4 mAP, VOC 2007",
    ),
    Version(
        name="v2",
        year=2016,
        source="arXiv:1612.08242",
        backbone="Darknet-19",
        boxes="5 anchors for each cell, from k-means",
        classes="softmax for each box",
        changes="batch normalization, anchors, many input sizes, a passthrough from 26×26",
        result="76.8 mAP at 416, VOC 2007",
    ),
    Version(
        name="v3",
        year=2018,
        source="arXiv:1804.02767",
        backbone="Darknet-53, residual",
        boxes="3 anchors at each of 3 scales",
        classes="logistic, each class alone",
        changes="three scales; one anchor for each object",
        result="33.0 AP at 608, COCO",
    ),
    Version(
        name="v4",
        year=2020,
        source="arXiv:2004.10934",
        backbone="CSPDarknet53",
        boxes="as v3",
        classes="as v3",
        changes="SPP, PAN, Mish, mosaic, CIoU loss",
        result="43.5 AP at 608, COCO",
    ),
    Version(
        name="v5",
        year=2020,
        source="repository, tag v5.0",
        backbone="Focus and C3 blocks",
        boxes="as v3; two neighbouring cells learn an object too",
        classes="as v3",
        changes="matching by shape, objectness weighted by scale",
        result="36.7 (s) to 50.4 (x) AP at 640, COCO",
    ),
)
"""Results as their authors print them: on other data and at other sizes, so not to be compared down the list."""


class V5Size(NamedTuple):
    """One size of YOLOv5 as its README at tag v5.0 prints it, for images of 640×640.

    Attributes:
        ap, ap50: on COCO, per cent.
        parameters: millions.
        flops: billions, two for each multiply-add.
    """

    ap: float
    ap50: float
    parameters: float
    flops: float


V5_SIZES = {
    "s": V5Size(36.7, 55.4, 7.3, 17.0),
    "m": V5Size(44.5, 63.3, 21.4, 51.3),
    "l": V5Size(48.2, 66.9, 47.0, 115.4),
    "x": V5Size(50.4, 68.8, 87.7, 218.8),
}
"""The README first kept the 63.1 of v4.0 as m's AP50, and was corrected to 63.3."""


def anchors_by_k_means(sizes: Tensor, count: int, *, steps: int = 100) -> Tensor:
    """Shapes that fit the data's boxes: k-means with 1 − IoU as the distance (v2, section 2).

    Args:
        sizes: `(N, 2)` float, width and height of boxes, above 0.
        count: how many anchors, at most N.
        steps: at most so many; it stops when nothing changes.

    Returns:
        `(count, 2)`, smallest area first.

    Raises:
        CourseError: sizes that are not above 0, or fewer than anchors.
    """
    if sizes.ndim != 2 or sizes.shape[1] != 2 or not bool((sizes > 0).all()):
        raise CourseError(f"sizes are (N, 2): width and height, above 0; got {tuple(sizes.shape)}.")
    if not 1 <= count <= len(sizes):
        raise CourseError(f"From {len(sizes)} boxes come 1 to {len(sizes)} anchors; got count={count}.")
    by_area = sizes[sizes.prod(1).argsort(stable=True)]
    places = ((torch.arange(count) + 0.5) / count * len(sizes)).long()
    anchors, assigned = by_area[places].clone(), None
    for _ in range(steps):
        nearest = shape_iou(sizes, anchors).argmax(1)  # (N,)
        if assigned is not None and torch.equal(nearest, assigned):
            break
        assigned = nearest
        for number in range(count):
            if bool((nearest == number).any()):
                anchors[number] = sizes[nearest == number].mean(0)
    return anchors[anchors.prod(1).argsort(stable=True)]


def decode_v2(raw: Tensor, cells: Tensor, anchors: Tensor) -> Tensor:
    """Boxes of versions 2 and 3: centre = cell + σ(t_xy), size = anchor · exp(t_wh).

    Args:
        raw: `(..., 4)` t_x, t_y, t_w, t_h.
        cells: `(..., 2)` column and row of the cell.
        anchors: `(..., 2)` width and height, in cells.

    Returns:
        `(..., 4)` cxcywh, in cells. A centre cannot leave its cell; a size has no upper bound.
    """
    return torch.cat([cells + raw[..., :2].sigmoid(), anchors * raw[..., 2:].exp()], -1)


def decode_v5(raw: Tensor, cells: Tensor, anchors: Tensor) -> Tensor:
    """Boxes of version 5: centre = cell + 2σ(t_xy) − 0.5, size = anchor · (2σ(t_wh))².

    Arguments and result are as in `decode_v2`. A centre can leave its cell by half a cell, so that neighbours learn an
    object too and a border is reached with finite numbers; a size is at most 4 times its anchor.
    """
    raw = raw.sigmoid()
    return torch.cat([cells + 2 * raw[..., :2] - 0.5, anchors * (2 * raw[..., 2:]) ** 2], -1)


def complete_box_iou(boxes_a: Tensor, boxes_b: Tensor) -> Tensor:
    """CIoU of pairs: IoU, minus the distance of the centres, minus the difference in shape (equations 7 to 10).

    Args:
        boxes_a, boxes_b: `(N, 4)` xyxy float.

    Returns:
        `(N,)`, at most 1: IoU − ρ² / c² − αv, with ρ the distance of the centres, c the diagonal of the box around
        both, v the squared difference of the angles arctan(w / h) over (π / 2)², and α = v / (1 − IoU + v), which
        passes no gradient. The loss of v4 and v5 is 1 − CIoU.

    Raises:
        CourseError: boxes that are not `(N, 4)` floats, or different numbers of them.
    """
    check_pair(boxes_a, boxes_b)
    if len(boxes_a) != len(boxes_b):
        raise CourseError(f"CIoU compares pairs; got {len(boxes_a)} and {len(boxes_b)} boxes.")
    tiny = torch.finfo(boxes_a.dtype).eps
    size_a, size_b = boxes_a[:, 2:] - boxes_a[:, :2], boxes_b[:, 2:] - boxes_b[:, :2]
    inner = torch.minimum(boxes_a[:, 2:], boxes_b[:, 2:]) - torch.maximum(boxes_a[:, :2], boxes_b[:, :2])
    outer = torch.maximum(boxes_a[:, 2:], boxes_b[:, 2:]) - torch.minimum(boxes_a[:, :2], boxes_b[:, :2])
    intersection = inner.clamp(min=0).prod(1)
    iou = intersection / (size_a.prod(1) + size_b.prod(1) - intersection).clamp(min=tiny)
    centres = (boxes_a[:, :2] + boxes_a[:, 2:] - boxes_b[:, :2] - boxes_b[:, 2:]) / 2
    distance = (centres**2).sum(1) / (outer**2).sum(1).clamp(min=tiny)
    angles = torch.atan2(size_a[:, 0], size_a[:, 1]) - torch.atan2(size_b[:, 0], size_b[:, 1])
    shape = 4 / math.pi**2 * angles**2
    with torch.no_grad():
        weight = shape / (1 - iou + shape).clamp(min=tiny)
    return iou - distance - weight * shape
