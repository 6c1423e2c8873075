"""Lesson 12, GoogLeNet: what people get wrong in the inception module: the reference with one thing changed."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from crashcourse.classification.googlenet import BasicConv2d

ORDER = ("one", "three", "five", "pool")


class _Block(nn.Module):
    """`Inception` with one thing wrong: what the keyword arguments after `kernel` say."""

    def __init__(
        self,
        conv,
        in_channels,
        widths,
        *,
        kernel=5,
        make: Callable[..., nn.Module] | None = None,
        reduce: Callable[..., nn.Module] | None = None,
        reduced: bool = True,
        late: bool = False,
        unpack: Callable[[tuple[int, ...]], tuple[int, ...]] = tuple,
        kernels: Callable[[int], tuple[int, int]] = lambda kernel: (3, kernel),
        pool: Callable[[int], nn.Module] = lambda kernel: nn.MaxPool2d(3, stride=1, padding=1),
        projected: bool = True,
        pool_last: bool = False,
        order: tuple[str, ...] = ORDER,
        join: Callable[[list[Tensor]], Tensor] = lambda paths: torch.cat(paths, dim=1),
    ) -> None:
        super().__init__()
        one, reduce3, three, reduce5, five, projection = unpack(widths)
        make = make or conv
        first = reduce or make
        small, large = kernels(kernel)
        self.one = make(in_channels, one, 1)
        if late:
            self.three = nn.Sequential(make(in_channels, reduce3, small), make(reduce3, three, 1))
            self.five = nn.Sequential(make(in_channels, reduce5, large), make(reduce5, five, 1))
        elif reduced:
            self.three = nn.Sequential(first(in_channels, reduce3, 1), make(reduce3, three, small))
            self.five = nn.Sequential(first(in_channels, reduce5, 1), make(reduce5, five, large))
        else:
            self.three, self.five = make(in_channels, three, small), make(in_channels, five, large)
        if projected:
            parts = [pool(kernel), make(in_channels, projection, 1)]
            self.pool = nn.Sequential(*(reversed(parts) if pool_last else parts))
        self.order, self.join = order, join

    def forward(self, maps):
        return self.join([getattr(self, name)(maps) for name in self.order])


def _bare(in_channels: int, out_channels: int, kernel: int) -> nn.Module:
    return nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2)


class _TwoThrees(_Block):
    """Two 3×3 in the place of the 5×5."""

    def __init__(self, conv, in_channels, widths, *, kernel=5):
        super().__init__(conv, in_channels, widths, kernel=kernel)
        reduce5, five = widths[3:5]
        self.five = nn.Sequential(conv(in_channels, reduce5, 1), conv(reduce5, five, 3), conv(five, five, 3))


class _OneReduction(nn.Module):
    """One 1×1 for both large filters, as wide as the 3×3's."""

    def __init__(self, conv, in_channels, widths, *, kernel=5):
        super().__init__()
        one, reduce3, three, _, five, projection = widths
        self.one, self.reduce = conv(in_channels, one, 1), conv(in_channels, reduce3, 1)
        self.three, self.five = conv(reduce3, three, 3), conv(reduce3, five, kernel)
        self.pool = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), conv(in_channels, projection, 1))

    def forward(self, maps):
        reduced = self.reduce(maps)
        return torch.cat([self.one(maps), self.three(reduced), self.five(reduced), self.pool(maps)], dim=1)


class _AfterPathOne(nn.Module):
    """The 1×1 of the first path comes before the other reductions."""

    def __init__(self, conv, in_channels, widths, *, kernel=5):
        super().__init__()
        one, reduce3, three, reduce5, five, projection = widths
        self.one = conv(in_channels, one, 1)
        self.three = nn.Sequential(conv(one, reduce3, 1), conv(reduce3, three, 3))
        self.five = nn.Sequential(conv(one, reduce5, 1), conv(reduce5, five, kernel))
        self.pool = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), conv(in_channels, projection, 1))

    def forward(self, maps):
        first = self.one(maps)
        return torch.cat([first, self.three(first), self.five(first), self.pool(maps)], dim=1)


class _MadeInForward(nn.Module):
    def __init__(self, conv, in_channels, widths, *, kernel=5):
        super().__init__()
        self.make = lambda: _Block(conv, in_channels, widths, kernel=kernel)

    def forward(self, maps):
        return self.make()(maps)


class _PoolPathFirst(_Block):
    """Right, but for the order in which the layers are made."""

    def __init__(self, conv, in_channels, widths, *, kernel=5):
        super().__init__(conv, in_channels, widths, kernel=kernel)
        paths = {name: self._modules.pop(name) for name in ORDER}
        self._modules.update((name, paths[name]) for name in ("pool", "one", "three", "five"))


