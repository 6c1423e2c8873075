"""The published numbers of every network; layers and maps of AlexNet, ZFNet and VGG, on the meta device."""

import pytest
import torch
from torch import nn

from crashcourse.classification import MODELS, VGG, small_vgg
from crashcourse.classification.convolution import conv_macs, conv_parameters, layers_of, receptive_field
from crashcourse.classification.vgg import CHANNELS, CONFIGURATIONS, vgg_features, vgg_parameters
from crashcourse.inspection import count_macs, count_parameters, summarize

# Parameters, and multiply-adds in units of 1e9 at the network's own image size: measured on reference models, or summed
# from the papers' tables, because papers round.
PUBLISHED = {
    "alexnet": (61_100_840, 0.714),
    "alexnet_paper": (60_965_224, 0.724),
    "zfnet": (62_357_608, 1.168),
    "vgg11": (132_863_336, 7.61),
    "vgg13": (133_047_848, 11.31),
    "vgg16": (138_357_544, 15.47),
    "vgg16_c": (133_638_952, 11.77),
    "vgg19": (143_667_240, 19.63),
    "vgg11_bn": (132_868_840, 7.61),
    "vgg13_bn": (133_053_736, 11.31),
    "vgg16_bn": (138_365_992, 15.47),
    "vgg19_bn": (143_678_248, 19.63),
    "googlenet": (13_004_888, 1.498),
    "googlenet_paper": (13_378_280, 1.583),
    "resnet18": (11_689_512, 1.81),
    "resnet34": (21_797_672, 3.66),
    "resnet50": (25_557_032, 4.09),
    "resnet101": (44_549_160, 7.80),
    "resnet152": (60_192_808, 11.51),
    "resnet20": (269_722, 0.0406),
    "resnet56": (853_018, 0.1255),
    "resnet110": (1_727_962, 0.2529),
    "plain20": (269_722, 0.0406),
    "plain56": (853_018, 0.1255),
    "plain110": (1_727_962, 0.2529),
    "preact_resnet20": (272_282, 0.0408),
    "preact_resnet56": (855_578, 0.1257),
    "preact_resnet110": (1_730_522, 0.2531),
    "preact_resnet164": (1_703_258, 0.2476),
    "preact_resnet1001": (10_327_706, 1.491),
    "resnext50_32x4d": (25_028_904, 4.23),
    "densenet121": (7_978_856, 2.83),
    "densenet161": (28_681_000, 7.73),
    "densenet169": (14_149_480, 3.36),
    "densenet201": (20_013_928, 4.29),
    "densenet_bc100": (769_162, 0.288),
    "se_resnet50": (28_088_024, 4.09),
    "mobilenet_v1": (4_231_976, 0.569),
    "mobilenet_v2": (3_504_872, 0.3008),
    "shufflenet_v1_g1": (1_531_936, 0.143),
    "shufflenet_v1_g2": (1_733_848, 0.141),
    "shufflenet_v1_g3": (1_865_728, 0.137),
    "shufflenet_v1_g4": (1_968_344, 0.134),
    "shufflenet_v1_g8": (2_434_768, 0.138),
    "shufflenet_v2_x0_5": (1_366_792, 0.0405),
    "shufflenet_v2_x1_0": (2_278_604, 0.145),
    "shufflenet_v2_x1_5": (3_503_624, 0.296),
    "shufflenet_v2_x2_0": (7_393_996, 0.583),
    "squeezenet1_0": (1_248_424, 0.819),
    "squeezenet1_1": (1_235_496, 0.349),
    "efficientnet_b0": (5_288_548, 0.386),
    "efficientnet_b1": (7_794_184, 0.687),
    "efficientnet_b2": (9_109_994, 0.994),
    "efficientnet_b3": (12_233_232, 1.83),
    "efficientnet_b4": (19_341_616, 4.39),
    "efficientnet_b5": (30_389_784, 10.3),
    "efficientnet_b6": (43_040_704, 19.1),
    "efficientnet_b7": (66_347_960, 37.7),
}

# Channels and side of the maps after every convolution and pooling layer.
ALEXNET_MAPS = "64×55 64×27 192×27 192×13 384×13 256×13 256×13 256×6"
ALEXNET_PAPER_MAPS = "96×55 96×27 256×27 256×13 384×13 384×13 256×13 256×6"
ZFNET_MAPS = "96×110 96×55 256×26 256×13 384×13 384×13 256×13 256×6"
VGG_STAGES = "64×112 128×56 256×28 512×14 512×7"


