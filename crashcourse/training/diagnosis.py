"""When the loss is lost: which layer was the first to go wrong."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from crashcourse.errors import CourseError

if TYPE_CHECKING:
    from crashcourse.training.history import History


class DivergedError(CourseError):
    """The loss became NaN or infinite. The model keeps the weights from before the bad batch.

    Attributes:
        history: the whole epochs before it.
    """

    def __init__(self, message: str, history: "History") -> None:
        super().__init__(message)
        self.history = history


def tensors_in(value: Any) -> list[Tensor]:
    """Every tensor inside nested tuples, lists and dictionaries, in order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        return [t for item in value.values() for t in tensors_in(item)]
    if isinstance(value, tuple | list):
        return [t for item in value for t in tensors_in(item)]
    return []


def is_finite(value: Any) -> bool:
    """Whether every floating-point number in a nest of tensors is finite."""
    return all(bool(torch.isfinite(t).all()) for t in tensors_in(value) if t.is_floating_point() or t.is_complex())


def first_wrong(model: nn.Module, batch: Any, step: Callable[[nn.Module, Any], Any]) -> str:
    """Where NaN or infinity first appears: in the batch, in a parameter, in a layer's output, or in the loss alone.

    The step is run once more, without gradients, and buffers such as running means are put back afterwards.

    Returns:
        A clause such as "the first layer with such an output is 'features.3' (ReLU)".
    """
    if not is_finite(batch):
        return "the batch itself holds such values, so look at the data"
    for name, parameter in model.named_parameters():
        if not is_finite(parameter):
            layer = name.rpartition(".")[0]
            return (
                f"the first layer with such a parameter is {_describe(model, layer)}, its {name.rpartition('.')[2]!r}"
            )
    layer = _first_wrong_output(model, batch, step)
    if layer is None:
        return "every layer's output is finite, so look at the loss: a log or a division by zero, or a square root at 0"
    return f"the first layer with such an output is {_describe(model, layer)}"


def _first_wrong_output(model: nn.Module, batch: Any, step: Callable[[nn.Module, Any], Any]) -> str | None:
    """The name of the first module, in the order in which they finish, whose output is not finite."""
    wrong: list[str] = []

    def watch(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if not wrong and not is_finite(output):
                wrong.append(name)

        return hook

    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    handles = [module.register_forward_hook(watch(name)) for name, module in model.named_modules()]
    try:
        with torch.no_grad():
            step(model, batch)
    finally:
        for handle in handles:
            handle.remove()
        for name, buffer in model.named_buffers():
            buffer.copy_(buffers[name])
    return wrong[0] if wrong else None


def _describe(model: nn.Module, name: str) -> str:
    kind = type(model.get_submodule(name)).__name__
    return f"{name!r} ({kind})" if name else f"the model itself ({kind})"
