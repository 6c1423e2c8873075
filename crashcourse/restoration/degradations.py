"""What the field does to good images, so as to restore them: less resolution, JPEG, a colour filter array, motion blur.

The noises are in `noise.py`. BI, BD and DN are the three degradation models of Zhang et al., "Residual dense network
for image super-resolution", CVPR 2018, arXiv 1802.08797, section 4.1, as the authors' `Prepare_TestData_HR_LR.m` makes
them. The mosaic is Bayer's, US patent 3,971,065, 1976.

**Differs from the papers:** MATLAB rounds bytes between the rows and the columns of `imresize`; see `resizing.py`.

| | range of the result | rounded to 8 bits | what is lost |
|---|---|---|---|
| `degrade_bi` | [0, 1] | yes, or not | what is finer than the new pixels |
| `degrade_bd` | [0, 1] | yes, or not | the same, and what the blur weakens below a level |
| `degrade_dn` | [0, 1] | yes | the same, and noise is added |
| `jpeg` | [0, 1] | yes | fine detail of each 8×8 block, half the resolution of colour |
| `mosaic` | of the images | no | two of three colours at each pixel |
| `motion_blur` | of the images | no | frequencies at which the kernel is near 0, and what leaves the picture |
"""

import io
import math
from fractions import Fraction

import torch
from torch import Tensor
from torch.nn import functional as F

from crashcourse.doors import check_count, check_images, check_number
from crashcourse.errors import CourseError, unknown
from crashcourse.restoration.doors import check_multiple, check_range, generator_of
from crashcourse.restoration.noise import gaussian_noise
from crashcourse.restoration.pixels import exact, quantize
from crashcourse.restoration.resizing import bicubic_resize

PATTERNS = ("RGGB", "BGGR", "GRBG", "GBRG")
"""Colours of a 2×2 cell of the mosaic, row by row."""


def degrade_bi(images: Tensor, scale: int, *, quantized: bool = True) -> Tensor:
    """BI: bicubic downsampling, MATLAB's `imresize(images, 1 / scale)`.

    Args:
        images: (N, C, H, W) float in [0, 1]; `scale` divides H and W, see `modcrop`.
        scale: 2, 3, 4 or 8 in the papers.
        quantized: clip and round, as the 8-bit files that networks are tested with. Without, gradients flow back.

    Returns:
        (N, C, H / scale, W / scale) of the same dtype; in [0, 1] if quantized, else a little outside in places.

    Raises:
        CourseError: images of another kind, range or size.
    """
    check_images(images, "degrade_bi")
    check_count(scale, "scale")
    check_multiple(images, f"degrade_bi with scale {scale}", scale)
    check_range(images, "degrade_bi")
    small = bicubic_resize(images, Fraction(1, scale))
    return quantize(small) if quantized else small


def degrade_bd(images: Tensor, *, quantized: bool = True) -> Tensor:
    """BD: a 7×7 Gaussian of sigma 1.6 with the border repeated, then the centre of each 3×3. Always to a third.

    Args:
        images: (N, C, H, W) float in [0, 1]; 3 divides H and W, see `modcrop`.
        quantized: round after the blur, as the authors' bytes are. Without, gradients flow back.

    Returns:
        (N, C, H / 3, W / 3) of the same dtype, in [0, 1].

    Raises:
        CourseError: images of another kind, range or size.
    """
    check_images(images, "degrade_bd")
    check_multiple(images, "degrade_bd", 3)
    check_range(images, "degrade_bd")
    blurred = _filtered(exact(images), gaussian_kernel(7, 1.6)).to(images.dtype)
    return (quantize(blurred) if quantized else blurred)[..., 1::3, 1::3]


def degrade_dn(images: Tensor, generator: torch.Generator | int, *, sigma: float = 30) -> Tensor:
    """DN: bicubic downsampling to a third, rounded, then Gaussian noise, clipped and rounded to bytes.

    Args:
        images: (N, C, H, W) float in [0, 1]; 3 divides H and W, see `modcrop`.
        generator: where the chance comes from, or a seed.
        sigma: of the noise, where white is 255.

    Returns:
        (N, C, H / 3, W / 3) of the same dtype, multiples of 1 / 255 in [0, 1].

    Raises:
        CourseError: images of another kind, range or size.
    """
    check_images(images, "degrade_dn")
    check_multiple(images, "degrade_dn", 3)
    check_range(images, "degrade_dn")
    small = quantize(bicubic_resize(images, Fraction(1, 3)))
    return gaussian_noise(small, sigma, generator, quantized=True)


