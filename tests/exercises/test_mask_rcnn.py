"""The references of lesson 24 are the package's own parts in other clothes."""

import pytest
import torch

from crashcourse.detection import mask_rcnn
from crashcourse.detection.fpn import FeaturePyramid
from crashcourse.detection.roi_align import roi_align
from crashcourse.exercises.mask_rcnn import mask_loss, merge_levels, sample_between


@pytest.mark.parametrize("seed", range(3))
def test_a_sample_is_what_roi_align_takes(seed):
    """Fails if the lesson's coordinates were not those of RoIAlign with aligned=True, borders included."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(1, 3, 6, 9, generator=generator)
    places = torch.rand(20, 2, generator=generator) * torch.tensor([9.0, 6.0])
    rois = torch.cat([torch.zeros(20, 1), places - 0.25, places + 0.25], 1)
    expected = roi_align(features, rois, 1, sampling_ratio=1, aligned=True)[:, :, 0, 0]
    found = torch.stack([sample_between(features[0], x, y) for x, y in places.tolist()])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_merging_is_the_pyramids():
    """Fails if the lesson's way down was not the package's: laterals, sums, then its 3×3."""
    torch.manual_seed(0)
    pyramid = FeaturePyramid((2, 3, 5), 4)
    maps = [torch.randn(2, width, side, side + 1) for width, side in ((2, 9), (3, 5), (5, 3))]
    weights = [lateral[0].weight for lateral in pyramid.inner_blocks]
    merged = merge_levels(maps, weights)  # the biases are 0 to begin with
    smoothed = [smooth(level) for smooth, level in zip(pyramid.layer_blocks, merged, strict=True)]
    for found, expected in zip(smoothed, pyramid(maps), strict=False):
        torch.testing.assert_close(found, expected)


def test_the_loss_is_the_packages():
    """Fails if the lesson's loss was not that of the network."""
    logits, labels, targets = torch.randn(4, 3, 5, 5), torch.tensor([2, 1, 1, 2]), torch.rand(4, 5, 5)
    torch.testing.assert_close(mask_loss(logits, labels, targets), mask_rcnn.mask_loss(logits, labels, targets))