def on_meta(name: str) -> nn.Module:
    with torch.device("meta"):
        return MODELS[name]()


def maps(name: str, *kinds: str) -> str:
    side = MODELS[name].image_size
    rows = summarize(on_meta(name), (3, side, side))
    shapes = [row.output_shape for row in rows if row.kind in kinds and len(row.output_shape) == 3]
    assert all(height == width for _, height, width in shapes)
    return " ".join(f"{channels}×{height}" for channels, height, _ in shapes)


def test_every_row_is_published():
    """A network was added to the table with its own numbers as the only measure."""
    assert list(PUBLISHED) == list(MODELS)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_table_has_the_published_numbers(name):
    """A layer has another width than the paper's, or a stride stands elsewhere, which the cost tells.

    That the table's numbers are the networks' own is shown in `test_models.py`.
    """
    parameters, macs = PUBLISHED[name]
    assert MODELS[name].parameters == parameters
    assert MODELS[name].macs / 1e9 == pytest.approx(macs, rel=0.01)


def test_builders_and_modules_of_one_name_are_both_reachable():
    """Importing the module `alexnet` hides the builder `alexnet`, or the other way round."""
    import crashcourse.classification as room
    from crashcourse.classification.alexnet import alexnet
    from crashcourse.classification.zfnet import zfnet

    assert room.alexnet is alexnet is MODELS["alexnet"].build
    assert room.zfnet is zfnet is MODELS["zfnet"].build


def test_maps_of_every_layer():
    """The maps have the paper's sizes only at the end, by luck."""
    layers = ("Conv2d", "MaxPool2d")
    assert maps("alexnet", *layers) == ALEXNET_MAPS
    assert maps("alexnet_paper", *layers) == ALEXNET_PAPER_MAPS
    assert maps("zfnet", *layers) == ZFNET_MAPS


@pytest.mark.parametrize("name", [name for name in MODELS if name.startswith("vgg")])
def test_maps_of_every_vgg_stage(name):
    """A stage does not halve, or channels do not double."""
    assert maps(name, "MaxPool2d") == VGG_STAGES


