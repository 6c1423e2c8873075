"""ResU-Net: the U with a residual block at every level.

There is no one paper. This is the network of the course that this one follows, Xue, "Deep learning crash course",
2021, assignment 3 (github.com/NHLBI-MR/DeepLearningCrashCourse_Fall_2021, assignments/assignment3/src/unet_model.py):
the U of Ronneberger et al., arXiv 1505.04597, with pre-activation residual blocks (He et al., arXiv 1603.05027),
BatchNorm, strided convolutions on the way down and bilinear interpolation on the way up. Zhang, Liu, Wang, "Road
extraction by deep residual U-Net", arXiv 1711.10684, is the namesake in the literature, with other widths.

**Differs from the assignment:** nothing in the network; widths and the number of output channels are arguments.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crashcourse.doors import check_count, check_images
from crashcourse.errors import CourseError


class PreActivation(nn.Sequential):
    """BatchNorm, ReLU, 3×3 convolution with zeros around; sides are halved, rounded up, with stride 2."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(
            nn.BatchNorm2d(in_channels),
            nn.ReLU(),
            nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1),
        )


class ResidualBlock(nn.Module):
    """x + F(x), where F is two pre-activated convolutions; sizes and channels stay."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(PreActivation(channels, channels), PreActivation(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> (N, channels, H, W)."""
        return x + self.body(x)


class ResidualUp(nn.Module):
    """Interpolate to the skip's size, concatenate, a convolution, and a residual block where there is one.

    Args:
        in_channels: of the map from below.
        out_channels: of the skip and of the block.
        residual: whether a residual block follows.
    """

    def __init__(self, in_channels: int, out_channels: int, *, residual: bool) -> None:
        super().__init__()
        self.fuse = PreActivation(out_channels + in_channels, out_channels)
        self.block = ResidualBlock(out_channels) if residual else nn.Identity()

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        """(N, in_channels, h, w) and (N, out_channels, 2h, 2w) -> (N, out_channels, 2h, 2w)."""
        raised = F.interpolate(below, size=skip.shape[2:], mode="bilinear", align_corners=True)
        return self.block(self.fuse(torch.cat([skip, raised], 1)))


class ResUNet(nn.Module):
    """U-Net with residual blocks: skips within levels and skips across.

    Args:
        in_channels: of the images.
        out_channels: of the scores: 1 where there is one class, else one for each class, background included.
        widths: channels of each level, from the finest to the coarsest; at least two.

    Attributes:
        stride: how many pixels one place of the coarsest level stands for.
        margin: 0: the output is as large as the input. The interpolation aligns the corners of each map, so that a
            pixel's result depends a little on where the input ends, and tiles are not quite equal to one pass.

    Raises:
        CourseError: a count below 1, or fewer than two levels.
    """

    margin = 0

    def __init__(
        self, in_channels: int = 1, out_channels: int = 1, *, widths: Sequence[int] = (32, 64, 128, 128)
    ) -> None:
        check_count(in_channels, "in_channels")
        check_count(out_channels, "out_channels")
        if not isinstance(widths, Sequence) or len(widths) < 2:
            raise CourseError(f"widths must be the channels of two levels or more; got {widths!r}.")
        for width in widths:
            check_count(width, "each of widths")
        super().__init__()
        self.in_channels, self.stride = in_channels, 2 ** (len(widths) - 1)
        self.stem = nn.Conv2d(in_channels, widths[0], 5, padding=2)
        self.contracting = nn.ModuleList(
            nn.Sequential(PreActivation(i, o, stride=2), ResidualBlock(o)) for i, o in pairwise(widths)
        )
        steps = list(enumerate(pairwise(widths)))[::-1]
        self.expansive = nn.ModuleList(ResidualUp(low, high, residual=level > 0) for level, (high, low) in steps)
        self.scores = nn.Conv2d(widths[0], out_channels, 3, padding=1)
        self.apply(_initialize)

    def forward(self, images: Tensor) -> Tensor:
        """(N, in_channels, H, W) float -> logits (N, out_channels, H, W).

        Raises:
            CourseError: not such images, or a side that `stride` does not divide.
        """
        check_images(images, "ResUNet", channels=self.in_channels, dtype=self.stem.weight.dtype)
        self._check_sides(*images.shape[2:])
        levels = [self.stem(images)]
        for down in self.contracting:
            levels.append(down(levels[-1]))
        maps = levels.pop()
        for up in self.expansive:
            maps = up(maps, levels.pop())
        return self.scores(maps)

    def _check_sides(self, height: int, width: int) -> None:
        if height % self.stride or width % self.stride:
            near = [
                _near(side, self.stride, word)
                for side, word in ((height, "high"), (width, "wide"))
                if side % self.stride
            ]
            raise CourseError(
                f"This ResU-Net takes images with sides that {self.stride} divides; got {height}×{width}. "
                f"Nearest: {' and '.join(near)}."
            )


def _near(side: int, stride: int, word: str) -> str:
    below = side // stride * stride
    return f"{below} or {below + stride} {word}" if below else f"{stride} {word}"


def _initialize(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")


def resunet(in_channels: int = 1, out_channels: int = 1) -> ResUNet:
    """The assignment's network: a 5×5 stem and levels of 32, 64, 128 and 128 channels."""
    return ResUNet(in_channels, out_channels)
