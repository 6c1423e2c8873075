"""A time limit that stops an endless Python loop, in the main thread and in any other, on every platform.

In the main thread of a POSIX process a timer signal raises `TimeLimitReached` inside the running code, which also
interrupts `time.sleep`. Code that swallows it in a bare `except:` gets the next one as soon as the swallowed one is
freed, which is when the `except` is over; or at one of the interpreter's next regular checks, by chance, until one of
them lies where no `try` catches it.

Elsewhere the code runs in a thread of its own, and the exception is sent to that thread until it ends.
"""

import _thread
import ctypes
import functools
import itertools
import operator
import random
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable
from types import FrameType
from typing import Any

_PAUSES = (0.1, 0.02)  # seconds from one shot to the next: the first leaves time to clean up, the others follow faster
# How many checks pass before the next shot. None is nearly always right; but Python 3.12 counts the jump out of an
# `except` to the `try` before it, and a fixed order could keep step with nested loops.
_WAITS = (0, 0, 0, 1, 2, 3, 4)
_GRACE = 3.0


class TimeLimitReached(BaseException):
    """The code ran for longer than it may. A `BaseException`, so that `except Exception` does not catch it."""


def run_limited(function: Callable[[], Any], seconds: float) -> Any:
    """Call `function` and return what it returns; exceptions pass through.

    Signal handlers and timers that were set before are set again afterwards.

    Args:
        function: called without arguments.
        seconds: how long it may take, above 0.

    Raises:
        TimeLimitReached: it took longer. In a thread other than the main one, code that cannot be stopped
            (a call into C that never returns) is left behind in a background thread.
    """
    if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
        return _run_with_signal(function, seconds)
    return _run_in_thread(function, seconds)


def _enter(function: Callable[[], Any]) -> Any:
    return function()  # a frame to recognise: only what runs above it may be interrupted


def _is_inside(frame: FrameType | None) -> bool:
    """Whether the frame is of code that `_enter` called: the limit must never be raised in our own code."""
    if frame is None or frame.f_code is _enter.__code__:
        return False
    while frame is not None:
        if frame.f_code is _enter.__code__:
            return True
        frame = frame.f_back
    return False


class _Watch(weakref.ref):  # type: ignore[type-arg]
    """Sets off the alarm when an exception is freed.

    Every step from there to the signal's flag is C, so the handler runs at the interpreter's next regular check: a
    call, or a loop's jump back. A `__del__` would be interrupted itself.
    """

    trip: Callable[[], None]


def _watch(error: TimeLimitReached) -> _Watch:
    watch = _Watch(error, operator.methodcaller("trip"))
    watch.trip = functools.partial(_thread.interrupt_main, signal.SIGALRM)
    return watch


def _run_with_signal(function: Callable[[], Any], seconds: float) -> Any:
    pauses = itertools.chain(_PAUSES, itertools.repeat(_PAUSES[-1]))
    began = time.monotonic()
    done = False
    watches: list[_Watch] = []

    chance = random.Random(0)
    wait = 0

    def watched() -> TimeLimitReached:
        error = TimeLimitReached()
        watches[:] = [_watch(error)]
        return error

    def interrupt(_number: int, frame: FrameType | None) -> None:
        nonlocal wait
        if done:
            return
        signal.setitimer(signal.ITIMER_REAL, next(pauses))
        if not _is_inside(frame):
            return
        if wait:
            wait -= 1
            _again = watched()  # freed when this function returns
            return
        wait = chance.choice(_WAITS)
        raise watched()  # no variable may hold it, or it would not be freed when it is swallowed

    earlier_handler = signal.signal(signal.SIGALRM, interrupt)
    remaining, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return _enter(function)
    finally:
        done = True  # before the timer is stopped: a signal that is on its way must not set it again
        watches.clear()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL if earlier_handler is None else earlier_handler)
        if remaining:
            left = remaining - (time.monotonic() - began)
            signal.setitimer(signal.ITIMER_REAL, max(left, 1e-3), interval)


def _run_in_thread(function: Callable[[], Any], seconds: float) -> Any:
    outcome: dict[str, Any] = {}

    def work() -> None:
        try:
            outcome["value"] = _enter(function)
        except BaseException as error:
            outcome["error"] = error

    worker = threading.Thread(target=work, name="crashcourse-check", daemon=True)
    worker.start()
    try:
        worker.join(seconds)
    except BaseException:  # the stop button
        _stop(worker)
        raise
    if worker.is_alive():
        _stop(worker)
        outcome = {"error": TimeLimitReached()} if worker.is_alive() else outcome
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]


def _stop(worker: threading.Thread) -> None:
    """Send the exception to a thread until it ends, or until it is clear that nothing will end it."""
    pauses = itertools.chain(_PAUSES, itertools.repeat(1e-3))
    deadline = time.monotonic() + _GRACE
    while worker.is_alive() and time.monotonic() < deadline:
        if not _is_inside(sys._current_frames().get(worker.ident or 0)):
            worker.join(1e-3)
            continue
        identifier = ctypes.c_ulong(worker.ident or 0)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(identifier, ctypes.py_object(TimeLimitReached))
        worker.join(next(pauses))
