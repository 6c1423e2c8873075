"""The recipes of lesson 53: what each variant has, what it learns from, and that a small one beats bicubic."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from crashcourse.inspection import count_parameters
from crashcourse.recipes import recipes
from crashcourse.recipes.base import Job, Scale, train
from crashcourse.recipes.photographs import held_out
from crashcourse.recipes.rcan import (
    DEPTH_PHOTOS,
    DEPTHS,
    PARTS,
    RCAN_PHOTOS,
    PlainStack,
    enlarge,
    scores_on_y,
    stack,
)
from crashcourse.recipes.restorer import mean_scores, score
from crashcourse.restoration import EDSR, ChannelAttention, bicubic_resize, psnr, quantize, rcan
from crashcourse.restoration.rcan import ResidualGroup

TINY = Scale(
    epochs=1,
    batch_size=4,
    learning_rate=1e-3,
    weight_decay=0,
    width=8,
    stages=(1, 1),
    patch=16,
    images=8,
    test_side=32,
    compares=(),
)


@pytest.mark.parametrize("name", PARTS)
def test_a_variant_has_what_its_description_says(name):
    """Fails if a row of the study is another network than its name, or the three parts are mixed up."""
    says = [part.strip() for part in RCAN_PHOTOS.variants[name].split(",")]
    model = PARTS[name].build(TINY)
    assert model.long_skip == ("long skip" in says)
    groups = [module for module in model.modules() if isinstance(module, ResidualGroup)]
    assert [group.short_skip for group in groups] == 2 * ["short skips" in says]
    gates = [module for module in model.modules() if isinstance(module, ChannelAttention)]
    assert len(gates) == (2 if "channel attention" in says else 0)


def test_all_eight_columns_of_table_1_are_there():
    """Fails if a combination is missing, or there twice: the table would not stand beside the paper's."""
    combinations = {(parts.long_skip, parts.short_skip, parts.attention) for parts in PARTS.values()}
    assert len(combinations) == len(PARTS) == 8
    assert set(RCAN_PHOTOS.scale("study").compares) == set(PARTS)


def test_scales_build_the_networks_that_are_meant():
    """Fails if the network of the GPU is not the paper's, or small gates have other units than four."""
    with torch.device("meta"):
        whole = PARTS["rcan"].build(RCAN_PHOTOS.scale("gpu"))
    assert count_parameters(whole) == count_parameters(rcan(2)) == 15_444_643
    small = PARTS["rcan"].build(RCAN_PHOTOS.scale("laptop"))
    assert {m.conv_du[0].out_channels for m in small.modules() if isinstance(m, ChannelAttention)} == {4}


def test_examples_are_the_published_protocols():
    """Fails if small images are not 8-bit, or the scores see colours, or the border."""
    torch.manual_seed(0)
    clean = quantize(torch.rand(2, 3, 24, 28))
    low, truth = enlarge(clean, torch.Generator())
    assert low.shape == (2, 3, 12, 14)
    assert torch.equal(truth, clean)
    torch.testing.assert_close(low * 255, (low * 255).round(), atol=1e-4, rtol=0)
    wrong = clean.clone()
    wrong[:, :, :2], wrong[..., -2:] = 1, 0  # the border does not count
    wrong[:, 0, 8, 8] = 1 - wrong[:, 0, 8, 8].round()
    found = scores_on_y(wrong, clean)[0]
    torch.testing.assert_close(found, psnr(wrong, clean, on="y", border=2))


@pytest.mark.parametrize("depth", DEPTHS)
def test_stacks_of_one_depth_differ_in_their_skips_alone(depth):
    """Fails if a stack has more parameters than the other: the study would compare sizes."""
    plain, skips = stack(f"plain_{depth}", 8), stack(f"skips_{depth}", 8)
    assert isinstance(plain, PlainStack)
    assert isinstance(skips, EDSR)
    assert count_parameters(plain) == count_parameters(skips)
    for model in (plain, skips):
        assert sum(isinstance(layer, nn.Conv2d) for layer in model.body.modules()) == depth
    assert not plain.long_skip
    assert plain(torch.rand(1, 3, 5, 6)).shape == (1, 3, 10, 12)


@pytest.mark.parametrize("recipe", [RCAN_PHOTOS, DEPTH_PHOTOS], ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("scale", ["laptop", "gpu"])
def test_every_variant_trains(recipe, scale, monkeypatch):
    """Fails if a recipe's code breaks anywhere before its budget matters."""
    stages = recipe.scale(scale).stages and TINY.stages
    scales = {**recipe.scales, scale: replace(TINY, stages=stages)}
    monkeypatch.setitem(recipes(), recipe.name, replace(recipe, scales=scales))
    for variant in recipe.variants:
        run = train(recipe.name, scale=scale, variant=variant, progress=False)
        assert list(run.metrics) == ["psnr", "ssim"]
        assert run.history.curve("test_psnr")[0] > 5
        assert not run.model.training


def test_a_few_seconds_of_a_small_stack_nearly_reach_bicubic():
    """Fails if training finds nothing: the network starts far below, at 10 dB or so, since no bicubic is added."""
    scale = replace(DEPTH_PHOTOS.scale("laptop"), epochs=1, images=8 * 150, test_side=96)
    torch.manual_seed(0)
    run = DEPTH_PHOTOS.run(Job(scale, "skips_3", 0, progress=False))
    held = held_out(enlarge, side=96)
    bicubic = mean_scores(score(lambda low: bicubic_resize(low, 2), held, measure=scores_on_y))["psnr"]
    assert run.metrics["psnr"] > bicubic - 1
