"""Figures that move while something is being learned, and leave one behind: learning curves, and a picture."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from crashcourse.environment import is_live
from crashcourse.figures.curves import draw_learning_curves
from crashcourse.figures.display import bundle, close, png_bytes, spoken
from crashcourse.figures.images import draw_image_grid
from crashcourse.figures.pixels import Images

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


class LivePicture:
    """Pictures that are being optimised, redrawn in place while someone watches.

    In a build, a test or a shell nothing is drawn or shown: the lesson shows the result itself.

    Args:
        title: the words above the picture.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self._handle: Any = None
        self._when = float("-inf")

    def update(self, images: Images, round_number: int) -> None:
        """Show the pictures as they are now, if the last drawing is a second old.

        Args:
            images: `(N, 1 or 3, H, W)` float in [0, 1] or uint8.
            round_number: how far the optimisation is.
        """
        if not is_live() or time.monotonic() - self._when < SECONDS_BETWEEN:
            return
        from IPython.display import display

        drawing = draw_image_grid(images, [f"{self.title}, round {round_number}"] * len(images))
        try:
            data, metadata = bundle(png_bytes(drawing.figure), f"{self.title} after round {round_number}")
        finally:
            close(drawing.figure)
        if self._handle is None:
            self._handle = display(data, metadata=metadata, raw=True, display_id=True)
        else:
            self._handle.update(data, metadata=metadata, raw=True)
        self._when = time.monotonic()
