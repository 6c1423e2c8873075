"""A learner's JupyterLab, as `crashcourse lab` opens it, and a headless Chromium in front of it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
TOKEN = "learner"
# All cells in the page at once, so that the test can find each without scrolling.
SETTINGS = {"@jupyterlab/notebook-extension/tracker.jupyterlab-settings": {"windowingMode": "none"}}


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: where it answers, where its notebooks are, where progress is kept."""

    address: str
    workspace: Path
    environment: dict[str, str]


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if not CHROMIUM:
        pytest.skip("there is no Chromium or Chrome here; install one to test the course in a browser")
    folder = tmp_path_factory.mktemp("learner")
    for name, content in SETTINGS.items():
        path = folder / "settings" / name
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(content))
    hidden = ("CRASHCOURSE_STATIC", "PYTHONPATH", "PYTEST_CURRENT_TEST", "PYTEST_XDIST_WORKER")
    environment = {name: value for name, value in os.environ.items() if name not in hidden} | {
        "CRASHCOURSE_HOME": str(folder / "home"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "layouts"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_TOKEN": TOKEN,
    }
    port = _free_port()
    command = [sys.executable, "-m", "crashcourse", "lab", "--no-browser", "--port", str(port)]
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [*command, "--workspace", str(folder / "course")],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/api?token={TOKEN}", process, folder / "log.txt")
        yield Lab(address, folder / "course", environment)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(address: str, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + 90
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except OSError:
            assert process.poll() is None, f"crashcourse lab ended:\n{log.read_text()}"
            time.sleep(0.3)
    raise AssertionError(f"JupyterLab did not answer within 90 s:\n{log.read_text()}")


@pytest.fixture
def page(lab: Lab) -> Iterator:
    from playwright.sync_api import sync_playwright

    arguments = ["--disable-gpu", "--disable-background-networking", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page(viewport={"width": 1180, "height": 1000})
        page.set_default_timeout(30_000)
        yield page
        browser.close()
