"""Time to accuracy, the ladder, growing batches and sharpness."""

import json
import math
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from crashcourse import datasets
from crashcourse.errors import CourseError
from crashcourse.recipes import classifier, recipes, speed, study, time_to_accuracy, timing, train
from crashcourse.recipes.base import Goal, Job
from crashcourse.recipes.records import Record, Seed
from crashcourse.recipes.settings import SCHEDULES, STAIRS, TrainingSettings, batch_sizes
from crashcourse.recipes.speed_batches import GrowingBatches, LoaderBatches
from crashcourse.training import Checkpoint, History, Machine, fit

VARIANTS = (*speed.LADDER, *speed.STOCK)
RECORDS = Path(__file__).parents[2] / "course" / "records"


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 garments to train on and 64 to test, networks of width 4, batches of 16."""
    real = datasets.garments
    monkeypatch.setattr(datasets, "garments", lambda split="train", *, size="subset": real(split).take(64))
    for name in ("speed_garments", "vgg_garments"):
        recipe = recipes()[name]
        scales = {scale: replace(budget, width=4, batch_size=16) for scale, budget in recipe.scales.items()}
        monkeypatch.setitem(recipes(), name, replace(recipe, scales=scales))


# ---- time to accuracy


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

    module = sys.modules[recipes()[name].run.__module__]
    monkeypatch.setattr(module, "train_on_garments", fake)
    monkeypatch.setattr(module, "_TEACHERS", {}, raising=False)
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


# ---- the ladder


def test_each_rung_adds_one_thing() -> None:
    """Fails if two things change at once, or a rung stands on one above it."""
    for place, (name, rung) in enumerate(speed.RUNGS.items()):
        if name == "plain":
            assert rung.after == ""
            continue
        below = speed.RUNGS[rung.after]
        assert speed.LADDER.index(rung.after) < place
        changed = {
            f.name
            for f in fields(TrainingSettings)
            if getattr(rung.settings, f.name) != getattr(below.settings, f.name)
        }
        assert len(changed) == 1
        assert rung.network == below.network


def test_the_courses_default_is_the_fastest_rung() -> None:
    """Fails if the course trains in another way than the ladder's fastest, as it is recorded."""
    assert speed.RUNGS[speed.FASTEST].settings == TrainingSettings()
    assert recipes()["speed_garments"].default == speed.FASTEST
    path = RECORDS / "speed_garments.study.json"
    if not path.exists():
        pytest.skip("speed_garments is not yet recorded at study scale")
    record = Record.read(path)
    assert speed.fastest(record) == speed.FASTEST
    says = {name: {**speed.RUNGS, **speed.STOCK}[name].says for name in VARIANTS}
    assert {name: record.descriptions[name] for name in VARIANTS} == says
    assert min(len(runs) for runs in record.variants.values()) >= 3
    assert all(run.metrics["reached"] for runs in record.variants.values() for run in runs)


def record(**times: list[float]) -> Record:
    def run(number: int, seconds: float) -> Seed:
        reached = float(seconds > 0)
        metrics = {"reached": reached, "seconds_to_target": abs(seconds), "compile_seconds": 0.0}
        return Seed(number, metrics, {}, abs(seconds), 1)

    runs = {name: [run(*pair) for pair in enumerate(seconds)] for name, seconds in times.items()}
    return Record("speed_garments", "study", "2026-01-31", "a CPU", {}, {}, runs)


def test_the_fastest_rung_by_hand() -> None:
    """Fails if a tie changes the course, an unreached target counts (negative here), or compiling is free."""
    assert speed.fastest(record(plain=[9, 10], in_memory=[2, 3], nesterov=[4, 5])) == "in_memory"
    assert speed.fastest(record(plain=[1, 10], in_memory=[2, 4], nesterov=[4, 5])) == "nesterov"  # 4 is not below 4
    assert speed.fastest(record(in_memory=[2, 2.5], bf16=[1, 3], nesterov=[4, 5])) == "bf16"
    assert speed.fastest(record(in_memory=[2, -1], nesterov=[4, 5])) == "nesterov"
    assert speed.fastest(record(in_memory=[6, 7], nesterov=[4, -5])) == "in_memory"
    assert speed.fastest(record(in_memory=[2, 3], nesterov=[4, 5]), own="in_memory") == "in_memory"
    costly = record(compile=[1, 1], nesterov=[4, 5])
    for run in costly.variants["compile"]:
        run.metrics["compile_seconds"] = 30.0
    assert speed.fastest(costly) == "nesterov"
    with pytest.raises(CourseError, match="none is the fastest"):
        speed.fastest(record(plain=[-1, 3]))


