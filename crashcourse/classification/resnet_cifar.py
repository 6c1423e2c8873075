"""ResNet for small images, and the plain network that it is compared with.

He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016, arXiv 1512.03385: section 4.2 (6n + 2
layers on CIFAR-10), section 3.3 (shortcuts A and B).

**Differs from the paper:** parameter names are torchvision's. `in_channels`, `width` and `stem_stride` are this
course's own, for 28×28 grey images on a laptop; with their defaults the networks are the paper's.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crashcourse.classification.resnet import initialize
from crashcourse.doors import check_count, check_images
from crashcourse.errors import CourseError, unknown

SHORTCUTS = {
    "A": "identity; zeros for the new channels where their number grows, without parameters",
    "B": "identity; a 1×1 projection where the shape changes",
    "none": "no shortcut: the plain network",
}


class ZeroPadShortcut(nn.Module):
    """Option A of section 3.3: every `stride`-th pixel, and channels of zeros, half of them on either side."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        new = out_channels - in_channels
        self.before, self.after, self.stride = new // 2, new - new // 2, stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H / stride, W / stride), rounded up."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.before, self.after))

    def extra_repr(self) -> str:
        """How many channels of zeros come before and after, and the stride."""
        return f"{self.before} + {self.after} channels of zeros, stride={self.stride}"


class CifarBlock(nn.Module):
    """Two 3×3 convolutions, with a shortcut around them or without.

    Args:
        in_channels, out_channels: of the block.
        stride: of the first convolution and of the shortcut.
        shortcut: one of `SHORTCUTS`.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, *, shortcut: str = "A") -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.residual = shortcut != "none"
        self.downsample = None
        changes = stride != 1 or in_channels != out_channels
        if shortcut == "B" and changes:
            projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(out_channels))
        elif shortcut == "A" and changes:
            self.downsample = ZeroPadShortcut(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H / stride, W / stride), rounded up."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.residual:
            out = out + (x if self.downsample is None else self.downsample(x))
        return self.relu(out)

    def extra_repr(self) -> str:
        """Whether there is a shortcut; the identity has no module of its own."""
        return "" if self.residual else "no shortcut"


class CifarResNet(nn.Module):
    """6n + 2 layers with weights: a 3×3 stem, three stages of n blocks, global average pooling, a dense layer.

    Args:
        depth: 6n + 2: 20, 32, 44, 56, 110, ...
        num_classes: size of the output.
        shortcut: "A" (the paper's), "B", or "none" for the plain network.
        in_channels: channels of the images.
        width: channels of the first stage; they double where the maps halve.
        stem_stride: stride of the first convolution.
        block: makes a block, called as `CifarBlock` is.

    Raises:
        CourseError: a depth that is not 6n + 2, an unknown shortcut, or a number below 1.
    """

    def __init__(
        self,
        depth: int,
        num_classes: int = 10,
        *,
        shortcut: str = "A",
        in_channels: int = 3,
        width: int = 16,
        stem_stride: int = 1,
        block: Callable[..., nn.Module] = CifarBlock,
    ) -> None:
        check_count(num_classes, "num_classes")
        if shortcut not in SHORTCUTS:
            raise unknown("shortcut", str(shortcut), SHORTCUTS)
        blocks = blocks_per_stage(depth, 6)
        check_sizes(in_channels=in_channels, width=width, stem_stride=stem_stride)
        super().__init__()
        self.in_channels, self.least = in_channels, 4 * stem_stride
        self.conv1 = nn.Conv2d(in_channels, width, 3, stem_stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = _stage(block, blocks, width, width, 1, shortcut)
        self.layer2 = _stage(block, blocks, width, 2 * width, 2, shortcut)
        self.layer3 = _stage(block, blocks, 2 * width, 4 * width, 2, shortcut)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(4 * width, num_classes)
        initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores (logits).

        Args:
            images: (N, in_channels, H, W) float; H and W at least the network's stride, 4 · stem_stride.

        Returns:
            (N, num_classes) float.

        Raises:
            CourseError: another shape or an integer dtype.
        """
        dtype = self.fc.weight.dtype
        check_images(images, "ResNet", channels=self.in_channels, least=self.least, dtype=dtype)
        x = self.relu(self.bn1(self.conv1(images)))  # (N, width, H, W) with a stem of stride 1
        x = self.layer1(x)  # (N, width, H, W)
        x = self.layer2(x)  # (N, 2 · width, H/2, W/2)
        x = self.layer3(x)  # (N, 4 · width, H/4, W/4)
        return self.fc(torch.flatten(self.avgpool(x), 1))


def _stage(
    block: Callable[..., nn.Module], blocks: int, in_channels: int, out_channels: int, stride: int, shortcut: str
) -> nn.Sequential:
    first = block(in_channels, out_channels, stride, shortcut=shortcut)
    return nn.Sequential(first, *(block(out_channels, out_channels, shortcut=shortcut) for _ in range(blocks - 1)))


def blocks_per_stage(depth: int, layers: int) -> int:
    """The n of `depth = layers · n + 2`.

    Raises:
        CourseError: there is no whole n of at least 1.
    """
    if not isinstance(depth, int) or isinstance(depth, bool) or depth < layers + 2 or (depth - 2) % layers:
        known = ", ".join(str(layers * n + 2) for n in (1, 2, 3, 9, 18))
        raise CourseError(f"The depth is {layers}n + 2 ({known}, ...); got {depth!r}.")
    return (depth - 2) // layers


def check_sizes(**sizes: int) -> None:
    """Refuse anything but integers of at least 1."""
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise CourseError(f"{name} must be an integer of at least 1; got {size!r}.")


def resnet20(num_classes: int = 10, *, shortcut: str = "A", in_channels: int = 3) -> CifarResNet:
    """n = 3: 269,722 parameters with shortcut A, 272,474 with B."""
    return CifarResNet(20, num_classes, shortcut=shortcut, in_channels=in_channels)


def resnet56(num_classes: int = 10, *, shortcut: str = "A", in_channels: int = 3) -> CifarResNet:
    """n = 9: 853,018 parameters with shortcut A, 855,770 with B."""
    return CifarResNet(56, num_classes, shortcut=shortcut, in_channels=in_channels)


def resnet110(num_classes: int = 10, *, shortcut: str = "A", in_channels: int = 3) -> CifarResNet:
    """n = 18: 1,727,962 parameters with shortcut A, 1,730,714 with B."""
    return CifarResNet(110, num_classes, shortcut=shortcut, in_channels=in_channels)


def plain20(num_classes: int = 10, *, in_channels: int = 3) -> CifarResNet:
    """`resnet20` without shortcuts: 269,722 parameters, as with shortcut A."""
    return CifarResNet(20, num_classes, shortcut="none", in_channels=in_channels)


def plain56(num_classes: int = 10, *, in_channels: int = 3) -> CifarResNet:
    """`resnet56` without shortcuts: 853,018 parameters, as with shortcut A."""
    return CifarResNet(56, num_classes, shortcut="none", in_channels=in_channels)


def plain110(num_classes: int = 10, *, in_channels: int = 3) -> CifarResNet:
    """`resnet110` without shortcuts: 1,727,962 parameters, as with shortcut A."""
    return CifarResNet(110, num_classes, shortcut="none", in_channels=in_channels)
