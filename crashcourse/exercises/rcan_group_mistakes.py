"""Lesson 53, RCAN: what people get wrong in the group, each as code that behaves so, with its hint."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from crashcourse.exercises.rcan_attention_mistakes import Attention
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
        block: Callable[[int, int], nn.Module] = Block,
        behind: Callable[[int, int], nn.Module] | None = None,
        kernel: int = 3,
        forward: Callable[[nn.Module, nn.Module, Tensor], Tensor] = lambda blocks, conv, x: x + conv(blocks(x)),
        **options: Any,
    ) -> None:
        super().__init__()
        made = [block(width, reduction) for _ in range(count(blocks))]
        self.blocks = nn.Sequential(*([made[0]] * len(made) if shared else made))
        conv = nn.Conv2d(width, width, kernel, **{"padding": 1, **options})
        self.conv = nn.Sequential(conv, behind(width, reduction)) if behind else conv
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
    def __init__(self, blocks: int, width: int, reduction: int = 16, *, more: int = 1) -> None:
        super().__init__()
        made = [(Block(width, reduction), nn.Conv2d(width, width, 3, padding=1)) for _ in range(blocks + more)]
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


def _convolution_each(blocks: nn.Module, conv: nn.Module, x: Tensor) -> Tensor:
    y = x
    for block in blocks:
        y = conv(block(y))
    return x + y


def _skipped_again(blocks: nn.Module, conv: nn.Module, x: Tensor) -> Tensor:
    y = x
    for block in blocks:
        y = y + block(y)
    return x + conv(y)


def _backwards(blocks: nn.Module, conv: nn.Module, x: Tensor) -> Tensor:
    y = x
    for block in reversed(list(blocks)):
        y = block(y)
    return x + conv(y)


def _late_skip(blocks: nn.Module, conv: nn.Module, x: Tensor) -> Tensor:
    first, *others = blocks
    start = first(x)
    return start + conv(nn.Sequential(*others)(start))


class _Looped(nn.Module):
    def __init__(self, blocks: int, width: int, reduction: int = 16) -> None:
        super().__init__()
        self.count, self.block = blocks, Block(width, reduction)
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(nn.Sequential(*[self.block] * self.count)(x))


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
    "convolution_on_skip": (
        partial(Group, forward=lambda blocks, conv, x: conv(x) + blocks(x)),
        "The convolution stands in the skip. The skip carries x as it is; the convolution comes behind the blocks.",
    ),
    "subtracted": (
        partial(Group, forward=lambda blocks, conv, x: x - conv(blocks(x))),
        "You subtract. The convolution's output is added to the group's input.",
    ),
    "one_block_repeated": (
        partial(Group, shared=True),
        "Your blocks are one block, several times: `[Block(...)] * blocks` builds one. Build each anew, in a loop.",
    ),
    "one_block_looped": (
        _Looped,
        "You use one block again and again. There are as many as `blocks` says, each with weights of its own.",
    ),
    "side_by_side": (
        partial(
            Group, forward=lambda blocks, conv, x: x + conv(sum((block(x) for block in blocks), torch.zeros_like(x)))
        ),
        "You add up what the blocks make of the same x. They come one after the other.",
    ),
    "last_alone": (
        partial(Group, forward=lambda blocks, conv, x: x + conv(blocks[-1](x))),
        "Each of your blocks sees x again, so only the last one counts. Hand each the output of the one before it.",
    ),
    "skips_of_blocks_again": (
        partial(Group, forward=_skipped_again),
        "You add each block's input once more. A block has that skip inside.",
    ),
    "backwards": (
        partial(Group, forward=_backwards),
        "The blocks run in reverse order. The first one that you create comes first.",
    ),
    "late_skip": (
        partial(Group, forward=_late_skip),
        "Your skip starts behind the first block. It starts at the group's input.",
    ),
    "convolution_after_each": (
        partial(Group, forward=_convolution_each),
        "The convolution runs behind each block. It runs once, behind the last.",
    ),
    "convolution_of_each": (
        partial(_EachWithConvolution, more=0),
        "A convolution of its own follows each block. One follows them all.",
    ),
    "relu_before_convolution": (
        partial(Group, forward=lambda blocks, conv, x: x + conv(blocks(x).relu())),
        "There is a ReLU between the blocks and the convolution. Nothing is there.",
    ),
    "twenty_blocks": (
        partial(Group, count=lambda blocks: 20),
        "There are always 20 blocks, as in the paper's network. Use the argument.",
    ),
    "no_bias": (
        partial(Group, bias=False),
        "The convolution behind the blocks has no bias. It has one, as all do here.",
    ),
    "ratio_ignored": (
        partial(Group, block=lambda width, reduction: Block(width)),
        "The reduction is not passed on, so it is always 16: Block(width, reduction).",
    ),
    "swapped": (
        lambda blocks, width, reduction=16: Group(width, blocks, reduction),
        "`blocks` and `width` have changed places: the first says how many, the second how many channels.",
    ),
    "attention": (
        partial(Group, behind=Attention),
        "There is channel attention behind the convolution. It is in the blocks alone.",
    ),
    "batch_norm": (
        partial(Group, behind=lambda width, reduction: nn.BatchNorm2d(width)),
        "There is BatchNorm behind the convolution. RCAN has none.",
    ),
    "two_convolutions": (
        partial(Group, behind=lambda width, reduction: nn.Conv2d(width, width, 3, padding=1)),
        "Two convolutions follow the blocks. There is one.",
    ),
    "mirrored": (
        partial(Group, padding_mode="reflect"),
        "You mirror the maps at the border. The convolution has zeros around.",
    ),
}
