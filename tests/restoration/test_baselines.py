"""Denoisers without training: that they are their packages', that they gain, and what they say without a package."""

import sys

import numpy as np
import pytest
import torch
from skimage.restoration import denoise_nl_means

from crashcourse.errors import CourseError
from crashcourse.restoration import bm3d, gaussian_noise, luma, non_local_means, psnr
from tests.restoration.photographs import photo


def test_non_local_means_is_scikit_images():
    """Channels, h or the noise level change on the way."""
    noisy = gaussian_noise(photo(side=40), 25, 0)
    got = non_local_means(noisy, 25, patch=3, distance=4, strength=0.5)[0].permute(1, 2, 0).numpy()
    level = 25 / 255
    options = {"patch_size": 3, "patch_distance": 4, "h": 0.5 * level, "sigma": level, "channel_axis": -1}
    theirs = denoise_nl_means(noisy[0].permute(1, 2, 0).double().numpy(), fast_mode=True, **options)
    np.testing.assert_allclose(got, theirs, atol=1e-6)


@pytest.mark.parametrize(("name", "gain"), [("astronaut", 5.0), ("coffee", 7.0)])
def test_non_local_means_gains(name, gain):
    """The baseline is set up so badly that anything beats it."""
    clean = luma(photo(name, side=128))
    noisy = gaussian_noise(clean, 25, 0)
    assert float(psnr(non_local_means(noisy, 25), clean) - psnr(noisy, clean)) > gain


def test_a_batch_is_its_images():
    """Images are mixed up, or dtype and shape do not stay."""
    noisy = gaussian_noise(torch.cat([photo(side=24), photo("coffee", side=24)]), 20, 0)
    together = non_local_means(noisy, 20)
    assert torch.equal(together[1:], non_local_means(noisy[1:], 20))
    assert non_local_means(noisy.double()[:0], 20).shape == (0, 3, 24, 24)
    assert non_local_means(noisy.double(), 20).dtype == torch.float64


def test_without_the_package_bm3d_says_how_to_get_it(monkeypatch):
    """A stack trace about a missing module, or no word about its licence."""
    monkeypatch.setitem(sys.modules, "bm3d", None)
    with pytest.raises(CourseError, match=r"non-commercial use: pip install bm3d"):
        bm3d(torch.rand(1, 1, 16, 16), 25)


@pytest.mark.parametrize(("channels", "gain"), [(1, 8.0), (3, 9.0)])
def test_bm3d_gains_more_than_non_local_means(channels, gain):
    """The noise level is passed on another scale, or colour goes through it channel by channel."""
    pytest.importorskip("bm3d", reason="a closed binary that everybody installs for themselves")
    clean = photo("coffee", side=96)[:, :channels]
    noisy = gaussian_noise(clean, 25, 0)
    restored = bm3d(noisy, 25)
    assert float(psnr(restored, clean) - psnr(noisy, clean)) > gain
    assert bool((psnr(restored, clean) > psnr(non_local_means(noisy, 25), clean)).all())


@pytest.mark.parametrize("denoise", [non_local_means, bm3d])
@pytest.mark.parametrize(
    ("images", "sigma", "words"),
    [
        (torch.rand(1, 1, 16, 16), 0, "sigma must be above 0"),
        (torch.rand(1, 1, 16, 16), -5, "sigma"),
        (torch.rand(1, 1, 16, 16), torch.tensor(25.0), "sigma"),
        (torch.rand(1, 16, 16), 25, r"images\[None\]"),
        (torch.zeros(1, 1, 16, 16, dtype=torch.uint8), 25, "Scale first"),
    ],
)
def test_what_is_refused_and_in_which_words(denoise, images, sigma, words):
    """A slip ends in a stack trace from inside a package."""
    with pytest.raises(CourseError, match=words):
        denoise(images, sigma)


def test_what_non_local_means_refuses_besides():
    """Two channels are taken for an image of three dimensions."""
    with pytest.raises(CourseError, match="got 2 channels"):
        non_local_means(torch.rand(1, 2, 16, 16), 25)
    with pytest.raises(CourseError, match="patch"):
        non_local_means(torch.rand(1, 1, 16, 16), 25, patch=0)
    with pytest.raises(CourseError, match="strength"):
        non_local_means(torch.rand(1, 1, 16, 16), 25, strength=0)
