"""Recipes of lesson 50: small DnCNNs and a small FFDNet on patches of grey photographs, and DnCNN-S whole.

Papers: Zhang et al., 2016, arXiv:1608.03981: equation 1, residual against direct prediction and BatchNorm (figure 2),
one level (DnCNN-S) and all levels from 0 to 55 (DnCNN-B). Zhang et al., 2017, arXiv:1710.04026: FFDNet, which is told
the level. **Differs from the papers:** 19 photographs in place of 400; Adam under one cycle in place of SGD or Adam in
stairs; small networks and a few hundred updates at laptop and study scale; FFDNet has the levels of DnCNN-B, and about
the MACs of the DnCNN beside it.

`yardsticks_photos` trains nothing: non-local means and BM3D on the same photographs and the same noise. `dncnn_evening`
is DnCNN-S, too, for a long run without a GPU: a twenty-fifth of the paper's patches, in bf16 where it does no harm.

All are scored on the same noise, of sigma 25 first; "psnr_10" and "psnr_50" are PSNRs where the noise has another
level. PSNR and SSIM are those of 8-bit files.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from crashcourse.recipes.base import Job, Recipe, Run, Scale
from crashcourse.recipes.photographs import DATA, Make, held_out
from crashcourse.recipes.restorer import DEFAULT, RestorationSettings, mean_scores, score, train_on_photos
from crashcourse.restoration import DnCNN, FFDNet, bm3d, gaussian_noise, non_local_means, residual_loss
from crashcourse.training import History

SIGMA = 25
"""The level that networks for one level are trained on, and that all are scored on."""
HIGHEST = 55
"""Blind networks, and those that are told, learn all levels from 0 to this."""
OTHER_LEVELS = (10, 50)
"""Levels that a network for sigma 25 was not made for."""


class SmallFFDNet(FFDNet):
    """FFDNet for a short training: BatchNorm as in the paper's section III.B, where the released weights have none.

    Args:
        depth: number of convolutions.
        width: channels between.
        residual: take the output off the noisy image. FFDNet itself gives out the image, and within a lesson's minute
            learns little more than to copy it.
    """

    def __init__(self, depth: int, width: int, *, residual: bool = True) -> None:
        super().__init__(1, depth, width)
        self.residual = residual
        first, *between, last = (module for module in self.model if isinstance(module, nn.Conv2d))
        layers = [first, nn.ReLU(inplace=True)]
        for convolution in between:
            layers += [convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        self.model = nn.Sequential(*layers, last)
        if residual:
            nn.init.zeros_(last.weight)  # at first nothing is taken off

    def forward(self, noisy: Tensor, sigma: float | Tensor) -> Tensor:
        """As FFDNet's: (N, 1, H, W) and a level -> the same shape."""
        output = super().forward(noisy, sigma)
        return noisy - output if self.residual else output


@dataclass(frozen=True, kw_only=True)
class Form:
    """What a denoiser is like, and what it learns.

    Attributes:
        residual: predict the noise and take it off; else give out the image.
        batch_norm: behind every convolution but the first and the last.
        every_level: learn noise of any level up to `HIGHEST`, each patch its own; else of `SIGMA`.
        told: an FFDNet with BatchNorm, which takes the level as its second input. It works on a quarter of the
            places, so it gets twice the channels: about as many MACs.
        rate: times the scale's learning rate: the best of a few that were tried with another seed and half the updates.
    """

    residual: bool = True
    batch_norm: bool = True
    every_level: bool = False
    told: bool = False
    rate: float = 1.0

    def build(self, scale: Scale) -> nn.Module:
        """A fresh network of the scale's depth and width, for grey images."""
        if self.told:
            return SmallFFDNet(scale.depth, 2 * scale.width, residual=self.residual)
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
    "residual_plain": Form(batch_norm=False, rate=0.5),
    "direct": Form(residual=False, rate=0.5),
    "direct_plain": Form(residual=False, batch_norm=False, rate=0.25),
    "blind": Form(every_level=True),
    "told": Form(every_level=True, told=True, rate=1.5),
    "told_direct": Form(residual=False, every_level=True, told=True, rate=1.5),
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


