"""Rungs of lesson 18's ladder in one process, in turns: seconds for the same garments; and stock against ours.

    pytest tests/benchmarks/test_speed.py --benchmark-only -s

One thread. Time per image is that of the best of a few short epochs, so that what else the machine does matters little;
what is bounded are ratios. The last test trains torchvision's ResNet-18 to the target: about a quarter of an hour.
"""

from dataclasses import replace

import pytest
import torch

from crashcourse.datasets import garments
from crashcourse.recipes import recipes, speed, time_to_accuracy
from crashcourse.recipes.base import Goal, train

ROUNDS = 3


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def short(monkeypatch):
    """Epochs of 1,280 garments, and 100 to look at."""
    import crashcourse.datasets as datasets

    monkeypatch.setattr(
        datasets,
        "garments",
        lambda split="train", *, size="subset": garments(split).take(1280 if split == "train" else 100),
    )
    recipe = recipes()["speed_garments"]
    few = replace(recipe.scales["study"], epochs=1, looks=1)
    monkeypatch.setitem(recipes(), "speed_garments", replace(recipe, scales={**recipe.scales, "study": few}))


def seconds(*rungs: str) -> dict[str, float]:
    """Seconds of one short epoch, the least of a few, the rungs taking turns; compilation is not in them."""
    found: dict[str, list[float]] = {rung: [] for rung in rungs}
    for _ in range(ROUNDS):
        for rung in rungs:
            run = train("speed_garments", scale="study", variant=rung, progress=False, goal=Goal(1e-9, 1))
            found[rung].append(run.metrics["cpu_seconds_to_target"])
    return {rung: min(values) for rung, values in found.items()}


@pytest.mark.parametrize(
    ("rung", "most"),
    [("channels_last", 1.0), ("in_memory", 0.9), ("label_smoothing", 1.1), ("nesterov", 1.1)],
)
def test_a_rung_against_the_one_that_it_stands_on(rung, most, short, benchmark):
    """Fails if a rung no longer saves what the lesson says that it saves on each image, or begins to cost time."""
    below = speed.RUNGS[rung].after
    times = seconds(below, rung)
    benchmark.extra_info["ratio"] = times[rung] / times[below]
    benchmark.pedantic(lambda: None, rounds=1)
    print(f"{rung}: {times[rung] / times[below]:.2f} of the time of {below}")
    assert times[rung] <= most * times[below]


@pytest.mark.parametrize("rung", ["bf16", "compile"])
def test_what_depends_on_the_machine_is_shown(rung, short, benchmark):
    """Fails if bf16 or compiled code does not run; whether it is faster, the machine decides, so that is only told."""
    below = speed.RUNGS[rung].after
    times = seconds(below, rung)
    benchmark.extra_info["ratio"] = times[rung] / times[below]
    benchmark.pedantic(lambda: None, rounds=1)
    print(f"{rung}: {times[rung] / times[below]:.2f} of the time of {below}")
    assert times[rung] > 0


def test_timing_costs_nothing(short, benchmark):
    """Fails if cutting epochs into parts and stopping a watch takes more than a twentieth of the training."""
    one = Goal(1 - 1e-9, 1)
    many = Goal(1 - 1e-9, 20)

    def cpu(goal: Goal) -> float:
        runs = (train("speed_garments", scale="study", progress=False, goal=goal) for _ in range(ROUNDS))
        return min(run.metrics["cpu_seconds_to_target"] for run in runs)

    ratio = cpu(many) / cpu(one)
    benchmark.extra_info["ratio"] = ratio
    benchmark.pedantic(lambda: None, rounds=1)
    print(f"20 looks an epoch: {ratio:.3f} of the training time with one")
    assert ratio < 1.05


def test_the_course_against_a_stock_loop_with_resnet18(benchmark):
    """Fails if the same target is not reached at least five times sooner than by what a learner would otherwise run."""
    ours, small, stock = (
        time_to_accuracy("speed_garments", speed.TARGET, scale="study", variant=variant)
        for variant in (speed.FASTEST, "stock_small", "stock_resnet18")
    )
    assert ours.reached
    assert small.reached
    assert stock.reached
    benchmark.extra_info |= {"network": stock.seconds / small.seconds, "loop": small.seconds / ours.seconds}
    benchmark.pedantic(lambda: None, rounds=1)
    print(
        f"ours {ours.seconds:.1f} s, stock loop with our network {small.seconds:.1f} s, with ResNet-18 "
        f"{stock.seconds:.0f} s: {stock.seconds / ours.seconds:.1f} times"
    )
    assert stock.seconds / ours.seconds >= 5