def jpeg(images: Tensor, quality: int, *, subsampling: str = "4:2:0") -> Tensor:
    """Images written as JPEG and read again, by libjpeg through Pillow. The same bytes each time: there is no chance.

    Args:
        images: (N, 1, H, W) or (N, 3, H, W) float in [0, 1]. They are clipped and rounded to bytes first.
        quality: 1 to 100; 10, 20, 30 and 40 in papers about compression artefacts.
        subsampling: "4:2:0" halves the resolution of colour both ways, "4:4:4" keeps it; grey images have no colour.

    Returns:
        The same shape, dtype and device, multiples of 1 / 255 in [0, 1]. Without gradients: it runs on the CPU.

    Raises:
        CourseError: images of another kind or range, a quality that is not 1 to 100, or another subsampling.
    """
    from PIL import Image

    check_images(images, "jpeg")
    check_range(images, "jpeg")
    if images.shape[1] not in (1, 3):
        raise CourseError(f"jpeg takes grey images (1 channel) or RGB (3 channels); got {images.shape[1]} channels.")
    if not isinstance(quality, int) or not 1 <= quality <= 100:
        raise CourseError(f"quality must be an integer from 1 to 100; got {quality!r}.")
    if subsampling not in ("4:2:0", "4:4:4"):
        raise unknown("subsampling", subsampling, ("4:2:0", "4:4:4"))
    decoded = []
    for image in (quantize(images.detach().float()) * 255).round().byte().cpu():  # (C, H, W) uint8
        stream = io.BytesIO()
        pixels = image[0] if len(image) == 1 else image.permute(1, 2, 0).contiguous()
        options = {} if len(image) == 1 else {"subsampling": subsampling}
        Image.fromarray(pixels.numpy()).save(stream, "JPEG", quality=quality, **options)
        values = torch.frombuffer(bytearray(Image.open(stream).tobytes()), dtype=torch.uint8)
        height, width = image.shape[1:]
        decoded.append(values.view(height, width, -1).permute(2, 0, 1))
    return (torch.stack(decoded).double() / 255).to(images) if decoded else images.clone()


