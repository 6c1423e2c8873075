"""What the networks refuse, and in which words."""

from functools import partial

import pytest
import torch
from torch import nn

from crashcourse.classification import MODELS, VGG, small_vgg
from crashcourse.classification.vgg import vgg_features, vgg_parameters
from crashcourse.classification.zfnet import renormalize_filters
from crashcourse.errors import CourseError
from tests.oracles import on_meta

# Rows with another least size than 32 pixels, the stride of most networks.
SPECIAL = {"alexnet": 63, "alexnet_paper": 67, "zfnet": 47, "googlenet": 15, "googlenet_paper": 79}
SPECIAL |= {"squeezenet1_0": 21, "squeezenet1_1": 17, "densenet_bc100": 4}
SPECIAL |= {f"densenet{depth}": 29 for depth in (121, 161, 169, 201)}
LEAST = {name: SPECIAL.get(name, 4 if row.image_size == 32 else 32) for name, row in MODELS.items()}
# Networks whose maps shrink to nothing below the least size. The heads of GoogLeNet do so in training only, see there.
TIGHT = ("alexnet", "zfnet", "vgg", "small_vgg", "densenet", "squeezenet")
BUILDERS = {name: partial(row, 2) for name, row in MODELS.items()}
BUILDERS["small_vgg"], LEAST["small_vgg"] = lambda: small_vgg(2, in_channels=3), 8


@pytest.fixture(scope="module", params=BUILDERS)
def door(request: pytest.FixtureRequest) -> tuple[nn.Module, int]:
    """A network for two classes, as shapes without numbers, and its least size."""
    return on_meta(BUILDERS[request.param]).eval(), LEAST[request.param]


def test_the_least_size_is_the_least_size(door):
    """The sentence names a size that fails, or refuses one that works."""
    model, least = door
    assert model(torch.empty(1, 3, least, least, device="meta")).shape == (1, 2)
    for height, width in ((least, least - 1), (least - 1, least)):
        with pytest.raises(CourseError, match=f"at least {least}"):
            model(torch.empty(1, 3, height, width, device="meta"))


@pytest.mark.parametrize("name", [name for name in BUILDERS if name.startswith(TIGHT)])
def test_one_pixel_less_would_fail(name):
    """The least size is larger than need be."""
    least = LEAST[name] - 1
    model = on_meta(BUILDERS[name]).eval()
    model.least = 1
    with pytest.raises(RuntimeError):
        model(torch.empty(1, 3, least, least, device="meta"))


def test_bad_images_are_refused_with_a_sentence(door):
    """A learner's slip ends in a stack trace from inside PyTorch."""
    model, least = door
    batch = torch.empty(2, 3, least, least, device="meta")
    for images, words in [
        (batch[0], r"images\[None\]"),
        (batch[0, 0], r"\(N, 3, H, W\)"),
        (batch[:, :1], "with 1 channels"),
        (batch.permute(0, 2, 3, 1), r"permute\(0, 3, 1, 2\)"),
        (batch.to(torch.uint8), "/ 255"),
        (batch.double(), r"images.float\(\)"),
        ("a cat", "str"),
    ]:
        with pytest.raises(CourseError, match=words):
            model(images)


def test_an_empty_batch_gives_an_empty_output(door):
    """The last, empty batch of a filtered data set stops a run."""
    model, least = door
    assert model(torch.empty(0, 3, least, least, device="meta")).shape == (0, 2)


def test_a_double_precision_network_takes_double_precision_images():
    """The refusal of float64 images forbids float64 networks."""
    assert small_vgg().double()(torch.zeros(2, 1, 8, 8, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("num_classes", [0, -1, 2.5, "10", None, True])
def test_bad_numbers_of_classes_are_refused_before_anything_is_built(name, num_classes):
    """A network without outputs is built, or half a gigabyte is filled before the sentence."""
    with pytest.raises(CourseError, match="num_classes"):
        MODELS[name](num_classes)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: small_vgg(width=0), "at least 1"),
        (lambda: small_vgg(stages=()), "at least 1"),
        (lambda: small_vgg(stages=(1, 0)), "at least 1"),
        (lambda: small_vgg(0), "num_classes"),
        (lambda: vgg_features(((3,), (3,)), (8,)), "one channel count per stage"),
        (lambda: vgg_features(((2,),), (8,)), "odd kernels"),
        (lambda: vgg_parameters(((3,), (3,)), (8,)), "one channel count per stage"),
        (lambda: vgg_parameters(((3,), (3,)), (8, 8), image_size=3), r"2\^stages pixels"),
        (lambda: VGG(nn.Sequential(nn.ReLU()), 2), "at least one convolution"),
        (lambda: renormalize_filters(nn.Conv2d(1, 1, 1), 0.0), "positive"),
    ],
)
def test_bad_settings_are_refused_with_a_sentence(call, words):
    """A network of another form than asked for is built."""
    with pytest.raises(ValueError, match=words):
        call()


def test_only_filters_above_the_radius_are_renormalized():
    """Small filters grow, or the norm is taken for the root mean square."""
    layer = nn.Conv2d(1, 3, 2, bias=False)
    values = torch.tensor([0.05, -0.1, 0.4])
    layer.weight.data.copy_(values.view(3, 1, 1, 1).expand(3, 1, 2, 2))
    renormalize_filters(nn.Sequential(layer))
    torch.testing.assert_close(layer.weight[:, 0, 0, 0].detach(), torch.tensor([0.05, -0.1, 0.1]))
    nn.init.zeros_(layer.weight)
    renormalize_filters(layer)
    assert not layer.weight.any()
