"""Where a course keeps its sources and its notebooks: the real project, or a small one in a test."""

from dataclasses import dataclass, field
from pathlib import Path

from crashcourse import places

PACKAGE = Path(places.__file__).resolve().parent


@dataclass(frozen=True)
class Project:
    """The folders of one course."""

    root: Path = field(default_factory=places.project_dir)
    package: Path = PACKAGE

    @property
    def lessons(self) -> Path:
        """The text sources, `NN_stem.py`."""
        return self.root / "course" / "lessons"

    @property
    def records(self) -> Path:
        """The recorded training runs, `NAME.SCALE.json`."""
        return self.root / "course" / "records"

    @property
    def notebooks(self) -> Path:
        """The built notebooks, `NN_stem.ipynb`."""
        return self.root / "notebooks"

    @property
    def built(self) -> Path:
        """What each notebook was built from, as hashes."""
        return self.notebooks / "built.json"
