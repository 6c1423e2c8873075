"""Schedules: the rates that they give, step by step."""

import math
import warnings

import pytest
import torch

from crashcourse.errors import CourseError
from crashcourse.training import constant, cosine, one_cycle, warmup
from crashcourse.training.schedules import Schedule


def rates(schedule: Schedule, steps: int, peak: float = 1.0) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=peak, momentum=0.9)
    scheduler = schedule(optimizer, steps)
    seen = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(steps):
            seen.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
    return seen


def test_constant_keeps_the_rate() -> None:
    """Fails if torch's ConstantLR default of one third slips through."""
    assert rates(constant(), 5, peak=0.3) == [0.3] * 5


def test_cosine_follows_its_formula() -> None:
    """Fails if the period is not the whole run (SGDR, equation 5)."""
    expected = [0.1 + 0.9 * (1 + math.cos(math.pi * t / 8)) / 2 for t in range(8)]
    assert rates(cosine(final=0.1), 8) == pytest.approx(expected)


def test_one_cycle_peaks_at_the_optimizers_rate() -> None:
    """Fails if the peak is not the rate that the author wrote, or does not come after `rise` of the steps."""
    seen = rates(one_cycle(rise=0.25), 41, peak=0.4)
    assert max(seen) == pytest.approx(0.4, rel=0.01)
    assert seen.index(max(seen)) in (9, 10)
    assert seen[-1] < 1e-4 < seen[0] < 0.1


def test_warmup_rises_linearly_and_hands_over() -> None:
    """Fails if the rise is not linear, or the following schedule starts in its middle."""
    seen = rates(warmup(4, cosine()), 12)
    assert seen[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert seen[4:] == pytest.approx([(1 + math.cos(math.pi * t / 8)) / 2 for t in range(8)])


@pytest.mark.parametrize(
    "build",
    [
        lambda: cosine(final=-1),
        lambda: one_cycle(rise=0),
        lambda: one_cycle(rise=1.0),
        lambda: warmup(0),
        lambda: rates(warmup(5), 5),
    ],
)
def test_bad_settings_are_refused(build: object) -> None:
    """Fails if a wrong setting trains with a strange rate."""
    with pytest.raises(CourseError):
        build()  # type: ignore[operator]
