"""MobileNet v1 and v2: other people's weights, counts, costs, maps, doors, contracts."""

from functools import partial

import pytest
import torch
import torchvision.models
from torch import nn

from crashcourse.classification.convolution import conv_macs
from crashcourse.classification.mobilenet import (
    LAYERS_V1,
    InvertedResidual,
    MobileNetV1,
    MobileNetV2,
    conv_norm,
    cost_ratio,
    full_conv,
    mobilenet_v1,
    mobilenet_v2,
    round_channels,
    separable_conv,
)
from crashcourse.errors import CourseError
from crashcourse.inspection import count_macs, count_parameters, summarize
from tests.contracts import CONTRACTS, ModelCase
from tests.oracles import assert_same_names, assert_same_outputs, assert_same_training, images, on_meta, twins
from tests.others import any_size

# Width α -> parameters and millions of multiply-adds at 224×224, as measured on reference models.
PUBLISHED_V1 = {1.0: (4_231_976, 569), 0.75: (2_585_560, 325), 0.5: (1_331_592, 149), 0.25: (470_072, 41)}
BUILDERS = {"v1": mobilenet_v1, "v2": mobilenet_v2}
SMALL = {"in_channels": 1, "stem_stride": 1, "width": 0.5}


def small_v1(**options) -> MobileNetV1:
    return MobileNetV1(10, layers=((32, 1), (64, 2)), **SMALL, **options)


def small_v2(**options) -> MobileNetV2:
    stages = ((1, 16, 1, 1), (6, 24, 2, 2))
    return MobileNetV2(10, stages=stages, last_channels=64, dropout=0.0, **SMALL, **options)


CASES = [
    ModelCase("mobilenet_v1", lambda: mobilenet_v1(10), (3, 3, 32, 32), (3, 10)),
    ModelCase("mobilenet_v2", lambda: mobilenet_v2(10), (3, 3, 32, 32), (3, 10)),
    ModelCase("small_v1", small_v1, (3, 1, 8, 8), (3, 10), learning_rate=5e-3),
    ModelCase("small_v2", small_v2, (3, 1, 8, 8), (3, 10), learning_rate=5e-3),
]


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_contract(case, contract):
    contract(case)


@pytest.mark.parametrize("width", [0.35, 1.4])
def test_v2_of_other_widths_is_torchvisions(width):
    """Channels are rounded another way, or the last 1280 are narrowed with the rest."""
    assert_same_names(partial(mobilenet_v2, width=width), partial(torchvision.models.mobilenet_v2, width_mult=width))


def test_v1_equals_pytorchcvs():
    """Same weights in the same order, another function: a stride, a padding, an activation differs."""
    from pytorchcv.models.mobilenet import mobilenet_wd2

    ours, theirs = twins(partial(mobilenet_v1, width=0.5), mobilenet_wd2)
    any_size(ours, theirs)
    assert_same_outputs(ours, theirs, images(64))
    assert_same_training(ours, theirs, images(64))


@pytest.mark.parametrize("width", PUBLISHED_V1)
def test_v1_has_the_published_parameters_and_macs(width):
    """A layer has another width, or a stride stands elsewhere."""
    model = on_meta(partial(mobilenet_v1, width=width))
    parameters, macs = PUBLISHED_V1[width]
    assert count_parameters(model) == parameters
    assert count_macs(model, (3, 224, 224)) / 1e6 == pytest.approx(macs, rel=0.01)


def maps(build) -> str:
    rows = summarize(on_meta(build).features, (3, 224, 224), by="child")
    assert all(row.output_shape[1] == row.output_shape[2] for row in rows)
    return " ".join(f"{row.output_shape[0]}×{row.output_shape[1]}" for row in rows)


