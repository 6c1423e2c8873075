"""The contracts of `fit`: what batches, `step` and `evaluate` are, and the sentences for those that are not."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from crashcourse.errors import CourseError
from crashcourse.training.diagnosis import tensors_in

Step = Callable[[nn.Module, Any], Mapping[str, Any]]
Evaluate = Callable[[nn.Module], Mapping[str, Any]]


@runtime_checkable
class Batches(Protocol):
    """What `fit` trains on. Under `torchrun` it also needs `shard(rank, world)`: this process's part of each batch.

    Where epochs differ in their number of batches, as with a batch size that grows, `length(index)` says how many epoch
    `index` has; `len(batches)` is then that of the first.
    """

    def __len__(self) -> int:
        """Batches per epoch."""

    def epoch(self, index: int) -> Iterable[Any]:
        """The batches of one epoch, the same for the same index: tuples or dictionaries of `(N, ...)` tensors."""


def length(batches: Batches, epoch: int) -> int:
    """How many batches an epoch has."""
    own = getattr(batches, "length", None)
    return own(epoch) if callable(own) else len(batches)


def check_arguments(
    model: object, batches: object, step: object, epochs: object, accumulate: object, clip_norm: float | None
) -> None:
    if not isinstance(model, nn.Module):
        raise CourseError(f"fit() trains a torch.nn.Module; got {type(model).__name__}.")
    if not isinstance(batches, Batches):
        raise CourseError(
            f"fit() needs batches with len(batches) and batches.epoch(index), such as crashcourse.datasets.Batches; "
            f"got {type(batches).__name__}."
        )
    if len(batches) < 1:
        raise CourseError("fit() got batches of length 0: there is nothing to train on.")
    if not callable(step):
        raise CourseError(f"fit() needs step(model, batch) -> {{'loss': ...}}; got {type(step).__name__}.")
    for name, value in (("epochs", epochs), ("accumulate", accumulate)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise CourseError(f"fit({name}=...) is a whole number, at least 1; got {value!r}.")
    if clip_norm is not None and not clip_norm > 0:
        raise CourseError(f"fit(clip_norm=...) is a positive number or None; got {clip_norm!r}.")


def build_optimizer(optimizer: Any, model: nn.Module) -> Optimizer:
    if not any(p.requires_grad for p in model.parameters()):
        raise CourseError("fit() got a model with no parameter to train: it has none, or all are frozen.")
    rule = optimizer if isinstance(optimizer, Optimizer) or not callable(optimizer) else optimizer(model.parameters())
    if not isinstance(rule, Optimizer):
        raise CourseError(
            "fit(optimizer=...) is a torch.optim.Optimizer or a function of the parameters that returns one; "
            f"got {type(rule).__name__}."
        )
    held = {id(p) for group in rule.param_groups for p in group["params"]}
    if not any(id(p) in held for p in model.parameters()):
        raise CourseError("The optimizer holds none of this model's parameters: build it from model.parameters().")
    return rule


def check_loss(metrics: Any) -> Tensor:
    if not isinstance(metrics, Mapping) or "loss" not in metrics:
        got = f"a dictionary with {sorted(metrics)}" if isinstance(metrics, Mapping) else type(metrics).__name__
        raise CourseError(f"step(model, batch) returns a dictionary with a 'loss'; got {got}.")
    loss = metrics["loss"]
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        got = f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        raise CourseError(f"step()'s 'loss' is a tensor with one number, a mean over the batch; got {got}.")
    if not loss.requires_grad:
        raise CourseError("step()'s 'loss' has no gradient: was it detached, or computed under torch.no_grad()?")
    return loss


def metrics_in_order(metrics: Mapping[str, Any]) -> list[str]:
    """The metrics' names, the loss first."""
    return ["loss", *(name for name in metrics if name != "loss")]


def numbers(metrics: Mapping[str, Any], loss: Tensor) -> list[float]:
    """The metrics as numbers, the loss first, with one wait for the device."""
    try:
        values = [torch.as_tensor(metrics[name], device=loss.device).detach() for name in metrics_in_order(metrics)]
        return torch.stack([value.to(torch.float32).reshape(()) for value in values]).tolist()
    except (TypeError, RuntimeError, ValueError) as error:
        raise CourseError(f"step() returns one number for each name in {list(metrics)}; one of them is not.") from error


def samples_in(batch: Any) -> int:
    """How many samples a batch holds: the first dimension of its first tensor."""
    tensors = tensors_in(batch)
    if not tensors or tensors[0].ndim == 0:
        raise CourseError("A batch is a tuple or dictionary of tensors whose first dimension counts the samples.")
    if len(tensors[0]) == 0:
        raise CourseError(
            "A batch, or this process's part of one, is empty. Use larger batches, or leave out the last one."
        )
    return len(tensors[0])
