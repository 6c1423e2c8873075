"""The networks that the study of lesson 15 compares differ in their gates and in nothing else."""

import pytest
import torch

from crashcourse.classification.resnet_cifar import CifarResNet
from crashcourse.classification.senet import SqueezeExcitation
from crashcourse.errors import CourseError
from crashcourse.inspection import count_parameters
from crashcourse.recipes.senet import GATES, ConstantGate, OwnGate, small_senet

BLOCKS = [8] * 3 + [16] * 3 + [32] * 3


def test_the_network_without_gates_is_lesson_13s() -> None:
    """Fails if the study compares with another network than the ResNet that learners know."""
    torch.manual_seed(0)
    ours = small_senet("none").eval()
    torch.manual_seed(0)
    theirs = CifarResNet(20, in_channels=1, width=8, stem_stride=4).eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    images = torch.randn(2, 1, 28, 28)
    assert torch.equal(ours(images), theirs(images))


@pytest.mark.parametrize(
    ("variant", "added"),
    [
        ("se", sum(2 * c * (c // 4) + c // 4 + c for c in BLOCKS)),
        ("se16", sum(2 * c * max(c // 16, 1) + max(c // 16, 1) + c for c in BLOCKS)),
        ("own", sum(2 * c for c in BLOCKS)),
        ("constant", sum(BLOCKS)),
    ],
)
def test_each_variant_adds_its_gates_and_nothing_else(variant: str, added: int) -> None:
    """Fails if a block has no gate, or two, or a gate of another width."""
    assert count_parameters(small_senet(variant)) - count_parameters(small_senet("none")) == added


def test_one_unit_is_left_where_the_reduction_leaves_none() -> None:
    """Fails if 8 channels and reduction 16 end in an error, or in a layer without units."""
    units = [
        module.fc1.out_channels for module in small_senet("se16").modules() if isinstance(module, SqueezeExcitation)
    ]
    assert units == [1] * 6 + [2] * 3


def test_the_controls_by_hand() -> None:
    """Fails if a constant gate looks at the image, or an own gate at another channel."""
    maps = torch.tensor([[[[1.0, 3.0]], [[5.0, 5.0]]]])
    constant, own = ConstantGate(2), OwnGate(2)
    torch.testing.assert_close(constant(maps), maps / 2)
    with torch.no_grad():
        constant.score.copy_(torch.tensor([0.0, 100.0])[None, :, None, None])
        own.weight.copy_(torch.tensor([1.0, -100.0])[None, :, None, None])
        own.bias.copy_(torch.tensor([-2.0, 0.0])[None, :, None, None])
    torch.testing.assert_close(constant(maps), maps * torch.tensor([0.5, 1.0])[None, :, None, None])
    torch.testing.assert_close(own(maps), maps * torch.tensor([0.5, 0.0])[None, :, None, None])


def test_an_unknown_variant_is_a_sentence() -> None:
    """Fails if a slip ends in a KeyError."""
    assert set(GATES) == {"se", "se16", "own", "constant", "none"}
    with pytest.raises(CourseError, match="Did you mean 'se16'"):
        small_senet("se_16")
