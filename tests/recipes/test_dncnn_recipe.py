"""The recipes of lesson 50: what each variant is, learns and is told, and that a small one beats its input."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from crashcourse.recipes import recipes
from crashcourse.recipes.base import Job, Scale
from crashcourse.recipes.dncnn import DNCNN_PHOTOS, FORMS, HIGHEST, SIGMA, dncnn_step, train_denoiser, with_noise
from crashcourse.restoration import DnCNN, FFDNet, residual_loss

TINY = Scale(
    epochs=1,
    batch_size=4,
    learning_rate=1e-2,
    weight_decay=0,
    depth=3,
    width=8,
    stages=(),
    patch=16,
    images=8,
    test_side=32,
    compares=(),
)


def clean(n: int = 200) -> torch.Tensor:
    return torch.full((n, 1, 16, 16), 0.5)


@pytest.mark.parametrize("name", FORMS)
def test_a_variant_is_what_its_description_says(name):
    """Fails if a variant trains another network than the table of the study says."""
    form, says = FORMS[name], DNCNN_PHOTOS.variants[name]
    model = form.build(TINY)
    assert isinstance(model, FFDNet if "FFDNet" in says else DnCNN)
    if isinstance(model, DnCNN):
        assert model.residual == ("predicts the noise" in says)
        norms = sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())
        assert norms == (0 if "no BatchNorm" in says else TINY.depth - 2)
    assert form.every_level == ("up to 55" in says)


@pytest.mark.parametrize("name", FORMS)
def test_the_noise_that_a_variant_learns(name):
    """Fails if a network for one level sees others, a blind one sees one level, or a told one hears a wrong level."""
    form = FORMS[name]
    noisy, *told, truth = form.make()(clean(), torch.Generator().manual_seed(0))
    levels = 255 * (noisy - truth).std((1, 2, 3))  # (N,)
    assert torch.equal(truth, clean())
    if form.every_level:
        assert levels.min() < 0.1 * HIGHEST
        assert 0.9 * HIGHEST < levels.max() < 1.2 * HIGHEST
        assert levels.mean() == pytest.approx(HIGHEST / 2, rel=0.15)
    else:
        assert levels.mean() == pytest.approx(SIGMA, rel=0.02)
        assert levels.std() < 2
    assert bool(told) == form.told
    if told:
        assert (told[0] - levels).abs().max() < 10


def test_examples_of_one_level_tell_that_level():
    """Fails if a network that is told is scored with another level than the noise has."""
    noisy, sigma, truth = with_noise(50, told=True)(clean(), torch.Generator().manual_seed(0))
    assert sigma.tolist() == [50.0] * 200
    assert 255 * (noisy - truth).std() == pytest.approx(50, rel=0.02)
    assert len(with_noise(50)(clean(), torch.Generator().manual_seed(0))) == 2


def test_the_step_is_equation_1():
    """Fails if the step leaves the paper's loss, or a network that is told the level does not get it."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    for name in ("residual", "told"):
        batch, model = FORMS[name].make()(torch.rand(3, 1, 8, 8), generator), FORMS[name].build(TINY)
        expected = residual_loss(model(*batch[:-1]), batch[-1]).item()
        assert dncnn_step(model, batch)["loss"].item() == pytest.approx(expected)


@pytest.mark.parametrize("name", FORMS)
def test_every_variant_trains_and_is_scored_at_three_levels(name):
    """Fails if a variant cannot run, or the columns of a study differ between its rows."""
    torch.manual_seed(0)
    run = train_denoiser(Job(TINY, name, 0, progress=False))
    assert list(run.metrics) == ["psnr", "ssim", "psnr_10", "psnr_50"]
    assert all(value == value for value in run.metrics.values())


def test_a_minute_of_a_small_network_gains_on_held_out_photographs():
    """Fails if training finds nothing: in a few seconds a residual network takes most of the noise off."""
    torch.manual_seed(0)
    scale = replace(TINY, epochs=1, batch_size=8, width=12, patch=24, images=8 * 120, test_side=64)
    run = train_denoiser(Job(scale, "residual", 0, progress=False))
    assert run.metrics["psnr"] > 20.6 + 4


def test_the_study_has_the_budget_of_the_lesson_and_gpu_scale_is_the_papers_network():
    """Fails if the record is of another run than the one in the lesson, or the full network is not DnCNN-S."""
    recipe = recipes()["dncnn_photos"]
    assert replace(recipe.scale("study"), compares=()) == replace(recipe.scale("laptop"), compares=())
    assert recipe.scale("study").compares == tuple(FORMS) == tuple(recipe.variants)
    large = recipe.scale("gpu")
    model = FORMS[recipe.default].build(large)
    assert sum(parameter.numel() for parameter in model.parameters()) == 556_097
    assert large.test_side is None
