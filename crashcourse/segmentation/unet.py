"""U-Net: down to see far, up to see sharp, and a bridge at every level.

Ronneberger, Fischer, Brox, "U-Net: Convolutional networks for biomedical image segmentation", MICCAI 2015, arXiv
1505.04597: section 2 and figure 1 (the network), the end of section 3 (initial weights). Section 2's overlapping tiles
are in `tiling.py`, section 3's weights of borders in `weights.py`.

Convolutions are *valid*: they take no zeros from outside, so every map is 4 pixels smaller behind two of them, and the
output is smaller than the input by `2 * margin`. What comes over a bridge is larger than what comes from below; its
centre is cut out, and both are concatenated.

**Differs from the paper:** nothing in `unet_2015`, where the paper says what it does. It says that there is dropout "at
the end of the contracting path", not how much: here half of the maps' values, behind the last two levels. `padded` and
`batch_norm` are what most networks called U-Net have and this paper has not.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from crashcourse.doors import check_count, check_images, check_number
from crashcourse.errors import CourseError


class DoubleConv(nn.Sequential):
    """Two 3×3 convolutions, each with a ReLU: a map of side s becomes one of side s - 4, or s with `padded`.

    Args:
        in_channels, out_channels: of the pair.
        padded: zeros around, so that the size stays.
        batch_norm: between convolution and ReLU.
    """

    def __init__(self, in_channels: int, out_channels: int, *, padded: bool = False, batch_norm: bool = False) -> None:
        layers: list[nn.Module] = []
        for channels in (in_channels, out_channels):
            layers.append(nn.Conv2d(channels, out_channels, 3, padding=int(padded), bias=not batch_norm))
            if batch_norm:
                layers.append(nn.BatchNorm2d(out_channels))
            layers.append(nn.ReLU(inplace=True))
        super().__init__(*layers)


class UpBlock(nn.Module):
    """One step of the expansive path: enlarge, cut out the skip's centre, concatenate, two convolutions.

    Args:
        in_channels: of the map from below.
        skip_channels: of the map from the contracting path.
        out_channels: of the enlarged map, and of the block.
        padded, batch_norm: of its `DoubleConv`.
    """

    def __init__(
        self,
        in_channels: int,
        skip_channels: int,
        out_channels: int,
        *,
        padded: bool = False,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2)
        self.convs = DoubleConv(skip_channels + out_channels, out_channels, padded=padded, batch_norm=batch_norm)

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        """(N, in_channels, h, w) and (N, skip_channels, H, W), H >= 2h -> (N, out_channels, 2h - 4, 2w - 4)."""
        raised = self.up(below)  # (N, out_channels, 2h, 2w)
        bridge = center_crop(skip, raised.shape[2], raised.shape[3])
        return self.convs(torch.cat([bridge, raised], 1))


def center_crop(maps: Tensor, height: int, width: int) -> Tensor:
    """The middle of maps; what is left over is as much above as below, and as much on the left as on the right.

    Args:
        maps: (..., H, W).
        height, width: of the middle, at most H and W; where the rest is odd, its larger part is below and right.

    Returns:
        (..., height, width), a view.

    Raises:
        CourseError: the middle would be larger than the maps.
    """
    if height > maps.shape[-2] or width > maps.shape[-1]:
        raise CourseError(f"No {height}×{width} can be cut out of {maps.shape[-2]}×{maps.shape[-1]}.")
    top, left = (maps.shape[-2] - height) // 2, (maps.shape[-1] - width) // 2
    return maps[..., top : top + height, left : left + width]


class UNet(nn.Module):
    """A contracting path, an expansive path, and a skip at each level.

    Args:
        in_channels: of the images.
        out_channels: of the scores: one for each class, background included; or 1 where there is one class alone.
        widths: channels of each level, from the finest to the coarsest; at least one.
        padded: zeros around every 3×3 convolution, so that the output is as large as the input.
        batch_norm: in every pair of convolutions.
        dropout: what part of the values behind the last two levels of the contracting path is dropped in training.

    Attributes:
        stride: 2 to the number of poolings: how many pixels one place of the coarsest level stands for.
        margin: pixels that the output lacks on every side of the input; 0 with `padded`.

    Raises:
        CourseError: a count below 1, or a `dropout` that is no part of one.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 2,
        *,
        widths: Sequence[int] = (64, 128, 256, 512, 1024),
        padded: bool = False,
        batch_norm: bool = False,
        dropout: float = 0.0,
    ) -> None:
        _check(in_channels, out_channels, widths, dropout)
        super().__init__()
        self.in_channels, self.padded = in_channels, padded
        options = {"padded": padded, "batch_norm": batch_norm}
        inputs = (in_channels, *widths[:-1])
        self.contracting = nn.ModuleList(DoubleConv(i, o, **options) for i, o in zip(inputs, widths, strict=True))
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(dropout)
        self.expansive = nn.ModuleList(
            UpBlock(below, width, width, **options) for width, below in zip(widths[-2::-1], widths[:0:-1], strict=True)
        )
        self.scores = nn.Conv2d(widths[0], out_channels, 1)
        self.stride = 2 ** (len(widths) - 1)
        self.margin = 0 if padded else 6 * self.stride - 4
        self.apply(initialize)

    def forward(self, images: Tensor) -> Tensor:
        """(N, in_channels, H, W) float -> logits (N, out_channels, H - 2 · margin, W - 2 · margin).

        Raises:
            CourseError: not such images, or a side that does not fit; the sentence names the nearest that do.
        """
        check_images(images, "UNet", channels=self.in_channels, dtype=self.scores.weight.dtype)
        self._check_sides(*images.shape[2:])
        skips: list[Tensor] = []
        maps = images
        for level, convs in enumerate(self.contracting):
            maps = convs(self.pool(maps) if level else maps)
            if level >= len(self.contracting) - 2:
                maps = self.dropout(maps)
            skips.append(maps)
        for block, skip in zip(self.expansive, skips[-2::-1], strict=True):
            maps = block(maps, skip)
        return self.scores(maps)

    def fits(self, side: int) -> bool:
        """Whether images of this side can be taken: every map that is pooled is even, and something is left."""
        return side >= self.least_side and (side - self.least_side) % self.stride == 0

    def nearest_sides(self, side: int) -> tuple[int, int]:
        """The largest side that fits and is at most `side`, and the smallest that fits and is at least `side`.

        Below `least_side`, both are `least_side`.
        """
        steps = max(side - self.least_side, 0) // self.stride
        below = self.least_side + steps * self.stride
        return below, below if below >= side else below + self.stride

    @property
    def least_side(self) -> int:
        """The smallest side that fits."""
        if self.padded:
            return self.stride
        coarsest = 8 - 3 // self.stride  # the side that the coarsest level receives; 8 leaves 4 pixels of the output
        return self.stride * (coarsest + 4) - 4

    def _check_sides(self, height: int, width: int) -> None:
        if self.fits(height) and self.fits(width):
            return
        wrong = {"high": height, "wide": width}
        advice = [_advice(side, word, *self.nearest_sides(side)) for word, side in wrong.items() if not self.fits(side)]
        first = ", ".join(str(self.least_side + step * self.stride) for step in range(3))
        raise CourseError(
            f"This U-Net takes images with sides of {first} and so on, {self.stride} apart, so that every map that it "
            f"pools is even; got {height}×{width}. Nearest: {' and '.join(advice)}."
        )

    def extra_repr(self) -> str:
        """What the children do not tell."""
        return f"stride={self.stride}, margin={self.margin}"


