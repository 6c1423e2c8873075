"""Recipe of lesson 18: the ladder of training speed, each rung timed to one accuracy, and what is stock beside it.

Papers: time to accuracy: Coleman et al., 2017 (DAWNBench). Adam: Kingma and Ba, 2014, arXiv:1412.6980. One cycle: Smith
and Topin, 2017, arXiv:1708.07120. Label smoothing: Szegedy et al., 2015, arXiv:1512.00567. Mixed precision:
Micikevicius et al., 2017, arXiv:1710.03740. **Differs from the papers:** a small VGG on 10,000 grey garments; momentum
stays as it is under one cycle; mixed precision is bf16 autocast, which needs no loss scaling.

The study of batch sizes is in `speed_large_batches`, sharpness in `speed_sharpness`.
"""

import math
import statistics
from dataclasses import dataclass, replace

from torch import nn

from crashcourse.classification.vgg import small_vgg
from crashcourse.errors import CourseError
from crashcourse.recipes.base import Goal, Job, Recipe, Run, Scale
from crashcourse.recipes.classifier import ClassifierSettings, train_on_garments
from crashcourse.recipes.garments import DATA
from crashcourse.recipes.records import Record
from crashcourse.recipes.speed_sharpness import sharpness
from crashcourse.recipes.timing import read_history

__all__ = ["FASTEST", "LADDER", "RUNGS", "STOCK", "TARGET", "Rung", "fastest", "sharpness", "stock_resnet18"]

TARGET = 0.87
"""The test accuracy to which every rung is timed, at laptop and study scale."""


@dataclass(frozen=True)
class Rung:
    """One rung of the ladder.

    Attributes:
        after: the rung that it stands on and differs from in `says` alone, apart from the rate that suits it and
            Adam's having no weight decay; "" on the ground. A rung that did not help in trials has none standing on it.
        says: what it adds.
        settings: how it trains.
        learning_rate: the best of a small search for this optimizer and schedule; None for the scale's own.
        patience: after how many times the scale's epochs it gives up; schedules that end run for one time.
        weight_decay: None for the scale's own.
        network: "small" for the course's VGG, "resnet18" for torchvision's.
    """

    after: str
    says: str
    settings: ClassifierSettings
    learning_rate: float | None = None
    patience: int = 1
    weight_decay: float | None = None
    network: str = "small"

    def scale(self, scale: Scale) -> Scale:
        """The budget of a scale as this rung needs it."""
        decay = scale.weight_decay if self.weight_decay is None else self.weight_decay
        rate = self.learning_rate or scale.learning_rate
        return replace(scale, epochs=self.patience * scale.epochs, learning_rate=rate, weight_decay=decay)


_GROUND = ClassifierSettings(optimizer="sgd", schedule="constant", channels_last=False, data="loader")
_MOMENTUM = replace(_GROUND, optimizer="momentum")
_ADAM = replace(_GROUND, optimizer="adam")
_ONE_CYCLE = replace(_ADAM, schedule="one_cycle")
_CHANNELS_LAST = replace(_ONE_CYCLE, channels_last=True)
_IN_MEMORY = replace(_CHANNELS_LAST, data="memory")
_NESTEROV = replace(_IN_MEMORY, optimizer="nesterov")

RUNGS = {
    "plain": Rung("", "SGD at a constant rate; images one by one through a DataLoader", _GROUND, 0.1, 5),
    "momentum": Rung("plain", "momentum 0.9", _MOMENTUM, 0.03, 5),
    "adam": Rung("momentum", "Adam instead", _ADAM, 0.001, 5, 0.0),
    "one_cycle": Rung("adam", "one cycle of the rate", _ONE_CYCLE, 0.003, 1, 0.0),
    "label_smoothing": Rung("one_cycle", "label smoothing 0.1", replace(_ONE_CYCLE, smoothing=0.1), 0.003, 1, 0.0),
    "channels_last": Rung("one_cycle", "images and weights as NHWC in memory", _CHANNELS_LAST, 0.003, 1, 0.0),
    "bf16": Rung("channels_last", "bf16 autocast", replace(_CHANNELS_LAST, precision="bf16"), 0.003, 1, 0.0),
    "in_memory": Rung("channels_last", "batches cut from tensors in memory", _IN_MEMORY, 0.003, 1, 0.0),
    "nesterov": Rung("in_memory", "SGD with Nesterov's momentum instead of Adam: the course's own", _NESTEROV),
    "compile": Rung("nesterov", "torch.compile", replace(_NESTEROV, compiled=True)),
}
LADDER = tuple(RUNGS)
"""The rungs, from the ground up."""

