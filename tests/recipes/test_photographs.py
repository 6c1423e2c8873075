"""Photographs to train and to score on: patches by hand, splits by photograph, degradation that can be repeated."""

import pytest
import torch
from torch import Tensor

from crashcourse.datasets import photos
from crashcourse.errors import CourseError
from crashcourse.recipes.photographs import PatchBatches, held_out, restoration_photos
from crashcourse.restoration import gaussian_noise


def plain(clean: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
    return clean, clean


def noisy(clean: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
    return gaussian_noise(clean, 25, generator), clean


def numbered(height: int, width: int, first: int = 0) -> Tensor:
    """A photograph in which every pixel has its own colour: (3, H, W) uint8, row, column, and a number."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([rows, columns, torch.full_like(rows, first)]).byte()


def batches(**options) -> PatchBatches:
    made = {"patch": 5, "batch_size": 64, "count": 128} | options
    make = made.pop("make", plain)
    return PatchBatches([numbered(9, 12, 1), numbered(20, 7, 2)], make, **made)


def positions(square: Tensor) -> list[Tensor]:
    """The eight positions of (C, S, S)."""
    return [torch.rot90(s, k, (1, 2)) for s in (square, square.flip(2)) for k in range(4)]


def test_a_patch_is_a_square_of_one_photograph_in_one_of_eight_positions():
    """Fails if the look-up crosses into another photograph or row, or if turning shears or repeats pixels."""
    (patches, _), *_ = batches().epoch(0)
    whole = {1: numbered(9, 12, 1), 2: numbered(20, 7, 2)}
    seen = set()
    for patch in (patches * 255).round().byte():
        assert patch[2].unique().numel() == 1
        top, left = int(patch[0].min()), int(patch[1].min())
        square = whole[int(patch[2, 0, 0])][:, top : top + 5, left : left + 5]
        matching = [k for k, turned in enumerate(positions(square)) if torch.equal(patch, turned)]
        assert len(matching) == 1
        seen.add(matching[0])
    assert seen == set(range(8))


def test_patches_reach_every_place_and_no_place_is_favoured():
    """Fails if the last row or column is never drawn, or if a large photograph gives as few patches as a small one."""
    first, second = 5 * 8, 16 * 3  # places in each photograph
    drawn = batches(batch_size=4000, count=4000, turn=False)
    ((patches, _),) = drawn.epoch(0)
    corners = (patches[:, :, 0, 0] * 255).round().long()  # (N, 3)
    places, counts = corners.unique(dim=0, return_counts=True)
    assert len(places) == first + second
    assert counts.max() < 2.2 * 4000 / (first + second)
    assert torch.equal(patches[0, 0] * 255, (corners[0, 0] + torch.arange(5.0)[:, None]).expand(5, 5))


def test_a_batch_depends_on_seed_epoch_and_number_alone():
    """Fails if a resumed run sees other patches or other noise than the uninterrupted one, or all epochs are alike."""
    one = batches(make=noisy)
    whole, resumed = list(one.epoch(3)), list(one.epoch(3, start=1))
    torch.rand(7)
    assert len(whole) == len(one) == 2
    for a, b in zip(whole[1], resumed[0], strict=True):
        assert torch.equal(a, b)
    for other in (next(one.epoch(2)), next(batches(make=noisy, seed=1).epoch(3)), whole[1]):
        assert not torch.equal(whole[0][1], other[1])


def test_shares_are_parts_of_the_same_batch():
    """Fails if processes draw different noise for one batch, or train on the same patches."""
    one = batches(make=noisy)
    parts = [next(one.shard(rank, 2).epoch(0)) for rank in range(2)]
    for whole, *halves in zip(next(one.epoch(0)), *parts, strict=True):
        assert torch.equal(whole, torch.cat(halves))
    with pytest.raises(CourseError, match="equal parts"):
        one.shard(0, 3)


@pytest.mark.parametrize(
    ("photographs", "options", "sentence"),
    [
        ([], {}, "at least one"),
        ([torch.rand(3, 9, 9)], {}, "uint8"),
        ([numbered(9, 9), numbered(9, 9)[:1]], {}, "different channels"),
        ([numbered(9, 9)], {"patch": 10}, "do not fit"),
        ([numbered(9, 9)], {"count": 2}, "no batch"),
    ],
)
def test_photographs_that_give_no_patches_are_refused(photographs, options, sentence):
    """Fails if training starts on nothing and ends with an error that names no cause."""
    with pytest.raises(CourseError, match=sentence):
        PatchBatches(photographs, plain, **({"patch": 5, "batch_size": 4, "count": 8} | options))


def test_held_out_photographs_are_degraded_alike_for_all_runs():
    """Fails if two runs are scored on different noise, or the noise of one photograph depends on the others."""
    torch.manual_seed(1)
    first = held_out(noisy, grey=True, side=32)
    torch.manual_seed(2)
    second = held_out(noisy, grey=True, side=32)
    assert list(first.examples) == [photo.name for photo in photos("test")]
    for a, b in zip(first.examples.values(), second.examples.values(), strict=True):
        assert torch.equal(a[0], b[0])
    noises = torch.cat([a - b for a, b in first.examples.values()])  # (10, 1, 32, 32)
    assert not torch.equal(noises[0], noises[1])
    assert noises.std() * 255 == pytest.approx(25, rel=0.03)


def test_grey_photographs_are_matlabs_and_squares_come_from_the_middle():
    """Fails if grey is a plain mean of the colours, or a square is cut from a corner."""
    colour, grey = (restoration_photos("test", grey=g)["coffee"] for g in (False, True))
    expected = (colour.double() * torch.tensor([0.298936, 0.587043, 0.114021]).double()[:, None, None]).sum(0)
    assert grey.shape == (1, 400, 600)
    assert (grey[0] - expected).abs().max() <= 0.5 + 1e-3
    middle = restoration_photos("test", side=100)["coffee"]
    assert torch.equal(middle, colour[:, 150:250, 250:350])
    with pytest.raises(CourseError, match="does not fit"):
        restoration_photos("test", side=304)
