"""Exercises that check themselves: answers are checked at once, and told what is wrong with them.

In a notebook: `exercise`, `answer`, `choice`, `hint`, `solution`, `progress`. For authors: `FunctionExercise`,
`ModuleExercise`, `AnswerExercise`, `ChoiceExercise`, `Case`, `Wrong`; the exercises of a lesson are a list named
`EXERCISES` in a module of this package. For tools: `catalogue`, `progress_table`, `hint_text`, `solution_text`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crashcourse.exercises.case import Case
    from crashcourse.exercises.check import Wrong
    from crashcourse.exercises.help import hint_text, progress_table, solution_text
    from crashcourse.exercises.kinds import Exercise, FunctionExercise, ModuleExercise
    from crashcourse.exercises.notebook import answer, choice, exercise, hint, progress, solution
    from crashcourse.exercises.questions import AnswerExercise, ChoiceExercise
    from crashcourse.exercises.registry import catalogue
    from crashcourse.exercises.report import Report

_HOMES = {
    "notebook": ("exercise", "answer", "choice", "hint", "solution", "progress"),
    "registry": ("catalogue",),
    "kinds": ("Exercise", "FunctionExercise", "ModuleExercise"),
    "questions": ("AnswerExercise", "ChoiceExercise"),
    "case": ("Case",),
    "check": ("Wrong",),
    "report": ("Report",),
    "help": ("hint_text", "progress_table", "solution_text"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}
__all__ = [
    "AnswerExercise",
    "Case",
    "ChoiceExercise",
    "Exercise",
    "FunctionExercise",
    "ModuleExercise",
    "Report",
    "Wrong",
    "answer",
    "catalogue",
    "choice",
    "exercise",
    "hint",
    "hint_text",
    "progress",
    "progress_table",
    "solution",
    "solution_text",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
