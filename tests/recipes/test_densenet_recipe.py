"""The comparison of lesson 14 is fair: the networks are as deep, as heavy and as dear as the recipe says."""

import pytest
import torch
from torch import nn

from crashcourse.inspection import count_macs, count_parameters
from crashcourse.recipes.base import recipes
from crashcourse.recipes.densenet import JoinedBlock, dense_variant, matching_widths, small_densenet


def depth(model: nn.Module) -> int:
    return sum(isinstance(module, nn.Conv2d | nn.Linear) for module in model.modules())


@pytest.mark.parametrize("scale", ["laptop", "study", "gpu"])
@pytest.mark.parametrize("variant", ["residual", "plain"])
def test_networks_that_are_compared_are_alike(scale, variant):
    """One network is deeper, has more weights or costs more than the other, and would win or lose by that."""
    budget = recipes()["densenet_garments"].scale(scale)
    with torch.device("meta"):
        dense, other = dense_variant("dense", budget), dense_variant(variant, budget)
    assert depth(dense) == depth(other)
    assert count_parameters(other) == pytest.approx(count_parameters(dense), rel=0.03)
    assert count_macs(other, (1, 28, 28)) == pytest.approx(count_macs(dense, (1, 28, 28)), rel=0.03)


def test_the_laptop_network():
    """The network of lessons 14 and 17 changes its size, and with it their numbers."""
    with torch.device("meta"):
        model = small_densenet()
    assert (count_parameters(model), depth(model)) == (79_562, 40)
    assert model(torch.empty(2, 1, 28, 28, device="meta")).shape == (2, 10)


def test_the_basic_form():
    """The variant "basic" has bottlenecks, or compresses."""
    with torch.device("meta"):
        model = small_densenet(compact=False)
    assert depth(model) == 1 + 18 + 2 + 1
    assert [model.features.transition1.conv.out_channels, model.classifier.in_features] == [64, 16 + 18 * 8]


def test_widths_by_hand():
    """Another width is chosen than the one whose weights match: one block of two layers, then one of one."""
    dense = small_densenet(growth=2, blocks=(2, 1))
    first = 2 * (8 * 2 * 9) + 8 * 4 + 8 * 6 + 8 * 4  # two 3×3, two 1×1 over 4 and 6 channels, the transition
    second = 8 * 2 * 9 + 8 * 4
    assert matching_widths(dense) == [round((first / 21) ** 0.5), round((second / 10) ** 0.5)]


@pytest.mark.parametrize("adds", [True, False])
def test_maps_are_added_or_replaced(adds):
    """A residual block forgets its input, or a plain one keeps it: with silent layers the first is the identity."""
    block, maps = JoinedBlock(3, 4, adds=adds), torch.randn(2, 4, 5, 5)
    for layer in block:
        nn.init.zeros_(layer.conv2.weight)
    assert torch.equal(block(maps), maps if adds else torch.zeros_like(maps))
