"""RoIAlign: by hand, its two forms against each other and against torchvision's operator, gradients, and bad input."""

import sys
from unittest.mock import patch

import pytest
import torch
import torchvision.ops
from hypothesis import given, settings
from hypothesis import strategies as st

from crashcourse.detection.regions import numbered
from crashcourse.detection.roi_align import bilinear_sample, looped_roi_align, roi_align
from crashcourse.errors import CourseError


def by_windows(*given, **options):
    """`roi_align` as it is on large maps, on a map of any size."""
    with patch.object(sys.modules["crashcourse.detection.roi_align"], "SMALL_MAP", 0):
        return roi_align(*given, **options)


FORMS = [looped_roi_align, roi_align, by_windows]
BOTH = pytest.mark.parametrize("align", FORMS, ids=["looped", "fast", "fast, by windows"])
FAST = pytest.mark.parametrize("align", [roi_align, by_windows], ids=["whole maps", "windows"])
SETTINGS = [(ratio, aligned) for ratio in (-1, 0, 1, 2, 3) for aligned in (False, True)]


def random_rois(count: int, images: int, side: float, seed: int = 0) -> torch.Tensor:
    """`(K, 5)`: boxes of all sizes, some of them over the border or wholly outside, one a point, one turned over."""
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * side * 1.3 - 0.15 * side
    size = torch.rand(count, 2, generator=generator) ** 2 * side
    boxes = torch.cat([corner, corner + size], 1)
    boxes[0, 2:] = boxes[0, :2]
    boxes[1] = boxes[1, [2, 3, 0, 1]]
    boxes[2] = torch.tensor([-50.0, -50.0, -40.0, -45.0])
    number = torch.randint(images, (count, 1), generator=generator)
    return torch.cat([number, boxes], 1)


def test_a_sample_by_hand():
    """Fails if rows and columns change places, if weights go to the wrong neighbours, or if the border is another."""
    features = torch.tensor([[[0.0, 10.0, 20.0], [100.0, 110.0, 120.0]]])  # value 100 y + 10 x
    assert bilinear_sample(features, 0.5, 1.25).tolist() == [62.5]
    assert bilinear_sample(features, 1.0, 2.0).tolist() == [120.0]
    assert bilinear_sample(features, 0.0, -0.9).tolist() == [0.0]  # up to a pixel outside: the border
    assert bilinear_sample(features, 1.9, 2.0).tolist() == [120.0]
    assert bilinear_sample(features, 2.1, 1.0).tolist() == [0.0]  # beyond: nothing
    assert bilinear_sample(features + 1, 0.0, -1.1).tolist() == [0.0]


@BOTH
def test_a_box_by_hand(align):
    """Fails if the half pixel has the wrong sign, or if a bin's samples are not in its middle.

    On a map of value x, the mean of a bin that lies inside is the x of its centre: without the half pixel the centre of
    the box's half in pixels of the map, with it half a pixel less.
    """
    features = torch.arange(8.0).expand(1, 1, 8, 8)  # value: the column
    rois = torch.tensor([[0.0, 4.0, 4.0, 12.0, 12.0]])  # from 2 to 6 in the map
    plain = align(features, rois, 2, spatial_scale=0.5, sampling_ratio=2)
    shifted = align(features, rois, 2, spatial_scale=0.5, sampling_ratio=2, aligned=True)
    assert plain[0, 0].tolist() == [[3.0, 5.0], [3.0, 5.0]]
    assert shifted[0, 0].tolist() == [[2.5, 4.5], [2.5, 4.5]]  # pixel 2 covers 2 to 3, so its centre 2.5 has value 2


@BOTH
def test_a_small_box_counts_as_a_pixel_without_the_half_pixel(align):
    """Fails if the least size of one pixel is asked for in both settings, or in none."""
    features = torch.arange(8.0).expand(1, 1, 8, 8)
    rois = torch.tensor([[0.0, 3.0, 3.0, 3.5, 3.5]])
    assert align(features, rois, 1, sampling_ratio=1).item() == 3.5  # as if from 3 to 4
    assert align(features, rois, 1, sampling_ratio=1, aligned=True).item() == 2.75  # 3.25 − 0.5


@pytest.mark.parametrize(("ratio", "aligned"), SETTINGS)
def test_both_forms_equal_torchvisions_operator(ratio, aligned):
    """Fails if a box at the border, outside, without area or turned over is sampled in another way."""
    features = torch.randn(2, 5, 9, 13, generator=torch.Generator().manual_seed(0))
    rois = random_rois(24, images=2, side=40)
    options = {"spatial_scale": 0.25, "sampling_ratio": ratio, "aligned": aligned}
    expected = torchvision.ops.roi_align(features, rois, (3, 4), **options)
    for align in FORMS:
        found = align(features, rois, (3, 4), **options)
        assert found.shape == (24, 5, 3, 4)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("ratio", [-1, 2])
@pytest.mark.parametrize(("channels", "size", "scale"), [(1, 28, 1.0), (16, 7, 1 / 16), (16, 14, 1 / 4)])
def test_the_fast_form_equals_torchvision_at_the_sizes_of_a_detector(ratio, aligned, channels, size, scale):
    """Fails if float32 loses places far from the origin: 400 pixels into an image, 1e-5 is an eighth of a step."""
    features = torch.randn(
        2, channels, round(400 * scale), round(500 * scale), generator=torch.Generator().manual_seed(1)
    )
    rois = random_rois(40, images=2, side=400)
    options = {"spatial_scale": scale, "sampling_ratio": ratio, "aligned": aligned}
    expected = torchvision.ops.roi_align(features, rois, size, **options)
    torch.testing.assert_close(roi_align(features, rois, size, **options), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("ratio", "aligned"), SETTINGS)
