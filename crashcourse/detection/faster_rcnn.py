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
from crashcourse.detection.fast_rcnn import SingleMap, check_classes, vgg16_parts
from crashcourse.detection.fpn import MultiScalePool, Pool, resnet_fpn
from crashcourse.detection.matching import BalancedSampler
from crashcourse.detection.roi_align import roi_align
from crashcourse.detection.roi_heads import FastRCNNPredictor, Heads, RoIHeads, TwoMLPHead
from crashcourse.detection.roi_pool import roi_pool
from crashcourse.detection.rpn import RegionProposalNetwork, RPNHead

PYRAMID_SIZES = ((32,), (64,), (128,), (256,), (512,))
"""Sides of the anchors on P2 to P6, in pixels."""


SMALL_SIZES = (12.0, 24.0, 48.0)
"""Sides of the small network's anchors, in pixels, for images of 112."""
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


def fasterrcnn_vgg16(num_classes: int = 21, *, min_size: int | None = 600, max_size: int = 1000) -> FasterRCNN:
    """The paper's network: VGG-16, nine anchors a place, RoIPool to 7×7, 300 proposals in evaluation.

    Args:
        num_classes: with background; 21 for VOC, with 137,073,622 parameters.
        min_size, max_size: see `DetectionTransform`.

    Raises:
        CourseError: fewer than 2 classes.
    """
    check_classes(num_classes)
    backbone, head, predictor = vgg16_parts(num_classes)
    anchors = AnchorGenerator(((128, 256, 512),), offset=0.5)
    rpn = RegionProposalNetwork(
        anchors,
        RPNHead(512, anchors.per_place),
        before_nms=(12000, 6000),
        after_nms=(2000, 300),
        inside_only=True,
    )
    pool = MultiScalePool(roi_pool, (7, 7), strides=(16,))
    heads = RoIHeads(pool, head, predictor, sampler=BalancedSampler(128, 0.25))
    return FasterRCNN(backbone, rpn, heads, DetectionTransform(min_size, max_size, divisible=16))


def small_faster_rcnn(
    classes: int = 5, *, width: int = 16, pool: Pool = ALIGNED, sizes: Sequence[float] = SMALL_SIZES
) -> FasterRCNN:
    """A Faster R-CNN for laptops: one map with stride 8, nine anchors a place, 335,131 parameters.

    Args:
        classes: without background.
        width: channels of the first convolution; the map has four times as many.
        pool: `ALIGNED`, or `roi_pool`.
        sizes: of the anchors, in pixels.

    Raises:
        CourseError: fewer than 1 class.
    """
    check_classes(classes + 1)
    anchors = AnchorGenerator((sizes,), offset=0.5, rounded=False)
    rpn = RegionProposalNetwork(
        anchors,
        RPNHead(4 * width, anchors.per_place),
        sampler=BalancedSampler(64, 0.5),
        before_nms=(100, 300),
        after_nms=(40, 100),
    )
    heads = RoIHeads(
        MultiScalePool(pool, (5, 5), strides=(8,)),
        TwoMLPHead(4 * width * 5 * 5, 8 * width),
        FastRCNNPredictor(8 * width, classes + 1),
        sampler=BalancedSampler(32, 0.5),  # half of them objects: scenes have few, and a minute is short
    )
    return FasterRCNN(SingleMap(small_features(width), 4 * width), rpn, heads, DetectionTransform(None, divisible=8))


def small_features(width: int) -> nn.Sequential:
    """3×3 convolutions with BatchNorm, halving three times: `(N, 3, H, W)` -> `(N, 4 · width, H / 8, W / 8)`."""
    layers: list[nn.Module] = []
    channels = 3
    for step in range(3):
        for stride in (2, 1)[: 1 if step == 0 else 2]:
            out = width * 2**step
            layers += [
                nn.Conv2d(channels, out, 3, stride, padding=1, bias=False),
                nn.BatchNorm2d(out),
                nn.ReLU(inplace=True),
            ]
            channels = out
    return nn.Sequential(*layers)
