"""What importing costs, as whole processes: `import torch` is the measure."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module", ["torch", "crashcourse", "crashcourse.exercises", "crashcourse.classification", "crashcourse.datasets"]
)
@pytest.mark.benchmark(group="import")
def test_import(benchmark, module: str):
    command = [sys.executable, "-c", f"import {module}"]
    benchmark.pedantic(subprocess.run, args=[command], kwargs={"check": True}, rounds=5, warmup_rounds=1)
