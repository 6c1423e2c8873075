"""Stopwatch, parts of epochs, epochs of different length, and stopping at a goal."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from training_helpers import TinyBatches, classify, same_weights, sgd, tiny_model

from crashcourse.errors import CourseError
from crashcourse.training import Checkpoint, History, Machine, clock, fit, staircase
from crashcourse.training.clock import PartsOfEpochs, Stopwatch, TimedBatches
from crashcourse.training.compiling import CompiledStep


class Sized:
    """Epochs of 2, 4 and 3 batches, each of 8 images."""

    sizes = (2, 4, 3)

    def __init__(self, rank: int = 0, world: int = 1) -> None:
        self.inner = TinyBatches(4, rank=rank, world=world)
        self.asked: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return self.sizes[0]

    def length(self, index: int) -> int:
        return self.sizes[index]

    def epoch(self, index: int, *, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        self.asked.append((index, start))
        return iter(list(self.inner.epoch(index))[start : self.sizes[index]])


def train(model: nn.Module, batches: Any, step: Any = classify, **options: Any) -> History:
    options = {"epochs": 3, "optimizer": sgd, "machine": Machine(device="cpu"), "progress": False, **options}
    return fit(model, batches, step, **options)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time on a clock that stands still unless a test moves it; the processor is three times as busy."""
    time = [0.0]
    monkeypatch.setattr(clock.time, "perf_counter", lambda: time[0])
    monkeypatch.setattr(clock.time, "process_time", lambda: 3 * time[0])
    return time


def test_a_stopwatch_counts_while_it_runs_and_is_not_paused(now: list[float]) -> None:
    """Fails if a pause is counted, or a pause of a watch that does not run is taken off."""
    watch = Stopwatch()
    with watch.paused():
        now[0] += 100
    for _ in range(2):
        now[0] += 10
        with watch.running():
            now[0] += 2
            with watch.paused():
                now[0] += 5
            now[0] += 1
    assert (watch.wall, watch.cpu) == (6, 18)


def test_a_stopwatch_stops_when_training_breaks(now: list[float]) -> None:
    """Fails if an error leaves the watch running, so that a pause would later be taken off."""
    watch = Stopwatch()

    def breaks() -> None:
        with watch.running():
            now[0] += 4
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        breaks()
    with watch.paused():
        now[0] += 9
    assert watch.wall == 4


