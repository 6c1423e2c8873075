"""Pre-activation ResNet: BatchNorm and ReLU before the weights, nothing on the path from block to block.

He, Zhang, Ren, Sun, "Identity mappings in deep residual networks", ECCV 2016, arXiv 1603.05027: equations 4 and 5 (the
identity from block to block, and its gradient), figure 4 (e) (full pre-activation), section 5 and appendix (networks
for CIFAR).

**Differs from the paper:** parameter names are this course's own. `in_channels`, `width` and `stem_stride` are for
28×28 grey images on a laptop; with their defaults the networks are the paper's. Where the shape changes, the shortcut
is a 1×1 projection of the pre-activated input, as in the authors' code.
"""

import torch
from torch import Tensor, nn

from crashcourse.classification.resnet import initialize
from crashcourse.classification.resnet_cifar import blocks_per_stage, check_sizes
from crashcourse.doors import check_count, check_images


class PreActBlock(nn.Module):
    """BN, ReLU, 3×3, BN, ReLU, 3×3, and a shortcut: `x + F(x)`, without a ReLU after the sum.

    Args:
        in_channels, out_channels: of the block.
        stride: of the first convolution and of the shortcut.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.downsample = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H / stride, W / stride), rounded up."""
        active = torch.relu(self.bn1(x))
        shortcut = x if self.downsample is None else self.downsample(active)
        residual = self.conv1(active)
        residual = self.conv2(torch.relu(self.bn2(residual)))
        return shortcut + residual


class PreActBottleneck(nn.Module):
    """Pre-activated 1×1, 3×3, 1×1 and a shortcut; the first two have a quarter of the output's channels.

    Args:
        in_channels, out_channels: of the block; `out_channels` is a multiple of 4.
        stride: of the 3×3 convolution and of the shortcut.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        inner = out_channels // 4
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, inner, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, out_channels, 1, bias=False)
        self.downsample = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H / stride, W / stride), rounded up."""
        active = torch.relu(self.bn1(x))
        shortcut = x if self.downsample is None else self.downsample(active)
        residual = self.conv1(active)
        residual = self.conv2(torch.relu(self.bn2(residual)))
        residual = self.conv3(torch.relu(self.bn3(residual)))
        return shortcut + residual


class PreActResNet(nn.Module):
    """A 3×3 stem, three stages of pre-activated blocks, a last BN and ReLU, pooling, a dense layer.

    Args:
        depth: 6n + 2 with basic blocks, 9n + 2 with bottlenecks (164 and 1001).
        num_classes: size of the output.
        bottleneck: whether the blocks are bottlenecks, with four times the output channels.
        in_channels: channels of the images.
        width: channels of the stem and of the first stage's 3×3 convolutions; doubled where the maps halve.
        stem_stride: stride of the first convolution.

    Raises:
        CourseError: a depth of another form, or a number below 1.
    """

    def __init__(
        self,
        depth: int,
        num_classes: int = 10,
        *,
        bottleneck: bool = False,
        in_channels: int = 3,
        width: int = 16,
        stem_stride: int = 1,
    ) -> None:
        check_count(num_classes, "num_classes")
        blocks = blocks_per_stage(depth, 9 if bottleneck else 6)
        check_sizes(in_channels=in_channels, width=width, stem_stride=stem_stride)
        block, expansion = (PreActBottleneck, 4) if bottleneck else (PreActBlock, 1)
        super().__init__()
        self.in_channels, self.least = in_channels, 4 * stem_stride
        self.conv1 = nn.Conv2d(in_channels, width, 3, stem_stride, padding=1, bias=False)
        channels = [width, *(width * expansion * 2**stage for stage in range(3))]
        for stage in range(3):
            before, after = channels[stage], channels[stage + 1]
            first = block(before, after, 1 if stage == 0 else 2)
            self.add_module(
                f"layer{stage + 1}", nn.Sequential(first, *(block(after, after) for _ in range(blocks - 1)))
            )
        self.bn = nn.BatchNorm2d(channels[-1])
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(channels[-1], num_classes)
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
        check_images(images, "PreActResNet", channels=self.in_channels, least=self.least, dtype=dtype)
        x = self.conv1(images)  # (N, width, H, W) with a stem of stride 1
        x = self.layer1(x)  # (N, width · expansion, H, W)
        x = self.layer2(x)  # (N, 2 · width · expansion, H/2, W/2)
        x = self.layer3(x)  # (N, 4 · width · expansion, H/4, W/4)
        x = torch.relu(self.bn(x))  # the sum has seen no ReLU yet
        return self.fc(torch.flatten(self.avgpool(x), 1))


def preact_resnet20(num_classes: int = 10, *, in_channels: int = 3) -> PreActResNet:
    """Basic blocks, n = 3: 272,282 parameters."""
    return PreActResNet(20, num_classes, in_channels=in_channels)


def preact_resnet56(num_classes: int = 10, *, in_channels: int = 3) -> PreActResNet:
    """Basic blocks, n = 9: 855,578 parameters."""
    return PreActResNet(56, num_classes, in_channels=in_channels)


def preact_resnet110(num_classes: int = 10, *, in_channels: int = 3) -> PreActResNet:
    """Basic blocks, n = 18: 1,730,522 parameters."""
    return PreActResNet(110, num_classes, in_channels=in_channels)


def preact_resnet164(num_classes: int = 10, *, in_channels: int = 3) -> PreActResNet:
    """Bottlenecks, n = 18: 1,703,258 parameters."""
    return PreActResNet(164, num_classes, bottleneck=True, in_channels=in_channels)


def preact_resnet1001(num_classes: int = 10, *, in_channels: int = 3) -> PreActResNet:
    """Bottlenecks, n = 111: 10,327,706 parameters."""
    return PreActResNet(1001, num_classes, bottleneck=True, in_channels=in_channels)
