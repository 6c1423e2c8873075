"""The tests of notebooks are themselves tested: they fail on a changed output and on a download, and pass on ≈."""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat.v4 as v4
import pytest

from crashcourse.lessons.normalise import serialise

ROOT = Path(__file__).resolve().parents[2]
PNG = "iVBORw0KGgo="


def printed(text: str):
    return v4.new_output("stream", name="stdout", text=text)


def picture(alt: str, png: str = PNG):
    return v4.new_output("display_data", data={"image/png": png, "text/plain": alt})


SHOW = f'from IPython.display import display\ndisplay({{"image/png": "{PNG}", "text/plain": "A line."}}, raw=True)'
CASES = {
    "as stored": ("print(3)", [printed("3\n")], True),
    "only a measured number differs": (
        "print('took ≈ 1.5 s (at most 9)')",
        [printed("took ≈ 12.25 s (at most 9)\n")],
        True,
    ),
    "only a picture differs": (SHOW, [picture("A line.", "AAAA")], True),
    "a printed number differs": ("print(3)", [printed("4\n")], False),
    "a claimed bound differs": ("print('took ≈ 1.5 s (at most 9)')", [printed("took ≈ 1.5 s (at most 8)\n")], False),
    "a picture's alt text differs": (SHOW, [picture("A curve.")], False),
    "a warning appears": ("import warnings\nwarnings.warn('old')", [], False),
    "the cell raises": ("1 / 0", [], False),
    "a download is tried": ("import urllib.request\nurllib.request.urlopen('http://example.org')", [], False),
    "the kernel dies": ("import os\nos._exit(1)", [], False),
    "threads, network, home and static outputs are set": (
        "import os, torch\nfrom crashcourse import environment, places\n"
        "print(torch.get_num_threads(), environment.is_static(), list(places.home_dir().glob('*.json')))",
        [printed("1 True []\n")],
        True,
    ),
}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory) -> dict[str, str]:
    """Every case as a notebook of its own, in one run of pytest with the project's own settings."""
    folder = tmp_path_factory.mktemp("course")
    shutil.copy(ROOT / "conftest.py", folder)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "notebooks").mkdir()
    for place, (source, outputs, _) in enumerate(CASES.values()):
        cells = [v4.new_code_cell(source, id="a", outputs=outputs, execution_count=1)]
        (folder / "notebooks" / f"{place}.ipynb").write_text(serialise(v4.new_notebook(cells=cells)), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-rA", "-q", "--tb=short", "notebooks", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "--nbval-cell-timeout=15"], cwd=folder, capture_output=True, text=True, timeout=300
    )
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith(("PASSED", "FAILED", "ERROR"))]
    found = {
        name: next((w[0] for w in lines if w[1].startswith(f"notebooks/{i}.ipynb")), "") for i, name in enumerate(CASES)
    }
    return found | {"output": done.stdout}


@pytest.mark.parametrize("name", CASES)
def test_a_notebook_passes_exactly_when_it_tells_the_same(verdicts, name):
    assert verdicts[name] == ("PASSED" if CASES[name][2] else "FAILED"), verdicts["output"]


def test_a_refused_download_says_that_the_network_is_closed(verdicts):
    assert "The network is closed while lessons are built and tested" in verdicts["output"]
