"""The recipe of lesson 42: who sees what, and with which budget."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from crashcourse.classification.vgg import small_vgg
from crashcourse.datasets import garments
from crashcourse.distillation import distillation_loss
from crashcourse.errors import CourseError
from crashcourse.inspection import count_parameters
from crashcourse.recipes import Record, distillation
from crashcourse.recipes.base import Job, find
from crashcourse.recipes.distillation import (
    STUDENTS,
    TEACHERS,
    Lessons,
    distil,
    few_labels,
    repeated,
    teacher_of,
    teacher_scale,
    train_student,
    up_to_hint,
)
from tests.recipes.students import job, shrink

RECIPE = find("distil_garments")
RECORDS = Path(__file__).resolve().parents[2] / "course" / "records"  # those of the course, whatever a test uses


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch)


@pytest.mark.parametrize("name", ["distil_garments", "missing_garments"])
def test_every_variant_of_every_scale_is_known(name: str) -> None:
    """A study ends after an hour with a KeyError, or compares another default than the recipe's."""
    recipe = find(name)
    for scale in recipe.scales.values():
        assert set(scale.compares) <= set(recipe.variants)
        assert scale.compares[0] == recipe.default
        assert scale.data in TEACHERS
    if name == "distil_garments":
        assert set(recipe.variants) == {*STUDENTS, "teacher"}


def test_few_labels_are_balanced_and_drawn_by_the_seed() -> None:
    """A class has more images than another, an image comes twice, or every seed sees the same."""
    training = garments("train")
    few, again, others = (few_labels(training, 50, seed=seed) for seed in (0, 0, 1))
    assert few.labels.bincount().tolist() == [5] * 10
    assert len({image.numpy().tobytes() for image in few.images}) == 50
    assert torch.equal(few.images, again.images)
    assert not torch.equal(few.images, others.images)
    with pytest.raises(CourseError, match="shared out equally"):
        few_labels(training, 55, seed=0)
    with pytest.raises(CourseError, match="shared out equally"):
        few_labels(training, 20_000, seed=0)


def test_repeated_images_keep_their_labels() -> None:
    """An image comes more often than another, or with another one's label."""
    few = few_labels(garments("train"), 20, seed=0)
    many = repeated(few, 3)
    assert len(many) == 60
    for image, label in zip(few.images, few.labels, strict=True):
        same = (many.images == image).flatten(1).all(1)
        assert many.labels[same].tolist() == [int(label)] * 3


def test_a_teacher_is_trained_once_for_its_seed() -> None:
    """Every student waits for a teacher of its own, or two seeds share one; the student's budget changes it."""
    scale = job().scale
    assert teacher_of(scale, 0) is teacher_of(replace(scale, images=30, compares=("alone",)), 0)
    assert teacher_of(scale, 0) is not teacher_of(scale, 1)
    assert count_parameters(teacher_of(scale, 0).model) == count_parameters(small_vgg(width=2 * scale.width))
    assert teacher_scale(scale).images is None


def test_the_teacher_does_not_depend_on_who_asks_first() -> None:
    """The same study gives another teacher when it goes on after an interruption."""
    torch.manual_seed(5)
    first = teacher_of(job().scale, 3).model.state_dict()
    distillation._TEACHERS.clear()
    torch.manual_seed(6)
    state = torch.get_rng_state()
    second = teacher_of(job().scale, 3).model.state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("variant", RECIPE.variants)
def test_every_variant_trains(variant: str) -> None:
    """A variant ends in an error, or reports other metrics than the table of a record needs."""
    torch.manual_seed(0)
    run = RECIPE.run(job(variant))
    assert {"accuracy", "loss"} <= set(run.metrics)
    assert ("hint_loss" in run.metrics) == (variant == "hints")
    assert not run.model.training
    assert run.seconds > 0


def test_students_see_as_many_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """A student has a larger budget than another: more images, or more epochs over them."""
    seen: dict[str, int] = {}

    def fake(model: nn.Module, job: Job, *, training: object, **_: object) -> distillation.Run:
        seen[job.variant] = seen.get(job.variant, 0) + job.scale.epochs * len(training)
        return distillation.Run(model.eval(), distillation.History([{"loss": 0.0}]), {"accuracy": 0.0, "loss": 0.0}, 1)

    teacher_of(job(epochs=20).scale, 0)
    monkeypatch.setattr(distillation, "train_on_garments", fake)
    monkeypatch.setattr(
        distillation,
        "train_on_hints",
        lambda student, teacher, training, job, epochs: (
            seen.update({job.variant: epochs * len(training)}) or distillation.History([{"loss": 1.0}])
        ),
    )
    for variant in STUDENTS:
        RECIPE.run(job(variant, epochs=20))
    assert set(seen.values()) == {20 * distillation.ROUNDS * 40}


