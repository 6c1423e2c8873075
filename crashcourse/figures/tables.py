"""A table as HTML, readable on light and dark pages, with a plain text twin that says the same."""

import html
from collections.abc import Sequence

from crashcourse.environment import in_notebook
from crashcourse.errors import CourseError

_TABLE = "border-collapse:collapse;margin:4px 0"
_CAPTION = "text-align:left;font-weight:bold;padding:4px 0;color:inherit"
_CELL = "padding:3px 10px;border-bottom:1px solid rgba(128,128,128,0.35)"


def show_table(rows: Sequence[Sequence[object]], headers: Sequence[str], caption: str) -> None:
    """Show a table; outside a notebook, print it. Columns of numbers stand right, the others left.

    Args:
        rows: the cells. Numbers are grouped in thousands; everything else is shown as `str` gives it.
        headers: the columns' names.
        caption: what the table shows, above it.

    Raises:
        CourseError: a row is not as long as the headers, or there is no caption.
    """
    text, markup = table_text(rows, headers, caption), table_html(rows, headers, caption)
    if not in_notebook():
        print(text)
        return
    from IPython.display import display

    display({"text/html": markup, "text/plain": text}, raw=True)


def table_text(rows: Sequence[Sequence[object]], headers: Sequence[str], caption: str) -> str:
    """The table as lines of text."""
    cells = _checked(rows, headers, caption)
    widths = [max(len(row[column]) for row in [list(headers), *cells]) for column in range(len(headers))]
    right = _right_aligned(rows, len(headers))

    def line(row: Sequence[str]) -> str:
        padded = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)]
        return "  ".join(padded).rstrip()

    return "\n".join([caption, line(headers), "  ".join("-" * width for width in widths), *map(line, cells)])


def table_html(rows: Sequence[Sequence[object]], headers: Sequence[str], caption: str) -> str:
    """The table as HTML that needs no style sheet and takes the page's own colours."""
    cells = _checked(rows, headers, caption)
    right = _right_aligned(rows, len(headers))

    def line(row: Sequence[str], tag: str) -> str:
        made = [
            f'<{tag} style="{_CELL};text-align:{"right" if r else "left"}">{html.escape(cell)}</{tag}>'
            for cell, r in zip(row, right, strict=True)
        ]
        return f"<tr>{''.join(made)}</tr>"

    head = line([str(name) for name in headers], "th")
    body = "\n".join(line(row, "td") for row in cells)
    return (
        f'<table style="{_TABLE}"><caption style="{_CAPTION}">{html.escape(caption)}</caption>\n'
        f"<thead>{head}</thead>\n<tbody>{body}</tbody></table>"
    )


def _checked(rows: Sequence[Sequence[object]], headers: Sequence[str], caption: str) -> list[list[str]]:
    if not isinstance(caption, str) or not caption.strip():
        raise CourseError(f"A table needs a caption that says what it shows; got {caption!r}.")
    for row in rows:
        if isinstance(row, str) or len(row) != len(headers):
            raise CourseError(f"Each row of the table needs {len(headers)} cells, one a header; got {row!r}.")
    return [[_cell(value) for value in row] for row in rows]


def _cell(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if value is None:
        return ""
    return f"{value:,.4g}" if isinstance(value, float) else " ".join(str(value).split())


def _right_aligned(rows: Sequence[Sequence[object]], columns: int) -> list[bool]:
    numbers = (int, float, type(None))
    return [bool(rows) and all(isinstance(row[c], numbers) for row in rows) for c in range(columns)]
