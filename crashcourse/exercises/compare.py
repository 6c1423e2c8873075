"""The ladder: does it return something, of the right shape, dtype, values, gradients, without changing its input?"""

import math
import numbers
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from crashcourse.exercises.modules import Layers, pairing
from crashcourse.exercises.outcome import Gradients, Outcome
from crashcourse.exercises.values import whole_number

RUNGS = ("error", "nothing", "layers", "type", "shape", "dtype", "device", "value", "gradient", "changed", "limit")

_TYPES = {
    "int": "whole number (int)",
    "float": "number (float)",
    "complex": "complex number",
    "str": "text (str)",
}  # built-in types, as a learner reads of them
_TENSOR_RUNGS = (("type", "layout"), ("shape", "shape"), ("dtype", "dtype"), ("device", "device"))


class Tolerance(NamedTuple):
    """How far a float may be off: `|got - expected| <= absolute + relative * |expected|`."""

    relative: float = 1e-4
    absolute: float = 1e-5


DEFAULT_TOLERANCE = Tolerance()


@dataclass(frozen=True)
class Fault:
    """The first rung of the ladder on which an answer fails in one case.

    Attributes:
        rung: one of `RUNGS`.
        sentence: what is wrong, in words and numbers.
        expected: what should have come, to be shown; None where showing it says nothing.
        got: what came.
    """

    rung: str
    sentence: str
    expected: Any = None
    got: Any = None


def compare(expected: Outcome, got: Outcome, tolerance: Tolerance) -> Fault | None:
    """The first difference between two outcomes of the same case, None when they agree."""
    if got.failure:
        rung = "limit" if got.failure.timed_out else "error"
        return Fault(rung, f"{got.failure.kind}: {got.failure.message}".rstrip(": "))
    if got.gradients and got.gradients.failure and got.gradients.failure.timed_out:
        return Fault("limit", "Computing the gradients took too long.")
    layers = _compare_layers(expected.layers, got.layers)
    if layers:
        return layers
    if got.unattempted:
        return Fault(
            "nothing", "It returned None in this case. Is there a path without a `return`?", expected.value, None
        )
    values = compare_values(expected.value, got.value, tolerance)
    gradients = _compare_gradients(expected.gradients, got.gradients, tolerance)
    changes = _compare_changes(expected, got)
    if changes and got.gradients and got.gradients.failure:
        return values or changes  # the change in place is what autograd complains of
    return values or gradients or changes


def compare_values(expected: Any, got: Any, tolerance: Tolerance, place: str = "The result") -> Fault | None:
    """The first difference between two values: type, then shape, dtype, device, then the numbers themselves."""
    if isinstance(expected, dict):
        return _compare_dicts(expected, got, tolerance, place)
    if isinstance(expected, tuple | list):
        return _compare_sequences(expected, got, tolerance, place)
    if isinstance(expected, Tensor):
        return _compare_tensors(expected, got, tolerance, place)
    if isinstance(expected, numbers.Number) and not isinstance(expected, bool):
        return _compare_numbers(expected, got, tolerance, place)
    if type(expected) is not type(got):
        return _wrong_type(expected, got, place)
    return None if expected == got else Fault("value", f"{place} is {got!r}; {expected!r} is expected.", expected, got)


def _compare_dicts(expected: dict[Any, Any], got: Any, tolerance: Tolerance, place: str) -> Fault | None:
    if not isinstance(got, dict):
        return _wrong_type(expected, got, place)
    if set(expected) != set(got):
        sentence = f"{place} has the keys {', '.join(map(str, got))}; {', '.join(map(str, expected))} are expected."
        return Fault("shape", sentence)
    faults = [compare_values(expected[key], got[key], tolerance, _inside(place, f"[{key!r}]")) for key in expected]
    return lowest(faults)


