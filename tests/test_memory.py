"""Memory by hand: what operations make, views, in-place operations, what is freed, and a backward pass."""

import platform
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from crashcourse.memory import memory_trace

KIB = 1024


def ones(count: int) -> Tensor:
    """`count` KiB of float32."""
    return torch.ones(count * KIB // 4)


def test_what_is_made_and_freed():
    """A tensor is not counted, counted after it was freed, or forgotten while it lives."""

    def step() -> None:
        first = ones(1)
        second = first + 1
        del first
        second * 2  # freed at once

    trace = memory_trace(step)
    assert [held // KIB for held in trace] == [1, 2, 2]  # the product is counted while its operation runs


def test_a_view_and_an_in_place_operation_hold_nothing_more():
    """A storage is counted twice."""
    given = ones(4)

    def step() -> None:
        view = given.view(2, -1)
        view.mul_(2)
        own = given[:1] + 1
        own.view(1, -1).add_(1)

    assert max(memory_trace(step)) == 4


def test_only_the_step_counts():
    """What was there before, or lives on after, is counted as the step's own."""
    kept = [ones(8)]
    trace = memory_trace(lambda: kept.append(kept[0] + 1))
    assert trace == [8 * KIB]
    assert memory_trace(lambda: None) == []


def test_a_backward_pass_is_seen():
    """Operations of the backward pass are missing: the peak lies there, where a gradient meets what was kept."""
    model = nn.Sequential(nn.Linear(16, 16, bias=False), nn.ReLU())
    inputs = torch.ones(4, 16, requires_grad=True)

    def forward() -> Tensor:
        return model(inputs).sum()

    forward().backward()
    assert max(memory_trace(lambda: forward().backward())) > max(memory_trace(forward))


def test_the_same_every_time():
    """The count depends on where the allocator puts things."""
    model, inputs = nn.Conv2d(3, 8, 3), torch.randn(2, 3, 9, 9)
    runs = [memory_trace(lambda: model(inputs).sum().backward()) for _ in range(3)]
    assert runs[1] == runs[2]


def test_errors_come_through():
    """An error in the step is swallowed, or the counter stays switched on."""
    with pytest.raises(RuntimeError, match="size"):
        memory_trace(lambda: ones(1).view(3, -1))


FAULTS = """
import resource, torch
from crashcourse.memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(10 * 2**20)  # 40 MiB, freed at once
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

usual = faults()
keep_freed_memory()
faults()
print(usual, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc hands freed memory back at once")
def test_freed_memory_is_kept_for_the_next_tensor():
    """Every batch waits until the system has cleared its pages anew: a page fault for each."""
    found = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True).stdout
    usual, kept = map(int, found.split())
    assert kept < usual / 10
