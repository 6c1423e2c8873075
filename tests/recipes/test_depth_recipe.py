"""The recipe of lesson 13: networks that differ in shortcuts and depth alone, and accuracy on their training images."""

import re
from dataclasses import replace

import pytest
import torch
from torch import nn

from crashcourse import datasets
from crashcourse.classification.resnet_cifar import CifarResNet
from crashcourse.classification.resnet_preact import PreActResNet
from crashcourse.inspection import count_macs, count_parameters
from crashcourse.recipes import recipes, resnet, train
from crashcourse.recipes.resnet import depth_variant

RECIPE = recipes()["depth_garments"]


def network(variant: str, scale: str = "study") -> nn.Module:
    with torch.device("meta"):
        return depth_variant(variant, RECIPE.scales[scale])


@pytest.mark.parametrize("variant", RECIPE.variants)
def test_a_variant_has_the_layers_and_the_shortcuts_of_its_name(variant: str) -> None:
    """Networks of another depth are compared, or a plain one has a shortcut."""
    family, depth = re.fullmatch(r"([a-z]+)(\d+)", variant).groups()
    model = network(variant)
    layers = [n for n, m in model.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear)) and "downsample" not in n]
    assert len(layers) == int(depth)
    assert isinstance(model, PreActResNet if family == "preact" else CifarResNet)
    residual = {block.residual for block in model.modules() if hasattr(block, "residual")}
    assert residual == {"plain": {False}, "resnet": {True}, "preact": set()}[family]


@pytest.mark.parametrize("scale", RECIPE.scales)
@pytest.mark.parametrize("depth", [20, 56])
def test_plain_and_residual_networks_cost_the_same(depth: int, scale: str) -> None:
    """A difference between the two could be one of size."""
    plain, residual = network(f"plain{depth}", scale), network(f"resnet{depth}", scale)
    assert {name: p.shape for name, p in plain.named_parameters()} == {
        name: p.shape for name, p in residual.named_parameters()
    }
    assert count_macs(plain, (1, 28, 28)) == count_macs(residual, (1, 28, 28))


def test_the_full_scale_is_wider_and_sees_every_pixel() -> None:
    """At gpu scale the laptop's network would train."""
    small, full = network("resnet56"), network("resnet56", "gpu")
    assert (small.conv1.stride, full.conv1.stride) == ((4, 4), (1, 1))
    assert (small.conv1.out_channels, full.conv1.out_channels) == (8, 16)
    assert count_parameters(full) > 3.9 * count_parameters(small)


def test_the_training_accuracy_is_measured_on_the_training_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Degradation is claimed from numbers of unseen images, or of images that were augmented."""
    real, seen = datasets.garments, []
    monkeypatch.setattr(datasets, "garments", lambda split="train", *, size="subset": real(split).take(64))

    def evaluate(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
        seen.append((images, labels, model.training))
        return {"accuracy": 0.25, "loss": 2.0}

    monkeypatch.setattr(resnet, "evaluate_classifier", evaluate)
    small = replace(RECIPE.scales["laptop"], epochs=1, batch_size=32)
    monkeypatch.setitem(recipes(), RECIPE.name, replace(RECIPE, scales={**RECIPE.scales, "laptop": small}))
    run = train(RECIPE.name, variant="plain20", progress=False)
    ((images, labels, training),) = seen
    assert torch.equal(images, real("train").take(64).normalised())
    assert torch.equal(labels, real("train").take(64).labels)
    assert not training
    assert (run.metrics["train_accuracy"], run.metrics["train_loss"]) == (0.25, 2.0)
    assert run.metrics["accuracy"] != 0.25 or run.metrics["loss"] != 2.0
