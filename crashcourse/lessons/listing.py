"""`crashcourse list`: the course with what is done."""

from collections.abc import Mapping
from typing import Any

from crashcourse.lessons.project import Project
from crashcourse.lessons.source import all_lessons


def listing(project: Project, *, catalogue: Mapping[str, Any] | None = None, passed: set[str] | None = None) -> str:
    """A table of the lessons: number, title, minutes, exercises done of all.

    Args:
        project: the course.
        catalogue: the exercises; the course's own by default.
        passed: the names of the exercises that the learner passed; read from the learner's progress by default.
    """
    if catalogue is None:
        from crashcourse.exercises import catalogue as course_catalogue

        catalogue = course_catalogue()
    passed = _passed() if passed is None else passed
    rows = [("", "lesson", "minutes", "exercises done")]
    for lesson in all_lessons(project):
        mine = [name for name, exercise in catalogue.items() if exercise.lesson == lesson.number]
        done = f"{sum(name in passed for name in mine)}/{len(mine)}" if mine else "-"
        rows.append((f"{lesson.number:02d}", lesson.title, str(lesson.minutes_to_teach), done))
    if len(rows) == 1:
        return "The course holds no lessons yet."
    width = max(len(row[1]) for row in rows)
    return "\n".join(f"{n:<3} {title:<{width}}  {minutes:>7}  {done}".rstrip() for n, title, minutes, done in rows)


def _passed() -> set[str]:
    from crashcourse.exercises.progress_file import entries

    return {name for name, entry in entries()[0].items() if entry.passed}
