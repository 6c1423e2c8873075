"""Running a learner's code so that it leaves nothing behind and depends on nothing outside."""

import contextlib
import io
import random
import time
from collections.abc import Iterator

import torch

CHECK_SECONDS = 10.0
_PRINTED = 1500


class Budget:
    """The time that one check may take, shared by all the calls it makes."""

    def __init__(self, seconds: float = CHECK_SECONDS) -> None:
        self.seconds = seconds
        self._spent = 0.0

    @property
    def left(self) -> float:
        """Seconds left, never quite none."""
        return max(self.seconds - self._spent, 0.01)

    @contextlib.contextmanager
    def spending(self) -> Iterator[None]:
        """Count the time of a block."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._spent += time.monotonic() - began


class Printed(io.TextIOBase):
    """Keeps the first part of what code prints: a loop that never ends must not fill the memory."""

    def __init__(self) -> None:
        self.text = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        room = _PRINTED - len(self.text)
        if room > 0:
            self.text += text[:room] if len(text) <= room else text[:room] + "..."
        return len(text)


@contextlib.contextmanager
def quiet() -> Iterator[Printed]:
    """Catch what is printed; warnings are dropped."""
    printed = Printed()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(Printed()):
        yield printed


@contextlib.contextmanager
def untouched_generators() -> Iterator[None]:
    """Put the random number generators of torch, numpy and Python back as they were, and the default dtype."""
    import numpy

    states = torch.get_rng_state(), numpy.random.get_state(), random.getstate()
    on_cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    dtype = torch.get_default_dtype()
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        numpy.random.set_state(states[1])
        random.setstate(states[2])
        if on_cuda:
            torch.cuda.set_rng_state_all(on_cuda)
        torch.set_default_dtype(dtype)


def seed_generators(seed: int = 0) -> None:
    """Set every generator to one state, so that no outcome depends on what ran before."""
    import numpy

    torch.default_generator.manual_seed(
        seed
    )  # torch.manual_seed would also queue a seed for a GPU that is not in use yet
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
    numpy.random.seed(seed % 2**32)
    random.seed(seed)
