"""The references of lesson 18 against torch's own schedule and loss, and the table against real batches."""

from math import ceil

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from crashcourse.datasets import Batches
from crashcourse.exercises import catalogue
from crashcourse.exercises.training_speed_questions import LARGE_UPDATES, SMALL_UPDATES, noise_scale


@pytest.mark.parametrize(("total", "rise", "peak"), [(20, 0.3, 1.0), (17, 0.3, 0.7), (100, 0.5, 2.0), (31, 0.2, 0.1)])
def test_one_cycle_that_learners_are_compared_with_is_torchs(total, rise, peak):
    """A learner who reproduces OneCycleLR would be told that it is wrong."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.9)
    schedule = OneCycleLR(optimizer, peak, total_steps=total, pct_start=rise)
    for step in range(total):
        group = optimizer.param_groups[0]
        expected = pytest.approx((group["lr"], group["momentum"]), rel=1e-9)
        assert catalogue()["classification.one_cycle_at"].reference(step, total, peak, rise) == expected
        optimizer.step()
        if step < total - 1:
            schedule.step()


@pytest.mark.parametrize("seed", range(5))
def test_smoothed_cross_entropy_is_torchs_with_its_gradient(seed):
    """A learner who reproduces F.cross_entropy(label_smoothing=...) would be told that it is wrong."""
    exercise = catalogue()["classification.smoothed_cross_entropy"]
    for case in exercise.made_cases(seed):
        logits, labels, epsilon = (*case.args, 0.1)[:3]
        ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
        loss = exercise.reference(ours, labels, epsilon)
        expected = F.cross_entropy(theirs, labels, label_smoothing=epsilon)
        torch.testing.assert_close(loss, expected)
        loss.backward()
        expected.backward()
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_the_warmup_reaches_what_goyal_et_al_print():
    """The paper: 0.1 for 256 images, 3.2 for 8192, reached after five epochs of ImageNet, and then kept."""
    warmed = catalogue()["classification.warmed_rate"].reference
    imagenet, batch = 1_281_167, 8192
    end = 5 * ceil(imagenet / batch)
    assert warmed(0, batch, imagenet) == pytest.approx(0.1)
    assert warmed(end // 2, batch, imagenet) == pytest.approx(1.65, abs=0.01)
    assert warmed(end, batch, imagenet) == warmed(10 * end, batch, imagenet) == pytest.approx(3.2)


@pytest.mark.parametrize(("row", "size"), [(SMALL_UPDATES, 32), (LARGE_UPDATES, 2048)])
def test_the_updates_of_the_table_are_those_of_the_courses_batches(row, size):
    """The table would say something else than what the lesson runs."""
    batches = Batches(torch.zeros(10_000, 1), batch_size=size)
    assert catalogue()["training_speed.batches"].value[row] == len(batches)


def test_a_batch_of_everything_has_no_noise():
    """The formula in the question would lack its -1."""
    assert noise_scale(0.1, 500, 500, 0.9) == 0
    assert noise_scale(0.1, 500, 100, 0.9) == pytest.approx(4)
