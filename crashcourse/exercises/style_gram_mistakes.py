"""Lesson 40, style transfer: what people get wrong in the Gram matrix and in the style loss, with its hints."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F


def _gram(maps: Tensor, *, rows: Callable[[Tensor], Tensor] = lambda maps: maps.flatten(2)) -> Tensor:
    """`gram` with other rows than the channels'."""
    made = rows(maps)
    return made @ made.transpose(1, 2)


GRAM_MISTAKES = {
    "over_channels": (
        partial(_gram, rows=lambda maps: maps.flatten(2).transpose(1, 2)),
        "That compares places with places, over channels: FᵀF. Style compares channels, over places: F Fᵀ.",
    ),
    "divided_by_places": (
        lambda maps: _gram(maps) / maps[0, 0].numel(),
        "You divide by the number of places, as the authors' later code does. Here the sum stays as it is.",
    ),
    "divided_by_all": (
        lambda maps: _gram(maps) / maps[0].numel(),
        "You divide by C·H·W, as Johnson et al. do. Here the sum stays as it is.",
    ),
    "divided_by_channels": (
        lambda maps: _gram(maps) / maps.shape[1],
        "You divide by the number of channels. The sum stays as it is.",
    ),
    "covariance": (
        partial(_gram, rows=lambda maps: maps.flatten(2) - maps.flatten(2).mean(2, keepdim=True)),
        "You took the means off first. A Gram matrix is of the maps as they are.",
    ),
    "cosines": (
        partial(_gram, rows=lambda maps: F.normalize(maps.flatten(2), dim=2)),
        "You divide each channel by its length. How strong a channel is belongs to the style.",
    ),
    "reshaped_across": (
        partial(_gram, rows=lambda maps: maps.permute(0, 2, 3, 1).reshape(len(maps), maps.shape[1], -1)),
        "Your rows mix channels: after a permute, reshape cuts in other places. maps.flatten(2) keeps each channel.",
    ),
    "all_images_in_one": (
        lambda maps: maps.flatten(0, 1).flatten(1) @ maps.flatten(0, 1).flatten(1).T,
        "You made one matrix of the channels of all images. Each image has its own.",
    ),
    "summed_over_images": (
        lambda maps: torch.einsum("nchw,ndhw->cd", maps, maps),
        "You added up the matrices of the images, or lost their dimension. Each image has its own: (N, C, C).",
    ),
    "images_reshaped_into_rows": (
        lambda maps: maps.reshape(maps.shape[1], -1) @ maps.reshape(maps.shape[1], -1).T,
        "Your rows hold the places of all images, and with several images reshape mixes their channels. Each image has "
        "a matrix of its own: (N, C, C).",
    ),
    "first_image": (
        lambda maps: maps[0].flatten(1) @ maps[0].flatten(1).T,
        "You take the first image alone. The result has a matrix for each image, also where there is one: (N, C, C).",
    ),
    "first_image_in_a_batch": (
        lambda maps: _gram(maps[:1]),
        "Only the first image has a matrix in your result. Leave the dimension of images in all steps.",
    ),
    "maps_multiplied": (
        lambda maps: maps @ maps.mT,
        "@ multiplies the last two dimensions: rows of a map with rows of the same map. Make each channel one row "
        "first: maps.flatten(2).",
    ),
    "maps_multiplied_and_summed": (
        lambda maps: (maps @ maps.mT).sum((2, 3)),
        "@ of the maps never lets two channels meet, and adding up afterwards does not help. Make each channel one row "
        "first: maps.flatten(2).",
    ),
    "every_column_with_every_column": (
        lambda maps: maps.sum(3) @ maps.sum(3).mT,
        "Places of one row meet that lie in different columns. Both factors are taken at the same place.",
    ),
    "diagonal": (
        lambda maps: maps.square().sum((2, 3)),
        "That is the diagonal: each channel with itself. Style is in the pairs.",
    ),
    "of_means": (
        lambda maps: maps.mean((2, 3))[:, :, None] * maps.mean((2, 3))[:, None, :],
        "You multiply the means. Multiply place by place, then add up.",
    ),
    "of_sums": (
        lambda maps: maps.sum((2, 3))[:, :, None] * maps.sum((2, 3))[:, None, :],
        "You add up first and multiply afterwards. Multiply place by place, then add up.",
    ),
    "rows_of_places": (
        lambda maps: torch.einsum("nchw,ncHw->nhH", maps, maps),
        "That compares rows of the image with rows of the image. Compare channels, over all places.",
    ),
}


def _style(
    maps: Tensor,
    target: Tensor,
    *,
    difference: Callable[[Tensor, Tensor], Tensor] = lambda maps, target: _gram(maps) - target,
    error: Callable[[Tensor], Tensor] = lambda difference: difference.square().sum(),
    below: Callable[[int, int, int], float] = lambda c, h, w: 4 * c**2 * (h * w) ** 2,
) -> Tensor:
    """`style_layer_loss` with one thing wrong: what the keyword arguments say."""
    return error(difference(maps, target)) / below(*maps.shape[1:])


