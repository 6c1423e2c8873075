"""Mask R-CNN: Faster R-CNN with a third branch that says, for each region, which of its pixels are the object.

Paper: He, Gkioxari, Dollár and Girshick, "Mask R-CNN", 2017, arXiv:1703.06870: section 3 (the loss L = L_cls + L_box +
L_mask, a mask for each class, sigmoid), figure 4 right (the branch over a pyramid). Masks go in and out in `masks.py`,
RoIAlign is in `roi_align.py`.

    R  regions with an object        S  side of the branch's map, 28        K  classes, background included

**Differs from the paper:** one mask more, for background, which no region ever learns; RoIAlign without the half pixel
(see `roi_align.py`). Both as in torchvision, whose names the parameters have: weights load strictly.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crashcourse.detection.detection_images import DetectionTransform, Target, check_detection_input
from crashcourse.detection.faster_rcnn import (
    ALIGNED,
    SMALL_SIZES,
    FasterRCNN,
    check_classes,
    pyramid_roi_heads,
    pyramid_rpn,
    small_faster_rcnn,
)
from crashcourse.detection.fpn import MultiScalePool, Pool, resnet_fpn
from crashcourse.detection.masks import check_masks, mask_targets, paste_masks
from crashcourse.detection.roi_align import roi_align
from crashcourse.detection.roi_heads import RoIHeads, Samples


class MaskRCNNHeads(nn.Sequential):
    """3×3 convolutions with ReLU over a region's features; nothing is flattened, so that places stay places.

    Args:
        in_channels: of the pooled features.
        widths: channels of each convolution, four times 256 in the paper.
    """

    def __init__(self, in_channels: int, widths: Sequence[int] = (256, 256, 256, 256)) -> None:
        channels = (in_channels, *widths)
        super().__init__(
            *(
                nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True))
                for before, after in pairwise(channels)
            )
        )
        _initialise(self)


class MaskRCNNPredictor(nn.Sequential):
    """A transposed convolution that doubles the side, ReLU, and a 1×1 to one mask for each class.

    Args:
        in_channels: of the head.
        hidden: channels between.
        num_classes: with background.
    """

    def __init__(self, in_channels: int, hidden: int, num_classes: int) -> None:
        super().__init__()
        self.conv5_mask = nn.ConvTranspose2d(in_channels, hidden, 2, stride=2)
        self.relu = nn.ReLU(inplace=True)
        self.mask_fcn_logits = nn.Conv2d(hidden, num_classes, 1)
        _initialise(self)


def _initialise(module: nn.Module) -> None:
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(layer.bias)


def mask_loss(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """L_mask: binary cross-entropy of the mask of the true class; the masks of all other classes take no part.

    Args:
        logits: `(R, K, S, S)`.
        labels: `(R,)` int64, the class of each region's object, 1 to K − 1.
        targets: `(R, S, S)` float in [0, 1].

    Returns:
        A scalar, the mean over regions and pixels; 0 with a gradient of 0 where there is no region.
    """
    own = logits[torch.arange(len(labels), device=labels.device), labels]  # (R, S, S)
    return F.binary_cross_entropy_with_logits(own, targets, reduction="sum") / max(1, own.numel())


class MaskRoIHeads(RoIHeads):
    """The second stage with a mask branch: in training beside the box head, in evaluation on its detections.

    Args:
        box_roi_pool, box_head, box_predictor: see `RoIHeads`.
        mask_roi_pool: (maps, boxes of each image) -> `(K, C, S / 2, S / 2)`.
        mask_head: `(K, C, S / 2, S / 2)` -> the same size.
        mask_predictor: -> `(K, classes, S, S)` logits.
        aligned: the setting of RoIAlign with which targets are cut out; that of `mask_roi_pool` belongs to it.
        options: more of `RoIHeads`.
    """

    def __init__(
        self,
        box_roi_pool: nn.Module,
        box_head: nn.Module,
        box_predictor: nn.Module,
        *,
        mask_roi_pool: nn.Module,
        mask_head: nn.Module,
        mask_predictor: nn.Module,
        aligned: bool = False,
        **options: object,
    ) -> None:
        super().__init__(box_roi_pool, box_head, box_predictor, **options)
        self.mask_roi_pool, self.mask_head, self.mask_predictor = mask_roi_pool, mask_head, mask_predictor
        self.aligned = aligned

    def forward(
        self,
        features: Sequence[Tensor],
        proposals: Sequence[Tensor],
        sizes: Sequence[tuple[int, int]],
        targets: Sequence[Mapping[str, Tensor]] | None = None,
    ) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
        """As `RoIHeads`, with "loss_mask" among the losses, and with "masks" `(D, S, S)` among the detections: of each
        the probabilities in its own box, of the class that the box head chose."""
        if self.training:
            samples = [self.sample(*known) for known in zip(proposals, targets, strict=True)]
            losses = self.box_losses(features, samples, targets)
            return [], {**losses, "loss_mask": self.mask_losses(features, samples, targets)}
        detections = self.detect(features, proposals, sizes)
        boxes, labels = ([own[name] for own in detections] for name in ("boxes", "labels"))
        masks = self.masks(features, boxes, labels)
        return [{**own, "masks": mask} for own, mask in zip(detections, masks, strict=True)], {}

    def mask_losses(
        self, features: Sequence[Tensor], samples: Sequence[Samples], targets: Sequence[Mapping[str, Tensor]]
    ) -> Tensor:
        """L_mask over the sampled regions that have an object; background has no mask to learn."""
        found = [Samples(*(part[own.labels > 0] for part in own)) for own in samples]
        logits = self.mask_logits(features, [own.boxes for own in found])
        goals = [
            mask_targets(known["masks"], own.boxes, own.objects, logits.shape[-1], aligned=self.aligned)
            for own, known in zip(found, targets, strict=True)
        ]
        return mask_loss(logits, torch.cat([own.labels for own in found]), torch.cat(goals))

    @torch.no_grad()
    def masks(
        self, features: Sequence[Tensor], boxes: Sequence[Tensor], labels: Sequence[Tensor]
    ) -> list[Tensor]:  # fmt: skip
        """The masks of given boxes and classes, whoever chose them.

        Args:
            features: `(N, C, H, W)`, one for each map.
            boxes: for each image `(D, 4)` xyxy pixels of the batch.
            labels: for each image `(D,)` int64.

        Returns:
            For each image `(D, S, S)` probabilities inside the boxes.
        """
        logits = self.mask_logits(features, boxes)
        own = torch.cat(list(labels))
        chosen = logits[torch.arange(len(own), device=own.device), own].sigmoid()  # (D, S, S)
        return list(chosen.split([len(each) for each in labels]))

    def mask_logits(self, features: Sequence[Tensor], boxes: Sequence[Tensor]) -> Tensor:
        """`(K, classes, S, S)` of all boxes of all images."""
        return self.mask_predictor(self.mask_head(self.mask_roi_pool(features, boxes)))


class MaskRCNN(FasterRCNN):
    """Faster R-CNN whose second stage also gives masks.

    Args:
        backbone, rpn, transform: see `FasterRCNN`.
        roi_heads: with a mask branch.
        whole_pixels: how masks are put back, see `paste_masks`.
    """

    def __init__(
        self,
        backbone: nn.Module,
        rpn: nn.Module,
        roi_heads: MaskRoIHeads,
        transform: DetectionTransform,
        *,
        whole_pixels: bool = False,
    ) -> None:
        super().__init__(backbone, rpn, roi_heads, transform)
        self.whole_pixels = whole_pixels

    def forward(
        self, images: Sequence[Tensor], targets: Sequence[Target] | None = None
    ) -> dict[str, Tensor] | list[dict[str, Tensor]]:
        """As `FasterRCNN`.

        Args:
            images: each `(3, H, W)` float in [0, 1].
            targets: with "masks" `(M, H, W)` too, bool or 0 and 1: which pixels are of the object.

        Returns:
            In training five losses: also "loss_mask". In evaluation also "masks" `(D, H, W)`: for each detection the
            probability of every pixel of the image to be its object's; above 0.5 is the usual threshold.

        Raises:
            CourseError: as `FasterRCNN`; or masks that are missing, of another size, or empty.
        """
        check_detection_input(images, targets, num_classes=self.num_classes, training=self.training)
        for image, target in zip(images, targets or (), strict=False):
            check_masks(image, target)
        return super().forward(images, targets)

    def restore(
        self, found: Mapping[str, Tensor], size: tuple[int, int], original: tuple[int, int]
    ) -> dict[str, Tensor]:
        """Boxes in the pixels of the image as it came, and masks pasted into it."""
        moved = super().restore(found, size, original)
        return {**moved, "masks": paste_masks(moved["masks"], moved["boxes"], original, whole_pixels=self.whole_pixels)}


def maskrcnn_resnet50_fpn(
    num_classes: int = 91, *, frozen_norm: bool = False, min_size: int | None = 800, max_size: int = 1333
) -> MaskRCNN:
    """Torchvision's network of this name: 44,401,393 parameters with 91 classes and frozen BatchNorm.

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
    width = backbone.out_channels
    heads = pyramid_roi_heads(
        width,
        num_classes,
        heads=MaskRoIHeads,
        mask_roi_pool=MultiScalePool(partial(roi_align, sampling_ratio=2), (14, 14)),
        mask_head=MaskRCNNHeads(width),
        mask_predictor=MaskRCNNPredictor(width, 256, num_classes),
    )
    transform = DetectionTransform(min_size, max_size)
    return MaskRCNN(backbone, pyramid_rpn(width), heads, transform, whole_pixels=True)


