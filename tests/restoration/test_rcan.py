"""RCAN: published sizes, attention and skips by hand, what the ablation takes away, gates in order."""

import pytest
import torch
from torch import nn

from crashcourse.classification.convolution import receptive_field
from crashcourse.classification.senet import SqueezeExcitation
from crashcourse.errors import CourseError
from crashcourse.inspection import count_parameters, summarize
from crashcourse.restoration import EDSR, RCAN, ChannelAttention, gates_of, rcan
from crashcourse.restoration.rcan import RCAB, ResidualGroup
from tests.contracts import ModelCase
from tests.restoration.image_contracts import IMAGE_CONTRACTS

TINY = {"groups": 2, "blocks": 2, "width": 8, "reduction": 4}


def case(name: str, scale: int = 2, **options: object) -> ModelCase:
    shape = (4, 3, 8 * scale, 6 * scale)
    return ModelCase(
        name,
        lambda: RCAN(scale, **{"groups": 2, "blocks": 2, "width": 16, "reduction": 2, **options}),
        (4, 3, 8, 6),
        shape,
        scale=0.25,
        learning_rate=3e-3,
        steps=400,
    )


CASES = [
    case("rcan"),
    case("rcan_x4", 4),
    case("rcan_plain", attention=False, short_skip=False, long_skip=False),
]


