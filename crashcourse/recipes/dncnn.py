"""Recipes of lesson 50: small DnCNNs and a small FFDNet on patches of grey photographs, and DnCNN-S whole.

Papers: Zhang et al., 2016, arXiv:1608.03981: equation 1, residual against direct prediction and BatchNorm (figure 2),
one level (DnCNN-S) and all levels from 0 to 55 (DnCNN-B). Zhang et al., 2017, arXiv:1710.04026: FFDNet, which is told
the level. **Differs from the papers:** 19 photographs in place of 400; Adam under one cycle in place of SGD or Adam in
stairs; small networks and a few hundred updates at laptop and study scale; FFDNet's levels are those of DnCNN-B.

All are scored on the same noise, of sigma 25 first; "psnr_10" and "psnr_50" are PSNRs where the noise has another
level. PSNR and SSIM are those of 8-bit files.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from crashcourse.recipes.base import Job, Recipe, Run, Scale
from crashcourse.recipes.photographs import (
    DATA,
    Make,
    RestorationSettings,
    held_out,
    mean_scores,
    score,
    train_on_photos,
)
from crashcourse.restoration import DnCNN, FFDNet, gaussian_noise, residual_loss

SIGMA = 25
"""The level that networks for one level are trained on, and that all are scored on."""
HIGHEST = 55
"""Blind networks, and those that are told, learn all levels from 0 to this."""
OTHER_LEVELS = (10, 50)
"""Levels that a network for sigma 25 was not made for."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """What a denoiser is like, and what it learns.

    Attributes:
        residual: predict the noise and take it off; else give out the image.
        batch_norm: behind every convolution but the first and the last.
        every_level: learn noise of any level up to `HIGHEST`, each patch its own; else of `SIGMA`.
        told: an FFDNet, which takes the level as its second input.
    """

    residual: bool = True
    batch_norm: bool = True
    every_level: bool = False
    told: bool = False

    def build(self, scale: Scale) -> nn.Module:
        """A fresh network of the scale's depth and width, for grey images."""
        if self.told:
            return FFDNet(1, scale.depth, scale.width)
        return DnCNN(1, scale.depth, width=scale.width, batch_norm=self.batch_norm, residual=self.residual)

    def make(self) -> Make:
        """Makes examples to train on."""

        def every(clean: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
            sigma = HIGHEST * torch.rand(len(clean), generator=generator)  # (N,)
            noisy = gaussian_noise(clean, sigma, generator)
            return (noisy, sigma, clean) if self.told else (noisy, clean)

        return every if self.every_level else with_noise(SIGMA, told=self.told)


FORMS: Mapping[str, Form] = {
    "residual": Form(),
    "residual_plain": Form(batch_norm=False),
    "direct": Form(residual=False),
    "direct_plain": Form(residual=False, batch_norm=False),
    "blind": Form(every_level=True),
    "told": Form(every_level=True, told=True),
}
"""Variant -> what its network is like."""


def with_noise(sigma: float, *, told: bool = False) -> Make:
    """Makes examples with noise of one level, neither clipped nor rounded: (noisy, clean) or (noisy, sigma, clean)."""

    def make(clean: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
        noisy = gaussian_noise(clean, sigma, generator)
        return (noisy, torch.full((len(clean),), float(sigma)), clean) if told else (noisy, clean)

    return make


def dncnn_step(model: nn.Module, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """The step of DnCNN and FFDNet: equation 1 on a batch of patches.

    Args:
        model: takes all tensors of the batch but the last.
        batch: noisy `(N, 1, S, S)`, for a network that is told the level sigma `(N,)`, and clean `(N, 1, S, S)`.
    """
    *inputs, clean = batch
    return {"loss": residual_loss(model(*inputs), clean)}


def train_denoiser(job: Job) -> Run:
    """Train the job's variant. Its metrics are "psnr" and "ssim" at `SIGMA`, then "psnr_10" and "psnr_50"."""
    form = FORMS[job.variant]
    examine, settings = with_noise(SIGMA, told=form.told), RestorationSettings()
    make, model = form.make(), form.build(job.scale)
    run = train_on_photos(model, job, make=make, step=dncnn_step, grey=True, examine=examine, settings=settings)
    if run.history.interrupted:
        return run
    others = {
        f"psnr_{sigma}": mean_scores(
            score(run.model, held_out(with_noise(sigma, told=form.told), grey=True, side=job.scale.test_side))
        )["psnr"]
        for sigma in OTHER_LEVELS
    }
    return replace(run, metrics={**run.metrics, **others})


LAPTOP = Scale(
    epochs=4,
    batch_size=16,
    learning_rate=1e-2,
    weight_decay=0,
    depth=5,
    width=16,
    stages=(),
    patch=32,
    images=2800,
    test_side=192,
    compares=("residual",),
)
DNCNN_PHOTOS = Recipe(
    name="dncnn_photos",
    title="a DnCNN on patches of grey photographs with noise",
    data=DATA,
    variants={
        "residual": "predicts the noise, BatchNorm, one level of noise",
        "residual_plain": "predicts the noise, no BatchNorm",
        "direct": "gives out the image, BatchNorm",
        "direct_plain": "gives out the image, no BatchNorm",
        "blind": "predicts the noise, BatchNorm, any level of noise up to 55",
        "told": "an FFDNet, told the level of noise, up to 55",
    },
    scales={
        "laptop": LAPTOP,
        "study": replace(LAPTOP, compares=tuple(FORMS)),
        "gpu": Scale(  # patches, batches and epochs as in the paper
            epochs=50,
            batch_size=128,
            learning_rate=1e-3,
            weight_decay=0,
            depth=17,
            width=64,
            stages=(),
            patch=40,
            images=128 * 1600,
            compares=("residual", "direct", "blind", "told"),
        ),
    },
    run=train_denoiser,
)

RECIPES = [DNCNN_PHOTOS]
