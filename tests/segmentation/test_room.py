"""The room's table and names: every network that it lists is what it says, and keeps the contracts."""

import importlib
import inspect
from pathlib import Path

import pytest
import torch

import crashcourse.segmentation as room
from crashcourse import cli
from crashcourse.errors import CourseError
from crashcourse.inspection import count_macs, count_parameters
from crashcourse.segmentation import MODELS, models_table
from tests.contracts import kept_by
from tests.segmentation.mask_contracts import MASK_CONTRACTS

FOLDER = Path(room.__file__).parent
# Helpers that other modules of the room share; a lesson has no need of their names.
INSIDE = {"doors"}


@pytest.mark.parametrize("name", MODELS)
def test_the_table_tells_what_the_networks_are(name):
    """A row's parameters, costs, channels or sizes are not the network's."""
    row = MODELS[name]
    shape = (row.channels[0], row.image_size, row.image_size)
    with torch.device("meta"):
        model = row().eval()
        assert count_parameters(model) == row.parameters
        assert count_macs(model, shape) == row.macs
        assert model(torch.empty(1, *shape)).shape == (1, row.channels[1], row.output_size, row.output_size)


def test_every_network_keeps_the_contracts():
    """A network is added to the table and nobody tries it. All of PyTorch's own contracts hold for each of them."""
    kept = kept_by(Path(__file__).parent)
    for name in MODELS:
        names = {contract.__name__ for contract in kept.get(name, {})}
        wanted = {contract.__name__ for contract in MASK_CONTRACTS} - {"learns_masks_by_heart"}
        assert wanted <= names, f"{name} does not keep {wanted - names}"


def test_list_models_prints_the_rooms_networks(capsys):
    """`crashcourse list models` leaves this room out, or breaks its lines."""
    assert cli.main(["list", "models"]) == 0
    shown = capsys.readouterr().out
    assert models_table() in shown
    rows = {line.split()[0]: line.split() for line in models_table().splitlines()}
    assert list(rows)[1:] == list(MODELS)
    assert rows["unet_2015"][1:9] == ["572", "388", "1", "to", "2", "31,030,658", "150,428", "2015"]
    assert max(map(len, shown.splitlines())) <= 120


def test_an_unknown_network_is_refused_with_the_nearest():
    """A slip in a name gives a KeyError."""
    with pytest.raises(CourseError, match="Did you mean 'unet_2015'"):
        MODELS["unet_2105"]


def test_every_public_name_is_there_and_is_not_a_module():
    """A name in `__all__` is missing, given twice, or hidden by the module of the same name (`resunet`)."""
    assert len(set(room.__all__)) == len(room.__all__)
    assert [name for name in room.__all__ if not hasattr(room, name)] == []
    assert [name for name in room.__all__ if inspect.ismodule(getattr(room, name))] == []
    module = importlib.import_module("crashcourse.segmentation.resunet")
    assert room.resunet is module.resunet


def test_every_module_gives_the_room_a_name():
    """A module is added, and what it defines is not to be had from `crashcourse.segmentation`."""
    homes = {getattr(getattr(room, name), "__module__", "").rpartition(".")[2] for name in room.__all__}
    assert {path.stem for path in FOLDER.glob("*.py")} - {"__init__"} - homes <= INSIDE
