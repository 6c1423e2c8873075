"""Training a classifier of garments: what the recipes of part 1 share."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crashcourse.recipes.base import Job, Run
from crashcourse.recipes.settings import OPTIMIZERS, SCHEDULES, TrainingSettings
from crashcourse.training import History, fit
from crashcourse.training.clock import PartsOfEpochs, Stopwatch, TimedBatches
from crashcourse.training.compiling import CompiledStep
from crashcourse.training.contracts import Step

if TYPE_CHECKING:
    from crashcourse.datasets import ImageSet

DEFAULT = TrainingSettings()


def classify(model: nn.Module, batch: tuple[Tensor, Tensor], *, smoothing: float = 0.0) -> dict[str, Tensor]:
    """The step of a classifier: cross-entropy, and accuracy on the batch.

    Args:
        model: images `(N, C, H, W)` float -> logits `(N, classes)`.
        batch: images, and labels `(N,)` int64.
        smoothing: the part of each label that is shared out among all classes.

    Returns:
        {"loss": scalar, "accuracy": scalar in [0, 1]}, both means over the batch.
    """
    images, labels = batch
    logits = model(images)  # (N, classes)
    loss = F.cross_entropy(logits, labels, label_smoothing=smoothing)
    return {"loss": loss, "accuracy": (logits.argmax(1) == labels).float().mean()}


@torch.no_grad()
def evaluate_classifier(model: nn.Module, images: Tensor, labels: Tensor, *, batch_size: int = 500) -> dict[str, float]:
    """Accuracy and cross-entropy of a classifier on labelled images, as it is: call `model.eval()` first.

    Args:
        model: images -> logits `(N, classes)`.
        images: `(N, C, H, W)` float, normalised as in training; on any device.
        labels: `(N,)` int64.
        batch_size: images at a time.

    Returns:
        {"accuracy": in [0, 1], "loss": at least 0}.
    """
    device = next(model.parameters()).device
    logits = torch.cat([model(part.to(device)) for part in images.split(batch_size)]).float()  # (N, classes)
    labels = labels.to(device)
    correct = int((logits.argmax(1) == labels).sum())
    return {"accuracy": correct / len(labels), "loss": F.cross_entropy(logits, labels).item()}


def train_on_garments(
    model: nn.Module,
    job: Job,
    *,
    step: Step = classify,
    settings: TrainingSettings = DEFAULT,
    training: "ImageSet | None" = None,
) -> Run:
    """Train a classifier on Fashion-MNIST within the job's budget.

    Args:
        model: `(N, 1, 28, 28)` float -> `(N, 10)`, in evaluation mode at least.
        job: budget, seed, checkpoint; for a timed run also its goal.
        step: the loss of a batch, for networks that train by another than `classify`.
        settings: how to train; by default SGD with Nesterov momentum under one cycle.
        training: the images to train on; by default all that the scale has.

    Returns:
        The run. Its history has an entry for each look at the test images, which is each epoch unless the goal says
        otherwise. Its metrics also hold "compile_seconds" where the network was compiled.
    """
    from crashcourse.datasets import garments

    scale, goal, machine = job.scale, job.goal, settings.machine()
    watch, looking = Stopwatch(), Stopwatch()
    test = garments("test", size=scale.data).to(machine.resolved().device)
    images, labels = test.normalised(), test.labels
    training = garments("train", size=scale.data) if training is None else training
    batches = settings.batches(training, scale, seed=job.seed)
    step = partial(step, smoothing=settings.smoothing) if settings.smoothing else step
    compiled = CompiledStep(step, watch) if settings.compiled else None

    def evaluate(model: nn.Module) -> dict[str, float]:
        with looking.running():
            found = {f"test_{name}": value for name, value in evaluate_classifier(model, images, labels).items()}
        times = {"seconds": watch.wall, "cpu_seconds": watch.cpu, "evaluation_seconds": looking.wall}
        return {**found, **times} if goal else found

    history = fit(
        model,
        TimedBatches(PartsOfEpochs(batches, goal.looks), watch) if goal else batches,
        compiled or step,
        epochs=scale.epochs * (goal.looks if goal else 1),
        optimizer=lambda parameters: OPTIMIZERS[settings.optimizer](
            parameters, lr=scale.learning_rate, weight_decay=scale.weight_decay
        ),
        schedule=SCHEDULES[settings.schedule],
        evaluate=evaluate,
        until=(lambda history: history.last("test_accuracy") >= goal.accuracy) if goal else None,
        checkpoint=job.checkpoint,
        machine=machine,
        progress=job.progress,
    )
    metrics = _metrics(history) or evaluate_classifier(model, images, labels)
    if compiled:
        metrics = {**metrics, "compile_seconds": compiled.seconds}
    return Run(model, history, metrics, history.seconds)


def _metrics(history: History) -> Mapping[str, float]:
    """The metrics after the last epoch; empty for a run that was stopped, whose model is ahead of its history."""
    if history.interrupted:
        return {}
    return {name: history.last(f"test_{name}") for name in ("accuracy", "loss")}
