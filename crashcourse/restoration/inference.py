"""Large images in tiles, and the mean over eight turned copies.

The self-ensemble is that of Timofte, Rothe, Van Gool, "Seven ways to improve example-based single image super
resolution", CVPR 2016, arXiv 1511.02228, section 3.6, and of EDSR and RCAN, whose tables mark it with "+". **Differs
from the paper:** nothing.

Both take any function of images; for a network with more inputs, fix them: `lambda tile: model(tile, sigma)`. Gradients
are not recorded. Call `model.eval()` first.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from crashcourse.doors import check_count, check_images
from crashcourse.errors import CourseError

Restore = Callable[[Tensor], Tensor]


@torch.no_grad()
def tiled(
    restore: Restore, images: Tensor, *, tile: int = 256, margin: int = 32, scale: int = 1, multiple: int = 1
) -> Tensor:
    """What a network makes of images, one piece at a time: the memory of a piece, whatever the size of the image.

    Every piece is restored with `margin` pixels around it, which are then cut off. Where a piece meets the border of
    the image there is none, so that the network pads there as it would in one pass. If no output pixel sees further
    than `margin` pixels, the result is that of one pass; for a stack of D convolutions 3×3 that is D pixels. A network
    that takes means over the whole image, as RCAN's channel attention does, takes them over each piece instead, and
    differs a little; compare before you trust it. A network that works on 2×2 pixels, as FFDNet does, needs pieces that
    begin at even places: `multiple=2`.

    Args:
        restore: (N, C, h, w) -> (N, C', scale · h, scale · w), for any h and w.
        images: (N, C, H, W) float.
        tile: side of a piece, without its margin.
        margin: pixels around it.
        scale: how much larger the output is than the input.
        multiple: side of the squares of pixels that the network takes as one; it must divide `tile` and `margin`.

    Returns:
        (N, C', scale · H, scale · W).

    Raises:
        CourseError: a number out of range, or `restore` gives out another size.
    """
    check_images(images, "tiled")
    check_count(tile, "tile")
    check_count(margin, "margin", least=0)
    check_count(scale, "scale")
    check_count(multiple, "multiple")
    if tile % multiple or margin % multiple:
        raise CourseError(
            f"tile and margin must be multiples of {multiple}, the side of the squares that the network works on; "
            f"got tile={tile} and margin={margin}."
        )
    output: Tensor | None = None
    height, width = images.shape[2:]
    for top, bottom, above, below in _spans(height, tile, margin):
        for left, right, before, after in _spans(width, tile, margin):
            window = images[:, :, above:below, before:after]
            piece = restore(window)
            expected = tuple(scale * size for size in window.shape[2:])
            if piece.shape[2:] != expected:
                raise CourseError(
                    f"For a window of {tuple(window.shape[2:])} with scale {scale} the function should give out "
                    f"{expected}, but gave {tuple(piece.shape[2:])}. Is `scale` that of the network?"
                )
            if output is None:
                output = piece.new_empty(*piece.shape[:2], scale * height, scale * width)
            rows = slice(scale * (top - above), scale * (bottom - above))
            columns = slice(scale * (left - before), scale * (right - before))
            output[:, :, scale * top : scale * bottom, scale * left : scale * right] = piece[:, :, rows, columns]
    assert output is not None  # an image has at least one pixel
    return output


def _spans(length: int, tile: int, margin: int) -> Iterator[tuple[int, int, int, int]]:
    """Start and end of every piece along one side, and start and end with its margin, inside of the image."""
    for start in range(0, length, tile):
        end = min(start + tile, length)
        yield start, end, max(start - margin, 0), min(end + margin, length)


@torch.no_grad()
def self_ensemble(restore: Restore, images: Tensor) -> Tensor:
    """The mean of what a network makes of the image in its eight positions, each turned back.

    Four turns by 90°, and the same mirrored. A network need not treat them alike, so their errors differ, and partly
    cancel. It costs eight passes.

    Args:
        restore: (N, C, h, w) -> (N, C', s · h, s · w); called with (h, w) and with (w, h).
        images: (N, C, H, W) float.

    Returns:
        (N, C', s · H, s · W).

    Raises:
        CourseError: `restore` gives out a size that is not s times that of its input, with one whole s throughout.
    """
    check_images(images, "self_ensemble")
    total: Tensor | None = None
    scale = 0
    for mirrored in (False, True):
        for turns in range(4):
            copy = torch.rot90(images.flip(-1) if mirrored else images, turns, (2, 3))
            output = restore(copy)
            scale = scale or output.shape[-2] // copy.shape[-2]
            expected = tuple(scale * size for size in copy.shape[2:])
            if not scale or output.shape[2:] != expected:
                raise CourseError(
                    f"For images of {tuple(copy.shape[2:])} the function gave out {tuple(output.shape[2:])}. It must "
                    "enlarge both sides by one whole number, and all eight positions alike."
                )
            restored = torch.rot90(output, -turns, (2, 3))
            restored = restored.flip(-1) if mirrored else restored
            total = restored if total is None else total + restored
    assert total is not None
    return total / 8
