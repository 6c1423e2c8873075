"""Anchors: boxes of a few sizes and shapes, at every place of a feature map.

Paper: Ren et al., "Faster R-CNN", 2015, arXiv:1506.01497, section 3.1.1 (k = 9: sides of 128, 256 and 512 pixels, at
ratios 1:2, 1:1 and 2:1); with one size for each map: Lin et al., "Feature pyramid networks", 2016, arXiv:1612.03144,
section 4.1. **Differs from the papers:** as in torchvision, anchors are rounded to whole pixels and lie, by default, on
the upper left corner of a map's cell; `offset=0.5` puts them on its middle.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from crashcourse.errors import CourseError

RATIOS = (0.5, 1.0, 2.0)
"""Height over width."""


def cell_anchors(sizes: Sequence[float], ratios: Sequence[float] = RATIOS, *, rounded: bool = True) -> Tensor:
    """The anchors of one place, around (0, 0).

    Args:
        sizes: sides in pixels of squares whose areas the anchors have.
        ratios: height over width.
        rounded: to whole pixels.

    Returns:
        `(R · S, 4)` xyxy: all sizes of the first ratio, then of the second, ...

    Raises:
        CourseError: none, or one that is not above 0.
    """
    for name, values in (("sizes", sizes), ("ratios", ratios)):
        if not len(values) or not all(value > 0 for value in values):
            raise CourseError(f"Anchors need {name} above 0, one at least; got {tuple(values)}.")
    root = torch.tensor(ratios, dtype=torch.float32).sqrt()[:, None]  # (R, 1)
    side = torch.tensor(sizes, dtype=torch.float32)[None]  # (1, S)
    width, height = (1 / root * side).flatten(), (root * side).flatten()  # height / width = ratio, area = side²
    anchors = torch.stack([-width, -height, width, height], 1) / 2
    return anchors.round() if rounded else anchors


def grid_anchors(
    cells: Tensor, grid: tuple[int, int], stride: tuple[int, int], *, offset: float = 0.0
) -> Tensor:  # fmt: skip
    """The anchors of all places of a map.

    Args:
        cells: `(A, 4)`, those of one place around (0, 0).
        grid: rows and columns of the map.
        stride: pixels from one row, and from one column, to the next.
        offset: where in its cell an anchor has its centre, in strides: 0 upper left, 0.5 in the middle.

    Returns:
        `(rows · columns · A, 4)` xyxy pixels: row by row, the A anchors of a place together.
    """
    y, x = (
        (torch.arange(count, device=cells.device, dtype=cells.dtype) + offset) * step
        for count, step in zip(grid, stride, strict=True)
    )
    y, x = torch.meshgrid(y, x, indexing="ij")  # (rows, columns)
    places = torch.stack([x, y, x, y], -1).reshape(-1, 1, 4)
    return (places + cells).reshape(-1, 4)


class AnchorGenerator(nn.Module):
    """The anchors of one or several feature maps.

    Args:
        sizes: for each map its sides in pixels: `((32,), (64,), (128,))` is one size on each of three maps.
        ratios: height over width, the same on all maps.
        offset: see `grid_anchors`.
        rounded: see `cell_anchors`.

    Raises:
        CourseError: no map, or a size or a ratio that is not above 0.
    """

    def __init__(
        self,
        sizes: Sequence[Sequence[float]],
        ratios: Sequence[float] = RATIOS,
        *,
        offset: float = 0.0,
        rounded: bool = True,
    ) -> None:
        super().__init__()
        if not sizes:
            raise CourseError("Anchors need the sizes of one map at least, such as ((128, 256, 512),).")
        self.sizes, self.ratios, self.offset = tuple(map(tuple, sizes)), tuple(ratios), offset
        for level, own in enumerate(sizes):  # buffers: they travel to the GPU, and are not saved
            self.register_buffer(f"cells{level}", cell_anchors(own, ratios, rounded=rounded), persistent=False)

    @property
    def per_place(self) -> int:
        """Anchors at one place of the first map; the other maps need as many, as they share a head."""
        return len(self.cells0)

    def extra_repr(self) -> str:
        """Sizes and ratios."""
        return f"sizes={self.sizes}, ratios={self.ratios}, offset={self.offset}"

    def forward(self, image_size: tuple[int, int], features: Sequence[Tensor]) -> list[Tensor]:
        """All anchors of a batch, whose images share them.

        Args:
            image_size: height and width of the (padded) batch; what the maps divide it by is their stride.
            features: `(N, C, H, W)`, one for each entry of `sizes`.

        Returns:
            For each map `(H · W · A, 4)` xyxy pixels.

        Raises:
            CourseError: another number of maps than of sizes.
        """
        if len(features) != len(self.sizes):
            raise CourseError(f"There are sizes for {len(self.sizes)} maps, and {len(features)} maps came.")
        anchors = []
        for level, feature in enumerate(features):
            rows, columns = feature.shape[-2:]
            stride = (image_size[0] // rows, image_size[1] // columns)
            cells = getattr(self, f"cells{level}").to(feature.dtype)
            anchors.append(grid_anchors(cells, (rows, columns), stride, offset=self.offset))
        return anchors
