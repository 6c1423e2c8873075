"""From a mask to single cells, and how well they are found: what counts where cells touch.

The SEG measure of the Cell Tracking Challenge (Maška et al., "A benchmark for comparison of cell tracking algorithms",
Bioinformatics 2014), which U-Net's table 2 gives as IoU: every true cell is paired with the one found object that
covers more than half of it; its score is their intersection over union, 0 without such an object; SEG is the mean.
**Differs from the paper:** nothing. `count_matches` and `separate_cells` are ours: SEG is also low where outlines are
bad, and they tell whether cells that touch came out as one.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from crashcourse.doors import check_count, check_number
from crashcourse.errors import CourseError


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
    _check_pair(found, cells)
    table = _overlaps(found, cells)  # (1 + K, 1 + M), background first
    inside, objects = table[1:, 1:], table[:, 1:].sum(0)
    areas = table[1:].sum(1, keepdim=True)
    iou = inside / (areas + objects - inside)
    return torch.where(2 * inside > areas, iou, 0).sum(1)  # at most one object covers more than half


def count_matches(found: Tensor, cells: Tensor, *, above: float = 0.5) -> tuple[int, int, int]:
    """How many cells were found, with an IoU above a bound; at 0.5 no object can match two cells.

    Args:
        found: (H, W) whole numbers, 0 is background, every other number an object.
        cells: (H, W), the truth in the same form.
        above: the bound, at least 0.5.

    Returns:
        Matched cells, found objects, true cells. F1 is 2 · matched / (found + true).
    """
    check_number(above, "above")
    if not 0.5 <= above < 1:
        raise CourseError(f"above must be at least 0.5 and below 1, or an object could match two cells; got {above!r}.")
    matched = int((cell_ious(found, cells) > above).sum())
    return matched, *(int((labels.unique() != 0).sum()) for labels in (found, cells))


def separate_cells(found: Tensor, cells: Tensor, *, gap: int = 3) -> tuple[int, int]:
    """Of the cells that touch another, how many have an object of their own.

    A cell's object is the one that covers more than half of it; it is the cell's own where it does not cover more than
    half of another cell as well.

    Args:
        found: (H, W) whole numbers, 0 is background, every other number an object.
        cells: (H, W), the truth in the same form.
        gap: cells touch where a pixel of another is so many rows and columns away, or fewer.

    Returns:
        Separate cells, touching cells.
    """
    check_count(gap, "gap")
    _check_pair(found, cells)
    table = _overlaps(found, cells)  # (1 + K, 1 + M), background first
    covers = 2 * table[1:, 1:] > table[1:].sum(1, keepdim=True)  # (K, M)
    own = (covers & (covers.sum(0) == 1)).any(1)
    touching = _touching(_numbered(cells).view(cells.shape), len(own), gap)
    return int((own & touching).sum()), int(touching.sum())


def _touching(numbers: Tensor, count: int, gap: int) -> Tensor:
    """Which of the cells 1 ... count have another within a gap: (count,) bool."""
    highest, lowest = (
        F.max_pool2d(part[None, None].double(), 2 * gap + 1, stride=1, padding=gap)[0, 0].abs()
        for part in (numbers, torch.where(numbers == 0, -count - 1, -numbers))
    )
    meets = (numbers > 0) & ((highest != numbers) | (lowest != numbers))
    return torch.bincount(numbers[meets], minlength=count + 1)[1:] > 0


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


def _check_pair(found: Tensor, cells: Tensor) -> None:
    _check_map(found, "found")
    _check_map(cells, "cells")
    if found.shape != cells.shape:
        raise CourseError(f"Both maps must have one shape; got {tuple(found.shape)} and {tuple(cells.shape)}.")


def _check_map(labels: Tensor, what: str) -> None:
    if not isinstance(labels, Tensor) or labels.ndim != 2 or not labels.numel() or labels.is_floating_point():
        form = f"{tuple(labels.shape)} {labels.dtype}" if isinstance(labels, Tensor) else type(labels).__name__
        raise CourseError(f"{what} takes one map of shape (H, W), whole numbers or bool; got {form}.")
