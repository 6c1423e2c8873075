"""Numbers that were measured here, marked with ≈, and the claims that a lesson rests on.

Everything after `≈` may differ on another machine; tests blank it before they compare outputs. Everything else that a
lesson prints must match to the letter.
"""

import math

from crashcourse.errors import CourseError


class ClaimError(AssertionError):
    """A measured value is outside what the lesson claims."""


def measured(label: str, value: float, unit: str = "", *, digits: int = 3) -> None:
    """Print `label ≈ value unit`, with `digits` significant digits.

    Raises:
        CourseError: the value is not a number.
    """
    print(f"{label} {approximately(value, digits=digits)}{f' {unit}' if unit else ''}")


def approximately(value: float, *, digits: int = 3) -> str:
    """`≈ value`, with `digits` significant digits: the one way in which a measured number enters a text.

    Raises:
        CourseError: the value is not a number.
    """
    return f"≈ {_number(value):#.{digits}g}".rstrip(".")


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError) as error:
        raise CourseError(f"A measured value is one number; got {type(value).__name__} {str(value)[:60]!r}.") from error


def claim(
    label: str, value: float, *, at_least: float | None = None, at_most: float | None = None, unit: str = ""
) -> None:
    """Print a measured value beside its claimed bound, and fail when it is outside.

    >>> claim("test accuracy", 0.913, at_least=0.90)
    test accuracy ≈ 0.913 (at least 0.9)

    Raises:
        CourseError: no bound was given, so nothing is claimed; or the value is not a number.
        ClaimError: the value is outside the bound, or is NaN.
    """
    if at_least is None and at_most is None:
        raise CourseError("claim() needs a bound, at_least=... or at_most=...; use measured() for a plain number.")
    value = _number(value)
    unit = f" {unit}" if unit else ""
    bounds = [f"at least {at_least:g}{unit}"] if at_least is not None else []
    bounds += [f"at most {at_most:g}{unit}"] if at_most is not None else []
    text = f"{label} {approximately(value)}{unit} ({', '.join(bounds)})"
    low = at_least is not None and not value >= at_least
    high = at_most is not None and not value <= at_most
    if low or high or math.isnan(value):
        raise ClaimError(f"{text}: the claim does not hold. Run the cell again; if it fails again, please report it.")
    print(text)
