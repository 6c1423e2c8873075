"""Lesson 31, U-Net: what people get wrong in an up block, each as code that behaves so, with its hint."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Cut = Callable[[Tensor, int, int], Tensor]


def _middle(skip: Tensor, height: int, width: int) -> Tensor:
    top, left = (skip.shape[2] - height) // 2, (skip.shape[3] - width) // 2
    return skip[:, :, top : top + height, left : left + width]


def _join(skip: Tensor, raised: Tensor) -> Tensor:
    return torch.cat([skip, raised], 1)


def _convolve(block: nn.Module, joined: Tensor) -> Tensor:
    return block.conv2(block.conv1(joined).relu()).relu()


class Up(nn.Module):
    """An up block with one thing wrong: what the keyword arguments after `out_channels` say."""

    def __init__(
        self,
        in_channels: int,
        skip_channels: int,
        out_channels: int,
        *,
        cut: Cut = _middle,
        join: Callable[[Tensor, Tensor], Tensor] = _join,
        convolve: Callable[[nn.Module, Tensor], Tensor] = _convolve,
        after_up: Callable[[Tensor], Tensor] = lambda raised: raised,
        padding: int = 0,
        kernel: int = 2,
        stride: int = 2,
        bias: bool = True,
        up_channels: Callable[[int, int, int], int] = lambda inputs, skips, outputs: outputs,
        up_inputs: Callable[[int, int], int] = lambda inputs, skips: inputs,
        joined_channels: Callable[[int, int, int], int] = lambda inputs, skips, raised: skips + raised,
    ) -> None:
        super().__init__()
        raised = up_channels(in_channels, skip_channels, out_channels)
        joined = joined_channels(in_channels, skip_channels, raised)
        self.up = nn.ConvTranspose2d(up_inputs(in_channels, skip_channels), raised, kernel, stride=stride, bias=bias)
        self.conv1 = nn.Conv2d(joined, out_channels, 3, padding=padding)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=padding)
        self.cut, self.join, self.convolve, self.after_up = cut, join, convolve, after_up

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        """Enlarge, cut, join, convolve."""
        raised = self.after_up(self.up(below))
        return self.convolve(self, self.join(self.cut(skip, *raised.shape[2:]), raised))


class _Added(nn.Module):
    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2)
        self.conv1 = nn.Conv2d(out_channels, out_channels, 3)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3)

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        raised = self.up(below)
        return _convolve(self, _middle(skip, *raised.shape[2:]) + raised)


class _Interpolated(nn.Module):
    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(skip_channels + in_channels, out_channels, 3)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3)

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        raised = F.interpolate(below, scale_factor=2, mode="bilinear", align_corners=False)
        return _convolve(self, _join(_middle(skip, *raised.shape[2:]), raised))


class _InterpolatedThen1x1(nn.Module):
    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.up = nn.Conv2d(in_channels, out_channels, 1)
        self.conv1 = nn.Conv2d(skip_channels + out_channels, out_channels, 3)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3)

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        raised = self.up(F.interpolate(below, scale_factor=2, mode="bilinear", align_corners=False))
        return _convolve(self, _join(_middle(skip, *raised.shape[2:]), raised))


class _Normalised(nn.Module):
    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2)
        self.conv1 = nn.Conv2d(skip_channels + out_channels, out_channels, 3)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3)
        self.norm2 = nn.BatchNorm2d(out_channels)

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        raised = self.up(below)
        first = self.norm1(self.conv1(_join(_middle(skip, *raised.shape[2:]), raised))).relu()
        return self.norm2(self.conv2(first)).relu()


class _ConvolutionsFirst(nn.Module):
    """Right, but its transposed convolution is created last, so that it gets the bias of another layer."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(skip_channels + out_channels, out_channels, 3)
        self.second = nn.Conv2d(out_channels, out_channels, 3)
        self.enlarge = nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2)

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        raised = self.enlarge(below)
        joined = _join(_middle(skip, *raised.shape[2:]), raised)
        return self.second(self.first(joined).relu()).relu()


class _OneConvolution(nn.Module):
    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2)
        self.conv = nn.Conv2d(skip_channels + out_channels, out_channels, 3)

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        raised = self.up(below)
        return self.conv(_join(_middle(skip, *raised.shape[2:]), raised)).relu()


