"""Lesson 13, ResNet: what people get wrong in the pre-activation block, each as code that behaves so, with its hint."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn


class PreAct(nn.Module):
    """A pre-activation block with one thing wrong: what the keyword arguments after `stride` say.

    Args:
        strides: of the two convolutions and of the projection, from the block's stride.
        padding: of the two convolutions.
        biases: of the first convolution, of the second and of the projection.
        second: channels that the second convolution takes, from in_channels and out_channels.
        norms: which of the two BatchNorms are made.
        kernel: of the projection.
        norm: whether the projection has a BatchNorm.
        late: whether the first BatchNorm is made for what comes out of the first convolution.
        projects: whether there is a projection, from in_channels, out_channels and stride.
        run: from the block and x to the output.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        *,
        strides: Callable[[int], tuple[int, int, int]] = lambda stride: (stride, 1, stride),
        padding: int = 1,
        biases: tuple[bool, bool, bool] = (False, False, False),
        second: Callable[[int, int], int] = lambda ins, outs: outs,
        norms: tuple[bool, bool] = (True, True),
        kernel: int = 1,
        norm: bool = False,
        late: bool = False,
        projects: Callable[[int, int, int], bool] = lambda ins, outs, stride: stride != 1 or ins != outs,
        run: Callable[["PreAct", Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        one, two, side = strides(stride)
        seen = second(in_channels, out_channels)
        self.bn1 = nn.BatchNorm2d(out_channels if late else in_channels) if norms[0] else nn.Identity()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, one, padding=padding, bias=biases[0])
        self.bn2 = nn.BatchNorm2d(out_channels) if norms[1] else nn.Identity()
        self.conv2 = nn.Conv2d(seen, out_channels, 3, two, padding=padding, bias=biases[1])
        self.downsample = None
        if projects(in_channels, out_channels, stride):
            projection = nn.Conv2d(in_channels, out_channels, kernel, side, padding=kernel // 2, bias=biases[2])
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(out_channels)) if norm else projection
        self.run = run

    def forward(self, x: Tensor) -> Tensor:
        """As the block should be, or as `run` has it."""
        return self.run(self, x) if self.run else self.shortcut(x) + self.branch(self.active(x))

    def active(self, x: Tensor) -> Tensor:
        """x after the first BatchNorm and ReLU."""
        return self.bn1(x).relu()

    def branch(self, active: Tensor) -> Tensor:
        """Everything after the first ReLU."""
        return self.conv2(self.bn2(self.conv1(active)).relu())

    def shortcut(self, x: Tensor) -> Tensor:
        """x, or the projection of the active x."""
        return x if self.downsample is None else self.downsample(self.active(x))

    def side(self, x: Tensor) -> Tensor:
        """x, or its own projection."""
        return x if self.downsample is None else self.downsample(x)


def _with_active(block: PreAct, x: Tensor, active: Tensor) -> Tensor:
    shortcut = x if block.downsample is None else block.downsample(active)
    return shortcut + block.branch(active)


def _overwritten(block: PreAct, x: Tensor) -> Tensor:
    result = block.branch(block.active(x))
    return result + block.side(result)


def _active_in_place(block: PreAct, x: Tensor) -> Tensor:
    shortcut = block.shortcut(x)
    return shortcut.add_(block.branch(block.active(x)))


PREACT_MISTAKES = {
    "post_activation": (
        partial(
            PreAct,
            late=True,
            run=lambda block, x: (block.bn2(block.conv2(block.bn1(block.conv1(x)).relu())) + block.side(x)).relu(),
        ),
        "This is the block of 2015: convolution, BatchNorm, ReLU. Here BatchNorm and ReLU come first, so bn1 has "
        "in_channels.",
    ),
    "late_norm": (
        partial(PreAct, late=True),
        "bn1 sees x before the first convolution: it has in_channels, not out_channels.",
    ),
    "no_sum": (
        partial(PreAct, run=lambda block, x: block.branch(block.active(x))),
        "The shortcut is never added.",
    ),
    "relu_after_sum": (
        partial(PreAct, run=lambda block, x: (block.shortcut(x) + block.branch(block.active(x))).relu()),
        "There is a ReLU after the sum. Nothing stands on the path from block to block: leave it out.",
    ),
    "active_shortcut": (
        partial(
            PreAct,
            run=lambda block, x: (
                (block.active(x) if block.downsample is None else block.shortcut(x)) + block.branch(block.active(x))
            ),
        ),
        "Where the shape stays, your shortcut is the activated x. It is x itself; keep that under its own name "
        "before you overwrite it.",
    ),
    "raw_projection": (
        partial(PreAct, run=lambda block, x: block.side(x) + block.branch(block.active(x))),
        "Your projection takes x. It takes what comes out of the first BatchNorm and ReLU, as the branch does.",
    ),
    "projection_before_relu": (
        partial(
            PreAct,
            run=lambda block, x: (
                (x if block.downsample is None else block.downsample(block.bn1(x))) + block.branch(block.active(x))
            ),
        ),
        "Your projection takes what comes out of BatchNorm. It takes what comes out of the ReLU after it.",
    ),
    "overwritten": (
        partial(PreAct, run=_overwritten),
        "Your shortcut starts from the branch's result: x was overwritten. Keep the x that came in, and the activated "
        "one, under names of their own.",
    ),
    "no_first_relu": (
        partial(PreAct, run=lambda block, x: _with_active(block, x, block.bn1(x))),
        "After the first BatchNorm a ReLU is missing.",
    ),
    "no_second_relu": (
        partial(
            PreAct,
            run=lambda block, x: block.shortcut(x) + block.conv2(block.bn2(block.conv1(block.active(x)))),
        ),
        "Between the convolutions a ReLU is missing: BatchNorm, then ReLU, then conv2.",
    ),
    "relu_before_first_norm": (
        partial(PreAct, run=lambda block, x: _with_active(block, x, block.bn1(x.relu()))),
        "You apply ReLU before the first BatchNorm. BatchNorm first, then ReLU, then the convolution.",
    ),
    "relu_before_second_norm": (
        partial(
            PreAct,
            run=lambda block, x: block.shortcut(x) + block.conv2(block.bn2(block.conv1(block.active(x)).relu())),
        ),
        "You apply ReLU before the second BatchNorm. BatchNorm first, then ReLU, then the convolution.",
    ),
    "relu_before_norms": (
        partial(
            PreAct,
            run=lambda block, x: (
                (x if block.downsample is None else block.downsample(block.bn1(x.relu())))
                + block.conv2(block.bn2(block.conv1(block.bn1(x.relu())).relu()))
            ),
        ),
        "In both places ReLU comes before BatchNorm. The order is BatchNorm, ReLU, convolution.",
    ),
    "first_norm_left_out": (
        partial(PreAct, norms=(False, True)),
        "There is one BatchNorm, before the second convolution. Another comes first, with in_channels.",
    ),
    "second_norm_left_out": (
        partial(PreAct, norms=(True, False)),
        "There is one BatchNorm, before the first convolution. Another comes before the second, with out_channels.",
    ),
    "no_first_norm": (
        partial(PreAct, run=lambda block, x: _with_active(block, x, x.relu())),
        "The first BatchNorm is made and never used in forward.",
    ),
    "no_second_norm": (
        partial(
            PreAct,
            run=lambda block, x: block.shortcut(x) + block.conv2(block.conv1(block.active(x)).relu()),
        ),
        "The second BatchNorm is made and never used in forward.",
    ),
    "norm_at_the_end": (
        partial(
            PreAct,
            run=lambda block, x: block.shortcut(x) + block.bn2(block.conv2(block.conv1(block.active(x)).relu())),
        ),
        "Your second BatchNorm comes after conv2. It comes before it: BatchNorm, ReLU, conv2.",
    ),
    "norm_after_sum": (
        partial(
            PreAct,
            run=lambda block, x: block.bn2(block.shortcut(x) + block.conv2(block.conv1(block.active(x)).relu())),
        ),
        "There is a BatchNorm after the sum. Nothing stands on the path from block to block.",
    ),
    "in_place": (
        partial(PreAct, run=_active_in_place),
        "An in-place sum (`+=`, `add_`) changes the input x itself where the shortcut is the identity. Write "
        "shortcut + residual.",
    ),
    "concatenated": (
        partial(PreAct, run=lambda block, x: torch.cat([block.branch(block.active(x)), block.shortcut(x)], 1)),
        "You put shortcut and branch side by side. They are added.",
    ),
    "difference": (
        partial(PreAct, run=lambda block, x: block.shortcut(x) - block.branch(block.active(x))),
        "You subtract the branch. It is added to the shortcut.",
    ),
    "projection_normed": (
        partial(PreAct, norm=True),
        "Your projection has a BatchNorm. Its input is normalised already: here it is a 1×1 convolution alone.",
    ),
    "never_projected": (
        partial(PreAct, projects=lambda ins, outs, stride: False),
        "There is no projection. Where stride or channels change, x does not fit: use a 1×1 convolution.",
    ),
    "always_projected": (
        partial(PreAct, projects=lambda ins, outs, stride: True),
        "You project always. Where stride is 1 and the channels are equal, the shortcut is x itself.",
    ),
    "projected_for_stride": (
        partial(PreAct, projects=lambda ins, outs, stride: stride != 1),
        "You project where the stride changes. Where only the channels change, x does not fit either.",
    ),
    "projected_for_channels": (
        partial(PreAct, projects=lambda ins, outs, stride: ins != outs),
        "You project where the channels change. Where only the stride is 2, x does not fit either.",
    ),
    "projected_for_both": (
        partial(PreAct, projects=lambda ins, outs, stride: stride != 1 and ins != outs),
        "You project where stride and channels both change. One of them is enough: use `or`.",
    ),
    "projection_3x3": (
        partial(PreAct, kernel=3),
        "The projection is 3×3. 1×1 is enough to change channels.",
    ),
    "second_from_in_channels": (
        partial(PreAct, second=lambda ins, outs: ins),
        "Your second convolution takes in_channels. It sees what the first gives: out_channels.",
    ),
    "no_padding": (
        partial(PreAct, padding=0),
        "Your 3×3 convolutions have no padding, so the branch is smaller than x. Use padding=1.",
    ),
    "stride_on_second": (
        partial(PreAct, strides=lambda stride: (1, stride, stride)),
        "Your second 3×3 convolution has the stride. The first has it here, which costs less.",
    ),
    "stride_on_both": (
        partial(PreAct, strides=lambda stride: (stride, stride, stride)),
        "Both 3×3 convolutions have the stride, so the branch shrinks twice. Only the first has it.",
    ),
    "no_stride_in_projection": (
        partial(PreAct, strides=lambda stride: (stride, 1, 1)),
        "The projection ignores the stride: the shortcut stays larger than the branch.",
    ),
    "no_stride_in_branch": (
        partial(PreAct, strides=lambda stride: (1, 1, stride)),
        "The 3×3 convolutions ignore the stride: the branch stays larger than the shortcut. The first one has it.",
    ),
    "no_stride": (
        partial(PreAct, strides=lambda stride: (1, 1, 1)),
        "The stride is never used: the maps keep their size. The first 3×3 and the projection have it.",
    ),
    "stride_unknown": (
        partial(PreAct, strides=lambda stride: (1, 1, 1), projects=lambda ins, outs, stride: ins != outs),
        "stride is used nowhere. The first 3×3 and the projection have it, and stride 2 alone asks for a projection.",
    ),
    "bias_where_no_norm_follows": (
        partial(PreAct, biases=(False, True, True)),
        "Your second convolution and the projection have a bias, as no BatchNorm follows in this block. One follows in "
        "the next block: bias=False.",
    ),
    "second_bias": (
        partial(PreAct, biases=(False, True, False)),
        "Your second convolution has a bias. The next block begins with a BatchNorm, so it is left out: bias=False.",
    ),
    "projection_bias": (
        partial(PreAct, biases=(False, False, True)),
        "Your projection has a bias. The next block begins with a BatchNorm, so it is left out: bias=False.",
    ),
    "bias": (
        partial(PreAct, biases=(True, True, True)),
        "Your convolutions have a bias. A BatchNorm follows, here or in the next block, so it is left out: bias=False.",
    ),
}
