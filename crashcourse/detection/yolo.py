"""YOLO v1: detection as one regression, in one pass.

Paper: Redmon, Divvala, Girshick and Farhadi, "You only look once", 2015, arXiv:1506.02640: section 2, figure 3 and
equation 3 (the network and the loss, in `yolo_loss.py`).

**Differs from the paper:** the network puts out √w and √h themselves, as the authors' own code does, so that no root
has to be taken of a negative number. Of several objects in one cell the first is learned. `small_yolo` is a network
for laptops, with batch normalization and a convolution in place of the dense layers. Besides the paper's form, where a
cell has one set of class scores, there is the form that YOLO has had since version 2, with a set for each box.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from crashcourse.detection.boxes import check_objects, clip_boxes, convert_boxes
from crashcourse.detection.nms import batched_nms
from crashcourse.errors import CourseError


class Prediction(NamedTuple):
    """A network's output, taken apart.

    Attributes:
        classes: `(N, S, S, C)`, or `(N, S, S, B, C)` with scores for each box: about the probability of each class.
        confidence: `(N, S, S, B)`: about the probability of an object times the box's IoU with it.
        xy: `(N, S, S, B, 2)`: a box's centre inside its cell, 0 to 1.
        root_wh: `(N, S, S, B, 2)`: square roots of width and height, as parts of the image.
    """

    classes: Tensor
    confidence: Tensor
    xy: Tensor
    root_wh: Tensor


class Target(NamedTuple):
    """What the cells of one image should say; with a batch dimension in front, of several.

    Attributes:
        has_object: `(S, S)` bool: an object's centre lies in the cell.
        xy: `(S, S, 2)`: the centre inside the cell, 0 to 1.
        wh: `(S, S, 2)`: width and height as parts of the image.
        labels: `(S, S)` int64; 0 where there is no object.
    """

    has_object: Tensor
    xy: Tensor
    wh: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Grid:
    """How an output is laid out: S×S cells, each with B boxes, over C classes.

    Attributes:
        cells: S.
        boxes: B.
        classes: C.
        scores_per_box: class scores for each box (since version 2) and not for each cell (the paper).

    Raises:
        CourseError: a number below 1.
    """

    cells: int = 7
    boxes: int = 2
    classes: int = 20
    scores_per_box: bool = False

    def __post_init__(self) -> None:
        for name in ("cells", "boxes", "classes"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise CourseError(f"Grid({name}=...) must be an integer of at least 1; got {value!r}.")

    @property
    def channels(self) -> int:
        """Numbers for each cell: B · 5 + C, or B · (5 + C)."""
        return self.boxes * 5 + self.classes * (self.boxes if self.scores_per_box else 1)

    def split(self, output: Tensor) -> Prediction:
        """Take an output `(N, S, S, channels)` apart, in the order of the authors' code: classes, confidences, boxes.

        Raises:
            CourseError: another shape.
        """
        if output.ndim != 4 or output.shape[1:] != (self.cells, self.cells, self.channels):
            expected = f"(N, {self.cells}, {self.cells}, {self.channels})"
            raise CourseError(f"The output of this grid has shape {expected}; got {tuple(output.shape)}.")
        sizes = (self.channels - 5 * self.boxes, self.boxes, 4 * self.boxes)
        classes, confidence, boxes = output.split(sizes, dim=-1)
        if self.scores_per_box:
            classes = classes.unflatten(-1, (self.boxes, self.classes))  # (N, S, S, B, C)
        boxes = boxes.unflatten(-1, (self.boxes, 4))  # (N, S, S, B, 4)
        return Prediction(classes, confidence, boxes[..., :2], boxes[..., 2:])

    def corners(self, device: torch.device | None = None) -> Tensor:
        """`(S, S, 2)`: x and y of each cell's upper left corner, in cells."""
        steps = torch.arange(self.cells, dtype=torch.float32, device=device)
        return torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1)


