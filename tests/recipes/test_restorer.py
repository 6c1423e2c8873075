"""Image-to-image training: splits by photograph, scores by the papers' rules, steps, the run, settings."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from crashcourse.datasets import photos
from crashcourse.errors import CourseError
from crashcourse.recipes import Scale
from crashcourse.recipes.base import Job
from crashcourse.recipes.photographs import HeldOut, check_apart, held_out
from crashcourse.recipes.restorer import (
    DEFAULT,
    RestorationSettings,
    absolute_error_step,
    channel_scores,
    mean_scores,
    score,
    squared_error_step,
    train_on_photos,
)
from crashcourse.restoration import gaussian_noise, psnr, ssim

TINY = Scale(epochs=2, batch_size=4, learning_rate=0.01, compares=(), images=8, patch=16, test_side=32, weight_decay=0)


def noisy(clean: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
    return gaussian_noise(clean, 25, generator), clean


def test_no_test_photograph_reaches_a_training_batch(monkeypatch):
    """Fails if a held-out photograph gets into training: every pixel of a batch must be a training photograph's."""
    real = photos

    def marked(split="train"):
        value = {"train": 200, "test": 50}[split]
        return [replace(photo, image=torch.full_like(photo.image, value)) for photo in real(split)]

    monkeypatch.setattr("crashcourse.datasets.photos", marked)
    seen: dict[str, set[float]] = {"training": set(), "held out": set()}

    def make(what):
        def watch(clean, generator):
            seen[what] |= set((255 * clean).round().unique().tolist())
            return clean, clean

        return watch

    job = Job(TINY, "any", 0, progress=False)
    train_on_photos(nn.Conv2d(3, 3, 1), job, make=make("training"), examine=make("held out"))
    assert seen == {"training": {200.0}, "held out": {50.0}}


def test_a_photograph_in_both_splits_is_refused(monkeypatch):
    """Fails if a photograph that moves from one split to the other is trained on and scored on."""
    both = photos("test")[:3]
    monkeypatch.setattr("crashcourse.datasets.photos", lambda split: both)
    with pytest.raises(CourseError, match="'astronaut' is held out"):
        train_on_photos(nn.Conv2d(3, 3, 1), Job(TINY, "any", 0, progress=False), make=noisy)
    check_apart({"boulder": both[0].image}, HeldOut({"camera": ()}))


def test_scores_are_of_what_a_file_would_hold_and_averaged_as_in_papers():
    """Fails if values beyond white count as errors, or the mean is that of squared errors over all photographs."""
    held = held_out(noisy, grey=True, side=48)
    found = score(lambda image: image, held)
    image, truth = held.examples["coffee"]
    stored = (image.clamp(0, 1) * 255).round() / 255
    assert found["coffee"] == pytest.approx((psnr(stored, truth).item(), ssim(stored, truth).item()), abs=1e-3)
    mean = mean_scores(found)
    assert mean["psnr"] == pytest.approx(sum(value for value, _ in found.values()) / 10)
    assert mean["ssim"] == pytest.approx(sum(value for _, value in found.values()) / 10)
    assert channel_scores(truth, truth)[1].item() == pytest.approx(1)


def test_a_measure_of_another_protocol_arrives():
    """Fails if super-resolution cannot be scored on Y: its rows would not be the papers'."""
    held = held_out(noisy, side=32)
    found = score(lambda image: image, held, measure=lambda a, b: (torch.tensor([7.0]), torch.tensor([0.5])))
    assert mean_scores(found) == {"psnr": 7.0, "ssim": 0.5}


def test_steps_take_all_inputs_and_compare_with_the_last():
    """Fails if a network that is told the noise level is not told, or is compared with its input."""

    class Told(nn.Module):
        def forward(self, image: Tensor, level: Tensor) -> Tensor:
            return image + level.view(-1, 1, 1, 1)

    batch = torch.zeros(2, 1, 4, 4), torch.tensor([1.0, 2.0]), torch.ones(2, 1, 4, 4)
    assert squared_error_step(Told(), batch)["loss"].item() == 0.5
    assert absolute_error_step(Told(), batch)["loss"].item() == 0.5
    assert squared_error_step(Told(), (batch[0], 2 * batch[1], batch[2]))["loss"].item() == 5.0


def test_training_on_photographs_gives_a_history_and_scores():
    """Fails if a run has no curve, is scored on what it watched, or leaves the model in training mode."""
    torch.manual_seed(0)
    model = nn.Conv2d(1, 1, 3, padding=1)
    run = train_on_photos(model, Job(TINY, "any", 0, progress=False), make=noisy, grey=True)
    assert len(run.history.curve("test_psnr")) == 2
    assert not run.model.training
    held = held_out(noisy, grey=True, side=32)
    assert run.metrics == pytest.approx(mean_scores(score(model, held)), abs=0.05)
    with pytest.raises(CourseError, match="no patch"):
        train_on_photos(model, Job(replace(TINY, patch=None), "any", 0), make=noisy)


def test_an_optimizer_that_is_not_known_gets_the_nearest():
    """Fails if a misspelt name is found only after the photographs were read."""
    with pytest.raises(CourseError, match="'adam'"):
        RestorationSettings(optimizer="adan")
    assert DEFAULT.machine().precision == "fp32"
