"""Lesson 50, DnCNN: PSNR, one window of SSIM, the loss of residual learning, and FFDNet's noise map to write.

Papers: Zhang et al., 2016, arXiv 1608.03981, equation 1; Zhang et al., 2017, arXiv 1710.04026, sections III.B to III.D;
Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004, equation 13. The mistakes
are in `dncnn_measure_mistakes.py` (PSNR), `dncnn_window_mistakes.py` and `dncnn_network_mistakes.py`, the questions in
`dncnn_questions.py`.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from crashcourse.exercises.case import Case
from crashcourse.exercises.dncnn_measure_mistakes import PSNR_MISTAKES
from crashcourse.exercises.dncnn_network_mistakes import MAP_MISTAKES, RESIDUAL_MISTAKES
from crashcourse.exercises.dncnn_questions import QUESTIONS
from crashcourse.exercises.dncnn_window_mistakes import WINDOW_MISTAKES
from crashcourse.exercises.kinds import FunctionExercise


def image_psnr(restored: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image of a batch, in decibels: 10 · log10(255² / mean squared error).

    Args:
        restored: (N, C, H, W) uint8, 0 to 255.
        target: (N, C, H, W) uint8, the truth.

    Returns:
        (N,) float32, one number for each image; infinite where nothing differs.
    """
    error = restored.float() - target.float()
    mse = error.square().mean((1, 2, 3))  # (N,)
    return 10 * torch.log10(255**2 / mse)


