"""ShuffleNet, twice: grouped 1×1 convolutions that exchange channels, then halves that do.

Zhang, Zhou, Lin, Sun, "ShuffleNet: an extremely efficient convolutional neural network for mobile devices", CVPR 2018,
arXiv 1707.01083: section 3.1 (channel shuffle), 3.2 (unit, figure 2), table 1 (layers).
Ma, Zhang, Zheng, Sun, "ShuffleNet V2: practical guidelines for efficient CNN architecture design", ECCV 2018, arXiv
1807.11164: section 4 (unit, figure 3), table 5 (layers); parameter names of version 2 equal torchvision's.

**Differs from the papers:** the average pooling takes any size. Version 1 shuffles before its depthwise convolution,
as in the paper; a width other than 1 also scales its first 24 channels. `in_channels`, `channels`, `repeats` and
`small_images` are arguments, for small networks on small images; with their defaults the networks are the papers'.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from crashcourse.classification.mobilenet import STRIDE, check_width
from crashcourse.classification.resnet_cifar import check_sizes
from crashcourse.doors import check_count, check_images
from crashcourse.errors import CourseError

REPEATS = (4, 8, 4)
"""Units of stages 2, 3 and 4 in both papers; the first of a stage halves the maps."""

CHANNELS_V1 = {1: (144, 288, 576), 2: (200, 400, 800), 3: (240, 480, 960), 4: (272, 544, 1088), 8: (384, 768, 1536)}
"""Table 1 of 1707.01083: groups -> output channels of stages 2, 3 and 4."""

CHANNELS_V2 = {
    0.5: (48, 96, 192, 1024),
    1.0: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
    2.0: (244, 488, 976, 2048),
}
"""Table 5 of 1807.11164: width -> output channels of stages 2, 3, 4 and of the last 1×1 convolution."""


def channel_shuffle(features: Tensor, groups: int) -> Tensor:
    """Deal the channels out like cards: reshape to (groups, C / groups), transpose, flatten.

    Args:
        features: (N, C, H, W) of any dtype, C a multiple of `groups`.
        groups: how many groups the channels come in.

    Returns:
        (N, C, H, W): first the first channel of every group, then the second of every group, and so on.

    Raises:
        ValueError: not four dimensions, or channels that do not divide into the groups.
    """
    if features.ndim != 4 or groups < 1 or features.shape[1] % groups:
        raise ValueError(
            f"channel_shuffle takes (N, C, H, W) with C a multiple of groups; got {tuple(features.shape)} and {groups}."
        )
    batch, channels, height, width = features.shape
    grouped = features.reshape(batch, groups, channels // groups, height, width)
    return grouped.transpose(1, 2).reshape(batch, channels, height, width)


def _stem(in_channels: int, channels: int) -> nn.Sequential:
    """(N, in_channels, H, W) -> (N, channels, H / 2, W / 2)."""
    convolution = nn.Conv2d(in_channels, channels, 3, stride=2, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.ReLU(inplace=True))


def _pool(small_images: bool) -> nn.Module:
    return nn.Identity() if small_images else nn.MaxPool2d(3, stride=2, padding=1)


class ShuffleUnit(nn.Module):
    """Version 1: grouped 1×1, shuffle, depthwise 3×3, grouped 1×1, added to the input. Figure 2 of 1707.01083.

    With stride 2 the input is averaged and concatenated instead, which brings the output to its channels cheaply.

    Args:
        in_channels: of the input.
        out_channels: of the output; a quarter of them lies between.
        groups: of both 1×1 convolutions.
        stride: 1, with as many channels in as out, or 2.
        group_first: False leaves the first 1×1 ungrouped, for the few channels that enter stage 2.
        shuffle: False leaves the channels in their places, for the comparison of table 3.

    Raises:
        CourseError: the channels do not divide into the groups, or cannot be added or concatenated.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        groups: int,
        stride: int = 1,
        group_first: bool = True,
        shuffle: bool = True,
    ) -> None:
        hidden, new = out_channels // 4, out_channels - in_channels if stride == 2 else out_channels
        grouped = (hidden, new, in_channels) if group_first else (hidden, new)
        fits = new > 0 if stride == 2 else stride == 1 and in_channels == out_channels
        if not fits or hidden < 1 or any(channels % groups for channels in grouped):
            raise CourseError(
                f"A shuffle unit cannot go from {in_channels} to {out_channels} channels with {groups} groups and "
                f"stride {stride}: the input, a quarter of the output and the new channels must divide into the groups."
            )
        super().__init__()
        first_groups = groups if group_first else 1
        self.groups, self.stride, self.shuffle = groups, stride, shuffle
        self.compress = nn.Sequential(
            nn.Conv2d(in_channels, hidden, 1, groups=first_groups, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
        )
        self.depthwise = nn.Sequential(
            nn.Conv2d(hidden, hidden, 3, stride=stride, padding=1, groups=hidden, bias=False), nn.BatchNorm2d(hidden)
        )
        self.expand = nn.Sequential(nn.Conv2d(hidden, new, 1, groups=groups, bias=False), nn.BatchNorm2d(new))
        self.pool = nn.AvgPool2d(3, stride=2, padding=1) if stride == 2 else nn.Identity()
        self.activation = nn.ReLU(inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, ⌈H / stride⌉, ⌈W / stride⌉)."""
        compressed = self.compress(features)  # (N, hidden, H, W)
        shuffled = channel_shuffle(compressed, self.groups) if self.shuffle else compressed
        residual = self.expand(self.depthwise(shuffled))  # (N, new, H / stride, W / stride)
        if self.stride == 1:
            return self.activation(residual + features)
        return self.activation(torch.cat([residual, self.pool(features)], 1))  # (N, out_channels, H / 2, W / 2)

    def extra_repr(self) -> str:
        return f"groups={self.groups}, stride={self.stride}{'' if self.shuffle else ', no shuffle'}"


class ShuffleNetV1(nn.Module):
    """A convolution, a pool and three stages of shuffle units.

    Args:
        num_classes: size of the output.
        groups: of the 1×1 convolutions: 1, 2, 3, 4 or 8. More groups, more channels at the same cost.
        width: scales all channels, "ShuffleNet s×" in the paper.
        in_channels: channels of the images.
        channels: of stages 2, 3 and 4, before the width; the paper's row for the groups by default.
        repeats: units of stages 2, 3 and 4.
        small_images: leave out the max-pool, so that the maps are halved four times and not five.
        shuffle: False leaves out every shuffle, for the comparison of table 3.

    Raises:
        CourseError: `num_classes` is not an integer of at least 1, unknown groups, or a width that does not suit them.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        *,
        groups: int = 3,
        width: float = 1.0,
        in_channels: int = 3,
        channels: Sequence[int] | None = None,
        repeats: Sequence[int] = REPEATS,
        small_images: bool = False,
        shuffle: bool = True,
    ) -> None:
        check_count(num_classes, "num_classes")
        check_width(width)
        check_sizes(in_channels=in_channels)
        if groups not in CHANNELS_V1:
            raise CourseError(f"ShuffleNet v1 has 1, 2, 3, 4 or 8 groups; got {groups!r}.")
        super().__init__()
        entering = int(24 * width)
        if entering < 1:
            raise CourseError(f"width {width} leaves ShuffleNet v1 no channels; use at least {1 / 24:.3f}.")
        self.in_channels, self.least = in_channels, STRIDE // 2 if small_images else STRIDE
        self.conv1 = _stem(in_channels, entering)
        self.maxpool = _pool(small_images)
        stages = []
        for stage, (base, units) in enumerate(zip(channels or CHANNELS_V1[groups], repeats, strict=True)):
            leaving, common = int(base * width), {"groups": groups, "shuffle": shuffle}
            first = ShuffleUnit(entering, leaving, stride=2, group_first=stage > 0, **common)
            stages.append(nn.Sequential(first, *(ShuffleUnit(leaving, leaving, **common) for _ in range(units - 1))))
            entering = leaving
        self.stage2, self.stage3, self.stage4 = stages
        self.fc = nn.Linear(entering, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores (logits).

        Args:
            images: (N, in_channels, H, W) float; H and W at least the network's stride, 32 in the paper's.

        Returns:
            (N, num_classes) float.

        Raises:
            CourseError: another shape or an integer dtype.
        """
        dtype = self.fc.weight.dtype
        check_images(images, "ShuffleNet v1", channels=self.in_channels, least=self.least, dtype=dtype)
        features = self.maxpool(self.conv1(images))  # (N, 24, H / 4, W / 4)
        features = self.stage4(self.stage3(self.stage2(features)))  # (N, channels[-1], H / 32, W / 32)
        return self.fc(features.mean((2, 3)))


class ShuffleSplitUnit(nn.Module):
    """Version 2: half of the channels pass, half go through 1×1, depthwise 3×3, 1×1; then both halves are shuffled.

    Figure 3 of 1807.11164. With stride 2 every channel goes through both branches, and the maps are halved in both.

    Args:
        in_channels: of the input.
        out_channels: of the output, an even number; with stride 1 the same as `in_channels`.
        stride: 1 or 2.

    Raises:
        CourseError: channels or a stride that such a unit cannot have.
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1) -> None:
        if stride not in (1, 2) or out_channels % 2 or (stride == 1 and in_channels != out_channels):
            raise CourseError(
                "A split unit has an even number of output channels, and stride 2 or as many channels in as out; got "
                f"{in_channels}, {out_channels} and stride {stride}."
            )
        super().__init__()
        half = out_channels // 2
        entering = in_channels if stride == 2 else half
        self.stride = stride
        self.branch1 = nn.Sequential()
        if stride == 2:
            self.branch1 = nn.Sequential(
                nn.Conv2d(in_channels, in_channels, 3, stride=2, padding=1, groups=in_channels, bias=False),
                nn.BatchNorm2d(in_channels),
                nn.Conv2d(in_channels, half, 1, bias=False),
                nn.BatchNorm2d(half),
                nn.ReLU(inplace=True),
            )
        self.branch2 = nn.Sequential(
            nn.Conv2d(entering, half, 1, bias=False),  # (N, half, H, W)
            nn.BatchNorm2d(half),
            nn.ReLU(inplace=True),
            nn.Conv2d(
                half, half, 3, stride=stride, padding=1, groups=half, bias=False
            ),  # (N, half, H/stride, W/stride)
            nn.BatchNorm2d(half),
            nn.Conv2d(half, half, 1, bias=False),
            nn.BatchNorm2d(half),
            nn.ReLU(inplace=True),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, ⌈H / stride⌉, ⌈W / stride⌉)."""
        left, right = features.chunk(2, dim=1) if self.stride == 1 else (features, features)
        return channel_shuffle(torch.cat([self.branch1(left), self.branch2(right)], 1), 2)

    def extra_repr(self) -> str:
        return f"stride={self.stride}"


class ShuffleNetV2(nn.Module):
    """A convolution, a pool, three stages of split units and a 1×1 convolution.

    Args:
        num_classes: size of the output.
        width: 0.5, 1.0, 1.5 or 2.0.
        in_channels: channels of the images.
        channels: of stages 2, 3 and 4 and of the last 1×1 convolution; the paper's row for the width by default.
        repeats: units of stages 2, 3 and 4.
        small_images: leave out the max-pool, so that the maps are halved four times and not five.

    Raises:
        CourseError: `num_classes` is not an integer of at least 1, or the width is not in the paper's table.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        *,
        width: float = 1.0,
        in_channels: int = 3,
        channels: Sequence[int] | None = None,
        repeats: Sequence[int] = REPEATS,
        small_images: bool = False,
    ) -> None:
        check_count(num_classes, "num_classes")
        check_sizes(in_channels=in_channels)
        if width not in CHANNELS_V2:
            raise CourseError(f"ShuffleNet v2 has width 0.5, 1.0, 1.5 or 2.0; got {width!r}.")
        super().__init__()
        entering, (*stage_channels, last) = 24, channels or CHANNELS_V2[width]
        self.in_channels, self.least = in_channels, STRIDE // 2 if small_images else STRIDE
        self.conv1 = _stem(in_channels, entering)
        self.maxpool = _pool(small_images)
        stages = []
        for leaving, units in zip(stage_channels, repeats, strict=True):
            rest = [ShuffleSplitUnit(leaving, leaving) for _ in range(units - 1)]
            stages.append(nn.Sequential(ShuffleSplitUnit(entering, leaving, stride=2), *rest))
            entering = leaving
        self.stage2, self.stage3, self.stage4 = stages
        self.conv5 = nn.Sequential(
            nn.Conv2d(entering, last, 1, bias=False), nn.BatchNorm2d(last), nn.ReLU(inplace=True)
        )
        self.fc = nn.Linear(last, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores (logits).

        Args:
            images: (N, in_channels, H, W) float; H and W at least the network's stride, 32 in the paper's.

        Returns:
            (N, num_classes) float.

        Raises:
            CourseError: another shape or an integer dtype.
        """
        dtype = self.fc.weight.dtype
        check_images(images, "ShuffleNet v2", channels=self.in_channels, least=self.least, dtype=dtype)
        features = self.maxpool(self.conv1(images))  # (N, 24, H / 4, W / 4)
        features = self.conv5(self.stage4(self.stage3(self.stage2(features))))  # (N, last, H / 32, W / 32)
        return self.fc(features.mean((2, 3)))


def shufflenet_v1(num_classes: int = 1000, *, groups: int = 3, width: float = 1.0) -> ShuffleNetV1:
    """50 layers with weights; 1,865,728 parameters with 3 groups, about 140 million multiply-adds with any number."""
    return ShuffleNetV1(num_classes, groups=groups, width=width)


def shufflenet_v2(num_classes: int = 1000, *, width: float = 1.0) -> ShuffleNetV2:
    """1,366,792, 2,278,604, 3,503,624 and 7,393,996 parameters at widths 0.5, 1.0, 1.5 and 2.0."""
    return ShuffleNetV2(num_classes, width=width)
