"""What the figures' tests share: a notebook that keeps what it was asked to display."""

import IPython.display
import pytest

from crashcourse.figures import display, live, source, tables
from crashcourse.figures.widgets import iou, nms, receptive_field, slider


class Handle:
    """Stands for IPython's display handle: later updates land in the same list, marked as updates."""

    def __init__(self, shown: list):
        self.shown = shown

    def update(self, data, **options):
        self.shown.append({"data": data, "update": True, **options})


@pytest.fixture
def displayed(monkeypatch) -> list[dict]:
    """Pretend to be a static notebook; the list holds every display, in order."""
    shown: list[dict] = []

    def record(data, **options):
        shown.append({"data": data, "update": False, **options})
        return Handle(shown) if options.get("display_id") else None

    monkeypatch.setattr(IPython.display, "display", record)
    for module in (display, source, tables):
        monkeypatch.setattr(module, "in_notebook", lambda: True)
    return shown


@pytest.fixture
def watched(displayed, monkeypatch) -> list[dict]:
    """Pretend to be a notebook that a person watches."""
    for module in (live, receptive_field, iou, nms, slider):
        monkeypatch.setattr(module, "is_live", lambda: True)
    return displayed
