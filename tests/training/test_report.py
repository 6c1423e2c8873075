"""What a learner sees of a run, in a build, a terminal and a notebook."""

import re
import subprocess
import sys
import types
from typing import Any

import pytest
from training_helpers import TinyBatches, classify, sgd, tiny_model

from crashcourse import environment
from crashcourse.training import History, fit

LINE = r"trained 2 epochs of 5 batches: loss ≈ [\d.]+, accuracy ≈ [\d.]+, ≈ [\d.e-]+ s\n"


def train(**options: Any) -> History:
    return fit(tiny_model(), TinyBatches(), classify, epochs=2, optimizer=sgd, **options)


def test_a_build_gets_one_line_and_nothing_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    """Fails if a lesson's output could not be compared: a bar, a number without ≈, a warning."""
    train()
    out, err = capfd.readouterr()
    assert re.fullmatch(LINE, out)
    assert err == ""


def test_silence_on_request(capfd: pytest.CaptureFixture[str]) -> None:
    """Fails if a caller that reports for itself gets a second report."""
    train(progress=False)
    assert capfd.readouterr() == ("", "")


def test_a_terminal_gets_a_bar_on_stderr_that_goes_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fails if there is no live line, or if it stays after the end or goes to stdout."""
    monkeypatch.setenv("CRASHCOURSE_STATIC", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    train()
    out, err = capsys.readouterr()
    assert re.fullmatch(LINE, out)
    assert "0/10" in err
    assert err.split("\r")[-1].strip() == ""


def test_a_log_file_gets_no_bar(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Fails if a redirected stderr fills with bars."""
    monkeypatch.setenv("CRASHCOURSE_STATIC", "")
    train()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("ending", ["whole", "interrupted", "error"])
def test_a_notebook_gets_a_live_figure_that_is_closed_however_it_ends(
    ending: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fails if the figure is not updated each epoch, or is left open by a stop or an error."""
    events: list[Any] = []

    class LiveCurves:
        def __init__(self, title: str) -> None:
            events.append("open")

        def update(self, epochs: list[dict[str, float]]) -> None:
            events.append(len(epochs))
            if ending == "interrupted":
                raise KeyboardInterrupt
            if ending == "error":
                raise RuntimeError("no picture")

        def close(self) -> None:
            events.append("closed")

    module = types.ModuleType("crashcourse.figures.live")
    module.LiveCurves = LiveCurves  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "crashcourse.figures.live", module)
    monkeypatch.setenv("CRASHCOURSE_STATIC", "")
    monkeypatch.setattr(environment, "in_notebook", lambda: True)
    if ending == "error":
        with pytest.raises(RuntimeError):
            train()
    else:
        train()
    assert events == (["open", 1, 2, "closed"] if ending == "whole" else ["open", 1, "closed"])
    assert re.fullmatch(LINE, capsys.readouterr().out) or ending != "whole"


def test_import_is_light() -> None:
    """Fails if importing the room loads accelerate, matplotlib, torchvision or widgets, or prints."""
    heavy = "{'accelerate', 'matplotlib', 'torchvision', 'ipywidgets', 'tqdm.auto'}"
    code = f"import sys, crashcourse.training; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
