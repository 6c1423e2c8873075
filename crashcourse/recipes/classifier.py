"""Training a classifier of garments: what the recipes of part 1 share.

Paper: label smoothing: Szegedy et al., 2015, arXiv:1512.00567, section 7.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crashcourse.errors import CourseError, unknown
from crashcourse.recipes.base import Job, Run, Scale
from crashcourse.recipes.settings import TrainingSettings, batch_sizes
from crashcourse.training import History, Machine
from crashcourse.training.clock import PartsOfEpochs, Stopwatch, TimedBatches
from crashcourse.training.compiling import CompiledStep
from crashcourse.training.contracts import Batches, Step

if TYPE_CHECKING:
    from crashcourse.datasets import ImageSet

DATA_PATHS = ("memory", "loader")


@dataclass(frozen=True, kw_only=True)
class ClassifierSettings(TrainingSettings):
    """How to train a classifier of garments, within the budget that a `Scale` gives.

    The defaults are the fastest that lesson 18 found: a test holds them to the record of `speed_garments`.

    Attributes:
        optimizer, schedule, clip_norm, precision, channels_last: see `TrainingSettings`.
        smoothing: the part of each label that is shared out among all classes, at least 0 and below 1.
        data: "memory" for batches cut from tensors, "loader" for one image at a time through torch's DataLoader.
        compiled: compile the network with `torch.compile` before training.
        drop_last: leave out an epoch's last batch where it is not full; the loader always does.
        growth: (part of the run from which it holds, factor) of the batch size; empty where it never grows.

    Raises:
        CourseError: an optimizer, a schedule or a data path that is not known, or a smoothing out of range.
    """

    optimizer: str = "nesterov"
    smoothing: float = 0.0
    data: str = "memory"
    compiled: bool = False
    drop_last: bool = True
    growth: tuple[tuple[float, int], ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data not in DATA_PATHS:
            raise unknown("data", self.data, DATA_PATHS)
        if not 0 <= self.smoothing < 1:
            raise CourseError(f"Label smoothing is at least 0 and below 1; got {self.smoothing}.")

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


DEFAULT = ClassifierSettings()


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
    settings: ClassifierSettings = DEFAULT,
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

    scale, goal, device = job.scale, job.goal, Machine().resolved().device
    watch, looking = Stopwatch(), Stopwatch()
    test = garments("test", size=scale.data).to(device)
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

    history = settings.fit(
        model,
        TimedBatches(PartsOfEpochs(batches, goal.looks), watch) if goal else batches,
        compiled or step,
        job,
        looks=goal.looks if goal else 1,
        evaluate=evaluate,
        until=(lambda history: history.last("test_accuracy") >= goal.accuracy) if goal else None,
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
