"""Numbered maps in colours, and the U: what colours mean, and that the drawing tells the network's own numbers."""

import pytest
import torch

from crashcourse.errors import CourseError
from crashcourse.figures.segments import PALETTE, draw_u_diagram, painted

DOWN, UP = [(4, 40, 40), (8, 16, 16)], [(4, 28, 28)]


def test_numbers_have_their_colours():
    """Background takes a cell's colour, neighbours in number look alike, or channels come last."""
    shown = painted(torch.tensor([[0, 1], [2, len(PALETTE) + 1]], dtype=torch.uint8))
    assert shown.shape == (3, 2, 2)
    colours = shown.flatten(1).T
    assert torch.equal(colours[1], colours[3])  # the colours start anew
    assert len({tuple(colour.tolist()) for colour in colours}) == 3
    every = painted(torch.arange(len(PALETTE) + 1).view(1, 1, -1))
    assert every.shape == (1, 3, 1, len(PALETTE) + 1)
    assert len({tuple(colour) for colour in every[0, :, 0].T.tolist()}) == len(PALETTE) + 1
    assert 0 <= float(every.min()) <= float(every.max()) <= 1


def test_the_u_tells_sizes_channels_and_crops():
    """A side in the drawing is not the network's, or the crop is that of another level."""
    drawing = draw_u_diagram(DOWN, UP, (1, 44, 44), (2, 28, 28))
    (axes,) = drawing.figure.axes
    words = [text.get_text() for text in axes.texts if text.get_text()]
    assert set(words) == {"1 × 44²", "4 × 40²", "8 × 16²", "40 → 32", "4 × 28²", "2 × 28²"}
    assert "4 × 40², 8 × 16² on the way down and 4 × 28² on the way up" in drawing.alt
    assert "cut from 40 to 32" in drawing.alt


def test_a_padded_u_is_not_cut():
    """A skip that fits is shown as cropped."""
    drawing = draw_u_diagram([(4, 32, 32), (8, 16, 16)], [(4, 32, 32)], (1, 32, 32), (2, 32, 32))
    assert "32" in [text.get_text() for text in drawing.figure.axes[0].texts]
    assert "no skip is cut" in drawing.alt


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: painted(torch.rand(2, 2)), "whole numbers"),
        (lambda: painted(torch.zeros(1, 1, 2, 2, dtype=torch.int64)), r"\(1, 1, 2, 2\)"),
        (lambda: draw_u_diagram(DOWN, DOWN, (1, 44, 44), (2, 28, 28)), "2 levels has 1 up blocks; got 2"),
    ],
)
def test_what_is_refused_and_in_which_words(call, words):
    """Probabilities are painted as if they were numbers, or a U with a missing side is drawn."""
    with pytest.raises(CourseError, match=words):
        call()
