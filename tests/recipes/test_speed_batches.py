"""Batches of the ladder: the loader's, and those that grow."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from crashcourse import datasets
from crashcourse.errors import CourseError
from crashcourse.recipes import classifier, recipes
from crashcourse.recipes.settings import SCHEDULES, STAIRS, batch_sizes
from crashcourse.recipes.speed_batches import GrowingBatches, LoaderBatches
from crashcourse.training import Checkpoint, History, Machine, fit

RECORDS = Path(__file__).parents[2] / "course" / "records"


def test_the_loader_gives_the_same_numbers_as_the_batches_in_memory(few: None) -> None:
    """Fails if the rung "in memory" changes what is learned, and not only how long it takes."""
    images = datasets.garments("train")
    slow, fast = LoaderBatches(images, 16, seed=5), images.batches(16, seed=5, drop_last=True)
    assert len(slow) == len(fast) == 4
    for epoch, start in ((0, 0), (1, 0), (1, 3)):
        pairs = list(zip(slow.epoch(epoch, start=start), fast.epoch(epoch, start=start), strict=True))
        assert len(pairs) == 4 - start
        for (a, b), (c, d) in pairs:
            torch.testing.assert_close(a, c, rtol=0, atol=1e-5)
            assert torch.equal(b, d)


def test_the_loader_augments_and_draws_nothing_for_its_order(few: None) -> None:
    """Fails if augmentation is left out, or dropout would differ because the loader drew from its generator."""
    images = datasets.garments("train")
    state = torch.get_rng_state()
    plain = next(iter(LoaderBatches(images, 16).epoch(0)))[0]
    assert torch.equal(state, torch.get_rng_state())
    changed = next(iter(LoaderBatches(images, 16, augment=True).epoch(0)))[0]
    assert changed.shape == plain.shape
    assert not torch.equal(changed, plain)
    with pytest.raises(CourseError, match="64 images give no batch of 65"):
        LoaderBatches(images, 65)


def test_growing_the_batch_and_decaying_the_rate_by_hand() -> None:
    """Fails if the two do not keep rate / batch alike: 8 epochs, 128 and 0.05; ÷4 after a half, ÷16 after 3/4."""
    sizes = batch_sizes(128, 8, STAIRS)
    assert sizes == [128] * 4 + [512] * 2 + [2048] * 2
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.05)
    schedule = SCHEDULES["staircase"](optimizer, 8 * 79)
    rates = []
    for _ in range(8 * 79):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    by_epoch = [set(rates[epoch * 79 : (epoch + 1) * 79]) for epoch in range(8)]
    assert by_epoch == [{0.05}] * 4 + [{0.0125}] * 2 + [{0.003125}] * 2
    assert [rate / 128 for (rate,) in by_epoch] == pytest.approx([0.05 / size for size in sizes])


def test_growing_batches_see_every_image_once_in_every_epoch(few: None) -> None:
    """Fails if a larger batch leaves images out or repeats them, or counts its batches wrongly."""
    images = datasets.garments("train")
    growing = GrowingBatches(lambda size: images.batches(size, seed=1), [8, 8, 32, 64])
    assert [growing.length(epoch) for epoch in range(4)] == [8, 8, 2, 1]
    assert len(growing) == 8
    for epoch in range(4):
        labels = [batch[1] for batch in growing.epoch(epoch)]
        assert len(labels) == growing.length(epoch)
        assert torch.equal(torch.cat(labels).sort().values, images.labels.sort().values)
    with pytest.raises(CourseError, match="epoch 4 has none"):
        growing.epoch(4)
    with pytest.raises(CourseError, match="got none"):
        GrowingBatches(lambda size: images.batches(size), [])


def test_a_run_with_growing_batches_resumes_where_it_was(few: None, tmp_path: Path) -> None:
    """Fails if a killed run does not end as the uninterrupted one, whether it stops before or after the growth."""
    images = datasets.garments("train")
    batches = GrowingBatches(lambda size: images.batches(size, seed=1), [8, 16, 32])
    calls, stop = [0], [0]

    def step(model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        calls[0] += 1
        if calls[0] == stop[0]:
            raise KeyboardInterrupt
        return classifier.classify(model, batch)

    def run(path: Path | None) -> tuple[nn.Module, History]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.Dropout(0.5))
        keep = Checkpoint(path, every=1) if path else None
        options = {"epochs": 3, "schedule": SCHEDULES["one_cycle"], "machine": Machine(device="cpu")}
        rule = lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9)  # noqa: E731
        return model, fit(model, batches, step, optimizer=rule, checkpoint=keep, progress=False, **options)

    whole, history = run(None)
    assert calls[0] == 8 + 4 + 2
    for stop[0] in (5, 11, 14):
        calls[0], path = 0, tmp_path / f"{stop[0]}.pt"
        assert run(path)[1].interrupted
        stop[0] = 0
        again, resumed = run(path)
        assert resumed.epochs == history.epochs
        for a, b in zip(again.parameters(), whole.parameters(), strict=True):
            assert torch.equal(a, b)


def test_the_record_of_batch_sizes_is_of_these_ways() -> None:
    """Fails if the recorded study was of other batches or rates than the recipe now names."""
    path = RECORDS / "batch_garments.study.json"
    if not path.exists():
        pytest.skip("batch_garments is not yet recorded at study scale")
    values = json.loads(path.read_text())
    assert values["descriptions"] == dict(recipes()["batch_garments"].variants)
