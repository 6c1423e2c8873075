"""The projection to pixels against captum, autograd and values worked by hand."""

import warnings
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crashcourse.classification import AlexNet, ZFNet, small_vgg
from crashcourse.classification.deconvnet import (
    RULES,
    deconvnet_relu,
    gradient_relu,
    guided_relu,
    project,
    record,
    strongest_images,
    unpool,
)
from crashcourse.classification.vgg import CONFIGURATIONS, vgg_features
from crashcourse.errors import CourseError


def alexnet_like() -> nn.Sequential:
    """Large kernel, stride, groups, overlapping pooling, and sizes that strides do not tile."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=3, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(8, 12, 5, padding=2, groups=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),
        nn.Conv2d(12, 16, 3, stride=2, dilation=2, padding=2),
        nn.ReLU(inplace=True),
    )


def vgg_like() -> nn.Sequential:
    return vgg_features(CONFIGURATIONS["D"][:3], (6, 8, 10))


def vgg_like_with_batch_norm() -> nn.Sequential:
    stack = vgg_features(((3, 3), (3,)), (6, 8), batch_norm=True)
    for module in stack:
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, -1, 1)
            nn.init.normal_(module.bias)
    return stack


class StraightThrough(nn.Module):
    """Runs a module forwards and passes the gradient by it unchanged."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: Tensor) -> Tensor:
        return images + (self.module(images) - images).detach()


def zfnet_like() -> nn.Sequential:
    return ZFNet(2, hidden=2).features[:9]


STACKS = {
    "alexnet_like": (alexnet_like, 41),
    "vgg_like": (vgg_like, 18),
    "batch_norm": (vgg_like_with_batch_norm, 11),
    "alexnet": (lambda: AlexNet(2, hidden=2).features, 64),
    "zfnet": (zfnet_like, 49),
}


def prepared(name: str) -> tuple[nn.Sequential, Tensor]:
    """A random stack, with biases that matter, and two images."""
    torch.manual_seed(0)
    build, size = STACKS[name]
    stack = build().eval()
    for module in stack:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
            nn.init.normal_(module.bias, std=0.2)
    return stack, torch.randn(2, 3, size, size)


def out_of_place(stack: nn.Sequential, *, straight: bool = False) -> nn.Sequential:
    """The same layers as captum needs them: no in-place ReLU; for the deconvnet rule, normalisation passed by."""

    def remade(layer: nn.Module) -> nn.Module:
        if isinstance(layer, nn.ReLU):
            return nn.ReLU()
        return StraightThrough(layer) if straight and isinstance(layer, nn.LocalResponseNorm) else layer

    return nn.Sequential(*map(remade, stack)).eval()


def captum_projection(stack: nn.Sequential, images: Tensor, rule: str, target: tuple[int, int, int]) -> Tensor:
    from captum.attr import Deconvolution, GuidedBackprop, Saliency

    oracle = {
        "deconvnet": lambda model: Deconvolution(model).attribute(images, target=target),
        "guided": lambda model: GuidedBackprop(model).attribute(images, target=target),
        "gradient": lambda model: Saliency(model).attribute(images, target=target, abs=False),
    }[rule]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return oracle(out_of_place(stack, straight=rule == "deconvnet")).detach()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", STACKS)
