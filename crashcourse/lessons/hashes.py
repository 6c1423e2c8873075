"""What a notebook was built from, as one hash: its source, the modules it rests on, the records it quotes.

Modules are followed through the package's syntax trees, imports inside functions included, without importing anything.
A package that finds its modules at run time counts whole, except where a lesson names what it uses: an exercise or a
recipe counts through the module that holds its name.
"""

import ast
import hashlib
import json
import re
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from crashcourse.errors import CourseError
from crashcourse.files import locked, read_json, write_atomically
from crashcourse.lessons.project import Project
from crashcourse.lessons.source import Lesson

FORMAT = 1  # raise it when the builder itself changes what it writes
_ROOT = "crashcourse"
_NOT_FOLLOWED = (f"{_ROOT}.cli", f"{_ROOT}.lessons", f"{_ROOT}.__main__")
_BY_NAME = (f"{_ROOT}.exercises", f"{_ROOT}.recipes")
_RECORD = re.compile(r"\{record:([\w-]+)\.(\w+)\.")


def text_hash(content: bytes) -> str:
    """SHA-256 of a text file's content, the same for both kinds of line ends."""
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()


def lesson_hash(lesson: Lesson, project: Project) -> str:
    """The hash of everything that the lesson's notebook is made from."""
    parts = [f"format {FORMAT}", f"{lesson.path.name} {text_hash(lesson.text.encode())}"]
    for module, path in sorted(modules_of(lesson, project.package).items()):
        parts.append(f"{module} {text_hash(path.read_bytes())}")
    for record in sorted(_records(lesson, project)):
        path = project.records / record
        parts.append(f"{record} {text_hash(path.read_bytes()) if path.exists() else 'missing'}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _records(lesson: Lesson, project: Project) -> set[str]:
    """Records that the prose quotes, and those of every recipe that the code names."""
    named = {f"{name}.{scale}.json" for name, scale in _RECORD.findall(lesson.text)}
    constants = _strings(_code_of(lesson))
    return named | {p.name for p in project.records.glob("*.json") if p.name.split(".")[0] in constants}


def modules_of(lesson: Lesson, package: Path) -> dict[str, Path]:
    """The modules of the package that a lesson rests on, by dotted name."""
    graph = _Graph(package)
    tree = _code_of(lesson)
    strings = _strings(tree)
    exercises = {string for string in strings if "." in string} | set(lesson.exercises)
    waiting = [*graph.imports(tree, "", is_package=False), *(f"{_ROOT}.{name}" for name in lesson.about)]
    waiting += [*graph.defining(f"{_ROOT}.exercises", exercises), *graph.defining(f"{_ROOT}.recipes", strings)]
    found: dict[str, Path] = {}
    while waiting:
        module = waiting.pop()
        path = graph.path(module)
        if path is None or module in found or module.startswith(_NOT_FOLLOWED):
            continue
        found[module] = path
        waiting += graph.needs(module)
        if "." in module:
            waiting.append(module.rpartition(".")[0])
    return found


def _code_of(lesson: Lesson) -> ast.Module:
    code = "\n".join(cell.source for cell in lesson.cells if cell.cell_type == "code")
    try:
        return ast.parse(code)
    except SyntaxError as error:
        raise CourseError(f"{lesson.path.name}: not plain Python: {error.msg}: {(error.text or '').strip()}") from error


def _strings(tree: ast.AST) -> set[str]:
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {node.value for node in nodes if isinstance(node.value, str)}


class _Graph:
    """The import graph of one package, read from its syntax trees."""

    def __init__(self, package: Path) -> None:
        self._package = package

    def path(self, module: str) -> Path | None:
        """The file of a dotted name below the package, or None when it is no module."""
        steps = module.split(".")
        if steps[0] != _ROOT:
            return None
        base = self._package.joinpath(*steps[1:])
        for path in (base / "__init__.py", base.with_suffix(".py")):
            if path.is_file():
                return path
        return None

    def needs(self, module: str) -> set[str]:
        """Every module that this one may import."""
        path = self.path(module)
        assert path is not None
        tree = _tree(path, path.stat().st_mtime_ns)
        is_package = path.name == "__init__.py"
        found = self.imports(tree, module, is_package=is_package)
        room = module if is_package else module.rpartition(".")[0]
        if room != _ROOT and room not in _BY_NAME and _is_dynamic(tree):
            found |= self.submodules(room)
        return found

    def submodules(self, room: str) -> set[str]:
        """The modules directly inside a package."""
        path = self.path(room)
        if path is None or path.name != "__init__.py":
            return set()
        files = (p for p in path.parent.glob("*.py") if p.name != "__init__.py")
        return {f"{room}.{p.stem}" for p in files}

    def defining(self, room: str, names: set[str]) -> set[str]:
        """The modules of a room in which one of the names stands as a string, or whose own name it is."""
        found = set()
        for module in self.submodules(room):
            path = self.path(module)
            assert path is not None
            if module.rpartition(".")[2] in names or names & _strings(_tree(path, path.stat().st_mtime_ns)):
                found.add(module)
        return found

    def imports(self, tree: ast.AST, module: str, *, is_package: bool) -> set[str]:
        """The names that import statements, attribute chains and dotted strings of a module lead to."""
        found: set[str] = set()
        for node in ast.walk(tree):
            found.update(self._named_by(node, module, is_package))
        return found

    def _named_by(self, node: ast.AST, module: str, is_package: bool) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, module, is_package)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
            if self._loads_lazily(base):
                yield from self.submodules(base)
        elif isinstance(node, ast.Attribute):
            chain = _chain(node)
            if chain:
                yield chain
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(f"{_ROOT}."):
            yield node.value

    def _loads_lazily(self, module: str) -> bool:
        path = self.path(module)
        if path is None or module == _ROOT or module in _BY_NAME or path.name != "__init__.py":
            return False
        tree = _tree(path, path.stat().st_mtime_ns)
        return any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in tree.body)


