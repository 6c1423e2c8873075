"""The loop inside `fit`: batch by batch, update by update, and back from a checkpoint."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from crashcourse.errors import CourseError
from crashcourse.training.checkpoint import Checkpoint, random_state, refuse_other, restore_random_state
from crashcourse.training.contracts import (
    Batches,
    Evaluate,
    Step,
    check_loss,
    length,
    metrics_in_order,
    numbers,
    samples_in,
)
from crashcourse.training.diagnosis import DivergedError, first_wrong
from crashcourse.training.history import History
from crashcourse.training.machine import Workplace
from crashcourse.training.report import Report

_RATES = ("lr", "initial_lr", "max_lr", "min_lr")
_MOMENTA = ("momentum", "base_momentum", "max_momentum", "betas")
_SCHEDULED = {"params", *_RATES, *_MOMENTA}  # of an optimizer's group: what a schedule moves, and the tensors


class Loop:
    """One run of `fit`: where it is, and how it goes on."""

    def __init__(
        self,
        place: Workplace,
        batches: Batches,
        step: Step,
        epochs: int,
        optimizer: Optimizer,
        schedule: LRScheduler | None,
        evaluate: Evaluate | None,
        accumulate: int,
        clip_norm: float | None,
        checkpoint: Checkpoint | None,
        report: Report,
        until: Callable[[History], bool] | None = None,
    ) -> None:
        self.place, self.batches, self.step, self.epochs = place, batches, step, epochs
        self.optimizer, self.schedule, self.evaluate = optimizer, schedule, evaluate
        self.accumulate, self.clip_norm, self.checkpoint, self.report = accumulate, clip_norm, checkpoint, report
        self.until, self.sizes = until, [length(batches, epoch) for epoch in range(epochs)]
        self.epoch = 0  # the epoch under way
        self.done = 0  # its batches that are done
        self.saved = 0  # of them, at the last checkpoint
        self.sums: dict[str, float] = {}  # of each metric times its batch's samples; "" counts the samples
        self.history = History()
        self.resumed: dict[str, Any] | None = None

    def run(self) -> History:
        """Train to the end, or until the learner stops it."""
        self._resume()
        started, before = time.perf_counter(), self.history.seconds
        self.report.start(sum(self.sizes[: self.epoch]) + self.done)
        try:
            while not self._is_over():
                self._train_epoch()
                self._finish_epoch()
                self.history.seconds = before + time.perf_counter() - started
                self._save()
                self.report.epoch(self.history)
        except KeyboardInterrupt:
            self.history.interrupted = True
        finally:
            self.history.seconds = before + time.perf_counter() - started
            self.report.close()
            self.place.own.eval()
            self.optimizer.zero_grad(set_to_none=True)
        self.report.say(self._interruption() if self.history.interrupted else self.report.summary(self.history))
        return self.history

    @property
    def size(self) -> int:
        """How many batches the epoch under way has."""
        return self.sizes[self.epoch]

    def _is_over(self) -> bool:
        return self.epoch >= self.epochs or bool(self.history and self.until and self.until(self.history))

    # ---- one epoch

    def _train_epoch(self) -> None:
        self.place.model.train()
        for batch in self._remaining():
            self._train_batch(batch)
        if self.done != self.size:
            raise CourseError(
                f"len(batches) is {self.size}, but epoch({self.epoch}) gave {self.done}. Make them agree."
            )

    def _remaining(self) -> Iterator[Any]:
        """The epoch's batches that are still to do, with the generators as they were at the checkpoint."""
        resumed, self.resumed = self.resumed, None
        if resumed and not self.done:
            restore_random_state(resumed)
        batches = iter(self.batches.epoch(self.epoch))
        for _ in range(self.done):
            next(batches, None)
        if resumed and self.done:
            restore_random_state(resumed)
        return batches

    def _train_batch(self, batch: Any) -> None:
        if self.done >= self.size:
            raise CourseError(f"len(batches) is {self.size}, but epoch({self.epoch}) gives more. Make them agree.")
        first, size, updates = self._group()
        if first:
            self.optimizer.zero_grad(set_to_none=True)
        batch = self.place.place(batch)
        with contextlib.nullcontext() if updates else self.place.accelerator.no_sync(self.place.model):
            loss = self._measure(batch)
            self.place.accelerator.backward(loss / size if size > 1 else loss)
        if updates:
            self._update()
        self.done += 1
        if updates and self._is_due():
            self._save()

    def _is_due(self) -> bool:
        """Whether a checkpoint within the epoch is wanted now; the one at its end comes after the evaluation."""
        every = self.checkpoint.every if self.checkpoint else None
        return every is not None and self.done < self.size and self.done - self.saved >= every

    def _group(self) -> tuple[bool, int, bool]:
        """Of the batches that share an update: is this the first, how many are they, is this the last."""
        position = self.done % self.accumulate
        size = min(self.accumulate, self.size - (self.done - position))
        return position == 0, size, position == size - 1

    def _update(self) -> None:
        if self.clip_norm is not None:
            self.place.accelerator.clip_grad_norm_(self.place.own.parameters(), self.clip_norm)
        self.optimizer.step()
        if self.schedule is not None:
            self.schedule.step()

    # ---- one batch

    def _measure(self, batch: Any) -> Tensor:
        """Run the step, add its metrics to the epoch's sums, and return the loss to differentiate."""
        metrics = self.step(self.place.model, batch)
        loss = check_loss(metrics)
        values = numbers(metrics, loss)
        samples = samples_in(batch)
        lost = 0.0 if math.isfinite(values[0]) else 1.0
        shared = self.place.total([samples, lost, *(v * samples for v in values)])
        if shared[1]:
            self._diverge(batch, values[0])
        for name, value in zip(["", *metrics_in_order(metrics)], [shared[0], *shared[2:]], strict=True):
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.report.batch(self.epoch, values[0])
        weight = samples * self.place.world / shared[0]  # 1 unless processes hold parts of different size
        return loss if weight == 1 else loss * weight

    def _diverge(self, batch: Any, loss: float) -> None:
        where = f"epoch {self.epoch + 1}, batch {self.done + 1} of {self.size}"
        if math.isfinite(loss):
            raise DivergedError(f"Training stopped: another process lost its loss in {where}.", self.history)
        why = first_wrong(self.place.own, batch, self.step)
        rate = self.optimizer.param_groups[0]["lr"]
        advice = f"A lower learning rate (now {rate:g}) or clip_norm=1.0 often helps"
        raise DivergedError(f"Training stopped: the loss is {loss} in {where}; {why}. {advice}.", self.history)

    # ---- between epochs

    def _finish_epoch(self) -> None:
        samples = self.sums.pop("")
        entry = {name: total / samples for name, total in self.sums.items()}
        for name, value in self._evaluation().items():
            if name in entry:
                raise CourseError(f"step() and evaluate() both report {name!r}. Rename one, for example 'test_{name}'.")
            entry[name] = float(value)
        self.history.epochs.append(entry)
        self.epoch, self.done, self.saved, self.sums = self.epoch + 1, 0, 0, {}

    def _evaluation(self) -> Mapping[str, Any]:
        if self.evaluate is None:
            return {}
        self.place.own.eval()
        with torch.no_grad():
            found = self.evaluate(self.place.own)
        if not isinstance(found, Mapping):
            raise CourseError(f"evaluate(model) returns a dictionary of numbers; got {type(found).__name__}.")
        return self.place.agree(dict(found))

    def _interruption(self) -> str:
        whole = f"{len(self.history)} whole epoch{'' if len(self.history) == 1 else 's'}"
        if self._is_over():
            return f"Interrupted after the last epoch: the history holds {whole}."
        return (
            f"Interrupted in epoch {self.epoch + 1} of {self.epochs}, after {self.done} of {self.size} batches. "
            f"The model keeps what it has learned; the history holds {whole}."
        )

    # ---- checkpoints

    def _save(self) -> None:
        if self.checkpoint is None:
            return
        self.saved = self.done
        generators = self.place.gather(random_state())
        if self.place.is_main:
            self.checkpoint.write(
                {
                    "run": self._description(),
                    "model": self.place.own.state_dict(),
                    "optimizer": self.optimizer.state_dict(),
                    "schedule": self.schedule.state_dict() if self.schedule is not None else None,
                    "random": generators,
                    "position": {"epoch": self.epoch, "done": self.done, "sums": self.sums},
                    "history": self.history.to_dict(),
                }
            )

    def _resume(self) -> None:
        state, note = self.checkpoint.read() if self.checkpoint else (None, "")
        if note:
            self.report.say(note)
        if state is None:
            return
        refuse_other(state["run"], self._description(), self.checkpoint.path)
        self.place.own.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule"])
        position = state["position"]
        self.epoch, self.done, self.sums = position["epoch"], position["done"], dict(position["sums"])
        self.saved = self.done
        self.history = History.from_dict(state["history"])
        self.resumed = state["random"][self.place.rank]
        if self._is_over():
            restore_random_state(self.resumed)
            self.report.say(f"{self.checkpoint.path} holds this whole run already, so nothing is trained again.")
        else:
            self.report.say(
                f"Resumed in epoch {self.epoch + 1} of {self.epochs}, after {self.done} of {self.size} batches."
            )

    def _description(self) -> dict[str, Any]:
        """What makes a run this run, in plain values; the optimizer's as it was set, not as a schedule left it."""
        shapes = {name: (str(t.dtype), tuple(t.shape)) for name, t in self.place.own.state_dict().items()}
        fixed = [{k: str(v) for k, v in g.items() if k not in _SCHEDULED} for g in self.optimizer.param_groups]
        return {
            "model": f"{type(self.place.own).__name__} {shapes}",
            "number of epochs": self.epochs,
            "number of batches": self.sizes[0] if len(set(self.sizes)) == 1 else self.sizes,
            "batches per update": self.accumulate,
            "clipping norm": self.clip_norm,
            "optimizer": f"{type(self.optimizer).__name__} {fixed}",
            "schedule": type(self.schedule).__name__ if self.schedule is not None else "none",
            "learning rate": [_initial_rate(group) for group in self.optimizer.param_groups],
            "precision": self.place.machine.precision,
            "number of processes": self.place.world,
        }


def _initial_rate(group: dict[str, Any]) -> float:
    return float(group.get("initial_lr", group["lr"]))
