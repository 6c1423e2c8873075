"""Cells: exact truth, touching, the same from the same seed, and not to be found by a threshold."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from crashcourse.datasets import Cells, cells
from crashcourse.errors import CourseError


@pytest.fixture(scope="module")
def many() -> Cells:
    return cells(40, seed=5)


def numbers(instances: Tensor) -> list[int]:
    return [number for number in instances.unique().tolist() if number]


def test_shapes_types_and_numbers(many):
    """A lesson gets another layout than the docstring promises, or numbers with gaps."""
    assert (tuple(many.images.shape), many.images.dtype) == ((40, 1, 128, 128), torch.uint8)
    assert (tuple(many.instances.shape), many.instances.dtype) == ((40, 128, 128), torch.uint8)
    assert (tuple(many.masks.shape), many.masks.dtype) == ((40, 128, 128), torch.int64)
    assert torch.equal(many.masks > 0, many.instances > 0)
    for image, instances in many:
        assert image.shape == (1, 128, 128)
        assert numbers(instances) == list(range(1, int(instances.max()) + 1))
        assert int(instances.max()) >= 4
    assert len(many[3:7]) == 4
    assert torch.equal(many[3:7][1][0], many[4][0])
    total = sum(len(numbers(one)) for one in many.instances)
    assert repr(many) == f"Cells(40 of 128×128, {total} cells)"


def test_every_cell_is_in_one_piece_and_large_enough(many):
    """A scrap of a cell is labelled as a cell, or one cell is in two places."""
    for instances in many.instances:
        for number in numbers(instances):
            mask = (instances == number).numpy()
            assert mask.sum() >= 40
            assert ndimage.label(mask)[1] == 1


def test_no_two_cells_share_a_side_or_a_corner(many):
    """Two cells run together in the mask, so that a network that learns it cannot keep them apart."""
    labels = many.instances.float()[:, None]
    largest = F.max_pool2d(labels, 3, 1, 1)
    smallest = -F.max_pool2d(-torch.where(labels > 0, labels, 999), 3, 1, 1)
    on_cells = labels > 0
    assert torch.equal(largest[on_cells], labels[on_cells])
    assert torch.equal(smallest[on_cells], labels[on_cells])


def test_most_cells_touch_another(many):
    """Cells lie apart, so that nothing is hard: two pixels further on most of them meet a neighbour."""
    touching = total = 0
    for instances in many.instances:
        grown = ndimage.maximum_filter(np.where(instances == 0, 0, instances), 7)
        for number in numbers(instances):
            mask = (instances == number).numpy()
            ring = ndimage.binary_dilation(mask, iterations=3) & ~mask
            touching += bool((instances.numpy()[ring] > 0).any())
            total += 1
        assert grown.max() > 0
    assert touching / total > 0.7


def test_pictures_cannot_be_cut_at_a_threshold(many):
    """The mask can be read off the brightness, so that no network is needed."""
    grey, inside = many.images[:, 0].long(), many.masks > 0
    below = [torch.bincount(part, minlength=256).cumsum(0) / len(part) for part in (grey[inside], grey[~inside])]
    assert float((below[0] - below[1]).abs().max()) < 0.3
    share = many.masks.float().mean((1, 2))
    assert 0.15 < float(share.min()) < float(share.max()) < 0.65
    assert 0.25 < float(share.mean()) < 0.5


def test_light_is_uneven_and_pictures_use_their_range(many):
    """A picture is flat, black or burnt out."""
    grey = many.images.float()
    assert float(grey.mean((1, 2, 3)).min()) > 70
    assert float(grey.mean((1, 2, 3)).max()) < 180
    assert float(((grey == 0) | (grey == 255)).float().mean()) < 0.01
    corners = F.avg_pool2d(grey, 43)[:, 0].flatten(1)
    assert float((corners.amax(1) - corners.amin(1)).mean()) > 10


def test_what_shows_is_where_the_truth_says(many):
    """Image and truth are shifted, mirrored or transposed against each other: relief lies on cells only."""
    smooth = F.avg_pool2d(many.images.float(), 5, 1, 2)
    relief = (smooth - F.avg_pool2d(smooth, 31, 1, 15, count_include_pad=False)).abs()[:, 0]
    cell = F.max_pool2d(many.masks.float()[:, None], 5, 1, 2)[:, 0] > 0

    def contrast(there: Tensor) -> float:
        return float(relief[there].mean() / relief[~there].mean())

    right = contrast(cell)
    assert right > 1.3
    for moved in (cell.flip(1), cell.flip(2), cell.transpose(1, 2), cell.roll(20, 2)):
        assert contrast(moved) < right - 0.2


def digest(made: Cells) -> str:
    return hashlib.sha256(made.images.numpy().tobytes() + made.instances.numpy().tobytes()).hexdigest()


def test_same_seed_same_bytes_in_another_process_too():
    """Pictures depend on a global generator, on hashing or on the order of calls."""
    code = (
        "import hashlib\nfrom crashcourse.datasets import cells\nmade = cells(3, seed=7, size=96)\n"
        "print(hashlib.sha256(made.images.numpy().tobytes() + made.instances.numpy().tobytes()).hexdigest())"
    )
    cells(2, seed=1)
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120).stdout
    assert there.strip() == digest(cells(3, seed=7, size=96))


def test_a_picture_does_not_depend_on_how_many_are_drawn_and_splits_differ():
    """A longer set begins otherwise, or a training picture is in the test set."""
    assert torch.equal(cells(2, seed=3).images, cells(4, seed=3).images[:2])
    drawn = [cells(6, seed=seed, split=split) for seed in range(3) for split in ("train", "test")]
    every = [image.numpy().tobytes() for made in drawn for image in made.images]
    assert len(set(every)) == len(every) == 36


def test_the_callers_random_states_are_left_alone():
    """A lesson's next random number depends on whether it drew cells."""
    torch.manual_seed(0)
    np.random.seed(0)
    cells(1, seed=0, size=48)
    drawn = float(torch.rand(())), np.random.rand()
    torch.manual_seed(0)
    np.random.seed(0)
    assert drawn == (float(torch.rand(())), np.random.rand())


def test_size_and_number_are_those_asked_for():
    """Arguments are ignored."""
    assert cells(1, seed=0, size=75).images.shape == (1, 1, 75, 75)
    assert {int(one.max()) for one in cells(8, seed=0, number=(1, 1)).instances} == {1}
    crowded = [int(one.max()) for one in cells(4, seed=0, size=160, number=(40, 50)).instances]
    assert min(crowded) > 25


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n": 0}, r"cells\(0\) must draw at least 1"),
        ({"n": 2.0}, "must draw"),
        ({"seed": -1}, "seed"),
        ({"size": 47}, "from 48 to 512 pixels, but is 47"),
        ({"size": 513}, "size"),
        ({"split": "tests"}, "Did you mean 'test'"),
        ({"number": (0, 3)}, "fewest and the most cells"),
        ({"number": (5, 3)}, "number"),
        ({"number": (1, 256)}, "1 to 255"),
    ],
)
def test_what_is_refused_and_in_which_words(arguments, words):
    """A slip gives a stack trace from NumPy, or cells without numbers."""
    with pytest.raises(CourseError, match=words):
        cells(**{"n": 1, "seed": 0, **arguments})
