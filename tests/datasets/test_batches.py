"""Batches: the same rows for the same seed, in any process and after any interruption."""

import contextlib
import io
import subprocess
import sys
from functools import partial

import pytest
import torch

from crashcourse.datasets import Batches, cutout, random_crop, random_flip
from crashcourse.errors import CourseError

AUGMENT = (random_flip, partial(random_crop, pad=2), cutout)


def tensors(n: int = 50) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.arange(n).view(n, 1, 1, 1).expand(n, 1, 6, 6).to(torch.uint8).clone()
    return images, torch.arange(n)


def rows(batches: Batches, epoch: int) -> list[int]:
    return torch.cat([labels for _, labels in batches.epoch(epoch)]).tolist()


def same(left: Batches, right: Batches, epoch: int) -> bool:
    pairs = zip(left.epoch(epoch), right.epoch(epoch), strict=True)
    return all(torch.equal(a, b) for one, two in pairs for a, b in zip(one, two, strict=True))


def test_an_epoch_holds_every_row_once_in_an_order_of_its_own():
    batches = Batches(*tensors(), batch_size=16)
    assert sorted(rows(batches, 0)) == sorted(rows(batches, 1)) == list(range(50))
    assert rows(batches, 0) != rows(batches, 1) != list(range(50))
    assert [len(labels) for _, labels in batches] == [16, 16, 16, 2]
    assert len(batches) == 4


def test_images_and_labels_stay_together():
    for images, labels in Batches(*tensors(), batch_size=16, seed=3):
        assert torch.equal(images[:, 0, 0, 0].long(), labels)


def test_a_seed_gives_the_same_batches_and_another_seed_others():
    a, b, c = (Batches(*tensors(), batch_size=16, seed=seed, augment=AUGMENT) for seed in (5, 5, 6))
    assert same(a, b, 4)
    assert not same(a, c, 4)


def test_a_batch_does_not_depend_on_what_was_drawn_before_it():
    batches = Batches(*tensors(), batch_size=16, augment=AUGMENT)
    whole = list(batches.epoch(2))
    torch.manual_seed(99)
    resumed = list(batches.epoch(2, start=2))
    assert all(
        torch.equal(a, b) for one, two in zip(whole[2:], resumed, strict=True) for a, b in zip(one, two, strict=True)
    )


def test_another_process_draws_the_same():
    code = (
        "import torch; from crashcourse.datasets import Batches, random_flip, cutout\n"
        "x = torch.arange(4000).to(torch.uint8).view(40, 1, 10, 10)\n"
        "b = Batches(x, batch_size=8, seed=2, augment=[random_flip, cutout])\n"
        "print([int((i.long() * torch.arange(100).view(10, 10)).sum()) for i, in b.epoch(3)])"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    with contextlib.redirect_stdout(io.StringIO()) as here:
        exec(code, {})
    assert there == here.getvalue() != ""


def test_the_random_state_of_the_caller_is_left_alone():
    before = torch.get_rng_state()
    list(Batches(*tensors(), batch_size=16, augment=AUGMENT))
    assert torch.equal(before, torch.get_rng_state())


def test_augmentation_changes_images_alone_and_differs_by_epoch_and_batch():
    images = torch.randint(256, (1, 1, 8, 8)).expand(32, 1, 8, 8).contiguous().to(torch.uint8)
    masks = images.clone()
    batches = Batches(images, masks, batch_size=16, shuffle=False, augment=random_crop)
    (first, mask), (second, _) = batches.epoch(0)
    assert torch.equal(mask, images[:16])
    assert not torch.equal(first, second)
    assert not torch.equal(first, next(batches.epoch(1))[0])


@pytest.mark.parametrize("world", [2, 4])
@pytest.mark.parametrize("augment", [None, AUGMENT])
def test_the_shares_of_all_processes_are_the_batch_of_one(world, augment):
    whole = Batches(*tensors(48), batch_size=16, seed=1, augment=augment, transform=lambda x: x.float() / 255)
    shares = [whole.shard(rank, world) for rank in range(world)]
    for parts, batch in zip(zip(*(share.epoch(3) for share in shares), strict=True), whole.epoch(3), strict=True):
        for k in range(2):
            assert torch.equal(torch.cat([part[k] for part in parts]), batch[k])
    assert len(shares[0]) == len(whole)


def test_options_do_what_they_say():
    images, labels = tensors()
    plain = Batches(images, labels, batch_size=16, shuffle=False, drop_last=True, transform=lambda x: x.float() + 0.5)
    assert rows(plain, 7) == list(range(48))
    assert len(plain) == 3
    assert next(iter(plain))[0][1, 0, 0, 0] == 1.5
    three = Batches(images.expand(50, 3, 6, 6), batch_size=8, channels_last=True)
    (batch,) = next(iter(three))
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert "4 batches of 16 from 50 rows, share 1 of 2" in repr(Batches(images, batch_size=16).shard(1, 2))
    assert Batches(images, batch_size=16).to("meta").tensors[0].device.type == "meta"


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: Batches(batch_size=4), "one or more tensors"),
        (lambda: Batches(torch.zeros(()), batch_size=4), "first dimension"),
        (lambda: Batches(torch.zeros(3), torch.zeros(4), batch_size=2), "3, 4"),
        (lambda: Batches(torch.zeros(3), torch.zeros(3, device="meta"), batch_size=2), "different devices"),
        (lambda: Batches(torch.zeros(3), batch_size=0), "is 0"),
        (lambda: Batches(torch.zeros(3), batch_size=2.5), "2.5"),
        (lambda: Batches(torch.zeros(0), batch_size=2), "0 rows"),
        (lambda: Batches(torch.zeros(3), batch_size=4, drop_last=True), "3 rows"),
        (lambda: Batches(torch.zeros(8), batch_size=4).shard(2, 2), "rank = 2"),
        (lambda: Batches(torch.zeros(8), batch_size=3).shard(0, 2), "3 rows cannot be cut into 2"),
        (lambda: Batches(torch.zeros(9), batch_size=4).shard(0, 2), "drop_last=True"),
        (lambda: Batches(torch.zeros(8), batch_size=4).epoch(-1), "epoch(-1)"),
        (lambda: Batches(torch.zeros(8), batch_size=4).epoch(0, start=3), "start = 3"),
    ],
)
def test_bad_input_is_refused_with_what_came(call, says):
    with pytest.raises(CourseError) as caught:
        call()
    assert says in str(caught.value)
