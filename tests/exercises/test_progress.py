"""Progress: kept across kernels, safe with two notebooks open, never lost, never in the way."""

import json
import os
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from crashcourse.errors import CourseError
from crashcourse.exercises import hint_text, progress_file, progress_table, solution_text


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CRASHCOURSE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(progress_file, "_unsaved", {})
    return tmp_path / "home"


def entry(name: str) -> progress_file.Entry:
    return progress_file.entries()[0][name]


def test_verdicts_and_attempts_are_kept() -> None:
    """Else a learner would begin anew with every kernel."""
    for verdict in ("error", "passed", "wrong"):
        assert progress_file.record_check("start.to_float", verdict) == ""
    found = entry("start.to_float")
    assert (found.best, found.last, found.attempts) == ("passed", "wrong", 3)
    assert len(found.passed) == 10


def test_an_untouched_cell_leaves_no_trace(home: Path) -> None:
    """Else Run All would count as an attempt at everything."""
    progress_file.record_check("start.to_float", "not attempted")
    assert not home.exists()


def test_two_processes_lose_nothing(home: Path) -> None:
    """Else two open notebooks would overwrite each other."""
    code = "import sys; from crashcourse.exercises.progress_file import record_check\n"
    code += "for name in [sys.argv[1], 'both.same'] * 40: assert not record_check(name, 'wrong')"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    workers = [subprocess.Popen([sys.executable, "-c", code, name], env=environment) for name in ("one.a", "two.b")]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    assert [entry(name).attempts for name in ("one.a", "two.b", "both.same")] == [40, 40, 80]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[]",
        b'{"version": 1}',
        b'{"version": 1, "exercises": {"a.b": 3}}',
        b'{"version": 1, "exercises": {"a.b": {"attempts": "many"}}}',
        b'{"version": 1, "exercises": {"a.b": {"best": "splendid"}}}',
        b'{"version": 1, "exercises": []}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_file_is_put_aside_and_said(home: Path, content: bytes) -> None:
    """Else one bad byte would stop every check, or silently delete what was done."""
    home.mkdir()
    for number in (1, 2):
        (home / "progress.json").write_bytes(content)
        assert f"progress.json.broken-{number}" in progress_file.record_check("start.to_float", "passed")
        assert (home / f"progress.json.broken-{number}").read_bytes() == content
    assert entry("start.to_float").best == "passed"


def test_a_file_of_a_newer_course_is_left_alone(home: Path) -> None:
    """Else going back to an older version would destroy progress."""
    home.mkdir()
    text = json.dumps({"version": 99, "exercises": {}})
    (home / "progress.json").write_text(text)
    assert "another version" in progress_file.record_check("start.to_float", "passed")
    assert (home / "progress.json").read_text() == text


