"""Records as text, and the cell that trains on a GPU where there is one."""

import statistics
from collections.abc import Callable

import torch

from crashcourse import environment
from crashcourse.claims import measured
from crashcourse.errors import CourseError
from crashcourse.recipes.base import find, train
from crashcourse.recipes.records import Record, Seed, load_record

WIDEST = 100
"""Characters in a line of a record's table: what a notebook shows without breaking it."""


def record_table(record: Record) -> str:
    """A record as text: a line per variant, then where and when it was made. The same text for the same record.

    The numbers are quoted from a file and not measured here, so they carry no ≈.
    """
    metrics = list(next(iter(record.variants.values()))[0].metrics)
    header = ["variant", "seeds", "parameters", *(_title(metric) for metric in metrics), "seconds per run"]
    rows = [header, *(_row(name, runs, metrics) for name, runs in record.variants.items())]
    names, *columns = ([row[place] for row in rows] for place in range(len(header)))
    lines = [f"{record.recipe} at {record.scale} scale, {record.settings.get('epochs', '?')} epochs"]
    block = _column(names, str.ljust)
    for column in columns:
        longer = [f"{line}  {cell}" for line, cell in zip(block, _column(column, str.rjust), strict=True)]
        if len(longer[0]) > WIDEST:  # go on below, under the variants' names again
            lines += [*block, ""]
            longer = [
                f"{name}  {cell}"
                for name, cell in zip(_column(names, str.ljust), _column(column, str.rjust), strict=True)
            ]
        block = longer
    lines += block
    lines.append(f"Recorded {record.date} on {record.hardware}, torch {record.versions.get('torch', '?')}.")
    if any(len(runs) > 1 for runs in record.variants.values()):
        lines.append("± is the standard deviation over seeds.")
    return "\n".join(lines)


def _column(cells: list[str], justify: Callable[[str, int], str]) -> list[str]:
    """The cells of a column, all as long as the longest."""
    width = max(map(len, cells))
    return [justify(cell, width) for cell in cells]


def _title(metric: str) -> str:
    """`test mean iou` for "mean_iou", `train accuracy` for "train_accuracy"."""
    words = metric.replace("_", " ")
    return words if metric.startswith("train_") else f"test {words}"


def _row(name: str, runs: list[Seed], metrics: list[str]) -> list[str]:
    cells = [name, str(len(runs)), f"{runs[0].parameters:,}"]
    for metric in metrics:
        values = [run.metrics[metric] for run in runs]
        spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
        cells.append(f"{statistics.fmean(values):.4f}{spread}")
    return [*cells, f"{statistics.fmean(run.seconds for run in runs):.1f}"]


def show_record(name: str, scale: str = "study") -> None:
    """Print the record of a recipe at a scale, or the sentence that there is none yet.

    Raises:
        CourseError: an unknown recipe or scale, or a file that is not a record.
    """
    record = load_record(name, scale)
    print(record_table(record) if record is not None else _not_yet(name, scale))


def _not_yet(name: str, scale: str) -> str:
    where = "With a GPU, run" if scale == "gpu" else "To record it, run"
    return f"{name} at {scale} scale: not yet recorded. {where}: crashcourse train {name} --scale {scale} --seeds 3"


def gpu_cell(name: str, *, seed: int = 0) -> None:
    """Train a recipe at gpu scale where there is a GPU; show the record where there is none.

    A build or a test always shows the record, so that a notebook does not depend on the machine that made it. Where the
    full data is not at hand the sentence about it is printed first.

    Raises:
        CourseError: an unknown recipe, or a record that cannot be read.
    """
    find(name).scale("gpu")
    if torch.cuda.is_available() and not environment.is_static():
        try:
            run = train(name, scale="gpu", seed=seed)
        except CourseError as error:
            print(error)
        else:
            for metric, value in run.metrics.items():
                measured(f"test {metric}", value)
            return
    show_record(name, "gpu")
