"""All exercises of the course: what the modules of this package list under `EXERCISES`."""

import importlib
import pkgutil
from functools import lru_cache

from crashcourse.errors import CourseError, unknown
from crashcourse.exercises.kinds import Exercise


def catalogue() -> dict[str, Exercise]:
    """Every exercise by its name, in the order of the lessons.

    Raises:
        CourseError: two exercises have one name.
    """
    return dict(_found())


@lru_cache(maxsize=1)
def _found() -> dict[str, Exercise]:
    import crashcourse.exercises as package

    exercises = []
    for module in sorted(module.name for module in pkgutil.iter_modules(package.__path__)):
        exercises += getattr(importlib.import_module(f"{package.__name__}.{module}"), "EXERCISES", [])
    exercises.sort(key=lambda exercise: exercise.lesson)
    found: dict[str, Exercise] = {}
    for exercise in exercises:
        if exercise.name in found:
            raise CourseError(f"Two exercises are named {exercise.name!r}. Rename one of them.")
        found[exercise.name] = exercise
    return found


def find(name: str) -> Exercise:
    """The exercise of that name.

    Raises:
        CourseError: there is none; the nearest name is suggested.
    """
    exercises = catalogue()
    if not isinstance(name, str):
        raise CourseError(f'An exercise is named by a text such as "vgg.shapes"; a {type(name).__name__} came.')
    if name not in exercises:
        raise unknown("exercise", name, exercises)
    return exercises[name]