@pytest.mark.parametrize(
    ("name", "letter"), [("vgg11", "A"), ("vgg13", "B"), ("vgg16_c", "C"), ("vgg16", "D"), ("vgg19", "E")]
)
def test_vggs_by_hand(name, letter):
    """Builder and configuration are mixed up; counts and costs are summed here from the paper's table alone."""
    parameters, macs, channels, size = 0, 0, 3, 224
    for kernels, width in zip(CONFIGURATIONS[letter], CHANNELS, strict=True):
        for kernel in kernels:
            parameters += conv_parameters(channels, width, kernel)
            macs += conv_macs(channels, width, kernel, size)
            channels = width
        size //= 2
    for ins, outs in ((512 * 7 * 7, 4096), (4096, 4096), (4096, 1000)):
        parameters += (ins + 1) * outs
        macs += ins * outs
    assert count_parameters(on_meta(name)) == parameters
    assert count_macs(on_meta(name), (3, 224, 224)) == macs
    weight_layers = [module for module in on_meta(name).modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    assert len(weight_layers) == {"A": 11, "B": 13, "C": 16, "D": 16, "E": 19}[letter]


def test_alexnet_of_2012_by_hand():
    """A kernel, a width, a group or a bias differs from section 3.5; its two columns are groups of 2."""
    layers = ((3, 96, 11, 55, 1), (96, 256, 5, 27, 2), (256, 384, 3, 13, 1), (384, 384, 3, 13, 2), (384, 256, 3, 13, 2))
    parameters, macs = 0, 0
    for ins, outs, kernel, size, groups in layers:
        weights = outs * ins // groups * kernel**2
        parameters += weights + outs
        macs += weights * size**2
    for ins, outs in ((256 * 6 * 6, 4096), (4096, 4096), (4096, 1000)):
        parameters += (ins + 1) * outs
        macs += ins * outs
    assert count_parameters(on_meta("alexnet_paper")) == parameters
    assert count_macs(on_meta("alexnet_paper"), (3, 227, 227)) == macs


def test_configuration_c_is_d_with_three_kernels_of_one_pixel():
    """The configuration that lesson 11 asks about is another network than the paper's."""
    saved = 8 * (256**2 + 512**2 + 512**2)  # 9 - 1 weights per pair of channels, in stages 3, 4 and 5
    assert count_parameters(on_meta("vgg16_c")) == 138_357_544 - saved
    kernels = [m.kernel_size[0] for m in on_meta("vgg16_c").modules() if isinstance(m, nn.Conv2d)]
    assert kernels == [3, 3, 3, 3, 3, 3, 1, 3, 3, 1, 3, 3, 1]


@pytest.mark.parametrize(("name", "letter"), [("vgg11", "A"), ("vgg16_c", "C"), ("vgg16", "D"), ("vgg19", "E")])
def test_counting_from_the_table_equals_counting_the_network(name, letter):
    """The formula of the exercise forgets biases, or sees another image size than the network."""
    assert vgg_parameters(CONFIGURATIONS[letter], CHANNELS) == PUBLISHED[name][0]
    stages = ((3,), (3, 1))
    small = VGG(vgg_features(stages, (4, 6), in_channels=1), 7, hidden=5, pooled=9)
    counted = vgg_parameters(stages, (4, 6), num_classes=7, in_channels=1, image_size=37, hidden=5)
    assert counted == count_parameters(small)


def test_table_2_of_the_vgg_paper():
    """The paper counts 133, 133, 134, 138 and 144 million parameters for A, B, C, D and E."""
    names = ("vgg11", "vgg13", "vgg16_c", "vgg16", "vgg19")
    assert [round(count_parameters(on_meta(name)) / 1e6) for name in names] == [133, 133, 134, 138, 144]


def test_where_vgg16_keeps_its_parameters():
    """Lesson 11 says: 124 of 138 million sit in three dense layers, nearly all multiply-adds in the convolutions."""
    features, _, classifier = summarize(on_meta("vgg16"), (3, 224, 224), by="child")
    assert (features.parameters, classifier.parameters) == (14_714_688, 123_642_856)
    assert features.macs / (features.macs + classifier.macs) > 0.99


def test_receptive_fields_of_the_stacks():
    """Lessons 10 and 11 quote them: one unit of VGG-16's last map sees 212 pixels, AlexNet's 195."""
    assert receptive_field(layers_of(on_meta("vgg16").features)) == 212
    assert receptive_field(layers_of(on_meta("alexnet").features)) == 195


def test_alexnet_of_2012_has_the_papers_constants():
    """Groups, response normalisation (α divided by n in PyTorch) or initial biases differ from the paper."""
    model = MODELS["alexnet_paper"](10)
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    dense = [module for module in model.modules() if isinstance(module, nn.Linear)]
    assert [layer.groups for layer in convolutions] == [1, 2, 1, 2, 2]
    assert [float(layer.bias.detach().mean()) for layer in convolutions + dense] == [0, 1, 0, 1, 1, 1, 1, 0]
    assert all(float(layer.weight.detach().std()) == pytest.approx(0.01, rel=0.05) for layer in convolutions + dense)


def test_response_normalization_equals_the_papers_formula():
    """b_i = a_i / (k + α Σ a_j²)^β over the n = 5 neighbouring channels, with k = 2, α = 1e-4, β = 0.75."""
    activity = 100 * torch.rand(2, 9, 3, 3, generator=torch.Generator().manual_seed(0))
    layer = next(m for m in MODELS["alexnet_paper"](1).modules() if isinstance(m, nn.LocalResponseNorm))
    expected = torch.empty_like(activity)
    for channel in range(9):
        near = activity[:, max(0, channel - 2) : channel + 3]
        expected[:, channel] = activity[:, channel] / (2 + 1e-4 * near.square().sum(1)) ** 0.75
    torch.testing.assert_close(layer(activity), expected)


def test_small_vgg_keeps_the_pattern():
    """The laptop network is no VGG any more: maps halve, channels double, kernels are 3×3."""
    rows = summarize(small_vgg(), (1, 28, 28))
    assert [row.output_shape for row in rows if row.kind == "MaxPool2d"] == [(16, 14, 14), (32, 7, 7), (64, 3, 3)]
    wide = small_vgg(7, in_channels=3, width=8, stages=(2, 2), batch_norm=False)
    assert all(module.kernel_size == (3, 3) for module in wide.modules() if isinstance(module, nn.Conv2d))
    assert [m.out_channels for m in wide.modules() if isinstance(m, nn.Conv2d)] == [8, 8, 16, 16]
    assert not any(isinstance(module, nn.BatchNorm2d) for module in wide.modules())
    assert wide(torch.zeros(2, 3, 28, 28)).shape == (2, 7)
