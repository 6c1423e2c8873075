"""A lesson's text source: jupytext percent format, with a header that holds what the course must know about it."""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crashcourse.errors import CourseError, unknown
from crashcourse.lessons.project import Project

LONGEST_SECONDS = 90
LARGEST_MB = 2000
PARTS = {
    0: ("start",),
    1: ("classification",),
    2: ("detection",),
    3: ("segmentation",),
    4: ("style", "distillation"),
    5: ("restoration",),
    6: ("restoration",),
    7: ("efficiency",),
}
_FIELDS = ("title", "part", "budget_seconds", "budget_mb", "minutes_to_teach", "needs", "about")
_FILE = re.compile(r"(\d\d)_([a-z][a-z0-9_]*)\.py")


@dataclass(frozen=True)
class Lesson:
    """One lesson as its author wrote it.

    Attributes:
        number: its place in the course; the first digit is the part.
        stem: the name without the number: `vgg` of `11_vgg.py`.
        budget_seconds: what a whole run may take on one core.
        budget_mb: what the kernel may use at its peak, in 10^6 bytes.
        needs: the numbers of the lessons that come before.
        about: the modules it teaches, below `crashcourse`.
        text: the whole source.
        cells: the cells as jupytext reads them.
    """

    number: int
    stem: str
    path: Path
    title: str
    part: str
    budget_seconds: float
    budget_mb: float
    minutes_to_teach: int
    needs: tuple[int, ...]
    about: tuple[str, ...]
    text: str
    cells: tuple[Any, ...]

    @property
    def name(self) -> str:
        """`11_vgg`: the name of the source and of the notebook."""
        return f"{self.number:02d}_{self.stem}"

    @property
    def header(self) -> dict[str, Any]:
        """The header as the notebook's metadata keeps it."""
        fields = {key: getattr(self, key) for key in ("number", "stem", *_FIELDS)}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in fields.items()}

    @property
    def exercises(self) -> tuple[str, ...]:
        """The names of the exercises, in the order in which the learner meets them."""
        return tuple(cell.metadata["exercise"] for cell in self.cells if "exercise" in cell.metadata)


def read_lesson(path: Path, *, package: Path | None = None) -> Lesson:
    """Read one source.

    Args:
        path: a file `NN_stem.py`.
        package: the folder that the names in `about` are looked up in; the installed crashcourse by default.

    Raises:
        CourseError: the name or the header is not as it should be; the sentence names the file and the field.
    """
    match = _FILE.fullmatch(path.name)
    if not match:
        raise CourseError(f"{path.name} is not a lesson's name: two digits, an underscore, a stem: 11_vgg.py.")
    try:
        text = path.read_text(encoding="utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(f"Could not read {path.name}: {error}.") from error
    notebook = _parse(path.name, text)
    header = notebook.metadata.get("crashcourse")
    if not isinstance(header, Mapping):
        raise CourseError(f"{path.name} has no header: write `jupyter: crashcourse:` with {', '.join(_FIELDS)} on top.")
    number = int(match[1])
    fields = _checked(path.name, number, dict(header), package or Project().package)
    return Lesson(number=number, stem=match[2], path=path, text=text, cells=tuple(notebook.cells), **fields)


def _parse(name: str, text: str) -> Any:
    import jupytext

    try:
        return jupytext.reads(text, fmt="py:percent")
    except Exception as error:
        reason = " ".join(str(error).split())
        raise CourseError(f"{name}: the header or the cells cannot be read: {reason}.") from error


def _checked(name: str, number: int, header: dict[str, Any], package: Path) -> dict[str, Any]:
    for key in header:
        if key not in _FIELDS:
            raise CourseError(f"{name}: {unknown('header field', key, _FIELDS)}")
    header.setdefault("budget_mb", LARGEST_MB)
    for key in _FIELDS:
        if key not in header:
            raise CourseError(f"{name}: the header lacks {key}.")
    budget_limits = {"budget_seconds": LONGEST_SECONDS, "budget_mb": LARGEST_MB, "minutes_to_teach": 240}
    for key, limit in budget_limits.items():
        value = header[key]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= limit:
            raise CourseError(f"{name}: {key} is {value!r}; it must be a number above 0 and at most {limit}.")
    if not isinstance(header["title"], str) or not header["title"].strip():
        raise CourseError(f"{name}: title is {header['title']!r}; it must be a text.")
    parts = PARTS.get(number // 10, ())
    if header["part"] not in parts:
        raise CourseError(
            f"{name}: part is {header['part']!r}; lessons {number // 10}x belong to {' or '.join(parts)}."
        )
    return header | {"needs": _needs(name, number, header["needs"]), "about": _about(name, header["about"], package)}


def _needs(name: str, number: int, needs: Any) -> tuple[int, ...]:
    if not isinstance(needs, list) or any(type(n) is not int or not 0 <= n < number for n in needs):
        raise CourseError(f"{name}: needs is {needs!r}; it must be a list of numbers of earlier lessons, such as [10].")
    return tuple(needs)


def _about(name: str, about: Any, package: Path) -> tuple[str, ...]:
    if not isinstance(about, list) or any(not isinstance(module, str) for module in about):
        raise CourseError(f"{name}: about is {about!r}; it must be a list of modules, such as [classification.vgg].")
    for module in about:
        path = package.joinpath(*module.split("."))
        if not path.with_suffix(".py").is_file() and not (path / "__init__.py").is_file():
            raise CourseError(f"{name}: about names {module!r}, but there is no module crashcourse.{module}.")
    return tuple(about)


def source_paths(project: Project) -> list[Path]:
    """Every source of a course, in order.

    Raises:
        CourseError: a file in the folder is not named like a lesson, or two lessons share a number.
    """
    paths = sorted(project.lessons.glob("*.py"))
    for path in paths:
        if not _FILE.fullmatch(path.name):
            raise CourseError(f"{path.name} is not a lesson's name: two digits, an underscore, a stem: 11_vgg.py.")
    for first, second in itertools.pairwise(paths):
        if first.name[:2] == second.name[:2]:
            raise CourseError(f"{first.name} and {second.name} have the same number; give one of them another.")
    return paths


def all_lessons(project: Project) -> list[Lesson]:
    """Every lesson of a course, read and checked, in order."""
    return [read_lesson(path, package=project.package) for path in source_paths(project)]


def find_lesson(project: Project, name: str | int) -> Lesson:
    """The lesson that a person means by `11`, `vgg`, `11_vgg` or `11_vgg.ipynb`.

    Raises:
        CourseError: there is none; the nearest name is suggested.
    """
    paths = source_paths(project)
    wanted = Path(str(name)).name.removesuffix(".ipynb").removesuffix(".py")
    for path in paths:
        number, stem = path.stem[:2], path.stem[3:]
        if wanted in (path.stem, stem) or (wanted.isdecimal() and int(wanted) == int(number)):
            return read_lesson(path, package=project.package)
    if wanted.isdecimal():
        raise CourseError(f"There is no lesson {wanted}. Lessons: {', '.join(p.stem for p in paths) or 'none yet'}.")
    names = {path.stem for path in paths} | {path.stem[3:] for path in paths}
    raise unknown("lesson", str(name), names)
