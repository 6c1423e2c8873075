"""ResNets for small images, plain and pre-activation: counts, stages, blocks, doors, contracts."""

from functools import partial

import pytest
import torch
from torch import nn

from crashcourse.classification.resnet_cifar import (
    CifarBlock,
    CifarResNet,
    plain20,
    plain56,
    plain110,
    resnet20,
    resnet56,
    resnet110,
)
from crashcourse.classification.resnet_preact import (
    PreActBlock,
    PreActBottleneck,
    PreActResNet,
    preact_resnet20,
    preact_resnet56,
    preact_resnet110,
    preact_resnet164,
    preact_resnet1001,
)
from crashcourse.errors import CourseError
from crashcourse.inspection import count_macs, count_parameters, summarize
from tests.classification.spared import SPARED
from tests.contracts import CONTRACTS, DEEP_CONTRACTS, ModelCase, inputs


def named(builder) -> str:
    return builder.__name__


@pytest.mark.parametrize(("depth", "parameters"), [(32, 464_154), (44, 658_586), (1202, 19_421_274)])
def test_the_other_depths_of_the_paper(depth, parameters):
    """The rule 6n + 2 holds for the named depths only."""
    with torch.device("meta"):
        assert count_parameters(CifarResNet(depth)) == parameters


@pytest.mark.parametrize("depth", [20, 56, 110])
def test_counts_by_hand(depth):
    """Shortcut A weighs something, B does not weigh its two projections, or plain and residual differ."""
    n = (depth - 2) // 6
    stage = [(16, 16), (16, 32), (32, 64)]
    convolutions = 3 * 9 * 16 + sum(9 * (a * b + (2 * n - 1) * b * b) for a, b in stage)
    norms = 2 * 16 + sum(2 * n * 2 * b for _, b in stage)
    total = convolutions + norms + 64 * 10 + 10
    projections = sum(a * b + 2 * b for a, b in stage[1:])
    with torch.device("meta"):
        counts = {kind: count_parameters(CifarResNet(depth, shortcut=kind)) for kind in ("A", "B", "none")}
    assert counts == {"A": total, "B": total + projections, "none": total}


def test_macs_of_the_paper_in_millions():
    """A stride stands elsewhere. Plain and residual cost the same: shortcuts of kind A multiply nothing."""
    with torch.device("meta"):
        macs = {builder: count_macs(builder(), (3, 32, 32)) for builder in (resnet20, plain20, resnet56, resnet110)}
    pixels = 32 * 32
    by_hand = pixels * 9 * (3 * 16 + 6 * 256)  # the stem and stage 1
    by_hand += pixels // 4 * 9 * (16 * 32 + 5 * 32 * 32) + pixels // 16 * 9 * (32 * 64 + 5 * 64 * 64) + 640
    assert macs[resnet20] == macs[plain20] == by_hand
    assert [round(macs[b] / 1e6, 1) for b in (resnet20, resnet56, resnet110)] == [40.6, 125.5, 252.9]


RESIDUAL, PLAIN = (resnet20, resnet56, resnet110), (plain20, plain56, plain110)
PREACT = (preact_resnet20, preact_resnet56, preact_resnet110, preact_resnet164, preact_resnet1001)


@pytest.mark.parametrize("builder", [*RESIDUAL, *PLAIN, *PREACT], ids=named)
def test_maps_of_every_stage(builder):
    """A stage does not halve, or channels do not double."""
    wide = 4 if builder in (preact_resnet164, preact_resnet1001) else 1
    with torch.device("meta"):
        rows = [row for row in summarize(builder(), (3, 32, 32), by="child") if row.name.startswith("layer")]
    assert [row.output_shape for row in rows] == [(16 * wide, 32, 32), (32 * wide, 16, 16), (64 * wide, 8, 8)]


def test_shortcut_a_is_a_projection_by_zeros_and_ones():
    """Option A takes other pixels or puts the zeros elsewhere than it says; B with fixed weights is the oracle."""
    torch.manual_seed(0)
    a, b = CifarBlock(4, 10, 2, shortcut="A").eval(), CifarBlock(4, 10, 2, shortcut="B").eval()
    b.load_state_dict(a.state_dict(), strict=False)
    convolution, norm = b.downsample
    nn.init.zeros_(convolution.weight)
    for channel in range(4):
        convolution.weight.data[channel + 3, channel] = 1  # three channels of zeros before, three after
    norm.eps = 0.0
    x = torch.randn(2, 4, 7, 8)
    torch.testing.assert_close(a(x), b(x))


def test_a_plain_block_is_its_residual_block_without_the_sum():
    """The plain network keeps a shortcut somewhere, or lacks more than the shortcut."""
    torch.manual_seed(0)
    x = torch.randn(2, 4, 6, 6)
    residual, plain = CifarBlock(4, 4).eval(), CifarBlock(4, 4, shortcut="none").eval()
    plain.load_state_dict(residual.state_dict())
    nn.init.zeros_(residual.bn2.weight)
    nn.init.zeros_(plain.bn2.weight)
    assert torch.equal(residual(x), x.relu())
    assert not plain(x).any()


