"""Measured numbers and claims: what is printed, and what is refused."""

import math

import pytest
import torch

from crashcourse.claims import ClaimError, approximately, claim, measured
from crashcourse.errors import CourseError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.9134, "≈ 0.913"),
        (12.0, "≈ 12.0"),
        (1234.5, "≈ 1.23e+03"),
        (123, "≈ 123"),
        (0.0, "≈ 0.00"),
        (-0.5, "≈ -0.500"),
    ],
)
def test_approximately_keeps_three_digits(value: float, text: str) -> None:
    """Fails if a measured number loses its mark, or a dot is left at its end."""
    assert approximately(value) == text


def test_measured_prints_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Fails if label, mark, value and unit are not in the form that the tests of notebooks blank."""
    measured("time", 12.345, "s")
    measured("ratio", 2.5, digits=2)
    assert capsys.readouterr().out == "time ≈ 12.3 s\nratio ≈ 2.5\n"


@pytest.mark.parametrize(
    ("bounds", "line"),
    [
        ({"at_least": 0.9}, "test accuracy ≈ 0.913 (at least 0.9)\n"),
        ({"at_most": 1}, "test accuracy ≈ 0.913 (at most 1)\n"),
        ({"at_least": 0.913, "at_most": 0.913}, "test accuracy ≈ 0.913 (at least 0.913, at most 0.913)\n"),
        ({"at_least": 0.5, "unit": "dB"}, "test accuracy ≈ 0.913 dB (at least 0.5 dB)\n"),
    ],
)
def test_a_claim_that_holds_is_printed(bounds: dict, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Fails if a true claim is refused at its bound, or printed without it."""
    claim("test accuracy", 0.913, **bounds)
    assert capsys.readouterr().out == line


@pytest.mark.parametrize(
    ("value", "bounds"),
    [
        (0.8999, {"at_least": 0.9}),
        (1.01, {"at_most": 1}),
        (0.5, {"at_least": 0.6, "at_most": 0.9}),
        (math.nan, {"at_least": 0.9}),
        (math.nan, {"at_most": 0.9}),
        (-math.inf, {"at_least": 0.0}),
    ],
)
def test_a_claim_that_does_not_hold_stops_the_lesson(
    value: float, bounds: dict, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fails if a lesson goes on after its claim broke, or NaN passes."""
    with pytest.raises(ClaimError, match=r"≈ .*\(at (least|most) .*does not hold"):
        claim("accuracy", value, **bounds)
    assert capsys.readouterr().out == ""


def test_a_claim_without_a_bound_is_refused() -> None:
    """Fails if a line can look like a claim and claim nothing."""
    with pytest.raises(CourseError, match="needs a bound"):
        claim("accuracy", 0.9)


@pytest.mark.parametrize("value", [None, "high", [0.9], {"accuracy": 0.9}, torch.ones(2), 1j])
def test_what_is_not_a_number_is_refused(value: object, capsys: pytest.CaptureFixture[str]) -> None:
    """Fails if a dictionary of metrics in place of one of them ends in a TypeError of ours."""
    with pytest.raises(CourseError, match="A measured value is one number; got"):
        measured("accuracy", value)
    with pytest.raises(CourseError, match=f"got {type(value).__name__}"):
        claim("accuracy", value, at_least=0.9)
    assert capsys.readouterr().out == ""


def test_numbers_of_other_libraries_are_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    """Fails if a tensor with one number has to be converted first."""
    claim("accuracy", torch.tensor(0.9134), at_least=0.9)
    assert capsys.readouterr().out == "accuracy ≈ 0.913 (at least 0.9)\n"
