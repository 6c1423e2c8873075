"""Region proposal network: a small network that slides over a feature map and says where something might be.

Paper: Ren, He, Girshick and Sun, "Faster R-CNN", 2015, arXiv:1506.01497, section 3.1, equations 1 and 2.

    N  images            A  anchors of all maps together            K  anchors at one place

**Differs from the paper:** trained together with the head, not in four alternating steps; one logit for each anchor in
place of two; the box loss is a smooth L1 with its bend at 1/9, divided by the number of sampled anchors (256) where the
paper has λ / N_reg = 10 / 2400; anchors that leave the image do take part (`inside_only=True` is the paper's rule).
All as in torchvision, except that an object which meets no anchor is learned by none, not by all of them.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crashcourse.detection.anchors import AnchorGenerator
from crashcourse.detection.box_deltas import decode_deltas, encode_deltas
from crashcourse.detection.boxes import box_iou, clip_boxes
from crashcourse.detection.detection_images import ImageBatch
from crashcourse.detection.matching import IGNORED, BalancedSampler, Sampler, match
from crashcourse.detection.nms import batched_nms

BEND = 1 / 9  # where the smooth L1 loss turns from a square into a line
LEAST_SIDE = 1e-3


class RPNHead(nn.Module):
    """A 3×3 convolution, then two 1×1: objectness and four deltas for each anchor of a place.

    Args:
        in_channels: of every map, and of the hidden layer.
        anchors: K, those at one place.
    """

    def __init__(self, in_channels: int, anchors: int) -> None:
        super().__init__()
        hidden = nn.Sequential(nn.Conv2d(in_channels, in_channels, 3, padding=1), nn.ReLU(inplace=True))
        self.conv = nn.Sequential(hidden)
        self.cls_logits = nn.Conv2d(in_channels, anchors, 1)
        self.bbox_pred = nn.Conv2d(in_channels, 4 * anchors, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)

    def forward(self, features: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """For each map `(N, C, H, W)`: objectness `(N, H · W · K)`, deltas `(N, H · W · K, 4)`, as anchors lie."""
        objectness, deltas = [], []
        for feature in features:
            hidden = self.conv(feature)
            objectness.append(self.cls_logits(hidden).permute(0, 2, 3, 1).flatten(1))  # (N, K, H, W) -> (N, H·W·K)
            moved = self.bbox_pred(hidden).permute(0, 2, 3, 1)  # (N, H, W, 4K)
            deltas.append(moved.reshape(len(moved), -1, 4))
        return objectness, deltas


class RegionProposalNetwork(nn.Module):
    """Anchors, the head, its two losses, and proposals.

    Args:
        anchors: the anchors of each map.
        head: maps -> objectness and deltas.
        sampler: labels -> which positives and negatives to learn from; 256 an image, half of them positive.
        thresholds: negative below the first IoU, positive from the second on, or best of an object.
        before_nms: how many of each map's best anchors are looked at, in training and in evaluation.
        after_nms: how many proposals of an image are left, in training and in evaluation.
        iou_threshold: of the suppression, which is done within each map.
        inside_only: learn from no anchor that crosses the border of the image, as the paper does.
    """

    def __init__(
        self,
        anchors: AnchorGenerator,
        head: nn.Module,
        *,
        sampler: Sampler | None = None,
        thresholds: tuple[float, float] = (0.3, 0.7),
        before_nms: tuple[int, int] = (2000, 1000),
        after_nms: tuple[int, int] = (2000, 1000),
        iou_threshold: float = 0.7,
        inside_only: bool = False,
    ) -> None:
        super().__init__()
        self.anchors, self.head = anchors, head
        self.sampler = sampler or BalancedSampler(256, 0.5)
        self.thresholds, self.iou_threshold, self.inside_only = thresholds, iou_threshold, inside_only
        self.before_nms, self.after_nms = before_nms, after_nms

    def forward(
        self, images: ImageBatch, features: Sequence[Tensor], targets: Sequence[Mapping[str, Tensor]] | None = None
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        """Propose; in training, learn.

        Args:
            images: the batch that the features were made of.
            features: `(N, C, H, W)`, one for each map.
            targets: with "boxes" `(M, 4)` in pixels of the batch; needed in training.

        Returns:
            For each image `(P, 4)` xyxy proposals, best first, through which no gradient passes; and in training
            {"loss_objectness", "loss_rpn_box_reg"}, else an empty dict.
        """
        objectness, deltas = self.head(features)
        anchors = self.anchors(images.tensor.shape[-2:], features)
        proposals = self.propose(objectness, deltas, anchors, images.sizes)
        boxes = [own for own, _ in proposals]
        if not self.training:
            return boxes, {}
        return boxes, self.losses(torch.cat(objectness, 1), torch.cat(deltas, 1), torch.cat(anchors), images, targets)

    @torch.no_grad()
    def propose(
        self,
        objectness: Sequence[Tensor],
        deltas: Sequence[Tensor],
        anchors: Sequence[Tensor],
        sizes: Sequence[tuple[int, int]],
    ) -> list[tuple[Tensor, Tensor]]:
        """The best boxes of each image.

        Args:
            objectness: for each map `(N, A_i)` logits.
            deltas: for each map `(N, A_i, 4)`.
            anchors: for each map `(A_i, 4)`.
            sizes: height and width of each image; boxes are cut off there.

        Returns:
            For each image boxes `(P, 4)` and their probabilities `(P,)`, best first.
        """
        before, after = (limits[0 if self.training else 1] for limits in (self.before_nms, self.after_nms))
        scores, boxes, levels = [], [], []
        for level, (logits, moves, own) in enumerate(zip(objectness, deltas, anchors, strict=True)):
            best, chosen = logits.topk(min(before, logits.shape[1]), dim=1)  # (N, T)
            moved = moves.gather(1, chosen[..., None].expand(-1, -1, 4))  # (N, T, 4)
            scores.append(best.sigmoid())
            boxes.append(decode_deltas(moved, own[chosen]))
            levels.append(torch.full_like(chosen[0], level))
        scores, boxes, levels = torch.cat(scores, 1), torch.cat(boxes, 1), torch.cat(levels)
        found = []
        for own_boxes, own_scores, size in zip(boxes, scores, sizes, strict=True):
            own_boxes = clip_boxes(own_boxes, size)
            large = (own_boxes[:, 2:] - own_boxes[:, :2] >= LEAST_SIDE).all(1)
            own_boxes, own_scores = own_boxes[large], own_scores[large]
            kept = batched_nms(own_boxes, own_scores, levels[large], self.iou_threshold)[:after]
            found.append((own_boxes[kept], own_scores[kept]))
        return found

    def losses(
        self,
        objectness: Tensor,
        deltas: Tensor,
        anchors: Tensor,
        images: ImageBatch,
        targets: Sequence[Mapping[str, Tensor]],
    ) -> dict[str, Tensor]:
        """Equation 1: is there an object, and where exactly.

        Args:
            objectness: `(N, A)` logits.
            deltas: `(N, A, 4)`.
            anchors: `(A, 4)`.
            images: the batch.
            targets: with "boxes" `(M, 4)`.

        Returns:
            {"loss_objectness": cross-entropy, mean over the sampled anchors; "loss_rpn_box_reg": smooth L1 of the
            sampled positives, divided by the number of *all* sampled anchors}.
        """
        logits, labels, moves, goals = [], [], [], []
        for n, (target, size) in enumerate(zip(targets, images.sizes, strict=True)):
            owners = self.assign(anchors, target["boxes"], size)  # (A,)
            positive, negative = self.sampler((owners >= 0).float() - (owners == IGNORED).float())
            logits += [objectness[n, positive], objectness[n, negative]]
            labels += [torch.ones_like(logits[-2]), torch.zeros_like(logits[-1])]
            moves.append(deltas[n, positive])
            goals.append(encode_deltas(target["boxes"][owners[positive]].to(anchors), anchors[positive]))
        logits, labels = torch.cat(logits), torch.cat(labels)
        count = max(1, len(logits))
        return {
            "loss_objectness": F.binary_cross_entropy_with_logits(logits, labels, reduction="sum") / count,
            "loss_rpn_box_reg": F.smooth_l1_loss(torch.cat(moves), torch.cat(goals), beta=BEND, reduction="sum")
            / count,
        }

    def assign(self, anchors: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
        """Which object each anchor learns: `(A,)` int64, its index, `NEGATIVE` or `IGNORED`."""
        low, high = self.thresholds
        iou = box_iou(boxes.to(anchors), anchors)  # (M, A)
        if self.inside_only:
            inside = (anchors == clip_boxes(anchors, size)).all(1)
            iou = torch.where(inside, iou, iou.new_zeros(()))
        owners = match(iou, high=high, low=low, keep_best=True)
        return owners.masked_fill(~inside, IGNORED) if self.inside_only else owners
