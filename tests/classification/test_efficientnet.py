"""EfficientNet B0 to B7: torchvision's weights and masks, counts, costs, scaling, doors, contracts."""

from functools import partial

import pytest
import torch
import torchvision.models
from torch import nn
from torchvision.ops import stochastic_depth as other_stochastic_depth

import crashcourse.classification.efficientnet as room
from crashcourse.classification.efficientnet import (
    SMALL_STAGES,
    STAGES,
    VARIANTS,
    Baseline,
    EfficientNet,
    MBConv,
    efficientnet_b0,
    small_efficientnet,
)
from crashcourse.classification.efficientnet_scaling import (
    compound_scaling,
    scale_network,
    scale_stage,
)
from crashcourse.classification.stochastic_depth import drop_residuals, stochastic_depth
from crashcourse.errors import CourseError
from crashcourse.inspection import count_macs, summarize
from tests.contracts import CONTRACTS, DEEP_CONTRACTS, ModelCase
from tests.oracles import on_meta

BUILDERS = {f"efficientnet_{name}": getattr(room, f"efficientnet_{name}") for name in VARIANTS}
CASES = [
    # Six images: of three, one block drops all.
    ModelCase("efficientnet_b0", lambda: efficientnet_b0(10), (6, 3, 32, 32), (6, 10)),
    ModelCase(  # B5 to B7 differ in nothing else than size
        "efficientnet_authors_norm",
        lambda: EfficientNet(10, width=0.3, depth=0.3, dropout=0.5, authors_norm=True),
        (3, 3, 32, 32),
        (3, 10),
    ),
    ModelCase("small_efficientnet", small_efficientnet, (4, 1, 14, 14), (4, 10)),
]


# B0 wider and deeper. Four images: of fewer, one block drops all.
DEEP = [
    ModelCase(name, partial(build, 10), (4, 3, 32, 32), (4, 10))
    for name, build in BUILDERS.items()
    if name != "efficientnet_b0"
]


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_contract(case, contract):
    contract(case)