def test_timed_batches_count_the_training_and_nothing_else(now: list[float]) -> None:
    """Fails if the last update of an epoch is left out, or an evaluation comes in."""

    def step(model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        now[0] += 1
        return classify(model, batch)

    def evaluate(model: nn.Module) -> dict[str, float]:
        now[0] += 1000
        return {"seconds": watch.wall}

    watch, updates = Stopwatch(), []
    model = tiny_model()
    rule = sgd(model.parameters())
    rule.register_step_post_hook(lambda *_: (updates.append(0), now.__setitem__(0, now[0] + 0.5)))
    history = train(model, TimedBatches(Sized(), watch), step, optimizer=rule, evaluate=evaluate)
    assert history.curve("seconds") == [3.0, 9.0, 13.5]
    assert len(updates) == 9


def test_parts_are_the_epoch_batch_by_batch() -> None:
    """Fails if a batch is lost, repeated or given to another part, or if skipped batches are made."""
    whole, inner = TinyBatches(7), _Startable(7)
    parts = PartsOfEpochs(inner, 3)
    assert [parts.length(index) for index in range(3)] == [2, 2, 3]
    for epoch in (0, 1):
        cut = [batch for part in range(3) for batch in parts.epoch(3 * epoch + part)]
        for (a, b), (c, d) in zip(cut, whole.epoch(epoch), strict=True):
            assert torch.equal(a, c)
            assert torch.equal(b, d)
    assert inner.starts == [0, 2, 4, 0, 2, 4]
    for parts_asked, sentence in ((8, "7 batches cannot be cut into 8"), (0, "at least 1 part; got 0")):
        with pytest.raises(CourseError, match=sentence):
            PartsOfEpochs(inner, parts_asked)


class _Startable(TinyBatches):
    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.starts: list[int] = []

    def epoch(self, index: int, *, start: int = 0) -> Iterator[Any]:
        self.starts.append(start)
        return iter(list(super().epoch(index))[start:])


def test_batches_around_others_are_cut_for_several_processes() -> None:
    """Fails if a process of several would train on everything, or the watch and the parts are lost on the way."""
    watch = Stopwatch()
    mine = TimedBatches(PartsOfEpochs(_Startable(4), 2), watch).shard(1, 2)
    assert isinstance(mine, TimedBatches)
    assert mine.stopwatch is watch
    assert isinstance(mine.batches, PartsOfEpochs)
    assert mine.length(1) == 2
    assert mine.batches.batches.rank == 1
    with pytest.raises(CourseError, match="Sized has no shard"):
        TimedBatches(Sized(), watch).shard(0, 2)


def test_epochs_may_differ_in_length() -> None:
    """Fails if a schedule gets a wrong total, or an epoch ends with another's number of batches."""
    totals: list[int] = []

    def schedule(optimizer: torch.optim.Optimizer, total: int) -> Any:
        totals.append(total)
        return staircase((0.5, 0.1))(optimizer, total)

    fitted, plain = tiny_model(), tiny_model()
    history = train(fitted, Sized(), schedule=schedule)
    assert totals == [9]
    assert len(history) == 3
    rule, batches, done = sgd(plain.parameters()), Sized(), 0
    plain.train()
    for epoch in range(3):
        for batch in batches.epoch(epoch):
            rule.param_groups[0]["lr"] = 0.05 if done < 4 else 0.005
            rule.zero_grad()
            classify(plain, batch)["loss"].backward()
            rule.step()
            done += 1
    assert same_weights(fitted, plain)
    train(tiny_model(), Sized(), schedule=schedule, accumulate=3)
    assert totals[1] == 1 + 2 + 1


def test_wrong_lengths_are_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    """Fails if batches that give more or fewer than they say train on; and the summary says how long epochs were."""
    for sizes, sentence in (
        ((2, 5, 3), r"is 5, but epoch\(1\) gave 4"),
        ((2, 3, 3), r"is 3, but epoch\(1\) gives more"),
    ):

        class Wrong(Sized):
            def length(self, index: int, sizes: tuple[int, ...] = sizes) -> int:
                return sizes[index]

        with pytest.raises(CourseError, match=sentence):
            train(tiny_model(), Wrong())
    train(tiny_model(), Sized(), progress=True)
    assert capsys.readouterr().out.startswith("trained 3 epochs of 2 to 4 batches: loss ≈ ")


def test_until_stops_after_the_first_epoch_at_which_it_is_true() -> None:
    """Fails if training goes on, or stops one epoch late."""
    accuracies = iter([0.2, 0.8, 0.9])
    history = train(
        tiny_model(),
        TinyBatches(),
        evaluate=lambda model: {"test_accuracy": next(accuracies)},
        until=lambda history: history.last("test_accuracy") >= 0.5,
    )
    assert history.curve("test_accuracy") == [0.2, 0.8]
    assert not history.interrupted


def test_a_run_that_reached_its_end_is_not_trained_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Fails if resuming a run that stopped at its goal goes on beyond it."""
    calls = [0]

    def step(model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        calls[0] += 1
        return classify(model, batch)

    options = {"until": lambda history: len(history) == 2, "checkpoint": Checkpoint(tmp_path / "run.pt")}
    first = train(tiny_model(), TinyBatches(), step, **options)
    again = train(tiny_model(), TinyBatches(), step, **options, progress=True)
    assert again.epochs == first.epochs
    assert calls == [10]
    assert "holds this whole run already" in capsys.readouterr().out


def test_stairs_by_hand() -> None:
    """Fails if a stair begins a step early or late, or factors multiply up."""
    rule = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.8)
    schedule = staircase((0.5, 0.25), (0.75, 0.125))(rule, 8)
    rates = []
    for _ in range(8):
        rates.append(rule.param_groups[0]["lr"])
        rule.step()
        schedule.step()
    assert rates == pytest.approx([0.8] * 4 + [0.2] * 2 + [0.1] * 2)


@pytest.mark.parametrize(
    ("stairs", "sentence"),
    [
        ([(0.0, 0.1)], "between 0 and 1"),
        ([(1.0, 0.1)], "between 0 and 1"),
        ([(0.7, 0.1), (0.5, 0.01)], r"rise between 0 and 1; got \[0\.7, 0\.5\]"),
        ([(0.5, 0.1), (0.5, 0.01)], "rise between"),
        ([(0.5, 0.0)], r"positive factors; got \[0\.0\]"),
    ],
)
def test_stairs_that_lead_nowhere(stairs: list[tuple[float, float]], sentence: str) -> None:
    """Fails if stairs out of order train with a rate that nobody asked for."""
    with pytest.raises(CourseError, match=sentence):
        staircase(*stairs)


def test_compiling_is_taken_out_of_the_time(now: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if the seconds of the compiler count as training, or are not told."""

    def slow(model: nn.Module, **options: Any) -> Any:
        def call(images: Tensor) -> Tensor:
            if not compiled:
                now[0] += 50
            compiled.append(1)
            return model(images)

        return call

    monkeypatch.setattr(torch, "compile", slow)
    compiled: list[int] = []
    watch = Stopwatch()
    step = CompiledStep(classify, watch)
    plain, fitted = tiny_model(dropout=0.3), tiny_model(dropout=0.3)
    torch.manual_seed(1)
    train(plain, TinyBatches())
    torch.manual_seed(1)
    train(fitted, TimedBatches(TinyBatches(), watch), step)
    assert (step.seconds, watch.wall, len(compiled)) == (50, 0, 1 + 15)
    assert same_weights(plain, fitted)
