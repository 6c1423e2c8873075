"""Non-maximum suppression: of boxes that overlap, keep the one with the highest score.

`greedy_nms` is the algorithm as one reads it, `nms` the same result fast. Papers: Felzenszwalb et al., "Object
detection with discriminatively trained part-based models", 2010, section 6.1; Bodla et al., "Soft-NMS", 2017,
arXiv:1704.04503, figure 2 and equations 1 to 3. **Differs from the papers:** overlap is IoU, as everywhere since.

A box is dropped when its IoU with a kept one is *above* the threshold; at exactly the threshold it stays. Equal scores
keep the order in which the boxes came.
"""

import torch
from torch import Tensor

from crashcourse.detection.boxes import at_least_float32, box_area, box_iou, check_pair
from crashcourse.errors import CourseError

BLOCK = 256  # of the best boxes are settled at a time: a larger block does more in vain, a smaller one takes more steps
COLUMNS = 1024  # of the other boxes are compared with a block at a time, so that a processor's cache holds the numbers


def greedy_nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """NMS step by step: take the best box that is left, keep it, drop what overlaps it, and again.

    Args:
        boxes: `(N, 4)` xyxy float; N may be 0.
        scores: `(N,)` float.
        iou_threshold: in [0, 1].

    Returns:
        `(K,)` int64: indices of the kept boxes, best score first.

    Raises:
        CourseError: wrong shapes, scores that are no floats, NaN or infinity, or a threshold outside [0, 1].
    """
    _check(boxes, scores, iou_threshold)
    left = scores.argsort(descending=True, stable=True)
    kept = []
    while len(left):
        best, others = left[0], left[1:]
        kept.append(best)
        overlap = box_iou(boxes[best][None], boxes[others])[0]  # (len(others),)
        left = others[overlap <= iou_threshold]
    return torch.stack(kept) if kept else left


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """What `greedy_nms` returns, in a hundredth of its steps. Arguments, result and errors are the same.

    The best boxes that are left are taken 256 at a time. Among them, pairs that overlap too much are settled; then
    everything that overlaps a kept one is dropped from what is left, at once.
    """
    _check(boxes, scores, iou_threshold)
    return _suppress(boxes, scores, None, iou_threshold)


def batched_nms(boxes: Tensor, scores: Tensor, labels: Tensor, iou_threshold: float) -> Tensor:
    """NMS within each class: boxes of different classes do not suppress each other.

    Args:
        boxes: `(N, 4)` xyxy float.
        scores: `(N,)` float.
        labels: `(N,)` int64.
        iou_threshold: in [0, 1].

    Returns:
        `(K,)` int64: indices of the kept boxes of all classes, best score first.

    Raises:
        CourseError: as `nms`, or labels that do not fit the boxes.
    """
    _check(boxes, scores, iou_threshold)
    if not isinstance(labels, Tensor) or labels.shape != scores.shape:
        got = tuple(labels.shape) if isinstance(labels, Tensor) else type(labels).__name__
        raise CourseError(f"Each box has one label: expected a tensor of shape {tuple(scores.shape)}; got {got}.")
    if len(boxes) <= COLUMNS:
        return _suppress(boxes, scores, labels, iou_threshold)
    kept = [torch.zeros(0, dtype=torch.int64, device=boxes.device)]
    for label in labels.unique():  # of many boxes most pairs are of two classes, and need not be compared
        places = (labels == label).nonzero()[:, 0]
        kept.append(places[_suppress(boxes[places], scores[places], None, iou_threshold)])
    together = torch.cat(kept).sort().values  # so that equal scores keep the order of the boxes
    return together[scores[together].argsort(descending=True, stable=True)]


