"""What checkpointing saves and costs in a training step of DenseNet, against the plain concatenation and torchvision's.

    pytest tests/benchmarks/test_densenet_memory.py --benchmark-only -s

Memory is the peak of what PyTorch allocates on the CPU during one forward and backward pass, above parameters,
gradients and images, as its profiler counts it: the allocations themselves, not what the process holds. Times are the
fastest of a few steps, taken in turns.
"""

import time
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
import torchvision.models
from torch import nn
from torch.profiler import ProfilerActivity, profile

from crashcourse.classification.densenet import densenet121
from crashcourse.classification.densenet_cifar import densenet_bc
from crashcourse.memory import memory_trace

ROUNDS = 3
# Plain and checkpointed builder, images, and the least that checkpointing must save, as a factor.
NETWORKS = {
    "densenet121": (lambda saving: densenet121(10, checkpointing=saving), (4, 3, 96, 96), 1.5),
    "densenet_bc(100, 12)": (lambda saving: densenet_bc(100, 12, checkpointing=saving), (8, 3, 32, 32), 2.0),
}


def trainer(model: nn.Module, shape: tuple[int, ...]) -> Callable[[], None]:
    """Forward and backward, with gradients allocated beforehand."""
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(shape[0]) % 10

    def step() -> None:
        model.zero_grad(set_to_none=False)
        F.cross_entropy(model(images), labels).backward()

    step()
    return step


def peak_megabytes(step: Callable[[], None]) -> float:
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        step()
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak / 2**20


def seconds(step: Callable[[], None]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


@pytest.mark.parametrize("name", NETWORKS)
def test_checkpointing_saves_memory(name, benchmark):
    """Something keeps the concatenations alive, or recomputing costs more than another half of the step."""
    build, shape, least = NETWORKS[name]
    torch.manual_seed(0)
    plain, saving = (trainer(build(choice), shape) for choice in (False, True))
    memory = peak_megabytes(plain), peak_megabytes(saving)
    times = [(seconds(plain), seconds(saving)) for _ in range(ROUNDS)]
    slower = min(mine for _, mine in times) / min(other for other, _ in times)
    benchmark.extra_info |= {"MiB": memory[0], "MiB, checkpointing": memory[1], "slower": slower}
    benchmark.pedantic(saving, rounds=1)
    print(f"{name}: {memory[0]:.0f} MiB, with checkpointing {memory[1]:.0f}, {slower:.2f} times the time of a step")
    assert memory[0] / memory[1] > least
    assert slower < 1.5


def test_like_torchvision(benchmark):
    """Ours takes more memory or time than torchvision's network, plain or with checkpointing."""
    shape = NETWORKS["densenet121"][1]
    for saving in (False, True):
        ours = trainer(densenet121(10, checkpointing=saving), shape)
        theirs = trainer(torchvision.models.densenet121(num_classes=10, memory_efficient=saving), shape)
        memory = peak_megabytes(ours), peak_megabytes(theirs)
        times = [(seconds(ours), seconds(theirs)) for _ in range(ROUNDS)]
        ratio = min(mine for mine, _ in times) / min(other for _, other in times)
        label = "checkpointing" if saving else "plain"
        benchmark.extra_info |= {f"{label}, memory": memory[0] / memory[1], f"{label}, time": ratio}
        print(f"{label}: {memory[0]:.0f} MiB, torchvision's {memory[1]:.0f}; {ratio:.2f} times its time")
        assert memory[0] < 1.05 * memory[1]
        assert ratio < 1.15
    benchmark.pedantic(ours, rounds=1)


@pytest.mark.parametrize("saving", [False, True])
def test_the_lessons_count_is_the_profilers(saving, benchmark):
    """`memory_trace`, which lesson 14 measures with, misses what the allocator gives out, or counts it twice."""
    step = trainer(densenet_bc(40, 12, checkpointing=saving), (8, 3, 32, 32))
    counted, profiled = benchmark.pedantic(lambda: max(memory_trace(step)) / 2**20, rounds=1), peak_megabytes(step)
    benchmark.extra_info |= {"counted, MiB": counted, "profiled, MiB": profiled}
    print(f"peak of a step: {counted:.1f} MiB counted, {profiled:.1f} by the profiler")
    assert counted == pytest.approx(profiled, rel=0.05)
