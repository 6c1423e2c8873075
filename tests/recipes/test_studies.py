"""Studies: what they run, keep, write and refuse."""

import contextlib
import json
import multiprocessing
import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny_recipe
import torch
from safetensors.torch import load_file

from crashcourse import files, places
from crashcourse.errors import CourseError
from crashcourse.recipes import load_record, recipes, study, train
from crashcourse.recipes.base import Job, Run
from crashcourse.recipes.records import Record

ALL = [("narrow", 0), ("narrow", 1), ("wide", 0), ("wide", 1)]


def test_a_study_records_what_its_runs_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """Fails if a seed or variant is left out, or a number is not the one that the run gave."""
    record = study("tiny", seeds=2)
    assert tiny_recipe.TRAINED == ALL
    assert load_record("tiny", "study") == record
    for variant, seed in ALL:
        run = train("tiny", scale="study", variant=variant, seed=seed)
        found = record.variants[variant][seed]
        assert (found.seed, found.metrics) == (seed, dict(run.metrics))
        assert found.curves == {name: run.history.curve(name) for name in ("loss", "accuracy")}
    assert record.field("narrow.parameters") == 16 * 8 + 8 + 8 * 2 + 2
    assert record.versions["torch"] == torch.__version__
    assert record.field("epochs") == 3
    assert "thread" in record.hardware
    out = capsys.readouterr().out
    assert out.startswith("tiny at study scale: narrow, wide; 2 seeds each, on ")
    assert out.count("wide, seed 1: test accuracy") == 1
    assert out.endswith("written: tiny.study.json in records/\n")
    assert not (places.home_dir() / "studies" / "tiny.study").exists()


def test_variants_and_scales_can_be_chosen() -> None:
    """Fails if --scale or a list of variants is ignored."""
    assert list(study("tiny", scale="laptop", seeds=1).variants) == ["narrow"]
    assert list(study("tiny", seeds=1, variants=["wide", "wide"]).variants) == ["wide"]


def stop_at(monkeypatch: pytest.MonkeyPatch, position: int, how: str) -> None:
    """Make the tiny recipe stop in its run number `position`: interrupted inside `fit`, or killed outside of it."""
    calls = [0]

    def run(job: Job) -> Run:
        calls[0] += 1
        if calls[0] == position and how == "killed":
            raise SystemExit
        done = tiny_recipe.run(job)
        if calls[0] == position:
            done.history.interrupted = True
        return done

    monkeypatch.setitem(recipes(), "tiny", replace(tiny_recipe.TINY, run=run))


