"""Lesson 16, small networks: what people get wrong in its two modules, each as code that behaves so, with its hint."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn


def _separable(
    in_channels: int,
    out_channels: int,
    *,
    stride: int = 1,
    strides: Callable[[int], tuple[int, int]] = lambda stride: (stride, 1),
    middle: Callable[[int, int], int] = lambda ins, outs: ins,
    groups: Callable[[int, int], int] = lambda ins, outs: ins,
    padding: tuple[int, int] = (1, 0),
    second: Callable[[int, int], dict[str, int]] = lambda ins, outs: {"kernel_size": 1},
    bias: bool = False,
    order: str = "dnrpnr",
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> nn.Sequential:
    """`separable_conv` with one thing wrong.

    Args:
        in_channels, out_channels, stride: as in the reference.
        strides: of the two convolutions.
        middle: channels between them.
        groups: of the first one.
        padding: of the two.
        second: kernel size and groups of the second one.
        bias: of both.
        order: d and p for the two convolutions, n for a BatchNorm, r for an activation.
        activation: makes one.
    """
    first_stride, second_stride = strides(stride)
    between = middle(in_channels, out_channels)
    layers, channels = [], in_channels
    for letter in order:
        if letter == "d":
            grouped = groups(in_channels, out_channels)
            layers.append(nn.Conv2d(channels, between, 3, first_stride, padding[0], groups=grouped, bias=bias))
            channels = between
        elif letter == "p":
            options = second(in_channels, out_channels)
            layers.append(
                nn.Conv2d(channels, out_channels, stride=second_stride, padding=padding[1], bias=bias, **options)
            )
            channels = out_channels
        else:
            layers.append(nn.BatchNorm2d(channels) if letter == "n" else activation())
    return nn.Sequential(*layers)


def _pointwise_first(in_channels: int, out_channels: int, *, stride: int = 1) -> nn.Sequential:
    depthwise = nn.Conv2d(out_channels, out_channels, 3, stride, 1, groups=out_channels, bias=False)
    pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)
    ends = [[nn.BatchNorm2d(out_channels), nn.ReLU()] for _ in range(2)]
    return nn.Sequential(pointwise, *ends[0], depthwise, *ends[1])


class _Added(nn.Module):
    """A separable convolution with a shortcut where it fits."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1) -> None:
        super().__init__()
        self.layers = _separable(in_channels, out_channels, stride=stride)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x) + self.shortcut(x)


