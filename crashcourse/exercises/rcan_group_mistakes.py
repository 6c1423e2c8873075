"""Lesson 53, RCAN: what people get wrong in the group, each as code that behaves so, with its hint."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from crashcourse.exercises.rcan_block_mistakes import Block


class Group(nn.Module):
    """A group with one thing wrong: what the keyword arguments after `reduction` say."""

    def __init__(
        self,
        blocks: int,
        width: int,
        reduction: int = 16,
        *,
        count: Callable[[int], int] = lambda blocks: blocks,
        shared: bool = False,
        padding: int = 1,
        kernel: int = 3,
        forward: Callable[[nn.Module, nn.Module, Tensor], Tensor] = lambda blocks, conv, x: x + conv(blocks(x)),
    ) -> None:
        super().__init__()
        made = [Block(width, reduction) for _ in range(count(blocks))]
        self.blocks = nn.Sequential(*([made[0]] * len(made) if shared else made))
        self.conv = nn.Conv2d(width, width, kernel, padding=padding)
        self.run = forward

    def forward(self, x: Tensor) -> Tensor:
        """Blocks, convolution, sum."""
        return self.run(self.blocks, self.conv, x)


class _WithoutConvolution(nn.Module):
    def __init__(self, blocks: int, width: int, reduction: int = 16) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Block(width, reduction) for _ in range(blocks)))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.blocks(x)


class _PlainList(nn.Module):
    def __init__(self, blocks: int, width: int, reduction: int = 16) -> None:
        super().__init__()
        self.blocks = [Block(width, reduction) for _ in range(blocks)]
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(nn.Sequential(*self.blocks)(x))


class _EachWithConvolution(nn.Module):
    def __init__(self, blocks: int, width: int, reduction: int = 16) -> None:
        super().__init__()
        made = [(Block(width, reduction), nn.Conv2d(width, width, 3, padding=1)) for _ in range(blocks + 1)]
        self.blocks = nn.Sequential(*(layer for pair in made for layer in pair))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.blocks(x)


def _skips(blocks: nn.Module, conv: nn.Module, x: Tensor) -> Tensor:
    y = x
    for block in blocks:
        y = x + block(y)
    return x + conv(y)


def _parallel(blocks: nn.Module, conv: nn.Module, x: Tensor) -> Tensor:
    return x + conv(sum((block(x) for block in blocks), torch.zeros_like(x)) + x)


GROUP_MISTAKES = {
    "no_skip": (
        partial(Group, forward=lambda blocks, conv, x: conv(blocks(x))),
        "The short skip is missing: the group's input is added to its output.",
    ),
    "skip_before_convolution": (
        partial(Group, forward=lambda blocks, conv, x: conv(x + blocks(x))),
        "Your skip ends before the convolution. It ends behind it: x + conv(blocks(x)).",
    ),
    "skip_from_blocks": (
        partial(Group, forward=lambda blocks, conv, x: blocks(x) + conv(blocks(x))),
        "Your skip goes around the convolution alone. It starts at the group's input.",
    ),
    "blocks_added": (
        partial(Group, forward=lambda blocks, conv, x: x + blocks(x) + conv(blocks(x))),
        "You add the blocks' output once more. There are two parts: the input and the convolution's output.",
    ),
    "skip_twice": (
        partial(Group, forward=lambda blocks, conv, x: 2 * x + conv(blocks(x))),
        "The input is added twice.",
    ),
    "convolution_unused": (
        partial(Group, forward=lambda blocks, conv, x: x + blocks(x)),
        "The convolution behind the blocks is there, but is not used.",
    ),
    "no_convolution": (
        _WithoutConvolution,
        "The convolution behind the blocks is missing.",
    ),
    "convolution_first": (
        partial(Group, forward=lambda blocks, conv, x: x + blocks(conv(x))),
        "The convolution comes before the blocks. It comes behind them.",
    ),
    "blocks_unused": (
        partial(Group, forward=lambda blocks, conv, x: x + conv(x)),
        "The blocks are there, but are not used.",
    ),
    "relu": (
        partial(Group, forward=lambda blocks, conv, x: x + conv(blocks(x)).relu()),
        "There is a ReLU behind the convolution. Nothing follows it but the sum.",
    ),
    "relu_at_the_end": (
        partial(Group, forward=lambda blocks, conv, x: (x + conv(blocks(x))).relu()),
        "There is a ReLU behind the sum. Nothing follows it.",
    ),
    "skips_into_blocks": (
        partial(Group, forward=_skips),
        "You add the group's input behind each block. Blocks have skips of their own; the group adds its input once.",
    ),
    "parallel": (
        partial(Group, forward=_parallel),
        "Your blocks all see the group's input. Each sees the output of the one before it.",
    ),
    "one_fewer": (
        partial(Group, count=lambda blocks: blocks - 1),
        "There is a block too few.",
    ),
    "one_more": (
        partial(Group, count=lambda blocks: blocks + 1),
        "There is a block too many.",
    ),
    "plain_list": (
        _PlainList,
        "Your blocks are in a plain list, so the group does not know of them, and they are never trained. "
        "nn.Sequential or nn.ModuleList.",
    ),
    "pointwise": (
        partial(Group, kernel=1, padding=0),
        "The convolution behind the blocks is 1×1. It is 3×3.",
    ),
    "no_padding": (
        partial(Group, padding=0),
        "Without zeros around, the convolution takes a pixel away on every side: padding=1.",
    ),
    "in_place": (
        partial(Group, forward=lambda blocks, conv, x: x.add_(conv(blocks(x)))),
        "`+=` or add_ changes the input itself. Write x + ...",
    ),
    "each_with_convolution": (
        _EachWithConvolution,
        "A convolution follows each block, and there is a block too many. One convolution follows them all.",
    ),
}
