"""A network drawn from the live module: what comes out of each layer, what it weighs and what it costs."""

from collections import Counter
from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

from torch import nn

from crashcourse.errors import CourseError, unknown
from crashcourse.figures.display import Drawing, present
from crashcourse.figures.style import COLOURS, FULL_WIDTH, GREY, LIGHT, course_style, figure, plain_axes
from crashcourse.figures.tables import show_table

MOST_ROWS = 60
ROW_HEIGHT = 0.36  # inches
GROUPINGS = ("layer", "stage", "child")
COLUMNS = (37.5, 47, 67, 84)  # of 100: middle of the boxes, start of the shapes, parameters and MACs
WIDEST_BOX = 16  # of 100
ROOM = (COLUMNS[0] - WIDEST_BOX / 2 - 0.6) / 100 * 0.97 * FULL_WIDTH  # inches for a name, left of the widest box


class Row(NamedTuple):
    """One line of the table: a layer, or several that are added up."""

    name: str
    kind: str
    output_shape: tuple[int, ...]  # (C, H, W) or (features,), without the batch
    parameters: int
    macs: int  # multiply-adds for one image


def network_table(
    network: nn.Module | Sequence[Any],
    input_shape: tuple[int, ...] | None = None,
    *,
    by: str = "layer",
    caption: str | None = None,
) -> None:
    """Show a network as a table: output shape, parameters and MACs of every layer, and their sums.

    Args:
        network: a module, or its rows as `crashcourse.inspection.summarize` gives them.
        input_shape: the shape of one image, `(C, H, W)`; needed with a module.
        by: "layer"; "stage" adds up layers until a pooling layer ends the stage; "child" draws the module's own parts.
        caption: the line above the table.
    """
    rows = network_rows(network, input_shape, by=by)
    lines = [[row.name, row.kind, _shape(row.output_shape), row.parameters, row.macs] for row in rows]
    lines.append(["total", "", "", sum(row.parameters for row in rows), sum(row.macs for row in rows)])
    headers = ["layers" if by == "stage" else "layer", "kind", "output (C×H×W)", "parameters", "MACs"]
    show_table(lines, headers, caption or _title(network))


def network_diagram(
    network: nn.Module | Sequence[Any],
    input_shape: tuple[int, ...] | None = None,
    *,
    by: str = "layer",
    title: str | None = None,
    alt: str | None = None,
) -> None:
    """Show a network as a drawing, from the input downwards.

    A box for every row: as high as its maps are, as wide as they are many (both by their square roots, so that small
    ones stay visible). Beside it its output shape, and bars for its share of all parameters and of all MACs.

    Args:
        network: a module, or its rows as `crashcourse.inspection.summarize` gives them.
        input_shape: the shape of one image, `(C, H, W)`; needed with a module.
        by: "layer"; "stage" adds up layers until a pooling layer ends the stage; "child" draws the module's own parts.
        title: the line above the drawing.
        alt: alt text in place of the automatic one.
    """
    present(draw_network_diagram(network, input_shape, by=by, title=title), alt)


def draw_network_diagram(
    network: nn.Module | Sequence[Any],
    input_shape: tuple[int, ...] | None = None,
    *,
    by: str = "layer",
    title: str | None = None,
) -> Drawing:
    """The drawing of `network_diagram`, not shown."""
    rows = network_rows(network, input_shape, by=by)
    with course_style():
        fig, axes = figure(width=FULL_WIDTH, height=ROW_HEIGHT * (len(rows) + 1) + 0.55)
        plain_axes(axes)
        axes.set(xlim=(0, 100), ylim=(len(rows) - 0.4, -1.1))
        axes.set_title(title or _title(network))
        for place, words in zip(COLUMNS, ("maps", "output", "parameters", "MACs"), strict=True):
            axes.text(place, -0.75, words, size=11, color=GREY, va="center", ha="center" if words == "maps" else "left")
        for index, row in enumerate(rows):
            _draw_row(axes, index, row, rows)
    return Drawing(fig, _alt(rows, title or _title(network)))


def network_rows(
    network: nn.Module | Sequence[Any], input_shape: tuple[int, ...] | None = None, *, by: str = "layer"
) -> list[Row]:
    """The rows of the table and of the drawing. Layers that neither weigh nor resize (ReLU, dropout) are left out.

    Raises:
        CourseError: a module without an input shape, rows that are none, or too many of them.
    """
    if by not in GROUPINGS:
        raise unknown("grouping", by, GROUPINGS)
    if isinstance(network, nn.Module):
        if input_shape is None:
            raise CourseError("Say what goes in: give input_shape=(C, H, W), such as (3, 224, 224).")
        from crashcourse.inspection import summarize

        network = summarize(network, input_shape, by="child" if by == "child" else "layer")
    rows = _telling([_row(block) for block in network])
    rows = _stages(rows) if by == "stage" else rows
    if not 1 <= len(rows) <= MOST_ROWS:
        raise CourseError(f"1 to {MOST_ROWS} rows can be drawn; this network has {len(rows)}. Try by='stage'.")
    return rows


def _row(block: Any) -> Row:
    try:
        name, kind, shape, parameters, macs = (getattr(block, field) for field in Row._fields)
        return Row(str(name), str(kind), tuple(int(size) for size in shape), int(parameters), int(macs))
    except (AttributeError, TypeError, ValueError) as error:
        raise CourseError(
            f"A row of a network has name, kind, output_shape, parameters and macs; got {block!r}."
        ) from error


