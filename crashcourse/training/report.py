"""What a learner sees of a run: one live line and one live figure, which end as one line of text."""

import sys
from collections.abc import Sequence
from typing import Any

from crashcourse import environment
from crashcourse.claims import approximately
from crashcourse.training.history import History


class Report:
    """Live where a person watches; silent until the end elsewhere.

    A notebook shows a bar and a curve and replaces them by one figure and one line. A terminal shows a bar on stderr
    and prints the line. A build or a test (`CRASHCOURSE_STATIC=1`) prints the line only, and nothing on stderr.

    Args:
        sizes: how many batches each epoch has.
        wanted: whether anything is to be shown at all.
    """

    def __init__(self, sizes: Sequence[int], *, wanted: bool) -> None:
        self.sizes, self.wanted = sizes, wanted
        self._bar: Any = None
        self._curves: Any = None

    def start(self, done: int) -> None:
        """Open the bar at `done` batches out of all."""
        if not self.wanted or environment.is_static():
            return
        if environment.is_live():
            from tqdm.auto import tqdm

            from crashcourse.figures.live import LiveCurves

            self._curves = LiveCurves("training")
            quiet: bool | None = False
        else:
            from tqdm import tqdm

            quiet = None  # tqdm is silent where stderr is not a terminal
        self._bar = tqdm(total=sum(self.sizes), initial=done, unit="batch", leave=False, disable=quiet, file=sys.stderr)

    def batch(self, epoch: int, loss: float) -> None:
        """One more batch, of this epoch (from 0), with this loss."""
        if self._bar is not None:
            self._bar.set_description_str(f"epoch {epoch + 1}/{len(self.sizes)}", refresh=False)
            self._bar.set_postfix_str(f"loss {loss:.4g}", refresh=False)
            self._bar.update()

    def epoch(self, history: History) -> None:
        """One more whole epoch."""
        if self._curves is not None:
            self._curves.update(history.epochs)

    def close(self) -> None:
        """Take the live bar away and leave the figure in its final form."""
        if self._bar is not None:
            self._bar.close()
        if self._curves is not None:
            self._curves.close()
        self._bar = self._curves = None

    def say(self, sentence: str) -> None:
        """Print a line, where a report is wanted."""
        if self.wanted:
            print(sentence)

    def summary(self, history: History) -> str:
        """The one line that stays: `trained 3 epochs of 40 batches: loss ≈ 0.412, ≈ 12.1 s`."""
        metrics = [f"{name} {approximately(value)}" for name, value in history.epochs[-1].items()]
        least, most = min(self.sizes[: len(history)]), max(self.sizes[: len(history)])
        each = _count(most, "batch") if least == most else f"{least} to {most} batches"
        sizes = f"{_count(len(history), 'epoch')} of {each}"
        return f"trained {sizes}: {', '.join(metrics)}, {approximately(history.seconds)} s"


def _count(number: int, noun: str) -> str:
    plural = {"batch": "batches"}.get(noun, f"{noun}s")
    return f"{number} {noun if number == 1 else plural}"
