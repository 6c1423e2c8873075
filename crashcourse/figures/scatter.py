"""What quality costs: networks as labelled circles, quality against cost, larger circles for larger networks."""

from collections.abc import Sequence
from itertools import product
from math import hypot
from typing import TYPE_CHECKING, Any, NamedTuple

from crashcourse.errors import CourseError
from crashcourse.figures.display import Drawing, present
from crashcourse.figures.style import COLOURS, FULL_WIDTH, GREY, course_style, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TEXT = 10  # points
LARGEST = 700.0  # area of the largest circle, in square points
SMALLEST = 25.0


class Point(NamedTuple):
    """One circle.

    Attributes:
        label: written beside it.
        x, y: its place.
        size: what its area stands for; None for a small dot.
        group: circles of one group have one colour, which the legend names.
    """

    label: str
    x: float
    y: float
    size: float | None = None
    group: str = ""


def trade_off(
    points: Sequence[Point | tuple],
    x_label: str,
    y_label: str,
    *,
    title: str = "",
    log: bool = True,
    height: float = 4.2,
    alt: str | None = None,
) -> None:
    """Show networks as circles, with labels that keep clear of each other.

    Args:
        points: `Point`s, or tuples of the same: (label, x, y), then size and group if wanted.
        x_label, y_label: what the axes measure, with units.
        title: the line above.
        log: whether the x axis is logarithmic.
        height: inches.
        alt: alt text in place of the automatic one.
    """
    present(draw_trade_off(points, x_label, y_label, title=title, log=log, height=height), alt)


def draw_trade_off(
    points: Sequence[Point | tuple],
    x_label: str,
    y_label: str,
    *,
    title: str = "",
    log: bool = True,
    height: float = 4.2,
) -> Drawing:
    """The drawing of `trade_off`, not shown.

    Raises:
        CourseError: there is no point, or one that does not fit on the axes.
    """
    circles = _checked(points, log)
    groups = list(dict.fromkeys(point.group for point in circles))
    areas = _areas(circles)
    with course_style():
        fig, axes = figure(width=FULL_WIDTH, height=height)
        if log:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
        axes.set(xlabel=x_label, ylabel=y_label, title=title)
        for group, colour in zip(groups, _colours(len(groups)), strict=True):
            rows = [row for row, point in enumerate(circles) if point.group == group]
            places = [[circles[row].x for row in rows], [circles[row].y for row in rows]]
            looks = {"color": colour, "alpha": 0.6, "edgecolors": "black", "linewidths": 0.8}
            axes.scatter(*places, s=[areas[row] for row in rows], label=group or None, **looks)
        axes.margins(0.12)
        if any(groups):
            legend = fig.legend(loc="outside lower center", ncols=max(1, min(len(groups), 4)))
            for handle in legend.legend_handles:
                handle.set_sizes([60])
        fig.draw_without_rendering()  # the layout is settled, so that places on it can be measured
        _label(axes, circles, areas)
    kind = "logarithmic " if log else ""
    named = ", ".join(point.label for point in circles)
    return Drawing(fig, f"{len(circles)} circles, {y_label} against {x_label} on a {kind}axis: {named}.")


def _checked(points: Sequence[Point | tuple], log: bool) -> list[Point]:
    circles = [point if isinstance(point, Point) else Point(*point) for point in points]
    if not circles:
        raise CourseError("There is nothing to draw: the list of points is empty.")
    for point in circles:
        if log and not point.x > 0:
            raise CourseError(
                f"A logarithmic axis has no place for {point.x}, the x of {point.label!r}; use log=False."
            )
    return circles


def _areas(circles: Sequence[Point]) -> list[float]:
    most = max((point.size or 0 for point in circles), default=0)
    return [max(SMALLEST, LARGEST * (point.size or 0) / most) if most else SMALLEST for point in circles]


def _colours(count: int) -> list[str]:
    colours = [colour for name, colour in COLOURS.items() if name not in ("yellow", "black")]
    return [colours[index % len(colours)] for index in range(count)]


class _Box(NamedTuple):
    """A rectangle in pixels of the figure."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: "_Box") -> float:
        """Area that both cover."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(0.0, wide) * max(0.0, high)


def _label(axes: "Axes", circles: Sequence[Point], areas: Sequence[float]) -> None:
    """Write each label where it covers least of circles, other labels, and what is outside the axes."""
    pixel = axes.figure.dpi / 72  # pixels of a point
    centres = [axes.transData.transform((point.x, point.y)) for point in circles]
    radii = [pixel * (area / 3.14) ** 0.5 for area in areas]
    discs = [_Box(x - r, y - r, x + r, y + r) for (x, y), r in zip(centres, radii, strict=True)]
    inside = _Box(*axes.get_window_extent().extents)
    taken: list[_Box] = []
    crowded = sorted(range(len(circles)), key=lambda row: -_neighbours(row, centres))
    for row in crowded:
        words = circles[row].label
        size = (pixel * (0.6 * TEXT * len(words) + 2), pixel * (TEXT + 2))
        costs = [
            (_cost(box, far, discs, taken, inside), far, box) for far, box in _places(centres[row], radii[row], size)
        ]
        _, far, box = min(costs, key=lambda cost: cost[:2])
        taken.append(box)
        _write(axes, words, box, centres[row], leader=far > 1)


def _neighbours(row: int, centres: Sequence[Any]) -> int:
    x, y = centres[row]
    return sum(hypot(x - u, y - v) < 60 for u, v in centres)


def _places(centre: Any, radius: float, size: tuple[float, float]) -> list[tuple[int, _Box]]:
    """Boxes around a circle, near ones first: how far each is (1, 2, 3), and where."""
    (x, y), (wide, high) = centre, size
    found = []
    for far, (right, up) in product((1, 2, 3), ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))):
        gap = radius + 2 + 14 * (far - 1)
        slant = 0.75 if right and up else 1.0
        middle = (x + right * (slant * gap + wide / 2), y + up * (slant * gap + high / 2))
        box = _Box(middle[0] - wide / 2, middle[1] - high / 2, middle[0] + wide / 2, middle[1] + high / 2)
        found.append((far, box))
    return found


def _cost(box: _Box, far: int, discs: Sequence[_Box], taken: Sequence[_Box], inside: _Box) -> float:
    covered = sum(map(box.overlap, discs)) + 3 * sum(map(box.overlap, taken))
    area = (box.right - box.left) * (box.top - box.bottom)
    return covered + 5 * (area - box.overlap(inside)) + 0.06 * area * (far - 1)


def _write(axes: "Axes", words: str, box: _Box, centre: Any, *, leader: bool) -> None:
    """The words in the middle of the box, in pixels from the circle; a thin line where they stand apart."""
    pixel = axes.figure.dpi / 72
    offset = [((low + high) / 2 - at) / pixel for low, high, at in zip(box[:2], box[2:], centre, strict=True)]
    axes.annotate(
        words,
        axes.transData.inverted().transform(centre),
        xytext=offset,
        textcoords="offset points",
        ha="center",
        va="center",
        size=TEXT,
        arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.7} if leader else None,
    )
