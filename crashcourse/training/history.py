"""What a training run leaves behind: its metrics, epoch by epoch."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from crashcourse.errors import CourseError, unknown
from crashcourse.files import read_json, write_atomically


@dataclass
class History:
    """The metrics of every whole epoch, and the time that they took.

    Attributes:
        epochs: one dictionary per whole epoch. The metrics of `step` are means over the epoch's samples, taken while
            the model was training; those of `evaluate` were measured after the epoch.
        seconds: wall time of the training, without what a killed run had done since its last checkpoint.
        interrupted: whether the learner stopped the run before its last epoch.
    """

    epochs: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False

    def __len__(self) -> int:
        return len(self.epochs)

    def last(self, name: str) -> float:
        """The metric `name` of the last whole epoch.

        Raises:
            CourseError: no epoch was finished, or no metric has this name.
        """
        return self.curve(name)[-1]

    def curve(self, name: str) -> list[float]:
        """The metric `name` of every whole epoch, first to last.

        Raises:
            CourseError: no epoch was finished, or no metric has this name.
        """
        if not self.epochs:
            raise CourseError(f"This history holds no whole epoch, so there is no {name!r} yet. Train for longer.")
        if name not in self.epochs[0]:
            raise unknown("metric", name, self.epochs[0])
        return [epoch[name] for epoch in self.epochs]

    def table(self) -> str:
        """The metrics as text, a line per epoch. The numbers were measured here, so each comes after ≈."""
        if not self.epochs:
            return "no whole epoch yet"
        names = list(self.epochs[0])
        header = ["epoch", *names]
        rows = [[str(i), *(f"≈ {e[name]:.4g}" for name in names)] for i, e in enumerate(self.epochs, 1)]
        widths = [max(len(row[c]) for row in [header, *rows]) for c in range(len(header))]
        lines = ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in [header, *rows]]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """The history as plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> "History":
        """The history that `to_dict` wrote.

        Raises:
            CourseError: the values are not a history.
        """
        try:
            epochs = [{str(k): float(v) for k, v in epoch.items()} for epoch in values["epochs"]]
            return cls(epochs, float(values["seconds"]), bool(values["interrupted"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CourseError(
                f"This is not a training history: expected epochs, seconds, interrupted ({error})."
            ) from error

    def save(self, path: Path | str) -> None:
        """Write the history as JSON, whole or not at all.

        Raises:
            CourseError: the file cannot be written.
        """
        write_atomically(Path(path), json.dumps(self.to_dict(), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path | str) -> "History":
        """Read a history that `save` wrote.

        Raises:
            CourseError: the file is missing, cut short or not a history.
        """
        return cls.from_dict(read_json(Path(path)))
