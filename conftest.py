"""What every test shares: one thread, a home of its own, and the notebooks as tests.

A notebook under `notebooks/` is collected twice: its cells by nbval, strictly, and once with every exercise answered
by its reference, as far as exercises reach. Both stay on one xdist worker (`--dist loadfile`), each in a fresh home
with the network closed. Long files come first, so that no worker waits for another at the end.
"""

import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parent
CELL_TIMEOUT = 300


def pytest_configure(config: pytest.Config) -> None:
    """Strict nbval in this Python, with the course's sanitizer; and a home that no learner's progress lies in."""
    from crashcourse.lessons.execute import SANITIZER
    from crashcourse.memory import keep_freed_memory

    keep_freed_memory()

    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job; the processes of tests inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.option.nbval = True
    config.option.nbval_current_env = True
    config.option.nbval_sanitize_with = str(SANITIZER)
    config.option.nbval_cell_timeout = min(config.option.nbval_cell_timeout, CELL_TIMEOUT)
    home = tempfile.mkdtemp(prefix="crashcourse-tests-")
    os.environ["CRASHCOURSE_HOME"] = home
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Notebooks first, which take a minute each, then the files with the most tests. xdist must not reorder them."""
    tests = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.path.suffix != ".ipynb", -tests[item.path], item.path))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Start the kernel of a notebook, which its first cell does, in the environment that the build uses."""
    if type(item).__name__ != "IPyNbCell" or item.parent.kernel is not None:
        return (yield)
    from crashcourse.lessons.execute import kernel_environment, warm_up

    warm_up()
    home = Path(tempfile.mkdtemp(prefix="crashcourse-notebook-"))
    item.config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    before = dict(os.environ)
    try:
        os.environ.clear()
        os.environ.update(kernel_environment(home))
        return (yield)
    finally:
        os.environ.clear()
        os.environ.update(before)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "SolvedFile | None":
    """Beside nbval's cells: the lesson, solved."""
    source = ROOT / "course" / "lessons" / f"{file_path.stem}.py"
    if file_path.suffix == ".ipynb" and file_path.parent == ROOT / "notebooks" and source.exists():
        return SolvedFile.from_parent(parent, path=file_path)
    return None


class SolvedFile(pytest.File):
    """A lesson as one test."""

    def collect(self) -> Iterator[pytest.Item]:
        """One item, where the lesson has exercises."""
        from crashcourse.lessons.project import Project
        from crashcourse.lessons.source import find_lesson

        lesson = find_lesson(Project(root=ROOT), self.path.stem)
        if lesson.exercises:
            yield SolvedLesson.from_parent(self, name="every exercise solved", lesson=lesson)


class SolvedLesson(pytest.Item):
    """Fails when an exercise, answered in its cell by the reference's own source, is not passed."""

    def __init__(self, *, lesson: Any, **options: Any) -> None:
        super().__init__(**options)
        self._lesson = lesson

    def runtest(self) -> None:
        """Run the lesson with its solutions."""
        from crashcourse.lessons.run import run_solved

        run_solved(self._lesson)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """The sentence, without our frames."""
        from crashcourse.errors import CourseError

        return str(excinfo.value) if isinstance(excinfo.value, CourseError) else str(super().repr_failure(excinfo))
