"""Sharpness: by hand, and without a trace in the network."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from crashcourse import datasets
from crashcourse.errors import CourseError
from crashcourse.recipes import speed


class Weights(nn.Module):
    """A network that gives its weights as scores, so that a loss of them is what a test writes down."""

    def __init__(self, *values: float) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(values))

    def forward(self, images: Tensor) -> Tensor:
        return self.w.expand(len(images), -1)


IMAGES, LABELS = torch.zeros(4, 1, 2, 2), torch.zeros(4, dtype=torch.int64)


def bowl(scores: Tensor, labels: Tensor) -> Tensor:
    """3 a² + b², the mean over the batch."""
    return (3 * scores[:, 0] ** 2 + scores[:, 1] ** 2).mean()


def test_sharpness_of_a_quadratic_by_hand() -> None:
    """Fails if the box, its corner or the loss at the start is wrong.

    At (1, -2) with epsilon 0.1: reaches 0.2 and 0.3, corner (1.2, -2.3): 3 · 1.44 + 5.29 - (3 + 4) = 2.61.
    """
    assert speed.sharpness(Weights(1.0, -2.0), IMAGES, LABELS, epsilon=0.1, loss=bowl) == pytest.approx(2.61, abs=1e-5)
    assert speed.sharpness(Weights(1.0, -2.0), IMAGES, LABELS, epsilon=0.1, loss=bowl, batch_size=3) == pytest.approx(
        2.61, abs=1e-5
    )
    one = speed.sharpness(Weights(1.0, -2.0), IMAGES, LABELS, epsilon=0.1, steps=1, loss=bowl)
    assert one == pytest.approx(3 * 1.05**2 + 2.075**2 - 7, abs=1e-5)  # a quarter of the way


def test_a_flat_place_is_not_sharp_and_the_weights_stay() -> None:
    """Fails if the rise can be negative, or the model is left at the corner of the box."""
    model = Weights(0.5, 3.0)
    assert speed.sharpness(model, IMAGES, LABELS, loss=lambda scores, labels: 0 * scores.sum()) == 0
    assert speed.sharpness(model, IMAGES, LABELS, loss=bowl) > 0
    assert model.w.tolist() == [0.5, 3.0]
    assert model.w.grad is None


def test_sharpness_leaves_a_real_network_as_it_was() -> None:
    """Fails if statistics or weights move, also where the loss breaks on the way."""
    garments = datasets.garments("test").take(64)
    torch.manual_seed(0)
    model = speed.small_vgg(width=4).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    rise = speed.sharpness(model, garments.normalised(), garments.labels)
    assert 0 < rise < speed.sharpness(model, garments.normalised(), garments.labels, epsilon=1e-2)
    calls = [0]

    def breaks(scores: Tensor, labels: Tensor) -> Tensor:
        calls[0] += 1
        if calls[0] == 3:
            raise RuntimeError("no")
        return nn.functional.cross_entropy(scores, labels)

    with pytest.raises(RuntimeError, match="no"):
        speed.sharpness(model, garments.normalised(), garments.labels, loss=breaks)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [({"epsilon": 0.0}, "above 0; got 0.0"), ({"steps": 0}, "4 images, 0 steps"), ({"empty": True}, "got 0 images")],
)
def test_sharpness_refuses_what_has_none(options: dict[str, Any], sentence: str) -> None:
    """Fails if an empty box or an empty set is measured as flat."""
    images = IMAGES[:0] if options.pop("empty", False) else IMAGES
    with pytest.raises(CourseError, match=sentence):
        speed.sharpness(Weights(1.0), images, LABELS[: len(images)], **options)
