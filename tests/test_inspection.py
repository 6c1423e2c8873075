"""Shapes, parameters and multiply-adds read from live modules."""

import pytest
import torch
from torch import Tensor, nn

from crashcourse.classification import small_vgg
from crashcourse.classification.convolution import conv_macs, conv_parameters
from crashcourse.errors import CourseError
from crashcourse.inspection import Block, count_macs, count_parameters, summarize


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()),
        nn.Conv2d(8, 4, 3, stride=2, groups=2),
        nn.Flatten(),
        nn.Linear(4 * 4 * 3, 5),
    )


def test_rows_worked_by_hand():
    """A row has another layer's shape, or counts batches, biases or groups wrongly."""
    assert summarize(network(), (3, 10, 8)) == [
        Block("0.0", "Conv2d", (8, 10, 8), conv_parameters(3, 8, 3), conv_macs(3, 8, 3, 10, 8)),
        Block("0.1", "BatchNorm2d", (8, 10, 8), 16, 0),
        Block("0.2", "ReLU", (8, 10, 8), 0, 0),
        Block("1", "Conv2d", (4, 4, 3), conv_parameters(8, 4, 3, groups=2), conv_macs(8, 4, 3, 4, 3, groups=2)),
        Block("2", "Flatten", (48,), 0, 0),
        Block("3", "Linear", (5,), 245, 240),
    ]


def test_children_sum_their_layers():
    """The coarse table tells another story than the fine one."""
    layers, children = (summarize(network(), (3, 10, 8), by=by) for by in ("layer", "child"))
    assert children[0] == Block("0", "Sequential", (8, 10, 8), 240, 17280)
    assert children[1:] == layers[3:]


def test_totals_equal_the_sum_of_the_rows():
    """Totals and tables drift apart."""
    model = small_vgg()
    rows = summarize(model, (1, 28, 28))
    assert sum(row.parameters for row in rows) == count_parameters(model)
    assert sum(row.macs for row in rows) == count_macs(model, (1, 28, 28))


def test_the_model_is_left_as_it_was():
    """Looking at a network moves it to another device, changes its mode, its statistics or its random numbers."""
    model = small_vgg()
    model.features.eval()
    modes = [module.training for module in model.modules()]
    state = {key: value.clone() for key, value in model.state_dict().items()}
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    summarize(model, (1, 28, 28))
    count_macs(model, (1, 28, 28))
    assert torch.equal(torch.rand(1), expected)
    assert [module.training for module in model.modules()] == modes
    assert all(
        value.device.type == "cpu" and torch.equal(value, state[key]) for key, value in model.state_dict().items()
    )
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


class Twice(nn.Module):
    """One layer that runs twice, and results in a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.unused = nn.Linear(4, 100)

    def forward(self, values: Tensor) -> dict[str, Tensor]:
        return {"scores": self.layer(self.layer(values))}


def test_a_layer_that_runs_twice_works_twice_and_learns_once():
    """Shared weights are counted twice, or their work once."""
    rows = summarize(Twice(), (4,))
    assert [(row.name, row.parameters, row.macs) for row in rows] == [("layer", 20, 16), ("layer", 0, 16)]


def test_a_single_layer_is_a_network_too():
    """A module without children gives an empty table."""
    assert summarize(nn.Linear(3, 2), (3,)) == [Block("Linear", "Linear", (2,), 8, 6)]


def test_other_products_count():
    """Attention, transposed convolution and plain matrix products go uncounted."""
    transposed = nn.ConvTranspose2d(3, 5, 2, stride=2)
    assert count_macs(transposed, (3, 4, 4)) == 3 * 4 * 4 * 5 * 2 * 2

    class Product(nn.Module):
        def forward(self, values: Tensor) -> Tensor:
            return values @ values.transpose(1, 2)

    assert count_macs(Product(), (6, 7)) == 6 * 7 * 6


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: summarize(small_vgg(), (3, 28, 28)), "with 3 channels"),
        (lambda: summarize(nn.Conv2d(3, 4, 3), (1, 8, 8)), "cannot take one example of shape"),
        (lambda: summarize(small_vgg(), (1, 28, 28), by="layers"), "Did you mean 'layer'"),
        (lambda: summarize(small_vgg(), (1, 28, 0)), "positive integers"),
        (lambda: summarize(small_vgg(), 28), "positive integers"),
        (lambda: count_macs(small_vgg(), "28"), "positive integers"),
        (lambda: count_macs(small_vgg, (1, 28, 28)), "torch.nn.Module"),
        (lambda: count_parameters(small_vgg), "Build the model first"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(call, words):
    """A learner's slip ends in a stack trace from inside PyTorch."""
    with pytest.raises(CourseError, match=words):
        call()
