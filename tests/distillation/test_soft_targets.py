"""Soft targets by hand, at both ends of the temperature, and against plain sums."""

import itertools
import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from crashcourse.distillation import (
    distillation_loss,
    fitted_bias,
    logit_loss,
    raise_logit,
    soft_cross_entropy,
    soft_loss,
    soften,
)
from crashcourse.errors import CourseError


def pair(n: int = 6, classes: int = 5, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits of a student, which want a gradient, and of a teacher, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    student, teacher = (3 * torch.randn(n, classes, generator=generator, dtype=torch.float64) for _ in range(2))
    return student.requires_grad_(), teacher + 1


def gradient(loss: Tensor, of: Tensor) -> Tensor:
    return torch.autograd.grad(loss, of, retain_graph=True)[0]


def test_soft_probabilities_by_hand() -> None:
    """The logits are multiplied by T, or the softmax runs over the images."""
    logits = torch.tensor([[2 * math.log(4), 0.0], [0.0, 2 * math.log(9)]])
    torch.testing.assert_close(soften(logits, 1), torch.tensor([[16 / 17, 1 / 17], [1 / 82, 81 / 82]]))
    torch.testing.assert_close(soften(logits, 2), torch.tensor([[0.8, 0.2], [0.1, 0.9]]))


def test_the_loss_by_hand() -> None:
    """T² is missing or doubled, the arguments have changed places, or the mean runs over classes too.

    At T = 2 the teacher says (0.8, 0.2), the student (0.5, 0.5) in the first image, and both the same in the second.
    """
    teacher = torch.tensor([[2 * math.log(4), 0.0], [0.0, 2 * math.log(9)]])
    student = torch.tensor([[1.0, 1.0], [-1.0, 2 * math.log(9) - 1.0]])
    divergence = 0.8 * math.log(0.8 / 0.5) + 0.2 * math.log(0.2 / 0.5)
    assert soft_loss(student, teacher, 2).item() == pytest.approx(4 * divergence / 2, rel=1e-5)
    entropy = [-sum(p * math.log(p) for p in row) for row in ((0.8, 0.2), (0.1, 0.9))]
    expected = 4 * (divergence + sum(entropy)) / 2
    assert soft_cross_entropy(student, teacher, 2).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 20.0])
def test_both_forms_have_the_closed_form_gradient(temperature: float) -> None:
    """The gradient is not T (q - p) / N, or the two forms differ by more than a constant."""
    student, teacher = pair()
    q, p = soften(student, temperature), soften(teacher, temperature)
    expected = (temperature * (q - p) / len(student)).detach()
    for loss in (soft_loss, soft_cross_entropy):
        torch.testing.assert_close(gradient(loss(student, teacher, temperature), student), expected)
    gap = soft_cross_entropy(student, teacher, temperature) - soft_loss(student, teacher, temperature)
    entropy = temperature**2 * -(p * p.log()).sum(1).mean()
    torch.testing.assert_close(gap, entropy)


def test_a_high_temperature_matches_logits_of_mean_zero() -> None:
    """The limit is another one: logits that are not centred, or another factor."""
    student, teacher = pair()
    limit = logit_loss(student, teacher)
    centred = (student - student.mean(1, keepdim=True)) - (teacher - teacher.mean(1, keepdim=True))
    torch.testing.assert_close(gradient(limit, student), (centred / centred.numel()).detach())
    errors = [
        float((gradient(soft_loss(student, teacher, t), student) - gradient(limit, student)).abs().max())
        for t in (10.0, 100.0, 1000.0)
    ]
    assert errors[2] < 1e-2 * float(gradient(limit, student).abs().max())
    for far, near in itertools.pairwise(errors):  # the error falls as 1 / T
        assert near == pytest.approx(far / 10, rel=0.4)
    torch.testing.assert_close(soft_loss(student, teacher, 1e4), limit, rtol=1e-3, atol=0)


def test_the_factor_keeps_the_size_of_the_gradient() -> None:
    """Without T² the gradient at T = 1000 is a hundredth of the one at T = 100; with it they agree."""
    student, teacher = pair()
    norms = [float(gradient(soft_loss(student, teacher, t), student).norm()) for t in (100.0, 1000.0)]
    assert norms[1] / norms[0] == pytest.approx(1, abs=0.05)


def test_a_student_that_agrees_has_nothing_to_learn() -> None:
    """A shift of a row of logits, which changes no probability, costs something."""
    student, teacher = pair()
    shifted = teacher + torch.arange(len(teacher))[:, None]
    for loss in (soft_loss(shifted, teacher, 3.0), logit_loss(shifted, teacher)):
        assert float(loss) == pytest.approx(0, abs=1e-9)
    assert soft_loss(student, teacher, 3.0).item() > 0.1


def test_the_teacher_gets_no_gradient() -> None:
    """The teacher would move towards the student."""
    student, teacher = pair()
    teacher.requires_grad_()
    labels = torch.zeros(len(student), dtype=torch.int64)
    for loss in (
        soft_loss(student, teacher, 2.0),
        soft_cross_entropy(student, teacher, 2.0),
        logit_loss(student, teacher),
        distillation_loss(student, teacher, labels),
    ):
        assert torch.autograd.grad(loss, teacher, allow_unused=True) == (None,)


