"""Every test has its own home and its own folder of records, and the recipe "tiny"; some have few garments."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

# So that tests, and the processes that they start, can import `tiny_recipe`.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    import tiny_recipe
    from accelerate.state import AcceleratorState, GradientState

    from crashcourse import places
    from crashcourse.recipes import recipes

    monkeypatch.setenv("CRASHCOURSE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CRASHCOURSE_STATIC", "1")
    monkeypatch.setattr(places, "records_dir", lambda: tmp_path / "records")
    monkeypatch.setitem(recipes(), "tiny", tiny_recipe.TINY)
    tiny_recipe.TRAINED.clear()
    yield tmp_path
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 garments to train on and 64 to test, networks of width 4, batches of 16."""
    from crashcourse import datasets
    from crashcourse.recipes import recipes

    real = datasets.garments
    monkeypatch.setattr(datasets, "garments", lambda split="train", *, size="subset": real(split).take(64))
    for name in ("speed_garments", "vgg_garments"):
        recipe = recipes()[name]
        scales = {scale: replace(budget, width=4, batch_size=16) for scale, budget in recipe.scales.items()}
        monkeypatch.setitem(recipes(), name, replace(recipe, scales=scales))
