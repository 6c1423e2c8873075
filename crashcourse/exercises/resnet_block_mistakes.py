"""Lesson 13, ResNet: what people get wrong in the residual block, each as code that behaves so, with its hint."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn


class Block(nn.Module):
    """A residual block with one thing wrong: what the keyword arguments after `stride` say.

    Args:
        strides: of the two convolutions and of the projection, from the block's stride.
        padding: of the 3×3 convolutions.
        biases: of the two convolutions, and of the projection.
        second: channels that the second convolution takes, from in_channels and width.
        late_padding: of the second convolution, `padding` if None.
        projects: whether there is a projection, from in_channels, width and stride.
        kernel: of the projection.
        norm: whether the projection has a BatchNorm.
        norms: how many BatchNorms the branch has.
        first_norm: channels of the first BatchNorm, from in_channels and width.
        middle: from the block and x to the branch, before the sum.
        end: from the block, x, the branch and the shortcut to the output.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int = 1,
        *,
        strides: Callable[[int], tuple[int, int, int]] = lambda stride: (stride, 1, stride),
        padding: int = 1,
        biases: tuple[bool, bool] = (False, False),
        second: Callable[[int, int], int] = lambda ins, outs: outs,
        late_padding: int | None = None,
        projects: Callable[[int, int, int], bool] = lambda ins, outs, stride: stride != 1 or ins != outs,
        kernel: int = 1,
        norm: bool = True,
        norms: int = 2,
        first_norm: Callable[[int, int], int] = lambda ins, outs: outs,
        middle: Callable[["Block", Tensor], Tensor] | None = None,
        end: Callable[["Block", Tensor, Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        one, two, side = strides(stride)
        late_padding = padding if late_padding is None else late_padding
        self.conv1 = nn.Conv2d(in_channels, width, 3, one, padding=padding, bias=biases[0])
        if norms:
            self.bn1 = nn.BatchNorm2d(first_norm(in_channels, width))
        self.conv2 = nn.Conv2d(second(in_channels, width), width, 3, two, padding=late_padding, bias=biases[0])
        if norms == 2:
            self.bn2 = nn.BatchNorm2d(width)
        self.downsample = None
        if projects(in_channels, width, stride):
            layers = [nn.Conv2d(in_channels, width, kernel, side, padding=kernel // 2, bias=biases[1])]
            self.downsample = nn.Sequential(*layers, *([nn.BatchNorm2d(width)] if norm else []))
        self.middle, self.end = middle, end

    def forward(self, x: Tensor) -> Tensor:
        """The branch, the shortcut, and their end."""
        first = getattr(self, "bn1", nn.Identity())
        last = getattr(self, "bn2", first)
        branch = self.middle(self, x) if self.middle else last(self.conv2(first(self.conv1(x)).relu()))
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.end(self, x, branch, shortcut) if self.end else (branch + shortcut).relu()


def _overwritten(block: Block, x: Tensor, branch: Tensor, shortcut: Tensor) -> Tensor:
    return (branch + (branch if block.downsample is None else block.downsample(branch))).relu()


class _ShortcutFirst(nn.Module):
    """Right, but for the order in which the layers are made."""

    def __init__(self, in_channels: int, width: int, stride: int = 1) -> None:
        super().__init__()
        block = Block(in_channels, width, stride)
        self.shortcut = block.downsample or nn.Identity()
        self.branch = nn.Sequential(block.conv1, block.bn1, nn.ReLU(), block.conv2, block.bn2)

    def forward(self, x: Tensor) -> Tensor:
        return (self.branch(x) + self.shortcut(x)).relu()


def _in_place(block: Block, x: Tensor, branch: Tensor, shortcut: Tensor) -> Tensor:
    shortcut += branch
    return shortcut.relu()


BLOCK_MISTAKES = {
    "no_sum": (
        partial(Block, end=lambda block, x, branch, shortcut: branch.relu()),
        "The shortcut is never added: this is a plain block. Add it to the branch before the last ReLU.",
    ),
    "relu_before_sum": (
        partial(Block, end=lambda block, x, branch, shortcut: branch.relu() + shortcut),
        "Your last ReLU acts on the branch alone, so a block can only add and never take away. Add first, then ReLU.",
    ),
    "relu_twice": (
        partial(Block, end=lambda block, x, branch, shortcut: (branch.relu() + shortcut).relu()),
        "There is a ReLU on the branch before the sum, and one after. Only the one after the sum belongs there.",
    ),
    "no_last_relu": (
        partial(Block, end=lambda block, x, branch, shortcut: branch + shortcut),
        "The ReLU after the sum is missing.",
    ),
    "no_first_relu": (
        partial(Block, middle=lambda block, x: block.bn2(block.conv2(block.bn1(block.conv1(x))))),
        "Between the two convolutions a ReLU is missing; without it they are nearly one.",
    ),
    "no_relu_at_all": (
        partial(
            Block,
            middle=lambda block, x: block.bn2(block.conv2(block.bn1(block.conv1(x)))),
            end=lambda block, x, branch, shortcut: branch + shortcut,
        ),
        "There is no ReLU at all: one comes after the first BatchNorm, one after the sum.",
    ),
    "relu_on_shortcut": (
        partial(Block, end=lambda block, x, branch, shortcut: (branch + shortcut.relu()).relu()),
        "There is a ReLU on the shortcut. It carries x, or its projection, as it is.",
    ),
    "relu_before_norm": (
        partial(Block, middle=lambda block, x: block.bn2(block.conv2(block.bn1(block.conv1(x).relu())))),
        "In your branch the first ReLU comes before BatchNorm. The order is convolution, BatchNorm, ReLU.",
    ),
    "norm_after_sum": (
        partial(
            Block,
            middle=lambda block, x: block.conv2(block.bn1(block.conv1(x)).relu()),
            end=lambda block, x, branch, shortcut: block.bn2(branch + shortcut).relu(),
        ),
        "Your second BatchNorm comes after the sum, where it also changes the shortcut. It belongs to the branch.",
    ),
    "no_first_norm": (
        partial(Block, middle=lambda block, x: block.bn2(block.conv2(block.conv1(x).relu()))),
        "The first BatchNorm is made and never used in forward.",
    ),
    "no_second_norm": (
        partial(Block, middle=lambda block, x: block.conv2(block.bn1(block.conv1(x)).relu())),
        "The second BatchNorm is made and never used in forward.",
    ),
    "same_norm_twice": (
        partial(Block, middle=lambda block, x: block.bn1(block.conv2(block.bn1(block.conv1(x)).relu()))),
        "Both convolutions of yours go through the same BatchNorm. The second one has its own, bn2.",
    ),
    "one_norm_made": (
        partial(Block, norms=1),
        "There is one BatchNorm for the two convolutions. Each has its own: their statistics differ.",
    ),
    "no_norms": (
        partial(Block, norms=0, norm=False),
        "There is no BatchNorm. One follows each of the convolutions, that of the projection too.",
    ),
    "pre_activation": (
        partial(
            Block,
            first_norm=lambda ins, outs: ins,
            middle=lambda block, x: block.conv2(block.bn2(block.conv1(block.bn1(x).relu())).relu()),
            end=lambda block, x, branch, shortcut: branch + shortcut,
        ),
        "BatchNorm and ReLU come before the convolutions here: that is the block of 2016. In this one they follow.",
    ),
    "difference": (
        partial(Block, end=lambda block, x, branch, shortcut: (shortcut - branch).relu()),
        "You subtract the branch. H(x) = F(x) + x: it is added.",
    ),
    "shortcut_subtracted": (
        partial(Block, end=lambda block, x, branch, shortcut: (branch - shortcut).relu()),
        "You subtract the shortcut. H(x) − x is what the branch learns by itself; the block adds x to it again.",
    ),
    "overwritten": (
        partial(Block, end=_overwritten),
        "Your shortcut starts from the branch's result: x was overwritten. Keep the x that came in under its own name.",
    ),
    "product": (
        partial(Block, end=lambda block, x, branch, shortcut: (shortcut * branch).relu()),
        "You multiply branch and shortcut. They are added.",
    ),
    "concatenated": (
        partial(Block, end=lambda block, x, branch, shortcut: torch.cat([branch, shortcut], 1).relu()),
        "You put branch and shortcut side by side: twice the channels come out. DenseNet, the next lesson, does so; "
        "here they are added.",
    ),
    "in_place": (
        partial(Block, end=_in_place),
        "`+=` on the shortcut changes the input x itself where the shortcut is x. Write residual + shortcut.",
    ),
    "stride_on_both": (
        partial(Block, strides=lambda stride: (stride, stride, stride)),
        "Both 3×3 convolutions have the stride, so the branch shrinks twice. Only the first has it.",
    ),
    "stride_on_second": (
        partial(Block, strides=lambda stride: (1, stride, stride)),
        "Your second 3×3 convolution has the stride. The first has it here, which costs less.",
    ),
    "no_stride_in_branch": (
        partial(Block, strides=lambda stride: (1, 1, stride)),
        "The 3×3 convolutions ignore the stride: the branch stays larger than the shortcut.",
    ),
    "no_stride_in_projection": (
        partial(Block, strides=lambda stride: (stride, 1, 1)),
        "The 1×1 projection ignores the stride: the shortcut stays larger than the branch.",
    ),
    "projection_always_halves": (
        partial(Block, strides=lambda stride: (stride, 1, 2)),
        "Your projection always has stride 2. It has the block's stride, which is 1 where only the channels change.",
    ),
    "no_stride": (
        partial(Block, strides=lambda stride: (1, 1, 1)),
        "The stride is never used: the maps keep their size. The first 3×3 and the projection have it.",
    ),
    "stride_unknown": (
        partial(Block, strides=lambda stride: (1, 1, 1), projects=lambda ins, outs, stride: ins != outs),
        "stride is used nowhere. The first 3×3 and the projection have it, and stride 2 alone asks for a projection.",
    ),
    "no_padding": (
        partial(Block, padding=0),
        "Your 3×3 convolutions have no padding, so the branch is smaller than x. Use padding=1.",
    ),
    "no_late_padding": (
        partial(Block, late_padding=0),
        "Your second 3×3 convolution has no padding, so it shrinks the maps once more. Use padding=1.",
    ),
    "second_from_in_channels": (
        partial(Block, second=lambda ins, outs: ins),
        "Your second convolution takes in_channels. It sees what the first gives: width channels.",
    ),
    "bias": (
        partial(Block, biases=(True, True)),
        "Your convolutions have a bias. BatchNorm subtracts it again, so it is left out: bias=False.",
    ),
    "never_projected": (
        partial(Block, projects=lambda ins, outs, stride: False),
        "There is no projection. Where stride or channels change, x does not fit the branch: use a 1×1 convolution "
        "and BatchNorm.",
    ),
    "always_projected": (
        partial(Block, projects=lambda ins, outs, stride: True),
        "You project always. Where stride is 1 and the channels are equal, the shortcut is x itself, free of charge.",
    ),
    "projected_for_stride": (
        partial(Block, projects=lambda ins, outs, stride: stride != 1),
        "You project where the stride changes. Where only the channels change, x does not fit either.",
    ),
    "projected_for_channels": (
        partial(Block, projects=lambda ins, outs, stride: ins != outs),
        "You project where the channels change. Where only the stride is 2, x does not fit either.",
    ),
    "projected_for_both": (
        partial(Block, projects=lambda ins, outs, stride: stride != 1 and ins != outs),
        "You project where stride and channels both change. One of them is enough: use `or`.",
    ),
    "projection_without_norm": (
        partial(Block, norm=False),
        "The projection is a 1×1 convolution followed by a BatchNorm of its own. The BatchNorm is missing.",
    ),
    "projection_plain": (
        partial(Block, norm=False, biases=(False, True)),
        "The projection has a bias and no BatchNorm. It is a 1×1 convolution with bias=False, and a BatchNorm.",
    ),
    "projection_bias": (
        partial(Block, biases=(False, True)),
        "The projection's convolution has a bias. A BatchNorm follows it, too: bias=False.",
    ),
    "branch_bias": (
        partial(Block, biases=(True, False)),
        "The 3×3 convolutions have a bias. A BatchNorm follows each: bias=False.",
    ),
    "relu_on_projection": (
        partial(
            Block,
            end=lambda block, x, branch, shortcut: (
                branch + (shortcut if block.downsample is None else shortcut.relu())
            ).relu(),
        ),
        "There is a ReLU after your projection. Its 1×1 and BatchNorm are all; the ReLU comes after the sum.",
    ),
    "projection_3x3": (
        partial(Block, kernel=3),
        "The projection is 3×3. 1×1 is enough to change channels, and it costs a ninth.",
    ),
    "shortcut_made_first": (
        _ShortcutFirst,
        "Your block may be right. The check copies the reference's weights in, layer by layer, in the order in which "
        "__init__ makes them: make the shortcut's layers last, after the second BatchNorm.",
    ),
}
