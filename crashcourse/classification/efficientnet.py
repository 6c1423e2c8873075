"""EfficientNet: one small network, scaled in width, depth and resolution together.

Tan, Le, "EfficientNet: rethinking model scaling for convolutional neural networks", ICML 2019, arXiv 1905.11946:
section 4 (B0, table 1). Its section 3.3, compound scaling, is in `efficientnet_scaling.py`. Parameter names equal
torchvision's.

**Differs from the paper:** padding is symmetric and initialisation torchvision's. B1 to B7 have the released models'
width, depth and image size, which do not follow from one integer φ. B0 to B4 have PyTorch's BatchNorm (ε = 1e-5,
momentum 0.1) and B5 to B7 the authors' (1e-3, 0.01), as torchvision's weights expect. `small_efficientnet` is this
course's own, for 28×28 images.
"""

from math import prod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from crashcourse.classification.efficientnet_scaling import check_depth, scale_stage
from crashcourse.classification.mobilenet import check_width, conv_norm, round_channels
from crashcourse.classification.senet import SqueezeExcitation
from crashcourse.classification.stochastic_depth import stochastic_depth
from crashcourse.doors import check_count, check_images
from crashcourse.errors import CourseError

STAGES = (
    (1, 3, 16, 1, 1),
    (6, 3, 24, 2, 2),
    (6, 5, 40, 2, 2),
    (6, 3, 80, 3, 2),
    (6, 5, 112, 3, 1),
    (6, 5, 192, 4, 2),
    (6, 3, 320, 1, 1),
)
"""Table 1 of the paper: expansion, kernel, channels, repeats and first stride of B0's stages 2 to 8."""

SMALL_STAGES = (
    (1, 3, 8, 1, 1),
    (6, 3, 16, 2, 2),
    (6, 5, 24, 2, 2),
    (6, 3, 40, 1, 1),
)
"""Four of those stages, with narrow channels, for images of 14×14 to 28×28."""


class Baseline(NamedTuple):
    """What is multiplied: the stages and the stem; and how many channels the images have.

    Attributes:
        stages: rows of expansion, kernel, channels, repeats and first stride.
        stem: channels of the first convolution.
        stem_stride: its stride.
        in_channels: of the images.
        divisor: channels are rounded to multiples of it.
    """

    stages: tuple[tuple[int, int, int, int, int], ...] = STAGES
    stem: int = 32
    stem_stride: int = 2
    in_channels: int = 3
    divisor: int = 8

    @property
    def stride(self) -> int:
        """What height and width are divided by, from the images to the last maps."""
        return self.stem_stride * prod(stage[4] for stage in self.stages)


B0 = Baseline()
"""The paper's."""


class Variant(NamedTuple):
    """One released network: multipliers of channels and repeats, side of the images, dropout, authors' BatchNorm."""

    width: float
    depth: float
    image_size: int
    dropout: float
    authors_norm: bool = False


VARIANTS = {
    "b0": Variant(1.0, 1.0, 224, 0.2),
    "b1": Variant(1.0, 1.1, 240, 0.2),
    "b2": Variant(1.1, 1.2, 260, 0.3),
    "b3": Variant(1.2, 1.4, 300, 0.3),
    "b4": Variant(1.4, 1.8, 380, 0.4),
    "b5": Variant(1.6, 2.2, 456, 0.4, authors_norm=True),
    "b6": Variant(1.8, 2.6, 528, 0.5, authors_norm=True),
    "b7": Variant(2.0, 3.1, 600, 0.5, authors_norm=True),
}
"""The networks as released."""


class MBConv(nn.Module):
    """MobileNet v2's inverted residual with SiLU, squeeze and excitation, and stochastic depth.

    The gates are computed from a quarter of the block's input channels, not of the expanded ones.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        kernel: side of the depthwise kernel, an odd number.
        stride: of the depthwise convolution, 1 or 2.
        expansion: channels between, as a multiple of `in_channels`; 1 leaves the first 1×1 convolution out.
        drop: probability of dropping an example's residual while training.

    Raises:
        CourseError: a stride, kernel or probability that such a block cannot have.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: int = 3,
        stride: int = 1,
        expansion: int = 6,
        drop: float = 0.0,
    ) -> None:
        if stride not in (1, 2) or kernel % 2 == 0 or not 0 <= drop < 1:
            raise CourseError(
                "MBConv needs stride 1 or 2, an odd kernel and a drop probability in [0, 1); got "
                f"{stride}, {kernel} and {drop}."
            )
        super().__init__()
        hidden = in_channels * expansion
        self.has_skip = stride == 1 and in_channels == out_channels
        self.drop = drop
        expand = [conv_norm(in_channels, hidden, 1, activation=nn.SiLU)] if expansion != 1 else []
        self.block = nn.Sequential(
            *expand,  # (N, hidden, H, W)
            conv_norm(hidden, hidden, kernel, stride=stride, groups=hidden, activation=nn.SiLU),
            SqueezeExcitation(hidden, squeezed=max(1, in_channels // 4), activation=nn.SiLU),
            conv_norm(hidden, out_channels, 1, activation=None),  # (N, out_channels, H / stride, W / stride)
        )

    def forward(self, features: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, ⌈H / stride⌉, ⌈W / stride⌉)."""
        residual = self.block(features)
        if not self.has_skip:
            return residual
        return features + stochastic_depth(residual, self.drop, training=self.training)

    def extra_repr(self) -> str:
        return f"has_skip={self.has_skip}, drop={self.drop:.4g}"


