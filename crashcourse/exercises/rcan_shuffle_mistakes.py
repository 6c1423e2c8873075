"""Lesson 53, RCAN: what people get wrong in the pixel shuffle and in the border left out behind it, each as code."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor


def _cut(image: Tensor, border: int) -> Tensor:
    height, width = image.shape[2:]
    return image[..., border : height - border, border : width - border]


def _cut_by_both(image: Tensor, scale: int, border: int) -> Tensor:
    return _cut(image, border)


def _arranged(maps: Tensor, scale: int, split: tuple[str, ...], order: str) -> Tensor:
    """The maps cut along their channels and laid out.

    Args:
        maps: (N, C, H, W).
        scale: r.
        split: what the channels stand for, the slowest first: "c" the colour, "a" the row, "b" the column of a square.
        order: of c, rows and columns in the result: the letters i, j for the places, a, b for those in a square.
    """
    n, channels, height, width = maps.shape
    sizes = {"c": channels // scale**2, "a": scale, "b": scale, "i": height, "j": width}
    letters = [*split, "i", "j"]
    parts = maps.reshape(n, *(sizes[letter] for letter in letters))
    placed = parts.permute(0, *(1 + letters.index(letter) for letter in order))
    return placed.reshape(n, sizes["c"], scale * height, scale * width)


def _result(
    maps: Tensor,
    scale: int,
    border: int,
    *,
    before: Callable[[Tensor, int, int], Tensor] = lambda maps, scale, border: maps,
    shuffle: Callable[[Tensor, int], Tensor] = F.pixel_shuffle,
    cut: Callable[[Tensor, int, int], Tensor] = _cut_by_both,
) -> Tensor:
    """`shuffle_and_shave` with one thing wrong: what the keyword arguments say."""
    return cut(shuffle(before(maps, scale, border), scale), scale, border)


def _whole(image: Tensor, scale: int, border: int) -> Tensor:
    return image


SHUFFLE_MISTAKES = {
    "crop_before_shuffle": (
        partial(_result, before=lambda maps, scale, border: _cut(maps, border), cut=_whole),
        "Each side loses `scale` times too much: you cut the maps before the shuffle, where a pixel stands for "
        "scale · scale of the image, or you cut border · scale behind it. `border` counts pixels of the image.",
    ),
    "rounded_before_shuffle": (
        partial(_result, before=lambda maps, scale, border: _cut(maps, border // scale), cut=_whole),
        "You cut border // scale pixels off the maps. Before the shuffle only multiples of `scale` can be cut off; the "
        "border may be any number. Shuffle first, then cut.",
    ),
    "slice_before_shuffle": (
        partial(_result, before=lambda maps, scale, border: maps[..., border:-border, border:-border], cut=_whole),
        "You cut the maps before the shuffle, and with border = 0 your slice border:-border is empty. Shuffle first; "
        "then keep what lies from border to the side less border.",
    ),
    "lower_right_slice": (
        partial(_result, cut=lambda image, scale, border: image[..., :-border, :-border]),
        "Your slice :-border is empty where border = 0, and it cuts below and on the right only. End it at the side "
        "less the border, and begin it at the border.",
    ),
    "both": (
        partial(_result, before=lambda maps, scale, border: _cut(maps, border)),
        "You cut twice, before the shuffle and behind it. Once, behind it.",
    ),
    "border_of_2": (
        partial(_result, cut=lambda image, scale, border: _cut(image, 2)),
        "You always cut 2 pixels off. Use `border`.",
    ),
    "twice_the_border": (
        partial(_result, cut=lambda image, scale, border: _cut(image, 2 * border)),
        "You cut 2 · border pixels off each side, also where the scale is 3. `border` is what one side loses.",
    ),
    "border_halved": (
        partial(_result, cut=lambda image, scale, border: _cut(image, border // 2)),
        "You cut border // 2 pixels off each side. `border` is what one side loses.",
    ),
    "all_above_and_left": (
        partial(_result, cut=lambda image, scale, border: image[..., 2 * border :, 2 * border :]),
        "The size is right, but you cut twice the border above and on the left, and nothing on the other sides.",
    ),
    "all_below_and_right": (
        partial(
            _result,
            cut=lambda image, scale, border: image[..., : image.shape[2] - 2 * border, : image.shape[3] - 2 * border],
        ),
        "The size is right, but you cut twice the border below and on the right, and nothing on the other sides.",
    ),
    "one_too_many": (
        partial(
            _result,
            cut=lambda image, scale, border: image[
                ..., border : image.shape[2] - border - 1, border : image.shape[3] - border - 1
            ],
        ),
        "Below and on the right you cut one row and one column too many: a slice leaves its end out by itself.",
    ),
    "height_for_width": (
        partial(
            _result,
            cut=lambda image, scale, border: image[
                ..., border : image.shape[2] - border, border : image.shape[2] - border
            ],
        ),
        "You end the columns where the rows end. Columns end at the width less the border.",
    ),
    "width_for_height": (
        partial(
            _result,
            cut=lambda image, scale, border: image[
                ..., border : image.shape[3] - border, border : image.shape[3] - border
            ],
        ),
        "You end the rows where the columns end. Rows end at the height less the border.",
    ),
    "size_of_maps": (
        lambda maps, scale, border: F.pixel_shuffle(maps, scale)[
            ..., border : maps.shape[2] - border, border : maps.shape[3] - border
        ],
        "You end at the height and width of the maps. The image is `scale` times as large.",
    ),
    "border_added": (
        partial(_result, cut=lambda image, scale, border: F.pad(image, (border,) * 4)),
        "You add a border of zeros. It is to be cut off: the result is smaller than the image.",
    ),
    "border_is_scale": (
        partial(_result, cut=lambda image, scale, border: _cut(image, scale)),
        "You cut `scale` pixels off, as the papers do. Here the border is an argument.",
    ),
    "not_cut": (
        partial(_result, cut=_whole),
        "The border is still there: cut `border` pixels off every side.",
    ),
    "zeros": (
        partial(_result, cut=lambda image, scale, border: F.pad(_cut(image, border), (border,) * 4)),
        "You set the border to 0 and keep it. It is cut off: the result is smaller.",
    ),
    "minus_border": (
        partial(_result, cut=lambda image, scale, border: image[..., border:-border, border:-border]),
        "With border = 0 your slice border:-border is 0:0, which is empty. End it at the side less the border.",
    ),
    "upper_left": (
        partial(_result, cut=lambda image, scale, border: image[..., border:, border:]),
        "You cut above and on the left only. A border has four sides.",
    ),
    "lower_right": (
        partial(
            _result,
            cut=lambda image, scale, border: image[..., : image.shape[2] - border, : image.shape[3] - border],
        ),
        "You cut below and on the right only. A border has four sides.",
    ),
    "rows_only": (
        partial(_result, cut=lambda image, scale, border: image[..., border : image.shape[2] - border, :]),
        "You cut above and below only: the columns at the left and the right border are still there.",
    ),
    "columns_only": (
        partial(_result, cut=lambda image, scale, border: image[..., border : image.shape[3] - border]),
        "You cut left and right only: the rows at the upper and the lower border are still there.",
    ),
    "half_the_border": (
        partial(
            _result,
            cut=lambda image, scale, border: image[
                ...,
                border // 2 : image.shape[2] - (border - border // 2),
                border // 2 : image.shape[3] - (border - border // 2),
            ],
        ),
        "You cut `border` pixels off in all, half on each side. Each side loses `border` pixels.",
    ),
    "transposed_squares": (
        partial(_result, shuffle=partial(_arranged, split=("c", "b", "a"), order="ciajb")),
        "In your squares rows and columns are swapped. Map a · scale + b goes to row a and column b of each square.",
    ),
    "colours_inside": (
        partial(_result, shuffle=partial(_arranged, split=("a", "b", "c"), order="ciajb")),
        "You take the first maps as the first pixel of all colours. The maps of a colour lie together: the first "
        "scale · scale belong to colour 0.",
    ),
    "square_by_square": (
        partial(_result, shuffle=partial(_arranged, split=("c", "a", "b"), order="caibj")),
        "Your maps lie beside each other as whole pictures. The pixels of one small square belong together: behind "
        "each row i of the maps comes a, the row in the square, and behind each column j comes b.",
    ),
    "only_reshaped": (
        partial(_result, shuffle=partial(_arranged, split=("c", "a", "b"), order="cabij")),
        "A reshape alone keeps the numbers in their order in memory, and mixes up rows and columns. Between the two "
        "reshapes there must be a permute.",
    ),
    "image_transposed": (
        lambda maps, scale, border: _result(maps, scale, border).transpose(2, 3),
        "Your image is transposed: rows come before columns, (N, C, rows, columns).",
    ),
    "rows_and_columns_split": (
        partial(_result, shuffle=partial(_arranged, split=("c", "a", "b"), order="ciabj")),
        "The columns are in the wrong order: within a row, each place is followed by its own columns of the square, "
        "so the shape ends in W, scale.",
    ),
    "rows_split": (
        partial(_result, shuffle=partial(_arranged, split=("c", "a", "b"), order="caijb")),
        "The rows are in the wrong order: each row of the maps is followed by its own rows of the square, so the shape "
        "begins N, C, H, scale.",
    ),
    "maps_last": (
        partial(
            _result,
            shuffle=lambda maps, scale: (
                maps.reshape(len(maps), maps.shape[1] // scale**2, *maps.shape[2:], scale, scale)
                .permute(0, 1, 2, 4, 3, 5)
                .reshape(len(maps), -1, scale * maps.shape[2], scale * maps.shape[3])
            ),
        ),
        "You reshape to (N, C, H, W, scale, scale): a reshape keeps the order in memory, where the maps come before "
        "their rows and columns. Reshape to (N, C, scale, scale, H, W); a permute then moves the dimensions.",
    ),
    "three_colours": (
        partial(
            _result,
            shuffle=lambda maps, scale: F.pixel_shuffle(
                maps.reshape(len(maps), 3, scale, scale, *maps.shape[2:]).flatten(1, 3), scale
            ),
        ),
        "You take three colours for granted. Their number is that of the maps, divided by scale · scale.",
    ),
    "repeated": (
        partial(
            _result,
            shuffle=lambda maps, scale: maps[:, :: scale**2].repeat_interleave(scale, 2).repeat_interleave(scale, 3),
        ),
        "You enlarge the first map of each colour and drop the others. Every map holds its own pixel of each square.",
    ),
    "averaged": (
        partial(
            _result,
            shuffle=lambda maps, scale: (
                maps.unflatten(1, (-1, scale**2)).mean(2).repeat_interleave(scale, 2).repeat_interleave(scale, 3)
            ),
        ),
        "You average the maps of a colour, so that all pixels of a square are alike. Each map is one pixel of it.",
    ),
    "scale_of_2": (
        lambda maps, scale, border: _result(maps, 2, border),
        "You always shuffle by 2. Use `scale`.",
    ),
    "unshuffled": (
        partial(_result, shuffle=F.pixel_unshuffle),
        "That is pixel *un*shuffle: it makes the image smaller, with more maps. Here maps become a larger image.",
    ),
    "interpolated": (
        partial(
            _result,
            shuffle=lambda maps, scale: F.interpolate(
                maps.unflatten(1, (-1, scale**2)).mean(2), scale_factor=scale, mode="bilinear"
            ),
        ),
        "You interpolate. A shuffle computes nothing new: it only lays numbers out.",
    ),
    "first_image": (
        lambda maps, scale, border: _result(maps, scale, border)[:1],
        "Only the first image of the batch comes back.",
    ),
    "no_batch": (
        lambda maps, scale, border: _result(maps, scale, border)[0],
        "The batch is missing. Return (N, C, H, W), also for one image.",
    ),
    "clipped": (
        lambda maps, scale, border: _result(maps, scale, border).clamp(0, 1),
        "You clip to [0, 1]. The maps are a network's: any number may stand in them.",
    ),
    "turned_over": (
        lambda maps, scale, border: torch.flip(_result(maps, scale, border), (2, 3)),
        "Your image is turned by 180°: count rows and columns of the squares from the upper left.",
    ),
}
