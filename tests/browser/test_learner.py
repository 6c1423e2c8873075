"""What a learner does in lesson 00 and 10, in a real browser."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.hands import cell_with, open_lesson, output_of, retype, run_again, run_all

pytestmark = pytest.mark.browser

ALMOST_RIGHT = """@exercise("start.to_float")
def to_float(images):
    return images / 256
"""
RIGHT = ALMOST_RIGHT.replace("256", "255")


def test_a_learner_works_through_lesson_00(page, lab):
    open_lesson(page, lab, "00_start_here")
    run_all(page)
    assert page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']").count() == 0

    exercise = cell_with(page, '@exercise("start.to_float")')
    retype(page, exercise, ALMOST_RIGHT)
    output_of(exercise).get_by_text("256").first.wait_for()
    output_of(exercise).get_by_text("Hint").first.wait_for()
    retype(page, exercise, RIGHT)
    output_of(exercise).get_by_text("passed").first.wait_for()

    question = cell_with(page, 'choice("start.measured"')
    question.get_by_role("radio").nth(1).check()
    question.get_by_role("button", name="Check").click()
    output_of(question).get_by_text("Passed").first.wait_for()
    run_all(page)
    if picture := os.environ.get("CRASHCOURSE_SCREENSHOT"):
        output_of(exercise).scroll_into_view_if_needed()
        page.wait_for_timeout(1500)
        page.screenshot(path=str(Path(picture)))

    page.keyboard.press("ControlOrMeta+s")
    page.wait_for_timeout(1500)
    page.reload()
    page.locator(".jp-NotebookPanel:visible .jp-Cell").first.wait_for(timeout=60_000)
    run_again(page, cell_with(page, "progress(0)"))  # what is stored in the notebook alone would show nothing
    output_of(cell_with(page, "progress(0)")).get_by_text("2 of 3 exercises passed").first.wait_for()
    assert "255" in exercise.locator(".cm-content").inner_text()

    told = subprocess.run(
        [sys.executable, "-m", "crashcourse", "status"], env=lab.environment, capture_output=True, text=True, timeout=60
    )
    line = next(line for line in told.stdout.splitlines() if "start.to_float" in line)
    assert "passed" in line


def test_the_receptive_field_explorer_moves(page, lab):
    open_lesson(page, lab, "10_convolution")
    imports = page.locator(".jp-NotebookPanel:visible .jp-CodeCell").first
    imports.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    explorer = cell_with(page, "receptive_field_explorer(")
    explorer.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    slider = explorer.get_by_role("slider").first
    slider.wait_for(timeout=60_000)
    before = output_of(explorer).inner_text()
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(2000)
    assert output_of(explorer).inner_text() != before, "the text beside the sliders did not follow"
