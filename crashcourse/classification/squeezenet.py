"""SqueezeNet: AlexNet's accuracy with fifty times fewer parameters.

Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size", 2016, arXiv
1602.07360: section 3.1 (three strategies), 3.2 (fire module), table 1 (layers). Version 1.1 is the authors' later
network with 2.3 times fewer multiply-adds. Parameter names equal torchvision's.

**Differs from the paper:** initialisation, pooling that rounds up and a first layer without padding are the released
model's and torchvision's (the paper's table has 111×111 maps after the first layer of 1.0; 224×224 images give 109).
Version "small", `in_channels` and `rectified` are this course's own, for small images and few classes.
"""

import torch
from torch import Tensor, nn

from crashcourse.classification.resnet_cifar import check_sizes
from crashcourse.doors import check_count, check_images
from crashcourse.errors import unknown

Layer = tuple[int, int] | None

VARIANTS: dict[str, tuple[tuple[int, int], tuple[Layer, ...]]] = {
    "1.0": (
        (96, 7),
        (None, (16, 64), (16, 64), (32, 128), None, (32, 128), (48, 192), (48, 192), (64, 256), None, (64, 256)),
    ),
    "1.1": (
        (64, 3),
        (None, (16, 64), (16, 64), None, (32, 128), (32, 128), None, (48, 192), (48, 192), (64, 256), (64, 256)),
    ),
    "small": (
        (32, 3),
        ((8, 32), (8, 32), None, (16, 64), (16, 64), None, (24, 96), (24, 96)),
    ),
}
"""Version -> the first convolution's (channels, kernel), then fire modules as (s1x1, e1x1 = e3x3) and pools as None."""


class Fire(nn.Module):
    """Squeeze to few channels by 1×1, then expand by 1×1 and by 3×3 side by side. Section 3.2.

    Args:
        in_channels: of the input.
        squeeze: channels between, s1x1 of the paper.
        expand1x1: output channels of the 1×1 convolution.
        expand3x3: output channels of the 3×3 convolution.
    """

    def __init__(self, in_channels: int, squeeze: int, expand1x1: int, expand3x3: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(in_channels, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand1x1, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand3x3, 3, padding=1)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, expand1x1 + expand3x3, H, W)."""
        squeezed = self.activation(self.squeeze(features))  # (N, squeeze, H, W)
        return torch.cat([self.activation(self.expand1x1(squeezed)), self.activation(self.expand3x3(squeezed))], 1)


class SqueezeNet(nn.Module):
    """A convolution, eight fire modules, and a 1×1 convolution to the classes whose maps are averaged.

    Args:
        num_classes: size of the output.
        version: "1.0", "1.1", or "small" for images of about 28×28.
        dropout: probability of dropping a value before the last convolution while training.
        in_channels: channels of the images.
        rectified: whether a ReLU follows the last convolution, as in the paper. With few classes it can silence one for
            good: where none of its maps is positive for any image, no gradient reaches it.

    Raises:
        CourseError: `num_classes` is not an integer of at least 1, or the version is unknown.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        *,
        version: str = "1.0",
        dropout: float = 0.5,
        in_channels: int = 3,
        rectified: bool = True,
    ) -> None:
        check_count(num_classes, "num_classes")
        check_sizes(in_channels=in_channels)
        if version not in VARIANTS:
            raise unknown("version of SqueezeNet", version, VARIANTS)
        super().__init__()
        (channels, kernel), layers = VARIANTS[version]
        self.version, self.in_channels = version, in_channels
        self.least = {"1.0": 21, "1.1": 17, "small": 9}[version]
        self.features = nn.Sequential(nn.Conv2d(in_channels, channels, kernel, stride=2), nn.ReLU(inplace=True))
        for layer in layers:
            if layer is None:
                self.features.append(nn.MaxPool2d(3, stride=2, ceil_mode=True))
                continue
            squeeze, expand = layer
            self.features.append(Fire(channels, squeeze, expand, expand))
            channels = 2 * expand
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Conv2d(channels, num_classes, 1),
            nn.ReLU(inplace=True) if rectified else nn.Identity(),
            nn.AdaptiveAvgPool2d(1),
        )
        self._initialize()

    def forward(self, images: Tensor) -> Tensor:
        """Class scores: averages of maps, none negative where they are rectified.

        Args:
            images: (N, in_channels, H, W) float; H and W at least 21 for version 1.0, 17 for 1.1, 9 for "small".

        Returns:
            (N, num_classes) float.

        Raises:
            CourseError: another shape or an integer dtype.
        """
        dtype, network = self.classifier[1].weight.dtype, f"SqueezeNet {self.version}"
        check_images(images, network, channels=self.in_channels, least=self.least, dtype=dtype)
        return torch.flatten(self.classifier(self.features(images)), 1)

    def _initialize(self) -> None:
        """As torchvision: Kaiming's uniform, and a standard deviation of 0.01 in the last convolution."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.normal_(self.classifier[1].weight, std=0.01)


def squeezenet1_0(num_classes: int = 1000) -> SqueezeNet:
    """The paper's network: 1,248,424 parameters, 4.8 MB in single precision."""
    return SqueezeNet(num_classes, version="1.0")


def squeezenet1_1(num_classes: int = 1000) -> SqueezeNet:
    """A smaller first layer and earlier pooling: 1,235,496 parameters, 2.3 times fewer multiply-adds."""
    return SqueezeNet(num_classes, version="1.1")
