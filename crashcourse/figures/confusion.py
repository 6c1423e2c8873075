"""The confusion matrix: which classes a classifier takes for which."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from crashcourse.errors import CourseError
from crashcourse.figures.display import Drawing, present
from crashcourse.figures.style import FULL_WIDTH, course_style, figure


def confusion_matrix(labels: Tensor, predictions: Tensor, classes: Sequence[str], *, alt: str | None = None) -> None:
    """Show, for every true class, what per cent of its images were given each class.

    Args:
        labels: `(N,)` int64, the true classes.
        predictions: `(N,)` int64, the predicted classes, or `(N, num_classes)` float logits.
        classes: the names of the classes.
        alt: alt text in place of the automatic one.
    """
    present(draw_confusion_matrix(labels, predictions, classes), alt)


def draw_confusion_matrix(labels: Tensor, predictions: Tensor, classes: Sequence[str]) -> Drawing:
    """The drawing of `confusion_matrix`, not shown."""
    counts = count_confusions(labels, predictions, len(classes))
    share = 100 * counts / counts.sum(1, keepdim=True).clamp(min=1)  # rows sum to 100, or 0 where a class is absent
    with course_style():
        side = min(FULL_WIDTH, 2.4 + 0.42 * len(classes))
        fig, axes = figure(width=side, height=0.92 * side)
        _cells(axes, share)
        places = range(len(classes))
        axes.set_xticks(places, classes, rotation=45, ha="right", rotation_mode="anchor", size=_text_size(len(classes)))
        axes.set_yticks(places, classes, size=_text_size(len(classes)))
        axes.set_xlabel("predicted class")
        axes.set_ylabel("true class")
        axes.set_title("% of each true class")
    alt = f"Confusion matrix of {len(classes)} classes in per cent: a row for each true class, a column for each "
    return Drawing(fig, alt + "predicted class. The diagonal holds the right answers; the darker, the more.")


def count_confusions(labels: Tensor, predictions: Tensor, num_classes: int) -> Tensor:
    """How often class i was taken for class j: `(num_classes, num_classes)` int64.

    Raises:
        CourseError: shapes that do not fit, or classes outside the range.
    """
    labels, predictions = torch.as_tensor(labels).detach().cpu(), torch.as_tensor(predictions).detach().cpu()
    if predictions.ndim == 2 and predictions.shape[1] == num_classes:
        predictions = predictions.argmax(1)
    if labels.ndim != 1 or predictions.shape != labels.shape or len(labels) == 0:
        raise CourseError(
            f"Expected labels (N,) with predictions (N,) or (N, {num_classes}), N at least 1; got "
            f"{tuple(labels.shape)} and {tuple(predictions.shape)}."
        )
    if labels.is_floating_point() or predictions.is_floating_point():
        raise CourseError(f"Classes are integers; got {labels.dtype} labels and {predictions.dtype} predictions.")
    both = torch.cat([labels, predictions]).long()
    if not 0 <= int(both.min()) <= int(both.max()) < num_classes:
        raise CourseError(f"Classes must lie in 0..{num_classes - 1}; got {int(both.min())}..{int(both.max())}.")
    pairs = labels.long() * num_classes + predictions.long()
    return torch.bincount(pairs, minlength=num_classes**2).view(num_classes, num_classes)


def _cells(axes: Any, share: Tensor) -> None:
    axes.imshow(share.numpy(), cmap="Blues", vmin=0, vmax=100)
    axes.grid(False)
    if len(share) > 20:
        return  # too many for numbers
    for row, values in enumerate(share.tolist()):
        for column, value in enumerate(values):
            if round(value):
                ink = "white" if value > 55 else "black"
                axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=ink, size=_text_size(len(share)))


def _text_size(classes: int) -> float:
    return 12 if classes <= 12 else max(6, 150 / classes)
