"""Checkpoints: killed runs go on as if they had never stopped, and files are never trusted blindly."""

import multiprocessing
import os
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from training_helpers import TinyBatches, classify, same_weights, sgd, tiny_model

from crashcourse.errors import CourseError
from crashcourse.training import Checkpoint, History, Machine, cosine, fit, one_cycle
from crashcourse.training.checkpoint import random_state, restore_random_state


def noisy_step(model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Any]:
    """A step that draws from every generator that a checkpoint has to keep."""
    images, labels = batch
    images = images + 0.1 * torch.randn_like(images) + 0.1 * np.random.rand() + 0.1 * random.random()
    return classify(model, (images, labels))


def run(checkpoint: Checkpoint | Path | None, *, pause: float = 0.0, **changes: Any) -> tuple[nn.Module, History]:
    model = tiny_model(dropout=0.2)
    random.seed(5)
    np.random.seed(5)
    torch.manual_seed(5)

    def step(model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Any]:
        time.sleep(pause)
        return noisy_step(model, batch)

    def evaluate(model: nn.Module) -> dict[str, float]:
        return {"draw": float(torch.rand(()))}

    options: dict[str, Any] = {
        "epochs": 4,
        "optimizer": lambda p: torch.optim.AdamW(p, lr=0.01),
        "schedule": one_cycle(),
        "machine": Machine(device="cpu"),
        "progress": False,
        "accumulate": 2,
        **changes,
    }
    batches = options.pop("batches", TinyBatches(count=6))
    return model, fit(model, batches, step, evaluate=evaluate, checkpoint=checkpoint, **options)


def child(path: str, every: int | None, ready: Any, result: str) -> None:
    """One process of the kill test: train, and leave the result in a file."""
    torch.set_num_threads(1)
    ready.set()
    model, history = run(Checkpoint(path, every=every), pause=0.01)
    torch.save({"model": model.state_dict(), "epochs": history.epochs}, result)


@pytest.mark.parametrize("every", [None, 1, 4])
def test_killed_at_any_moment_and_resumed_equals_uninterrupted(every: int | None, tmp_path: Path) -> None:
    """Fails if SIGKILL at some point loses a batch, repeats one, or shifts a random draw."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["crashcourse.training", "accelerate", "training_helpers"])
    chance = random.Random(every or 0)
    result, kills = tmp_path / "result.pt", 0
    for attempt in range(60):
        ready = processes.Event()
        process = processes.Process(target=child, args=(str(tmp_path / "run.pt"), every, ready, str(result)))
        process.start()
        assert ready.wait(240)
        process.join(chance.uniform(0.05, 0.35) if attempt < 7 else 240)
        if process.is_alive():
            process.kill()
            process.join()
            kills += 1
        elif process.exitcode == 0:
            break
    expected, history = run(None)
    found = torch.load(result)
    assert kills >= 2
    assert found["epochs"] == history.epochs
    assert all(torch.equal(a, found["model"][name]) for name, a in expected.state_dict().items())


@pytest.mark.parametrize("stop_after", range(1, 24, 3))
def test_stopped_after_any_batch_and_resumed_equals_uninterrupted(stop_after: int, tmp_path: Path) -> None:
    """Fails if the position within an epoch, its running means or an update's group is not restored."""

    class StopError(Exception):
        pass

    class Stopping(TinyBatches):
        given = 0

        def epoch(self, index: int) -> Any:
            for batch in super().epoch(index):
                if Stopping.given == stop_after:
                    raise StopError
                Stopping.given += 1
                yield batch

    Stopping.given = 0
    checkpoint = Checkpoint(tmp_path / "run.pt", every=1)
    with pytest.raises(StopError):
        run(checkpoint, batches=Stopping(count=6))
    resumed, found = run(checkpoint)
    expected, history = run(None)
    assert found.epochs == history.epochs
    assert same_weights(resumed, expected)


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    """Fails if running a cell twice trains twice, or forgets the history."""
    first, history = run(tmp_path / "run.pt")
    again, found = run(tmp_path / "run.pt")
    assert same_weights(first, again)
    assert found.epochs == history.epochs
    assert found.seconds == pytest.approx(history.seconds, abs=0.2)