def test_answers_stay_with_their_images() -> None:
    """A shuffled student learns what the teacher says of another image."""
    training, teacher = few_labels(garments("train"), 40, seed=0), small_vgg(width=2).eval()
    batches = distillation.answered(training, teacher).to("cpu").batches(8, seed=3)
    seen = 0
    for images, labels, answers in batches.epoch(1):
        torch.testing.assert_close(answers, teacher(images).detach(), rtol=1e-4, atol=1e-5)
        seen += len(labels)
    assert seen == 40


def test_the_step_is_the_loss_on_the_teachers_answer() -> None:
    """The teacher answers for other images, or is trained too."""
    torch.manual_seed(0)
    student, teacher = small_vgg(width=2), small_vgg(width=3).eval()
    images, labels = torch.randn(4, 1, 28, 28), torch.tensor([0, 1, 2, 3])
    found = distil(student.eval(), (images, labels), teacher=teacher, temperature=3.0, hard_weight=0.2)
    expected = distillation_loss(student(images), teacher(images), labels, temperature=3.0, hard_weight=0.2)
    torch.testing.assert_close(found["loss"], expected)
    given = distil(student, (images, labels, teacher(images)), teacher=None, temperature=3.0, hard_weight=0.2)
    torch.testing.assert_close(given["loss"], expected)
    found["loss"].backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_hints_come_before_and_change_the_student(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first stage trains a copy, or layers behind the guided one; or its loss does not fall."""
    training, student = few_labels(garments("train"), 40, seed=0), small_vgg(width=4)
    teacher = teacher_of(job().scale, 0).model
    before = {name: value.clone() for name, value in student.named_parameters()}
    history = distillation.train_on_hints(student, teacher, training, job("hints"), epochs=10)
    assert history.last("loss") < 0.9 * history.curve("loss")[0]
    guided = len(list(up_to_hint(student).parameters()))
    moved = [not torch.equal(before[name], value) for name, value in student.named_parameters()]
    assert all(moved[:guided])
    assert not any(moved[guided:])
    assert up_to_hint(student)(torch.zeros(1, 1, 28, 28)).shape == (1, 8, 7, 7)


def test_a_student_can_learn_from_its_teacher_alone() -> None:
    """Soft targets without labels teach nothing: on its own images the student stays far from the teacher."""
    training = few_labels(garments("train"), 200, seed=0)
    labels_lost = replace(training, labels=torch.zeros_like(training.labels))
    torch.manual_seed(0)
    long = job(epochs=20)
    run = train_student(small_vgg(width=4), Lessons(temperature=4.0, hard_weight=0.0), labels_lost, long)
    teacher = teacher_of(long.scale, 0).model
    with torch.no_grad():
        images = training.normalised()
        agree = (run.model(images).argmax(1) == teacher(images).argmax(1)).float().mean()
    assert agree > 0.4


def test_the_record_says_what_the_lesson_concludes() -> None:
    """Lesson 42 draws conclusions in words that a newer record contradicts. Intervals: 95 %, by t, five seeds."""
    record = Record.read(RECORDS / "distil_garments.study.json")
    values = {
        (name, metric): torch.tensor([100 * run.metrics[metric] for run in runs])
        for name, runs in record.variants.items()
        for metric in ("accuracy", "loss")
    }

    def ends(name: str, other: str, metric: str = "accuracy") -> tuple[float, float]:
        difference = values[name, metric] - values[other, metric]
        assert len(difference) == 5
        half = 2.776 * difference.std() / 5**0.5
        return float(difference.mean() - half), float(difference.mean() + half)

    for name in ("distilled", "hints", "t1", "unlabelled"):
        low, high = ends(name, "alone")
        assert low < 0 < high, f"{name} differs from alone"
        assert 0.2 < (low + high) / sum(ends("all_labels", "alone")) < 0.6, "a quarter to a half of the yardstick"
    assert float((values["all_labels", "accuracy"] - values["alone", "accuracy"]).min()) > 0
    for name in ("distilled", "hints", "t1", "t20", "unlabelled"):
        assert float((values[name, "loss"] - values["alone", "loss"]).max()) < 0
    assert float((values["distilled", "loss"] - values["smoothed", "loss"]).max()) < 0
    low, high = ends("hints", "distilled")
    assert low < 0 < high
    assert ends("t20", "distilled")[1] < 0 < ends("t1", "distilled")[0]
    assert ends("t1", "distilled", "loss")[0] > 0
    assert sum(ends("unlabelled", "all_labels")) / 2 > -2.2