def _compare_sequences(expected: Any, got: Any, tolerance: Tolerance, place: str) -> Fault | None:
    if not isinstance(got, tuple | list):
        return _wrong_type(expected, got, place)
    if len(expected) != len(got):
        items = "1 item" if len(got) == 1 else f"{len(got)} items"
        wanted = "1 is" if len(expected) == 1 else f"{len(expected)} are"
        return Fault("shape", f"{place} has {items}; {wanted} expected.", expected, got)
    faults = [
        compare_values(e, g, tolerance, _inside(place, f"[{i}]"))
        for i, (e, g) in enumerate(zip(expected, got, strict=True))
    ]
    return lowest(faults)


def _compare_numbers(expected: Any, got: Any, tolerance: Tolerance, place: str) -> Fault | None:
    if not isinstance(got, numbers.Real) or isinstance(got, bool):
        return _wrong_type(expected, got, place)
    if isinstance(expected, numbers.Integral) and not isinstance(got, numbers.Integral):
        return Fault("dtype", f"{place} is {got!r}, a {_type(got)}; a whole number is expected.", expected, got)
    exact = isinstance(expected, numbers.Integral)
    if expected == got if exact else _close(expected, got, tolerance):
        return None
    return Fault("value", f"{place} is {_number(got)}; {_number(expected)} is expected.", expected, got)


def _close(expected: Any, got: Any, tolerance: Tolerance) -> bool:
    try:
        expected, got = float(expected), float(got)
    except OverflowError:  # a whole number that no float reaches
        return False
    if math.isnan(expected) or math.isnan(got) or math.isinf(expected) or math.isinf(got):
        return expected == got or (math.isnan(expected) and math.isnan(got))
    return abs(got - expected) <= tolerance.absolute + tolerance.relative * abs(expected)


def _compare_tensors(expected: Tensor, got: Any, tolerance: Tolerance, place: str) -> Fault | None:
    if not isinstance(got, Tensor) or got.is_nested or got.is_quantized:
        return _wrong_type(expected, got, place)
    for rung, word in _TENSOR_RUNGS:
        e, g = getattr(expected, word), getattr(got, word)
        if e != g:
            sentence = f"{place} has the {word} {_plain(g)}; {_plain(e)} is expected."
            return Fault(rung, sentence, expected, got)
    close = closeness(expected, got, tolerance)
    if bool(close.all()):
        return None
    return Fault("value", f"{place} {_difference(expected, got, close)}", expected, got)


def closeness(expected: Tensor, got: Tensor, tolerance: Tolerance) -> Tensor:
    """Where two tensors of one shape agree: bool, exact for whole numbers; NaN agrees with NaN."""
    if not (expected.is_floating_point() or expected.is_complex()):
        return expected == got
    return torch.isclose(got, expected, rtol=tolerance.relative, atol=tolerance.absolute, equal_nan=True)


def _difference(expected: Tensor, got: Tensor, close: Tensor) -> str:
    """Where two tensors of one shape and dtype differ most, in words."""
    wide = torch.complex128 if expected.is_complex() else torch.float64
    gap = (got.to(wide) - expected.to(wide)).abs()
    gap[close] = -1
    gap[~close & gap.isnan()] = math.inf
    place = [int(i) for i in torch.unravel_index(gap.argmax(), gap.shape)] if gap.ndim else []
    e, g = (t[tuple(place)].item() for t in (expected, got))
    wrong, total = int((~close).sum()), close.numel()
    where = f" at {place}" if place else ""
    largest = (
        f"is {_number(g)}{where}; {_number(e)} is expected there"
        if place
        else f"is {_number(g)}; {_number(e)} is expected"
    )
    if math.isfinite(float(gap.max())):
        largest += f" (largest difference {float(gap.max()):.3g})"
    return f"{largest}. {wrong} of {total} values {'differs' if wrong == 1 else 'differ'}."


def _compare_layers(expected: Layers | None, got: Layers | None) -> Fault | None:
    if expected is None or got is None or pairing(expected, got) is not None:
        return None
    counts = [sum(math.prod(shape) for _, shape in layers) for layers in (got, expected)]
    sentence = f"The layers differ: they hold {counts[0]:,} numbers, buffers included; {counts[1]:,} are expected."
    return Fault("layers", sentence, _table(expected), _table(got))


def _table(layers: Layers) -> str:
    return "\n".join(f"{name}: {shape}" for name, shape in layers) or "no layers"


