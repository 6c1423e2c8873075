"""The networks under SSD's heads: from an image to several maps, each coarser than the one before.

Paper: Liu et al., "SSD: Single shot multibox detector", 2015, arXiv:1512.02325: figure 2 and section 3 (VGG-16 with two
dilated and eight shrinking convolutions). The heads and the whole network are in `ssd.py`.

**Differs from the paper:** nothing in `VggMaps`, whose parameter names are torchvision's. `SmallMaps` is this course's
own.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crashcourse.classification.vgg import CHANNELS, CONFIGURATIONS, vgg_features


class VggMaps(nn.Module):
    """VGG-16 to conv4_3, then dilated and shrinking convolutions: six maps of a 300×300 image (figure 2).

    Shapes:
        `(N, 3, 300, 300)` float -> `(N, 512, 38, 38)`, `(N, 1024, 19, 19)`, `(N, 512, 10, 10)`, `(N, 256, 5, 5)`,
        `(N, 256, 3, 3)`, `(N, 256, 1, 1)`.
    """

    channels = (512, 1024, 512, 256, 256, 256)

    def __init__(self) -> None:
        super().__init__()
        vgg = vgg_features(CONFIGURATIONS["D"], CHANNELS)
        pools = [place for place, layer in enumerate(vgg) if isinstance(layer, nn.MaxPool2d)]
        vgg[pools[2]].ceil_mode = True  # 75 -> 38, not 37
        _he(vgg)
        self.scale_weight = nn.Parameter(torch.full((512,), 20.0))
        self.features = vgg[: pools[3]]  # to the ReLU of conv4_3
        dense = nn.Sequential(  # VGG's two dense layers as convolutions (section 3)
            nn.MaxPool2d(3, 1, padding=1),
            nn.Conv2d(512, 1024, 3, padding=6, dilation=6),  # fc6: sees 13×13 with 9 weights
            nn.ReLU(inplace=True),
            nn.Conv2d(1024, 1024, 1),  # fc7
            nn.ReLU(inplace=True),
        )
        self.extra = nn.ModuleList(
            [
                nn.Sequential(*vgg[pools[3] : pools[4]], dense),  # 38 -> 19
                _shrink(1024, 256, 512, stride=2),  # conv8: 19 -> 10
                _shrink(512, 128, 256, stride=2),  # conv9: 10 -> 5
                _shrink(256, 128, 256),  # conv10: 5 -> 3
                _shrink(256, 128, 256),  # conv11: 3 -> 1
            ]
        )
        for block in (dense, *self.extra[1:]):
            xavier(block)

    def forward(self, images: Tensor) -> list[Tensor]:
        """`(N, 3, 300, 300)` float -> the six maps."""
        maps = self.features(images)  # (N, 512, 38, 38)
        # conv4_3 is far larger than what follows: each place gets the length 1, then a learned one (section 3.1)
        found = [self.scale_weight.view(1, -1, 1, 1) * F.normalize(maps)]
        for block in self.extra:
            maps = block(maps)
            found.append(maps)
        return found


class SmallMaps(nn.Module):
    """3×3 convolutions with batch normalization, halving five times: the last four halvings give a map each.

    A single 4×4 convolution of stride 4 in place of the first two is faster, and learned much less from the same
    scenes: small garments are no more than a few such patches.

    Args:
        width: channels of the first convolution; the maps have 2, 4, 8 and 8 times as many.

    Shapes:
        `(N, 3, S, S)` float -> four maps, of S / 4, S / 8, S / 16, S / 32 rounded up: 28, 14, 7 and 4 for 112.
    """

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.channels = (2 * width, 4 * width, 8 * width, 8 * width)
        stem = _convolution(3, width, stride=2), _convolution(width, 2 * width, stride=2)
        self.features = nn.Sequential(*stem, _convolution(2 * width, 2 * width))  # (N, 2 width, S / 4, S / 4)
        self.extra = nn.ModuleList(
            nn.Sequential(_convolution(before, after, stride=2), _convolution(after, after))
            for before, after in zip(self.channels, self.channels[1:], strict=False)
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """`(N, 3, S, S)` float -> the four maps."""
        maps = self.features(images)
        found = [maps]
        for block in self.extra:
            maps = block(maps)
            found.append(maps)
        return found


def _shrink(in_channels: int, middle: int, out_channels: int, *, stride: int = 1) -> nn.Sequential:
    """1×1 to fewer channels, then 3×3: with stride 2 half the side, without padding two places less."""
    return nn.Sequential(
        nn.Conv2d(in_channels, middle, 1),
        nn.ReLU(inplace=True),
        nn.Conv2d(middle, out_channels, 3, stride, padding=stride - 1),
        nn.ReLU(inplace=True),
    )


def _convolution(in_channels: int, out_channels: int, *, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))


def _he(layers: nn.Module) -> None:
    for layer in layers.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(layer.bias)


def xavier(layers: nn.Module) -> None:
    """Start every convolution as the authors' code does: weights by Xavier's rule, biases 0."""
    for layer in layers.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
