"""Which boxes learn which objects, from YOLO v2 to v5, and what the others are told.

Papers: v2: Redmon and Farhadi, 2016, arXiv:1612.08242, section 2; v3: the same, 2018, arXiv:1804.02767, section 2.1.
The numbers that the papers leave out (0.6, 2 − w·h) are those of the authors' configuration files and code. YOLOv5 has
no paper: its matching is that of its repository at tag v5.0.
"""

import torch
from torch import Tensor

from crashcourse.detection.boxes import box_iou
from crashcourse.errors import CourseError

IGNORED_V2, IGNORED_V3 = 0.6, 0.7
"""IoU with some object above which a box that does not learn it is not pushed down either."""
OBJECTNESS_V5 = (4.0, 1.0, 0.4)
"""What the confidence term of each map counts in version 5, finest map first: most boxes of all are in the finest."""
MOST_V5 = 4.0
"""A side of a box may be so many times an anchor's, or the other way round, before version 5 calls them unlike."""


def shape_iou(sizes_a: Tensor, sizes_b: Tensor) -> Tensor:
    """IoU of boxes that share their centre: sizes `(N, 2)` and `(M, 2)`, width and height -> `(N, M)`."""
    intersection = torch.minimum(sizes_a[:, None], sizes_b[None]).prod(-1)
    return intersection / (sizes_a.prod(-1)[:, None] + sizes_b.prod(-1)[None] - intersection)


def best_anchor(sizes: Tensor, anchors: Tensor) -> Tensor:
    """The one anchor that learns each object, in versions 2 and 3: the one most like it in shape.

    Args:
        sizes: `(N, 2)` width and height of objects.
        anchors: `(K, 2)`, in the same unit: the five of version 2, or all nine of version 3's three maps together, so
            that the anchor also decides which map learns an object.

    Returns:
        `(N,)` int64; of equals the first.
    """
    return shape_iou(sizes, anchors).argmax(1)


def left_in_peace(predicted: Tensor, objects: Tensor, threshold: float) -> Tensor:
    """Boxes whose confidence is not pushed to 0 although they learn no object: they are nearly right.

    Args:
        predicted: `(P, 4)` xyxy float, as predicted now.
        objects: `(M, 4)` xyxy float; M may be 0.
        threshold: `IGNORED_V2` or `IGNORED_V3`.

    Returns:
        `(P,)` bool: the best IoU with an object is above the threshold.

    Raises:
        CourseError: a threshold outside [0, 1].
    """
    if not 0 <= threshold <= 1:
        raise CourseError(f"The threshold is an IoU, between 0 and 1; got {threshold}.")
    if not len(objects):
        return torch.zeros(len(predicted), dtype=torch.bool, device=predicted.device)
    return box_iou(predicted, objects).amax(1) > threshold


def size_weight(sizes: Tensor) -> Tensor:
    """What an object's coordinates count in versions 2 and 3, in place of v1's square roots: 2 − w·h.

    Args:
        sizes: `(..., 2)` width and height as parts of the image.

    Returns:
        `(...)`: almost 2 for a small object, 1 for one as large as the image.
    """
    return 2 - sizes.prod(-1)


def match_v5(sizes: Tensor, anchors: Tensor, *, most: float = MOST_V5) -> Tensor:
    """Which anchors learn which boxes in version 5: those whose sides differ by less than a factor.

    Args:
        sizes: `(N, 2)` width and height.
        anchors: `(K, 2)`.
        most: the factor.

    Returns:
        `(N, K)` bool. A box may match several anchors, or none: then nothing learns it.
    """
    ratio = sizes[:, None] / anchors[None]  # (N, K, 2)
    return torch.maximum(ratio, 1 / ratio).amax(-1) < most


def cells_v5(centres: Tensor, cells: int) -> list[tuple[int, int, int]]:
    """The cells that learn an object in version 5: its own, and the nearer neighbour to either side.

    Args:
        centres: `(N, 2)` x and y, in cells.
        cells: of the grid's side.

    Returns:
        (object, row, column) for each: up to three for an object, fewer at the border.
    """
    found = []
    for number, (x, y) in enumerate(centres.tolist()):
        column, row = min(int(x), cells - 1), min(int(y), cells - 1)
        found.append((number, row, column))
        beside = column - 1 if x - column < 0.5 else column + 1
        above = row - 1 if y - row < 0.5 else row + 1
        if 0 <= beside < cells:
            found.append((number, row, beside))
        if 0 <= above < cells:
            found.append((number, above, column))
    return found
