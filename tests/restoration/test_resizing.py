"""Bicubic resizing: Keys' kernel and MATLAB's taps by hand, Pillow's and torch's antialiased bicubic in the inside."""

from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from crashcourse.errors import CourseError
from crashcourse.restoration import bicubic_resize, modcrop
from crashcourse.restoration.resizing import bicubic_taps, cubic
from tests.restoration.photographs import photo

SCALES = [Fraction(1, 2), Fraction(1, 3), Fraction(1, 4), 2, 3, 4]


def inside(images: torch.Tensor, border: int) -> torch.Tensor:
    return images[..., border:-border, border:-border]


def test_the_kernel_by_hand():
    """Another a than -1/2, or a branch swapped: 1 at 0, 0 at whole distances, 9/16 and -1/16 half-way."""
    distances = torch.tensor([0, 0.5, 1, 1.5, 2, 3, -0.5], dtype=torch.float64)
    assert cubic(distances).tolist() == [1, 0.5625, 0, -0.0625, 0, 0, 0.5625]
    assert cubic(distances, a=-0.75).tolist() == [1, 0.59375, 0, -0.09375, 0, 0, 0.59375]


def test_the_taps_of_a_half_by_hand():
    """The kernel is not widened when an image shrinks, or pixels' centres lie on whole numbers."""
    positions, weights = bicubic_taps(20, 0.5)
    row = dict(zip(positions[5].tolist(), weights[5].tolist(), strict=True))  # its centre lies at 10.5
    expected = [-0.01171875, -0.03515625, 0.11328125, 0.43359375]
    assert [row.get(place) for place in range(7, 15)] == expected + expected[::-1]


def test_the_border_by_hand():
    """The border is repeated or left out instead of mirrored, edge pixel included."""
    positions, weights = bicubic_taps(20, 0.5)
    first = [0.0] * 20
    for place, weight in zip(positions[0].tolist(), weights[0].tolist(), strict=True):
        first[place] += weight  # 3 2 1 0 | 0 1 2 3 4: the first new centre lies at 0.5
    assert first[:5] == [
        0.43359375 + 0.11328125,
        0.43359375 - 0.03515625,
        0.11328125 - 0.01171875,
        -0.03515625,
        -0.01171875,
    ]
    tiny = torch.tensor([[[[0.0, 1.0]]]])  # mirrored again and again: as a long row 1 0 | 0 1 | 1 0 | 0 1
    long = torch.cat([tiny.flip(3), tiny] * 8, 3)
    torch.testing.assert_close(bicubic_resize(tiny, 2)[..., :1, :], bicubic_resize(long, 2)[..., :1, 12:16])


@pytest.mark.parametrize("scale", SCALES)
def test_the_inside_equals_torchs_antialiased_bicubic(scale):
    """Another kernel, width or phase than the field's; only the border may differ, where torch does not mirror."""
    image = modcrop(photo(side=97), 1 if scale > 1 else scale.denominator).double()
    got = bicubic_resize(image, scale)
    size = [int(scale * length) for length in image.shape[2:]]
    theirs = F.interpolate(image, size=size, mode="bicubic", antialias=True)
    border = 3 * max(1, int(scale))
    torch.testing.assert_close(inside(got, border), inside(theirs, border), rtol=0, atol=1e-12)
    assert not torch.allclose(got, theirs, atol=1e-3)


@pytest.mark.parametrize("scale", SCALES)
def test_the_inside_equals_pillows_bicubic(scale):
    """As with torch's, whose authors may have copied Pillow's errors; Pillow's float images are its own code."""
    image = modcrop(photo(side=97), 1 if scale > 1 else scale.denominator)[:, :1]
    size = [int(scale * length) for length in image.shape[2:]]
    theirs = Image.fromarray(image[0, 0].numpy()).resize(size[::-1], Image.Resampling.BICUBIC)
    border = 3 * max(1, int(scale))
    got = inside(bicubic_resize(image, scale), border)[0, 0]
    np.testing.assert_allclose(got.numpy(), np.array(theirs)[border:-border, border:-border], atol=2e-6)