@pytest.fixture
def seen(few: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """What really happens in a run: the optimizer's class and rates, smoothing, layout, dtype, the path of the data."""
    from torch.optim.optimizer import register_optimizer_step_pre_hook

    from crashcourse.recipes import speed_batches

    facts = SimpleNamespace(rules=[], smoothing=set(), layouts=set(), dtypes=set(), read=Counter(), compiled=[])
    real_network, real_loss, real_item = speed.small_vgg, classifier.F.cross_entropy, speed_batches.PerImage.__getitem__

    def network(**options: Any) -> nn.Module:
        model = real_network(**options)
        second = [m for m in model.modules() if isinstance(m, nn.Conv2d)][1]

        def hook(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
            last = [t.is_contiguous(memory_format=torch.channels_last) for t in (inputs[0], module.weight)]
            if module.training:
                facts.layouts.add(all(last) if all(last) or not any(last) else "mixed")
                facts.dtypes.add(output.dtype)

        second.register_forward_hook(hook)
        return model

    def loss(scores: Tensor, labels: Tensor, **options: Any) -> Tensor:
        if scores.requires_grad:
            facts.smoothing.add(options.get("label_smoothing"))
        return real_loss(scores, labels, **options)

    def item(self: Any, index: int) -> Any:
        facts.read[index] += 1
        return real_item(self, index)

    def compile_eagerly(model: nn.Module, **options: Any) -> nn.Module:
        facts.compiled.append(model)
        return real_compile(model, backend="eager", **options)

    real_compile = torch.compile
    monkeypatch.setattr(torch, "compile", compile_eagerly)
    monkeypatch.setattr(speed, "small_vgg", network)
    monkeypatch.setattr(classifier.F, "cross_entropy", loss)
    monkeypatch.setattr(speed_batches.PerImage, "__getitem__", item)
    handle = register_optimizer_step_pre_hook(
        lambda rule, *_: facts.rules.append((type(rule), {**rule.param_groups[0], "params": None}))
    )
    yield facts
    handle.remove()


SGD, ADAM = torch.optim.SGD, torch.optim.Adam


@pytest.mark.parametrize(
    ("name", "rule", "momentum", "moves", "smoothing", "last", "dtype", "loader", "compiled"),
    [
        ("plain", SGD, 0, False, 0.0, False, torch.float32, True, False),
        ("momentum", SGD, 0.9, False, 0.0, False, torch.float32, True, False),
        ("adam", ADAM, None, False, 0.0, False, torch.float32, True, False),
        ("one_cycle", ADAM, None, True, 0.0, False, torch.float32, True, False),
        ("label_smoothing", ADAM, None, True, 0.1, False, torch.float32, True, False),
        ("channels_last", ADAM, None, True, 0.0, True, torch.float32, True, False),
        ("bf16", ADAM, None, True, 0.0, True, torch.bfloat16, True, False),
        ("in_memory", ADAM, None, True, 0.0, True, torch.float32, False, False),
        ("nesterov", SGD, 0.9, True, 0.0, True, torch.float32, False, False),
        ("compile", SGD, 0.9, True, 0.0, True, torch.float32, False, True),
        ("stock_small", ADAM, None, False, 0.0, False, torch.float32, True, False),
    ],
)
def test_every_rung_does_what_it_says(
    seen: SimpleNamespace,
    name: str,
    rule: type,
    momentum: float | None,
    moves: bool,
    smoothing: float,
    last: bool,
    dtype: torch.dtype,
    loader: bool,
    compiled: bool,
) -> None:
    """Fails if a rung's time is that of another way to train. What is looked at is the run itself, not its settings."""
    run = train("speed_garments", scale="study", variant=name, progress=False, goal=Goal(0.01, 2))
    assert len(run.history) == 1  # any accuracy is enough
    assert {kind for kind, _ in seen.rules} == {rule}
    groups = [group for _, group in seen.rules]
    assert {group.get("momentum") for group in groups} == {momentum}
    assert {group.get("nesterov", False) for group in groups} == {name in ("nesterov", "compile")}
    rates = [group["lr"] for group in groups]
    assert len(set(rates)) == (len(rates) if moves else 1)
    rung = {**speed.RUNGS, **speed.STOCK}[name]
    assert set(rates) == {rung.learning_rate} if not moves else max(rates) <= (rung.learning_rate or 0.05)
    assert {group["weight_decay"] for group in groups} == {0.0 if rule is ADAM else 5e-4}
    assert seen.smoothing == {smoothing}
    assert seen.layouts == {last}
    assert seen.dtypes == {dtype}
    assert sum(seen.read.values()) == (32 if loader else 0)  # half an epoch of 64
    assert bool(seen.compiled) == compiled
    assert run.metrics["compile_seconds"] > 0 if compiled else run.metrics["compile_seconds"] == 0


def test_compiling_leaves_training_as_it_was(seen: SimpleNamespace) -> None:
    """Fails if the compiler's own pass changes weights, statistics or dropout, or stays behind on the model."""
    runs = [train("speed_garments", variant=v, progress=False, goal=Goal(0.99, 2)) for v in ("nesterov", "compile")]
    plain, compiled = (run.history.curve("test_loss") for run in runs)
    assert compiled == pytest.approx(plain, abs=1e-5)
    assert set(runs[0].model.state_dict()) == set(runs[1].model.state_dict())
    assert type(runs[1].model) is type(runs[0].model)


def test_without_a_compiler_there_is_a_sentence(few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if a machine without g++ answers with a page of frames, or another error is blamed on the compiler."""

    def broken(model: nn.Module, **options: Any) -> Any:
        def call(images: Tensor) -> Tensor:
            raise RuntimeError(message)

        return call

    monkeypatch.setattr(torch, "compile", broken)
    message = "InvalidCxxCompiler: No working C++ compiler found"
    with pytest.raises(CourseError, match=r"needs a C\+\+ compiler, and none was found"):
        train("speed_garments", variant="compile", progress=False)
    message = "out of memory"
    with pytest.raises(RuntimeError, match="out of memory"):
        train("speed_garments", variant="compile", progress=False)


def test_the_stock_resnet_trains_and_is_torchvisions(few: None) -> None:
    """Fails if the comparison runs another network: 11,172,810 parameters, maps of 28×28 in the first stage."""
    model = speed.stock_resnet18()
    assert sum(p.numel() for p in model.parameters()) == 11_172_810
    sizes: list[torch.Size] = []
    model.layer1.register_forward_hook(lambda module, inputs, output: sizes.append(output.shape))
    assert model.eval()(torch.zeros(1, 1, 28, 28)).shape == (1, 10)
    assert sizes == [torch.Size([1, 64, 28, 28])]
    found = time_to_accuracy("speed_garments", 0.01, variant="stock_resnet18", looks=1)
    assert found.reached
    assert found.epochs == 1


def test_the_gpu_scale_runs(few: None) -> None:
    """Fails if the recipe for a GPU breaks before its budget matters: here on the CPU, narrow, for one epoch."""
    found = time_to_accuracy("speed_garments", 0.01, scale="gpu", looks=1)
    assert found.reached
    scale = recipes()["speed_garments"].scales["gpu"]
    assert (scale.target, scale.data, scale.augment) == (0.94, "full", True)


def test_a_study_of_speed_takes_rungs_in_turns_and_times_whole_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if a disturbance could meet one variant alone, or a resumed run is timed."""
    import tiny_recipe

    asked: list[Checkpoint | None] = []

    def run(job: Job) -> Any:
        asked.append(job.checkpoint)
        return tiny_recipe.run(job)

    monkeypatch.setitem(recipes(), "tiny", replace(tiny_recipe.TINY, run=run, timed=True))
    found = study("tiny", seeds=2)
    assert tiny_recipe.TRAINED == [("narrow", 0), ("wide", 0), ("narrow", 1), ("wide", 1)]
    assert [run.seed for run in found.variants["wide"]] == [0, 1]
    assert asked == [None] * 4


# ---- batches


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


# ---- sharpness


class Weights(nn.Module):
    """A network that gives its weights as scores, so that a loss of them is what a test writes down."""

    def __init__(self, *values: float) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(values))

    def forward(self, images: Tensor) -> Tensor:
        return self.w.expand(len(images), -1)


IMAGES, LABELS = torch.zeros(4, 1, 2, 2), torch.zeros(4, dtype=torch.int64)


def bowl(scores: Tensor, labels: Tensor) -> Tensor:
    """3 a² + b², the mean over the batch."""
    return (3 * scores[:, 0] ** 2 + scores[:, 1] ** 2).mean()


def test_sharpness_of_a_quadratic_by_hand() -> None:
    """Fails if the box, its corner or the loss at the start is wrong.

    At (1, -2) with epsilon 0.1: reaches 0.2 and 0.3, corner (1.2, -2.3): 3 · 1.44 + 5.29 - (3 + 4) = 2.61.
    """
    assert speed.sharpness(Weights(1.0, -2.0), IMAGES, LABELS, epsilon=0.1, loss=bowl) == pytest.approx(2.61, abs=1e-5)
    assert speed.sharpness(Weights(1.0, -2.0), IMAGES, LABELS, epsilon=0.1, loss=bowl, batch_size=3) == pytest.approx(
        2.61, abs=1e-5
    )
    one = speed.sharpness(Weights(1.0, -2.0), IMAGES, LABELS, epsilon=0.1, steps=1, loss=bowl)
    assert one == pytest.approx(3 * 1.05**2 + 2.075**2 - 7, abs=1e-5)  # a quarter of the way


def test_a_flat_place_is_not_sharp_and_the_weights_stay() -> None:
    """Fails if the rise can be negative, or the model is left at the corner of the box."""
    model = Weights(0.5, 3.0)
    assert speed.sharpness(model, IMAGES, LABELS, loss=lambda scores, labels: 0 * scores.sum()) == 0
    assert speed.sharpness(model, IMAGES, LABELS, loss=bowl) > 0
    assert model.w.tolist() == [0.5, 3.0]
    assert model.w.grad is None


def test_sharpness_leaves_a_real_network_as_it_was() -> None:
    """Fails if statistics or weights move, also where the loss breaks on the way."""
    garments = datasets.garments("test").take(64)
    torch.manual_seed(0)
    model = speed.small_vgg(width=4).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    rise = speed.sharpness(model, garments.normalised(), garments.labels)
    assert 0 < rise < speed.sharpness(model, garments.normalised(), garments.labels, epsilon=1e-2)
    calls = [0]

    def breaks(scores: Tensor, labels: Tensor) -> Tensor:
        calls[0] += 1
        if calls[0] == 3:
            raise RuntimeError("no")
        return nn.functional.cross_entropy(scores, labels)

    with pytest.raises(RuntimeError, match="no"):
        speed.sharpness(model, garments.normalised(), garments.labels, loss=breaks)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [({"epsilon": 0.0}, "above 0; got 0.0"), ({"steps": 0}, "4 images, 0 steps"), ({"empty": True}, "got 0 images")],
)
def test_sharpness_refuses_what_has_none(options: dict[str, Any], sentence: str) -> None:
    """Fails if an empty box or an empty set is measured as flat."""
    images = IMAGES[:0] if options.pop("empty", False) else IMAGES
    with pytest.raises(CourseError, match=sentence):
        speed.sharpness(Weights(1.0), images, LABELS[: len(images)], **options)


def test_settings_refuse_what_they_do_not_know() -> None:
    """Fails if a typing error trains with something else."""
    for options, sentence in (
        ({"optimizer": "adm"}, "Did you mean 'adam'"),
        ({"schedule": "onecycle"}, "Did you mean 'one_cycle'"),
        ({"data": "disk"}, "no data named 'disk'"),
        ({"smoothing": 1.0}, "below 1; got 1.0"),
    ):
        with pytest.raises(CourseError, match=sentence):
            TrainingSettings(**options)


def test_the_record_of_batch_sizes_is_of_these_ways() -> None:
    """Fails if the recorded study was of other batches or rates than the recipe now names."""
    path = RECORDS / "batch_garments.study.json"
    if not path.exists():
        pytest.skip("batch_garments is not yet recorded at study scale")
    values = json.loads(path.read_text())
    assert values["descriptions"] == dict(recipes()["batch_garments"].variants)
