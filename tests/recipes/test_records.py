"""Records: fields, files and tables."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from crashcourse import places
from crashcourse.errors import CourseError
from crashcourse.recipes import Record, gpu_cell, load_record, recipes, record_table, show_record
from crashcourse.recipes import showing as showing_module
from crashcourse.recipes.records import Seed


def seed(number: int, accuracy: float) -> Seed:
    return Seed(
        number, {"accuracy": accuracy, "loss": 1 - accuracy}, {"loss": [1.0, 1 - accuracy]}, 10.0 + number, 1234
    )


RECORD = Record(
    recipe="tiny",
    scale="study",
    date="2026-01-31",
    hardware="An Example CPU, 2 threads",
    versions={"torch": "2.15.0", "crashcourse": "0.1.0"},
    settings={"epochs": 3, "learning_rate": 0.1},
    variants={"narrow": [seed(0, 0.5), seed(1, 0.75), seed(2, 1.0)], "wide": [seed(0, 0.25)]},
)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("accuracy", 0.75),
        ("accuracy_std", 0.25),
        ("accuracy_min", 0.5),
        ("accuracy_max", 1.0),
        ("loss", 0.25),
        ("seeds", 3),
        ("seconds", 11.0),
        ("parameters", 1234),
        ("wide.accuracy", 0.25),
        ("wide.seeds", 1),
        ("total_seconds", 43.0),
        ("hardware", "An Example CPU, 2 threads"),
        ("date", "2026-01-31"),
        ("torch", "2.15.0"),
        ("epochs", 3),
    ],
)
def test_fields(path: str, value: float | str) -> None:
    """Fails if prose would quote another number than the one measured."""
    assert RECORD.field(path) == value


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("acuracy", "Did you mean 'accuracy'"),
        ("accuracy_mean", "Did you mean 'accuracy"),
        ("wde.accuracy", "Did you mean 'wide'"),
        ("wide.hardware", "no field in the record tiny.study named 'hardware'"),
        ("wide.accuracy_std", "holds one seed"),
        ("", "no field"),
        (".accuracy", "no variant"),
        ("a.b.c", "no variant"),
    ],
)
def test_unknown_fields_are_errors(path: str, sentence: str) -> None:
    """Fails if prose could quote a field that is not there."""
    with pytest.raises(CourseError) as caught:
        RECORD.field(path)
    assert sentence in str(caught.value)


def test_curves_per_seed() -> None:
    """Fails if a figure would draw another seed's or variant's curve."""
    assert RECORD.curves("loss") == [[1.0, 0.5], [1.0, 0.25], [1.0, 0.0]]
    assert RECORD.curves("loss", "wide") == [[1.0, 0.75]]
    with pytest.raises(CourseError, match="Did you mean 'loss'"):
        RECORD.curves("los")
    with pytest.raises(CourseError, match="variant"):
        RECORD.curves("loss", "other")


def test_file_round_trip_and_lookup() -> None:
    """Fails if a record changes on its way through its file, or is not found again."""
    assert load_record("tiny", "study") is None
    path = RECORD.write()
    assert path == places.records_dir() / "tiny.study.json"
    assert load_record("tiny", "study") == RECORD
    again = path.read_bytes()
    assert RECORD.write().read_bytes() == again


def test_an_installed_course_writes_into_the_learners_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Fails if a study writes into the installed package, its record is not found, or hides the course's own."""
    monkeypatch.setattr(places, "in_clone", lambda: False)
    assert RECORD.write() == tmp_path / "home" / "records" / "tiny.study.json"
    assert load_record("tiny", "study") == RECORD
    places.records_dir().mkdir()
    (places.records_dir() / "tiny.study.json").write_text(
        (tmp_path / "home" / "records" / "tiny.study.json").read_text().replace("2026-01-31", "2020-02-02")
    )
    assert load_record("tiny", "study") == replace(RECORD, date="2020-02-02")


def broken(**changes: Any) -> str:
    return json.dumps({**json.loads(RECORD.write().read_text()), **changes})


@pytest.mark.parametrize(
    "content",
    [
        lambda: "",
        lambda: RECORD.write().read_text()[:300],
        lambda: "[1]",
        lambda: "{}",
        lambda: broken(variants={}),
        lambda: broken(variants={"narrow": []}),
        lambda: broken(variants={"narrow": [{"seed": 0}]}),
        lambda: broken(odd=1),
        lambda: RECORD.write().read_text().replace('"accuracy": 0.5', '"accuracy": NaN'),
        lambda: RECORD.write().read_text().replace('"accuracy": 0.5', '"accuracy": "high"'),
    ],
)
def test_damaged_records_are_refused(content: Any, tmp_path: Path) -> None:
    """Fails if a cut or edited record reaches a lesson, or ends in a traceback."""
    text = content()
    places.records_dir().mkdir(exist_ok=True)
    (places.records_dir() / "tiny.study.json").write_text(text)
    with pytest.raises(CourseError, match=r"tiny\.study\.json"):
        load_record("tiny", "study")


