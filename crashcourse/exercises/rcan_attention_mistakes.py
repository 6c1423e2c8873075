"""Lesson 53, RCAN: what people get wrong in channel attention, each as code that behaves so, with its hint."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Channel attention with one thing wrong: what the keyword arguments after `reduction` say."""

    def __init__(
        self,
        channels: int,
        reduction: int = 16,
        *,
        units: Callable[[int, int], int] = lambda channels, reduction: channels // reduction,
        bias: bool = True,
        bias_up: bool | None = None,
        outputs: Callable[[int], int] = lambda channels: channels,
        squeeze: Callable[[Tensor], Tensor] = lambda maps: maps.mean((2, 3), keepdim=True),
        middle: Callable[[Tensor], Tensor] = torch.relu,
        gate: Callable[[Tensor], Tensor] = torch.sigmoid,
        scale: Callable[[Tensor, Tensor], Tensor] = lambda maps, gates: maps * gates,
    ) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, units(channels, reduction), 1, bias=bias)
        last = bias if bias_up is None else bias_up
        self.up = nn.Conv2d(units(channels, reduction), outputs(channels), 1, bias=last)
        self.steps = squeeze, middle, gate, scale

    def forward(self, maps: Tensor) -> Tensor:
        """Squeeze, excite, scale."""
        return self.steps[-1](maps, self.gates(maps))

    def gates(self, maps: Tensor) -> Tensor:
        """What the maps are to be scaled by."""
        squeeze, middle, gate, _ = self.steps
        return gate(self.up(middle(self.down(squeeze(maps)))))


