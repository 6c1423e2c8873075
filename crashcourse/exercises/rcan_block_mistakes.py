"""Lesson 53, RCAN: what people get wrong in the block, each as code that behaves so, with its hint."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from crashcourse.restoration.rcan import ChannelAttention


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
        bias: bool = True,
        norms: bool = False,
        ratio: Callable[[int], int] = lambda reduction: reduction,
        padding: int = 1,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=padding, bias=bias)
        self.norm1 = nn.BatchNorm2d(width) if norms else nn.Identity()
        self.conv2 = nn.Conv2d(width, width, 3, padding=padding, bias=bias)
        self.norm2 = nn.BatchNorm2d(width) if norms else nn.Identity()
        self.attention = ChannelAttention(width, ratio(reduction))
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
        self.attention = ChannelAttention(width, reduction)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.attention(self.conv(x).relu())


class _SharedConvolution(nn.Module):
    def __init__(self, width: int, reduction: int = 16) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.attention = ChannelAttention(width, reduction)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.attention(self.conv1(self.conv1(x).relu()))


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
        partial(Block, ratio=lambda reduction: 1),
        "The reduction is not passed on: Attention(width, reduction).",
    ),
}
