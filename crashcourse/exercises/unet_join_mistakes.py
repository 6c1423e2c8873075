"""Lesson 31, U-Net: what people get wrong in counting and joining tiles, each as code with its hint."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from crashcourse.exercises.unet_tile_mistakes import Network, reflected, tiles


def _last_left_out(network: Network, image: Tensor, tile: int, margin: int) -> Tensor:
    height, width = image.shape[2:]
    whole = torch.zeros_like(image[:, :1])
    rows, columns = height // tile * tile, width // tile * tile
    wide, side = reflected(image, margin, 0, 0), tile + 2 * margin
    for top in range(0, rows, tile):
        for left in range(0, columns, tile):
            piece = network(wide[:, :, top : top + side, left : left + side])
            whole[:, :, top : top + tile, left : left + tile] = piece
    return whole


def _stitched_across(network: Network, image: Tensor, tile: int, margin: int) -> Tensor:
    height, width = image.shape[2:]
    down, right = -height % tile, -width % tile
    wide, side, columns = reflected(image, margin, right, down), tile + 2 * margin, []
    for top in range(0, height, tile):
        column = [network(wide[:, :, top : top + side, left : left + side]) for left in range(0, width, tile)]
        columns.append(torch.cat(column, 2))
    return torch.cat(columns, 3)[:, :, :height, :width]


def _too_few(count: Callable[[int, int], int]) -> Callable[..., Tensor]:
    """As many tiles as `count(length, tile)` along each side, and nothing cut off."""

    def predict(network: Network, image: Tensor, tile: int, margin: int) -> Tensor:
        height, width = (count(length, tile) * tile for length in image.shape[2:])
        return tiles(network, image, tile, margin, cut=lambda whole, *_: whole[:, :, :height, :width])

    return predict


def _square(network: Network, image: Tensor, tile: int, margin: int) -> Tensor:
    return tiles(network, image, tile, margin)[..., : image.shape[2]]


def _of_channels(count: Callable[[Tensor], int]) -> Callable[..., Tensor]:
    """A result of so many channels, all of them alike."""

    def predict(network: Network, image: Tensor, tile: int, margin: int) -> Tensor:
        return tiles(network, image, tile, margin).repeat(1, count(image), 1, 1)

    return predict


def _pieces_uncut(network: Network, image: Tensor, tile: int, margin: int) -> Tensor:
    height, width = image.shape[2:]
    wide, side = reflected(image, margin, -width % tile, -height % tile), tile + 2 * margin
    whole = torch.zeros_like(image[:, :1])
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            piece = network(wide[:, :, top : top + side, left : left + side])
            whole[:, :, top : top + tile, left : left + tile] = piece
    return whole


def _resized(network: Network, image: Tensor, tile: int, margin: int) -> Tensor:
    said = network(F.interpolate(image, size=(tile + 2 * margin,) * 2))
    return F.interpolate(said, size=image.shape[2:])


JOIN_MISTAKES = {
    "last_left_out": (
        _last_left_out,
        "The last tiles are missing where the image is no multiple of the tile. Zeros are left there.",
    ),
    "stitched_across": (
        _stitched_across,
        "You join the tiles of a row one below the other. Along a row it is dimension 3, then the rows along 2.",
    ),
    "not_cut": (
        partial(tiles, cut=lambda whole, height, width, margin: whole),
        "The result is as large as all tiles. Cut off what lies beyond the image.",
    ),
    "cut_from_the_margin": (
        partial(
            tiles,
            cut=lambda whole, height, width, margin: whole[..., margin : margin + height, margin : margin + width],
        ),
        "You cut the margin off the result once more. The network has taken it away already.",
    ),
    "whole_tiles_only": (
        _too_few(lambda length, tile: length // tile),
        "Your result ends with the last whole tile. Round the number of tiles up: -(-H // tile), or range(0, H, tile).",
    ),
    "one_tile_too_few": (
        _too_few(lambda length, tile: (length - 1) // tile),
        "A tile is missing in every row and column: (H - 1) // tile is the number of the last one, counted from 0.",
    ),
    "square": (
        _square,
        "Your result is as wide as it is high. Images need not be square: H and W are two numbers.",
    ),
    "channels_of_the_image": (
        _of_channels(lambda image: image.shape[1]),
        "Your result has as many channels as the image. It has those of what the network gives out: K.",
    ),
    "two_channels": (
        _of_channels(lambda image: 2),
        "Your result always has two channels. It has those of what the network gives out: K.",
    ),
    "pieces_uncut": (
        _pieces_uncut,
        "It fails where tiles reach beyond the image. Either a piece is larger than what is left of the result: cut "
        "the piece, or the result at the end. Or a window is narrower than its mirror image: first mirror all of the "
        "image, once.",
    ),
    "softmax": (
        lambda *args: tiles(*args).softmax(1),
        "You take a softmax. What is asked for is what the network says.",
    ),
    "classes": (
        lambda *args: tiles(*args).argmax(1, keepdim=True),
        "You choose a class for each pixel. What is asked for is what the network says.",
    ),
    "resized": (
        _resized,
        "You shrink the image to one window, and lose what is small. Cut windows out of it, at full size.",
    ),
}
