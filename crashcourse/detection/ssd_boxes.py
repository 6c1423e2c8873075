"""SSD's default boxes: where they lie, which object each of them learns, and how a box is written relative to one.

Paper: Liu et al., "SSD: Single shot multibox detector", 2015, arXiv:1512.02325: section 2.2 (matching; scales and
aspect ratios, equation 4; the offsets of equation 2). The loss is in `ssd_loss.py`, the network in `ssd.py`.

**Differs from the paper:** offsets are divided by variances, and centres lie a fixed step apart, as in the authors'
code and not in their text; so do the sizes of `SSD300`, where equation 4 is rounded to whole per cent.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from crashcourse.detection.boxes import box_iou, check_objects, check_pair, convert_boxes
from crashcourse.errors import CourseError

VARIANCES = (0.1, 0.1, 0.2, 0.2)
"""By what offsets of x, y, width and height are divided, so that all of them are about as large as 1."""

LARGEST_LOG_SIZE = math.log(1000 / 16)
"""A decoded box is at most 62.5 times its default box, as in torchvision: an untrained network must not overflow."""


@dataclass(frozen=True)
class DefaultBoxes:
    """Boxes of a few fixed shapes around every place of several maps.

    Attributes:
        image: the side of the square image, in pixels.
        maps: the side of each map, in places.
        steps: for each map, pixels from one place to the next.
        sizes: s of each map, in pixels, and one more: the next map's s is needed for the second square.
        ratios: for each map, the aspect ratios besides 1; 2 stands for 2:1 and for 1:2.
        clip: whether a box is at most as wide and as high as the image; it may leave it all the same.

    Raises:
        CourseError: numbers below what makes sense, or lists of different lengths.
    """

    image: int
    maps: tuple[int, ...]
    steps: tuple[float, ...]
    sizes: tuple[float, ...]
    ratios: tuple[tuple[float, ...], ...]
    clip: bool = False

    def __post_init__(self) -> None:
        count = len(self.maps)
        if not count or (len(self.steps), len(self.sizes), len(self.ratios)) != (count, count + 1, count):
            found = (count, len(self.steps), len(self.sizes), len(self.ratios))
            raise CourseError(
                "Each map has a step, a size and a tuple of ratios, and there is one size more; got "
                f"{found[0]} maps, {found[1]} steps, {found[2]} sizes and {found[3]} tuples of ratios."
            )
        numbers = (self.image, *self.maps, *self.steps, *self.sizes, *(r for own in self.ratios for r in own))
        if not all(number > 0 for number in numbers):
            raise CourseError(f"The image, maps, steps, sizes and ratios are all above 0; got {self}.")

    def __len__(self) -> int:
        """How many boxes there are."""
        return sum(self.counts)

    @property
    def per_place(self) -> tuple[int, ...]:
        """For each map, boxes around each of its places: two squares, and two for each ratio."""
        return tuple(2 + 2 * len(own) for own in self.ratios)

    @property
    def counts(self) -> tuple[int, ...]:
        """For each map, how many boxes it has: 38 · 38 · 4 = 5776 for the first of SSD300."""
        return tuple(side * side * shapes for side, shapes in zip(self.maps, self.per_place, strict=True))

    def shapes(self, number: int) -> Tensor:
        """`(per_place, 2)`, width and height of the boxes of a map, in pixels.

        The square of size s, that of size √(s · next s), and for each ratio r the box s√r wide and s/√r high, and the
        same upright. All but the second have the area s².
        """
        size, after = self.sizes[number], self.sizes[number + 1]
        middle = math.sqrt(size * after)
        found = [(size, size), (middle, middle)]
        for ratio in self.ratios[number]:
            long, short = size * math.sqrt(ratio), size / math.sqrt(ratio)
            found += [(long, short), (short, long)]
        shapes = torch.tensor(found, device="cpu")  # also while a network is built as shapes alone
        return shapes.clamp(max=self.image) if self.clip else shapes

    def centres(self, number: int) -> Tensor:
        """`(side · side, 2)`, x and y of the places of a map, in pixels, row by row: step / 2, 3 step / 2, ..."""
        along = (torch.arange(self.maps[number], device="cpu") + 0.5) * self.steps[number]
        return torch.cartesian_prod(along, along).flip(1)  # rows outside, columns inside; x before y

    @cached_property
    def boxes(self) -> Tensor:
        """All of them, `(P, 4)` xyxy pixels, on the CPU: map by map, row by row, place by place, shape by shape.

        Those near the border reach beyond the image.
        """
        found = []
        for number in range(len(self.maps)):
            centres, shapes = self.centres(number), self.shapes(number)
            pairs = centres[:, None].expand(-1, len(shapes), 2), shapes[None].expand(len(centres), -1, 2)
            found.append(convert_boxes(torch.cat(pairs, -1).flatten(0, 1), "cxcywh", "xyxy"))
        return torch.cat(found)


def _ssd300(sizes: Sequence[float], *, clip: bool) -> DefaultBoxes:
    ratios = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))
    return DefaultBoxes(300, (38, 19, 10, 5, 3, 1), (8, 16, 32, 64, 100, 300), tuple(sizes), ratios, clip)


SSD300 = _ssd300((30, 60, 111, 162, 213, 264, 315), clip=False)
"""The paper's 8732 boxes, as the authors' code has them for VOC: 10 %, then 20, 37, 54, 71 and 88 % of 300 pixels."""

SSD300_COCO = _ssd300((21, 45, 99, 153, 207, 261, 315), clip=True)
"""The 8732 boxes of torchvision's `ssd300_vgg16`: the authors' smaller sizes for COCO, and no side above 300."""


def encode_offsets(boxes_xyxy: Tensor, defaults: Tensor, *, variances: Sequence[float] = VARIANCES) -> Tensor:
    """Boxes relative to default boxes, pair by pair: what a network is to say (equation 2).

    Args:
        boxes_xyxy: `(N, 4)` float, of an area above 0.
        defaults: `(N, 4)` xyxy float.
        variances: of x, y, width and height.

    Returns:
        `(N, 4)`: (x − x_d) / w_d and (y − y_d) / h_d of the centres, ln(w / w_d) and ln(h / h_d), each divided by its
        variance.

    Raises:
        CourseError: boxes that are not `(N, 4)` floats, and different numbers of them.
    """
    _check_pairs(boxes_xyxy, defaults)
    box, own = convert_boxes(boxes_xyxy, "xyxy", "cxcywh"), convert_boxes(defaults, "xyxy", "cxcywh")
    shift = (box[:, :2] - own[:, :2]) / own[:, 2:]
    growth = (box[:, 2:] / own[:, 2:]).log()
    return torch.cat([shift, growth], 1) / torch.tensor(variances, dtype=box.dtype, device=box.device)


def decode_offsets(offsets: Tensor, defaults: Tensor, *, variances: Sequence[float] = VARIANCES) -> Tensor:
    """The boxes that a network means: `encode_offsets` backwards.

    Args:
        offsets: `(..., P, 4)` float.
        defaults: `(P, 4)` xyxy float.
        variances: of x, y, width and height.

    Returns:
        `(..., P, 4)` xyxy, in the unit of the default boxes. No side is more than 62.5 times its default box's.

    Raises:
        CourseError: as `encode_offsets`.
    """
    _check_pairs(offsets, defaults)
    own = convert_boxes(defaults, "xyxy", "cxcywh")
    scaled = offsets * torch.tensor(variances, dtype=offsets.dtype, device=offsets.device)
    centre = own[:, :2] + scaled[..., :2] * own[:, 2:]
    size = own[:, 2:] * scaled[..., 2:].clamp(max=LARGEST_LOG_SIZE).exp()
    return convert_boxes(torch.cat([centre, size], -1), "cxcywh", "xyxy")


def match_defaults(defaults: Tensor, boxes_xyxy: Tensor, *, threshold: float = 0.5) -> Tensor:
    """Which object each default box learns (section 2.2, matching strategy).

    A default box learns the object that it overlaps most, if their IoU is above the threshold. And each object has the
    default box that fits it best, however badly: else small ones would have none. Where two objects want the same one,
    the better fit has it and the other takes its next best, as in the authors' code; in torchvision it goes away empty.

    Args:
        defaults: `(P, 4)` xyxy float.
        boxes_xyxy: `(M, 4)` float, the objects; M may be 0.
        threshold: IoU above which a default box learns an object (torchvision: at or above).

    Returns:
        `(P,)` int64: the index of the object, or −1 for background.

    Raises:
        CourseError: an object without area, or boxes that are not `(N, 4)` floats.
    """
    check_objects(boxes_xyxy)
    iou = box_iou(boxes_xyxy, defaults)  # (M, P)
    if not len(boxes_xyxy):
        return torch.full((len(defaults),), -1, device=defaults.device)
    best, matched = iou.max(0)  # (P,)
    matched = torch.where(best > threshold, matched, -1)
    objects, chosen = _one_each(iou)
    matched[chosen] = objects
    return matched


def _one_each(iou: Tensor) -> tuple[Tensor, Tensor]:
    """Pairs of an object and a default box, no box twice: the best pair of all first, then the best of what is left."""
    rows, columns = torch.arange(len(iou), device=iou.device), iou.argmax(1)
    if len(columns.unique()) == len(columns):  # nobody wants what another wants
        return rows, columns
    left, pairs = iou.clone(), []
    for _ in range(min(iou.shape)):
        row, column = divmod(int(left.argmax()), left.shape[1])
        pairs.append((row, column))
        left[row], left[:, column] = -1, -1
    return tuple(torch.tensor(pairs, device=iou.device).T)


class SsdTarget(NamedTuple):
    """What the default boxes of one image should say; with a batch dimension in front, of several.

    Attributes:
        labels: `(P,)` int64: the class, from 1 on; 0 is background.
        offsets: `(P, 4)`: where the object lies relative to the default box; 0 for background, where nothing is asked.
    """

    labels: Tensor
    offsets: Tensor


def encode_ssd_targets(
    boxes_xyxy: Tensor, labels: Tensor, layout: DefaultBoxes, num_classes: int, *, threshold: float = 0.5
) -> SsdTarget:
    """What every default box should say about an image.

    Args:
        boxes_xyxy: `(M, 4)` float, in pixels of the network's own square image; M may be 0.
        labels: `(M,)` int64, 1 to num_classes − 1.
        layout: the default boxes.
        num_classes: with the background.
        threshold: as in `match_defaults`.

    Returns:
        The target of one image. A box that reaches beyond the image is learned as it is.

    Raises:
        CourseError: a box without area, a centre outside the image, or labels that do not fit.
    """
    check_objects(boxes_xyxy)
    if labels.shape != (len(boxes_xyxy),):
        raise CourseError(f"{len(boxes_xyxy)} boxes came with labels of shape {tuple(labels.shape)}; each needs one.")
    if len(labels) and not 1 <= int(labels.min()) <= int(labels.max()) < num_classes:
        raise CourseError(
            f"SSD's labels lie between 1 and {num_classes - 1}, as 0 is background; got {labels.tolist()}. Add 1 to "
            "labels that begin at 0."
        )
    centres = convert_boxes(boxes_xyxy, "xyxy", "cxcywh")[:, :2]
    if not bool(((centres >= 0) & (centres <= layout.image)).all()):
        side = layout.image
        raise CourseError(f"A box's centre lies outside the {side}×{side} image. Resize boxes with their image.")
    defaults = layout.boxes.to(boxes_xyxy)
    matched = match_defaults(defaults, boxes_xyxy, threshold=threshold)  # (P,)
    mine = matched >= 0
    offsets = torch.zeros_like(defaults)
    offsets[mine] = encode_offsets(boxes_xyxy[matched[mine]], defaults[mine])
    own = torch.zeros_like(matched)
    own[mine] = labels[matched[mine]]
    return SsdTarget(own, offsets)


def stack_ssd_targets(targets: Sequence[SsdTarget]) -> SsdTarget:
    """Targets of several images as one, with a batch dimension in front."""
    return SsdTarget(*(torch.stack(parts) for parts in zip(*targets, strict=True)))


def _check_pairs(boxes: Tensor, defaults: Tensor) -> None:
    check_pair(defaults, defaults)
    if boxes.ndim < 2 or boxes.shape[-2:] != defaults.shape:
        raise CourseError(
            f"Each default box has one partner: expected (..., {len(defaults)}, 4); got {tuple(boxes.shape)}."
        )
