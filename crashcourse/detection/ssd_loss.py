"""The loss of SSD, and the few negatives that it counts.

Paper: Liu et al., 2015, arXiv:1512.02325, section 2.2: equations 1 to 3, and hard negative mining.
**Differs from the paper:** nothing. Where there is no object the paper sets the loss to 0, and so does this.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from crashcourse.detection.ssd_boxes import SsdTarget
from crashcourse.errors import CourseError

NEGATIVES = 3.0
"""Negatives for each positive, at most."""


class MultiboxLoss(NamedTuple):
    """The two terms of equation 1, each a scalar, divided by the number of positives in the batch.

    Attributes:
        location: smooth L1 between offsets, summed over positives (equation 2).
        classes: cross-entropy, summed over positives and the hardest negatives (equation 3).
    """

    location: Tensor
    classes: Tensor

    @property
    def total(self) -> Tensor:
        """Their sum: α of equation 1 is 1."""
        return self.location + self.classes


def hard_negatives(loss: Tensor, positive: Tensor, *, ratio: float = NEGATIVES) -> Tensor:
    """The negatives that count: in each image those of the highest loss, `ratio` for each positive.

    Args:
        loss: `(N, P)`, the classification loss of each default box.
        positive: `(N, P)` bool: which of them learn an object.
        ratio: negatives for each positive.

    Returns:
        `(N, P)` bool, never True for a positive. An image without positives has none; of equals the first count.

    Raises:
        CourseError: shapes that differ, or a ratio below 0.
    """
    if loss.ndim != 2 or loss.shape != positive.shape:
        raise CourseError(
            f"loss and positive have shape (N, P), an image each row; got {tuple(loss.shape)} and "
            f"{tuple(positive.shape)}."
        )
    if not ratio >= 0:
        raise CourseError(f"hard_negatives(ratio=...) is at least 0; got {ratio}.")
    order = loss.detach().masked_fill(positive, -torch.inf).argsort(dim=1, descending=True, stable=True)
    rank = torch.empty_like(order).scatter_(1, order, torch.arange(loss.shape[1], device=loss.device).expand_as(order))
    return (rank < ratio * positive.sum(1, keepdim=True)) & ~positive


def multibox_loss(offsets: Tensor, logits: Tensor, target: SsdTarget, *, ratio: float = NEGATIVES) -> MultiboxLoss:
    """Equations 1 to 3.

    Args:
        offsets: `(N, P, 4)`, the network's.
        logits: `(N, P, C)`, the network's; class 0 is background.
        target: with a batch dimension: `stack_ssd_targets([encode_ssd_targets(...), ...])`.
        ratio: negatives for each positive.

    Raises:
        CourseError: shapes that do not fit together.
    """
    _check(offsets, logits, target)
    positive = target.labels > 0  # (N, P)
    loss = F.cross_entropy(logits.transpose(1, 2), target.labels, reduction="none")  # (N, P)
    counted = positive | hard_negatives(loss, positive, ratio=ratio)
    count = positive.sum().clamp(min=1)
    location = F.smooth_l1_loss(offsets[positive], target.offsets[positive], reduction="sum")
    return MultiboxLoss(location / count, loss[counted].sum() / count)


def _check(offsets: Tensor, logits: Tensor, target: SsdTarget) -> None:
    shape = target.labels.shape
    if logits.ndim != 3 or logits.shape[:2] != shape or not offsets.shape == target.offsets.shape == (*shape, 4):
        raise CourseError(
            "multibox_loss takes offsets (N, P, 4), logits (N, P, C), and targets (N, P) and (N, P, 4); got "
            f"{tuple(offsets.shape)}, {tuple(logits.shape)}, {tuple(shape)} and {tuple(target.offsets.shape)}."
        )
