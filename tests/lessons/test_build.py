"""From source to notebook: what is written, what is skipped, what is refused, and how drift is found."""

import json
import signal
import subprocess
import sys
import time

import psutil
import pytest

from crashcourse.errors import CourseError
from crashcourse.lessons.build import build, mismatches
from crashcourse.lessons.normalise import parse

LESSON = """# %% [markdown]
# # VGG
# It reached {record:vgg_garments.study.accuracy:.1%}.
# %%
import time
from crashcourse.claims import measured
measured("now", time.time() % 97, "s")
# %% exercise="vgg.double"
# %%
double(4)
"""
STUB = "def double(x):\n    return x + x"


def quietly(course, lessons, **options):
    said = []
    results = build(lessons, course.project, say=said.append, **course.options, **options)
    return results, said


def outcome(course, lesson, **options):
    results, _ = quietly(course, [lesson], **options)
    return results[0].outcome


@pytest.fixture
def lesson(course):
    course.add_exercise("vgg.double", STUB)
    return course.write(LESSON)


def test_a_lesson_is_built_skipped_left_alone_and_found_when_it_drifts(course, lesson):
    assert outcome(course, lesson) == "written"
    first = course.notebook().read_bytes()
    notebook = parse(first.decode(), "x")
    assert [cell.execution_count for cell in notebook.cells[1:]] == [1, 2, 3]
    assert notebook.cells[0].source.endswith("It reached 95.1%.")
    assert notebook.cells[3].outputs[0].data["text/plain"] == "8"
    assert mismatches(course.project, **course.options) == {}

    assert outcome(course, lesson) == "unchanged"
    assert outcome(course, lesson, force=True) == "same", "only the ≈ number differs, so the file must stay"
    assert course.notebook().read_bytes() == first

    course.accuracy = 0.5
    assert "record has changed" in mismatches(course.project, **course.options)["11_vgg"]
    course.accuracy = 0.9512
    course.add_exercise("vgg.double", STUB + "\n")
    assert mismatches(course.project, **course.options) == {}
    course.add_exercise("vgg.double", "def double(x, y): ...")
    assert "stub" in mismatches(course.project, **course.options)["11_vgg"]
    course.add_exercise("vgg.double", STUB)

    course.notebook().write_bytes(first.replace(b"double(4)", b"double(5)"))
    assert "by hand" in mismatches(course.project, **course.options)["11_vgg"]
    assert outcome(course, lesson) == "written", "a notebook changed by hand is built anew"
    assert b"double(5)" not in course.notebook().read_bytes()


def test_mismatches_name_what_was_never_built_what_imports_changed_and_strays(course, lesson):
    assert mismatches(course.project, **course.options) == {"11_vgg": "never built"}
    assert outcome(course, lesson) == "written"
    built = json.loads(course.project.built.read_text())
    built["notebooks"]["11_vgg"]["inputs"] = "0" * 64
    course.project.built.write_text(json.dumps(built))
    (course.project.notebooks / "12_old.ipynb").write_text("{}")
    found = mismatches(course.project, **course.options)
    assert found.keys() == {"11_vgg", "12_old"}
    assert "imports" in found["11_vgg"]
    assert "without a source" in found["12_old"]
    assert mismatches(course.project, [lesson], **course.options).keys() == {"11_vgg"}
    assert outcome(course, lesson) == "same"
    assert mismatches(course.project, [lesson], **course.options) == {}, "the new hash is kept though the file stayed"


DETERMINISTIC = """# %% [markdown]
# # A
# %%
import torch
torch.manual_seed(0)
print({"b", "a", "c"}, torch.randn(3))
# %%
import matplotlib.pyplot as plt
from IPython.display import display, Image
import io
fig, ax = plt.subplots(figsize=(2, 2)); ax.plot([1, 2]); file = io.BytesIO(); fig.savefig(file); plt.close(fig)
png = __import__("base64").b64encode(file.getvalue()).decode()
display({"image/png": png, "text/plain": "A line that rises."}, raw=True)
# %%
import ipywidgets
ipywidgets.IntSlider()
"""


