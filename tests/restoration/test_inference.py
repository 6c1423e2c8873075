"""Tiles equal to one pass where they must be, and the eight positions of the self-ensemble."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from crashcourse.errors import CourseError
from crashcourse.memory import memory_trace
from crashcourse.restoration import EDSR, RCAN, DnCNN, FFDNet, self_ensemble, tiled


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 12), st.integers(4, 7), st.integers(0, 99))
def test_tiles_of_a_stack_are_one_pass(height, width, tile, margin, seed):
    """A seam: a tile is in the wrong place, its margin is too small or not cut off, or the border is padded twice."""
    torch.manual_seed(seed)
    model = DnCNN(2, 4, width=4).eval()  # four layers see four pixels
    images = torch.rand(2, 2, height, width)
    with torch.no_grad():
        expected = model(images)
    torch.testing.assert_close(tiled(model, images, tile=tile, margin=margin), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_tiles_of_super_resolution_are_one_pass(scale):
    """Output places are not multiplied by the scale. One block: five layers at low resolution, then smaller steps."""
    torch.manual_seed(0)
    model, images = EDSR(scale, 1, 8), torch.rand(1, 3, 23, 31)
    with torch.no_grad():
        expected = model(images)
    got = tiled(model, images, tile=9, margin=8, scale=scale)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-5)


def test_tiles_of_ffdnet_are_one_pass():
    """Odd images cannot be tiled, though tile and margin are even; one layer sees two pixels."""
    torch.manual_seed(0)
    model, images = FFDNet(1, 3, 8), torch.rand(1, 1, 27, 33)
    with torch.no_grad():
        expected = model(images, 25)
    got = tiled(lambda tile: model(tile, 25), images, tile=10, margin=6, multiple=2)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("tile", "margin"), [(9, 6), (10, 7), (9, 7)])
def test_tiles_at_odd_places_are_refused(tile, margin):
    """FFDNet's sub-images change places from piece to piece, without a word; or even pieces need not be."""
    torch.manual_seed(0)
    model, images = FFDNet(1, 3, 8), torch.rand(1, 1, 27, 33)
    options = {"tile": tile, "margin": margin}
    with torch.no_grad():
        gap = tiled(lambda piece: model(piece, 25), images, **options) - model(images, 25)
    assert float(gap.abs().max()) > 0.01
    with pytest.raises(CourseError, match=rf"multiples of 2.*tile={tile} and margin={margin}"):
        tiled(lambda piece: model(piece, 25), images, **options, multiple=2)


def test_seventeen_layers_need_seventeen_pixels():
    """The docstring promises too little or too much: with a margin of 17 there is no seam, with 8 there is one."""
    torch.manual_seed(0)
    model, images = DnCNN(1, 17, width=8, batch_norm=False), torch.rand(1, 1, 60, 60)
    with torch.no_grad():
        expected = model(images)
    torch.testing.assert_close(tiled(model, images, tile=30, margin=17), expected, rtol=0, atol=1e-5)
    seam = (tiled(model, images, tile=30, margin=2) - expected).abs()[0, 0]
    assert float(seam[28:32].max()) > 1e-4
    assert float(seam[:10, :10].max()) < 1e-5


def test_channel_attention_sees_the_tile_instead_of_the_image():
    """The warning of the docstring is empty: RCAN in tiles differs, however large the margin, but little."""
    torch.manual_seed(0)
    model, images = RCAN(2, groups=2, blocks=2, width=8, reduction=4), torch.rand(1, 3, 40, 40)
    images[..., 20:] /= 4
    with torch.no_grad():
        expected = model(images)
    gap = (tiled(model, images, tile=10, margin=16, scale=2) - expected).abs().max()
    assert 1e-4 < float(gap) < 0.1


def test_memory_follows_the_tile():
    """The pieces are kept until the end, so that a large image does not fit after all."""
    torch.manual_seed(0)
    model, images = DnCNN(1, 3, width=16).eval(), torch.rand(1, 1, 128, 128)
    with torch.no_grad():
        whole = max(memory_trace(lambda: model(images)))
        pieces = max(memory_trace(lambda: tiled(model, images, tile=16, margin=3)))
    assert pieces < whole / 4


def test_tiles_change_neither_input_nor_gradients():
    """An in-place layer writes into the image, or a graph of all pieces is kept."""
    images = torch.rand(1, 1, 20, 20)
    before = images.clone()
    model = DnCNN(1, 3, width=4)
    got = tiled(model, images, tile=8, margin=3)
    assert torch.equal(images, before)
    assert not got.requires_grad
    assert not self_ensemble(model, images).requires_grad
    assert torch.equal(images, before)


