"""ResNet and ResNeXt for ImageNet: stages, blocks, groups, doors, contracts."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import nn

from crashcourse.classification.resnet import (
    VARIANTS,
    BasicBlock,
    Bottleneck,
    ResNet,
    resnet18,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
)
from crashcourse.classification.resnext import resnext50_32x4d, split_transform_merge
from crashcourse.errors import CourseError
from crashcourse.inspection import count_macs, summarize
from tests.contracts import CONTRACTS, DEEP_CONTRACTS, ModelCase

BUILDERS = {
    builder.__name__: builder for builder in (resnet18, resnet34, resnet50, resnet101, resnet152, resnext50_32x4d)
}


def on_meta(name: str) -> nn.Module:
    with torch.device("meta"):
        return BUILDERS[name]()


@pytest.mark.parametrize("name", BUILDERS)
def test_maps_of_every_stage(name):
    """A stage does not halve, or has not the channels of table 1."""
    expansion = 1 if name in ("resnet18", "resnet34") else 4
    stages = [row for row in summarize(on_meta(name), (3, 224, 224), by="child") if row.name.startswith("layer")]
    sides = {64: 56, 128: 28, 256: 14, 512: 7}
    assert [row.output_shape for row in stages] == [(c * expansion, side, side) for c, side in sides.items()]


def test_depths_are_the_numbers_of_layers_with_weights():
    """A variant has a block too many: its name counts convolutions and the dense layer, not the projections."""
    for name, (block, blocks) in VARIANTS.items():
        per_block = {BasicBlock: 2, Bottleneck: 3}[block]
        assert int(name) == 2 + per_block * sum(blocks)
    layers = [n for n, m in on_meta("resnet50").named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert sum("downsample" not in layer for layer in layers) == 50


def test_a_block_whose_last_scale_is_zero_passes_its_input_through():
    """The shortcut is not added, or something stands on it: x is non-negative, so the last ReLU changes nothing."""
    x = torch.rand(2, 8, 5, 5, generator=torch.Generator().manual_seed(0))
    block = BasicBlock(8, 8).eval()
    nn.init.zeros_(block.bn2.weight)
    assert torch.equal(block(x), x)
    wide = Bottleneck(8, 2).eval()
    nn.init.zeros_(wide.bn3.weight)
    assert torch.equal(wide(x), x)


def test_stride_of_a_bottleneck_stands_on_its_3x3():
    """The network is the paper's v1, which costs less and has other published weights than torchvision's."""
    block = Bottleneck(64, 32, stride=2)
    assert [layer.stride for layer in (block.conv1, block.conv2, block.conv3)] == [(1, 1), (2, 2), (1, 1)]


def test_the_papers_bottleneck_costs_less():
    """Lesson 13 says: stride on the first 1×1 as in the paper, 3.86 billion multiply-adds in place of 4.09."""
    model = on_meta("resnet50")
    for block in model.modules():
        if isinstance(block, Bottleneck):
            block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride
    assert count_macs(model, (3, 224, 224)) / 1e9 == pytest.approx(3.86, rel=0.01)
    assert count_macs(on_meta("resnet50"), (3, 224, 224)) / 1e9 == pytest.approx(4.09, rel=0.01)


def test_resnext_has_the_width_and_groups_of_its_name():
    """32×4d: in every stage 32 groups, of 4, 8, 16 and 32 channels."""
    model = on_meta("resnext50_32x4d")
    inner = [model.get_submodule(f"layer{stage}")[0].conv2 for stage in range(1, 5)]
    assert [(layer.groups, layer.in_channels // layer.groups) for layer in inner] == [
        (32, 4),
        (32, 8),
        (32, 16),
        (32, 32),
    ]


@pytest.mark.parametrize(("groups", "kernel"), [(1, 3), (2, 1), (4, 3), (8, 5)])
def test_split_transform_merge_equals_a_grouped_convolution(groups, kernel):
    """The parts meet the wrong filters, or are joined in another order than PyTorch's."""
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(2, 8, 5, 6, generator=generator)
    weight = torch.randn(16, 8 // groups, kernel, kernel, generator=generator)
    expected = nn.functional.conv2d(maps, weight, padding=kernel // 2, groups=groups)
    torch.testing.assert_close(split_transform_merge(maps, weight, groups), expected)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ResNet("35"), "34"),
        (lambda: ResNet(34), "34"),
        (lambda: ResNet("18", groups=32, base_width=4), "Only bottleneck blocks have groups"),
    ],
)
def test_bad_settings_are_refused_with_a_sentence(call, words):
    """Another network than asked for is built."""
    with torch.device("meta"), pytest.raises(CourseError, match=words):
        call()


def settled(build: Callable[[int], nn.Module]) -> nn.Module:
    """A network whose branches are small beside their shortcuts, as after training.

    Fresh ones in evaluation mode double the signal from block to block, so that 33 or 50 of them lose the last digits,
    of which bfloat16 has few and channels-last rounds others.
    """
    model = build(10)
    for module in model.modules():
        if isinstance(module, Bottleneck):
            nn.init.constant_(module.bn3.weight, 0.2)
    return model


CASES = [
    ModelCase(name, partial(build, 10), (3, 3, 32, 32), (3, 10))
    for name, build in BUILDERS.items()
    if build not in (resnet101, resnet152)
]
DEEP = [ModelCase(build.__name__, partial(settled, build), (3, 3, 32, 32), (3, 10)) for build in (resnet101, resnet152)]


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_contract(case, contract):
    contract(case)


@pytest.mark.parametrize("contract", DEEP_CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("case", DEEP, ids=lambda case: case.name)
def test_contract_of_deep_networks(case, contract):
    contract(case)