def train_denoiser(job: Job, *, settings: RestorationSettings = DEFAULT) -> Run:
    """Train the job's variant. Its metrics are "psnr" and "ssim" at `SIGMA`, then "psnr_10" and "psnr_50"."""
    form = FORMS[job.variant]
    examine = with_noise(SIGMA, told=form.told)
    make, model = form.make(), form.build(job.scale)
    job = replace(job, scale=replace(job.scale, learning_rate=form.rate * job.scale.learning_rate))
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


def measure_yardstick(job: Job) -> Run:
    """The scores of a denoiser that learns nothing; its history has one entry, and its model no parameter.

    Raises:
        CourseError: "bm3d" without the package, which is free for non-commercial use only.
    """
    denoise, start = YARDSTICKS[job.variant], time.perf_counter()
    found: dict[str, float] = {}
    for sigma in (SIGMA, *OTHER_LEVELS):
        held = held_out(with_noise(sigma), grey=True, side=job.scale.test_side)
        mean = mean_scores(score(partial(denoise, sigma=sigma), held))
        found |= mean if sigma == SIGMA else {f"psnr_{sigma}": mean["psnr"]}
    history = History(epochs=[{"test_psnr": found["psnr"]}], seconds=time.perf_counter() - start)
    return Run(nn.Identity(), history, found, history.seconds)


def _unchanged(noisy: Tensor, sigma: float) -> Tensor:
    return noisy


YARDSTICKS: Mapping[str, Callable[..., Tensor]] = {
    "bm3d": bm3d,
    "non_local_means": partial(non_local_means, strength=0.7),
    "noisy": _unchanged,
}
"""Variant -> `(noisy, sigma=...)` -> restored. The strength of non-local means is the best of 0.6, 0.7, 0.8 and 0.9."""

LAPTOP = Scale(
    epochs=4,
    batch_size=16,
    learning_rate=2e-2,
    weight_decay=0,
    depth=7,
    width=16,
    stages=(),
    patch=32,
    images=16 * 200,
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
        "told": "an FFDNet that predicts the noise, told its level, up to 55",
        "told_direct": "an FFDNet as in the paper, gives out the image, told the level, up to 55",
    },
    scales={
        "laptop": LAPTOP,
        "study": replace(LAPTOP, compares=("residual", "residual_plain", "direct", "direct_plain", "blind", "told")),
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
            compares=("residual", "direct", "blind", "told_direct"),
        ),
    },
    run=train_denoiser,
)

DNCNN_EVENING = Recipe(
    name="dncnn_evening",
    title="DnCNN-S on patches of grey photographs with noise of sigma 25, without a GPU",
    data=DATA,
    variants={"residual": DNCNN_PHOTOS.variants["residual"]},
    scales={
        "gpu": replace(  # an evening on a CPU, and minutes on a GPU
            DNCNN_PHOTOS.scales["gpu"],
            epochs=16,
            batch_size=32,
            learning_rate=1e-2,
            images=32 * 800,
            test_side=LAPTOP.test_side,
            compares=("residual",),
        ),
    },
    run=partial(train_denoiser, settings=RestorationSettings(precision="bf16")),
)
YARDSTICKS_PHOTOS = Recipe(
    name="yardsticks_photos",
    title="denoisers that learn nothing, on grey photographs with noise",
    data=DATA,
    variants={
        "bm3d": "BM3D, told the level of noise; the package bm3d",
        "non_local_means": "non-local means, told the level of noise; scikit-image",
        "noisy": "the noisy image as it is",
    },
    scales={
        "study": Scale(
            epochs=1,
            batch_size=1,
            learning_rate=0.0,
            stages=(),
            test_side=LAPTOP.test_side,
            compares=("bm3d", "non_local_means", "noisy"),
        ),
    },
    run=measure_yardstick,
)

RECIPES = [DNCNN_PHOTOS, DNCNN_EVENING, YARDSTICKS_PHOTOS]
