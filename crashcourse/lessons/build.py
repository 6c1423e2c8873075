"""Build lessons into notebooks, and say which notebooks no longer match their source."""

import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from crashcourse.errors import CourseError
from crashcourse.files import write_atomically
from crashcourse.lessons.check import over_budget, problems
from crashcourse.lessons.compare import same_but_for_measured
from crashcourse.lessons.execute import ExecutionError, execute
from crashcourse.lessons.expand import LoadRecord, expand
from crashcourse.lessons.hashes import lesson_hash, read_built, text_hash, write_built
from crashcourse.lessons.normalise import normalise, parse, serialise
from crashcourse.lessons.project import Project
from crashcourse.lessons.source import Lesson, all_lessons

SLACK = 2  # a cell may take this many times the lesson's budget before it is stopped: a late answer says more than none


class BuildError(CourseError):
    """A lesson that ran, or was to run, but may not ship. The old notebook is as it was."""


@dataclass(frozen=True)
class Built:
    """What became of one lesson.

    Attributes:
        name: `11_vgg`.
        outcome: `unchanged` (nothing to do), `same` (run again, differs in pictures and ≈ numbers only), `written`,
            or `failed`.
        detail: what it took, or why it failed.
    """

    name: str
    outcome: str
    detail: str = ""


def build(
    lessons: Sequence[Lesson],
    project: Project,
    *,
    jobs: int = 1,
    force: bool = False,
    catalogue: Mapping[str, Any] | None = None,
    load_record: LoadRecord | None = None,
    say: Callable[[str], None] = print,
) -> list[Built]:
    """Build lessons one after another (or `jobs` at a time), each in a kernel of its own.

    A lesson whose source and inputs are as they were is skipped, unless `force`. A lesson that fails leaves its old
    notebook untouched and does not stop the others.

    Raises:
        CourseError: `jobs` is not 1 or more.
    """
    if jobs < 1:
        raise CourseError(f"--jobs is {jobs}; it must be 1 or more.")

    def one(lesson: Lesson) -> Built:
        progress = _Progress(lesson.name, say, live=jobs == 1)
        try:
            built = build_one(
                lesson, project, force=force, catalogue=catalogue, load_record=load_record, on_cell=progress.cell
            )
        except CourseError as error:
            built = Built(lesson.name, "failed", str(error))
        progress.done(built)
        return built

    if jobs == 1:
        return [one(lesson) for lesson in lessons]
    with ThreadPoolExecutor(jobs) as pool:
        results = [pool.submit(one, lesson) for lesson in lessons]
        try:
            return [result.result() for result in results]
        except KeyboardInterrupt:
            say("Stopping when the lessons that are running have ended ...")
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def build_one(
    lesson: Lesson,
    project: Project,
    *,
    force: bool = False,
    catalogue: Mapping[str, Any] | None = None,
    load_record: LoadRecord | None = None,
    on_cell: Callable[[int, int], None] | None = None,
) -> Built:
    """Build one lesson.

    Raises:
        BuildError: the lesson raised, broke a rule or its budget.
        CourseError: its source cannot be expanded.
    """
    inputs = lesson_hash(lesson, project)
    entry = read_built(project).get(lesson.name)
    if not force and _mismatch(lesson, project, entry, catalogue, load_record) is None:
        return Built(lesson.name, "unchanged")
    notebook = expand(lesson, catalogue=catalogue, load_record=load_record)
    try:
        execution = execute(notebook, timeout=SLACK * lesson.budget_seconds, on_cell=on_cell)
    except ExecutionError as error:
        raise BuildError(str(error)) from error
    clean = normalise(execution.notebook)
    text = serialise(clean)
    found = problems(clean, size=len(text.encode())) + over_budget(execution, lesson.header)
    if found:
        raise BuildError("\n".join(found))
    cost = f"{execution.seconds:.0f} s, {execution.peak_mb:.0f} MB, {len(text.encode()) / 1e6:.2f} MB on disk"
    if _tells_the_same(lesson, project, clean):
        write_built(project, lesson.name, inputs)
        return Built(lesson.name, "same", cost)
    write_atomically(project.notebooks / f"{lesson.name}.ipynb", text)
    write_built(project, lesson.name, inputs)
    return Built(lesson.name, "written", cost)


