"""Histories: lookups, tables and files."""

import math
from pathlib import Path

import pytest

from crashcourse.errors import CourseError
from crashcourse.training import History

HISTORY = History([{"loss": 1.5, "accuracy": 0.25}, {"loss": 0.5, "accuracy": 0.75}], seconds=2.0)


def test_lookups() -> None:
    """Fails if curves or last values are of another epoch or metric."""
    assert HISTORY.last("accuracy") == 0.75
    assert HISTORY.curve("loss") == [1.5, 0.5]
    assert len(HISTORY) == 2


def test_table_marks_every_measured_number() -> None:
    """Fails if a table in a lesson could not be compared, because a measured number has no ≈ before it."""
    assert HISTORY.table() == "epoch   loss  accuracy\n    1  ≈ 1.5    ≈ 0.25\n    2  ≈ 0.5    ≈ 0.75"
    assert History().table() == "no whole epoch yet"


def test_file_round_trip_keeps_every_bit(tmp_path: Path) -> None:
    """Fails if a stored history loses digits, flags or non-finite numbers."""
    odd = History([{"loss": 0.1 + 0.2, "lost": math.inf}], seconds=1 / 3, interrupted=True)
    odd.save(tmp_path / "history.json")
    assert History.load(tmp_path / "history.json") == odd


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"epochs": [1], "seconds": 0, "interrupted": false}', '{"epochs": []}']
)
def test_broken_files_are_refused(content: str, tmp_path: Path) -> None:
    """Fails if a cut or foreign file becomes a history or a traceback."""
    path = tmp_path / "history.json"
    path.write_text(content)
    with pytest.raises(CourseError):
        History.load(path)
    with pytest.raises(CourseError, match="Could not read"):
        History.load(tmp_path / "none.json")


def test_missing_metrics_suggest_the_nearest() -> None:
    """Fails if a typing error gives a KeyError."""
    with pytest.raises(CourseError, match="Did you mean 'accuracy'"):
        HISTORY.last("acuracy")
    with pytest.raises(CourseError, match="no whole epoch"):
        History().last("loss")