def small_mask_rcnn(
    classes: int = 5, *, width: int = 16, pool: Pool = ALIGNED, sizes: Sequence[float] = SMALL_SIZES
) -> MaskRCNN:
    """A Mask R-CNN for laptops: `small_faster_rcnn` and a mask branch of two convolutions, with masks of 14×14.

    It has 367,169 parameters, 32,038 of them in the branch.

    Args:
        classes: without background.
        width: channels of the first convolution; the map has four times as many, the mask branch twice as many.
        pool: `ALIGNED`, or `roi_pool`; of both branches.
        sizes: of the anchors, in pixels.

    Raises:
        CourseError: fewer than 1 class.
    """
    boxes_only = small_faster_rcnn(classes, width=width, pool=pool, sizes=sizes)
    known, channels, hidden = boxes_only.roi_heads, boxes_only.backbone.out_channels, 2 * width
    heads = MaskRoIHeads(
        known.box_roi_pool,
        known.box_head,
        known.box_predictor,
        mask_roi_pool=MultiScalePool(pool, (7, 7), strides=known.box_roi_pool.strides),
        mask_head=MaskRCNNHeads(channels, (hidden, hidden)),
        mask_predictor=MaskRCNNPredictor(hidden, hidden, classes + 1),
        aligned=True,  # masks are cut out and put back at the centres of pixels
        sampler=known.sampler,
    )
    return MaskRCNN(boxes_only.backbone, boxes_only.rpn, heads, boxes_only.transform)
