"""Lesson 53, RCAN: what people get wrong in the block, each as code that behaves so, with its hint."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crashcourse.exercises.rcan_attention_mistakes import Attention


class Block(nn.Module):
    """A block with one thing wrong: what the keyword arguments after `reduction` say."""

    def __init__(
        self,
        width: int,
        reduction: int = 16,
        *,
        middle: Callable[[Tensor], Tensor] = torch.relu,
        behind: Callable[[Tensor], Tensor] = lambda residual: residual,
        before: Callable[[Tensor], Tensor] = lambda x: x,
        join: Callable[[Tensor, Tensor, nn.Module], Tensor] = lambda x, residual, attend: x + attend(residual),
        end: Callable[[Tensor], Tensor] = lambda x: x,
        norms: bool = False,
        attention: Callable[[int, int], nn.Module] = Attention,
        kernel: int = 3,
        **options: Any,
    ) -> None:
        super().__init__()
        options = {"padding": 1, **options}
        self.conv1 = nn.Conv2d(width, width, kernel, **options)
        self.norm1 = nn.BatchNorm2d(width) if norms else nn.Identity()
        self.conv2 = nn.Conv2d(width, width, kernel, **options)
        self.norm2 = nn.BatchNorm2d(width) if norms else nn.Identity()
        self.attention = attention(width, reduction)
        self.steps = middle, behind, before, join, end

    def forward(self, x: Tensor) -> Tensor:
        """Residual, attention, sum."""
        middle, behind, before, join, end = self.steps
        residual = behind(self.norm2(self.conv2(middle(self.norm1(self.conv1(before(x)))))))
        return end(join(x, residual, self.attention))


class _OneConvolution(nn.Module):
    def __init__(self, width: int, reduction: int = 16) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.attention = Attention(width, reduction)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.attention(self.conv(x).relu())


class _SharedConvolution(nn.Module):
    def __init__(self, width: int, reduction: int = 16) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.attention = Attention(width, reduction)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.attention(self.conv1(self.conv1(x).relu()))


class _Wired(nn.Module):
    """The right layers, in another order or used another way."""

    def __init__(
        self,
        width: int,
        reduction: int = 16,
        *,
        forward: Callable[[nn.Module, nn.Module, nn.Module, Tensor], Tensor],
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.attention = Attention(width, reduction)
        self.run = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self.conv1, self.conv2, self.attention, x)


class _More(nn.Module):
    """A layer too many between the convolutions."""

    def __init__(self, width: int, reduction: int = 16, *, layer: Callable[[int, int], nn.Module]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.more = layer(width, reduction)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.attention = Attention(width, reduction)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.attention(self.conv2(self.more(self.conv1(x)).relu()))


class _Bottleneck(nn.Module):
    def __init__(self, width: int, reduction: int = 16) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width // reduction, 3, padding=1)
        self.conv2 = nn.Conv2d(width // reduction, width, 3, padding=1)
        self.attention = Attention(width, reduction)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.attention(self.conv2(self.conv1(x).relu()))


class _NoAttention(nn.Module):
    def __init__(self, width: int, reduction: int = 16) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(self.conv1(x).relu())


BLOCK_MISTAKES = {
    "no_skip": (
        partial(Block, join=lambda x, residual, attend: attend(residual)),
        "The input is not added: this is a residual block.",
    ),
    "sum_gated": (
        partial(Block, join=lambda x, residual, attend: attend(x + residual)),
        "You gate the sum. Only the residual is gated; the skip carries x as it is.",
    ),
    "skip_gated": (
        partial(Block, join=lambda x, residual, attend: attend(x) + residual),
        "You gate the input. It is the residual that is gated.",
    ),
    "gates_of_input": (
        partial(Block, join=lambda x, residual, attend: x + residual * attend.gates(x)),
        "Your gates come from the block's input. They come from the residual, which they multiply.",
    ),
    "attention_unused": (
        partial(Block, join=lambda x, residual, attend: x + residual),
        "The attention is there, but is not used: x + attention(residual).",
    ),
    "no_attention": (
        _NoAttention,
        "That is a residual block without channel attention.",
    ),
    "plain_block": (
        partial(Block, join=lambda x, residual, attend: x + residual, end=torch.relu),
        "That is the block of ResNet: the attention is not used, and a ReLU follows the sum. x + attention(residual), "
        "nothing behind it.",
    ),
    "relu_at_the_end": (
        partial(Block, end=torch.relu),
        "There is a ReLU behind the sum. Here nothing follows: the skip stays free, and values may be negative.",
    ),
    "relu_on_residual": (
        partial(Block, behind=torch.relu),
        "There is a ReLU behind the second convolution: the residual could only add. One ReLU, between the "
        "convolutions.",
    ),
    "no_relu": (
        partial(Block, middle=lambda x: x),
        "There is no ReLU between the two convolutions. Without it they are one.",
    ),
    "relu_first": (
        partial(Block, before=torch.relu),
        "There is a ReLU before the first convolution. One ReLU, between the convolutions.",
    ),
    "subtracted": (
        partial(Block, join=lambda x, residual, attend: x - attend(residual)),
        "You subtract the residual, as DnCNN does. It is added.",
    ),
    "scaled": (
        partial(Block, join=lambda x, residual, attend: x + 0.1 * attend(residual)),
        "You scale the residual by 0.1, as EDSR does. RCAN's code has no residual scaling.",
    ),
    "concatenated": (
        partial(Block, join=lambda x, residual, attend: torch.cat([x, attend(residual)], 1)),
        "You concatenate: twice the channels come back. Add.",
    ),
    "in_place": (
        partial(Block, join=lambda x, residual, attend: x.add_(attend(residual))),
        "`+=` or add_ changes the input itself. Write x + ...",
    ),
    "batch_norm": (
        partial(Block, norms=True),
        "There is BatchNorm. RCAN has none, like EDSR.",
    ),
    "no_bias": (
        partial(Block, bias=False),
        "Your convolutions have no biases; without BatchNorm behind them they need some.",
    ),
    "no_padding": (
        partial(Block, padding=0),
        "Without zeros around, each convolution takes a pixel away on every side: padding=1.",
    ),
    "one_convolution": (
        _OneConvolution,
        "There is one convolution. The block has two, with a ReLU between them.",
    ),
    "shared": (
        _SharedConvolution,
        "You use the first convolution twice. The second has weights of its own.",
    ),
    "ratio_ignored": (
        partial(Block, attention=lambda width, reduction: Attention(width)),
        "The reduction is not passed on, so it is always 16: Attention(width, reduction).",
    ),
    "attention_between": (
        partial(_Wired, forward=lambda conv1, conv2, attend, x: x + conv2(attend(conv1(x).relu()))),
        "Your attention stands between the convolutions. It comes behind the second: it gates what the block adds.",
    ),
    "attention_before_relu": (
        partial(_Wired, forward=lambda conv1, conv2, attend, x: x + conv2(attend(conv1(x)).relu())),
        "Your attention stands between the first convolution and the ReLU. It comes behind the second convolution.",
    ),
    "attention_first": (
        partial(_Wired, forward=lambda conv1, conv2, attend, x: x + conv2(conv1(attend(x)).relu())),
        "Your attention comes before the convolutions. It comes behind them: it gates what the block adds.",
    ),
    "attention_twice": (
        partial(_Wired, forward=lambda conv1, conv2, attend, x: x + attend(conv2(attend(conv1(x).relu())))),
        "You use the attention twice. It comes once, behind the second convolution.",
    ),
    "two_attentions": (
        partial(_More, layer=Attention),
        "There are two attentions. The block has one, behind the second convolution.",
    ),
    "residual_for_input": (
        partial(Block, join=lambda x, residual, attend: residual + attend(residual)),
        "You add the residual to itself, gated. The input x is added: x + attention(residual).",
    ),
    "residual_kept": (
        partial(Block, join=lambda x, residual, attend: x + residual + attend(residual)),
        "You add the residual ungated as well. There are two parts: x and attention(residual).",
    ),
    "gated_input_added": (
        partial(Block, join=lambda x, residual, attend: x + residual + attend(x)),
        "You add the gated input to a block without attention. What is gated is the residual, and nothing else.",
    ),
    "times_residual": (
        partial(Block, join=lambda x, residual, attend: x + residual * attend(residual)),
        "Your attention gives back the scaled residual already, not the gates. You multiply by the residual once more.",
    ),
    "multiplied": (
        partial(Block, join=lambda x, residual, attend: x * attend(residual)),
        "You multiply the input by the residual. It is added.",
    ),
    "input_twice": (
        partial(Block, join=lambda x, residual, attend: 2 * x + attend(residual)),
        "The input is added twice.",
    ),
    "skip_of_relu": (
        partial(Block, join=lambda x, residual, attend: x.relu() + attend(residual)),
        "The skip carries relu(x). It carries x as it came, negative values, too.",
    ),
    "relu_on_gated": (
        partial(Block, join=lambda x, residual, attend: x + attend(residual).relu()),
        "There is a ReLU behind the attention: the block could only add. One ReLU, between the convolutions.",
    ),
    "relu_moved_first": (
        partial(Block, before=torch.relu, middle=lambda x: x),
        "Your ReLU comes before the first convolution. It stands between the two.",
    ),
    "relu_moved_behind": (
        partial(Block, middle=lambda x: x, behind=torch.relu),
        "Your ReLU comes behind the second convolution. It stands between the two.",
    ),
    "inner_skip": (
        partial(_Wired, forward=lambda conv1, conv2, attend, x: attend(conv2((x + conv1(x)).relu()))),
        "You add the input between the convolutions. It is added at the end, behind the attention.",
    ),
    "leaky": (
        partial(Block, middle=lambda x: F.leaky_relu(x, 0.2)),
        "Between the convolutions is a leaky ReLU. It is a plain one.",
    ),
    "one_norm": (
        partial(_More, layer=lambda width, reduction: nn.BatchNorm2d(width)),
        "There is BatchNorm behind the first convolution. The block has none.",
    ),
    "three_convolutions": (
        partial(_More, layer=lambda width, reduction: nn.Conv2d(width, width, 3, padding=1)),
        "There are three convolutions of 3×3. The block has two.",
    ),
    "bottleneck": (
        _Bottleneck,
        "Your convolutions go through width // reduction channels, as the gates do. They keep the width.",
    ),
    "ratio_for_units": (
        partial(Block, attention=lambda width, reduction: Attention(width, width // reduction)),
        "You hand on width // reduction. Attention does that division itself: Attention(width, reduction).",
    ),
    "swapped": (
        partial(Block, attention=lambda width, reduction: Attention(reduction, width)),
        "The arguments of Attention have changed places: Attention(width, reduction).",
    ),
    "pointwise": (
        partial(Block, kernel=1, padding=0),
        "Your convolutions are 1×1. Those are for the gates; here they are 3×3.",
    ),
    "large": (
        partial(Block, kernel=5, padding=2),
        "Your convolutions are 5×5. They are 3×3.",
    ),
    "depthwise": (
        (lambda width, reduction=16: Block(width, reduction, groups=width)),
        "Your convolutions are depthwise. Each output sees all channels: no groups.",
    ),
    "dilated": (
        partial(Block, padding=2, dilation=2),
        "Your convolutions are dilated. Here neighbours are next to each other.",
    ),
    "mirrored": (
        partial(Block, padding_mode="reflect"),
        "You mirror the maps at the border. There are zeros around.",
    ),
    "repeated": (
        partial(Block, padding_mode="replicate"),
        "You repeat the border's values. There are zeros around.",
    ),
}