def _telling(rows: list[Row]) -> list[Row]:
    """The rows that weigh something, cost something, or change how many values there are."""
    kept, before = [], None
    for row in rows:
        values = prod(row.output_shape)
        if row.parameters or row.macs or values != before:
            kept.append(row)
        before = values
    return kept


def _stages(rows: list[Row]) -> list[Row]:
    """Runs of layers added up: a pooling layer ends a stage, a dense layer is one of its own."""
    groups: list[list[Row]] = []
    for row in rows:
        before = groups[-1][-1].kind if groups else "Pool"
        if "Pool" in before or "Linear" in (before, row.kind):
            groups.append([])
        groups[-1].append(row)
    return [_sum(group) for group in groups]


def _sum(group: list[Row]) -> Row:
    first, last = group[0].name, group[-1].name
    parent = first.rpartition(".")[0]
    name = first if len(group) == 1 else f"{first}–{last.removeprefix(f'{parent}.') if parent else last}"
    counts = Counter(row.kind for row in group)
    kind = ", ".join(f"{count} {kind}" if count > 1 else kind for kind, count in counts.items())
    shape = group[-1].output_shape
    return Row(name, kind, shape, sum(row.parameters for row in group), sum(row.macs for row in group))


def _draw_row(axes: Any, index: int, row: Row, rows: list[Row]) -> None:
    words = row.name if row.kind.lower() == row.name.lower() else f"{row.name}  {row.kind}"
    if _width(words, 11) <= ROOM:
        axes.text(0, index, words, size=11, va="center")
    else:
        axes.text(0, index - 0.2, _shortened(row.name, 10), size=10, va="center")
        axes.text(0, index + 0.22, _shortened(row.kind, 9), size=9, va="center", color=GREY)
    width, height = _box_size(row.output_shape, rows)
    left, output, parameters, macs = COLUMNS
    axes.add_patch(_rectangle(left - width / 2, index - height / 2, width, height, _colour(row.kind)))
    axes.text(output, index, _shape(row.output_shape), size=11, va="center")
    _bar(axes, parameters, index, row.parameters, sum(one.parameters for one in rows))
    _bar(axes, macs, index, row.macs, sum(one.macs for one in rows))


def _bar(axes: Any, start: float, index: int, value: int, total: int) -> None:
    """A number on a bar that is as long as its share of the total."""
    axes.add_patch(_rectangle(start, index - 0.38, 15.5 * value / total if total else 0, 0.76, LIGHT))
    axes.text(start + 0.4, index, short_count(value), size=11, va="center")


def _box_size(shape: tuple[int, ...], rows: list[Row]) -> tuple[float, float]:
    """Width (of 16) by the square root of the channels, height (of 0.9) by that of the map's height."""
    channels = max(row.output_shape[0] for row in rows)
    tallest = max((row.output_shape[1] for row in rows if len(row.output_shape) > 1), default=1)
    high = shape[1] if len(shape) > 1 else 1
    return WIDEST_BOX * (shape[0] / channels) ** 0.5, max(0.9 * (high / tallest) ** 0.5, 0.08)


def _rectangle(x: float, y: float, width: float, height: float, colour: str) -> Any:
    from matplotlib.patches import Rectangle

    edge = GREY if colour != LIGHT else LIGHT
    return Rectangle((x, y), width, height, facecolor=colour, edgecolor=edge, linewidth=0.8)


def _colour(kind: str) -> str:
    kind = kind.lower()
    families = {"conv": "sky", "pool": "orange", "linear": "green", "norm": "purple", ",": "sky"}
    return next((COLOURS[colour] for word, colour in families.items() if word in kind), "#BBBBBB")


def short_count(value: int) -> str:
    """A count in three digits: 0, 896, 2.36 k, 138 M, 15.5 G."""
    for size, unit in ((10**9, " G"), (10**6, " M"), (10**3, " k")):
        if value >= 0.9995 * size:
            scaled = value / size
            return f"{scaled:.{max(0, 2 - len(str(int(scaled + 0.0005))) + 1)}f}{unit}"
    return str(value)


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _shortened(text: str, size: float) -> str:
    """As much of a text as fits beside the boxes."""
    end = len(text)
    while end > 1 and _width(text[:end] + "…" * (end < len(text)), size) > ROOM:
        end -= 1
    return text[:end] + "…" * (end < len(text))


def _width(text: str, size: float) -> float:
    """Of a text in the course's font, in inches."""
    from matplotlib.textpath import TextPath

    return TextPath((0, 0), text, size=size).get_extents().width / 72 if text else 0.0


def _title(network: Any) -> str:
    return type(network).__name__ if isinstance(network, nn.Module) else "Network"


def _alt(rows: list[Row], title: str) -> str:
    parameters, macs = sum(row.parameters for row in rows), sum(row.macs for row in rows)
    path = " → ".join(_shape(row.output_shape) for row in rows[:24]) + (" → …" if len(rows) > 24 else "")
    heaviest, dearest = max(rows, key=lambda r: r.parameters), max(rows, key=lambda r: r.macs)
    return (
        f"Diagram of {title}, {len(rows)} rows from input to output with shapes {path}. {parameters:,} parameters, the "
        f"largest share in {heaviest.name}; {macs:,} multiply-adds, the largest share in {dearest.name}."
    )
