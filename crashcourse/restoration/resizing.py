"""Bicubic resizing as MATLAB's `imresize` does it, which made the low-resolution images of the field.

Keys, "Cubic convolution interpolation for digital image processing", IEEE Transactions on Acoustics, Speech, and
Signal Processing, 1981, equation 15, with a = -1/2. When an image shrinks, the kernel is widened by the same factor, so
that nothing finer than the new pixels gets through (antialiasing). Pixels are squares with their centres at k + 1/2.

**Differs from other libraries:** at the border MATLAB mirrors the image, edge pixel included; Pillow and
`F.interpolate(..., antialias=True)` leave out what lies outside, and agree with this only further in.
`F.interpolate` without antialiasing is another kernel (a = -3/4). On bytes, MATLAB rounds after the rows and again
after the columns; here nothing is rounded in between, so that a pixel in some hundreds is off by one level.
"""

import math
from fractions import Fraction
from numbers import Real

import torch
from torch import Tensor

from crashcourse.doors import check_images
from crashcourse.errors import CourseError
from crashcourse.restoration.pixels import exact


def cubic(distance: Tensor, a: float = -0.5) -> Tensor:
    """The weight of a sample at a distance from the place that is asked for, in pixels: Keys' equation 15.

    Args:
        distance: any shape, float.
        a: the slope at distance 1. At -1/2 a straight line is reproduced to the third order.

    Returns:
        The same shape: 1 at 0, 0 at 1 and from 2 on.
    """
    x = distance.abs()
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = a * (((x - 5) * x + 8) * x - 4)
    return torch.where(x <= 1, near, torch.where(x < 2, far, 0.0))


def bicubic_taps(length: int, scale: float | Fraction) -> tuple[Tensor, Tensor]:
    """Which samples of a row make each sample of the resized row, and how much each counts.

    Args:
        length: samples in the row, L.
        scale: new size / old size; the new row has ⌈scale · L⌉ samples.

    Returns:
        Positions (M, K) int64 in [0, L) and weights (M, K) float64 that add up to 1 in each row; K taps for each of M
        new samples. A position comes more than once where the border is mirrored.

    Raises:
        CourseError: a length below 1, or a scale that is not positive.
    """
    if not isinstance(length, int) or length < 1 or not isinstance(scale, Real) or not 0 < scale < math.inf:
        raise CourseError(f"bicubic_taps needs a positive length and scale; got {length!r} and {scale!r}.")
    ratio = float(scale)
    shrink = min(ratio, 1.0)  # below 1 the kernel is wider by 1 / shrink
    width = 4 / shrink
    new = torch.arange(math.ceil(length * ratio - 1e-9), dtype=torch.float64)
    centre = (new + 0.5) / ratio - 0.5  # (M,): where the new pixel's centre lies in the old row
    first = (centre - width / 2).floor() + 1
    positions = first[:, None] + torch.arange(math.ceil(width) + 1)  # (M, K)
    weights = shrink * cubic(shrink * (centre[:, None] - positions))
    weights = weights / weights.sum(1, keepdim=True)
    mirrored = positions.long() % (2 * length)  # ... 1 0 | 0 1 2 ... L-1 | L-1 L-2 ...
    return torch.where(mirrored < length, mirrored, 2 * length - 1 - mirrored), weights


def bicubic_resize(images: Tensor, scale: float | Fraction) -> Tensor:
    """Images at another size, by MATLAB's bicubic rule, antialiased where they shrink.

    Computed in double precision where the device has it, and neither clipped nor rounded: values may lie a little
    outside the range of the input. What was finer than the new pixels is lost. Gradients flow back.

    Args:
        images: (N, C, H, W) float.
        scale: new size / old size: 2, 0.5, or Fraction(1, 3).

    Returns:
        (N, C, ⌈scale · H⌉, ⌈scale · W⌉) of the same dtype.

    Raises:
        CourseError: not float images, or a scale that is not positive.
    """
    check_images(images, "bicubic_resize")
    resized = exact(images)
    for dim in (2, 3):  # rows first, as MATLAB does when both shrink alike
        positions, weights = bicubic_taps(resized.shape[dim], scale)
        positions, weights = positions.to(images.device), weights.to(resized)
        shape = (-1, 1) if dim == 2 else (-1,)
        resized = sum(
            resized.index_select(dim, positions[:, tap]) * weights[:, tap].view(shape)
            for tap in range(positions.shape[1])
        )
    return resized.to(images.dtype)
