"""A lesson's hash changes with everything that its notebook is made from, and with nothing else."""

from pathlib import Path

import pytest

from crashcourse.errors import CourseError
from crashcourse.lessons.hashes import lesson_hash, modules_of, read_built, text_hash
from crashcourse.lessons.project import Project
from crashcourse.lessons.source import read_lesson

FILES = {
    "__init__.py": "",
    "cli.py": "import crashcourse.unrelated\n",
    "errors.py": "",
    "unrelated.py": "",
    "claims.py": "from crashcourse.errors import CourseError\n",
    "classification/__init__.py": "",
    "classification/vgg.py": "def build():\n    from crashcourse import layers\n",
    "classification/lazy_used.py": "",
    "layers.py": "from . import inspection\n",
    "inspection.py": "",
    "style/__init__.py": "def __getattr__(name):\n    ...\n",
    "style/gatys.py": "",
    "exercises/__init__.py": "from crashcourse.exercises import engine\n",
    "exercises/engine.py": "import pkgutil\n",
    "exercises/vgg.py": 'from crashcourse.classification import vgg\nEXERCISES = [Exercise("vgg.double")]\n',
    "exercises/other.py": 'import crashcourse.unrelated\nEXERCISES = [Exercise("other.one")]\n',
    "recipes/__init__.py": "import pkgutil\n",
    "recipes/garments.py": 'RECIPE = Recipe("vgg_garments")\n',
    "recipes/detectors.py": 'import crashcourse.unrelated\nRECIPE = Recipe("yolo_scenes")\n',
    "tools/__init__.py": "import importlib\ndef get(n):\n    return importlib.import_module(n)\n",
    "tools/hammer.py": "",
    "lessons/__init__.py": "import crashcourse.unrelated\n",
}
HEADER = """# ---
# jupyter:
#   crashcourse:
#     title: VGG
#     part: classification
#     budget_seconds: 9
#     minutes_to_teach: 9
#     needs: []
#     about: []
# ---
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    for name, text in FILES.items():
        path = tmp_path / "package" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    project = Project(root=tmp_path, package=tmp_path / "package")
    project.lessons.mkdir(parents=True)
    project.records.mkdir()
    return project


def lesson_of(project: Project, code: str):
    path = project.lessons / "11_vgg.py"
    path.write_text(HEADER + code)
    return read_lesson(path, package=project.package)


def modules(project: Project, code: str) -> set[str]:
    found = modules_of(lesson_of(project, code), project.package)
    return {name.removeprefix("crashcourse").removeprefix(".") for name in found}


@pytest.mark.parametrize(
    ("code", "needed", "not_needed"),
    [
        ("# %%\nfrom crashcourse.claims import claim\n", {"", "claims", "errors"}, {"unrelated", "cli"}),
        ("# %%\ndef f():\n    import crashcourse.claims\n", {"claims", "errors"}, {"layers"}),
        (
            "# %%\nfrom crashcourse.classification import vgg\n",
            {"classification", "classification.vgg", "layers", "inspection"},
            {"classification.lazy_used"},
        ),
        (
            "# %%\nimport crashcourse\ncrashcourse.classification.lazy_used.x\n",
            {"classification.lazy_used"},
            {"classification.vgg"},
        ),
        ("# %%\nfrom crashcourse.style import gram\n", {"style.gatys"}, {"claims"}),
        ("# %%\nfrom crashcourse import tools\n", {"tools.hammer"}, {"claims"}),
        (
            '# %% exercise="vgg.double"\n',
            {"exercises.vgg", "classification.vgg", "layers"},
            {"exercises.other", "unrelated"},
        ),
        (
            '# %%\nfrom crashcourse.exercises import hint\nhint("other.one")\n',
            {"exercises.engine", "exercises.other", "unrelated"},
            {"exercises.vgg"},
        ),
        (
            '# %%\nfrom crashcourse.recipes import train\ntrain("vgg_garments")\n',
            {"recipes", "recipes.garments"},
            {"recipes.detectors", "unrelated"},
        ),
        ("# %%\nimport crashcourse.lessons\nimport torch\n", set(), {"lessons", "unrelated"}),
    ],
)
def test_a_lesson_rests_on_what_it_reaches(project, code, needed, not_needed):
    found = modules(project, code)
    assert needed <= found
    assert not not_needed & found


def test_the_engine_behind_the_lazy_door_of_the_real_exercises_is_reached(project):
    lesson = lesson_of(project, "# %%\nfrom crashcourse.exercises import exercise\n")
    found = modules_of(lesson, Project().package)
    assert {f"crashcourse.exercises.{name}" for name in ("notebook", "check", "panel", "registry")} <= found.keys()
    assert not {"crashcourse.exercises.vgg", "crashcourse.cli", "crashcourse.lessons"} & found.keys()


def test_modules_the_header_is_about_count(project):
    lesson = lesson_of(project, "# %%\n1\n")
    path = lesson.path
    path.write_text(path.read_text().replace("about: []", "about: [classification.vgg]"))
    found = modules_of(read_lesson(path, package=project.package), project.package)
    assert "crashcourse.layers" in found


CODE = "# %% [markdown]\n# {record:vgg_garments.gpu.accuracy}\n# %%\nfrom crashcourse.classification import vgg\n"


@pytest.mark.parametrize(
    ("change", "matters"),
    [
        (lambda p: (p.package / "layers.py").write_text("x = 1\n"), True),
        (lambda p: (p.package / "unrelated.py").write_text("x = 1\n"), False),
        (lambda p: (p.records / "vgg_garments.gpu.json").write_text("{}"), True),
        (lambda p: (p.records / "yolo.gpu.json").write_text("{}"), False),
    ],
)
def test_the_hash_changes_with_what_matters_alone(project, change, matters):
    lesson = lesson_of(project, CODE)
    before = lesson_hash(lesson, project)
    change(project)
    assert (lesson_hash(lesson, project) != before) is matters


def test_the_hash_changes_with_the_source(project):
    before = lesson_hash(lesson_of(project, CODE), project)
    assert lesson_hash(lesson_of(project, CODE + "# %%\n1\n"), project) != before


def test_records_named_in_code_count(project):
    lesson = lesson_of(project, '# %%\ngpu_cell("vgg_garments")\n')
    before = lesson_hash(lesson, project)
    (project.records / "vgg_garments.gpu.json").write_text("{}")
    assert lesson_hash(lesson, project) != before


def test_line_ends_do_not_count():
    assert text_hash(b"a\r\nb\r\n") == text_hash(b"a\nb\n") != text_hash(b"a\nb")


@pytest.mark.parametrize("text", ["[]", '{"format": 0, "notebooks": {}}', '{"format": 1, "notebooks": {"a": 3}}', "{"])
def test_a_strange_built_json_is_refused(project, text):
    project.notebooks.mkdir()
    project.built.write_text(text)
    with pytest.raises(CourseError, match=r"built\.json"):
        read_built(project)
