"""`crashcourse lab`: bring the workspace up to date and open JupyterLab on it."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from crashcourse.errors import CourseError
from crashcourse.files import locked
from crashcourse.lessons.project import Project
from crashcourse.lessons.source import find_lesson
from crashcourse.lessons.workspace import STATE, check_workspace, place_of, sync

_SETTINGS = Path(__file__).parent / "jupyterlab"
"""JupyterLab's defaults for the course: no news and no question about them. A learner's own settings win."""

_SAID = {
    "new": "copied",
    "refreshed": "replaced by its new version (you had not changed it)",
    "yours": "yours, left as it is",
    "current": "up to date",
    "updated": "new version, your answers carried over",
    "unreadable": "NOT READABLE, left as it is",
}


def lab(
    workspace: Path,
    project: Project,
    *,
    lesson: str | None = None,
    port: int | None = None,
    browser: bool = True,
    say: Callable[[str], None] = print,
) -> int:
    """Sync the workspace, then run JupyterLab there until it is stopped.

    Args:
        workspace: the learner's folder; made if absent.
        project: the course.
        lesson: the lesson to open, 00 by default.
        port: the port to listen on; JupyterLab's choice by default.
        browser: whether to open a browser.
        say: where sentences go.

    Returns:
        JupyterLab's exit code.

    Raises:
        CourseError: the folder cannot be used, another lab runs on it, or the lesson is unknown.
    """
    if port is not None and not 0 < port < 65536:
        raise CourseError(f"--port is {port}; a port is a number from 1 to 65535.")
    workspace = place_of(workspace)
    check_workspace(workspace, project)
    chosen = find_lesson(project, lesson or "0")
    with _lock(workspace):
        say(f"Workspace: {workspace}")
        for result in sync(workspace, project):
            say(f"  {result.name}: {_SAID[result.outcome]}")
            if result.detail:
                say(f"    {result.detail}")
        notebook = workspace / f"{chosen.name}.ipynb"
        if not notebook.exists():
            raise CourseError(f"{notebook.name} is not built yet; in a clone, run `crashcourse build` first.")
        say(f"Starting JupyterLab on {notebook.name}. To stop it: Ctrl-C here, then y.")
        return _serve(notebook, port=port, browser=browser)


@contextmanager
def _lock(workspace: Path) -> Iterator[None]:
    from filelock import Timeout

    with ExitStack() as stack:
        try:
            stack.enter_context(locked(workspace / STATE, timeout=2.0))
        except CourseError as error:
            if not isinstance(error.__cause__, Timeout):
                raise CourseError(f"{error} Give --workspace a folder you may write to.") from error
            raise CourseError(
                f"A crashcourse lab already runs on {workspace}. Use its browser tab, or stop it first; "
                "`jupyter server list` shows its address."
            ) from error
        yield


def _serve(notebook: Path, *, port: int | None, browser: bool) -> int:
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={notebook.parent}"]
    command += [f"--LabApp.app_settings_dir={_SETTINGS}", "--LabApp.news_url=None"]
    command += [f"--LabApp.default_url=/lab/tree/{notebook.name}"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate"]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"] if port is not None else []
    command += [] if browser else ["--no-browser"]
    if _is_root():
        command.append("--allow-root")
    process = subprocess.Popen(command, cwd=notebook.parent)
    previous = {number: signal.signal(number, handler) for number, handler in _handlers(process).items()}
    try:
        return process.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if process.poll() is None:
            process.terminate()


def _is_root() -> bool:
    import os

    return hasattr(os, "geteuid") and os.geteuid() == 0


def _handlers(process: "subprocess.Popen[bytes]") -> dict[int, object]:
    """Ctrl-C reaches JupyterLab by itself, and it asks; being told to end, we tell it."""
    return {signal.SIGINT: signal.SIG_IGN, signal.SIGTERM: lambda *_: process.terminate()}
