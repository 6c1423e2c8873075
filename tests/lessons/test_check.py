"""The rules for a built notebook: each rule refuses what it is for, and lets good cells through."""

import copy

import nbformat.v4 as v4
import pytest

from crashcourse.lessons.check import problems

PNG = "iVBORw0KGgo="
SLIDE = {"slideshow": {"slide_type": "-"}}


def code(source="1 + 1", *, outputs=(), count=1, metadata=None):
    return v4.new_code_cell(source, outputs=list(outputs), execution_count=count, metadata=metadata or SLIDE)


def stream(text, name="stdout"):
    return v4.new_output("stream", name=name, text=text)


def display(**data):
    return v4.new_output("display_data", data={key.replace("_", "/", 1): value for key, value in data.items()})


def notebook(*cells):
    return v4.new_notebook(cells=[copy.deepcopy(cell) for cell in cells])


@pytest.mark.parametrize(
    "output",
    [
        stream("shape (8, 1, 28, 28), accuracy ≈ 0.91 and/or home/made, see https://example.org/home/me/x"),
        display(image_png=PNG, text_plain="Eight filters, most of them edges."),
        display(
            text_html='<img alt="a cat" src="data:image/png;base64,AAAA/tmp/abc/home/x"/> 0x12', text_plain="a cat"
        ),
        display(text_html="<b>bold</b></tmp/x>", text_plain="ratio 3/4, /, a/b/c"),
    ],
)
def test_good_outputs_pass(output):
    assert problems(notebook(code(outputs=[output]))) == []


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (stream("UserWarning: x", "stderr"), "stderr"),
        (v4.new_output("error", ename="ValueError", evalue="no", traceback=[]), "raised ValueError"),
        (display(image_png=PNG, text_plain="<Figure size 640x480 with 1 Axes>"), "without alt text"),
        (display(image_png=PNG), "without alt text"),
        (display(image_png=PNG, text_plain="cat"), "without alt text"),
        (
            {
                "output_type": "display_data",
                "metadata": {},
                "data": {"image/svg+xml": "<svg/>", "text/plain": "a drawing"},
            },
            "PNG",
        ),
        (display(text_html="<img src='a.png'>", text_plain="x"), "without alt text"),
        (display(text_html="<img src='a.png' alt=''>", text_plain="x"), "without alt text"),
        (stream("saved to /home/ada/model.pt"), "/home/ada/model.pt"),
        (stream("in '/tmp/abc'"), "/tmp/abc"),
        (display(text_plain="PosixPath('/Users/ada/x')"), "/Users/ada/x"),
        (stream(r"C:\Users\ada"), "absolute path"),
        (stream("<Thing object at 0x7f12ab34cd56>"), "memory address"),
    ],
)
def test_bad_outputs_are_refused(output, said):
    found = problems(notebook(code(outputs=[nbformat_output(output)])))
    assert any(said in problem for problem in found), found


def nbformat_output(output):
    import nbformat

    return nbformat.from_dict(output)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (code("!ls"), "plain Python"),
        (code("%time 3"), "plain Python"),
        (code("# NBVAL_IGNORE_OUTPUT\n1"), "exempted"),
        (code(metadata=SLIDE | {"tags": ["nbval-skip"]}), "exempted"),
        (code(metadata=SLIDE | {"tags": ["raises-exception"]}), "exempted"),
        (code(count=None), "not executed"),
        (code(count=2), "in order"),
        (code(metadata={"slideshow": {}}), "no slide type"),
        (v4.new_markdown_cell("![](cat.png)", metadata=SLIDE), "without alt text"),
    ],
)
def test_bad_cells_are_refused(cell, said):
    found = problems(notebook(cell))
    assert any(said in problem for problem in found), found


def test_equal_ids_and_a_large_file_are_refused():
    twins = notebook(code(count=1), code(count=2))
    twins.cells[1]["id"] = twins.cells[0]["id"]
    assert any("same id" in problem for problem in problems(twins))
    assert any("1.60 MB" in problem for problem in problems(notebook(code()), size=1_600_000))
    assert problems(notebook(code()), size=1_500_000) == []
