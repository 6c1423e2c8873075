"""Checkpoints: everything that a killed run needs to go on as if it had never stopped.

A checkpoint holds the weights, the optimizer, the schedule, the state of every random number generator, the position
in the run and the history so far. It is written beside and renamed, and the one before it is kept as `NAME.previous`.
"""

import io
import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from crashcourse.errors import CourseError
from crashcourse.files import write_atomically

_FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """Where a run keeps its checkpoint, and how often it writes one.

    Attributes:
        path: the file. Its folder is made when needed.
        every: also write after every this many batches (at the update that follows); None writes after each epoch only.
    """

    path: Path | str
    every: int | None = None

    def __post_init__(self) -> None:
        if self.every is not None and (not isinstance(self.every, int) or self.every < 1):
            raise CourseError(f"Checkpoint(every=...) counts batches, at least 1, or is None; got {self.every!r}.")
        if Path(self.path).is_dir():
            raise CourseError(f"A checkpoint is a file, but {self.path} is a folder. Add a name, such as run.pt.")

    @property
    def previous(self) -> Path:
        """The checkpoint before the last one."""
        return Path(f"{self.path}.previous")

    def write(self, state: dict[str, Any]) -> None:
        """Write a state whole, and keep the one before it.

        Raises:
            CourseError: the disk is full or the folder cannot be written; the last whole checkpoint is still there.
        """
        buffer = io.BytesIO()
        torch.save({"format": _FORMAT, **state}, buffer)
        path = Path(self.path)
        fresh = path.with_name(f"{path.name}.next")
        write_atomically(fresh, buffer.getvalue())  # from here on there are two whole files, whatever happens
        try:
            if path.exists():
                os.replace(path, self.previous)
            os.replace(fresh, path)
        except OSError as error:
            raise CourseError(f"Could not write the checkpoint {path}: {error.strerror or error}.") from error

    def read(self) -> tuple[dict[str, Any] | None, str]:
        """The last whole state.

        Returns:
            The state, or None where there is no checkpoint; and a sentence where the last file could not be read and
            the one before it was taken, else "".

        Raises:
            CourseError: there are checkpoint files, but none of them can be read.
        """
        path = Path(self.path)
        found = [p for p in (path, self.previous) if p.exists()]
        for candidate in found:
            state = _load(candidate)
            if state is not None:
                broken = candidate != path and path.exists()
                note = (
                    f"{path} cannot be read (it may be cut short); going on from the one before it, {candidate.name}."
                )
                return state, note if broken else ""
        if found:
            names = " nor ".join(str(p) for p in found)
            raise CourseError(
                f"Could not read the checkpoint {names}: cut short, or not a checkpoint of this course. "
                "Delete it to train from the start, or name another file."
            )
        return None, ""


def _load(path: Path) -> dict[str, Any] | None:
    """The state in a file; None where the file is not a whole checkpoint of this format."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return state if state["format"] == _FORMAT else None
    except Exception:  # what a damaged file raises depends on where it was damaged
        return None


def random_state() -> dict[str, Any]:
    """The state of every generator that training may draw from, as plain values and tensors."""
    import numpy as np

    name, keys, position, has_gauss, gauss = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": (name, torch.tensor(keys.astype("int64")), int(position), int(has_gauss), float(gauss)),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "mps": torch.mps.get_rng_state() if torch.backends.mps.is_available() else None,
    }


def restore_random_state(state: dict[str, Any]) -> None:
    """Put every generator back to a state that `random_state` gave."""
    import numpy as np

    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy().astype("uint32"), *rest))
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
    if state["mps"] is not None and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])


def refuse_other(found: dict[str, Any], expected: dict[str, Any], path: Path | str) -> None:
    """Refuse a checkpoint of another model or of other settings.

    Args:
        found, expected: the run's description as kept in the file, and as it is now: label -> plain value.

    Raises:
        CourseError: they differ; the sentence names the first label that does, and both values.
    """
    for label, value in expected.items():
        if found.get(label) != value:
            raise CourseError(
                f"The checkpoint {path} belongs to another run: its {label} is {_short(found.get(label))}, "
                f"this run's is {_short(value)}. Delete it to train from the start, or name another file."
            )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