def test_maps_of_every_block():
    """The maps have the papers' sizes only at the end, by luck."""
    assert maps(mobilenet_v1) == (
        "32×112 64×112 128×56 128×56 256×28 256×28 512×14 512×14 512×14 512×14 512×14 512×14 1024×7 1024×7"
    )
    assert maps(mobilenet_v2) == (
        "32×112 16×112 24×56 24×56 32×28 32×28 32×28 64×14 64×14 64×14 64×14 96×14 96×14 96×14 160×7 160×7 160×7 "
        "320×7 1280×7"
    )


def test_a_separable_convolution_costs_what_the_paper_says():
    """Section 3.1: 9·C + C·K multiplications a pixel, 1/K + 1/9 of a full convolution's."""
    c, k, side = 32, 64, 14
    separable = count_macs(separable_conv(c, k), (c, side, side))
    assert separable == (9 * c + c * k) * side * side
    assert separable / conv_macs(c, k, 3, side) == pytest.approx(1 / k + 1 / 9)


def test_a_separable_convolution_is_a_full_one_with_a_kernel_that_factors():
    """g(h, w, c, k) = depthwise(h, w, c) · pointwise(c, k), when nothing stands between."""
    space, channels = nn.Conv2d(4, 4, 3, groups=4, bias=False), nn.Conv2d(4, 6, 1, bias=False)
    kernel = channels.weight * space.weight.transpose(0, 1)  # (6, 4, 1, 1) · (1, 4, 3, 3)
    batch = torch.randn(2, 4, 7, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(channels(space(batch)), nn.functional.conv2d(batch, kernel))
    first, second = (block[0] for block in separable_conv(4, 6, stride=2))
    assert (first.groups, first.kernel_size, first.stride) == (4, (3, 3), (2, 2))
    assert (second.groups, second.kernel_size, second.stride) == (1, (1, 1), (1, 1))


def test_the_bottleneck_is_linear_and_added_only_where_it_fits():
    """A ReLU follows the projection, or a block that changes the shape has a shortcut."""
    batch = torch.randn(2, 8, 6, 6, generator=torch.Generator().manual_seed(0))
    block = InvertedResidual(8, 8).eval()
    assert isinstance(block.conv[-1], nn.BatchNorm2d)
    nn.init.zeros_(block.conv[-1].weight)
    assert torch.equal(block(batch), batch)
    assert [InvertedResidual(8, out, stride=s).has_skip for out, s in ((8, 1), (8, 2), (16, 1))] == [True, False, False]
    assert InvertedResidual(8, 16, stride=2)(batch).shape == (2, 16, 3, 3)
    assert len(InvertedResidual(8, 8, expansion=1).conv) == 3  # no 1×1 that would expand nothing


@pytest.mark.parametrize(
    ("channels", "rounded"),
    [(32 * 0.35, 16), (24 * 0.75, 24), (16, 16), (12, 16), (11.9, 16), (17, 16), (1, 8), (20, 24)],
)
def test_channels_round_to_eights_and_never_lose_a_tenth(channels, rounded):
    """Widths other than 1 get other channels than everybody's weights have."""
    assert round_channels(channels) == rounded
    assert rounded >= 0.9 * channels


@pytest.mark.parametrize(("width", "message"), [(0, "width"), (-1.0, "width"), ("1", "width"), (float("inf"), "width")])
@pytest.mark.parametrize("version", BUILDERS)
def test_bad_widths_are_refused(version, width, message):
    """A network without channels is built."""
    with pytest.raises(CourseError, match=message):
        BUILDERS[version](width=width)


def test_an_inverted_residual_refuses_other_strides():
    """Stride 3 halves nothing and adds nothing, silently."""
    with pytest.raises(CourseError, match="stride 1 or 2"):
        InvertedResidual(8, 8, stride=3)


def test_conv_norm_without_activation_has_none():
    """The linear bottleneck gets an activation."""
    assert [type(layer) for layer in conv_norm(4, 4, 1, activation=None)] == [nn.Conv2d, nn.BatchNorm2d]


def test_full_convolutions_make_the_papers_conv_mobilenet():
    """Table 4 is compared with another network: it prints 29.3 million parameters and 4866 million MACs."""
    model = on_meta(lambda: MobileNetV1(block=full_conv))
    assert round(count_parameters(model) / 1e6, 1) == 29.3
    assert count_macs(model, (3, 224, 224)) / 1e6 == pytest.approx(4866, rel=0.001)


def test_most_of_the_cost_is_in_the_1x1_as_in_table_2():
    """A kernel size is exchanged: table 2 prints 94.86 % of the multiply-adds in 1×1 and 3.06 % in depthwise layers."""
    model = on_meta(mobilenet_v1)
    macs = {row.name: row.macs for row in summarize(model, (3, 224, 224))}
    depthwise = [name for name, layer in model.named_modules() if getattr(layer, "groups", 1) > 1]
    pointwise = [name for name, layer in model.named_modules() if getattr(layer, "kernel_size", 0) == (1, 1)]
    assert (len(depthwise), len(pointwise)) == (13, 13)
    assert sum(macs[name] for name in pointwise) / sum(macs.values()) == pytest.approx(0.9486, abs=1e-3)
    assert sum(macs[name] for name in depthwise) / sum(macs.values()) == pytest.approx(0.0306, abs=1e-3)


def test_small_networks_have_their_own_table_and_door():
    """A small network halves its maps where the paper's does, or names a least size that is the paper's."""
    for build, last in ((small_v1, 32), (small_v2, 64)):
        model = on_meta(build)
        assert summarize(model.features, (1, 8, 8), by="child")[-1].output_shape == (last, 4, 4)
        assert model(torch.empty(2, 1, 2, 2, device="meta")).shape == (2, 10)
        with pytest.raises(CourseError, match="at least 2"):
            model(torch.empty(2, 1, 1, 2, device="meta"))
        with pytest.raises(CourseError, match=r"\(N, 1, H, W\)"):
            model(torch.empty(2, 3, 8, 8, device="meta"))


@pytest.mark.parametrize("build", [MobileNetV1, MobileNetV2])
@pytest.mark.parametrize("options", [{"in_channels": 0}, {"stem_stride": 0}, {"stem_stride": 1.5}])
def test_bad_sizes_are_refused(build, options):
    """A learner meets PyTorch's words about a convolution's stride."""
    with pytest.raises(CourseError, match=next(iter(options))):
        build(**options)


def test_a_bottleneck_that_is_not_linear_ends_in_relu6():
    """The two bottlenecks of figure 6a are one and the same, or the ReLU6 comes after the sum."""
    batch = 9 * torch.randn(2, 8, 6, 6, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    linear, rectified = InvertedResidual(8, 8).eval(), InvertedResidual(8, 8, linear=False).eval()
    rectified.load_state_dict(linear.state_dict())
    branch = linear(batch) - batch
    torch.testing.assert_close(rectified(batch), batch + branch.clamp(0, 6))
    assert (branch < 0).any()


@pytest.mark.parametrize("sizes", [(3, 4, 3, 5), (32, 64, 3, 7), (24, 40, 5, 9)])
def test_cost_ratio_is_what_live_modules_say(sizes):
    """The formula counts another layer than the one that is built."""
    c, k, kernel, side = sizes
    full = nn.Conv2d(c, k, kernel, padding=kernel // 2)
    parts = nn.Conv2d(c, c, kernel, padding=kernel // 2, groups=c), nn.Conv2d(c, k, 1)
    counted = sum(count_macs(part, (c, side, side)) for part in parts) / count_macs(full, (c, side, side))
    assert cost_ratio(c, k, kernel, side) == pytest.approx(counted)
    assert cost_ratio(c, k, kernel, side) == pytest.approx(1 / k + 1 / kernel**2)
    assert cost_ratio(8 * c, 8 * k, kernel, side, 8) == pytest.approx(1 / (8 * k) + 1 / (8 * kernel**2))


def test_the_papers_table_has_thirteen_rows():
    """A row of table 1 is lost."""
    assert len(LAYERS_V1) == 13
    assert LAYERS_V1[-1] == (1024, 1)
