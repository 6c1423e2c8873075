"""What cells see: the panel, its plain twin, and which answer the lesson goes on with."""

import html
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from nbclient import NotebookClient

from crashcourse.errors import CourseError
from crashcourse.exercises import answer, catalogue, choice, exercise, hint, notebook, progress, progress_file, solution
from crashcourse.exercises.start import to_float


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CRASHCOURSE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_right_answer_is_what_the_lesson_goes_on_with(capsys: pytest.CaptureFixture[str]) -> None:
    """Else a learner's work would not be used."""

    @exercise("start.to_float")
    def mine(images: torch.Tensor) -> torch.Tensor:
        return images / 255.0

    assert mine.__name__ == "mine"
    assert "The lesson goes on with your own to_float." in capsys.readouterr().out


@pytest.mark.parametrize("body", [lambda images: images, lambda images: None, lambda images: 1 // 0])
def test_else_the_lesson_goes_on_with_the_reference(body: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Else one unsolved exercise would break every later cell."""
    assert exercise("start.to_float")(body) is to_float
    assert "The lesson goes on with the reference to_float." in capsys.readouterr().out


def test_answers_give_nothing_back(capsys: pytest.CaptureFixture[str]) -> None:
    """Else the right value would be printed below the cell."""
    assert answer("start.guessing", 7) is None
    assert "0.1" not in capsys.readouterr().out.replace("0.1 ", "")


@pytest.mark.parametrize("name", list(catalogue()))
def test_the_twin_says_what_the_panel_says(name: str) -> None:
    """Else a reader without HTML would learn less."""
    found = catalogue()[name]
    candidates = [..., 5, *(entry.answer for entry in found.wrong.values())]
    for candidate in candidates:
        report = found.check(candidate)
        panel = html.unescape(re.sub(r"<[^>]+>", " ", report.html))
        words = [word for word in re.findall(r"\w+", report.text) if not set(word) <= {"-"}]
        pictures = ["Picture"] * report.html.count("<img")
        assert sorted(words) == sorted(re.findall(r"\w+", panel) + pictures)


def test_what_a_learner_typed_is_escaped() -> None:
    """Else an answer could put script into the page."""
    report = catalogue()["start.measured"].check("<script>alert(1)</script>")
    assert "<script>" not in report.html
    assert "&lt;script&gt;" in report.html


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: exercise("start.tofloat"), "Did you mean 'start.to_float'"),
        (lambda: exercise(to_float), "@exercise"),  # type: ignore[arg-type]
        (lambda: exercise("start.guessing"), r'answer\("start.guessing", ...\)'),
        (lambda: answer("start.to_float", 3), r'@exercise\("start.to_float"\)'),
        (lambda: choice("start.guessing"), r'answer\("start.guessing"'),
        (lambda: answer("start.measured", "b"), r'choice\("start.measured"\)'),
        (lambda: hint("start.nothing_like_it_at_all"), "There is no exercise"),
        (lambda: solution(3), "named by a text"),  # type: ignore[arg-type]
        (lambda: progress(77), "no lesson with exercises"),
    ],
)
def test_a_call_that_makes_no_sense_is_refused_with_a_sentence(call: Any, words: str) -> None:
    """Else a learner would read a KeyError."""
    with pytest.raises(CourseError, match=words):
        call()


def test_the_widget_is_asked_for_only_where_someone_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a build would store a widget, or a learner would never see one."""
    shown: list[str] = []
    monkeypatch.setattr(notebook, "_show_widget", lambda found: shown.append(found.name))
    choice("start.measured")
    assert shown == []
    monkeypatch.setattr(notebook, "is_live", lambda: True)
    choice("start.measured")
    choice("start.measured", "b")
    assert shown == ["start.measured"]


def test_an_answer_through_the_widget_is_checked_and_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the radio buttons would be decoration."""
    import IPython.display

    from crashcourse.figures.widgets import choice as home

    asked: list[Any] = []
    monkeypatch.setattr(home, "choice_widget", lambda *arguments: asked.extend(arguments))
    monkeypatch.setattr(IPython.display, "display", lambda *_: None)
    notebook._show_widget(catalogue()["start.measured"])  # type: ignore[arg-type]
    question, options, on_answer = asked
    assert question
    assert list(options) == ["a", "b", "c"]
    assert "Not right yet" in on_answer("a")
    assert "Passed" in on_answer("b")
    assert progress_file.entries()[0]["start.measured"].attempts == 2


CELLS = [
    "from crashcourse.exercises import *\ncatalogue()['start.to_float'].seconds = 1.5",
    '@exercise("start.to_float")\ndef to_float(images):\n    y = images.float()\n    return y.sum(dim=9)',
    '@exercise("start.to_float")\ndef to_float(images):\n    raise NotImplementedError',
    'answer("start.guessing", ...)',
    'choice("start.measured")',
    '@exercise("start.to_float")\ndef to_float(images):\n    while True:\n        try:\n            pass\n        '
    "except:\n            pass",
    'hint("start.to_float")',
    'solution("start.to_float")',
    "progress(0)",
]


def test_in_a_real_kernel(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what holds in a script could fail in a notebook: source lines, signals, display, output that varies."""
    monkeypatch.setenv("CRASHCOURSE_STATIC", "1")
    runs = []
    for number in (1, 2):
        monkeypatch.setenv("CRASHCOURSE_HOME", str(home / str(number)))
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
        NotebookClient(book, timeout=60, kernel_name="python3").execute()
        runs.append([cell.outputs for cell in book.cells])
    assert [[dict(o.get("data", {})) for o in outputs] for outputs in runs[0]] == [
        [dict(o.get("data", {})) for o in outputs] for outputs in runs[1]
    ]
    assert all([o.output_type for o in outputs] == ["display_data"] for outputs in runs[0][1:])
    assert all(set(outputs[0].data) == {"text/plain", "text/html"} for outputs in runs[0][1:])
    texts = [outputs[0].data["text/plain"] for outputs in runs[0][1:]]
    assert "line 4:  return y.sum(dim=9)" in texts[0]
    assert "Not attempted yet" in texts[1]
    assert "still running after 1.5 seconds" in texts[4]
    assert 'choice("start.measured", "a")' in texts[3]


def test_importing_is_light() -> None:
    """Else opening any lesson would wait for libraries it does not use."""
    code = """if True:
        import sys
        import crashcourse.exercises
        print([m for m in ("torch", "matplotlib", "IPython") if m in sys.modules])
        from crashcourse.exercises import answer, catalogue, choice, exercise
        print([m for m in ("torchvision", "matplotlib", "ipywidgets", "IPython", "accelerate") if m in sys.modules])
    """
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split("\n")[:2] == ["[]", "[]"]
