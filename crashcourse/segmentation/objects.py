"""From a mask to single cells, and how well they are found: what counts where cells touch.

The SEG measure of the Cell Tracking Challenge (Maška et al., "A benchmark for comparison of cell tracking algorithms",
Bioinformatics 2014), which U-Net's table 2 gives as IoU: every true cell is paired with the one found object that
covers more than half of it; its score is their intersection over union, 0 without such an object; SEG is the mean.
**Differs from the paper:** nothing.
"""

import math

import torch
from torch import Tensor

from crashcourse.errors import CourseError
from crashcourse.segmentation.doors import check_count


def label_objects(mask: Tensor, *, least: int = 1) -> Tensor:
    """Number the connected parts of a mask: pixels are neighbours where they share a side.

    Args:
        mask: (H, W) bool, or whole numbers where 0 is background.
        least: parts with fewer pixels are left out.

    Returns:
        (H, W) int64 on the mask's device: 0 is background, parts are 1, 2, ... in the order of their first pixel.
    """
    from skimage.measure import label

    _check_map(mask, "label_objects")
    check_count(least, "least")
    parts = torch.from_numpy(label((mask != 0).cpu().numpy(), connectivity=1)).long()
    large = torch.bincount(parts.flatten()) >= least
    large[0] = False  # background
    numbers = torch.where(large, large.cumsum(0), 0)
    return numbers[parts].to(mask.device)


def seg_score(found: Tensor, cells: Tensor) -> float:
    """SEG: the mean IoU of the true cells with the objects that cover more than half of them.

    Two cells that were found as one object get at most one match between them, and that one a poor IoU.

    Args:
        found: (H, W) whole numbers, 0 is background, every other number an object.
        cells: (H, W), the truth in the same form.

    Returns:
        0 to 1; NaN where there is no true cell.
    """
    scores = cell_ious(found, cells)
    return float(scores.mean()) if len(scores) else math.nan


def cell_ious(found: Tensor, cells: Tensor) -> Tensor:
    """The IoU of every true cell with its match, 0 without one: (H, W) twice -> (K,) float64, by number of the cell."""
    _check_map(found, "found")
    _check_map(cells, "cells")
    if found.shape != cells.shape:
        raise CourseError(f"Both maps must have one shape; got {tuple(found.shape)} and {tuple(cells.shape)}.")
    table = _overlaps(found, cells)  # (1 + K, 1 + M), background first
    inside, objects = table[1:, 1:], table[:, 1:].sum(0)
    areas = table[1:].sum(1, keepdim=True)
    iou = inside / (areas + objects - inside)
    return torch.where(2 * inside > areas, iou, 0).sum(1)  # at most one object covers more than half


def _overlaps(found: Tensor, cells: Tensor) -> Tensor:
    """Pixels of each cell in each object, rows and columns 0 for the background: float64."""
    rows, columns = (_numbered(one) for one in (cells, found))
    shape = (int(rows.max()) + 1, int(columns.max()) + 1)
    return torch.bincount(rows * shape[1] + columns, minlength=shape[0] * shape[1]).view(shape).double()


def _numbered(labels: Tensor) -> Tensor:
    """Flat, with the numbers that occur made 1, 2, ...; 0 stays 0."""
    flat = labels.flatten().long()
    numbers = flat[flat != 0].unique()
    return torch.where(flat == 0, 0, torch.searchsorted(numbers, flat) + 1)


def _check_map(labels: Tensor, what: str) -> None:
    if not isinstance(labels, Tensor) or labels.ndim != 2 or not labels.numel() or labels.is_floating_point():
        form = f"{tuple(labels.shape)} {labels.dtype}" if isinstance(labels, Tensor) else type(labels).__name__
        raise CourseError(f"{what} takes one map of shape (H, W), whole numbers or bool; got {form}.")
