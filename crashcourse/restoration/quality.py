"""How near a restored image is to the true one: PSNR, SSIM and MS-SSIM, one number for each image of a batch.

Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural similarity", IEEE
Transactions on Image Processing, 2004, equation 13 with the weights of section III.B (11×11 Gaussian, sigma 1.5, K₁ =
0.01, K₂ = 0.03, without the N - 1 correction); Wang, Simoncelli, Bovik, "Multiscale structural similarity for image
quality assessment", 2003, equation 7. **Differs from the papers:** nothing; the mean is taken over the places where
the whole window lies in the image, as in the first author's MATLAB code and in scikit-image. torchmetrics has the same
map, but averages over the border, too, which it mirrors: its SSIM is off by some thousandths.

Papers differ in what they compare, and tables mix. `on` says it: "channels" as they are (grey denoising; colour
denoising averages the squared error over R, G and B), "grey" after `rgb2gray`, "y" for the Y of `rgb2ycbcr`
(super-resolution). `super_resolution_scores` is that protocol whole.

Average over images only at the end: the mean of the PSNRs of ten images is what papers print, and not the PSNR of their
mean squared error. Sums over an image, and variances, are in double precision, on the images' device. Gradients
flow back.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from crashcourse.doors import check_count, check_images, check_number
from crashcourse.errors import CourseError, unknown
from crashcourse.restoration.doors import check_range, check_scale
from crashcourse.restoration.pixels import exact, luma, quantize, shave

WINDOW, SIGMA = 11, 1.5
CACHED = 2**18
"""Pixels that SSIM works on at once: their maps in double precision stay in a processor's cache."""

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales of MS-SSIM, from fine to coarse: what observers weighted when they judged quality."""


def psnr(restored: Tensor, target: Tensor, *, on: str = "channels", border: int = 0, peak: float = 1.0) -> Tensor:
    """Peak signal-to-noise ratio, 10 log₁₀(peak² / mean squared error), in decibels.

    Args:
        restored: (N, C, H, W) float. Compared as it is: `quantize` it first where papers compare 8-bit files. It may
            leave [0, peak]; values beyond 10 peaks, above or below, are refused, as they are on another scale.
        target: the truth, of the same shape, in [0, peak].
        on: "channels", "grey" or "y"; the last two take RGB.
        border: pixels that do not count on each side; the scale in super-resolution.
        peak: the value of white, above 0: 1, or 255.

    Returns:
        (N,) float64, one for each image; infinite where nothing differs, and its gradient is NaN there.

    Raises:
        CourseError: shapes that differ, integers, a target outside [0, peak], a restored image on another scale, or a
            border that leaves nothing.
    """
    a, b = _prepared(restored, target, on, border, peak)
    a = a.to(torch.promote_types(a.dtype, torch.float32))  # squares of half precision overflow, or vanish
    rows = [(x - y).square().mean(-1) for x, y in zip(a, b, strict=True)]  # one image after another stays in the cache
    errors = [row.mean(dtype=_exact_dtype(row)) for row in rows]
    error = torch.stack(errors) if errors else a.new_empty(0, dtype=_exact_dtype(a))  # (N,)
    return 10 * torch.log10(peak**2 / error)


def ssim(restored: Tensor, target: Tensor, *, on: str = "channels", border: int = 0, peak: float = 1.0) -> Tensor:
    """Structural similarity: 1 for equal images, near 0 where nothing corresponds. The mean of `ssim_map`.

    Args:
        restored, target, on, border, peak: as of `psnr`. What is left after the border is at least 11 pixels.

    Returns:
        (N,) float64, the mean over channels and places.

    Raises:
        CourseError: as of `psnr`, or images below 11 pixels.
    """
    return ssim_map(restored, target, on=on, border=border, peak=peak).mean((1, 2, 3))


def ssim_map(restored: Tensor, target: Tensor, *, on: str = "channels", border: int = 0, peak: float = 1.0) -> Tensor:
    """Structural similarity at every place where the window lies in the image.

    Args:
        restored, target, on, border, peak: as of `ssim`.

    Returns:
        (N, C, H - 10, W - 10) float64, C = 1 after "grey" or "y", H and W without the border.
    """
    a, b = _prepared(restored, target, on, border, peak)
    check_images(a, "SSIM", least=WINDOW)
    light, structure = _comparisons(a, b, peak)
    return light * structure


def ms_ssim(restored: Tensor, target: Tensor, *, on: str = "channels", border: int = 0, peak: float = 1.0) -> Tensor:
    """SSIM at five scales: contrast and structure at all of them, brightness at the coarsest, multiplied together.

    Between two scales the images are averaged over 2×2 pixels. A contrast below 0 counts as 0.

    Args:
        restored, target, on, border, peak: as of `psnr`. What is left after the border is at least 176 pixels.

    Returns:
        (N,) float64 in [0, 1].

    Raises:
        CourseError: as of `psnr`, or images below 176 = 11 · 2⁴ pixels.
    """
    a, b = _prepared(restored, target, on, border, peak)
    check_images(a, "MS-SSIM", least=WINDOW * 2 ** (len(SCALE_WEIGHTS) - 1))
    a, b = exact(a), exact(b)
    product = torch.ones(len(a), dtype=a.dtype, device=a.device)
    for scale, weight in enumerate(SCALE_WEIGHTS, start=1):
        light, structure = _comparisons(a, b, peak)
        similarity = light * structure if scale == len(SCALE_WEIGHTS) else structure
        product = product * similarity.mean((1, 2, 3)).clamp(min=0) ** weight
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return product


def super_resolution_scores(restored: Tensor, target: Tensor, scale: int) -> tuple[Tensor, Tensor]:
    """PSNR and SSIM as the super-resolution papers print them: 8-bit images, Y of BT.601, `scale` pixels cut off.

    Args:
        restored: (N, 3, H, W) float, RGB in [0, 1], clipped and rounded here; or (N, 1, H, W), taken for Y. Values
            beyond 10, above or below, are refused.
        target: the truth, of the same shape and range.
        scale: of the super-resolution.

    Returns:
        Two (N,) float64: PSNR in decibels, SSIM.

    Raises:
        CourseError: as of `psnr` and `ssim`.
    """
    check_count(scale, "scale")
    for images in (restored, target):
        check_images(images, "super_resolution_scores")
    check_range(target, "The target")
    check_scale(restored, "The restored image")
    on = "channels" if target.shape[1] == 1 else "y"
    restored, target = quantize(restored), quantize(target)
    options = {"on": on, "border": scale}
    return psnr(restored, target, **options), ssim(restored, target, **options)


def gaussian_window(size: int = WINDOW, sigma: float = SIGMA) -> Tensor:
    """One row of SSIM's window: (size,) float64 that adds up to 1. The window is the product of a row and a column."""
    place = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    row = torch.exp(-place.square() / (2 * sigma**2))
    return row / row.sum()


