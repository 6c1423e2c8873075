"""Scores: by hand, against torchmetrics with absent classes too, and added over batches."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_confusion_matrix,
    multiclass_jaccard_index,
)

from crashcourse.errors import CourseError
from crashcourse.segmentation import (
    class_iou,
    confusion_matrix,
    frequency_weighted_iou,
    mean_accuracy,
    mean_iou,
    pixel_accuracy,
)

MATRIX = torch.tensor([[3, 1, 0], [0, 2, 2], [0, 0, 0]])  # class 2 is predicted twice, and is nowhere


def label_maps(classes: int, missing: set[int], unpredicted: set[int], seed: int) -> tuple[Tensor, Tensor]:
    """Predictions and labels (2, 6, 7), some labels 255; classes that no label has, and such that are not predicted."""
    generator = torch.Generator().manual_seed(seed)
    true = torch.tensor([c for c in range(classes) if c not in missing])
    found = torch.tensor([c for c in range(classes) if c not in unpredicted])
    labels = true[torch.randint(len(true), (2, 6, 7), generator=generator)]
    predicted = found[torch.randint(len(found), (2, 6, 7), generator=generator)]
    agree = (torch.rand(2, 6, 7, generator=generator) < 0.5) & torch.isin(labels, found)
    predicted = torch.where(agree, labels, predicted)
    return predicted, labels.masked_fill(torch.rand(2, 6, 7, generator=generator) < 0.1, 255)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 6), st.sets(st.integers(1, 5)), st.sets(st.integers(1, 5)), st.integers(0, 9999))
def test_all_scores_are_torchmetrics(classes, missing, unpredicted, seed):
    """A class that is absent, never predicted, or only predicted counts otherwise than in the field."""
    predicted, labels = label_maps(classes, missing, unpredicted, seed)
    options = {"num_classes": classes, "ignore_index": 255}
    matrix = confusion_matrix(predicted, labels, classes)
    assert torch.equal(matrix, multiclass_confusion_matrix(predicted, labels, **options))
    close = {"rel": 1e-5, "abs": 1e-7}
    theirs = {
        average: multiclass_jaccard_index(predicted, labels, average=average, **options)
        for average in ("none", "macro", "weighted")
    }
    assert class_iou(matrix).nan_to_num().tolist() == pytest.approx(theirs["none"].tolist(), **close)
    assert mean_iou(matrix) == pytest.approx(float(theirs["macro"]), **close)
    assert frequency_weighted_iou(matrix) == pytest.approx(float(theirs["weighted"]), **close)
    micro = multiclass_accuracy(predicted, labels, average="micro", **options)
    assert pixel_accuracy(matrix) == pytest.approx(float(micro), **close)
    recalls = multiclass_accuracy(predicted, labels, average="none", **options)
    there = matrix.sum(1) > 0
    assert mean_accuracy(matrix) == pytest.approx(float(recalls[there].mean()), **close)
    if not (matrix.sum(0)[~there] > 0).any():
        macro = multiclass_accuracy(predicted, labels, average="macro", **options)
        assert mean_accuracy(matrix) == pytest.approx(float(macro), **close)


def test_scores_by_hand():
    """Rows and columns are swapped, or an absent class counts as 0 or as 1 where it should not."""
    assert pixel_accuracy(MATRIX) == pytest.approx(5 / 8)
    assert mean_accuracy(MATRIX) == pytest.approx((3 / 4 + 2 / 4) / 2)  # no pixel has class 2
    assert class_iou(MATRIX).tolist() == pytest.approx([3 / 4, 2 / 5, 0])
    assert mean_iou(MATRIX) == pytest.approx((3 / 4 + 2 / 5 + 0) / 3)  # class 2 was predicted, wrongly
    assert frequency_weighted_iou(MATRIX) == pytest.approx((4 * 3 / 4 + 4 * 2 / 5) / 8)
    absent = torch.tensor([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    assert math.isnan(class_iou(absent)[2])
    assert mean_iou(absent) == pytest.approx((3 / 4 + 4 / 5) / 2)


def test_a_confusion_matrix_by_hand():
    """Truth is in columns, or ignored pixels are counted."""
    labels = torch.tensor([[0, 0, 1], [1, 2, 255]])
    predicted = torch.tensor([[0, 1, 1], [0, 2, 2]])
    assert confusion_matrix(predicted, labels, 3).tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert confusion_matrix(predicted[:, :2], labels[:, :2], 3, ignore=0).tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 1]]
    assert confusion_matrix(predicted[0], labels[0], 3, ignore=None).tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_matrices_of_batches_are_added():
    """The score of two batches is the mean of their scores."""
    predicted, labels = label_maps(4, set(), set(), 3)
    halves = [confusion_matrix(predicted[n], labels[n], 4) for n in range(2)]
    assert torch.equal(sum(halves), confusion_matrix(predicted, labels, 4))
    assert mean_iou(sum(halves)) != pytest.approx(sum(map(mean_iou, halves)) / 2, abs=1e-4)


def test_without_pixels_there_is_no_score():
    """An empty batch scores 0 or 1."""
    matrix = confusion_matrix(torch.zeros(2, 3, dtype=torch.int64), torch.full((2, 3), 255), 4)
    assert int(matrix.sum()) == 0
    for score in (pixel_accuracy, mean_accuracy, mean_iou, frequency_weighted_iou):
        assert math.isnan(score(matrix))


def test_perfect_and_hopeless():
    """The scale is not 0 to 1."""
    labels = torch.arange(4).view(2, 2)
    right, wrong = confusion_matrix(labels, labels, 4), confusion_matrix((labels + 1) % 4, labels, 4)
    for score in (pixel_accuracy, mean_accuracy, mean_iou, frequency_weighted_iou):
        assert (score(right), score(wrong)) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda y: confusion_matrix(torch.rand(2, 2), y, 2), r"logits.argmax\(1\)"),
        (lambda y: confusion_matrix(y[0], y, 2), r"one shape; got \(2,\) and \(2, 2\)"),
        (lambda y: confusion_matrix(y, y + 1, 2), "labels from 0 to 1, or 255 to be ignored; these run from 1 to 2"),
        (lambda y: confusion_matrix(y + 1, y, 2), "predicted.*run from 1 to 2"),
        (lambda y: confusion_matrix(y, y, 0), "classes must be"),
        (lambda y: confusion_matrix([1], y, 2), "two tensors"),
        (lambda y: mean_iou(torch.zeros(2, 3)), r"as many rows as columns; got \(2, 3\)"),
        (lambda y: pixel_accuracy(1.0), "got float"),
    ],
)
def test_what_is_refused_and_in_which_words(call, words):
    """Numbers that are no labels are counted into a neighbouring row."""
    with pytest.raises(CourseError, match=words):
        call(torch.tensor([[0, 1], [1, 0]]))