@pytest.mark.parametrize("block", [PreActBlock, PreActBottleneck])
def test_a_preactivation_block_with_a_silent_branch_is_the_identity(block):
    """Something stands on the path from block to block: negative values must come through too."""
    x = torch.randn(2, 8, 5, 5, generator=torch.Generator().manual_seed(0))
    made = block(8, 8).eval()
    nn.init.zeros_((made.conv3 if block is PreActBottleneck else made.conv2).weight)
    assert torch.equal(made(x), x)


class TestDoors:
    def test_the_least_size_is_the_stride(self):
        """The sentence names a size that fails, or refuses the stride itself."""
        for build, stem in ((CifarResNet, 1), (CifarResNet, 2), (PreActResNet, 1), (PreActResNet, 2)):
            model = build(8, 2, stem_stride=stem).eval()
            least = 4 * stem
            assert model(torch.zeros(1, 3, least, least)).shape == (1, 2)
            with pytest.raises(CourseError, match=f"at least {least}"):
                model(torch.zeros(1, 3, least - 1, least))

    @pytest.mark.parametrize(
        ("call", "words"),
        [
            (lambda: CifarResNet(21), r"6n \+ 2"),
            (lambda: CifarResNet(2), r"6n \+ 2"),
            (lambda: CifarResNet("20"), r"6n \+ 2"),
            (lambda: PreActResNet(56, bottleneck=True, in_channels=0), "in_channels"),
            (lambda: PreActResNet(163), r"6n \+ 2"),
            (lambda: PreActResNet(62, bottleneck=True), r"9n \+ 2"),
            (lambda: CifarResNet(20, shortcut="C"), "shortcut"),
            (lambda: CifarResNet(20, width=0), "width"),
            (lambda: PreActResNet(20, in_channels=0), "in_channels"),
            (lambda: CifarResNet(20, stem_stride=1.5), "stem_stride"),
        ],
    )
    def test_bad_input_is_refused_with_a_sentence(self, call, words):
        """Another network than asked for is built, or a slip ends in a stack trace from inside PyTorch."""
        with pytest.raises(CourseError, match=words):
            call()


# At 8×8 pixels. All contracts with numbers for one network of each form; the deeper ones repeat the same blocks.
CASES = [
    ModelCase("resnet20", resnet20, (4, 3, 8, 8), (4, 10)),
    ModelCase("resnet20_b", partial(resnet20, shortcut="B"), (4, 3, 8, 8), (4, 10)),
    ModelCase("plain20", plain20, (4, 3, 8, 8), (4, 10), steps=150),
    ModelCase("preact_resnet20", preact_resnet20, (4, 3, 8, 8), (4, 10), steps=150),
    ModelCase("preact_bottleneck20", partial(PreActResNet, 20, bottleneck=True), (4, 3, 8, 8), (4, 10), steps=150),
]
DEEP = [
    ModelCase("resnet56", resnet56, (4, 3, 8, 8), (4, 10)),
    ModelCase("plain56", plain56, (4, 3, 8, 8), (4, 10), steps=300),
    ModelCase("preact_resnet56", preact_resnet56, (4, 3, 8, 8), (4, 10), steps=150),
    ModelCase("resnet110", resnet110, (4, 3, 8, 8), (4, 10), steps=150),
    ModelCase("preact_resnet110", preact_resnet110, (4, 3, 8, 8), (4, 10), steps=150),
    ModelCase("preact_resnet164", preact_resnet164, (4, 3, 8, 8), (4, 10), steps=150),
]
PLAIN110 = ModelCase("plain110", plain110, (4, 3, 8, 8), (4, 10))
PREACT1001 = ModelCase("preact_resnet1001", preact_resnet1001, (2, 3, 8, 8), (2, 10))


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_contract(case, contract):
    contract(case)


@pytest.mark.parametrize("contract", DEEP_CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("case", DEEP, ids=lambda case: case.name)
def test_contract_of_deep_networks(case, contract):
    contract(case)


@pytest.mark.parametrize("contract", [c for c in DEEP_CONTRACTS if c not in SPARED["plain110"]], ids=named)
@pytest.mark.parametrize("case", [PLAIN110], ids=["plain110"])
def test_contract_of_plain110(case, contract):
    contract(case)


@pytest.mark.parametrize("contract", [c for c in DEEP_CONTRACTS if c not in SPARED["preact_resnet1001"]], ids=named)
@pytest.mark.parametrize("case", [PREACT1001], ids=["preact_resnet1001"])
def test_contract_of_1001_layers(case, contract):
    contract(case)


@torch.no_grad()
def test_examples_do_not_mix_through_1001_layers():
    """In evaluation, an example's output depends on its neighbours, which `SPARED` has float32 excused from showing."""
    torch.manual_seed(0)
    model = PREACT1001.build().eval().double()
    batch = inputs(PREACT1001).double()
    alone = torch.cat([model(example[None]) for example in batch])
    torch.testing.assert_close(model(batch), alone, rtol=1e-9, atol=0)