def window_ssim(x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    """SSIM of one window: (2 μx μy + C1) (2 σxy + C2) / ((μx² + μy² + C1) (σx² + σy² + C2)), C1 = 0.01², C2 = 0.03².

    Means, variances and the covariance are weighted: the mean of anything is the sum of weight · anything.

    Args:
        x: (11, 11) float in [0, 1], a window of one image.
        y: (11, 11) float in [0, 1], the same window of the other.
        weight: (11, 11) float that adds up to 1: a Gaussian.

    Returns:
        A scalar tensor, 1 for equal windows.
    """
    mean_x, mean_y = (weight * x).sum(), (weight * y).sum()
    variance_x = (weight * (x - mean_x) ** 2).sum()
    variance_y = (weight * (y - mean_y) ** 2).sum()
    covariance = (weight * (x - mean_x) * (y - mean_y)).sum()
    c1, c2 = 0.01**2, 0.03**2
    light = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return light * structure


def noise_loss(predicted: Tensor, noisy: Tensor, clean: Tensor) -> Tensor:
    """Equation 1 of DnCNN: half the squared error of the predicted noise, summed over pixels, averaged over images.

    Args:
        predicted: (N, C, H, W) float, the network's output: what it takes for the noise.
        noisy: (N, C, H, W) float, y = clean + noise, the network's input.
        clean: (N, C, H, W) float, x.

    Returns:
        A scalar tensor.
    """
    noise = noisy - clean
    return (predicted - noise).square().sum() / (2 * len(noisy))


def with_noise_map(noisy: Tensor, sigma: Tensor) -> Tensor:
    """What FFDNet's first convolution sees: the four sub-images of each channel, and behind them the noise level.

    Args:
        noisy: (N, C, H, W) float; H and W are even.
        sigma: (N,) float, the level of each image, where white is 255.

    Returns:
        (N, 4 C + 1, H / 2, W / 2) float: the channels of pixel_unshuffle by 2, then one channel that is sigma / 255
        at every place.
    """
    sub_images = F.pixel_unshuffle(noisy, 2)  # (N, 4 C, H / 2, W / 2)
    n, _, height, width = sub_images.shape
    level = (sigma / 255).view(n, 1, 1, 1).expand(n, 1, height, width)
    return torch.cat([sub_images, level], dim=1)


def _bytes(n: int, c: int, h: int, w: int, low: int = 0, high: int = 256) -> Tensor:
    return torch.randint(low, high, (n, c, h, w), dtype=torch.uint8)


def _psnr_cases(seed: int) -> list[Case]:
    by_hand = torch.full((1, 1, 2, 2), 100 + seed % 50, dtype=torch.uint8)
    darker = _bytes(2, 1, 3, 4, 40, 200)
    same = _bytes(2, 3, 4, 3)
    partly = same.clone()
    partly[0, :, 0] = 255 - partly[0, :, 0]
    apart = torch.cat([_bytes(1, 3, 4, 5, 100, 110), _bytes(1, 3, 4, 5)])  # a good and a bad image
    return [
        Case((by_hand + 10, by_hand), label="an error of 10 everywhere"),
        Case((darker - 20, darker), label="restored too dark"),
        Case((_bytes(3, 3, 5, 4), _bytes(3, 3, 5, 4)), label="three colour images"),
        Case((apart, torch.full_like(apart, 104)), label="a good image and a bad one"),
        Case((partly, same), label="one image without an error"),
    ]


def _gaussian() -> Tensor:
    place = torch.arange(11.0) - 5
    row = torch.exp(-place.square() / (2 * 1.5**2))
    row = row / row.sum()
    return row[:, None] * row


def _window_cases(seed: int) -> list[Case]:
    weight, flat = _gaussian(), torch.ones(11, 11)
    ramp = torch.linspace(0.1, 0.8, 11).expand(11, 11)
    edge = (torch.arange(11) > 3 + seed % 4).float().expand(11, 11)
    noise = torch.rand(11, 11)
    return [
        Case((0.2 * flat, 0.6 * flat, weight), label="two flat windows: brightness alone"),
        Case((ramp + 0.02 * noise, ramp.T + 0.02 * noise, weight), label="two ramps"),
        Case((edge, 0.5 * edge + 0.2, weight), label="an edge, and one with less contrast"),
        Case((edge, 1 - edge, weight), label="an edge and its negative"),
        Case((0.02 * noise, 0.02 * torch.rand(11, 11), weight), label="two dark windows: the constants count"),
        Case((torch.rand(11, 11), 0.3 + 0.4 * noise, weight), label="noise"),
        Case((noise, ramp, flat / 121), label="all weights alike"),
    ]


def _residual_cases(seed: int) -> list[Case]:
    def drawn(n: int, c: int, h: int, w: int) -> tuple[Tensor, Tensor, Tensor]:
        clean, noise = torch.rand(n, c, h, w), 0.1 * torch.randn(n, c, h, w)
        return noise + 0.05 * torch.randn(n, c, h, w), clean + noise, clean

    predicted, noisy, clean = torch.tensor([0.0, 0.5]), torch.tensor([0.75, 1.0]), torch.tensor([0.25, 0.5])
    by_hand = [values.view(1, 1, 1, 2) for values in (predicted, noisy, clean)]
    return [
        Case(by_hand, label="one image of two pixels"),
        Case(drawn(3, 1, 2, 3), label="three grey images"),
        Case(drawn(2 + seed % 3, 3, 4, 3), label="colour images"),
        Case(drawn(1, 1, 5, 4), label="one image"),
    ]


def _map_cases(seed: int) -> list[Case]:
    counted = torch.arange(16.0).view(1, 1, 4, 4) / 16
    return [
        Case((counted, torch.tensor([25.5 + seed % 3])), label="one grey image of 4×4"),
        Case(
            (1.6 * torch.rand(2, 1, 4, 6) - 0.3, torch.tensor([10.0, 50.0])),
            label="two grey images, two levels; noise leaves [0, 1]",
        ),
        Case((torch.rand(3, 3, 6, 4), 75 * torch.rand(3)), label="three colour images"),
        Case((torch.rand(2, 3, 2, 2), torch.tensor([0.0, 15.0])), label="images of 2×2, one without noise"),
    ]


EXERCISES = [
    FunctionExercise(
        name="restoration.image_psnr",
        title="Peak signal-to-noise ratio",
        lesson=50,
        reference=image_psnr,
        cases=_psnr_cases,
        hints=(
            "Bytes cannot hold a negative difference: 10 - 20 is 246. What must happen before you subtract?",
            "MSE of an image: the mean of the squared differences over channels, rows and columns. Then 10 · "
            "log10(255² / MSE), for each image by itself.",
            "error = restored.float() - target.float(); mse = error.square().mean((1, 2, 3)); 10 * torch.log10(255**2 "
            "/ mse).",
        ),
        wrong=PSNR_MISTAKES,
    ),
    FunctionExercise(
        name="restoration.window_ssim",
        title="SSIM of one window",
        lesson=50,
        reference=window_ssim,
        cases=_window_cases,
        hints=(
            "Five numbers first: two means, two variances and a covariance, all weighted. Then put them into the "
            "formula.",
            "μx = Σ w x, σx² = Σ w (x - μx)², σxy = Σ w (x - μx) (y - μy). The weights add up to 1, so nothing is "
            "divided.",
            "light = (2 μx μy + C1) / (μx² + μy² + C1); structure = (2 σxy + C2) / (σx² + σy² + C2); return light * "
            "structure.",
        ),
        wrong=WINDOW_MISTAKES,
    ),
    FunctionExercise(
        name="restoration.noise_loss",
        title="The target of residual learning",
        lesson=50,
        reference=noise_loss,
        cases=_residual_cases,
        gradient=True,
        hints=(
            "The network predicts noise. Which two of the three tensors give the true noise?",
            "loss = 1 / (2 N) · Σ (predicted - (noisy - clean))², over all pixels of all images.",
            "noise = noisy - clean; ((predicted - noise) ** 2).sum() / (2 * len(noisy)).",
        ),
        wrong=RESIDUAL_MISTAKES,
    ),
    FunctionExercise(
        name="restoration.with_noise_map",
        title="FFDNet's sub-images and noise map",
        lesson=50,
        reference=with_noise_map,
        cases=_map_cases,
        hints=(
            "Two parts, joined along the channels: four sub-images of each channel, and one channel with the level.",
            "F.pixel_unshuffle(noisy, 2) halves rows and columns. The level is sigma / 255, in a tensor (N, 1, H / 2, "
            "W / 2).",
            "level = (sigma / 255).view(-1, 1, 1, 1).expand(-1, 1, height, width) with the sub-images' size; "
            "torch.cat([sub_images, level], dim=1).",
        ),
        wrong=MAP_MISTAKES,
    ),
    *QUESTIONS,
]
