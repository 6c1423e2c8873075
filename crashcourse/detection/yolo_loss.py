"""The loss of YOLO v1, its five terms by name.

Paper: Redmon et al., 2015, arXiv:1506.02640, equation 3. **Differs from the paper:** where no box of a cell meets the
object, the box nearest to it in the root of squared differences is responsible, as in the authors' code; the paper
leaves that open. Terms are summed over an image, as printed, and averaged over the batch.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from crashcourse.detection.yolo import Grid, Prediction, Target, boxes_of

COORD, NO_OBJECT = 5.0, 0.5
"""λ_coord and λ_noobj."""


class YoloLoss(NamedTuple):
    """The five terms of equation 3, weighted, each a scalar: means over the batch of sums over an image.

    Attributes:
        xy: 5 · squared differences of the centres inside their cells; responsible boxes only.
        wh: 5 · squared differences of the roots of width and height; responsible boxes only.
        object: squared differences of confidence and IoU; responsible boxes only.
        no_object: 0.5 · squared confidences of all other boxes, also of those in cells with an object.
        classes: squared differences of class scores and one-hot labels; cells with an object only.
    """

    xy: Tensor
    wh: Tensor
    object: Tensor
    no_object: Tensor
    classes: Tensor

    @property
    def total(self) -> Tensor:
        """Their sum."""
        return self.xy + self.wh + self.object + self.no_object + self.classes


def yolo_v1_loss(
    output: Tensor, target: Target, grid: Grid, *, coord: float = COORD, no_object: float = NO_OBJECT
) -> YoloLoss:
    """Equation 3.

    Args:
        output: `(N, S, S, channels)`, the network's.
        target: what the cells should say, with a batch dimension: `stack_targets([encode_targets(...), ...])`.
        grid: the layout.
        coord: λ_coord.
        no_object: λ_noobj.
    """
    found = grid.split(output)
    iou, distance = overlaps(found, target, grid)  # (N, S, S, B)
    mine = responsible(iou, distance, target.has_object)
    where = mine[..., None]  # (N, S, S, B, 1)
    images = len(output)
    labels = F.one_hot(target.labels, grid.classes).to(output.dtype)  # (N, S, S, C)
    if grid.scores_per_box:
        wrong_class = where * (found.classes - labels[..., None, :]) ** 2
    else:
        wrong_class = target.has_object[..., None] * (found.classes - labels) ** 2
    root = target.wh.sqrt()[..., None, :]  # (N, S, S, 1, 2)
    return YoloLoss(
        xy=coord * (where * (found.xy - target.xy[..., None, :]) ** 2).sum() / images,
        wh=coord * (where * (found.root_wh - root) ** 2).sum() / images,
        object=(mine * (found.confidence - iou) ** 2).sum() / images,
        no_object=no_object * (~mine * found.confidence**2).sum() / images,
        classes=wrong_class.sum() / images,
    )


@torch.no_grad()
def overlaps(found: Prediction, target: Target, grid: Grid) -> tuple[Tensor, Tensor]:
    """IoU of every box with the object of its cell, and how far it is from it; no gradient passes.

    Returns:
        `(N, S, S, B)` IoU, 0 in cells without an object; `(N, S, S, B)` root of the summed squared differences of
        centre and size, as parts of the image.
    """
    boxes = boxes_of(found.xy, found.root_wh**2, grid)  # (N, S, S, B, 4)
    truth = boxes_of(target.xy[..., None, :], target.wh[..., None, :], grid)  # (N, S, S, 1, 4)
    upper_left = torch.maximum(boxes[..., :2], truth[..., :2])
    lower_right = torch.minimum(boxes[..., 2:], truth[..., 2:])
    intersection = (lower_right - upper_left).clamp(min=0).prod(-1)
    union = (found.root_wh**2).prod(-1) + target.wh.prod(-1)[..., None] - intersection
    iou = target.has_object[..., None] * intersection / union.clamp(min=1e-12)
    centres = (found.xy - target.xy[..., None, :]) / grid.cells
    sizes = found.root_wh**2 - target.wh[..., None, :]
    return iou, (centres**2 + sizes**2).sum(-1).sqrt()


def responsible(iou: Tensor, distance: Tensor, has_object: Tensor) -> Tensor:
    """Which box of each cell with an object has to learn it: the one of largest IoU, or, where all are 0, the nearest.

    Args:
        iou, distance: `(N, S, S, B)`.
        has_object: `(N, S, S)` bool.

    Returns:
        `(N, S, S, B)` bool: True for one box in each cell with an object, else False. Of equals the first.
    """
    none_meets = iou.amax(-1, keepdim=True) == 0
    merit = torch.where(none_meets, -distance, iou)
    chosen = F.one_hot(merit.argmax(-1), iou.shape[-1]).bool()
    return chosen & has_object[..., None]
