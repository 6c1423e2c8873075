"""`torch.compile` for `fit`: compiled at the first batch, timed apart, and nothing of it left behind."""

import time
import warnings
from typing import Any

import torch
from torch import nn

from crashcourse.errors import CourseError
from crashcourse.training.checkpoint import random_state, restore_random_state
from crashcourse.training.clock import Stopwatch, wait_for_device
from crashcourse.training.contracts import Step


class CompiledStep:
    """A step whose network is compiled; the caller's own module stays as it is and is evaluated uncompiled.

    Compilation happens when the first batch arrives, as it does for everyone: that batch is run forwards and backwards
    once for the compiler, then weights, statistics, gradients and random generators are put back. Nothing is taken
    from the compiler's cache, so that every run measures what a first run costs. It needs batches of one size.

    Args:
        step: `step(model, batch) -> {"loss": ...}`.
        stopwatch: of the training; it does not run while the compiler works.

    Attributes:
        seconds: what compilation took, the one pass included; 0 before the first batch.

    Raises:
        CourseError: at the first batch, where no C++ compiler is found.
    """

    def __init__(self, step: Step, stopwatch: Stopwatch | None = None) -> None:
        self.step, self.stopwatch = step, stopwatch or Stopwatch()
        self.seconds = 0.0
        self._compiled: nn.Module | None = None

    def __call__(self, model: nn.Module, batch: Any) -> Any:
        """The step, on the compiled network."""
        if self._compiled is None:
            with self.stopwatch.paused():
                self._compiled = self._compile(model, batch)
        return self.step(self._compiled, batch)

    def _compile(self, model: nn.Module, batch: Any) -> nn.Module:
        weights = {name: value.clone() for name, value in model.state_dict().items()}
        generators = random_state()
        started = time.perf_counter()
        torch.compiler.reset()
        compiled = torch.compile(model, dynamic=False)
        try:
            with torch.compiler.config.patch(force_disable_caches=True), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about those caches
                self.step(compiled, batch)["loss"].backward()
        except Exception as error:  # which one depends on the compiler that is missing
            if "compiler" not in f"{type(error).__name__} {error}".lower():
                raise
            raise CourseError(
                "torch.compile needs a C++ compiler, and none was found or it failed. Install g++ (Linux), the Xcode "
                "command line tools (macOS) or Visual C++ (Windows), or train without compiling."
            ) from error
        wait_for_device()
        self.seconds = time.perf_counter() - started
        model.load_state_dict(weights)
        model.zero_grad(set_to_none=True)
        restore_random_state(generators)
        return compiled
