"""Take out of an executed notebook what differs from run to run and means nothing to a reader."""

import copy
from typing import Any

from crashcourse.lessons.expand import LANGUAGE

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_CELL_METADATA = ("slideshow", "tags", "crashcourse", "jupyter")


def normalise(notebook: Any) -> Any:
    """A copy without timestamps, widget views and transient ids, its code cells counted from 1."""
    clean = copy.deepcopy(notebook)
    clean.metadata["language_info"] = dict(LANGUAGE)
    for key in set(clean.metadata) - {"crashcourse", "kernelspec", "language_info"}:
        del clean.metadata[key]
    count = 0
    for cell in clean.cells:
        for key in set(cell.metadata) - set(_CELL_METADATA):
            del cell.metadata[key]
        if cell.cell_type != "code":
            continue
        if cell.execution_count is not None:
            count += 1
            cell["execution_count"] = count
        cell["outputs"] = [_output(output, count) for output in cell.outputs]
    return clean


def _output(output: Any, count: int) -> Any:
    output.pop("transient", None)
    if "data" in output:
        output["data"].pop(WIDGET_VIEW, None)
        output["metadata"].pop(WIDGET_VIEW, None)
    if output.output_type == "execute_result":
        output["execution_count"] = count
    return output


def serialise(notebook: Any) -> str:
    """The text of a notebook file: the same notebook gives the same bytes.

    Raises:
        CourseError: it is not a valid notebook, for instance because two cells share an id.
    """
    import nbformat

    from crashcourse.errors import CourseError

    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        raise CourseError(f"Not a valid notebook: {' '.join(str(error).split())[:300]}.") from error
    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"


def parse(content: str | bytes, name: str) -> Any:
    """Read a notebook.

    Raises:
        CourseError: the content is cut short or is no notebook; `name` says which file.
    """
    import json

    import nbformat

    from crashcourse.errors import CourseError

    try:
        raw = json.loads(content)
        if not isinstance(raw, dict) or raw.get("nbformat") != 4:
            raise ValueError("it is not in notebook format 4")
        notebook = nbformat.v4.to_notebook(raw)
        nbformat.validate(notebook)
    except Exception as error:  # nbformat raises many kinds
        reason = " ".join(str(error).split())[:200]
        raise CourseError(f"{name} is not readable as a notebook: {reason}.") from error
    return notebook
