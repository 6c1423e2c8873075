"""The references of lesson 23 are the package's own functions in other clothes."""

import pytest
import torch

from crashcourse.detection.anchors import cell_anchors, grid_anchors
from crashcourse.detection.box_deltas import decode_deltas, encode_deltas
from crashcourse.detection.matching import NEGATIVE, match
from crashcourse.detection.roi_pool import looped_roi_pool
from crashcourse.exercises.rcnn import box_to_deltas, deltas_to_box, place_anchors, pool_region, sample_anchors
from tests.detection.test_boxes import random_boxes


@pytest.mark.parametrize("seed", range(5))
def test_the_references_are_right(seed):
    """Fails if a right answer would be refused, or the lesson taught another rule than the package's."""
    torch.manual_seed(seed)
    boxes, anchors = random_boxes(30, seed), random_boxes(30, seed + 100)
    assert torch.allclose(box_to_deltas(boxes, anchors), encode_deltas(boxes, anchors), atol=1e-5)
    deltas = torch.randn(30, 4)
    assert torch.allclose(deltas_to_box(deltas, anchors), decode_deltas(deltas, anchors), rtol=1e-5, atol=1e-3)

    features = torch.randn(3, 20, 20)
    for box in random_boxes(8, seed):
        expected = looped_roi_pool(features[None], [box[None]], 3, spatial_scale=1 / 8)[0]
        assert torch.equal(pool_region(features, box.tolist(), 1 / 8, 3), expected)

    cells = cell_anchors((16, 40), (0.5, 1, 2), rounded=False)
    expected = grid_anchors(cells, (3, 4), (8, 8), offset=0.5)
    assert torch.allclose(place_anchors(3, 4, 8, (16, 40), (0.5, 1, 2)), expected, atol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_sampling_is_the_packages_matching(seed):
    """Fails if candidates are others than `match` gives, or if they are not taken in order."""
    generator = torch.Generator().manual_seed(seed)
    iou = torch.rand(3, 80, generator=generator) ** 3  # no two alike
    owners = match(iou, high=0.7, low=0.3, keep_best=True)
    order = torch.randperm(80, generator=generator)
    labels = sample_anchors(iou, order, 24)
    positive, negative = order[(owners >= 0)[order]][:12], order[(owners == NEGATIVE)[order]]
    assert set((labels == 1).nonzero()[:, 0].tolist()) == set(positive.tolist())
    assert set((labels == 0).nonzero()[:, 0].tolist()) == set(negative[: 24 - len(positive)].tolist())
