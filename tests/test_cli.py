"""The command line: every verb is there, bad input is one sentence and exit code 2, and nothing shows a traceback."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crashcourse import cli
from crashcourse.errors import CourseError


def run(*arguments: str, **options):
    command = [sys.executable, "-m", "crashcourse", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("buidl", "Did you mean 'build'"),
        ("", "VERB"),
        ("lab --lessn 3", "Unrecognized arguments: --lessn 3"),
        ("lab --port x", "invalid int value: 'x'"),
        ("lab --lesson vggg --workspace {tmp}/w --no-browser", "no lesson named 'vggg'"),
        ("lab --workspace {file} --no-browser", "is a file"),
        ("lab --port 99999 --workspace {tmp}/w", "--port is 99999"),
        ("lab --workspace {long} --no-browser", "File name too long"),
        ("lab --workspace ~nobody-of-this-name/w --no-browser", "user who is not known"),
        ("run 99", "no lesson 99"),
        ("run", "NN"),
        ("build 99", "no lesson 99"),
        ("build --check vgx", "no lesson named 'vgx'"),
        ("build --jobs 0", "--jobs is 0"),
        ("solution start.to_flaot", "Did you mean 'start.to_float'"),
        ("hint start.to_flaot", "Did you mean 'start.to_float'"),
        ("train vgg_garment --scale laptop", "Did you mean 'vgg_garments'"),
        ("train vgg_garments --scale lptop", "Did you mean 'laptop'"),
        ("train vgg_garments --seeds 0", "--seeds is 0"),
        ("download fashon-mnist", "fashion-mnist"),
        ("list model", "no list named 'model'. Did you mean 'models'"),
        ("list lessons models", "Unrecognized arguments: models"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments, said, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    words = arguments.format(tmp=tmp_path, file=tmp_path / "file", long="w" * 300).split()
    assert cli.main(words) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert "Traceback" not in shown.err
    assert shown.err.startswith("crashcourse: ")


def test_the_verbs_print_what_they_are_for(capsys):
    assert cli.main(["status"]) == 0
    assert cli.main(["solution", "start.to_float"]) == 0
    assert cli.main(["hint", "start.to_float"]) == 0
    assert cli.main(["list"]) == 0
    shown = capsys.readouterr().out
    assert "start.to_float" in shown
    assert "return images.float() / 255" in shown
    assert "lesson" in shown


def test_list_models_prints_a_row_for_each_network(capsys):
    """A network is missing from the table, or a row lost its paper or its cost."""
    from crashcourse.classification import MODELS

    assert cli.main(["list", "models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["network", "image", "parameters", "MACs", "(M)", "year", "paper"]
    rows = {line.split()[0]: line for line in lines[1 : 1 + len(MODELS)]}
    assert list(rows) == list(MODELS)
    assert rows["vgg16"].split(maxsplit=5)[1:] == [
        "224",
        "138,357,544",
        "15,470",
        "2014",
        "Simonyan & Zisserman, 1409.1556",
    ]
    assert rows["mobilenet_v2"].split()[1:5] == ["224", "3,504,872", "301", "2018"]
    assert max(map(len, lines)) <= 120


def test_list_alone_is_the_course(capsys):
    """The new word changed what the verb does without it."""
    assert cli.main(["list"]) == 0
    alone = capsys.readouterr().out
    assert cli.main(["list", "lessons"]) == 0
    assert capsys.readouterr().out == alone
    assert "exercises done" in alone


def test_check_lists_what_does_not_match_and_exits_with_1(monkeypatch, capsys):
    from crashcourse.lessons import build

    monkeypatch.setattr(build, "mismatches", lambda project, lessons: {"11_vgg": "never built"})
    assert cli.main(["build", "--check"]) == 1
    assert "11_vgg: never built\n1 to build" in capsys.readouterr().out
    monkeypatch.setattr(build, "mismatches", lambda project, lessons: {})
    assert cli.main(["build", "--check"]) == 0


@pytest.mark.parametrize(("outcome", "code"), [("failed", 1), ("written", 0), ("unchanged", 0)])
def test_a_build_that_fails_exits_with_1(monkeypatch, capsys, outcome, code):
    from crashcourse.lessons import build, source

    monkeypatch.setattr(source, "all_lessons", lambda project: [])
    monkeypatch.setattr(build, "build", lambda *a, **k: [build.Built("11_vgg", outcome)])
    assert cli.main(["build"]) == code
    assert ("Not built: 11_vgg" in capsys.readouterr().out) is (code == 1)


def test_an_installed_copy_does_not_build(monkeypatch, capsys):
    from crashcourse import places
    from crashcourse.lessons import source

    monkeypatch.setattr(source, "all_lessons", lambda project: [])
    monkeypatch.setattr(places, "in_clone", lambda: False)
    assert cli.main(["build"]) == 2
    assert "clone" in capsys.readouterr().err


def test_doctor_exits_with_1_when_something_is_amiss(monkeypatch, capsys):
    from crashcourse.lessons import doctor

    monkeypatch.setattr(doctor, "examine", lambda workspace: [doctor.Finding("disk", "full", "free some space")])
    assert cli.main(["doctor"]) == 1
    assert "free some space" in capsys.readouterr().out
    monkeypatch.setattr(doctor, "examine", lambda workspace: [doctor.Finding("disk", "empty")])
    assert cli.main(["doctor"]) == 0


def test_train_and_download_pass_on_what_was_asked(monkeypatch):
    from crashcourse import datasets, recipes

    asked = []
    monkeypatch.setattr(recipes, "study", lambda name, **options: asked.append((name, options)))
    monkeypatch.setattr(datasets, "download", lambda name: asked.append(name))
    assert cli.main(["train", "vgg_garments", "--scale", "gpu", "--seeds", "5"]) == 0
    assert cli.main(["download", "cifar10"]) == 0
    assert asked == [("vgg_garments", {"scale": "gpu", "seeds": 5}), "cifar10"]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [(CourseError("A sentence."), 2, "crashcourse: A sentence."), (KeyboardInterrupt(), 130, "Stopped.")],
)
def test_errors_and_ctrl_c_end_with_their_code(monkeypatch, capsys, error, code, said):
    def fail(options):
        raise error

    monkeypatch.setattr(cli, "_list", fail)
    assert cli.main(["list"]) == code
    assert said in capsys.readouterr().err


SLOW = """
import time, crashcourse.cli as cli
cli._list = lambda options: (print("ready", flush=True), time.sleep(60))
raise SystemExit(cli.main(["list"]))
"""
LONG = """
import crashcourse.cli as cli
cli._list = lambda options: print("x" * 10_000_000) or 0
raise SystemExit(cli.main(["list"]))
"""


def started(code: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_ctrl_c_in_a_real_process_is_a_sentence_and_130():
    with started(SLOW) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (130, "\nStopped. Whatever was finished before is kept.\n")


def test_a_reader_that_leaves_early_is_met_with_silence():
    with started(LONG) as process:
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=20) == 0


def test_an_error_of_the_disk_is_a_sentence_and_2(monkeypatch, capsys):
    """A folder that may not be read, somewhere below a verb, ends in a traceback."""

    def fail(options):
        raise PermissionError(13, "Permission denied", "/secret")

    monkeypatch.setattr(cli, "_list", fail)
    assert cli.main(["list"]) == 2
    assert capsys.readouterr().err == "crashcourse: Could not go on: /secret: Permission denied.\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
@pytest.mark.parametrize("verb", ["list", "status"])
def test_output_to_a_full_disk_is_a_sentence_and_2(verb):
    """`crashcourse list > file` on a full disk shows a traceback, or claims that all is well."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "crashcourse", verb], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert (done.returncode, done.stderr) == (2, "crashcourse: Could not go on: No space left on device.\n")


