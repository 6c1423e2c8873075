"""The recipes of lesson 17: every network of the part at equal cost, and one network scaled four ways."""

from dataclasses import replace

import pytest
import torch

from crashcourse import datasets
from crashcourse.inspection import count_macs, count_parameters
from crashcourse.recipes import recipes, train
from crashcourse.recipes.efficientnet import SIZES, resize, scaled_network
from crashcourse.recipes.part1 import NETWORKS, WITHOUT_NORM, part_network

IMAGE = (1, 28, 28)


def on_meta(build, *arguments, **options):
    with torch.device("meta"):
        return build(*arguments, **options)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_the_part_cost_the_same(name):
    """The chart compares networks of unequal cost and calls it equal."""
    network = on_meta(part_network, name)
    assert count_macs(network, IMAGE) == pytest.approx(2.1e6, rel=0.15)
    assert 20_000 < count_parameters(network) < 250_000


@pytest.mark.parametrize("name", NETWORKS)
def test_only_networks_without_batchnorm_train_slower(name):
    """The prose says that three networks have no BatchNorm, and others have none, or they do."""
    kinds = {type(module).__name__ for module in on_meta(part_network, name).modules()}
    assert ("BatchNorm2d" in kinds) == (name not in WITHOUT_NORM)


def test_two_networks_of_the_part_are_never_the_same():
    """One network stands on the chart under two names."""
    shapes = [[tuple(p.shape) for p in on_meta(part_network, name).parameters()] for name in NETWORKS]
    assert all(one not in shapes[place + 1 :] for place, one in enumerate(shapes))


@pytest.mark.parametrize("scale", ["laptop", "study", "gpu"])
def test_every_network_trains(scale, monkeypatch):
    """A recipe's code breaks before its budget matters: here narrow, short, on 128 garments."""
    real = datasets.garments
    monkeypatch.setattr(datasets, "garments", lambda split="train", *, size="subset": real(split).take(128))
    recipe = recipes()["part_garments"]
    # Not narrower: with 4 channels the gradient of a 1×1 convolution of stride 2, channels-last, writes outside its
    # memory on processors without AVX-512 (PyTorch 2.15).
    small = replace(recipe.scales[scale], epochs=1, width=16, batch_size=32)
    monkeypatch.setitem(recipes(), recipe.name, replace(recipe, scales={**recipe.scales, scale: small}))
    assert set(recipe.variants) == set(NETWORKS)
    for name in recipe.variants:
        run = train(recipe.name, scale=scale, variant=name, progress=False)
        assert set(run.metrics) == {"accuracy", "loss", "train_cpu_seconds"}
        assert run.metrics["train_cpu_seconds"] > 0
        assert not run.model.training


@pytest.mark.parametrize("name", SIZES)
def test_sizes_cost_what_their_names_say(name):
    """A dimension is compared with another at a larger budget."""
    times = count_macs(on_meta(scaled_network, name), IMAGE) / count_macs(on_meta(scaled_network, "base"), IMAGE)
    assert times == pytest.approx(int(name[-1]) if name[-1].isdigit() else 1, rel=0.13)


def test_each_way_changes_its_own_dimension():
    """Depth also widens, or compound leaves one of the three alone."""
    base = SIZES["base"]
    for name, size in SIZES.items():
        changed = {field for field in size._fields if getattr(size, field) != getattr(base, field)}
        kind = name.rstrip("24")
        every = {"base": set(), "compound": {"width", "depth", "side"}, "resolution": {"side"}}
        assert changed == every.get(kind, {kind})


def test_resizing_leaves_no_pixel_out():
    """Pixels between the samples are skipped, or images of the right size are changed."""
    images = torch.zeros(1, 1, 28, 28)
    images[0, 0, 13, 13] = 1.0
    assert resize(images, 28) is images
    small = resize(images, 14)
    assert small.shape == (1, 1, 14, 14)
    assert small.sum() == pytest.approx(0.25, abs=0.02)
    assert torch.allclose(resize(torch.ones(1, 1, 28, 28), 18), torch.ones(1, 1, 18, 18))
