"""Feature pyramid: against torchvision's, by hand, levels by the formula, frozen BatchNorm, and what is refused."""

from collections import OrderedDict

import pytest
import torch
import torchvision.models
import torchvision.ops
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from crashcourse.detection.backbone import (
    FrozenBatchNorm2d,
    ResNetBody,
    freeze_batch_norm,
    set_norm_eps,
    train_last_stages,
)
from crashcourse.detection.faster_rcnn import ALIGNED
from crashcourse.detection.fpn import FeaturePyramid, MultiScalePool, assign_levels, merge, resnet_fpn
from crashcourse.errors import CourseError
from crashcourse.inspection import count_parameters
from tests.detection.test_boxes import random_boxes


def maps(channels=(4, 6, 8), side=16, images=2):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(images, c, side >> k, side >> k, generator=generator) for k, c in enumerate(channels)]


def test_merge_by_hand():
    """Fails if the coarse map is interpolated instead of repeated, or not added."""
    above = torch.tensor([[1.0, 2], [3, 4]]).view(1, 1, 2, 2)
    merged = merge(torch.full((1, 1, 4, 4), 10.0), above)
    assert merged[0, 0].tolist() == [[11, 11, 12, 12], [11, 11, 12, 12], [13, 13, 14, 14], [13, 13, 14, 14]]
    assert merge(torch.zeros(1, 1, 3, 3), above)[0, 0].tolist() == [[1, 1, 2], [1, 1, 2], [3, 3, 4]]  # odd sizes too


@pytest.mark.parametrize("side", [16, 19])
def test_the_pyramid_is_torchvisions(side):
    """Fails if a lateral, the sum, the smoothing or the extra level is another, or if smoothed maps are passed down."""
    theirs = torchvision.ops.FeaturePyramidNetwork(
        [4, 6, 8], 5, extra_blocks=torchvision.ops.feature_pyramid_network.LastLevelMaxPool()
    )
    ours = FeaturePyramid((4, 6, 8), 5)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    given_maps = maps(side=side)
    expected = theirs(OrderedDict((str(k), m) for k, m in enumerate(given_maps)))
    for got, wanted in zip(ours(given_maps), expected.values(), strict=True):
        torch.testing.assert_close(got, wanted)


def test_the_extra_level_takes_every_second_place():
    """Fails if the extra level is a mean or a maximum of neighbours."""
    levels = FeaturePyramid((4, 6, 8), 5)(maps())
    assert [tuple(level.shape[1:]) for level in levels] == [(5, 16, 16), (5, 8, 8), (5, 4, 4), (5, 2, 2)]
    assert torch.equal(levels[3], levels[2][:, :, ::2, ::2])


def test_resnet_50_with_a_pyramid_stage_by_stage():
    """Fails if a stride, a width or a published count is off."""
    with torch.device("meta"):
        backbone, frozen = resnet_fpn(), resnet_fpn(frozen_norm=True)
        shapes = [tuple(level.shape) for level in backbone(torch.zeros(1, 3, 224, 224))]
        body = [tuple(level.shape[1:]) for level in backbone.body(torch.zeros(1, 3, 224, 224))]
        small = ResNetBody("18")(torch.zeros(1, 3, 64, 64))
    assert shapes == [(1, 256, side, side) for side in (56, 28, 14, 7, 4)]
    assert body == [(256, 56, 56), (512, 28, 28), (1024, 14, 14), (2048, 7, 7)]
    assert [m.shape[1] for m in small] == [64, 128, 256, 512]
    assert count_parameters(backbone) == 26_852_416
    assert count_parameters(frozen) == 26_799_296


