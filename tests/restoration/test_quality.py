"""PSNR, SSIM and MS-SSIM: by hand, against scikit-image and torchmetrics to 1e-6, and what always holds."""

import math

import pytest
import skimage.color
import torch
import torchmetrics.functional.image as torchmetrics
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from crashcourse.errors import CourseError
from crashcourse.restoration import (
    gaussian_noise,
    luma,
    ms_ssim,
    psnr,
    quantize,
    shave,
    ssim,
    ssim_map,
    super_resolution_scores,
)
from crashcourse.restoration.quality import SCALE_WEIGHTS, gaussian_window
from tests.restoration.photographs import photo


def pair(sigma: float = 25, side: int = 96, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """A noisy and a clean batch of two photographs."""
    clean = torch.cat([photo(side=side), photo("coffee", side=side)])
    return gaussian_noise(clean, torch.tensor([sigma, sigma / 3]), 0).to(dtype), clean.to(dtype)


def arrays(images: Tensor) -> list:
    return [image.permute(1, 2, 0).double().numpy() for image in images]


def scikit_images(a: object, b: object) -> float:
    """SSIM with the options that its documentation gives for Wang's."""
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    return structural_similarity(a, b, channel_axis=-1 if a.ndim == 3 else None, **options)


def test_psnr_by_hand():
    """Another peak, a natural logarithm, or 10 where 20 belongs: an error of 0.1 everywhere costs 20 dB."""
    target = torch.full((3, 1, 4, 4), 0.5)
    restored = target + torch.tensor([0.1, -0.01, 0.0]).view(3, 1, 1, 1)
    assert psnr(restored, target).tolist() == pytest.approx([20, 40, math.inf], abs=1e-5)
    assert psnr(255 * restored, 255 * target, peak=255).tolist() == pytest.approx([20, 40, math.inf], abs=1e-4)
    one = target.clone()
    one[:, :, 0, 0] += 0.4  # one of 16 pixels: mean squared error 0.01
    assert psnr(one, target)[0] == pytest.approx(20, abs=1e-5)


def test_colour_averages_the_squared_error_and_not_the_decibels():
    """PSNR is computed for each channel and averaged: 26.67 dB where the error is in one channel of three."""
    target = torch.full((1, 3, 4, 4), 0.5)
    restored = target.clone()
    restored[:, 0] += 0.1
    assert float(psnr(restored, target)) == pytest.approx(20 + 10 * math.log10(3), abs=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_psnr_equals_scikit_image_and_torchmetrics(dtype):
    """A whole batch gets one number, or digits are lost in single precision."""
    noisy, clean = pair(dtype=dtype)
    got = psnr(noisy, clean)
    assert got.shape == (2,)
    assert got.dtype == torch.float64
    for value, a, b in zip(got, arrays(noisy), arrays(clean), strict=True):
        assert float(value) == pytest.approx(peak_signal_noise_ratio(b, a, data_range=1.0), abs=1e-6)
    theirs = torchmetrics.peak_signal_noise_ratio(noisy.double(), clean.double(), 1.0, reduction="none", dim=(1, 2, 3))
    torch.testing.assert_close(got, theirs, rtol=1e-7, atol=0)  # its logarithm of 10 is in single precision


@pytest.mark.parametrize("on", ["grey", "y"])
def test_luminance_is_compared(on):
    """Y is full-range, or `on` is not passed on: against scikit-image's rgb2ycbcr, and luma."""
    noisy, clean = pair(dtype=torch.float64)
    got = psnr(noisy, clean, on=on, border=3)
    expected = psnr(shave(luma(noisy, on), 3), shave(luma(clean, on), 3))
    torch.testing.assert_close(got, expected)
    if on == "y":
        a, b = (skimage.color.rgb2ycbcr(arrays(images)[0])[3:-3, 3:-3] for images in (noisy, clean))
        assert float(got[0]) == pytest.approx(peak_signal_noise_ratio(b[..., 0], a[..., 0], data_range=255), abs=1e-6)
    torch.testing.assert_close(psnr(255 * noisy, 255 * clean, on=on, border=3, peak=255), got)


def test_the_border_does_not_count():
    """The border is cut on one image, or on two sides only."""
    noisy, clean = pair()
    spoiled = noisy.clone()
    for edge in ((slice(None), slice(0, 2)), (slice(None), slice(-2, None))):
        spoiled[:, :, edge[1]] = spoiled[:, :, :, edge[1]] = 1
    for measure in (psnr, ssim):
        assert torch.equal(measure(spoiled, clean, border=2), measure(noisy, clean, border=2))
        assert not torch.equal(measure(spoiled, clean), measure(noisy, clean))


def test_the_window_by_hand():
    """The window is not normalised, or 1.5 is its variance: neighbours are e^(-2/9) apart, and 11 weights make 1."""
    row = gaussian_window()
    assert len(row) == 11
    assert float(row.sum()) == pytest.approx(1)
    assert float(row[6] / row[5]) == pytest.approx(math.exp(-1 / 4.5))
    assert torch.equal(row, row.flip(0))


def test_ssim_of_flat_images_by_hand():
    """Without contrast only brightness counts: (2·a·b + C₁) / (a² + b² + C₁), C₁ = 0.01²."""
    a, b = torch.full((1, 1, 11, 11), 0.2), torch.full((1, 1, 11, 11), 0.6)
    assert float(ssim(a, b)) == pytest.approx((2 * 0.12 + 1e-4) / (0.04 + 0.36 + 1e-4), abs=1e-6)
    assert ssim_map(a, b).shape == (1, 1, 1, 1)


def test_ssim_of_one_window_by_hand():
    """A term of equation 13 is wrong, or the covariance has N - 1: every sum written out over one window."""
    torch.manual_seed(0)
    a, b = torch.rand(2, 11, 11, dtype=torch.float64)
    weight = gaussian_window()[:, None] * gaussian_window()
    mean_a, mean_b = float((weight * a).sum()), float((weight * b).sum())
    var_a = float((weight * (a - mean_a) ** 2).sum())
    var_b = float((weight * (b - mean_b) ** 2).sum())
    both = float((weight * (a - mean_a) * (b - mean_b)).sum())
    light = (2 * mean_a * mean_b + 0.0001) / (mean_a**2 + mean_b**2 + 0.0001)
    structure = (2 * both + 0.0009) / (var_a + var_b + 0.0009)
    assert float(ssim(a[None, None], b[None, None])) == pytest.approx(light * structure, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sigma", [3, 25, 75])
def test_ssim_equals_scikit_image(sigma, dtype):
    """Another window, border, constant or mean over channels; or single precision loses small variances."""
    noisy, clean = pair(sigma, dtype=dtype)
    got = ssim(noisy, clean)
    assert got.shape == (2,)
    theirs = [scikit_images(a, b) for a, b in zip(arrays(noisy), arrays(clean), strict=True)]
    assert got.tolist() == pytest.approx(theirs, abs=1e-6)
    grey = ssim(noisy, clean, on="y", border=4)
    theirs = [
        scikit_images(
            shave(luma(a[None], "y"), 4)[0, 0].double().numpy(), shave(luma(b[None], "y"), 4)[0, 0].double().numpy()
        )
        for a, b in zip(noisy, clean, strict=True)
    ]
    assert grey.tolist() == pytest.approx(theirs, abs=1e-6)


def test_the_map_equals_torchmetrics_where_the_window_lies_in_the_image():
    """As with scikit-image. torchmetrics' own mean counts the mirrored border, too: a sentence in the docstring."""
    noisy, clean = pair(dtype=torch.float64)
    mean, full = torchmetrics.structural_similarity_index_measure(
        noisy, clean, data_range=1.0, return_full_image=True, reduction="none"
    )
    torch.testing.assert_close(ssim_map(noisy, clean), full[..., 5:-5, 5:-5], rtol=0, atol=1e-6)
    assert float((mean - ssim(noisy, clean)).abs().max()) > 1e-3


def test_ms_ssim_equals_torchmetrics_pieces():
    """A weight, a scale, the pooling or the place of the brightness differs from Wang's; with an odd size."""
    noisy, clean = (images[..., :187, :] for images in pair(side=190, dtype=torch.float64))
    expected = torch.ones(2, dtype=torch.float64)
    a, b = noisy, clean
    for scale, weight in enumerate(SCALE_WEIGHTS):
        last = scale == len(SCALE_WEIGHTS) - 1
        option = "return_full_image" if last else "return_contrast_sensitivity"
        piece = torchmetrics.structural_similarity_index_measure(
            a, b, data_range=1.0, reduction="none", **{option: True}
        )[1]
        piece = piece[..., 5:-5, 5:-5].mean((1, 2, 3)) if last else piece
        expected *= piece**weight
        a, b = (torch.nn.functional.avg_pool2d(images, 2) for images in (a, b))
    torch.testing.assert_close(ms_ssim(noisy, clean), expected, rtol=0, atol=1e-6)
    whole = torchmetrics.multiscale_structural_similarity_index_measure(
        noisy, clean, data_range=1.0, reduction="none", normalize="relu"
    )
    torch.testing.assert_close(ms_ssim(noisy, clean), whole, rtol=0, atol=1e-3)  # its last scale counts the border


def test_a_negative_contrast_counts_as_zero():
    """A negative number to a fractional power is NaN, and a loss with it is lost."""
    image = photo(side=176)
    assert float(ms_ssim(1 - image, image)) == 0


def test_super_resolution_protocol():
    """Images are compared before rounding, with their border, or in RGB: scikit-image on bytes, step by step."""
    noisy, clean = pair(8)
    scores = super_resolution_scores(noisy, clean, 4)
    for place in range(2):
        a, b = (
            skimage.color.rgb2ycbcr(arrays(quantize(images))[place])[4:-4, 4:-4, 0] / 255 for images in (noisy, clean)
        )
        assert float(scores[0][place]) == pytest.approx(peak_signal_noise_ratio(b, a, data_range=1.0), abs=1e-5)
        assert float(scores[1][place]) == pytest.approx(scikit_images(a, b), abs=1e-6)
    grey = super_resolution_scores(noisy[:, :1], clean[:, :1], 2)
    torch.testing.assert_close(grey[0], psnr(quantize(noisy[:, :1]), clean[:, :1], border=2))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(11, 20), st.integers(11, 24))
def test_what_always_holds(seed, channels, height, width):
    """SSIM leaves [-1, 1] or is not symmetric, equal images do not get 1, or an image depends on its neighbours."""
    torch.manual_seed(seed)
    a, b = torch.rand(2, 3, channels, height, width)
    values = ssim(a, b)
    assert bool((values.abs() <= 1 + 1e-9).all())
    torch.testing.assert_close(values, ssim(b, a))
    torch.testing.assert_close(ssim(a, a), torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(values[1:2], ssim(a[1:2], b[1:2]))
    torch.testing.assert_close(psnr(a, b), psnr(b, a))
    torch.testing.assert_close(psnr(a, b)[1:2], psnr(a[1:2], b[1:2]))
    turned = [images.rot90(1, (2, 3)).flip(1) for images in (a, b)]
    torch.testing.assert_close(values, ssim(*turned))
    torch.testing.assert_close(psnr(a, b), psnr(*turned))
    nearer = a + (b - a) / 2
    torch.testing.assert_close(psnr(nearer, b), psnr(a, b) + 20 * math.log10(2), rtol=0, atol=1e-4)


def test_gradients_flow_back():
    """SSIM cannot be a loss."""
    restored = torch.rand(1, 1, 12, 12, dtype=torch.float64, requires_grad=True)
    target = torch.rand(1, 1, 12, 12, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: ssim(x, target), restored)
    assert torch.autograd.gradcheck(lambda x: psnr(x, target), restored)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_squared_in_single(dtype):
    """Squares below the smallest half vanish, and those above the largest overflow."""
    target = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0)).to(dtype)
    near = target + torch.tensor([2e-4, 1e-2], dtype=dtype).view(2, 1, 1, 1)
    torch.testing.assert_close(psnr(near, target), psnr(near.double(), target.double()))
    far, white = (torch.full((1, 1, 4, 4), value, dtype=dtype) for value in (0, 255))
    assert float(psnr(far, white, peak=255)) == pytest.approx(0, abs=1e-5)


def test_an_equal_image_has_no_gradient():
    """The docstring says NaN of an image that differs somewhere, or of its neighbour in the batch."""
    target = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    restored = (target + torch.tensor([0.0, 0.1]).view(2, 1, 1, 1)).requires_grad_()
    psnr(restored, target).sum().backward()
    assert restored.grad[0].isnan().all()
    assert restored.grad[1].isfinite().all()


def test_a_restored_image_may_leave_the_range():
    """Strong noise, or a network that diverged, has no score; or another scale passes for a bad result."""
    clean = torch.rand(1, 3, 180, 180, generator=torch.Generator().manual_seed(0))
    for measure in (psnr, ssim, ssim_map, ms_ssim):
        assert measure(gaussian_noise(clean, 255, 0), clean).isfinite().all()
        assert measure(clean * float("nan"), clean).isnan().all()
        with pytest.raises(CourseError, match=r"about \[0, 1\]; these values run from .* divide by 255"):
            measure(255 * clean, clean)
        with pytest.raises(CourseError, match=r"about \[0, 255\]"):
            measure(-3000 * clean, 255 * clean, peak=255)
    with pytest.raises(CourseError, match=r"The restored image is on the scale.* divide by 255"):
        super_resolution_scores(255 * clean, clean, 2)


def test_the_input_stays_and_an_empty_batch_has_no_scores():
    """Cutting or averaging changes the images, or a last, empty batch stops a run."""
    noisy, clean = pair()
    before = noisy.clone(), clean.clone()
    for measure in (psnr, ssim):
        measure(noisy, clean, on="y", border=1)
        assert measure(noisy[:0], clean[:0]).shape == (0,)
    assert torch.equal(noisy, before[0])
    assert torch.equal(clean, before[1])


@pytest.mark.parametrize("measure", [psnr, ssim, ssim_map, ms_ssim])
@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (lambda a, b: ((255 * a).byte(), (255 * b).byte()), {}, "torch.uint8. Scale first"),
        (lambda a, b: (a, b[..., 1:]), {}, "must have one shape"),
        (lambda a, b: (a[:1], b), {}, "must have one shape"),
        (lambda a, b: (a[0], b[0]), {}, r"images\[None\]"),
        (lambda a, b: (255 * a, 255 * b), {}, "Divide by 255"),
        (lambda a, b: (a, b - 0.5), {}, r"values in \[0, 1\]"),
        (lambda a, b: (a, b * float("nan")), {}, "nan"),
        (lambda a, b: (a[:, :1], b[:, :1]), {"on": "y"}, 'on="y" is computed from RGB; got 1 channels'),
        (lambda a, b: (a, b), {"on": "rgb"}, "comparison named 'rgb'"),
        (lambda a, b: (a, b), {"peak": 0}, "peak must be a number above 0; got 0"),
        (lambda a, b: (a, b), {"peak": None}, "peak must be a number above 0; got None"),
        (lambda a, b: (a, b), {"border": 90}, "leaves nothing"),
        (lambda a, b: (a, b), {"border": -1}, "border"),
        (lambda a, b: (a.numpy(), b.numpy()), {}, "torch.as_tensor"),
    ],
)
def test_what_is_refused_and_in_which_words(measure, change, options, words):
    """A slip becomes a number that looks like one."""
    clean = torch.rand(2, 3, 180, 180, generator=torch.Generator().manual_seed(0))
    with pytest.raises(CourseError, match=words):
        measure(*change(clean / 2, clean), **options)


def test_too_small_images_are_refused():
    """The sentence names another size than the one that suffices."""
    for measure, least in ((ssim, 11), (ms_ssim, 176)):
        image = torch.rand(1, 1, least, least + 2)
        assert measure(image, image).tolist() == pytest.approx([1.0])
        with pytest.raises(CourseError, match=f"at least {least}"):
            measure(image[..., 1:, :], image[..., 1:, :])
