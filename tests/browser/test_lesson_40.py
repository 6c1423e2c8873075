"""The slider of lesson 40 in JupyterLab: it follows the keyboard and the mouse, and no key runs a cell."""

import re

import pytest

from tests.browser.test_learner import cell_with, open_lesson, output_of

pytestmark = pytest.mark.browser

# What the lesson's own cells would set before the slider, with greys in place of what takes seconds to paint.
START = """import torch
betas = {"1e4": 1e4, "1e6": 1e6, "1e7": 1e7, "1e9": 1e9}
pictures = torch.tensor([0.2, 0.4, 0.6, 0.8]).view(4, 1, 1, 1).expand(4, 3, 64, 64)
print("ready")
"""


def told(cell, words: str) -> None:
    """Wait until the line below the picture, which screen readers hear, says something."""
    output_of(cell).locator("[role=status]").filter(has_text=re.compile(re.escape(words))).wait_for(timeout=60_000)


@pytest.fixture
def lesson(page, lab):
    """Lesson 40, with what its slider needs."""
    open_lesson(page, lab, "40_style_transfer")
    first = page.locator(".jp-NotebookPanel:visible .jp-CodeCell").first
    first.locator(".cm-content").click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.insert_text(START)
    page.keyboard.press("Shift+Enter")
    output_of(first).get_by_text("ready").wait_for(timeout=120_000)
    return page


def test_the_style_slider_follows_keys_and_mouse_in_the_notebook(lesson):
    """The slider does not follow the keyboard or the mouse, or the picture and its words stay as they were."""
    cell = cell_with(lesson, "picture_slider(")
    cell.locator(".cm-content").click()
    lesson.keyboard.press("Shift+Enter")
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

    track = output_of(cell).locator(".noUi-base").bounding_box()
    handle = slider.bounding_box()
    lesson.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    lesson.mouse.down()
    lesson.mouse.move(track["x"] + track["width"] + 20, handle["y"] + handle["height"] / 2, steps=8)
    lesson.mouse.up()
    told(cell, "style weight 1e9: picture 4 of 4")
