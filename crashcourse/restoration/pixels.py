"""What every comparison of images rests on: 8-bit levels, luminance, and crops.

Images are `(N, C, H, W)` float in [0, 1], where 1 is white, wherever nothing else is said. The conversions are MATLAB's
`rgb2ycbcr` and `rgb2gray` (ITU-R BT.601), in which the papers of this part measure. Note that other libraries give
Y another range: 0 to 1 where it is called full range, 16/255 to 235/255 where it is called studio range.
"""

import torch
from torch import Tensor

from crashcourse.doors import check_count, check_images
from crashcourse.errors import CourseError, unknown

STUDIO = (65.481, 128.553, 24.966)
"""Y = 16 + 65.481 R + 128.553 G + 24.966 B: black is 16, white is 235."""

GREY = (0.298936, 0.587043, 0.114021)
"""Weights of red, green and blue in MATLAB's `rgb2gray`, to six digits: black is 0, white is 1."""


def quantize(images: Tensor) -> Tensor:
    """What is left after writing an 8-bit file and reading it again: clipped to [0, 1], rounded to k / 255.

    Halves are rounded up, as MATLAB's `uint8` does. Nothing brings back what is cut off here; a second call changes
    nothing. The gradient is 0 wherever there is one.

    Args:
        images: any shape, float; 1 is white.

    Returns:
        The same shape and dtype, in [0, 1].
    """
    if not isinstance(images, Tensor) or not images.is_floating_point():
        kind = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise CourseError(f"quantize takes a float tensor in [0, 1]; got {kind}. Bytes are quantized already.")
    return (images.clamp(0, 1) * 255 + 0.5).floor() / 255


def luma(images: Tensor, kind: str = "grey", *, peak: float = 1.0) -> Tensor:
    """One channel of brightness from three of colour.

    Args:
        images: (N, 3, H, W) float, RGB in [0, peak].
        kind: "grey" for `rgb2gray`, from 0 to peak; "y" for the Y of `rgb2ycbcr`, from 16/255 to 235/255 of the peak.
        peak: the value of white.

    Returns:
        (N, 1, H, W) of the same dtype. Neither clipped nor rounded. Colour is lost.

    Raises:
        CourseError: not three channels, not float, or another kind.
    """
    if kind not in ("grey", "y"):
        raise unknown("luma", kind, ("grey", "y"))
    check_images(images, "luma", channels=3)
    weights = images.new_tensor(GREY if kind == "grey" else [weight / 255 for weight in STUDIO])
    grey = (images * weights[:, None, None]).sum(1, keepdim=True)  # (N, 1, H, W)
    return grey if kind == "grey" else grey + 16 / 255 * peak


def modcrop(images: Tensor, factor: int) -> Tensor:
    """Cut rows at the bottom and columns on the right until `factor` divides height and width.

    Args:
        images: (..., H, W).
        factor: the scale of super-resolution.

    Raises:
        CourseError: nothing would be left, or `factor` is no positive integer.
    """
    check_count(factor, "factor")
    height, width = (size - size % factor for size in images.shape[-2:])
    if not height or not width:
        raise CourseError(f"modcrop by {factor} leaves nothing of {tuple(images.shape[-2:])}.")
    return images[..., :height, :width]


def shave(images: Tensor, border: int) -> Tensor:
    """The images without `border` pixels on each of their four sides.

    Raises:
        CourseError: nothing would be left, or `border` is negative.
    """
    check_count(border, "border", least=0)
    height, width = images.shape[-2:]
    if 2 * border >= min(height, width):
        raise CourseError(f"A border of {border} pixels on every side leaves nothing of {height}×{width}.")
    return images[..., border : height - border, border : width - border]


def exact(images: Tensor) -> Tensor:
    """The images in double precision, where their device has it: sums of squares lose digits otherwise."""
    return images if images.device.type == "mps" else images.to(torch.float64)
