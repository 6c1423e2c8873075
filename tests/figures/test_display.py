"""show(): the picture carries its words everywhere, and nothing is left open."""

import base64
import io

import pytest
import torch
from matplotlib import pyplot
from PIL import Image

from crashcourse.errors import CourseError
from crashcourse.figures import draw_image_grid, figure, png_bytes, show

ALT = "A line that falls & then rises <again>."


def line():
    fig, axes = figure(height=2)
    axes.plot([3, 1, 2])
    return fig


def test_a_picture_has_its_alt_text_as_metadata_and_as_plain_text(displayed):
    show(line(), alt=ALT)
    picture = displayed[0]
    assert picture["data"]["text/plain"] == ALT
    assert picture["metadata"] == {"image/png": {"alt": ALT}}
    with Image.open(io.BytesIO(base64.b64decode(picture["data"]["image/png"]))) as png:
        assert png.size == (640, 200)


def test_screen_readers_meet_the_alt_text_also_where_the_front_end_drops_it(displayed):
    show(line(), alt=ALT)
    assert len(displayed) == 2
    words = displayed[1]["data"]["text/html"]
    assert "A line that falls &amp; then rises &lt;again&gt;." in words
    assert 'class="jp-sr-only"' in words


def test_outside_a_notebook_nothing_is_shown_or_printed(capsys):
    assert show(line(), alt=ALT) is None
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("alt", ["", "   ", "figure", "a b", None, 3, "x" * 40])
def test_alt_text_that_says_nothing_is_refused_with_an_example(alt):
    with pytest.raises(CourseError, match="what a reader should see"):
        show(line(), alt=alt)


@pytest.mark.parametrize("thing", [None, 3, torch.zeros(2)])
def test_what_is_not_a_figure_is_refused(thing):
    with pytest.raises(CourseError, match=f"takes a matplotlib Figure; got {type(thing).__name__}"):
        show(thing, alt=ALT)


def test_axes_are_refused_with_the_way_to_their_figure():
    with pytest.raises(CourseError, match=r"Give its \.figure"):
        show(line().axes[0], alt=ALT)


def test_a_figure_made_with_pyplot_is_closed_so_that_the_cell_does_not_show_it_twice(displayed):
    fig = pyplot.figure()
    show(fig, alt=ALT)
    assert not pyplot.fignum_exists(fig.number)


def test_the_figure_is_freed_also_when_drawing_it_fails(displayed, monkeypatch):
    fig = line()
    monkeypatch.setattr(fig, "savefig", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        show(fig, alt=ALT)
    assert fig.axes == []


def test_the_same_figure_gives_the_same_bytes_without_metadata():
    first, second = png_bytes(line()), png_bytes(line())
    assert first == second
    with Image.open(io.BytesIO(first)) as png:
        assert png.info == {}


def test_a_chart_is_stored_with_a_palette_and_a_photograph_in_full_colour():
    def mode(png: bytes) -> str:
        with Image.open(io.BytesIO(png)) as opened:
            return opened.mode

    assert mode(png_bytes(line())) == "P"
    rainbow = torch.rand(3, 100, 100, generator=torch.Generator().manual_seed(0))
    assert mode(png_bytes(draw_image_grid([rainbow]).figure)) == "RGB"


def test_the_background_is_white_and_opaque_so_that_it_reads_on_a_dark_page():
    with Image.open(io.BytesIO(png_bytes(line()))) as png:
        assert png.convert("RGBA").getpixel((2, 2)) == (255, 255, 255, 255)
