"""Lesson 31, U-Net: what people get wrong in overlapping tiles, each as code that behaves so, with its hint."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

Network = Callable[[Tensor], Tensor]
Pad = Callable[[Tensor, int, int, int], Tensor]


def _reflected(image: Tensor, margin: int, right: int, down: int) -> Tensor:
    return F.pad(image, (margin, margin + right, margin, margin + down), mode="reflect")


def _by_mode(mode: str) -> Pad:
    return lambda image, margin, right, down: F.pad(image, (margin, margin + right, margin, margin + down), mode=mode)


def _edge_repeated(image: Tensor, margin: int, right: int, down: int) -> Tensor:
    """c b a a b c: the mirror stands behind the pixel on the border."""

    def places(length: int, more: int) -> Tensor:
        around = torch.arange(-margin, length + margin + more) % (2 * length)
        return torch.minimum(around, 2 * length - 1 - around)

    return image[:, :, places(image.shape[2], down)][:, :, :, places(image.shape[3], right)]


def _one_side(image: Tensor, margin: int, right: int, down: int) -> Tensor:
    return F.pad(image, (0, 2 * margin + right, 0, 2 * margin + down), mode="reflect")


def _rows_first(image: Tensor, margin: int, right: int, down: int) -> Tensor:
    """`F.pad` names the last dimension first."""
    return F.pad(image, (margin, margin + down, margin, margin + right), mode="reflect")


def _tiles(
    network: Network,
    image: Tensor,
    tile: int,
    margin: int,
    *,
    pad: Pad = _reflected,
    step: Callable[[int, int], int] = lambda tile, margin: tile,
    cut: Callable[[Tensor, int, int, int], Tensor] = lambda whole, height, width, margin: whole[..., :height, :width],
) -> Tensor:
    """`segment_in_tiles` with one thing wrong: what the keyword arguments say."""
    height, width = image.shape[2:]
    down, right = -height % tile, -width % tile
    wide, side = pad(image, margin, right, down), tile + 2 * margin
    whole: Tensor | None = None
    for top in range(0, height, step(tile, margin)):
        for left in range(0, width, step(tile, margin)):
            piece = network(wide[:, :, top : top + side, left : left + side])
            if whole is None:
                whole = torch.zeros(1, piece.shape[1], height + down, width + right)
            room = whole[:, :, top : top + tile, left : left + tile]
            room.copy_(piece[:, :, : room.shape[2], : room.shape[3]])
    assert whole is not None
    return cut(whole, height, width, margin)


def _alone(mode: str) -> Callable[..., Tensor]:
    """Every tile is continued on its own, as if there were nothing around it."""

    def predict(network: Network, image: Tensor, tile: int, margin: int) -> Tensor:
        height, width = image.shape[2:]
        wide = F.pad(image, (0, -width % tile, 0, -height % tile), mode="reflect")
        rows = []
        for top in range(0, height, tile):
            pieces = [wide[:, :, top : top + tile, left : left + tile] for left in range(0, width, tile)]
            row = [network(F.pad(piece, (margin,) * 4, mode=mode)) for piece in pieces]
            rows.append(torch.cat(row, 3))
        return torch.cat(rows, 2)[:, :, :height, :width]

    return predict


def _in_one_pass(network: Network, image: Tensor, tile: int, margin: int) -> Tensor:
    return network(F.pad(image, (margin,) * 4, mode="reflect"))


def _small_last(network: Network, image: Tensor, tile: int, margin: int) -> Tensor:
    return _tiles(network, image, tile, margin, pad=lambda image, margin, right, down: _reflected(image, margin, 0, 0))


def _last_left_out(network: Network, image: Tensor, tile: int, margin: int) -> Tensor:
    height, width = image.shape[2:]
    whole = torch.zeros_like(image[:, :1])
    rows, columns = height // tile * tile, width // tile * tile
    wide, side = _reflected(image, margin, 0, 0), tile + 2 * margin
    for top in range(0, rows, tile):
        for left in range(0, columns, tile):
            piece = network(wide[:, :, top : top + side, left : left + side])
            whole[:, :, top : top + tile, left : left + tile] = piece
    return whole


def _no_margin(network: Network, image: Tensor, tile: int, margin: int) -> Tensor:
    rows = [
        torch.cat(
            [network(image[:, :, top : top + tile, left : left + tile]) for left in range(0, image.shape[3], tile)], 3
        )
        for top in range(0, image.shape[2], tile)
    ]
    return torch.cat(rows, 2)


def _stitched_across(network: Network, image: Tensor, tile: int, margin: int) -> Tensor:
    height, width = image.shape[2:]
    down, right = -height % tile, -width % tile
    wide, side, columns = _reflected(image, margin, right, down), tile + 2 * margin, []
    for top in range(0, height, tile):
        column = [network(wide[:, :, top : top + side, left : left + side]) for left in range(0, width, tile)]
        columns.append(torch.cat(column, 2))
    return torch.cat(columns, 3)[:, :, :height, :width]


TILE_MISTAKES = {
    "edge_repeated": (
        partial(_tiles, pad=_edge_repeated),
        "Your mirror repeats the pixel on the border: c b a a b c. That pixel is the mirror: c b a b c.",
    ),
    "border_copied": (
        partial(_tiles, pad=_by_mode("replicate")),
        "You continue the image by copies of its border. Here it is mirrored: mode='reflect'.",
    ),
    "zeros": (
        partial(_tiles, pad=_by_mode("constant")),
        "You put zeros around the image, which the network has never seen. Mirror it: mode='reflect'.",
    ),
    "wrapped": (
        partial(_tiles, pad=_by_mode("circular")),
        "You continue the image by its opposite side. Here it is mirrored: mode='reflect'.",
    ),
    "tiles_alone": (
        _alone("reflect"),
        "You mirror every tile on its own. Its neighbours are there: a window takes its context from the image, and "
        "from the mirror only beyond it. These are the seams that the method is there to avoid.",
    ),
    "tiles_alone_in_zeros": (
        _alone("constant"),
        "You put zeros around every tile. A window takes its context from the image; mirror only what lies beyond.",
    ),
    "without_context": (
        _no_margin,
        "Your windows are as large as the tiles. They are larger by the margin on every side: tile + 2 · margin.",
    ),
    "in_one_pass": (
        _in_one_pass,
        "You give the network the whole image at once. It takes windows of one size: tile + 2 · margin.",
    ),
    "small_last_window": (
        _small_last,
        "The last windows are too small. Continue the image on the right and below by what the last tiles reach beyond "
        "it: -H % tile and -W % tile.",
    ),
    "last_left_out": (
        _last_left_out,
        "The last tiles are missing where the image is no multiple of the tile. Zeros are left there.",
    ),
    "step_of_the_window": (
        partial(_tiles, step=lambda tile, margin: tile + 2 * margin),
        "You go on by the size of the window. Windows overlap: it is the tiles that lie side by side.",
    ),
    "context_on_one_side": (
        partial(_tiles, pad=_one_side),
        "All of the context is on the right and below, so the result is shifted by the margin. Half of it belongs on "
        "the left and above.",
    ),
    "rows_and_columns_of_pad": (
        partial(_tiles, pad=_rows_first),
        "F.pad names the last dimension first: (left, right, top, bottom). Yours has rows first.",
    ),
    "stitched_across": (
        _stitched_across,
        "You join the tiles of a row one below the other. Along a row it is dimension 3, then the rows along 2.",
    ),
    "not_cut": (
        partial(_tiles, cut=lambda whole, height, width, margin: whole),
        "The result is as large as all tiles. Cut off what lies beyond the image.",
    ),
    "cut_from_the_margin": (
        partial(
            _tiles,
            cut=lambda whole, height, width, margin: F.pad(whole, (0, margin, 0, margin))[
                ..., margin : margin + height, margin : margin + width
            ],
        ),
        "You cut the margin off the result once more. The network has taken it away already.",
    ),
}
