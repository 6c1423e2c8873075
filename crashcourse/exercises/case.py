"""One call of a checked function: its arguments, and helpers that walk through nested values."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor


@dataclass(frozen=True)
class Case:
    """What one call receives.

    Attributes:
        args: positional arguments: tensors, numbers, strings, tuples, lists, dicts. For a module, those of `forward`.
        kwargs: keyword arguments.
        label: what is particular about this call, in a few words: "stride 2".
        picture: "image" when the result is a picture (`(..., H, W)` with 1 or 3 channels, or none), so that a wrong
            result is shown as one.
        build: for a module: the keyword arguments of its constructor.
    """

    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    picture: Literal["image"] | None = None
    build: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many numbers the call receives: the smallest failing case is the one with the fewest."""
        inputs = [*self.args, *self.kwargs.values(), *self.build.values()]
        return sum(leaf.numel() if isinstance(leaf, Tensor) else 1 for leaf in leaves(inputs))

    def cloned(self) -> tuple[list[Any], dict[str, Any]]:
        """Arguments that may be changed without changing the case."""
        return clone(list(self.args)), clone(dict(self.kwargs))


def map_leaves(value: Any, function: Callable[[Any], Any]) -> Any:
    """The same tuples, lists and dicts, with `function` applied to everything in them."""
    if isinstance(value, dict):
        return {key: map_leaves(item, function) for key, item in value.items()}
    if type(value) in (tuple, list):
        return type(value)(map_leaves(item, function) for item in value)
    return function(value)


def leaves(value: Any) -> Iterator[Any]:
    """Everything inside nested tuples, lists and dicts, in order."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, tuple | list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def clone(value: Any) -> Any:
    """A deep copy; tensors keep their values, strides and dtype and lose their history."""
    return map_leaves(value, lambda leaf: leaf.detach().clone() if isinstance(leaf, Tensor) else copy.deepcopy(leaf))


def detach(value: Any) -> Any:
    """The same value, with tensors cut from their history and copied."""
    return map_leaves(value, lambda leaf: leaf.detach().clone() if isinstance(leaf, Tensor) else leaf)


def is_float(value: Any) -> bool:
    """Whether a value is a tensor through which gradients can flow."""
    return isinstance(value, Tensor) and value.is_floating_point()


def identical(a: Any, b: Any) -> bool:
    """Whether two nested values are the same to the last bit, shapes and dtypes included; NaN equals NaN."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        if a.shape != b.shape or a.dtype != b.dtype or a.device != b.device:
            return False
        return bool(((a == b) | ((a != a) & (b != b))).all())
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(identical(a[key], b[key]) for key in a)
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return type(a) is type(b) and len(a) == len(b) and all(map(identical, a, b))
    if type(a) is not type(b):
        return False
    if type(a).__module__ == "numpy":
        return bool((a == b).all())
    return bool(a == b) or a != a


def fixed_noise(like: Tensor, index: int) -> Tensor:
    """Noise that is the same for the same shape and index, whatever the state of any generator."""
    generator = torch.Generator().manual_seed(1000 + index)
    return torch.randn(like.shape, generator=generator).to(like)
