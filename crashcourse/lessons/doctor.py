"""`crashcourse doctor`: what is installed and what the machine has, whether the data is whole, and what to do."""

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from crashcourse import places
from crashcourse.errors import CourseError

_LIBRARIES = (
    "torch",
    "torchvision",
    "numpy",
    "matplotlib",
    "accelerate",
    "jupyterlab",
    "ipykernel",
    "ipywidgets",
    "nbclient",
    "scikit-image",
)
_ENOUGH_MEMORY_GB = 2.0
_ENOUGH_DISK_GB = 1.0


@dataclass(frozen=True)
class Finding:
    """One line of the report: what was looked at, what was found, and what to do when it is amiss."""

    subject: str
    found: str
    remedy: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing needs to be done."""
        return not self.remedy


Check = Callable[[], Iterator[Finding]]


def examine(workspace: Path) -> list[Finding]:
    """Look at everything. A look that itself fails becomes a finding, and the others go on.

    Args:
        workspace: the learner's folder of notebooks.
    """
    checks: dict[str, Check] = {
        "versions": _versions,
        "devices": _devices,
        "memory": _memory,
        "disk": lambda: _disk(workspace),
        "kernel": _kernel,
        "data": _data,
        "lessons": _lessons,
        "progress": _progress,
        "workspace": lambda: _workspace(workspace),
    }
    return [finding for subject, check in checks.items() for finding in _guarded(subject, check)]


def report(findings: list[Finding]) -> str:
    """The findings as a text; what is amiss is marked, and repeated with its remedy at the end."""
    lines = [f"{'ok  ' if f.ok else 'FIX '} {f.subject + ':':<14} {f.found}" for f in findings]
    amiss = [f for f in findings if not f.ok]
    if not amiss:
        return "\n".join([*lines, "", "All is well."])
    return "\n".join([*lines, "", "To do:", *(f"  {f.subject}: {f.remedy}" for f in amiss)])


def _guarded(subject: str, check: Check) -> list[Finding]:
    found = []
    try:
        for finding in check():
            found.append(finding)
    except Exception as error:  # a broken installation is what the doctor is for
        reason = str(error) if isinstance(error, CourseError) else f"{type(error).__name__}: {error}"
        remedy = "see the reason above; if a package is at fault, install the course again in a fresh environment."
        found.append(Finding(subject, f"could not be looked at ({reason})", remedy))
    return found


def _versions() -> Iterator[Finding]:
    from crashcourse import __version__

    yield Finding("crashcourse", f"{__version__}, {'a clone' if places.in_clone() else 'installed'}")
    python = platform.python_version()
    yield Finding("python", python, "" if sys.version_info >= (3, 11) else "the course needs Python 3.11 or newer.")
    needed = _requirements()
    for library in _LIBRARIES:
        try:
            version = metadata.version(library)
        except metadata.PackageNotFoundError:
            yield Finding(library, "not installed", f"pip install {library}")
            continue
        wanted = needed.get(library)
        fits = wanted is None or wanted.contains(version, prereleases=True)  # type: ignore[attr-defined]
        yield Finding(
            library, version, "" if fits else f"the course needs {library}{wanted}: pip install '{library}{wanted}'"
        )


def _requirements() -> dict[str, object]:
    from packaging.requirements import Requirement

    try:
        texts = metadata.requires("crashcourse") or []
    except metadata.PackageNotFoundError:
        return {}
    parsed = [Requirement(text) for text in texts]
    return {requirement.name: requirement.specifier for requirement in parsed if requirement.marker is None}


def _devices() -> Iterator[Finding]:
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("cpu", f"{platform.machine()}, {cores} cores, torch uses {torch.get_num_threads()} threads")
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            memory = torch.cuda.get_device_properties(index).total_memory / 1e9
            yield Finding("cuda", f"{torch.cuda.get_device_name(index)}, {memory:.0f} GB")
    elif torch.backends.mps.is_available():
        yield Finding("mps", "available")
    else:
        yield Finding("gpu", "none; GPU cells show recorded runs, everything else works")


def _memory() -> Iterator[Finding]:
    import psutil

    free = psutil.virtual_memory().available / 1e9
    enough = free >= _ENOUGH_MEMORY_GB
    yield Finding("memory", f"{free:.1f} GB free", "" if enough else "close other programs; a lesson may use 2 GB.")


def _disk(workspace: Path) -> Iterator[Finding]:
    for name, folder in {"workspace": workspace, "home": places.home_dir()}.items():
        existing = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
        free = shutil.disk_usage(existing).free / 1e9
        remedy = "" if free >= _ENOUGH_DISK_GB else f"free some space on the disk of {existing}."
        other = "give --workspace another folder." if name == "workspace" else "set CRASHCOURSE_HOME to another folder."
        if not existing.is_dir():
            remedy = f"{existing} is a file where a folder should be; {other}"
        elif not os.access(existing, os.W_OK):
            remedy = f"you may not write to {existing}; {other}"
        yield Finding(f"disk ({name})", f"{free:.1f} GB free at {existing}", remedy)


def _kernel() -> Iterator[Finding]:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        program = KernelSpecManager().get_kernel_spec("python3").argv[0]
    except NoSuchKernel:
        yield Finding("kernel", "no python3 kernel", f"{sys.executable} -m ipykernel install --sys-prefix")
        return
    ours = program in ("python", "python3") or Path(program).absolute() == Path(sys.executable).absolute()
    remedy = "" if ours else f"notebooks would run in {program}: {sys.executable} -m ipykernel install --sys-prefix"
    yield Finding("kernel", "python3 runs this Python" if ours else f"python3 runs {program}", remedy)


def _data() -> Iterator[Finding]:
    from crashcourse.datasets import verify

    for name, ok, sentence in verify():
        yield Finding("data", sentence, "" if ok else f"{name}: {_data_remedy()}")


def _data_remedy() -> str:
    if places.in_clone():
        return "restore the file: git checkout -- data"
    return "install the course again: pip install --force-reinstall --no-deps crashcourse"


def _lessons() -> Iterator[Finding]:
    from crashcourse.lessons.project import Project
    from crashcourse.lessons.source import source_paths

    project = Project()
    sources = {path.stem for path in source_paths(project)}
    missing = sorted(sources - {path.stem for path in project.notebooks.glob("*.ipynb")})
    remedy = (
        "build them: crashcourse build"
        if missing
        else ""
        if sources
        else "the installation holds no lessons; install it again."
    )
    yield Finding("lessons", f"{len(sources)} lessons, not built: {', '.join(missing) or 'none'}", remedy)


def _progress() -> Iterator[Finding]:
    from crashcourse.files import read_json

    path = places.home_dir() / "progress.json"
    if not path.exists():
        yield Finding("progress", f"none yet; it will be kept in {path}")
        return
    try:
        read_json(path)
    except CourseError as error:
        yield Finding(
            "progress", str(error), f"move {path} away; your notebooks are not touched, only the tally begins anew."
        )
        return
    yield Finding("progress", f"kept in {path}")


def _workspace(workspace: Path) -> Iterator[Finding]:
    from crashcourse.lessons.project import Project
    from crashcourse.lessons.workspace import check_workspace, place_of, state_of

    try:
        workspace = place_of(workspace)
        check_workspace(workspace, Project())
    except CourseError as error:
        yield Finding("workspace", "cannot be one", str(error))
        return
    if not workspace.exists():
        yield Finding("workspace", f"none yet at {workspace}; `crashcourse lab` makes it")
        return
    try:
        delivered = state_of(workspace)
    except CourseError as error:
        yield Finding("workspace", "its state cannot be read", str(error))
        return
    yield Finding("workspace", f"{workspace}, {len(delivered)} notebooks delivered")
