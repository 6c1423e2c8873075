"""The arrows between the rooms, as house rules: which room may import which, and what only one room may import."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "crashcourse"
PARTS = {"classification", "detection", "segmentation", "style", "distillation", "restoration", "efficiency"}
SERVICES = {"datasets", "training", "recipes", "exercises", "figures", "lessons"}
# A room on the left never imports a room on the right.
FORBIDDEN = {part: SERVICES | {"cli"} for part in PARTS} | {
    "training": PARTS | {"datasets", "recipes", "exercises", "lessons", "cli"},
    "datasets": PARTS | (SERVICES - {"datasets"}) | {"cli"},
    "figures": {"datasets", "training", "recipes", "exercises", "lessons", "cli"},
    "recipes": {"exercises", "lessons", "cli"},
    "exercises": {"recipes", "lessons", "training", "cli"},
    "lessons": {"cli"},
    "layers": PARTS | SERVICES | {"cli"},
    "doors": PARTS | SERVICES | {"cli", "layers"},
    "inspection": PARTS | SERVICES | {"cli"},
}
# A library on the left is imported in the rooms on the right alone.
AT_HOME = {
    "matplotlib": {"figures"},
    "ipywidgets": {"figures"},
    "accelerate": {"training"},
    "jupytext": {"lessons"},
    "nbclient": {"lessons"},
}


def rooms() -> list[tuple[str, Path]]:
    files = [path for path in PACKAGE.rglob("*.py") if "_project" not in path.parts]
    return [(path.relative_to(PACKAGE).parts[0].removesuffix(".py"), path) for path in files]


def imports(path: Path) -> set[str]:
    """Every module that a file imports anywhere, also inside functions, as dotted names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} uses a relative import; write the module's whole name"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_there_are_rooms_to_check():
    assert {"classification", "exercises", "lessons", "training"} <= {room for room, _ in rooms()}


@pytest.mark.parametrize(("room", "path"), rooms(), ids=lambda value: getattr(value, "name", value))
def test_no_room_imports_one_it_must_not_know(room: str, path: Path):
    known = {name.split(".")[1] for name in imports(path) if name.startswith("crashcourse.")}
    assert not known & FORBIDDEN.get(room, set()), f"{path.relative_to(PACKAGE)} breaks an arrow of the house"
    assert room in ("cli", "__main__") or "cli" not in known


@pytest.mark.parametrize(("room", "path"), rooms(), ids=lambda value: getattr(value, "name", value))
def test_a_library_stays_in_its_room(room: str, path: Path):
    libraries = {name.split(".")[0] for name in imports(path)}
    strays = {library for library in libraries & AT_HOME.keys() if room not in AT_HOME[library]}
    assert not strays, f"{path.relative_to(PACKAGE)} imports {strays}"


@pytest.mark.parametrize(
    "module",
    [
        "crashcourse",
        "crashcourse.cli",
        "crashcourse.classification",
        "crashcourse.datasets",
        "crashcourse.detection",
        "crashcourse.exercises",
        "crashcourse.figures",
        "crashcourse.lessons",
    ],
)
def test_importing_is_light_and_silent(module: str):
    heavy = ("torchvision", "matplotlib", "accelerate", "ipywidgets", "jupytext", "nbclient", "skimage", "pandas")
    code = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
