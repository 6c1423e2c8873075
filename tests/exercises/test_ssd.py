"""The references of lesson 22 are the package's own functions in other clothes."""

import pytest
import torch

from crashcourse.detection import box_iou, convert_boxes
from crashcourse.detection.ssd_boxes import SSD300, match_defaults
from crashcourse.detection.ssd_loss import hard_negatives
from crashcourse.exercises.ssd import default_boxes, hardest_negatives, match_objects
from tests.detection.test_boxes import random_boxes


def test_the_reference_makes_the_8732():
    """Fails if a right answer would be refused, or the lesson taught another rule than the package's."""
    sizes = SSD300.sizes
    made = [
        default_boxes(*row) for row in zip(SSD300.maps, SSD300.steps, sizes, sizes[1:], SSD300.ratios, strict=False)
    ]
    assert torch.allclose(convert_boxes(torch.cat(made), "cxcywh", "xyxy"), SSD300.boxes, atol=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_matching_and_mining_are_the_packages(seed):
    """Fails as above."""
    objects = random_boxes(4, seed=seed, side=180)
    iou = box_iou(objects, SSD300.boxes)
    assert len(iou.argmax(1).unique()) == 4
    assert torch.equal(match_objects(iou, 0.5), match_defaults(SSD300.boxes, objects))
    generator = torch.Generator().manual_seed(seed)
    loss, positive = torch.rand(3, 50, generator=generator), torch.rand(3, 50, generator=generator) < 0.1
    assert torch.equal(hardest_negatives(loss, positive, 3), hard_negatives(loss, positive, ratio=3))
