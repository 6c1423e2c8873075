"""EDSR: a plain stack of residual blocks at low resolution, and a sub-pixel convolution at the end.

Lim, Son, Kim, Nah, Lee, "Enhanced deep residual networks for single image super-resolution", 2017, arXiv 1707.02921:
figure 2c (a block without BatchNorm), section 3.2 (residual scaling), table 1 (the networks). The upscaling is that of
Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel convolutional neural
network", 2016, arXiv 1609.05158, equation 4. RCAN starts from this network.

**Differs from the paper:** nothing. Images are in [0, 1] outside and in [0, 255] minus the mean colour inside, as in
the authors' code, so that its weights fit; parameters have its names. The mean is a buffer here.
"""

import torch
from torch import Tensor, nn

from crashcourse.doors import check_count, check_images, check_number
from crashcourse.errors import CourseError, unknown

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)
"""Mean red, green and blue of the 800 training images of DIV2K, in [0, 1]."""


class MeanShift(nn.Module):
    """Take a colour off, or put it back: values of 0 to 255. It has the authors' 1×1 convolution as buffers.

    Args:
        sign: -1 takes the mean colour of DIV2K off, 1 puts it back.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, sign: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.eye(3).view(3, 3, 1, 1))
        self.register_buffer("bias", sign * 255 * torch.tensor(DIV2K_MEAN))

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 3, H, W). Written without a convolution: 8 bits of bfloat16 would lose grey levels."""
        scale = self.weight[:, :, 0, 0].diagonal()  # 1 for each colour
        return images * scale[:, None, None] + self.bias[:, None, None]


class Upsampler(nn.Sequential):
    """Convolution to s² times the channels and pixel shuffle, s = 3 once, s = 2 once or more.

    Args:
        scale: 3, or a power of two.
        width: channels of the maps.

    Raises:
        CourseError: another scale.
    """

    def __init__(self, scale: int, width: int) -> None:
        check_scale(scale)
        steps = [3] if scale == 3 else [2] * (scale.bit_length() - 1)
        layers: list[nn.Module] = []
        for step in steps:
            layers += [nn.Conv2d(width, step**2 * width, 3, padding=1), nn.PixelShuffle(step)]
        super().__init__(*layers)


def check_scale(scale: object) -> None:
    """Refuse anything but 1, 2, 3, 4, 8, 16, ..."""
    check_count(scale, "scale")
    if scale != 3 and scale & (scale - 1):
        raise CourseError(f"The upsampler enlarges by 3 or by powers of two; got scale {scale}.")


class ResidualBlock(nn.Module):
    """x + s · conv(ReLU(conv(x))), figure 2c, s the residual scaling.

    Args:
        width: channels.
        residual_scale: 0.1 in the large network, whose training is unstable without; else 1.
    """

    def __init__(self, width: int, residual_scale: float = 1.0) -> None:
        super().__init__()
        self.residual_scale = residual_scale
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(width, width, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) -> (N, width, H, W)."""
        return torch.add(x, self.body(x), alpha=self.residual_scale)


class SuperResolver(nn.Module):
    """What EDSR and RCAN have in common: colours to features, a body with one long skip, features to large colours.

    Args:
        body: makes features of features, (N, width, H, W).
        scale: how much larger the output is: 3 or a power of two; 1 keeps the size.
        width: channels of the features.
        long_skip: add what comes into the body to what comes out of it.

    Raises:
        CourseError: another scale.
    """

    def __init__(self, body: nn.Module, *, scale: int, width: int, long_skip: bool = True) -> None:
        upsampler = Upsampler(scale, width)
        super().__init__()
        self.scale, self.long_skip = scale, long_skip
        self.sub_mean = MeanShift(-1)
        self.add_mean = MeanShift(1)
        self.head = nn.Sequential(nn.Conv2d(3, width, 3, padding=1))
        self.body = body
        self.tail = nn.Sequential(upsampler, nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, images: Tensor) -> Tensor:
        """Images at `scale` times the size.

        Args:
            images: (N, 3, H, W) float, RGB in [0, 1]; any H and W. Values are not checked: 0 to 255 passes, and gives
                nothing of use.

        Returns:
            (N, 3, scale · H, scale · W). Neither clipped nor rounded.

        Raises:
            CourseError: another shape or an integer dtype.
        """
        check_images(images, type(self).__name__, channels=3, dtype=self.head[0].weight.dtype)
        x = self.head(self.sub_mean(255 * images))  # (N, width, H, W)
        features = self.body(x)
        x = features + x if self.long_skip else features
        return self.add_mean(self.tail(x)) / 255  # (N, 3, scale · H, scale · W)

    def extra_repr(self) -> str:
        return f"scale={self.scale}, long_skip={self.long_skip}"


VARIANTS: dict[str, tuple[int, int, float]] = {"baseline": (16, 64, 1.0), "EDSR": (32, 256, 0.1)}
"""Table 1 of the paper: residual blocks, channels, residual scaling."""


class EDSR(SuperResolver):
    """Residual blocks, one after the other, and a convolution: a plain stack as deep and wide as you like.

    Args:
        scale: 2, 3, 4 or another power of two.
        blocks: residual blocks, B in the paper.
        width: channels, F in the paper.
        residual_scale: of every block.

    Raises:
        CourseError: another scale, or a number that is not positive.
    """

    def __init__(self, scale: int = 2, blocks: int = 16, width: int = 64, *, residual_scale: float = 1.0) -> None:
        check_count(blocks, "blocks", least=0)
        check_count(width, "width")
        check_number(residual_scale, "residual_scale")
        stack = [ResidualBlock(width, residual_scale) for _ in range(blocks)]
        body = nn.Sequential(*stack, nn.Conv2d(width, width, 3, padding=1))
        super().__init__(body, scale=scale, width=width)


def edsr(scale: int = 2, *, variant: str = "EDSR") -> EDSR:
    """EDSR: 32 blocks of 256 channels; 40,729,603, 43,680,003 or 43,089,923 parameters for ×2, ×3 or ×4.

    Raises:
        CourseError: another scale or variant.
    """
    if variant not in VARIANTS:
        raise unknown("variant of EDSR", variant, VARIANTS)
    blocks, width, residual_scale = VARIANTS[variant]
    return EDSR(scale, blocks, width, residual_scale=residual_scale)


def edsr_baseline(scale: int = 2) -> EDSR:
    """The baseline of the paper, 16 blocks of 64 channels: 1,369,859, 1,554,499 or 1,517,571 parameters."""
    return edsr(scale, variant="baseline")
