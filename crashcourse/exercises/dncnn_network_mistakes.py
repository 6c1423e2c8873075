"""Lesson 50, DnCNN: what people get wrong in the loss and in FFDNet's input, as code that behaves so, with hints."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F


def _loss(
    predicted: Tensor,
    noisy: Tensor,
    clean: Tensor,
    *,
    target: Callable[[Tensor, Tensor], Tensor] = lambda noisy, clean: noisy - clean,
    measure: Callable[[Tensor], Tensor] = lambda error: error.square().sum(),
    divisor: Callable[[Tensor], float] = lambda noisy: 2 * len(noisy),
) -> Tensor:
    """`noise_loss` with one thing wrong: what the keyword arguments say."""
    return measure(predicted - target(noisy, clean)) / divisor(noisy)


RESIDUAL_MISTAKES = {
    "clean_as_target": (
        partial(_loss, target=lambda noisy, clean: clean),
        "The noise that is predicted, or what is left without it, meets its wrong partner: noise is compared with "
        "noise (noisy - clean), or noisy - predicted with clean.",
    ),
    "noisy_as_target": (
        partial(_loss, target=lambda noisy, clean: noisy),
        "You compare the predicted noise with the noisy image. The target is the noise, noisy - clean.",
    ),
    "sign": (
        partial(_loss, target=lambda noisy, clean: clean - noisy),
        "A sign is wrong: noisy = clean + noise, so the noise is noisy - clean, and the restored image noisy - "
        "predicted.",
    ),
    "restored_against_noisy": (
        lambda predicted, noisy, clean: predicted.square().sum() / (2 * len(noisy)),
        "Your loss is smallest when nothing is predicted: the restored image is compared with the noisy one.",
    ),
    "mean": (
        partial(_loss, measure=lambda error: error.square().mean(), divisor=lambda noisy: 1),
        "You average over pixels, as F.mse_loss does. Equation 1 adds them up, and averages over images.",
    ),
    "half_mean": (
        partial(_loss, measure=lambda error: error.square().mean(), divisor=lambda noisy: 2),
        "You average over pixels. Equation 1 adds them up, and averages over images: / (2 N).",
    ),
    "mean_over_images_too": (
        partial(_loss, measure=lambda error: error.square().mean()),
        "You average over all pixels and then divide by 2 N. Add the squares up.",
    ),
    "no_half": (
        partial(_loss, divisor=lambda noisy: len(noisy)),
        "The half is missing: 1 / (2 N).",
    ),
    "not_averaged": (
        partial(_loss, divisor=lambda noisy: 2),
        "You add up all images. Divide by how many there are: 1 / (2 N).",
    ),
    "plain_sum": (
        partial(_loss, divisor=lambda noisy: 1),
        "The factor 1 / (2 N) is missing.",
    ),
    "absolute": (
        partial(_loss, measure=lambda error: error.abs().sum()),
        "You add absolute errors. Equation 1 has squares.",
    ),
    "norm": (
        partial(_loss, measure=lambda error: error.norm()),
        "You took the norm. Equation 1 has its square, ||·||².",
    ),
    "norm_of_images": (
        partial(_loss, measure=lambda error: error.flatten(1).norm(dim=1).sum()),
        "You add up the norms of the images. Equation 1 has their squares, ||·||².",
    ),
    "each_image": (
        partial(_loss, measure=lambda error: error.square().sum((1, 2, 3)), divisor=lambda noisy: 2),
        "A number for each image comes back. Average them: one scalar.",
    ),
    "detached": (
        lambda predicted, noisy, clean: _loss(predicted.detach(), noisy, clean),
        "The value is right, but the prediction is cut off (.detach(), .data or no_grad), so that nothing is learned.",
    ),
    "divided_by_width": (
        partial(_loss, divisor=lambda noisy: 2 * noisy.shape[-1]),
        "You divide by the width. N is the number of images, the first size.",
    ),
    "divided_by_height": (
        partial(_loss, divisor=lambda noisy: 2 * noisy.shape[2]),
        "You divide by the height. N is the number of images: len(noisy).",
    ),
    "divided_by_channels": (
        partial(_loss, divisor=lambda noisy: 2 * noisy.shape[1]),
        "You divide by the number of channels. N is the number of images: shape[0].",
    ),
    "channels_averaged": (
        partial(_loss, measure=lambda error: error.square().sum((2, 3)).mean(), divisor=lambda noisy: 2),
        "You average over channels, too. They are added up like the pixels; images alone are averaged.",
    ),
    "channels_alone_added": (
        partial(_loss, measure=lambda error: error.square().sum(1).mean(), divisor=lambda noisy: 2),
        "You add up channels, and average over rows and columns. Those are added up, too.",
    ),
    "squared_sum": (
        partial(_loss, measure=lambda error: error.sum((1, 2, 3)).square().sum()),
        "You add up the errors and square the sum, so that errors of both signs cancel. Square first.",
    ),
    "multiplied_by_images": (
        partial(_loss, divisor=lambda noisy: 2 / len(noisy)),
        "/ 2 * N divides by 2 and multiplies by N. Write / (2 * N).",
    ),
    "factor_squared": (
        partial(_loss, measure=lambda error: (error / (2 * len(error))).square().sum(), divisor=lambda noisy: 1),
        "1 / (2 N) is inside the square, so that it counts twice. It stands before the sum.",
    ),
    "both_taken_off": (
        partial(_loss, target=lambda noisy, clean: noisy + clean),
        "predicted - noisy - clean takes both off. The noise needs brackets: predicted - (noisy - clean).",
    ),
    "restored_clipped": (
        lambda predicted, noisy, clean: ((noisy - predicted).clamp(0, 1) - clean).square().sum() / (2 * len(noisy)),
        "You clip the restored image to [0, 1]. Not in the loss: what lies outside would get no gradient.",
    ),
    "noisy_clipped": (
        partial(_loss, target=lambda noisy, clean: noisy.clamp(0, 1) - clean),
        "You clip the noisy image to [0, 1]. Its noise would no longer be Gaussian: y comes as it is.",
    ),
    "unsigned_noise": (
        partial(_loss, target=lambda noisy, clean: (noisy - clean).abs()),
        "You took the absolute value of the noise. It has a sign, and the network predicts it.",
    ),
}


def _input(
    noisy: Tensor,
    sigma: Tensor,
    *,
    unshuffle: Callable[[Tensor], Tensor] = lambda noisy: F.pixel_unshuffle(noisy, 2),
    scale: Callable[[Tensor], Tensor] = lambda sigma: sigma / 255,
    maps: int = 1,
    join: Callable[[Tensor, Tensor], Tensor] = lambda sub_images, level: torch.cat([sub_images, level], 1),
) -> Tensor:
    """`with_noise_map` with one thing wrong: what the keyword arguments say."""
    sub_images = unshuffle(noisy)
    level = scale(sigma).view(-1, 1, 1, 1).expand(len(noisy), maps, *sub_images.shape[2:])
    return join(sub_images, level)


def _offsets_first(noisy: Tensor) -> Tensor:
    return torch.cat([noisy[..., row::2, column::2] for row in (0, 1) for column in (0, 1)], 1)


def _columns_first(noisy: Tensor) -> Tensor:
    return F.pixel_unshuffle(noisy.transpose(2, 3), 2).transpose(2, 3)


def _quadrants(noisy: Tensor) -> Tensor:
    halves = [part for half in noisy.chunk(2, 2) for part in half.chunk(2, 3)]
    return torch.stack(halves, 2).flatten(1, 2)


def _offsets_columns_first(noisy: Tensor) -> Tensor:
    return torch.cat([noisy[..., row::2, column::2] for column in (0, 1) for row in (0, 1)], 1)


def _quadrants_first(noisy: Tensor) -> Tensor:
    return torch.cat([part for half in noisy.chunk(2, 2) for part in half.chunk(2, 3)], 1)


def _viewed(noisy: Tensor) -> Tensor:
    n, c, height, width = noisy.shape
    return noisy.reshape(n, 4 * c, height // 2, width // 2)


def _map_before(noisy: Tensor, sigma: Tensor) -> Tensor:
    level = (sigma / 255).view(-1, 1, 1, 1).expand(-1, 1, *noisy.shape[2:])
    return F.pixel_unshuffle(torch.cat([noisy, level], 1), 2)


MAP_MISTAKES = {
    "level_of_bytes": (
        partial(_input, scale=lambda sigma: sigma),
        "Your map is on the scale of bytes, and the image in [0, 1]: divide sigma by 255.",
    ),
    "variance": (
        partial(_input, scale=lambda sigma: (sigma / 255) ** 2),
        "Your map is a variance. It has the standard deviation.",
    ),
    "divided_by_largest": (
        partial(_input, scale=lambda sigma: sigma / 75),
        "You divide by 75, the largest level that FFDNet was trained with. White is 255: divide by that.",
    ),
    "first_level": (
        partial(_input, scale=lambda sigma: sigma[:1] / 255),
        "All images get the level of the first. Each has its own: view(N, 1, 1, 1).",
    ),
    "mean_level": (
        partial(_input, scale=lambda sigma: sigma.mean() / 255),
        "All images get the mean level. Each has its own: view(N, 1, 1, 1).",
    ),
    "map_first": (
        partial(_input, join=lambda sub_images, level: torch.cat([level, sub_images], 1)),
        "Your map comes first. It comes behind the sub-images.",
    ),
    "added": (
        partial(_input, join=lambda sub_images, level: sub_images + level),
        "You add the level to the sub-images. It is a channel of its own: torch.cat along dimension 1.",
    ),
    "no_map": (
        partial(_input, join=lambda sub_images, level: sub_images),
        "The map is missing: 4 C channels come back, not 4 C + 1.",
    ),
    "map_alone": (
        partial(_input, join=lambda sub_images, level: level.clone()),
        "The map alone comes back. Join it to the sub-images.",
    ),
    "map_before": (
        _map_before,
        "Your map has four channels, as when it is put beside the image before both are rearranged. First the "
        "sub-images, then one map of their size.",
    ),
    "full_size": (
        partial(_input, unshuffle=lambda noisy: noisy),
        "The image is not rearranged: C + 1 channels of the full size come back. F.pixel_unshuffle(noisy, 2) first.",
    ),
    "offsets_first": (
        partial(_input, unshuffle=_offsets_first),
        "Your sub-images come offset by offset, R G B R G B. pixel_unshuffle has the four of red first, then those of "
        "green.",
    ),
    "columns_first": (
        partial(_input, unshuffle=_columns_first),
        "Your second and third sub-image have changed places: (row 0, column 1) comes before (row 1, column 0).",
    ),
    "quadrants": (
        partial(_input, unshuffle=_quadrants),
        "You cut the image into quarters. A sub-image has every second pixel of every second row.",
    ),
    "viewed": (
        partial(_input, unshuffle=_viewed),
        "A view or reshape cuts the image into strips. A sub-image has every second pixel of every second row: "
        "F.pixel_unshuffle.",
    ),
    "pooled": (
        partial(_input, unshuffle=lambda noisy: F.avg_pool2d(noisy, 2).repeat_interleave(4, 1)),
        "Your sub-images are averages of 2×2 pixels. No value may be lost: F.pixel_unshuffle.",
    ),
    "joined_as_images": (
        partial(_input, maps=1, join=lambda sub_images, level: torch.cat([sub_images[:, :1], level], 0)),
        "You join along the batch. Channels are dimension 1.",
    ),
    "clipped": (
        partial(_input, unshuffle=lambda noisy: F.pixel_unshuffle(noisy.clamp(0, 1), 2)),
        "You clip the noisy image to [0, 1]. The network gets it as it is.",
    ),
    "divided_by_256": (
        partial(_input, scale=lambda sigma: sigma / 256),
        "You divide by 256. White is 255.",
    ),
    "image_divided": (
        partial(_input, unshuffle=lambda noisy: F.pixel_unshuffle(noisy / 255, 2)),
        "You divide the image by 255 as well. It is in [0, 1] already; sigma alone is on the scale of bytes.",
    ),
    "map_for_each_channel": (
        lambda noisy, sigma: _input(noisy, sigma, maps=noisy.shape[1]),
        "Each colour brings a map of its own. One is enough for all: 4 C + 1 channels.",
    ),
    "strided": (
        partial(_input, unshuffle=lambda noisy: noisy[..., ::2, ::2]),
        "Three of four pixels are lost: C sub-images come back, not 4 C.",
    ),
    "offsets_and_columns_first": (
        partial(_input, unshuffle=_offsets_columns_first),
        "Your sub-images come offset by offset, and (row 1, column 0) before (row 0, column 1). pixel_unshuffle has "
        "the four of one colour together, row by row.",
    ),
    "quadrants_first": (
        partial(_input, unshuffle=_quadrants_first),
        "You cut the image into quarters and join them. A sub-image is the whole picture, made of every second pixel "
        "of every second row.",
    ),
    "pooled_images": (
        partial(_input, unshuffle=lambda noisy: F.avg_pool2d(noisy, 2).repeat(1, 4, 1, 1)),
        "You repeat a pooled image four times. The sub-images differ: each has other pixels of the noisy one.",
    ),
}