class _Chained(_Block):
    def forward(self, maps):
        for name in ORDER:
            maps = getattr(self, name)(maps)
        return maps


MODULE = {
    "added": (
        partial(_Block, join=lambda paths: paths[0] + paths[1] + paths[2] + paths[3]),
        "You add the paths. They have different numbers of channels, and each keeps its own: torch.cat(..., dim=1).",
    ),
    "joined_along_batch": (
        partial(_Block, join=lambda paths: torch.cat(paths)),
        "torch.cat joins along dimension 0, the images, unless you say dim=1, the channels.",
    ),
    "joined_along_rows": (
        partial(_Block, join=lambda paths: torch.cat(paths, 2)),
        "You join along the rows. In (N, C, H, W) the channels are dim=1.",
    ),
    "joined_along_columns": (
        partial(_Block, join=lambda paths: torch.cat(paths, -1)),
        "You join along the columns. In (N, C, H, W) the channels are dim=1.",
    ),
    "stacked": (
        partial(_Block, join=lambda paths: torch.stack(paths, 1)),
        "torch.stack makes a new dimension and wants equal shapes. Join the channels: torch.cat(..., dim=1).",
    ),
    "list_returned": (
        partial(_Block, join=lambda paths: paths),
        "You return the four paths as a list. Join them into one tensor: torch.cat(..., dim=1).",
    ),
    "chained": (
        _Chained,
        "You feed each path with the result of the one before. All four start from the maps that came in.",
    ),
    "pool_first": (
        partial(_Block, order=("pool", "one", "three", "five")),
        "All four paths are there, in another order. Concatenate 1×1, 3×3, 5×5, pool.",
    ),
    "three_and_five_swapped": (
        partial(_Block, order=("one", "five", "three", "pool")),
        "The 3×3 and the 5×5 path stand in each other's place in the result.",
    ),
    "pool_before_five": (
        partial(_Block, order=("one", "three", "pool", "five")),
        "The pool path stands before the 5×5 path in the result. It is the last of the four.",
    ),
    "reversed": (
        partial(_Block, order=ORDER[::-1]),
        "The paths are concatenated from last to first. The order is 1×1, 3×3, 5×5, pool.",
    ),
    "one_twice": (
        partial(_Block, order=("one", "three", "five", "one")),
        "The 1×1 path is there twice and the pool path is never called.",
    ),
    "pool_path_unused": (
        partial(_Block, order=ORDER[:3]),
        "The pool path is built and not concatenated.",
    ),
    "no_projection": (
        partial(_Block, projected=False, order=ORDER[:3]),
        "The fourth path has no 1×1: it is a 3×3 max-pool with stride 1, then a 1×1 to the last of the six widths.",
    ),
    "projection_before_pool": (
        partial(_Block, pool_last=True),
        "In your fourth path the 1×1 comes before the pool. The pool is first.",
    ),
    "reduced_late": (
        partial(_Block, late=True),
        "Your 3×3 and 5×5 come first and the 1×1 after them, so the large filters still see all incoming channels. "
        "The reduction is before: in → reduce3 by 1×1, then reduce3 → three by 3×3.",
    ),
    "one_reduction": (
        _OneReduction,
        "One 1×1 serves both large filters. Each path has its own, to reduce3 and to reduce5 channels.",
    ),
    "after_path_one": (
        _AfterPathOne,
        "Your reductions see what the first path gives. The paths stand side by side: each sees the module's input.",
    ),
    "no_reduction": (
        partial(_Block, reduced=False),
        "Your 3×3 and 5×5 see all incoming channels. Each has a 1×1 before it, to reduce3 and to reduce5 channels.",
    ),
    "widths_paired": (
        partial(_Block, unpack=lambda w: (w[0], w[2], w[1], w[4], w[3], w[5])),
        "You unpack the widths in another order. A row reads: 1×1, 3×3 reduce, 3×3, 5×5 reduce, 5×5, projection.",
    ),
    "reductions_swapped": (
        partial(_Block, unpack=lambda w: (w[0], w[3], w[2], w[1], w[4], w[5])),
        "The two reductions are swapped: the second number belongs to the 3×3, the fourth to the 5×5.",
    ),
    "pairs_swapped": (
        partial(_Block, unpack=lambda w: (w[0], w[3], w[4], w[1], w[2], w[5])),
        "The 3×3 path has the 5×5's widths, and the other way round. The second and third number are the 3×3's.",
    ),
    "outputs_first": (
        partial(_Block, unpack=lambda w: (w[0], w[3], w[1], w[4], w[2], w[5])),
        "You read the widths as 1×1, 3×3, 5×5, then the reductions. A row reads: 1×1, 3×3 reduce, 3×3, 5×5 reduce, "
        "5×5, projection.",
    ),
    "reductions_first": (
        partial(_Block, unpack=lambda w: (w[0], w[1], w[3], w[2], w[4], w[5])),
        "You read the widths as 1×1, the two reductions, then 3×3 and 5×5. A row reads: 1×1, 3×3 reduce, 3×3, 5×5 "
        "reduce, 5×5, projection.",
    ),
    "kernel_ignored": (
        partial(_Block, kernels=lambda kernel: (3, 5)),
        "The third path is always 5×5. Use the argument kernel.",
    ),
    "kernel_three": (
        partial(_Block, kernels=lambda kernel: (3, 3)),
        "Your third path is 3×3. It is kernel × kernel, 5×5 by default.",
    ),
    "kernel_in_second_path": (
        partial(_Block, kernels=lambda kernel: (kernel, 5)),
        "The argument kernel went to the second path. That one is always 3×3; the third path takes kernel.",
    ),
    "kernel_in_both": (
        partial(_Block, kernels=lambda kernel: (kernel, kernel)),
        "The argument kernel went to both paths. The second is always 3×3.",
    ),
    "two_threes": (
        _TwoThrees,
        "Two 3×3 see as far as a 5×5, but they are other filters with other weights. Make one of kernel × kernel.",
    ),
    "kernel_in_pool": (
        partial(_Block, pool=lambda kernel: nn.MaxPool2d(kernel, stride=1, padding=kernel // 2)),
        "The argument kernel went to the pool. The pool is always 3×3; the third path's convolution takes kernel.",
    ),
    "kernels_swapped": (
        partial(_Block, kernels=lambda kernel: (kernel, 3)),
        "The 3×3 and the kernel × kernel convolution are swapped.",
    ),
    "pool_shrinks": (
        partial(_Block, pool=lambda kernel: nn.MaxPool2d(3)),
        "The paths come out in different sizes. Two things shrink maps here: nn.MaxPool2d(3) moves by 3 pixels unless "
        "you say stride=1, and loses a pixel on each side unless you say padding=1.",
    ),
    "average_pool": (
        partial(_Block, pool=lambda kernel: nn.AvgPool2d(3, stride=1, padding=1)),
        "Your pool takes means. This one takes the largest: nn.MaxPool2d.",
    ),
    "no_pool": (
        partial(_Block, pool=lambda kernel: nn.Identity()),
        "The pool is missing from the fourth path: before its 1×1 comes a 3×3 max-pool, stride 1, padding 1.",
    ),
    "pool_of_zeros": (
        partial(_Block, pool=lambda kernel: nn.Sequential(nn.ZeroPad2d(1), nn.MaxPool2d(3, stride=1))),
        "You pad with zeros before the pool: at the edge, 0 wins over negative values. nn.MaxPool2d(3, stride=1, "
        "padding=1) pads with nothing that could win.",
    ),
    "kernel_left_out": (
        lambda conv, in_channels, widths, *, kernel=5: conv(in_channels, widths[0]),
        "conv takes three arguments, the kernel too: conv(in_channels, out_channels, 1) for a 1×1.",
    ),
    "padding_passed": (
        lambda conv, in_channels, widths, *, kernel=5: conv(widths[1], widths[2], 3, padding=1),
        "conv pads by itself, so that it takes no padding: conv(in_channels, out_channels, kernel).",
    ),
    "pool_path_made_first": (
        _PoolPathFirst,
        "Your paths may be right. The check copies the reference's weights in, layer by layer, in the order in which "
        "__init__ makes them: make the first path before the pool path.",
    ),
    "made_in_forward": (
        _MadeInForward,
        "The module knows of no layers. Make them in __init__, not in forward, and keep them as attributes of self; "
        "a plain list of layers becomes an nn.ModuleList.",
    ),
    "unpadded": (
        partial(_Block, make=nn.Conv2d),
        "Your 3×3 and 5×5 shrink the maps, so that the paths come out in different sizes. Make every convolution with "
        "conv(...), which pads and brings the ReLU.",
    ),
    "plain": (
        partial(_Block, make=_bare),
        "Your convolutions are plain nn.Conv2d, without a ReLU. Make each with conv(...), which brings one.",
    ),
    "conv_ignored": (
        partial(_Block, make=BasicConv2d),
        "The argument conv is ignored. Make every convolution with it: it may bring BatchNorm along.",
    ),
    "reductions_plain": (
        partial(_Block, reduce=_bare),
        "Your 1×1 reductions are plain nn.Conv2d, without a ReLU. Make them with conv(...), too.",
    ),
}
