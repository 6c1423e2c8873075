"""BI, BD and DN, JPEG, mosaic and motion blur: by hand, against Pillow, scipy and torch, and what stays."""

import io

import numpy as np
import pytest
import scipy.ndimage
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from crashcourse.errors import CourseError
from crashcourse.restoration import (
    bayer_mask,
    bicubic_resize,
    degrade_bd,
    degrade_bi,
    degrade_dn,
    jpeg,
    modcrop,
    mosaic,
    motion_blur,
    motion_kernel,
    psnr,
    quantize,
    shake_kernel,
)
from crashcourse.restoration.degradations import PATTERNS, gaussian_kernel
from tests.restoration.photographs import photo


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bi_is_the_bicubic_image_in_bytes(scale):
    """It is not clipped, not rounded, or has another kernel; torch's and ours agree in the inside, on all levels."""
    image = modcrop(photo(side=97), scale)
    small = degrade_bi(image, scale)
    assert torch.equal(small, quantize(bicubic_resize(image, 1 / scale)))
    theirs = F.interpolate(image.double(), scale_factor=1 / scale, mode="bicubic", antialias=True)
    assert torch.equal(small[..., 3:-3, 3:-3], quantize(theirs)[..., 3:-3, 3:-3].float())
    free = degrade_bi(image, scale, quantized=False)
    assert not torch.equal(free, small)
    torch.testing.assert_close(free.clamp(0, 1), small, rtol=0, atol=0.5 / 255 + 1e-6)


def test_bd_is_the_papers_blur_at_the_centre_of_each_3_by_3():
    """Another size or sigma, a border of zeros, or a corner of each cell: scipy's filter, and its places, by hand."""
    image = modcrop(photo(side=50), 3).double()
    place = np.arange(7) - 3
    row = np.exp(-(place**2) / (2 * 1.6**2))
    kernel = np.outer(row, row) / row.sum() ** 2
    blurred = scipy.ndimage.correlate(image[0, 0].numpy(), kernel, mode="nearest")
    free = degrade_bd(image, quantized=False)[0, 0].numpy()
    np.testing.assert_allclose(free, blurred[1::3, 1::3], atol=1e-12)
    assert torch.equal(degrade_bd(image), quantize(degrade_bd(image, quantized=False)))
    assert free.shape == (16, 16)


def test_the_gaussian_kernel_by_hand():
    """sigma² is used for sigma, or the weights do not add up to 1."""
    kernel = gaussian_kernel(3, 1.0)
    side, corner = np.exp(-0.5), np.exp(-1)
    total = 1 + 4 * side + 4 * corner
    assert kernel.flatten().tolist() == pytest.approx(
        [weight / total for weight in (corner, side, corner, side, 1, side, corner, side, corner)]
    )


def test_dn_is_noise_on_the_small_image_in_bytes():
    """Noise comes before the downsampling, which would average it away, or the result is not rounded."""
    image = torch.full((1, 3, 180, 180), 0.5)
    small = degrade_dn(image, 3)
    assert small.shape == (1, 3, 60, 60)
    assert torch.equal(small, quantize(small))
    assert float(small.std()) == pytest.approx(30 / 255, rel=0.03)
    assert torch.equal(small, degrade_dn(image, torch.Generator().manual_seed(3)))
    assert not torch.equal(small, degrade_dn(image, 4))
    assert float(degrade_dn(image, 3, sigma=5).std()) == pytest.approx(5 / 255, rel=0.03)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("quality", [1, 10, 90, 100])
def test_jpeg_is_pillows(channels, quality):
    """Channels, rounding or subsampling change on the way to libjpeg or back."""
    image = photo(side=43)[:, :channels]
    pixels = (image[0] * 255).round().byte()
    array = pixels[0].numpy() if channels == 1 else pixels.permute(1, 2, 0).numpy()
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(stream, "JPEG", quality=quality)
    theirs = np.atleast_3d(np.array(Image.open(stream))).transpose(2, 0, 1)
    assert torch.equal((jpeg(image, quality)[0] * 255).round().byte(), torch.from_numpy(theirs))


