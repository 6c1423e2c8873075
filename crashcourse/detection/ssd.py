"""SSD: every default box of several maps is classified and moved, in one pass.

Paper: Liu et al., "SSD: Single shot multibox detector", 2015, arXiv:1512.02325: figure 2, sections 2.1 and 3.1 (the
network SSD300 on VGG-16). Its maps are in `ssd_maps.py`, default boxes and matching in `ssd_boxes.py`, the loss in
`ssd_loss.py`.

**Differs from the paper:** parameter names, the normalization of images and the default boxes of `ssd300_vgg16` are
torchvision's (COCO's); give it `layout=SSD300` for the paper's boxes. All its layers train; torchvision freezes the
first ones where weights are loaded. `small_ssd` is this course's own, for 112×112 images.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crashcourse.detection.boxes import clip_boxes
from crashcourse.detection.nms import batched_nms
from crashcourse.detection.ssd_boxes import SSD300_COCO, DefaultBoxes, decode_offsets
from crashcourse.detection.ssd_maps import SmallMaps, VggMaps, xavier
from crashcourse.errors import CourseError

MEAN = (0.48235, 0.45882, 0.40784)
"""Of red, green and blue, in [0, 1]: what the VGG behind the authors' weights subtracts; it takes values up to 255."""
LEAST_SIDE = 16
"""Images with a shorter side are refused: there is no object in so few pixels."""


class SsdOutput(NamedTuple):
    """What the network says of every default box.

    Attributes:
        offsets: `(N, P, 4)`: where the object lies, relative to the default box and divided by the variances.
        logits: `(N, P, C)`: class scores before softmax; class 0 is background.
    """

    offsets: Tensor
    logits: Tensor


class ScoringHead(nn.Module):
    """A 3×3 convolution on every map, which gives the same numbers for every default box.

    Args:
        channels: of each map.
        per_place: for each map, default boxes around a place.
        columns: numbers for each default box.
    """

    def __init__(self, channels: Sequence[int], per_place: Sequence[int], columns: int) -> None:
        super().__init__()
        self.columns = columns
        self.module_list = nn.ModuleList(
            nn.Conv2d(own, columns * boxes, 3, padding=1) for own, boxes in zip(channels, per_place, strict=True)
        )
        xavier(self)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps `(N, channels, H, W)` -> `(N, P, columns)`, in the order of `DefaultBoxes.boxes`."""
        rows = []
        for own, convolution in zip(maps, self.module_list, strict=True):
            found = convolution(own).permute(0, 2, 3, 1)  # (N, H, W, boxes · columns)
            rows.append(found.reshape(found.shape[0], -1, self.columns))  # (N, H · W · boxes, columns)
        return torch.cat(rows, 1)


class SsdHead(nn.Module):
    """Both heads: classes and offsets. The names of its parts are torchvision's."""

    def __init__(self, channels: Sequence[int], per_place: Sequence[int], num_classes: int) -> None:
        super().__init__()
        self.classification_head = ScoringHead(channels, per_place, num_classes)
        self.regression_head = ScoringHead(channels, per_place, 4)

    def forward(self, maps: Sequence[Tensor]) -> SsdOutput:
        """Maps -> what is said of every default box."""
        return SsdOutput(self.regression_head(maps), self.classification_head(maps))


class SSD(nn.Module):
    """A backbone with several maps, and a head on each of them.

    Args:
        backbone: images -> a list of maps; its `channels` says how many each has.
        layout: the default boxes; its maps must be the backbone's.
        num_classes: with the background, so at least 2.
        mean, std: what is subtracted from red, green and blue in [0, 1], and what they are divided by.

    Shapes:
        `(N, 3, S, S)` float in [0, 1], S = layout.image -> offsets `(N, P, 4)` and logits `(N, P, num_classes)`.

    Raises:
        CourseError: fewer than two classes, or another number of maps than the layout has.
    """

    def __init__(
        self,
        backbone: nn.Module,
        layout: DefaultBoxes,
        num_classes: int,
        *,
        mean: Sequence[float] = MEAN,
        std: Sequence[float] = (1 / 255, 1 / 255, 1 / 255),
    ) -> None:
        if not isinstance(num_classes, int) or isinstance(num_classes, bool) or num_classes < 2:
            raise CourseError(
                f"num_classes must be an integer of at least 2, background and one more; got {num_classes!r}."
            )
        if len(backbone.channels) != len(layout.maps):
            raise CourseError(
                f"The backbone has {len(backbone.channels)} maps, the default boxes are for {len(layout.maps)}."
            )
        super().__init__()
        self.layout, self.num_classes = layout, num_classes
        self.backbone = backbone
        self.head = SsdHead(backbone.channels, layout.per_place, num_classes)
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)
        self.register_buffer("defaults", layout.boxes.to(self.mean.device, copy=True), persistent=False)  # (P, 4)

    def forward(self, images: Tensor) -> SsdOutput:
        """What the network says of every default box: `(N, 3, S, S)` float in [0, 1] -> `SsdOutput`.

        Raises:
            CourseError: images of another shape or of whole numbers.
        """
        side = self.layout.image
        expected = f"This network takes float images (N, 3, {side}, {side}) in [0, 1]"
        if images.ndim != 4 or images.shape[1:] != (3, side, side):
            raise CourseError(f"{expected}; got {tuple(images.shape)}. Resize first, boxes too; predict_ssd does so.")
        if not images.is_floating_point():
            raise CourseError(f"{expected}; got {images.dtype}. Scale first: images.float() / 255.")
        return self.head(self.backbone((images - self.mean) / self.std))

    def extra_repr(self) -> str:
        return f"{len(self.layout)} default boxes, {self.num_classes} classes"


