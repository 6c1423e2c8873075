"""`lab` really serves the workspace and refuses a second one; `doctor` gives a remedy for what is amiss."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat.v4 as v4
import pytest

from crashcourse.errors import CourseError
from crashcourse.files import locked
from crashcourse.lessons import doctor
from crashcourse.lessons.lab import lab
from crashcourse.lessons.normalise import serialise
from crashcourse.lessons.workspace import STATE

START = """
import sys
from pathlib import Path
from crashcourse.lessons.lab import lab
from crashcourse.lessons.project import Project
sys.exit(lab(Path(sys.argv[1]), Project(root=Path(sys.argv[2])), port=int(sys.argv[3]), browser=False))
"""


@pytest.fixture
def ready(course):
    """A course with lesson 00, built."""
    lesson = course.write("# %%\n1\n", name="10_start", title="Start")
    path = lesson.path.with_name("00_start.py")
    text = lesson.path.read_text().replace("part: classification", "part: start")
    path.write_text(text)
    lesson.path.unlink()
    course.project.notebooks.mkdir()
    course.notebook("00_start").write_text(serialise(v4.new_notebook(cells=[v4.new_code_cell("1", id="a")])))
    return course


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_for(url: str, process: subprocess.Popen) -> str:
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            assert process.poll() is None, "JupyterLab ended before it answered"
            time.sleep(0.1)
    raise AssertionError("JupyterLab did not answer within 30 s")


def test_the_lab_serves_the_workspace_refuses_a_second_one_and_ends_when_told(ready, tmp_path):
    mine, port = tmp_path / "my course", free_port()
    environment = os.environ | {"JUPYTER_TOKEN": "secret", "JUPYTER_CONFIG_DIR": str(tmp_path / "config")}
    command = [sys.executable, "-c", START, str(mine), str(ready.project.root), str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        listing = json.loads(wait_for(f"http://127.0.0.1:{port}/api/contents?token=secret", process))
        assert [entry["name"] for entry in listing["content"]] == ["00_start.ipynb"]
        page = wait_for(f"http://127.0.0.1:{port}/lab/tree/00_start.ipynb?token=secret", process)
        assert re.search(r'"news":\s*\{"disabled":\s*true\}', page), "a lesson must not ask about news from the network"
        with pytest.raises(CourseError, match="already runs on"):
            lab(mine, ready.project, browser=False, say=lambda line: None)
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
    assert "00_start: copied" in output
    assert "Starting JupyterLab on 00_start.ipynb" in output
    assert f":{port}/lab/tree/00_start.ipynb" in output, "the address printed must open lesson 00"
    with locked(mine / STATE, timeout=1):
        pass


@pytest.mark.parametrize(
    ("options", "said"),
    [({"port": 0}, "--port is 0"), ({"port": 70000}, "--port is 70000"), ({"lesson": "99"}, "no lesson 99")],
)
def test_bad_options_are_refused(ready, tmp_path, options, said):
    with pytest.raises(CourseError, match=said):
        lab(tmp_path / "mine", ready.project, browser=False, say=lambda line: None, **options)


def test_a_workspace_that_cannot_be_made_is_refused(ready, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CourseError, match="Give --workspace a folder you may write to"):
        lab(tmp_path / "file" / "mine", ready.project, browser=False, say=lambda line: None)


def test_every_look_of_the_doctor_is_reported():
    subjects = {finding.subject for finding in doctor.examine(Path("nowhere-yet"))}
    looked_at = {"crashcourse", "python", "torch", "torchvision", "jupyterlab", "cpu", "memory", "kernel", "data"}
    assert looked_at | {"lessons", "progress", "workspace", "disk (workspace)", "disk (home)"} <= subjects


def test_a_look_that_fails_is_a_finding_and_the_others_go_on(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "crashcourse.datasets", None)
    findings = {finding.subject: finding for finding in doctor.examine(tmp_path)}
    assert not findings["devices"].ok
    assert "torch" in findings["devices"].found
    assert not findings["data"].ok
    assert findings["memory"].found.endswith("GB free")


@pytest.mark.parametrize(
    ("library", "version", "remedy"),
    [("torch", "2.4.0", "pip install 'torch>="), ("nbclient", None, "pip install nbclient")],
)
def test_an_old_or_absent_library_gets_its_remedy(monkeypatch, library, version, remedy):
    real = doctor.metadata.version

    def pretend(name):
        if name != library:
            return real(name)
        if version is None:
            raise doctor.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(doctor.metadata, "version", pretend)
    finding = next(finding for finding in doctor._versions() if finding.subject == library)
    assert finding.remedy.startswith(remedy) or remedy in finding.remedy


def test_broken_data_progress_and_workspace_get_a_remedy(monkeypatch, tmp_path):
    from crashcourse import datasets

    monkeypatch.setattr(
        datasets, "verify", lambda: [("a.png", False, "a.png was changed."), ("b.png", True, "b.png is whole.")]
    )
    monkeypatch.setenv("CRASHCOURSE_HOME", str(tmp_path))
    (tmp_path / "progress.json").write_text("{")
    (tmp_path / STATE).write_text("{")
    findings = doctor.examine(tmp_path)
    amiss = {finding.subject: finding for finding in findings if not finding.ok}
    assert amiss["data"].remedy.startswith("a.png: ")
    assert "move" in amiss["progress"].remedy
    assert "Move that file away" in amiss["workspace"].remedy
    text = doctor.report(findings)
    assert "FIX  data:" in text
    assert text.splitlines()[-1].startswith("  ")
    assert sum("b.png is whole." in line for line in text.splitlines()) == 1


def test_a_file_in_the_place_of_a_folder_gets_a_remedy(monkeypatch, tmp_path):
    """The doctor says that all is well, and the lab then refuses the workspace."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CRASHCOURSE_HOME", str(tmp_path / "file"))
    amiss = {finding.subject: finding for finding in doctor.examine(tmp_path / "file") if not finding.ok}
    assert "is a file; give --workspace a folder" in amiss["workspace"].remedy
    assert "set CRASHCOURSE_HOME to another folder" in amiss["disk (home)"].remedy
    assert "workspace" in {finding.subject for finding in doctor.examine(Path("w" * 300)) if not finding.ok}


def test_all_is_well_is_said():
    assert doctor.report([doctor.Finding("torch", "2.15")]).endswith("All is well.")


def test_a_full_machine_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "_ENOUGH_MEMORY_GB", 1e9)
    monkeypatch.setattr(doctor, "_ENOUGH_DISK_GB", 1e9)
    amiss = {finding.subject for finding in doctor.examine(tmp_path) if not finding.ok}
    assert {"memory", "disk (workspace)", "disk (home)"} <= amiss
