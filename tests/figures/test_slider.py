"""The slider through pictures that are made before: it shows the one that it names, and its static form shows all."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from crashcourse.errors import CourseError
from crashcourse.figures import picture_slider
from crashcourse.figures.widgets.slider import draw_settings, slider_widget

GREYS = torch.tensor([0.2, 0.5, 0.8]).view(3, 1, 1, 1).expand(3, 3, 8, 8)
WEIGHTS = ["1e5", "1e6", "1e7"]


def shade(html: str) -> float:
    """The grey in the middle of a picture in HTML, 0 to 1."""
    encoded = re.search(r"base64,([^\"]+)", html).group(1)
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("L"))
    return pixels[2 * pixels.shape[0] // 3, pixels.shape[1] // 2] / 255


def test_the_slider_shows_the_picture_that_it_names():
    """Picture and words belong to different settings, or neither follows the slider."""
    slider, picture = slider_widget(GREYS, WEIGHTS, "style weight", 1).children
    for number, name in enumerate(WEIGHTS):
        slider.value = number
        assert slider.label == name
        assert f'aria-live="polite">style weight {name}: picture {number + 1} of 3</p>' in picture.value
        assert shade(picture.value) == pytest.approx(float(GREYS[number, 0, 0, 0]), abs=0.02)


def test_static_output_shows_every_setting(displayed):
    """Where widgets do not run, a learner sees one setting alone, and not what the knob does."""
    picture_slider(GREYS, WEIGHTS, knob="style weight")
    assert displayed[0]["data"]["text/plain"] == "3 pictures, one for each style weight: 1e5, 1e6, 1e7."
    assert "image/png" in displayed[0]["data"]
    fig, _ = draw_settings(GREYS, WEIGHTS, "style weight")
    assert [axes.get_title() for axes in fig.axes] == WEIGHTS


def test_live_output_is_a_widget_with_words(watched):
    """A screen reader, or a page without widgets, gets nothing."""
    picture_slider(list(GREYS), [5, 6, 7], knob="style weight", start=2)
    (shown,) = watched
    assert shown["data"]["text/plain"] == "style weight 7: picture 3 of 3"
    assert "application/vnd.jupyter.widget-view+json" in shown["data"]


@pytest.mark.parametrize(
    ("images", "settings", "start", "sentence"),
    [
        (GREYS, WEIGHTS[:2], 0, "3 pictures and 2 settings"),
        (GREYS[:1], WEIGHTS[:1], 0, "two pictures or more"),
        (GREYS, ["1", "1", "2"], 0, "another one"),
        (GREYS, WEIGHTS, 3, "0 to 2"),
    ],
)
def test_what_no_slider_can_show_is_refused(images, settings, start, sentence):
    """A slip ends in an error of a widget, or a picture is never shown."""
    with pytest.raises(CourseError, match=sentence):
        picture_slider(images, settings, knob="style weight", start=start)
