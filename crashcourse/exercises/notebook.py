"""What cells call: `@exercise`, `answer`, `choice`, `hint`, `solution`, `progress`. Outside a notebook they print."""

from collections.abc import Callable
from typing import Any, TypeVar

from crashcourse.environment import in_notebook, is_live
from crashcourse.errors import CourseError
from crashcourse.exercises import progress_file as store
from crashcourse.exercises.help import both, hint_blocks, progress_blocks, solution_blocks
from crashcourse.exercises.kinds import Exercise
from crashcourse.exercises.questions import ChoiceExercise
from crashcourse.exercises.registry import find
from crashcourse.exercises.report import Report

Candidate = TypeVar("Candidate", bound=Callable[..., Any])


def exercise(name: str) -> Callable[[Candidate], Candidate]:
    """Check the function or class that follows, at once, and show what is right or wrong with it.

    The name is then bound to the learner's own answer if it passed, else to the reference, so that the lesson goes on.

    Raises:
        CourseError: there is no such exercise, or it is not answered with code.
    """
    if callable(name):
        raise CourseError('Write the exercise\'s name after the decorator: @exercise("part.name").')
    found = _find(name, "function", "module")

    def decorate(candidate: Candidate) -> Candidate:
        report = found.check(candidate)
        bound = candidate if report.passed else found.reference
        whose = "your own" if report.passed else "the reference"
        _show(_complete(found, report, f"The lesson goes on with {whose} {found.reference.__name__}."))
        return bound

    return decorate


def answer(name: str, value: Any = ...) -> None:
    """Check a number, a tuple or a table, and show which parts are right.

    Raises:
        CourseError: there is no such exercise, or it is not answered with a value.
    """
    found = _find(name, "answer")
    _show(_complete(found, found.check(value)))


def choice(name: str, letter: str | None = None) -> None:
    """Ask a question with options: radio buttons in a live notebook, else a list to answer with a letter.

    Raises:
        CourseError: there is no such exercise, or it is not a question with options.
    """
    found = _find(name, "choice")
    assert isinstance(found, ChoiceExercise)
    if letter is None and is_live():
        _show_widget(found)
        return
    _show(_complete(found, found.check(letter)))


def hint(name: str, stage: int | None = None) -> None:
    """Show the next hint to an exercise, or a given one, counted from 1. What was seen is recorded.

    Raises:
        CourseError: there is no such exercise or hint.
    """
    _display(*both(*hint_blocks(find(name), stage)))


def solution(name: str) -> None:
    """Show the reference's own source. That it was seen is recorded, unless the exercise was passed before.

    Raises:
        CourseError: there is no such exercise.
    """
    _display(*both(*solution_blocks(find(name))))


def progress(lesson: int | str | None = None) -> None:
    """Show what is done, in the whole course or in one lesson.

    Raises:
        CourseError: the lesson has no exercises.
    """
    _display(*both(*progress_blocks(lesson)))


def _find(name: str, *kinds: str) -> Exercise:
    found = find(name)
    if found.kind not in kinds:
        how = {"answer": f'answer("{name}", ...)', "choice": f'choice("{name}")'}.get(
            found.kind, f'@exercise("{name}")'
        )
        raise CourseError(f"The exercise {name!r} is answered with {how}.")
    return found


def _complete(found: Exercise, report: Report, bound: str = "") -> Report:
    """Record a report; add where help is, which answer the lesson goes on with, and what is wrong with the record."""
    note = store.record_check(found.name, report.verdict)
    help_line = f'For help: hint("{found.name}").' if found.hints and not report.passed else ""
    return report.adding([help_line, bound, note])


def _show(report: Report) -> None:
    _display(report.text, report.html)


def _display(text: str, html: str) -> None:
    if not in_notebook():
        print(text)
        return
    from IPython.display import display

    display({"text/plain": text, "text/html": html}, raw=True)


def _show_widget(found: ChoiceExercise) -> None:
    from IPython.display import display

    from crashcourse.figures.widgets.choice import choice_widget

    def on_answer(letter: str) -> str:
        return _complete(found, found.check(letter)).html

    display(choice_widget(found.question, dict(found.options), on_answer))