@pytest.mark.parametrize("contract", IMAGE_CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_contract(case, contract):
    contract(case)


@pytest.mark.parametrize(("scale", "parameters"), [(2, 15_444_643), (3, 15_629_283), (4, 15_592_355), (8, 15_740_067)])
def test_published_sizes(scale, parameters):
    """A block, a bias or a gate too many, or the mean colour counts: it would add 24."""
    with torch.device("meta"):
        model = rcan(scale)
    assert count_parameters(model) == parameters
    assert sum(buffer.numel() for buffer in model.buffers()) == 24


def test_over_400_layers():
    """The title's "very deep": 10 groups of 20 blocks with two 3×3 convolutions each, and one behind each group."""
    with torch.device("meta"):
        convolutions = [layer for layer in rcan(2).modules() if isinstance(layer, nn.Conv2d)]
    assert sum(layer.kernel_size == (3, 3) for layer in convolutions) == 10 * (20 * 2 + 1) + 4 == 414
    assert sum(layer.kernel_size == (1, 1) for layer in convolutions) == 2 * 200
    assert {layer.out_channels for layer in convolutions if layer.kernel_size == (1, 1)} == {4, 64}
    # What one pixel of the low-resolution features sees without the gates, which see the whole image:
    assert receptive_field([(3, 1)] * 412) == 825


def test_shapes_part_by_part():
    """Enlarging happens before the body."""
    rows = {row.name: row.output_shape for row in summarize(RCAN(3, **TINY), (3, 10, 12), by="child")}
    assert rows == {
        "sub_mean": (3, 10, 12),
        "head": (8, 10, 12),
        "body": (8, 10, 12),
        "tail": (3, 30, 36),
        "add_mean": (3, 30, 36),
    }


def test_attention_by_hand():
    """Means, biases, the two nonlinearities or their order differ from equations 8 to 10."""
    attention = ChannelAttention(2, 2)
    weights = {
        "0.weight": [[[[1.0]], [[-2.0]]]],
        "0.bias": [1.0],
        "2.weight": [[[[2.0]]], [[[0.5]]]],
        "2.bias": [0, -1.0],
    }
    attention.load_state_dict({f"conv_du.{name}": torch.tensor(value) for name, value in weights.items()}, strict=True)
    maps = torch.tensor([[[[0.0, 4.0]], [[1.0, 0.0]]], [[[0.0, 0.0]], [[1.0, 1.0]]]])
    # Means (2, 1/2) and (0, 1); units ReLU(2 - 1 + 1) = 2 and ReLU(0 - 2 + 1) = 0; scores (4, 0) and (0, -1).
    gates = torch.tensor([[4.0, 0.0], [0.0, -1.0]]).sigmoid()[:, :, None, None]
    torch.testing.assert_close(attention.gates(maps), gates)
    torch.testing.assert_close(attention(maps), gates * maps)


def test_attention_is_senets_block():
    """Lesson 53 says that SENet's block returns: with its weights it must compute the same."""
    torch.manual_seed(0)
    theirs, ours = SqueezeExcitation(12, reduction=3), ChannelAttention(12, 3)
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    maps = torch.randn(2, 12, 4, 6)
    torch.testing.assert_close(ours(maps), theirs(maps))


def test_the_gate_comes_before_the_skip():
    """The sum is gated, or the input: with closed gates a block is its skip, and so are group and network."""
    torch.manual_seed(0)
    block, x = RCAB(8, 4), torch.randn(2, 8, 5, 5)
    nn.init.constant_(block.body[3].conv_du[2].bias, -1e4)
    torch.testing.assert_close(block(x), x)
    with torch.no_grad():
        open_block = RCAB(8, 4)
        nn.init.constant_(open_block.body[3].conv_du[2].bias, 1e4)
        inner = open_block.body[2](open_block.body[1](open_block.body[0](x)))
        torch.testing.assert_close(open_block(x), x + inner)


@pytest.mark.parametrize("short_skip", [True, False])
def test_a_group_adds_its_input_once(short_skip):
    """The skip goes around the blocks but not the convolution, or is there when it is taken away."""
    group, x = ResidualGroup(2, 8, 4, short_skip=short_skip), torch.randn(1, 8, 4, 4)
    nn.init.zeros_(group.body[2].weight)
    nn.init.constant_(group.body[2].bias, 0.5)
    torch.testing.assert_close(group(x), x * short_skip + 0.5)


@pytest.mark.parametrize("long_skip", [True, False])
def test_the_long_skip_goes_around_the_last_convolution_of_the_body(long_skip):
    """It is there when it is taken away, or spans less."""
    torch.manual_seed(0)
    model, images = RCAN(2, **TINY, long_skip=long_skip), torch.rand(1, 3, 5, 4)
    nn.init.zeros_(model.body[2].weight)
    nn.init.constant_(model.body[2].bias, 2.0)
    with torch.no_grad():
        x = model.head(model.sub_mean(255 * images))
        expected = model.add_mean(model.tail(x * long_skip + 2)) / 255
        torch.testing.assert_close(model(images), expected)


def test_what_the_ablation_takes_away_and_costs():
    """Skips cost parameters, or attention leaves some behind; each RCAB keeps its own skip, as in table 1."""
    whole, bare = RCAN(2, **TINY), RCAN(2, **TINY, attention=False, short_skip=False, long_skip=False)
    gates = sum(count_parameters(block) for block in whole.modules() if isinstance(block, ChannelAttention))
    assert gates == 4 * (2 * 8 * 2 + 2 + 8)
    assert count_parameters(whole) - count_parameters(bare) == gates
    assert count_parameters(RCAN(2, **TINY, short_skip=False)) == count_parameters(whole)
    block, x = RCAB(8, None), torch.randn(1, 8, 3, 3)
    nn.init.zeros_(block.body[2].weight)
    nn.init.zeros_(block.body[2].bias)
    torch.testing.assert_close(block(x), x)


def test_one_group_without_attention_is_edsr():
    """Head, tail or block differ from EDSR's in more than skips and gates."""
    torch.manual_seed(0)
    rcan_, edsr_ = RCAN(2, groups=1, blocks=3, width=8, attention=False, short_skip=False), EDSR(2, 3, 8)
    names = {name: value for name, value in rcan_.state_dict().items() if not name.startswith("body")}
    names |= {f"body.{i}.body.{j}.{kind}": rcan_.state_dict()[f"body.0.body.{i}.body.{j}.{kind}"]
              for i in range(3) for j in (0, 2) for kind in ("weight", "bias")}  # fmt: skip
    names |= {f"body.3.{kind}": rcan_.state_dict()[f"body.1.{kind}"] for kind in ("weight", "bias")}
    edsr_.load_state_dict(names, strict=True)
    inner = rcan_.body[0].body[3]  # the group's own convolution, which EDSR does not have: made to do nothing
    nn.init.dirac_(inner.weight)
    nn.init.zeros_(inner.bias)
    images = torch.rand(2, 3, 6, 5)
    with torch.no_grad():
        torch.testing.assert_close(rcan_(images), edsr_(images))


def test_gates_of_every_block_in_order():
    """Gates come in another order, of the wrong maps, or the network is left with hooks."""
    torch.manual_seed(0)
    model, images = RCAN(2, **TINY), torch.rand(3, 3, 7, 6)
    found = gates_of(model, images)
    assert [tuple(gates.shape) for gates in found] == [(3, 8)] * 4
    with torch.no_grad():
        x = model.head(model.sub_mean(255 * images))
        first = model.body[0].body[0]
        residual = first.body[2](first.body[1](first.body[0](x)))
        torch.testing.assert_close(found[0], first.body[3].gates(residual).flatten(1))
        second = model.body[1].body[1]
        x = model.body[1].body[0](model.body[0](x))
        residual = second.body[2](second.body[1](second.body[0](x)))
        torch.testing.assert_close(found[3], second.body[3].gates(residual).flatten(1))
    assert not any(module._forward_hooks for module in model.modules())
    with pytest.raises(CourseError, match="no channel attention"):
        gates_of(RCAN(2, **TINY, attention=False), images)
    with pytest.raises(CourseError):
        gates_of(model, images[:, :1])
    assert not any(module._forward_hooks for module in model.modules())


def test_any_size_and_an_empty_batch():
    """A size is refused that nothing restricts, or a last, empty batch stops a run."""
    model = RCAN(2, **TINY).eval()
    for shape in ((1, 3, 1, 1), (2, 3, 3, 9), (0, 3, 4, 4)):
        assert model(torch.rand(shape)).shape == (shape[0], 3, 2 * shape[2], 2 * shape[3])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: rcan(6), "by 3 or by powers of two; got scale 6"),
        (lambda: rcan(True), "scale"),
        (lambda: RCAN(2, groups=0), "groups must be an integer of at least 1"),
        (lambda: RCAN(2, blocks=1.5), "blocks"),
        (lambda: RCAN(2, width=8), "reduction 16 leaves no unit of 8 channels"),
        (lambda: ChannelAttention(0), "channels"),
        (lambda: ChannelAttention(8, 0), "reduction"),
        (lambda: RCAN(2, **TINY)(torch.rand(1, 1, 4, 4)), "makes three equal ones"),
        (lambda: RCAN(2, **TINY)(torch.rand(3, 4, 4)), r"images\[None\]"),
        (lambda: RCAN(2, **TINY)(torch.zeros(1, 3, 4, 4, dtype=torch.uint8)), "/ 255"),
        (lambda: RCAN(2, **TINY)(torch.rand(1, 3, 4, 4).double()), r"images.float\(\)"),
    ],
)
def test_what_is_refused_and_in_which_words(call, words):
    """A network of another form than asked for is built, or a slip ends in a stack trace from inside PyTorch."""
    with pytest.raises(CourseError, match=words):
        call()