def decode_ssd(output: SsdOutput, defaults: Tensor) -> tuple[Tensor, Tensor]:
    """All boxes that an output describes, with the probabilities of their classes.

    Args:
        output: the network's.
        defaults: `(P, 4)` xyxy.

    Returns:
        Boxes `(N, P, 4)` xyxy in the unit of the default boxes, and `(N, P, C)` probabilities; class 0 is background.
    """
    return decode_offsets(output.offsets, defaults), output.logits.softmax(-1)


@torch.no_grad()
def predict_ssd(
    model: SSD, images: Tensor | Sequence[Tensor], *, least_score: float = 0.01, iou_threshold: float = 0.45,
    per_class: int = 400, most: int = 200,
) -> list[dict[str, Tensor]]:  # fmt: skip
    """Detect: resize, decode, drop low scores, suppress within each class. Call `model.eval()` first.

    Args:
        model: the network.
        images: `(N, 3, H, W)`, or a list of `(3, H, W)` that differ in size; float in [0, 1].
        least_score: a box of lower probability is not a detection; each box may be one of several classes.
        iou_threshold: of the suppression.
        per_class: so many boxes of each class, the best, are suppressed among each other.
        most: detections in an image, at most.

    Returns:
        For each image "boxes" `(K, 4)` xyxy pixels inside the image, "scores" `(K,)`, "labels" `(K,)` from 1 on, best
        first.

    Raises:
        CourseError: an image that is no float `(3, H, W)`, or has a side below 16 pixels.
    """
    for image in images:
        _check_image(image)
    side = model.layout.image
    if not len(images):
        return []
    resized = torch.cat([F.interpolate(image[None], (side, side), mode="bilinear") for image in images])
    boxes, scores = decode_ssd(model(resized), model.defaults)
    results = []
    for image, own_boxes, own_scores in zip(images, boxes, scores, strict=True):
        inside = clip_boxes(own_boxes, (side, side))
        found = _select(inside, own_scores[:, 1:], least_score, iou_threshold, per_class, most)
        height, width = image.shape[1:]
        found["boxes"] = found["boxes"] * found["boxes"].new_tensor([width, height, width, height]) / side
        results.append(found)
    return results


def _select(
    boxes: Tensor, scores: Tensor, least_score: float, iou_threshold: float, per_class: int, most: int
) -> dict[str, Tensor]:
    """The detections of one image, from boxes `(P, 4)` and scores of classes without background `(P, C − 1)`."""
    best, places = scores.T.topk(min(per_class, len(scores)), dim=1)  # (C − 1, per_class)
    good = best > least_score
    labels = good.nonzero()[:, 0] + 1
    best, order = best[good].sort(descending=True, stable=True)
    boxes, labels = boxes[places[good][order]], labels[order]
    count = 4 * most  # a box is dropped by better ones alone: the first `most` that stay are mostly among the first
    while True:
        kept = batched_nms(boxes[:count], best[:count], labels[:count], iou_threshold)[:most]
        if len(kept) == most or count >= len(best):
            return {"boxes": boxes[kept], "scores": best[kept], "labels": labels[kept]}
        count *= 4


def _check_image(image: Tensor) -> None:
    expected = f"predict_ssd takes float images (3, H, W) in [0, 1] with H and W at least {LEAST_SIDE}"
    if not isinstance(image, Tensor) or image.ndim != 3 or image.shape[0] != 3 or min(image.shape[1:]) < LEAST_SIDE:
        got = tuple(image.shape) if isinstance(image, Tensor) else type(image).__name__
        raise CourseError(f"{expected}; got {got}. For a single image, write images[None].")
    if not image.is_floating_point():
        raise CourseError(f"{expected}; got {image.dtype}. Scale first: images.float() / 255.")


def ssd300_vgg16(num_classes: int = 91, *, layout: DefaultBoxes = SSD300_COCO) -> SSD:
    """SSD300: 35,641,826 parameters for COCO's 91 classes, 26,285,486 for VOC's 21, background counted."""
    return SSD(VggMaps(), layout, num_classes)


def small_layout(image: int = 112) -> DefaultBoxes:
    """Default boxes for `small_ssd`: four at each place; squares from 9 to 53 of 112 pixels."""
    steps = (4, 8, 16, 32)
    maps = tuple(-(-image // step) for step in steps)  # rounded up, as strided convolutions do
    sizes = tuple(image * size / 112 for size in (9, 17, 30, 46, 60))
    return DefaultBoxes(image, maps, steps, sizes, ((2,),) * 4)


def small_ssd(num_classes: int = 6, *, image: int = 112, width: int = 12) -> SSD:
    """The small network over the classes of `scenes` and background."""
    model = SSD(SmallMaps(width), small_layout(image), num_classes, mean=(0.5,) * 3, std=(0.25,) * 3)
    for layer in model.head.modules():
        if isinstance(layer, nn.Conv2d):  # from Xavier's start it says much of what it has not seen yet
            nn.init.normal_(layer.weight, std=0.01)
    return model
