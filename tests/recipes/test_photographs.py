"""Image-to-image training: patches by hand, splits by photograph, degradation that can be repeated, scores."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from crashcourse.datasets import photos
from crashcourse.errors import CourseError
from crashcourse.recipes import Scale, photographs
from crashcourse.recipes.base import Job
from crashcourse.recipes.photographs import (
    HeldOut,
    PatchBatches,
    RestorationSettings,
    absolute_error_step,
    channel_scores,
    check_apart,
    held_out,
    mean_scores,
    restoration_photos,
    score,
    squared_error_step,
    train_on_photos,
)
from crashcourse.restoration import gaussian_noise, psnr, ssim

TINY = Scale(epochs=2, batch_size=4, learning_rate=0.01, compares=(), images=8, patch=16, test_side=32, weight_decay=0)


def plain(clean: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
    return clean, clean


def noisy(clean: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
    return gaussian_noise(clean, 25, generator), clean


def numbered(height: int, width: int, first: int = 0) -> Tensor:
    """A photograph in which every pixel has its own colour: (3, H, W) uint8, row, column, and a number."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([rows, columns, torch.full_like(rows, first)]).byte()


def batches(**options) -> PatchBatches:
    made = {"patch": 5, "batch_size": 64, "count": 128} | options
    make = made.pop("make", plain)
    return PatchBatches([numbered(9, 12, 1), numbered(20, 7, 2)], make, **made)


def positions(square: Tensor) -> list[Tensor]:
    """The eight positions of (C, S, S)."""
    return [torch.rot90(s, k, (1, 2)) for s in (square, square.flip(2)) for k in range(4)]


def test_a_patch_is_a_square_of_one_photograph_in_one_of_eight_positions():
    """Fails if the look-up crosses into another photograph or row, or if turning shears or repeats pixels."""
    (patches, _), *_ = batches().epoch(0)
    whole = {1: numbered(9, 12, 1), 2: numbered(20, 7, 2)}
    seen = set()
    for patch in (patches * 255).round().byte():
        assert patch[2].unique().numel() == 1
        top, left = int(patch[0].min()), int(patch[1].min())
        square = whole[int(patch[2, 0, 0])][:, top : top + 5, left : left + 5]
        matching = [k for k, turned in enumerate(positions(square)) if torch.equal(patch, turned)]
        assert len(matching) == 1
        seen.add(matching[0])
    assert seen == set(range(8))


def test_patches_reach_every_place_and_no_place_is_favoured():
    """Fails if the last row or column is never drawn, or if a large photograph gives as few patches as a small one."""
    first, second = 5 * 8, 16 * 3  # places in each photograph
    drawn = batches(batch_size=4000, count=4000, turn=False)
    ((patches, _),) = drawn.epoch(0)
    corners = (patches[:, :, 0, 0] * 255).round().long()  # (N, 3)
    places, counts = corners.unique(dim=0, return_counts=True)
    assert len(places) == first + second
    assert counts.max() < 2.2 * 4000 / (first + second)
    assert torch.equal(patches[0, 0] * 255, (corners[0, 0] + torch.arange(5.0)[:, None]).expand(5, 5))


def test_a_batch_depends_on_seed_epoch_and_number_alone():
    """Fails if a resumed run sees other patches or other noise than the uninterrupted one, or all epochs are alike."""
    one = batches(make=noisy)
    whole, resumed = list(one.epoch(3)), list(one.epoch(3, start=1))
    torch.rand(7)
    assert len(whole) == len(one) == 2
    for a, b in zip(whole[1], resumed[0], strict=True):
        assert torch.equal(a, b)
    for other in (next(one.epoch(2)), next(batches(make=noisy, seed=1).epoch(3)), whole[1]):
        assert not torch.equal(whole[0][1], other[1])


def test_shares_are_parts_of_the_same_batch():
    """Fails if processes draw different noise for one batch, or train on the same patches."""
    one = batches(make=noisy)
    parts = [next(one.shard(rank, 2).epoch(0)) for rank in range(2)]
    for whole, *halves in zip(next(one.epoch(0)), *parts, strict=True):
        assert torch.equal(whole, torch.cat(halves))
    with pytest.raises(CourseError, match="equal parts"):
        one.shard(0, 3)


@pytest.mark.parametrize(
    ("photographs", "options", "sentence"),
    [
        ([], {}, "at least one"),
        ([torch.rand(3, 9, 9)], {}, "uint8"),
        ([numbered(9, 9), numbered(9, 9)[:1]], {}, "different channels"),
        ([numbered(9, 9)], {"patch": 10}, "do not fit"),
        ([numbered(9, 9)], {"count": 2}, "no batch"),
    ],
)
def test_photographs_that_give_no_patches_are_refused(photographs, options, sentence):
    """Fails if training starts on nothing and ends with an error that names no cause."""
    with pytest.raises(CourseError, match=sentence):
        PatchBatches(photographs, plain, **({"patch": 5, "batch_size": 4, "count": 8} | options))


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


def test_held_out_photographs_are_degraded_alike_for_all_runs():
    """Fails if two runs are scored on different noise, or the noise of one photograph depends on the others."""
    torch.manual_seed(1)
    first = held_out(noisy, grey=True, side=32)
    torch.manual_seed(2)
    second = held_out(noisy, grey=True, side=32)
    assert list(first.examples) == [photo.name for photo in photos("test")]
    for a, b in zip(first.examples.values(), second.examples.values(), strict=True):
        assert torch.equal(a[0], b[0])
    noises = torch.cat([a - b for a, b in first.examples.values()])  # (10, 1, 32, 32)
    assert not torch.equal(noises[0], noises[1])
    assert noises.std() * 255 == pytest.approx(25, rel=0.03)


def test_grey_photographs_are_matlabs_and_squares_come_from_the_middle():
    """Fails if grey is a plain mean of the colours, or a square is cut from a corner."""
    colour, grey = (restoration_photos("test", grey=g)["coffee"] for g in (False, True))
    expected = (colour.double() * torch.tensor([0.298936, 0.587043, 0.114021]).double()[:, None, None]).sum(0)
    assert grey.shape == (1, 400, 600)
    assert (grey[0] - expected).abs().max() <= 0.5 + 1e-3
    middle = restoration_photos("test", side=100)["coffee"]
    assert torch.equal(middle, colour[:, 150:250, 250:350])
    with pytest.raises(CourseError, match="does not fit"):
        restoration_photos("test", side=304)


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
    assert photographs.DEFAULT.machine().precision == "fp32"
