"""The helpers in a real kernel, stored in a notebook, and compared by strict nbval."""

import os
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

CELLS = [
    "import torch\nfrom crashcourse.figures import *\nfrom crashcourse.figures.live import LiveCurves",
    "fig, axes = figure()\naxes.plot(torch.rand(4))\nshow(fig, alt='A line through four random points.')",
    "image_grid(torch.rand(4, 3, 8, 8), ['noise'] * 4)",
    "learning_curves({'net': [[{'loss': torch.rand(()).item()}], [{'loss': torch.rand(()).item()}]]})",
    "confusion_matrix(torch.tensor([0, 1, 1]), torch.randint(0, 2, (3,)), ('bag', 'coat'))",
    "worst_errors(torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 0, 1]), torch.randn(4, 2), ('bag', 'coat'))",
    "net = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.MaxPool2d(2))\nnetwork_table(net, (1, 8, 8))\n"
    "network_diagram(net, (1, 8, 8))",
    "receptive_field_explorer([(3, 1), (3, 1)])",
    "show_source(show_source)",
    "curves = LiveCurves()\ncurves.update([{'loss': 1.0}])\ncurves.close()",
]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The path of a notebook with all helpers, executed as a build executes it."""
    folder = tmp_path_factory.mktemp("kernel")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRASHCOURSE_STATIC", "1")
        patch.setenv("OMP_NUM_THREADS", "1")
        NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    path = folder / "helpers.ipynb"
    nbformat.write(notebook, path)
    return path


def test_every_picture_has_alt_text_and_nothing_goes_to_stderr(stored):
    outputs = [output for cell in nbformat.read(stored, 4).cells for output in cell.outputs]
    assert {output.output_type for output in outputs} == {"display_data"}
    pictures = [output for output in outputs if "image/png" in output.data]
    assert len(pictures) == 7
    for picture in pictures:
        assert picture.metadata["image/png"]["alt"] == picture.data["text/plain"]


def test_live_curves_leave_nothing_in_a_static_notebook(stored):
    assert nbformat.read(stored, 4).cells[-1].outputs == []


def test_strict_nbval_passes_although_every_picture_differs(stored):
    environment = os.environ | {"CRASHCOURSE_STATIC": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "--nbval", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", stored.name]
    done = subprocess.run(command, cwd=stored.parent, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:]
    assert f"{len(CELLS)} passed" in done.stdout
