"""GoogLeNet: filters of several sizes side by side, and one class score from the mean of each map.

Szegedy et al., "Going deeper with convolutions", CVPR 2015, arXiv 1409.4842: section 4 (the module), table 1 (the
network), section 5 (auxiliary heads), section 6 (their weight). Response normalisation: Krizhevsky et al., NIPS 2012,
section 3.3.

**Differs from the paper:** the default form is torchvision's, whose parameter names and weights it takes: batch
normalisation in place of response normalisation, 3×3 where the paper has 5×5 (an old slip, kept for the weights'
sake), a 2×2 fourth pooling, dropout 0.2 instead of 0.4, auxiliary heads that average to 4×4 from any size. With
`paper=True` all these are the paper's. What the paper does not give is chosen: the constants of the response
normalisation (AlexNet's) and the initialisation (Kaiming's). `small_googlenet` is this course's own, for 28×28 images.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crashcourse.classification.alexnet import response_normalization
from crashcourse.doors import check_count, check_images
from crashcourse.errors import CourseError, unknown

INCEPTIONS: dict[str, tuple[int, int, int, int, int, int]] = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
"""Table 1: output channels of 1×1, 3×3 reduce, 3×3, 5×5 reduce, 5×5, pool proj, for every module."""

HEADS = ("average", "dense")


class GoogLeNetOutputs(NamedTuple):
    """What the network returns while it trains, in torchvision's order; every entry is (N, num_classes)."""

    logits: Tensor
    aux_logits2: Tensor
    aux_logits1: Tensor


def local_response_norm(
    maps: Tensor, *, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0
) -> Tensor:
    """Divide every value by what the neighbouring channels have at the same place.

    b_c = a_c / (k + alpha · sum of a² over the `size` channels around c) ^ beta; beyond the first and the last
    channel there is nothing to add (AlexNet, section 3.3).

    Args:
        maps: (N, C, H, W) float.
        size: how many channels are summed, c itself in the middle: odd.
        alpha, beta, k: constants of the formula.

    Returns:
        (N, C, H, W) float.

    Raises:
        ValueError: size is not odd.
    """
    if size % 2 == 0:
        raise ValueError(f"size must be odd, so that a channel is in the middle of its neighbours; got {size}.")
    channels = maps.shape[1]
    squares = F.pad(maps.square(), (0, 0, 0, 0, size // 2, size // 2))  # (N, C + size - 1, H, W)
    total = sum(squares[:, start : start + channels] for start in range(size))  # (N, C, H, W)
    return maps / (k + alpha * total) ** beta


class BasicConv2d(nn.Module):
    """A convolution that keeps the size at stride 1, and its ReLU.

    Args:
        in_channels, out_channels: of the convolution.
        kernel: its size, odd; the padding is kernel // 2.
        stride: its stride.
        batch_norm: put `nn.BatchNorm2d` between the two; the convolution then has no bias.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, batch_norm: bool = False
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=not batch_norm)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001) if batch_norm else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H / stride, W / stride), rounded up."""
        return F.relu(self.bn(self.conv(maps)), inplace=True)


class Inception(nn.Module):
    """Four paths side by side over the same maps, concatenated channel by channel (figure 2b).

    The paths, in this order: a 1×1; a 1×1 that reduces the channels, then a 3×3; a 1×1 that reduces, then a 5×5; a
    3×3 max-pool with stride 1, then a 1×1 (its "projection"). All keep height and width.

    Args:
        conv: makes a convolution with its ReLU, padded so that it keeps the size; called as
            conv(in_channels, out_channels, kernel).
        in_channels: channels of the maps that come in.
        widths: the output channels of the six convolutions, a row of table 1: 1×1, 3×3 reduce, 3×3, 5×5 reduce,
            5×5, pool projection.
        kernel: size of the third path's filters: 5 in the paper, 3 in torchvision's network.
    """

    def __init__(
        self,
        conv: "Callable[[int, int, int], nn.Module]",
        in_channels: int,
        widths: tuple[int, ...],
        *,
        kernel: int = 5,
    ) -> None:
        super().__init__()
        one, reduce3, three, reduce5, five, projection = widths
        self.branch1 = conv(in_channels, one, 1)
        self.branch2 = nn.Sequential(conv(in_channels, reduce3, 1), conv(reduce3, three, 3))
        self.branch3 = nn.Sequential(conv(in_channels, reduce5, 1), conv(reduce5, five, kernel))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), conv(in_channels, projection, 1))

    def forward(self, maps: Tensor) -> Tensor:
        """Concatenate what the four paths make of the maps.

        Args:
            maps: (N, in_channels, H, W) float.

        Returns:
            (N, 1×1 + 3×3 + 5×5 + projection, H, W) float.
        """
        paths = (self.branch1, self.branch2, self.branch3, self.branch4)
        return torch.cat([path(maps) for path in paths], dim=1)


def channels_out(widths: tuple[int, ...]) -> int:
    """How many channels leave an inception module: those of its four paths together."""
    one, _, three, _, five, projection = widths
    return one + three + five + projection


