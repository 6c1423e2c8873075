"""Every test of training runs on one CPU device and leaves accelerate's process-wide state as it found it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# So that tests, and the processes that they start, can import `training_helpers`.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def fresh_accelerate(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from accelerate.state import AcceleratorState, GradientState

    monkeypatch.setenv("CRASHCOURSE_STATIC", "1")
    yield
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