def test_a_cut_checkpoint_falls_back_to_the_one_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Fails if a damaged file ends the run, is used, or takes the older checkpoint with it."""
    path = tmp_path / "run.pt"
    expected, history = run(path)
    path.write_bytes(path.read_bytes()[:2000])
    resumed, found = run(path, progress=True)
    assert "run.pt cannot be read (it may be cut short); going on from the one before it" in capsys.readouterr().out
    assert same_weights(resumed, expected)
    assert found.epochs == history.epochs


def test_killed_between_the_two_renames_leaves_a_whole_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if there is a moment in which neither the old nor the new checkpoint would be found."""
    checkpoint = Checkpoint(tmp_path / "run.pt")
    checkpoint.write({"run": 1})
    real = os.replace

    def killed(source: Any, target: Any) -> None:
        if str(source).endswith(".next"):
            raise SystemExit
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(SystemExit):
            checkpoint.write({"run": 2})
    state, note = checkpoint.read()
    assert state is not None
    assert (state["run"], note) == (1, "")


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04" + b"\0" * 500])
def test_nothing_readable_is_a_sentence_and_nothing_is_deleted(content: bytes, tmp_path: Path) -> None:
    """Fails if an unreadable checkpoint is overwritten in silence."""
    path = tmp_path / "run.pt"
    path.write_bytes(content)
    with pytest.raises(CourseError, match=r"Could not read the checkpoint .*Delete it to train from the start"):
        run(path)
    assert path.read_bytes() == content


def test_a_pickle_that_runs_code_is_not_run(tmp_path: Path) -> None:
    """Fails if loading a checkpoint from a stranger can run a command."""

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "ran",)

    torch.save({"format": 1, "evil": Evil()}, tmp_path / "run.pt")
    with pytest.raises(CourseError):
        run(tmp_path / "run.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "label"),
    [
        ({"epochs": 5}, "number of epochs is 4, this run's is 5"),
        ({"accumulate": 1}, "batches per update"),
        ({"clip_norm": 1.0}, "clipping norm"),
        ({"optimizer": sgd}, "optimizer"),
        ({"optimizer": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.5)}, "optimizer"),
        ({"optimizer": lambda p: torch.optim.AdamW(p, lr=0.02)}, "learning rate"),
        ({"schedule": cosine()}, "schedule is OneCycleLR, this run's is CosineAnnealingLR"),
        ({"batches": TinyBatches(count=7)}, "number of batches"),
        ({"machine": Machine(device="cpu", precision="bf16")}, "precision"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(change: dict[str, Any], label: str, tmp_path: Path) -> None:
    """Fails if a run goes on from a checkpoint that it cannot have written."""
    run(tmp_path / "run.pt")
    with pytest.raises(CourseError, match="belongs to another run") as caught:
        run(tmp_path / "run.pt", **change)
    assert label in str(caught.value)


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    """Fails if weights of another shape end in torch's own traceback."""
    options: dict[str, Any] = {"epochs": 1, "optimizer": sgd, "progress": False, "checkpoint": tmp_path / "run.pt"}
    fit(tiny_model(), TinyBatches(), classify, **options)
    with pytest.raises(CourseError, match="its model is Sequential"):
        fit(tiny_model(batch_norm=False), TinyBatches(), classify, **options)


def test_a_failed_write_is_a_sentence_and_keeps_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if a full disk loses the checkpoint that was there."""
    path = tmp_path / "run.pt"
    Checkpoint(path).write({"run": 1})

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(CourseError, match="No space left on device"):
            Checkpoint(path).write({"run": 2})
    state, note = Checkpoint(path).read()
    assert state is not None
    assert (state["run"], note) == (1, "")


@pytest.mark.parametrize("every", [0, -1, 1.5])
def test_bad_checkpoint_settings_are_refused(every: Any, tmp_path: Path) -> None:
    """Fails if a wrong interval is found out only after the first epoch."""
    with pytest.raises(CourseError, match="counts batches"):
        Checkpoint("run.pt", every=every)
    with pytest.raises(CourseError, match="is a folder"):
        Checkpoint(tmp_path)


def test_random_state_round_trip() -> None:
    """Fails if one of the generators is forgotten or loses precision."""
    np.random.randn()  # leaves a cached Gaussian behind, which is part of the state
    state = random_state()
    draw = (random.random(), np.random.randn(), np.random.rand(), torch.rand(3))
    restore_random_state(state)
    again = (random.random(), np.random.randn(), np.random.rand(), torch.rand(3))
    assert draw[:3] == again[:3]
    assert torch.equal(draw[3], again[3])
