"""The ladder on functions: each way to be wrong gets its own verdict and its own words."""

import linecache
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from crashcourse.exercises import Case, FunctionExercise, Report


def double(x: Tensor, *, times: int = 2) -> Tensor:
    """Multiply by two."""
    return x * times


def cases(seed: int) -> list[Case]:
    return [
        Case([torch.rand(2, 3, 4)], label="large"),
        Case([torch.rand(2, 2)], {"times": 3}, label="small", picture="image"),
        Case([torch.rand(5)], label="one axis"),
    ]


def make(**changes: Any) -> FunctionExercise:
    settings: dict[str, Any] = {"name": "test.double", "title": "Double", "lesson": 1, "reference": double}
    settings |= {"cases": cases, "hints": ("Two.",), "gradient": True}
    return FunctionExercise(**(settings | changes))


def learner(source: str, **names: Any) -> Callable[..., Any]:
    """A function as a notebook's cell defines it: its source is known to linecache."""
    filename = f"<cell {hash(source)}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    space: dict[str, Any] = {"torch": torch, "np": np, **names}
    exec(compile(source, filename, "exec"), space)
    return space["double"]


def check(source: str, **changes: Any) -> Report:
    return make(**changes).check(learner(source))


def test_the_right_answer_passes_in_all_cases() -> None:
    """Else nobody could pass."""
    report = check("def double(x, *, times=2):\n    return times * x")
    assert (report.verdict, report.cases) == ("passed", 3)
    assert "all 3 cases" in report.text


@pytest.mark.parametrize(
    "body", ["raise NotImplementedError", "return None", "return ...", "pass", "raise NotImplementedError('todo')"]
)
def test_what_was_not_attempted_is_said_so(body: str) -> None:
    """Else an untouched cell would be called wrong."""
    assert check(f"def double(x, *, times=2):\n    {body}").verdict == "not attempted"


def test_a_missing_return_is_pointed_out() -> None:
    """Else a learner who forgot it would think that the check is broken."""
    assert "return" in check("def double(x, *, times=2):\n    y = x * times").text


def test_a_change_without_return_is_pointed_out() -> None:
    """Else a learner who works in place would not know why nothing counts."""
    assert "changes its input" in check("def double(x, *, times=2):\n    x *= times").text


def test_none_in_one_case_is_wrong_not_unattempted() -> None:
    """Else a forgotten branch would pass for a cell that nobody touched."""
    report = check("def double(x, *, times=2):\n    if x.ndim > 1:\n        return x * times")
    assert report.verdict == "wrong"
    assert "None" in report.text
    assert "one axis" in report.text


def test_an_error_inside_torch_that_is_not_implemented_is_an_error() -> None:
    """Else a failing operation would be taken for an untouched stub."""
    report = check("def double(x, *, times=2):\n    return torch.arange(3, dtype=torch.bool)")
    assert report.verdict == "error"


def test_an_error_shows_the_learners_own_line_and_not_ours() -> None:
    """Else a learner would have to find it in a traceback through our files."""
    report = check("def double(x, *, times=2):\n    y = x + 1\n    return y.sum(dim=9)\n")
    assert report.verdict == "error"
    assert "line 3:  return y.sum(dim=9)" in report.text
    assert "IndexError: Dimension out of range" in report.text
    assert "crashcourse" not in report.text
    assert ".py" not in report.text


def test_an_error_in_a_helper_of_the_cell_shows_the_helpers_line() -> None:
    """Else the line shown would be the call and not the mistake."""
    source = "def helper(x):\n    return x.nonsense\ndef double(x, *, times=2):\n    return helper(x)"
    assert "line 2:  return x.nonsense" in check(source).text


@pytest.mark.parametrize("error", ["SystemExit('bye')", "RecursionError()", "KeyError('k')", "AssertionError"])
def test_any_exception_is_reported(error: str) -> None:
    """Else it would end the learner's kernel or show our frames."""
    assert check(f"def double(x, *, times=2):\n    raise {error}").verdict == "error"


def test_the_stop_button_still_works() -> None:
    """Else a learner could not interrupt a check."""
    with pytest.raises(KeyboardInterrupt):
        check("def double(x, *, times=2):\n    raise KeyboardInterrupt")


def test_other_arguments_are_explained() -> None:
    """Else a changed first line would only show Python's own message."""
    report = check("def double(images):\n    return images")
    assert report.verdict == "error"
    assert "keep the first line" in report.text


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("x.flatten()", "shape"),
        ("(x * times)[None]", "shape"),
        ("(x * times).double()", "dtype float64; float32 is expected"),
        ("(x * times).to('meta')", "device meta; cpu is expected"),
        ("np.asarray((x * times).detach())", "numpy ndarray; a tensor is expected"),
        ("float(x.sum())", "a number (float); a tensor is expected"),
        ("[x * times]", "a list; a tensor is expected"),
        ("x * times + 0.5", "largest difference 0.5"),
        ("x * times * float('nan')", "is nan"),
        ("(x * times).to_sparse()", "layout"),
    ],
)
def test_the_first_rung_that_fails_is_named(expression: str, words: str) -> None:
    """Else a wrong dtype would be explained as wrong values, and so on."""
    report = check(f"def double(x, *, times=2):\n    return {expression}")
    assert report.verdict == "wrong"
    assert words in report.text


