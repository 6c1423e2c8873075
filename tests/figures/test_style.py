"""The style: one look, no trace of it outside the drawing, and colours that can be told apart."""

import matplotlib
import pytest
import torch

import crashcourse.figures as figures
from crashcourse.errors import CourseError
from crashcourse.figures.source import _BLOCK, _INKS, _NAME_INK
from crashcourse.figures.style import COLOURS, course_style, figure


def luminance(colour: str) -> float:
    """WCAG 2 relative luminance."""
    values = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_drawing_leaves_matplotlibs_settings_as_they_were():
    with matplotlib.rc_context({"font.size": 7.25, "axes.grid": False}):
        before = dict(matplotlib.rcParams)
        figures.draw_image_grid(torch.zeros(2, 8, 8))
        figures.png_bytes(figures.draw_learning_curves([{"loss": 1.0}]).figure)
        with course_style():
            assert matplotlib.rcParams["font.size"] == 12
        assert dict(matplotlib.rcParams) == before


def test_the_settings_come_back_also_after_an_error():
    with matplotlib.rc_context({"font.size": 7.25}):
        with pytest.raises(ZeroDivisionError), course_style():
            raise ZeroDivisionError
        assert matplotlib.rcParams["font.size"] == 7.25


def test_the_colours_are_those_of_okabe_and_ito():
    published = {"#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#000000"}
    assert set(COLOURS.values()) == published


def test_no_text_is_smaller_than_it_must_be_to_read_at_half_width():
    _, axes = figure()
    axes.set_xlabel("epoch")
    sizes = [axes.xaxis.label.get_size(), axes.title.get_size(), axes.get_xticklabels()[0].get_size()]
    assert min(sizes) >= 12  # 12 points of 640 pixels are about 10 pixels of 400


def test_the_inks_of_shown_source_have_the_contrast_that_small_text_needs():
    ground = luminance(_BLOCK.split("background:")[1][:7])
    for ink in [*_INKS.values(), _NAME_INK]:
        assert (ground + 0.05) / (luminance(ink) + 0.05) >= 4.5


def test_a_figure_belongs_to_no_window_so_that_nothing_shows_it_but_show():
    from matplotlib import pyplot

    figure(2, 2)
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize(
    "options", [{"rows": 0}, {"columns": -1}, {"width": 640}, {"height": 0}, {"width": float("nan")}]
)
def test_a_figure_that_cannot_be_is_refused(options):
    with pytest.raises(CourseError, match=r"at least one row|in inches"):
        figure(**options)
