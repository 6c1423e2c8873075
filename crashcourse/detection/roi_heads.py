"""The second stage: what each proposed region is, and where exactly.

Papers: Girshick, "Fast R-CNN", 2015, arXiv:1504.08083, sections 2.1 to 2.3 (two heads, equation 1, sampling); Lin et
al., 2016, arXiv:1612.03144, section 4.2 (two dense layers of 1024). **Differs from the papers:** the box loss has its
bend at 1/9, targets carry fixed weights, and objects themselves are added to the proposals, all as in torchvision.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crashcourse.detection.box_deltas import HEAD_WEIGHTS, Weights, decode_deltas, encode_deltas
from crashcourse.detection.boxes import box_iou, clip_boxes
from crashcourse.detection.matching import IGNORED, NEGATIVE, BalancedSampler, Sampler, match
from crashcourse.detection.nms import batched_nms

BEND = 1 / 9  # where the smooth L1 loss turns from a square into a line


class TwoMLPHead(nn.Module):
    """Two dense layers with ReLU over a region's features.

    Args:
        in_features: channels · height · width of a region.
        hidden: units of both layers.
    """

    def __init__(self, in_features: int, hidden: int = 1024) -> None:
        super().__init__()
        self.fc6 = nn.Linear(in_features, hidden)
        self.fc7 = nn.Linear(hidden, hidden)

    def forward(self, pooled: Tensor) -> Tensor:
        """`(K, C, h, w)` -> `(K, hidden)`."""
        return F.relu(self.fc7(F.relu(self.fc6(pooled.flatten(1)))))


class FastRCNNPredictor(nn.Module):
    """Class scores, and four deltas for each class.

    Args:
        in_features: of a region.
        num_classes: with background, which is 0.
    """

    def __init__(self, in_features: int, num_classes: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(in_features, num_classes)
        self.bbox_pred = nn.Linear(in_features, 4 * num_classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`(K, in_features)` -> logits `(K, classes)` and deltas `(K, classes, 4)`."""
        return self.cls_score(x), self.bbox_pred(x).unflatten(1, (-1, 4))


class Samples(NamedTuple):
    """The regions of one image that a training step learns from.

    Attributes:
        boxes: `(R, 4)` xyxy.
        labels: `(R,)` int64, 0 for background.
        objects: `(R,)` int64: which object of the image a region belongs to; 0 for background, where it says nothing.
    """

    boxes: Tensor
    labels: Tensor
    objects: Tensor


@dataclass(frozen=True)
class Selection:
    """Which of all boxes become detections.

    Attributes:
        least_score: a class score must be above it.
        iou_threshold: of the suppression within each class.
        most: detections of an image.
        least_side: of a box, in pixels.
    """

    least_score: float = 0.05
    iou_threshold: float = 0.5
    most: int = 100
    least_side: float = 0.01


