"""`crashcourse run NN`: a lesson from its source, headless, with the time of each section. Nothing is written."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from crashcourse.errors import CourseError
from crashcourse.lessons.check import over_budget
from crashcourse.lessons.execute import Execution, Section, execute
from crashcourse.lessons.expand import LoadRecord, expand
from crashcourse.lessons.slicing import modules_of, names_of, touched
from crashcourse.lessons.source import Lesson


def run(
    lesson: Lesson,
    *,
    catalogue: Mapping[str, Any] | None = None,
    load_record: LoadRecord | None = None,
    say: Callable[[str], None] = print,
) -> bool:
    """Run a lesson and say where its time went.

    Args:
        lesson: as `read_lesson` gives it.
        catalogue: the exercises; the course's own by default.
        load_record: as for `expand`.
        say: where each line goes.

    Returns:
        Whether it ran through within its budget.
    """
    say(f"{lesson.name}: {lesson.title}")

    def section(done: Section) -> None:
        say(f"  {done.seconds:6.1f} s  {done.title}")

    notebook = expand(lesson, catalogue=catalogue, load_record=load_record)
    try:
        execution = execute(notebook, timeout=2 * lesson.budget_seconds, on_section=section)
    except CourseError as error:
        say(f"  did not run through: {error}")
        return False
    say(f"  {execution.seconds:6.1f} s  in all, of {lesson.budget_seconds:g} s")
    say(f"  {execution.peak_mb:6.0f} MB at the peak, of {lesson.budget_mb:g} MB")
    excess = over_budget(execution, lesson.header)
    for sentence in excess:
        say(f"  OVER BUDGET: {sentence}")
    return not excess


def run_solved(lesson: Lesson, *, catalogue: Mapping[str, Any] | None = None) -> Execution:
    """Run a lesson with every exercise answered by its reference's own source, pasted into the cell.

    Only the cells that an exercise touches run: the exercises, those that use what a learner writes in them, and what
    these need. With all others a learner's answers have nothing to do; they run in the lesson as it is.

    Returns:
        The execution of these cells.

    Raises:
        CourseError: the lesson did not run through, took more memory than its budget has or asked for the network, or
            an exercise was not said to be passed.
    """
    notebook = expand(lesson, catalogue=catalogue, solved=True)
    notebook.cells = touched_by_exercises([cell for cell in notebook.cells if cell.cell_type == "code"])
    execution = execute(notebook, timeout=2 * lesson.budget_seconds)
    excess = over_budget(execution, lesson.header, timed=False)
    if excess:
        raise CourseError(f"{lesson.name}, solved: {'; '.join(excess)}.")
    for cell in execution.notebook.cells:
        name = cell.metadata.get("crashcourse", {}).get("exercise")
        if name and not _says_passed(cell):
            raise CourseError(f"{lesson.name}: {name}, answered by its own reference, was not passed:\n{shown(cell)}")
    return execution


def touched_by_exercises(cells: list[Any]) -> list[Any]:
    """Of the code cells of a lesson, the exercises, the cells that use what they define, and all that these need."""
    sources = [cell.source for cell in cells]
    exercises = [place for place, cell in enumerate(cells) if cell.metadata.get("crashcourse", {}).get("exercise")]
    return [cells[place] for place in touched(list(map(names_of, sources)), exercises, constant=modules_of(sources))]


def shown(cell: Any) -> str:
    """Everything that a cell printed or displayed, as plain text."""
    texts = [output.get("text", output.get("data", {}).get("text/plain", "")) for output in cell.outputs]
    return "\n".join(text for text in texts if text)


def _says_passed(cell: Any) -> bool:
    return re.search(r"^\W*passed\b", shown(cell), re.IGNORECASE | re.MULTILINE) is not None
