"""What a learner's hands do in JupyterLab, and what their eyes and screen reader wait for."""

import re

from tests.browser.conftest import TOKEN


def open_lesson(page, lab, stem: str) -> None:
    """Open a lesson and wait until its kernel listens; before that, JupyterLab asks which kernel to use."""
    page.goto(f"{lab.address}/lab/tree/{stem}.ipynb?token={TOKEN}")
    page.locator(".jp-NotebookPanel:visible .jp-Cell").first.wait_for(timeout=60_000)
    for _ in range(120):
        sessions = page.request.get(f"{lab.address}/api/sessions?token={TOKEN}").json()
        states = [session["kernel"]["execution_state"] for session in sessions if stem in session["path"]]
        if states == ["idle"]:
            break
        page.wait_for_timeout(500)
    assert states == ["idle"], f"the kernel of {stem} did not start: {states}"
    page.wait_for_timeout(1000)


def cell_with(page, text: str):
    return page.locator(".jp-NotebookPanel:visible .jp-CodeCell", has=page.locator(".cm-content", has_text=text)).first


def output_of(cell):
    return cell.locator(".jp-Cell-outputArea")


def retype(page, cell, source: str) -> None:
    """Replace a cell's source as a learner does, and run it."""
    cell.locator(".cm-content").click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.insert_text(source)
    page.keyboard.press("Shift+Enter")


def run(page, cell) -> None:
    """Run one cell."""
    cell.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")


def run_again(page, cell) -> None:
    """Run one cell, and wait until it has a new number."""
    prompt = cell.locator(".jp-InputPrompt")
    before = prompt.inner_text()
    run(page, cell)
    for _ in range(120):
        now = prompt.inner_text()
        if now != before and re.search(r"\d", now):
            return
        page.wait_for_timeout(500)
    raise AssertionError(f"the cell {before} was not run again within a minute")


def run_all(page) -> None:
    """Run every cell from a clean sheet, and wait until each of them has run."""
    page.get_by_role("menuitem", name="Edit", exact=True).click()
    page.get_by_role("menuitem", name="Clear Outputs of All Cells", exact=True).click()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    prompts = page.locator(".jp-NotebookPanel:visible .jp-CodeCell .jp-InputPrompt")
    cells = prompts.count()
    prompts.filter(has_text=re.compile(r"\[\d+\]")).nth(cells - 1).wait_for(timeout=180_000)


def open_prepared(page, lab, stem: str, source: str) -> None:
    """Open a lesson, and run a source that prints "ready" in place of its first cell."""
    open_lesson(page, lab, stem)
    first = page.locator(".jp-NotebookPanel:visible .jp-CodeCell").first
    retype(page, first, source)
    output_of(first).get_by_text("ready").wait_for(timeout=120_000)


def told(cell, words: str) -> None:
    """Wait until the line below a picture, which screen readers hear, says something."""
    output_of(cell).locator("[role=status]").filter(has_text=re.compile(re.escape(words))).wait_for(timeout=60_000)


def drag_to_the_end(page, cell) -> None:
    """Take the handle of a cell's slider with the mouse, and pull it beyond the right end of its track."""
    track = output_of(cell).locator(".noUi-base").bounding_box()
    handle = output_of(cell).get_by_role("slider").bounding_box()
    middle = handle["y"] + handle["height"] / 2
    page.mouse.move(handle["x"] + handle["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(track["x"] + track["width"] + 20, middle, steps=8)
    page.mouse.up()
