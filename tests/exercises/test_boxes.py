"""The references of lesson 20 are the package's own functions in other clothes."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from crashcourse.detection import average_precision, batched_nms, box_iou, convert_boxes, greedy_nms, precision_recall
from crashcourse.exercises.boxes import (
    EXERCISES,
    area_under_curve,
    pairwise_iou,
    suppress,
    suppress_by_class,
    to_corners,
)
from tests.detection.test_boxes import random_boxes


@pytest.mark.parametrize("seed", range(5))
def test_the_references_are_right(seed):
    """Fails if a right answer would be refused, or the lesson taught another rule than the package's."""
    boxes = random_boxes(40, seed=seed)
    scores = torch.randperm(40, generator=torch.Generator().manual_seed(seed)) / 40
    assert torch.allclose(to_corners(convert_boxes(boxes, "xyxy", "cxcywh")), boxes, atol=1e-4)
    iou = pairwise_iou(boxes, boxes)
    assert torch.allclose(iou, box_iou(boxes, boxes))
    assert suppress(iou, scores, 0.3) == greedy_nms(boxes, scores, 0.3).tolist()
    labels = torch.arange(40) % 3
    assert suppress_by_class(iou, scores, labels, 0.3) == batched_nms(boxes, scores, labels, 0.3).tolist()
    correct = scores > 0.5
    expected = average_precision(*precision_recall(correct.numpy(), 25))
    assert area_under_curve(correct, 25) == pytest.approx(expected, abs=1e-6)


BY_NAME = {exercise.name.removeprefix("detection."): exercise for exercise in EXERCISES}
RESULTS = {
    "tensor": torch.tensor,
    "list_of_tensors": lambda result: [torch.tensor(item) for item in result],
    "float_indices": lambda result: torch.tensor(result).float(),
    "row": lambda result: torch.tensor(result)[None],
}


@pytest.mark.parametrize(
    ("name", "made", "verdict"),
    [
        ("suppress", "tensor", "passed"),
        ("suppress", "list_of_tensors", "passed"),
        ("suppress", "float_indices", "wrong"),
        ("suppress", "row", "wrong"),
        ("suppress_by_class", "tensor", "passed"),
        ("suppress_by_class", "list_of_tensors", "passed"),
        ("suppress_by_class", "row", "wrong"),
        ("area_under_curve", "tensor", "passed"),
        ("area_under_curve", "row", "wrong"),
    ],
)
def test_a_tensor_of_right_numbers_is_right(name: str, made: str, verdict: str) -> None:
    """Fails if who returns indices or an area as a tensor is told off for its type and sees no hint."""
    exercise = BY_NAME[name]
    assert exercise.check(lambda *args: RESULTS[made](exercise.reference(*args))).verdict == verdict


def kept_scores(iou: Tensor, scores: Tensor, threshold: float) -> Tensor:
    return scores[suppress(iou, scores, threshold)]


def not_divided(correct: Tensor, objects: int) -> Tensor:
    return torch.tensor(area_under_curve(correct, objects) * objects)


@pytest.mark.parametrize(
    ("name", "candidate", "hint"),
    [("suppress", kept_scores, "scores"), ("area_under_curve", not_divided, "not_divided")],
)
def test_a_tensor_of_wrong_numbers_gets_its_hint(name: str, candidate: Callable[..., Any], hint: str) -> None:
    """Fails if the type of a result hides what is wrong with its values."""
    assert BY_NAME[name].check(candidate).matched == hint
