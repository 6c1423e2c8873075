"""The checks at the doors of this room: one sentence for images, labels or numbers that a function cannot take."""

import math

import torch
from torch import Tensor

from crashcourse.errors import CourseError

IGNORE = 255
"""The label of pixels that count for nothing, as in PASCAL VOC and Cityscapes."""


def check_images(images: Tensor, what: str, *, channels: int | None = None, dtype: torch.dtype | None = None) -> None:
    """Refuse what is not a batch of floating-point images. Values are not looked at.

    Args:
        images: what came; expected (N, C, H, W) float.
        what: whose door this is, for the sentence: "UNet".
        channels: C, where it matters.
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
        advice = " Channels come second: images.permute(0, 3, 1, 2)." if shape[3] == channels else ""
        raise CourseError(f"{expected}; got {shape}, with {shape[1]} channels.{advice}")
    if min(shape[2:]) < 1:
        raise CourseError(f"{expected} with H and W at least 1; got {shape}.")
    if not images.is_floating_point():
        raise CourseError(f"{expected}; got {images.dtype}. Scale first: images.float() / 255.")
    if images.dtype == torch.float64 and dtype not in (None, torch.float64):
        raise CourseError(f"{expected} in {dtype}, as its weights are; got torch.float64. Use images.float().")


def check_count(value: object, what: str, *, least: int = 1) -> None:
    """Refuse anything but an integer of at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise CourseError(f"{what} must be an integer of at least {least}; got {value!r}.")


def check_number(value: object, what: str, *, above: float | None = None) -> None:
    """Refuse anything but a finite number of at least 0, or above `above` where that is given."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or value < 0 or (above is not None and value <= above):
        raise CourseError(
            f"{what} must be a number {'of at least 0' if above is None else f'above {above:g}'}; got {value!r}."
        )


def check_logits(logits: Tensor, labels: Tensor, what: str, *, channels: int | None = None) -> None:
    """Refuse logits and labels that are not of one batch of maps.

    Args:
        logits: expected (N, C, H, W) float.
        labels: expected (N, H, W), whole numbers or bool.
        what: whose door this is.
        channels: C, where only one will do.
    """
    check_images(logits, what, channels=channels)
    n, _, height, width = logits.shape
    if not isinstance(labels, Tensor) or tuple(labels.shape) != (n, height, width):
        got = tuple(labels.shape) if isinstance(labels, Tensor) else type(labels).__name__
        advice = " Take the channel away with labels[:, 0]." if got == (n, 1, height, width) else ""
        raise CourseError(f"{what} takes labels of shape ({n}, {height}, {width}) for these logits; got {got}.{advice}")
    if labels.is_floating_point():
        raise CourseError(f"{what} takes labels that are whole numbers or bool; got {labels.dtype}. Use labels.long().")


def check_labels(labels: Tensor, classes: int, what: str, ignore: int | None) -> None:
    """Refuse labels that are neither of the classes 0 to `classes - 1` nor the ignored one."""
    counted = labels if ignore is None else labels[labels != ignore]
    if not counted.numel():
        return
    low, high = int(counted.min()), int(counted.max())
    if low < 0 or high >= classes:
        spared = "" if ignore is None else f", or {ignore} to be ignored"
        raise CourseError(f"{what} takes labels from 0 to {classes - 1}{spared}; these run from {low} to {high}.")