def _advice(side: int, word: str, below: int, above: int) -> str:
    return f"{below} or {above} {word}" if below < side else f"{above} {word}"


def _check(in_channels: int, out_channels: int, widths: Sequence[int], dropout: float) -> None:
    check_count(in_channels, "in_channels")
    check_count(out_channels, "out_channels")
    if not isinstance(widths, Sequence) or not widths:
        raise CourseError(f"widths must be the channels of each level, such as (16, 32, 64); got {widths!r}.")
    for width in widths:
        check_count(width, "each of widths")
    check_number(dropout, "dropout")
    if dropout >= 1:
        raise CourseError(f"dropout must be below 1, or nothing is left; got {dropout!r}.")


@torch.no_grad()
def initialize(layer: nn.Module) -> None:
    """Gaussian weights of standard deviation √(2/N), and biases of 0: end of the paper's section 3.

    N is how many values are summed up for one output: 9 · channels for a 3×3 convolution. The 2×2 windows of the
    transposed convolution do not overlap, so that each of its outputs is a sum over one place alone: N = channels.
    """
    if isinstance(layer, nn.Conv2d):
        summed = layer.weight[0].numel()
    elif isinstance(layer, nn.ConvTranspose2d):
        summed = layer.in_channels
    else:
        return
    layer.weight.normal_(0, (2 / summed) ** 0.5)
    if layer.bias is not None:
        layer.bias.zero_()


def unet_2015() -> UNet:
    """The network of the paper's figure 1, 1 channel to 2: 31,030,658 parameters, 572×572 in and 388×388 out."""
    return UNet(1, 2, dropout=0.5)


def unet_padded(in_channels: int = 1, out_channels: int = 2) -> UNet:
    """What most code calls U-Net: zeros around, BatchNorm, output as large as the input; sides that 16 divides."""
    return UNet(in_channels, out_channels, padded=True, batch_norm=True)


def small_unet(
    in_channels: int = 1, out_channels: int = 2, *, padded: bool = False, widths: Sequence[int] = (16, 32, 64)
) -> UNet:
    """A U-Net for laptops, with two poolings: without `padded`, the output lacks 20 pixels on every side."""
    return UNet(in_channels, out_channels, widths=widths, padded=padded)
