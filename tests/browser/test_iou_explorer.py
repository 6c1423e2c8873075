"""The IoU explorer on a page of its own: its script counts what the package counts, by mouse and by keyboard."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from crashcourse.figures.widgets.iou import iou_message, iou_page
from tests.browser.conftest import CHROMIUM

pytestmark = pytest.mark.browser


@pytest.fixture
def explorer(tmp_path: Path) -> Iterator:
    """A page with two boxes, (2, 3, 12, 13) and (6, 8, 16, 18), and nothing else."""
    if not CHROMIUM:
        pytest.skip("there is no Chromium or Chrome here; install one to test the course in a browser")
    from playwright.sync_api import sync_playwright

    file = tmp_path / "page.html"
    body = iou_page((2, 3, 12, 13), (6, 8, 16, 18))
    file.write_text(f'<!doctype html><meta charset="utf-8"><body>{body}</body>', encoding="utf-8")
    with sync_playwright() as playwright:
        arguments = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page(viewport={"width": 600, "height": 600})
        page.goto(file.as_uri())
        yield page
        browser.close()


def words(page) -> str:
    return page.locator("[role=status]").inner_text()


def drag(page, place: str, across: float, down: float) -> None:
    """From the middle of something, so many units of the field."""
    unit = page.locator("g[data-name=a] .body").bounding_box()["width"] / 10
    box = page.locator(place).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + across * unit, y + down * unit, steps=4)
    page.mouse.up()


def test_keys_move_and_stretch_a_box(explorer):
    """Fails if a box cannot be reached by Tab, an arrow does nothing, or the words are not the package's."""
    assert words(explorer) == iou_message((2, 3, 12, 13), (6, 8, 16, 18))
    explorer.keyboard.press("Tab")
    explorer.keyboard.press("ArrowRight")
    assert words(explorer) == iou_message((3, 3, 13, 13), (6, 8, 16, 18))
    explorer.keyboard.press("Shift+ArrowDown")
    assert words(explorer) == iou_message((3, 3, 13, 14), (6, 8, 16, 18))
    explorer.keyboard.press("Tab")
    explorer.keyboard.press("ArrowUp")
    assert words(explorer) == iou_message((3, 3, 13, 14), (6, 7, 16, 17))


def test_a_box_stays_in_the_field_and_keeps_a_width(explorer):
    """Fails if a box can be pushed out or turned inside out, which would give it a negative side."""
    explorer.keyboard.press("Tab")
    for _ in range(30):
        explorer.keyboard.press("Shift+ArrowLeft")
        explorer.keyboard.press("ArrowUp")
    assert words(explorer) == iou_message((2, 0, 3, 10), (6, 8, 16, 18))


def test_the_mouse_drags_a_box_and_a_corner(explorer):
    """Fails if a drag moves something else, or the words do not follow."""
    drag(explorer, "g[data-name=b] .body", 2, -20)
    assert words(explorer) == iou_message((2, 3, 12, 13), (8, 0, 18, 10))
    drag(explorer, "g[data-name=a] [data-corner='23']", 3, 2)
    assert words(explorer) == iou_message((2, 3, 15, 15), (8, 0, 18, 10))
