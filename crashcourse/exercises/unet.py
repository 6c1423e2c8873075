"""Lesson 31, U-Net: an up block, prediction in overlapping tiles and the weights of borders to write.

Paper: Ronneberger et al., 2015, arXiv 1505.04597, figures 1 and 2 and equation 2. The mistakes are in
`unet_block_mistakes.py`, `unet_tile_mistakes.py`, `unet_join_mistakes.py` and `unet_weight_mistakes.py`, the questions
in `unet_questions.py`.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crashcourse.exercises.case import Case
from crashcourse.exercises.kinds import FunctionExercise, ModuleExercise
from crashcourse.exercises.unet_block_mistakes import BLOCK_MISTAKES
from crashcourse.exercises.unet_join_mistakes import JOIN_MISTAKES
from crashcourse.exercises.unet_questions import QUESTIONS
from crashcourse.exercises.unet_tile_mistakes import TILE_MISTAKES
from crashcourse.exercises.unet_weight_mistakes import WEIGHT_MISTAKES
from crashcourse.segmentation.weights import cell_distances


class Up(nn.Module):
    """One step of the expansive path: enlarge what comes from below, join the middle of the skip, two convolutions.

    The map from below is enlarged by a 2×2 transposed convolution of stride 2, without a ReLU. Of the skip, which is at
    least as large, the middle is cut out; what is cut off is as much above as below, and as much left as right. Both
    are concatenated, the skip first, and go through two valid 3×3 convolutions, each with a ReLU. Layers are created in
    the order in which they are used.

    Args:
        in_channels: of the map from below.
        skip_channels: of the skip.
        out_channels: of the enlarged map, and of both convolutions.
    """

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2)
        self.conv1 = nn.Conv2d(skip_channels + out_channels, out_channels, 3)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3)

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        """(N, in_channels, h, w) and (N, skip_channels, H, W) float -> (N, out_channels, 2h - 4, 2w - 4) float."""
        raised = self.up(below)  # (N, out_channels, 2h, 2w)
        height, width = raised.shape[2:]
        top, left = (skip.shape[2] - height) // 2, (skip.shape[3] - width) // 2
        middle = skip[:, :, top : top + height, left : left + width]
        joined = torch.cat([middle, raised], 1)  # (N, skip_channels + out_channels, 2h, 2w)
        return self.conv2(self.conv1(joined).relu()).relu()


def segment_in_tiles(network: Callable[[Tensor], Tensor], image: Tensor, tile: int, margin: int) -> Tensor:
    """What a network of valid convolutions says of an image of any size, tile by tile.

    The network takes windows of one size only, side = tile + 2 · margin, and gives out their middle, side = tile. Tiles
    lie side by side from the upper left corner; the last of a row or column may reach beyond the image. Whatever a
    window lacks is the image's mirror image, in which the pixel on the border is not repeated: c b a b c.

    Args:
        network: (1, C, side, side) -> (1, K, tile, tile).
        image: (1, C, H, W) float; H and W are larger than what is mirrored.
        tile: side of a tile.
        margin: pixels that the network takes away on every side.

    Returns:
        (1, K, H, W) float.
    """
    height, width = image.shape[2:]
    down, right = -height % tile, -width % tile  # what the last tiles reach beyond the image
    wide = F.pad(image, (margin, margin + right, margin, margin + down), mode="reflect")
    side, rows = tile + 2 * margin, []
    for top in range(0, height, tile):
        row = [network(wide[:, :, top : top + side, left : left + side]) for left in range(0, width, tile)]
        rows.append(torch.cat(row, 3))
    return torch.cat(rows, 2)[:, :, :height, :width]


def border_weights(
    distances: Tensor, cells: Tensor, class_weights: Tensor, w0: float = 10.0, sigma: float = 5.0
) -> Tensor:
    """How much each pixel counts in U-Net's loss: w_c + w0 · exp(-(d1 + d2)² / (2σ²)).

    As the paper prints it, the second term is there at every pixel. In the authors' code it is added on background
    only, and so it is here.

    Args:
        distances: (K, H, W) float, K >= 2: from each pixel to each of K cells, 0 inside of the cell, in any order.
        cells: (H, W) whole numbers: 0 is background, all others are cells.
        class_weights: (2,) float, w_c for background and for cells.
        w0: the most that a border adds.
        sigma: σ, in pixels.

    Returns:
        (H, W) float. d1 is the distance to the nearest cell, d2 that to the second nearest.
    """
    nearest = distances.topk(2, 0, largest=False).values  # (2, H, W): d1 and d2
    border = w0 * torch.exp(-(nearest.sum(0) ** 2) / (2 * sigma**2))
    return class_weights[(cells > 0).long()] + border * (cells == 0)


class OneSize:
    """A small network that takes windows of one size; it cannot be changed, and is its own copy.

    If it pools, a pixel's result depends on where in the window it lies, as a U-Net's does.
    """

    def __init__(self, kernel: Tensor, tile: int, *, pools: bool = False) -> None:
        self._kernel, self._tile, self._side, self._pools = kernel, tile, tile + kernel.shape[2] - 1, pools

    def __call__(self, window: Tensor) -> Tensor:
        """(1, C, side, side) -> (1, K, tile, tile)."""
        got = tuple(window.shape[2:])
        if got != (self._side, self._side):
            raise ValueError(
                f"this window is {self._fault(got)}: {got} came, and the network takes ({self._side}, {self._side})"
            )
        said = F.conv2d(window, self._kernel).tanh()
        return said + F.interpolate(F.max_pool2d(said, 2), scale_factor=2) if self._pools else said

    def _fault(self, got: tuple[int, ...]) -> str:
        if got == (self._tile, self._tile):
            return "as small as a tile"
        if min(got) >= self._side:
            return "too large"
        return "too small" if max(got) < self._side else "too small in one direction"

    def __repr__(self) -> str:
        side, tile, pools = self._side, self._tile, ", and pools by 2" if self._pools else ""
        return f"a network that takes windows of {side}×{side} and gives out {tile}×{tile}{pools}"

    def __deepcopy__(self, memo: dict[int, Any]) -> "OneSize":
        return self


def _up_cases(seed: int) -> list[Case]:
    forms = [
        ((1, 3, 3, 4), (1, 4, 10, 12), 4, "a skip that is larger on every side"),
        ((2, 4, 4, 3 + seed % 2), (2, 2, 12, 16), 3, "more to cut off in one direction"),
        ((1, 2, 4, 4), (1, 3, 8, 8), 5, "a skip that fits already"),
    ]
    return [
        Case(
            args=(torch.randn(below) + 0.5, torch.randn(skip) + 0.5),
            build={"in_channels": below[1], "skip_channels": skip[1], "out_channels": out},
            label=label,
        )
        for below, skip, out, label in forms
    ]


def _tile_cases(seed: int) -> list[Case]:
    forms = [
        ((1, 8, 12), 4, 1, "two rows of three tiles"),
        ((1, 9, 15), 6, 2, "tiles that reach beyond the image"),
        ((2, 17 + seed % 2, 23), 8, 3, "two channels, and other sides"),
    ]
    cases = []
    for (channels, height, width), tile, margin, label in forms:
        kernel = torch.randn(1, channels, 2 * margin + 1, 2 * margin + 1) / (2 * margin + 1)
        image = torch.rand(1, channels, height, width) + torch.linspace(0, 1, width)
        network = OneSize(kernel, tile, pools=tile == 6)
        cases.append(Case((network, image, tile, margin), label=label, picture="image"))
    return cases


def _weight_cases(seed: int) -> list[Case]:
    forms = [
        ((4, 5), [(0, 0), (3, 4)], {}, "two cells of a pixel"),
        ((6, 7), [(0, 6), (5, 0), (2, 2)], {"w0": 4.0, "sigma": 2.0}, "three cells"),
        ((8, 6), [(0, 5), (7, 5), (1, 1), (5, 2), (7, 0)], {"sigma": 3.0 + seed % 3}, "five cells"),
    ]
    cases = []
    for shape, places, options, label in forms:
        cells = torch.zeros(shape, dtype=torch.int64)
        for number, (row, column) in enumerate(places, 1):
            cells[row, column] = number
        distances = cell_distances(cells)[torch.randperm(len(places))]
        class_weights = 0.5 + torch.rand(2) + torch.tensor([0.0, 1.5])
        cases.append(Case((distances, cells, class_weights), options, label=label, picture="image"))
    return cases


EXERCISES = [
    ModuleExercise(
        name="segmentation.up_block",
        title="An up block with its crop",
        lesson=31,
        reference=Up,
        cases=_up_cases,
        hints=(
            "Three steps: enlarge, join, convolve. The skip is larger than the enlarged map; which part of it lies on "
            "the same pixels?",
            "top = (H - 2h) // 2, left = (W - 2w) // 2. Channels: skip_channels + out_channels into the first "
            "convolution.",
            "raised = up(below); middle = skip[:, :, top : top + height, left : left + width]; "
            "torch.cat([middle, raised], 1); conv1, ReLU, conv2, ReLU, all without padding.",
        ),
        wrong=BLOCK_MISTAKES,
    ),
    FunctionExercise(
        name="segmentation.overlap_tile",
        title="Prediction in overlapping tiles",
        lesson=31,
        reference=segment_in_tiles,
        cases=_tile_cases,
        hints=(
            "Continue the image first, once and for all. Then every window is a slice of it.",
            "Left and above the image needs margin more pixels; right and below margin, and what the last tile reaches "
            "beyond it: -H % tile. The window of the tile at (top, left) begins at (top, left) of the continued image.",
            'F.pad(image, (left, right, top, bottom), mode="reflect"); two loops with range(0, H, tile); torch.cat '
            "along 3 for a row, along 2 for all rows; cut to H×W at the end.",
        ),
        wrong={**TILE_MISTAKES, **JOIN_MISTAKES},
    ),
    FunctionExercise(
        name="segmentation.border_weights",
        title="The border weight map",
        lesson=31,
        reference=border_weights,
        cases=_weight_cases,
        hints=(
            "Which of the K distances of a pixel are d1 and d2? And where does the second term count?",
            "w_c[0] + w0 · exp(-(d1 + d2)² / (2σ²)) on background, w_c[1] on cells. The sum is squared, not its parts.",
            "distances.topk(2, 0, largest=False).values holds d1 and d2; class_weights[(cells > 0).long()] is w_c at "
            "every pixel; the border's term times (cells == 0).",
        ),
        wrong=WEIGHT_MISTAKES,
    ),
    *QUESTIONS,
]