@pytest.mark.parametrize("hard_weight", [0.0, 0.1, 1.0])
def test_the_whole_loss_is_a_weighted_mean(hard_weight: float) -> None:
    """The weights are swapped, or the labels are met at temperature T."""
    student, teacher = pair()
    labels = torch.tensor([0, 1, 2, 3, 4, 0])
    expected = (1 - hard_weight) * soft_loss(student, teacher, 5.0) + hard_weight * F.cross_entropy(student, labels)
    loss = distillation_loss(student, teacher, labels, temperature=5.0, hard_weight=hard_weight)
    torch.testing.assert_close(loss, expected)


def test_large_logits_stay_finite() -> None:
    """A logarithm of a softmax, instead of a log-softmax, would be infinite here."""
    student, teacher = torch.tensor([[300.0, -300.0, 0.0]]), torch.tensor([[-300.0, 300.0, 0.0]])
    assert soft_loss(student, teacher, 1.0).item() == pytest.approx(600, rel=1e-4)
    assert soft_cross_entropy(student, teacher, 1.0).item() == pytest.approx(600, rel=1e-4)


@pytest.mark.parametrize("temperature", [1.0, 20.0, 1000.0, 1e5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_high_temperature_is_not_lost_in_rounding(temperature: float, dtype: torch.dtype) -> None:
    """The divergence, which is small where T is high, drowns in the rounding of the logits' own precision."""
    generator = torch.Generator().manual_seed(0)
    student, teacher = (0.05 * torch.randn(50, 10, generator=generator).to(dtype) for _ in range(2))
    for loss in (soft_loss, soft_cross_entropy):
        found, exact = loss(student, teacher, temperature), loss(student.double(), teacher.double(), temperature)
        assert (found.dtype, exact.dtype) == (torch.float32, torch.float64)
        assert found.item() == pytest.approx(exact.item(), rel=1e-6)
    assert 0 < soft_loss(student, teacher, temperature).item() < 1
    if temperature >= 1000:
        limit = logit_loss(student, teacher).item()
        assert soft_loss(student, teacher, temperature).item() == pytest.approx(limit, rel=2e-3)


def test_a_raised_logit_by_hand() -> None:
    """Another class is raised, or the caller's logits change."""
    logits = torch.tensor([[1.0, 2.0], [3.0, 0.0]])
    assert raise_logit(logits, 1, 2.5).tolist() == [[1.0, 4.5], [3.0, 2.5]]
    assert logits.tolist() == [[1.0, 2.0], [3.0, 0.0]]


def test_the_bias_by_hand() -> None:
    """The class wins between 2 and 5: below, its own image is lost; above, the image of class 1 is."""
    logits = torch.tensor([[0.0, 2.0, 1.0], [0.0, 5.0, 1.0]])
    assert fitted_bias(logits, torch.tensor([0, 1]), 0) == pytest.approx(3.5)


@pytest.mark.parametrize("seed", range(5))
def test_no_other_bias_is_better(seed: int) -> None:
    """Some other amount classifies more of the images correctly; ties between distances are among them."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(60, 4, generator=generator).mul(4).round().div(2)
    labels = torch.randint(4, (60,), generator=generator)

    def correct(amount: float) -> int:
        return int((raise_logit(logits, 2, amount).argmax(1) == labels).sum())

    bias = fitted_bias(logits, labels, 2)
    grid = [amount / 8 + 1 / 16 for amount in range(-100, 100)]  # never on a distance, which are multiples of 1/2
    assert correct(bias) == max(map(correct, grid))


def test_of_two_as_good_the_smaller_one() -> None:
    """Below 2 the first image is right, above 4 the second: a bias is moved further than need be."""
    logits = torch.tensor([[0.0, 2.0], [0.0, 4.0]])
    assert fitted_bias(logits, torch.tensor([1, 0]), 0) == pytest.approx(1)


GOOD, LABELS = torch.zeros(2, 3), torch.tensor([0, 1])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: soften(torch.zeros(3), 2), r"\(N, K\) float"),
        (lambda: soften(GOOD.long(), 2), "torch.int64"),
        (lambda: soften(None, 2), "NoneType"),
        (lambda: soften(torch.zeros(0, 3), 2), r"\(0, 3\)"),
        (lambda: soften(GOOD, 0), "above 0"),
        (lambda: soften(GOOD, math.inf), "at most 100,000"),
        (lambda: soft_loss(GOOD, GOOD, 10**400), "at most 100,000"),
        (lambda: soften(GOOD, True), "True"),
        (lambda: soft_loss(GOOD, torch.zeros(2, 4), 2), "same images and classes"),
        (lambda: soft_cross_entropy(GOOD, torch.zeros(3, 3), 2), "same images and classes"),
        (lambda: soft_loss(GOOD, GOOD, -1), "above 0"),
        (lambda: logit_loss(GOOD, LABELS), "teacher's logits"),
        (lambda: distillation_loss(GOOD, GOOD, LABELS, hard_weight=1.5), "from 0 to 1"),
        (lambda: distillation_loss(GOOD, GOOD, LABELS.float()), "int64"),
        (lambda: distillation_loss(GOOD, GOOD, torch.tensor([0, 3])), "0 to 2"),
        (lambda: distillation_loss(GOOD, GOOD, torch.tensor([0])), r"\(2,\) int64"),
        (lambda: raise_logit(GOOD, 3, 1.0), "0 to 2"),
        (lambda: fitted_bias(GOOD, LABELS, -1), "0 to 2"),
    ],
)
def test_bad_input_is_a_sentence(call: object, sentence: str) -> None:
    """A slip ends in an error of torch, or in a number that means nothing."""
    with pytest.raises(CourseError, match=sentence):
        call()