def _comparisons(a: Tensor, b: Tensor, peak: float) -> tuple[Tensor, Tensor]:
    """Brightness, and contrast with structure, at every place: the two factors of SSIM, (N, C, H - 10, W - 10)."""
    (n, c, height, width), planes = a.shape, max(1, CACHED // (a.shape[2] * a.shape[3]))
    stacks = [images.reshape(n * c, height, width).split(planes) for images in (a, b)]
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    parts = [_compared(exact(x), exact(y), c1, c2) for x, y in zip(*stacks, strict=True)]
    shape = (n, c, height - WINDOW + 1, width - WINDOW + 1)
    light, structure = (torch.cat(factor).view(shape) for factor in zip(*parts, strict=True))
    return light, structure


def _compared(a: Tensor, b: Tensor, c1: float, c2: float) -> tuple[Tensor, Tensor]:
    """The same for planes (P, H, W) that fit a cache. Only the sum of the two variances is needed."""
    mean_a, mean_b = _blurred(a), _blurred(b)
    means, product = mean_a.square() + mean_b.square(), mean_a * mean_b
    variances = _blurred(a * a + b * b) - means
    covariance = _blurred(a * b) - product
    return (2 * product + c1) / (means + c1), (2 * covariance + c2) / (variances + c2)


def _blurred(maps: Tensor) -> Tensor:
    """Weighted means over SSIM's window, rows after columns: (P, H, W) -> (P, H - 10, W - 10)."""
    weights = gaussian_window().tolist()
    for dim in (-2, -1):
        length = maps.shape[dim] - WINDOW + 1
        mean = maps.narrow(dim, 0, length) * weights[0]
        for place in range(1, WINDOW):
            mean.add_(maps.narrow(dim, place, length), alpha=weights[place])
        maps = mean
    return maps


def _exact_dtype(images: Tensor) -> torch.dtype:
    return torch.float32 if images.device.type == "mps" else torch.float64


def _prepared(restored: Tensor, target: Tensor, on: str, border: int, peak: float) -> tuple[Tensor, Tensor]:
    """What is compared: (N, C, H', W') twice."""
    if on not in ("channels", "grey", "y"):
        raise unknown("comparison", on, ("channels", "grey", "y"))
    check_number(peak, "peak", above=0)
    for images in (restored, target):
        check_images(images, "A measure of quality")
    if restored.shape != target.shape:
        raise CourseError(
            f"restored and target must have one shape; got {tuple(restored.shape)} and {tuple(target.shape)}."
        )
    check_range(target, "The target", peak=peak)
    check_scale(restored, "The restored image", peak=peak)
    if on != "channels" and target.shape[1] != 3:
        raise CourseError(f'on="{on}" is computed from RGB; got {target.shape[1]} channels. Use on="channels".')
    pair = [restored, target]
    if on != "channels":
        pair = [luma(exact(images), on, peak=peak) for images in pair]
    return shave(pair[0], border), shave(pair[1], border)
