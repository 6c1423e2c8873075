"""VGG: nothing but 3×3 convolutions, deeper.

Simonyan, Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015, arXiv 1409.1556:
table 1 (configurations), table 2 (parameters), section 2.3 (why small kernels).

**Differs from the paper:** parameter names, initialisation and average pooling before the classifier are
torchvision's; the pooling does nothing at 224×224 and lets the network take other sizes. Batch normalisation came
later (Ioffe and Szegedy, 2015, arXiv 1502.03167). A-LRN is left out: it did not help (section 4.1). `small_vgg` is this
course's own, for 28×28 images.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from crashcourse.doors import check_count, check_images
from crashcourse.errors import CourseError

CHANNELS = (64, 128, 256, 512, 512)
"""Channels of the five stages, the same in every configuration: they double where the maps halve, up to 512."""

CONFIGURATIONS: dict[str, tuple[tuple[int, ...], ...]] = {
    "A": ((3,), (3,), (3, 3), (3, 3), (3, 3)),
    "B": ((3, 3), (3, 3), (3, 3), (3, 3), (3, 3)),
    "C": ((3, 3), (3, 3), (3, 3, 1), (3, 3, 1), (3, 3, 1)),
    "D": ((3, 3), (3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)),
    "E": ((3, 3), (3, 3), (3, 3, 3, 3), (3, 3, 3, 3), (3, 3, 3, 3)),
}
"""Table 1 of the paper, by its letters: the kernel sizes of every stage. After each stage comes 2×2 max-pooling."""


def vgg_features(
    stages: tuple[tuple[int, ...], ...],
    channels: tuple[int, ...],
    *,
    in_channels: int = 3,
    batch_norm: bool = False,
) -> nn.Sequential:
    """The convolutional part of a VGG: size-keeping convolutions, each with its ReLU, and a 2×2 max-pool per stage.

    Args:
        stages: for every stage its kernel sizes, all odd: ((3,), (3, 3)) is two stages with one and two convolutions.
        channels: output channels of every stage.
        in_channels: channels of the images.
        batch_norm: whether `nn.BatchNorm2d` comes between every convolution and its ReLU.

    Returns:
        One flat `nn.Sequential`, (N, in_channels, H, W) -> (N, channels[-1], H / 2^stages, W / 2^stages).

    Raises:
        ValueError: stages and channels differ in number, or a kernel is not odd.
    """
    if len(stages) != len(channels) or any(kernel % 2 == 0 for kernels in stages for kernel in kernels):
        raise ValueError(f"Expected odd kernels and one channel count per stage; got {stages} and {channels}.")
    layers: list[nn.Module] = []
    for kernels, out_channels in zip(stages, channels, strict=True):
        for kernel in kernels:
            layers.append(nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2))
            if batch_norm:
                layers.append(nn.BatchNorm2d(out_channels))
            layers.append(nn.ReLU(inplace=True))
            in_channels = out_channels
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def vgg_parameters(
    stages: tuple[tuple[int, ...], ...],
    channels: tuple[int, ...],
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    image_size: int = 224,
    hidden: int = 4096,
) -> int:
    """How many weights and biases a VGG has, counted from its table, without building it.

    Args:
        stages: for every stage its kernel sizes: ((3,), (3, 3)) is two stages with one and two convolutions.
        channels: output channels of every stage.
        num_classes: outputs of the third dense layer.
        in_channels: channels of the images.
        image_size: side of the square images in pixels; every stage halves it.
        hidden: outputs of the first and of the second dense layer.

    Returns:
        The number of parameters, convolutions and dense layers together.

    Raises:
        ValueError: stages and channels differ in number, or the image is too small to be halved by every stage.
    """
    if len(stages) != len(channels) or image_size < 2 ** len(stages):
        raise ValueError(
            f"Expected one channel count per stage, 2^stages pixels; got {stages}, {channels}, {image_size}."
        )
    total = 0
    for kernels, out_channels in zip(stages, channels, strict=True):
        for kernel in kernels:
            total += out_channels * (in_channels * kernel * kernel + 1)  # + 1 for the bias
            in_channels = out_channels
        image_size //= 2
    flat = in_channels * image_size * image_size  # what the first dense layer sees
    return total + hidden * (flat + 1) + hidden * (hidden + 1) + num_classes * (hidden + 1)


class VGG(nn.Module):
    """A stack from `vgg_features`, and three dense layers.

    Args:
        features: the stack; its first convolution says how many channels the images have.
        num_classes: size of the output.
        hidden: width of the first two dense layers.
        pooled: side of the maps that the dense layers see.
        dropout: probability of dropping a hidden unit while training.

    Raises:
        CourseError: `num_classes` is not an integer of at least 1, or there is no convolution in `features`.
    """

    def __init__(
        self,
        features: nn.Module,
        num_classes: int = 1000,
        *,
        hidden: int = 4096,
        pooled: int = 7,
        dropout: float = 0.5,
    ) -> None:
        check_count(num_classes, "num_classes")
        convolutions = [module for module in features.modules() if isinstance(module, nn.Conv2d)]
        if not convolutions:
            raise CourseError("VGG needs at least one convolution in its features; build them with vgg_features().")
        super().__init__()
        self.in_channels = convolutions[0].in_channels
        self.least = 2 ** sum(isinstance(module, nn.MaxPool2d) for module in features.modules())
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((pooled, pooled))
        self.classifier = nn.Sequential(
            nn.Linear(convolutions[-1].out_channels * pooled * pooled, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )
        self._initialize()

    def forward(self, images: Tensor) -> Tensor:
        """Class scores (logits).

        Args:
            images: (N, in_channels, H, W) float; H, W at least 2^stages, 32 for the published networks.

        Returns:
            (N, num_classes) float.

        Raises:
            CourseError: another shape or an integer dtype.
        """
        dtype = self.classifier[0].weight.dtype
        check_images(images, "VGG", channels=self.in_channels, least=self.least, dtype=dtype)
        features = self.avgpool(self.features(images))  # (N, channels[-1], pooled, pooled)
        return self.classifier(torch.flatten(features, 1))

    def _initialize(self) -> None:
        """As torchvision: Kaiming's for convolutions, without which the deep plain nets do not start to learn.

        Dense weights have a standard deviation of 0.01 at the paper's width, and a larger one in narrower heads.
        """
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01 * (4096 / self.classifier[0].out_features) ** 0.5)
                nn.init.zeros_(module.bias)


def vgg11(num_classes: int = 1000, *, batch_norm: bool = False) -> VGG:
    """Configuration A, 11 layers with weights: 132,863,336 parameters, 132,868,840 with BatchNorm."""
    return VGG(vgg_features(CONFIGURATIONS["A"], CHANNELS, batch_norm=batch_norm), num_classes)


def vgg13(num_classes: int = 1000, *, batch_norm: bool = False) -> VGG:
    """Configuration B, 13 layers with weights: 133,047,848 parameters, 133,053,736 with BatchNorm."""
    return VGG(vgg_features(CONFIGURATIONS["B"], CHANNELS, batch_norm=batch_norm), num_classes)


def vgg16_c(num_classes: int = 1000, *, batch_norm: bool = False) -> VGG:
    """Configuration C, 16 layers with weights, three of them 1×1: 133,638,952 parameters. No published weights."""
    return VGG(vgg_features(CONFIGURATIONS["C"], CHANNELS, batch_norm=batch_norm), num_classes)


def vgg16(num_classes: int = 1000, *, batch_norm: bool = False) -> VGG:
    """Configuration D, 16 layers with weights: 138,357,544 parameters, 138,365,992 with BatchNorm."""
    return VGG(vgg_features(CONFIGURATIONS["D"], CHANNELS, batch_norm=batch_norm), num_classes)


def vgg19(num_classes: int = 1000, *, batch_norm: bool = False) -> VGG:
    """Configuration E, 19 layers with weights: 143,667,240 parameters, 143,678,248 with BatchNorm."""
    return VGG(vgg_features(CONFIGURATIONS["E"], CHANNELS, batch_norm=batch_norm), num_classes)


def small_vgg(
    num_classes: int = 10,
    *,
    in_channels: int = 1,
    width: int = 16,
    stages: Sequence[int] = (1, 1, 2),
    batch_norm: bool = True,
) -> VGG:
    """A VGG for 28×28 images that trains on a laptop: the paper's pattern, narrow, with a small head.

    Args:
        num_classes: size of the output.
        in_channels: channels of the images.
        width: channels of the first stage; they double from stage to stage.
        stages: how many 3×3 convolutions each stage has. The maps halve after each: 28, 14, 7, 3.
        batch_norm: whether `nn.BatchNorm2d` follows every convolution.

    Raises:
        CourseError: a number is not an integer of at least 1, or there is no stage.
    """
    if not stages or any(not isinstance(n, int) or n < 1 for n in (in_channels, width, *stages)):
        raise CourseError(
            f"in_channels, width and every stage must be at least 1; got {in_channels}, {width}, {stages}."
        )
    channels = tuple(width * 2**stage for stage in range(len(stages)))
    kernels = tuple((3,) * count for count in stages)
    features = vgg_features(kernels, channels, in_channels=in_channels, batch_norm=batch_norm)
    return VGG(features, num_classes, hidden=4 * width, pooled=3, dropout=0.2)
