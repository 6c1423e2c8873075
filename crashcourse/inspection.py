"""What a network is made of: shapes, parameters and multiply-adds, layer by layer, read from the live module.

Everything runs on PyTorch's `meta` device, where tensors have shapes and no numbers: VGG-19 at 224×224 costs
milliseconds and no memory, and the model's own weights are neither copied nor changed.

One MAC is one multiply-add. Only matrix products and convolutions are counted, as in the papers; additions of biases,
normalisation, activations and pooling are not. Papers that print "FLOPs" for these networks mean MACs.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from crashcourse.errors import CourseError, unknown

GROUPINGS = ("layer", "child")


@dataclass(frozen=True)
class Block:
    """One row of a network's table.

    Attributes:
        name: the module's name in its model, "features.0".
        kind: the module's class, "Conv2d".
        output_shape: shape of the output for one example, without the batch: (C, H, W), or (C,) after flattening.
        parameters: how many numbers it learns; a module that runs twice counts once.
        macs: multiply-adds for one example.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    macs: int


def count_parameters(model: nn.Module) -> int:
    """How many numbers the model learns: every element of every parameter, shared ones once. Buffers do not count."""
    _check_model(model)
    return sum(parameter.numel() for parameter in model.parameters())


def count_macs(model: nn.Module, input_shape: Sequence[int]) -> int:
    """Multiply-adds of one forward pass for one example of shape `input_shape`, such as (3, 224, 224).

    Raises:
        CourseError: the shape is not made of positive integers, or the model cannot take it.
    """
    shape = _check_shape(input_shape)
    with FlopCounterMode(display=False) as counter:
        _run_on_meta(model, shape)
    return counter.get_total_flops() // 2


def summarize(model: nn.Module, input_shape: Sequence[int], *, by: str = "layer") -> list[Block]:
    """The network as rows, in the order in which its modules run.

    Args:
        model: any module that takes one tensor. It is left as it was.
        input_shape: shape of one example, without the batch: (3, 224, 224).
        by: "layer" for every module without children, "child" for the model's direct children.

    Raises:
        CourseError: an unknown grouping, a shape that is not made of positive integers, or one the model cannot take.
    """
    if by not in GROUPINGS:
        raise unknown("grouping", by, GROUPINGS)
    shape = _check_shape(input_shape)
    _check_model(model)
    modules = list(model.named_children()) if by == "child" else _leaves(model)
    return _record(model, shape, dict(modules) or {type(model).__name__: model})


def _record(model: nn.Module, shape: tuple[int, ...], modules: dict[str, nn.Module]) -> list[Block]:
    """Run the model once with a hook before and after each of the modules."""
    rows: list[Block] = []
    counted: set[int] = set()
    with FlopCounterMode(display=False) as counter:
        before: list[int] = []

        def enter(module: nn.Module, inputs: tuple) -> None:
            before.append(counter.get_total_flops())

        def leave(name: str, module: nn.Module, output: object) -> None:
            macs = (counter.get_total_flops() - before.pop()) // 2
            rows.append(Block(name, type(module).__name__, _shape_of(output), _fresh(module), macs))

        def _fresh(module: nn.Module) -> int:
            new = 0 if id(module) in counted else count_parameters(module)
            counted.add(id(module))
            return new

        hooks = [module.register_forward_pre_hook(enter) for module in modules.values()]
        for name, module in modules.items():
            hooks.append(module.register_forward_hook(lambda m, _, output, name=name: leave(name, m, output)))
        try:
            _run_on_meta(model, shape)
        finally:
            for hook in hooks:
                hook.remove()
    return rows


def _run_on_meta(model: nn.Module, shape: tuple[int, ...]) -> None:
    """One forward pass in evaluation mode with every parameter and buffer replaced by its shape."""
    _check_model(model)
    tensors = dict(model.named_parameters()) | dict(model.named_buffers())
    shapes = {name: tensor.detach().to("meta") for name, tensor in tensors.items()}
    dtype = next((t.dtype for t in tensors.values() if t.is_floating_point()), torch.float32)
    images = torch.empty(1, *shape, dtype=dtype, device="meta")
    try:
        with torch.no_grad(), _evaluating(model):
            torch.func.functional_call(model, shapes, (images,))
    except CourseError:
        raise
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise CourseError(
            f"{type(model).__name__} cannot take one example of shape {shape}: {error}. "
            "Give the shape without the batch, such as (3, 224, 224)."
        ) from error


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside, each module's own mode again outside."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def _leaves(model: nn.Module) -> list[tuple[str, nn.Module]]:
    return [(name, module) for name, module in model.named_modules() if name and not any(module.children())]


def _shape_of(output: object) -> tuple[int, ...]:
    """Shape of the first tensor in what a module returned, without the batch."""
    while not isinstance(output, Tensor):
        if not output or not isinstance(output, (tuple, list, dict)):
            return ()
        output = next(iter(output.values() if isinstance(output, dict) else output))
    return tuple(output.shape[1:])


def _check_model(model: object) -> None:
    if not isinstance(model, nn.Module):
        raise CourseError(f"Expected a torch.nn.Module; got {type(model).__name__}. Build the model first: vgg16().")


def _check_shape(shape: Sequence[int]) -> tuple[int, ...]:
    is_sequence = isinstance(shape, Sequence) and not isinstance(shape, str)
    if not is_sequence or not shape or any(not isinstance(size, int) or size < 1 for size in shape):
        raise CourseError(f"Expected the shape of one example as positive integers, (3, 224, 224); got {shape!r}.")
    return tuple(shape)