def test_gradients_equal_torchvisions(ratio, aligned):
    """Fails if the written backward pass forgets a box, adds to the wrong image, or weighs pixels in another way."""
    features = torch.randn(2, 5, 9, 13, generator=torch.Generator().manual_seed(0))
    rois = random_rois(24, images=2, side=40)
    options = {"spatial_scale": 0.25, "sampling_ratio": ratio, "aligned": aligned}
    weights = torch.randn(24, 5, 3, 4, generator=torch.Generator().manual_seed(1))
    gradients = []
    for align in (*FORMS, torchvision.ops.roi_align):
        given = features.clone().requires_grad_()
        (align(given, rois, (3, 4), **options) * weights).sum().backward()
        gradients.append(given.grad)
    for gradient in gradients[:-1]:
        torch.testing.assert_close(gradient, gradients[-1], atol=1e-5, rtol=1e-5)


@FAST
@pytest.mark.parametrize("ratio", [-1, 2])
def test_the_gradient_is_that_of_finite_differences(align, ratio):
    """Fails if the backward pass is not the derivative of the forward one, whatever torchvision does."""
    features = torch.randn(2, 2, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    rois = random_rois(5, images=2, side=20).double()
    assert torch.autograd.gradcheck(
        lambda given: align(given, rois, 2, spatial_scale=0.25, sampling_ratio=ratio, aligned=True), (features,)
    )


@BOTH
def test_a_list_of_boxes_is_the_same_as_numbers_in_front(align):
    """Fails if a list of boxes for each image is numbered wrongly, or an image without boxes moves the numbers."""
    features = torch.randn(3, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    boxes = random_rois(6, images=1, side=8)[:, 1:]
    lists = [boxes[:2], boxes[:0], boxes[2:]]
    rois = torch.cat([torch.tensor([0.0, 0, 2, 2, 2, 2])[:, None], boxes], 1)
    assert torch.equal(numbered(lists), rois)
    assert torch.equal(align(features, lists, 2), align(features, rois, 2))


@BOTH
@pytest.mark.parametrize("ratio", [-1, 2])
def test_no_box(align, ratio):
    """Fails if nothing to pool is an error."""
    features = torch.randn(1, 3, 8, 8)
    assert align(features, torch.zeros(0, 5), (2, 3), sampling_ratio=ratio).shape == (0, 3, 2, 3)
    assert align(features, [torch.zeros(0, 4)], 2, sampling_ratio=ratio).shape == (0, 3, 2, 2)


@FAST
def test_no_box_leaves_a_gradient_of_zero(align):
    """Fails if a batch without a box cannot be trained on."""
    features = torch.randn(1, 3, 8, 8).requires_grad_()
    align(features, torch.zeros(0, 5), 2).sum().backward()
    assert torch.equal(features.grad, torch.zeros_like(features))


@pytest.mark.parametrize(("side", "scale"), [(64, 1 / 16), (30, 1 / 32)], ids=["windows", "whole maps"])
def test_half_precision_features_keep_exact_places(side, scale):
    """Fails if places are computed in bfloat16, which knows no half pixel beyond 128."""
    features = torch.randn(1, 4, side, side, generator=torch.Generator().manual_seed(0))
    rois = torch.tensor([[0.0, 700.3, 690.7, 900.1, 950.9]])
    exact = roi_align(features, rois, 7, spatial_scale=scale, sampling_ratio=2)
    coarse = roi_align(features.bfloat16(), rois, 7, spatial_scale=scale, sampling_ratio=2)
    assert coarse.dtype == torch.bfloat16
    assert (coarse.float() - exact).abs().max() < 0.05
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(roi_align(features, rois, 7, spatial_scale=scale, sampling_ratio=2), exact)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**16), st.integers(1, 4), st.sampled_from([-1, 1, 2]), st.booleans(), st.floats(-2, 2),
    st.floats(0.1, 3),
)  # fmt: skip
def test_what_always_holds(seed, bins, ratio, aligned, shift, factor):
    """Fails if pooling is not linear in the features, or if a constant map does not stay constant inside."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(1, 2, 12, 12, generator=generator)
    corner = 1 + torch.rand(6, 2, generator=generator) * 6
    rois = torch.cat([torch.zeros(6, 1), corner, corner + 0.3 + torch.rand(6, 2, generator=generator) * 3], 1)
    options = {"sampling_ratio": ratio, "aligned": aligned}
    pooled = roi_align(features, rois, bins, **options)
    torch.testing.assert_close(
        roi_align(features * factor + shift, rois, bins, **options), pooled * factor + shift, atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda f: f(torch.zeros(3, 8, 8), torch.zeros(1, 5), 2), "takes features"),
        (lambda f: f(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), torch.zeros(1, 5), 2), "uint8"),
        (lambda f: f(torch.zeros(1, 3, 8, 8), torch.zeros(1, 4), 2), "the image's number and then xyxy"),
        (lambda f: f(torch.zeros(1, 3, 8, 8), [torch.zeros(1, 5)], 2), "four numbers each"),
        (lambda f: f(torch.zeros(1, 3, 8, 8), torch.tensor([[1.0, 0, 0, 4, 4]]), 2), "There are 1 images"),
        (lambda f: f(torch.zeros(1, 3, 8, 8), torch.tensor([[0.0, 0, 0, float("nan"), 4]]), 2), "NaN"),
        (lambda f: f(torch.zeros(1, 3, 8, 8), torch.zeros(1, 5), 0), "above 0"),
        (lambda f: f(torch.zeros(1, 3, 8, 8), torch.zeros(1, 5), 2, spatial_scale=0), "above 0"),
    ],
)
@BOTH
def test_bad_input_is_refused(align, call, sentence):
    with pytest.raises(CourseError, match=sentence):
        call(align)
