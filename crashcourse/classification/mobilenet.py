"""MobileNet, twice: a convolution split into space and channels, then the same between narrow, linear ends.

Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications", 2017, arXiv
1704.04861: section 3.1 (depthwise separable convolutions), table 1 (layers), section 3.3 (width multiplier α).
Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", CVPR 2018, arXiv 1801.04381: section 3
(bottleneck residual block, table 1), table 2 (layers); parameter names equal torchvision's.

**Differs from the papers:** the average pooling takes any size, so that the resolution multiplier ρ of 1704.04861 is
the size of the images and nothing else. With α other than 1, version 1 keeps at least 8 channels in a layer and
version 2 rounds to multiples of 8 and never narrows its last 1280 channels, as the authors' and torchvision's code.
Version 1 starts from Kaiming's initialisation, which its paper leaves open. `in_channels`, `stem_stride`, the tables
`layers` and `stages`, and `last_channels` are arguments, for small networks on small images; with their defaults the
networks are the papers'.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from crashcourse.classification.resnet_cifar import check_sizes
from crashcourse.doors import check_count, check_images
from crashcourse.errors import CourseError

LAYERS_V1 = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)
"""Table 1 of 1704.04861: output channels and stride of every separable convolution, after 32 channels at stride 2."""

STAGES_V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Table 2 of 1801.04381: expansion t, channels c, repeats n and first stride s, after 32 channels at stride 2."""

STRIDE = 32
"""What all networks of both papers divide height and width by; also the least height and width that they take."""

Block = Callable[..., nn.Module]


def conv_norm(
    in_channels: int,
    out_channels: int,
    kernel: int,
    *,
    stride: int = 1,
    groups: int = 1,
    activation: Callable[..., nn.Module] | None = nn.ReLU6,
) -> nn.Sequential:
    """A size-keeping convolution without bias, its BatchNorm, and an activation unless that is None.

    Returns:
        (N, in_channels, H, W) -> (N, out_channels, ⌈H / stride⌉, ⌈W / stride⌉), for an odd kernel.
    """
    convolution = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False)
    layers: list[nn.Module] = [convolution, nn.BatchNorm2d(out_channels)]
    if activation is not None:
        layers.append(activation(inplace=True))
    return nn.Sequential(*layers)


def separable_conv(in_channels: int, out_channels: int, *, stride: int = 1) -> nn.Sequential:
    """A 3×3 convolution for every channel alone, then a 1×1 over all channels, each with BatchNorm and ReLU.

    Section 3.1 of 1704.04861: it costs 9·C + C·K multiplications a pixel, where a 3×3 convolution costs 9·C·K.

    Args:
        in_channels: C, of the input.
        out_channels: K, of the output.
        stride: of the 3×3 convolution.

    Returns:
        A module, (N, in_channels, H, W) -> (N, out_channels, ⌈H / stride⌉, ⌈W / stride⌉). No convolution has a bias.
    """
    depthwise = nn.Conv2d(in_channels, in_channels, 3, stride, padding=1, groups=in_channels, bias=False)
    pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)
    return nn.Sequential(
        nn.Sequential(depthwise, nn.BatchNorm2d(in_channels), nn.ReLU(inplace=True)),  # (N, C, H / stride, W / stride)
        nn.Sequential(pointwise, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)),  # (N, K, H / stride, W / stride)
    )


def cost_ratio(in_channels: int, out_channels: int, kernel: int, side: int, groups: int = 1) -> float:
    """MACs of a separable convolution, as a part of those of the full convolution that it stands for.

    Section 3.1 of 1704.04861. Stride 1; the maps keep their size; biases do not count.

    Args:
        in_channels: C, of the input.
        out_channels: K, of the output.
        kernel: side k of the full and of the depthwise kernel.
        side: height and width of the maps.
        groups: of the 1×1 convolution; 1 in MobileNet.

    Returns:
        A number above 0, such as 0.12.
    """
    pixels = side * side
    depthwise = kernel**2 * in_channels * pixels
    pointwise = in_channels * out_channels // groups * pixels
    full = kernel**2 * in_channels * out_channels * pixels
    return (depthwise + pointwise) / full