def _tells_the_same(lesson: Lesson, project: Project, new: Any) -> bool:
    path = project.notebooks / f"{lesson.name}.ipynb"
    try:
        return same_but_for_measured(parse(path.read_bytes(), path.name), new)
    except (OSError, CourseError):  # absent or unreadable: then it is written anew
        return False


def mismatches(
    project: Project,
    lessons: Sequence[Lesson] | None = None,
    *,
    catalogue: Mapping[str, Any] | None = None,
    load_record: LoadRecord | None = None,
) -> dict[str, str]:
    """The notebooks that no longer match their source, each with the reason. Nothing is run.

    Args:
        project: the course.
        lessons: which lessons to look at; all, and notebooks without a source too, by default.
        catalogue: the exercises; the course's own by default.
        load_record: as for `expand`.
    """
    chosen = all_lessons(project) if lessons is None else lessons
    entries = read_built(project)
    found = {}
    for lesson in chosen:
        reason = _mismatch(lesson, project, entries.get(lesson.name), catalogue, load_record)
        if reason:
            found[lesson.name] = reason
    if lessons is None:
        known = {lesson.name for lesson in chosen}
        strays = {path.stem for path in project.notebooks.glob("*.ipynb")} - known
        found |= dict.fromkeys(sorted(strays), "a notebook without a source in course/lessons; remove it")
    return found


def _mismatch(
    lesson: Lesson,
    project: Project,
    entry: dict[str, str] | None,
    catalogue: Mapping[str, Any] | None,
    load_record: LoadRecord | None,
) -> str | None:
    path = project.notebooks / f"{lesson.name}.ipynb"
    if not path.exists() or entry is None:
        return "never built"
    if text_hash(path.read_bytes()) != entry["notebook"]:
        return "changed by hand; edit the source instead, then build"
    try:
        expanded = expand(lesson, catalogue=catalogue, load_record=load_record)
        shipped = parse(path.read_bytes(), path.name)
    except CourseError as error:
        return str(error)
    if _authored(expanded) != _authored(shipped):
        return "its source, an exercise's stub or a record has changed"
    if lesson_hash(lesson, project) != entry["inputs"]:
        return "something it imports has changed"
    return None


def _authored(notebook: Any) -> list[tuple[Any, ...]]:
    cells = [(c.id, c.cell_type, c.source, _plain(c.metadata)) for c in notebook.cells]
    return [("header", _plain(notebook.metadata.get("crashcourse"))), *cells]


def _plain(value: Any) -> str:
    import json

    return json.dumps(value, sort_keys=True)


class _Progress:
    """One line per lesson, rewritten in a terminal as cells are done."""

    def __init__(self, name: str, say: Callable[[str], None], *, live: bool) -> None:
        self._name, self._say = name, say
        self._live = live and say is print and sys.stdout.isatty()

    def cell(self, done: int, total: int) -> None:
        if self._live:
            print(f"\r{self._name}: cell {done + 1} of {total} ", end="", flush=True)
        elif done == 0:
            self._say(f"{self._name}: running {total} cells ...")

    def done(self, built: Built) -> None:
        line = f"{built.name}: {built.outcome}{f' ({built.detail})' if built.detail else ''}"
        if built.outcome == "failed":
            line = f"{built.name}: NOT BUILT\n{_indented(built.detail)}"
        if built.outcome == "same":
            line = f"{built.name}: same but for pictures and ≈ numbers, file left alone ({built.detail})"
        self._say(f"\r\x1b[K{line}" if self._live else line)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
