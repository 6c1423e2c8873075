"""Weights that travel with the course are torchvision's, and a damaged file is a sentence."""

import pytest
import torch

from crashcourse.classification.vgg import vgg16
from crashcourse.datasets import pretrained, vgg16_weights
from crashcourse.errors import CourseError

# What a torchvision VGG-16 trained on ImageNet holds, as printed in public, to four places.
PRINTED = {
    ("features.0.weight", (0, 0)): [[-0.5537, 0.1427, 0.5290], [-0.5831, 0.3566, 0.7657], [-0.6902, -0.0480, 0.4841]],
    ("features.0.weight", (63, 2)): [[0.4603, 0.4340, 0.2835], [0.1634, -0.0582, -0.1920], [-0.1952, -0.4563, -0.4273]],
    ("features.2.weight", (63, 63)): [[0.0238, 0.0457, 0.0673], [0.0111, 0.0320, -0.0584], [0.0268, -0.0940, -0.0405]],
    ("features.17.bias", (10,)): 0.2948,
    ("features.17.bias", (2,)): -0.0952,
}


def test_they_are_torchvisions() -> None:
    """Kernels are transposed, mirrored or mixed up, or the weights are another network's."""
    weights = vgg16_weights()
    for (name, place), expected in PRINTED.items():
        torch.testing.assert_close(weights[name][place], torch.tensor(expected), atol=3e-4, rtol=0)


def test_they_fit_vgg_16_up_to_conv4_1() -> None:
    """A layer is missing, or a name is not torchvision's."""
    with torch.device("meta"):
        shapes = {name: values.shape for name, values in vgg16().state_dict().items()}
    weights = vgg16_weights()
    assert list(weights) == sorted(weights)
    expected = {f"features.{place}.{kind}" for place in (0, 2, 5, 7, 10, 12, 14, 17) for kind in ("weight", "bias")}
    assert weights.keys() == expected
    assert all(values.shape == shapes[name] and values.dtype == torch.float32 for name, values in weights.items())


def test_a_damaged_file_is_a_sentence(tmp_path, monkeypatch) -> None:
    """The learner gets an error of a library that she has never heard of."""
    monkeypatch.setattr(pretrained, "data_dir", lambda: tmp_path)
    with pytest.raises(CourseError, match="Could not read the weights"):
        vgg16_weights()
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "vgg16_conv4_1.safetensors").write_bytes(b"1234567890")
    with pytest.raises(CourseError, match="Restore"):
        vgg16_weights()