def full_conv(in_channels: int, out_channels: int, *, stride: int = 1) -> nn.Sequential:
    """What `separable_conv` stands for: a 3×3 convolution over all channels with BatchNorm and ReLU.

    "Conv MobileNet" of 1704.04861, table 4, has it in every place.

    Returns:
        (N, in_channels, H, W) -> (N, out_channels, ⌈H / stride⌉, ⌈W / stride⌉).
    """
    return conv_norm(in_channels, out_channels, 3, stride=stride, activation=nn.ReLU)


def round_channels(channels: float, divisor: int = 8) -> int:
    """The multiple of `divisor` nearest to `channels`, at least `divisor`, and never below 90 % of `channels`."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * channels else rounded + divisor


class InvertedResidual(nn.Module):
    """Narrow, wide, narrow: expand by 1×1, filter each channel by 3×3, project by 1×1 without an activation.

    Section 3.3 of 1801.04381. The input is added when it has the output's shape. Nothing follows the projection: a
    ReLU would destroy what few channels hold (section 3.2).

    Args:
        in_channels: of the input.
        out_channels: of the output.
        stride: of the 3×3 convolution, 1 or 2.
        expansion: t of the paper; without expansion (1) the first 1×1 convolution is left out.
        linear: False puts a ReLU6 after the projection, the bottleneck that figure 6a compares.

    Raises:
        CourseError: the stride is neither 1 nor 2.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, stride: int = 1, expansion: int = 6, linear: bool = True
    ) -> None:
        if stride not in (1, 2):
            raise CourseError(f"An inverted residual has stride 1 or 2; got {stride!r}.")
        super().__init__()
        hidden = in_channels * expansion
        self.has_skip = stride == 1 and in_channels == out_channels
        expand = [conv_norm(in_channels, hidden, 1)] if expansion != 1 else []
        self.conv = nn.Sequential(
            *expand,  # (N, hidden, H, W)
            conv_norm(hidden, hidden, 3, stride=stride, groups=hidden),  # (N, hidden, H / stride, W / stride)
            nn.Conv2d(hidden, out_channels, 1, bias=False),  # (N, out_channels, H / stride, W / stride)
            nn.BatchNorm2d(out_channels),
            *([] if linear else [nn.ReLU6(inplace=True)]),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, ⌈H / stride⌉, ⌈W / stride⌉)."""
        return features + self.conv(features) if self.has_skip else self.conv(features)

    def extra_repr(self) -> str:
        return f"has_skip={self.has_skip}"


class MobileNetV1(nn.Module):
    """A convolution, thirteen separable convolutions, global average pooling and a classifier.

    Args:
        num_classes: size of the output.
        width: the multiplier α of all channels.
        in_channels: channels of the images.
        stem_stride: stride of the first convolution.
        layers: output channels and stride of every block, before α.
        block: makes a block, called as `separable_conv` is.

    Raises:
        CourseError: `num_classes` is not an integer of at least 1, or the width is not positive.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        *,
        width: float = 1.0,
        in_channels: int = 3,
        stem_stride: int = 2,
        layers: Sequence[tuple[int, int]] = LAYERS_V1,
        block: Block = separable_conv,
    ) -> None:
        check_count(num_classes, "num_classes")
        check_width(width)
        check_sizes(in_channels=in_channels, stem_stride=stem_stride)
        super().__init__()
        self.in_channels = in_channels
        self.least = stem_stride * math.prod(stride for _, stride in layers)
        channels = max(8, int(32 * width))
        blocks = [conv_norm(in_channels, channels, 3, stride=stem_stride, activation=nn.ReLU)]
        for base, stride in layers:
            out_channels = max(8, int(base * width))
            blocks.append(block(channels, out_channels, stride=stride))
            channels = out_channels
        self.features = nn.Sequential(*blocks)
        self.classifier = nn.Linear(channels, num_classes)
        self._initialize()

    def forward(self, images: Tensor) -> Tensor:
        """Class scores (logits).

        Args:
            images: (N, in_channels, H, W) float; H and W at least the network's stride, 32 in the paper's, which are
                published for 128, 160, 192 and 224.

        Returns:
            (N, num_classes) float.

        Raises:
            CourseError: another shape or an integer dtype.
        """
        dtype = self.classifier.weight.dtype
        check_images(images, "MobileNet v1", channels=self.in_channels, least=self.least, dtype=dtype)
        return self.classifier(self.features(images).mean((2, 3)))

    def _initialize(self) -> None:
        """Kaiming's by inputs: for a depthwise kernel PyTorch's count of outputs is C times too large."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)


class MobileNetV2(nn.Module):
    """A convolution, seventeen inverted residuals, a 1×1 to 1280 channels, global average pooling and a classifier.

    Args:
        num_classes: size of the output.
        width: the multiplier α of all channels.
        dropout: probability of dropping a unit before the classifier while training.
        in_channels: channels of the images.
        stem_stride: stride of the first convolution.
        stages: expansion, output channels, repeats and first stride of every stage, before α.
        last_channels: of the last 1×1 convolution.
        block: makes a block, called as `InvertedResidual` is.

    Raises:
        CourseError: `num_classes` is not an integer of at least 1, or the width is not positive.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        *,
        width: float = 1.0,
        dropout: float = 0.2,
        in_channels: int = 3,
        stem_stride: int = 2,
        stages: Sequence[tuple[int, int, int, int]] = STAGES_V2,
        last_channels: int = 1280,
        block: Block = InvertedResidual,
    ) -> None:
        check_count(num_classes, "num_classes")
        check_width(width)
        check_sizes(in_channels=in_channels, stem_stride=stem_stride)
        super().__init__()
        self.in_channels = in_channels
        self.least = stem_stride * math.prod(stride for *_, stride in stages)
        channels, last = round_channels(32 * width), round_channels(last_channels * max(1.0, width))
        layers: list[nn.Module] = [conv_norm(in_channels, channels, 3, stride=stem_stride)]
        for expansion, base, repeats, first_stride in stages:
            out_channels = round_channels(base * width)
            for index in range(repeats):
                stride = first_stride if index == 0 else 1
                layers.append(block(channels, out_channels, stride=stride, expansion=expansion))
                channels = out_channels
        self.features = nn.Sequential(*layers, conv_norm(channels, last, 1))
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(last, num_classes))
        self._initialize()

    def forward(self, images: Tensor) -> Tensor:
        """Class scores (logits).

        Args:
            images: (N, in_channels, H, W) float; H and W at least the network's stride, 32 in the paper's.

        Returns:
            (N, num_classes) float.

        Raises:
            CourseError: another shape or an integer dtype.
        """
        dtype = self.classifier[1].weight.dtype
        check_images(images, "MobileNet v2", channels=self.in_channels, least=self.least, dtype=dtype)
        features = nn.functional.adaptive_avg_pool2d(self.features(images), 1)  # (N, last, 1, 1)
        return self.classifier(torch.flatten(features, 1))

    def _initialize(self) -> None:
        """As torchvision: Kaiming's by outputs, and a classifier with a standard deviation of 0.01."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
        nn.init.normal_(self.classifier[1].weight, std=0.01)
        nn.init.zeros_(self.classifier[1].bias)


def check_width(width: float) -> None:
    """Refuse a width multiplier that is not a positive number."""
    if isinstance(width, bool) or not isinstance(width, (int, float)) or not 0 < width < float("inf"):
        raise CourseError(f"width multiplies the channels and must be a positive number; got {width!r}.")


def mobilenet_v1(num_classes: int = 1000, *, width: float = 1.0) -> MobileNetV1:
    """28 layers with weights; 4,231,976 parameters at α = 1, 2,585,560 at 0.75, 1,331,592 at 0.5, 470,072 at 0.25."""
    return MobileNetV1(num_classes, width=width)


def mobilenet_v2(num_classes: int = 1000, *, width: float = 1.0) -> MobileNetV2:
    """53 layers with weights; 3,504,872 parameters at α = 1. Torchvision has weights for α = 1."""
    return MobileNetV2(num_classes, width=width)