def test_jpeg_of_a_batch_loses_more_at_low_quality_and_colour_first():
    """The batch is mixed up, quality runs backwards, or subsampling is not passed on."""
    images = torch.cat([photo(), photo("coffee")])
    assert torch.equal(jpeg(images, 30)[1:], jpeg(images[1:], 30))
    worse, better = psnr(jpeg(images, 10), images), psnr(jpeg(images, 40), images)
    assert bool((better > worse + 2).all())
    assert bool((psnr(jpeg(images, 90, subsampling="4:4:4"), images) > psnr(jpeg(images, 90), images)).all())
    assert torch.equal(jpeg(images[:, :1], 90), jpeg(images[:, :1], 90, subsampling="4:4:4"))
    assert jpeg(images[:0], 10).shape == (0, 3, 96, 96)
    assert jpeg(images.bfloat16(), 50).dtype == torch.bfloat16


def test_the_bayer_cells_by_hand():
    """Red and blue are swapped, or rows and columns."""
    cells = {
        "RGGB": [[0, 1, 0], [1, 2, 1], [0, 1, 0]],
        "BGGR": [[2, 1, 2], [1, 0, 1], [2, 1, 2]],
        "GRBG": [[1, 0, 1], [2, 1, 2], [1, 0, 1]],
        "GBRG": [[1, 2, 1], [0, 1, 0], [1, 2, 1]],
    }
    assert set(cells) == set(PATTERNS)
    for pattern, colours in cells.items():
        assert bayer_mask(3, 3, pattern).byte().argmax(0).tolist() == colours


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from(PATTERNS))
def test_each_pixel_measures_one_colour(height, width, pattern):
    """A pixel measures none or two, or another value than the image has there."""
    mask = bayer_mask(height, width, pattern)
    assert torch.equal(mask.sum(0), torch.ones(height, width, dtype=torch.int64))
    images = torch.rand(2, 3, height, width)
    seen = mosaic(images, pattern)
    assert seen.shape == (2, 1, height, width)
    for colour in range(3):
        assert torch.equal(seen[:, 0, mask[colour]], images[:, colour, mask[colour]])


def test_motion_kernels_by_hand():
    """The path is not centred, too long, or turned the wrong way (y runs down)."""
    assert motion_kernel(1, 33).tolist() == [[1.0]]
    across = torch.zeros(5, 5)
    across[2] = torch.tensor([0.125, 0.25, 0.25, 0.25, 0.125])
    torch.testing.assert_close(motion_kernel(5), across)
    torch.testing.assert_close(motion_kernel(5, 90), across.T)
    rising = motion_kernel(7, 45)  # to the right and up
    assert float(rising[1, 5] + rising[5, 1]) > 0.1
    assert float(rising[1, 1] + rising[5, 5]) == 0
    torch.testing.assert_close(motion_kernel(7, 225), rising)


@settings(max_examples=40, deadline=None)
@given(st.floats(1, 20), st.floats(-400, 400), st.integers(0, 1000), st.sampled_from([3, 5, 9, 15]))
def test_every_kernel_is_a_centred_share_of_one(length, angle, seed, size):
    """Light is lost, a kernel shifts the image, or a path leaves its square."""
    straight, shaken = motion_kernel(length, angle), shake_kernel(size, seed)
    for kernel in (straight, shaken):
        assert float(kernel.sum()) == pytest.approx(1, abs=1e-5)
        assert float(kernel.min()) >= 0
        assert kernel.shape[0] == kernel.shape[1]
        assert kernel.shape[0] % 2 == 1
    torch.testing.assert_close(straight, straight.flip(0, 1), rtol=0, atol=1e-6)
    assert shaken.shape == (size, size)
    assert torch.equal(shaken, shake_kernel(size, torch.Generator().manual_seed(seed)))
    rows, columns = shaken.sum(1).nonzero()[:, 0], shaken.sum(0).nonzero()[:, 0]
    spans = [int(places.max() - places.min()) + 1 for places in (rows, columns)]
    assert max(spans) == size, "the path fills its square"


def test_two_hands_shake_differently():
    """The seed is not used."""
    assert not torch.equal(shake_kernel(9, 0), shake_kernel(9, 1))


