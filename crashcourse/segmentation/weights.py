"""The border weight map: what makes a network learn the thin lines between touching cells.

Ronneberger, Fischer, Brox, "U-Net", MICCAI 2015, arXiv 1505.04597, equation 2:

    w(x) = w_c(x) + w0 · exp(-(d1(x) + d2(x))² / (2σ²))

where d1 is the distance to the border of the nearest cell, d2 that to the second nearest, w0 = 10 and σ ≈ 5 pixels.

**Differs from the paper:** as printed, the equation holds at every pixel. Here the second term is added on background
pixels only, where the lines between cells are; on the cells along them it would pull the other way. The authors'
own later code does so, too (github.com/lmb-freiburg/Unet-Segmentation, src/de/unifreiburg/unet/TrainingSample.java: a
pixel that has a cell's label keeps its weight). On background the distance to a cell's border is that to the cell: from
the middle of the pixel to the middle of the cell's nearest pixel. The paper does not say how w_c balances the classes;
`balance` is one usual choice.
"""

import math

import torch
from torch import Tensor

from crashcourse.doors import check_number
from crashcourse.errors import CourseError


def border_weight_map(
    instances: Tensor, *, w0: float = 10.0, sigma: float = 5.0, class_weights: Tensor | None = None
) -> Tensor:
    """How much every pixel counts in the loss: equation 2, its second term on background only (see above).

    Args:
        instances: (H, W) or (N, H, W) whole numbers: 0 is background, every other number is a cell.
        w0: what is added where two cells meet.
        sigma: pixels; how fast that falls with the distance to both.
        class_weights: (2,) float, w_c for background and for cells; None is 1 for both.

    Returns:
        float32 of the same shape and on the same device. With fewer than two cells it is w_c.

    Raises:
        CourseError: not such a map, or a number out of range.
    """
    _check_instances(instances, "border_weight_map", batch=True)
    _check_options(w0, sigma, class_weights)
    if instances.ndim == 3:
        maps = [border_weight_map(one, w0=w0, sigma=sigma, class_weights=class_weights) for one in instances]
        return torch.stack(maps) if maps else instances.float()
    weights = _class_part(instances, class_weights)
    distances = cell_distances(instances)  # (K, H, W)
    if len(distances) < 2:
        return weights
    nearest = distances.topk(2, 0, largest=False).values  # d1 and d2
    border = w0 * torch.exp(-(nearest.sum(0) ** 2) / (2 * sigma**2))
    return weights + border * (instances == 0)


def looped_border_weight_map(
    instances: Tensor, *, w0: float = 10.0, sigma: float = 5.0, class_weights: Tensor | None = None
) -> Tensor:
    """`border_weight_map` for one image as one would say it, pixel by pixel: slow, for reading and for comparison.

    Args, returns and errors are those of `border_weight_map`, for (H, W) only.
    """
    _check_instances(instances, "looped_border_weight_map")
    _check_options(w0, sigma, class_weights)
    weights = _class_part(instances, class_weights)
    cells = [torch.nonzero(instances == number).tolist() for number in instances.unique().tolist() if number]
    if len(cells) < 2:
        return weights
    for row, column in torch.nonzero(instances == 0).tolist():
        distances = [min(math.dist((row, column), place) for place in cell) for cell in cells]
        d1, d2 = sorted(distances)[:2]
        weights[row, column] += w0 * math.exp(-((d1 + d2) ** 2) / (2 * sigma**2))
    return weights


def cell_distances(instances: Tensor) -> Tensor:
    """How far every pixel is from each cell, exactly.

    Down the columns first, then along the rows: the squared distance to a cell is the least, over all columns, of the
    squared distance within that column plus the squared way to it.

    Args:
        instances: (H, W) whole numbers, 0 is background.

    Returns:
        (K, H, W) float32, pixels, in the order of the cells' numbers; 0 inside of the cell.

    Raises:
        CourseError: not one such map.
    """
    _check_instances(instances, "cell_distances")
    numbers = instances.unique()
    masks = instances == numbers[numbers != 0].view(-1, 1, 1)  # (K, H, W)
    within = _distance_within_columns(masks) ** 2
    columns = torch.arange(instances.shape[1], device=instances.device)
    least = torch.full_like(within, math.inf)
    for column in columns[masks.flatten(0, 1).any(0)].tolist():
        least = torch.minimum(least, within[:, :, column : column + 1] + (columns - column) ** 2)
    return least.sqrt()


def _distance_within_columns(masks: Tensor) -> Tensor:
    """(K, H, W) bool -> float32: rows to the nearest pixel of the mask in the same column, infinite without one."""
    rows = torch.arange(masks.shape[1], dtype=torch.float32, device=masks.device).view(-1, 1)
    above = torch.where(masks, rows, -math.inf).cummax(1).values
    below = torch.where(masks, rows, math.inf).flip(1).cummin(1).values.flip(1)
    return torch.minimum(rows - above, below - rows)


def balance(labels: Tensor, classes: int = 2) -> Tensor:
    """Weights that let every class count alike: pixels / (classes · pixels of the class).

    Args:
        labels: any shape, whole numbers from 0 to classes - 1.
        classes: how many there are.

    Returns:
        (classes,) float32; the mean weight of a pixel is 1 where no class is absent. An absent class gets 0.

    Raises:
        CourseError: labels outside of the classes.
    """
    flat = labels.flatten().long()
    if flat.numel() and not 0 <= int(flat.min()) <= int(flat.max()) < classes:
        raise CourseError(f"balance takes labels from 0 to {classes - 1}; these run from {flat.min()} to {flat.max()}.")
    counts = torch.bincount(flat, minlength=classes).float()
    return torch.where(counts > 0, flat.numel() / (classes * counts.clamp(min=1)), 0)


def _class_part(instances: Tensor, class_weights: Tensor | None) -> Tensor:
    """w_c for every pixel."""
    weights = instances.new_ones(2, dtype=torch.float32) if class_weights is None else class_weights.float()
    return weights.to(instances.device)[(instances != 0).long()]


def _check_instances(instances: Tensor, what: str, *, batch: bool = False) -> None:
    if not isinstance(instances, Tensor) or instances.ndim not in ((2, 3) if batch else (2,)):
        got = tuple(instances.shape) if isinstance(instances, Tensor) else type(instances).__name__
        expected = "(H, W) or (N, H, W)" if batch else "(H, W), one map at a time"
        raise CourseError(f"{what} takes numbered cells, a tensor {expected}; got {got}.")
    if instances.is_floating_point() or instances.dtype == torch.bool:
        raise CourseError(
            f"{what} takes whole numbers, one for each cell; got {instances.dtype}. "
            "A mask does not say which cell a pixel belongs to: label_objects(mask) does."
        )


def _check_options(w0: float, sigma: float, class_weights: Tensor | None) -> None:
    check_number(w0, "w0")
    check_number(sigma, "sigma", above=0)
    if class_weights is None:
        return
    if not isinstance(class_weights, Tensor) or tuple(class_weights.shape) != (2,):
        got = f"shape {tuple(class_weights.shape)}" if isinstance(class_weights, Tensor) else repr(class_weights)
        raise CourseError(f"class_weights must be a tensor of two numbers, for background and cells; got {got}.")