def test_without_antialiasing_torch_has_another_kernel():
    """The sentence of the docstring does not hold: enlarging, torch's plain bicubic has a = -3/4."""
    step = torch.zeros(1, 1, 12, 12)
    step[..., 6:] = 1
    plain = F.interpolate(step, scale_factor=2, mode="bicubic")[0, 0, 12]
    ours = bicubic_resize(step, 2)[0, 0, 12]
    assert float((plain - ours).abs().max()) > 0.01
    # Half-way between two pixels of 0 and 1, a quarter of a pixel from the step: 1 - (cubic(1.25) + cubic(0.25)).
    distances = torch.tensor([1.25, 0.25], dtype=torch.float64)
    for values, a in ((ours, -0.5), (plain, -0.75)):
        assert float(values[11]) == pytest.approx(1 - float(cubic(distances, a).sum()), abs=1e-6)


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 40), st.fractions(min_value=Fraction(1, 7), max_value=5, max_denominator=12))
def test_what_holds_for_every_length_and_scale(length, scale):
    """Weights do not add up to 1, a position lies outside, or the taps are not the same from both ends."""
    positions, weights = bicubic_taps(length, scale)
    count = -(-length * scale.numerator // scale.denominator)
    assert positions.shape == weights.shape
    assert len(positions) == count
    assert int(positions.min()) >= 0
    assert int(positions.max()) < length
    torch.testing.assert_close(weights.sum(1), torch.ones(count, dtype=torch.float64))
    if (length * scale).denominator == 1:  # else the new row is longer than the old one, on the right
        row = torch.rand(length, dtype=torch.float64)
        resized = (row[positions] * weights).sum(1)
        mirrored = (row.flip(0)[positions] * weights).sum(1)
        torch.testing.assert_close(resized, mirrored.flip(0))


def test_a_straight_line_stays_straight():
    """Enlarged, a ramp gets steps: the new pixels' centres lie elsewhere."""
    ramp = torch.arange(30, dtype=torch.float64).expand(1, 1, 5, 30)
    for scale in (2, 3):
        middle = bicubic_resize(ramp, scale)[0, 0, 5, 4 * scale : -4 * scale]
        expected = (torch.arange(30 * scale, dtype=torch.float64) + 0.5) / scale - 0.5
        torch.testing.assert_close(middle, expected[4 * scale : -4 * scale])


def test_gradients_dtype_and_an_empty_batch():
    """Training through a degradation is not possible, or half precision becomes double."""
    images = torch.rand(1, 2, 6, 9, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: bicubic_resize(x, Fraction(1, 3)), images)
    assert bicubic_resize(torch.rand(1, 1, 4, 4).bfloat16(), 2).dtype == torch.bfloat16
    assert bicubic_resize(torch.rand(0, 3, 4, 6), 0.5).shape == (0, 3, 2, 3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: bicubic_resize(torch.rand(1, 1, 4, 4), 0), "positive length and scale"),
        (lambda: bicubic_resize(torch.rand(1, 1, 4, 4), -0.5), "positive length and scale"),
        (lambda: bicubic_resize(torch.rand(1, 1, 4, 4), None), "positive length and scale; got 4 and None"),
        (lambda: bicubic_taps(0, 2), "got 0 and 2"),
        (lambda: bicubic_resize(torch.rand(4, 4), 2), r"\(N, C, H, W\); got \(4, 4\)"),
        (lambda: bicubic_resize(torch.zeros(1, 1, 4, 4, dtype=torch.uint8), 2), "Scale first"),
    ],
)
def test_what_is_refused_and_in_which_words(call, words):
    """A slip passes as a result, or ends in a stack trace from inside PyTorch."""
    with pytest.raises(CourseError, match=words):
        call()