def test_motion_blur_is_a_convolution_with_the_border_repeated():
    """A correlation turns the path around; a border of zeros darkens the edge; images share a kernel."""
    kernels = torch.stack([shake_kernel(7, 0), shake_kernel(7, 1)])
    images = torch.cat([photo(side=30), photo("coffee", side=30)])
    blurred = motion_blur(images, kernels)
    for image, kernel, got in zip(images, kernels, blurred, strict=True):
        theirs = [scipy.ndimage.convolve(channel.numpy(), kernel.numpy(), mode="nearest") for channel in image]
        np.testing.assert_allclose(got.numpy(), np.stack(theirs), atol=1e-5)
    torch.testing.assert_close(motion_blur(images, kernels[0])[:1], blurred[:1])
    white = torch.ones(1, 1, 9, 9)
    torch.testing.assert_close(motion_blur(white, kernels[0]), white)
    point = torch.zeros(1, 1, 7, 7)
    point[..., 3, 3] = 1
    torch.testing.assert_close(motion_blur(point, kernels[1])[0, 0], kernels[1])  # the path of a point
    assert motion_blur(images[:0], kernels[0]).shape == (0, 3, 30, 30)


def test_gradients_flow_where_the_docstrings_say_so():
    """Training through a degradation is not possible."""
    image = torch.rand(1, 2, 6, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: degrade_bi(x, 2, quantized=False), image)
    assert torch.autograd.gradcheck(lambda x: degrade_bd(x, quantized=False), image)
    assert torch.autograd.gradcheck(lambda x: motion_blur(x, motion_kernel(3, 20).double()), image)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: degrade_bi(x[..., :7], 2), r"degrade_bi with scale 2 needs.*9×7.*modcrop\(images, 2\)"),
        (lambda x: degrade_bi(x, 0), "scale must be an integer of at least 1"),
        (lambda x: degrade_bi(x, 1.5), "scale"),
        (lambda x: degrade_bi(255 * x, 3), "Divide by 255"),
        (lambda x: degrade_bi(x.byte(), 3), "Scale first"),
        (lambda x: degrade_bd(x[..., :8]), r"modcrop\(images, 3\)"),
        (lambda x: degrade_dn(x[..., :8], 0), r"degrade_dn needs.*modcrop\(images, 3\)"),
        (lambda x: degrade_dn(255 * x, 0), "degrade_dn takes values.*Divide by 255"),
        (lambda x: degrade_dn(x.byte(), 0), "degrade_dn takes float"),
        (lambda x: degrade_dn(x, 0.5), "seed; got float"),
        (lambda x: degrade_dn(x, 0, sigma=-1), "sigma"),
        (lambda x: jpeg(x, 0), "from 1 to 100; got 0"),
        (lambda x: jpeg(x, 10.0), "from 1 to 100"),
        (lambda x: jpeg(x, 10, subsampling="4:2:2"), "subsampling named '4:2:2'"),
        (lambda x: jpeg(x[:, :2], 10), "got 2 channels"),
        (lambda x: jpeg(2 * x, 10), r"values in \[0, 1\]"),
        (lambda x: mosaic(x[:, :1]), "with 1 channels"),
        (lambda x: mosaic(x, "RGBG"), "pattern named 'RGBG'"),
        (lambda x: motion_kernel(0.5), "length must be a number of at least 1"),
        (lambda x: motion_kernel(5, float("inf")), "angle"),
        (lambda x: shake_kernel(8, 0), "must be odd"),
        (lambda x: shake_kernel(1, 0), "at least 3"),
        (lambda x: motion_blur(x, None), r"tensor \(K, K\).*got NoneType"),
        (lambda x: motion_blur(x, torch.ones(2, 2)), "K odd"),
        (lambda x: motion_blur(x, torch.ones(2, 3, 3)), "for 1 images"),
        (lambda x: motion_blur(x, torch.ones(3, 5)), r"got \(3, 5\)"),
    ],
)
def test_what_is_refused_and_in_which_words(call, words):
    """A slip passes as a result, or ends in a stack trace from inside PyTorch."""
    images = torch.linspace(0.1, 1, 243).view(1, 3, 9, 9)
    with pytest.raises(CourseError, match=words):
        call(images)
