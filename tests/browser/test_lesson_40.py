"""The slider of lesson 40 in JupyterLab: it follows the keyboard and the mouse, and no key runs a cell."""

import pytest

from tests.browser.hands import cell_with, drag_to_the_end, open_prepared, output_of, run, told

pytestmark = pytest.mark.browser

# What the lesson's own cells would set before the slider, with greys in place of what takes seconds to paint.
START = """import torch
betas = {"1e4": 1e4, "1e6": 1e6, "1e7": 1e7, "1e9": 1e9}
pictures = torch.tensor([0.2, 0.4, 0.6, 0.8]).view(4, 1, 1, 1).expand(4, 3, 64, 64)
print("ready")
"""


@pytest.fixture
def lesson(page, lab):
    """Lesson 40, with what its slider needs."""
    open_prepared(page, lab, "40_style_transfer", START)
    return page


def test_the_style_slider_follows_keys_and_mouse_in_the_notebook(lesson):
    """The slider does not follow the keyboard or the mouse, or the picture and its words stay as they were."""
    cell = cell_with(lesson, "picture_slider(")
    run(lesson, cell)
    told(cell, "style weight 1e7: picture 3 of 4")
    slider = output_of(cell).get_by_role("slider")
    picture = output_of(cell).locator("img")
    before = picture.get_attribute("src")
    slider.focus()
    lesson.keyboard.press("ArrowRight")
    told(cell, "style weight 1e9: picture 4 of 4")
    assert picture.get_attribute("src") != before
    for _ in range(3):
        lesson.keyboard.press("ArrowLeft")
    told(cell, "style weight 1e4: picture 1 of 4")
    drag_to_the_end(lesson, cell)
    told(cell, "style weight 1e9: picture 4 of 4")
