"""Fast R-CNN: one run of the backbone for the whole image, and every proposal cut out of its map.

Paper: Girshick, "Fast R-CNN", 2015, arXiv:1504.08083: sections 2.1 (RoIPool, in `roi_pool.py`), 2.2 and 2.3. The second
stage is `RoIHeads`. **Differs from the paper:** proposals are given, and the objects themselves are added to them in
training; the box loss and its targets are those of `roi_heads.py`; VGG-16 has the names of this course's own.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from crashcourse.classification.vgg import vgg16
from crashcourse.detection.boxes import check_objects
from crashcourse.detection.detection_images import DetectionTransform, Target, check_detection_input, resize_boxes
from crashcourse.detection.fpn import MultiScalePool
from crashcourse.detection.matching import BalancedSampler
from crashcourse.detection.roi_heads import FastRCNNPredictor, RoIHeads
from crashcourse.detection.roi_pool import roi_pool
from crashcourse.errors import CourseError


class SingleMap(nn.Module):
    """A backbone that gives out one map.

    Args:
        features: `(N, 3, H, W)` -> `(N, out_channels, H / stride, W / stride)`.
        out_channels: of its map.
    """

    def __init__(self, features: nn.Module, out_channels: int) -> None:
        super().__init__()
        self.features, self.out_channels = features, out_channels

    def forward(self, images: Tensor) -> list[Tensor]:
        """A list with the one map."""
        return [self.features(images)]


class FastRCNN(nn.Module):
    """A backbone and the second stage, for proposals that come from somewhere else.

    Args:
        backbone: `(N, 3, H, W)` -> list of maps.
        roi_heads: maps and proposals -> detections.
        transform: images of any sizes -> one batch.
    """

    def __init__(self, backbone: nn.Module, roi_heads: RoIHeads, transform: DetectionTransform) -> None:
        super().__init__()
        self.transform, self.backbone, self.roi_heads = transform, backbone, roi_heads

    @property
    def num_classes(self) -> int:
        """With background."""
        return self.roi_heads.box_predictor.cls_score.out_features

    def forward(
        self, images: Sequence[Tensor], proposals: Sequence[Tensor], targets: Sequence[Target] | None = None
    ) -> dict[str, Tensor] | list[dict[str, Tensor]]:
        """Losses in training, detections in evaluation.

        Args:
            images: each `(3, H, W)` float in [0, 1].
            proposals: for each image `(P, 4)` xyxy float pixels, each with an area.
            targets: for each image "boxes" `(M, 4)` and "labels" `(M,)` from 1 on; M may be 0.

        Returns:
            In training {"loss_classifier", "loss_box_reg"}, scalars. In evaluation for each image "boxes" `(D, 4)`
            xyxy pixels, "labels" `(D,)` and "scores" `(D,)`, best first.

        Raises:
            CourseError: images, proposals or targets that are not as said; a box without an area.
        """
        check_detection_input(images, targets, num_classes=self.num_classes, training=self.training)
        if len(proposals) != len(images):
            raise CourseError(f"{len(images)} images came with {len(proposals)} sets of proposals.")
        for own in proposals:
            check_objects(own)
        batch, targets = self.transform(images, targets)
        scaled = [resize_boxes(*known) for known in zip(proposals, batch.original, batch.sizes, strict=True)]
        detections, losses = self.roi_heads(self.backbone(batch.tensor), scaled, batch.sizes, targets)
        if self.training:
            return losses
        sizes = zip(detections, batch.sizes, batch.original, strict=True)
        return [{**found, "boxes": resize_boxes(found["boxes"], size, old)} for found, size, old in sizes]


def vgg16_parts(num_classes: int) -> tuple[SingleMap, nn.Sequential, FastRCNNPredictor]:
    """VGG-16 taken apart for a detector: convolutions with stride 16, two dense layers of 4096, two predictions.

    Args:
        num_classes: with background.
    """
    network = vgg16(1)
    head = nn.Sequential(nn.Flatten(), *list(network.classifier)[:-1])  # 512·7·7 -> 4096
    predictor = FastRCNNPredictor(4096, num_classes)
    for layer, deviation in ((predictor.cls_score, 0.01), (predictor.bbox_pred, 0.001)):  # section 2.3
        nn.init.normal_(layer.weight, std=deviation)
        nn.init.zeros_(layer.bias)
    return SingleMap(network.features[:-1], 512), head, predictor  # without the last max-pool


def fast_rcnn_vgg16(num_classes: int = 21, *, min_size: int | None = 600, max_size: int = 1000) -> FastRCNN:
    """The paper's largest network: VGG-16, RoIPool to 7×7, 64 regions an image, a quarter of them objects.

    Args:
        num_classes: with background; 21 for VOC, with 134,690,729 parameters.
        min_size, max_size: see `DetectionTransform`.

    Raises:
        CourseError: fewer than 2 classes.
    """
    check_classes(num_classes)
    backbone, head, predictor = vgg16_parts(num_classes)
    pool = MultiScalePool(roi_pool, (7, 7), strides=(16,))
    heads = RoIHeads(pool, head, predictor, sampler=BalancedSampler(64, 0.25), background=(0.1, 0.5))
    return FastRCNN(backbone, heads, DetectionTransform(min_size, max_size))


def check_classes(num_classes: int) -> None:
    """Refuse a number of classes that leaves nothing beside background."""
    if not isinstance(num_classes, int) or num_classes < 2:
        raise CourseError(f"num_classes counts background too, so it is at least 2; got {num_classes!r}.")
