"""Overlapping tiles are one pass over the mirrored image, whatever its size; without context there are seams."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from crashcourse.errors import CourseError
from crashcourse.memory import memory_trace
from crashcourse.segmentation import ResUNet, UNet, mirror_pad, mirrored_places, overlap_tile, small_unet

EXACT = {"rtol": 0, "atol": 1e-10}
"""In float64, so that only a seam is a difference."""


def network(levels: int = 3, **options: object) -> UNet:
    torch.manual_seed(0)
    return UNet(1, 2, widths=(4, 6, 8, 10)[:levels], **options).eval().double()


def pictures(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@torch.no_grad()
def one_pass(model: UNet, images: Tensor) -> Tensor:
    """The image mirrored by NumPy to a size that the network takes, in one pass, and cut to the image's size."""
    height, width = images.shape[2:]
    rows, columns = (model.nearest_sides(side + 2 * model.margin)[1] for side in (height, width))
    more = ((model.margin, rows - height - model.margin), (model.margin, columns - width - model.margin))
    continued = np.pad(images.numpy(), ((0, 0), (0, 0), *more), mode="reflect")
    return model(torch.from_numpy(continued))[:, :, :height, :width]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 45), st.integers(1, 45), st.integers(1, 8), st.integers(0, 99))
def test_tiles_are_one_pass_for_any_size(height, width, steps, seed):
    """A seam: a tile stands where poolings take other pixels, is short of context, or the mirror repeats the edge."""
    model = network()
    images = pictures(1, 1, height, width, seed=seed)
    expected = one_pass(model, images)
    found = overlap_tile(model, images, 4 * steps)
    assert found.shape == (1, 2, height, width)
    torch.testing.assert_close(found, expected, **EXACT)
    assert expected.std() > 1e-3


@pytest.mark.parametrize(("levels", "tile"), [(1, 7), (2, 8), (2, 10), (4, 12), (4, 20)])
def test_tiles_are_one_pass_at_every_depth(levels, tile):
    """The stride or margin of another depth is wrong; a tile that the stride does not divide is placed too far."""
    model, images = network(levels), pictures(2, 1, 37, 50)
    torch.testing.assert_close(overlap_tile(model, images, tile), one_pass(model, images), **EXACT)


def test_the_networks_of_lessons_are_one_pass_in_float32():
    """What users run, float32 and the laptop's network, is further from one pass than 1e-5."""
    torch.manual_seed(0)
    model, images = small_unet().eval(), torch.rand(1, 1, 75, 130)
    found, expected = overlap_tile(model, images, 28), one_pass(model, images)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_a_tile_placed_every_tile_has_another_phase():
    """The docstring's difference from the paper is empty: tiles of 20, placed every 20, are no pass of stride 8."""
    model, images = network(4), pictures(1, 1, 64, 64)
    gap = (overlap_tile(model, images, 20, stride=1) - one_pass(model, images)).abs()[0].amax(0)
    assert float(gap[:20, :20].max()) < 1e-5  # the first tile starts where one pass does
    assert float(gap[:20, 20:40].max()) > 1e-3


def test_zeros_in_place_of_the_mirror_change_the_border_only():
    """`mirrored=False` does nothing, or changes what sees no border."""
    model, images = network(), 0.5 + pictures(1, 1, 80, 80)
    mirrored, zeros = (overlap_tile(model, images, 16, mirrored=flag) for flag in (True, False))
    padded = F.pad(images, (20, 20, 20, 20))
    with torch.no_grad():
        torch.testing.assert_close(zeros, model(padded), **EXACT)
    gap = (mirrored - zeros).abs()[0].amax(0)
    assert float(gap[20:60, 20:60].max()) < 1e-5
    assert float(gap[0].max()) > 1e-2


def test_padded_tiles_without_context_have_seams_and_with_context_none():
    """`margin` is not granted to a padded network, or there would be no seam to show."""
    model, images = network(padded=True), pictures(1, 1, 96, 96)
    with torch.no_grad():
        expected = model(mirror_pad(images, 24))[:, :, 24:-24, 24:-24]
    seams = (overlap_tile(model, images, 32) - expected).abs()[0].amax(0)
    assert float(seams[:, 31:33].max()) > 1e-2
    assert float(seams[20:24, 12:20].max()) < float(seams[20:24, 31:33].max())
    granted = overlap_tile(model, images, 32, margin=24)
    torch.testing.assert_close(granted, expected, **EXACT)


