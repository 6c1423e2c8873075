"""The project as a whole: its requirements, its wheel, its two commands, and what must not be in it."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REQUIREMENTS = [Requirement(line) for line in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]]


def pins() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split(";")[0].strip().split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:  # an unpacked archive rather than a clone
        return [path for path in ROOT.rglob("*") if path.is_file() and ".venv" not in path.parts]
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda requirement: requirement.name)
def test_the_tested_version_lies_in_the_declared_range(requirement: Requirement):
    tested = pins().get(canonicalize_name(requirement.name))
    assert tested is not None, f"constraints.txt does not pin {requirement.name}"
    assert tested in requirement.specifier, f"{requirement} does not admit the tested {tested}"


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda requirement: requirement.name)
def test_every_requirement_has_a_least_version(requirement: Requirement):
    assert any(part.operator == ">=" for part in requirement.specifier), f"{requirement} has no lower bound"


def test_the_readme_shows_both_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^python3 start\.py$", readme, re.M)
    assert re.search(r"^python3 start\.py test$", readme, re.M)


def test_the_readmes_table_is_the_course():
    """A lesson is missing from the table on the first page, or its minutes are not those of its header."""
    from crashcourse.lessons.project import Project
    from crashcourse.lessons.source import all_lessons

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\d\d)\]\(notebooks/(\w+)\.ipynb\) \|.*\| (\d+) \|$", readme, re.M)
    lessons = all_lessons(Project(root=ROOT))
    assert rows == [(f"{one.number:02d}", one.name, str(one.minutes_to_teach)) for one in lessons]


def test_the_readme_names_every_verb_and_no_other():
    """A command of the first page is not there, or one that is there is not on it."""
    from crashcourse.cli import _parser

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^|-m |bin/)crashcourse (\w+)", readme, re.M))
    (verbs,) = (action.choices for action in _parser()._actions if action.dest == "verb" or action.metavar == "VERB")
    assert named == set(verbs)


def test_start_explains_itself_and_refuses_a_wrong_verb():
    shown = subprocess.run([sys.executable, "start.py", "--help"], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert shown.returncode == 0
    assert "start.py test" in shown.stdout
    wrong = subprocess.run([sys.executable, "start.py", "tset"], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert (wrong.returncode, wrong.stderr) == (2, "")
    assert "'tset'" in wrong.stdout


def test_no_text_file_names_this_machines_folders_or_a_package_host():
    places = "|".join(re.escape(f"{place}/") for place in (ROOT, Path.home()))
    hosts = "|".join([r"\bpy" + r"pi\.(org|python)", r"python" + r"hosted\."])
    forbidden = re.compile(rf"(?<![\w.])(/home/\w+/|/Users/\w+/|/root/|{places})|index-" rf"url|{hosts}")
    invented = {Path(__file__).resolve(), ROOT / "tests" / "lessons" / "test_check.py"}  # paths as test data
    texts = [path for path in tracked() if path.suffix in {".py", ".md", ".toml", ".txt", ".json", ".ipynb", ".cfg"}]
    assert len(texts) > 100
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in texts
        if path not in invented
        if (match := forbidden.search(path.read_text(encoding="utf-8")))
    ]
    assert not found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, unpacked: what someone gets who never clones."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_the_wheel_carries_lessons_notebooks_records_and_data(wheel: Path):
    inside = wheel / "crashcourse" / "_project"
    for folder in ("course/lessons", "course/records", "notebooks", "data"):
        ours = {path.name for path in (ROOT / folder).iterdir() if path.is_file()}
        assert ours, f"{folder} is empty"
        left_out = {"prepare.py"}  # the author's script that made the data
        assert ours - left_out <= {path.name for path in (inside / folder).iterdir()}
    for folder in (path.name for path in (ROOT / "data").iterdir() if path.is_dir()):
        if folder not in ("downloads", "__pycache__"):
            ours = {path.name for path in (ROOT / "data" / folder).iterdir()}
            assert ours == {path.name for path in (inside / "data" / folder).iterdir()}, folder


def test_the_course_works_from_the_wheel_alone(wheel: Path, tmp_path: Path):
    code = (
        f"import sys; sys.path[0] = {str(wheel)!r}\n"
        "import crashcourse, crashcourse.places as places\n"
        "from crashcourse.datasets import garments\n"
        "assert crashcourse.__file__.startswith(sys.path[0]) and not places.in_clone()\n"
        "print(len(garments('test').labels))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.stdout.strip(), done.stderr) == ("2000", "")
