"""Recipes and single runs."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from crashcourse import datasets
from crashcourse.errors import CourseError
from crashcourse.recipes import Scale, classify, evaluate_classifier, recipes, train
from crashcourse.recipes.base import SCALES
from crashcourse.recipes.garments import DEPTHS, small_alexnet, vgg_variant

REAL = sorted(name for name in recipes() if name != "tiny")
GPU_ONLY = ("gpu",)  # a data set that has to be downloaded
STUDY_ONLY = ("study",)  # nothing is trained, only measured


OF_FEW_LABELS = ("distil_garments", "missing_garments")  # need more than 256; in test_distillation_recipe.py


def of_garments(name: str) -> bool:
    """Whether a recipe trains a classifier by the clock of epochs: those that are timed are in test_speed.py, detectors
    in test_detector.py, restorers in files of their own."""
    recipe = recipes()[name]
    gpu = recipe.scales.get("gpu")
    if gpu is None or recipe.timed or name in OF_FEW_LABELS:
        return False
    return gpu.image_size is None and gpu.patch is None


def test_the_lessons_recipes_are_there_at_every_scale() -> None:
    """Fails if a recipe is lost, lacks a scale, or compares a variant that it does not have."""
    assert {"vgg_garments", "alexnet_garments"} <= set(REAL)
    for name in REAL:
        recipe = recipes()[name]
        assert tuple(recipe.scales) in (SCALES, GPU_ONLY, STUDY_ONLY)
        assert all(scale.compares[0] == recipe.default for scale in recipe.scales.values())
        assert all(set(scale.compares) <= set(recipe.variants) for scale in recipe.scales.values())


BESIDES = {
    "batch_garments": {"train_accuracy", "gap", "sharpness", "updates"},
    "depth_garments": {"train_accuracy", "train_loss"},
}  # what a recipe measures besides test accuracy and loss


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", list(filter(of_garments, REAL)))
def test_every_variant_trains_at_every_scale(name: str, scale: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if a recipe's code breaks anywhere before its budget matters: here narrow, short, on 256 garments."""
    recipe = recipes()[name]
    asked: list[str] = []
    real = datasets.garments

    def few(split: str = "train", *, size: str = "subset") -> datasets.ImageSet:
        asked.append(size)
        return real(split).take(256)

    monkeypatch.setattr(datasets, "garments", few)
    # With 4 channels the gradient of a 1×1 convolution of stride 2, channels-last, writes outside its memory on
    # processors without AVX-512 (PyTorch 2.15); pre-activation ResNets have one.
    width = 8 if name == "depth_garments" else 4
    small = replace(recipe.scales[scale], epochs=1, width=width, batch_size=64)
    monkeypatch.setitem(recipes(), name, replace(recipe, scales={**recipe.scales, scale: small}))
    for variant in recipe.variants:
        run = train(name, scale=scale, variant=variant, progress=False)
        assert list(run.history.epochs[0]) == ["loss", "accuracy", "test_accuracy", "test_loss"]
        metrics = dict(run.metrics)
        assert [metrics.pop(n) for n in ("accuracy", "loss")] == [
            run.history.last("test_accuracy"),
            run.history.last("test_loss"),
        ]
        assert set(metrics) == BESIDES.get(name, set())
        assert not run.model.training
        assert 0 <= run.metrics["accuracy"] <= 1
        assert run.seconds > 0
    assert set(asked) == {"full" if scale == "gpu" else "subset"}


