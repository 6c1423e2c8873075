"""Augmentations: what would break is training itself, silently."""

from functools import partial

import pytest
import torch

from crashcourse.datasets import cutout, random_crop, random_flip
from crashcourse.errors import CourseError

EACH = [random_flip, partial(random_crop, pad=3), partial(cutout, size=4)]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(n: int = 64, dtype: torch.dtype = torch.uint8) -> torch.Tensor:
    return torch.randint(1, 256, (n, 3, 9, 8), generator=generator(7)).to(dtype)


@pytest.mark.parametrize("augment", EACH)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_same_generator_same_result_and_the_input_is_left_alone(augment, dtype):
    before = images(dtype=dtype)
    given = before.clone()
    first, again, other = (augment(given, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(given, before)
    assert (first.shape, first.dtype) == (before.shape, before.dtype)


@pytest.mark.parametrize("augment", EACH)
def test_a_batch_of_one_keeps_its_shape(augment):
    assert augment(images(1), generator()).shape == (1, 3, 9, 8)


def test_flip_gives_each_image_whole_or_its_mirror_half_the_time():
    given = images(2000)
    result = random_flip(given, generator())
    same = (result == given).flatten(1).all(1)
    mirrored = (result == given.flip(-1)).flatten(1).all(1)
    assert bool((same | mirrored).all())
    assert 900 < int(mirrored.sum()) < 1100  # 4.5 standard deviations


def test_flip_with_certainty_mirrors_all_and_with_none_nothing():
    given = images()
    assert torch.equal(random_flip(given, generator(), p=1.0), given.flip(-1))
    assert torch.equal(random_flip(given, generator(), p=0.0), given)


def test_crop_shifts_by_hand_worked_amounts_with_zeros_from_outside():
    one = torch.arange(1, 10, dtype=torch.uint8).view(1, 1, 3, 3).repeat(500, 1, 1, 1)
    seen = {tuple(image.flatten().tolist()) for image in random_crop(one, generator(), pad=1)}
    assert len(seen) == 9  # three shifts down by three across
    assert tuple(range(1, 10)) in seen
    assert (5, 6, 0, 8, 9, 0, 0, 0, 0) in seen  # up and left by one
    assert (0, 0, 0, 0, 1, 2, 0, 4, 5) in seen  # down and right by one


def test_crop_draws_every_shift_about_equally_often():
    place = torch.zeros(5000, 1, 7, 7)
    place[:, :, 3, 3] = 1
    counts = random_crop(place, generator(), pad=2).sum(0)[0, 1:6, 1:6]
    assert counts.sum() == 5000
    assert bool(((counts > 140) & (counts < 260)).all())  # 200 each, 4 standard deviations


def test_crop_with_a_pad_of_zero_changes_nothing():
    assert torch.equal(random_crop(images(), generator(), pad=0), images())


def test_cutout_zeroes_one_square_that_the_border_may_cut():
    result = cutout(torch.ones(4000, 2, 10, 10), generator(), size=4)
    cut = result == 0
    assert torch.equal(cut[:, 0], cut[:, 1])  # all channels alike
    rows, columns = cut[:, 0].any(2).sum(1), cut[:, 0].any(1).sum(1)
    assert torch.equal(cut[:, 0].flatten(1).sum(1), rows * columns)  # a full rectangle
    assert rows.unique().tolist() == [2, 3, 4]  # the centre is in the image: at least half of it is
    assert cut[:, 0].any(0).all()  # every pixel has its turn


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: random_flip(torch.zeros(3, 4, 4), generator()), "(3, 4, 4)"),
        (lambda: random_flip(images(), generator(), p=1.5), "p = 1.5"),
        (lambda: random_crop(images(), generator(), pad=-1), "pad = -1"),
        (lambda: cutout(images(), generator(), size=0), "size = 0"),
    ],
)
def test_bad_input_is_refused_with_what_came(call, says):
    with pytest.raises(CourseError) as caught:
        call()
    assert says in str(caught.value)
