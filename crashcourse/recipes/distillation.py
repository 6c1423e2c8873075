"""Recipe of lesson 42: a small network learns from a large one, with few labels.

Papers: Hinton, Vinyals and Dean, 2015, arXiv:1503.02531 (soft targets); Romero et al., 2014, arXiv:1412.6550 (hints).
**Differs from the papers:** narrow VGGs on grey garments, a few hundred labels, one cycle of SGD. Teacher and student
have the same layout and differ in width, where FitNets are also deeper; the weight of the teacher is constant. A class
that is left out has a recipe of its own, in `missing_class`.

The teacher learns from all training images with their labels; the students, but for `unlabelled` and `all_labels`, see
`Scale.images` of them, as many of each class, drawn by the seed. All students have the same budget, counted in images
that go through them, hints included; the time of the teacher, which each process trains once for a seed, is not in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from crashcourse.classification.vgg import VGG, small_vgg
from crashcourse.distillation import Guided, distillation_loss, hint_loss, regressor
from crashcourse.errors import CourseError
from crashcourse.recipes.base import Job, Recipe, Run, Scale
from crashcourse.recipes.classifier import ClassifierSettings, train_on_garments
from crashcourse.recipes.garments import DATA
from crashcourse.training import Checkpoint, History

if TYPE_CHECKING:
    from crashcourse.datasets import ImageSet

WIDER = 4
"""How many times as many channels as its student a teacher has."""
TEACHERS: Mapping[str, Mapping[str, float]] = {
    "subset": {"epochs": 3, "batch_size": 64, "learning_rate": 0.05},
    "full": {"epochs": 20, "batch_size": 125, "learning_rate": 0.1},
}
"""The budget of the teacher, on all training images, by the size of the set."""
ROUNDS = 5
"""How often an epoch shows each of a few labelled images, so that there are fewer looks at the test images."""
HINT_SHARE = 4
"""One part in so many of the student's epochs goes to the hints."""
HINT_STAGE = 2
"""Hint and guided layer are the outputs of this stage, of both networks, pooling included."""
HINT_RATE = 0.01
"""The peak rate of Adam in the stage of hints."""
_TEACHERS: dict[tuple[Scale, int], Run] = {}


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """What a student learns from.

    Attributes:
        temperature: of the soft targets; None: from labels alone.
        hard_weight: of the labels, beside soft targets.
        hints: whether the teacher's hints come first.
        everything: all training images, in as many epochs as see as many images, in place of a few.
        smoothing: of the labels, where there are no soft targets.
    """

    temperature: float | None = None
    hard_weight: float = 0.1
    hints: bool = False
    everything: bool = False
    smoothing: float = 0.0


STUDENTS: Mapping[str, Lessons] = {
    "distilled": Lessons(temperature=4.0),
    "hints": Lessons(temperature=4.0, hints=True),
    "alone": Lessons(),
    "smoothed": Lessons(smoothing=0.1),
    "t1": Lessons(temperature=1.0),
    "t20": Lessons(temperature=20.0),
    "unlabelled": Lessons(temperature=4.0, hard_weight=0.0, everything=True),
    "all_labels": Lessons(everything=True),
}
"""Variant -> what its student learns from."""


def teacher_scale(scale: Scale) -> Scale:
    """The budget of the teacher to students of a scale."""
    return replace(scale, width=WIDER * scale.width, images=None, compares=(), **TEACHERS[scale.data])


def teacher_of(scale: Scale, seed: int, *, progress: bool = False, checkpoint: Checkpoint | None = None) -> Run:
    """The teacher to students of a scale and a seed, trained once in a process and kept.

    Args:
        scale: of the students.
        seed: decides its weights and the order of its images.
        progress: report while training.
        checkpoint: where to keep one, if anywhere.

    Raises:
        KeyboardInterrupt: the learner stopped its training; half a teacher is none.
    """
    key = teacher_scale(scale), seed
    if key not in _TEACHERS:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(seed)
            run = train_on_garments(build(key[0]), Job(key[0], "teacher", seed, checkpoint, progress))
        if run.history.interrupted:
            raise KeyboardInterrupt
        _TEACHERS[key] = run
    return _TEACHERS[key]


