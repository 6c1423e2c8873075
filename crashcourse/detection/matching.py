"""Which boxes learn which object, and which of them a training step takes.

Papers: Ren et al., "Faster R-CNN", 2015, arXiv:1506.01497, section 3.1.2 (positive above an IoU of 0.7 or the best of
an object, negative below 0.3) and 3.1.3 (256 anchors of an image, at most half of them positive); Girshick, "Fast
R-CNN", 2015, arXiv:1504.08083, section 2.3 (a quarter of 64 regions from 0.5 on, background from 0.1 to 0.5).
**Differs from the papers:** an IoU of exactly the upper threshold is positive, as in torchvision.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from crashcourse.errors import CourseError

NEGATIVE, IGNORED = -1, -2
"""What `match` says of a box that is background, and of one that is neither background nor an object."""

Sampler = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Labels `(N,)`, above 0 positive, 0 negative, below ignored -> indices of the chosen positives and negatives."""


def match(iou: Tensor, *, high: float, low: float, least: float = 0.0, keep_best: bool = False) -> Tensor:
    """Give every box the object that it overlaps most, if it does so enough.

    Args:
        iou: `(G, N)` of every object with every box; G may be 0.
        high: from this IoU on a box belongs to the object.
        low: below it a box is background; from `low` to `high` it is ignored.
        least: below it a box is ignored too: background that is too easy to learn from.
        keep_best: the boxes with the largest IoU that an object has are not turned away, however small it is, if only
            above 0. They still belong to the object that *they* overlap most.

    Returns:
        `(N,)` int64: the index of the object, `NEGATIVE` or `IGNORED`. Without an object all are negative.

    Raises:
        CourseError: thresholds that are not 0 <= least <= low <= high <= 1.
    """
    if not 0 <= least <= low <= high <= 1:
        raise CourseError(f"Thresholds need 0 <= least <= low <= high <= 1; got {least}, {low}, {high}.")
    if iou.ndim != 2:
        raise CourseError(f"iou has shape (objects, boxes); got {tuple(iou.shape)}.")
    objects, boxes = iou.shape
    if objects == 0 or boxes == 0:
        return torch.full((boxes,), NEGATIVE, dtype=torch.int64, device=iou.device)
    best, owner = iou.max(0)  # (N,)
    matched = owner.clone()
    matched[best < high] = IGNORED
    matched[(best < low) & (best >= least)] = NEGATIVE
    if keep_best:
        most = iou.amax(1, keepdim=True)  # (G, 1)
        winners = ((iou == most) & (most > 0)).any(0)  # ties included
        matched[winners] = owner[winners]
    return matched


class BalancedSampler:
    """Draws a fixed number of boxes of an image, a certain part of them positive.

    Args:
        count: how many in all.
        positive_part: at most this part is positive; negatives fill the rest. Where either are too few, the others do
            not take their place, except that negatives take the place of missing positives.
        generator: the source of randomness; torch's own by default.

    Raises:
        CourseError: a count below 1, or a part outside [0, 1].
    """

    def __init__(self, count: int, positive_part: float, generator: torch.Generator | None = None) -> None:
        if not isinstance(count, int) or count < 1 or not 0 <= positive_part <= 1:
            raise CourseError(
                f"A sampler takes at least 1 box, and a part between 0 and 1; got {count}, {positive_part}."
            )
        self.count, self.positive_part, self.generator = count, positive_part, generator

    def __repr__(self) -> str:
        return f"BalancedSampler({self.count}, {self.positive_part})"

    def __call__(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Choose.

        Args:
            labels: `(N,)`: above 0 positive, 0 negative, below 0 ignored.

        Returns:
            Indices of the positives and of the negatives, each int64, in random order, each index once.
        """
        positive, negative = (labels > 0).nonzero()[:, 0], (labels == 0).nonzero()[:, 0]
        wanted = min(len(positive), int(self.count * self.positive_part))
        return self._some(positive, wanted), self._some(negative, self.count - wanted)

    def _some(self, indices: Tensor, count: int) -> Tensor:
        device = self.generator.device if self.generator is not None else indices.device
        order = torch.randperm(len(indices), generator=self.generator, device=device)
        return indices[order[:count].to(indices.device)]
