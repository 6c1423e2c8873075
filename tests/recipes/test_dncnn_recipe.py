"""The recipes of lesson 50: what each variant is, learns and is told, and that a small one beats its input."""

import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from crashcourse.errors import CourseError
from crashcourse.recipes import recipes
from crashcourse.recipes.base import Job, Scale
from crashcourse.recipes.dncnn import (
    DNCNN_PHOTOS,
    FORMS,
    HIGHEST,
    SIGMA,
    YARDSTICKS,
    SmallFFDNet,
    dncnn_step,
    measure_yardstick,
    train_denoiser,
    with_noise,
)
from crashcourse.recipes.photographs import held_out
from crashcourse.recipes.restorer import mean_scores, score
from crashcourse.restoration import DnCNN, non_local_means, residual_loss

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
    assert isinstance(model, SmallFFDNet if "FFDNet" in says else DnCNN)
    assert form.residual == ("predicts the noise" in says)
    assert model.residual == form.residual
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
    assert tuple(FORMS) == tuple(recipe.variants)
    large = recipe.scale("gpu")
    model = FORMS[recipe.default].build(large)
    assert sum(parameter.numel() for parameter in model.parameters()) == 556_097
    assert large.test_side is None


def test_an_ffdnet_that_predicts_noise_starts_with_none():
    """Fails if it starts far from the noisy image, so that a short training first learns to copy."""
    noisy, sigma = torch.rand(2, 1, 7, 8), torch.tensor([10.0, 50.0])
    model = SmallFFDNet(3, 8).eval()
    assert torch.equal(model(noisy, sigma), noisy)
    nn.init.ones_(model.model[-1].bias)
    assert torch.allclose(model(noisy, sigma), noisy - 1)


def test_yardsticks_are_measured_on_the_same_noise():
    """Fails if a yardstick is told another level than the noise has, or is scored on other photographs."""
    scale = replace(recipes()["yardsticks_photos"].scale("study"), test_side=48)
    assert recipes()["yardsticks_photos"].scale("study").test_side == DNCNN_PHOTOS.scale("study").test_side
    run = measure_yardstick(Job(scale, "non_local_means", 0, progress=False))
    for sigma, name in ((25, "psnr"), (10, "psnr_10"), (50, "psnr_50")):
        held = held_out(with_noise(sigma), grey=True, side=48)
        found = mean_scores(score(lambda y, s=sigma: non_local_means(y, s, strength=0.7), held))
        assert run.metrics[name] == pytest.approx(found["psnr"])
    noisy = measure_yardstick(Job(scale, "noisy", 0, progress=False))
    assert list(noisy.metrics) == list(run.metrics)
    assert noisy.metrics["psnr"] < run.metrics["psnr"]
    assert set(YARDSTICKS) == set(recipes()["yardsticks_photos"].variants)


def test_without_its_package_bm3d_is_refused_in_words(monkeypatch):
    """Fails if a study of yardsticks ends in an ImportError."""
    monkeypatch.setitem(sys.modules, "bm3d", None)
    with pytest.raises(CourseError, match="pip install bm3d"):
        measure_yardstick(Job(recipes()["yardsticks_photos"].scale("study"), "bm3d", 0, progress=False))
