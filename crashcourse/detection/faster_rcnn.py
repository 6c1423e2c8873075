"""Faster R-CNN: one network proposes regions and judges them, and both halves share one backbone.

Papers: Ren, He, Girshick and Sun, "Faster R-CNN: towards real-time object detection with region proposal networks",
2015, arXiv:1506.01497; over a pyramid: Lin et al., 2016, arXiv:1612.03144, section 5.2. The parts are in `anchors.py`,
`rpn.py`, `roi_heads.py`, `fpn.py` and `matching.py`.

**Differs from the papers:** all four losses are trained together, with equal weights; the other differences are named
where they are, in the parts. `fasterrcnn_resnet50_fpn` is torchvision's network, with its names: weights load strictly.
`fasterrcnn_vgg16` has the paper's layers, anchors and RoIPool. `small_faster_rcnn` is this course's own.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from torch import Tensor, nn

from crashcourse.detection.anchors import AnchorGenerator
from crashcourse.detection.detection_images import DetectionTransform, Target, check_detection_input, resize_boxes
from crashcourse.detection.fpn import MultiScalePool, resnet_fpn
from crashcourse.detection.roi_align import roi_align
from crashcourse.detection.roi_heads import FastRCNNPredictor, Heads, RoIHeads, TwoMLPHead
from crashcourse.detection.rpn import RegionProposalNetwork, RPNHead
from crashcourse.errors import CourseError

PYRAMID_SIZES = ((32,), (64,), (128,), (256,), (512,))
"""Sides of the anchors on P2 to P6, in pixels."""


ALIGNED = partial(roi_align, sampling_ratio=2)
"""RoIAlign with two samples a side of each bin, and coordinates as in the first release, half a pixel off."""


class FasterRCNN(nn.Module):
    """A backbone, proposals, and what is made of them.

    Args:
        backbone: `(N, 3, H, W)` -> list of maps.
        rpn: maps -> proposals.
        roi_heads: maps and proposals -> detections. Its predictor knows the number of classes.
        transform: images of any sizes -> one batch.
    """

    def __init__(
        self, backbone: nn.Module, rpn: RegionProposalNetwork, roi_heads: RoIHeads, transform: DetectionTransform
    ) -> None:
        super().__init__()
        self.transform, self.backbone, self.rpn, self.roi_heads = transform, backbone, rpn, roi_heads

    @property
    def num_classes(self) -> int:
        """With background."""
        return self.roi_heads.box_predictor.cls_score.out_features

    def forward(
        self, images: Sequence[Tensor], targets: Sequence[Target] | None = None
    ) -> dict[str, Tensor] | list[dict[str, Tensor]]:
        """Losses in training, detections in evaluation.

        Args:
            images: each `(3, H, W)` float in [0, 1], or `(N, 3, H, W)`.
            targets: for each image "boxes" `(M, 4)` xyxy float pixels and "labels" `(M,)` int64 from 1 on, 0 being
                background; M may be 0.

        Returns:
            In training the four losses, scalars: "loss_objectness" and "loss_rpn_box_reg" of the proposals,
            "loss_classifier" and "loss_box_reg" of the second stage. In evaluation for each image "boxes" `(D, 4)` xyxy
            pixels, "labels" `(D,)` and "scores" `(D,)`, best first.

        Raises:
            CourseError: images or targets that are not as said; a box without an area.
        """
        check_detection_input(images, targets, num_classes=self.num_classes, training=self.training)
        batch, targets = self.transform(images, targets)
        features = self.backbone(batch.tensor)
        proposals, proposal_losses = self.rpn(batch, features, targets)
        detections, losses = self.roi_heads(features, proposals, batch.sizes, targets)
        if self.training:
            return {**losses, **proposal_losses}
        sizes = zip(detections, batch.sizes, batch.original, strict=True)
        return [self.restore(found, size, original) for found, size, original in sizes]

    def restore(
        self, found: Mapping[str, Tensor], size: tuple[int, int], original: tuple[int, int]
    ) -> dict[str, Tensor]:
        """Detections in the pixels of the batch -> in those of the image as it came."""
        return {**found, "boxes": resize_boxes(found["boxes"], size, original)}


def pyramid_rpn(out_channels: int = 256, *, sizes: Sequence[Sequence[float]] = PYRAMID_SIZES) -> RegionProposalNetwork:
    """The proposals of a pyramid: one size on each level, three ratios, one head for all."""
    anchors = AnchorGenerator(sizes)
    return RegionProposalNetwork(anchors, RPNHead(out_channels, anchors.per_place))


def pyramid_roi_heads(
    out_channels: int, num_classes: int, *, heads: Heads = RoIHeads, **branches: nn.Module
) -> RoIHeads:  # fmt: skip
    """The second stage over a pyramid: RoIAlign to 7×7 with four samples a bin, and two dense layers of 1024.

    Args:
        out_channels: of the pyramid.
        num_classes: with background.
        heads: `RoIHeads`, or a subclass.
        branches: more arguments of that subclass.
    """
    pool = MultiScalePool(ALIGNED, (7, 7))
    return heads(pool, TwoMLPHead(out_channels * 7 * 7), FastRCNNPredictor(1024, num_classes), **branches)


def check_classes(num_classes: int) -> None:
    """Refuse a number of classes that leaves nothing beside background."""
    if not isinstance(num_classes, int) or num_classes < 2:
        raise CourseError(f"num_classes counts background too, so it is at least 2; got {num_classes!r}.")


def fasterrcnn_resnet50_fpn(
    num_classes: int = 91, *, frozen_norm: bool = False, min_size: int | None = 800, max_size: int = 1333
) -> FasterRCNN:
    """Torchvision's network of this name: 41,808,406 parameters with 91 classes, 41,755,286 with frozen BatchNorm.

    Args:
        num_classes: with background.
        frozen_norm: whether BatchNorm is fixed, as torchvision has it with pretrained weights. For the weights called
            COCO_V1, also call `set_norm_eps(model, 0.0)`.
        min_size, max_size: see `DetectionTransform`.

    Raises:
        CourseError: fewer than 2 classes.
    """
    check_classes(num_classes)
    backbone = resnet_fpn("50", frozen_norm=frozen_norm)
    return FasterRCNN(
        backbone,
        pyramid_rpn(backbone.out_channels),
        pyramid_roi_heads(backbone.out_channels, num_classes),
        DetectionTransform(min_size, max_size),
    )