def bayer_mask(height: int, width: int, pattern: str = "RGGB") -> Tensor:
    """Where a colour filter array measures which colour.

    Args:
        height, width: of the image.
        pattern: one of `PATTERNS`, the colours of the cell in the upper left corner.

    Returns:
        (3, height, width) bool: at each pixel one of red, green and blue is true. Green is measured twice as often.

    Raises:
        CourseError: an unknown pattern.
    """
    if pattern not in PATTERNS:
        raise unknown("pattern", pattern, PATTERNS)
    colours = torch.tensor(["RGB".index(letter) for letter in pattern]).view(2, 2)
    cells = colours.repeat(-(-height // 2), -(-width // 2))[:height, :width]
    return cells == torch.arange(3)[:, None, None]


def mosaic(images: Tensor, pattern: str = "RGGB") -> Tensor:
    """What a sensor with a Bayer filter sees: one colour at each pixel.

    `images * bayer_mask(H, W)` keeps the three channels apart, with zeros where nothing was measured.

    Args:
        images: (N, 3, H, W) float, of any range.
        pattern: one of `PATTERNS`.

    Returns:
        (N, 1, H, W), values of the images, neither clipped nor rounded.

    Raises:
        CourseError: not three channels, or an unknown pattern.
    """
    check_images(images, "mosaic", channels=3)
    mask = bayer_mask(*images.shape[2:], pattern).to(images.device)
    return (images * mask).sum(1, keepdim=True)


def motion_kernel(length: float, angle: float = 0.0) -> Tensor:
    """The path of a point while the camera moves along a straight line at one speed.

    Args:
        length: 1 for no motion; the path is length - 1 pixels long, so that `length` pixels see the point, the first
            and the last half as long as the others. (MATLAB's `fspecial('motion')` weights all alike.)
        angle: in degrees, anticlockwise from "to the right".

    Returns:
        (K, K) float32 that adds up to 1, K odd: the path with its middle in the centre.

    Raises:
        CourseError: a length below 1, or an angle that is not finite.
    """
    check_number(length, "length", low=1)
    check_number(angle, "angle", low=-math.inf)
    place = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000 * (length - 1) - (length - 1) / 2
    turn = math.radians(angle)
    return _drawn(-place * math.sin(turn), place * math.cos(turn), math.ceil((length - 1) / 2))


def shake_kernel(size: int, generator: torch.Generator | int) -> Tensor:
    """The path of a point while a hand shakes: a walk whose direction drifts by chance.

    Args:
        size: K, odd, at least 3.
        generator: where the chance comes from, or a seed.

    Returns:
        (K, K) float32 that adds up to 1: the path with the middle of its extent in the centre, as large as fits.

    Raises:
        CourseError: a size that is even or below 3.
    """
    check_count(size, "size", least=3)
    if size % 2 == 0:
        raise CourseError(f"size must be odd, so that a kernel has a centre; got {size}.")
    generator = generator_of(generator)
    turns = torch.randn(64, generator=generator, device=generator.device).cpu().double()
    heading = 2 * math.pi * torch.rand(1, generator=generator, device=generator.device).cpu().double()
    heading = heading + 0.35 * turns.cumsum(0)
    path = torch.stack([heading.sin(), heading.cos()]).cumsum(1)  # (2, 64): rows, columns
    path = F.interpolate(path[None], 1024, mode="linear", align_corners=True)[0]
    middle = (path.amax(1, keepdim=True) + path.amin(1, keepdim=True)) / 2
    path = path - middle
    radius = size // 2
    return _drawn(*(path * (radius / path.abs().max())), radius)


def motion_blur(images: Tensor, kernel: Tensor) -> Tensor:
    """Images convolved with the path of the motion; beyond the border the edge pixel goes on.

    Args:
        images: (N, C, H, W) float, of any range.
        kernel: (K, K), or (N, K, K) for each image its own; K odd. One that adds up to 1 keeps the brightness.

    Returns:
        The same shape and dtype. Neither clipped nor rounded. Gradients flow back.

    Raises:
        CourseError: a kernel of another shape, or no tensor.
    """
    check_images(images, "motion_blur")
    if not isinstance(kernel, Tensor):
        raise CourseError(
            f"A kernel is a tensor (K, K) or (N, K, K), such as motion_kernel(9); got {type(kernel).__name__}."
        )
    shape = tuple(kernel.shape)
    square = len(shape) in (2, 3) and shape[-1] == shape[-2] and shape[-1] % 2 == 1
    if not square or shape[:-2] not in ((), (len(images),)):
        raise CourseError(f"A kernel is (K, K) or (N, K, K) with K odd, for {len(images)} images; got {shape}.")
    return _filtered(images, kernel.flip(-2, -1))  # a convolution turns its kernel by 180°


def gaussian_kernel(size: int, sigma: float) -> Tensor:
    """MATLAB's `fspecial('gaussian', size, sigma)`: (size, size) float64 that adds up to 1."""
    check_count(size, "size")
    check_number(sigma, "sigma", low=1e-3)
    place = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    row = torch.exp(-place.square() / (2 * sigma**2))
    kernel = row[:, None] * row
    return kernel / kernel.sum()


def _filtered(images: Tensor, kernels: Tensor) -> Tensor:
    """Correlation of each image with its kernel (K, K) or (N, K, K); the border is repeated."""
    n, c, height, width = images.shape
    if not n:
        return images.clone()
    side = kernels.shape[-1]
    padded = F.pad(images, (side // 2,) * 4, mode="replicate")
    weights = kernels.to(padded).expand(n, side, side).repeat_interleave(c, 0)[:, None]  # (N · C, 1, K, K)
    padded = padded.reshape(1, n * c, *padded.shape[2:])
    return F.conv2d(padded, weights, groups=n * c).view(n, c, height, width)


def _drawn(rows: Tensor, columns: Tensor, radius: int) -> Tensor:
    """Points, given by their distance from the centre, shared out among the four pixels around each."""
    side = 2 * radius + 1
    kernel = torch.zeros(side, side, dtype=torch.float64)
    rows, columns = rows + radius, columns + radius
    top, left = rows.floor(), columns.floor()
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        y, x = top + down, left + right
        weight = (1 - (rows - y).abs()) * (1 - (columns - x).abs())
        places = y.clamp(0, side - 1).long(), x.clamp(0, side - 1).long()
        kernel.index_put_(places, weight, accumulate=True)
    return (kernel / kernel.sum()).float()
