"""Weights: through a file and back, and what is refused."""

from pathlib import Path

import pytest
import torch
from torch import nn

from crashcourse.errors import CourseError
from crashcourse.recipes import Card, load_weights, save_weights

CARD = Card(
    model="two layers", recipe="none", data="noise, free", metrics={"accuracy": 0.5}, licence="MIT", made="by a test"
)


def model(width: int = 4) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, width, 3), nn.BatchNorm2d(width))


def test_round_trip_in_half_precision(tmp_path: Path) -> None:
    """Fails if weights lose more than half precision does, counters are rounded, or the file is not half the size."""
    saved, loaded = model(), nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
    saved[1].num_batches_tracked.fill_(100_001)
    save_weights(saved, tmp_path / "a.safetensors", CARD)
    load_weights(loaded, tmp_path / "a.safetensors")
    for (name, a), b in zip(saved.state_dict().items(), loaded.state_dict().values(), strict=True):
        assert a.dtype == b.dtype
        assert torch.equal(a.half().to(a.dtype) if a.is_floating_point() else a, b), name
    card = (tmp_path / "a.md").read_text()
    for part in ("# a.safetensors", "two layers", "noise, free", "test accuracy 0.5000", "MIT", "by a test"):
        assert part in card


def test_values_beyond_half_precision_are_refused(tmp_path: Path) -> None:
    """Fails if a large weight becomes infinity in silence."""
    large = model()
    with torch.no_grad():
        large[0].weight[0] = 1e6
    with pytest.raises(CourseError, match=r"0\.weight holds values beyond float16 \(largest 1e\+06\)"):
        save_weights(large, tmp_path / "a.safetensors", CARD)
    assert list(tmp_path.glob("*.safetensors")) == []


def test_bad_files_are_refused(tmp_path: Path) -> None:
    """Fails if a missing, cut or foreign file ends in a traceback, or changes the model."""
    path = tmp_path / "a.safetensors"
    save_weights(model(), path, CARD)
    with pytest.raises(CourseError, match=r"another model: 0\.weight is \(4, 1, 3, 3\) there and \(5, 1, 3, 3\) here"):
        load_weights(model(5), path)
    with pytest.raises(CourseError, match=r"1\.\w+ is \(.*\) there and missing here"):
        load_weights(model()[:1], path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(CourseError, match="cut short"):
        load_weights(model(), path)
    with pytest.raises(CourseError, match="Could not read the weights"):
        load_weights(model(), tmp_path / "none.safetensors")
    with pytest.raises(CourseError, match=r"ends in \.safetensors"):
        save_weights(model(), tmp_path / "a.pt", CARD)
