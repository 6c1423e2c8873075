"""Recipe of lesson 15: a ResNet of 20 layers on Fashion-MNIST, without and with squeeze-and-excitation.

Paper: Hu, Shen, Albanie, Sun and Wu, 2017, arXiv:1709.01507, section 5.1 (CIFAR) and 6.1 (the reduction ratio).
**Differs from the paper:** grey garments of 28×28, a few epochs under one cycle; at laptop and study scale half the
channels and a stem of stride 4, as in lesson 13. The variants `constant` and `own` are this course's own controls:
gates that are the same for every image, and gates that each see one channel only.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from crashcourse.classification.resnet_cifar import CifarResNet
from crashcourse.classification.senet import SECifarBlock, SqueezeExcitation
from crashcourse.errors import unknown
from crashcourse.recipes.base import Job, Recipe, Run, Scale
from crashcourse.recipes.classifier import train_on_garments
from crashcourse.recipes.garments import DATA


class ConstantGate(nn.Module):
    """A gate for every channel that does not look at the image: a learned score, then a sigmoid.

    Args:
        channels: of the maps, C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, maps: Tensor) -> Tensor:
        """The maps, every channel scaled by its gate: (N, C, H, W) float -> (N, C, H, W) float."""
        return maps * self.score.sigmoid()


class OwnGate(nn.Module):
    """A gate for every channel that looks at the mean of this channel alone: score = weight · mean + bias.

    Args:
        channels: of the maps, C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, maps: Tensor) -> Tensor:
        """The maps, every channel scaled by its gate: (N, C, H, W) float -> (N, C, H, W) float."""
        means = maps.mean((2, 3), keepdim=True)  # (N, C, 1, 1)
        return maps * (self.weight * means + self.bias).sigmoid()


def squeeze_excitation(channels: int, *, reduction: int) -> SqueezeExcitation:
    """The block with channels // reduction units between its layers, and one where none would be left."""
    return SqueezeExcitation(channels, squeezed=max(channels // reduction, 1))


GATES: dict[str, Callable[[int], nn.Module]] = {
    "se": partial(squeeze_excitation, reduction=4),
    "se16": partial(squeeze_excitation, reduction=16),
    "own": OwnGate,
    "constant": ConstantGate,
    "none": nn.Identity,
}
"""Variant -> what makes the gates of a block, from its channels."""


def small_senet(variant: str = "se", *, depth: int = 20, width: int = 8, stem_stride: int = 4) -> nn.Module:
    """A ResNet for small grey images, its residuals gated in one of the ways of `GATES`.

    Args:
        variant: a name of `GATES`; "se" is squeeze-and-excitation with reduction 4, "none" the ResNet itself.
        depth: 6n + 2.
        width: channels of the first stage; they double where the maps halve.
        stem_stride: stride of the first convolution.

    Returns:
        `(N, 1, 28, 28)` float -> `(N, 10)`.

    Raises:
        CourseError: an unknown variant, a depth that is not 6n + 2, or a number below 1.
    """
    if variant not in GATES:
        raise unknown("variant", variant, GATES)
    block = partial(SECifarBlock, se=GATES[variant])
    return CifarResNet(depth, in_channels=1, width=width, stem_stride=stem_stride, block=block)


def _train(job: Job) -> Run:
    scale = job.scale
    stem_stride = 1 if scale.data == "full" else 4
    return train_on_garments(small_senet(job.variant, width=scale.width, stem_stride=stem_stride), job)


COMPARED = ("se", "se16", "own", "constant", "none")

RECIPES = [
    Recipe(
        name="senet_garments",
        title="a ResNet of 20 layers on Fashion-MNIST, with and without squeeze-and-excitation",
        data=DATA,
        variants={
            "se": "squeeze-and-excitation, reduction 4",
            "se16": "squeeze-and-excitation, reduction 16",
            "own": "each gate from the mean of its own channel alone",
            "constant": "gates that are learned and the same for every image",
            "none": "no gates: the ResNet of lesson 13",
        },
        scales={
            "laptop": Scale(epochs=3, batch_size=128, learning_rate=0.1, width=8, compares=("se",)),
            "study": Scale(epochs=6, batch_size=128, learning_rate=0.1, width=8, compares=COMPARED),
            "gpu": Scale(
                epochs=30, batch_size=128, learning_rate=0.1, width=16, data="full", augment=True, compares=COMPARED
            ),
        },
        run=_train,
    )
]