@pytest.mark.parametrize("network", [DnCNN, FFDNet, EDSR, RCAN])
def test_networks_say_that_they_do_not_look_at_values(network):
    """A learner gives 0 to 255, and nothing has said that this is not noticed."""
    assert "Values are not checked" in network.forward.__doc__


POSITIONS = [
    lambda x, k=k, m=m: torch.rot90(x.flip(-1) if m else x, k, (2, 3)) for m in (False, True) for k in range(4)
]


def lopsided(images: Tensor) -> Tensor:
    """A network that treats no two positions alike."""
    kernel = torch.arange(18.0).view(2, 1, 3, 3) / 50
    return F.pixel_shuffle(F.conv2d(images, torch.cat([kernel, kernel**2]), padding=1), 2)


def test_the_eight_positions_by_hand():
    """A position comes twice and another not at all, or is turned back the wrong way."""
    seen = []

    def note(images: Tensor) -> Tensor:
        seen.append(images)
        return images

    image = torch.arange(6.0).view(1, 1, 2, 3)
    torch.testing.assert_close(self_ensemble(note, image), image)
    shown = {(tuple(copy.shape), tuple(copy.flatten().tolist())) for copy in seen}
    assert shown == {
        ((1, 1, 2, 3), values)
        for values in ((0, 1, 2, 3, 4, 5), (2, 1, 0, 5, 4, 3), (3, 4, 5, 0, 1, 2), (5, 4, 3, 2, 1, 0))
    } | {
        ((1, 1, 3, 2), values)
        for values in ((0, 3, 1, 4, 2, 5), (3, 0, 4, 1, 5, 2), (2, 5, 1, 4, 0, 3), (5, 2, 4, 1, 3, 0))
    }


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 7))
def test_the_ensemble_treats_all_positions_alike(height, width, position):
    """A turned image gets another result than the turned result; a lopsided network alone does so."""
    turn = POSITIONS[position]
    images = torch.rand(2, 1, height, width, generator=torch.Generator().manual_seed(height))
    torch.testing.assert_close(self_ensemble(lopsided, turn(images)), turn(self_ensemble(lopsided, images)))
    assert self_ensemble(lopsided, images).shape == (2, 1, 2 * height, 2 * width)


def test_the_ensemble_is_the_mean():
    """The sum, or the median, comes back."""
    images = torch.rand(1, 1, 5, 7)
    backs = [
        lambda x, k=k, m=m: (lambda y: y.flip(-1) if m else y)(torch.rot90(x, -k, (2, 3)))
        for m in (False, True)
        for k in range(4)
    ]
    every = [back(lopsided(turn(images))) for turn, back in zip(POSITIONS, backs, strict=True)]
    torch.testing.assert_close(self_ensemble(lopsided, images), torch.stack(every).mean(0))
    assert not torch.allclose(self_ensemble(lopsided, images), lopsided(images))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: tiled(lopsided, x), r"\(8, 8\) with scale 1.*\(8, 8\), but gave \(16, 16\). Is `scale`"),
        (lambda x: tiled(lopsided, x, scale=3), "scale 3"),
        (lambda x: tiled(lopsided, x, tile=0), "tile must be an integer of at least 1"),
        (lambda x: tiled(lopsided, x, margin=-1), "margin"),
        (lambda x: tiled(lopsided, x, scale=0.5), "scale"),
        (lambda x: tiled(lopsided, x, multiple=0), "multiple must be an integer of at least 1"),
        (lambda x: tiled(lopsided, x[0]), r"images\[None\]"),
        (lambda x: self_ensemble(lopsided, x[0]), r"images\[None\]"),
        (lambda x: self_ensemble(lopsided, (255 * x).byte()), "Scale first"),
        (lambda x: self_ensemble(lambda y: y[..., 1:, :], x), r"of \(8, 8\) the function gave out \(7, 8\)"),
        (lambda x: self_ensemble(lambda y: y.mT, x[..., :6]), r"of \(8, 6\) the function gave out \(6, 8\)"),
        (lambda x: self_ensemble(lambda y: y.repeat(1, 1, 4, 4)[..., :16, :16], x[..., :4]), r"\(8, 4\).*\(16, 16\)"),
    ],
)
def test_what_is_refused_and_in_which_words(call, words):
    """A slip gives an image with holes, or a stack trace from inside PyTorch."""
    with pytest.raises(CourseError, match=words):
        call(torch.rand(1, 1, 8, 8))
