"""Three kinds of noise: Gaussian of an amplifier, Rician of an MRI magnitude, Poisson of counted photons.

Levels are on the scale that papers print, where white is 255: sigma 25 is 25/255 of the range. All chance comes from
the generator, or from a new one for a seed; it is drawn where the generator lives, so that a generator on the CPU gives
every device the same noise. The images that come in are not changed.

Papers: Gudbjartsson, Patz, "The Rician distribution of noisy MRI data", Magnetic Resonance in Medicine, 1995, for
`rician_noise`. Whether noisy images are clipped and rounded is a choice that moves tables of results: DnCNN and FFDNet
see float noise, RNAN and RDN read 8-bit files.
"""

import torch
from torch import Tensor

from crashcourse.doors import check_images, check_number
from crashcourse.errors import CourseError
from crashcourse.restoration.doors import check_range, generator_of
from crashcourse.restoration.pixels import quantize


def gaussian_noise(
    images: Tensor, sigma: float | Tensor, generator: torch.Generator | int, *, quantized: bool = False
) -> Tensor:
    """images + sigma / 255 · n, with n from a normal distribution, a new one for every value.

    Args:
        images: (N, C, H, W) float in [0, 1].
        sigma: standard deviation where white is 255: a number, (N,) for each image its own, or any shape that
            broadcasts to the images', such as a map (N, 1, H, W).
        generator: where the chance comes from, or a seed.
        quantized: clip to [0, 1] and round to 256 levels, as an 8-bit file does. Without, values lie outside [0, 1],
            too, and the noise can be taken off again exactly if it is known; with it, what was clipped is lost.

    Returns:
        The same shape, dtype and device.

    Raises:
        CourseError: images of another kind or range, or a sigma that is negative or does not fit.
    """
    check_images(images, "gaussian_noise")
    check_range(images, "gaussian_noise")
    noisy = images + _checked(sigma_map(sigma, images)) * _normal(images, generator_of(generator))
    return quantize(noisy) if quantized else noisy


def rician_noise(images: Tensor, sigma: float | Tensor, generator: torch.Generator | int) -> Tensor:
    """The magnitude of a complex image with Gaussian noise in both parts: √((x + s n₁)² + (s n₂)²), s = sigma / 255.

    What MRI shows. Black becomes brighter, s √(π/2) on average, so that averaging many images does not find the truth.

    Args:
        images: (N, C, H, W) float in [0, 1]: the magnitude without noise.
        sigma: of each part, as in `gaussian_noise`.
        generator: where the chance comes from, or a seed.

    Returns:
        The same shape, dtype and device; never negative, above 1 in places. Neither clipped nor rounded. The phase is
        lost, so the noise cannot be taken off again even if it is known.

    Raises:
        CourseError: images of another kind or range, or a sigma that is negative or does not fit.
    """
    check_images(images, "rician_noise")
    check_range(images, "rician_noise")
    generator = generator_of(generator)
    level = _checked(sigma_map(sigma, images))
    real = images + level * _normal(images, generator)
    return torch.hypot(real, level * _normal(images, generator))


def poisson_noise(images: Tensor, peak: float, generator: torch.Generator | int) -> Tensor:
    """Counts of photons, divided by what white counts on average: Poisson(peak · x) / peak.

    The variance is x / peak: brighter is noisier, and black has no noise.

    Args:
        images: (N, C, H, W) float in [0, 1].
        peak: how many photons white has on average, above 0. Fewer are noisier.
        generator: where the chance comes from, or a seed.

    Returns:
        The same shape, dtype and device: multiples of 1 / peak, never negative, above 1 in places. Neither clipped nor
        rounded to 8 bits. Gradients do not flow through counts.

    Raises:
        CourseError: images of another kind or range, or a peak that is not positive.
    """
    check_images(images, "poisson_noise")
    check_range(images, "poisson_noise")
    check_number(peak, "peak")
    if peak == 0:
        raise CourseError("peak must be above 0: without photons there is no image.")
    generator = generator_of(generator)
    rates = (images.detach().clamp(min=0) * peak).to(generator.device, torch.float32)
    return (torch.poisson(rates, generator) / peak).to(images)


def sigma_map(sigma: float | Tensor, images: Tensor) -> Tensor:
    """A noise level on the scale of the images, in a shape that broadcasts to theirs.

    Args:
        sigma: a number, (N,), or a shape that broadcasts to the images'; white is 255.
        images: (N, C, H, W) float; white is 1.

    Returns:
        sigma / 255, on the images' device and in their dtype.

    Raises:
        CourseError: another shape, or a level that is negative or not finite. A tensor's values are looked at on the
            CPU only, and not in a compiled or exported graph: an accelerator would have to be waited for.
    """
    if not isinstance(sigma, Tensor):
        check_number(sigma, "sigma")
        return torch.tensor(sigma / 255, dtype=images.dtype, device=images.device)
    level = sigma.to(images) / 255
    level = level.view(-1, 1, 1, 1) if level.ndim == 1 else level
    fits = level.ndim in (0, 4) and all(a in (1, b) for a, b in zip(level.shape, images.shape, strict=False))
    if not fits:
        raise CourseError(
            f"sigma of shape {tuple(sigma.shape)} does not fit images of shape {tuple(images.shape)}: "
            "give a number, one for each image (N,), or a map (N, 1, H, W)."
        )
    looked_at = level.device.type == "cpu" and not torch.compiler.is_compiling()
    return _checked(level) if looked_at else level


def _checked(level: Tensor) -> Tensor:
    if not bool((level >= 0).all() & level.isfinite().all()):
        low, high = 255 * float(level.min()), 255 * float(level.max())
        raise CourseError(f"sigma is a standard deviation, finite and never negative; got {low:.4g} to {high:.4g}.")
    return level


def _normal(images: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(images.shape, generator=generator, device=generator.device).to(images)
