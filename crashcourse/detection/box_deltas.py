"""Box deltas: what a network learns of a box is how it differs from an anchor or a proposal.

Papers: Girshick et al., "Rich feature hierarchies", 2013, arXiv:1311.2524, appendix C (the four numbers); Ren et al.,
"Faster R-CNN", 2015, arXiv:1506.01497, equation 2. With centre x, y, width w and height h, and the anchor's a:

    tx = (x − xa) / wa    ty = (y − ya) / ha    tw = log(w / wa)    th = log(h / ha)

**Differs from the papers:** weights multiply the four numbers, as in torchvision; Fast R-CNN (arXiv:1504.08083, section
3.1) divides them by their standard deviations instead, of which (10, 10, 5, 5) are the usual inverses. tw and th are
limited before the exponential.
"""

import math

import torch
from torch import Tensor

from crashcourse.detection.boxes import check_boxes, check_pair
from crashcourse.errors import CourseError

Weights = tuple[float, float, float, float]
RPN_WEIGHTS: Weights = (1.0, 1.0, 1.0, 1.0)
HEAD_WEIGHTS: Weights = (10.0, 10.0, 5.0, 5.0)
MOST_GROWTH = math.log(1000 / 16)
"""The largest tw or th that is taken at its word: a box of 62.5 times the anchor's side."""


def encode_deltas(boxes: Tensor, anchors: Tensor, weights: Weights = RPN_WEIGHTS) -> Tensor:
    """What turns each anchor into its box.

    Args:
        boxes: `(N, 4)` xyxy float, each with an area.
        anchors: `(N, 4)` xyxy float, each with an area.
        weights: of tx, ty, tw, th.

    Returns:
        `(N, 4)`: tx, ty, tw, th, times the weights.

    Raises:
        CourseError: different numbers of boxes and anchors, or one without an area.

    >>> encode_deltas(torch.tensor([[10.0, 0.0, 30.0, 10.0]]), torch.tensor([[0.0, 0.0, 20.0, 10.0]])).tolist()
    [[0.5, 0.0, 0.0, 0.0]]
    """
    check_pair(boxes, anchors)
    if len(boxes) != len(anchors):
        raise CourseError(f"Each anchor has one box: got {len(boxes)} boxes for {len(anchors)} anchors.")
    size, anchor_size = boxes[:, 2:] - boxes[:, :2], anchors[:, 2:] - anchors[:, :2]  # (N, 2)
    if not bool((size > 0).all()) or not bool((anchor_size > 0).all()):
        raise CourseError("A box or an anchor has no area (x1 < x2 and y1 < y2 are needed): its logarithm is infinite.")
    centre, anchor_centre = boxes[:, :2] + size / 2, anchors[:, :2] + anchor_size / 2
    deltas = torch.cat([(centre - anchor_centre) / anchor_size, (size / anchor_size).log()], 1)
    return deltas * deltas.new_tensor(weights)


def decode_deltas(deltas: Tensor, anchors: Tensor, weights: Weights = RPN_WEIGHTS) -> Tensor:
    """The boxes that deltas make of anchors: undoes `encode_deltas`.

    Args:
        deltas: `(..., 4)` float.
        anchors: `(..., 4)` xyxy float; the shapes broadcast.
        weights: those with which the deltas were encoded.

    Returns:
        `(..., 4)` xyxy. Sides grow by 62.5 at most.

    Raises:
        CourseError: a last dimension other than 4.
    """
    check_boxes(deltas)
    check_boxes(anchors)
    deltas = deltas / deltas.new_tensor(weights)
    size = anchors[..., 2:] - anchors[..., :2]
    centre = deltas[..., :2] * size + (anchors[..., :2] + size / 2)
    half = deltas[..., 2:].clamp(max=MOST_GROWTH).exp() * size / 2
    return torch.cat([centre - half, centre + half], -1)
