"""A small course in a temporary folder, with exercises and records of its own."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crashcourse.errors import CourseError
from crashcourse.lessons.project import Project
from crashcourse.lessons.source import Lesson, read_lesson

HEADER = """# ---
# jupyter:
#   crashcourse:
#     title: {title}
#     part: classification
#     budget_seconds: {seconds}
#     budget_mb: {mb}
#     minutes_to_teach: 50
#     needs: []
#     about: [claims]
# ---
"""


class SmallCourse:
    """A project with lessons written by a test."""

    def __init__(self, root: Path) -> None:
        package = root / "package"  # of its own, so that a hash rests on nothing that may change meanwhile
        package.mkdir(parents=True)
        for module in ("__init__.py", "claims.py"):
            (package / module).write_text("")
        self.project = Project(root=root, package=package)
        self.project.lessons.mkdir(parents=True)
        self.project.records.mkdir()
        self.catalogue: dict[str, Any] = {}
        self.accuracy = 0.9512

    def write(
        self, cells: str, *, name: str = "11_vgg", title: str = "VGG", seconds: float = 60, mb: float = 900
    ) -> Lesson:
        path = self.project.lessons / f"{name}.py"
        path.write_text(HEADER.format(title=title, seconds=seconds, mb=mb) + cells, encoding="utf-8")
        return read_lesson(path, package=self.project.package)

    def add_exercise(self, name: str, stub: str, solved: str = "print('✓ Passed')", lesson: int = 11) -> None:
        self.catalogue[name] = SimpleNamespace(name=name, lesson=lesson, stub=lambda: stub, solved=lambda: solved)

    def load_record(self, name: str, scale: str) -> Any:
        if name != "vgg_garments":
            raise CourseError(f"There is no recipe named {name!r}.")
        return None if scale == "gpu" else SimpleNamespace(field=self._field)

    def _field(self, field: str) -> Any:
        if field not in ("accuracy", "hardware"):
            raise CourseError(f"There is no field named {field!r}.")
        return self.accuracy if field == "accuracy" else "one core"

    @property
    def options(self) -> dict[str, Any]:
        return {"catalogue": self.catalogue, "load_record": self.load_record}

    def notebook(self, name: str = "11_vgg") -> Path:
        return self.project.notebooks / f"{name}.ipynb"


@pytest.fixture
def course(tmp_path: Path) -> SmallCourse:
    return SmallCourse(tmp_path / "project")


@pytest.fixture
def new_course(tmp_path: Path) -> Callable[[str], SmallCourse]:
    return lambda name: SmallCourse(tmp_path / name)
