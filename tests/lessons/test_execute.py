"""A lesson runs in a fresh kernel: one thread, no network, a home of its own, and what it costs is measured."""

import nbformat.v4 as v4
import pytest

from crashcourse.lessons.execute import ExecutionError, execute, kernel_environment


def lesson(*sources):
    cells = [v4.new_markdown_cell(s[1:]) if s.startswith("@") else v4.new_code_cell(s) for s in sources]
    return v4.new_notebook(cells=cells)


def printed(execution, index):
    return "".join(output.get("text", "") for output in execution.notebook.cells[index].outputs)


CLOSED = """
import socket, urllib.request
failures = []
for attempt in (
    lambda: urllib.request.urlopen("http://example.org/data.zip"),
    lambda: socket.create_connection(("192.0.2.1", 80), timeout=2),
    lambda: socket.getaddrinfo("example.org", 80),
    lambda: socket.gethostbyname("example.org"),
    lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.2", 53)),
):
    try:
        attempt()
    except OSError as error:
        failures.append("network is closed" in str(error))
print(failures)
"""
OPEN = """
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname()).close()
print(socket.getaddrinfo("localhost", 80)[0][0] > 0)
"""
SURROUNDINGS = """
import os, torch, matplotlib, crashcourse.environment, crashcourse.places
os.makedirs("left_behind")
print(torch.get_num_threads(), torch.cuda.is_available(), matplotlib.get_backend().lower())
print(crashcourse.environment.is_static(), len(os.listdir(crashcourse.places.home_dir())) < 6)
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    import os

    sections, cells = [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLBACKEND", "agg")
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        hoard = "kept = bytearray(300_000_000); kept[::4096] = b'x' * len(kept[::4096]); del kept"
        notebook = lesson("@# A", CLOSED, OPEN, "@## B", SURROUNDINGS, "@## C", hoard)
        found = execute(notebook, timeout=60, on_section=sections.append, on_cell=lambda *a: cells.append(a))
        assert os.listdir() == [], "a lesson must not write where it was built from"
        assert "outputs" not in notebook.cells[0], "the notebook given must be left as it is"
        assert notebook.cells[1].outputs == []
    return found, sections, cells


def test_every_way_to_the_network_is_refused_and_written_down(whole):
    found, _, _ = whole
    assert printed(found, 1) == "[True, True, True, True, True]\n"
    assert set(found.refused) == {"example.org", "192.0.2.1", "192.0.2.2"}


def test_loopback_stays_open(whole):
    assert printed(whole[0], 2) == "True\n"


def test_the_kernel_has_one_thread_no_gpu_the_inline_backend_and_a_home_of_its_own(whole):
    first, second = printed(whole[0], 4).splitlines()
    assert first in ("1 False inline", "1 False module://matplotlib_inline.backend_inline")
    assert second == "True True"


def test_peak_memory_and_time_are_the_kernels(whole):
    found, _, _ = whole
    assert 300 < found.peak_mb < 1500
    assert 0 < found.cpu_seconds < found.seconds + 5


def test_time_is_told_by_section_and_progress_by_cell(whole):
    found, sections, cells = whole
    assert [section.title for section in sections] == ["A", "B", "C"]
    assert sum(section.seconds for section in sections) == pytest.approx(found.seconds, abs=0.2)
    assert tuple(sections) == found.sections
    assert cells == [(index, 7) for index in range(7)]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = 1\nx / 0", "ZeroDivisionError"),
        ("import os\nos._exit(9)", "kernel died"),
        ("import time\ntime.sleep(60)", "did not finish within 2 s"),
    ],
)
def test_a_failing_cell_is_shown_with_its_source(source, said):
    with pytest.raises(ExecutionError, match=said) as error:
        execute(lesson(source), timeout=2)
    assert source.splitlines()[-1] in str(error.value)
    assert "\x1b" not in str(error.value)


def test_the_environment_closes_over_what_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "mine")
    environment = kernel_environment(tmp_path)
    assert environment["PYTHONPATH"].endswith("mine")
    assert environment["OMP_NUM_THREADS"] == "1"
    assert "PATH" in environment
