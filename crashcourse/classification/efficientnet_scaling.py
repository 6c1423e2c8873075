"""Compound scaling: how much deeper, wider and larger in the image a network becomes for a budget.

Tan, Le, "EfficientNet: rethinking model scaling for convolutional neural networks", ICML 2019, arXiv 1905.11946:
section 3.3, equation 3. The networks themselves are in `efficientnet.py`.

**Differs from the paper:** channels are rounded to multiples of 8 and repeats rounded up, as in the authors' code; the
paper leaves both open, and the side of the image, which is rounded to the nearest pixel here. The released B1 to B7
do not follow from this formula with one φ each.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from crashcourse.errors import CourseError


class Scaling(NamedTuple):
    """Factors against B0: of repeats, of channels, of the image's side, and of the multiply-adds they make together."""

    depth: float
    width: float
    resolution: float
    cost: float


def compound_scaling(phi: float, *, alpha: float = 1.2, beta: float = 1.1, gamma: float = 1.15) -> Scaling:
    """Equation 3: depth α^φ, width β^φ, resolution γ^φ, and a cost of (α·β²·γ²)^φ, about 2^φ.

    Args:
        phi: how far to scale; 0 is B0.
        alpha: what one step multiplies the repeats by.
        beta: what one step multiplies the channels by.
        gamma: what one step multiplies the image's side by.

    Raises:
        CourseError: a base is not a positive number.
    """
    if min(alpha, beta, gamma) <= 0:
        raise CourseError(f"alpha, beta and gamma must be positive; got {alpha}, {beta} and {gamma}.")
    return Scaling(alpha**phi, beta**phi, gamma**phi, (alpha * beta**2 * gamma**2) ** phi)


def scale_stage(channels: int, repeats: int, width: float, depth: float, divisor: int = 8) -> tuple[int, int]:
    """Channels and repeats of a stage after scaling, in whole numbers.

    Args:
        channels: of the baseline's stage.
        repeats: how many blocks the baseline's stage has.
        width: multiplier of the channels.
        depth: multiplier of the repeats.
        divisor: channels are a multiple of it.

    Returns:
        (channels, repeats), two ints. Channels: the multiple of `divisor` that is nearest to channels · width (the
        larger of two that are equally near); the next larger multiple, if that one is below 90 % of channels · width.
        Repeats: repeats · depth, rounded up.
    """
    wanted = channels * width
    rounded = max(divisor, int(wanted + divisor / 2) // divisor * divisor)
    if rounded < 0.9 * wanted:
        rounded += divisor
    return rounded, math.ceil(repeats * depth)


def scale_network(
    stages: Sequence[tuple[int, int]],
    image_size: int,
    phi: float,
    alpha: float = 1.2,
    beta: float = 1.1,
    gamma: float = 1.15,
) -> tuple[list[tuple[int, int]], int]:
    """A baseline scaled by φ: α^φ deeper, β^φ wider, γ^φ larger in the image. Equation 3, in whole numbers.

    Args:
        stages: (channels, repeats) of every stage of the baseline.
        image_size: side of its images, in pixels.
        phi: how far to scale; 0 gives the baseline.
        alpha: of depth.
        beta: of width.
        gamma: of resolution.

    Returns:
        stages: a list of (channels, repeats), each scaled by `scale_stage`.
        image_size: rounded to the nearest pixel, an int.
    """
    depth, width = alpha**phi, beta**phi
    scaled = [scale_stage(channels, repeats, width, depth) for channels, repeats in stages]
    return scaled, round(image_size * gamma**phi)


def check_depth(depth: float) -> None:
    """Refuse a depth multiplier that is not a positive number."""
    if isinstance(depth, bool) or not isinstance(depth, (int, float)) or not 0 < depth < float("inf"):
        raise CourseError(f"depth multiplies the repeats and must be a positive number; got {depth!r}.")
