"""The references of lesson 20 are the package's own functions in other clothes."""

import pytest
import torch

from crashcourse.detection import average_precision, batched_nms, box_iou, convert_boxes, greedy_nms, precision_recall
from crashcourse.exercises.boxes import area_under_curve, pairwise_iou, suppress, suppress_by_class, to_corners
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
