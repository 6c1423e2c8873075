"""The exercises of lesson 15 teach what the package does."""

import torch
from torch import nn

from crashcourse.classification import senet
from crashcourse.exercises.senet import SEBlock, added_parameters, fold_gates


def test_the_block_is_the_packages() -> None:
    """Else learners write another block than the one that lessons run."""
    torch.manual_seed(0)
    theirs, ours = SEBlock(24, reduction=5), senet.SqueezeExcitation(24, reduction=5)
    weights = {name: value.view_as(ours.state_dict()[name]) for name, value in theirs.state_dict().items()}
    ours.load_state_dict(weights, strict=True)
    maps = torch.randn(3, 24, 4, 5)
    torch.testing.assert_close(theirs(maps), ours(maps))


def test_the_count_is_the_packages() -> None:
    """Else the lesson's table disagrees with the networks that it is about."""
    stages = [256] * 3 + [512] * 4 + [1024] * 6 + [2048] * 3
    assert added_parameters(stages) == 2_530_992
    for reduction in (1, 3, 16):
        assert added_parameters([16, 50], reduction) == sum(senet.added_parameters(c, reduction) for c in (16, 50))


def test_a_folded_gate_leaves_the_network_as_it_was() -> None:
    """Else a BatchNorm with the new scale and shift is not the old one with its gate, in whatever mode."""
    torch.manual_seed(0)
    before, after = nn.BatchNorm2d(6), nn.BatchNorm2d(6)
    for values in (before.weight, before.bias, before.running_mean, before.running_var):
        values.data.add_(torch.rand(6))
    after.load_state_dict(before.state_dict())
    gates = torch.rand(6)
    with torch.no_grad():
        scale, shift = fold_gates(before.weight, before.bias, gates)
        after.weight.copy_(scale)
        after.bias.copy_(shift)
        maps = torch.randn(4, 6, 3, 3)
        for training in (True, False):
            expected = before.train(training)(maps) * gates[:, None, None]
            torch.testing.assert_close(after.train(training)(maps), expected)
