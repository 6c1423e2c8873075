"""8-bit levels, luminance and crops: by hand, and against scikit-image."""

import numpy as np
import pytest
import skimage.color
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crashcourse.errors import CourseError
from crashcourse.restoration import luma, modcrop, quantize, shave
from tests.restoration.photographs import photo


def test_levels_by_hand():
    """Halves go to the even level, as torch.round has it, or values outside wrap around."""
    values = torch.tensor([-0.3, 0.0, 0.5 / 255, 1.4999 / 255, 2.5 / 255, 1.0, 1.7], dtype=torch.float64)
    assert (quantize(values) * 255).round().tolist() == [0, 0, 1, 1, 3, 255, 255]


@given(st.integers(0, 255))
def test_bytes_stay(level):
    """A second call moves a level: float32 rounding beats the half that is added."""
    value = torch.tensor(float(level)) / 255
    assert quantize(value) == value
    assert (quantize(value) * 255).round().byte() == level


def test_luma_by_hand():
    """White is not 235, black not 16, or the weights of red and blue are swapped."""
    colours = torch.tensor([[0.0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]).T[
        None, :, :, None
    ]  # (1, 3, 5, 1)
    y = luma(colours, "y") * 255
    torch.testing.assert_close(y.flatten(), torch.tensor([16, 235, 81.481, 144.553, 40.966]))
    assert luma(colours).flatten().tolist() == pytest.approx([0, 1, 0.2989, 0.5870, 0.1140], abs=1e-4)
    torch.testing.assert_close(luma(255 * colours, "y", peak=255), y)


def test_luma_equals_scikit_image():
    """Y is full-range, as in other libraries, which shifts every PSNR of super-resolution by 1.3 dB."""
    image = photo().double()
    array = image[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(luma(image, "y")[0, 0].numpy(), skimage.color.rgb2ycbcr(array)[..., 0] / 255, atol=1e-7)


def test_grey_is_the_first_row_of_ntsc():
    """`rgb2gray` of MATLAB: the first row of the inverse of NTSC's matrix, as its documentation says."""
    matrix = torch.tensor([[1.0, 0.956, 0.621], [1.0, -0.272, -0.647], [1.0, -1.106, 1.703]], dtype=torch.float64)
    weights = torch.linalg.inv(matrix)[0]
    images = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    expected = (weights[:, None, None] * images).sum(1, keepdim=True)
    torch.testing.assert_close(luma(images), expected, rtol=0, atol=1e-5)


@settings(max_examples=50)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 5))
def test_modcrop_leaves_what_the_factor_divides(height, width, factor):
    """Too much is cut off, or from the wrong side, so that low and high resolution do not lie on each other."""
    images = torch.arange(height * width).view(1, 1, height, width)
    if factor > min(height, width):
        with pytest.raises(CourseError, match="leaves nothing"):
            modcrop(images, factor)
        return
    cropped = modcrop(images, factor)
    assert all(size % factor == 0 for size in cropped.shape[2:])
    assert max(height - cropped.shape[2], width - cropped.shape[3]) < factor
    assert torch.equal(cropped, images[:, :, : cropped.shape[2], : cropped.shape[3]])


def test_shave_by_hand():
    """The border is cut on one side only, or a border of 0 leaves nothing (images[0:-0])."""
    images = torch.arange(20).view(1, 1, 4, 5)
    assert shave(images, 1).tolist() == [[[[6, 7, 8], [11, 12, 13]]]]
    assert torch.equal(shave(images, 0), images)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: quantize(torch.zeros(3, dtype=torch.uint8)), "Bytes are quantized already"),
        (lambda: quantize([0.5]), "got list"),
        (lambda: luma(torch.rand(1, 1, 4, 4)), "with 1 channels"),
        (lambda: luma(torch.rand(3, 4, 4)), r"images\[None\]"),
        (lambda: luma(torch.rand(1, 4, 4, 3)), "permute"),
        (lambda: luma(torch.zeros(1, 3, 4, 4, dtype=torch.uint8)), "/ 255"),
        (lambda: luma(torch.rand(1, 3, 4, 4), "cb"), "luma named 'cb'"),
        (lambda: modcrop(torch.rand(4, 4), 0), "factor"),
        (lambda: modcrop(torch.rand(4, 4), 2.0), "factor"),
        (lambda: shave(torch.rand(4, 4), 2), "leaves nothing of 4×4"),
        (lambda: shave(torch.rand(4, 4), -1), "border"),
    ],
)
def test_what_is_refused_and_in_which_words(call, words):
    """A slip passes as a result, or ends in a stack trace from inside PyTorch."""
    with pytest.raises(CourseError, match=words):
        call()
