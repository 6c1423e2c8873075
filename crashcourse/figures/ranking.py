"""Precision over recall: how good a ranked list of detections is, cut after its first, second, ... entry."""

from collections.abc import Sequence

import numpy as np

from crashcourse.detection.average_precision import VOC_RECALLS, average_precision, precision_recall
from crashcourse.errors import CourseError
from crashcourse.figures.display import Drawing, present
from crashcourse.figures.style import COLOURS, course_style, figure


def precision_recall_curve(
    correct: Sequence[bool], objects: int, *, points: bool = True, alt: str | None = None
) -> None:
    """Show the curve of a ranked list, the steps whose area is its average precision, and VOC's eleven points.

    Args:
        correct: for each detection, best score first, whether it found an object; at least one entry.
        objects: how many there were to find.
        points: whether the eleven points of VOC2007 are drawn.
        alt: alt text in place of the automatic one.

    Raises:
        CourseError: what `precision_recall` refuses, or an empty list.
    """
    present(draw_precision_recall_curve(correct, objects, points=points), alt)


def draw_precision_recall_curve(correct: Sequence[bool], objects: int, *, points: bool = True) -> Drawing:
    """The figure of `precision_recall_curve`, not shown."""
    precision, recall = precision_recall(correct, objects)
    if not len(recall):
        raise CourseError("A list without detections has no curve.")
    best = np.maximum.accumulate(precision[::-1])[::-1]
    with course_style():
        fig, axes = figure(height=3.2)
        steps = np.concatenate([[0.0], recall]), np.concatenate([best[:1], best])
        axes.fill_between(*steps, step="pre", color=COLOURS["sky"], alpha=0.35, linewidth=0)
        axes.step(*steps, where="pre", color=COLOURS["blue"], label="the best from here on")
        few = len(recall) <= 60
        axes.plot(recall, precision, "o-" if few else "-", color=COLOURS["vermilion"], lw=1.2, ms=5, label="as it is")
        if points:
            place = np.searchsorted(recall, VOC_RECALLS)
            heights = np.append(best, 0.0)[place]
            axes.plot(VOC_RECALLS, heights, "D", color=COLOURS["black"], ms=4.5, label="VOC's 11 points", clip_on=False)
        axes.set(xlim=(0, 1), ylim=(0, 1.04), xlabel="recall", ylabel="precision")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    area = average_precision(precision, recall)
    counts = f"{len(recall)} detections, {int(np.sum(correct))} of them right, for {objects} objects"
    return Drawing(fig, f"Precision over recall of {counts}: a saw-tooth under falling steps of area {area:.3f}.")