def test_the_smallest_failing_case_is_shown_with_numbers() -> None:
    """Else a learner would look for the mistake among a hundred numbers."""
    report = check("def double(x, *, times=2):\n    return x * times + 1")
    text = report.text
    assert "Smallest failing case (small)" in text
    for part in ("x = (2, 2) float32", "times = 3", "Expected", "Got", "4 of 4 values differ", "3 of 3 cases"):
        assert part in text


def test_a_lower_rung_in_a_larger_case_goes_first() -> None:
    """Else a learner would correct values whose shape is going to change."""
    report = check("def double(x, *, times=2):\n    return x.sum() if x.ndim == 3 else x * 7")
    assert "shape" in report.text.splitlines()[1]
    assert "large" in report.text


def test_an_image_that_is_wrong_is_shown_as_a_picture() -> None:
    """Else a learner would read pixels as numbers."""
    report = check("def double(x, *, times=2):\n    return x * times + 1")
    assert 'src="data:image/png;base64,' in report.html
    assert "expected, yours, their absolute difference" in report.text


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("(x * times).detach()", "detached"),
        ("torch.tensor((x * times).tolist())", "detached"),
        ("torch.from_numpy(x.numpy() * times)", "gradients cannot be computed"),
        ("(x.detach() * times) + 0 * x", "gradient of x"),
    ],
)
def test_a_gradient_that_does_not_flow_is_noticed(expression: str, words: str) -> None:
    """Else a function that trains nothing would pass."""
    source = f"def double(x, *, times=2):\n    return {expression}"
    report = check(source)
    assert report.verdict == "wrong"
    assert words in report.text
    assert check(source, gradient=False).passed


def test_an_input_without_any_gradient_is_named() -> None:
    """Else one of two inputs could be cut off unnoticed."""

    def total(a: Tensor, b: Tensor) -> Tensor:
        return a + b

    exercise = make(reference=total, cases=lambda seed: [Case([torch.rand(2), torch.rand(2)])])
    report = exercise.check(lambda p, q: p + q.detach())
    assert "no gradient arrives at b" in report.text


def test_renamed_arguments_pass() -> None:
    """Else a learner could not use other names for positional arguments."""
    assert check("def double(pixels, *, times=2):\n    return pixels * times").passed


@pytest.mark.parametrize(
    "body", ["x *= times; return x", "x.mul_(times); return x.clone()", "y = x * times; x[...] = 0; return y"]
)
def test_a_changed_input_is_noticed(body: str) -> None:
    """Else an answer that ruins the caller's data would pass."""
    report = check(f"def double(x, *, times=2):\n    {body}", gradient=False)
    assert report.verdict == "wrong"
    assert "modified (x)" in report.text


def test_a_changed_list_is_noticed() -> None:
    """Else only tensors would be watched."""

    def total(numbers: list[int]) -> int:
        return sum(numbers)

    exercise = make(reference=total, cases=lambda seed: [Case([[1, 2, 3]]), Case([[4, 5]])], gradient=False)
    assert "modified (numbers)" in exercise.check(lambda n: n.pop() + sum(n)).text


def test_what_the_answer_prints_is_shown_once_and_shortened() -> None:
    """Else a learner could not debug with print, or would flood the notebook."""
    report = check("def double(x, *, times=2):\n    print('shape', tuple(x.shape))\n    return x")
    assert report.text.count("shape (2, 2)") == 1
    long = check("def double(x, *, times=2):\n    print('a' * 10_000)\n    return x * times")
    assert long.passed
    assert len(long.text) < 3000


def test_nothing_is_written_while_checking(capfd: pytest.CaptureFixture[str]) -> None:
    """Else a warning on stderr would fail a notebook's test."""
    source = (
        "import warnings\ndef double(x, *, times=2):\n    warnings.warn('hm')\n    print('ha')\n    return x * times"
    )
    assert check(source).passed
    assert capfd.readouterr() == ("", "")


def test_generators_and_dtype_are_as_before() -> None:
    """Else an answer that seeds or draws would change the lesson after it."""
    torch.manual_seed(5)
    np.random.seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    source = "def double(x, *, times=2):\n    torch.manual_seed(1); np.random.rand()\n"
    source += "    torch.set_default_dtype(torch.float64)\n    return x * times"
    assert check(source).passed
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()
    assert torch.get_default_dtype() is torch.float32


def test_no_grad_around_the_cell_does_not_matter() -> None:
    """Else a lesson that switched gradients off would refuse right answers."""
    with torch.no_grad():
        assert make().check(double).passed


@pytest.mark.parametrize("candidate", [None, ...])
def test_no_answer_at_all_is_not_attempted(candidate: Any) -> None:
    """Else an empty answer would be an error."""
    assert make().check(candidate).verdict == "not attempted"


