"""Proof that checks have teeth, generated over the catalogue: exercises that are added later are covered."""

import contextlib
import inspect
import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from crashcourse.exercises import AnswerExercise, Exercise, catalogue
from crashcourse.exercises import exercise as decorator
from crashcourse.exercises.case import map_leaves

SEEDS = range(10)
EXERCISES = list(catalogue().values())
CODE = [e for e in EXERCISES if e.kind in ("function", "module")]
QUESTIONS = [e for e in EXERCISES if e.kind in ("answer", "choice")]


def every(exercises: list[Exercise]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("exercise", exercises, ids=lambda e: e.name)


def right_answer(exercise: Exercise) -> Any:
    return exercise.value if isinstance(exercise, AnswerExercise) else exercise.reference


def wrong_answer(exercise: Exercise, name: str) -> Any:
    return exercise.wrong_value(name) if isinstance(exercise, AnswerExercise) else exercise.wrong[name].answer


@every(EXERCISES)
def test_the_reference_passes_for_ten_seeds(exercise: Exercise) -> None:
    """Else a right answer would be refused."""
    for seed in SEEDS:
        report = exercise.check(right_answer(exercise), seed)
        assert report.verdict == "passed", report.text


@every(EXERCISES)
def test_the_stub_is_not_attempted(exercise: Exercise, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a learner who has not begun would be told off, or a stub would not even run."""
    for _ in range(2):
        run_cell(exercise, exercise.stub())
    first, second = capsys.readouterr().out.split("○ Not attempted yet")[1:]
    assert first == second


@every(EXERCISES)
def test_the_solved_cell_passes(exercise: Exercise, capsys: pytest.CaptureFixture[str]) -> None:
    """Else the solution that a learner is shown would not be one."""
    run_cell(exercise, exercise.solved())
    assert capsys.readouterr().out.startswith("✓ Passed")


def run_cell(exercise: Exercise, source: str) -> None:
    """Run a cell with what lessons import, and what the module of the reference has at hand."""
    from crashcourse import exercises

    module = inspect.getmodule(exercise.reference) if callable(exercise.reference) else None
    here = vars(module) if module else {}
    names = {**here, "torch": torch, "nn": nn, "Tensor": Tensor, "F": nn.functional}
    exec(source, {**names, "exercise": decorator, "answer": exercises.answer, "choice": exercises.choice})


@every(EXERCISES)
def test_every_known_wrong_answer_fails_with_its_own_hint(exercise: Exercise) -> None:
    """Else the mistake would pass, or be explained as another one. Five seeds: there are thousands of mistakes."""
    for seed in SEEDS[:5]:
        for name, entry in exercise.wrong.items():
            report = exercise.check(wrong_answer(exercise, name), seed)
            assert report.verdict in ("wrong", "error"), f"{name}, seed {seed}: {report.text}"
            assert (report.matched, report.hint) == (name, entry.hint), f"{name}, seed {seed}: {report.text}"


@every(EXERCISES)
def test_no_two_wrong_answers_behave_alike(exercise: Exercise) -> None:
    """Else one of their hints would never be shown: with its own entry taken away, none of the others matches.

    Two seeds are enough: that each gets its own hint, for five seeds, already says that no earlier one is like it.
    """
    wrong = dict(exercise.wrong)
    try:
        for seed in SEEDS[:2]:
            for name in wrong if exercise.kind != "choice" else ():
                answer = wrong_answer(exercise, name)
                exercise.wrong = {other: entry for other, entry in wrong.items() if other != name}
                assert exercise.check(answer, seed).matched == "", f"{name}, seed {seed}"
                exercise.wrong = wrong
    finally:
        exercise.wrong = wrong


@every(EXERCISES)
def test_hints_and_wrong_answers_are_enough(exercise: Exercise) -> None:
    """Else a learner would be left alone with a common mistake."""
    hints = [entry.hint for entry in exercise.wrong.values()]
    assert len(hints) == len(set(hints))
    assert all(len(text.strip()) > 10 for text in [*hints, *exercise.hints])
    if exercise.kind in ("function", "module"):
        assert len(exercise.wrong) >= 5, "at least five known wrong answers"
        assert len(exercise.hints) >= 3, "where to look, the formula, the shape of the code"


def zeros(value: Tensor) -> Tensor:
    return torch.zeros_like(value)


def ones(value: Tensor) -> Tensor:
    return torch.ones_like(value)


def noise(value: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(99)
    return (torch.rand(value.shape, generator=generator) * 7).to(value.dtype)


def nan(value: Tensor) -> Tensor:
    return torch.full(value.shape, float("nan")).to(value.dtype)


LOOP: list[Any] = []
LOOP.append(LOOP)
SENSELESS = [
    *(0, -1, float("nan"), 123456.5, 7j, 10**400, "identity", (1, 2, 3), {}, {"a": 1}, [[]], LOOP),
    *(torch.ones(2), torch.empty(2, device="meta"), torch.eye(2).to_sparse()),
]
FILLINGS = [zeros, ones, noise, nan]


def refilled(exercise: Exercise, fill: Callable[[Tensor], Tensor]) -> Callable[..., Any]:
    """The reference, with every number of its result replaced: right in shape and dtype, wrong in value."""

    def leaf(value: Any) -> Any:
        if isinstance(value, Tensor):
            return fill(value)
        filled = fill(torch.tensor([float(value)])).item() if isinstance(value, int | float) else value
        whole = isinstance(value, int) and not isinstance(value, bool) and filled == filled
        return int(filled) if whole else filled

    def candidate(*args: Any, **kwargs: Any) -> Any:
        made = exercise.reference(*args, **kwargs)
        if isinstance(made, nn.Module):
            made.register_forward_hook(lambda _module, _inputs, output: map_leaves(output, leaf))
            return made
        return map_leaves(made, leaf)

    return candidate


@every(CODE)
@pytest.mark.parametrize("fill", FILLINGS, ids=lambda f: f.__name__)
def test_a_constant_a_random_answer_and_nans_fail(exercise: Exercise, fill: Callable[[Tensor], Tensor]) -> None:
    """Else the values would not be looked at."""
    for seed in SEEDS:
        assert not exercise.check(refilled(exercise, fill), seed).passed


@every(CODE)
def test_an_answer_that_was_right_once_fails(exercise: Exercise) -> None:
    """Else the result of one case could be written down instead of computed."""
    from crashcourse.exercises.check import expected_of

    for seed in SEEDS:
        first = expected_of(exercise, seed)[0].value
        report = exercise.check(lambda *a, first=first, **k: first, seed)
        assert not report.passed


@every(CODE)
def test_the_identity_fails(exercise: Exercise) -> None:
    """Else doing nothing would pass."""

    def identity(*args: Any, **kwargs: Any) -> Any:
        return args[0] if args else next(iter(kwargs.values()), 0)

    def identity_module(*args: Any, **kwargs: Any) -> nn.Module:
        made = exercise.reference(*args, **kwargs)
        made.forward = lambda first, *rest: first
        return made

    candidates = [identity, nn.Identity] if exercise.kind == "function" else [nn.Identity, identity_module]
    for candidate in candidates:
        for seed in SEEDS:
            assert not exercise.check(candidate, seed).passed


@every(QUESTIONS)
@pytest.mark.parametrize("value", SENSELESS, ids=lambda value: type(value).__name__)
def test_senseless_answers_to_questions_fail(exercise: Exercise, value: Any) -> None:
    """Else anything that is typed would pass, or the check itself would break."""
    tables = [dict.fromkeys(exercise.value, value)] if isinstance(getattr(exercise, "value", None), dict) else []
    for given in (value, *tables):
        report = exercise.check(given)
        assert not report.passed
        assert report.text


@every(EXERCISES)
def test_the_report_does_not_depend_on_random_generators(exercise: Exercise) -> None:
    """Else an answer could pass today and fail tomorrow; and checking must not change what a lesson draws next."""
    texts = []
    for state in (1, 2):
        torch.manual_seed(state)
        with contextlib.redirect_stdout(io.StringIO()):
            texts += [exercise.check(wrong_answer(exercise, name), seed=3).html for name in exercise.wrong]
        after = torch.rand(1)
        torch.manual_seed(state)
        assert after == torch.rand(1)
    half = len(texts) // 2
    assert texts[:half] == texts[half:]
