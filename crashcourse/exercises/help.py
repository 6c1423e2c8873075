"""Hints, solutions and the table of progress, as a heading and blocks, for notebooks and for the command line."""

import html

from crashcourse.errors import CourseError, unknown
from crashcourse.exercises import progress_file as store
from crashcourse.exercises.kinds import Exercise
from crashcourse.exercises.panel import blocks_as_html, blocks_as_text
from crashcourse.exercises.registry import catalogue, find
from crashcourse.exercises.report import ERROR, NOT_ATTEMPTED, PASSED, WRONG, Block, Code, Paragraph, Table

Shown = tuple[str, list[Block]]
_SIGNS = {NOT_ATTEMPTED: "○ not attempted", ERROR: "! error", WRONG: "✗ not right yet", PASSED: "✓ passed"}


def both(heading: str, blocks: list[Block]) -> tuple[str, str]:
    """A heading and blocks as plain text and as HTML."""
    return blocks_as_text(heading, blocks), blocks_as_html(f"<strong>{html.escape(heading)}</strong>", blocks)


def hint_blocks(exercise: Exercise, stage: int | None = None) -> Shown:
    """The next hint, or a given one; the last again when all were seen.

    Raises:
        CourseError: there is no hint with that number.
    """
    total = len(exercise.hints)
    if not total:
        return f"Hint · {exercise.title}", [
            Paragraph("This exercise has no hints. A wrong answer is told what is wrong with it.")
        ]
    if stage is not None and (type(stage) is not int or not 1 <= stage <= total):
        raise CourseError(f"{exercise.name} has the hints 1 to {total}; {stage!r} was asked for.")
    number, note = record_hint(exercise, stage)
    blocks: list[Block] = [_hint(exercise.hints[number - 1])]
    if number < total:
        blocks.append(Paragraph(f'The next one: hint("{exercise.name}") again.'))
    else:
        blocks.append(Paragraph(f'That was the last one. The solution: solution("{exercise.name}").'))
    return f"Hint {number}/{total} · {exercise.title}", [*blocks, *_note(note)]


def record_hint(exercise: Exercise, stage: int | None) -> tuple[int, str]:
    """Record a hint as seen: the next one, or all up to a given one."""
    if stage is None:
        return store.record_hint(exercise.name, len(exercise.hints))
    return stage, store.record_hint(exercise.name, len(exercise.hints), stage)[1]


def _hint(text: str) -> Block:
    return Code(text.strip("\n")) if "\n" in text else Paragraph(text)


def solution_blocks(exercise: Exercise) -> Shown:
    """The reference's source, or the right value or letter; recorded as seen."""
    note = store.record_solution(exercise.name)
    return f"Solution · {exercise.title}", [Code(exercise.solution()), *_note(note)]


def progress_blocks(lesson: int | str | None = None) -> Shown:
    """The table of what is done.

    Args:
        lesson: a lesson's number, 11 or "11"; None for all.

    Raises:
        CourseError: that lesson has no exercises.
    """
    exercises = _of_lesson(lesson)
    found, note = store.entries()
    rows, passed = [], 0
    for exercise in exercises:
        entry = found.get(exercise.name, store.Entry())
        passed += entry.best == PASSED
        seen = f"{entry.hints}/{len(exercise.hints)}" if exercise.hints else ""
        cells = (f"{exercise.lesson:02d}", exercise.name, exercise.title, _SIGNS[entry.best], seen)
        rows.append((*cells, "seen" if entry.solution else ""))
    table = Table(("lesson", "exercise", "title", "best", "hints", "solution"), tuple(rows))
    return f"{passed} of {len(exercises)} exercises passed", [table, *_note(note)]


def _of_lesson(lesson: int | str | None) -> list[Exercise]:
    exercises = list(catalogue().values())
    if lesson is None:
        return exercises
    chosen = [exercise for exercise in exercises if str(lesson).isdigit() and exercise.lesson == int(lesson)]
    if not chosen:
        raise unknown("lesson with exercises", str(lesson), {f"{exercise.lesson:02d}" for exercise in exercises})
    return chosen


def _note(note: str) -> list[Block]:
    return [Paragraph(note)] if note else []


def progress_table(lesson: int | str | None = None) -> str:
    """The table of what is done, as plain text: what `crashcourse status` prints."""
    return blocks_as_text(*progress_blocks(lesson))


def hint_text(name: str, stage: int | None = None) -> str:
    """The next hint as plain text: what `crashcourse hint NAME` prints.

    Raises:
        CourseError: there is no such exercise or hint.
    """
    return blocks_as_text(*hint_blocks(find(name), stage))


def solution_text(name: str) -> str:
    """The reference's source as plain text: what `crashcourse solution NAME` prints. Recorded as seen.

    Raises:
        CourseError: there is no such exercise.
    """
    return blocks_as_text(*solution_blocks(find(name)))
