"""Stochastic depth: while training, blocks are left out at random, so that a deep network is a shorter one each time.

Huang, Sun, Liu, Sedra, Weinberger, "Deep networks with stochastic depth", ECCV 2016, arXiv 1603.09382: section 3,
equations 2 (a block with its survival) and 4 (later blocks are dropped more often).

**Differs from the paper:** each example drops its own blocks, where the paper drops a block for the whole batch; and
residuals that stay are scaled up in training, where the paper scales down in evaluation. The mean is the same. So do
the authors of EfficientNet and torchvision.
"""

import torch
from torch import Tensor

from crashcourse.errors import CourseError


def drop_residuals(residual: Tensor, kept: Tensor, probability: float) -> Tensor:
    """Residuals of the examples that are kept, scaled up so that their mean stays; zeros for the others.

    Args:
        residual: (N, C, H, W) float, what a block is about to add.
        kept: (N,) bool, or 0 and 1: which examples keep their residual.
        probability: with which an example was dropped, in [0, 1).

    Returns:
        (N, C, H, W) float: for each example zeros, or the residual divided by 1 - probability.
    """
    scale = kept.to(residual.dtype) / (1 - probability)  # (N,)
    return residual * scale[:, None, None, None]


def stochastic_depth(residual: Tensor, probability: float, *, training: bool = True) -> Tensor:
    """Drop the residual of some examples whole, at random. Equation 2 of 1603.09382.

    That paper drops for the whole batch and scales down in evaluation instead; the mean is the same.

    Args:
        residual: (N, C, H, W) float, what a block is about to add.
        probability: of dropping an example's residual, in [0, 1).
        training: whether to drop at all.

    Returns:
        (N, C, H, W) float, see `drop_residuals`; the residual itself where nothing is dropped.

    Raises:
        CourseError: the probability is outside [0, 1).
    """
    if not 0 <= probability < 1:
        raise CourseError(f"The probability of dropping a residual is at least 0 and below 1; got {probability}.")
    if not training or probability == 0:
        return residual
    kept = torch.empty(len(residual), dtype=residual.dtype, device=residual.device).bernoulli_(1 - probability)
    return drop_residuals(residual, kept, probability)
