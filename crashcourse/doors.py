"""The checks that many doors share: one sentence for images or numbers that a function or a network cannot take."""

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
        what: whose door this is, for the sentence: "UNet".
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
        advice = " Resize or pad the images." if least > 1 else ""
        raise CourseError(f"{expected} with H and W at least {least}; got {shape}.{advice}")
    if not images.is_floating_point():
        raise CourseError(f"{expected}; got {images.dtype}. Scale first: images.float() / 255.")
    if dtype not in (None, images.dtype) and not _autocast_takes(images):
        cast = _CASTS.get(dtype, f"to({dtype})")
        raise CourseError(f"{expected} in {dtype}, as its weights are; got {images.dtype}. Use images.{cast}.")


_CASTS = {
    torch.float32: "float()",
    torch.float64: "double()",
    torch.float16: "half()",
    torch.bfloat16: "bfloat16()",
}


def _autocast_takes(images: Tensor) -> bool:
    """Whether autocast makes images and weights of one precision; it leaves double precision as it is."""
    return images.dtype != torch.float64 and torch.is_autocast_enabled(images.device.type)


def _channel_advice(shape: tuple[int, ...], channels: int) -> str:
    if shape[3] == channels:
        return " Channels come second: images.permute(0, 3, 1, 2)."
    if (shape[1], channels) == (3, 1):
        return " Make them grey with luma() of crashcourse.restoration, or build it for 3 channels."
    if (shape[1], channels) == (1, 3):
        return " Of one grey channel, images.expand(-1, 3, -1, -1) makes three equal ones."
    return ""


def check_count(value: object, what: str, *, least: int = 1) -> None:
    """Refuse anything but an integer of at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise CourseError(f"{what} must be an integer of at least {least}; got {value!r}.")


def check_number(
    value: object, what: str, *, low: float = 0.0, high: float = math.inf, above: float | None = None
) -> None:
    """Refuse anything but a finite number from `low` to `high`, or above `above` where that is given."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if number and (low <= value <= high if above is None else value > above):
        return
    limits = f"of at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
    raise CourseError(f"{what} must be a number {limits if above is None else f'above {above:g}'}; got {value!r}.")
