"""Learning curves that move while a network trains, and leave one figure behind."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from crashcourse.environment import is_live
from crashcourse.figures.curves import draw_learning_curves
from crashcourse.figures.display import bundle, close, png_bytes, spoken

SECONDS_BETWEEN = 1.0  # a drawing costs about a tenth of a second


class LiveCurves:
    """One figure of learning curves, updated in place while someone watches.

    In a build, a test or a shell nothing is drawn or shown: the caller's own printed line is the output there.

    Args:
        title: the line above the curves.
    """

    def __init__(self, title: str = "") -> None:
        self.title = title
        self._epochs: list[dict[str, float]] = []
        self._shown = 0  # epochs in the picture
        self._handle: Any = None
        self._when = float("-inf")
        self._closed = False

    def update(self, epochs: Sequence[Mapping[str, float]]) -> None:
        """Take the metrics of all epochs so far, and redraw if the last drawing is a second old.

        Args:
            epochs: `{metric: value}` of every epoch so far, the whole list each time.
        """
        self._epochs = [dict(epoch) for epoch in epochs]
        if not self._closed and is_live() and time.monotonic() - self._when >= SECONDS_BETWEEN:
            self._redraw()

    def close(self) -> None:
        """Bring the figure to its final state, with every epoch in it. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        if is_live() and self._epochs and self._shown != len(self._epochs):
            self._redraw()
        if self._handle is not None:
            self._display_words()

    def _redraw(self) -> None:
        from IPython.display import display

        drawing = draw_learning_curves(self._epochs, title=self.title)
        try:
            data, metadata = bundle(png_bytes(drawing.figure), drawing.alt)
        finally:
            close(drawing.figure)
        self._words = drawing.alt
        if self._handle is None:
            self._handle = display(data, metadata=metadata, raw=True, display_id=True)
        else:
            self._handle.update(data, metadata=metadata, raw=True)
        self._shown, self._when = len(self._epochs), time.monotonic()

    def _display_words(self) -> None:
        from IPython.display import display

        display(spoken(self._words), raw=True)