def test_projections_equal_captums(name, rule):
    """A transposed convolution, a switch or a rule sends signal to other pixels."""
    stack, images = prepared(name)
    strongest = project(stack, images[:1], len(stack) - 1)
    target = (int(strongest.channels), *strongest.positions[0].tolist())
    got = project(stack, images, len(stack) - 1, channel=target[0], position=target[1:], rule=rule)
    assert got.values[0] > 0
    expected = captum_projection(stack, images, rule, target) * got.values.view(-1, 1, 1, 1)
    assert expected[0].any()
    torch.testing.assert_close(got.pixels, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


def test_every_layer_can_be_projected():
    """Only the top of the stack works: each layer's gradient equals autograd's."""
    stack, images = prepared("alexnet_like")
    for layer in range(len(stack)):
        got = project(stack, images, layer, rule="gradient")
        leaf = images.clone().requires_grad_()
        units = (torch.arange(2), got.channels, got.positions[:, 0], got.positions[:, 1])
        values = out_of_place(stack[: layer + 1])(leaf)[units]
        torch.testing.assert_close(got.values, values.detach())
        expected = torch.autograd.grad((values.square() / 2).sum(), leaf)[0]  # gradient times value
        torch.testing.assert_close(got.pixels, expected, rtol=1e-4, atol=1e-5)


def test_relu_rules_worked_by_hand():
    """The rules are swapped, or look at the wrong tensor: only here do they differ."""
    signal = torch.tensor([2.0, -3.0, 4.0, -5.0, 6.0])
    received = torch.tensor([1.0, 1.0, -1.0, -1.0, 0.0])
    assert gradient_relu(signal, received).tolist() == [2, -3, 0, 0, 0]
    assert deconvnet_relu(signal, received).tolist() == [2, 0, 4, 0, 6]
    assert guided_relu(signal, received).tolist() == [2, 0, 0, 0, 0]


def test_rules_differ_on_a_real_stack():
    """The argument `rule` has no effect."""
    stack, images = prepared("vgg_like")
    results = [project(stack, images, len(stack) - 1, rule=rule).pixels for rule in RULES]
    assert all(not torch.allclose(a, b) for a, b in pairwise([*results, results[0]]))


def test_unpooling_worked_by_hand():
    """Values go elsewhere than to their switch; overlapping windows overwrite instead of adding."""
    image = torch.tensor([[[[1.0, 2.0, 3.0], [4.0, 9.0, 5.0], [6.0, 7.0, 8.0]]]])
    pooled, switches = F.max_pool2d(image, 2, stride=1, return_indices=True)
    assert pooled.flatten().tolist() == [9, 9, 9, 9]
    assert unpool(pooled, switches, (3, 3)).flatten().tolist() == [0, 0, 0, 0, 36, 0, 0, 0, 0]


def test_unpooling_equals_pytorchs_where_windows_do_not_overlap():
    """Rows and columns of the switches are mixed up."""
    images = torch.randn(2, 3, 7, 9)
    pooled, switches = F.max_pool2d(images, 2, return_indices=True)
    assert torch.equal(unpool(pooled, switches, (7, 9)), F.max_unpool2d(pooled, switches, 2, output_size=(7, 9)))


def test_the_strongest_unit_is_chosen():
    """Channel or position of the strongest activation is misread from its flat index."""
    stack, images = prepared("vgg_like")
    maps = record(stack, images, 6).values[-1]
    free = project(stack, images, 6)
    assert torch.equal(free.values, maps.amax(dim=(1, 2, 3)))
    in_channel = project(stack, images, 6, channel=3)
    assert in_channel.channels.tolist() == [3, 3]
    assert torch.equal(in_channel.values, maps[:, 3].amax(dim=(1, 2)))
    at = project(stack, images, 6, position=(4, 1))
    assert at.positions.tolist() == [[4, 1], [4, 1]]
    assert torch.equal(at.values, maps[:, :, 4, 1].amax(dim=1))


def test_projections_do_not_mix_images():
    """One image's projection depends on the others in the batch."""
    stack, images = prepared("alexnet_like")
    together = project(stack, images, 7).pixels
    torch.testing.assert_close(together[1:], project(stack, images[1:], 7).pixels)


def test_a_projection_stays_within_the_receptive_field():
    """Signal reaches pixels that the unit never saw."""
    stack = nn.Sequential(nn.Conv2d(1, 2, 3, stride=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(2, 2, 2))
    nn.init.constant_(stack[0].bias, 2.0)  # every ReLU is open
    pixels = project(stack, torch.rand(1, 1, 31, 31), 3, position=(1, 2), rule="gradient").pixels[0, 0]
    rows, columns = pixels.nonzero().T
    assert 4 <= rows.min() <= rows.max() <= 12  # field 9, jump 4
    assert 8 <= columns.min() <= columns.max() <= 16


def test_the_stack_and_the_images_are_left_alone():
    """In-place ReLUs eat what was recorded, BatchNorm learns from the image, or gradients pile up."""
    stack, images = prepared("batch_norm")
    stack.train()
    state = {key: value.clone() for key, value in stack.state_dict().items()}
    before = images.clone()
    project(stack, images, len(stack) - 1)
    assert torch.equal(images, before)
    assert all(torch.equal(value, state[key]) for key, value in stack.state_dict().items())
    assert all(parameter.grad is None for parameter in stack.parameters())
    assert all(module.training for module in stack)


def test_a_trace_holds_every_value():
    """A value was overwritten by the layer after it."""
    stack, images = prepared("batch_norm")
    trace = record(stack, images)
    assert len(trace.values) == len(stack) + 1
    assert sorted(trace.switches) == [place for place, layer in enumerate(stack) if isinstance(layer, nn.MaxPool2d)]
    value = images
    for layer, kept in zip(out_of_place(stack), trace.values[1:], strict=True):
        value = layer(value)
        torch.testing.assert_close(kept, value)


def test_strongest_images_come_first():
    """Ranking uses the mean, or another channel."""
    stack = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.ReLU())
    nn.init.constant_(stack[0].weight[0], 1.0)
    nn.init.constant_(stack[0].weight[1], -1.0)
    images = torch.zeros(3, 1, 4, 4)
    images[0], images[1, 0, 2, 2], images[2] = 1.0, 5.0, -1.0  # by mean, image 0 would win
    assert strongest_images(stack, images, 1, 0, count=2).tolist() == [1, 0]
    assert strongest_images(stack, images, 1, 1, count=1).tolist() == [2]
    assert len(strongest_images(stack, images, 1, 0)) == 3


STACK, IMAGES = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), torch.rand(1, 3, 8, 8)

