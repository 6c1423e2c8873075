"""From a lesson's source to the cells a learner sees, before they are run.

Exercise cells become stubs from the catalogue, recorded numbers enter the prose, and every cell gets a stable id, a
slide type and its tags.
"""

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any

from crashcourse.errors import CourseError, unknown
from crashcourse.lessons.source import Lesson

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"}
NOT_RECORDED = "(not yet recorded)"
GUESS = "guess"  # a cell whose result the learner is asked to guess first
SLIDE_TYPES = ("slide", "subslide", "fragment", "skip", "notes", "-")
_RECORD = re.compile(r"\{record:([^{}:]*)(?::([^{}]*))?\}")
_KNOWN_METADATA = {"slideshow", "tags", "exercise"}
_JUPYTEXT_METADATA = {"lines_to_next_cell", "lines_to_end_of_cell_marker", "cell_marker"}

LoadRecord = Callable[[str, str], Any]


def expand(
    lesson: Lesson,
    *,
    catalogue: Mapping[str, Any] | None = None,
    load_record: LoadRecord | None = None,
    solved: bool = False,
) -> Any:
    """The notebook of a lesson, not yet run.

    Args:
        lesson: as `read_lesson` gives it.
        catalogue: the exercises by name; the course's own by default.
        load_record: `(recipe, scale)` to a record or None; the course's own by default.
        solved: answer each exercise with its reference's own source instead of leaving it to the learner.

    Returns:
        A `nbformat` notebook without outputs.

    Raises:
        CourseError: a cell, an exercise or a record is not as it should be; the sentence names the lesson and the cell.
    """
    import nbformat.v4 as v4

    if catalogue is None:
        from crashcourse.exercises import catalogue as course_catalogue

        catalogue = course_catalogue()
    _check_exercises(lesson, catalogue)
    cells = []
    for place, cell in enumerate(lesson.cells):
        where = f"{lesson.path.name}, cell {place} ({_first_line(cell)})"
        _check_metadata(where, cell)
        if cell.cell_type == "markdown":
            cells.append(v4.new_markdown_cell(_with_records(where, cell.source, load_record)))
        elif cell.cell_type == "code":
            cells.append(v4.new_code_cell(_code(where, cell, catalogue, solved)))
        else:
            raise CourseError(f"{where}: {cell.cell_type} cells are not shown to learners; use markdown.")
        cells[-1]["id"] = f"{lesson.number:02d}-{lesson.stem}-{place:03d}"
        cells[-1]["metadata"] = _metadata(where, cell)
    metadata = {"crashcourse": lesson.header, "kernelspec": dict(KERNEL), "language_info": dict(LANGUAGE)}
    return v4.new_notebook(cells=cells, metadata=metadata)


def _first_line(cell: Any) -> str:
    if "exercise" in cell.metadata:
        return f"exercise {cell.metadata['exercise']}"
    lines = cell.source.strip().splitlines()
    return repr(lines[0][:60]) if lines else "empty"


def _check_exercises(lesson: Lesson, catalogue: Mapping[str, Any]) -> None:
    name = lesson.path.name
    for exercise in lesson.exercises:
        if exercise not in catalogue:
            raise CourseError(f"{name}: {unknown('exercise', exercise, catalogue)}")
        if catalogue[exercise].lesson != lesson.number:
            owner = catalogue[exercise].lesson
            raise CourseError(f"{name}: exercise {exercise} belongs to lesson {owner:02d}, not {lesson.number:02d}.")
        if lesson.exercises.count(exercise) > 1:
            raise CourseError(f"{name}: exercise {exercise} appears twice; a learner answers it once.")
    missing = sorted(n for n, e in catalogue.items() if e.lesson == lesson.number and n not in lesson.exercises)
    if missing:
        raise CourseError(f"{name}: no cell for {', '.join(missing)}, though the catalogue gives it to this lesson.")


