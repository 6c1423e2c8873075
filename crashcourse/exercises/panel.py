"""A report as HTML that reads well in light and dark themes and without colour, and its twin in plain text."""

import base64
import html
from collections.abc import Sequence

from crashcourse.exercises.report import (
    ERROR,
    NOT_ATTEMPTED,
    PASSED,
    WRONG,
    Block,
    Code,
    Paragraph,
    Picture,
    Report,
    Table,
)

# A sign, a word and a colour (Okabe-Ito) for every verdict: any one of the first two is enough to read it.
_LOOKS = {
    NOT_ATTEMPTED: ("○", "Not attempted yet", "#808080"),
    ERROR: ("!", "Error", "#E69F00"),
    WRONG: ("✗", "Not right yet", "#D55E00"),
    PASSED: ("✓", "Passed", "#009E73"),
}
_BOX = (
    "border: 1px solid rgba(128,128,128,.45); border-left: 6px solid {colour}; border-radius: 3px; padding: .5em .9em; "
    "margin: .3em 0; max-width: 52em; background: rgba(128,128,128,.07); color: inherit; line-height: 1.45"
)
_PRE = (
    "margin: .2em 0 .5em 0; padding: .35em .6em; overflow-x: auto; white-space: pre-wrap; "
    "background: rgba(128,128,128,.12); color: inherit; border-radius: 3px; line-height: 1.3"
)
_CELL = "padding: .15em .8em .15em 0; text-align: left; border-bottom: 1px solid rgba(128,128,128,.35); color: inherit"


def as_text(report: Report) -> str:
    """A report as plain text, without trailing spaces."""
    sign, word, _ = _LOOKS[report.verdict]
    return blocks_as_text(f"{sign} {word} · {report.title} ({report.name})", report.blocks)


def as_html(report: Report) -> str:
    """A report as one `<div>` with inline styles; every text in it is escaped."""
    sign, word, colour = _LOOKS[report.verdict]
    heading = (
        f"<strong>{sign} {word}</strong> · {html.escape(report.title)} "
        f"<span style='opacity: .75'>({html.escape(report.name)})</span>"
    )
    return blocks_as_html(heading, report.blocks, colour=colour)


def blocks_as_text(heading: str, blocks: Sequence[Block]) -> str:
    """A heading and blocks as plain text."""
    lines = [heading]
    for block in blocks:
        lines += _text_of(block).splitlines()
    return "\n".join(line.rstrip() for line in lines)


def blocks_as_html(heading: str, blocks: Sequence[Block], *, colour: str = "#0072B2") -> str:
    """A heading (already HTML) and blocks as one `<div>`."""
    body = "".join(_html_of(block) for block in blocks)
    return f'<div class="crashcourse-panel" style="{_BOX.format(colour=colour)}"><div>{heading}</div>{body}</div>'


def _text_of(block: Block) -> str:
    match block:
        case Paragraph(text, label):
            return f"{label}: {text}" if label else text
        case Code(text, label):
            indented = "\n".join(f"    {line}" for line in text.splitlines())
            return f"{label}:\n{indented}" if label else indented
        case Table(header, rows):
            widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
            lines = [header, tuple("-" * width for width in widths), *rows]
            return "\n".join(
                "    " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
                for line in lines
            )
        case Picture(_, alt):
            return f"[Picture: {alt}]"


def _html_of(block: Block) -> str:
    match block:
        case Paragraph(text, label):
            return f'<p style="margin: .4em 0 0 0">{_label(label)}{html.escape(text)}</p>'
        case Code(text, label):
            return f'<div style="margin-top: .4em">{_label(label)}<pre style="{_PRE}">{html.escape(text)}</pre></div>'
        case Table(header, rows):
            lines = _row(header, "th") + "".join(map(_row, rows))
            return f'<table style="border-collapse: collapse; margin: .4em 0">{lines}</table>'
        case Picture(png, alt):
            data = base64.b64encode(png).decode()
            return (
                f'<p style="margin: .4em 0 0 0"><img src="data:image/png;base64,{data}" '
                f'alt="{html.escape(alt, quote=True)}" style="max-width: 100%"><br>{html.escape(alt)}</p>'
            )


def _label(label: str) -> str:
    return f"<strong>{html.escape(label)}:</strong> " if label else ""


def _row(cells: Sequence[str], tag: str = "td") -> str:
    inside = "".join(f'<{tag} style="{_CELL}">{html.escape(cell)}</{tag}>' for cell in cells)
    return f"<tr>{inside}</tr>"