SEPARABLE_MISTAKES = {
    "no_groups": (
        partial(_separable, groups=lambda ins, outs: 1),
        "Your 3×3 sees all channels. Depthwise, each channel is filtered alone: groups=in_channels.",
    ),
    "expanded_by_depthwise": (
        partial(_separable, middle=lambda ins, outs: outs),
        "Your depthwise convolution gives out_channels maps. It gives one map for each channel that comes in; the 1×1 "
        "changes their number.",
    ),
    "no_pointwise": (
        partial(_separable, order="dnr"),
        "There is no 1×1 convolution: channels never mix, and their number never changes.",
    ),
    "no_depthwise": (
        partial(_separable, order="pnr", strides=lambda stride: (1, stride)),
        "There is no 3×3 convolution: no pixel sees its neighbours.",
    ),
    "pointwise_first": (
        _pointwise_first,
        "You mix channels first and filter space after. The depthwise 3×3 comes first, over in_channels.",
    ),
    "pointwise_in_groups": (
        partial(_separable, second=lambda ins, outs: {"kernel_size": 1, "groups": ins if outs % ins == 0 else outs}),
        "Your 1×1 is grouped, too. It is there to mix all channels: groups=1.",
    ),
    "pointwise_3x3": (
        partial(_separable, second=lambda ins, outs: {"kernel_size": 3}, padding=(1, 1)),
        "Your second convolution is 3×3. Space is done by then: 1×1.",
    ),
    "stride_on_pointwise": (
        partial(_separable, strides=lambda stride: (1, stride)),
        "Your 1×1 has the stride: three of four values that the 3×3 made are thrown away, after BatchNorm has counted "
        "them. The 3×3 has it.",
    ),
    "stride_on_both": (
        partial(_separable, strides=lambda stride: (stride, stride)),
        "Both convolutions have the stride, so the maps shrink twice. Only the 3×3 has it.",
    ),
    "no_stride": (
        partial(_separable, strides=lambda stride: (1, 1)),
        "The stride is never used. The 3×3 has it.",
    ),
    "no_padding": (
        partial(_separable, padding=(0, 0)),
        "The maps shrink at their border: the 3×3 needs padding=1.",
    ),
    "pointwise_padded": (
        partial(_separable, padding=(1, 1)),
        "You padded the 1×1, so a border of zeros is added. Only the 3×3 needs padding.",
    ),
    "bias": (
        partial(_separable, bias=True),
        "Your convolutions have a bias. BatchNorm subtracts it again, so it is left out: bias=False.",
    ),
    "nothing_between": (
        partial(_separable, order="dpnr"),
        "Between your two convolutions a BatchNorm is missing. BatchNorm and ReLU follow each, the depthwise one, too.",
    ),
    "no_first_relu": (
        partial(_separable, order="dnpnr"),
        "The ReLU after the depthwise convolution is missing.",
    ),
    "no_last_relu": (
        partial(_separable, order="dnrpn"),
        "The ReLU after the 1×1 is missing. (MobileNet v2 leaves one out; that comes later.)",
    ),
    "no_norms": (
        partial(_separable, order="drpr"),
        "There is no BatchNorm. One follows each convolution.",
    ),
    "relu_before_norm": (
        partial(_separable, order="drnprn"),
        "ReLU comes before BatchNorm. The order is convolution, BatchNorm, ReLU.",
    ),
    "relu6": (
        partial(_separable, activation=nn.ReLU6),
        "Your activation stops at 6. ReLU6 came with later code and with version 2; here it is ReLU.",
    ),
    "shortcut": (
        _Added,
        "You added a shortcut. MobileNet v1 has none.",
    ),
}


class _Fire(nn.Module):
    """`Fire` with one thing wrong: what the keyword arguments say.

    Args:
        in_channels, squeeze, expand1x1, expand3x3: as in the reference.
        kernels: of squeeze, expand1x1 and expand3x3.
        padding: of the same.
        bias: of all convolutions.
        wide: whether both expanding convolutions see the input.
        chained: whether the 3×3 sees what the 1×1 expanded.
        norms: whether a BatchNorm follows each convolution.
        first, one, three: what follows each convolution.
        end: from the two expanded parts and the input to the output.
    """

    def __init__(
        self,
        in_channels: int,
        squeeze: int,
        expand1x1: int,
        expand3x3: int,
        *,
        kernels: tuple[int, int, int] = (1, 1, 3),
        padding: tuple[int, int, int] = (0, 0, 1),
        bias: bool = True,
        wide: bool = False,
        chained: bool = False,
        norms: bool = False,
        first: Callable[[Tensor], Tensor] = torch.relu,
        one: Callable[[Tensor], Tensor] = torch.relu,
        three: Callable[[Tensor], Tensor] = torch.relu,
        end: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda a, b, x: torch.cat([a, b], 1),
    ) -> None:
        super().__init__()
        source = in_channels if wide else squeeze
        self.squeeze = nn.Conv2d(in_channels, squeeze, kernels[0], padding=padding[0], bias=bias)
        self.expand1x1 = nn.Conv2d(source, expand1x1, kernels[1], padding=padding[1], bias=bias)
        self.expand3x3 = nn.Conv2d(
            expand1x1 if chained else source, expand3x3, kernels[2], padding=padding[2], bias=bias
        )
        if norms:
            self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for channels in (squeeze, expand1x1, expand3x3))
        self.wide, self.chained = wide, chained
        self.first, self.one, self.three, self.end = first, one, three, end

    def forward(self, x: Tensor) -> Tensor:
        """Squeeze, expand, end."""
        squeezed = self.first(self.squeeze(x))
        source = x if self.wide else squeezed
        small = self.one(self.expand1x1(source))
        large = self.three(self.expand3x3(small if self.chained else source))
        return self.end(small, large, x)


