"""Training: one loop for every lesson, with what a plain loop leaves out.

`fit` runs a plain loop (lesson 10 writes it out; a test keeps the two bit-identical on CPU) and adds the rest: the
device and mixed precision, several processes under `torchrun`, gradient accumulation and clipping, checkpoints, one
live line and one live figure, and a sentence when the loss is lost. What a model learns from is the caller's:
`step(model, batch)` returns the loss, and nothing else has to be subclassed.
"""

from crashcourse.training.checkpoint import Checkpoint
from crashcourse.training.contracts import Batches
from crashcourse.training.diagnosis import DivergedError
from crashcourse.training.fitting import fit
from crashcourse.training.history import History
from crashcourse.training.machine import Machine
from crashcourse.training.schedules import constant, cosine, one_cycle, staircase, warmup

__all__ = [
    "Batches",
    "Checkpoint",
    "DivergedError",
    "History",
    "Machine",
    "constant",
    "cosine",
    "fit",
    "one_cycle",
    "staircase",
    "warmup",
]
