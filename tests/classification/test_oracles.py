"""The networks against other people's: the same weights, the same numbers out, in evaluation and in training."""

import importlib

import pytest
import torch
import torchvision.models
from torch import nn

from crashcourse.classification import MODELS, VGG
from crashcourse.classification.vgg import CHANNELS, CONFIGURATIONS, vgg_features
from crashcourse.inspection import count_parameters, summarize
from tests.oracles import Pair, assert_same_names, assert_same_outputs, assert_same_training, images, on_meta
from tests.others import OTHERS, WITHOUT_OTHER


def test_every_row_has_an_oracle():
    """A network was added to the table, and nobody else's says that it is right."""
    assert set(OTHERS) | set(WITHOUT_OTHER) == set(MODELS)
    assert not set(OTHERS) & set(WITHOUT_OTHER)
    for place in WITHOUT_OTHER.values():
        module, test = place.split(".")
        assert callable(getattr(importlib.import_module(f"tests.classification.{module}"), test))


@pytest.mark.parametrize("name", [name for name, other in OTHERS.items() if other.same_names])
def test_weights_load_both_ways(name):
    """A parameter or buffer has another name, shape or place: published weights cannot be loaded."""
    assert_same_names(OTHERS[name].ours, OTHERS[name].build, in_order=name != "se_resnet50")


@pytest.mark.parametrize("name", OTHERS)
def test_every_layer_is_theirs(name):
    """A layer has another width or a stride stands elsewhere: shapes, parameters and multiply-adds, layer by layer.

    The table's own numbers are checked in `test_models`.
    """
    other, row = OTHERS[name], MODELS[name]
    networks = [on_meta(other.ours), on_meta(other.build)]
    tables = [summarize(network, (3, row.image_size, row.image_size)) for network in networks]
    ours, theirs = ([(r.name, r.output_shape, r.parameters, r.macs) for r in table if r.macs] for table in tables)
    if other.same_names:
        assert sorted(ours) == sorted(theirs)
    else:
        assert sorted(layer[1:] for layer in ours) == sorted(layer[1:] for layer in theirs)
    assert count_parameters(networks[0]) == count_parameters(networks[1])
    if other.ours is row:
        assert (count_parameters(networks[1]), sum(layer[-1] for layer in theirs)) == (row.parameters, row.macs)


@pytest.fixture(scope="module", params=OTHERS)
def row(request: pytest.FixtureRequest) -> tuple[str, Pair]:
    """Ours and theirs with the same weights; pytest groups the tests by this, so that one pair is held at a time."""
    return request.param, OTHERS[request.param].pair()


def test_outputs_are_equal(row):
    """Same weights, another function: an order, a stride, a padding, an activation, an epsilon differs."""
    name, (ours, theirs) = row
    assert_same_outputs(ours, theirs, images(OTHERS[name].side, OTHERS[name].count))


def test_training_outputs_and_statistics_are_equal(row):
    """Dropout stands in another place or has another rate, or BatchNorm another momentum."""
    name, (ours, theirs) = row
    assert_same_training(ours, theirs, images(OTHERS[name].side, OTHERS[name].count))


@pytest.mark.parametrize("name", ["alexnet", "vgg11"])
def test_outputs_are_equal_at_full_size(name):
    """The pooling before the classifier hides a difference that only 224×224 shows."""
    assert_same_outputs(*OTHERS[name].pair(), images(224))


def test_fresh_vggs_start_like_torchvisions():
    """Initialisation differs from torchvision's: deep plain networks do not start to learn."""
    torch.manual_seed(0)
    theirs = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["A"])
    ours = VGG(vgg_features(CONFIGURATIONS["A"], CHANNELS), 1000, pooled=1)
    assert [type(layer) for layer in ours.features] == [type(layer) for layer in theirs]
    for layer in ours.modules():
        if isinstance(layer, nn.Conv2d):
            assert float(layer.weight.detach().std()) == pytest.approx((2 / (9 * layer.out_channels)) ** 0.5, rel=0.05)
            assert not layer.bias.any()
        elif isinstance(layer, nn.Linear):
            assert float(layer.weight.detach().std()) == pytest.approx(0.01, rel=0.01)
            assert not layer.bias.any()
