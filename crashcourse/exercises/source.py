"""The text of an exercise's cell: as the learner finds it, and answered by the reference's own source."""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable
from typing import Any

_ENTRY = re.compile(r"[\w, *]+:( |$)")
_WIDTH = 90  # columns of a cell in JupyterLab beside its file browser
_DOCSTRING_WIDTH = _WIDTH - 4
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def stub_of(name: str, reference: Callable[..., Any]) -> str:
    """The cell as the learner first sees it: decorator, signature without annotations, docstring, nothing else.

    A class keeps its docstring and the signatures of `__init__` (which calls `super().__init__()`) and `forward`.
    """
    node = _definition(reference)
    lines = _class_stub(node) if isinstance(node, ast.ClassDef) else _function_stub(node)
    return "\n".join([f'@exercise("{name}")', *lines])


def solution_of(name: str, reference: Callable[..., Any]) -> str:
    """The cell answered by the reference's own source."""
    return f'@exercise("{name}")\n{source_of(reference)}'


def source_of(reference: Callable[..., Any]) -> str:
    """The source of a function or class as its author wrote it."""
    return textwrap.dedent(inspect.getsource(reference)).rstrip("\n")


def _definition(reference: Callable[..., Any]) -> _Function | ast.ClassDef:
    node = ast.parse(source_of(reference)).body[0]
    assert isinstance(node, _Function | ast.ClassDef)
    return node


def _function_stub(node: _Function) -> list[str]:
    return [_signature(node), *_docstring(node), "    raise NotImplementedError"]


def _class_stub(node: ast.ClassDef) -> list[str]:
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    lines = [f"class {node.name}({bases}):" if bases else f"class {node.name}:", *_docstring(node)]
    methods = {item.name: item for item in node.body if isinstance(item, _Function)}
    for name in ("__init__", "forward"):
        if name in methods:
            body = [_signature(methods[name]), *_docstring(methods[name])]
            body += ["    super().__init__()"] * (name == "__init__") + ["    raise NotImplementedError"]
            lines += ["", textwrap.indent("\n".join(body), "    ")]
    return lines


def _signature(node: _Function) -> str:
    arguments = ast.parse(ast.unparse(node.args).join(("def f(", "): ..."))).body[0].args  # a copy to change
    for argument in ast.walk(arguments):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    line = f"def {node.name}({ast.unparse(arguments)}):"
    if len(line) <= _WIDTH:
        return line
    return (
        f"def {node.name}(\n"
        + textwrap.fill(ast.unparse(arguments), _WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 4)
        + "\n):"
    )


def _docstring(node: _Function | ast.ClassDef) -> list[str]:
    text = ast.get_docstring(node)
    if not text:
        return []
    quotes = '"""' if '"""' not in text else "'''"
    prefix = "r" if "\\" in text else ""
    first, *rest = _wrapped(text)
    lines = [f"    {prefix}{quotes}{first}", *(f"    {line}".rstrip() for line in rest)]
    if not rest and not first.endswith(('"', "\\")):
        return [f"{lines[0]}{quotes}"]
    return [*lines, f"    {quotes}"]


def _wrapped(text: str) -> list[str]:
    """Lines that fit a notebook's cell without scrolling: paragraphs and entries of a section, filled anew."""
    lines: list[str] = []
    for indent, words in _paragraphs(text):
        further = indent + " " * 4 if indent else ""
        lines += textwrap.wrap(
            words,
            _DOCSTRING_WIDTH,
            initial_indent=indent,
            subsequent_indent=further,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
    return lines


def _paragraphs(text: str) -> list[tuple[str, str]]:
    """A docstring's paragraphs, section titles and entries (`name: what it is`), each with its indentation."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        words = line.strip()
        indent = line[: len(line) - len(line.lstrip())]
        goes_on = found and found[-1][1] and words and not _ENTRY.match(words) and len(indent) >= len(found[-1][0])
        if goes_on and not found[-1][1].endswith(":"):
            found[-1] = (found[-1][0], f"{found[-1][1]} {words}")
        else:
            found.append((indent, words))
    return found


def blank_call(name: str, value: Any) -> str:
    """`answer("NAME", ...)` with the right value's structure and nothing in it."""
    return _call(name, _blank(value))


def answered_call(name: str, value: Any) -> str:
    """`answer("NAME", VALUE)`."""
    return _call(name, value)


def _blank(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _blank(item) for key, item in value.items()}
    return tuple(... for _ in value) if isinstance(value, tuple | list) else ...


def _call(name: str, value: Any) -> str:
    if not isinstance(value, dict):
        return f'answer("{name}", {_literal(value)})'
    rows = [f"    {_literal(key)}: {_literal(item)}," for key, item in value.items()]
    return "\n".join([f'answer("{name}", {{', *rows, "})"])


def _literal(value: Any) -> str:
    if value is ...:
        return "..."
    if isinstance(value, tuple | list):
        items = ", ".join(map(_literal, value))
        return f"({items}{',' if len(value) == 1 else ''})"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)
