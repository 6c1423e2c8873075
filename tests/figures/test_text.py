"""Tables and shown source: HTML and text say the same, and say it the same way every time."""

import html
import math
import re
from pathlib import Path

import pytest

import crashcourse
from crashcourse.errors import CourseError
from crashcourse.figures import show_source, show_table
from crashcourse.figures.source import coloured, source_of
from crashcourse.figures.tables import table_html, table_text

ROWS = [["VGG-16 <D>", 138357544, 0.073], ["AlexNet", 61100840, None]]
HEADERS = ["network", "parameters", "error"]


def bare(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


def test_a_table_as_text_lines_its_columns_up():
    assert table_text(ROWS, HEADERS, "Two networks").splitlines() == [
        "Two networks",
        "network      parameters  error",
        "----------  -----------  -----",
        "VGG-16 <D>  138,357,544  0.073",
        "AlexNet      61,100,840",
    ]


def test_the_html_table_holds_the_same_cells_escaped_and_its_caption():
    markup = table_html(ROWS, HEADERS, "Two networks")
    assert "VGG-16 &lt;D&gt;" in markup
    cells = re.findall(r"<t[dh] [^>]*>(.*?)</t[dh]>", markup)
    assert [html.unescape(cell) for cell in cells] == [
        *HEADERS,
        "VGG-16 <D>",
        "138,357,544",
        "0.073",
        "AlexNet",
        "61,100,840",
        "",
    ]
    assert ">Two networks</caption>" in markup


def test_a_table_is_displayed_in_a_notebook_and_printed_elsewhere(displayed, capsys, monkeypatch):
    show_table(ROWS, HEADERS, "Two networks")
    assert set(displayed[0]["data"]) == {"text/html", "text/plain"}
    assert capsys.readouterr().out == ""
    monkeypatch.undo()
    show_table(ROWS, HEADERS, "Two networks")
    assert capsys.readouterr().out == table_text(ROWS, HEADERS, "Two networks") + "\n"


def test_a_table_takes_no_colour_of_its_own_so_that_it_reads_on_any_page():
    assert not re.search(r"(background|[^-]color:#)", table_html(ROWS, HEADERS, "Two networks"))


@pytest.mark.parametrize(
    ("rows", "caption", "sentence"),
    [
        ([["a", 1]], "ok", "needs 3 cells"),
        (["abc"], "ok", "needs 3 cells"),
        (ROWS, " ", "caption"),
        (ROWS, None, "caption"),
    ],
)
def test_tables_that_do_not_fit_are_refused(rows, caption, sentence):
    with pytest.raises(CourseError, match=sentence):
        show_table(rows, HEADERS, caption)


@pytest.mark.parametrize(
    "path", sorted(Path(crashcourse.__file__).parent.glob("figures/**/*.py")), ids=lambda p: p.name
)
def test_colouring_never_changes_a_character_of_the_source(path):
    code = path.read_text(encoding="utf-8")
    assert bare(coloured(code)) == code


def test_keywords_inside_texts_and_names_stay_plain():
    assert coloured("x.for_ = 'def if'") == "x.for_ = " + coloured("'def if'")
    assert coloured("'def if'").count("<span") == 1
    assert "<span" not in coloured("informal = form")


def test_markup_inside_the_source_is_shown_and_not_obeyed():
    assert coloured("'<b>' < 2  # <i>").count("&lt;") == 3
    assert not re.search("<[bi]>", coloured("'<b>' < 2  # <i>"))


def test_each_kind_of_token_has_its_own_ink():
    inks = re.findall(r"color:(#\w+)", coloured("@nn.no_grad\ndef f():\n    # why\n    return 'a', 1\n"))
    assert len(inks) == 7  # decorator, def, f, comment, return, text, number
    assert len(set(inks)) == 6  # def and return share the keywords' ink


def test_source_is_shown_folded_under_its_dotted_name(displayed):
    show_source(table_text)
    data = displayed[0]["data"]
    assert data["text/html"].startswith(
        "<details><summary>Source of <code>crashcourse.figures.tables.table_text</code>"
    )
    assert data["text/plain"].startswith("# crashcourse.figures.tables.table_text\ndef table_text(rows")
    assert bare(data["text/html"]).endswith(data["text/plain"].split("\n", 1)[1])


def test_source_holds_no_path_of_this_machine():
    assert str(Path(crashcourse.__file__).parent) not in source_of(table_text)[1] + source_of(table_text)[0]


def test_methods_classes_modules_and_objects_are_shown():
    from crashcourse.figures import tables
    from crashcourse.figures.live import LiveCurves

    assert source_of(LiveCurves.update)[1].startswith("def update(self")
    assert source_of(LiveCurves("x")) == source_of(LiveCurves)
    assert source_of(tables)[0] == "crashcourse.figures.tables"


@pytest.mark.parametrize("thing", [math.sqrt, len, 3, int])
def test_what_has_no_python_source_is_refused(thing):
    with pytest.raises(CourseError, match="cannot be shown"):
        show_source(thing)
