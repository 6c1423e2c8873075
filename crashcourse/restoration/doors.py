"""The checks at the doors of this room: one sentence for images that a function or a network cannot take."""

import math

import torch
from torch import Tensor

from crashcourse.errors import CourseError


def check_images(
    images: Tensor, what: str, *, channels: int | None = None, least: int = 1, dtype: torch.dtype | None = None
) -> None:
    """Refuse what is not a batch of floating-point images. Values are not looked at.

    Args:
        images: what came; expected (N, C, H, W) float with H, W >= least.
        what: whose door this is, for the sentence: "DnCNN".
        channels: C, where it matters.
        least: smallest height and width.
        dtype: of the weights that the images meet, where there are some.
    """
    expected = f"{what} takes float images of shape (N, {channels or 'C'}, H, W)"
    if not isinstance(images, Tensor):
        raise CourseError(f"{expected}; got {type(images).__name__}. Turn it into a tensor with torch.as_tensor().")
    shape = tuple(images.shape)
    if images.ndim != 4:
        advice = " Add the batch dimension with images[None]." if images.ndim == 3 else ""
        raise CourseError(f"{expected}; got {shape}.{advice}")
    if channels and shape[1] != channels:
        raise CourseError(f"{expected}; got {shape}, with {shape[1]} channels.{_channel_advice(shape, channels)}")
    if min(shape[2:]) < least:
        raise CourseError(f"{expected} with H and W at least {least}; got {shape}.")
    if not images.is_floating_point():
        raise CourseError(f"{expected}; got {images.dtype}, which overflows. Scale first: images.float() / 255.")
    if images.dtype == torch.float64 and dtype not in (None, torch.float64):
        raise CourseError(f"{expected} in {dtype}, as its weights are; got torch.float64. Use images.float().")


def _channel_advice(shape: tuple[int, ...], channels: int) -> str:
    if shape[3] == channels:
        return " Channels come second: images.permute(0, 3, 1, 2)."
    if (shape[1], channels) == (3, 1):
        return " Make them grey with luma(images), or build the network for 3 channels."
    if (shape[1], channels) == (1, 3):
        return " Grey images have no colour to restore; images.expand(-1, 3, -1, -1) makes three equal channels."
    return ""


def check_range(images: Tensor, what: str, *, peak: float = 1.0) -> None:
    """Refuse values outside [0, peak], NaN included; a thousandth of the peak is forgiven."""
    if not images.numel():
        return
    low, high = (float(value) for value in images.detach().aminmax())
    if not -1e-3 * peak <= low <= high <= 1.001 * peak:  # false for NaN, too
        advice = " Divide by 255." if peak == 1 and low >= 0 and 2 < high <= 255 else ""
        raise CourseError(f"{what} takes values in [0, {peak:g}]; these run from {low:.4g} to {high:.4g}.{advice}")


def check_count(value: object, what: str, *, least: int = 1) -> None:
    """Refuse anything but an integer of at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise CourseError(f"{what} must be an integer of at least {least}; got {value!r}.")


def check_number(value: object, what: str, *, low: float = 0.0, high: float = math.inf) -> None:
    """Refuse anything but a finite number from `low` to `high`."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or not low <= value <= high:
        limits = f"of at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
        raise CourseError(f"{what} must be a number {limits}; got {value!r}.")


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
