"""What importing costs, as whole processes: `import torch` is the measure, and 1.1 times it the most; 1.2 for a room.

    pytest tests/benchmarks/test_import.py --benchmark-only -s

Both take turns, in seconds of the processor, which other programs do not lengthen; the least of each counts.
"""

import resource
import subprocess
import sys

import pytest

BOUND, BOUND_OF_ROOMS = 1.1, 1.2
TURNS = 5
ROOMS = ("exercises", "classification", "detection", "datasets", "training", "recipes", "figures", "lessons")
MODULES = ["crashcourse", *(f"crashcourse.{room}" for room in ROOMS)]


def start(module: str) -> None:
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)


def seconds(module: str) -> float:
    """Processor seconds of a Python that imports a module and ends."""

    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = used()
    start(module)
    return used() - before


@pytest.mark.benchmark(group="import")
@pytest.mark.parametrize("module", MODULES)
def test_importing_costs_hardly_more_than_torch(benchmark, module: str):
    """A room loads torchvision, matplotlib or accelerate before anybody asks for it."""
    start(module)  # compiles what is new
    turns = [(seconds(module), seconds("torch")) for _ in range(TURNS)]
    benchmark.pedantic(start, args=(module,), rounds=1)
    ours, torchs = (min(column) for column in zip(*turns, strict=True))
    benchmark.extra_info["over import torch"] = ours / torchs
    print(f"import {module}: {ours:.2f} s, {ours / torchs:.3f} times import torch")
    assert ours / torchs <= (BOUND if module == "crashcourse" else BOUND_OF_ROOMS)
