"""Timing a run as time to accuracy wants it: training counts, looking at the result does not.

Time to accuracy is DAWNBench's measure: Coleman et al., "DAWNBench: an end-to-end deep learning benchmark and
competition", NIPS workshop 2017. **Differs from the paper:** nothing is priced, and CPU seconds stand beside the
wall's.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import torch

from crashcourse.errors import CourseError
from crashcourse.training.contracts import Batches, length


class Stopwatch:
    """Seconds while it runs: of the clock on the wall, and of all processors together in this process.

    The two agree on a machine with nothing else to do and one thread. Where several programs share a processor, the
    wall also counts the others' turns.

    Attributes:
        wall, cpu: seconds so far.
    """

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0
        self._runs = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count what happens inside; on a GPU, until its work is done."""
        self._runs = True
        try:
            yield from self._counting(1)
        finally:
            self._runs = False

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do not count what happens inside, if the watch runs."""
        yield from self._counting(-1 if self._runs else 0)

    def _counting(self, sign: int) -> Iterator[None]:
        wait_for_device()
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            wait_for_device()
            self.wall += sign * (time.perf_counter() - wall)
            self.cpu += sign * (time.process_time() - cpu)


def wait_for_device() -> None:
    """Wait until a GPU has done what it was given; at once where none is in use."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()


class _Around:
    """Batches around other batches: whatever is not said here is the inner ones' own."""

    def __init__(self, batches: Batches) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return self.length(0)

    def length(self, index: int) -> int:
        return length(self.batches, index)

    def shard(self, rank: int, world: int) -> Any:
        """The same around this process's part of each batch."""
        if not hasattr(self.batches, "shard"):
            raise CourseError(f"{type(self.batches).__name__} has no shard(rank, world), so {world} processes cannot.")
        return self._around(self.batches.shard(rank, world))

    def _around(self, batches: Batches) -> Any:
        return type(self)(batches)


class TimedBatches(_Around):
    """The same batches, with a stopwatch that runs from an epoch's first batch until its last has been trained on.

    What `fit` does between epochs is not counted: the evaluation, the checkpoint, the report.
    """

    def __init__(self, batches: Batches, stopwatch: Stopwatch) -> None:
        super().__init__(batches)
        self.stopwatch = stopwatch

    def epoch(self, index: int) -> Iterator[Any]:
        """The inner batches' epoch; what the reader of this iterator does with each counts, too."""
        with self.stopwatch.running():
            yield from self.batches.epoch(index)

    def _around(self, batches: Batches) -> "TimedBatches":
        return TimedBatches(batches, self.stopwatch)


class PartsOfEpochs(_Around):
    """Every epoch cut into parts that `fit` takes for epochs, so that it evaluates several times within each.

    Part `p` of epoch `e` is epoch `e * parts + p` here; together the parts are the epoch, batch by batch.

    Args:
        batches: with at least as many batches in an epoch as there are parts, and `epoch(index, start=...)` to begin in
            the middle of one.
        parts: how many.

    Raises:
        CourseError: there are fewer batches than parts, or `parts` is below 1.
    """

    def __init__(self, batches: Batches, parts: int) -> None:
        if not isinstance(parts, int) or isinstance(parts, bool) or parts < 1:
            raise CourseError(f"An epoch is cut into at least 1 part; got {parts!r}.")
        if parts > length(batches, 0):
            raise CourseError(f"{length(batches, 0)} batches cannot be cut into {parts} parts. Ask for fewer.")
        super().__init__(batches)
        self.parts = parts

    def length(self, index: int) -> int:
        """Batches in one part."""
        first, end = self._bounds(index)
        return end - first

    def epoch(self, index: int) -> Iterator[Any]:
        """The batches of one part."""
        first, end = self._bounds(index)
        return islice(self.batches.epoch(index // self.parts, start=first), end - first)

    def _bounds(self, index: int) -> tuple[int, int]:
        whole, part = divmod(index, self.parts)
        size = length(self.batches, whole)
        return part * size // self.parts, (part + 1) * size // self.parts

    def _around(self, batches: Batches) -> "PartsOfEpochs":
        return PartsOfEpochs(batches, self.parts)
