"""Where things are: the project's own files, in a clone or in a wheel, and the learner's home."""

import os
from pathlib import Path

import platformdirs

_PACKAGE = Path(__file__).resolve().parent


def project_dir() -> Path:
    """The folder that holds `course/`, `data/` and `notebooks/`: the clone, or their copies inside the wheel."""
    bundled = _PACKAGE / "_project"
    return bundled if bundled.is_dir() else _PACKAGE.parent


def in_clone() -> bool:
    """Whether the package runs from a clone (an author can build lessons) rather than from a wheel."""
    return (project_dir() / "pyproject.toml").is_file()


def data_dir() -> Path:
    """The embedded data."""
    return project_dir() / "data"


def lessons_dir() -> Path:
    """The lessons' text sources."""
    return project_dir() / "course" / "lessons"


def records_dir() -> Path:
    """The records of full-scale training runs."""
    return project_dir() / "course" / "records"


def notebooks_dir() -> Path:
    """The built notebooks."""
    return project_dir() / "notebooks"


def home_dir() -> Path:
    """The learner's own folder (progress, checkpoints): `CRASHCOURSE_HOME`, or the platform's place for user data."""
    return Path(os.environ.get("CRASHCOURSE_HOME") or platformdirs.user_data_dir("crashcourse", appauthor=False))


def downloads_dir() -> Path:
    """Where downloaded data sets lie: `data/downloads/` of a clone, else in the learner's home."""
    return data_dir() / "downloads" if in_clone() else home_dir() / "downloads"