def few_labels(training: "ImageSet", images: int, *, seed: int) -> "ImageSet":
    """So many labelled images, the same number of each class, drawn at random.

    Args:
        training: what to draw from.
        images: how many; a multiple of the number of classes.
        seed: which.

    Raises:
        CourseError: `images` cannot be shared out among the classes, or a class has too few.
    """
    from crashcourse.datasets.batches import seeded_generator

    classes = len(training.classes)
    each, rest = divmod(images, classes)
    if rest or each < 1 or int(training.labels.bincount(minlength=classes).min()) < each:
        raise CourseError(f"{images} images cannot be shared out equally among the {classes} classes of {training!r}.")
    order = torch.randperm(len(training), generator=seeded_generator(seed, "few labels"))
    rows = torch.cat([order[training.labels[order] == index][:each] for index in range(classes)]).sort().values
    return replace(training, images=training.images[rows], labels=training.labels[rows])


def repeated(training: "ImageSet", times: int) -> "ImageSet":
    """The same images, each so many times: an epoch then shows them as often, in an order of its own."""
    images, labels = training.images.repeat(times, 1, 1, 1), training.labels.repeat(times)
    return replace(training, images=images, labels=labels)


@torch.no_grad()
def answered(training: "ImageSet", teacher: nn.Module) -> "ImageSet":
    """The same images, each with what a teacher says of it, so that it is asked once and not in every epoch.

    Args:
        training: the images; not for a run that augments them.
        teacher: images -> logits, in evaluation mode.

    Returns:
        A set whose batches are (images, labels, logits `(N, classes)`).
    """
    from crashcourse.datasets import Batches, ImageSet

    @dataclass(frozen=True, eq=False)
    class Answered(ImageSet):
        answers: Tensor

        def batches(self, batch_size: int, **options: Any) -> Batches:
            answers = self.answers.to(self.images.device)
            options = {"transform": self.normalise, **options}
            return Batches(self.images, self.labels, answers, batch_size=batch_size, **options)

    device = next(teacher.parameters()).device
    answers = torch.cat([teacher(part.to(device)) for part in training.normalised().split(500)]).float()
    return Answered(**vars(training), answers=answers)


def distil(
    model: nn.Module,
    batch: tuple[Tensor, ...],
    *,
    teacher: nn.Module,
    temperature: float,
    hard_weight: float,
) -> dict[str, Tensor]:
    """The step of a distilled student: the teacher answers for the same batch, unless it comes with its answers.

    Args:
        model, teacher: images `(N, C, H, W)` float -> logits `(N, classes)`; the teacher in evaluation mode.
        batch: images, labels `(N,)` int64, and perhaps the teacher's logits: see `answered`.
        temperature, hard_weight: of `distillation_loss`.

    Returns:
        {"loss": scalar, "accuracy": of the student on the labels}.
    """
    images, labels, *answers = batch
    with torch.no_grad():
        targets = answers[0] if answers else teacher(images)  # (N, classes)
    logits = model(images)  # (N, classes)
    loss = distillation_loss(logits, targets, labels, temperature=temperature, hard_weight=hard_weight)
    return {"loss": loss, "accuracy": (logits.argmax(1) == labels).float().mean()}


def up_to_hint(model: VGG) -> nn.Sequential:
    """The layers of a VGG up to the end of stage `HINT_STAGE`: the network's own, not copies."""
    pools = [place for place, layer in enumerate(model.features) if isinstance(layer, nn.MaxPool2d)]
    return model.features[: pools[HINT_STAGE - 1] + 1]


