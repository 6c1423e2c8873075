"""Show the live source of what a lesson talks about, so that the text and the code cannot part."""

import html
import inspect
import keyword
import re
import textwrap
from types import ModuleType
from typing import Any

from crashcourse.environment import in_notebook
from crashcourse.errors import CourseError

# Dark inks on a light ground of their own (contrast at least 4.5), so that a dark page does not swallow them.
_INKS = {"comment": "#5B6770", "string": "#00663F", "keyword": "#0059A0", "number": "#9A3E00", "decorator": "#7A3B69"}
_NAME_INK = "#8A2D00"
_BLOCK = (
    "background:#F7F7F7;color:#1A1A1A;padding:10px 12px;margin:6px 0;white-space:pre;overflow:auto;"
    "line-height:1.4;font-size:13px;border:1px solid #C8C8C8"
)
_TOKEN = re.compile(
    r"(?P<string>[rbfuRBFU]{0,2}(?:\"\"\"[\s\S]*?\"\"\"|'''[\s\S]*?'''|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'))"
    r"|(?P<comment>#[^\n]*)"
    r"|(?P<decorator>(?m:^)[ \t]*@[\w.]+)"
    r"|(?P<number>\b\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?j?\b)"
    r"|(?P<name>(?<![\w.])(?:" + "|".join(keyword.kwlist) + r")\b)"
    r"|(?P<word>\w+)"
)


def show_source(obj: Any, *, opened: bool = False) -> None:
    """Show the source of a function, class, method or module, folded under its name. Outside a notebook, print it.

    Args:
        obj: what to show; for an object of a class of your own, its class is shown.
        opened: whether it starts unfolded.

    Raises:
        CourseError: Python does not have the source, as for what is written in C.
    """
    name, code = source_of(obj)
    if not in_notebook():
        print(f"# {name}\n{code}")
        return
    from IPython.display import display

    display({"text/html": source_html(name, code, opened=opened), "text/plain": f"# {name}\n{code}"}, raw=True)


def source_of(obj: Any) -> tuple[str, str]:
    """The dotted name of an object, and its source without common indentation."""
    obj = inspect.unwrap(obj) if callable(obj) else obj
    if not isinstance(obj, (ModuleType, type)) and not inspect.isroutine(obj):
        obj = type(obj)
    try:
        code = textwrap.dedent(inspect.getsource(obj)).rstrip()
    except (TypeError, OSError) as error:
        name = getattr(obj, "__qualname__", repr(obj))
        raise CourseError(
            f"The source of {name!r} cannot be shown: it is not written in Python, or its file is not here."
        ) from error
    if isinstance(obj, ModuleType):
        return obj.__name__, code
    home = "" if obj.__module__ == "__main__" else f"{obj.__module__}."
    return home + obj.__qualname__, code


def source_html(name: str, code: str, *, opened: bool = False) -> str:
    """The folded, coloured source as HTML with no outside style; the same for the same code on every machine."""
    lines = code.count("\n") + 1
    summary = f"Source of <code>{html.escape(name)}</code> ({lines} line{'s' if lines > 1 else ''})"
    return (
        f"<details{' open' if opened else ''}><summary>{summary}</summary>\n"
        f'<pre style="{_BLOCK}">{coloured(code)}</pre></details>'
    )


def coloured(code: str) -> str:
    """Python source as escaped HTML, its comments, texts, keywords, numbers and defined names in ink."""
    made, end, after_def = [], 0, False
    for match in _TOKEN.finditer(code):
        made.append(html.escape(code[end : match.start()], quote=False))
        made.append(_inked(match, after_def))
        after_def = match["name"] in ("def", "class")
        end = match.end()
    return "".join(made) + html.escape(code[end:], quote=False)


def _inked(match: re.Match[str], after_def: bool) -> str:
    text = html.escape(match[0], quote=False)
    if match["word"]:
        return f'<span style="color:{_NAME_INK};font-weight:bold">{text}</span>' if after_def else text
    ink = _INKS["keyword" if match["name"] else match.lastgroup]
    return f'<span style="color:{ink}">{text}</span>'
