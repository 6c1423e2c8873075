"""Both widgets of lesson 20 in JupyterLab: they follow the keyboard and the mouse, and no key runs a cell."""

import pytest

from crashcourse.figures.widgets.iou import iou_message
from tests.browser.hands import cell_with, drag_to_the_end, open_prepared, output_of, run, told

pytestmark = pytest.mark.browser

# What the lesson's own cells would set before the two widgets, without their figures.
START = """import torch
from crashcourse.datasets import scenes
from crashcourse.detection.simulated import simulated_detections
shown = scenes(9, seed=22, split="test", objects=(3, 6))
crowd = shown[2]
found = simulated_detections(
    crowd.boxes, crowd.labels, num_classes=5, size=(128, 128), seed=98, answers=5, missed=0.0, false_alarms=2
)
print("ready")
"""


@pytest.fixture
def lesson(page, lab):
    """Lesson 20, with what its widgets need."""
    open_prepared(page, lab, "20_boxes_and_nms", START)
    return page


def test_the_iou_explorer_follows_keys_and_mouse_in_the_notebook(lesson):
    """JupyterLab takes an arrow key or a drag for itself: the selection moves to another cell, and the box stays."""
    cell = cell_with(lesson, "iou_explorer((")
    run(lesson, cell)
    told(cell, iou_message((2, 3, 12, 13), (6, 8, 16, 18)))
    box = output_of(cell).locator("g[data-name=a]")
    box.focus()
    for key in ("ArrowRight", "ArrowDown", "Shift+ArrowRight"):
        lesson.keyboard.press(key)
    told(cell, iou_message((3, 4, 14, 14), (6, 8, 16, 18)))
    lesson.keyboard.press("Tab")
    lesson.keyboard.press("ArrowUp")
    told(cell, iou_message((3, 4, 14, 14), (6, 7, 16, 17)))

    sides = box.locator(".body").bounding_box()
    unit = sides["width"] / 11
    x, y = sides["x"] + 2 * unit, sides["y"] + 2 * unit  # where b does not lie
    lesson.mouse.move(x, y)
    lesson.mouse.down()
    lesson.mouse.move(x + 3 * unit, y - 2 * unit, steps=5)
    lesson.mouse.up()
    told(cell, iou_message((6, 2, 17, 12), (6, 7, 16, 17)))


def test_the_nms_slider_follows_keys_and_mouse_in_the_notebook(lesson):
    """The slider does not follow the keyboard or the mouse, or the picture and its words stay as they were."""
    cell = cell_with(lesson, "nms_explorer(")
    run(lesson, cell)
    told(cell, "Threshold 0.50: 6 of 18 boxes stay")
    slider = output_of(cell).get_by_role("slider")
    picture = output_of(cell).locator("img")
    before = picture.get_attribute("src")
    slider.focus()
    lesson.keyboard.press("ArrowRight")
    lesson.keyboard.press("ArrowRight")
    told(cell, "Threshold 0.60: 9 of 18 boxes stay")
    assert picture.get_attribute("src") != before
    for _ in range(4):
        lesson.keyboard.press("ArrowLeft")
    told(cell, "Threshold 0.40: 6 of 18 boxes stay")
    drag_to_the_end(lesson, cell)
    told(cell, "Threshold 1.00: 18 of 18 boxes stay")
