"""ShuffleNet v1 and v2: other people's weights, counts, costs, maps, doors, contracts."""

from functools import partial

import pytest
import torch
from torch import nn

from crashcourse.classification.shufflenet import (
    ShuffleNetV1,
    ShuffleNetV2,
    ShuffleSplitUnit,
    ShuffleUnit,
    channel_shuffle,
    shufflenet_v1,
    shufflenet_v2,
)
from crashcourse.errors import CourseError
from crashcourse.inspection import summarize
from tests.contracts import CONTRACTS, DEEP_CONTRACTS, ModelCase
from tests.oracles import assert_same_outputs, assert_same_training, images, on_meta, twins
from tests.others import any_size

BUILDERS = {"v1": shufflenet_v1, "v2": shufflenet_v2}


SMALL = {"in_channels": 1, "repeats": (1, 2, 1), "small_images": True}


def small_v1(**options) -> ShuffleNetV1:
    return ShuffleNetV1(10, groups=2, channels=(32, 64, 128), **SMALL, **options)


def small_v2() -> ShuffleNetV2:
    return ShuffleNetV2(10, channels=(32, 64, 128, 64), **SMALL)


CASES = [
    ModelCase("small_v1", small_v1, (3, 1, 16, 16), (3, 10), learning_rate=5e-3),
    ModelCase("small_v1_no_shuffle", partial(small_v1, shuffle=False), (3, 1, 16, 16), (3, 10), learning_rate=5e-3),
    ModelCase("small_v2", small_v2, (3, 1, 16, 16), (3, 10), learning_rate=5e-3),
    ModelCase("shufflenet_v1_g3", lambda: shufflenet_v1(10), (3, 3, 32, 32), (3, 10)),
    ModelCase("shufflenet_v2_x0_5", lambda: shufflenet_v2(10, width=0.5), (3, 3, 32, 32), (3, 10)),
]


WIDTHS = {"shufflenet_v2_x1_0": 1.0, "shufflenet_v2_x1_5": 1.5, "shufflenet_v2_x2_0": 2.0}
# The same units with other groups and widths.
DEEP = [
    *(
        ModelCase(f"shufflenet_v1_g{groups}", partial(shufflenet_v1, 10, groups=groups), (3, 3, 32, 32), (3, 10))
        for groups in (1, 2, 4, 8)
    ),
    *(
        ModelCase(name, partial(shufflenet_v2, 10, width=width), (3, 3, 32, 32), (3, 10))
        for name, width in WIDTHS.items()
    ),
]


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_contract(case, contract):
    contract(case)