def test_frozen_batch_norm_is_torchvisions_and_never_changes():
    """Fails if statistics move in training, if eps is forgotten, or if values are lost in freezing."""
    layer = nn.BatchNorm2d(6, eps=1e-3)
    generator = torch.Generator().manual_seed(0)
    for values in (layer.weight, layer.bias, layer.running_mean):
        values.data.normal_(generator=generator)
    layer.running_var.uniform_(0.5, 2, generator=generator)
    x = torch.randn(2, 6, 5, 5, generator=generator)
    frozen = freeze_batch_norm(nn.Sequential(layer))
    assert isinstance(frozen[0], FrozenBatchNorm2d)
    theirs = torchvision.ops.FrozenBatchNorm2d(6, eps=1e-3)
    theirs.load_state_dict(frozen[0].state_dict())
    torch.testing.assert_close(frozen.train()(x), layer.eval()(x))
    torch.testing.assert_close(frozen(x), theirs(x))
    assert not list(frozen.parameters())
    before = frozen(x)
    set_norm_eps(frozen, 0.0)
    assert frozen[0].eps == 0
    assert not torch.equal(frozen(x), before)


@pytest.mark.parametrize(
    ("stages", "learning"),
    [(0, set()), (2, {"layer4", "layer3"}), (5, {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4"})],
)
def test_the_last_stages_learn(stages, learning):
    """Fails if a stage that should learn is fixed or the other way round."""
    with torch.device("meta"):
        body = ResNetBody("18")
    train_last_stages(body, stages)
    assert {name.split(".")[0] for name, p in body.named_parameters() if p.requires_grad} == learning


def test_levels_by_hand():
    """Fails if 224 is not level 4, if a step is not a factor of 2 in side, or if the ends are not clamped."""
    sides = torch.tensor([10.0, 56, 111.9, 112, 223.9, 224, 447, 448, 2000])
    boxes = torch.stack([torch.zeros(9), torch.zeros(9), sides, sides], 1)
    assert assign_levels(boxes, 2, 5).tolist() == [2, 2, 2, 3, 3, 4, 4, 5, 5]
    long = torch.tensor([[0.0, 0, 56, 896]])  # the area counts: 224²
    assert assign_levels(long, 2, 5).item() == 4


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(1, 900), st.floats(1, 900)), min_size=1, max_size=20))
def test_levels_are_torchvisions_and_grow_with_the_box(sides):
    boxes = torch.tensor([[0.0, 0, w, h] for w, h in sides])
    theirs = torchvision.ops.poolers.LevelMapper(2, 5)([boxes])
    assert torch.equal(assign_levels(boxes, 2, 5) - 2, theirs)
    assert bool((assign_levels(boxes * 2, 2, 5) >= assign_levels(boxes, 2, 5)).all())


def test_pooling_over_levels_is_torchvisions():
    """Fails if a region is taken from another level, scaled by another stride, or put into another place."""
    generator = torch.Generator().manual_seed(0)
    levels = [torch.randn(2, 3, 128 >> k, 128 >> k, generator=generator) for k in range(4)]
    boxes = [random_boxes(40, seed, side) for seed, side in ((0, 350), (1, 60))]
    boxes[0][:, 2:] = boxes[0][:, 2:].clamp(min=480)
    theirs = torchvision.ops.MultiScaleRoIAlign(["0", "1", "2", "3"], 7, 2)
    expected = theirs(OrderedDict((str(k), m) for k, m in enumerate(levels)), boxes, [(512, 512)] * 2)
    pool = MultiScalePool(ALIGNED, (7, 7))
    torch.testing.assert_close(pool([*levels, levels[-1]], boxes), expected, atol=1e-5, rtol=1e-5)
    assert len({level for own in boxes for level in assign_levels(own, 2, 5).tolist()}) >= 3
    assert pool(levels, [torch.zeros(0, 4)] * 2).shape == (0, 3, 7, 7)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: FeaturePyramid(()), "at least one map"),
        (lambda: FeaturePyramid((4, 6), 0), "channels"),
        (lambda: FeaturePyramid((4, 6, 8), 5)(maps()[:2]), "takes 3 maps; got 2"),
        (lambda: MultiScalePool(ALIGNED, (7, 7), strides=(4, 12)), "powers of 2"),
        (lambda: ResNetBody("51"), "ResNet"),
        (lambda: train_last_stages(ResNetBody("18"), 6), "0 to 5"),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(CourseError, match=sentence):
        call()