class EfficientNet(nn.Module):
    """A baseline, the paper's B0 if no other is given, with its channels and repeats multiplied.

    Args:
        num_classes: size of the output.
        width: multiplier of the channels, which are then rounded, in B0 to multiples of 8.
        depth: multiplier of the repeats, which are then rounded up.
        dropout: probability of dropping a unit before the classifier while training.
        drop: stochastic depth of the last block, were there one more; it grows from 0 in the first block.
        authors_norm: BatchNorm with ε = 1e-3 and momentum 0.01 instead of PyTorch's own.
        baseline: what is multiplied.

    Raises:
        CourseError: `num_classes` is not an integer of at least 1, or a multiplier is not positive.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        *,
        width: float = 1.0,
        depth: float = 1.0,
        dropout: float = 0.2,
        drop: float = 0.2,
        authors_norm: bool = False,
        baseline: Baseline = B0,
    ) -> None:
        check_count(num_classes, "num_classes")
        check_width(width)
        check_depth(depth)
        super().__init__()
        self.baseline = baseline
        scaled = [scale_stage(row[2], row[3], width, depth, baseline.divisor) for row in baseline.stages]
        blocks = sum(repeats for _, repeats in scaled)
        drops = iter([drop * block / blocks for block in range(blocks)])
        channels = round_channels(baseline.stem * width, baseline.divisor)
        stem = {"stride": baseline.stem_stride, "activation": nn.SiLU}
        layers = [conv_norm(baseline.in_channels, channels, 3, **stem)]
        for (expansion, kernel, _, _, stride), (out_channels, repeats) in zip(baseline.stages, scaled, strict=True):
            stage = nn.Sequential()
            for index in range(repeats):
                settings = {"kernel": kernel, "expansion": expansion, "drop": next(drops)}
                stage.append(MBConv(channels, out_channels, stride=stride if index == 0 else 1, **settings))
                channels = out_channels
            layers.append(stage)
        self.features = nn.Sequential(*layers, conv_norm(channels, 4 * channels, 1, activation=nn.SiLU))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(4 * channels, num_classes))
        self._initialize(authors_norm)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores (logits).

        Args:
            images: (N, 3, H, W) float; H and W at least 32; published for the sizes in `VARIANTS`. Channels and
                least size are the baseline's, where another is given.

        Returns:
            (N, num_classes) float.

        Raises:
            CourseError: another shape or an integer dtype.
        """
        channels, least = self.baseline.in_channels, self.baseline.stride
        dtype = self.classifier[1].weight.dtype
        check_images(images, "EfficientNet", channels=channels, least=least, dtype=dtype)
        return self.classifier(torch.flatten(self.avgpool(self.features(images)), 1))

    def _initialize(self, authors_norm: bool) -> None:
        """As torchvision: Kaiming's by outputs; the classifier uniform, within 1 / √num_classes."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.BatchNorm2d) and authors_norm:
                module.eps, module.momentum = 1e-3, 0.01
        bound = self.classifier[1].out_features ** -0.5
        nn.init.uniform_(self.classifier[1].weight, -bound, bound)
        nn.init.zeros_(self.classifier[1].bias)


def _released(name: str, num_classes: int) -> EfficientNet:
    variant = VARIANTS[name]
    return EfficientNet(
        num_classes,
        width=variant.width,
        depth=variant.depth,
        dropout=variant.dropout,
        authors_norm=variant.authors_norm,
    )


def efficientnet_b0(num_classes: int = 1000) -> EfficientNet:
    """Found by a search, for 224×224 images: 5,288,548 parameters."""
    return _released("b0", num_classes)


def efficientnet_b1(num_classes: int = 1000) -> EfficientNet:
    """For 240×240 images: 7,794,184 parameters."""
    return _released("b1", num_classes)


def efficientnet_b2(num_classes: int = 1000) -> EfficientNet:
    """For 260×260 images: 9,109,994 parameters."""
    return _released("b2", num_classes)


def efficientnet_b3(num_classes: int = 1000) -> EfficientNet:
    """For 300×300 images: 12,233,232 parameters."""
    return _released("b3", num_classes)


def efficientnet_b4(num_classes: int = 1000) -> EfficientNet:
    """For 380×380 images: 19,341,616 parameters."""
    return _released("b4", num_classes)


def efficientnet_b5(num_classes: int = 1000) -> EfficientNet:
    """For 456×456 images: 30,389,784 parameters."""
    return _released("b5", num_classes)


def efficientnet_b6(num_classes: int = 1000) -> EfficientNet:
    """For 528×528 images: 43,040,704 parameters."""
    return _released("b6", num_classes)


def efficientnet_b7(num_classes: int = 1000) -> EfficientNet:
    """For 600×600 images: 66,347,960 parameters."""
    return _released("b7", num_classes)


def small_efficientnet(
    num_classes: int = 10,
    *,
    in_channels: int = 1,
    width: float = 1.0,
    depth: float = 1.0,
    drop: float = 0.0,
    stem_stride: int = 1,
) -> EfficientNet:
    """Four stages for images of 14×14 to 28×28, small enough for a laptop.

    Args:
        num_classes: size of the output.
        in_channels: channels of the images.
        width, depth: multipliers of channels and repeats.
        drop: stochastic depth of the last block, were there one more.
        stem_stride: stride of the first convolution.

    Raises:
        CourseError: as `EfficientNet`.
    """
    baseline = Baseline(SMALL_STAGES, stem=16, stem_stride=stem_stride, in_channels=in_channels, divisor=4)
    return EfficientNet(num_classes, width=width, depth=depth, dropout=0.0, drop=drop, baseline=baseline)