def test_learns_garments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if the real recipe does not learn: 3,000 garments and two short epochs, far above the 10 % of chance."""
    real = datasets.garments
    monkeypatch.setattr(datasets, "garments", lambda split, size: real(split).take(3000 if split == "train" else 500))
    recipe = recipes()["vgg_garments"]
    small = replace(recipe.scales["laptop"], epochs=2, width=8)
    monkeypatch.setitem(recipes(), "vgg_garments", replace(recipe, scales={"laptop": small}))
    assert train("vgg_garments", progress=False).metrics["accuracy"] > 0.5


def test_a_seed_decides_everything_and_nothing_outside() -> None:
    """Fails if a run cannot be repeated, if seeds agree, or if a run moves the caller's generator."""
    torch.manual_seed(99)
    state = torch.get_rng_state()
    first, again, other = train("tiny", seed=1), train("tiny", seed=1), train("tiny", seed=2)
    assert torch.equal(state, torch.get_rng_state())
    assert first.history.epochs == again.history.epochs
    assert first.history.epochs != other.history.epochs


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"name": "vgg_garmets"}, "Did you mean 'vgg_garments'"),
        ({"name": "tiny", "scale": "laptp"}, "Did you mean 'laptop'"),
        ({"name": "tiny", "variant": "wid"}, "Did you mean 'wide'"),
        ({"name": "tiny", "seed": -1}, "at least 0; got -1"),
        ({"name": "tiny", "seed": "0"}, "got '0'"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    """Fails if a wrong name ends in a KeyError."""
    with pytest.raises(CourseError) as caught:
        train(**arguments)
    assert sentence in str(caught.value)


def test_missing_full_data_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if the gpu scale without its data ends in a traceback, or falls back to the subset in silence."""

    def none(split: str = "train", *, size: str = "subset") -> datasets.ImageSet:
        raise CourseError(f"The {size} set is not on this computer.")

    monkeypatch.setattr(datasets, "garments", none)
    with pytest.raises(CourseError, match="The full set is not on this computer"):
        train("vgg_garments", scale="gpu")


@pytest.mark.parametrize(("kernel", "stride", "side"), [(7, 4, 4), (5, 2, 7)])
def test_small_alexnet_stage_by_stage(kernel: int, stride: int, side: int) -> None:
    """Fails if a stem does not leave the maps that the lesson shows."""
    model = small_alexnet(kernel=kernel, stride=stride)
    images = torch.randn(2, 1, 28, 28)
    assert model[:3](images).shape == (2, 16, side, side)
    assert model[:11](images).shape == (2, 32, side, side)
    assert model(images).shape == (2, 10)


def test_two_3x3_and_one_5x5_see_equally_far() -> None:
    """Fails if the study compares networks that differ in more than how a 5×5 field is made."""
    from crashcourse.classification.convolution import receptive_field

    assert {receptive_field([(kernel, 1) for kernel in kernels]) for kernels in DEPTHS.values()} == {5}
    scale = Scale(epochs=1, batch_size=1, learning_rate=0.1, compares=())
    two, one = vgg_variant("two_3x3", scale), vgg_variant("one_5x5", scale)
    shapes = [[tuple(p.shape) for p in model.classifier.parameters()] for model in (two, one)]
    assert shapes[0] == shapes[1]
    kernels = [{m.kernel_size for m in model.features if isinstance(m, nn.Conv2d)} for model in (two, one)]
    assert kernels == [{(3, 3)}, {(5, 5)}]


def test_step_and_evaluation_by_hand() -> None:
    """Fails if accuracy or cross-entropy are not the means that they claim to be."""
    logits = torch.tensor([[0.0, 0.0], [0.0, 100.0], [100.0, 0.0], [0.0, 100.0]])
    labels = torch.tensor([0, 1, 0, 0])
    model = nn.Linear(2, 2)
    with torch.no_grad():
        model.weight.copy_(torch.eye(2))
        model.bias.zero_()
    expected = {"accuracy": 0.75, "loss": pytest.approx((0.6931472 + 100) / 4)}
    assert {k: v.item() for k, v in classify(model, (logits, labels)).items()} == expected
    assert evaluate_classifier(model, logits, labels, batch_size=3) == expected


def test_import_is_light() -> None:
    """Fails if importing the room loads torchvision, accelerate, matplotlib or widgets, or prints."""
    heavy = "{'accelerate', 'matplotlib', 'torchvision', 'ipywidgets', 'skimage'}"
    code = f"import sys, crashcourse.recipes; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
