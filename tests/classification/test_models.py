"""The table of the room: every typed number is the network's own, every name builds what it says."""

import importlib
import inspect
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import pytest
import torch
import torchvision.models
from torch import nn

import crashcourse.classification as room
from crashcourse.classification import MODELS, Model, models_table
from crashcourse.errors import CourseError
from crashcourse.inspection import count_macs, count_parameters
from tests.classification.spared import SPARED
from tests.contracts import CONTRACTS, DEEP_CONTRACTS, Contract, ModelCase, kept_by
from tests.oracles import on_meta


def builder_of(entry: Model) -> Callable[..., nn.Module]:
    """The function under a row, without the options that the row fills in."""
    return entry.build.func if isinstance(entry.build, partial) else entry.build


@pytest.mark.parametrize("name", MODELS)
def test_the_table_has_the_networks_own_numbers(name):
    """`crashcourse list models` prints numbers that the network does not have."""
    entry = MODELS[name]
    model = on_meta(entry)
    assert count_parameters(model) == entry.parameters
    assert count_macs(model, (3, entry.image_size, entry.image_size)) == entry.macs


@pytest.mark.parametrize("name", MODELS)
def test_every_name_builds_its_network_for_any_number_of_classes(name):
    """A name builds another network, or one that takes no number of classes."""
    entry = MODELS[name]
    builder = builder_of(entry)
    assert getattr(room, builder.__name__) is builder
    assert name.startswith(builder.__name__)
    with pytest.raises(CourseError, match="num_classes"):
        entry(0)


@pytest.mark.parametrize("name", MODELS)
def test_the_paper_of_a_row_is_the_paper_of_the_file(name):
    """The table credits a network to another paper than its file does."""
    entry = MODELS[name]
    builder = builder_of(entry)
    text = inspect.getdoc(sys.modules[builder.__module__]).replace("\n", " ")
    number = entry.paper.split()[-1]
    assert number in text
    assert entry.paper.split()[0].rstrip(",") in text
    if number != "NIPS":
        assert entry.year == 2000 + int(number[:2]), "the year in which the paper first appeared"


@cache
def kept() -> dict[str, dict[Contract, ModelCase]]:
    """What the tests of this folder try."""
    return kept_by(Path(__file__).parent)


def convolutions(build: Callable[[], nn.Module]) -> list[torch.Size]:
    """What makes a network the published one, however many classes and dense units a case gives it."""
    return [weight.shape for weight in on_meta(build).parameters() if weight.ndim == 4]


@pytest.mark.parametrize("name", MODELS)
def test_every_network_keeps_the_contracts(name):
    """A network was added to the table without contracts, or only a smaller one of its name keeps them."""
    cases = kept().get(name, {})
    missing = {deep for full, deep in zip(CONTRACTS, DEEP_CONTRACTS, strict=True) if not {full, deep} & set(cases)}
    assert missing == set(SPARED.get(name, {}))
    published = convolutions(partial(MODELS[name], 10))
    assert all(convolutions(case.build) == published for case in set(cases.values()))


def test_names_are_torchvisions_where_torchvision_has_the_network():
    """`load_pretrained` finds no weights because a network is called otherwise there."""
    shared = set(MODELS) & set(torchvision.models.list_models(torchvision.models))
    assert len(shared) == 35  # 1 AlexNet, 8 VGG, GoogLeNet, 6 ResNet and ResNeXt, 4 DenseNet, 15 of lessons 16 and 17
    for name in ("resnet50", "googlenet", "shufflenet_v2_x1_0", "squeezenet1_1", "efficientnet_b7", "densenet161"):
        assert name in shared


def test_the_table_fits_a_terminal_and_has_a_row_for_each():
    """A column is shifted, or a line is broken by the terminal."""
    lines = models_table().splitlines()
    starts = {line.index(MODELS[line.split()[0]].paper) for line in lines[1 : 1 + len(MODELS)]}
    assert starts == {lines[0].index("paper")}
    assert max(map(len, lines)) <= 120


def test_every_public_name_of_the_room_is_there():
    """`from crashcourse.classification import *` misses what the lessons import."""
    module = importlib.import_module("crashcourse.classification")
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)
    assert {builder_of(entry).__name__ for entry in MODELS.values()} <= set(module.__all__)


def test_an_unknown_name_is_a_sentence():
    """A typing error ends in a bare KeyError, or is taken for a network by `in` and `get`."""
    with pytest.raises(CourseError, match=r"no network named 'resnet51'\. Did you mean 'resnet5[06]'"):
        MODELS["resnet51"]
    assert "resnet51" not in MODELS
    assert MODELS.get("resnet51") is None


def test_building_by_name_takes_the_builders_options():
    """The table hides the options of a builder."""
    assert on_meta(partial(MODELS["mobilenet_v1"], 10, width=0.25)).classifier.weight.shape == torch.Size([10, 256])
