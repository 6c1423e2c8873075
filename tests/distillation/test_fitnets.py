"""Hints: the loss by hand, a regressor that fits the maps, and a first stage that teaches the student itself."""

import pytest
import torch
from torch import nn

from crashcourse.classification.vgg import small_vgg
from crashcourse.distillation import Guided, hint_loss, regressor
from crashcourse.errors import CourseError


def test_the_loss_by_hand() -> None:
    """The half is missing, or the mean runs over more than the images: (1 + 4 + 9) / 2 and 0, averaged over two."""
    hint = torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1).repeat(2, 1, 1, 1)
    regressed = torch.stack([torch.zeros(3, 1, 1), hint[1]])
    assert hint_loss(hint, regressed).item() == pytest.approx(3.5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(dtype: torch.dtype) -> None:
    """The sum over a large map overflows, or keeps 8 bits; and so does its gradient."""
    generator = torch.Generator().manual_seed(0)
    hint, regressed = (8 * torch.randn(2, 32, 40, 40, generator=generator).to(dtype) for _ in range(2))
    for pair in ((hint, regressed), (hint.float(), regressed), (hint, regressed.float())):
        value = hint_loss(*pair)
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, hint_loss(hint.float(), regressed.float()))


def test_only_the_student_gets_a_gradient() -> None:
    """The teacher would be pulled towards the student."""
    hint, regressed = (torch.randn(4, 2, 3, 3, dtype=torch.float64).requires_grad_() for _ in range(2))
    of_hint, of_student = torch.autograd.grad(hint_loss(hint, regressed), (hint, regressed), allow_unused=True)
    assert of_hint is None
    torch.testing.assert_close(of_student, ((regressed - hint) / 4).detach())


@pytest.mark.parametrize(
    ("guided", "hint", "kernel"),
    [((4, 7, 7), (16, 7, 7), (1, 1)), ((4, 14, 14), (16, 7, 7), (8, 8)), ((3, 9, 6), (5, 7, 6), (3, 1))],
)
def test_the_regressor_fits(guided: tuple[int, int, int], hint: tuple[int, int, int], kernel: tuple[int, int]) -> None:
    """N_g - k + 1 is not N_h, or there is no nonlinearity behind it."""
    layers = regressor(guided, hint)
    assert layers[0].kernel_size == kernel
    maps = layers(torch.randn(2, *guided)).detach()
    assert maps.shape == (2, *hint)
    assert float(maps.min()) == 0.0


def test_the_first_stage_teaches_the_students_own_layers() -> None:
    """The loss does not fall, or a copy learns and the student does not; layers behind the guided one stay."""
    torch.manual_seed(0)
    student, teacher = small_vgg(width=4), small_vgg(width=8).eval()
    images = torch.randn(16, 1, 28, 28)
    with torch.no_grad():
        hint = teacher.features[:8](images)  # (16, 16, 7, 7)
    before = [parameter.clone() for parameter in student.parameters()]
    guided = Guided(student.features[:8], regressor((8, 7, 7), (16, 7, 7)))
    optimizer = torch.optim.Adam(guided.parameters(), 0.02)
    losses = []
    for _ in range(30):
        loss = hint_loss(hint, guided(images))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    moved = [not torch.equal(old, new) for old, new in zip(before, student.parameters(), strict=True)]
    count = len(list(student.features[:8].parameters()))
    assert all(moved[:count])
    assert not any(moved[count:])
    assert all(parameter.grad is None for parameter in teacher.parameters())


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: regressor((4, 7, 7), (8, 14, 14)), "larger than the student's"),
        (lambda: regressor((4, 7), (8, 7, 7)), "guided is"),
        (lambda: regressor((4, 7, 7), (8, 0, 7)), "hint is"),
        (lambda: regressor((4, 7, 7), 8), "hint is"),
        (lambda: hint_loss(torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 3, 4)), "got"),
        (lambda: hint_loss(None, torch.zeros(1, 2, 3, 3)), "The hint is a tensor.*got NoneType"),
        (lambda: hint_loss(torch.zeros(1, 2, 3, 3), None), "maps are a tensor.*got NoneType"),
        (lambda: hint_loss(torch.zeros(2, 3), torch.zeros(2, 3)), r"\(N, C, H, W\)"),
        (lambda: hint_loss(torch.zeros(1, 2, 3, 3).long(), torch.zeros(1, 2, 3, 3)), "float"),
    ],
)
def test_bad_input_is_a_sentence(call: object, sentence: str) -> None:
    """Broadcasting hides a wrong layer, or a slip ends in an error of torch."""
    with pytest.raises(CourseError, match=sentence):
        call()


def test_it_is_a_module_of_both_parts() -> None:
    """The regressor is not trained with the student."""
    guided = Guided(nn.Conv2d(1, 2, 3), regressor((2, 4, 4), (3, 4, 4)))
    assert {name.split(".")[0] for name, _ in guided.named_parameters()} == {"part", "regressor"}