def test_unknown_recipe_or_scale_is_refused() -> None:
    """Fails if a typing error in a lesson reads as "not yet recorded"."""
    with pytest.raises(CourseError, match="Did you mean 'tiny'"):
        load_record("tinny", "study")
    with pytest.raises(CourseError, match="Did you mean 'study'"):
        load_record("tiny", "studi")


TABLE = """\
tiny at study scale, 3 epochs
variant  seeds  parameters    test accuracy        test loss  seconds per run
narrow       3       1,234  0.7500 ± 0.2500  0.2500 ± 0.2500             11.0
wide         1       1,234           0.2500           0.7500             10.0
Recorded 2026-01-31 on An Example CPU, 2 threads, torch 2.15.0.
± is the standard deviation over seeds.
"""


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Fails if the table changes from build to build, or hides how many seeds stand behind a number."""
    assert record_table(RECORD) + "\n" == TABLE
    RECORD.write()
    show_record("tiny")
    assert capsys.readouterr().out == TABLE


def test_a_table_too_wide_for_a_notebook_goes_on_below() -> None:
    """Fails if a notebook breaks the lines of a record, if a column is lost, or if it comes twice."""
    names = [f"long_metric_{number}" for number in range(9)]
    runs = {
        name: [replace(run, metrics=dict.fromkeys(names, 0.5)) for run in RECORD.variants[name]]
        for name in RECORD.variants
    }
    lines = record_table(replace(RECORD, variants=runs)).splitlines()
    assert max(map(len, lines)) <= 100
    heads = [line for line in lines if line.startswith("variant  ")]
    assert len(heads) == 3
    assert "  ".join(heads).count("test long metric") == 9
    assert "seconds per run" in heads[2]
    assert [len(line) for line in lines if line.startswith("narrow")] == [len(head) for head in heads]


def test_what_is_not_recorded_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Fails if a missing record is imagined, or the way to make one is not named."""
    gpu_cell("tiny")
    show_record("tiny")
    assert capsys.readouterr().out == (
        "tiny at gpu scale: not yet recorded. With a GPU, run: crashcourse train tiny --scale gpu --seeds 3\n"
        "tiny at study scale: not yet recorded. To record it, run: crashcourse train tiny --scale study --seeds 3\n"
    )


def test_gpu_cell_trains_where_there_is_a_gpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fails if a GPU is left idle, if a build trains on one, or if missing data hides the record."""
    from crashcourse.recipes import Run
    from crashcourse.training import History

    calls: list[str] = []

    def fake(name: str, *, scale: str, seed: int) -> Run:
        calls.append(f"{name} {scale} {seed}")
        if seed == 1:
            raise CourseError("The full set is not on this computer.")
        return Run(torch.nn.Identity(), History(), {"accuracy": 0.94}, 1.0)

    monkeypatch.setattr(showing_module, "train", fake)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    gpu_cell("tiny")
    assert calls == []
    assert "not yet recorded" in capsys.readouterr().out
    monkeypatch.setenv("CRASHCOURSE_STATIC", "0")
    gpu_cell("tiny")
    assert calls == ["tiny gpu 0"]
    assert capsys.readouterr().out == "test accuracy ≈ 0.940\n"
    gpu_cell("tiny", seed=1)
    assert capsys.readouterr().out.startswith("The full set is not on this computer.\ntiny at gpu scale: not yet")
    with pytest.raises(CourseError, match="Did you mean"):
        gpu_cell("tinny")


def test_the_courses_own_records_are_whole() -> None:
    """Fails if a record that the project ships is damaged, of an unknown recipe, or of a variant that is gone."""
    folder = Path(__file__).parents[2] / "course" / "records"
    for path in folder.glob("*.json"):
        record = Record.read(path)
        assert path.name == f"{record.recipe}.{record.scale}.json"
        recipe = recipes()[record.recipe]
        assert record.settings == json.loads(json.dumps(recipe.scale(record.scale).settings())), f"{path.name} is stale"
        assert set(record.variants) <= set(recipe.variants)
        assert record_table(record)
