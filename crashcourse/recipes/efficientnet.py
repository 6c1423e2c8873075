"""Recipe of lesson 17: a small EfficientNet, made deeper, wider, larger in the image, or all three, at equal cost.

Paper: Tan and Le, 2019, arXiv:1905.11946, section 3 (figure 3: one dimension alone; figure 4: all three). **Differs
from the paper:** four stages on grey garments, which the base network sees at 14×14 pixels and the largest at 28×28,
all that the data has; a few epochs under one cycle; neither dropout nor stochastic depth, which would only slow down
networks that see each garment three times.
"""

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from crashcourse.classification.efficientnet import EfficientNet, small_efficientnet
from crashcourse.recipes.base import Job, Recipe, Run, Scale
from crashcourse.recipes.classifier import train_on_garments
from crashcourse.recipes.garments import DATA


class Size(NamedTuple):
    """Multipliers of the base network's channels and repeats, and the side of the images in pixels."""

    width: float = 1.0
    depth: float = 1.0
    side: int = 14


SIZES = {
    "base": Size(),
    "depth2": Size(depth=2.0),
    "depth4": Size(depth=4.0),
    "width2": Size(width=1.45),
    "width4": Size(width=2.15),
    "resolution2": Size(side=20),
    "resolution4": Size(side=28),
    "compound2": Size(1.05, 1.5, 16),
    "compound4": Size(1.15, 1.5, 18),
}
"""Variant -> its size; the number in the name is about how many times the base's multiply-adds it costs."""


class Resized(nn.Module):
    """A network that sees its images at another size.

    Args:
        network: what sees them.
        side: of the resized images, in pixels.
    """

    def __init__(self, network: nn.Module, side: int) -> None:
        super().__init__()
        self.network, self.side = network, side

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) float -> what the network makes of (N, C, side, side)."""
        return self.network(resize(images, self.side))

    def extra_repr(self) -> str:
        """The side of the images."""
        return f"side={self.side}"


def resize(images: Tensor, side: int) -> Tensor:
    """Square images of another size: bilinear, over wider areas where they shrink, so that no pixel is left out.

    Args:
        images: (N, C, H, W) float.
        side: of the result, in pixels.

    Returns:
        (N, C, side, side) float; the images themselves where they have that size.
    """
    if images.shape[-2:] == (side, side):
        return images
    return F.interpolate(images, size=(side, side), mode="bilinear", align_corners=False, antialias=True)


def scaled_network(variant: str, *, width: int = 16) -> Resized:
    """The network of a variant: `(N, 1, 28, 28)` float -> `(N, 10)`.

    Args:
        variant: one of `SIZES`.
        width: channels of the base's first convolution; the others go with it.
    """
    size = SIZES[variant]
    return Resized(small_efficientnet(width=size.width * width / 16, depth=size.depth), size.side)


def network_of(run: Run) -> EfficientNet:
    """The EfficientNet inside a trained run's model."""
    return run.model.network


def _train(job: Job) -> Run:
    return train_on_garments(scaled_network(job.variant, width=job.scale.width), job)


COMPARED = tuple(SIZES)

EFFICIENTNET_GARMENTS = Recipe(
    name="efficientnet_garments",
    title="a small EfficientNet on Fashion-MNIST, scaled",
    data=DATA,
    variants={
        "base": "six MBConv blocks, images of 14×14",
        "depth2": "twice the blocks",
        "depth4": "four times the blocks",
        "width2": "1.45 times the channels",
        "width4": "2.15 times the channels",
        "resolution2": "images of 20×20",
        "resolution4": "images of 28×28, all that there is",
        "compound2": "repeats times 1.5, channels times 1.05, images of 16×16",
        "compound4": "repeats times 1.5, channels times 1.15, images of 18×18",
    },
    scales={
        "laptop": Scale(epochs=2, batch_size=64, learning_rate=0.05, compares=("base",)),
        "study": Scale(epochs=3, batch_size=64, learning_rate=0.05, compares=COMPARED),
        "gpu": Scale(
            epochs=30, batch_size=128, learning_rate=0.1, width=32, data="full", augment=True, compares=COMPARED
        ),
    },
    run=_train,
)

RECIPES = [EFFICIENTNET_GARMENTS]
