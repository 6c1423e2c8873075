"""Running a module on a case: make it, give it the reference's weights, look at its results and gradients."""

import copy
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from crashcourse.exercises.case import Case, detach, fixed_noise
from crashcourse.exercises.failure import Failure
from crashcourse.exercises.isolation import Budget
from crashcourse.exercises.outcome import (
    Gradients,
    Outcome,
    attempt,
    changed_inputs,
    gradients_of,
    positional_names,
    source_file,
)

Maker = Callable[..., nn.Module]
Layers = tuple[tuple[str, tuple[int, ...]], ...]
OTHER_LAYERS = "other layers"  # the value of an outcome whose module cannot take the reference's weights


def run_module(
    make: Maker, reference: Maker, case: Case, *, modes: Sequence[str], gradient: bool, budget: Budget
) -> Outcome:
    """Make a module, compare its layers with the reference's, copy the weights in and run it.

    Args:
        make: the class, or a function that returns a module; called with `case.build`.
        reference: the reference's.
        case: what the constructor and `forward` receive.
        modes: "eval", "train": the result is a dict when both are asked for.
        gradient: whether to look at the gradients of inputs and parameters, in the first mode.
        budget: the time left.
    """
    made = attempt(lambda: make(**copy.deepcopy(dict(case.build))), source_file(make), budget)
    if made.failure or made.unattempted:
        return made
    module = made.value
    if not isinstance(module, nn.Module):
        message = f"It makes an object of type {type(module).__name__}; an nn.Module is expected."
        return Outcome(failure=Failure("TypeError", message), printed=made.printed)
    if any(is_lazy(tensor) for tensor in module.state_dict().values()):
        message = "It has a lazy layer, whose shape is not known before its first call: say how many channels come in."
        return Outcome(failure=Failure("TypeError", message), printed=made.printed)
    right = attempt(lambda: reference(**copy.deepcopy(dict(case.build))), None, Budget()).value
    names = pairing(layers_of(right), layers_of(module))
    outcome = Outcome(printed=made.printed, layers=layers_of(module), remark=unregistered(module))
    if names is None:
        return replace(outcome, value=OTHER_LAYERS)
    outcome = replace(outcome, remark=outcome.remark or _matched_by_order(names))
    runner = _Runner(
        module, _weights(right, names), names, case, positional_names(right.forward, case), source_file(make), budget
    )
    return runner.run(outcome, modes, gradient)


@dataclass(frozen=True)
class _Runner:
    """A module, the weights it is to have, and what it is called with."""

    module: nn.Module
    weights: Mapping[str, Tensor]
    names: Mapping[str, str]
    case: Case
    inputs: Sequence[str]
    file: str | None
    budget: Budget

    def run(self, outcome: Outcome, modes: Sequence[str], gradient: bool) -> Outcome:
        """Complete an outcome with what the module returns in each mode, and its gradients in the first."""
        values = {}
        for mode in modes:
            run = self._call(mode)
            outcome = replace(outcome, printed=outcome.printed + run.printed, changed=outcome.changed or run.changed)
            if run.failure or run.unattempted:
                return replace(outcome, failure=run.failure)
            values[mode] = run.value
        outcome = replace(outcome, value=values if len(modes) > 1 else values[modes[0]])
        return replace(outcome, gradients=self._gradients(modes[0])) if gradient else outcome

    def _call(self, mode: str) -> Outcome:
        self._prepare(mode)
        args, kwargs = self.case.cloned()
        run = attempt(lambda: detach(self.module(*args, **kwargs)), self.file, self.budget)
        return replace(run, changed=changed_inputs(self.case, self.inputs, args, kwargs))

    def _gradients(self, mode: str) -> Gradients:
        self._prepare(mode)
        parameters = {self.names[name]: p for name, p in self.module.named_parameters() if p.requires_grad}
        return gradients_of(self.module, self.case, self.inputs, parameters, self.file, self.budget)

    def _prepare(self, mode: str) -> None:
        self.module.train(mode == "train")
        with torch.no_grad():
            for name, tensor in self.module.state_dict().items():
                tensor.copy_(self.weights[name])


def layers_of(module: nn.Module) -> Layers:
    """Name and shape of every parameter and buffer, in the order in which they were registered."""
    return tuple((name, tuple(tensor.shape)) for name, tensor in module.state_dict().items())


def pairing(expected: Layers, got: Layers) -> dict[str, str] | None:
    """For every layer of a module, the reference's layer that it stands for: by name, else by order and shape.

    Returns:
        None when the shapes are not the same, whatever their names.
    """
    if dict(expected) == dict(got):
        return {name: name for name, _ in got}
    if Counter(shape for _, shape in expected) != Counter(shape for _, shape in got):
        return None
    left = list(expected)
    names = {}
    for name, shape in got:
        match = next(layer for layer in left if layer[1] == shape)
        left.remove(match)
        names[name] = match[0]
    return names


def unregistered(module: nn.Module) -> str:
    """A sentence about layers that the module holds but does not know of, "" when there are none."""
    for part in module.modules():
        for name, value in vars(part).items():
            if name.startswith("_"):
                continue
            items = list(value.values()) if isinstance(value, dict) else value
            if isinstance(items, list | tuple) and any(isinstance(item, nn.Module) for item in items):
                kind, use = (
                    ("dict", "nn.ModuleDict") if isinstance(value, dict) else (type(value).__name__, "nn.ModuleList")
                )
                return f"self.{name} is a plain Python {kind}, so its layers are not registered: use {use}."
            if isinstance(value, Tensor) and value.requires_grad:
                return f"self.{name} is a plain tensor, so it is not registered: wrap it in nn.Parameter."
    return ""


def _matched_by_order(names: Mapping[str, str]) -> str:
    if all(name == other for name, other in names.items()):
        return ""
    return (
        "Your layers have other names than the reference's, so the weights were matched by order and shape: "
        "create the layers in the order in which they are used."
    )


def _weights(reference: nn.Module, names: Mapping[str, str]) -> dict[str, Tensor]:
    """The reference's state under the names of the other module, moved away from its initial zeros and ones."""
    moved = {}
    for index, (name, tensor) in enumerate(reference.state_dict().items()):
        value = tensor.detach().clone()
        learned = name in dict(reference.named_parameters())
        if learned or name.endswith("running_mean"):
            value += 0.1 * fixed_noise(value, index)
        elif name.endswith("running_var"):
            value += fixed_noise(value, index).abs()
        moved[name] = value
    return {own: moved[theirs] for own, theirs in names.items()}