def _compare_gradients(expected: Gradients | None, got: Gradients | None, tolerance: Tolerance) -> Fault | None:
    if expected is None or got is None:
        return None
    if got.failure:
        if expected.failure and got.failure.resembles(expected.failure, message=False):
            return None
        error = f"{got.failure.kind}: {got.failure.message}"
        return Fault("gradient", f"The values are right, but gradients cannot be computed through them. {error}")
    if got.detached and not expected.detached:
        sentence = "The values are right, but no gradient flows back: the result is detached from its inputs."
        return Fault(
            "gradient", f"{sentence} Stay in torch: no .detach(), .item(), .numpy(), torch.tensor(...) or no_grad()."
        )
    for name, e in expected.values.items():
        fault = _compare_gradient(name, e, got.values.get(name), tolerance)
        if fault:
            return fault
    return None


def _compare_gradient(name: str, expected: Tensor | None, got: Tensor | None, tolerance: Tolerance) -> Fault | None:
    if expected is None and got is None:
        return None
    if got is None:
        if not bool(expected.any()):
            return None
        return Fault("gradient", f"The values are right, but no gradient arrives at {name}.", expected, None)
    expected = torch.zeros_like(got) if expected is None else expected
    loose = Tolerance(10 * tolerance.relative, 10 * tolerance.absolute)
    fault = compare_values(expected, got, loose, f"The values are right, but the gradient of {name}")
    return Fault("gradient", fault.sentence, expected, got) if fault else None


def _compare_changes(expected: Outcome, got: Outcome) -> Fault | None:
    if set(got.changed) == set(expected.changed):
        return None
    if not got.changed:
        return Fault("changed", "It should change its input in place, and does not.")
    words = ", ".join(f"argument {int(n) + 1}" if n.isdigit() else n for n in got.changed)
    return Fault(
        "changed",
        f"The result is right, but the input was modified ({words}). Work on a copy, without in-place operations.",
    )


def lowest(faults: list[Fault | None]) -> Fault | None:
    """The fault on the lowest rung, the first of them where several are."""
    return min((fault for fault in faults if fault), key=lambda fault: RUNGS.index(fault.rung), default=None)


def _wrong_type(expected: Any, got: Any, place: str) -> Fault:
    return Fault("type", f"{place} is {_article(_type(got))}; {_article(_type(expected))} is expected.", expected, got)


def _type(value: Any) -> str:
    if isinstance(value, Tensor):
        return "nested tensor" if value.is_nested else "quantized tensor" if value.is_quantized else "tensor"
    module = type(value).__module__
    name = _TYPES.get(type(value).__name__, type(value).__name__)
    return name if module == "builtins" else f"{module.split('.')[0]} {name}"


def _article(noun: str) -> str:
    return f"an {noun}" if noun[:1].lower() in "aeio" else f"a {noun}"


def _inside(place: str, item: str) -> str:
    return f"Item {item} of the result" if place == "The result" else f"{place}{item}"


def _plain(value: Any) -> str:
    return str(tuple(value)) if isinstance(value, torch.Size) else str(value).removeprefix("torch.")


def _number(value: Any) -> str:
    if isinstance(value, numbers.Integral):
        return whole_number(value)
    return f"{float(value) if isinstance(value, numbers.Real) else value:.6g}"


def same_outcome(expected: Outcome, got: Outcome, tolerance: Tolerance) -> bool:
    """Whether two outcomes cannot be told apart: results, errors, gradients and changes to the input."""
    if expected.failure or got.failure:
        return bool(expected.failure and got.failure and expected.failure.resembles(got.failure, message=False))
    if _compare_layers(expected.layers, got.layers):
        return False
    if expected.unattempted or got.unattempted:
        return expected.unattempted == got.unattempted
    return _same_kind_of_gradients(expected.gradients, got.gradients) and compare(expected, got, tolerance) is None


def _same_kind_of_gradients(expected: Gradients | None, got: Gradients | None) -> bool:
    if expected is None or got is None:
        return expected is got
    return expected.detached == got.detached and bool(expected.failure) == bool(got.failure)