class InceptionAux(nn.Module):
    """A small classifier on maps from the middle of the network (section 5).

    Args:
        in_channels: channels of those maps.
        num_classes: size of the output.
        batch_norm: of its convolution.
        paper: average 5×5 squares with stride 3, which makes 4×4 of 14×14; else average to 4×4 from any size.
        channels, hidden: outputs of its 1×1 convolution and of its hidden dense layer.
        dropout: probability of dropping a hidden unit while training.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        *,
        batch_norm: bool = True,
        paper: bool = False,
        channels: int = 128,
        hidden: int = 1024,
        dropout: float = 0.7,
    ) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(5, stride=3) if paper else nn.Identity()
        self.conv = BasicConv2d(in_channels, channels, 1, batch_norm=batch_norm)
        self.fc1 = nn.Linear(channels * 4 * 4, hidden)
        self.fc2 = nn.Linear(hidden, num_classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, num_classes)."""
        maps = F.adaptive_avg_pool2d(self.pool(maps), 4)  # (N, in_channels, 4, 4); no change of the paper's 4×4
        hidden = F.relu(self.fc1(torch.flatten(self.conv(maps), 1)), inplace=True)
        return self.fc2(self.dropout(hidden))


class GoogLeNet(nn.Module):
    """A stem of three convolutions, nine inception modules, the mean of each map, one dense layer.

    Args:
        num_classes: size of the output.
        aux_heads: whether there are two auxiliary classifiers, which act in training only.
        paper: the paper's form instead of torchvision's.

    Raises:
        CourseError: `num_classes` is not an integer of at least 1.
    """

    def __init__(self, num_classes: int = 1000, *, aux_heads: bool = True, paper: bool = False) -> None:
        check_count(num_classes, "num_classes")
        super().__init__()
        norm = not paper
        self.least = 15 if not paper else 79 if aux_heads else 31
        conv = partial(BasicConv2d, batch_norm=norm)
        self.conv1 = conv(3, 64, 7, stride=2)
        self.maxpool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.norm1 = response_normalization() if paper else nn.Identity()
        self.conv2 = conv(64, 64, 1)
        self.conv3 = conv(64, 192, 3)
        self.norm2 = response_normalization() if paper else nn.Identity()
        self.maxpool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        channels = 192
        for name, widths in INCEPTIONS.items():
            if name in ("4a", "5a"):
                size = 2 if name == "5a" and not paper else 3
                self.add_module("maxpool3" if name == "4a" else "maxpool4", nn.MaxPool2d(size, 2, ceil_mode=True))
            self.add_module(f"inception{name}", Inception(conv, channels, widths, kernel=5 if paper else 3))
            channels = channels_out(widths)
        self.aux1 = InceptionAux(512, num_classes, batch_norm=norm, paper=paper) if aux_heads else None
        self.aux2 = InceptionAux(528, num_classes, batch_norm=norm, paper=paper) if aux_heads else None
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.4 if paper else 0.2)
        self.fc = nn.Linear(channels, num_classes)
        initialize(self, paper=paper)

    def forward(self, images: Tensor) -> Tensor | GoogLeNetOutputs:
        """Class scores (logits), and those of the auxiliary heads while training.

        Args:
            images: (N, 3, H, W) float; H and W at least 15, in the paper's form 31 and with auxiliary heads 79.
                Torchvision's weights want them scaled to [-1, 1].

        Returns:
            (N, num_classes) float; in training mode with auxiliary heads `GoogLeNetOutputs` of three of them.

        Raises:
            CourseError: another shape or an integer dtype.
        """
        dtype = self.fc.weight.dtype
        check_images(images, "GoogLeNet", channels=3, least=self.least, dtype=dtype)
        maps = self.norm1(self.maxpool1(self.conv1(images)))  # (N, 64, 56, 56) for 224×224
        maps = self.maxpool2(self.norm2(self.conv3(self.conv2(maps))))  # (N, 192, 28, 28)
        maps = self.maxpool3(self.inception3b(self.inception3a(maps)))  # (N, 480, 14, 14)
        first = self.inception4a(maps)  # (N, 512, 14, 14)
        second = self.inception4d(self.inception4c(self.inception4b(first)))  # (N, 528, 14, 14)
        maps = self.maxpool4(self.inception4e(second))  # (N, 832, 7, 7)
        maps = self.inception5b(self.inception5a(maps))  # (N, 1024, 7, 7)
        if self.training and self.aux1 is not None and self.aux2 is not None:
            auxiliary = self.aux1(first), self.aux2(second)  # in torchvision's order, for the same dropout
            return GoogLeNetOutputs(self.classify(maps), auxiliary[1], auxiliary[0])
        return self.classify(maps)

    def classify(self, maps: Tensor) -> Tensor:
        """The mean of each map, dropout, one dense layer: (N, 1024, H, W) -> (N, num_classes)."""
        return self.fc(self.dropout(torch.flatten(self.avgpool(maps), 1)))


def initialize(model: nn.Module, *, paper: bool) -> None:
    """Torchvision's narrow normal weights; else Kaiming's, through which a signal keeps its size without BatchNorm."""
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            if paper:
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            else:
                nn.init.trunc_normal_(module.weight, std=0.01, a=-2, b=2)


