"""The network of YOLO v1, as printed, and a small one for laptops.

Paper: Redmon et al., 2015, arXiv:1506.02640, figure 3: 24 convolutions and two dense layers, 448×448 images.
**Differs from the paper:** nothing in `YoloV1`; there are no released weights for it (the authors' file `yolov1.cfg` is
another network, with three boxes a cell and a locally connected layer). `small_yolo`: batch normalization, fewer
layers, a first convolution that takes 4×4 pixels at a time, and a 1×1 convolution in place of the dense layers.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from crashcourse.detection.yolo import Grid
from crashcourse.errors import CourseError

SLOPE = 0.1  # of the leaky ReLU (equation 2)
GREY = 0.45  # about the mean of photographs in [0, 1]; the small network takes it off
POOL = "pool"
LAYERS: tuple[tuple[int, ...] | str, ...] = (
    (7, 64, 2), POOL,
    (3, 192), POOL,
    (1, 128), (3, 256), (1, 256), (3, 512), POOL,
    *((1, 256), (3, 512)) * 4, (1, 512), (3, 1024), POOL,
    *((1, 512), (3, 1024)) * 2, (3, 1024), (3, 1024, 2),
    (3, 1024), (3, 1024),
)  # fmt: skip
"""Figure 3: kernel, channels and stride (1 where it is left out) of each convolution; 2×2 max-pools between."""


class YoloV1(nn.Module):
    """The network of figure 3.

    Args:
        grid: the output's layout; 7×7 cells of 2 boxes over 20 classes in the paper.
        hidden: units of the first dense layer, 4096 in the paper.

    Shapes:
        `(N, 3, 448, 448)` float -> `(N, S, S, channels)`. Other sizes do: 64 times the number of cells.
    """

    def __init__(self, grid: Grid | None = None, *, hidden: int = 4096) -> None:
        super().__init__()
        self.grid = grid or Grid()
        layers, channels = [], 3
        for layer in LAYERS:
            if layer == POOL:
                layers.append(nn.MaxPool2d(2, 2))
                continue
            kernel, width, *stride = layer
            layers += [nn.Conv2d(channels, width, kernel, *stride, padding=kernel // 2), nn.LeakyReLU(SLOPE)]
            channels = width
        self.features = nn.Sequential(*layers)  # (N, 1024, S, S)
        places = self.grid.cells**2
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * places, hidden),
            nn.LeakyReLU(SLOPE),
            nn.Dropout(0.5),
            nn.Linear(hidden, places * self.grid.channels),
        )

    def forward(self, images: Tensor) -> Tensor:
        """`(N, 3, H, W)` float -> `(N, S, S, channels)`."""
        side = 64 * self.grid.cells
        if images.ndim != 4 or images.shape[1:] != (3, side, side):
            raise CourseError(
                f"This network takes (N, 3, {side}, {side}): 64 pixels a cell; got {tuple(images.shape)}. Resize first."
            )
        cells = self.grid.cells
        return self.head(self.features(images)).unflatten(1, (cells, cells, self.grid.channels))


class SmallYolo(nn.Module):
    """A YOLO for laptops: a 4×4 convolution with stride 4, stages of 3×3 ones that halve twice, and a 1×1 as the head.

    Nearly all of the work is done on maps of a sixteenth of the pixels or fewer, so that a step is quick. All
    convolutions have batch normalization and a leaky ReLU.

    Args:
        grid: the output's layout.
        width: channels of the first stage; they double from stage to stage.
        stages: 3×3 convolutions in each of the three stages. From the second stage on there is one more before them,
            with stride 2.

    Shapes:
        `(N, 3, 16 S, 16 S)` float in [0, 1] -> `(N, S, S, channels)`: 112×112 pixels for 7×7 cells.

    Raises:
        CourseError: not three stages, or one with fewer than 0 convolutions.
    """

    def __init__(self, grid: Grid, *, width: int = 24, stages: Sequence[int] = (1, 1, 1)) -> None:
        super().__init__()
        if len(stages) != 3 or min(stages) < 0:
            raise CourseError(f"stages says how many convolutions each of three stages has; got {tuple(stages)}.")
        self.grid = grid
        layers, channels = _convolution(3, width, kernel=4, stride=4), width  # (N, width, 4 S, 4 S)
        for place, count in enumerate(stages):
            if place:
                layers += _convolution(channels, 2 * channels, stride=2)
                channels *= 2
            for _ in range(count):
                layers += _convolution(channels, channels)
        self.features = nn.Sequential(*layers)  # (N, 4 width, S, S)
        self.head = nn.Conv2d(channels, grid.channels, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.constant_(self.head.bias, 0.0)
        with torch.no_grad():  # begin with boxes in the middle of their cells, a quarter of the image wide
            start = grid.channels - 4 * grid.boxes
            self.head.bias[start:] = 0.5

    def forward(self, images: Tensor) -> Tensor:
        """`(N, 3, 16 S, 16 S)` float -> `(N, S, S, channels)`."""
        side = 16 * self.grid.cells
        if images.ndim != 4 or images.shape[1:] != (3, side, side):
            raise CourseError(
                f"This network takes (N, 3, {side}, {side}): 16 pixels a cell; got {tuple(images.shape)}. Resize first."
            )
        return self.head(self.features(images - GREY)).permute(0, 2, 3, 1)  # (N, S, S, channels)


def _convolution(in_channels: int, out_channels: int, *, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    padding = 0 if kernel == stride else kernel // 2
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding, bias=False)
    return [conv, nn.BatchNorm2d(out_channels), nn.LeakyReLU(SLOPE, inplace=True)]


def yolo_v1(grid: Grid | None = None) -> YoloV1:
    """The paper's network: 271,703,550 parameters with the paper's grid."""
    return YoloV1(grid)


def small_yolo(classes: int = 5, *, cells: int = 7, boxes: int = 2, width: int = 24) -> SmallYolo:
    """The small network over the classes of `scenes`."""
    return SmallYolo(Grid(cells, boxes, classes), width=width)
