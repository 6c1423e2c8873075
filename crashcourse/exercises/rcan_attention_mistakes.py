"""Lesson 53, RCAN: what people get wrong in channel attention, each as code that behaves so, with its hint."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    """Channel attention with one thing wrong: what the keyword arguments after `reduction` say."""

    def __init__(
        self,
        channels: int,
        reduction: int = 16,
        *,
        units: Callable[[int, int], int] = lambda channels, reduction: channels // reduction,
        bias: bool = True,
        squeeze: Callable[[Tensor], Tensor] = lambda maps: maps.mean((2, 3), keepdim=True),
        middle: Callable[[Tensor], Tensor] = torch.relu,
        gate: Callable[[Tensor], Tensor] = torch.sigmoid,
        scale: Callable[[Tensor, Tensor], Tensor] = lambda maps, gates: maps * gates,
    ) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, units(channels, reduction), 1, bias=bias)
        self.up = nn.Conv2d(units(channels, reduction), channels, 1, bias=bias)
        self.steps = squeeze, middle, gate, scale

    def forward(self, maps: Tensor) -> Tensor:
        """Squeeze, excite, scale."""
        squeeze, middle, gate, scale = self.steps
        return scale(maps, gate(self.up(middle(self.down(squeeze(maps))))))


class Spatial(nn.Module):
    """A kernel of 3×3 where 1×1 belongs."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, channels // reduction, 3, padding=1)
        self.up = nn.Conv2d(channels // reduction, channels, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        """As it should be, apart from the kernels."""
        return maps * self.up(self.down(maps.mean((2, 3), keepdim=True)).relu()).sigmoid()


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
}
