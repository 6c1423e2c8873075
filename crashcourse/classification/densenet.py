"""DenseNet: every layer of a block sees the maps of all the layers before it.

Huang, Liu, van der Maaten, Weinberger, "Densely connected convolutional networks", CVPR 2017, arXiv 1608.06993:
equation 2 (dense connectivity), section 3 (composite function, growth rate, bottleneck, compression), table 1 (the
networks for ImageNet), section 4.2 (dropout). Checkpointing is the idea of Pleiss et al., "Memory-efficient
implementation of DenseNets", 2017, arXiv 1707.06990: what concatenation and normalisation produce is computed again in
the backward pass.

**Differs from the paper:** parameter names and initialisation are torchvision's. Dropout, which the paper uses on
small images without augmentation only, follows every convolution but the first, as in section 4.2; torchvision has it
after the last convolution of each layer alone. `stem_stride` is this course's own, for 28×28 images on a laptop. The
networks for 32×32 images are in `densenet_cifar.py`.
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from crashcourse.doors import check_count, check_images
from crashcourse.errors import CourseError


class DenseLayer(nn.Module):
    """Equation 2: x_l = H_l([x_0, ..., x_{l-1}]), with H_l as BN-ReLU-conv, the 3×3 one behind a 1×1 bottleneck or not.

    Args:
        in_channels: channels of all the maps before it, together.
        growth: channels that it adds, k in the paper.
        bottleneck: the 1×1 convolution makes `bottleneck` times k channels, 4 in the paper's "B"; 0 leaves it out.
        dropout: probability of dropping a unit behind each convolution while training.
        checkpointing: compute the concatenation and its normalisation again in the backward pass, instead of keeping
            them from the forward pass.
    """

    def __init__(
        self, in_channels: int, growth: int, *, bottleneck: int = 4, dropout: float = 0.0, checkpointing: bool = False
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.bottleneck = bottleneck
        self.checkpointing = checkpointing
        width = bottleneck * growth
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.relu1 = nn.ReLU(inplace=True)
        if bottleneck:
            self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
            self.norm2 = nn.BatchNorm2d(width)
            self.relu2 = nn.ReLU(inplace=True)
            self.conv2 = nn.Conv2d(width, growth, 3, padding=1, bias=False)
        else:
            self.conv1 = nn.Conv2d(in_channels, growth, 3, padding=1, bias=False)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """The new maps of this layer.

        Args:
            maps: of the block's input and of every layer before, each (N, C_i, H, W) float.

        Returns:
            (N, growth, H, W) float.
        """
        if self.checkpointing and torch.is_grad_enabled():
            first = self._checkpointed(maps)
        else:
            first = self._first(*maps)
        first = F.dropout(first, self.dropout, self.training)
        if not self.bottleneck:
            return first
        new = self.conv2(self.relu2(self.norm2(first)))  # (N, growth, H, W)
        return F.dropout(new, self.dropout, self.training)

    def extra_repr(self) -> str:
        return f"bottleneck={self.bottleneck}, dropout={self.dropout}, checkpointing={self.checkpointing}"

    def _first(self, *maps: Tensor) -> Tensor:
        return self.conv1(self.relu1(self.norm1(torch.cat(maps, 1))))  # (N, bottleneck * growth, H, W)

    def _checkpointed(self, maps: list[Tensor]) -> Tensor:
        if torch.compiler.is_compiling():  # the compiler recomputes values, and never repeats a change of a buffer
            return checkpoint(self._first, *maps, use_reentrant=False)
        return checkpoint(self._first, *maps, use_reentrant=False, context_fn=self._contexts)

    def _contexts(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), self._recomputing()

    @contextmanager
    def _recomputing(self) -> Iterator[None]:
        """Without it, every step would move the running mean and variance of `norm1` twice, and count two batches."""
        norm = self.norm1
        momentum, batches = norm.momentum, norm.num_batches_tracked
        norm.momentum, norm.num_batches_tracked = 0.0, None
        try:
            yield
        finally:
            norm.momentum, norm.num_batches_tracked = momentum, batches


class DenseBlock(nn.ModuleDict):
    """Layers that each see the input of the block and the maps of all the layers before; options of `DenseLayer`."""

    def __init__(
        self,
        layers: int,
        in_channels: int,
        growth: int,
        *,
        bottleneck: int = 4,
        dropout: float = 0.0,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        for place in range(layers):
            seen = in_channels + place * growth
            self[f"denselayer{place + 1}"] = DenseLayer(
                seen, growth, bottleneck=bottleneck, dropout=dropout, checkpointing=checkpointing
            )

    def forward(self, images: Tensor) -> Tensor:
        """The input and the maps of every layer, concatenated: (N, C, H, W) -> (N, C + layers · growth, H, W)."""
        maps = [images]
        for layer in self.values():
            maps.append(layer(maps))
        return torch.cat(maps, 1)


class Transition(nn.Sequential):
    """Between two blocks: BN-ReLU, a 1×1 convolution to `out_channels`, and 2×2 average pooling.

    (N, in_channels, H, W) -> (N, out_channels, H // 2, W // 2).
    """

    def __init__(self, in_channels: int, out_channels: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        if dropout:
            self.dropout = nn.Dropout(dropout)
        self.pool = nn.AvgPool2d(2)


@dataclass(frozen=True)
class Configuration:
    """A DenseNet in the paper's terms.

    Attributes:
        growth: channels that every layer adds, k.
        blocks: how many layers each dense block has.
        stem_channels: channels after the first convolution.
        bottleneck: the 1×1 convolution of a layer makes this many times k channels (the paper's "B", 4); 0: none.
        compression: a transition keeps this share of the channels, θ (the paper's "C", 0.5); 1.0 keeps them all.
        small_images: a 3×3 convolution as the stem, for 32×32 images, in place of a 7×7 one with stride 2 and pooling.
        stem_stride: stride of that 3×3 convolution; 1 in the paper. The stem for large images does not use it.
    """

    growth: int
    blocks: tuple[int, ...]
    stem_channels: int
    bottleneck: int = 4
    compression: float = 0.5
    small_images: bool = False
    stem_stride: int = 1


CONFIGURATIONS: dict[str, Configuration] = {
    "121": Configuration(32, (6, 12, 24, 16), 64),
    "169": Configuration(32, (6, 12, 32, 32), 64),
    "201": Configuration(32, (6, 12, 48, 32), 64),
    "161": Configuration(48, (6, 12, 36, 24), 96),
}
"""Rows of table 1, by the number of layers with weights, and DenseNet-161 as the authors released it."""


def stem(configuration: Configuration, in_channels: int) -> OrderedDict[str, nn.Module]:
    """What comes before the first block, under torchvision's names."""
    width = configuration.stem_channels
    if configuration.small_images:
        convolution = nn.Conv2d(in_channels, width, 3, configuration.stem_stride, padding=1, bias=False)
        return OrderedDict(conv0=convolution)  # (N, width, H / stem_stride, W / stem_stride)
    return OrderedDict(
        conv0=nn.Conv2d(in_channels, width, 7, stride=2, padding=3, bias=False),  # (N, width, H / 2, W / 2)
        norm0=nn.BatchNorm2d(width),
        relu0=nn.ReLU(inplace=True),
        pool0=nn.MaxPool2d(3, stride=2, padding=1),  # (N, width, H / 4, W / 4)
    )


class DenseNet(nn.Module):
    """A stem, dense blocks with transitions between them, global average pooling, and one dense layer.

    Args:
        configuration: a row of the paper's table.
        num_classes: size of the output.
        in_channels: channels of the images.
        dropout: probability of dropping a unit behind every convolution but the first while training.
        checkpointing: recompute the concatenations of every layer in the backward pass: less memory, more time,
            the same output, gradients and running statistics.

    Raises:
        CourseError: a number is out of its range.
    """

    def __init__(
        self,
        configuration: Configuration,
        num_classes: int = 1000,
        *,
        in_channels: int = 3,
        dropout: float = 0.0,
        checkpointing: bool = False,
    ) -> None:
        check_count(num_classes, "num_classes")
        _check(configuration, in_channels, dropout)
        super().__init__()
        halvings = len(configuration.blocks) - 1
        # The layers of the stem round up, the pooling of transitions rounds down.
        stem_stride = configuration.stem_stride if configuration.small_images else 4
        self.least = stem_stride * (2**halvings - 1) + 1
        self.in_channels = in_channels
        self.features = nn.Sequential(stem(configuration, in_channels))
        channels, growth = configuration.stem_channels, configuration.growth
        options = {"dropout": dropout, "checkpointing": checkpointing}
        for place, layers in enumerate(configuration.blocks, start=1):
            if place > 1:
                kept = int(configuration.compression * channels)
                self.features.add_module(f"transition{place - 1}", Transition(channels, kept, dropout=dropout))
                channels = kept
            block = DenseBlock(layers, channels, growth, bottleneck=configuration.bottleneck, **options)
            self.features.add_module(f"denseblock{place}", block)
            channels += layers * growth
        self.features.add_module(f"norm{len(configuration.blocks) + 1}", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, num_classes)
        self._initialize()

    def forward(self, images: Tensor) -> Tensor:
        """Class scores (logits).

        Args:
            images: (N, in_channels, H, W) float; H and W at least 29, in the form for small images at least 4.

        Returns:
            (N, num_classes) float.

        Raises:
            CourseError: another shape or an integer dtype.
        """
        dtype = self.classifier.weight.dtype
        check_images(images, "DenseNet", channels=self.in_channels, least=self.least, dtype=dtype)
        features = F.relu(self.features(images), inplace=True)
        return self.classifier(torch.flatten(F.adaptive_avg_pool2d(features, 1), 1))

    def _initialize(self) -> None:
        """As the authors: Kaiming's normal weights for convolutions, no bias in the dense layer."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        nn.init.zeros_(self.classifier.bias)


def densenet121(num_classes: int = 1000, *, checkpointing: bool = False) -> DenseNet:
    """k = 32, blocks of 6, 12, 24 and 16 layers: 7,978,856 parameters."""
    return DenseNet(CONFIGURATIONS["121"], num_classes, checkpointing=checkpointing)


def densenet169(num_classes: int = 1000, *, checkpointing: bool = False) -> DenseNet:
    """k = 32, blocks of 6, 12, 32 and 32 layers: 14,149,480 parameters."""
    return DenseNet(CONFIGURATIONS["169"], num_classes, checkpointing=checkpointing)


def densenet201(num_classes: int = 1000, *, checkpointing: bool = False) -> DenseNet:
    """k = 32, blocks of 6, 12, 48 and 32 layers: 20,013,928 parameters."""
    return DenseNet(CONFIGURATIONS["201"], num_classes, checkpointing=checkpointing)


def densenet161(num_classes: int = 1000, *, checkpointing: bool = False) -> DenseNet:
    """k = 48, blocks of 6, 12, 36 and 24 layers: 28,681,000 parameters."""
    return DenseNet(CONFIGURATIONS["161"], num_classes, checkpointing=checkpointing)


def is_count(value: object) -> bool:
    """Whether the value is an integer of at least 1; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _check(configuration: Configuration, in_channels: int, dropout: float) -> None:
    """Refuse numbers of which no network can be built."""
    c = configuration
    if not c.blocks or not all(map(is_count, (in_channels, c.growth, c.stem_channels, c.stem_stride, *c.blocks))):
        raise CourseError(
            "in_channels, growth, stem_channels, stem_stride and every block must be integers of at least 1; "
            f"got {in_channels!r}, {c.growth!r}, {c.stem_channels!r}, {c.stem_stride!r}, {c.blocks!r}."
        )
    if c.bottleneck != 0 and not is_count(c.bottleneck):
        raise CourseError(f"bottleneck must be 0 for none or an integer of at least 1; got {c.bottleneck!r}.")
    if not 0 < c.compression <= 1 or not 0 <= dropout < 1:
        raise CourseError(f"Expected 0 < compression <= 1 and 0 <= dropout < 1; got {c.compression} and {dropout}.")