STOCK = {
    "stock_small": Rung("", "a stock loop, Adam at its default rate, our small network", _ADAM, 0.001, 5, 0.0),
    "stock_resnet18": Rung(
        "", "the same stock loop, torchvision's ResNet-18 with a 3×3 stem", _ADAM, 0.001, 5, 0.0, "resnet18"
    ),
}
"""What a learner would otherwise run."""

FASTEST = "nesterov"
"""The rung that the course trains with: `ClassifierSettings()`; see `fastest`."""


def stock_resnet18(num_classes: int = 10) -> nn.Module:
    """torchvision's ResNet-18 as it is usually adapted to small images: a 3×3 stem of stride 1, no max-pooling.

    Returns:
        `(N, 1, 28, 28)` float -> `(N, num_classes)`; 11,172,810 parameters with 10 classes.
    """
    import torchvision.models

    model = torchvision.models.resnet18(num_classes=num_classes)
    model.conv1 = nn.Conv2d(1, 64, 3, padding=1, bias=False)
    model.maxpool = nn.Identity()
    return model


def fastest(record: Record, *, own: str = FASTEST) -> str:
    """The rung with which to train from now on, by a record of `speed_garments`; compiling counts.

    It is the course's own way, unless another rung is faster beyond the spread: it reached the target with every seed,
    and its slowest run took less time than the fastest run of the course's own. Then it is, of those rungs, the one
    with the least mean. A change has its price, since every rate would have to be searched for again; so a tie is no
    reason for one.

    Args:
        record: with a number of seeds for each rung that is to be considered.
        own: the rung that is the course's own.

    Raises:
        CourseError: `own` did not reach the target with every seed, and no other rung did.
    """
    times = {}
    for name in LADDER:
        runs = [run.metrics for run in record.variants.get(name, [])]
        if runs and all(run["reached"] for run in runs):
            times[name] = [run["seconds_to_target"] + run["compile_seconds"] for run in runs]
    if not times:
        raise CourseError("No rung of this record reached the target with every seed, so none is the fastest.")
    least = min(times.get(own, [math.inf]))
    faster = {name: statistics.fmean(seconds) for name, seconds in times.items() if max(seconds) < least}
    return min(faster, key=faster.__getitem__) if faster else own


def _train_speed(job: Job) -> Run:
    rung = {**RUNGS, **STOCK}[job.variant]
    scale = rung.scale(job.scale)
    goal = job.goal or Goal(scale.target, scale.looks)
    model = stock_resnet18() if rung.network == "resnet18" else small_vgg(width=scale.width, stages=scale.stages)
    run = train_on_garments(model, replace(job, scale=scale, goal=goal), settings=rung.settings)
    if run.history.interrupted:
        return run
    compiling = run.metrics.get("compile_seconds", 0.0)
    time = read_history(run.history, goal, recipe="speed_garments", compile_seconds=compiling)
    metrics = {
        **run.metrics,
        "reached": float(time.reached),
        "seconds_to_target": time.seconds,
        "cpu_seconds_to_target": time.cpu_seconds,
        "epochs_to_target": time.epochs,
        "evaluation_seconds": time.evaluation_seconds,
        "compile_seconds": time.compile_seconds,
    }
    return replace(run, metrics=metrics)


_COMPARED = (FASTEST, *(name for name in LADDER if name != FASTEST), *STOCK)

SPEED_GARMENTS = Recipe(
    name="speed_garments",
    title="a narrow VGG on Fashion-MNIST, to a given accuracy",
    data=DATA,
    variants={name: {**RUNGS, **STOCK}[name].says for name in _COMPARED},
    scales={
        "laptop": Scale(epochs=3, batch_size=64, learning_rate=0.05, compares=(FASTEST,), target=TARGET, looks=4),
        "study": Scale(epochs=3, batch_size=64, learning_rate=0.05, compares=_COMPARED, target=TARGET, looks=4),
        "gpu": Scale(
            epochs=15,
            batch_size=512,
            learning_rate=0.2,
            width=64,
            stages=(2, 2, 2),
            data="full",
            augment=True,
            compares=(FASTEST,),
            target=0.94,
            looks=1,
        ),
    },
    run=_train_speed,
    timed=True,
)

RECIPES = [SPEED_GARMENTS]
