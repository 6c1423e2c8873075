"""The exercises of lesson 50 teach what the package does, and their tables what the papers say."""

import pytest
import torch

from crashcourse import restoration
from crashcourse.exercises.dncnn import image_psnr, noise_loss, window_ssim, with_noise_map
from crashcourse.exercises.dncnn_questions import NOISE_25, QUESTIONS
from crashcourse.restoration.quality import gaussian_window


def test_psnr_is_the_packages() -> None:
    """Else a learner measures something else than the tables of the lesson."""
    restored, target = (torch.randint(256, (3, 3, 6, 5), dtype=torch.uint8) for _ in range(2))
    expected = restoration.psnr(restored.float(), target.float(), peak=255)
    torch.testing.assert_close(image_psnr(restored, target), expected.float())
    assert image_psnr(target, target).isinf().all()


def test_one_window_is_the_packages_ssim() -> None:
    """Else the exercise is another SSIM, in a constant or in the weights."""
    weight = gaussian_window()[:, None] * gaussian_window()
    x, y = torch.rand(2, 11, 11, dtype=torch.float64)
    torch.testing.assert_close(window_ssim(x, y, weight), restoration.ssim(x[None, None], y[None, None])[0])


def test_the_loss_is_the_packages() -> None:
    """Else residual learning has another target here than in DnCNN."""
    predicted, noisy, clean = torch.rand(3, 4, 1, 5, 6)
    expected = restoration.residual_loss(noisy - predicted, clean)
    torch.testing.assert_close(noise_loss(predicted, noisy, clean), expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_map_is_what_the_network_sees(channels: int) -> None:
    """Else released weights would not fit what learners write."""
    model, seen = restoration.FFDNet(channels, 2, 4), []
    model.model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    noisy, sigma = torch.rand(2, channels, 6, 8), torch.tensor([15.0, 50])
    model(noisy, sigma)
    torch.testing.assert_close(with_noise_map(noisy, sigma), seen[0])


def test_the_decibels_of_the_table_are_those_of_real_noise() -> None:
    """Else the table says something else than an image shows."""
    image = torch.rand(1, 1, 300, 300)
    measured = float(restoration.psnr(restoration.gaussian_noise(image, 25, 0), image))
    assert QUESTIONS[0].value[NOISE_25] == pytest.approx(measured, abs=0.05)


def test_the_two_averages_of_the_question() -> None:
    """Else the right option or its numbers are wrong: 40 and 20 dB are 30 on average, and 23.0 of the mean error."""
    target = torch.zeros(2, 1, 4, 4)
    restored = target + torch.tensor([0.01, 0.1]).view(2, 1, 1, 1)
    each = restoration.psnr(restored, target)
    assert each.tolist() == pytest.approx([40, 20], abs=1e-4)
    assert QUESTIONS[2].options[QUESTIONS[2].reference].startswith(f"{float(each.mean()):.1f} dB")
    together = restoration.psnr(restored.view(1, 1, 8, 4), target.view(1, 1, 8, 4))
    assert QUESTIONS[2].options["a"].startswith(f"{float(together):.1f} dB")
