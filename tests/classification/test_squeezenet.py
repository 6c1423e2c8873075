"""SqueezeNet 1.0 and 1.1: torchvision's weights, counts, costs, maps, doors, contracts."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
import torchvision.models
from torch import nn

from crashcourse.classification.squeezenet import Fire, SqueezeNet, squeezenet1_0, squeezenet1_1
from crashcourse.errors import CourseError
from crashcourse.inspection import count_parameters, summarize
from tests.contracts import CONTRACTS, ModelCase
from tests.oracles import on_meta

BUILDERS = {"squeezenet1_0": squeezenet1_0, "squeezenet1_1": squeezenet1_1}
# Maps after every stage.
MAPS = {
    "squeezenet1_0": "96×109 96×54 128×54 128×54 256×54 256×27 256×27 384×27 384×27 512×27 512×13 512×13",
    "squeezenet1_1": "64×111 64×55 128×55 128×55 128×27 256×27 256×27 256×13 384×13 384×13 512×13 512×13",
}


def awake(build: Callable[[int], SqueezeNet]) -> SqueezeNet:
    """Ten classes, each with scores above zero at the start: the last ReLU would leave some without a gradient."""
    model = build(10)
    nn.init.ones_(model.classifier[1].bias)
    return model


CASES = [
    ModelCase(name, partial(awake, build), (3, 3, 48, 48), (3, 10), learning_rate=3e-4, steps=100)
    for name, build in BUILDERS.items()
] + [
    ModelCase("small", lambda: SqueezeNet(10, version="small", in_channels=1, rectified=False), (3, 1, 28, 28), (3, 10))
]


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_contract(case, contract):
    contract(case)


@pytest.mark.parametrize("name", BUILDERS)
def test_maps_of_every_stage(name):
    """A fire module has another width, or a pool stands elsewhere."""
    rows = summarize(on_meta(BUILDERS[name]).features, (3, 224, 224), by="child")
    assert " ".join(f"{r.output_shape[0]}×{r.output_shape[1]}" for r in rows if r.kind != "ReLU") == MAPS[name]


def test_a_fiftieth_of_alexnets_parameters_makes_4_8_megabytes():
    """The paper's headline does not follow from the network: 50 times fewer parameters, 4.8 MB in float32."""
    parameters = count_parameters(on_meta(squeezenet1_0))
    assert 4 * parameters / 2**20 == pytest.approx(4.8, abs=0.05)
    assert count_parameters(on_meta(torchvision.models.alexnet)) / parameters == pytest.approx(50, rel=0.03)


def test_a_fire_module_by_hand():
    """Branches come in another order, or the 3×3 sees the input in place of the squeezed channels."""
    fire = Fire(2, 1, 1, 1)
    for layer, value in ((fire.squeeze, 1.0), (fire.expand1x1, 2.0), (fire.expand3x3, 3.0)):
        nn.init.constant_(layer.weight, value)
        nn.init.zeros_(layer.bias)
    output = fire(torch.ones(1, 2, 3, 3))[0]  # squeezed to 2 everywhere
    assert torch.equal(output[0], torch.full((3, 3), 4.0))
    assert output[1].tolist() == [[24.0, 36.0, 24.0], [36.0, 54.0, 36.0], [24.0, 36.0, 24.0]]  # 6 for each pixel inside
    assert not fire(-torch.ones(1, 2, 3, 3)).any()


def test_unknown_versions_are_refused():
    """A typing error builds version 1.0."""
    with pytest.raises(CourseError, match=r"version of SqueezeNet named '1_1'. Did you mean '1.1'"):
        SqueezeNet(version="1_1")


def test_the_last_relu_can_silence_a_class_for_good():
    """`rectified=False` still rectifies, or a silent class is not silent: no gradient may reach its weights."""
    batch = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    for rectified in (True, False):
        torch.manual_seed(0)
        model = SqueezeNet(10, version="small", in_channels=1, rectified=rectified).eval()
        with torch.no_grad():
            model.classifier[1].bias[3] = -100.0  # below zero for every image
        nn.functional.cross_entropy(model(batch), torch.full((4,), 3)).backward()
        assert model.classifier[1].weight.grad[3].any() != rectified
        assert bool((model(batch)[:, 3] == 0).all()) == rectified


def test_the_least_size_of_the_small_version():
    """The sentence at the door names a size that the network does not take, or refuses one that it does."""
    model = on_meta(lambda: SqueezeNet(10, version="small", in_channels=1))
    assert model(torch.empty(2, 1, 9, 9, device="meta")).shape == (2, 10)
    with pytest.raises(CourseError, match="at least 9"):
        model(torch.empty(2, 1, 8, 9, device="meta"))
    with pytest.raises(RuntimeError):
        model.features(torch.empty(2, 1, 8, 9, device="meta"))
    with pytest.raises(CourseError, match="in_channels"):
        SqueezeNet(in_channels=0)