class RoIHeads(nn.Module):
    """Pools the features of each region, judges them, and makes losses or detections of that.

    A mask branch subclasses this: `sample`, `box_losses` and `detect` are the parts that it goes on from.

    Args:
        box_roi_pool: (maps, boxes of each image) -> `(K, C, h, w)`, such as `MultiScalePool`.
        box_head: `(K, C, h, w)` -> `(K, F)`.
        box_predictor: `(K, F)` -> logits `(K, classes)`, deltas `(K, classes, 4)`.
        sampler: labels -> which regions to learn from; 512 an image, a quarter of them objects.
        foreground: from this IoU on a region belongs to an object.
        background: a region whose best IoU lies between the two is background; below it is ignored (from 0.1 on in
            Fast R-CNN).
        weights: of the deltas.
        selection: which boxes become detections.
    """

    def __init__(
        self,
        box_roi_pool: nn.Module,
        box_head: nn.Module,
        box_predictor: nn.Module,
        *,
        sampler: Sampler | None = None,
        foreground: float = 0.5,
        background: tuple[float, float] = (0.0, 0.5),
        weights: Weights = HEAD_WEIGHTS,
        selection: Selection | None = None,
    ) -> None:
        super().__init__()
        self.box_roi_pool, self.box_head, self.box_predictor = box_roi_pool, box_head, box_predictor
        self.sampler = sampler or BalancedSampler(512, 0.25)
        self.foreground, self.background, self.weights = foreground, background, weights
        self.selection = selection or Selection()

    def forward(
        self,
        features: Sequence[Tensor],
        proposals: Sequence[Tensor],
        sizes: Sequence[tuple[int, int]],
        targets: Sequence[Mapping[str, Tensor]] | None = None,
    ) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
        """Judge the proposals.

        Args:
            features: `(N, C, H, W)`, one for each map.
            proposals: for each image `(P, 4)` xyxy pixels of the batch.
            sizes: height and width of each image.
            targets: "boxes" and "labels", in pixels of the batch; needed in training.

        Returns:
            In training no detections and {"loss_classifier", "loss_box_reg"}; else for each image "boxes", "labels" and
            "scores", best first, and no losses.
        """
        if self.training:
            samples = [self.sample(*known) for known in zip(proposals, targets, strict=True)]
            return [], self.box_losses(features, samples, targets)
        return self.detect(features, proposals, sizes), {}

    @torch.no_grad()
    def sample(self, proposals: Tensor, target: Mapping[str, Tensor]) -> Samples:
        """The regions to learn from: proposals and the objects themselves, matched and sampled.

        Args:
            proposals: `(P, 4)`.
            target: "boxes" `(M, 4)`, "labels" `(M,)`.
        """
        objects = target["boxes"].to(proposals)
        boxes = torch.cat([proposals, objects])
        low, high = self.background
        least = low if len(objects) else 0.0
        owners = match(box_iou(objects, boxes), high=self.foreground, low=high, least=least)
        found = owners.clamp(min=0)
        labels = target["labels"][found] if len(objects) else torch.zeros_like(owners)
        labels = labels.masked_fill(owners == NEGATIVE, 0).masked_fill(owners == IGNORED, -1)
        chosen = torch.cat(self.sampler(labels)).sort().values
        return Samples(boxes[chosen], labels[chosen], found[chosen])

    def box_losses(
        self, features: Sequence[Tensor], samples: Sequence[Samples], targets: Sequence[Mapping[str, Tensor]]
    ) -> dict[str, Tensor]:
        """The two losses of equation 1.

        Returns:
            {"loss_classifier": cross-entropy, mean over all regions; "loss_box_reg": smooth L1 of the regions with an
            object, of its class's deltas, divided by the number of *all* regions}.
        """
        logits, deltas = self.predict(features, [own.boxes for own in samples])
        goals = [
            encode_deltas(known["boxes"].to(own.boxes)[own.objects[own.labels > 0]], own.boxes[own.labels > 0],
                          self.weights)
            for own, known in zip(samples, targets, strict=True)
        ]  # fmt: skip
        return fast_rcnn_loss(logits, deltas, torch.cat([own.labels for own in samples]), torch.cat(goals))

    def predict(self, features: Sequence[Tensor], boxes: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Logits `(K, classes)` and deltas `(K, classes, 4)` of all regions of all images."""
        return self.box_predictor(self.box_head(self.box_roi_pool(features, boxes)))

    @torch.no_grad()
    def detect(
        self, features: Sequence[Tensor], proposals: Sequence[Tensor], sizes: Sequence[tuple[int, int]]
    ) -> list[dict[str, Tensor]]:
        """For each image "boxes" `(D, 4)`, "labels" `(D,)` from 1 on, "scores" `(D,)`, best first."""
        logits, deltas = self.predict(features, proposals)
        boxes = decode_deltas(deltas, torch.cat(list(proposals))[:, None], self.weights)  # (K, classes, 4)
        counts = [len(own) for own in proposals]
        parts = zip(boxes.split(counts), logits.softmax(-1).split(counts), sizes, strict=True)
        return [select_detections(*part, self.selection) for part in parts]


def fast_rcnn_loss(logits: Tensor, deltas: Tensor, labels: Tensor, goals: Tensor) -> dict[str, Tensor]:
    """Equation 1 of Fast R-CNN, over regions of one or more images.

    Args:
        logits: `(K, classes)`.
        deltas: `(K, classes, 4)`.
        labels: `(K,)` int64, 0 for background.
        goals: `(P, 4)`: what the deltas of the P regions with an object should be, in their order.

    Returns:
        {"loss_classifier", "loss_box_reg"}, scalars; 0 with a gradient of 0 where there is nothing to learn from.
    """
    count = max(1, len(labels))
    positive = (labels > 0).nonzero()[:, 0]
    own = deltas[positive, labels[positive]]  # (P, 4): a region moves by the deltas of its class only
    return {
        "loss_classifier": F.cross_entropy(logits, labels, reduction="sum") / count,
        "loss_box_reg": F.smooth_l1_loss(own, goals, beta=BEND, reduction="sum") / count,
    }


def select_detections(
    boxes: Tensor, scores: Tensor, size: tuple[int, int], selection: Selection
) -> dict[str, Tensor]:  # fmt: skip
    """From a box and a score for each region and class to detections.

    Args:
        boxes: `(K, classes, 4)`; class 0 is background.
        scores: `(K, classes)` probabilities.
        size: height and width of the image.
        selection: what is left.

    Returns:
        "boxes" `(D, 4)`, "labels" `(D,)`, "scores" `(D,)`, best first.
    """
    boxes = clip_boxes(boxes, size)
    sides = boxes[..., 2:] - boxes[..., :2]
    good = (scores > selection.least_score) & (sides >= selection.least_side).all(-1)
    good[:, 0] = False
    region, label = good.nonzero(as_tuple=True)
    boxes, scores = boxes[region, label], scores[region, label]
    kept = batched_nms(boxes, scores, label, selection.iou_threshold)[: selection.most]
    return {"boxes": boxes[kept], "labels": label[kept], "scores": scores[kept]}


Heads = Callable[..., RoIHeads]
"""`RoIHeads`, or a subclass with more branches: what builders take to make the second stage."""