def test_a_terminal_without_our_signs_gets_question_marks(tmp_path):
    """On a terminal that is not UTF-8 the panel's ○ ends in a UnicodeEncodeError."""
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "CRASHCOURSE_HOME": str(tmp_path)}
    done = run("status", env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "? not attempted" in done.stdout


def test_closed_output_is_no_error():
    """`crashcourse list >&-` ends in an AttributeError."""
    code = "import os, sys; os.close(1); sys.stdout = None\nfrom crashcourse import cli; sys.exit(cli.main(['list']))"
    done = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_help_is_quick_and_names_every_verb():
    began = time.perf_counter()
    done = run("--help")
    seconds = time.perf_counter() - began
    assert done.returncode == 0
    for verb in ("lab", "run", "build", "list", "doctor", "status", "solution", "hint", "train", "download"):
        assert f"\n    {verb} " in done.stdout
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, crashcourse.cli as c; c._parser(); print('torch' in sys.modules, len(sys.modules))",
        ],
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout.split()
    assert loaded[0] == "False"
    assert int(loaded[1]) < 250, "help loads only what it needs"
    assert seconds < 3, "a busy machine may take its time, a heavy import takes longer"


def test_the_version_is_the_packages(capsys):
    from crashcourse import __version__

    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"crashcourse {__version__}\n"