def encode_targets(boxes_xyxy: Tensor, labels: Tensor, grid: Grid, size: tuple[int, int]) -> Target:
    """Give every object to the cell that its centre lies in.

    Args:
        boxes_xyxy: `(M, 4)` float, pixels; M may be 0.
        labels: `(M,)` int64, each below `grid.classes`.
        grid: the layout.
        size: height and width of the image.

    Returns:
        The target of one image. A centre on the right or lower border belongs to the last cell. Of several centres in
        one cell the first in the list counts: the others cannot be learned.

    Raises:
        CourseError: a box without area, labels outside the classes, or a centre outside the image.
    """
    centres, sizes = _in_cells(boxes_xyxy, labels, grid, size)
    shape = (grid.cells, grid.cells)
    target = Target(
        torch.zeros(shape, dtype=torch.bool),
        torch.zeros(*shape, 2),
        torch.zeros(*shape, 2),
        torch.zeros(shape, dtype=torch.int64),
    )
    for centre, wh, label in zip(centres, sizes, labels, strict=True):
        column, row = centre.long().clamp(max=grid.cells - 1).tolist()
        if target.has_object[row, column]:
            continue
        target.has_object[row, column] = True
        target.xy[row, column] = centre - torch.tensor([column, row])
        target.wh[row, column] = wh
        target.labels[row, column] = label
    return target


def stack_targets(targets: Sequence[Target]) -> Target:
    """Targets of several images as one, with a batch dimension in front."""
    return Target(*(torch.stack(parts) for parts in zip(*targets, strict=True)))


def encode_batch(boxes_xyxy: Sequence[Tensor], labels: Sequence[Tensor], grid: Grid, size: tuple[int, int]) -> Target:
    """What `stack_targets` makes of `encode_targets` for each image, all objects at once.

    Args:
        boxes_xyxy: for each of N images `(M, 4)` float, pixels; M may be 0. All on one device.
        labels: for each image `(M,)` int64.
        grid: the layout.
        size: height and width of the images.

    Returns:
        The target of the batch, `(N, S, S)` and `(N, S, S, 2)`.

    Raises:
        CourseError: as `encode_targets`.
    """
    boxes, names = torch.cat([*boxes_xyxy]), torch.cat([*labels])  # (T, 4), (T,)
    centres, sizes = _in_cells(boxes, names, grid, size)
    counts = torch.tensor([len(own) for own in boxes_xyxy], device=boxes.device)
    image = torch.arange(len(counts), device=boxes.device).repeat_interleave(counts)  # (T,)
    place = centres.long().clamp(max=grid.cells - 1)  # (T, 2): column and row
    cell = (image * grid.cells + place[:, 1]) * grid.cells + place[:, 0]  # (T,)
    every, order = len(counts) * grid.cells**2, torch.arange(len(boxes), device=boxes.device)
    first = torch.full((every,), len(boxes), device=boxes.device).scatter_reduce(0, cell, order, "amin")
    kept = first[cell] == order  # the first in its cell
    cell = cell[kept]

    def spread(values: Tensor) -> Tensor:
        """`(T, ...)` -> `(N, S, S, ...)`: each object's values in its cell, 0 elsewhere."""
        filled = values.new_zeros(every, *values.shape[1:]).index_copy(0, cell, values[kept])
        return filled.unflatten(0, (len(counts), grid.cells, grid.cells))

    found = torch.ones_like(names, dtype=torch.bool)
    return Target(spread(found), spread(centres - place), spread(sizes), spread(names))