STYLE_MISTAKES = {
    "not_divided": (
        partial(_style, below=lambda c, h, w: 1),
        "You did not divide. The factor is 1 / (4 C² M²).",
    ),
    "no_four": (
        partial(_style, below=lambda c, h, w: c**2 * (h * w) ** 2),
        "The 4 is missing.",
    ),
    "two_for_four": (
        partial(_style, below=lambda c, h, w: 2 * c**2 * (h * w) ** 2),
        "You divide by 2: that is the content loss. Here it is 4.",
    ),
    "not_squared": (
        partial(_style, below=lambda c, h, w: 4 * c * h * w),
        "C and M are squared below the line.",
    ),
    "channels_not_squared": (
        partial(_style, below=lambda c, h, w: 4 * c * (h * w) ** 2),
        "C is squared below the line.",
    ),
    "places_not_squared": (
        partial(_style, below=lambda c, h, w: 4 * c**2 * h * w),
        "M is squared below the line.",
    ),
    "height_for_places": (
        partial(_style, below=lambda c, h, w: 4 * c**2 * h**2),
        "M is the number of places, H · W, not the height.",
    ),
    "width_for_places": (
        partial(_style, below=lambda c, h, w: 4 * c**2 * w**2),
        "M is the number of places, H · W, not the width.",
    ),
    "no_channels": (
        partial(_style, below=lambda c, h, w: 4 * (h * w) ** 2),
        "C² is missing below the line.",
    ),
    "no_places": (
        partial(_style, below=lambda c, h, w: 4 * c**2),
        "M² is missing below the line.",
    ),
    "gram_divided_too": (
        partial(_style, difference=lambda maps, target: _gram(maps) / maps[0, 0].numel() - target),
        "Your own Gram matrix is divided by the number of places, and the target is not.",
    ),
    "both_divided_twice": (
        partial(_style, difference=lambda maps, target: (_gram(maps) - target) / maps[0, 0].numel()),
        "You divide by M² twice: in the Gram matrices and in front of the sum.",
    ),
    "absolute": (
        partial(_style, error=lambda difference: difference.abs().sum()),
        "You take absolute differences. They are squared.",
    ),
    "root": (
        partial(_style, error=lambda difference: difference.square().sum().sqrt()),
        "You take the norm. It is squared in the formula: no root.",
    ),
    "square_of_sum": (
        partial(_style, error=lambda difference: difference.sum().square()),
        "You add up first and square afterwards. Square each entry.",
    ),
    "diagonal": (
        partial(_style, difference=lambda maps, target: (_gram(maps) - target).diagonal(dim1=1, dim2=2)),
        "You compare the diagonals. The pairs of channels are the style.",
    ),
    "upper_half": (
        partial(_style, difference=lambda maps, target: (_gram(maps) - target).triu()),
        "You count each pair once. The sum runs over all entries.",
    ),
    "mean": (
        partial(_style, error=lambda difference: difference.square().mean(), below=lambda c, h, w: 1),
        "That is F.mse_loss: it divides by C² and by nothing else. The 4 and M² are missing.",
    ),
    "channels_twice": (
        partial(_style, error=lambda difference: difference.square().mean()),
        "C² comes in twice: you take a mean over pairs in place of the sum, or count channels among the places.",
    ),
    "half_the_sum": (
        partial(_style, below=lambda c, h, w: 2),
        "You wrote the content loss for Gram matrices. Here the factor is 1 / (4 C² M²).",
    ),
    "height_plus_width": (
        partial(_style, below=lambda c, h, w: 4 * c**2 * (h + w) ** 2),
        "M is the number of places, H · W, not H + W.",
    ),
    "brackets": (
        partial(_style, below=lambda c, h, w: 4 / (c**2 * (h * w) ** 2)),
        "Python goes from left to right: it divides by 4 and multiplies by the rest. Set 4 * C**2 * M**2 in brackets.",
    ),
    "four_squared": (
        partial(_style, below=lambda c, h, w: (4 * c * h * w) ** 2),
        "The 4 is squared as well: 4 C² M² is not (4 C M)².",
    ),
    "root_of_all": (
        partial(_style, error=lambda difference: difference.square().sum().sqrt(), below=lambda c, h, w: 4 * c * h * w),
        "You take the norm of the difference, and leave C and M unsquared. In the formula all of them are squared.",
    ),
    "places_of_the_gram": (
        partial(_style, below=lambda c, h, w: 4 * c**2 * c**4),
        "You took M from the shape of the Gram matrix. The places are in the maps: H · W.",
    ),
    "places_in_own_gram_alone": (
        partial(
            _style,
            difference=lambda maps, target: _gram(maps) / maps[0, 0].numel() - target,
            below=lambda c, h, w: 4 * c**2,
        ),
        "You moved M into your own Gram matrix. The target is not divided by it, so the two cannot be compared.",
    ),
    "squares_compared": (
        lambda maps, target: _style(
            maps, target, difference=lambda m, t: _gram(m).square() - t.square(), error=Tensor.sum
        ),
        "You square first and subtract afterwards. (G - A)² is not G² - A².",
    ),
    "for_each_image": (
        partial(_style, error=lambda difference: difference.square().sum((1, 2))),
        "A tensor of one number for each image comes back. Add up over all dimensions.",
    ),
    "number": (
        lambda maps, target: _style(maps, target).item(),
        ".item() makes a plain number, through which no gradient flows. Return the tensor.",
    ),
    "detached": (
        lambda maps, target: _style(maps.detach(), target),
        "You cut the maps off from the image, so no gradient comes to its pixels. Leave out .detach() and no_grad.",
    ),
    "target_made_a_gram": (
        partial(_style, difference=lambda maps, target: _gram(maps) - target @ target.transpose(1, 2)),
        "The target is a Gram matrix already. Do not multiply it again.",
    ),
}