def soft_nms(
    boxes: Tensor, scores: Tensor, *, method: str = "gaussian", sigma: float = 0.5, iou_threshold: float = 0.3,
    least_score: float = 0.001,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Lower the scores of overlapping boxes instead of dropping them.

    Args:
        boxes: `(N, 4)` xyxy float.
        scores: `(N,)` float, at least 0.
        method: "gaussian": times exp(−IoU² / sigma) (equation 3); "linear": times 1 − IoU where IoU is above the
            threshold (equation 2).
        sigma: of the Gaussian form, above 0.
        iou_threshold: of the linear form.
        least_score: boxes whose score is or falls below it are dropped.

    Returns:
        Indices `(K,)` int64 in the order in which they were taken, and their lowered scores `(K,)`, which fall.

    Raises:
        CourseError: as `nms`, a negative score, an unknown method, or a sigma that is not above 0.
    """
    _check(boxes, scores, iou_threshold)
    if method not in ("gaussian", "linear"):
        raise CourseError(f"soft_nms(method=...) is 'gaussian' or 'linear'; got {method!r}.")
    if not sigma > 0:
        raise CourseError(f"soft_nms(sigma=...) must be above 0; got {sigma}.")
    if bool((scores < 0).any()):
        raise CourseError("soft_nms multiplies scores by 0 to 1, so they must be at least 0. Take their sigmoid first?")
    left = (scores >= least_score).nonzero()[:, 0]  # in the order in which they came
    lowered = scores.clone()
    kept = []
    while len(left):
        place = lowered[left].argmax()  # of equals the first
        best, left = left[place], torch.cat([left[:place], left[place + 1 :]])
        kept.append(best)
        overlap = box_iou(boxes[best][None], boxes[left])[0]
        if method == "gaussian":
            weight = (-(overlap**2) / sigma).exp()
        else:
            weight = torch.where(overlap > iou_threshold, 1 - overlap, torch.ones_like(overlap))
        lowered[left] *= weight.to(lowered.dtype)
        left = left[lowered[left] >= least_score]
    indices = torch.stack(kept) if kept else left
    return indices, lowered[indices]


def _suppress(boxes: Tensor, scores: Tensor, labels: Tensor | None, iou_threshold: float) -> Tensor:
    """Greedy suppression, a block of the best boxes that are left at a time."""
    order = scores.argsort(descending=True, stable=True)
    ranked = _Ranked(at_least_float32(boxes[order]), None if labels is None else labels[order])
    left = torch.arange(len(order), device=order.device)  # ranks: the best box is 0
    step = COLUMNS if left.device.type == "cpu" else max(1, len(left))
    kept = [left[:0]]
    while len(left):
        block, left = left[:BLOCK], left[BLOCK:]
        better, worse = ranked.overlap(block, block, iou_threshold).triu_(1).nonzero(as_tuple=True)
        block = block[_independent(better, worse, len(block))]
        kept.append(block)
        left = torch.cat([part[~ranked.overlap(block, part, iou_threshold).any(0)] for part in left.split(step)])
    return order[torch.cat(kept)]


class _Ranked:
    """Boxes by falling score, each coordinate in a row of its own."""

    def __init__(self, boxes: Tensor, labels: Tensor | None) -> None:
        self.sides, self.areas, self.labels = boxes.T.contiguous(), box_area(boxes), labels

    def overlap(self, rows: Tensor, columns: Tensor, iou_threshold: float) -> Tensor:
        """`(R, C)` bool: whether two boxes, of one label, have an IoU above the threshold.

        In place, since moving numbers is what takes the time. One of two clamps is enough: apart, the intersection may
        be below 0, so IoU is, too. Two boxes without area give 0 / 0, which is not above the threshold either.
        """
        a, b = self.sides[:, rows].unsqueeze(2), self.sides[:, columns].unsqueeze(1)  # (4, R, 1), (4, 1, C)
        width = torch.minimum(a[2], b[2]).sub_(torch.maximum(a[0], b[0]))  # (R, C)
        height = torch.minimum(a[3], b[3]).sub_(torch.maximum(a[1], b[1])).clamp_(min=0)
        intersection = width.mul_(height)
        union = torch.add(self.areas[rows, None], self.areas[columns], out=height).sub_(intersection)
        over = intersection.div_(union) > iou_threshold
        return over if self.labels is None else over & (self.labels[rows, None] == self.labels[columns])


def _independent(better: Tensor, worse: Tensor, count: int) -> Tensor:
    """What a greedy choice in order 0, 1, 2, ... keeps, where `better[k]` excludes `worse[k]`: `(count,)` bool.

    All are judged at once, again and again: a box is kept once no better one that is undecided excludes it, and dropped
    once a kept one does.
    """
    kept = torch.zeros(count, dtype=torch.bool, device=better.device)
    open_ = torch.ones_like(kept)
    while True:
        blocked = torch.zeros_like(kept)
        blocked[worse] = True  # by a better box that is itself undecided
        sure = open_ & ~blocked
        kept |= sure
        open_ &= ~sure
        if not open_.any():
            return kept
        dropped = worse[kept[better]]
        open_[dropped] = False
        alive = open_[better] & open_[worse]
        better, worse = better[alive], worse[alive]


def _check(boxes: Tensor, scores: Tensor, iou_threshold: float) -> None:
    check_pair(boxes, boxes)
    if not isinstance(scores, Tensor) or not scores.is_floating_point():
        got = scores.dtype if isinstance(scores, Tensor) else type(scores).__name__
        raise CourseError(f"Scores are a float tensor, one for each box; got {got}.")
    if scores.shape != boxes.shape[:1]:
        raise CourseError(f"Each of {len(boxes)} boxes has one score; got scores of shape {tuple(scores.shape)}.")
    if not 0 <= iou_threshold <= 1:
        raise CourseError(f"iou_threshold is an IoU, between 0 and 1; got {iou_threshold}.")
    if not bool(boxes.isfinite().all()) or not bool(scores.isfinite().all()):
        raise CourseError("There is a NaN or an infinite number among the boxes or scores; training may have diverged.")
