"""A student that never sees a class: what it learns of it, and what correcting the bias does."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from crashcourse.datasets import garments
from crashcourse.recipes import Record, Run, missing_class
from crashcourse.recipes.base import Job
from crashcourse.recipes.distillation import Lessons
from crashcourse.recipes.missing_class import MISSING_GARMENTS, missing_class_scores, without_class
from crashcourse.training import History
from tests.recipes.students import job, shrink

RECORDS = Path(__file__).resolve().parents[2] / "course" / "records"  # those of the course, whatever a test uses


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch)


def test_the_missing_class_is_not_among_the_images() -> None:
    """The student sees what it must not see, or classes are numbered anew."""
    training = without_class(garments("train"), 7)
    assert len(training) == 9000
    assert 7 not in training.labels.unique().tolist()
    assert len(training.classes) == 10


class Fixed(nn.Module):
    """A network whose logits are its images' first ten pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)[:, :10]


def test_scores_of_the_missing_class_by_hand() -> None:
    """The bias is fitted on the test images, or accuracy of the class is confused with that of all.

    Logits are 200 for the own class, but 100 less for class 2 than for another one: a bias between 100 and 200 helps.
    """
    images = torch.zeros(20, 1, 28, 28, dtype=torch.uint8)
    labels = torch.arange(20) % 10
    for row, label in enumerate(labels.tolist()):
        images[row, 0, 0, label] = 200
        if label == 2:
            images[row, 0, 0, 3], images[row, 0, 0, 2] = 200, 100
    held_out = replace(garments("test"), images=images, labels=labels, mean=(0.0,), std=(1 / 255,))
    test = replace(held_out, labels=torch.where(labels == 9, 2, labels))  # two more of class 2, which look like 9
    scores = missing_class_scores(Fixed().eval(), held_out, test, 2)
    assert 100 < scores["bias"] < 200
    assert scores["class_accuracy"] == 0
    assert scores["corrected_class_accuracy"] == pytest.approx(0.5)
    assert scores["corrected_accuracy"] == pytest.approx(0.9)


@pytest.mark.parametrize("variant", MISSING_GARMENTS.variants)
def test_every_variant_of_the_missing_class_trains(variant: str) -> None:
    """A variant ends in an error, or the record lacks what the lesson quotes."""
    torch.manual_seed(0)
    run = MISSING_GARMENTS.run(job(variant, epochs=2))
    assert set(run.metrics) == {
        *("accuracy", "loss", "class_accuracy"),
        *("bias", "corrected_accuracy", "corrected_class_accuracy"),
    }


def test_held_out_images_are_not_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bias is fitted on images that the student learned from."""
    seen = []

    def fake(model: nn.Module, lessons: Lessons, training: object, job: Job) -> Run:
        seen.append(training)
        return Run(model.eval(), History([{"loss": 0.0}]), {}, 1.0)

    monkeypatch.setattr(missing_class, "train_student", fake)
    monkeypatch.setattr(missing_class, "missing_class_scores", lambda model, held, test, index: seen.append(held) or {})
    missing_class.missing_class(job(), Lessons(), missing=4)
    training, held_out = ({image.numpy().tobytes() for image in images.images} for images in seen)
    assert len(held_out) == 100
    assert not training & held_out
    assert 4 not in seen[0].labels.tolist()
    assert 4 in seen[1].labels.tolist()


def test_the_missing_class_is_learned_by_hearsay() -> None:
    """Lesson 42 says that a corrected bias finds the class only with a teacher; the record says otherwise."""
    record = Record.read(RECORDS / "missing_garments.study.json")
    assert record.field("soft.class_accuracy_max") < 0.02
    assert record.field("soft.corrected_class_accuracy_min") > 0.5
    assert record.field("hard.corrected_class_accuracy_max") < 0.1
    assert record.field("complete.class_accuracy_min") > 0.8
