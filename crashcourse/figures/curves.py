"""Learning curves: how metrics move over the epochs, one line a run, or a mean with its spread over seeds."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, NamedTuple, Protocol

from crashcourse.errors import CourseError, unknown
from crashcourse.figures.display import Drawing, present
from crashcourse.figures.style import COLOURS, GREY, course_style, figure


class HasEpochs(Protocol):
    """A training history: anything with the metrics of its epochs, such as `crashcourse.training.History`."""

    epochs: list[dict[str, float]]


Run = HasEpochs | Sequence[Mapping[str, float]]  # a history, or its epochs
Runs = Run | Sequence[Run]  # one run, or the same run under several seeds
DEFAULT_METRICS = ("loss", "accuracy")
HELD_OUT = "test_"
MARKERS = ("o", "s", "^", "D")
LEGEND_WIDTH = 66  # characters
NOT_METRICS = {"epoch", "seconds", "learning_rate", "lr"}
FRACTIONS = ("accuracy", "precision", "recall", "iou", "dice")


class _Curve(NamedTuple):
    """A metric of one label: its value at every epoch, for every seed."""

    label: str
    seeds: list[list[float]]
    held_out: bool


def learning_curves(
    histories: Runs | Mapping[str, Runs],
    metrics: Sequence[str] | None = None,
    *,
    title: str = "",
    alt: str | None = None,
) -> None:
    """Show metrics against epochs, a panel each. Of several seeds: the mean, and a band from least to largest.

    A metric's held-out twin (`test_accuracy` for `accuracy`) is drawn dashed in the same panel.

    Args:
        histories: one history, or `{label: history}`, or `{label: [history, ...]}` with a history a seed. A history has
            `.epochs`, a list of `{metric: value}`; the list itself will do.
        metrics: which metrics; as a rule loss and accuracy, whichever there are.
        title: a line above the panels.
        alt: alt text in place of the automatic one.
    """
    present(draw_learning_curves(histories, metrics, title=title), alt)


def draw_learning_curves(
    histories: Runs | Mapping[str, Runs], metrics: Sequence[str] | None = None, *, title: str = ""
) -> Drawing:
    """The drawing of `learning_curves`, not shown."""
    labelled = histories if isinstance(histories, Mapping) else {"": histories}
    if not labelled:
        raise CourseError("There is no history to draw: the dictionary of histories is empty.")
    runs = {str(label): _seeds(label, value) for label, value in labelled.items()}
    metrics = _chosen(metrics, runs)
    with course_style():
        names = _legend_names(metrics, runs)
        legend_rows = _legend_rows(names)
        fig, panels = figure(1, len(metrics), height=3.0 + 0.28 * legend_rows, squeeze=False)
        for axes, metric in zip(panels.flat, metrics, strict=True):
            _panel(axes, metric, runs)
        if names:
            _legend(fig, names, ceil(len(names) / legend_rows))
        if title:
            fig.suptitle(title)
    return Drawing(fig, _alt(metrics, runs))


def _seeds(label: str, value: Runs) -> list[list[Mapping[str, float]]]:
    """The epochs of every seed of one label."""
    if _is_run(value):
        seeds = [_epochs(value)]
    elif isinstance(value, Sequence) and value and all(_is_run(one) for one in value):
        seeds = [_epochs(one) for one in value]
    else:
        raise CourseError(
            f"Expected a history, or a list of histories, for {label or 'the curve'!r}; got {type(value).__name__}. "
            "A history has .epochs, a list with a dictionary of metrics an epoch."
        )
    if not all(seeds):
        raise CourseError(f"A history of {label or 'the run'!r} holds no whole epoch, so there is nothing to draw.")
    return seeds


def _is_run(value: Any) -> bool:
    epochs = getattr(value, "epochs", value)
    return (
        isinstance(epochs, Sequence)
        and all(isinstance(epoch, Mapping) for epoch in epochs)
        and (len(epochs) > 0 or hasattr(value, "epochs"))
    )


def _epochs(run: Run) -> list[Mapping[str, float]]:
    return list(getattr(run, "epochs", run))


def _chosen(metrics: Sequence[str] | None, runs: dict[str, list]) -> list[str]:
    """The metrics to draw, each known to at least one run."""
    there = {name for seeds in runs.values() for epochs in seeds for name in epochs[0]} - NOT_METRICS
    bases = {name.removeprefix(HELD_OUT) for name in there}
    if isinstance(metrics, str):
        raise CourseError(f"metrics is a list of names, such as [{metrics!r}]; got the text {metrics!r}.")
    if metrics is None:
        metrics = [name for name in DEFAULT_METRICS if name in bases] or sorted(bases)[:2]
    for name in metrics:
        if name not in there | bases:
            raise unknown("metric", name, there)
    if not metrics:
        raise CourseError("There is no metric to draw: the list of metrics is empty.")
    return list(metrics)


def _curves(metric: str, runs: dict[str, list]) -> list[_Curve]:
    found = []
    for name in (metric, HELD_OUT + metric):
        for label, seeds in runs.items():
            values = [[float(epoch[name]) for epoch in epochs if name in epoch] for epochs in seeds]
            if any(values):
                found.append(_Curve(label, [one for one in values if one], name.startswith(HELD_OUT)))
    return found


def _look(index: int) -> dict[str, str]:
    """Colour and marker of the label at this place: seven colours, then the same with another marker."""
    colours = [colour for name, colour in COLOURS.items() if name != "yellow"]  # yellow is too faint on white
    return {"color": colours[index % len(colours)], "marker": MARKERS[index // len(colours) % len(MARKERS)]}


def _panel(axes: Any, metric: str, runs: dict[str, list]) -> None:
    fraction = any(word in metric for word in FRACTIONS)
    order = list(runs)
    for curve in _curves(metric, runs):
        _line(axes, curve, _look(order.index(curve.label)), 100 if fraction else 1)
    axes.set_title(metric.replace("_", " ") + (" (%)" if fraction else ""))
    axes.set_xlabel("epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)


def _line(axes: Any, curve: _Curve, look: dict[str, str], scale: float) -> None:
    shortest = min(len(values) for values in curve.seeds)
    columns = [[scale * value for value in column] for column in zip(*(v[:shortest] for v in curve.seeds), strict=True)]
    epochs = range(1, shortest + 1)
    means = [sum(column) / len(column) for column in columns]
    style = "--" if curve.held_out else "-"
    axes.plot(epochs, means, linestyle=style, markersize=4.5, markevery=ceil(shortest / 12), **look)
    if len(curve.seeds) > 1:
        lows, highs = [min(column) for column in columns], [max(column) for column in columns]
        axes.fill_between(epochs, lows, highs, color=look["color"], alpha=0.2, linewidth=0)


def _legend_names(metrics: list[str], runs: dict[str, list]) -> dict[str, dict[str, str]]:
    """What the legend says, and how it looks: a label a colour, and what full and dashed lines are."""
    names = {label: _look(index) for index, label in enumerate(runs) if label}
    held_out = {curve.held_out for metric in metrics for curve in _curves(metric, runs)}
    if True in held_out:
        names |= {"training": {"color": GREY, "linestyle": "-"}} if False in held_out else {}
        names |= {"held out": {"color": GREY, "linestyle": "--"}}
    return names


def _legend_rows(names: dict[str, Any]) -> int:
    """How many rows the legend takes when its columns are as wide as its longest name."""
    if not names:
        return 0
    columns = max(1, min(len(names), LEGEND_WIDTH // (max(map(len, names)) + 6)))
    return ceil(len(names) / columns)


def _legend(fig: Any, names: dict[str, dict[str, str]], columns: int) -> None:
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], markersize=4.5, **look) for look in names.values()]
    fig.legend(lines, list(names), loc="outside lower center", ncols=columns)


def _alt(metrics: list[str], runs: dict[str, list]) -> str:
    epochs = max(len(epochs) for seeds in runs.values() for epochs in seeds)
    most = max(len(seeds) for seeds in runs.values())
    names = [label for label in runs if label]
    what = _joined(metric.replace("_", " ") for metric in metrics)
    alt = f"Learning curves over {epochs} epoch{'s' if epochs != 1 else ''}: {what}"
    alt += f", a line for each of: {', '.join(names)}" if names else ""
    alt += f"; lines are means and bands reach from the least to the largest of {most} seeds" if most > 1 else ""
    held_out = any(c.held_out for metric in metrics for c in _curves(metric, runs))
    return alt + ("; dashed lines are on held-out images." if held_out else ".")


def _joined(names: Any) -> str:
    *first, last = list(names)
    return f"{', '.join(first)} and {last}" if first else last