def _in_cells(boxes_xyxy: Tensor, labels: Tensor, grid: Grid, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Centres `(M, 2)` in cells and sizes `(M, 2)` as parts of the image, of labelled boxes that can be learned."""
    check_objects(boxes_xyxy)
    height, width = size
    if len(labels) != len(boxes_xyxy):
        raise CourseError(f"{len(boxes_xyxy)} boxes came with {len(labels)} labels; each box needs one.")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < grid.classes:
        raise CourseError(f"Labels lie between 0 and {grid.classes - 1}; got {labels.tolist()}.")
    whole = torch.tensor([width, height], dtype=boxes_xyxy.dtype, device=boxes_xyxy.device)
    centre_and_size = convert_boxes(boxes_xyxy, "xyxy", "cxcywh")
    centres, sizes = centre_and_size[:, :2] / whole * grid.cells, centre_and_size[:, 2:] / whole
    if len(centres) and not bool(((centres >= 0) & (centres <= grid.cells)).all()):
        raise CourseError(f"A box's centre lies outside the {height}×{width} image. Cut boxes off with clip_boxes.")
    return centres, sizes


def boxes_of(xy: Tensor, wh: Tensor, grid: Grid) -> Tensor:
    """From places in cells to boxes as parts of the image.

    Args:
        xy: `(..., S, S, B, 2)` centres inside their cells, 0 to 1.
        wh: `(..., S, S, B, 2)` sizes as parts of the image.

    Returns:
        `(..., S, S, B, 4)` xyxy, 0 to 1 inside the image.
    """
    centre = (xy + grid.corners(xy.device)[:, :, None]) / grid.cells
    return convert_boxes(torch.cat([centre, wh], -1), "cxcywh", "xyxy")


def decode(output: Tensor, grid: Grid, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """All boxes that an output describes, with their class scores.

    Args:
        output: `(N, S, S, channels)`.
        grid: the layout.
        size: height and width of the images.

    Returns:
        Boxes `(N, S·S·B, 4)` xyxy pixels, and `(N, S·S·B, C)` scores: Pr(class) · confidence (equation 1).
    """
    found = grid.split(output)
    height, width = size
    scale = torch.tensor([width, height, width, height], dtype=output.dtype, device=output.device)
    boxes = boxes_of(found.xy, found.root_wh**2, grid) * scale
    classes = found.classes if grid.scores_per_box else found.classes[..., None, :]
    scores = classes * found.confidence[..., None]  # (N, S, S, B, C)
    return boxes.flatten(1, 3), scores.flatten(1, 3)


@torch.no_grad()
def predict(
    model: nn.Module,
    images: Tensor,
    grid: Grid,
    *,
    least_score: float = 0.3,
    iou_threshold: float = 0.5,
    most: int = 100,
) -> list[dict[str, Tensor]]:
    """Detect: decode, drop low scores, suppress within each class. Call `model.eval()` first.

    A box has a score for each class (equation 1), and is an answer for each whose score is high enough. With a low
    `least_score`, as average precision wants it, that is often several.

    Args:
        model: images -> output `(N, S, S, channels)`.
        images: `(N, 3, H, W)` float, as in training.
        grid: the layout.
        least_score: what scores less is dropped.
        iou_threshold: of the suppression.
        most: answers for an image, at most: the best.

    Returns:
        For each image "boxes" `(K, 4)` xyxy pixels, cut off at the image's border, "scores" `(K,)`, "labels" `(K,)`,
        best first. Boxes that lie outside the image, or have no area, are left out.
    """
    height, width = images.shape[-2:]
    boxes, scores = decode(model(images), grid, (height, width))
    boxes = clip_boxes(boxes, (height, width))
    there = (boxes[..., 2:] > boxes[..., :2]).all(-1)  # (N, S·S·B)
    good = (scores >= least_score) & there[..., None]  # (N, S·S·B, C)
    results = []
    for own_boxes, own_scores, own_good in zip(boxes, scores, good, strict=True):
        place, labels = own_good.nonzero(as_tuple=True)
        answers, sure = own_boxes[place], own_scores[place, labels]
        kept = batched_nms(answers, sure, labels, iou_threshold)[:most]
        results.append({"boxes": answers[kept], "scores": sure[kept], "labels": labels[kept]})
    return results