REFUSED = {
    "unknown rule": (lambda: project(STACK, IMAGES, 1, rule="deconvolution"), "deconvnet"),
    "no such layer": (lambda: project(STACK, IMAGES, 2), "layers 0 to 1"),
    "negative layer": (lambda: record(STACK, IMAGES, -1), "layers 0 to 1"),
    "no such channel": (lambda: project(STACK, IMAGES, 1, channel=4), "channels 0 to 3"),
    "no such position": (lambda: project(STACK, IMAGES, 1, position=(6, 0)), "6×6"),
    "a whole model": (lambda: project(small_vgg(), IMAGES, 1), "model.features"),
    "an unknown layer": (lambda: record(nn.Sequential(nn.Tanh()), IMAGES), "Tanh"),
    "other padding": (lambda: record(nn.Sequential(nn.Conv2d(3, 3, 3, padding="same")), IMAGES), "pad with zeros"),
    "one image": (lambda: record(STACK, IMAGES[0]), r"\(N, C, H, W\)"),
    "integers": (lambda: record(STACK, IMAGES.to(torch.uint8)), "uint8"),
    "other channels": (lambda: record(STACK, IMAGES[:, :1]), "3 channels"),
    "count of 0": (lambda: strongest_images(STACK, IMAGES, 1, 0, count=0), "at least 1"),
    "no such channel to rank": (lambda: strongest_images(STACK, IMAGES, 1, 9), "channels 0 to 3"),
    "switches of another shape": (
        lambda: unpool(IMAGES, torch.zeros(1, 3, 4, 4, dtype=torch.long), (8, 8)),
        "one shape",
    ),
    "switches outside": (lambda: unpool(IMAGES, torch.full(IMAGES.shape, 64), (8, 8)), "outside"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_with_a_sentence(name):
    """A learner's slip ends in a stack trace from inside PyTorch."""
    call, words = REFUSED[name]
    with pytest.raises(CourseError, match=words):
        call()
