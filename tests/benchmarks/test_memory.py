"""What a training step costs when the C library gives freed memory back to the system, and when it keeps it.

    pytest tests/benchmarks/test_memory.py --benchmark-only -s

Each form runs in a process of its own, because memory that is kept once stays kept. What is compared is the time of the
processor, in the program and in the system.
"""

import platform
import subprocess
import sys

import pytest

STEPS = """
import sys, time, torch
from crashcourse.memory import keep_freed_memory
from crashcourse.restoration import dncnn_s, residual_loss

torch.set_num_threads(1)
if sys.argv[1] == "kept":
    keep_freed_memory()
model = dncnn_s().to(memory_format=torch.channels_last)
noisy, clean = torch.rand(2, 16, 1, 40, 40)
for step in range(12):
    if step == 2:
        start = time.process_time()
    residual_loss(model(noisy), clean).backward()
print((time.process_time() - start) / 10)
"""


def seconds(form: str) -> float:
    command = [sys.executable, "-c", STEPS, form]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc hands freed memory back at once")
def test_a_step_with_memory_that_is_kept(benchmark):
    """How much depends on the machine, most where memory is virtual; a step must not become slower for it."""
    pairs = [(seconds("kept"), seconds("usual")) for _ in range(3)]
    benchmark.pedantic(seconds, args=("kept",), rounds=1)
    kept, usual = (min(column) for column in zip(*pairs, strict=True))
    benchmark.extra_info |= {"kept": kept, "usual": usual}
    print(f"\nDnCNN-S, 16 patches of 40×40: {1000 * kept:.0f} ms kept, {1000 * usual:.0f} ms usual")
    assert kept < 1.1 * usual
