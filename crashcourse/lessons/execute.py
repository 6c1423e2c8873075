"""Run a notebook's cells in a fresh kernel: one thread, no network, a home of its own, watched from outside."""

import copy
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from crashcourse.errors import CourseError

KERNEL_SITE = Path(__file__).resolve().parent / "kernel_site"
SANITIZER = Path(__file__).resolve().parent / "nbval_sanitize.cfg"
_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_MEASURE = "print(__import__('sitecustomize').peak_bytes(), __import__('time').process_time())"


class ExecutionError(CourseError):
    """A lesson did not run through: the cell, its source and the end of the traceback are in the message."""


@dataclass(frozen=True)
class Section:
    """What stands below one `##` heading, and how long its cells took."""

    title: str
    seconds: float


@dataclass(frozen=True)
class Execution:
    """A notebook that ran, and what it cost.

    Attributes:
        notebook: the notebook, with outputs.
        seconds: wall time from the kernel's start to the last cell.
        cpu_seconds: processor time of the kernel.
        peak_mb: the most memory the kernel held, in 10^6 bytes.
        sections: wall time below each `##` heading; the first one also holds the kernel's start.
        refused: hosts that the lesson tried to reach.
    """

    notebook: Any
    seconds: float
    cpu_seconds: float
    peak_mb: float
    sections: tuple[Section, ...]
    refused: tuple[str, ...]


def kernel_environment(home: Path) -> dict[str, str]:
    """The environment in which builds and tests run a lesson.

    Args:
        home: an empty folder of its own for this run; progress and checkpoints go there.
    """
    environment = {k: v for k, v in os.environ.items() if k not in ("MPLBACKEND", "PYTHONSTARTUP", "PYTHONWARNINGS")}
    environment |= dict.fromkeys(_ONE_THREAD, "1")
    environment |= {
        "CRASHCOURSE_STATIC": "1",
        "CRASHCOURSE_HOME": str(home),
        "CRASHCOURSE_REFUSALS": str(home / "refused.txt"),
        "IPYTHONDIR": str(home / "ipython"),
        "CUDA_VISIBLE_DEVICES": "",  # the same outputs on a machine with a GPU
        "ACCELERATE_USE_CPU": "true",
        "PYTHONHASHSEED": "0",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PYTHONPATH": os.pathsep.join(p for p in (str(KERNEL_SITE), os.environ.get("PYTHONPATH")) if p),
    }
    return environment


@cache
def warm_up() -> None:
    """Let matplotlib look for fonts once: on a new machine it does so in the first figure, and says so on stderr."""
    subprocess.run([sys.executable, "-c", "import matplotlib.font_manager"], capture_output=True, check=False)


@contextmanager
def kernel_home() -> Iterator[Path]:
    """An empty folder for one run, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="crashcourse-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        (home / "ipython").mkdir()
        (home / "here").mkdir()
        yield home


def execute(
    notebook: Any,
    *,
    timeout: float,
    on_cell: Callable[[int, int], None] | None = None,
    on_section: Callable[[Section], None] | None = None,
    home: Path | None = None,
) -> Execution:
    """Run every code cell of a copy of `notebook`, in order.

    Args:
        notebook: a `nbformat` notebook; it is left as it is.
        timeout: the most seconds one cell may take.
        on_cell: called with (cells done, cells in all) before each cell.
        on_section: called when the cells below a `##` heading are done.
        home: the folder given to the lesson as its home; a fresh one, removed afterwards, by default.

    Raises:
        ExecutionError: a cell raised, took too long, or the kernel died.
    """
    if home is None:
        with kernel_home() as fresh:
            return execute(notebook, timeout=timeout, on_cell=on_cell, on_section=on_section, home=fresh)
    warm_up()
    here = home / "here"
    here.mkdir(exist_ok=True)
    began = time.perf_counter()
    client = _client(copy.deepcopy(notebook), timeout)
    cells = client.nb.cells
    clock = _SectionClock(began, on_section)
    with (
        open(home / "kernel.log", "wb") as log,  # what the kernel says of itself, beside the cells
        client.setup_kernel(env=kernel_environment(home), cwd=str(here), stdout=log, stderr=log),
    ):
        for index, cell in enumerate(cells):
            if on_cell:
                on_cell(index, len(cells))
            clock.see(cell)
            _run_cell(client, cell, index)
        clock.close()
        seconds = time.perf_counter() - began
        peak, cpu = _measure(client)
    refusals = home / "refused.txt"
    refused = tuple(dict.fromkeys(refusals.read_text(encoding="utf-8").split())) if refusals.exists() else ()
    return Execution(client.nb, seconds, cpu, peak, tuple(clock.sections), refused)


def _client(notebook: Any, timeout: float) -> Any:
    from ipykernel.kernelspec import RESOURCES, get_kernel_dict
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    class ThisPython(KernelSpecManager):
        """Whatever kernels the machine has, the lesson runs in the Python that builds it."""

        def get_kernel_spec(self, kernel_name: str) -> Any:
            return self.kernel_spec_class(resource_dir=RESOURCES, **get_kernel_dict())

    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=ThisPython())
    client = NotebookClient(
        notebook,
        km=manager,
        timeout=timeout,
        startup_timeout=120,
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        allow_errors=False,
    )
    client.owns_km = True  # so that the kernel ends with the run, however the run ends
    return client


class _SectionClock:
    """Adds up the time below each `##` heading."""

    def __init__(self, began: float, on_section: Callable[[Section], None] | None) -> None:
        self.sections: list[Section] = []
        self._title, self._began, self._on_section = "", began, on_section

    def see(self, cell: Any) -> None:
        heading = next((line for line in cell.source.splitlines() if line.startswith(("# ", "## "))), None)
        if cell.cell_type != "markdown" or heading is None:
            return
        if self._title:
            self.close()
        self._title = heading.lstrip("#").strip()

    def close(self) -> None:
        now = time.perf_counter()
        self.sections.append(Section(self._title or "(before the first heading)", now - self._began))
        self._began = now
        if self._on_section:
            self._on_section(self.sections[-1])


def _run_cell(client: Any, cell: Any, index: int) -> None:
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    where = f"cell {index} ({cell.get('id', '')})"
    shown = "\n".join(f"    {line}" for line in cell.source.splitlines())
    try:
        client.execute_cell(cell, index)
    except CellTimeoutError as error:
        raise ExecutionError(f"{where} did not finish within {client.timeout:g} s:\n{shown}") from error
    except DeadKernelError as error:
        raise ExecutionError(f"the kernel died (out of memory?) in {where}:\n{shown}") from error
    except CellExecutionError as error:
        tail = "\n".join(_plain(error.traceback).strip().splitlines()[-12:])
        raise ExecutionError(f"{where} raised {error.ename}:\n{shown}\n{tail}") from error


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _measure(client: Any) -> tuple[float, float]:
    """Peak memory in MB and processor seconds, asked of the kernel itself."""
    import nbformat.v4 as v4

    client.nb.cells.append(v4.new_code_cell(_MEASURE))
    try:
        client.execute_cell(client.nb.cells[-1], len(client.nb.cells) - 1)
        peak, cpu = client.nb.cells[-1].outputs[0].text.split()
    finally:
        client.nb.cells.pop()
    return int(peak) / 1e6, float(cpu)
