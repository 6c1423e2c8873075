"""The network of YOLO v1, as printed, and a small one for laptops.

Paper: Redmon et al., 2015, arXiv:1506.02640, figure 3: 24 convolutions and two dense layers, 448×448 images.
**Differs from the paper:** nothing in `YoloV1`; there are no released weights for it (the authors' file `yolov1.cfg` is
another network, with three boxes a cell and a locally connected layer). `small_yolo`: batch normalization, fewer
layers, and a 1×1 convolution in place of the dense layers.
"""

import torch
from torch import Tensor, nn

from crashcourse.detection.yolo import Grid
from crashcourse.errors import CourseError

SLOPE = 0.1  # of the leaky ReLU (equation 2)
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
    """A YOLO for laptops: 3×3 convolutions with batch normalization, halving four times, and a 1×1 as the head.

    Args:
        grid: the output's layout.
        width: channels of the first convolution; they double at each halving.

    Shapes:
        `(N, 3, 16 S, 16 S)` float -> `(N, S, S, channels)`: 112×112 pixels for 7×7 cells.
    """

    def __init__(self, grid: Grid, *, width: int = 16) -> None:
        super().__init__()
        self.grid = grid
        widths = [width * 2**step for step in range(4)]
        layers: list[nn.Module] = []
        channels = 3
        for place, out in enumerate(widths):
            layers += [*_convolution(channels, out, stride=2), *([] if place == 0 else _convolution(out, out))]
            channels = out
        self.features = nn.Sequential(*layers, *_convolution(channels, channels))  # (N, 8 width, S, S)
        self.head = nn.Conv2d(channels, grid.channels, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.constant_(self.head.bias, 0.0)
        with torch.no_grad():  # begin with boxes in the middle of their cells, a third of the image wide
            start = grid.channels - 4 * grid.boxes
            self.head.bias[start:] = torch.tensor([0.5, 0.5, 0.5, 0.5]).repeat(grid.boxes)

    def forward(self, images: Tensor) -> Tensor:
        """`(N, 3, 16 S, 16 S)` float -> `(N, S, S, channels)`."""
        side = 16 * self.grid.cells
        if images.ndim != 4 or images.shape[1:] != (3, side, side):
            raise CourseError(
                f"This network takes (N, 3, {side}, {side}): 16 pixels a cell; got {tuple(images.shape)}. Resize first."
            )
        return self.head(self.features(images)).permute(0, 2, 3, 1)  # (N, S, S, channels)


def _convolution(in_channels: int, out_channels: int, *, stride: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
    return [conv, nn.BatchNorm2d(out_channels), nn.LeakyReLU(SLOPE, inplace=True)]


def yolo_v1(grid: Grid | None = None) -> YoloV1:
    """The paper's network: 271,703,550 parameters with the paper's grid."""
    return YoloV1(grid)


def small_yolo(classes: int = 5, *, cells: int = 7, boxes: int = 2, width: int = 16) -> SmallYolo:
    """The small network over the classes of `scenes`."""
    return SmallYolo(Grid(cells, boxes, classes), width=width)
