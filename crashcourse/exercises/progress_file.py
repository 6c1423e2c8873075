"""What a learner has done, in one small file that outlives kernels and copies of a notebook.

The file is read and written under a lock, so two notebooks may be open. It is replaced as a whole, so a crash leaves
the old one or the new one. A file that cannot be read as progress is put aside, never thrown away.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path

from crashcourse import places
from crashcourse.errors import CourseError
from crashcourse.exercises.report import NOT_ATTEMPTED, PASSED, VERDICTS
from crashcourse.files import locked, write_atomically

_VERSION = 1
_WAIT = 10.0
_unsaved: dict[str, "Entry"] = {}  # of this process, for a home that cannot be written


@dataclass
class Entry:
    """What is known of one exercise.

    Attributes:
        best: the best verdict so far.
        last: the verdict of the last attempt.
        attempts: how many times an answer was checked; an untouched cell does not count.
        hints: how many hints were seen.
        solution: whether the solution was seen before the exercise was passed.
        passed: the day it was first passed, as 2026-01-31, "" before.
    """

    best: str = NOT_ATTEMPTED
    last: str = NOT_ATTEMPTED
    attempts: int = 0
    hints: int = 0
    solution: bool = False
    passed: str = ""


def progress_file() -> Path:
    """Where progress is kept."""
    return places.home_dir() / "progress.json"


def entries() -> tuple[dict[str, Entry], str]:
    """What is known of every exercise that was touched, and a sentence about the file, "" when all is well."""
    try:
        with locked(progress_file(), timeout=_WAIT) if os.path.exists(progress_file()) else contextlib.nullcontext():
            found, note = _read()
    except CourseError as error:  # it may be readable all the same: a folder, or a lock, that may not be written
        return _as_it_lies(), _not_kept(error)
    return _with_unsaved(found), note


def record_check(name: str, verdict: str) -> str:
    """Record a verdict; an exercise that was not attempted leaves no trace.

    Returns:
        A sentence for the learner when something was wrong with the file, else "".
    """
    if verdict == NOT_ATTEMPTED:
        return ""

    def change(entry: Entry) -> None:
        entry.attempts += 1
        entry.last = verdict
        entry.best = max(entry.best, verdict, key=VERDICTS.index)
        if verdict == PASSED and not entry.passed:
            entry.passed = date.today().isoformat()

    return _update(name, change)[1]


def record_hint(name: str, stages: int, stage: int | None = None) -> tuple[int, str]:
    """Record that the next hint is seen, or the one with a given number; after the last it is the last again.

    Returns:
        Which hint to show, from 1, and a sentence about the file.
    """

    def change(entry: Entry) -> None:
        entry.hints = min(entry.hints + 1, stages) if stage is None else max(entry.hints, stage)

    entry, note = _update(name, change)
    return entry.hints, note


def record_solution(name: str) -> str:
    """Record that the solution was seen. Looking at it after passing is not recorded."""

    def change(entry: Entry) -> None:
        entry.solution = entry.solution or not entry.passed

    return _update(name, change)[1]


def _update(name: str, change: Callable[[Entry], None]) -> tuple[Entry, str]:
    try:
        with locked(progress_file(), timeout=_WAIT):
            found, note = _read()
            found = _with_unsaved(found)
            entry = found.setdefault(name, Entry())
            change(entry)
            exercises = {key: asdict(value) for key, value in sorted(found.items())}
            write_atomically(
                progress_file(), json.dumps({"version": _VERSION, "exercises": exercises}, indent=1) + "\n"
            )
            _unsaved.clear()
            return entry, note
    except CourseError as error:
        entry = _unsaved.setdefault(name, _as_it_lies().get(name, Entry()))
        change(entry)
        return entry, _not_kept(error)


def _with_unsaved(found: dict[str, Entry]) -> dict[str, Entry]:
    """What the file says, and on top of it what this process could not write there."""
    both = dict(found)
    for name, mine in _unsaved.items():
        theirs = both.get(name, Entry())
        both[name] = Entry(
            best=max(theirs.best, mine.best, key=VERDICTS.index),
            last=mine.last,
            attempts=max(theirs.attempts, mine.attempts),
            hints=max(theirs.hints, mine.hints),
            solution=theirs.solution or mine.solution,
            passed=theirs.passed or mine.passed,
        )
    return both


def _as_it_lies() -> dict[str, Entry]:
    """The same read without a lock, and without putting anything aside: the file is only ever replaced as a whole."""
    try:
        return _with_unsaved(_parse(progress_file().read_bytes()))
    except (OSError, ValueError, CourseError):
        return dict(_unsaved)


def _read() -> tuple[dict[str, Entry], str]:
    """Read the file; the caller holds the lock.

    Raises:
        CourseError: the file is there and cannot be opened, or a newer version of the course wrote it.
    """
    path = progress_file()
    try:
        return _parse(path.read_bytes()), ""
    except FileNotFoundError:
        return {}, ""
    except OSError as error:
        raise CourseError(f"Could not read {path}: {error.strerror or error}.") from error
    except CourseError:
        raise
    except ValueError:
        return {}, _put_aside(path)


def _parse(content: bytes) -> dict[str, Entry]:
    """What a file holds.

    Raises:
        ValueError: that is no progress.
        CourseError: another version of the course wrote it.
    """
    try:
        stored = json.loads(content.decode("utf-8"))
        version = stored["version"]
        if version == _VERSION:
            return {str(name): _entry(entry) for name, entry in stored["exercises"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("not a file of progress") from error
    raise CourseError(
        f"{progress_file()} was written by another version of the course (format {version}). Update the course."
    )


def _entry(stored: dict[str, object]) -> Entry:
    known = {f.name: stored[f.name] for f in fields(Entry) if f.name in stored}
    entry = Entry(**known)  # type: ignore[arg-type]
    for f in fields(Entry):
        if type(getattr(entry, f.name)) is not type(f.default):
            raise TypeError(f.name)
    VERDICTS.index(entry.best), VERDICTS.index(entry.last)
    return entry


def _put_aside(path: Path) -> str:
    number = next(n for n in _numbers() if not path.with_name(f"{path.name}.broken-{n}").exists())
    aside = path.with_name(f"{path.name}.broken-{number}")
    try:
        path.rename(aside)
    except OSError as error:
        raise CourseError(f"{path} is damaged and could not be put aside: {error.strerror or error}.") from error
    return f"The progress file was damaged. It is kept as {aside.name}, beside a new one."


def _numbers() -> Iterator[int]:
    number = 1
    while True:
        yield number
        number += 1


def _not_kept(error: CourseError) -> str:
    return f"Progress could not be kept: {error}"
