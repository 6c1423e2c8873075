"""The ladder of lesson 18: each rung adds one thing, and does what it says."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from crashcourse.errors import CourseError
from crashcourse.recipes import classifier, recipes, speed, study, time_to_accuracy, train
from crashcourse.recipes.base import Goal, Job
from crashcourse.recipes.classifier import ClassifierSettings
from crashcourse.recipes.records import Record, Seed
from crashcourse.training import Checkpoint

VARIANTS = (*speed.LADDER, *speed.STOCK)
RECORDS = Path(__file__).parents[2] / "course" / "records"


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
            for f in fields(ClassifierSettings)
            if getattr(rung.settings, f.name) != getattr(below.settings, f.name)
        }
        assert len(changed) == 1
        assert rung.network == below.network


def test_the_courses_default_is_the_fastest_rung() -> None:
    """Fails if the course trains in another way than the ladder's fastest, as it is recorded."""
    assert speed.RUNGS[speed.FASTEST].settings == ClassifierSettings()
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


def test_settings_refuse_what_they_do_not_know() -> None:
    """Fails if a typing error trains with something else."""
    for options, sentence in (
        ({"optimizer": "adm"}, "Did you mean 'adam'"),
        ({"schedule": "onecycle"}, "Did you mean 'one_cycle'"),
        ({"data": "disk"}, "no data named 'disk'"),
        ({"smoothing": 1.0}, "below 1; got 1.0"),
    ):
        with pytest.raises(CourseError, match=sentence):
            ClassifierSettings(**options)
