"""The time limit: no answer may hang a notebook, and nothing of ours may be left behind."""

import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from crashcourse.exercises import Case, FunctionExercise
from crashcourse.exercises.limits import TimeLimitReached, run_limited


def endless(*_: Any) -> None:
    while True:
        pass


def deaf(*_: Any) -> None:
    while True:
        try:
            sum(range(100))
        except:  # noqa: E722
            continue


def deafer(*_: Any) -> None:
    while True:
        try:
            time.sleep(0.01)
        except BaseException:
            continue


def polite(*_: Any) -> None:
    while True:
        try:
            torch.ones(2)
        except Exception:
            continue


def deafest(*_: Any) -> None:
    while True:
        try:
            deaf()
        except:  # noqa: E722
            continue


def deep(*_: Any) -> None:
    try:
        deaf()
    finally:
        time.sleep(0.001)


@pytest.mark.parametrize("code", [endless, deaf, deafer, deafest, polite, deep], ids=lambda f: f.__name__)
def test_an_endless_loop_ends_in_the_main_thread(code: Callable[[], None]) -> None:
    """Else a learner would have to restart the kernel."""
    began = time.monotonic()
    with pytest.raises(TimeLimitReached):
        run_limited(code, 0.1)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("code", [endless, deaf, polite], ids=lambda f: f.__name__)
def test_an_endless_loop_ends_in_another_thread(code: Callable[[], None]) -> None:
    """Else the limit would only work where signals do."""
    seen: list[object] = []

    def work() -> None:
        try:
            run_limited(code, 0.1)
        except BaseException as error:
            seen.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert [type(error) for error in seen] == [TimeLimitReached]
    assert "crashcourse-check" not in {t.name for t in threading.enumerate()}


def in_thread(function: Callable[[], Any]) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def test_results_and_errors_pass_through() -> None:
    """Else every answer would come back changed."""

    def caught() -> str:
        try:
            run_limited(lambda: 1 // 0, 1)
        except ZeroDivisionError:
            return "raised"
        return "lost"

    assert run_limited(lambda: 7, 1) == in_thread(lambda: run_limited(lambda: 7, 1)) == 7
    assert caught() == in_thread(caught) == "raised"


@pytest.mark.parametrize("code", [endless, int], ids=["endless", "quick"])
def test_handlers_and_timers_are_as_before(code: Callable[[], Any]) -> None:
    """Else the alarm of someone else's code would be lost."""
    rung: list[int] = []
    earlier = signal.signal(signal.SIGALRM, lambda number, frame: rung.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        try:
            run_limited(code, 0.05)
        except TimeLimitReached:
            assert code is endless
        assert not rung
        time.sleep(0.4)
        assert rung == [signal.SIGALRM]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)


def test_no_shot_is_left_after_the_end() -> None:
    """Else the exception would be raised in the lesson, long after the check."""
    for _ in range(50):
        with pytest.raises(TimeLimitReached):
            run_limited(endless, 0.002)
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def same(x: Tensor) -> Tensor:
    """Give it back, doubled."""
    return x * 2


def make(seconds: float = 0.2, *, gradient: bool = False) -> FunctionExercise:
    settings: dict[str, Any] = {
        "name": "test.same",
        "title": "Same",
        "lesson": 1,
        "reference": same,
        "seconds": seconds,
    }
    return FunctionExercise(**settings, gradient=gradient, cases=lambda seed: [Case([torch.rand(n)]) for n in (4, 2)])


@pytest.mark.parametrize("run", [lambda f: f(), in_thread], ids=["main", "thread"])
def test_the_report_names_the_line_that_never_ends(run: Callable[[Callable[[], Any]], Any]) -> None:
    """Else a learner would not know which loop it is."""
    report = run(lambda: make().check(endless))
    assert report.verdict == "error"
    assert "still running after 0.2 seconds" in report.text
    assert ":  pass" in report.text or ":  while True:" in report.text


def test_the_limit_is_for_the_whole_check() -> None:
    """Else many slow cases would add up."""
    began = time.monotonic()
    report = make().check(lambda x: (time.sleep(0.15), x * 2)[1])
    assert report.verdict == "error"
    assert time.monotonic() - began < 1


def test_what_is_wrong_before_it_hangs_is_said_first() -> None:
    """Else the ladder would be climbed from its top."""
    report = make().check(lambda x: x * 3 if len(x) == 4 else endless())
    assert report.verdict == "wrong"


def test_a_gradient_that_hangs_is_stopped() -> None:
    """Else a custom backward could hang the notebook."""

    class Slow(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            endless()
            return grad

    report = make(gradient=True).check(Slow.apply)
    assert report.verdict == "error"
    assert "still running" in report.text
