"""From a fresh clone to the first output of lesson 00, as a learner gets there.

    pytest tests/benchmarks/test_clone.py --benchmark-only -s

Clones the last commit, installs it as `python3 start.py` does, with whatever the installers have in their caches (what
they lack they fetch), and runs the first cell of lesson 00 in the new environment. How long the installation takes is
told; that a lesson's first output appears within 10 s of its kernel's start is required.
"""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOST = 10.0

FIRST_CELL = """
import sys, time
import nbformat
from nbclient import NotebookClient

book = nbformat.read("notebooks/00_start_here.ipynb", 4)
place = next(index for index, cell in enumerate(book.cells) if cell.cell_type == "code")
began = time.perf_counter()
client = NotebookClient(book, kernel_name="python3")
with client.setup_kernel():
    client.execute_cell(book.cells[place], place)
    print(time.perf_counter() - began)
    print("".join(output.get("text", "") for output in book.cells[place].outputs))
"""


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_from_a_fresh_clone_to_the_first_output(benchmark, tmp_path):
    """The course cannot be installed from what is committed, or a learner waits for the first line."""
    clone = tmp_path / "clone"
    times: list[float] = []

    def whole() -> str:
        times.append(time.perf_counter())
        run(["git", "clone", "--quiet", str(ROOT), str(clone)], tmp_path)
        times.append(time.perf_counter())
        run([sys._base_executable, "-c", "import start; start.install('')"], clone)
        times.append(time.perf_counter())
        return run([str(clone / ".venv" / "bin" / "python"), "-c", FIRST_CELL], clone)

    first, told = benchmark.pedantic(whole, rounds=1).split("\n", 1)
    cloned, installed = times[1] - times[0], times[2] - times[1]
    total = time.perf_counter() - times[0]
    benchmark.extra_info |= {"clone": cloned, "install": installed, "first output": float(first)}
    print(f"clone {cloned:.1f} s, install {installed:.1f} s, first output {float(first):.1f} s, in all {total:.1f} s")
    assert "10,000 garments to learn from" in told
    assert float(first) <= MOST
