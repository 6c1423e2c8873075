"""ResU-Net: the assignment's layers and shapes, a plain forward pass with the same weights, what fits."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from crashcourse.errors import CourseError
from crashcourse.inspection import count_parameters, summarize
from crashcourse.segmentation import ResUNet, resunet
from tests.contracts import ModelCase
from tests.segmentation.mask_contracts import MASK_CONTRACTS

CASE = ModelCase(
    "resunet", lambda: ResUNet(2, 1, widths=(8, 8, 12)), (3, 2, 12, 16), (3, 1, 12, 16), learning_rate=3e-3, steps=300
)


@pytest.mark.parametrize("contract", MASK_CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("case", [CASE], ids=lambda case: case.name)
def test_contract(case, contract):
    contract(case)


def test_shapes_and_size_of_the_assignment():
    """A level has other channels or another size, or a block is missing: counted by hand from the assignment's code."""
    with torch.device("meta"):
        model = resunet()
    conv = {(i, o): 9 * i * o + o for i in (32, 64, 96, 128, 192, 256) for o in (1, 32, 64, 128)}
    block = {c: 2 * (conv[c, c] + 2 * c) for c in (64, 128)}
    down = (
        (2 * 32 + conv[32, 64] + block[64])
        + (2 * 64 + conv[64, 128] + block[128])
        + (256 + conv[128, 128] + block[128])
    )
    up = (2 * 256 + conv[256, 128] + block[128]) + (2 * 192 + conv[192, 64] + block[64]) + (2 * 96 + conv[96, 32])
    assert count_parameters(model) == (25 * 32 + 32) + down + up + conv[32, 1] == 1_711_233
    shapes = {row.name: row.output_shape for row in summarize(model, (1, 112, 168))}
    assert shapes["stem"] == (32, 112, 168)
    down_shapes = [shapes[f"contracting.{level}.1.body.1.2"] for level in range(3)]
    assert down_shapes == [(64, 56, 84), (128, 28, 42), (128, 14, 21)]
    assert [shapes[f"expansive.{level}.fuse.2"] for level in range(3)] == [(128, 28, 42), (64, 56, 84), (32, 112, 168)]
    assert shapes["scores"] == (1, 112, 168)


@torch.no_grad()
def test_the_forward_pass_is_that_of_the_assignment():
    """Another order than BatchNorm, ReLU, convolution; a skip from another level; another interpolation."""
    torch.manual_seed(0)
    model = ResUNet(2, 3, widths=(4, 6, 8, 8)).eval()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.3)
            layer.running_var.uniform_(0.5, 2)
            layer.weight.uniform_(0.5, 2)
            layer.bias.normal_(0, 0.3)
    layers = iter([layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d | nn.Conv2d)])

    def activated(x, stride=1):
        norm, conv = next(layers), next(layers)
        x = (x - norm.running_mean[:, None, None]) / (norm.running_var[:, None, None] + 1e-5).sqrt()
        x = (x * norm.weight[:, None, None] + norm.bias[:, None, None]).relu()
        return F.conv2d(x, conv.weight, conv.bias, stride=stride, padding=1)

    images = torch.randn(2, 2, 16, 24)
    stem = next(layers)
    d1 = F.conv2d(images, stem.weight, stem.bias, padding=2)
    levels = [d1]
    for _ in range(3):
        x = activated(levels[-1], stride=2)
        levels.append(x + activated(activated(x)))
    x = levels[-1]
    for level in (2, 1, 0):
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True)
        x = activated(torch.cat([levels[level], x], 1))
        if level:
            x = x + activated(activated(x))
    last = next(layers)
    expected = F.conv2d(x, last.weight, last.bias, padding=1)
    assert next(layers, None) is None
    torch.testing.assert_close(model(images), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: resunet()(torch.rand(1, 1, 20, 32)), "8 divides; got 20×32. Nearest: 16 or 24 high"),
        (lambda: resunet()(torch.rand(1, 1, 3, 32)), "Nearest: 8 high"),
        (lambda: resunet()(torch.rand(1, 3, 16, 16)), "3 channels"),
        (lambda: ResUNet(1, 0), "out_channels"),
        (lambda: ResUNet(widths=(8,)), "two levels"),
        (lambda: ResUNet(widths=(8, -1)), "each of widths"),
    ],
)
def test_what_is_refused_and_in_which_words(call, words):
    """A slip gives a stack trace, or the same size twice as advice."""
    with pytest.raises(CourseError, match=words):
        call()
