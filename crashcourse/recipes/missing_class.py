"""Recipe of lesson 42: a student that never sees a class, from a teacher that knows it.

Paper: Hinton, Vinyals and Dean, 2015, arXiv:1503.02531, section 3. **Differs from the paper:** garments in place of
digits, narrow VGGs, one cycle of SGD; the bias of the class is fitted on held-out training images, not on the test set.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from crashcourse.distillation import fitted_bias, raise_logit
from crashcourse.recipes.base import Job, Recipe, Run
from crashcourse.recipes.distillation import GPU, LAPTOP, Lessons, build, train_student
from crashcourse.recipes.garments import DATA

if TYPE_CHECKING:
    from crashcourse.datasets import ImageSet

TEMPERATURE = 4.0
"""Of the soft targets."""
MISSING = 7
"""The class that `missing_garments` leaves out: Sneaker, which resembles sandals and ankle boots."""
HELD_OUT = 1000
"""How many training images `missing_garments` keeps apart, to fit the bias on."""


def without_class(training: "ImageSet", index: int) -> "ImageSet":
    """The images of all other classes; the list of classes stays as it is."""
    rows = (training.labels != index).nonzero()[:, 0]
    return replace(training, images=training.images[rows], labels=training.labels[rows])


@torch.no_grad()
def missing_class_scores(model: nn.Module, held_out: "ImageSet", test: "ImageSet", index: int) -> dict[str, float]:
    """How a student does on a class, before and after the class's bias is raised.

    Args:
        model: images -> logits, in evaluation mode; it may never have seen the class.
        held_out: labelled images with the class among them, on which the bias is fitted.
        test: on which all else is measured.
        index: the class.

    Returns:
        {"class_accuracy": of the test images of the class, the part that is right, "bias": what its logit is raised by,
        "corrected_accuracy": of all test images after that, "corrected_class_accuracy": of those of the class}.
    """
    device = next(model.parameters()).device

    def logits_of(images: "ImageSet") -> Tensor:
        return torch.cat([model(part.to(device)) for part in images.normalised().split(500)]).float().cpu()

    bias = fitted_bias(logits_of(held_out), held_out.labels, index)
    logits, of_class = logits_of(test), test.labels == index
    before = logits.argmax(1) == test.labels
    after = raise_logit(logits, index, bias).argmax(1) == test.labels
    return {
        "class_accuracy": before[of_class].float().mean().item(),
        "bias": bias,
        "corrected_accuracy": after.float().mean().item(),
        "corrected_class_accuracy": after[of_class].float().mean().item(),
    }


def missing_class(job: Job, lessons: Lessons, *, missing: int = MISSING, left_out: bool = True) -> Run:
    """Hinton's experiment: a student that never sees a class, whose bias is corrected afterwards.

    Args:
        job: budget and seed; the teacher saw every class.
        lessons: what the student learns from.
        missing: the class that is looked at.
        left_out: whether its images are left out of the student's.

    Returns:
        The run; its metrics are accuracy and loss on all test images, and `missing_class_scores`.
    """
    from crashcourse.datasets import garments

    training, test = (garments(split, size=job.scale.data) for split in ("train", "test"))
    held_out, training = training.split(HELD_OUT, seed=job.seed)
    run = train_student(build(job.scale), lessons, without_class(training, missing) if left_out else training, job)
    if run.history.interrupted:
        return run
    return replace(run, metrics={**run.metrics, **missing_class_scores(run.model, held_out, test, missing)})


def _train_missing(job: Job) -> Run:
    soft = Lessons(temperature=TEMPERATURE, hard_weight=0.0)
    return missing_class(job, Lessons() if job.variant == "hard" else soft, left_out=job.variant != "complete")


MISSING_GARMENTS = Recipe(
    name="missing_garments",
    title="a narrow VGG on garments without sneakers, from a teacher that knows them",
    data=DATA,
    variants={
        "soft": "soft targets at temperature 4, no labels, no sneakers",
        "hard": "labels, no sneakers",
        "complete": "soft targets at temperature 4, no labels, sneakers among the images",
    },
    scales={
        "laptop": replace(LAPTOP, epochs=3, images=None, compares=("soft",)),
        "study": replace(LAPTOP, epochs=3, images=None, compares=("soft", "hard", "complete")),
        "gpu": replace(GPU, epochs=10, images=None, compares=("soft", "hard", "complete")),
    },
    run=_train_missing,
)

RECIPES = [MISSING_GARMENTS]
