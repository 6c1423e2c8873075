"""Where a model trains: device, precision, memory layout, and how many processes share the work, by accelerate."""

import atexit
import contextlib
import functools
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from crashcourse.errors import CourseError
from crashcourse.memory import keep_freed_memory

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What `fit` runs on. Every field left at None is chosen where it runs.

    Attributes:
        device: "cpu", "cuda" or "mps"; None takes the first of cuda, mps and cpu that is there.
        precision: "fp32" or "bf16" (autocast: weights stay float32); None takes bf16 on GPUs that compute in it.
        channels_last: keep 4-D tensors as NHWC in memory; None does so on cuda, where convolutions are faster for it.
    """

    device: str | None = None
    precision: str | None = None
    channels_last: bool | None = None

    def resolved(self) -> "Machine":
        """The same machine with every choice made.

        Raises:
            CourseError: a device that is unknown or not here, or an unknown precision.
        """
        device = self.device or _best_device()
        _check_device(device)
        precision = self.precision or ("bf16" if device == "cuda" and _computes_bf16() else "fp32")
        if precision not in ("fp32", "bf16"):
            raise CourseError(f"Machine(precision=...) is 'fp32', 'bf16' or None; got {precision!r}.")
        channels_last = device == "cuda" if self.channels_last is None else self.channels_last
        return Machine(device=device, precision=precision, channels_last=channels_last)


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _check_device(device: str) -> None:
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device not in here:
        raise CourseError(
            f"Machine(device=...) is 'cpu', 'cuda', 'mps' or None; got {device!r}. "
            "To choose one GPU of several, set CUDA_VISIBLE_DEVICES."
        )
    if not here[device]:
        raise CourseError(f"There is no {device} device here. Leave device out to train on {_best_device()!r}.")


def _computes_bf16() -> bool:
    return torch.cuda.is_bf16_supported(including_emulation=False)


class Workplace:
    """A model made ready for one run: moved, wrapped for several processes where there are several.

    Attributes:
        model: what `step` calls; the caller's own module, or its distributed wrapper.
        own: the caller's own module.
        rank, world: this process and how many there are.
    """

    def __init__(self, accelerator: "Accelerator", machine: Machine, own: nn.Module) -> None:
        self.accelerator, self.machine, self.own = accelerator, machine, own
        self.rank, self.world = accelerator.process_index, accelerator.num_processes
        self.device = accelerator.device
        if self.world > 1 and self.device.type == "cuda":
            nn.SyncBatchNorm.convert_sync_batchnorm(own)  # batch statistics over the whole global batch
        if machine.channels_last:
            own.to(memory_format=torch.channels_last)
        self.model: nn.Module = accelerator.prepare_model(own)

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def place(self, batch: Any) -> Any:
        """The batch on this workplace's device and in its memory layout, whatever containers it is made of."""
        if isinstance(batch, torch.Tensor):
            batch = batch.to(self.device, non_blocking=True)
            four = self.machine.channels_last and batch.ndim == 4
            return batch.contiguous(memory_format=torch.channels_last) if four else batch
        if isinstance(batch, dict):
            return {key: self.place(value) for key, value in batch.items()}
        if isinstance(batch, tuple) and hasattr(batch, "_fields"):  # a named tuple
            return type(batch)(*(self.place(value) for value in batch))
        if isinstance(batch, tuple | list):
            return type(batch)(self.place(value) for value in batch)
        return batch

    def total(self, values: list[float]) -> list[float]:
        """The sum of each value over all processes."""
        if self.world == 1:
            return values
        kind = torch.float32 if self.device.type == "mps" else torch.float64
        tensor = torch.tensor(values, dtype=kind, device=self.device)
        torch.distributed.all_reduce(tensor)
        return tensor.tolist()

    def agree(self, value: Any) -> Any:
        """The main process's value, in every process."""
        return agree(value)

    def gather(self, value: Any) -> list[Any]:
        """Every process's value, in the order of ranks."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        torch.distributed.all_gather_object(values, value)
        return values


def agree(value: Any) -> Any:
    """The value of process 0, in every process of a `torchrun`; the value itself where there is one process."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return value
    box = [value]
    torch.distributed.broadcast_object_list(box, src=0)
    return box[0]


def join() -> tuple[int, int]:
    """Join the other processes of a `torchrun`, where there are any.

    Returns:
        This process's rank and the number of processes.
    """
    accelerator = _accelerator(Machine().resolved())
    return accelerator.process_index, accelerator.num_processes


@contextmanager
def at_work(machine: Machine, model: nn.Module) -> Iterator[Workplace]:
    """Make a model ready to train here; leave it as the caller's own module afterwards, on the device it trained on."""
    machine = machine.resolved()
    keep_freed_memory()
    had_forward = "forward" in vars(model)
    accelerator = _accelerator(machine)
    workplace = Workplace(accelerator, machine, model)
    try:
        yield workplace
    finally:
        accelerator.unwrap_model(workplace.model, keep_fp32_wrapper=False)
        for name in ("_is_accelerate_prepared", "_original_forward", *(() if had_forward else ("forward",))):
            vars(model).pop(name, None)


def _accelerator(machine: Machine) -> "Accelerator":
    """An Accelerator with this machine's settings. Its state is one per process, so settings that differ reset it."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, PartialState

    cpu = machine.device == "cpu"
    precision = "bf16" if machine.precision == "bf16" else "no"
    if AcceleratorState._shared_state:
        state = AcceleratorState()
        if state.mixed_precision != precision or (state.device.type == "cpu") != cpu:
            several = PartialState().num_processes > 1
            AcceleratorState._reset_state(reset_partial_state=not several)
    accelerator = Accelerator(cpu=cpu, mixed_precision=precision)
    if accelerator.num_processes > 1:
        _leave_at_exit()
    return accelerator


@functools.cache
def _leave_at_exit() -> None:
    """Have this process leave its group in order when it ends; registered once."""
    atexit.register(_leave)


def _leave() -> None:
    """Wait for the others, let go of wrapped models, close the group: its threads must not outlive Python."""
    if not torch.distributed.is_initialized():
        return
    with contextlib.suppress(RuntimeError):  # another process may have gone already
        torch.distributed.barrier()
    gc.collect()
    torch.distributed.destroy_process_group()
