"""Training and scoring an image-to-image network on photographs: what the recipes of part 5 share.

A restorer takes all tensors of an example but the last, which is the truth. The data are in `photographs.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from crashcourse.errors import CourseError
from crashcourse.recipes.base import Job, Run
from crashcourse.recipes.photographs import HeldOut, Make, PatchBatches, check_apart, held_out, restoration_photos
from crashcourse.recipes.settings import TrainingSettings
from crashcourse.restoration import psnr, quantize, ssim
from crashcourse.training import Machine
from crashcourse.training.contracts import Step

Measure = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""`(restored, truth)` -> PSNR `(N,)` and SSIM `(N,)`."""


def channel_scores(restored: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """PSNR and SSIM of all channels, of what an 8-bit file would hold; as in papers about denoising."""
    restored = quantize(restored)
    return psnr(restored, truth), ssim(restored, truth)


@torch.no_grad()
def score(
    restore: Callable[..., Tensor], held: HeldOut, *, measure: Measure = channel_scores
) -> dict[str, tuple[float, float]]:
    """PSNR and SSIM for each held-out photograph.

    Args:
        restore: whatever takes all tensors of an example but the last and gives back `(1, C, H, W)`: a network in
            evaluation mode, or a function, such as `lambda noisy: noisy`. A network is called on its own device.
        held: the photographs.
        measure: see `Measure`; for super-resolution `partial(super_resolution_scores, scale=2)`.

    Returns:
        Name -> (PSNR in decibels, SSIM).
    """
    device = next(restore.parameters()).device if isinstance(restore, nn.Module) else torch.device("cpu")
    found = {}
    for name, (*inputs, truth) in held.examples.items():
        restored = restore(*(tensor.to(device) for tensor in inputs)).cpu().float()
        found[name] = tuple(value.item() for value in measure(restored, truth))
    return found


def mean_scores(scores: dict[str, tuple[float, float]]) -> dict[str, float]:
    """{"psnr": mean over photographs, "ssim": mean over photographs}, as papers average."""
    both = torch.tensor(list(scores.values()), dtype=torch.float64).mean(0)
    return {"psnr": both[0].item(), "ssim": both[1].item()}


def squared_error_step(model: nn.Module, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """The step of most denoisers: the mean squared error of `model(*inputs)`."""
    *inputs, truth = batch
    return {"loss": (model(*inputs).float() - truth).square().mean()}


def absolute_error_step(model: nn.Module, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """The step of most super-resolvers: the mean absolute error of `model(*inputs)`."""
    *inputs, truth = batch
    return {"loss": (model(*inputs).float() - truth).abs().mean()}


@dataclass(frozen=True, kw_only=True)
class RestorationSettings(TrainingSettings):
    """How to train a restorer, within the budget that a `Scale` gives: Adam under one cycle.

    Attributes:
        optimizer, schedule, clip_norm, channels_last: see `TrainingSettings`.
        precision: a network that gives out the image needs float32, as the 8 bits of bfloat16 lose grey levels. One
            that gives out what is wrong with it, such as noise, and takes that off in float32 can do with "bf16".
        watched: the side of the squares on which a PSNR is taken after every epoch; those of the scale for None.

    Raises:
        CourseError: an optimizer or a schedule that is not known.
    """

    optimizer: str = "adam"
    precision: str | None = "fp32"
    watched: int | None = 96


DEFAULT = RestorationSettings()


def train_on_photos(
    model: nn.Module,
    job: Job,
    *,
    make: Make,
    step: Step = squared_error_step,
    grey: bool = False,
    measure: Measure = channel_scores,
    examine: Make | None = None,
    settings: RestorationSettings = DEFAULT,
) -> Run:
    """Train an image-to-image network within the job's budget, and score it on photographs that it never saw.

    Args:
        model: takes all tensors of an example but the last, and gives back `(N, C, H, W)`.
        job: of its scale, `patch` is the side of the clean patches, `images` how many an epoch has, `test_side` the
            side of the squares to score on (None: whole photographs).
        make: makes examples of clean patches.
        step: the loss of a batch as `make` gives it.
        grey: grey images in place of colour.
        measure: see `Measure`.
        examine: makes the held-out examples, where that is another task than `make`'s: noise of one level for a network
            that is trained on all.
        settings: how to train; by default Adam under one cycle.

    Returns:
        The run. Its history has "test_psnr" after each epoch, on squares of `settings.watched`; its metrics are the
        means over held-out photographs, {"psnr": decibels, "ssim": of 1}.

    Raises:
        CourseError: a scale without `patch` or `images`.
    """
    scale = job.scale
    if scale.patch is None or scale.images is None:
        raise CourseError("This scale has no patch and no images, so it is none for restoration: give it both.")
    training = restoration_photos("train", grey=grey)
    hold = partial(held_out, examine or make, grey=grey)
    held = hold(side=scale.test_side)
    watched = hold(side=settings.watched or scale.test_side)
    check_apart(training, held)
    batches = PatchBatches(
        list(training.values()),
        make,
        patch=scale.patch,
        batch_size=scale.batch_size,
        count=scale.images,
        seed=job.seed,
        device=Machine().resolved().device,
    )

    def evaluate(model: nn.Module) -> dict[str, float]:
        return {"test_psnr": mean_scores(score(model, watched, measure=measure))["psnr"]}

    history = settings.fit(model, batches, step, job, evaluate=evaluate)
    return Run(model, history, mean_scores(score(model, held, measure=measure)), history.seconds)