@pytest.mark.parametrize("contract", DEEP_CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("case", DEEP, ids=lambda case: case.name)
def test_contract_of_deep_networks(case, contract):
    contract(case)


@pytest.mark.parametrize("name", BUILDERS)
def test_settings_are_torchvisions(name):
    """Dropout, stochastic depth, or BatchNorm's ε and momentum differ: weights load and compute something else."""

    def settings(model: nn.Module, block: type) -> list:
        norms = [(m.eps, m.momentum) for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
        drops = [m.drop if block is MBConv else m.stochastic_depth.p for m in model.modules() if isinstance(m, block)]
        return [norms, drops, model.classifier[0].p]

    theirs = on_meta(getattr(torchvision.models, name))
    expected = settings(theirs, torchvision.models.efficientnet.MBConv)
    assert settings(on_meta(BUILDERS[name]), MBConv) == expected
    assert len(expected[1]) == sum(scale_stage(8, stage[3], 1, VARIANTS[name[-2:]].depth)[1] for stage in STAGES)


def test_maps_of_every_stage():
    """The maps have table 1's sizes only at the end, by luck."""
    rows = summarize(on_meta(efficientnet_b0).features, (3, 224, 224), by="child")
    shapes = " ".join(f"{row.output_shape[0]}×{row.output_shape[1]}" for row in rows)
    assert shapes == "32×112 16×112 24×56 40×28 80×14 112×14 192×7 320×7 1280×7"


def test_compound_scaling_is_the_papers():
    """φ = 1 does not double the cost, or the factors are mixed up."""
    one = compound_scaling(1)
    assert (one.depth, one.width, one.resolution) == pytest.approx((1.2, 1.1, 1.15))
    assert one.cost == pytest.approx(1.2 * 1.1**2 * 1.15**2)
    assert one.cost == pytest.approx(1.92, abs=0.005)
    assert compound_scaling(0) == (1, 1, 1, 1)
    assert compound_scaling(3).cost == pytest.approx(one.cost**3)
    assert compound_scaling(2, alpha=2, beta=1, gamma=1) == (4, 1, 1, 4)
    with pytest.raises(CourseError, match="positive"):
        compound_scaling(1, gamma=0)


def test_no_single_phi_gives_the_released_networks():
    """The docstring says that B7's multipliers do not follow from one φ, and they do."""
    b7 = VARIANTS["b7"]
    released = (b7.depth, b7.width, b7.image_size / 224)
    errors = []
    for step in range(1, 100):
        scaled = compound_scaling(step / 10)
        factors = (scaled.depth, scaled.width, scaled.resolution)
        errors.append(max(abs(r / f - 1) for r, f in zip(released, factors, strict=True)))
    assert min(errors) > 0.03


def test_doubling_the_image_costs_four_times():
    """The MACs of the table come from the size of the images as the paper says they do."""
    model = on_meta(efficientnet_b0)
    assert count_macs(model, (3, 448, 448)) / count_macs(model, (3, 224, 224)) == pytest.approx(4, rel=0.02)


def test_a_scaled_network_is_the_one_that_is_built():
    """The sizes that the formula gives are not those of the network with the same multipliers."""
    for name, variant in VARIANTS.items():
        bases = {"alpha": variant.depth, "beta": variant.width, "gamma": variant.image_size / 224}
        stages, image_size = scale_network([row[2:4] for row in STAGES], 224, 1, **bases)
        built = on_meta(BUILDERS[f"efficientnet_{name}"]).features[1:-1]
        assert stages == [(stage[-1].block[-1][0].out_channels, len(stage)) for stage in built]
        assert image_size == variant.image_size


def test_scaling_by_hand():
    """Depth, width or resolution are mixed up, or one is not raised to φ."""
    assert scale_network([(32, 2), (64, 3)], 224, 0) == ([(32, 2), (64, 3)], 224)
    # φ = 2: depth 1.44, width 1.21, resolution 1.3225
    assert scale_network([(32, 2), (64, 3)], 224, 2) == ([(40, 3), (80, 5)], 296)
    assert scale_network([(40, 1)], 100, 1, alpha=3, beta=1, gamma=2) == ([(40, 3)], 200)


@pytest.mark.parametrize(
    ("channels", "repeats", "width", "depth", "divisor", "expected"),
    [
        (32, 2, 1.0, 1.0, 8, (32, 2)),
        (18, 3, 1.0, 1.1, 8, (24, 4)),  # 16 is nearest, and below 16.2
        (52, 1, 1.0, 2.0, 8, (56, 2)),  # half way: upwards
        (44, 4, 1.0, 1.2, 8, (48, 5)),
        (18, 2, 1.0, 1.5, 4, (20, 3)),
        (2, 1, 1.0, 0.1, 8, (8, 1)),  # never none
    ],
)
def test_stages_by_hand(channels, repeats, width, depth, divisor, expected):
    """Channels round down below 90 %, or repeats round to the nearest."""
    assert scale_stage(channels, repeats, width, depth, divisor) == expected


@pytest.mark.parametrize("probability", [0.2, 0.7])
def test_stochastic_depth_has_torchvisions_masks(probability):
    """Masks are drawn for each pixel or for the whole batch, from other random numbers, or are not scaled."""
    residual = torch.randn(64, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(4)
    got = stochastic_depth(residual, probability)
    torch.manual_seed(4)
    assert torch.equal(got, other_stochastic_depth(residual, probability, "row"))
    kept = got.flatten(1).any(1)
    torch.testing.assert_close(got[kept], residual[kept] / (1 - probability))
    assert 0 < kept.float().mean() < 1
    assert stochastic_depth(residual, probability, training=False) is residual
    assert stochastic_depth(residual, 0) is residual


def test_residuals_dropped_by_hand():
    """The kept ones are not scaled up, the dropped ones stay, or True means dropped."""
    residual = torch.tensor([[1.0, -2.0], [3.0, 4.0]])[:, :, None, None]
    expected = torch.tensor([[2.0, -4.0], [0.0, 0.0]])[:, :, None, None]
    for kept in (torch.tensor([True, False]), torch.tensor([1, 0]), torch.tensor([1.0, 0.0])):
        assert torch.equal(drop_residuals(residual, kept, 0.5), expected)


@pytest.mark.parametrize("probability", [-0.1, 1.0, 1.5])
def test_stochastic_depth_refuses_impossible_probabilities(probability):
    """A residual is divided by zero."""
    with pytest.raises(CourseError, match="below 1"):
        stochastic_depth(torch.zeros(1, 1, 1, 1), probability)


def test_a_dropped_block_passes_its_input_through():
    """Dropping takes the shortcut along, or applies to blocks that have none."""
    torch.manual_seed(0)
    block = MBConv(8, 8, drop=0.5).train()
    batch = torch.randn(64, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    unchanged = (block(batch) == batch).flatten(1).all(1)
    assert 16 < int(unchanged.sum()) < 48
    assert MBConv(8, 16, stride=2, drop=0.9).train()(batch).flatten(1).any(1).all()


def test_gates_are_a_quarter_of_the_input_not_of_the_expansion():
    """The most common slip with this block: squeeze and excitation counts expanded channels."""
    squeezed = {m.fc1.out_channels for m in MBConv(24, 40).modules() if hasattr(m, "fc1")}
    assert squeezed == {6}
    assert MBConv(24, 40, kernel=5, stride=2)(torch.zeros(2, 24, 7, 7)).shape == (2, 40, 4, 4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: MBConv(8, 8, stride=3), "stride 1 or 2"),
        (lambda: MBConv(8, 8, kernel=4), "odd kernel"),
        (lambda: MBConv(8, 8, drop=1.0), "probability"),
        (lambda: EfficientNet(width=0), "width"),
        (lambda: EfficientNet(depth=-1), "depth"),
    ],
)
def test_bad_settings_are_refused(call, words):
    """A network of another form than asked for is built."""
    with pytest.raises(CourseError, match=words):
        call()


def test_small_images():
    """The small network has another form than the lesson says, or ignores a multiplier."""
    small = on_meta(small_efficientnet)
    rows = summarize(small.features, (1, 14, 14), by="child")
    shapes = " ".join(f"{row.output_shape[0]}×{row.output_shape[1]}" for row in rows)
    assert shapes == "16×14 8×14 16×7 24×4 40×4 160×4"
    assert [len(stage) for stage in small.features[1:-1]] == [stage[3] for stage in SMALL_STAGES]
    deep = on_meta(partial(small_efficientnet, depth=2, drop=0.3))
    assert [len(stage) for stage in deep.features[1:-1]] == [2 * stage[3] for stage in SMALL_STAGES]
    assert [round(m.drop, 4) for m in deep.modules() if isinstance(m, MBConv)] == [
        round(0.025 * k, 4) for k in range(12)
    ]
    wide = on_meta(partial(small_efficientnet, width=1.25, in_channels=3))
    assert wide.features[0][0].weight.shape == (20, 3, 3, 3)  # multiples of 4, not of 8


def test_a_baseline_of_ones_own():
    """Stem or stages of a baseline are ignored: the small network would be B0."""
    baseline = Baseline(((6, 5, 24, 2, 2),), stem=8, stem_stride=3, in_channels=2)
    model = on_meta(partial(EfficientNet, 4, baseline=baseline))
    assert baseline.stride == 6
    assert model(torch.empty(1, 2, 12, 12, device="meta")).shape == (1, 4)
    maps = summarize(model.features, (2, 12, 12), by="child")
    assert [row.output_shape for row in maps] == [(8, 4, 4), (24, 2, 2), (96, 2, 2)]
    with pytest.raises(CourseError, match=r"\(N, 2, H, W\) with H and W at least 6"):
        model(torch.empty(1, 2, 5, 12, device="meta"))
