"""Lesson 31, U-Net: what people get wrong in the windows of overlapping tiles, each as code that behaves so.

How tiles are counted and joined is in `unet_join_mistakes.py`.
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

Network = Callable[[Tensor], Tensor]
Pad = Callable[[Tensor, int, int, int], Tensor]


def reflected(image: Tensor, margin: int, right: int, down: int) -> Tensor:
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


def tiles(
    network: Network,
    image: Tensor,
    tile: int,
    margin: int,
    *,
    pad: Pad = reflected,
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
    return tiles(network, image, tile, margin, pad=lambda image, margin, right, down: reflected(image, margin, 0, 0))


def _no_margin(network: Network, image: Tensor, tile: int, margin: int) -> Tensor:
    rows = [
        torch.cat(
            [network(image[:, :, top : top + tile, left : left + tile]) for left in range(0, image.shape[3], tile)], 3
        )
        for top in range(0, image.shape[2], tile)
    ]
    return torch.cat(rows, 2)


def _excess_in_zeros(image: Tensor, margin: int, right: int, down: int) -> Tensor:
    return F.pad(F.pad(image, (0, right, 0, down)), (margin,) * 4, mode="reflect")


def _zeros_behind_the_mirror(image: Tensor, margin: int, right: int, down: int) -> Tensor:
    return F.pad(F.pad(image, (margin,) * 4, mode="reflect"), (0, right, 0, down))


def _mirror_of_the_mirror(image: Tensor, margin: int, right: int, down: int) -> Tensor:
    return F.pad(F.pad(image, (margin,) * 4, mode="reflect"), (0, right, 0, down), mode="reflect")


def _mirrored_twice(image: Tensor, margin: int, right: int, down: int) -> Tensor:
    return F.pad(F.pad(image, (0, right, 0, down), mode="reflect"), (margin,) * 4, mode="reflect")


def _excess_on_both_sides(network: Network, image: Tensor, tile: int, margin: int) -> Tensor:
    height, width = image.shape[2:]
    down, right = -height % tile, -width % tile
    top, left = down // 2, right // 2
    around = (margin + left, margin + right - left, margin + top, margin + down - top)
    wide = F.pad(image, around, mode="reflect")
    return tiles(
        network,
        wide[:, :, margin:-margin, margin:-margin],
        tile,
        margin,
        pad=lambda *_: wide,
        cut=lambda whole, *_: whole[:, :, top : top + height, left : left + width],
    )


def _last_moved_back(network: Network, image: Tensor, tile: int, margin: int) -> Tensor:
    height, width = image.shape[2:]
    wide, side, whole = reflected(image, margin, 0, 0), tile + 2 * margin, torch.zeros_like(image[:, :1])
    for top in [*range(0, height - tile, tile), height - tile]:
        for left in [*range(0, width - tile, tile), width - tile]:
            piece = network(wide[:, :, top : top + side, left : left + side])
            whole[:, :, top : top + tile, left : left + tile] = piece
    return whole


def _cut_in_front(image: Tensor, margin: int, right: int, down: int) -> Tensor:
    return reflected(image, margin, right, down)[:, :, margin:, margin:]


def _begins_late(network: Network, image: Tensor, tile: int, margin: int) -> Tensor:
    return tiles(network, image, tile, margin, pad=_cut_in_front)


def _places_swapped(network: Network, image: Tensor, tile: int, margin: int) -> Tensor:
    height, width = image.shape[2:]
    wide, side = reflected(image, margin, -width % tile, -height % tile), tile + 2 * margin
    pieces = [
        network(wide[:, :, left : left + side, top : top + side])
        for top in range(0, height, tile)
        for left in range(0, width, tile)
    ]
    return torch.cat(pieces)


def _half_a_context(network: Network, image: Tensor, tile: int, margin: int) -> Tensor:
    return network(reflected(image, margin, 0, 0)[:, :, : tile + margin, : tile + margin])


TILE_MISTAKES = {
    "edge_repeated": (
        partial(tiles, pad=_edge_repeated),
        "Your mirror repeats the pixel on the border: c b a a b c. That pixel is the mirror: c b a b c.",
    ),
    "border_copied": (
        partial(tiles, pad=_by_mode("replicate")),
        "You continue the image by copies of its border. Here it is mirrored: mode='reflect'.",
    ),
    "zeros": (
        partial(tiles, pad=_by_mode("constant")),
        "You put zeros around the image, which the network has never seen. Mirror it: mode='reflect'.",
    ),
    "wrapped": (
        partial(tiles, pad=_by_mode("circular")),
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
    "step_of_the_window": (
        partial(tiles, step=lambda tile, margin: tile + 2 * margin),
        "You go on by the size of the window. Windows overlap: it is the tiles that lie side by side.",
    ),
    "context_on_one_side": (
        partial(tiles, pad=_one_side),
        "All of the context is on the right and below, so the result is shifted by the margin. Half of it belongs on "
        "the left and above.",
    ),
    "rows_and_columns_of_pad": (
        partial(tiles, pad=_rows_first),
        "F.pad names the last dimension first: (left, right, top, bottom). Yours has rows first.",
    ),
    "excess_in_zeros": (
        partial(tiles, pad=_excess_in_zeros),
        "You fill what the last tiles reach beyond the image with zeros, and mirror those. Mirror the image itself, by "
        "the margin and what is lacking at once.",
    ),
    "zeros_behind_the_mirror": (
        partial(tiles, pad=_zeros_behind_the_mirror),
        "You mirror the image by the margin only, and put zeros behind that. The last windows see them: mirror it by "
        "the margin and what the last tiles reach beyond it, at once.",
    ),
    "mirror_of_the_mirror": (
        partial(tiles, pad=_mirror_of_the_mirror),
        "You mirror the image by the margin, and then the result once more, about its own border. Mirror the image "
        "once, by the margin and what the last tiles reach beyond it.",
    ),
    "mirrored_twice": (
        partial(tiles, pad=_mirrored_twice),
        "You mirror twice: by what the last tiles reach beyond the image, and the result by the margin. The second "
        "mirror stands at the wrong place, beyond the image. Mirror once, by the sum of both.",
    ),
    "excess_on_both_sides": (
        _excess_on_both_sides,
        "What the last tiles reach beyond the image you spread over both sides, so your tiles begin outside of it. "
        "They begin in its upper left corner: a network that pools says something else elsewhere.",
    ),
    "last_moved_back": (
        _last_moved_back,
        "You move the last tile back until it ends with the image. A network that pools then takes other pixels "
        "together. The tile begins where the one before it ends, and reaches beyond the image.",
    ),
    "begins_late": (
        _begins_late,
        "A window runs over the border of the continued image, or too little was added there. The window of the tile "
        "at (top, left) begins at (top, left) of the continued image, which already lies the margin further out.",
    ),
    "places_swapped": (
        _places_swapped,
        "You cut windows at (left, top). Rows come first: wide[:, :, top : top + side, left : left + side].",
    ),
    "half_a_context": (
        _half_a_context,
        "Your windows are too small. They are larger than a tile by the margin on the left and on the right, above and "
        "below: tile + 2 · margin.",
    ),
}
