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
        up_channels: Callable[[int, int], int] = lambda inputs, outputs: outputs,
    ) -> None:
        super().__init__()
        raised = up_channels(in_channels, out_channels)
        self.up = nn.ConvTranspose2d(in_channels, raised, kernel, stride=2)
        self.conv1 = nn.Conv2d(skip_channels + raised, out_channels, 3, padding=padding)
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
        partial(Up, up_channels=lambda inputs, outputs: inputs),
        "Your transposed convolution keeps the channels. It leads from in_channels to out_channels.",
    ),
    "one_convolution": (
        _OneConvolution,
        "There are two 3×3 convolutions behind the concatenation.",
    ),
}
