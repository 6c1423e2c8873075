"""Denoisers without training: non-local means from scikit-image, BM3D from the package `bm3d`.

Buades, Coll, Morel, "A non-local algorithm for image denoising", CVPR 2005: every pixel becomes a mean of pixels whose
surroundings look alike. Dabov, Foi, Katkovnik, Egiazarian, "Image denoising by sparse 3-D transform-domain
collaborative filtering", IEEE Transactions on Image Processing, 2007: patches that look alike are stacked and denoised
together in a transform domain; for two decades the measure of denoisers.

Both are told the noise level, run on the CPU, one image after the other, and give no gradients. `bm3d` is a closed
binary that its authors allow for non-commercial use only, so the course does not need it: install it yourself.
"""

import importlib
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from crashcourse.doors import check_count, check_images, check_number
from crashcourse.errors import CourseError


def non_local_means(noisy: Tensor, sigma: float, *, patch: int = 5, distance: int = 6, strength: float = 0.8) -> Tensor:
    """Non-local means: a mean over the neighbourhood, weighted by how alike the patches around two pixels are.

    Args:
        noisy: (N, 1, H, W) or (N, 3, H, W) float, about [0, 1].
        sigma: standard deviation of the noise, where white is 255; above 0.
        patch: side of the patches that are compared.
        distance: how far away, at most, a pixel is that counts.
        strength: h / sigma: how unlike patches may be and count still. The larger, the smoother.

    Returns:
        The same shape, dtype and device. Neither clipped nor rounded.

    Raises:
        CourseError: not grey or RGB float images, or a number out of range.
    """
    from skimage.restoration import denoise_nl_means

    check_count(patch, "patch")
    check_count(distance, "distance")
    check_number(strength, "strength", low=1e-3)
    level = _level(sigma)

    def denoise(image: np.ndarray) -> np.ndarray:
        options = {"patch_size": patch, "patch_distance": distance, "h": strength * level, "sigma": level}
        return denoise_nl_means(image, fast_mode=True, channel_axis=-1 if image.ndim == 3 else None, **options)

    return _each(noisy, denoise, "non_local_means")


def bm3d(noisy: Tensor, sigma: float) -> Tensor:
    """BM3D with its authors' settings; for colour CBM3D, which looks for alike patches in the brightness.

    Args:
        noisy: (N, 1, H, W) or (N, 3, H, W) float, about [0, 1].
        sigma: standard deviation of the noise, where white is 255; above 0.

    Returns:
        The same shape, dtype and device. Neither clipped nor rounded.

    Raises:
        CourseError: not grey or RGB float images, a sigma that is not positive, or the package is not installed.
    """
    level = _level(sigma)
    check_images(noisy, "bm3d", least=8)  # the size of its patches
    try:
        package = importlib.import_module("bm3d")
    except ImportError as error:
        raise CourseError(
            "BM3D is in a package of its own, free for non-commercial use: pip install bm3d. "
            "The course runs without it; non_local_means needs nothing more."
        ) from error
    return _each(noisy, lambda image: (package.bm3d_rgb if image.ndim == 3 else package.bm3d)(image, level), "bm3d")


def _level(sigma: float) -> float:
    check_number(sigma, "sigma")
    if sigma == 0:
        raise CourseError("sigma must be above 0: these denoisers need to know how strong the noise is.")
    return sigma / 255


def _each(noisy: Tensor, denoise: Callable[[np.ndarray], np.ndarray], what: str) -> Tensor:
    """Each image as (H, W) or (H, W, 3) float64 through a function on arrays."""
    check_images(noisy, what)
    if noisy.shape[1] not in (1, 3):
        raise CourseError(f"{what} takes grey images (1 channel) or RGB (3 channels); got {noisy.shape[1]} channels.")
    restored = torch.empty_like(noisy)
    for place, image in enumerate(noisy.detach().double().cpu()):
        array = image[0].numpy() if len(image) == 1 else image.permute(1, 2, 0).contiguous().numpy()
        values = torch.from_numpy(np.ascontiguousarray(denoise(array)))
        restored[place] = (values[None] if len(image) == 1 else values.permute(2, 0, 1)).to(noisy)
    return restored
