"""The one matplotlib style of the course: Okabe-Ito colours on white, large enough to read at half width.

The colours are those of Okabe and Ito, "Color Universal Design" (2008): told apart by readers with any common form of
colour blindness. The background is opaque white, so that a figure reads the same on a light and on a dark page.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from crashcourse.errors import CourseError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "black": "#000000",
    "yellow": "#F0E442",
}
GREY = "#666666"
LIGHT = "#E6E6E6"
DPI = 100
FULL_WIDTH = 6.4  # inches: 640 pixels, still readable when shown 400 pixels wide


def _settings() -> dict[str, Any]:
    from cycler import cycler

    return {
        "axes.prop_cycle": cycler(color=list(COLOURS.values())),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.labelsize": 13,
        "axes.titlesize": 13,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "figure.constrained_layout.use": True,
        "figure.dpi": DPI,
        "figure.facecolor": "white",
        "figure.titlesize": 14,
        "figure.titleweight": "bold",
        "savefig.facecolor": "white",
        "savefig.dpi": DPI,
        "font.family": "DejaVu Sans",
        "font.size": 12,
        "grid.color": LIGHT,
        "image.cmap": "gray",
        "image.interpolation": "nearest",
        "legend.fontsize": 12,
        "legend.frameon": False,
        "lines.linewidth": 2.2,
        "xtick.labelsize": 12,
        "ytick.labelsize": 12,
    }


@contextmanager
def course_style() -> Iterator[None]:
    """Draw in the course's style, and leave matplotlib's own settings as they were.

    >>> with course_style():
    ...     fig, axes = figure()
    ...     axes.plot([1, 2, 3])
    """
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcParams.update(_settings())
        yield


def figure(
    rows: int = 1, columns: int = 1, *, width: float = FULL_WIDTH, height: float | None = None, **subplots: Any
) -> "tuple[Figure, Axes | Any]":
    """A figure in the course's style, and its axes. It belongs to no window: give it to `show` when it is drawn.

    Args:
        rows: rows of axes.
        columns: columns of axes.
        width: inches; 6.4 fills the column of a notebook.
        height: inches; as a rule 3.2 a row.
        subplots: passed to `Figure.subplots`, such as `sharex=True`.

    Returns:
        The figure, and one `Axes`, or an array of them as `Figure.subplots` gives it.
    """
    if rows < 1 or columns < 1:
        raise CourseError(f"A figure needs at least one row and one column of axes; got {rows} × {columns}.")
    if not 1 <= width <= 20 or not (height is None or 0.3 <= height <= 40):
        raise CourseError(f"A figure is sized in inches, such as width=6.4, height=3.2; got {width} × {height}.")
    from matplotlib.figure import Figure

    with course_style():
        fig = Figure(figsize=(width, 3.2 * rows if height is None else height))
        return fig, fig.subplots(rows, columns, **subplots)


def canvas(width: float, height: float) -> "Figure":
    """An empty figure, in inches, whose axes are placed by hand."""
    from matplotlib.figure import Figure

    with course_style():
        return Figure(figsize=(width, height), layout="none")


def plain_axes(axes: "Axes") -> None:
    """Take ticks, grid and frame off axes that hold a picture or a diagram."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
