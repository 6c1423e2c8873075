"""The exercises of lesson 31 teach what the package does, and what their explanations say is so."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from crashcourse.exercises.unet import OneSize, Up, border_weights, segment_in_tiles
from crashcourse.exercises.unet_questions import BELOW, LEAST, OUTPUT, QUESTIONS, STEP, TILES
from crashcourse.segmentation import UNet, UpBlock, border_weight_map, cell_distances, mirror_pad, overlap_tile
from crashcourse.segmentation import unet_2015 as published

TABLE = QUESTIONS[0].value


def test_the_block_is_the_packages() -> None:
    """Else learners write another block than the network that the lesson runs is made of."""
    torch.manual_seed(0)
    theirs, ours = UpBlock(6, 4, 3), Up(6, 4, 3)
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    below, skip = torch.randn(2, 6, 4, 5), torch.randn(2, 4, 16, 14)
    torch.testing.assert_close(ours(below, skip), theirs(below, skip))


@pytest.mark.parametrize(("height", "width", "tile"), [(12, 20, 4), (13, 19, 4), (15, 30, 8)])
def test_tiles_are_the_packages_and_those_of_one_pass(height: int, width: int, tile: int) -> None:
    """Else the exercise's network or mirror is not that of `overlap_tile`, or its tiles have seams."""
    torch.manual_seed(0)
    kernel, image = torch.randn(2, 1, 5, 5), torch.rand(1, 1, height, width)
    found = segment_in_tiles(OneSize(kernel, tile), image, tile, 2)
    torch.testing.assert_close(found, overlap_tile(OneSize(kernel, tile), image, tile, margin=2))
    torch.testing.assert_close(found, F.conv2d(mirror_pad(image, 2), kernel).tanh())


def test_a_learners_tiles_serve_a_unet() -> None:
    """Else the lesson cannot use the answer: a U-Net whose tile its stride divides, on an image of any size."""
    torch.manual_seed(0)
    model, image = UNet(1, 2, widths=(4, 6)).eval(), torch.rand(1, 1, 33, 41)
    with torch.no_grad():
        found = segment_in_tiles(model, image, 12, model.margin)
    torch.testing.assert_close(found, overlap_tile(model, image, 12))


def test_weights_are_the_packages() -> None:
    """Else the lesson's map is not the one that it trains with."""
    cells = torch.zeros(9, 12, dtype=torch.int64)
    cells[1:3, 2:5], cells[5:8, 1:4], cells[3:6, 7:11] = 1, 2, 3
    class_weights = torch.tensor([0.7, 1.9])
    found = border_weights(cell_distances(cells), cells, class_weights, w0=6.0, sigma=3.0)
    torch.testing.assert_close(found, border_weight_map(cells, w0=6.0, sigma=3.0, class_weights=class_weights))


def test_the_numbers_of_the_table() -> None:
    """Else the table's right answers are those of another network than the paper's."""
    assert TABLE[OUTPUT] == (2, 388, 388)
    assert (TABLE[LEAST], TABLE[BELOW], TABLE[STEP], TABLE[TILES]) == (188, 588, 384, 9)
    assert 588 == 16 * 37 - 4
    with torch.device("meta"):
        network = published()
        assert [network.fits(side) for side in (172, 188, 204, 588, 592, 598)] == [
            False,
            True,
            True,
            True,
            False,
            False,
        ]
        assert network(torch.empty(1, 1, 188, 188)).shape[2:] == (4, 4)


def test_windows_for_the_large_image_are_nine() -> None:
    """Else the count in the table is not that of the package's tiles."""
    calls = []

    def count(window: Tensor) -> Tensor:
        calls.append(window.shape)
        return window[..., 92:-92, 92:-92]

    overlap_tile(count, torch.zeros(1, 1, 1000, 1000), 388, margin=92, stride=16)
    assert len(calls) == TABLE[TILES]
    assert {tuple(shape[2:]) for shape in calls} == {(572, 572)}


def test_seams_are_absent_with_random_weights_and_zeros_too() -> None:
    """Else the hints of the question about seams are wrong: inside of the image there is none, whatever lies beyond."""
    torch.manual_seed(3)
    model, image = UNet(1, 2, widths=(4, 6)).eval().double(), torch.rand(1, 1, 60, 60, dtype=torch.float64)
    with torch.no_grad():
        inside = model(image)
    for mirrored in (True, False):
        found = overlap_tile(model, image, 12, mirrored=mirrored)
        torch.testing.assert_close(found[:, :, 8:-8, 8:-8], inside)
