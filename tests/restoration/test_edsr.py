"""EDSR: published sizes, a block and the mean colour by hand, shapes of every part."""

import pytest
import torch
from torch import nn

from crashcourse.errors import CourseError
from crashcourse.inspection import count_parameters, summarize
from crashcourse.restoration import EDSR, edsr, edsr_baseline
from crashcourse.restoration.edsr import DIV2K_MEAN, MeanShift, ResidualBlock, Upsampler
from tests.contracts import ModelCase
from tests.restoration.image_contracts import IMAGE_CONTRACTS

CASES = [
    ModelCase("edsr", lambda: EDSR(2, 2, 16), (3, 3, 8, 10), (3, 3, 16, 20), scale=0.25, learning_rate=3e-3, steps=400),
    ModelCase(
        "edsr_scaled",
        lambda: EDSR(3, 2, 16, residual_scale=0.1),
        (2, 3, 7, 6),
        (2, 3, 21, 18),
        scale=0.25,
        learning_rate=3e-3,
        steps=400,
    ),
]


@pytest.mark.parametrize("contract", IMAGE_CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_contract(case, contract):
    contract(case)


@pytest.mark.parametrize(
    ("scale", "large", "baseline"),
    [(2, 40_729_603, 1_369_859), (3, 43_680_003, 1_554_499), (4, 43_089_923, 1_517_571)],
)
def test_published_sizes(scale, large, baseline):
    """A block or a layer of the upsampler too many, or the mean colour counts as learned."""
    with torch.device("meta"):
        assert count_parameters(edsr(scale)) == large
        assert count_parameters(edsr_baseline(scale)) == baseline


def test_shapes_part_by_part():
    """Enlarging happens before the body, which costs scale² times as much."""
    rows = {row.name: row.output_shape for row in summarize(EDSR(4, 2, 8), (3, 10, 12), by="child")}
    assert rows == {
        "sub_mean": (3, 10, 12),
        "head": (8, 10, 12),
        "body": (8, 10, 12),
        "tail": (3, 40, 48),
        "add_mean": (3, 40, 48),
    }


@pytest.mark.parametrize(("scale", "steps"), [(1, []), (2, [2]), (3, [3]), (4, [2, 2]), (8, [2, 2, 2])])
def test_the_upsampler_enlarges_in_steps(scale, steps):
    """×4 in one step, which is another network than the papers'."""
    shuffles = [layer.upscale_factor for layer in Upsampler(scale, 4) if isinstance(layer, nn.PixelShuffle)]
    assert shuffles == steps


def test_the_mean_colour_is_a_buffer_and_exact_in_half_precision():
    """It is trained, or bfloat16 takes grey levels away: 8 bits do not tell 200 from 200.5."""
    for sign in (-1, 1):
        shift = MeanShift(sign)
        assert not list(shift.parameters())
        assert [name for name, _ in shift.named_buffers()] == ["weight", "bias"]
        images = 200 + torch.arange(48.0).view(1, 3, 4, 4) / 7
        with torch.autocast("cpu", dtype=torch.bfloat16):
            got = shift(images)
        torch.testing.assert_close(got, images + sign * 255 * torch.tensor(DIV2K_MEAN).view(3, 1, 1))


def test_a_block_by_hand():
    """The second convolution has a ReLU, the skip is scaled, too, or nothing is."""
    block = ResidualBlock(1, 0.5)
    for layer, weight, bias in ((block.body[0], 2.0, -1.0), (block.body[2], -3.0, 0.5)):
        nn.init.zeros_(layer.weight)
        layer.weight.data[0, 0, 1, 1] = weight
        nn.init.constant_(layer.bias, bias)
    x = torch.tensor([[[[2.0, -1.0]]]])
    # 2 -> 2·2 - 1 = 3 -> -9 + 0.5 = -8.5; -1 -> ReLU(-3) = 0 -> 0.5; then half of that is added.
    assert block(x).flatten().tolist() == [2 - 4.25, -1 + 0.25]


def test_without_a_body_the_mean_colour_comes_through():
    """The mean is taken off or put back twice, or on another scale than the image."""
    model = EDSR(2, 1, 4)
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    got = model(torch.rand(1, 3, 2, 2))
    torch.testing.assert_close(got, torch.tensor(DIV2K_MEAN).view(1, 3, 1, 1).expand(1, 3, 4, 4))


def test_what_is_refused_and_in_which_words():
    """A network of another form than asked for is built, or a slip ends in a stack trace from inside PyTorch."""
    for call, words in (
        (lambda: EDSR(5), "by 3 or by powers of two; got scale 5"),
        (lambda: EDSR(0), "scale must be an integer"),
        (lambda: EDSR(2.0), "scale"),
        (lambda: EDSR(2, -1), "blocks"),
        (lambda: EDSR(2, 1, 0), "width"),
        (lambda: EDSR(2, 1, 4, residual_scale=-1), "residual_scale"),
        (lambda: edsr(2, variant="large"), "variant of EDSR named 'large'"),
        (lambda: EDSR(2, 1, 4)(torch.rand(1, 1, 4, 4)), "makes three equal ones"),
        (lambda: EDSR(2, 1, 4)(torch.zeros(1, 3, 4, 4, dtype=torch.uint8)), "/ 255"),
    ):
        with pytest.raises(CourseError, match=words):
            call()