def test_something_that_cannot_be_called_is_an_error() -> None:
    """Else the check itself would break."""
    assert make().check(7).verdict == "error"


def whole(a: int, b: int) -> tuple[int, ...]:
    return (a // b, a % b)


@pytest.mark.parametrize(
    ("candidate", "words"),
    [
        (lambda a, b: (a / b, a % b), "a whole number is expected"),
        (lambda a, b: a // b, "a tuple is expected"),
        (lambda a, b: (a // b,), "has 1 item; 2 are expected"),
        (lambda a, b: (a // b, a // b), "Item [1] of the result"),
    ],
)
def test_numbers_and_tuples_are_compared_too(candidate: Callable[..., Any], words: str) -> None:
    """Else a count that became a float, or a missing item, would not be named."""
    exercise = make(reference=whole, cases=lambda seed: [Case([7, 2]), Case([9, 4])], gradient=False)
    assert exercise.check(lambda a, b: list(whole(a, b))).passed
    report = exercise.check(candidate)
    assert report.verdict == "wrong"
    assert words in report.text


def test_large_whole_numbers_are_written_out() -> None:
    """Else 138357544 and 138357545 would both read 1.38358e+08."""
    exercise = make(reference=lambda n: n, cases=lambda seed: [Case([138357544])], gradient=False)
    assert "is 138357545; 138357544 is expected" in exercise.check(lambda n: n + 1).text


class Strange:
    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize("expected", [7, 7.5, "seven", (1, 2), {"a": 1.5}, torch.ones(2)], ids=str)
@pytest.mark.parametrize(
    "got",
    [
        (-2) ** 0.5,
        10**400,
        -(10**5000),
        Fraction(1, 3),
        Decimal("NaN"),
        Strange(),
        b"7",
        np.array([None, {}], dtype=object),
        torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged),
        torch.empty(2, device="meta"),
    ],
    ids=lambda got: type(got).__name__,
)
def test_whatever_comes_back_is_wrong_and_not_an_error_of_ours(expected: Any, got: Any) -> None:
    """Else the root of a negative number, a complex one in Python, would show a traceback through our files."""
    exercise = make(reference=lambda x: expected, cases=lambda seed: [Case([torch.rand(2)])], gradient=False)
    report = exercise.check(lambda x: got)
    assert report.verdict == "wrong"
    assert len(report.text) < 2000


def plus(x: Tensor, *, times: int = 2) -> Tensor:
    return x + times


def fails(x: Tensor, *, times: int = 2) -> Tensor:
    return x.sum(dim=x.ndim + times)


def shifts(x: Tensor, *, times: int = 2) -> Tensor:
    return x[:-1] * times


def cut(x: Tensor, *, times: int = 2) -> Tensor:
    return (x * times).detach()


KNOWN = {
    "plus": (plus, "Times!"),
    "fails": (fails, "Axis!"),
    "shifts": (shifts, "All rows!"),
    "cut": (cut, "No detach!"),
}


@pytest.mark.parametrize(
    ("expression", "matched"),
    [
        ("x + times", "plus"),
        ("x + 2", ""),
        ("x.mean(dim=x.ndim + times)", "fails"),
        ("x.nothing", ""),
        ("(x * times)[:-1]", "shifts"),
        ("torch.from_numpy((x * times).detach().numpy())", "cut"),
        ("x * 5", ""),
    ],
)
def test_only_what_behaves_exactly_alike_gets_the_hint(expression: str, matched: str) -> None:
    """Else a learner would be told about a mistake that is not theirs."""
    report = check(f"def double(x, *, times=2):\n    return {expression}", wrong=KNOWN)
    assert report.matched == matched
    assert report.hint == (KNOWN[matched][1] if matched else "")
    assert (f"Hint: {report.hint}" in report.text) == bool(matched)


def test_a_wrong_shape_is_said_before_its_hint() -> None:
    """Else the hint would come without what it explains."""
    text = check("def double(x, *, times=2):\n    return (x * times)[:-1]", wrong=KNOWN).text
    assert text.index("has the shape") < text.index("Hint: All rows!")


def test_another_seed_gives_other_inputs_and_the_same_seed_the_same() -> None:
    """Else answers could be hard-coded, or a report could not be repeated."""
    texts = [make().check(plus, seed).text for seed in (0, 1, 0)]
    assert texts[0] == texts[2] != texts[1]


def test_grading_uses_inputs_that_nobody_has_seen() -> None:
    """Else an answer fitted to seed 0 would be graded as right."""
    seen: dict[Any, Tensor] = {}
    exercise = make(gradient=False)

    def remember(x: Tensor, *, times: int = 2) -> Tensor:
        return (
            seen.setdefault((x.sum().item(), times), x * times)
            if len(seen) < 3
            else seen.get((x.sum().item(), times), x)
        )

    assert exercise.check(remember).passed
    assert not exercise.grade(remember).passed
