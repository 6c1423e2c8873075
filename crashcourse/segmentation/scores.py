"""Scores of label maps, all read off one confusion matrix.

Long, Shelhamer, Darrell, "Fully convolutional networks for semantic segmentation", CVPR 2015, arXiv 1411.4038, section
5, "Metrics": with n_ij pixels of class i predicted as class j and t_i = Σ_j n_ij,

- pixel accuracy Σ_i n_ii / Σ_i t_i,
- mean accuracy (1/C) Σ_i n_ii / t_i,
- mean IoU (1/C) Σ_i n_ii / (t_i + Σ_j n_ji - n_ii),
- frequency-weighted IoU Σ_i t_i IoU_i / Σ_i t_i.

**Differs from the paper:** it has no absent classes. Here a class takes part in the mean accuracy if a pixel has it,
and in the mean IoU if a pixel has it or is predicted to have it; a class that is predicted and is nowhere has IoU 0.

Matrices of several batches are added before anything is divided: the mean of the images' scores is another number.
"""

import math

import torch
from torch import Tensor

from crashcourse.doors import check_count
from crashcourse.errors import CourseError
from crashcourse.segmentation.doors import IGNORE, check_labels


def confusion_matrix(predicted: Tensor, labels: Tensor, classes: int, *, ignore: int | None = IGNORE) -> Tensor:
    """How many pixels of class i (row) were given class j (column).

    Args:
        predicted: any shape, whole numbers from 0 to classes - 1.
        labels: of the same shape, 0 to classes - 1 or `ignore`.
        classes: how many there are, background included.
        ignore: the label of pixels that do not count; None if there is none.

    Returns:
        (classes, classes) int64, on the labels' device.

    Raises:
        CourseError: other shapes, numbers that are no labels, or logits.
    """
    check_count(classes, "classes")
    if not isinstance(predicted, Tensor) or not isinstance(labels, Tensor):
        raise CourseError("confusion_matrix takes two tensors of labels.")
    if predicted.is_floating_point() or labels.is_floating_point():
        raise CourseError("confusion_matrix takes labels, not scores: logits.argmax(1), or logits[:, 0] > 0.")
    if predicted.shape != labels.shape:
        raise CourseError(
            f"predicted and labels must have one shape; got {tuple(predicted.shape)} and {tuple(labels.shape)}."
        )
    check_labels(labels, classes, "confusion_matrix", ignore)
    counted = torch.ones_like(labels, dtype=torch.bool) if ignore is None else labels != ignore
    true, found = labels[counted].long(), predicted[counted].long()
    check_labels(found, classes, "confusion_matrix (predicted)", None)
    return torch.bincount(true * classes + found, minlength=classes**2).view(classes, classes)


def pixel_accuracy(matrix: Tensor) -> float:
    """What part of all pixels is right; NaN without any."""
    matrix = _checked(matrix)
    return float(matrix.diagonal().sum() / matrix.sum())


def mean_accuracy(matrix: Tensor) -> float:
    """What part of a class's pixels is right, the mean over the classes that there are; NaN without any."""
    matrix = _checked(matrix)
    return _mean_of_numbers(matrix.diagonal() / matrix.sum(1))


def class_iou(matrix: Tensor) -> Tensor:
    """(C, C) -> (C,) float64: intersection over union of each class, NaN where it is neither in truth nor predicted."""
    matrix = _checked(matrix)
    right = matrix.diagonal()
    return right / (matrix.sum(0) + matrix.sum(1) - right)


def mean_iou(matrix: Tensor) -> float:
    """The mean of `class_iou` over the classes that have one; NaN without any."""
    return _mean_of_numbers(class_iou(matrix))


def frequency_weighted_iou(matrix: Tensor) -> float:
    """The mean of `class_iou`, each class weighted by its pixels in the truth; NaN without any."""
    iou, pixels = class_iou(matrix), _checked(matrix).sum(1)
    return float((iou.nan_to_num() * pixels).sum() / pixels.sum())


def _mean_of_numbers(values: Tensor) -> float:
    numbers = values[~values.isnan()]
    return float(numbers.mean()) if len(numbers) else math.nan


def _checked(matrix: Tensor) -> Tensor:
    """The matrix in float64."""
    if not isinstance(matrix, Tensor) or matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        got = tuple(matrix.shape) if isinstance(matrix, Tensor) else type(matrix).__name__
        raise CourseError(f"A confusion matrix has as many rows as columns; got {got}. See confusion_matrix().")
    return matrix.double()
