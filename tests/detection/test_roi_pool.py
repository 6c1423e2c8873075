"""RoIPool: by hand, against torchvision's operator and its own clear form, gradients, and what is refused."""

import pytest
import torch
import torchvision.ops
from hypothesis import given, settings
from hypothesis import strategies as st

from crashcourse.detection.roi_pool import looped_roi_pool, roi_pool
from crashcourse.errors import CourseError

BOTH = pytest.mark.parametrize("pool", [looped_roi_pool, roi_pool], ids=["looped", "fast"])


def random_rois(count: int, images: int, side: float, seed: int = 0) -> torch.Tensor:
    """Boxes of all sizes, some of them partly or wholly outside the image, some without an area."""
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * side * 1.3 - side * 0.15
    size = torch.rand(count, 2, generator=generator) ** 2 * side
    size[:: max(1, count // 5)] = 0
    image = torch.randint(images, (count, 1), generator=generator).float()
    return torch.cat([image, corner, corner + size], 1)


@BOTH
def test_four_bins_by_hand(pool):
    """Fails if bins are means, if the last pixel is left out, or if rows and columns change places."""
    features = torch.arange(20.0).view(1, 1, 4, 5)
    rois = torch.tensor([[0.0, 1, 0, 4, 2]])  # columns 1 to 4, rows 0 to 2: three rows, so that both halves have row 1
    assert pool(features, rois, 2).flatten().tolist() == [7, 9, 12, 14]
    assert pool(features, rois, (1, 2)).flatten().tolist() == [12, 14]
    assert pool(features, rois, (3, 1)).flatten().tolist() == [4, 9, 14]


@BOTH
def test_halves_are_rounded_away_from_zero(pool):
    """Fails with Python's and torch's own rounding, to the even neighbour."""
    features = torch.arange(6.0).view(1, 1, 1, 6)
    assert pool(features, torch.tensor([[0.0, 5, 0, 5, 0]]), 1, spatial_scale=0.5).item() == 3  # 2.5 -> 3
    assert pool(features, torch.tensor([[0.0, 3, 0, 3, 0]]), 1, spatial_scale=0.5).item() == 2  # 1.5 -> 2
    assert pool(features, torch.tensor([[0.0, -1, 0, 1, 0]]), 1, spatial_scale=0.5).item() == 1


@BOTH
def test_what_lies_outside_is_zero_and_the_smallest_box_is_one_pixel(pool):
    """Fails if an empty bin takes a neighbour's value or minus infinity, or if a point has no value."""
    features = torch.full((1, 1, 4, 4), -3.0)
    assert pool(features, torch.tensor([[0.0, 6, 6, 9, 9]]), 2).flatten().tolist() == [0, 0, 0, 0]
    assert pool(features, torch.tensor([[0.0, 2, 2, 5, 5]]), 2).flatten().tolist() == [-3, 0, 0, 0]
    assert pool(features, torch.tensor([[0.0, 1, 1, 1, 1]]), 2).flatten().tolist() == [-3, -3, -3, -3]


@BOTH
@pytest.mark.parametrize(
    ("shape", "scale", "size", "dtype"),
    [
        ((2, 3, 13, 17), 1 / 8, 7, torch.float32),
        ((1, 4, 9, 5), 1 / 4, (3, 5), torch.float32),
        ((3, 2, 38, 50), 1 / 16, 7, torch.float32),
        ((1, 1, 1, 1), 0.3, 2, torch.float32),
        ((3, 2, 38, 50), 1 / 16, (4, 8), torch.float64),  # theirs divides sizes by 7 in floats, and is then off by one
    ],
)
def test_values_equal_torchvisions(pool, shape, scale, size, dtype):
    """Fails for any error in rounding, bins, borders or images; equal to the last bit."""
    features = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=dtype)
    rois = random_rois(60, shape[0], shape[2] / scale).to(dtype)
    rois[:20, 1:] = (rois[:20, 1:] * scale * 2).round() / 2 / scale  # on halves
    assert torch.equal(
        pool(features, rois, size, spatial_scale=scale), torchvision.ops.roi_pool(features, rois, size, scale)
    )


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 12), st.integers(1, 12), st.integers(1, 4), st.integers(1, 4), st.sampled_from([0.25, 0.5, 1.0]),
    st.lists(st.tuples(*[st.floats(-8, 60, width=32)] * 4), min_size=1, max_size=5),
)  # fmt: skip
def test_both_forms_agree_wherever_boxes_lie(height, width, down, across, scale, corners):
    """Fails if a level of maxima is missing, or one too large is read."""
    features = torch.randn(2, 2, height, width, generator=torch.Generator().manual_seed(0))
    rois = torch.tensor([[n % 2, *corner] for n, corner in enumerate(corners)], dtype=torch.float32)
    clear = looped_roi_pool(features, rois, (down, across), spatial_scale=scale)
    assert torch.equal(roi_pool(features, rois, (down, across), spatial_scale=scale), clear)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_equal_torchvisions_also_where_values_are_equal(dtype):
    """Fails if the gradient is shared out among equals (a ReLU makes many zeros) or goes to a later one."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(2, 3, 14, 14, generator=generator, dtype=dtype).relu()
    values[0, 0, :5] = -0.0
    rois = random_rois(50, 2, 14 * 8).to(dtype)
    weights = torch.randn(50, 3, 4, 4, generator=generator, dtype=dtype)
    gradients = []
    for pool in (
        lambda f: torchvision.ops.roi_pool(f, rois, 4, 1 / 8),
        lambda f: roi_pool(f, rois, 4, spatial_scale=1 / 8),
    ):
        features = values.clone().requires_grad_()
        (pool(features) * weights).sum().backward()
        gradients.append(features.grad)
    assert torch.allclose(*gradients, atol=1e-5)


def test_gradient_numerically():
    values = torch.randn(1, 2, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    rois = random_rois(6, 1, 6).double()
    for pool in (roi_pool, looped_roi_pool):
        assert torch.autograd.gradcheck(lambda f, pool=pool: pool(f, rois, 2), values)


def test_training_and_evaluation_give_the_same_values():
    """Fails if keys order negative numbers, zeros of both signs or half precision differently from values."""
    values = torch.tensor([-2.0, -1.0, -0.0, 0.0, 1e-30, -1e-30, 3.0, 2.5]).view(1, 1, 2, 4)
    rois = random_rois(40, 1, 4)
    for dtype in (torch.float32, torch.bfloat16):
        own = values.to(dtype)
        assert torch.equal(roi_pool(own, rois, 2), roi_pool(own.clone().requires_grad_(), rois, 2))


@BOTH
def test_no_regions_and_a_list_of_boxes(pool):
    """Fails if nothing is an error, or if boxes of the second image are taken from the first."""
    features = torch.stack([torch.zeros(1, 4, 4), torch.ones(1, 4, 4)])
    assert pool(features, torch.zeros(0, 5), 3).shape == (0, 1, 3, 3)
    boxes = torch.tensor([[0.0, 0, 2, 2]])
    assert pool(features, [boxes, boxes], 1).flatten().tolist() == [0, 1]


@BOTH
@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda f: f(torch.zeros(4, 4), torch.zeros(1, 5), 2), "\\(N, C, H, W\\)"),
        (lambda f: f(torch.zeros(1, 1, 4, 4, dtype=torch.int64), torch.zeros(1, 5), 2), "float"),
        (lambda f: f(torch.zeros(1, 1, 4, 4), torch.zeros(1, 4), 2), "\\(K, 5\\)"),
        (lambda f: f(torch.zeros(1, 1, 4, 4), torch.tensor([[3.0, 0, 0, 1, 1]]), 2), "image 3"),
        (lambda f: f(torch.zeros(1, 1, 4, 4), torch.full((1, 5), float("nan")), 2), "NaN"),
        (lambda f: f(torch.zeros(1, 1, 4, 4), torch.zeros(1, 5), 0), "above 0"),
        (lambda f: f(torch.zeros(1, 1, 4, 4), torch.zeros(1, 5), 2, spatial_scale=0), "above 0"),
    ],
)
def test_bad_input_is_refused(pool, call, sentence):
    with pytest.raises(CourseError, match=sentence):
        call(pool)
