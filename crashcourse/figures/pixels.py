"""From what a lesson holds (tensors of any usual layout) to pictures that can be drawn."""

from collections.abc import Sequence

import torch
from torch import Tensor

from crashcourse.errors import CourseError

Images = Tensor | Sequence[Tensor]


def as_pictures(images: Images, *, what: str = "images") -> list[Tensor]:
    """A list of pictures, each `(H, W, 3)` or `(H, W)` float in [0, 1], on the CPU.

    Args:
        images: `(N, 1 or 3, H, W)`, `(N, H, W)`, or a list of `(1 or 3, H, W)` or `(H, W)` of any sizes;
            uint8 in [0, 255], bool, or float in [0, 1].
        what: their name in an error.

    Raises:
        CourseError: another shape, no image at all, or values outside the range.
    """
    return [_picture(one, what) for one in separate(images, what=what)]


def separate(images: Images, *, what: str = "images") -> list[Tensor]:
    """The single images of a batch or a list, each `(C, H, W)` or `(H, W)`, detached and on the CPU."""
    if isinstance(images, Tensor) and images.ndim not in (3, 4):
        raise CourseError(
            f"Expected {what} of shape (N, 1 or 3, H, W) or (N, H, W); got {tuple(images.shape)}."
            + (" For one image, give image[None]." if images.ndim == 2 else "")
        )
    singles = [torch.as_tensor(one).detach().cpu() for one in images]
    if not singles:
        raise CourseError(f"There are no {what} to draw: the batch is empty.")
    return singles


def _picture(image: Tensor, what: str) -> Tensor:
    if image.ndim == 3 and image.shape[0] in (1, 3):
        image = image.permute(1, 2, 0) if image.shape[0] == 3 else image[0]  # (H, W, 3) or (H, W)
    elif image.ndim != 2:
        raise CourseError(f"Each of the {what} must be (1 or 3, H, W) or (H, W); got {tuple(image.shape)}.")
    if image.numel() == 0:
        raise CourseError(f"Each of the {what} needs at least one pixel; got {tuple(image.shape)}.")
    return _in_unit_range(image, what)


def _in_unit_range(image: Tensor, what: str) -> Tensor:
    if image.dtype == torch.uint8:
        return image.float() / 255
    image = image.float()
    low, high = image.min().item(), image.max().item()
    if not (low >= -1e-3 and high <= 1 + 1e-3):  # also NaN
        raise CourseError(
            f"The {what} must be uint8, or float in [0, 1]; got values from {low:.3g} to {high:.3g}. "
            "Undo the normalisation first, or use normalize=True to stretch each image to [0, 1]."
        )
    return image.clamp(0, 1)


def stretched(image: Tensor, *, flat: float = 0.5) -> Tensor:
    """The image stretched to [0, 1] by its own least and largest value; a constant one becomes `flat`."""
    image = image.float()
    if not torch.isfinite(image).all():
        raise CourseError("An image holds NaN or infinite values, so it cannot be drawn. Look at where they come from.")
    low, high = image.min(), image.max()
    return (image - low) / (high - low) if high > low else torch.full_like(image, flat)


def around_grey(image: Tensor) -> Tensor:
    """The image scaled so that zero is mid-grey 0.5 and its largest magnitude is 0 or 1: fit for signed weights."""
    image = image.float()
    if not torch.isfinite(image).all():
        raise CourseError("An image holds NaN or infinite values, so it cannot be drawn. Look at where they come from.")
    largest = image.abs().max()
    return 0.5 + image / (2 * largest) if largest > 0 else torch.full_like(image, 0.5)
