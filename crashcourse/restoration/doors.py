"""The checks at the doors of this room: one sentence for values, sizes and seeds that a function cannot take."""

import torch
from torch import Tensor

from crashcourse.errors import CourseError

FAR = 10
"""Peaks: noise and networks leave [0, peak], but not so far."""


def check_range(images: Tensor, what: str, *, peak: float = 1.0) -> None:
    """Refuse values outside [0, peak], NaN included; a thousandth of the peak is forgiven."""
    if not images.numel():
        return
    low, high = (float(value) for value in images.detach().aminmax())
    if not -1e-3 * peak <= low <= high <= 1.001 * peak:  # false for NaN, too
        advice = " Divide by 255." if peak == 1 and low >= 0 and 2 < high <= 255 else ""
        raise CourseError(f"{what} takes values in [0, {peak:g}]; these run from {low:.4g} to {high:.4g}.{advice}")


def check_scale(images: Tensor, what: str, *, peak: float = 1.0) -> None:
    """Refuse values beyond `FAR` peaks, above or below: they are on another scale. NaN passes."""
    if not images.numel():
        return
    low, high = (float(value) for value in images.detach().aminmax())
    if low < -FAR * peak or high > FAR * peak:
        advice = " If white is 255 in it, divide by 255." if peak == 1 else ""
        raise CourseError(
            f"{what} is on the scale of the target, about [0, {peak:g}]; these values run from {low:.4g} to "
            f"{high:.4g}.{advice}"
        )


def check_multiple(images: Tensor, what: str, factor: int) -> None:
    """Refuse images whose height or width is not a multiple of `factor`."""
    height, width = images.shape[-2:]
    if height % factor or width % factor:
        raise CourseError(
            f"{what} needs a height and width that {factor} divides; got {height}×{width}. "
            f"Cut off the rest, as the field does: modcrop(images, {factor})."
        )


def generator_of(generator: torch.Generator | int) -> torch.Generator:
    """The generator itself, or a new one on the CPU for a seed."""
    if isinstance(generator, torch.Generator):
        return generator
    if not isinstance(generator, int) or isinstance(generator, bool):
        raise CourseError(f"Give a torch.Generator or a whole number as seed; got {type(generator).__name__}.")
    return torch.Generator().manual_seed(generator)