def test_a_home_that_cannot_be_written_does_not_stop_a_check(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a read-only folder would end the lesson."""
    home.write_text("a file where the folder should be")
    from crashcourse.exercises import answer, exercise
    from crashcourse.exercises.start import to_float

    exercise("start.to_float")(to_float)
    answer("start.guessing", 0.1)
    shown = capsys.readouterr().out
    assert shown.count("✓ Passed") == 2
    assert shown.count("Progress could not be kept") == 2
    assert "Hint 1/3" in hint_text("start.to_float")
    assert "Hint 2/3" in hint_text("start.to_float")
    assert "2 of 3 exercises passed" in progress_table(0)
    assert "Progress could not be kept" in progress_table(0)


def locks_fail(*_: object, **__: object) -> None:
    raise PermissionError(13, "Permission denied")


def test_progress_that_can_be_read_and_not_written_is_shown(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a home that became read-only would look like a course that was never begun."""
    progress_file.record_check("start.to_float", "passed")
    before = (home / "progress.json").read_bytes()
    monkeypatch.setattr(filelock.FileLock, "acquire", locks_fail)
    assert progress_table(0).startswith("1 of 3 exercises passed")
    assert "Progress could not be kept" in progress_table(0)
    hint_text("start.to_float")
    assert entry("start.to_float").best == "passed"
    assert (home / "progress.json").read_bytes() == before


def test_a_home_that_may_not_be_entered_is_a_sentence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else somebody else's folder as a home would end in a PermissionError."""
    monkeypatch.setenv("CRASHCOURSE_HOME", str(home / ("h" * 300)))
    assert "Progress could not be kept" in progress_file.record_check("start.to_float", "passed")
    assert progress_table(0).startswith("1 of 3 exercises passed")


def test_what_could_not_be_kept_is_kept_as_soon_as_it_can_be(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a disk that was full for an hour would cost an hour's answers."""
    progress_file.record_check("start.guessing", "passed")
    with monkeypatch.context() as patch:
        patch.setattr(filelock.FileLock, "acquire", locks_fail)
        progress_file.record_check("start.to_float", "passed")
        progress_file.record_check("start.guessing", "wrong")
    assert progress_file.record_check("start.measured", "wrong") == ""
    stored = json.loads((home / "progress.json").read_text())["exercises"]
    assert {name: (kept["best"], kept["attempts"]) for name, kept in stored.items()} == {
        "start.to_float": ("passed", 1),
        "start.guessing": ("passed", 2),
        "start.measured": ("wrong", 1),
    }
    assert progress_file._unsaved == {}


def test_a_full_disk_does_not_stop_a_check(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a full disk would end the lesson, or the file would be cut short."""
    progress_file.record_check("start.to_float", "wrong")
    before = (home / "progress.json").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "No space left" in progress_file.record_check("start.to_float", "passed")
    assert (home / "progress.json").read_bytes() == before


def test_hints_come_one_at_a_time_and_are_counted() -> None:
    """Else a learner would see the last hint first, or the table would not tell."""
    assert [hint_text("start.to_float").split(" ")[1] for _ in range(4)] == ["1/3", "2/3", "3/3", "3/3"]
    assert entry("start.to_float").hints == 3
    assert hint_text("start.to_float", 1).startswith("Hint 1/3")
    assert entry("start.to_float").hints == 3


@pytest.mark.parametrize("stage", [0, 4, -1, "one", True])
def test_a_hint_that_is_not_there_is_refused(stage: int) -> None:
    """Else it would end in an IndexError, or show the wrong hint."""
    with pytest.raises(CourseError, match="hints 1 to 3"):
        hint_text("start.to_float", stage)


def test_an_exercise_without_hints_says_so() -> None:
    """Else asking would end in an error."""
    assert "no hints" in hint_text("start.measured")


def test_a_seen_solution_is_recorded_unless_it_was_passed_before() -> None:
    """Else peeking would not count, or reading afterwards would count as peeking."""
    assert "return images.float() / 255" in solution_text("start.to_float")
    assert entry("start.to_float").solution
    progress_file.record_check("start.guessing", "passed")
    assert "0.1" in solution_text("start.guessing")
    assert not entry("start.guessing").solution


def test_the_table_shows_what_is_known() -> None:
    """Else a learner could not see what is left to do."""
    progress_file.record_check("start.to_float", "passed")
    progress_file.record_check("start.guessing", "error")
    hint_text("start.guessing")
    table = progress_table("00")
    assert table.startswith("1 of 3 exercises passed")
    rows = {line.split()[1]: line for line in table.splitlines()[3:]}
    assert "✓ passed" in rows["start.to_float"]
    assert "! error" in rows["start.guessing"]
    assert "1/2" in rows["start.guessing"]
    assert "○ not attempted" in rows["start.measured"]


@pytest.mark.parametrize("lesson", [99, "vgg", "", -1])
def test_a_lesson_without_exercises_is_refused(lesson: int | str) -> None:
    """Else an empty table would look like a course without exercises."""
    with pytest.raises(CourseError, match="no lesson with exercises"):
        progress_table(lesson)


@pytest.mark.parametrize("ask", [hint_text, solution_text])
def test_unknown_names_get_the_nearest(ask: object) -> None:
    """Else a typing mistake would cost a search."""
    with pytest.raises(CourseError, match=r"Did you mean 'start\.to_float'"):
        ask("start.tofloat")  # type: ignore[operator]
