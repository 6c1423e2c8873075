"""The checks at the doors of this room: one sentence for an input that a network cannot take."""

import torch
from torch import Tensor

from crashcourse.errors import CourseError


def check_num_classes(num_classes: int) -> None:
    """Refuse anything but an integer of at least 1."""
    if not isinstance(num_classes, int) or isinstance(num_classes, bool) or num_classes < 1:
        raise CourseError(f"num_classes must be an integer of at least 1; got {num_classes!r}.")


def check_images(images: Tensor, *, network: str, channels: int, least: int, dtype: torch.dtype) -> None:
    """Refuse what is not a batch of floating-point images, large enough, with the network's channels.

    Args:
        images: what came; expected (N, channels, H, W) float with H, W >= least.
        network: the network's name for the sentence.
        channels: how many channels its first layer takes.
        least: smallest height and width that reach the classifier.
        dtype: of the network's weights.
    """
    expected = f"{network} takes float images of shape (N, {channels}, H, W)"
    if not isinstance(images, Tensor):
        raise CourseError(f"{expected}; got {type(images).__name__}. Turn it into a tensor with torch.as_tensor().")
    shape = tuple(images.shape)
    if images.ndim != 4:
        advice = " Add the batch dimension with images[None]." if images.ndim == 3 else ""
        raise CourseError(f"{expected}; got {shape}.{advice}")
    if images.shape[1] != channels:
        advice = " Channels come second: images.permute(0, 3, 1, 2)." if images.shape[3] == channels else ""
        raise CourseError(f"{expected}; got {shape}, with {images.shape[1]} channels.{advice}")
    if images.shape[2] < least or images.shape[3] < least:
        raise CourseError(f"{expected} with H and W at least {least}; got {shape}. Resize or pad the images.")
    if not images.is_floating_point():
        raise CourseError(f"{expected}; got {images.dtype}. Scale first: images.float() / 255.")
    if images.dtype == torch.float64 and dtype != torch.float64:
        raise CourseError(f"{expected} in {dtype}, as its weights are; got torch.float64. Use images.float().")
