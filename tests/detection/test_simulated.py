"""Made-up detections: they follow the truth as told, and nothing else."""

import pytest
import torch

from crashcourse.detection.boxes import box_iou
from crashcourse.detection.simulated import simulated_detections
from crashcourse.errors import CourseError

BOXES = torch.tensor([[10.0, 10, 50, 40], [60, 20, 90, 90], [0, 70, 30, 100]])
LABELS = torch.tensor([0, 2, 1])
ASKED = {"num_classes": 3, "size": (100, 120), "seed": 0}


def test_the_same_seed_gives_the_same_answers_and_another_seed_others():
    one, two, other = (simulated_detections(BOXES, LABELS, **{**ASKED, "seed": seed}) for seed in (0, 0, 1))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert one["boxes"].shape != other["boxes"].shape or not torch.equal(one["boxes"], other["boxes"])


@pytest.mark.parametrize("seed", range(20))
def test_answers_lie_in_the_image_near_their_objects_and_good_ones_are_surer(seed):
    """Fails if a box leaves the image, a score is none, or scores have nothing to do with the fit."""
    asked = {**ASKED, "seed": seed, "missed": 0.0, "confused": 0.0, "false_alarms": 0}
    found = simulated_detections(BOXES, LABELS, **asked, answers=400)
    x1, y1, x2, y2 = found["boxes"].T
    assert bool(((x1 >= 0) & (x1 < x2) & (x2 <= 120) & (y1 >= 0) & (y1 < y2) & (y2 <= 100)).all())
    assert bool(((found["scores"] > 0) & (found["scores"] < 1)).all())
    overlap, place = box_iou(found["boxes"], BOXES).max(1)
    assert torch.equal(LABELS[place], found["labels"])
    for number in range(3):
        own = torch.stack([overlap[place == number], found["scores"][place == number]])
        if own.shape[1] >= 30:
            assert torch.corrcoef(own)[0, 1] > 0.3


def test_what_is_missed_confused_and_invented():
    """Fails if one of the parts is not what was asked for."""
    assert len(simulated_detections(BOXES, LABELS, **ASKED, missed=1.0, false_alarms=0)["scores"]) == 0
    only = simulated_detections(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), **ASKED, false_alarms=7)
    assert only["boxes"].shape == (7, 4)
    exact = simulated_detections(BOXES, LABELS, **ASKED, jitter=0.0, missed=0.0, confused=0.0, false_alarms=0)
    assert torch.allclose(box_iou(exact["boxes"], BOXES).amax(1), torch.ones(len(exact["boxes"])))
    wrong = simulated_detections(BOXES, LABELS, **ASKED, jitter=0.0, missed=0.0, confused=1.0, false_alarms=0)
    assert not bool((wrong["labels"] == LABELS[box_iou(wrong["boxes"], BOXES).argmax(1)]).any())
    alone = simulated_detections(BOXES, LABELS * 0, **{**ASKED, "num_classes": 1}, confused=1.0)
    assert not bool(alone["labels"].any())


def test_what_does_not_fit_is_refused():
    with pytest.raises(CourseError, match="one label"):
        simulated_detections(BOXES, LABELS[:2], **ASKED)
    with pytest.raises(CourseError, match="Box 0"):
        simulated_detections(torch.zeros(1, 4), LABELS[:1], **ASKED)