@lru_cache(maxsize=1024)
def _tree(path: Path, modified: int) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError) as error:
        raise CourseError(f"{path.name} is not readable as Python: {error}.") from error


def _absolute(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    steps = module.split(".")
    base = steps[: len(steps) - node.level + (1 if is_package else 0)]
    return ".".join([*base, *([node.module] if node.module else [])])


def _chain(node: ast.expr) -> str | None:
    steps: list[str] = []
    while isinstance(node, ast.Attribute):
        steps.append(node.attr)
        node = node.value
    return ".".join([_ROOT, *reversed(steps)]) if isinstance(node, ast.Name) and node.id == _ROOT else None


def _is_dynamic(tree: ast.Module) -> bool:
    """Whether a module looks for other modules at run time."""
    return any(_imports_pkgutil(node) or _imports_by_variable(node) for node in ast.walk(tree))


def _imports_pkgutil(node: ast.AST) -> bool:
    return isinstance(node, ast.Import) and any(alias.name == "pkgutil" for alias in node.names)


def _imports_by_variable(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or getattr(node.func, "attr", getattr(node.func, "id", "")) != "import_module":
        return False
    return not (node.args and isinstance(node.args[0], ast.Constant))


def read_built(project: Project) -> dict[str, dict[str, str]]:
    """What `notebooks/built.json` says: for each notebook the hash of its inputs and of its file.

    Raises:
        CourseError: the file is there but is not what this version writes.
    """
    if not project.built.exists():
        return {}
    content = read_json(project.built)
    entries = content.get("notebooks") if isinstance(content, dict) and content.get("format") == FORMAT else None
    if not isinstance(entries, dict) or not all(_is_entry(entry) for entry in entries.values()):
        raise CourseError(f"{project.built.name} is not what this version writes; remove it and build again.")
    return entries


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in ("inputs", "notebook"))


def _lock_of(project: Project) -> Path:
    """A place outside `notebooks/`, which travels to learners."""
    name = hashlib.sha256(str(project.built.resolve()).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"crashcourse-built-{name}"


def write_built(project: Project, name: str, inputs: str) -> None:
    """Note that a notebook, as it now lies there, was built from these inputs."""
    with locked(_lock_of(project)):
        entries = read_built(project)
        entries[name] = {"inputs": inputs, "notebook": text_hash((project.notebooks / f"{name}.ipynb").read_bytes())}
        content = {"format": FORMAT, "notebooks": dict(sorted(entries.items()))}
        write_atomically(project.built, json.dumps(content, indent=1) + "\n")
