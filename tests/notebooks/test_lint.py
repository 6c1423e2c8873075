"""Every built notebook is fit to ship, and matches its source."""

import re
from pathlib import Path
from typing import Any

import pytest

from crashcourse.lessons.build import mismatches
from crashcourse.lessons.check import problems
from crashcourse.lessons.expand import GUESS
from crashcourse.lessons.normalise import normalise, parse, serialise
from crashcourse.lessons.project import Project
from crashcourse.lessons.source import all_lessons, source_paths

PROJECT = Project(root=Path(__file__).resolve().parents[2])
NAMES = [path.stem for path in source_paths(PROJECT)]
# What the result of a guess may begin with: a line that says what follows, and not how it came out. JupyterLab shows
# the first line of a table as its HTML, which is no help.
LABEL = re.compile(
    r"[^≈]*:"  # printed
    r"|\w+ at \w+ scale, \d+ epochs"  # the title of `show_record`
    r"|Learning curves over \d+ epochs: .* a line for each of: .*"  # `learning_curves`, in words
)


def text_of(name: str) -> str:
    return (PROJECT.notebooks / f"{name}.ipynb").read_text(encoding="utf-8")


def test_there_are_lessons_and_each_needs_only_lessons_that_are_there():
    lessons = all_lessons(PROJECT)
    numbers = {lesson.number for lesson in lessons}
    assert {0, 10, 11} <= numbers
    assert all(set(lesson.needs) <= numbers for lesson in lessons)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_breaks_no_rule(name):
    text = text_of(name)
    assert problems(parse(text, name), size=len(text.encode())) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_holds_nothing_that_varies(name):
    text = text_of(name)
    assert serialise(normalise(parse(text, name))) == text


@pytest.mark.parametrize("name", NAMES)
def test_ids_come_from_the_lesson_and_the_place(name):
    cells = parse(text_of(name), name).cells
    assert [cell.id for cell in cells] == [f"{name.replace('_', '-', 1)}-{place:03d}" for place in range(len(cells))]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_has_slides_and_at_least_four_figures(name):
    cells = parse(text_of(name), name).cells
    slides = [cell for cell in cells if cell.metadata["slideshow"]["slide_type"] == "slide"]
    outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    figures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(slides) >= 3
    assert len(figures) >= 4


def previewed(cell: Any) -> str:
    """What JupyterLab shows of a folded result: the first line that is not empty, of the first output."""
    first = cell["outputs"][0]
    data = first.get("data", {"text/plain": first.get("text", "")})
    text = next(data[kind] for kind in ("text/html", "text/markdown", "text/plain") if kind in data)
    return next((line for line in text.split("\n") if line), "")


@pytest.mark.parametrize("name", NAMES)
def test_a_folded_result_does_not_tell_itself(name):
    """A learner who is to guess reads the answer below the cell. Print a line first that ends with a colon."""
    guesses = [cell for cell in parse(text_of(name), name).cells if GUESS in cell.metadata.get("tags", [])]
    assert [line for line in map(previewed, guesses) if not LABEL.fullmatch(line)] == []


@pytest.mark.parametrize(
    ("output", "line", "tells"),
    [
        ({"text": "\naccuracy of either:\n0.87\n"}, "accuracy of either:", False),
        ({"text": "0.869\n"}, "0.869", True),
        ({"text": "accuracy ≈ 0.869 (at least 0.8)\n"}, "accuracy ≈ 0.869 (at least 0.8)", True),
        ({"text": "accuracy ≈ 0.869, at 4 pixels:\n"}, "accuracy ≈ 0.869, at 4 pixels:", True),
        ({"data": {"image/png": "iVBO", "text/plain": "The left bar is higher."}}, "The left bar is higher.", True),
        ({"data": {"text/plain": "3", "text/html": "<table ><td>3</td>\n</table>"}}, "<table ><td>3</td>", True),
        ({"data": {"text/html": "<table ><caption>Cost\n<td>3</td>"}}, "<table ><caption>Cost", True),
        ({"text": "vgg_garments at study scale, 4 epochs\n"}, "vgg_garments at study scale, 4 epochs", False),
        ({"text": "vgg_garments at study scale: 0.91\n"}, "vgg_garments at study scale: 0.91", True),
    ],
)
def test_what_tells_itself(output, line, tells):
    """The rule for folded results sees another line than the learner, or lets an answer pass."""
    assert previewed({"outputs": [output, {"text": "later:"}]}) == line
    assert (LABEL.fullmatch(line) is None) == tells


def test_every_notebook_matches_its_source():
    assert mismatches(PROJECT) == {}
