"""Noise: the moments that theory gives, the same from one seed, and nothing clipped unless it is said."""

import math

import pytest
import torch

from crashcourse.errors import CourseError
from crashcourse.restoration import gaussian_noise, poisson_noise, psnr, quantize, rician_noise

KINDS = {
    "gaussian": lambda images, generator: gaussian_noise(images, 25, generator),
    "gaussian_bytes": lambda images, generator: gaussian_noise(images, 25, generator, quantized=True),
    "rician": lambda images, generator: rician_noise(images, 25, generator),
    "poisson": lambda images, generator: poisson_noise(images, 30, generator),
}
every_kind = pytest.mark.parametrize("add", KINDS.values(), ids=KINDS)


def flat(value: float, count: int = 200_000) -> torch.Tensor:
    return torch.full((1, 1, 1, count), value, dtype=torch.float64)


@every_kind
def test_a_seed_gives_the_same_noise_every_time(add):
    """The global generator is used, or moved, or the input is changed."""
    images = torch.rand(2, 3, 8, 9)
    before, state = images.clone(), torch.get_rng_state()
    assert torch.equal(add(images, 7), add(images, torch.Generator().manual_seed(7)))
    assert not torch.equal(add(images, 7), add(images, 8))
    generator = torch.Generator().manual_seed(7)
    assert not torch.equal(add(images, generator), add(images, generator)), "a generator goes on"
    assert torch.equal(images, before)
    assert torch.equal(torch.get_rng_state(), state)


@every_kind
def test_dtype_and_shape_stay_and_values_are_independent(add):
    """Channels or images share their noise, or half precision becomes single."""
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        noisy = add(torch.full((2, 3, 4, 5), 0.5, dtype=dtype), 0)
        assert (noisy.dtype, noisy.shape) == (dtype, (2, 3, 4, 5))
    noise = add(torch.full((2, 3, 50, 60), 0.5), 0).flatten(2).flatten(0, 1)  # (6, 3000)
    correlation = torch.corrcoef(noise) - torch.eye(6)
    assert float(correlation.abs().max()) < 0.08


@every_kind
def test_an_empty_batch(add):
    """A last, empty batch stops a run."""
    assert add(torch.rand(0, 1, 4, 4), 0).shape == (0, 1, 4, 4)


def test_gaussian_moments():
    """Sigma is a variance, or on the scale 0 to 1; 25 of 255 costs 20.17 dB, whatever the image."""
    images = torch.rand(1, 1, 400, 500, dtype=torch.float64)
    noise = gaussian_noise(images, 25, 0) - images
    assert float(noise.mean()) == pytest.approx(0, abs=1e-3)
    assert float(noise.std()) == pytest.approx(25 / 255, rel=0.01)
    assert float(psnr(gaussian_noise(images, 25, 0), images)) == pytest.approx(20 * math.log10(255 / 25), abs=0.03)
    assert torch.equal(gaussian_noise(images, 0, 0), images)


def test_bytes_are_the_float_noise_clipped_and_rounded():
    """The two protocols of the field are more than a rounding apart."""
    images = torch.rand(1, 3, 20, 20)
    floats = gaussian_noise(images, 60, 1)
    assert float(floats.min()) < 0
    assert float(floats.max()) > 1
    assert torch.equal(gaussian_noise(images, 60, 1, quantized=True), quantize(floats))


def test_a_level_for_each_image_and_for_each_pixel():
    """Levels go to other images or places than they were given for."""
    images = torch.full((3, 1, 20, 30), 0.5)
    noise = gaussian_noise(images, torch.tensor([0.0, 10, 50]), 0) - images
    assert not noise[0].any()
    assert float(noise[1].std()) == pytest.approx(10 / 255, rel=0.1)
    assert float(noise[2].std()) == pytest.approx(50 / 255, rel=0.1)
    level = torch.zeros(1, 1, 20, 30)
    level[..., 15:] = 40
    noise = gaussian_noise(images, level, 0) - images
    assert not noise[..., :15].any()
    assert float(noise[..., 15:].std()) == pytest.approx(40 / 255, rel=0.1)


def test_rician_moments():
    """Only one part is noisy: in black the mean is s √(π/2) and the mean square 2 s², by Rayleigh's distribution."""
    level = 20 / 255
    black = rician_noise(flat(0.0), 20, 0)
    assert float(black.mean()) == pytest.approx(level * math.sqrt(math.pi / 2), rel=0.01)
    assert float(black.square().mean()) == pytest.approx(2 * level**2, rel=0.01)
    grey = rician_noise(flat(0.5), 20, 0)
    assert float(grey.square().mean()) == pytest.approx(0.25 + 2 * level**2, rel=0.01)
    assert float(grey.min()) >= 0
    assert torch.equal(rician_noise(flat(0.3, 10), 0, 0), flat(0.3, 10))


@pytest.mark.parametrize("peak", [1, 4, 100])
def test_poisson_moments(peak):
    """The mean moves, the variance is not x / peak, or values are no counts."""
    for value in (0.0, 0.25, 1.0):
        noisy = poisson_noise(flat(value), peak, 0)
        assert float(noisy.mean()) == pytest.approx(value, abs=0.01)
        assert float(noisy.var()) == pytest.approx(value / peak, rel=0.02, abs=1e-12)
        counts = noisy * peak
        torch.testing.assert_close(counts, counts.round(), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: gaussian_noise(x, -1, 0), "sigma must be a number of at least 0"),
        (lambda x: gaussian_noise(x, float("nan"), 0), "sigma"),
        (lambda x: gaussian_noise(x, "25", 0), "sigma"),
        (lambda x: gaussian_noise(x, torch.tensor([10.0, -5]), 0), "never negative; got -5 to 10"),
        (lambda x: gaussian_noise(x, torch.rand(3), 0), r"shape \(3,\) does not fit images of shape \(2, 1, 4, 4\)"),
        (lambda x: gaussian_noise(x, torch.rand(4, 4), 0), "does not fit"),
        (lambda x: gaussian_noise(x, torch.rand(2, 1, 5, 4), 0), "does not fit"),
        (lambda x: gaussian_noise(x, 25, None), "seed; got NoneType"),
        (lambda x: gaussian_noise(x, 25, True), "seed; got bool"),
        (lambda x: gaussian_noise(255 * x, 25, 0), "Divide by 255"),
        (lambda x: gaussian_noise(x - 1, 25, 0), r"values in \[0, 1\]"),
        (lambda x: gaussian_noise(x * float("nan"), 25, 0), "nan"),
        (lambda x: gaussian_noise(x.byte(), 25, 0), "Scale first"),
        (lambda x: rician_noise(255 * x, 25, 0), "rician_noise takes values"),
        (lambda x: rician_noise(x, -1, 0), "sigma"),
        (lambda x: poisson_noise(x, 0, 0), "without photons"),
        (lambda x: poisson_noise(x, -2, 0), "peak"),
        (lambda x: poisson_noise(x[0], 2, 0), r"images\[None\]"),
    ],
)
def test_what_is_refused_and_in_which_words(call, words):
    """A slip passes as a result, or ends in a stack trace from inside PyTorch."""
    images = torch.linspace(0.1, 1, 32).view(2, 1, 4, 4)
    with pytest.raises(CourseError, match=words):
        call(images)
