"""Lesson 50, DnCNN: what people get wrong in PSNR and SSIM, each as code that behaves so, with its hint."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor


def _psnr(
    restored: Tensor,
    target: Tensor,
    *,
    difference: Callable[[Tensor, Tensor], Tensor] = lambda a, b: a.float() - b.float(),
    error: Callable[[Tensor], Tensor] = lambda difference: difference.square().mean((1, 2, 3)),
    peak: Callable[[Tensor], float | Tensor] = lambda target: 255.0,
    decibels: Callable[[float | Tensor, Tensor], Tensor] = lambda peak, mse: 10 * torch.log10(peak**2 / mse),
) -> Tensor:
    """`image_psnr` with one thing wrong: what the keyword arguments say."""
    return decibels(peak(target), error(difference(restored, target)))


PSNR_MISTAKES = {
    "wraps_around": (
        partial(_psnr, difference=lambda a, b: (a - b).float()),
        "You subtract bytes: 10 - 20 is 246 there. Convert both to float first, then subtract.",
    ),
    "square_wraps_around": (
        partial(
            _psnr,
            difference=lambda a, b: a - b,
            error=lambda difference: difference.square().float().mean((1, 2, 3)),
        ),
        "You subtract and square bytes: 16² is 256, which is 0 there. Convert both images to float first.",
    ),
    "peak_of_1": (
        partial(_psnr, peak=lambda target: 1.0),
        "Your peak is 1, as -10 · log10(MSE) has it, too. These are bytes: white is 255.",
    ),
    "brightest_pixel": (
        partial(_psnr, peak=lambda target: target.amax((1, 2, 3)).float()),
        "Your peak is the brightest pixel of the image. It is what white would be, 255, whatever the image shows.",
    ),
    "peak_of_256": (
        partial(_psnr, peak=lambda target: 256.0),
        "Your peak is 256. Bytes go from 0 to 255.",
    ),
    "one_divided": (
        partial(_psnr, difference=lambda a, b: a.float() / 255 - b.float()),
        "One image is divided by 255 and the other is not.",
    ),
    "both_divided": (
        partial(_psnr, difference=lambda a, b: a.float() / 255 - b.float() / 255),
        "You divide the images by 255, so that white is 1, and keep the peak of 255. One of the two.",
    ),
    "peak_not_squared": (
        partial(_psnr, decibels=lambda peak, mse: 10 * torch.log10(peak / mse)),
        "The peak is not squared. A squared error is compared with a squared peak.",
    ),
    "twenty": (
        partial(_psnr, decibels=lambda peak, mse: 20 * torch.log10(peak**2 / mse)),
        "20 belongs to a ratio of amplitudes, peak / √MSE. With peak² / MSE it is 10.",
    ),
    "twenty_without_root": (
        partial(_psnr, decibels=lambda peak, mse: 20 * torch.log10(peak / mse)),
        "20 · log10(peak / √MSE) would be right: the square root is missing.",
    ),
    "natural_logarithm": (
        partial(_psnr, decibels=lambda peak, mse: 10 * torch.log(peak**2 / mse)),
        "torch.log is the natural logarithm. Decibels have log10.",
    ),
    "upside_down": (
        partial(_psnr, decibels=lambda peak, mse: 10 * torch.log10(mse / peak**2)),
        "Your ratio is upside down: the sign is wrong, and a worse image would get more decibels.",
    ),
    "absolute": (
        partial(_psnr, error=lambda difference: difference.abs().mean((1, 2, 3))),
        "You average absolute differences. MSE is the mean of squares.",
    ),
    "sum": (
        partial(_psnr, error=lambda difference: difference.square().sum((1, 2, 3))),
        "You add the squares up. It is their mean, or a larger image would be a worse one.",
    ),
    "norm": (
        partial(_psnr, error=lambda difference: difference.square().mean((1, 2, 3)).sqrt()),
        "You took the square root of the MSE. With 10 and 255² it stays as it is.",
    ),
    "whole_batch": (
        partial(
            _psnr,
            error=lambda difference: difference.square().mean().expand(len(difference)).clone(),
        ),
        "All images get the PSNR of the batch. Average over channels, rows and columns, not over images.",
    ),
    "one_number": (
        partial(_psnr, error=lambda difference: difference.square().mean()),
        "One number comes back for the whole batch: the PSNR of its mean error. Papers average the PSNRs of images, so "
        "each needs its own.",
    ),
    "mean_of_images": (
        lambda restored, target: _psnr(restored, target).mean(),
        "You average over the images at once. Return them all: (N,).",
    ),
    "mean_of_channels": (
        partial(
            _psnr,
            error=lambda difference: difference.square().mean((2, 3)),
            decibels=lambda peak, mse: (10 * torch.log10(peak**2 / mse)).mean(1),
        ),
        "You average the PSNRs of the channels. The squared error is averaged over the channels, before the logarithm.",
    ),
    "for_each_channel": (
        partial(_psnr, error=lambda difference: difference.square().mean((2, 3))),
        "A number for each channel comes back. The mean runs over channels, too.",
    ),
    "epsilon": (
        partial(_psnr, error=lambda difference: difference.square().mean((1, 2, 3)) + 1e-8),
        "You add a small number to the MSE, so equal images get a finite PSNR. It is infinite; leave it so.",
    ),
    "capped": (
        lambda restored, target: _psnr(restored, target).clamp(max=100),
        "You cap the PSNR at 100 dB. Of equal images it is infinite; leave it so.",
    ),
}


def _window(
    x: Tensor,
    y: Tensor,
    weight: Tensor,
    *,
    weigh: Callable[[Tensor], Tensor] = lambda weight: weight,
    constants: tuple[float, float] = (0.01**2, 0.03**2),
    centred: bool = True,
    variance: Callable[[Tensor], Tensor] = lambda variance: variance,
    covariance: Callable[[Tensor], Tensor] = lambda covariance: covariance,
    doubled: tuple[float, float] = (2.0, 2.0),
    light_below: Callable[[Tensor, Tensor], Tensor] = lambda a, b: a**2 + b**2,
    structure_below: Callable[[Tensor, Tensor], Tensor] = lambda a, b: a + b,
    result: Callable[[Tensor, Tensor], Tensor] = lambda light, structure: light * structure,
) -> Tensor:
    """`window_ssim` with one thing wrong: what the keyword arguments say."""
    weight, (c1, c2) = weigh(weight), constants
    mean_x, mean_y = (weight * x).sum(), (weight * y).sum()
    a, b = (x - mean_x, y - mean_y) if centred else (x, y)
    variances = variance((weight * a**2).sum()), variance((weight * b**2).sum())
    both = covariance((weight * a * b).sum())
    light = (doubled[0] * mean_x * mean_y + c1) / (light_below(mean_x, mean_y) + c1)
    structure = (doubled[1] * both + c2) / (structure_below(*variances) + c2)
    return result(light, structure)


WINDOW_MISTAKES = {
    "weights_ignored": (
        partial(_window, weigh=lambda weight: torch.full_like(weight, 1 / weight.numel())),
        "All pixels count alike. The mean of anything is the sum of weight · anything.",
    ),
    "mean_of_weighted": (
        partial(_window, weigh=lambda weight: weight / weight.numel()),
        "(weight * x).mean() divides by 121 once more. The weights add up to 1: take the sum.",
    ),
    "constants_not_squared": (
        partial(_window, constants=(0.01, 0.03)),
        "Your constants are not squared: C1 = 0.01², C2 = 0.03².",
    ),
    "constants_of_bytes": (
        partial(_window, constants=((0.01 * 255) ** 2, (0.03 * 255) ** 2)),
        "Those constants are for bytes, (0.01 · 255)². These windows are in [0, 1].",
    ),
    "constants_swapped": (
        partial(_window, constants=(0.03**2, 0.01**2)),
        "C1 and C2 have changed places: 0.01² goes with the means, 0.03² with the variances.",
    ),
    "same_constant": (
        partial(_window, constants=(0.01**2, 0.01**2)),
        "C2 is 0.03², not 0.01².",
    ),
    "not_centred": (
        partial(_window, centred=False),
        "Your variances are mean squares: the mean has to be subtracted first, or its square afterwards.",
    ),
    "unbiased": (
        partial(_window, variance=lambda v: v * 121 / 120, covariance=lambda v: v * 121 / 120),
        "You divide by N - 1. The weights add up to 1: nothing is divided.",
    ),
    "deviation": (
        partial(_window, variance=torch.sqrt),
        "You took square roots. The denominator has variances, σ², not deviations.",
    ),
    "product_of_deviations": (
        lambda x, y, weight: _product_of_deviations(x, y, weight),
        "You multiply the two deviations. σxy is the covariance, Σ w (x - μx) (y - μy), which is negative for "
        "opposites.",
    ),
    "absolute_covariance": (
        partial(_window, covariance=torch.abs),
        "You took the absolute value of the covariance. An image and its negative are not alike.",
    ),
    "light_not_doubled": (
        partial(_window, doubled=(1.0, 2.0)),
        "The 2 before μx μy is missing: equal windows would not get 1.",
    ),
    "structure_not_doubled": (
        partial(_window, doubled=(2.0, 1.0)),
        "The 2 before σxy is missing: equal windows would not get 1.",
    ),
    "nothing_doubled": (
        partial(_window, doubled=(1.0, 1.0)),
        "Both factors of 2 are missing: equal windows would get about 1/4.",
    ),
    "correlation": (
        partial(
            _window,
            doubled=(2.0, 1.0),
            structure_below=lambda a, b: (a * b).sqrt(),
        ),
        "That is the correlation, σxy / (σx σy): it does not notice lost contrast. SSIM has 2 σxy / (σx² + σy²).",
    ),
    "means_not_squared": (
        partial(_window, light_below=lambda a, b: a + b),
        "The means below the line are not squared.",
    ),
    "sum_squared": (
        partial(_window, light_below=lambda a, b: (a + b) ** 2),
        "(μx + μy)² is not μx² + μy².",
    ),
    "light_alone": (
        partial(_window, result=lambda light, structure: light),
        "That compares brightness alone. Multiply by the factor of the variances.",
    ),
    "structure_alone": (
        partial(_window, result=lambda light, structure: structure),
        "That compares contrast and structure alone. Multiply by the factor of the means.",
    ),
    "averaged": (
        partial(_window, result=lambda light, structure: (light + structure) / 2),
        "You average the two factors. They are multiplied.",
    ),
    "a_distance": (
        partial(_window, result=lambda light, structure: 1 - light * structure),
        "1 - SSIM is a loss. SSIM itself is 1 for equal windows.",
    ),
}


def _product_of_deviations(x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    mean_x, mean_y = (weight * x).sum(), (weight * y).sum()
    var_x, var_y = (weight * (x - mean_x) ** 2).sum(), (weight * (y - mean_y) ** 2).sum()
    light = (2 * mean_x * mean_y + 0.0001) / (mean_x**2 + mean_y**2 + 0.0001)
    return light * (2 * (var_x * var_y).sqrt() + 0.0009) / (var_x + var_y + 0.0009)