def _square(skip: Tensor, height: int, width: int) -> Tensor:
    cut = (skip.shape[2] - height) // 2
    return skip[:, :, cut : cut + height, cut : cut + width]


def _all_of_the_rest(skip: Tensor, height: int, width: int) -> Tensor:
    top, left = skip.shape[2] - height, skip.shape[3] - width
    return skip[:, :, top : top + height, left : left + width]


def _negative(skip: Tensor, height: int, width: int) -> Tensor:
    top, left = (skip.shape[2] - height) // 2, (skip.shape[3] - width) // 2
    return skip[:, :, top:-top, left:-left]


def _shrunk(skip: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(skip, size=(height, width), mode="bilinear", align_corners=False)


def _nearest(skip: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(skip, size=(height, width), mode="nearest")


def _raised_padded(skip: Tensor, raised: Tensor) -> Tensor:
    rows, columns = ((skip.shape[axis] - raised.shape[axis]) // 2 for axis in (2, 3))
    return _join(skip, F.pad(raised, (columns, columns, rows, rows)))


def _raised_stretched(skip: Tensor, raised: Tensor) -> Tensor:
    return _join(skip, F.interpolate(raised, size=skip.shape[2:], mode="bilinear", align_corners=False))


def _swapped(skip: Tensor, height: int, width: int) -> Tensor:
    top, left = (skip.shape[2] - height) // 2, (skip.shape[3] - width) // 2
    return skip[:, :, left : left + height, top : top + width]


BLOCK_MISTAKES = {
    "added": (
        _Added,
        "Your first convolution takes out_channels, so you add the skip, or leave it out. U-Net concatenates it, and "
        "the convolution chooses what to take from which: skip_channels + out_channels.",
    ),
    "upper_left": (
        partial(Up, cut=lambda skip, height, width: skip[:, :, :height, :width]),
        "You cut out the skip's upper left corner. Its middle lies on the same pixels as the map from below.",
    ),
    "lower_right": (
        partial(Up, cut=_all_of_the_rest),
        "You cut off everything above and on the left. Half of it belongs below and on the right: // 2.",
    ),
    "square": (
        partial(Up, cut=_square),
        "You cut off as much on the left as above. Rows and columns have each their own difference.",
    ),
    "negative_slice": (
        partial(Up, cut=_negative),
        "skip[..., top:-top] is empty where nothing is to be cut off: -0 is 0. Write top : top + height.",
    ),
    "shrunk": (
        partial(Up, cut=_shrunk),
        "You shrink the skip to fit. Then its pixels no longer lie where those of the map from below are: cut it.",
    ),
    "shrunk_nearest": (
        partial(Up, cut=_nearest),
        "You drop rows and columns all over the skip to make it fit. Cut out its middle, and leave that as it is.",
    ),
    "raised_padded": (
        partial(Up, cut=lambda skip, height, width: skip, join=_raised_padded),
        "You put zeros around the enlarged map. Here the skip is cut instead, so that nothing is made up.",
    ),
    "raised_stretched": (
        partial(Up, cut=lambda skip, height, width: skip, join=_raised_stretched),
        "You stretch the enlarged map to the skip's size. They show different parts of the image: cut the skip.",
    ),
    "skip_last": (
        partial(Up, join=lambda skip, raised: torch.cat([raised, skip], 1)),
        "Nearly: the enlarged map comes first in yours. Here the skip does.",
    ),
    "padded": (
        partial(Up, padding=1),
        "Your convolutions have zeros around. They are valid: each takes a pixel away on every side.",
    ),
    "no_relu": (
        partial(Up, convolve=lambda block, joined: block.conv2(block.conv1(joined))),
        "There is no ReLU. Each of the two convolutions has one behind it.",
    ),
    "no_last_relu": (
        partial(Up, convolve=lambda block, joined: block.conv2(block.conv1(joined).relu())),
        "The ReLU behind the second convolution is missing.",
    ),
    "no_first_relu": (
        partial(Up, convolve=lambda block, joined: block.conv2(block.conv1(joined)).relu()),
        "The ReLU between the two convolutions is missing: without it they are one.",
    ),
    "relu_after_up": (
        partial(Up, after_up=torch.relu),
        "There is a ReLU behind the transposed convolution. The paper has none there.",
    ),
    "relu_first": (
        partial(Up, convolve=lambda block, joined: block.conv2(block.conv1(joined.relu()).relu())),
        "There are ReLUs before the convolutions. They come behind them.",
    ),
    "interpolated": (
        _Interpolated,
        "You enlarge by interpolation. Here it is learned: a transposed convolution, 2×2 with stride 2.",
    ),
    "three_by_three": (
        partial(Up, kernel=3),
        "Your transposed convolution has a 3×3 kernel, and makes 2h + 1 rows. It is 2×2.",
    ),
    "channels_kept": (
        partial(Up, up_channels=lambda inputs, skips, outputs: inputs),
        "Your transposed convolution keeps the channels. It leads from in_channels to out_channels.",
    ),
    "one_convolution": (
        _OneConvolution,
        "There are two 3×3 convolutions behind the concatenation.",
    ),
    "relu_on_joined": (
        partial(Up, convolve=lambda block, joined: _convolve(block, joined.relu())),
        "There is a ReLU on what is concatenated. Only the two convolutions have one behind them.",
    ),
    "along_the_batch": (
        partial(Up, join=lambda skip, raised: torch.cat([skip, raised])),
        "You do not join along the channels: they are dimension 1, and torch.cat takes 0 unless told otherwise.",
    ),
    "size_of_below": (
        partial(Up, cut=lambda skip, height, width: _middle(skip, height // 2, width // 2)),
        "You cut the skip to the size of the map from below. Cut it to that of the enlarged map.",
    ),
    "not_cropped": (
        partial(Up, cut=lambda skip, height, width: skip),
        "The skip is larger than the enlarged map: cut out its middle, in rows (dimension 2) and columns (3).",
    ),
    "a_fixed_cut": (
        partial(Up, cut=lambda skip, height, width: skip[:, :, 4 : 4 + height, 4 : 4 + width]),
        "You always cut off 4. How much it is differs from level to level: half of what the skip has more.",
    ),
    "rows_and_columns_swapped": (
        partial(Up, cut=_swapped),
        "What you cut off above and on the left is swapped. Rows are dimension 2 and height, columns 3 and width.",
    ),
    "twice_the_first": (
        partial(Up, convolve=lambda block, joined: block.conv1(block.conv1(joined).relu()).relu()),
        "You use the first convolution twice. The second is another layer, which reads out_channels.",
    ),
    "not_convolved": (
        partial(Up, convolve=lambda block, joined: joined),
        "You return what is concatenated. Two convolutions follow.",
    ),
    "joined_are_the_inputs": (
        partial(Up, joined_channels=lambda inputs, skips, raised: inputs),
        "Your first convolution reads in_channels. What is concatenated has skip_channels + out_channels.",
    ),
    "joined_are_twice_the_outputs": (
        partial(Up, joined_channels=lambda inputs, skips, raised: 2 * raised),
        "Your first convolution reads 2 · out_channels, as if the skip had out_channels. It has skip_channels.",
    ),
    "channels_halved": (
        partial(Up, up_channels=lambda inputs, skips, outputs: inputs // 2),
        "Your transposed convolution halves the channels, as the paper's does. Here it leads to out_channels.",
    ),
    "channels_of_the_skip": (
        partial(Up, up_channels=lambda inputs, skips, outputs: skips),
        "Your transposed convolution leads to skip_channels. It leads to out_channels.",
    ),
    "inputs_of_the_skip": (
        partial(Up, up_inputs=lambda inputs, skips: skips),
        "Your transposed convolution reads skip_channels. It reads the map from below, which has in_channels.",
    ),
    "interpolated_then_1x1": (
        _InterpolatedThen1x1,
        "Your up layer has 1×1 weights. It is one transposed convolution, 2×2 with stride 2, which enlarges by itself.",
    ),
    "stride_one": (
        partial(Up, stride=1),
        "Your transposed convolution has a stride of 1, and makes h + 1 rows. A stride of 2 makes 2h.",
    ),
    "no_bias": (
        partial(Up, bias=False),
        "Your transposed convolution has no bias. It has one, as the convolutions have.",
    ),
    "normalised": (
        _Normalised,
        "You have BatchNorm behind the convolutions, as later U-Nets have. This one has none.",
    ),
    "convolutions_first": (
        _ConvolutionsFirst,
        "The transposed convolution is used first, but you create it last. So it was given another layer's bias: "
        "create layers in the order in which they are used.",
    ),
}