def train_on_hints(student: VGG, teacher: VGG, training: "ImageSet", job: Job, *, epochs: int) -> History:
    """The first stage of FitNets: the student up to its guided layer, and a regressor that is thrown away.

    Args:
        student: trained in place, up to its guided layer.
        teacher: in evaluation mode; its layer after as many stages gives the hints.
        training: the images.
        job: batch size, seed, augmentation, checkpoint.
        epochs: of this stage.

    Returns:
        The history, its "loss" being the mean of ½ ‖u - r(v)‖².
    """
    guided, hinting = up_to_hint(student), up_to_hint(teacher)
    shapes = [_shape_behind(part, training) for part in (guided, hinting)]

    def step(model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        with torch.no_grad():
            hint = hinting(batch[0])  # (N, C, 7, 7)
        return {"loss": hint_loss(hint, model(batch[0]))}

    scale = replace(job.scale, epochs=epochs, learning_rate=HINT_RATE, weight_decay=0)
    job = replace(job, scale=scale, checkpoint=_beside(job.checkpoint, "hints"))
    settings = ClassifierSettings(optimizer="adam")
    return settings.fit(Guided(guided, regressor(*shapes)), settings.batches(training, scale, seed=job.seed), step, job)


def train_student(model: VGG, lessons: Lessons, training: "ImageSet", job: Job) -> Run:
    """Train a student within the job's budget.

    Args:
        model: the student, trained in place.
        lessons: what it learns from.
        training: its images.
        job: epochs over those images, batch size, rate, seed, checkpoint.

    Returns:
        The run; its seconds are those of the student, hints included. With hints its metrics also hold "hint_loss",
        that of the first stage's last epoch.
    """
    scale, seconds, extra = job.scale, 0.0, {}
    if lessons.temperature is None:
        settings = ClassifierSettings(smoothing=lessons.smoothing)
        return train_on_garments(model, job, settings=settings, training=training)
    teacher = teacher_of(scale, job.seed, checkpoint=_beside(job.checkpoint, "teacher")).model
    if lessons.hints:
        first = max(1, scale.epochs // HINT_SHARE)
        history = train_on_hints(model, teacher, training, job, epochs=first)
        if history.interrupted:
            return Run(model, history, {}, history.seconds)
        job = replace(job, scale=replace(scale, epochs=scale.epochs - first))
        seconds, extra = history.seconds, {"hint_loss": history.last("loss")}
    step = partial(distil, teacher=teacher, temperature=lessons.temperature, hard_weight=lessons.hard_weight)
    run = train_on_garments(model, job, step=step, training=training if scale.augment else answered(training, teacher))
    return replace(run, metrics={**run.metrics, **extra}, seconds=seconds + run.seconds)


@torch.no_grad()
def _shape_behind(part: nn.Module, training: "ImageSet") -> tuple[int, ...]:
    """(C, H, W) of the maps that a part of a network makes of an image."""
    device = next(part.parameters()).device
    return tuple(part.eval()(training.take(1).normalised().to(device)).shape[1:])


def build(scale: Scale) -> VGG:
    """A fresh student of a scale's width, or a teacher: `(N, 1, 28, 28)` float -> `(N, 10)`."""
    return small_vgg(width=scale.width, stages=scale.stages)


def _beside(checkpoint: Checkpoint | None, what: str) -> Checkpoint | None:
    """Another file for what is trained on the way."""
    if checkpoint is None:
        return None
    path = Path(checkpoint.path)
    return Checkpoint(path.with_name(f"{path.stem}.{what}{path.suffix}"), checkpoint.every)


def _train_few(job: Job) -> Run:
    from crashcourse.datasets import garments

    scale = job.scale
    if job.variant == "teacher":
        return teacher_of(scale, job.seed, progress=job.progress, checkpoint=job.checkpoint)
    training, lessons = garments("train", size=scale.data), STUDENTS[job.variant]
    if lessons.everything:
        epochs = max(1, round(scale.epochs * ROUNDS * scale.images / len(training)))
        job = replace(job, scale=replace(scale, epochs=epochs))
    else:
        training = repeated(few_labels(training, scale.images, seed=job.seed), ROUNDS)
    return train_student(build(scale), lessons, training, job)


LAPTOP = Scale(epochs=12, batch_size=50, learning_rate=0.03, width=4, images=500, compares=("distilled",))
GPU = Scale(epochs=50, batch_size=125, learning_rate=0.1, width=16, data="full", augment=True, images=3000, compares=())

DISTIL_GARMENTS = Recipe(
    name="distil_garments",
    title="a narrow VGG on few garments, with and without a teacher",
    data=DATA,
    variants={
        "distilled": "soft targets at temperature 4, labels at weight 0.1",
        "teacher": "the teacher: 4 times as wide, all training images",
        "alone": "the few labels alone",
        "hints": "the first quarter of the epochs on the teacher's hints, then distilled",
        "smoothed": "the few labels, smoothed by 0.1",
        "t1": "soft targets at temperature 1, labels at weight 0.1",
        "t20": "soft targets at temperature 20, labels at weight 0.1",
        "unlabelled": "soft targets at temperature 4 for all training images, no labels",
        "all_labels": "all training images with their labels, no teacher",
    },
    scales={
        "laptop": LAPTOP,
        "study": replace(
            LAPTOP, compares=("distilled", "teacher", *(name for name in STUDENTS if name != "distilled"))
        ),
        "gpu": replace(GPU, compares=("distilled", "teacher", "alone", "hints", "unlabelled", "all_labels")),
    },
    run=_train_few,
)

RECIPES = [DISTIL_GARMENTS]
