#!/usr/bin/env python3
"""Install the course into a folder of its own, then open it or test it.

    python3 start.py            install, then open lesson 00 in JupyterLab
    python3 start.py test       install with the test tools, then run every test
    python3 start.py install    install with the test tools, and stop there

Needs Python 3.11 or later and pip, nothing else. Everything goes into `.venv` beside this file, so it also works where
system-wide installs are refused. Running it again skips what is there. Further arguments go on to `crashcourse lab` or
to pytest.
"""

from __future__ import annotations  # so that an older Python can still say what it lacks

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "crashcourse-installed.txt"


class ProblemError(Exception):
    """Something that a sentence explains."""


def say(text: str) -> None:
    print(f"[crashcourse] {text}", flush=True)


def quiet(command: list[str]) -> bool:
    """Run a command without its output; say whether it succeeded."""
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def fingerprint(extra: str) -> str:
    """What an installation depends on: the ranges, the tested versions, the place and the extra."""
    parts = [(HERE / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    return hashlib.sha256(b"\0".join([*parts, str(HERE).encode(), sys.version.encode()])).hexdigest() + f" {extra}"


def is_installed(extra: str) -> bool:
    """Whether `.venv` holds what is asked for; the test tools include the course."""
    wanted = {fingerprint(extra), fingerprint("test")}
    return PYTHON.exists() and STAMP.exists() and STAMP.read_text() in wanted


def make_venv() -> None:
    """Make `.venv` without pip, which also works where Debian has taken ensurepip out of Python."""
    if PYTHON.exists() and quiet([str(PYTHON), "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]):
        return
    import venv

    say(f"Making a virtual environment in {VENV.name} (Python {sys.version.split()[0]}).")
    venv.create(VENV, clear=VENV.exists(), with_pip=False, symlinks=os.name != "nt")


def pip() -> list[str]:
    """The command that installs into `.venv`: this Python's pip aimed at it, or a pip of its own."""
    if quiet([sys.executable, "-m", "pip", "--python", str(PYTHON), "--version"]):
        return [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    if quiet([str(PYTHON), "-m", "pip", "--version"]) or quiet([str(PYTHON), "-m", "ensurepip"]):
        return [str(PYTHON), "-m", "pip"]
    raise ProblemError(
        "This Python has no usable pip. Install it (on Debian or Ubuntu: apt install python3-pip), then try again."
    )


def uv() -> list[str] | None:
    """uv, which downloads in parallel: the one on the PATH, or one from pip; None where there is neither."""
    found = shutil.which("uv")
    if found and quiet([found, "--version"]):
        return [found]
    own = PYTHON.with_name("uv.exe" if os.name == "nt" else "uv")
    if not own.exists():
        say("Fetching uv, a fast installer.")
        quiet([*pip(), "install", "--quiet", "--constraint", str(HERE / "constraints.txt"), "uv"])
    return [str(own)] if own.exists() else None


def install(extra: str) -> None:
    """Install the course in editable form with the tested versions, with uv, else with pip."""
    make_venv()
    target = f"{HERE}[{extra}]" if extra else str(HERE)
    arguments = ["install", "--constraint", str(HERE / "constraints.txt"), "--editable", target]
    began = time.monotonic()
    say("Installing the tested versions. The first time this downloads PyTorch, which takes some gigabytes.")
    fast = uv()
    done = fast is not None and subprocess.run([*fast, "pip", *arguments, "--python", str(PYTHON)]).returncode == 0
    if not done:
        say("Installing with pip.")
        done = subprocess.run([*pip(), *arguments]).returncode == 0
    if not done:
        raise ProblemError(
            "The installation did not finish; the lines above say why. Check the network and the free disk space "
            "(about 8 GB), then run the same command again: what was downloaded is kept."
        )
    STAMP.write_text(fingerprint(extra))
    say(f"Installed in {time.monotonic() - began:.0f} s.")


def run(command: list[str], **environment: str) -> int:
    """Run a command of the environment in this folder; Ctrl-C reaches it and we wait for it to end."""
    process = subprocess.Popen(command, cwd=HERE, env={**os.environ, **environment})
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def open_lab(arguments: list[str]) -> int:
    if not is_installed(""):
        install("")
    say("Opening the course. Stop it with Ctrl-C; your answers are kept.")
    return run([str(PYTHON), "-m", "crashcourse", "lab", *arguments])


def run_tests(arguments: list[str]) -> int:
    if not is_installed("test"):
        install("test")
    say("Running all tests: units, every notebook, the browser.")
    two = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]  # in the order of conftest.py
    return run([str(PYTHON), "-m", "pytest", *two, *arguments], OMP_NUM_THREADS="1")


def main(arguments: list[str]) -> int:
    if sys.version_info < (3, 11):
        raise ProblemError(
            f"The course needs Python 3.11 or later; this is {sys.version.split()[0]}. Try: python3.12 start.py"
        )
    verb, rest = (arguments[0], arguments[1:]) if arguments else ("lab", [])
    if verb in ("-h", "--help"):
        print(__doc__)
        return 0
    if verb == "lab" or verb.startswith("-"):
        return open_lab(rest if verb == "lab" else arguments)
    if verb == "test":
        return run_tests(rest)
    if verb == "install" and not rest:
        if not is_installed("test"):
            install("test")
        return 0
    raise ProblemError(f"start.py knows 'lab', 'test' and 'install', not {' '.join(arguments)!r}.")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ProblemError as problem:
        say(str(problem))
        sys.exit(2)
    except KeyboardInterrupt:
        say("Stopped. Run the same command again to go on from here.")
        sys.exit(130)
    except OSError as error:
        say(f"Could not go on: {error}. Check the free disk space and that you may write to this folder.")
        sys.exit(2)
