"""Time to accuracy: where it stops, what it counts, what it refuses."""

import math
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from crashcourse.errors import CourseError
from crashcourse.recipes import classifier, recipes, time_to_accuracy, timing, train
from crashcourse.recipes.base import Goal, Job
from crashcourse.training import History


def scripted(monkeypatch: pytest.MonkeyPatch, accuracies: list[float], spend: float = 0.0) -> list[int]:
    """Have every look find the next of these accuracies, and take `spend` seconds on a clock that only tests move."""
    now, looks = [0.0], []

    def look(model: nn.Module, images: Tensor, labels: Tensor) -> dict[str, float]:
        looks.append(len(looks))
        now[0] += spend
        return {"accuracy": accuracies[len(looks) - 1], "loss": 1.0}

    def step(model: nn.Module, batch: Any) -> dict[str, Tensor]:
        now[0] += 1.0  # each batch takes a second
        return {"loss": next(model.parameters()).sum(), "accuracy": torch.tensor(0.5)}

    import crashcourse.training.clock as clock

    monkeypatch.setattr(classifier, "evaluate_classifier", look)
    monkeypatch.setattr(clock.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(clock.time, "process_time", lambda: 2 * now[0])
    real = classifier.train_on_garments
    monkeypatch.setattr(
        "crashcourse.recipes.garments.train_on_garments", lambda model, job: real(model, job, step=step)
    )
    return looks


def test_stops_at_the_first_look_that_reaches_the_target(few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if training goes on, or seconds, epochs or the curve are not those of that look. 4 batches an epoch."""
    looks = scripted(monkeypatch, [0.3, 0.5, 0.6, 0.4, 0.7, 0.9])
    found = time_to_accuracy("vgg_garments", 0.7, looks=2)
    assert (found.reached, found.accuracy, found.epochs) == (True, 0.7, 2.5)
    assert (found.seconds, found.cpu_seconds) == (10.0, 20.0)
    assert found.curve == ((2.0, 0.3), (4.0, 0.5), (6.0, 0.6), (8.0, 0.4), (10.0, 0.7))
    assert len(looks) == 5


def test_an_unreached_target_is_said(few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if a run that never was good enough counts as one that was, or does not end with its epochs."""
    scripted(monkeypatch, [0.3, 0.9, 0.6, 0.4])
    found = time_to_accuracy("vgg_garments", 0.95, looks=1)
    assert (found.reached, found.accuracy, found.epochs, found.seconds) == (False, 0.4, 4.0, 16.0)


def test_looking_costs_nothing(few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if evaluation counts as training, or is not reported apart: here each look takes 1,000 seconds."""
    scripted(monkeypatch, [0.1] * 7 + [0.8], spend=1000.0)
    found = time_to_accuracy("vgg_garments", 0.8, looks=4)
    assert (found.seconds, found.evaluation_seconds, found.epochs) == (8.0, 8000.0, 2.0)


def test_real_seconds_are_measured(few: None) -> None:
    """Fails if nothing real is timed: more training takes longer, by both clocks, and looking is not free."""
    found = time_to_accuracy("vgg_garments", 0.99)
    seconds = [at for at, _ in found.curve]
    assert len(seconds) == 16
    assert seconds == sorted(seconds)
    assert 0 < seconds[0] < found.seconds == seconds[-1]
    assert found.cpu_seconds > 0
    assert found.evaluation_seconds > 0
    assert found.compile_seconds == 0


def test_more_looks_do_not_change_what_is_learned(few: None) -> None:
    """Fails if cutting epochs into parts changes the order of the batches or the learning-rate schedule."""
    one, four = (train("vgg_garments", seed=3, progress=False, goal=Goal(0.9999, looks)).history for looks in (1, 4))
    assert four.curve("test_loss")[3::4] == one.curve("test_loss")
    assert train("vgg_garments", seed=3, progress=False).history.curve("test_loss") == one.curve("test_loss")


@pytest.mark.parametrize("name", sorted(name for name in recipes() if "garments" in name))
def test_every_classifier_can_be_timed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if a recipe trains its network around the goal, so that no time could be read; its teacher has none."""
    seen: list[Goal | None] = []

    def fake(model: nn.Module, job: Job, **options: Any) -> Any:
        if job.variant == "teacher":
            return SimpleNamespace(model=model, history=SimpleNamespace(interrupted=False))
        seen.append(job.goal)
        raise KeyboardInterrupt

    for module in [module for key, module in sys.modules.items() if key.startswith("crashcourse.recipes.")]:
        if hasattr(module, "train_on_garments"):
            monkeypatch.setattr(module, "train_on_garments", fake)
    monkeypatch.setattr("crashcourse.recipes.distillation._TEACHERS", {})
    with pytest.raises(KeyboardInterrupt):
        time_to_accuracy(name, 0.5, looks=3)
    assert seen == [Goal(0.5, 3)]


@pytest.mark.parametrize("target", [0, 1, -0.5, 87, "0.87", None, True, math.nan])
def test_a_target_is_a_part_of_one(target: Any) -> None:
    """Fails if per cent, or nothing, passes for an accuracy."""
    with pytest.raises(CourseError, match=r"above 0 and below 1, such as 0\.87; got"):
        time_to_accuracy("vgg_garments", target)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"recipe": "vgg_garment"}, "no recipe named 'vgg_garment'. Did you mean 'vgg_garments'"),
        ({"variant": "bm"}, "no variant of vgg_garments named 'bm'"),
        ({"scale": "huge"}, "no scale named 'huge'"),
        ({"seed": -1}, "A seed is a whole number"),
        ({"looks": 0}, "at least 1; got 0"),
        ({"looks": 2.5}, "at least 1; got 2.5"),
        ({"looks": 5}, "4 batches cannot be cut into 5 parts"),
        ({"recipe": "tiny"}, "tiny does not say when it was how accurate"),
    ],
)
def test_bad_arguments_are_sentences(few: None, arguments: dict[str, Any], sentence: str) -> None:
    """Fails if a slip ends in a traceback, or in a time that means nothing."""
    with pytest.raises(CourseError) as caught:
        time_to_accuracy(arguments.pop("recipe", "vgg_garments"), 0.5, **arguments)
    assert sentence in str(caught.value)


def test_half_a_run_has_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if a run that the learner stopped is taken for one that did not reach its target."""
    stopped = SimpleNamespace(history=History([{"seconds": 1.0, "test_accuracy": 0.1}], 1.0, True), metrics={})
    monkeypatch.setattr(timing, "train", lambda *arguments, **options: stopped)
    with pytest.raises(KeyboardInterrupt):
        time_to_accuracy("vgg_garments", 0.5)