def loss_with_auxiliary_heads(
    scores: Tensor, auxiliary: tuple[Tensor, ...] | list[Tensor], labels: Tensor, *, weight: float = 0.3
) -> Tensor:
    """Cross-entropy of the network's scores, plus a share of that of every auxiliary head (section 5).

    Args:
        scores: (N, classes) float, the logits of the network.
        auxiliary: the logits of the auxiliary heads, each (N, classes); empty in evaluation mode.
        labels: (N,) int64.
        weight: what each auxiliary loss is multiplied by.

    Returns:
        A scalar; every cross-entropy in it is a mean over the batch.
    """
    loss = F.cross_entropy(scores, labels)
    for logits in auxiliary:
        loss = loss + weight * F.cross_entropy(logits, labels)
    return loss


def googlenet(num_classes: int = 1000, *, aux_heads: bool = True, paper: bool = False) -> GoogLeNet:
    """Torchvision's form: 6,624,904 parameters, 13,004,888 with auxiliary heads; the paper's: 6,998,552, 13,378,280."""
    return GoogLeNet(num_classes, aux_heads=aux_heads, paper=paper)


class SmallGoogLeNet(nn.Module):
    """The paper's pattern for 28×28 images: a convolution, two modules at 14×14, two at 7×7. See `small_googlenet`."""

    def __init__(
        self, num_classes: int, *, in_channels: int, width: int, head: str, aux_heads: bool, batch_norm: bool
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        narrow = tuple(width * share // 4 for share in (4, 6, 8, 1, 2, 2))  # 3a's proportions; 4 width channels out
        wide = tuple(2 * channels for channels in narrow)
        conv = partial(BasicConv2d, batch_norm=batch_norm)
        self.conv = conv(in_channels, width, 3)
        self.pool1 = nn.MaxPool2d(2)
        self.inception1 = Inception(conv, width, narrow)
        self.inception2 = Inception(conv, 4 * width, narrow)
        self.pool2 = nn.MaxPool2d(2)
        self.inception3 = Inception(conv, 4 * width, wide)
        self.inception4 = Inception(conv, 8 * width, wide)
        side = 1 if head == "average" else 7
        self.avgpool = nn.AdaptiveAvgPool2d(side)
        hidden = [] if head == "average" else [nn.Linear(8 * width * side**2, 8 * width), nn.ReLU(inplace=True)]
        self.classifier = nn.Sequential(nn.Flatten(), *hidden, nn.Dropout(0.2), nn.Linear(8 * width, num_classes))
        sizes = {"batch_norm": batch_norm, "channels": width, "hidden": 4 * width, "dropout": 0.5}
        self.aux1 = InceptionAux(4 * width, num_classes, **sizes) if aux_heads else None
        self.aux2 = InceptionAux(8 * width, num_classes, **sizes) if aux_heads else None
        initialize(self, paper=True)

    def forward(self, images: Tensor) -> Tensor | GoogLeNetOutputs:
        """(N, in_channels, H, W) float, H and W at least 4 -> (N, num_classes); with heads, three while training."""
        dtype = self.conv.conv.weight.dtype
        check_images(images, "SmallGoogLeNet", channels=self.in_channels, least=4, dtype=dtype)
        maps = self.pool1(self.conv(images))  # (N, width, 14, 14) for 28×28
        first = self.inception2(self.inception1(maps))  # (N, 4 width, 14, 14)
        second = self.inception3(self.pool2(first))  # (N, 8 width, 7, 7)
        logits = self.classifier(self.avgpool(self.inception4(second)))
        if self.training and self.aux1 is not None and self.aux2 is not None:
            return GoogLeNetOutputs(logits, self.aux2(second), self.aux1(first))
        return logits


def small_googlenet(
    num_classes: int = 10,
    *,
    in_channels: int = 1,
    width: int = 16,
    head: str = "average",
    aux_heads: bool = False,
    batch_norm: bool = True,
) -> SmallGoogLeNet:
    """Four inception modules for 28×28 images, small enough for a laptop.

    Args:
        num_classes: size of the output.
        in_channels: channels of the images.
        width: channels of the first convolution, a multiple of 4; the modules give 4, 4, 8 and 8 times as many.
        head: "average" takes the mean of each map, as the paper; "dense" has a hidden dense layer on all pixels.
        aux_heads: whether two auxiliary classifiers help in training, after the second and the third module.
        batch_norm: whether `nn.BatchNorm2d` follows every convolution.

    Raises:
        CourseError: a number is not as described, or the head is unknown.
    """
    check_count(num_classes, "num_classes")
    if head not in HEADS:
        raise unknown("head", head, HEADS)
    if not isinstance(in_channels, int) or in_channels < 1 or not isinstance(width, int) or width < 4 or width % 4:
        raise CourseError(
            f"in_channels must be at least 1 and width a positive multiple of 4; got {in_channels!r} and {width!r}."
        )
    return SmallGoogLeNet(
        num_classes, in_channels=in_channels, width=width, head=head, aux_heads=aux_heads, batch_norm=batch_norm
    )