@pytest.mark.parametrize("contract", DEEP_CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("case", DEEP, ids=lambda case: case.name)
def test_contract_of_deep_networks(case, contract):
    contract(case)


def test_v1_of_other_widths_equals_pytorchcvs():
    """The first 24 channels are not scaled, or scaled channels are rounded another way; BatchNorm trains otherwise."""
    from pytorchcv.models.shufflenet import shufflenet_g3_wd4

    ours, theirs = twins(partial(shufflenet_v1, groups=3, width=0.25), shufflenet_g3_wd4)
    any_size(ours, theirs)
    assert_same_outputs(ours, theirs, images(64))
    assert_same_training(ours, theirs, images(64))


def test_maps_of_every_stage():
    """The maps have the papers' sizes only at the end, by luck."""
    expected = {"v1": "24×112 24×56 240×28 480×14 960×7", "v2": "24×112 24×56 116×28 232×14 464×7 1024×7"}
    for version, build in BUILDERS.items():
        rows = summarize(on_meta(build), (3, 224, 224), by="child")
        shapes = [row.output_shape for row in rows if row.kind != "Linear"]
        assert " ".join(f"{channels}×{side}" for channels, side, _ in shapes) == expected[version]


def test_shuffle_by_hand():
    """Channels are dealt out in the transposed order: groups and channels a group are mixed up."""
    channels = torch.arange(6).view(1, 6, 1, 1)
    assert channel_shuffle(channels, 2).flatten().tolist() == [0, 3, 1, 4, 2, 5]
    assert channel_shuffle(channels, 3).flatten().tolist() == [0, 2, 4, 1, 3, 5]
    assert channel_shuffle(channels, 1).flatten().tolist() == channel_shuffle(channels, 6).flatten().tolist()


@pytest.mark.parametrize("groups", [1, 2, 3, 4, 6, 12])
def test_shuffle_equals_pytorchs_and_undoes_itself(groups):
    """A shuffle loses or repeats channels, or mixes pixels; C / g groups deal back what g groups dealt."""
    features = torch.randn(2, 12, 3, 5, generator=torch.Generator().manual_seed(0))
    for layout in (torch.contiguous_format, torch.channels_last):
        given = features.contiguous(memory_format=layout)
        shuffled = channel_shuffle(given, groups)
        assert torch.equal(shuffled, nn.functional.channel_shuffle(features, groups))
        assert torch.equal(channel_shuffle(shuffled, 12 // groups), features)
    assert channel_shuffle(features[:0], groups).shape == (0, 12, 3, 5)


@pytest.mark.parametrize("shape", [(2, 6, 3), (2, 5, 3, 3)])
def test_shuffle_refuses_what_it_cannot_deal_out(shape):
    """A learner meets PyTorch's words about a view."""
    with pytest.raises(ValueError, match="multiple of groups"):
        channel_shuffle(torch.zeros(shape), 3)
    with pytest.raises(ValueError, match="multiple of groups"):
        channel_shuffle(torch.zeros(1, 4, 2, 2), 0)


@torch.no_grad()
def reached(unit: nn.Module, channel: int) -> int:
    """How many output channels change with one channel of the input."""
    batch = torch.randn(1, 72, 5, 5, generator=torch.Generator().manual_seed(0)).abs()
    other = batch.clone()
    other[:, channel] += 5
    return int((unit.eval()(batch) != unit.eval()(other)).any(-1).any(-1).sum())


def test_without_the_shuffle_groups_never_meet(monkeypatch):
    """The shuffle stands where it mixes nothing: one unit must carry a channel into every group."""
    torch.manual_seed(0)
    unit = ShuffleUnit(72, 72, groups=3)
    unit.activation = nn.Identity()  # shows what reaches the output, negative or not
    assert reached(unit, 0) > 48
    monkeypatch.setattr("crashcourse.classification.shufflenet.channel_shuffle", lambda features, groups: features)
    assert reached(unit, 0) <= 24


def test_a_network_without_shuffle_has_none():
    """The comparison of table 3 is made with a network that shuffles somewhere, or that has other parameters."""
    shuffles = [unit.shuffle for unit in small_v1(shuffle=False).modules() if isinstance(unit, ShuffleUnit)]
    assert shuffles == [False] * 4
    assert all(unit.shuffle for unit in small_v1().modules() if isinstance(unit, ShuffleUnit))
    unit = ShuffleUnit(72, 72, groups=3, shuffle=False)
    unit.activation = nn.Identity()
    assert reached(unit, 0) <= 24
    assert small_v1().state_dict().keys() == small_v1(shuffle=False).state_dict().keys()


@pytest.mark.parametrize("build", [small_v1, small_v2])
def test_small_networks_have_their_own_table_and_door(build):
    """The maps are halved five times, or the sentence names the paper's least size."""
    model = on_meta(build).eval()
    rows = {row.name: row.output_shape for row in summarize(model, (1, 16, 16), by="child")}
    assert [rows[name] for name in ("conv1", "maxpool", "stage2", "stage3", "stage4")] == [
        (24, 8, 8),
        (24, 8, 8),
        (32, 4, 4),
        (64, 2, 2),
        (128, 1, 1),
    ]
    with pytest.raises(CourseError, match="at least 16"):
        model(torch.empty(2, 1, 15, 16, device="meta"))
    with pytest.raises(CourseError, match=r"\(N, 1, H, W\)"):
        model(torch.empty(2, 3, 16, 16, device="meta"))


@pytest.mark.parametrize("build", [ShuffleNetV1, ShuffleNetV2])
def test_bad_channels_of_the_images_are_refused(build):
    """A learner meets PyTorch's words about a convolution without channels."""
    with pytest.raises(CourseError, match="in_channels"):
        build(in_channels=0)


def test_half_of_the_channels_pass_untouched():
    """The split unit filters the half that should pass, or adds to it."""
    batch = torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    output = ShuffleSplitUnit(8, 8).eval()(batch)
    assert torch.equal(output[:, ::2], batch[:, :4])
    assert ShuffleSplitUnit(8, 12, stride=2).eval()(batch).shape == (2, 12, 2, 2)


@pytest.mark.parametrize(
    "call",
    [
        lambda: ShuffleUnit(24, 48, groups=3),  # adds what does not fit
        lambda: ShuffleUnit(24, 24, groups=3, stride=2),  # leaves no new channels
        lambda: ShuffleUnit(20, 20, groups=3),
        lambda: ShuffleUnit(24, 24, groups=3, stride=3),
        lambda: ShuffleSplitUnit(8, 12),
        lambda: ShuffleSplitUnit(8, 9, stride=2),
        lambda: ShuffleSplitUnit(8, 8, stride=3),
        lambda: shufflenet_v1(groups=8, width=0.3),
    ],
)
def test_units_that_cannot_be_are_refused(call):
    """A unit is built that fails on its first batch, in PyTorch's words."""
    with pytest.raises(CourseError, match="unit"):
        call()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: shufflenet_v1(groups=5), "1, 2, 3, 4 or 8 groups; got 5"),
        (lambda: shufflenet_v2(width=0.75), "width 0.5, 1.0, 1.5 or 2.0; got 0.75"),
        (lambda: shufflenet_v1(width=0), "width"),
        (lambda: shufflenet_v1(width=0.01), "at least 0.042"),
    ],
)
def test_unknown_variants_are_refused(call, words):
    """A network is built that nobody has published."""
    with pytest.raises(CourseError, match=words):
        call()
