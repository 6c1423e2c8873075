"""How much memory tensors hold while a piece of code runs, operation by operation; and what becomes of freed memory.

Counted are the storages of tensors that operations return, each once, from the operation that made it until it is
freed. What an operation needs for itself while it runs is not seen. The count follows from the code and the shapes
alone: it is the same on every run, and needs neither a GPU nor a profiler.
"""

import contextlib
import ctypes
import functools
import sys
import weakref
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


@functools.cache
def keep_freed_memory() -> None:
    """Have the C library keep the memory that tensors free, for the next ones.

    glibc hands blocks of more than 32 MiB back to the system at once, and smaller ones often; a training step then
    spends its time on having pages cleared: up to half of it on a virtual machine. Other C libraries are left alone.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # a C library without mallopt
            library = ctypes.CDLL(None)
            library.mallopt(M_MMAP_THRESHOLD, 2**30)
            library.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def memory_trace(step: Callable[[], object]) -> list[int]:
    """Run `step` once, and count what the tensors made in it hold.

    Args:
        step: takes nothing, such as a forward and backward pass. Gradients that are there before it do not count, so
            run it once beforehand.

    Returns:
        Bytes held after every operation, in order; `max(...)` is the peak.
    """
    with _Counter() as counter:
        step()
    return counter.held_after


class _Counter(TorchDispatchMode):
    """Sees every operation, those of the backward pass on the CPU included."""

    def __init__(self) -> None:
        super().__init__()
        self.held = 0
        self.known: set[int] = set()
        self.held_after: list[int] = []

    def __torch_dispatch__(
        self, operation: Callable[..., Any], types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = operation(*args, **(kwargs or {}))
        given = {_place(value) for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)}
        for value in tree_leaves(result):
            if isinstance(value, Tensor) and _place(value) not in given | self.known:
                self._count(value)
        self.held_after.append(self.held)
        return result

    def _count(self, tensor: Tensor) -> None:
        memory = tensor.untyped_storage()
        place, size = memory.data_ptr(), memory.nbytes()
        if size:
            self.known.add(place)
            self.held += size
            weakref.finalize(memory, self._forget, place, size)

    def _forget(self, place: int, size: int) -> None:
        self.known.discard(place)
        self.held -= size


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
