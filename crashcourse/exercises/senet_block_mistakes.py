"""Lesson 15, SENet: what people get wrong in its block, each as code that behaves so, with its hint."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn


class Block(nn.Module):
    """An SE block with one thing wrong: what the keyword arguments after `reduction` say.

    Args:
        units: of the layer between, from channels and reduction.
        bias: of both layers.
        layers: makes the two layers, from channels, units and bias.
        squeeze: from the maps to what the first layer gets.
        middle: what follows the first layer.
        gate: from scores to gates.
        spread: gives the gates the dimensions of the maps.
        scale: from the maps and the gates to the output.
    """

    def __init__(
        self,
        channels: int,
        reduction: int = 16,
        *,
        units: Callable[[int, int], int] = lambda channels, reduction: channels // reduction,
        bias: bool = True,
        layers: Callable[[int, int, bool], list[nn.Module]] | None = None,
        squeeze: Callable[[Tensor], Tensor] = lambda maps: maps.mean((2, 3)),
        middle: Callable[[Tensor], Tensor] = torch.relu,
        gate: Callable[[Tensor], Tensor] = torch.sigmoid,
        spread: Callable[[Tensor], Tensor] = lambda gates: gates[:, :, None, None],
        scale: Callable[[Tensor, Tensor], Tensor] = lambda maps, gates: maps * gates,
    ) -> None:
        super().__init__()
        made = (layers or _dense)(channels, units(channels, reduction), bias)
        self.fc1, self.fc2 = made[0], made[-1]
        self.steps = squeeze, middle, gate, spread, scale

    def forward(self, maps: Tensor) -> Tensor:
        """Squeeze, excite, scale."""
        squeeze, middle, gate, spread, scale = self.steps
        gates = gate(self.fc2(middle(self.fc1(squeeze(maps)))))
        return scale(maps, spread(gates))


def _dense(channels: int, units: int, bias: bool) -> list[nn.Module]:
    return [nn.Linear(channels, units, bias), nn.Linear(units, channels, bias)]


def _pointwise(channels: int, units: int, bias: bool) -> list[nn.Module]:
    return [nn.Conv2d(channels, units, 1, bias=bias), nn.Conv2d(units, channels, 1, bias=bias)]


class _OneLayer(nn.Module):
    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.fc = nn.Linear(channels, channels)

    def forward(self, maps: Tensor) -> Tensor:
        return maps * self.fc(maps.mean((2, 3))).sigmoid()[:, :, None, None]


def _in_place(maps: Tensor, gates: Tensor) -> Tensor:
    maps *= gates
    return maps


BLOCK_MISTAKES = {
    "no_sigmoid": (
        partial(Block, gate=lambda scores: scores),
        "You multiply by the scores themselves, which may be negative or large. A sigmoid turns them into gates "
        "between 0 and 1.",
    ),
    "softmax": (
        partial(Block, gate=lambda scores: scores.softmax(1)),
        "A softmax shares out 1 among all channels. Each channel has a gate of its own: a sigmoid of its score.",
    ),
    "relu_gate": (
        partial(Block, gate=torch.relu),
        "Your gates end with a ReLU. ReLU stands between the two layers, the sigmoid at the end.",
    ),
    "tanh_gate": (
        partial(Block, gate=torch.tanh),
        "tanh gives gates from -1 to 1. The paper's gates are a sigmoid, from 0 to 1.",
    ),
    "relu_before_sigmoid": (
        partial(Block, gate=lambda scores: scores.relu().sigmoid()),
        "There is a ReLU after the second layer, too: then no gate is below 1/2. Scores go straight into the sigmoid.",
    ),
    "no_relu": (
        partial(Block, middle=lambda units: units),
        "There is no ReLU between the two layers. Without it they are one linear layer.",
    ),
    "sigmoid_in_the_middle": (
        partial(Block, middle=torch.sigmoid),
        "There is a sigmoid after the first layer. ReLU comes there; the sigmoid follows the second.",
    ),
    "swapped": (
        partial(Block, middle=torch.sigmoid, gate=torch.relu),
        "ReLU and sigmoid have changed places: ReLU after the first layer, sigmoid after the second.",
    ),
    "max": (
        partial(Block, squeeze=lambda maps: maps.amax((2, 3))),
        "You squeeze by the largest value of each map. The block takes the mean.",
    ),
    "sum": (
        partial(Block, squeeze=lambda maps: maps.sum((2, 3))),
        "You squeeze by the sum, which grows with the size of the maps. Take the mean.",
    ),
    "mean_over_batch": (
        partial(Block, squeeze=lambda maps: maps.mean((0, 2, 3))[None]),
        "Your means run over the batch, too, so all images get the same gates. Dimensions 2 and 3 only.",
    ),
    "middle_pixel": (
        partial(Block, squeeze=lambda maps: maps[:, :, 0, 0]),
        "You look at one pixel. The squeeze is the mean over the whole map: dimensions 2 and 3.",
    ),
    "rows_only": (
        partial(Block, squeeze=lambda maps: maps.mean(2)),
        "Your mean runs over the rows alone and leaves (N, C, W). Give it both dimensions: mean((2, 3)).",
    ),
    "not_reshaped": (
        partial(Block, spread=lambda gates: gates),
        "Gates of shape (N, C) meet maps of shape (N, C, H, W): PyTorch lines up the *last* dimensions. Make them "
        "(N, C, 1, 1).",
    ),
    "gates_alone": (
        partial(Block, scale=lambda maps, gates: gates),
        "The gates come back. The output is the maps, each channel multiplied by its gate.",
    ),
    "added": (
        partial(Block, scale=lambda maps, gates: maps + gates),
        "You add the gates to the maps. They are multiplied.",
    ),
    "shortcut": (
        partial(Block, scale=lambda maps, gates: maps + maps * gates),
        "You add the maps once more. The shortcut belongs to the residual block around this one.",
    ),
    "closed_for_open": (
        partial(Block, scale=lambda maps, gates: maps * (1 - gates)),
        "You multiply by 1 - gate: what should pass is held back.",
    ),
    "squeezed_output": (
        partial(Block, scale=lambda maps, gates: maps.mean((2, 3), keepdim=True) * gates),
        "You scale the means. The gates multiply the maps themselves, every pixel of them.",
    ),
    "in_place": (
        partial(Block, scale=_in_place),
        "`maps *= gates` changes the input itself. Write maps * gates.",
    ),
    "detached": (
        partial(Block, spread=lambda gates: gates.detach()[:, :, None, None]),
        "The values are right, but the gates are cut off (.detach(), .data or no_grad), so their layers never learn.",
    ),
    "no_bias": (
        partial(Block, bias=False),
        "Your layers have no biases. Equation 3 shows none, but the authors' networks and this one have them.",
    ),
    "units_for_ratio": (
        partial(Block, units=lambda channels, reduction: reduction),
        "Your layer between has `reduction` units. It has channels // reduction.",
    ),
    "widened": (
        partial(Block, units=lambda channels, reduction: 2 * channels * reduction),
        "Your layer between is wider than the maps have channels. It is narrower: channels // reduction.",
    ),
    "fixed_ratio": (
        partial(Block, units=lambda channels, reduction: max(channels // 8, 1)),
        "Your layer between does not follow `reduction`: it has channels // reduction units.",
    ),
    "rounded_up": (
        partial(Block, units=lambda channels, reduction: -(-channels // reduction)),
        "You round the number of units up. channels // reduction rounds down.",
    ),
    "one_layer": (
        _OneLayer,
        "One dense layer of C × C. The block has two, with channels // reduction units between them.",
    ),
    "pointwise": (
        partial(
            Block,
            layers=_pointwise,
            squeeze=lambda maps: maps.mean((2, 3), keepdim=True),
            spread=lambda gates: gates,
        ),
        "1×1 convolutions on (N, C, 1, 1) compute the same, and the package has it so. Here the weights of nn.Linear "
        "are to fit: two of those, please.",
    ),
}
