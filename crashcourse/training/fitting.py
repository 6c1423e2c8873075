"""`fit`: a plain training loop, and everything that a plain loop leaves out."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from crashcourse.errors import CourseError
from crashcourse.training.checkpoint import Checkpoint
from crashcourse.training.contracts import Batches, Evaluate, Step, build_optimizer, check_arguments, length
from crashcourse.training.history import History
from crashcourse.training.loop import Loop
from crashcourse.training.machine import Machine, Workplace, at_work
from crashcourse.training.report import Report


def fit(
    model: nn.Module,
    batches: Batches,
    step: Step,
    *,
    epochs: int,
    optimizer: Optimizer | Callable[[Iterator[nn.Parameter]], Optimizer],
    schedule: LRScheduler | Callable[[Optimizer, int], LRScheduler] | None = None,
    evaluate: Evaluate | None = None,
    until: Callable[[History], bool] | None = None,
    accumulate: int = 1,
    clip_norm: float | None = None,
    checkpoint: Checkpoint | Path | str | None = None,
    machine: Machine | None = None,
    progress: bool = True,
) -> History:
    """Train a model in place.

    On CPU in float32 the weights are bit for bit those of the plain loop `zero_grad, loss, backward, step`. The model
    ends in evaluation mode, on the device it was trained on. Random numbers come from torch's global generators, so
    seed them first. Several processes under `torchrun` give the result of one with the same global batch, except that
    each draws its own dropout and that batch statistics are shared on cuda only.

    Args:
        model: any module.
        batches: `len(batches)` batches per epoch, and `batches.epoch(index)` to iterate over.
        step: `step(model, batch) -> {"loss": scalar tensor, ...}`, the loss a mean over the batch; other entries are
            scalars to be averaged over the epoch.
        epochs: how many times to go through the batches.
        optimizer: an optimizer of the model's parameters, or a function that builds one from `model.parameters()`.
        schedule: a scheduler, or `schedule(optimizer, total_steps)` that builds one; stepped after every update.
        evaluate: `evaluate(model) -> {name: number}` after every epoch, in evaluation mode and without gradients.
        until: stop after the first epoch at which this is true of the history: a test accuracy has been reached.
        accumulate: batches per update; their losses are averaged.
        clip_norm: the largest allowed 2-norm of all gradients together.
        checkpoint: a file to resume from and to write after every epoch; `Checkpoint(path, every=n)` writes more often.
        machine: device, precision and memory layout; chosen where it runs by default.
        progress: show a live line (and figure, in a notebook) and print one line at the end.

    Returns:
        The history. Stopped by the learner, it holds the whole epochs so far and `interrupted` is True.

    Raises:
        CourseError: an argument is not as described, or the checkpoint belongs to another run.
        DivergedError: the loss became NaN or infinite.
    """
    check_arguments(model, batches, step, epochs, accumulate, clip_norm)
    keep = Checkpoint(checkpoint) if isinstance(checkpoint, str | Path) else checkpoint
    with at_work(machine or Machine(), model) as workplace:
        batches = _shard(batches, workplace)
        sizes = [length(batches, epoch) for epoch in range(epochs)]
        report = Report(sizes, wanted=progress and workplace.is_main)
        updates = sum(math.ceil(size / accumulate) for size in sizes)
        rule = build_optimizer(optimizer, model)
        rate = schedule(rule, updates) if callable(schedule) and not isinstance(schedule, LRScheduler) else schedule
        loop = Loop(workplace, batches, step, epochs, rule, rate, evaluate, accumulate, clip_norm, keep, report, until)
        return loop.run()


def _shard(batches: Batches, workplace: Workplace) -> Batches:
    if workplace.world == 1:
        return batches
    if not hasattr(batches, "shard"):
        raise CourseError(
            f"{workplace.world} processes share the work, but {type(batches).__name__} has no shard(rank, world). "
            "Use crashcourse.datasets.Batches, or run one process."
        )
    return batches.shard(workplace.rank, workplace.world)