def test_building_twice_gives_the_same_bytes(new_course):
    contents = []
    for name in ("one", "another"):
        course = new_course(name)
        results, _ = quietly(course, [course.write(DETERMINISTIC, name="12_deep")])
        assert results[0].outcome == "written", results[0].detail
        contents.append(course.notebook("12_deep").read_bytes() + course.project.built.read_bytes())
    assert contents[0] == contents[1]
    assert b"model_id" not in contents[0]


BAD = {
    "an error": ("x = 1\nx / 0", ["ZeroDivisionError", "x / 0"]),
    "stderr": ("import warnings\nwarnings.warn('old')", ["stderr"]),
    "a swallowed download": (
        "import urllib.request\ntry:\n    urllib.request.urlopen('http://example.org')\nexcept OSError:\n    pass",
        ["tried to reach example.org"],
    ),
    "a figure without alt": (
        "import matplotlib.pyplot as plt\nfig = plt.figure()\nplt.plot([1, 2])\nplt.show()",
        ["without alt text"],
    ),
    "memory": ("kept = b'x' * 400_000_000", ["MB of its 300 MB"]),
    "time": ("import time\ntime.sleep(3.5)", ["s of its 3 s"]),
    "a path": ("import os\nprint(os.path.abspath('x'))", ["absolute path"]),
    "size": ("print(('x' * 99 + '\\n') * 16_000)", ["at most 1.5 MB"]),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_lesson_that_breaks_a_rule_leaves_the_old_notebook(course, kind):
    source, said = BAD[kind]
    course.project.notebooks.mkdir()
    course.notebook().write_text("the old one")
    seconds = 3 if kind == "time" else 60
    lesson = course.write(f"# %% [markdown]\n# # A\n# %%\n{source}\n", seconds=seconds, mb=300)
    results, lines = quietly(course, [lesson])
    assert results[0].outcome == "failed"
    for word in said:
        assert word in results[0].detail
    assert "NOT BUILT" in lines[-1]
    assert course.notebook().read_text() == "the old one"
    assert not course.project.built.exists()


def test_one_bad_lesson_does_not_stop_the_others_and_two_may_run_at_once(course):
    lessons = [
        course.write(f"# %%\n{source}\n", name=name)
        for name, source in (("12_a", "1 / 0"), ("13_b", "1"), ("14_c", "2"))
    ]
    results, said = quietly(course, lessons, jobs=2)
    assert [result.outcome for result in results] == ["failed", "written", "written"]
    assert any("13_b: running 1 cells" in line for line in said)
    assert json.loads(course.project.built.read_text())["notebooks"].keys() == {"13_b", "14_c"}


INTERRUPTED = """
import sys
from pathlib import Path
from crashcourse.lessons.build import build
from crashcourse.lessons.project import Project
from crashcourse.lessons.source import all_lessons
project = Project(root=Path(sys.argv[1]), package=Path(sys.argv[1]) / "package")
build(all_lessons(project), project, catalogue={})
"""


def test_ctrl_c_ends_the_kernel_and_leaves_the_old_notebook(course, tmp_path):
    mark = tmp_path / "pid"
    course.write(
        f"# %%\nimport os, pathlib, time\npathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\ntime.sleep(50)\n"
    )
    course.project.notebooks.mkdir()
    course.notebook().write_text("the old one")
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTED, str(course.project.root)], stderr=subprocess.PIPE)
    while not (mark.exists() and mark.read_text()):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert b"KeyboardInterrupt" in errors
    assert not psutil.pid_exists(int(mark.read_text())), "a kernel left behind would train on for nobody"
    assert course.notebook().read_text() == "the old one"


def test_no_jobs_is_refused(course):
    with pytest.raises(CourseError, match="--jobs is 0"):
        build([], course.project, jobs=0)
