"""What each lesson costs: seconds and memory of a whole run on one thread, against the budget in its header.

    pytest tests/benchmarks/test_lessons.py --benchmark-only -s
    pytest tests/benchmarks/test_lessons.py --benchmark-only -s -k 11_vgg

A lesson runs as the build runs it, from its source, in a kernel of its own, on a machine that has nothing else to do.
"""

from collections.abc import Iterator

import pytest

from crashcourse.lessons.check import over_budget
from crashcourse.lessons.execute import Execution, execute
from crashcourse.lessons.expand import expand
from crashcourse.lessons.project import Project
from crashcourse.lessons.source import find_lesson, source_paths

PROJECT = Project()
NAMES = [path.stem for path in source_paths(PROJECT)]


@pytest.fixture(scope="module")
def table() -> Iterator[dict[str, Execution]]:
    """Every run so far; printed as a table when all have run."""
    runs: dict[str, Execution] = {}
    yield runs
    print("\n| lesson | seconds | of the processor | peak MB |\n|---|---|---|---|")
    for name, run in runs.items():
        print(f"| {name} | {run.seconds:.0f} | {run.cpu_seconds:.0f} | {run.peak_mb:.0f} |")


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_stays_within_its_budget(name, table, benchmark):
    """A lesson takes longer or more memory than a laptop has for it, or asks the network for something."""
    lesson = find_lesson(PROJECT, name)
    notebook = expand(lesson)
    run = benchmark.pedantic(execute, args=(notebook,), kwargs={"timeout": 2 * lesson.budget_seconds}, rounds=1)
    table[name] = run
    benchmark.extra_info |= {"peak MB": round(run.peak_mb), "processor seconds": round(run.cpu_seconds, 1)}
    assert over_budget(run, lesson.header) == []
