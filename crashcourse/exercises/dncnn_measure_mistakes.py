"""Lesson 50, DnCNN: what people get wrong in PSNR, each as code that behaves so, with its hint."""

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
    "signed_bytes": (
        partial(_psnr, difference=lambda a, b: (a.to(torch.int8) - b.to(torch.int8)).float()),
        "int8 ends at 127: brighter pixels wrap around, and so do large differences. Convert to float.",
    ),
    "short_integers": (
        partial(
            _psnr,
            difference=lambda a, b: a.to(torch.int16) - b.to(torch.int16),
            error=lambda difference: difference.square().float().mean((1, 2, 3)),
        ),
        "int16 holds every difference, but not its square: 182² is more than 32,767. Convert to float.",
    ),
    "brightest_of_batch": (
        partial(_psnr, peak=lambda target: target.max().float()),
        "Your peak is the brightest pixel of the whole batch. It is what white would be: 255.",
    ),
    "ten_with_root": (
        partial(_psnr, decibels=lambda peak, mse: 10 * torch.log10(peak / mse.sqrt())),
        "255 / √MSE is a ratio of amplitudes: it takes 20 · log10. With 10, both are squared.",
    ),
    "absolute_squared": (
        partial(_psnr, error=lambda difference: difference.abs().mean((1, 2, 3)).square()),
        "You square the mean absolute difference. Square every difference first, then average.",
    ),
    "cancelled": (
        partial(_psnr, error=lambda difference: difference.mean((1, 2, 3)).square()),
        "You average the differences and square the result, so that too bright and too dark cancel. Square first.",
    ),
    "ratio": (
        partial(_psnr, decibels=lambda peak, mse: peak**2 / mse),
        "That is the ratio itself. Decibels are 10 · log10 of it.",
    ),
    "base_2": (
        partial(_psnr, decibels=lambda peak, mse: 10 * torch.log2(peak**2 / mse)),
        "torch.log2 has base 2. Decibels have log10.",
    ),
    "colours_added": (
        partial(_psnr, error=lambda difference: difference.square().sum(1).mean((1, 2))),
        "You divide by H · W. The mean runs over C · H · W values: the channels are not added up.",
    ),
    "over_images": (
        partial(_psnr, error=lambda difference: difference.square().mean(0)),
        "You average over dimension 0, the images, so that every pixel gets a number. Average over the other three.",
    ),
    "zero_for_equal": (
        lambda restored, target: _psnr(restored, target).nan_to_num(posinf=0.0),
        "Equal images get 0 dB, and more decibels are better. Without an error the PSNR is infinite.",
    ),
    "sizes_kept": (
        partial(_psnr, error=lambda difference: difference.square().mean((1, 2, 3), keepdim=True)),
        "Dimensions of size 1 are left, as keepdim leaves them. The result is (N,).",
    ),
}
