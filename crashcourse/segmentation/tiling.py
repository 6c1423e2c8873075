"""The overlap-tile strategy: an image of any size in tiles, without a seam.

Ronneberger, Fischer, Brox, "U-Net", MICCAI 2015, arXiv 1505.04597, figure 2: a network of valid convolutions predicts
the middle of what it sees; what it would have to see beyond the border of the image is the image, mirrored.

**Differs from the paper:** it says nothing of where tiles start. Here they start at multiples of the network's
`stride`, so that every max pooling takes the same four pixels in each tile, and the result is that of one pass. A tile
of 388 pixels, placed every 388, would not do so, because 16 does not divide 388: here it is placed every 384.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from crashcourse.doors import check_count, check_images
from crashcourse.errors import CourseError

Segment = Callable[[Tensor], Tensor]


@torch.no_grad()
def overlap_tile(
    model: Segment,
    images: Tensor,
    tile: int,
    *,
    margin: int | None = None,
    stride: int | None = None,
    mirrored: bool = True,
) -> Tensor:
    """What a network makes of images, one tile at a time: the memory of a tile, whatever the size of the image.

    For each tile the network gets a window of `tile + 2 * margin` pixels around it, and the middle of what it gives
    out is the tile. For a U-Net of valid convolutions with its own margin and stride, the result is that of one pass
    over the mirrored image, whatever the image's size. For a padded network, `margin` is the context that you grant;
    where it is less than what the network sees, there are seams. Call `model.eval()` first.

    Args:
        model: (N, C, s, s) -> (N, C', s', s'), centred on its input, with s' >= tile for s = tile + 2 · margin.
        images: (N, C, H, W) float, of any size.
        tile: side of a tile.
        margin: pixels of context on every side; None takes `model.margin`, 0 where there is none.
        stride: tiles start at multiples of it; None takes `model.stride`, 1 where there is none.
        mirrored: continue the image by its mirror image, without repeating the border; False continues it by zeros.

    Returns:
        (N, C', H, W).

    Raises:
        CourseError: a number out of range, a window that the network does not take, or an output below `tile`.
    """
    check_images(images, "overlap_tile")
    margin = getattr(model, "margin", 0) if margin is None else margin
    stride = getattr(model, "stride", 1) if stride is None else stride
    check_count(tile, "tile")
    check_count(margin, "margin", least=0)
    check_count(stride, "stride")
    _check_window(model, tile, margin, stride)
    height, width = images.shape[2:]
    step = tile - tile % stride
    output: Tensor | None = None
    for top in _starts(height, tile, step):
        for left in _starts(width, tile, step):
            window = _window(images, (top - margin, left - margin), tile + 2 * margin, mirrored)
            piece = _middle(model(window), tile)
            if output is None:
                output = piece.new_empty(*piece.shape[:2], height, width)
            rows, columns = min(tile, height - top), min(tile, width - left)
            output[:, :, top : top + rows, left : left + columns] = piece[:, :, :rows, :columns]
    assert output is not None  # an image has at least one pixel
    return output


def mirror_pad(images: Tensor, margin: int) -> Tensor:
    """Images continued by their mirror image; the pixel on the border is the mirror, and is not repeated.

    `torch.nn.functional.pad(mode="reflect")` does the same where the margin is smaller than the image; here the image
    is mirrored as often as it takes: of a row a b c comes ... c b a b c b a b ...

    Args:
        images: (N, C, H, W).
        margin: pixels added on every side, at least 0.

    Returns:
        (N, C, H + 2 · margin, W + 2 · margin).
    """
    check_images(images, "mirror_pad")
    check_count(margin, "margin", least=0)
    rows, columns = (torch.arange(-margin, side + margin, device=images.device) for side in images.shape[2:])
    return _gather(images, mirrored_places(rows, images.shape[2]), mirrored_places(columns, images.shape[3]))


def mirrored_places(places: Tensor, length: int) -> Tensor:
    """Which of `length` pixels is seen at a place, when the row between 0 and length - 1 is mirrored without end.

    Args:
        places: any shape, whole numbers, negative ones too.
        length: pixels in the row, at least 1.

    Returns:
        Whole numbers from 0 to length - 1, of the same shape: for length 3, places -2 ... 4 are 2 1 0 1 2 1 0.
    """
    period = max(2 * (length - 1), 1)
    folded = places % period
    return torch.minimum(folded, period - folded)


def _starts(length: int, tile: int, step: int) -> range:
    """Where tiles start along one side: no tile more than it takes to cover it."""
    return range(0, max(length - (tile - step), 1), step)


def _window(images: Tensor, corner: tuple[int, int], side: int, mirrored: bool) -> Tensor:
    """A square of the continued images: (N, C, side, side), its upper left pixel at `corner`."""
    lengths = images.shape[2:]
    places = [torch.arange(start, start + side, device=images.device) for start in corner]
    rows, columns = (mirrored_places(place, length) for place, length in zip(places, lengths, strict=True))
    window = _gather(images, rows, columns)
    if mirrored:
        return window
    inside = [(place >= 0) & (place < length) for place, length in zip(places, lengths, strict=True)]
    return window * (inside[0][:, None] & inside[1])


def _gather(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    return images.index_select(2, rows).index_select(3, columns)


def _middle(output: Tensor, tile: int) -> Tensor:
    height, width = output.shape[2:]
    if height < tile or width < tile or (height - tile) % 2 or (width - tile) % 2:
        raise CourseError(
            f"From its window the network made {height}×{width}, which has no middle of {tile}×{tile}. "
            "Is `margin` at least what the network takes away on a side?"
        )
    top, left = (height - tile) // 2, (width - tile) // 2
    return output[:, :, top : top + tile, left : left + tile]


def _check_window(model: Segment, tile: int, margin: int, stride: int) -> None:
    window = tile + 2 * margin
    fits = getattr(model, "fits", None)
    if fits and not fits(window):
        below, above = (side - 2 * margin for side in model.nearest_sides(window))  # type: ignore[attr-defined]
        near = f"{below} or {above}" if 0 < below < tile else f"{above}"
        raise CourseError(
            f"A tile of {tile} with a margin of {margin} makes a window of {window}, which this network does not take. "
            f"Nearest tile: {near}."
        )
    if tile < stride:
        raise CourseError(f"tile must be at least the network's stride, {stride}, or tiles leave gaps; got {tile}.")
