"""A picture cut into cells: the tinted cell is the centre's, and the three panels show what was given."""

import pytest
import torch
from matplotlib.colors import to_hex

from crashcourse.errors import CourseError
from crashcourse.figures.boxes import BOX_COLOURS
from crashcourse.figures.grid import (
    cells_on_images,
    draw_cells_on_images,
    draw_from_cells_to_boxes,
    from_cells_to_boxes,
)
from crashcourse.figures.style import COLOURS

IMAGE = torch.zeros(3, 80, 80)
BOXES = torch.tensor([[10.0, 50, 30, 60], [60, 0, 80, 40]])
LABELS = torch.tensor([0, 2])


def test_the_tinted_cell_holds_the_centre():
    """Fails if x and y are mixed up, if a corner decides, or if a colour is another label's."""
    fig, alt = draw_cells_on_images(IMAGE[None], 4, [BOXES], [LABELS], titles=["one"])
    (axes,) = fig.axes
    tinted, outlined = axes.patches[::2], axes.patches[1::2]
    assert [patch.get_xy() for patch in tinted] == [(20, 40), (60, 20)]  # centres (20, 55), (70, 20)
    assert [(*p.get_xy(), p.get_width(), p.get_height()) for p in outlined] == [(10, 50, 20, 10), (60, 0, 20, 40)]
    assert [to_hex(p.get_edgecolor()).upper() for p in outlined] == [COLOURS[BOX_COLOURS[k]] for k in (0, 2)]
    dots = [line.get_xydata()[0].tolist() for line in axes.lines if line.get_marker() == "o"]
    assert dots == [[20, 55], [70, 20]]
    assert sum(line.get_marker() != "o" for line in axes.lines) == 6  # three lines each way
    assert axes.get_title(loc="left") == "one"
    assert "4×4 cells" in alt


def test_a_centre_on_the_border_tints_the_last_cell():
    fig, _ = draw_cells_on_images(IMAGE[None], 4, [torch.tensor([[70.0, 70, 90, 90]])], [torch.tensor([1])])
    assert fig.axes[0].patches[0].get_xy() == (60, 60)


def test_three_panels():
    """Fails if confidence does not show, if the map is transposed, or if a detection loses its name."""
    cell_labels = torch.tensor([[0, 1], [2, 1]])
    fig, alt = draw_from_cells_to_boxes(
        IMAGE, BOXES, torch.tensor([0.9, 0.1]), cell_labels, BOXES[:1], LABELS[:1], classes=("top", "shoe", "bag")
    )
    first, second, third = fig.axes
    assert [patch.get_linewidth() for patch in first.patches] == pytest.approx([0.7, 3.9])  # the surest on top
    colours = {p.get_xy(): to_hex(p.get_facecolor()).upper() for p in second.patches}
    assert colours[(40, 0)] == colours[(40, 40)] == COLOURS[BOX_COLOURS[1]]
    assert colours[(0, 40)] == COLOURS[BOX_COLOURS[2]]
    assert [text.get_text() for text in third.texts] == ["top"]
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["top", "shoe", "bag"]
    assert "all 2 boxes" in alt


def test_they_are_shown_with_their_words(displayed):
    cells_on_images(IMAGE[None], 2, [BOXES], [LABELS])
    from_cells_to_boxes(
        IMAGE, BOXES, torch.rand(2), torch.zeros(2, 2, dtype=torch.int64), BOXES, LABELS, classes=("a", "b", "c"),
        alt="What becomes of two boxes.",
    )  # fmt: skip
    assert displayed[0]["data"]["text/plain"].startswith("A picture under a grid")
    assert any(shown["data"].get("text/plain") == "What becomes of two boxes." for shown in displayed)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: draw_cells_on_images(IMAGE[None], 0, [BOXES], [LABELS]), "at least 1 cell"),
        (lambda: draw_cells_on_images(IMAGE[None], 4, [BOXES, BOXES], [LABELS]), "1 pictures came with 2 boxes"),
        (
            lambda: draw_from_cells_to_boxes(
                IMAGE, BOXES, torch.rand(3), torch.zeros(2, 2), BOXES, LABELS, classes=("a",)
            ),
            "confidence",
        ),
        (
            lambda: draw_from_cells_to_boxes(
                IMAGE, BOXES, torch.rand(2), torch.zeros(2, 3), BOXES, LABELS, classes=("a",)
            ),
            "\\(S, S\\)",
        ),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(CourseError, match=sentence):
        call()