def _check_metadata(where: str, cell: Any) -> None:
    strange = sorted(set(cell.metadata) - _KNOWN_METADATA - _JUPYTEXT_METADATA)
    if strange:
        raise CourseError(f"{where}: unknown cell metadata {', '.join(strange)}. Use exercise, tags or slideshow.")


def _code(where: str, cell: Any, catalogue: Mapping[str, Any], solved: bool) -> str:
    name = cell.metadata.get("exercise")
    if name is None:
        if not cell.source.strip():
            raise CourseError(f"{where}: an empty code cell; remove it.")
        _check_python(where, cell.source)
        return cell.source
    if cell.source.strip():
        raise CourseError(f"{where}: an exercise cell is empty in the source; its stub comes from the reference.")
    text = catalogue[name].solved() if solved else catalogue[name].stub()
    return text.strip("\n")


def _check_python(where: str, source: str) -> None:
    """Refuse what is not plain Python: nbval lets magics and shell lines pass although they failed."""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        line = (error.text or "").strip()
        raise CourseError(f"{where}: not plain Python at {line!r} (no magics, no shell lines): {error.msg}.") from error
    if any(isinstance(node, ast.Name) and node.id == "get_ipython" for node in ast.walk(tree)):
        raise CourseError(f"{where}: get_ipython() runs magics; use plain Python.")


def _with_records(where: str, text: str, load_record: LoadRecord | None) -> str:
    filled = _RECORD.sub(lambda match: _recorded(where, match, load_record), text)
    if "{record" in filled:
        raise CourseError(f"{where}: a record is written {{record:RECIPE.SCALE.FIELD:FORMAT}}; one here is not.")
    return filled


def _recorded(where: str, match: re.Match[str], load_record: LoadRecord | None) -> str:
    path, form = match[1].strip().split(".", 2), match[2] or ""
    if len(path) < 3 or not all(path):
        raise CourseError(f"{where}: {match[0]} needs a recipe, a scale and a field: vgg_garments.study.accuracy.")
    name, scale, field = path
    try:
        record = (load_record or _course_record)(name, scale)
        return NOT_RECORDED if record is None else format(record.field(field), form)
    except ValueError as error:  # an unknown recipe, scale or field, or a format that does not fit the value
        raise CourseError(f"{where}: {match[0]}: {error}") from error


def _course_record(name: str, scale: str) -> Any:
    from crashcourse.recipes import load_record

    return load_record(name, scale)


def _metadata(where: str, cell: Any) -> dict[str, Any]:
    exercise = cell.metadata.get("exercise")
    tags = list(cell.metadata.get("tags", []))
    for tag in ("exercise",) if exercise else ("gpu",) if _calls(cell, "gpu_cell") else ():
        if tag not in tags:
            tags.append(tag)
    metadata: dict[str, Any] = {"slideshow": {"slide_type": _slide_type(where, cell)}}
    if tags:
        metadata["tags"] = tags
    if exercise:
        metadata["crashcourse"] = {"exercise": exercise}
    if GUESS in tags:
        metadata["jupyter"] = {"outputs_hidden": True}  # JupyterLab folds the stored result away until the cell is run
    return metadata


def _calls(cell: Any, function: str) -> bool:
    if cell.cell_type != "code":
        return False
    calls = [node.func for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)]
    return any(getattr(call, "id", getattr(call, "attr", None)) == function for call in calls)


def _slide_type(where: str, cell: Any) -> str:
    explicit = cell.metadata.get("slideshow", {}).get("slide_type")
    if explicit is not None:
        if explicit not in SLIDE_TYPES:
            raise CourseError(f"{where}: {unknown('slide type', explicit, SLIDE_TYPES)}")
        return explicit
    if cell.cell_type == "markdown" and re.match(r"##? ", cell.source):
        return "slide"
    if "exercise" in cell.metadata or (cell.cell_type == "markdown" and cell.source.startswith("### ")):
        return "subslide"
    return "-"
