"""ResNet: layers that learn what to add to their input.

He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016, arXiv 1512.03385: equations 1 and 2
(the residual block), figure 5 (its two forms), table 1 (the five networks).

**Differs from the paper:** in a bottleneck the 3×3 convolution carries the stride, as in torchvision ("v1.5"), where
the paper's first 1×1 does; the number of parameters is the same, and the MACs rise (ResNet-50: from 3.86 to 4.09
billion). Parameter names and initialisation are torchvision's, and shortcuts are option B: identities, and projections
where the shape changes. The CIFAR networks and option A are in `resnet_cifar.py`.
"""

from functools import partial

import torch
from torch import Tensor, nn

from crashcourse.doors import check_count, check_images
from crashcourse.errors import CourseError, unknown

CHANNELS = (64, 128, 256, 512)
"""Width of the four stages; a bottleneck block gives out four times as many channels."""

STRIDE = 32
"""What the network divides height and width by; also the least height and width that it takes."""


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut around them, figure 5 (left): `ReLU(F(x) + shortcut(x))`.

    Args:
        in_channels: channels of the input.
        width: channels of both convolutions and of the output.
        stride: of the first convolution and of the shortcut.
    """

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = None
        if stride != 1 or in_channels != width:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, width, 1, stride, bias=False),
                nn.BatchNorm2d(width),
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, width, H / stride, W / stride), rounded up."""
        residual = self.relu(self.bn1(self.conv1(x)))
        residual = self.bn2(self.conv2(residual))
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.relu(residual + shortcut)  # equation 1 or 2, then the ReLU


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 and a shortcut, figure 5 (right): the 3×3 works on a quarter of the channels.

    Args:
        in_channels: channels of the input.
        width: of the stage; the output has 4 · width channels.
        stride: of the 3×3 convolution and of the shortcut.
        groups: of the 3×3 convolution; 1 in ResNet, the cardinality in ResNeXt.
        base_width: channels of the 3×3 for each group in the first stage, where `width` is 64.
    """

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int = 1, *, groups: int = 1, base_width: int = 64) -> None:
        super().__init__()
        inner = int(width * base_width / 64) * groups
        out_channels = width * self.expansion
        self.conv1 = nn.Conv2d(in_channels, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, padding=1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, 4 · width, H / stride, W / stride), rounded up."""
        residual = self.relu(self.bn1(self.conv1(x)))
        residual = self.relu(self.bn2(self.conv2(residual)))
        residual = self.bn3(self.conv3(residual))
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.relu(residual + shortcut)


VARIANTS: dict[str, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, int, int, int]]] = {
    "18": (BasicBlock, (2, 2, 2, 2)),
    "34": (BasicBlock, (3, 4, 6, 3)),
    "50": (Bottleneck, (3, 4, 6, 3)),
    "101": (Bottleneck, (3, 4, 23, 3)),
    "152": (Bottleneck, (3, 8, 36, 3)),
}
"""Table 1 of the paper: the kind of block, and how many of them conv2_x, conv3_x, conv4_x and conv5_x have."""


class ResNet(nn.Module):
    """A 7×7 stem, four stages of residual blocks, global average pooling and one dense layer.

    Args:
        variant: a column of table 1: "18", "34", "50", "101" or "152".
        num_classes: size of the output.
        groups, base_width: of the bottleneck blocks, see there; other than (1, 64) makes a ResNeXt.

    Raises:
        CourseError: an unknown variant, `num_classes` below 1, or groups in a variant without bottlenecks.
    """

    def __init__(self, variant: str, num_classes: int = 1000, *, groups: int = 1, base_width: int = 64) -> None:
        check_count(num_classes, "num_classes")
        block, blocks = _variant(variant)
        if (groups, base_width) != (1, 64):
            if block is not Bottleneck:
                raise CourseError(f"Only bottleneck blocks have groups; ResNet-{variant} has none. Use 50, 101 or 152.")
            block = partial(Bottleneck, groups=groups, base_width=base_width)
        expansion = VARIANTS[variant][0].expansion
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        in_channels = 64
        for stage, (width, count) in enumerate(zip(CHANNELS, blocks, strict=True), start=1):
            strides = [1 if stage == 1 else 2] + [1] * (count - 1)
            ins = [in_channels] + [width * expansion] * (count - 1)
            made = [block(before, width, stride) for before, stride in zip(ins, strides, strict=True)]
            self.add_module(f"layer{stage}", nn.Sequential(*made))
            in_channels = width * expansion
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(in_channels, num_classes)
        initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores (logits).

        Args:
            images: (N, 3, H, W) float; H and W at least 32, the network's stride.

        Returns:
            (N, num_classes) float.

        Raises:
            CourseError: another shape or an integer dtype.
        """
        check_images(images, "ResNet", channels=3, least=STRIDE, dtype=self.fc.weight.dtype)
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))  # (N, 64, H/4, W/4)
        x = self.layer1(x)  # (N, 64 · expansion, H/4, W/4)
        x = self.layer2(x)  # (N, 128 · expansion, H/8, W/8)
        x = self.layer3(x)  # (N, 256 · expansion, H/16, W/16)
        x = self.layer4(x)  # (N, 512 · expansion, H/32, W/32)
        return self.fc(torch.flatten(self.avgpool(x), 1))


def _variant(name: str) -> tuple[type[BasicBlock] | type[Bottleneck], tuple[int, int, int, int]]:
    if name not in VARIANTS:
        raise unknown("variant of ResNet", str(name), VARIANTS)
    return VARIANTS[name]


def initialize(model: nn.Module) -> None:
    """Kaiming's initialisation of every convolution (He et al., 2015, arXiv 1502.01852), as in torchvision."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def resnet18(num_classes: int = 1000) -> ResNet:
    """18 layers with weights, basic blocks: 11,689,512 parameters, 1.81 billion MACs."""
    return ResNet("18", num_classes)


def resnet34(num_classes: int = 1000) -> ResNet:
    """34 layers with weights, basic blocks: 21,797,672 parameters, 3.66 billion MACs."""
    return ResNet("34", num_classes)


def resnet50(num_classes: int = 1000) -> ResNet:
    """50 layers with weights, bottlenecks: 25,557,032 parameters, 4.09 billion MACs."""
    return ResNet("50", num_classes)


def resnet101(num_classes: int = 1000) -> ResNet:
    """101 layers with weights, bottlenecks: 44,549,160 parameters, 7.80 billion MACs."""
    return ResNet("101", num_classes)


def resnet152(num_classes: int = 1000) -> ResNet:
    """152 layers with weights, bottlenecks: 60,192,808 parameters, 11.51 billion MACs."""
    return ResNet("152", num_classes)
