"""The exercises of lesson 42 teach what the package does."""

import torch

from crashcourse.distillation import distillation_loss, logit_loss, regressor
from crashcourse.distillation import hint_loss as room_hint_loss
from crashcourse.exercises.distillation import EXERCISES, high_temperature_loss, hint_loss, kd_loss
from crashcourse.exercises.distillation_questions import LIMIT_SLOPE, QUESTIONS, SLOPE


def test_the_losses_are_the_packages() -> None:
    """Else learners write another loss than the one that lessons train with."""
    torch.manual_seed(0)
    student, teacher, labels = torch.randn(4, 6), torch.randn(4, 6), torch.tensor([0, 5, 2, 2])
    for temperature, weight in ((1.0, 0.3), (6.0, 0.1)):
        expected = distillation_loss(student, teacher, labels, temperature=temperature, hard_weight=weight)
        torch.testing.assert_close(kd_loss(student, teacher, labels, temperature, weight), expected)
    torch.testing.assert_close(high_temperature_loss(student, teacher), logit_loss(student, teacher))


def test_the_hint_is_the_packages() -> None:
    """Else learners write another regressor than the one of the first stage."""
    torch.manual_seed(0)
    layers, maps, hint = regressor((3, 6, 5), (4, 4, 3)), torch.randn(2, 3, 6, 5), torch.rand(2, 4, 4, 3)
    ours = hint_loss(maps, hint, layers[0].weight, layers[0].bias)
    torch.testing.assert_close(ours, room_hint_loss(hint, layers(maps)))


def test_what_the_table_explains() -> None:
    """The gradient at T = 2 is not near that of the limit, as the explanation says."""
    value = QUESTIONS[0].value
    assert abs(value[SLOPE] / value[LIMIT_SLOPE] - 1) < 0.05


def test_what_the_question_explains() -> None:
    """Without T² the soft gradient does not fall about a hundredfold from T = 5 to T = 50."""
    torch.manual_seed(0)
    student, teacher = torch.randn(50, 10, requires_grad=True), 2 * torch.randn(50, 10)
    labels, norms = torch.zeros(50, dtype=torch.int64), []
    for temperature in (5.0, 50.0):
        loss = kd_loss(student, teacher, labels, temperature, 0.0) / temperature**2
        norms.append(float(torch.autograd.grad(loss, student)[0].norm()))
    assert 80 < norms[0] / norms[1] < 125


def test_the_student_has_to_learn_and_the_teacher_need_not() -> None:
    """Else a loss that is cut off from the student would pass, or one that cuts the teacher off be refused."""
    exercises = {exercise.name: exercise for exercise in EXERCISES}
    for name, reference in (
        ("distillation.kd_loss", kd_loss),
        ("distillation.high_temperature", high_temperature_loss),
        ("distillation.hint_loss", hint_loss),
    ):
        exercise = exercises[name]
        assert exercise.check(lambda s, t, *rest, f=reference: f(s, t.detach(), *rest)).verdict == "passed"
        assert exercise.check(lambda s, t, *rest, f=reference: f(s.detach(), t, *rest)).verdict == "wrong"
