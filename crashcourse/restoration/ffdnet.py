"""FFDNet: one denoiser for every noise level, because it is told the level.

Zhang, Zuo, Zhang, "FFDNet: toward a fast and flexible solution for CNN-based image denoising", IEEE Transactions on
Image Processing, 2018, arXiv 1710.04026: section III.B (network), III.C (noise level map), III.D (sub-images). The
image is rearranged into four sub-images of half the size, a map of the noise level is put beside them as one more
channel, and a plain stack of convolutions gives out four sub-images again. The network is not residual.

**Differs from the paper:** nothing in the network. Layers are numbered as in the authors' PyTorch code (KAIR), whose
weights load with `strict=True`; as there, an odd height or width is padded by its last pixel and cut off again.
BatchNorm is left out, as in the released weights. Orthogonal initialisation has the gain that keeps a signal's size
through ReLUs; the paper gives none. deepinv's FFDNet puts the map beside the image *before* it is rearranged: 4
channels of it, other weights.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crashcourse.doors import check_count, check_images
from crashcourse.errors import CourseError, unknown
from crashcourse.restoration.noise import sigma_map

VARIANTS: dict[int, tuple[int, int]] = {1: (15, 64), 3: (12, 96)}
"""Channels of the image -> convolutions and their channels (section III.B)."""


class FFDNet(nn.Module):
    """Convolutions on four sub-images and a map of the noise level.

    It works on 2×2 pixels, so its tiles begin at even places: `tiled(..., multiple=2)`.

    Args:
        channels: of the images.
        depth: number of convolutions, at least 2.
        width: channels between.

    Raises:
        CourseError: a number that is not an integer of at least 1, or a depth of 1.
    """

    def __init__(self, channels: int = 1, depth: int = 15, width: int = 64) -> None:
        for value, what, least in ((channels, "channels", 1), (depth, "depth", 2), (width, "width", 1)):
            check_count(value, what, least=least)
        super().__init__()
        self.channels = channels
        sizes = [4 * channels + 1, *[width] * (depth - 1), 4 * channels]
        layers: list[nn.Module] = []
        for ins, outs in pairwise(sizes):
            layers += [nn.Conv2d(ins, outs, 3, padding=1), nn.ReLU(inplace=True)]
        self.model = nn.Sequential(*layers[:-1])
        for module in self.model:
            if isinstance(module, nn.Conv2d):
                nn.init.orthogonal_(module.weight, 2**0.5)
                nn.init.zeros_(module.bias)

    def forward(self, noisy: Tensor, sigma: float | Tensor) -> Tensor:
        """The restored image.

        Args:
            noisy: (N, channels, H, W) float, about [0, 1]; any H and W. Values are not checked: 0 to 255 passes, and
                gives nothing of use.
            sigma: standard deviation of the noise, where white is 255: a number, (N,), or a map (N, 1, H, W), of which
                each 2×2 pixels share the mean. Trained on 0 to 75 in the paper.

        Returns:
            The shape of `noisy`. Neither clipped nor rounded.

        Raises:
            CourseError: another shape, an integer dtype, or a sigma that does not fit, or that is negative or not
                finite; see `sigma_map`.
        """
        check_images(noisy, "FFDNet", channels=self.channels, dtype=self.model[0].weight.dtype)
        height, width = noisy.shape[2:]
        level = sigma_map(sigma, noisy)
        if level.ndim == 4 and level.shape[1] != 1:
            raise CourseError(f"FFDNet's map has one channel for all colours; got sigma of shape {tuple(sigma.shape)}.")
        level = level.expand(noisy.shape[0], 1, height, width)
        if noisy.shape[0] == 0:  # PyTorch's pixel_unshuffle leaves an empty batch as it is
            return noisy.clone()
        if height % 2 or width % 2:
            even = (0, width % 2, 0, height % 2)
            noisy, level = F.pad(noisy, even, mode="replicate"), F.pad(level, even, mode="replicate")
        sub_images = F.pixel_unshuffle(noisy, 2)  # (N, 4 C, H / 2, W / 2)
        level = F.pixel_unshuffle(level, 2).mean(1, keepdim=True)  # (N, 1, H / 2, W / 2)
        restored = self.model(torch.cat([sub_images, level], 1))  # (N, 4 C, H / 2, W / 2)
        return F.pixel_shuffle(restored, 2)[..., :height, :width]


def ffdnet(channels: int = 1) -> FFDNet:
    """FFDNet for grey images (15 layers of 64 channels, 485,316 parameters) or colour (12 of 96, 852,108).

    Raises:
        CourseError: `channels` is neither 1 nor 3.
    """
    if channels not in VARIANTS:
        raise unknown("FFDNet with so many channels", channels, map(str, VARIANTS))
    return FFDNet(channels, *VARIANTS[channels])