@pytest.mark.parametrize("how", ["interrupted", "killed"])
def test_finished_runs_are_kept_and_no_record_is_written_before_the_end(
    how: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fails if a stopped study writes a record, trains finished runs again, or gives another record in the end."""
    expected = study("tiny", seeds=2)
    (places.records_dir() / "tiny.study.json").unlink()
    with monkeypatch.context() as patch:
        stop_at(patch, 3, how)
        with pytest.raises(KeyboardInterrupt if how == "interrupted" else SystemExit):
            study("tiny", seeds=2)
    assert load_record("tiny", "study") is None
    tiny_recipe.TRAINED.clear()
    capsys.readouterr()
    record = study("tiny", seeds=2)
    assert ALL[2:] == tiny_recipe.TRAINED
    assert capsys.readouterr().out.count("(kept from before)") == 2
    metrics = [{v: [run.metrics for run in runs] for v, runs in r.variants.items()} for r in (record, expected)]
    assert metrics[0] == metrics[1]


def test_results_of_another_budget_or_damaged_ones_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if a record mixes runs of two budgets, or trusts a cut file."""
    with monkeypatch.context() as patch:
        stop_at(patch, 4, "killed")
        with pytest.raises(SystemExit):
            study("tiny", seeds=2)
    kept = sorted((places.home_dir() / "studies" / "tiny.study").glob("*.json"))
    assert len(kept) == 3
    kept[0].write_text(kept[0].read_text()[:20])
    tiny_recipe.TRAINED.clear()
    with monkeypatch.context() as patch:
        stop_at(patch, 2, "killed")
        with pytest.raises(SystemExit):
            study("tiny", seeds=2)
    assert tiny_recipe.TRAINED == [("narrow", 0)]
    longer = replace(tiny_recipe.TINY.scales["study"], epochs=4)
    monkeypatch.setitem(recipes(), "tiny", replace(tiny_recipe.TINY, scales={"study": longer}))
    tiny_recipe.TRAINED.clear()
    record = study("tiny", seeds=2)
    assert tiny_recipe.TRAINED == ALL
    assert {len(run.curves["loss"]) for runs in record.variants.values() for run in runs} == {4}


def test_gpu_scale_writes_weights_of_the_first_seed_with_a_card() -> None:
    """Fails if the weights are of another run than the card says, or one of the two files is missing."""
    record = study("tiny", scale="gpu", seeds=2)
    weights = load_file(places.records_dir() / "tiny.gpu.safetensors")
    model = train("tiny", scale="gpu", seed=0).model
    for name, value in model.state_dict().items():
        assert torch.equal(weights[name], value.half())
    card = (places.records_dir() / "tiny.gpu.md").read_text()
    assert card.startswith("# tiny.gpu.safetensors\n")
    for part in (
        "seed 0",
        "noise, free",
        "MIT",
        f"{record.variants['narrow'][0].metrics['accuracy']:.4f}",
        record.date,
    ):
        assert part in card


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"name": "tinny"}, "Did you mean 'tiny'"),
        ({"name": "tiny", "scale": "huge"}, "no scale named 'huge'"),
        ({"name": "tiny", "seeds": 0}, "at least 1 seed; got 0"),
        ({"name": "tiny", "seeds": 1.5}, "got 1.5"),
        ({"name": "tiny", "variants": ["wid"]}, "Did you mean 'wide'"),
        ({"name": "tiny", "variants": "wide"}, "a list of names"),
        ({"name": "tiny", "variants": []}, "a list of names"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    """Fails if a study starts with arguments that it cannot follow."""
    with pytest.raises(CourseError) as caught:
        study(**arguments)
    assert sentence in str(caught.value)
    assert tiny_recipe.TRAINED == []


def test_two_processes_at_one_study_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if two shells can write into one study."""
    folder = places.home_dir() / "studies" / "tiny.study"
    with files.locked(folder), pytest.raises(CourseError, match="Another process is using"):
        study("tiny", seeds=1)


def test_a_folder_that_cannot_be_written_is_a_sentence_and_results_are_kept() -> None:
    """Fails if hours of training are lost because the last step could not write."""
    places.records_dir().write_text("a file where the folder should be")
    with pytest.raises(CourseError, match="Could not write"):
        study("tiny", seeds=1)
    places.records_dir().unlink()
    tiny_recipe.TRAINED.clear()
    study("tiny", seeds=1)
    assert tiny_recipe.TRAINED == []


def one_of_two(rank: int, port: int, folder: str) -> None:
    """One process of a study, with the variables that torchrun sets."""
    torch.set_num_threads(1)
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}
    os.environ |= {name: str(value) for name, value in {**group, "RANK": rank, "LOCAL_RANK": rank}.items()}
    os.environ |= {"OMP_NUM_THREADS": "1", "CRASHCOURSE_HOME": f"{folder}/home"}
    places.records_dir = lambda: Path(folder)
    tiny_recipe.install()
    with open(f"{folder}/{rank}.txt", "w") as file, contextlib.redirect_stdout(file):
        study("tiny", scale="laptop", seeds=2)


def test_of_two_processes_one_reports_and_writes_the_record_of_one(tmp_path: Path) -> None:
    """Fails if two processes write or report twice, or reach another result than one."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
    fork = multiprocessing.get_context("forkserver")
    fork.set_forkserver_preload(["crashcourse.recipes", "accelerate", "tiny_recipe"])
    processes = [fork.Process(target=one_of_two, args=(rank, port, str(tmp_path))) for rank in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
    assert [process.exitcode for process in processes] == [0, 0]
    report = (tmp_path / "0.txt").read_text()
    assert report.count("written: tiny.laptop.json") == report.count("narrow, seed 1") == 1
    assert (tmp_path / "1.txt").read_text() == ""
    one, two = study("tiny", scale="laptop", seeds=2), Record.read(tmp_path / "tiny.laptop.json")
    assert "2 threads" in two.hardware
    for a, b in zip(one.variants["narrow"], two.variants["narrow"], strict=True):
        assert a.metrics == pytest.approx(b.metrics, abs=1e-6)


def test_records_are_plain_json() -> None:
    """Fails if a record could not be read without this course."""
    study("tiny", scale="laptop", seeds=1)
    values = json.loads((places.records_dir() / "tiny.laptop.json").read_text())
    assert values["variants"]["narrow"][0]["metrics"]["accuracy"] <= 1
    assert list(values)[:4] == ["recipe", "scale", "date", "hardware"]
