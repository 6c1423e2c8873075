"""How a classifier of garments is trained: optimizer, schedule, smoothing, layout, precision, data path.

Papers: label smoothing: Szegedy et al., 2015, arXiv:1512.00567, section 7. Growing batches: Smith et al., 2017,
arXiv:1711.00489. Adam: Kingma and Ba, 2014, arXiv:1412.6980. AdamW: Loshchilov and Hutter, 2017, arXiv:1711.05101.
**Differs from the papers:** torch's own optimizers, with their other options as torch sets them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from crashcourse.errors import CourseError, unknown
from crashcourse.recipes.base import Scale
from crashcourse.training import Machine, constant, cosine, one_cycle, staircase, warmup
from crashcourse.training.contracts import Batches

if TYPE_CHECKING:
    from crashcourse.datasets import ImageSet

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "sgd": SGD,
    "momentum": partial(SGD, momentum=0.9),
    "nesterov": partial(SGD, momentum=0.9, nesterov=True),
    "adam": Adam,
    "adamw": AdamW,
}
STAIRS = ((0.5, 4), (0.75, 16))
"""From which part of a run the rate is divided, or the batch multiplied, and by what: see `batch_garments`."""


def warm_cosine(optimizer: Optimizer, total_steps: int) -> LRScheduler:
    """A linear warm-up in the first fifth of the run, if that is a step at least, then half a cosine down to zero."""
    rise = total_steps // 5
    return (warmup(rise, cosine()) if rise else cosine())(optimizer, total_steps)


SCHEDULES = {
    "constant": constant(),
    "one_cycle": one_cycle(momentum=False),
    "cosine": cosine(),
    "warm_cosine": warm_cosine,
    "staircase": staircase(*((part, 1 / factor) for part, factor in STAIRS)),
}
DATA = ("memory", "loader")


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How to train, within the budget that a `Scale` gives. The defaults are the course's own way.

    They are the fastest that lesson 18 found: a test holds them to the record of `speed_garments`.

    Attributes:
        optimizer: one of `OPTIMIZERS`.
        schedule: of the learning rate, one of `SCHEDULES`.
        smoothing: the part of each label that is shared out among all classes, at least 0 and below 1.
        channels_last: keep images and weights as NHWC in memory.
        precision: "fp32", "bf16" (autocast), or None for the machine's own choice.
        data: "memory" for batches cut from tensors, "loader" for one image at a time through torch's DataLoader.
        compiled: compile the network with `torch.compile` before training.
        drop_last: leave out an epoch's last batch where it is not full; the loader always does.
        growth: (part of the run from which it holds, factor) of the batch size; empty where it never grows.

    Raises:
        CourseError: an optimizer, a schedule or a data path that is not known, or a smoothing out of range.
    """

    optimizer: str = "nesterov"
    schedule: str = "one_cycle"
    smoothing: float = 0.0
    channels_last: bool = True  # small convolutions are a third faster for it on a CPU too
    precision: str | None = None
    data: str = "memory"
    compiled: bool = False
    drop_last: bool = True
    growth: tuple[tuple[float, int], ...] = ()

    def __post_init__(self) -> None:
        for kind, known in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES), ("data", DATA)):
            if getattr(self, kind) not in known:
                raise unknown(kind, getattr(self, kind), known)
        if not 0 <= self.smoothing < 1:
            raise CourseError(f"Label smoothing is at least 0 and below 1; got {self.smoothing}.")

    def machine(self) -> Machine:
        """Where to train: the best device here, in this precision and memory layout."""
        best = Machine().resolved().device
        return Machine(precision=self.precision, channels_last=self.channels_last and best != "mps")

    def batches(self, training: "ImageSet", scale: Scale, *, seed: int) -> Batches:
        """The batches of a whole run: normalised images `(N, C, H, W)` on the best device, and labels `(N,)`."""
        from crashcourse.datasets import cutout, random_crop, random_flip
        from crashcourse.recipes.speed_batches import GrowingBatches, LoaderBatches

        if self.data == "loader":
            return LoaderBatches(training, scale.batch_size, seed=seed, augment=scale.augment)
        training = training.to(Machine().resolved().device)
        augment = (random_flip, random_crop, cutout) if scale.augment else None
        make = partial(training.batches, seed=seed, augment=augment, drop_last=self.drop_last)
        if not self.growth:
            return make(scale.batch_size)
        return GrowingBatches(make, batch_sizes(scale.batch_size, scale.epochs, self.growth))


def batch_sizes(first: int, epochs: int, growth: tuple[tuple[float, int], ...]) -> list[int]:
    """The batch size of each epoch: the first one, times the last factor whose part of the run has begun."""
    reached = [[factor for part, factor in ((0.0, 1), *growth) if epoch >= part * epochs] for epoch in range(epochs)]
    return [first * factors[-1] for factors in reached]