def test_more_margin_than_the_network_takes_is_cut_off():
    """Only the network's own margin works, or the middle is cut from a corner."""
    model, images = network(), pictures(1, 1, 30, 34)
    more = overlap_tile(model, images, 12, margin=model.margin + 4)
    torch.testing.assert_close(more, overlap_tile(model, images, 12), **EXACT)


def test_interpolation_with_aligned_corners_is_not_quite_one_pass():
    """The warning in ResUNet's docstring is empty."""
    torch.manual_seed(0)
    model, images = ResUNet(1, 1, widths=(4, 8, 8)).eval(), torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        expected = model(mirror_pad(images, 32))[:, :, 32:-32, 32:-32]
    gap = (overlap_tile(model, images, 32, margin=32) - expected).abs().max()
    assert 1e-4 < float(gap) < float(expected.std())


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 25))
def test_the_mirror_is_numpys_reflect(height, width, margin):
    """The pixel on the border is repeated, or a margin beyond the image's size fails."""
    image = torch.arange(float(height * width)).view(1, 1, height, width)
    expected = np.pad(image.numpy(), ((0, 0), (0, 0), (margin, margin), (margin, margin)), mode="reflect")
    assert torch.equal(mirror_pad(image, margin), torch.from_numpy(expected))


def test_mirrored_places_by_hand():
    """The border's pixel is repeated, or far places are out of the row."""
    assert mirrored_places(torch.arange(-5, 8), 3).tolist() == [1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1]
    assert mirrored_places(torch.arange(-3, 3), 1).tolist() == [0] * 6
    assert mirrored_places(torch.arange(-2, 4), 2).tolist() == [0, 1, 0, 1, 0, 1]


def test_no_more_tiles_than_it_takes():
    """Windows are computed that hold nothing new: a 20×20 image is one tile of 20, and 17 wide takes two of 16."""
    model, calls = network(), []

    def counted(window: Tensor) -> Tensor:
        calls.append(tuple(window.shape[2:]))
        return model(window)

    for side, tile, expected in ((20, 20, 1), (20, 16, 4), (17, 16, 4), (16, 16, 1), (3, 4, 1)):
        calls.clear()
        overlap_tile(counted, pictures(1, 1, side, side), tile, margin=model.margin, stride=model.stride)
        assert calls == [(tile + 40, tile + 40)] * expected


def test_memory_follows_the_tile():
    """The windows are kept until the end, so that a large image does not fit after all."""
    torch.manual_seed(0)
    model, images = small_unet().eval(), torch.rand(1, 1, 280, 280)
    large, small = (max(memory_trace(lambda tile=tile: overlap_tile(model, images, tile))) for tile in (280, 40))
    assert small < large / 4


def test_neither_input_nor_gradients_are_touched():
    """An image is changed in place, or graphs of all tiles are kept."""
    model, images = network(), pictures(1, 1, 20, 20)
    before = images.clone()
    assert not overlap_tile(model, images, 8).requires_grad
    assert torch.equal(images, before)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m, x: overlap_tile(m, x, 10), r"tile of 10 with a margin of 20 .* 50, .*Nearest tile: 8 or 12"),
        (lambda m, x: overlap_tile(m, x, 2), "Nearest tile: 4"),
        (lambda m, x: overlap_tile(m, x, 12, margin=10), "window of 32"),
        (lambda m, x: overlap_tile(m, x, 36, margin=10), r"made 16×16, which has no middle of 36×36"),
        (lambda m, x: overlap_tile(lambda w: w[..., 1:, 1:], x, 4), "no middle of 4×4"),
        (lambda m, x: overlap_tile(lambda w: w, x, 3, stride=4), "at least the network's stride, 4"),
        (lambda m, x: overlap_tile(m, x, 0), "tile must be an integer"),
        (lambda m, x: overlap_tile(m, x, 12, margin=-1), "margin"),
        (lambda m, x: overlap_tile(m, x, 12, stride=0), "stride"),
        (lambda m, x: overlap_tile(m, x[0], 12), r"images\[None\]"),
        (lambda m, x: overlap_tile(m, (x * 255).byte(), 12), "255"),
        (lambda m, x: mirror_pad(x, 2.0), "margin"),
        (lambda m, x: mirror_pad(x[0], 2), r"images\[None\]"),
    ],
)
def test_what_is_refused_and_in_which_words(call, words):
    """A slip gives an image with holes or seams, or a stack trace from inside PyTorch."""
    with pytest.raises(CourseError, match=words):
        call(network(), pictures(1, 1, 20, 20))