def _same(x: Tensor) -> Tensor:
    return x


def _bypass(small: Tensor, large: Tensor, x: Tensor) -> Tensor:
    joined = torch.cat([small, large], 1)
    return joined + x if joined.shape == x.shape else joined


FIRE_MISTAKES = {
    "no_squeeze_relu": (
        partial(_Fire, first=_same),
        "After the squeeze a ReLU is missing. Without it, squeeze and expand are one linear map.",
    ),
    "no_expand_relu": (
        partial(_Fire, one=_same, three=_same),
        "After the expanding convolutions a ReLU is missing.",
    ),
    "no_relu_at_all": (
        partial(_Fire, first=_same, one=_same, three=_same),
        "There is no ReLU at all. One follows each of the three convolutions.",
    ),
    "one_relu_missing": (
        partial(_Fire, one=_same),
        "After the expanding 1×1 a ReLU is missing.",
    ),
    "other_relu_missing": (
        partial(_Fire, three=_same),
        "After the expanding 3×3 a ReLU is missing.",
    ),
    "three_first": (
        partial(_Fire, end=lambda a, b, x: torch.cat([b, a], 1)),
        "The 3×3's channels come first in yours. The 1×1's come first.",
    ),
    "expand_from_the_input": (
        partial(_Fire, wide=True),
        "Your expanding convolutions see the input. They see what was squeezed: that is what makes them cheap.",
    ),
    "chained": (
        partial(_Fire, chained=True),
        "Your 3×3 sees what the 1×1 expanded. Both see what was squeezed, side by side.",
    ),
    "added": (
        partial(_Fire, end=lambda a, b, x: a + b),
        "You add the two expanded parts. They are put side by side: torch.cat(..., dim=1).",
    ),
    "joined_along_batch": (
        partial(_Fire, end=lambda a, b, x: torch.cat([a, b], 0)),
        "You joined along the batch. Channels are dimension 1.",
    ),
    "stacked": (
        partial(_Fire, end=lambda a, b, x: torch.stack([a, b], 1)),
        "torch.stack makes a new dimension. torch.cat joins along the channels.",
    ),
    "only_the_3x3": (
        partial(_Fire, end=lambda a, b, x: b),
        "Only the 3×3's channels come back. Join them with the 1×1's.",
    ),
    "bypass": (
        partial(_Fire, end=_bypass),
        "You add the input where it fits. The paper tries that too, as “simple bypass”; the fire module itself has no "
        "shortcut.",
    ),
    "no_padding": (
        partial(_Fire, padding=(0, 0, 0)),
        "Your 3×3 has no padding, so its maps are smaller than the 1×1's. Use padding=1.",
    ),
    "padded_squeeze": (
        partial(_Fire, padding=(1, 0, 1)),
        "You padded the squeezing 1×1, so the maps grow. Only the 3×3 needs padding.",
    ),
    "squeeze_3x3": (
        partial(_Fire, kernels=(3, 1, 3), padding=(1, 0, 1)),
        "Your squeeze is 3×3. It is 1×1: it changes channels only.",
    ),
    "both_3x3": (
        partial(_Fire, kernels=(1, 3, 3), padding=(0, 1, 1)),
        "Both of your expanding convolutions are 3×3. One of them is 1×1.",
    ),
    "both_1x1": (
        partial(_Fire, kernels=(1, 1, 1), padding=(0, 0, 0)),
        "Both of your expanding convolutions are 1×1: no pixel sees its neighbours.",
    ),
    "no_bias": (
        partial(_Fire, bias=False),
        "Your convolutions have no bias. Here no BatchNorm follows, so they need one.",
    ),
    "norms": (
        partial(_Fire, norms=True),
        "You made BatchNorms. SqueezeNet has none.",
    ),
}
