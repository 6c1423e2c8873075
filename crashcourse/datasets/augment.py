"""Augmentations of a whole batch at once, on the batch's device.

Each is a function of `(images, generator)` and returns new images of the same shape, dtype and device; the input is not
changed. All its chance comes from the generator. With a generator on the CPU, where `Batches` makes its own, every
device gets the same augmentation. Fix other options with `functools.partial`: `partial(random_crop, pad=4)`.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from crashcourse.errors import CourseError


def random_flip(images: Tensor, generator: torch.Generator, *, p: float = 0.5) -> Tensor:
    """Mirror each image left to right with probability `p`.

    Args:
        images: `(N, C, H, W)`, any dtype.
        generator: where the chance comes from.
        p: the probability, 0 to 1.

    Raises:
        CourseError: `images` is not a batch, or `p` is not a probability.
    """
    _check(images)
    if not 0 <= p <= 1:
        raise CourseError(f"p = {p} is not a probability: choose 0 to 1.")
    flipped = torch.rand(len(images), generator=generator, device=generator.device) < p
    return torch.where(flipped.to(images.device).view(-1, 1, 1, 1), images.flip(-1), images)


def random_crop(images: Tensor, generator: torch.Generator, *, pad: int = 2) -> Tensor:
    """Shift each image by up to `pad` pixels up, down, left and right; what comes in from outside is zero.

    The same as padding by `pad` and cropping the old size at a random place (He et al. 2016, arXiv 1512.03385,
    section 4.2).

    Args:
        images: `(N, C, H, W)`, any dtype.
        generator: where the chance comes from.
        pad: the largest shift in pixels, at least 0.

    Raises:
        CourseError: `images` is not a batch, or `pad` is negative.
    """
    _check(images)
    if pad < 0:
        raise CourseError(f"pad = {pad} is negative: choose 0 or more pixels.")
    n, _, height, width = images.shape
    shifts = torch.randint(2 * pad + 1, (2, n), generator=generator, device=generator.device).to(images.device)
    windows = F.pad(images, (pad, pad, pad, pad)).unfold(2, height, 1).unfold(3, width, 1)
    return windows[torch.arange(n, device=images.device), :, shifts[0], shifts[1]]  # (N, C, H, W)


def cutout(images: Tensor, generator: torch.Generator, *, size: int = 8) -> Tensor:
    """Set one square of each image to zero; its centre is any pixel, so that it may reach over the border.

    DeVries and Taylor 2017, arXiv 1708.04552, section 3. They zero the normalised image (the mean); on uint8 images
    this zeroes to black, which for garments is the background.

    Args:
        images: `(N, C, H, W)`, any dtype.
        generator: where the chance comes from.
        size: the side of the square in pixels, at least 1.

    Raises:
        CourseError: `images` is not a batch, or `size` is below 1.
    """
    _check(images)
    if size < 1:
        raise CourseError(f"size = {size} cuts nothing out: choose 1 or more pixels.")
    n, _, height, width = images.shape
    centres = torch.rand(2, n, 1, generator=generator, device=generator.device).to(images.device)
    cut_rows = _within(centres[0], height, size).unsqueeze(2)  # (N, H, 1)
    cut_columns = _within(centres[1], width, size).unsqueeze(1)  # (N, 1, W)
    return images.masked_fill((cut_rows & cut_columns).unsqueeze(1), 0)


def _within(centre: Tensor, length: int, size: int) -> Tensor:
    first = (centre * length).long() - size // 2  # (N, 1)
    place = torch.arange(length, device=centre.device)
    return (place >= first) & (place < first + size)


def _check(images: Tensor) -> None:
    if images.ndim != 4:
        raise CourseError(f"An augmentation takes images (N, C, H, W), but these have the shape {tuple(images.shape)}.")
