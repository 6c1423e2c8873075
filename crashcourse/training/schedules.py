"""Learning-rate schedules, as builders over torch's own: each returns `schedule(optimizer, total_steps)` for `fit`.

A schedule is stepped once per update of the weights, not once per epoch, so it means the same at every batch size.

Papers: one cycle: Smith and Topin, "Super-Convergence", 2017, arXiv:1708.07120. Cosine: Loshchilov and Hutter, "SGDR",
2016, arXiv:1608.03983, equation 5 with one period. Linear warm-up: Goyal et al., 2017, arXiv:1706.02677, section 2.2.
**Differs from the papers:** one cycle anneals by cosine and to almost zero, as torch's own does by default.
"""

from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    OneCycleLR,
    SequentialLR,
)

from crashcourse.errors import CourseError

Schedule = Callable[[Optimizer, int], LRScheduler]


def constant() -> Schedule:
    """The optimizer's own learning rate, all the way."""
    return lambda optimizer, total_steps: ConstantLR(optimizer, factor=1.0, total_iters=0)


def cosine(*, final: float = 0.0) -> Schedule:
    """From the optimizer's learning rate down to `final` along half a cosine.

    Raises:
        CourseError: `final` is negative.
    """
    if final < 0:
        raise CourseError(f"cosine(final=...) is a learning rate, at least 0; got {final}.")
    return lambda optimizer, total_steps: CosineAnnealingLR(optimizer, T_max=max(1, total_steps), eta_min=final)


def one_cycle(*, rise: float = 0.3, momentum: bool = True) -> Schedule:
    """Up to the optimizer's learning rate for the first `rise` of the steps, then down to almost zero.

    Args:
        rise: the part of all steps in which the rate rises, in (0, 1).
        momentum: also move momentum the other way, between 0.85 and 0.95, as the paper does.

    Raises:
        CourseError: `rise` is outside (0, 1).
    """
    if not 0 < rise < 1:
        raise CourseError(f"one_cycle(rise=...) is a part of the run, between 0 and 1; got {rise}.")

    def build(optimizer: Optimizer, total_steps: int) -> LRScheduler:
        peaks = [group["lr"] for group in optimizer.param_groups]
        return OneCycleLR(
            optimizer, max_lr=peaks, total_steps=max(2, total_steps), pct_start=rise, cycle_momentum=momentum
        )

    return build


def staircase(*stairs: tuple[float, float]) -> Schedule:
    """The optimizer's learning rate times a factor that changes at given parts of the run, as by hand.

    Args:
        stairs: (part of all steps from which it holds, factor of the first rate), in order: `(0.5, 0.1), (0.75, 0.01)`.

    Raises:
        CourseError: a part is not between 0 and 1, the parts do not rise, or a factor is not positive.
    """
    parts = [part for part, _ in stairs]
    if not all(0 < part < 1 for part in parts) or parts != sorted(set(parts)):
        raise CourseError(f"staircase() takes parts of the run that rise between 0 and 1; got {parts}.")
    if not all(factor > 0 for _, factor in stairs):
        raise CourseError(f"staircase() takes positive factors; got {[factor for _, factor in stairs]}.")

    def build(optimizer: Optimizer, total_steps: int) -> LRScheduler:
        return LambdaLR(
            optimizer, lambda step: [1.0, *(f for part, f in stairs if step >= round(part * total_steps))][-1]
        )

    return build


def warmup(steps: int, then: Schedule | None = None) -> Schedule:
    """From almost zero up to the optimizer's learning rate in `steps` steps, then another schedule.

    Args:
        steps: updates until the full rate.
        then: the schedule of the remaining steps; constant by default.

    Raises:
        CourseError: `steps` is less than 1; or, when training starts, it leaves no step for `then`.
    """
    if steps < 1:
        raise CourseError(f"warmup(steps) needs at least 1 step; got {steps}.")
    after = then or constant()

    def build(optimizer: Optimizer, total_steps: int) -> LRScheduler:
        if steps >= total_steps:
            raise CourseError(
                f"warmup({steps}) is as long as the whole run of {total_steps} steps. Give it fewer steps."
            )
        rise = LinearLR(optimizer, start_factor=1 / (steps + 1), total_iters=steps)
        rest = after(optimizer, total_steps - steps)
        return SequentialLR(optimizer, [rise, rest], milestones=[steps])

    return build
