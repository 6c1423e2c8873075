"""A learner's answers inside a notebook: found by the exercise they belong to, and carried into a newer notebook."""

import copy
import hashlib
import re
from collections.abc import Mapping
from typing import Any

_CALL = re.compile(r"^\s*@?(?:exercise|answer|choice)\(\s*[\"']([\w.-]+)[\"']", re.MULTILINE)


def source_hash(source: str) -> str:
    """The hash of a cell's source; trailing blanks and blank lines around it do not count."""
    lines = "\n".join(line.rstrip() for line in source.strip("\n").splitlines())
    return hashlib.sha256(lines.encode()).hexdigest()


def stubs(notebook: Any) -> dict[str, str]:
    """The hash of each exercise cell of a delivered notebook, by exercise."""
    return {name: source_hash(source) for name, source in _exercise_cells(notebook)}


def answers(notebook: Any, *delivered: Mapping[str, str]) -> dict[str, str]:
    """The source of each exercise cell that the learner changed; the last one where there are several.

    Args:
        notebook: the learner's notebook.
        delivered: hashes of stubs; a cell that equals one of them for its exercise is no answer.
    """
    found = {}
    for name, source in _exercise_cells(notebook):
        if source.strip() and source_hash(source) not in {known.get(name) for known in delivered}:
            found[name] = source
    return found


def carry(notebook: Any, kept: Mapping[str, str]) -> tuple[Any, list[str]]:
    """A copy of `notebook` with the learner's answers in its exercise cells, to be run again.

    Returns:
        The copy, and the names of the exercises that it no longer has.
    """
    merged = copy.deepcopy(notebook)
    left = dict(kept)
    for cell in merged.cells:
        name = _exercise_of(cell)
        if name in left:
            cell["source"], cell["outputs"], cell["execution_count"] = left.pop(name), [], None
    return merged, sorted(left)


def content_hash(notebook: Any) -> str:
    """The hash of what a person sees: cells and outputs, without counts, ids and the notebook's own metadata.

    JupyterLab rewrites a file when it saves it; this tells a file that was only opened from one that was changed.
    """
    import json

    seen = [(cell.cell_type, cell.source, [_seen(o) for o in cell.get("outputs", [])]) for cell in notebook.cells]
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


def _seen(output: Any) -> Any:
    return {key: value for key, value in output.items() if key != "execution_count"}


def _exercise_cells(notebook: Any) -> list[tuple[str, str]]:
    named = [(_exercise_of(cell), cell.source) for cell in notebook.cells if cell.cell_type == "code"]
    return [(name, source) for name, source in named if name is not None]


def _exercise_of(cell: Any) -> str | None:
    """By the call in the cell first: learners copy and split cells, and the metadata goes along with either half."""
    if cell.cell_type != "code":
        return None
    call = _CALL.search(cell.source)
    if call:
        return call[1]
    mark = cell.metadata.get("crashcourse")
    return mark.get("exercise") if isinstance(mark, dict) else None
