"""What became of objects, on an image by hand."""

import pytest
import torch

from crashcourse.detection.failures import found_objects, why_missed
from crashcourse.errors import CourseError

OBJECTS = {
    "boxes": torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [60, 0, 70, 10], [60, 0, 70, 9]]),
    "labels": torch.tensor([0, 0, 1, 1, 1]),
}


def said(boxes, scores, labels):
    return {"boxes": torch.tensor(boxes).reshape(-1, 4), "scores": torch.tensor(scores), "labels": torch.tensor(labels)}


FOUND = said(
    [[0.0, 0, 10, 9], [20, 0, 30, 10], [44, 0, 54, 10], [60, 0, 70, 10], [62, 0, 72, 10]],
    [0.9, 0.8, 0.7, 0.6, 0.5],
    [0, 1, 1, 1, 1],
)


def test_every_object_has_its_fate():
    """Fails if class is not asked, if IoU is not, if one box finds two objects, or a second cannot take the next."""
    assert found_objects(FOUND, OBJECTS).tolist() == [True, False, False, True, True]
    assert why_missed(FOUND, OBJECTS) == ["found", "wrong class", "badly placed", "found", "found"]
    alone = {name: values[:4] for name, values in FOUND.items()}
    assert why_missed(alone, OBJECTS)[3:] == ["found", "badly placed"]  # its only box found the other
    assert why_missed(said([], [], []), OBJECTS) == ["not seen"] * 5
    assert found_objects(FOUND, OBJECTS, iou_threshold=0.95).tolist() == [False, False, False, True, False]


def test_the_best_score_chooses_first():
    """Fails if detections choose in the order in which they come."""
    two = {"boxes": torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 14]]), "labels": torch.tensor([0, 0])}
    boxes = [[0.0, 0, 10, 11], [0, 0, 10, 10.5]]
    assert found_objects(said(boxes, [0.2, 0.9], [0, 0]), two, iou_threshold=0.75).tolist() == [True, True]
    assert found_objects(said(boxes[1:], [0.9], [0]), two, iou_threshold=0.75).tolist() == [True, False]


def test_nothing_to_find_and_bad_thresholds():
    none = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    assert why_missed(FOUND, none) == []
    with pytest.raises(CourseError, match="above 0"):
        found_objects(FOUND, OBJECTS, iou_threshold=0)