class Spatial(nn.Module):
    """A kernel of 3×3 where 1×1 belongs."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, channels // reduction, 3, padding=1)
        self.up = nn.Conv2d(channels // reduction, channels, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        """As it should be, apart from the kernels."""
        return maps * self.up(self.down(maps.mean((2, 3), keepdim=True)).relu()).sigmoid()


class _Linear(nn.Module):
    """The same function of the same numbers, in layers of another shape."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.down = nn.Linear(channels, channels // reduction)
        self.up = nn.Linear(channels // reduction, channels)

    def forward(self, maps: Tensor) -> Tensor:
        return maps * self.up(self.down(maps.mean((2, 3))).relu()).sigmoid()[..., None, None]


class _OneLayer(nn.Module):
    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.layer = nn.Conv2d(channels, channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        return maps * self.layer(maps.mean((2, 3), keepdim=True)).sigmoid()


class _Norm(nn.Module):
    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, channels // reduction, 1)
        self.norm = nn.BatchNorm2d(channels // reduction)
        self.up = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        return maps * self.up(self.norm(self.down(maps.mean((2, 3), keepdim=True))).relu()).sigmoid()


ATTENTION_MISTAKES = {
    "no_mean": (
        partial(Attention, squeeze=lambda maps: maps),
        "Your gates are computed for each pixel. There is one for a channel, from its mean over the whole map.",
    ),
    "max": (
        partial(Attention, squeeze=lambda maps: maps.amax((2, 3), keepdim=True)),
        "You squeeze by the largest value. The paper takes the mean (global average pooling).",
    ),
    "sum": (
        partial(Attention, squeeze=lambda maps: maps.sum((2, 3), keepdim=True)),
        "You squeeze by the sum, which grows with the size of the maps. Take the mean.",
    ),
    "mean_over_batch": (
        partial(Attention, squeeze=lambda maps: maps.mean((0, 2, 3), keepdim=True)),
        "Your means run over the batch, too, so all images get the same gates. Dimensions 2 and 3 only.",
    ),
    "no_relu": (
        partial(Attention, middle=lambda units: units),
        "There is no ReLU between the two convolutions. Without it they are one.",
    ),
    "no_sigmoid": (
        partial(Attention, gate=lambda scores: scores),
        "You multiply by the scores themselves. A sigmoid makes them gates between 0 and 1.",
    ),
    "softmax": (
        partial(Attention, gate=lambda scores: scores.softmax(1)),
        "A softmax shares out 1 among all channels. Each has a gate of its own: a sigmoid.",
    ),
    "relu_before_sigmoid": (
        partial(Attention, gate=lambda scores: scores.relu().sigmoid()),
        "A ReLU follows the second convolution, too, so no gate is below 1/2. Scores go straight into the sigmoid.",
    ),
    "swapped": (
        partial(Attention, middle=torch.sigmoid, gate=torch.relu),
        "ReLU and sigmoid have changed places: ReLU between the convolutions, sigmoid at the end.",
    ),
    "gates_alone": (
        partial(Attention, scale=lambda maps, gates: gates.clone()),
        "The gates come back. The output is the maps, each channel times its gate.",
    ),
    "added": (
        partial(Attention, scale=lambda maps, gates: maps + gates),
        "You add the gates to the maps. They are multiplied.",
    ),
    "skip": (
        partial(Attention, scale=lambda maps, gates: maps + maps * gates),
        "You add the maps once more. The skip belongs to the block around this.",
    ),
    "in_place": (
        partial(Attention, scale=lambda maps, gates: maps.mul_(gates)),
        "`*=` or mul_ changes the input itself. Write maps * gates.",
    ),
    "detached": (
        partial(Attention, scale=lambda maps, gates: maps * gates.detach()),
        "The values are right, but the gates are cut off (.detach(), .data or no_grad), so they never learn.",
    ),
    "no_bias": (
        partial(Attention, bias=False),
        "Your convolutions have no biases; these have.",
    ),
    "units_for_ratio": (
        partial(Attention, units=lambda channels, reduction: reduction),
        "Between your convolutions are `reduction` channels. There are channels // reduction.",
    ),
    "no_reduction": (
        partial(Attention, units=lambda channels, reduction: channels),
        "Between your convolutions are all channels. There are channels // reduction.",
    ),
    "spatial": (
        Spatial,
        "Your convolutions are 3×3. Means have one pixel: 1×1.",
    ),
    "mean_and_max": (
        partial(Attention, squeeze=lambda maps: maps.mean((2, 3), keepdim=True) + maps.amax((2, 3), keepdim=True)),
        "You squeeze by the mean and the largest value together. Here it is the mean alone.",
    ),
    "deviation": (
        partial(Attention, squeeze=lambda maps: maps.std((2, 3), keepdim=True)),
        "You squeeze by the standard deviation. Take the mean of each map.",
    ),
    "mean_of_sizes": (
        partial(Attention, squeeze=lambda maps: maps.abs().mean((2, 3), keepdim=True)),
        "You take the mean of absolute values. The mean is taken with signs: 5 and -5 give 0.",
    ),
    "mean_over_columns": (
        partial(Attention, squeeze=lambda maps: maps.mean(3, keepdim=True)),
        "Your mean runs along dimension 3 alone, so every row has gates of its own. A map has one: both 2 and 3.",
    ),
    "mean_over_rows": (
        partial(Attention, squeeze=lambda maps: maps.mean(2, keepdim=True)),
        "Your mean runs along dimension 2 alone, so every column has gates of its own. A map has one: both 2 and 3.",
    ),
    "mean_over_channels": (
        partial(Attention, squeeze=lambda maps: maps.mean(1, keepdim=True)),
        "Your mean runs over the channels. Take it over rows and columns, dimensions 2 and 3: one for each channel.",
    ),
    "not_kept": (
        partial(Attention, squeeze=lambda maps: maps.mean((2, 3))),
        "Your means have two dimensions, and a convolution takes (N, C, 1, 1). Rows and columns of (N, C, H, W) are 2 "
        "and 3: maps.mean((2, 3), keepdim=True).",
    ),
    "detached_means": (
        partial(Attention, squeeze=lambda maps: maps.detach().mean((2, 3), keepdim=True)),
        "The values are right, but the means are cut off from the maps, so what lies before never hears of the gates.",
    ),
    "late_mean": (
        partial(Attention, squeeze=lambda maps: maps, gate=lambda scores: scores.mean((2, 3), keepdim=True).sigmoid()),
        "You take the mean behind the convolutions. It comes before them, so that they run on one pixel.",
    ),
    "mean_of_gates": (
        partial(Attention, squeeze=lambda maps: maps, gate=lambda scores: scores.sigmoid().mean((2, 3), keepdim=True)),
        "You compute a gate for each pixel and take their mean. The mean of the map comes first, then its gate.",
    ),
    "sigmoid_alone": (
        partial(Attention, middle=torch.sigmoid, gate=lambda scores: scores),
        "The sigmoid stands between the convolutions, and nothing behind the second. Between them belongs a ReLU; the "
        "sigmoid makes the gates, at the end.",
    ),
    "two_sigmoids": (
        partial(Attention, middle=torch.sigmoid),
        "There is a sigmoid between the convolutions, too. A ReLU belongs there.",
    ),
    "relu_for_sigmoid": (
        partial(Attention, gate=torch.relu),
        "A ReLU makes your gates, so they have no upper end. It is a sigmoid that lies between 0 and 1.",
    ),
    "tanh": (
        partial(Attention, gate=torch.tanh),
        "tanh goes from -1 to 1, so a map could change its sign. A sigmoid goes from 0 to 1.",
    ),
    "hard_sigmoid": (
        partial(Attention, gate=F.hardsigmoid),
        "Your gates are a hard sigmoid, made of straight pieces. Take σ itself, torch.sigmoid.",
    ),
    "leaky": (
        partial(Attention, middle=lambda units: F.leaky_relu(units, 0.2)),
        "Between the convolutions is a leaky ReLU. It is a plain one.",
    ),
    "doubled": (
        partial(Attention, gate=lambda scores: 2 * scores.sigmoid()),
        "Your gates go from 0 to 2. They are the sigmoid itself.",
    ),
    "turned_round": (
        partial(Attention, gate=lambda scores: 1 - scores.sigmoid()),
        "You scale by 1 - s. It is s itself: a large score leaves a channel open.",
    ),
    "gates_spread": (
        partial(Attention, scale=lambda maps, gates: gates.expand_as(maps).clone()),
        "The gates come back, repeated for each pixel. Multiply the maps by them.",
    ),
    "means_scaled": (
        partial(Attention, scale=lambda maps, gates: maps.mean((2, 3), keepdim=True) * gates),
        "You scale the means. The gates are for the maps themselves.",
    ),
    "no_bias_down": (
        partial(Attention, bias=False, bias_up=True),
        "The first convolution has no bias. Both have.",
    ),
    "no_bias_up": (
        partial(Attention, bias_up=False),
        "The second convolution has no bias. Both have.",
    ),
    "usual_ratio": (
        partial(Attention, units=lambda channels, reduction: channels // 16),
        "You always reduce by 16. That is what `reduction` is by default; use the argument.",
    ),
    "multiplied": (
        partial(Attention, units=lambda channels, reduction: channels * reduction),
        "Between your convolutions are more channels than outside. The middle is narrow: channels // reduction.",
    ),
    "four_units": (
        partial(Attention, units=lambda channels, reduction: 4),
        "Between your convolutions are always 4 channels, as in the paper's network. There are channels // reduction.",
    ),
    "one_gate": (
        partial(Attention, outputs=lambda channels: 1),
        "Your second convolution leads to one number, so all channels share a gate. It leads back to C.",
    ),
    "true_division": (
        partial(Attention, units=lambda channels, reduction: channels / reduction),
        "With / the number of channels is a float, which no layer takes. Use //.",
    ),
    "one_layer": (
        _OneLayer,
        "There is one convolution, from C to C. There are two, with C // r channels and a ReLU between them.",
    ),
    "batch_norm": (
        _Norm,
        "There is BatchNorm between the convolutions. Nothing is there but the ReLU.",
    ),
    "linear": (
        _Linear,
        "Linear layers can do the same, but the text asks for 1×1 convolutions, whose weights have two dimensions "
        "more: nn.Conv2d(..., 1) on means of shape (N, C, 1, 1).",
    ),
}
