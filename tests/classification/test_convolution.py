"""Convolution by hand against PyTorch's, and its arithmetic against what layers really do."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from crashcourse.classification.convolution import (
    conv2d,
    conv2d_as_matmul,
    conv_macs,
    conv_parameters,
    im2col,
    layers_of,
    output_size,
    receptive_field,
    receptive_field_steps,
)

BY_HAND = [conv2d, conv2d_as_matmul]
few = settings(max_examples=60, deadline=None, derandomize=True)


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor | None, dict[str, int]]:
    """Images, weight, bias and settings that fit each other; rows and columns differ."""
    numbers = {name: draw(st.integers(1, 3)) for name in ("stride", "dilation", "groups")}
    numbers["padding"] = draw(st.integers(0, 2))
    rows, columns = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    for size, kernel in ((height, rows), (width, columns)):
        assume(numbers["dilation"] * (kernel - 1) + 1 <= size + 2 * numbers["padding"])
    groups, generator = numbers["groups"], torch.Generator().manual_seed(draw(st.integers(0, 99)))
    channels, filters = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    images = torch.randn(draw(st.integers(1, 2)), channels * groups, height, width, generator=generator)
    weight = torch.randn(filters * groups, channels, rows, columns, generator=generator)
    bias = torch.randn(filters * groups, generator=generator) if draw(st.booleans()) else None
    return images, weight, bias, numbers


@pytest.mark.parametrize("by_hand", BY_HAND)
@few
@given(case=convolutions())
def test_by_hand_equals_pytorch(by_hand, case):
    """Stride, padding, dilation, groups or bias is applied in the wrong place."""
    images, weight, bias, numbers = case
    torch.testing.assert_close(
        by_hand(images, weight, bias, **numbers), F.conv2d(images, weight, bias, **numbers), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("by_hand", BY_HAND)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(case=convolutions())
def test_gradients_equal_pytorchs(by_hand, case):
    """A detached tensor, or a copy where a view was meant, loses a gradient."""
    images, weight, bias, numbers = case
    given_tensors = [tensor.double().requires_grad_() for tensor in (images, weight, bias) if tensor is not None]

    def gradients(convolve):
        output = convolve(*given_tensors, **numbers)
        cotangent = torch.arange(output.numel(), dtype=output.dtype).view_as(output).cos()
        return torch.autograd.grad(output, given_tensors, cotangent)

    for got, expected in zip(gradients(by_hand), gradients(F.conv2d), strict=True):
        torch.testing.assert_close(got, expected)


@few
@given(case=convolutions())
def test_im2col_equals_unfold(case):
    """Rows of the patches are in another order than the weights, or places in another order than pixels."""
    images, weight, _, numbers = case
    numbers = {name: numbers[name] for name in ("stride", "padding", "dilation")}
    kernel = tuple(weight.shape[2:])
    assert torch.equal(im2col(images, kernel, **numbers), F.unfold(images, kernel, **numbers))


@pytest.mark.parametrize("by_hand", BY_HAND)
def test_a_convolution_worked_by_hand(by_hand):
    """The kernel is flipped, or rows and columns are swapped."""
    image = torch.tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]]])
    weight = torch.tensor([[[[1.0, 10.0], [100.0, 1000.0]]]])
    expected = torch.tensor([[[[5421.0, 6532.0], [8754.0, 9865.0]]]])
    assert torch.equal(by_hand(image, weight), expected)


@pytest.mark.parametrize("by_hand", BY_HAND)
def test_inputs_are_left_alone_and_an_empty_batch_passes(by_hand):
    """The function writes into its arguments, or needs at least one image."""
    images, weight = torch.randn(2, 3, 5, 5), torch.randn(4, 3, 3, 3)
    before = images.clone(), weight.clone()
    by_hand(images, weight, padding=1)
    assert torch.equal(images, before[0])
    assert torch.equal(weight, before[1])
    assert by_hand(images[:0], weight).shape == (0, 4, 3, 3)


@few
@given(
    size=st.integers(1, 20),
    kernel=st.integers(1, 7),
    stride=st.integers(1, 5),
    padding=st.integers(0, 4),
    dilation=st.integers(1, 3),
)
def test_output_size_is_what_pytorch_gives(size, kernel, stride, padding, dilation):
    """The formula is off by one, or a kernel that does not fit is not refused."""
    signal, weight = torch.zeros(1, 1, size), torch.zeros(1, 1, kernel)
    try:
        expected = F.conv1d(signal, weight, stride=stride, padding=padding, dilation=dilation).shape[-1]
    except RuntimeError:
        with pytest.raises(ValueError, match="reaches over"):
            output_size(size, kernel, stride, padding, dilation)
    else:
        assert output_size(size, kernel, stride, padding, dilation) == expected


def test_output_sizes_of_alexnet():
    """The numbers that lesson 10 quotes: 224 does not tile, 227 does."""
    assert output_size(227, 11, stride=4) == 55
    assert output_size(224, 11, stride=4) == 54
    assert output_size(224, 11, stride=4, padding=2) == 55
    assert (227 - 11) % 4 == 0
    assert (224 - 11) % 4 == 1


@few
@given(
    groups=st.integers(1, 3),
    ins=st.integers(1, 4),
    outs=st.integers(1, 4),
    kernel=st.integers(1, 5),
    bias=st.booleans(),
)
def test_conv_parameters_are_those_of_the_layer(groups, ins, outs, kernel, bias):
    """The count forgets groups or biases."""
    layer = nn.Conv2d(ins * groups, outs * groups, kernel, groups=groups, bias=bias)
    expected = sum(parameter.numel() for parameter in layer.parameters())
    assert conv_parameters(ins * groups, outs * groups, kernel, groups=groups, bias=bias) == expected


@few
@given(groups=st.integers(1, 3), ins=st.integers(1, 3), outs=st.integers(1, 3), kernel=st.integers(1, 4))
def test_conv_macs_are_half_of_pytorchs_flops(groups, ins, outs, kernel):
    """MACs and FLOPs are mixed, or groups are forgotten."""
    from torch.utils.flop_counter import FlopCounterMode

    layer = nn.Conv2d(ins * groups, outs * groups, kernel, groups=groups, device="meta")
    with FlopCounterMode(display=False) as counter:
        height, width = layer(torch.empty(1, ins * groups, 9, 6, device="meta")).shape[2:]
    assert conv_macs(ins * groups, outs * groups, kernel, height, width, groups=groups) == counter.get_total_flops() / 2


def test_macs_of_a_square_output_need_one_side():
    """Leaving out the width counts something else than a square."""
    assert conv_macs(3, 64, 3, 224) == conv_macs(3, 64, 3, 224, 224) == 3 * 64 * 9 * 224 * 224


layers = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 2)), max_size=4)


@few
@given(layers=layers)
def test_receptive_field_is_what_the_gradient_reaches(layers):
    """The formula says one thing, and the pixels that change an output are others."""
    stack = nn.Sequential(*[nn.Conv1d(1, 1, k, stride=s, dilation=d, bias=False) for k, s, d in layers]).double()
    for parameter in stack.parameters():
        nn.init.ones_(parameter)
    field, jump = (receptive_field_steps(layers) or [(1, 1)])[-1]
    signal = torch.zeros(1, 1, field + jump, dtype=torch.double, requires_grad=True)
    output = stack(signal)
    assert output.shape[-1] == 2  # one place fills the field, the next begins one jump later
    for place in range(2):
        gradient = torch.autograd.grad(output[0, 0, place], signal, retain_graph=True)[0]
        touched = gradient.flatten().nonzero()
        assert (touched.min(), touched.max()) == (place * jump, place * jump + field - 1)
    assert receptive_field(layers) == field


def test_receptive_fields_worked_by_hand():
    """The facts that lessons 10 and 11 quote."""
    assert receptive_field([]) == 1
    assert receptive_field([(3, 1), (3, 1)]) == receptive_field([(5, 1)]) == 5
    assert receptive_field([(3, 1)] * 3) == receptive_field([(7, 1)]) == 7
    assert receptive_field([(3, 2), (3, 1)]) == 7
    assert receptive_field([[3, 1, 2]]) == 5
    assert receptive_field_steps([(3, 2), (2, 2), (3, 1)]) == [(3, 2), (5, 4), (13, 4)]


def test_a_generator_of_layers_is_enough():
    """The functions read their argument twice."""
    assert receptive_field((3, 1) for _ in range(3)) == 7
    assert receptive_field_steps((3, 1) for _ in range(2)) == [(3, 1), (5, 1)]


def test_layers_of_a_stack():
    """A layer that shapes the receptive field is not found, or one that does not is."""
    stack = nn.Sequential(
        nn.Conv2d(1, 1, 3, stride=2, dilation=2),
        nn.BatchNorm2d(1),
        nn.ReLU(),
        nn.Sequential(nn.MaxPool2d(2), nn.AvgPool2d(3, 1)),
    )
    assert layers_of(stack) == [(3, 2, 2), (2, 2, 1), (3, 1, 1)]
    with pytest.raises(ValueError, match="square"):
        layers_of(nn.Conv2d(1, 1, (3, 5)))


IMAGES, WEIGHT = torch.zeros(2, 4, 6, 6), torch.zeros(4, 2, 3, 3)

REFUSED = {
    "three dimensions": (lambda f: f(IMAGES[0], WEIGHT), "Expected images"),
    "weight of other channels": (lambda f: f(IMAGES, WEIGHT), "groups"),
    "groups that do not divide": (lambda f: f(IMAGES, torch.zeros(3, 2, 3, 3), groups=2), "dividing K"),
    "no groups": (lambda f: f(IMAGES, WEIGHT, groups=0), "groups"),
    "bias of another length": (lambda f: f(IMAGES, WEIGHT, torch.zeros(1), groups=2), "one bias per filter"),
    "stride 0": (lambda f: f(IMAGES, WEIGHT, groups=2, stride=0), "stride"),
    "dilation 0": (lambda f: f(IMAGES, WEIGHT, groups=2, dilation=0), "dilation"),
    "negative padding": (lambda f: f(IMAGES, WEIGHT, groups=2, padding=-1), "padding"),
    "kernel too large": (lambda f: f(IMAGES, WEIGHT, groups=2, dilation=3), "fit|reaches"),
}


@pytest.mark.parametrize("by_hand", BY_HAND)
@pytest.mark.parametrize("name", REFUSED)
def test_bad_convolutions_are_refused_with_a_sentence(by_hand, name):
    """A mistake in shapes ends deep inside PyTorch, or in a wrong result."""
    call, words = REFUSED[name]
    with pytest.raises(ValueError, match=words):
        call(by_hand)


@pytest.mark.parametrize(
    "call",
    [
        lambda: output_size(0, 3),
        lambda: output_size(5, 3, stride=0),
        lambda: output_size(5, 3, padding=-1),
        lambda: conv_parameters(3, 4, 3, groups=2),
        lambda: conv_parameters(4, 3, 3, groups=2),
        lambda: conv_parameters(4, 4, 0),
        lambda: conv_macs(4, 4, 3, 0),
        lambda: receptive_field([(3,)]),
        lambda: receptive_field([(3, 0)]),
        lambda: im2col(IMAGES[0], (3, 3)),
    ],
)
def test_bad_numbers_are_refused_with_a_sentence(call):
    """Arithmetic on impossible numbers gives a plausible answer."""
    with pytest.raises(ValueError, match=r"(?i)expected|must be"):
        call()
