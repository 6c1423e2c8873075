"""Lesson 17, EfficientNet: what people get wrong in MBConv, each as code that behaves so, with its hint."""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn

from crashcourse.classification.mobilenet import conv_norm
from crashcourse.classification.senet import SqueezeExcitation
from crashcourse.classification.stochastic_depth import stochastic_depth

SILU = nn.SiLU


class Block(nn.Module):
    """MBConv with one thing wrong: what the keyword arguments after `drop` say.

    Args:
        hidden: channels between, from in_channels, out_channels and expansion.
        expands: whether there is a first 1×1, from the expansion.
        strides: of the expansion, the depthwise convolution and the projection.
        side: of the depthwise kernel, from the one asked for.
        groups: of the depthwise convolution, from in_channels and the channels between.
        squeezed: units between the gates' layers, from in_channels, out_channels and the channels between.
        gates: what the gates are made with besides; None for no gates.
        gates_at: behind how many of the three convolutions the gates stand.
        activations: after the expansion, the depthwise convolution and the projection.
        skips: whether there is a shortcut, from in_channels, out_channels and stride.
        join: from the block, its input and its residual to the output, where there is a shortcut.
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
        hidden: Callable[[int, int, int], int] = lambda ins, outs, expansion: ins * expansion,
        expands: Callable[[int], bool] = lambda expansion: expansion != 1,
        strides: Callable[[int], tuple[int, int, int]] = lambda stride: (1, stride, 1),
        side: Callable[[int], int] = lambda kernel: kernel,
        groups: Callable[[int, int], int] = lambda ins, between: between,
        squeezed: Callable[[int, int, int], int] = lambda ins, outs, between: max(1, ins // 4),
        gates: dict[str, Any] | None = {"activation": SILU},  # noqa: B006 (never changed)
        gates_at: int = 2,
        activations: tuple[Any, Any, Any] = (SILU, SILU, None),
        skips: Callable[[int, int, int], bool] = lambda ins, outs, stride: stride == 1 and ins == outs,
        join: Callable[["Block", Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        between = hidden(in_channels, out_channels, expansion)
        first, middle, last = strides(stride)
        depthwise = {"stride": middle, "groups": groups(in_channels, between), "activation": activations[1]}
        layers = [
            conv_norm(in_channels, between, 1, stride=first, activation=activations[0]),
            conv_norm(between, between, side(kernel), **depthwise),
            conv_norm(between, out_channels, 1, stride=last, activation=activations[2]),
        ]
        if gates is not None:
            channels = out_channels if gates_at == 3 else between
            units = squeezed(in_channels, out_channels, between)
            layers.insert(gates_at, SqueezeExcitation(channels, squeezed=units, **gates))
        self.block = nn.Sequential(*layers[0 if expands(expansion) else 1 :])
        self.has_skip, self.drop, self.join = skips(in_channels, out_channels, stride), drop, join

    def forward(self, features: Tensor) -> Tensor:
        """The residual, and its sum with the input where there is a shortcut."""
        residual = self.block(features)
        if not self.has_skip:
            return residual
        return self.join(self, features, residual) if self.join else features + residual


def _in_place(block: Block, features: Tensor, residual: Tensor) -> Tensor:
    features += residual
    return features


BLOCK_MISTAKES = {
    "no_shortcut": (
        partial(Block, skips=lambda ins, outs, stride: False),
        "The input is never added. Where stride is 1 and the channels are equal, it is.",
    ),
    "shortcut_by_channels": (
        partial(Block, skips=lambda ins, outs, stride: ins == outs),
        "You add the input wherever the channels are equal. With stride 2 it does not fit the residual.",
    ),
    "shortcut_by_stride": (
        partial(Block, skips=lambda ins, outs, stride: stride == 1),
        "You add the input wherever the stride is 1. With other channels it does not fit the residual.",
    ),
    "shortcut_always": (
        partial(Block, skips=lambda ins, outs, stride: True),
        "You add the input always. It fits only where stride is 1 and the channels are equal.",
    ),
    "drops_in_evaluation": (
        partial(Block, join=lambda block, x, residual: x + stochastic_depth(residual, block.drop)),
        "Your block drops residuals in evaluation, too. Give stochastic_depth training=self.training.",
    ),
    "scaled_in_evaluation": (
        partial(Block, join=lambda block, x, residual: x + residual * (1 - block.drop)),
        "You scale the residual down in evaluation. Here it is scaled up in training instead; leave it alone.",
    ),
    "shortcut_dropped": (
        partial(Block, join=lambda block, x, residual: stochastic_depth(x + residual, block.drop)),
        "You drop the sum, and in evaluation, too. Only the residual is dropped, and only while training.",
    ),
    "in_place": (
        partial(Block, join=_in_place),
        "`+=` changes the block's input. Write features + residual.",
    ),
    "activation_after_projection": (
        partial(Block, activations=(SILU, SILU, SILU)),
        "There is an activation after the projection. Its output is linear: activation=None.",
    ),
    "activation_after_sum": (
        partial(Block, join=lambda block, x, residual: nn.functional.silu(x + residual)),
        "There is an activation after the sum. Nothing stands there.",
    ),
    "relu6": (
        partial(Block, activations=(nn.ReLU6, nn.ReLU6, None)),
        "Your convolutions are followed by ReLU6, as in MobileNet v2 (conv_norm has it by default). Here it is SiLU.",
    ),
    "relu": (
        partial(Block, activations=(nn.ReLU, nn.ReLU, None)),
        "Your convolutions are followed by ReLU. Here it is SiLU.",
    ),
    "relu_everywhere": (
        partial(Block, activations=(nn.ReLU, nn.ReLU, None), gates={}),
        "There is no SiLU in your block: it follows the first two convolutions and stands between the gates' layers.",
    ),
    "relu_in_gates": (
        partial(Block, gates={}),
        "Between the two layers of the gates stands ReLU, SENet's. Here it is SiLU: activation=nn.SiLU.",
    ),
    "silu_as_gate": (
        partial(Block, gates={"gate": SILU, "activation": SILU}),
        "The gates themselves are made by SiLU. They stay sigmoids, between 0 and 1; SiLU stands between the layers.",
    ),
    "no_activation_at_all": (
        partial(Block, activations=(None, None, None)),
        "No activation follows the expansion and the depthwise convolution. It is SiLU there.",
    ),
    "no_activation_after_depthwise": (
        partial(Block, activations=(SILU, None, None)),
        "No activation follows the depthwise convolution. It is SiLU there, too.",
    ),
    "no_activation_after_expansion": (
        partial(Block, activations=(None, SILU, None)),
        "No activation follows the expansion. It is SiLU there, too.",
    ),
    "no_gates": (
        partial(Block, gates=None),
        "Squeeze-and-excitation is missing: this is MobileNet v2's block. It stands before the projection.",
    ),
    "gates_before_depthwise": (
        partial(Block, gates_at=1),
        "Your gates come before the depthwise convolution. They come after it.",
    ),
    "gates_at_the_end": (
        partial(Block, gates_at=3),
        "Your gates come after the projection, as in SENet. Here they act on the wide maps, before it.",
    ),
    "quarter_of_hidden": (
        partial(Block, squeezed=lambda ins, outs, between: max(1, between // 4)),
        "The gates have a quarter of the expanded channels as units. It is a quarter of the block's input channels.",
    ),
    "quarter_of_output": (
        partial(Block, squeezed=lambda ins, outs, between: max(1, outs // 4)),
        "The gates have a quarter of the output channels as units. It is a quarter of the block's input channels.",
    ),
    "sixteenth": (
        partial(Block, squeezed=lambda ins, outs, between: max(1, between // 16)),
        "The gates have a sixteenth of their channels as units, as in SENet. It is a quarter of the block's input "
        "channels: squeezed=in_channels // 4.",
    ),
    "not_squeezed": (
        partial(Block, squeezed=lambda ins, outs, between: ins),
        "The gates have as many units as the block has input channels. It is a quarter of that.",
    ),
    "not_depthwise": (
        partial(Block, groups=lambda ins, between: 1),
        "Your k×k convolution mixes all channels. Depthwise means one group for each: groups=hidden.",
    ),
    "groups_of_input": (
        partial(Block, groups=lambda ins, between: ins),
        "Your k×k convolution has as many groups as the block has input channels. It has one for each expanded "
        "channel: groups=hidden.",
    ),
    "always_3x3": (
        partial(Block, side=lambda kernel: 3),
        "The depthwise kernel is always 3×3. Use the argument kernel.",
    ),
    "stride_on_expansion": (
        partial(Block, expands=lambda expansion: True, strides=lambda stride: (stride, 1, 1)),
        "The expansion has the stride, so three pixels of four are thrown away unseen; and it is there even where "
        "expansion is 1. The depthwise convolution has the stride.",
    ),
    "stride_on_projection": (
        partial(Block, strides=lambda stride: (1, 1, stride)),
        "The projection has the stride, so three pixels of four are computed for nothing. The depthwise convolution "
        "has it.",
    ),
    "no_stride": (
        partial(Block, strides=lambda stride: (1, 1, 1)),
        "The stride is never used: the maps keep their size. The depthwise convolution has it.",
    ),
    "always_expands": (
        partial(Block, expands=lambda expansion: True),
        "Where expansion is 1 there is nothing to expand: the first 1×1 convolution is left out.",
    ),
    "never_expands": (
        partial(Block, hidden=lambda ins, outs, expansion: ins, expands=lambda expansion: False),
        "There is no expansion. A 1×1 convolution makes in_channels · expansion channels first.",
    ),
    "expands_output": (
        partial(Block, hidden=lambda ins, outs, expansion: outs * expansion),
        "You expand to out_channels · expansion. It is in_channels · expansion.",
    ),
    "expansion_fixed": (
        partial(Block, hidden=lambda ins, outs, expansion: ins * (6 if expansion != 1 else 1)),
        "You always expand six times. Use the argument expansion.",
    ),
}
