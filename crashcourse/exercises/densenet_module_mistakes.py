"""Lesson 14, DenseNet: what people get wrong in its two modules, each as code that behaves so, with its hint."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Layer(nn.Module):
    """A dense layer with one thing wrong: what the keyword arguments after `growth` say.

    Args:
        in_channels, growth: as in the exercise.
        width: channels of the bottleneck.
        paddings: of the two convolutions.
        kernels: of the two convolutions.
        bias: of both convolutions.
        late: whether each BatchNorm is made for what comes out of its convolution.
        spare: whether there is a third BatchNorm at the end.
        join: from the list of maps to what the layer sees.
        run: from the layer and what it sees to the output.
        end: from the list of maps and the new maps to what is returned.
    """

    def __init__(
        self,
        in_channels: int,
        growth: int,
        *,
        width: Callable[[int, int], int] = lambda in_channels, growth: 4 * growth,
        paddings: tuple[int, int] = (0, 1),
        kernels: tuple[int, int] = (1, 3),
        bias: bool = False,
        late: bool = False,
        spare: bool = False,
        join: Callable[[list[Tensor]], Tensor] = lambda maps: torch.cat(maps, 1),
        run: Callable[["Layer", Tensor], Tensor] | None = None,
        end: Callable[[list[Tensor], Tensor], object] = lambda maps, new: new,
    ) -> None:
        super().__init__()
        middle = width(in_channels, growth)
        self.norm1 = nn.BatchNorm2d(middle if late else in_channels)
        self.conv1 = nn.Conv2d(in_channels, middle, kernels[0], padding=paddings[0], bias=bias)
        self.norm2 = nn.BatchNorm2d(growth if late else middle)
        self.conv2 = nn.Conv2d(middle, growth, kernels[1], padding=paddings[1], bias=bias)
        if spare:
            self.norm3 = nn.BatchNorm2d(growth)
        self.join, self.run, self.end = join, run, end

    def forward(self, maps: list[Tensor]) -> object:
        """As the layer should be, or as the options have it."""
        seen = self.join(maps)
        return self.end(maps, self.run(self, seen) if self.run else self.second(self.first(seen)))

    def first(self, seen: Tensor) -> Tensor:
        """BN-ReLU-1×1."""
        return self.conv1(self.norm1(seen).relu())

    def second(self, narrow: Tensor) -> Tensor:
        """BN-ReLU-3×3."""
        return self.conv2(self.norm2(narrow).relu())


class OneConvolution(nn.Module):
    """The layer without its bottleneck."""

    def __init__(self, in_channels: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, growth, 3, padding=1, bias=False)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """BN-ReLU-3×3."""
        return self.conv1(self.norm1(torch.cat(maps, 1)).relu())


def _append(maps: list[Tensor], new: Tensor) -> Tensor:
    maps.append(new)
    return new


def _sum(maps: list[Tensor]) -> Tensor:
    return torch.stack(maps).sum(0)


LAYER_MISTAKES = {
    "returns_everything": (
        partial(Layer, end=lambda maps, new: torch.cat([*maps, new], 1)),
        "You return the new maps together with the old ones. Return the new ones only: the block keeps the list.",
    ),
    "appends": (
        partial(Layer, end=_append),
        "You append to the list that you were given, and so change it for the caller. Return the new maps; the block "
        "appends them.",
    ),
    "returns_a_list": (
        partial(Layer, end=lambda maps, new: [*maps, new]),
        "A list comes back. Return the new maps, one tensor.",
    ),
    "adds_the_last": (
        partial(Layer, end=lambda maps, new: new + maps[-1] if new.shape == maps[-1].shape else new),
        "You add the maps of the layer before, as ResNet does. Nothing is added here; the block concatenates.",
    ),
    "only_the_last": (
        partial(Layer, join=lambda maps: maps[-1]),
        "Your layer looks at the last tensor of the list alone. It sees all of them, concatenated along the channels.",
    ),
    "summed": (
        partial(Layer, join=_sum),
        "You add the tensors up; they do not even have equally many channels. Concatenate them along the channels.",
    ),
    "along_another_dimension": (
        partial(Layer, join=lambda maps: torch.cat(maps)),
        "You concatenate along the images (dimension 0, torch.cat's default) or along the pixels. Channels are "
        "dimension 1.",
    ),
    "reversed": (
        partial(Layer, join=lambda maps: torch.cat(maps[::-1], 1)),
        "You concatenate in reverse order. The input of the block comes first, the newest maps last.",
    ),
    "no_bottleneck": (
        OneConvolution,
        "There is one convolution. With the bottleneck there are two: 1×1 to 4k channels, then 3×3 to k.",
    ),
    "narrow_bottleneck": (
        partial(Layer, width=lambda in_channels, growth: growth),
        "Your 1×1 makes k channels. It makes 4k.",
    ),
    "quarter_bottleneck": (
        partial(Layer, width=lambda in_channels, growth: max(1, in_channels // 4)),
        "Your 1×1 makes a quarter of what comes in, as ResNet's bottleneck does. Here it makes 4k, however much comes "
        "in.",
    ),
    "as_wide_as_the_input": (
        partial(Layer, width=lambda in_channels, growth: in_channels),
        "Your 1×1 keeps in_channels. It makes 4k channels, so that the 3×3 costs the same in every layer.",
    ),
    "three_first": (
        partial(Layer, kernels=(3, 1), paddings=(1, 0)),
        "Your 3×3 comes first, over all channels. First the 1×1 reduces them, then comes the 3×3.",
    ),
    "two_3x3": (
        partial(Layer, kernels=(3, 3), paddings=(1, 1)),
        "Both of your convolutions are 3×3. The first is 1×1.",
    ),
    "no_padding": (
        partial(Layer, paddings=(0, 0)),
        "Your 3×3 has no padding, so the new maps are smaller and cannot be concatenated. Use padding=1.",
    ),
    "both_padded": (
        partial(Layer, paddings=(1, 1)),
        "Your 1×1 is padded, so the new maps are larger than the others. Only the 3×3 has padding=1.",
    ),
    "bias": (
        partial(Layer, bias=True),
        "Your convolutions have a bias. A BatchNorm follows, here or in the next layer, so it is left out: bias=False.",
    ),
    "norm_after_convolution": (
        partial(
            Layer,
            late=True,
            run=lambda layer, seen: layer.norm2(layer.conv2(layer.norm1(layer.conv1(seen)).relu())).relu(),
        ),
        "Your order is convolution, BatchNorm, ReLU. Here BatchNorm and ReLU come first, so norm1 has in_channels.",
    ),
    "third_norm": (
        partial(Layer, spare=True, run=lambda layer, seen: layer.norm3(layer.second(layer.first(seen)))),
        "There is a BatchNorm behind the 3×3. The new maps leave as they are: each layer that reads them has its own.",
    ),
    "last_relu": (
        partial(Layer, end=lambda maps, new: new.relu()),
        "There is a ReLU behind the 3×3. The layer ends with the convolution.",
    ),
    "no_first_relu": (
        partial(Layer, run=lambda layer, seen: layer.second(layer.conv1(layer.norm1(seen)))),
        "The ReLU between norm1 and the 1×1 is missing.",
    ),
    "no_second_relu": (
        partial(Layer, run=lambda layer, seen: layer.conv2(layer.norm2(layer.first(seen)))),
        "The ReLU between norm2 and the 3×3 is missing.",
    ),
    "no_relu_at_all": (
        partial(Layer, run=lambda layer, seen: layer.conv2(layer.norm2(layer.conv1(layer.norm1(seen))))),
        "There is no ReLU at all. One follows each BatchNorm.",
    ),
    "no_first_norm": (
        partial(Layer, run=lambda layer, seen: layer.second(layer.conv1(seen.relu()))),
        "norm1 is made and never used in forward.",
    ),
    "no_second_norm": (
        partial(Layer, run=lambda layer, seen: layer.conv2(layer.first(seen).relu())),
        "norm2 is made and never used in forward.",
    ),
    "relu_before_first_norm": (
        partial(Layer, run=lambda layer, seen: layer.second(layer.conv1(layer.norm1(seen.relu())))),
        "Your first ReLU comes before norm1. BatchNorm first, then ReLU, then the convolution.",
    ),
    "relu_before_second_norm": (
        partial(Layer, run=lambda layer, seen: layer.conv2(layer.norm2(layer.first(seen).relu()))),
        "Your second ReLU comes before norm2. BatchNorm first, then ReLU, then the convolution.",
    ),
}


class Between(nn.Module):
    """A transition with one thing wrong: what the keyword arguments after `compression` say.

    Args:
        in_channels, compression: as in the exercise.
        keep: how many channels it keeps.
        kernel: of the convolution.
        stride: of the convolution.
        bias: of the convolution.
        late: whether the BatchNorm is made for what comes out of the convolution.
        pool: the pooling.
        run: from the transition and the maps to the output.
    """

    def __init__(
        self,
        in_channels: int,
        compression: float = 0.5,
        *,
        keep: Callable[[int, float], int] = lambda in_channels, compression: int(compression * in_channels),
        kernel: int = 1,
        stride: int = 1,
        bias: bool = False,
        late: bool = False,
        pool: Callable[[Tensor], Tensor] = lambda maps: F.avg_pool2d(maps, 2),
        run: Callable[["Between", Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        kept = keep(in_channels, compression)
        self.norm = nn.BatchNorm2d(kept if late else in_channels)
        self.conv = nn.Conv2d(in_channels, kept, kernel, stride, padding=kernel // 2, bias=bias)
        self.pool, self.run = pool, run

    def forward(self, maps: Tensor) -> Tensor:
        """As the transition should be, or as `run` has it."""
        return self.run(self, maps) if self.run else self.pool(self.conv(self.norm(maps).relu()))


TRANSITION_MISTAKES = {
    "always_half": (
        partial(Between, keep=lambda in_channels, compression: in_channels // 2),
        "Your transition always halves. It keeps the share `compression`.",
    ),
    "keeps_all": (
        partial(Between, keep=lambda in_channels, compression: in_channels),
        "compression is ignored: all channels are kept.",
    ),
    "rounded_up": (
        partial(Between, keep=lambda in_channels, compression: math.ceil(compression * in_channels)),
        "You round up. The paper keeps ⌊θm⌋ channels, rounded down.",
    ),
    "divides": (
        partial(Between, keep=lambda in_channels, compression: int(in_channels / compression)),
        "You divide by compression, so there are more channels than before. It is the share that is kept: multiply.",
    ),
    "removes_the_share": (
        partial(Between, keep=lambda in_channels, compression: max(1, in_channels - int(compression * in_channels))),
        "Your transition takes the share away. θ is what it keeps.",
    ),
    "conv_norm_relu": (
        partial(Between, late=True, run=lambda part, maps: part.pool(part.norm(part.conv(maps)).relu())),
        "Your order is convolution, BatchNorm, ReLU. Here BatchNorm and ReLU come first, so norm has in_channels.",
    ),
    "no_norm": (
        partial(Between, run=lambda part, maps: part.pool(part.conv(maps.relu()))),
        "norm is made and never used in forward.",
    ),
    "no_relu": (
        partial(Between, run=lambda part, maps: part.pool(part.conv(part.norm(maps)))),
        "The ReLU between BatchNorm and convolution is missing.",
    ),
    "relu_first": (
        partial(Between, run=lambda part, maps: part.pool(part.conv(part.norm(maps.relu())))),
        "Your ReLU comes before the BatchNorm. BatchNorm first, then ReLU, then the convolution.",
    ),
    "relu_after_convolution": (
        partial(Between, run=lambda part, maps: part.pool(part.conv(part.norm(maps)).relu())),
        "Your ReLU comes after the convolution. It stands between BatchNorm and convolution.",
    ),
    "second_relu": (
        partial(Between, run=lambda part, maps: part.pool(part.conv(part.norm(maps).relu()).relu())),
        "There is a second ReLU, after the convolution. The layers that follow have their own.",
    ),
    "pooled_first": (
        partial(Between, run=lambda part, maps: part.conv(part.norm(part.pool(maps)).relu())),
        "You pool before BatchNorm and ReLU. ReLU of a mean is not the mean of ReLUs: pool after it.",
    ),
    "max_pool": (
        partial(Between, pool=lambda maps: F.max_pool2d(maps, 2)),
        "You take the maximum of each 2×2. The paper takes the mean: average pooling.",
    ),
    "no_pool": (
        partial(Between, pool=lambda maps: maps),
        "The maps keep their size. 2×2 average pooling comes last.",
    ),
    "global_pool": (
        partial(Between, pool=lambda maps: F.adaptive_avg_pool2d(maps, 1)),
        "You average whole maps away. Only each 2×2 becomes one pixel; the global mean comes after the last block.",
    ),
    "three_by_three_pool": (
        partial(Between, pool=lambda maps: F.avg_pool2d(maps, 3, 2, 1)),
        "Your pooling is 3×3. It is 2×2 with stride 2.",
    ),
    "rounded_up_sizes": (
        partial(Between, pool=lambda maps: F.avg_pool2d(maps, 2, ceil_mode=True)),
        "ceil_mode keeps an odd row and column at the edge. The sizes are rounded down here.",
    ),
    "strided_convolution": (
        partial(Between, stride=2, pool=lambda maps: maps),
        "Your convolution has stride 2 and throws three of four pixels away. It has stride 1; pooling follows.",
    ),
    "strided_and_pooled": (
        partial(Between, stride=2, pool=lambda maps: F.avg_pool2d(maps, 2)),
        "Convolution and pooling both shrink the maps. Only the pooling does.",
    ),
    "three_by_three": (
        partial(Between, kernel=3),
        "Your convolution is 3×3. 1×1 is enough to mix channels, and it costs a ninth.",
    ),
    "bias": (
        partial(Between, bias=True),
        "Your convolution has a bias. A BatchNorm follows in every layer that reads its maps: bias=False.",
    ),
}
