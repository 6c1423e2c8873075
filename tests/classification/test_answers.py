"""The functions that learners write: their source, pasted into a cell, must run with what every lesson imports."""

import inspect

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crashcourse.classification.convolution import conv2d, conv_parameters, im2col, output_size, receptive_field
from crashcourse.classification.deconvnet import deconvnet_relu, gradient_relu, guided_relu
from crashcourse.classification.vgg import vgg_features, vgg_parameters

CALLS = {
    output_size: (9, 3, 2),
    conv2d: (torch.ones(1, 2, 4, 4), torch.ones(3, 2, 2, 2), torch.ones(3)),
    conv_parameters: (3, 4, 5),
    receptive_field: ([(3, 2), (3, 1, 2)],),
    gradient_relu: (torch.tensor([-1.0, 2.0]), torch.tensor([1.0, -2.0])),
    deconvnet_relu: (torch.tensor([-1.0, 2.0]), torch.tensor([1.0, -2.0])),
    guided_relu: (torch.tensor([-1.0, 2.0]), torch.tensor([1.0, -2.0])),
    vgg_parameters: (((3, 3), (3,)), (4, 8)),
}


def pasted(function):
    """The function as a cell defines it from the package's own source."""
    names = {"torch": torch, "Tensor": Tensor, "nn": nn, "F": F}
    exec(inspect.getsource(function), names)
    return names[function.__name__]


@pytest.mark.parametrize("function", CALLS, ids=lambda function: function.__name__)
def test_a_solution_runs_when_pasted_into_a_cell(function):
    """The solution that a learner is shown needs a name that only its module has."""
    torch.testing.assert_close(pasted(function)(*CALLS[function]), function(*CALLS[function]))


def test_the_features_run_when_pasted_into_a_cell():
    """As above, for the function that returns a network."""
    built = pasted(vgg_features)(((3, 3), (1,)), (4, 8), batch_norm=True)
    assert str(built) == str(vgg_features(((3, 3), (1,)), (4, 8), batch_norm=True))


@pytest.mark.parametrize("function", [*CALLS, vgg_features, im2col], ids=lambda function: function.__name__)
def test_a_stub_says_what_goes_in_and_what_comes_out(function):
    """An argument is missing from the docstring that learners work from."""
    text = inspect.getdoc(function)
    body = text.split("Args:")[1]
    missing = [name for name in inspect.signature(function).parameters if f"{name}:" not in body]
    assert missing == []
