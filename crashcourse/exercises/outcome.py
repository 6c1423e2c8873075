"""What a call did: its result, its error, the gradients it lets through, the inputs it changed, what it printed."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from crashcourse.exercises.case import Case, clone, detach, fixed_noise, identical, is_float, leaves, map_leaves
from crashcourse.exercises.failure import Failure
from crashcourse.exercises.isolation import Budget, quiet, seed_generators
from crashcourse.exercises.limits import TimeLimitReached, run_limited


@dataclass(frozen=True)
class Gradients:
    """The gradients of the float inputs (and of a module's parameters), for a fixed gradient of the result.

    Attributes:
        values: by name; None where no gradient arrives.
        detached: no part of the result depends on any input, as far as autograd knows.
        failure: what was raised with inputs that record gradients.
    """

    values: Mapping[str, Tensor | None]
    detached: bool = False
    failure: Failure | None = None


@dataclass(frozen=True)
class Outcome:
    """All that can be observed of one call.

    Attributes:
        value: what was returned, cut from its history.
        failure: what was raised instead.
        gradients: None when they were not asked for.
        changed: names of the inputs that were modified.
        printed: what was printed, its first part.
        layers: for a module: name and shape of every parameter and buffer.
        remark: for a module: what is unusual in how it was made.
    """

    value: Any = None
    failure: Failure | None = None
    gradients: Gradients | None = None
    changed: tuple[str, ...] = ()
    printed: str = ""
    layers: tuple[tuple[str, tuple[int, ...]], ...] | None = None
    remark: str = ""

    @property
    def unattempted(self) -> bool:
        """Whether nothing was tried: `NotImplementedError`, None or an ellipsis."""
        if self.failure:
            return self.failure.unattempted
        return self.value is None or self.value is ...


def run_function(
    function: Callable[..., Any], case: Case, names: Sequence[str], *, gradient: bool, budget: Budget
) -> Outcome:
    """Call a function on a copy of a case's inputs; then, if asked, once more to see its gradients.

    Args:
        function: the reference, a known wrong answer or the learner's.
        case: what it receives.
        names: what the reference calls the positional arguments.
        gradient: whether to look at gradients.
        budget: the time left.
    """
    file = source_file(function)
    args, kwargs = case.cloned()
    outcome = attempt(lambda: detach(function(*args, **kwargs)), file, budget)
    outcome = replace(outcome, changed=changed_inputs(case, names, args, kwargs))
    if not gradient or outcome.failure or outcome.unattempted:
        return outcome
    return replace(outcome, gradients=gradients_of(function, case, names, {}, file, budget))


def attempt(call: Callable[[], Any], file: str | None, budget: Budget) -> Outcome:
    """Call within the time limit, with fixed generators and gradients recorded, catching what is raised or printed."""

    def inside() -> Any:
        seed_generators()
        torch.set_grad_enabled(True)  # it may run in a thread of its own, where this is not yet so
        return call()

    with quiet() as printed, budget.spending(), torch.enable_grad():
        try:
            return Outcome(value=run_limited(inside, budget.left), printed=printed.text)
        except (Exception, SystemExit, TimeLimitReached) as error:
            return Outcome(failure=Failure.of(error, file), printed=printed.text)


def gradients_of(
    function: Callable[..., Any],
    case: Case,
    names: Sequence[str],
    parameters: Mapping[str, Tensor],
    file: str | None,
    budget: Budget,
) -> Gradients:
    """The gradients of a case's float inputs and of `parameters`, for a fixed gradient of the result."""

    def call() -> tuple[dict[str, Tensor | None], bool]:
        watched: dict[str, Tensor] = dict(parameters)
        args, kwargs = _watched_inputs(case, names, watched)
        results = [leaf for leaf in leaves(function(*args, **kwargs)) if is_float(leaf)]
        pairs = [(leaf, fixed_noise(leaf, i)) for i, leaf in enumerate(results) if leaf.requires_grad]
        if not pairs or not watched:
            return dict.fromkeys(watched), bool(watched)
        outputs, cotangents = zip(*pairs, strict=True)
        found = torch.autograd.grad(outputs, list(watched.values()), cotangents, allow_unused=True)
        return dict(zip(watched, found, strict=True)), False

    _load_autograd()
    outcome = attempt(call, file, budget)
    if outcome.failure:
        return Gradients({}, failure=outcome.failure)
    values, detached = outcome.value
    return Gradients(values, detached)


@cache
def _load_autograd() -> None:
    """The first gradient of a process imports for seconds (sympy): not on the learner's time."""
    with torch.enable_grad():
        one = torch.ones(1, requires_grad=True)
        torch.autograd.grad(one * 1, one, torch.ones(1))


def _watched_inputs(case: Case, names: Sequence[str], watched: dict[str, Tensor]) -> tuple[list[Any], dict[str, Any]]:
    """Inputs that record gradients; they are not leaves themselves, so that changing them in place is not an error."""

    def prepare(name: str, value: Any) -> Any:
        count = 0

        def watch(leaf: Any) -> Any:
            nonlocal count
            count += 1
            if not is_float(leaf):
                return clone(leaf)
            source = leaf.detach().clone().requires_grad_()
            watched[name if value is leaf else f"{name}[{count - 1}]"] = source
            return source.clone()

        return map_leaves(value, watch)

    args = [prepare(name, value) for name, value in zip(names, case.args, strict=True)]
    return args, {name: prepare(name, value) for name, value in case.kwargs.items()}


def plain(value: Any) -> Any:
    """A tensor of at most one axis as a number or a list, also inside a list; anything else as it is.

    For exercises whose result is a number or a list of numbers: a learner who returns a tensor is right as well.
    """
    if isinstance(value, tuple | list):
        return [plain(item) if isinstance(item, Tensor) and item.ndim == 0 else item for item in value]
    if not isinstance(value, Tensor) or value.ndim > 1 or value.device.type != "cpu" or value.layout != torch.strided:
        return value
    return value if value.is_quantized or value.is_nested else value.tolist()


def positional_names(function: Callable[..., Any], case: Case) -> list[str]:
    """What a function calls the positional arguments of a case; their places where it does not say."""
    try:
        names = [
            name for name, p in inspect.signature(function).parameters.items() if p.kind <= p.POSITIONAL_OR_KEYWORD
        ]
    except (TypeError, ValueError):
        names = []
    return [*names, *(f"argument {i + 1}" for i in range(len(names), len(case.args)))][: len(case.args)]


def source_file(function: Callable[..., Any]) -> str | None:
    """The file, or the notebook's cell, in which a function or class is written."""
    member = function
    if isinstance(function, type):
        member = next((m for m in vars(function).values() if inspect.isfunction(m)), function)
    code = getattr(inspect.unwrap(member), "__code__", None)
    return code.co_filename if code else None


def changed_inputs(case: Case, names: Sequence[str], args: list[Any], kwargs: dict[str, Any]) -> tuple[str, ...]:
    """The names of the inputs that are no longer what the case says."""
    before, after = [*case.args, *case.kwargs.values()], [*args, *kwargs.values()]
    triples = zip([*names, *case.kwargs], before, after, strict=True)
    return tuple(name for name, old, new in triples if not identical(old, new))
