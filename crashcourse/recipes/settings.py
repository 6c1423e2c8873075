"""How anything is trained: optimizer, schedule, clipping, layout, precision. Each part of the course adds its own.

Papers: Adam: Kingma and Ba, 2014, arXiv:1412.6980. AdamW: Loshchilov and Hutter, 2017, arXiv:1711.05101. Growing
batches: Smith et al., 2017, arXiv:1711.00489. **Differs from the papers:** torch's own optimizers, with their other
options as torch sets them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from crashcourse.errors import unknown
from crashcourse.recipes.base import Job
from crashcourse.training import History, Machine, constant, cosine, fit, one_cycle, staircase, warmup
from crashcourse.training.contracts import Batches, Evaluate, Step

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


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How to train, within the budget that a `Scale` gives.

    Attributes:
        optimizer: one of `OPTIMIZERS`.
        schedule: of the learning rate, one of `SCHEDULES`.
        clip_norm: the largest 2-norm of all gradients together; None for no limit.
        precision: "fp32", "bf16" (autocast), or None for the machine's own choice.
        channels_last: keep images and weights as NHWC in memory: small convolutions are a third faster for it, on a CPU
            too. Apple's GPUs do without.

    Raises:
        CourseError: an optimizer or a schedule that is not known.
    """

    optimizer: str = "adamw"
    schedule: str = "one_cycle"
    clip_norm: float | None = None
    precision: str | None = None
    channels_last: bool = True

    def __post_init__(self) -> None:
        for kind, known in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
            if getattr(self, kind) not in known:
                raise unknown(kind, getattr(self, kind), known)

    def machine(self) -> Machine:
        """Where to train: the best device here, in this precision and memory layout."""
        best = Machine().resolved().device
        return Machine(precision=self.precision, channels_last=self.channels_last and best != "mps")

    def fit(
        self,
        model: nn.Module,
        batches: Batches,
        step: Step,
        job: Job,
        *,
        looks: int = 1,
        evaluate: Evaluate | None = None,
        until: Callable[[History], bool] | None = None,
    ) -> History:
        """Train a model in place, as these settings say and within the job's budget.

        Args:
            model, batches, step, evaluate, until: see `crashcourse.training.fit`.
            job: of its scale the epochs, the learning rate and the weight decay; checkpoint and progress.
            looks: in how many parts `batches` cuts each epoch.

        Returns:
            The history.
        """
        scale = job.scale
        return fit(
            model,
            batches,
            step,
            epochs=scale.epochs * looks,
            optimizer=partial(OPTIMIZERS[self.optimizer], lr=scale.learning_rate, weight_decay=scale.weight_decay),
            schedule=SCHEDULES[self.schedule],
            evaluate=evaluate,
            until=until,
            clip_norm=self.clip_norm,
            checkpoint=job.checkpoint,
            machine=self.machine(),
            progress=job.progress,
        )


def batch_sizes(first: int, epochs: int, growth: tuple[tuple[float, int], ...]) -> list[int]:
    """The batch size of each epoch: the first one, times the last factor whose part of the run has begun."""
    reached = [[factor for part, factor in ((0.0, 1), *growth) if epoch >= part * epochs] for epoch in range(epochs)]
    return [first * factors[-1] for factors in reached]
