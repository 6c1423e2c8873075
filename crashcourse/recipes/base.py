"""What a recipe is, where recipes are found, and one run of one of them."""

import importlib
import os
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

import torch
from torch import nn

from crashcourse.errors import CourseError, check_name
from crashcourse.training import Checkpoint, History

SCALES = ("laptop", "study", "gpu")


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The budget of one scale.

    Attributes:
        epochs, batch_size, learning_rate, weight_decay: as in the papers; the rate is the peak of its schedule.
        width: channels of the model's first stage.
        stages: convolutions in each stage, for models that have stages; empty for others.
        data: which size of the data set: "subset" or "full"; for detectors which set: "scenes", "clear_scenes" or
            "voc2007".
        augment: flips, shifts and cutout on every batch.
        compares: the variants that a study at this scale runs, first the recipe's own choice.
        target: for recipes that are timed: the test accuracy at which a run ends.
        looks: for recipes that are timed: how often in an epoch the test accuracy is measured.
        image_size: for detectors: the images' side in pixels.
        images, test_images: for detectors: how many scenes to train and to test on; all images where they are not made.
            For students: how many labelled images they see.
        objects: for detectors: the fewest and the most objects that are drawn for a scene, where the set's own are
            not meant.
        depth: of restorers that are a stack: how many convolutions.
        patch: for restorers: the side of the clean patches that they learn from; `images` is how many an epoch has.
        test_side: for restorers: the side of the squares, from the middle of held-out photographs, to score on; whole
            photographs where it is not set.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    compares: tuple[str, ...]
    width: int = 16
    stages: tuple[int, ...] = (1, 1, 2)
    weight_decay: float = 5e-4
    data: str = "subset"
    augment: bool = False
    target: float | None = None
    looks: int | None = None
    image_size: int | None = None
    images: int | None = None
    test_images: int | None = None
    objects: tuple[int, int] | None = None
    depth: int | None = None
    patch: int | None = None
    test_side: int | None = None

    def settings(self) -> dict[str, Any]:
        """The budget as plain values, without the list of what is compared and without what is not set."""
        values = {key: value for key, value in asdict(self).items() if key != "compares" and value not in (None, ())}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        model: the trained model, in evaluation mode.
        history: its metrics, epoch by epoch.
        metrics: what it reached on test data: {"accuracy": 0.88, "loss": 0.33}.
        seconds: the time that training took.
    """

    model: nn.Module
    history: History
    metrics: Mapping[str, float]
    seconds: float


@dataclass(frozen=True)
class Goal:
    """What a timed run is to reach.

    Attributes:
        accuracy: on test images, between 0 and 1; training stops when it is first reached.
        looks: how often in an epoch it is measured.
    """

    accuracy: float
    looks: int = 1


@dataclass(frozen=True)
class Job:
    """One run to be done: what a recipe's `run` function receives.

    Attributes:
        scale, variant, seed: what to train; random generators are seeded already.
        checkpoint: where to keep one, if anywhere.
        progress: whether to report while training.
        goal: for a timed run, where it ends. Its history then has an entry for each look, and in it the seconds of
            training so far on the wall's clock ("seconds") and of the processor ("cpu_seconds"), and those of the
            looks ("evaluation_seconds").
    """

    scale: Scale
    variant: str
    seed: int
    checkpoint: Checkpoint | None = None
    progress: bool = True
    goal: Goal | None = None


@dataclass(frozen=True)
class Recipe:
    """A named pairing of model, data, loss and budget.

    Attributes:
        name: as in `train(name)`.
        title: what is trained on what, in a line.
        data: the data set's name and licence, for the card of its weights.
        variants: name -> what it differs in; the first is the default.
        scales: "laptop", "study", "gpu" -> budget.
        run: trains one job.
        timed: whether seconds are what it measures. A study then takes the variants in turns, seed by seed, so that
            whatever else the machine does meets all of them, and a run that was interrupted starts again.
    """

    name: str
    title: str
    data: str
    variants: Mapping[str, str]
    scales: Mapping[str, Scale]
    run: Callable[[Job], Run] = field(repr=False)
    timed: bool = False

    @property
    def default(self) -> str:
        """The variant that is meant where none is named."""
        return next(iter(self.variants))

    def scale(self, name: str) -> Scale:
        """The budget of a scale.

        Raises:
            CourseError: the recipe has no such scale.
        """
        return self.scales[check_name("scale", name, self.scales)]

    def variant(self, name: str | None) -> str:
        """A variant's name, checked; the default for None.

        Raises:
            CourseError: the recipe has no such variant.
        """
        return self.default if name is None else check_name(f"variant of {self.name}", name, self.variants)


@cache
def recipes() -> dict[str, Recipe]:
    """Every recipe by name: the lists called RECIPES in the modules of this room."""
    import crashcourse.recipes as room

    found: dict[str, Recipe] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(room.__path__)):
        for recipe in getattr(importlib.import_module(f"{room.__name__}.{module}"), "RECIPES", ()):
            if recipe.name in found:
                raise CourseError(f"Two recipes are named {recipe.name!r}; rename the one in recipes/{module}.py.")
            found[recipe.name] = recipe
    return found


def find(name: str) -> Recipe:
    """The recipe of this name.

    Raises:
        CourseError: there is none; the sentence suggests the nearest.
    """
    return recipes()[check_name("recipe", name, recipes())]


def train(
    name: str,
    *,
    scale: str = "laptop",
    seed: int = 0,
    variant: str | None = None,
    checkpoint: Checkpoint | None = None,
    progress: bool = True,
    goal: Goal | None = None,
) -> Run:
    """Train a recipe once. Random generators are seeded for the run and put back after it.

    Args:
        name: a recipe, such as "vgg_garments".
        scale: "laptop", "study" or "gpu".
        seed: an integer of at least 0; it decides weights, order, augmentation and dropout.
        variant: one of the recipe's variants; its first by default.
        checkpoint: a file to resume from and to write, for long runs.
        progress: show a live line and print one at the end.
        goal: stop where this is reached, and time the run; see `time_to_accuracy`.

    Returns:
        The trained model with its history and its metrics on test data.

    Raises:
        CourseError: an unknown recipe, scale or variant, a seed below 0, or data that is not on this computer.
        DivergedError: the loss became NaN or infinite.
    """
    recipe = find(name)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise CourseError(f"A seed is a whole number of at least 0; got {seed!r}.")
    job = Job(recipe.scale(scale), recipe.variant(variant), seed, checkpoint, progress, goal)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        from crashcourse.training.machine import join

        join()  # each process on its own GPU before the first tensor goes there
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        return recipe.run(job)
