"""Recipe of lesson 14: a small DenseNet on Fashion-MNIST, and networks that add or replace where it concatenates.

Paper: Huang, Liu, van der Maaten and Weinberger, 2017, arXiv:1608.06993, sections 3 and 5. **Differs from the paper:**
grey garments of 28×28 and a stem of stride 2; a few epochs under one cycle. The comparison is this course's own: the
paper compares with published ResNets, this recipe with networks of the same depth, weights and multiply-adds.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crashcourse.classification.densenet import Configuration, DenseBlock, DenseLayer, DenseNet, Transition
from crashcourse.recipes.base import Job, Recipe, Run, Scale
from crashcourse.recipes.classifier import train_on_garments
from crashcourse.recipes.garments import DATA


def small_densenet(
    num_classes: int = 10,
    *,
    growth: int = 8,
    blocks: Sequence[int] = (6, 6, 6),
    compact: bool = True,
    stem_stride: int = 2,
    in_channels: int = 1,
    checkpointing: bool = False,
) -> DenseNet:
    """A DenseNet for small images on a laptop: by default 40 layers, 79,562 parameters, 6.0 million multiply-adds.

    Args:
        num_classes: size of the output.
        growth: channels that every layer adds, k.
        blocks: how many layers each dense block has.
        compact: the paper's "BC": bottlenecks, transitions that halve the channels, 2k channels after the stem. False
            for its basic form: one 3×3 convolution a layer, transitions that keep all channels, 16 after the stem.
        stem_stride: stride of the first convolution.
        in_channels: channels of the images.
        checkpointing: as for `DenseNet`.

    Returns:
        `(N, in_channels, 28, 28)` float -> `(N, num_classes)`.

    Raises:
        CourseError: a number is out of its range.
    """
    form = {"stem_channels": 2 * growth} if compact else {"stem_channels": 16, "bottleneck": 0, "compression": 1.0}
    configuration = Configuration(growth, tuple(blocks), small_images=True, stem_stride=stem_stride, **form)
    return DenseNet(configuration, num_classes, in_channels=in_channels, checkpointing=checkpointing)


class JoinedBlock(nn.ModuleList):
    """Layers as in a dense block, BN-ReLU-1×1-BN-ReLU-3×3, each of which sees the maps before it and nothing else.

    Args:
        layers: how many.
        width: channels of all maps.
        adds: a layer adds its maps to those before it (residual); if not, they take their place (plain).
    """

    def __init__(self, layers: int, width: int, *, adds: bool) -> None:
        super().__init__(DenseLayer(width, width, bottleneck=1) for _ in range(layers))
        self.adds = adds

    def forward(self, maps: Tensor) -> Tensor:
        """(N, width, H, W) -> (N, width, H, W)."""
        for layer in self:
            new = layer([maps])
            maps = maps + new if self.adds else new
        return maps

    def extra_repr(self) -> str:
        return "residual" if self.adds else "plain"


class JoinedNet(nn.Module):
    """The network of a DenseNet with another way to join layers: same depth, and almost as many weights in each block.

    Equal weights on maps of equal size are equal multiply-adds, too.

    Args:
        dense: the network to match. It is left as it was.
        adds: as for `JoinedBlock`.
    """

    def __init__(self, dense: DenseNet, *, adds: bool) -> None:
        super().__init__()
        blocks = [len(part) for part in dense.features if isinstance(part, DenseBlock)]
        widths = matching_widths(dense)
        stem = dense.features.conv0
        self.features = nn.Sequential(nn.Conv2d(stem.in_channels, widths[0], 3, stem.stride, padding=1, bias=False))
        for place, (layers, width) in enumerate(zip(blocks, widths, strict=True)):
            if place:
                self.features.append(Transition(widths[place - 1], width))
            self.features.append(JoinedBlock(layers, width, adds=adds))
        self.features.append(nn.BatchNorm2d(widths[-1]))
        self.classifier = nn.Linear(widths[-1], dense.classifier.out_features)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores: (N, C, H, W) float -> (N, num_classes)."""
        features = F.relu(self.features(images))
        return self.classifier(torch.flatten(F.adaptive_avg_pool2d(features, 1), 1))


def matching_widths(dense: DenseNet) -> list[int]:
    """For each block, the width w at which layers of w² + 9w² weights, and a transition of w², weigh what it weighs."""
    weights, layers = [], []
    for part in dense.features:
        own = sum(module.weight.numel() for module in part.modules() if isinstance(module, nn.Conv2d))
        if isinstance(part, DenseBlock):
            weights.append(own)
            layers.append(10 * len(part))
        elif isinstance(part, Transition):
            weights[-1] += own
            layers[-1] += 1
    return [round((weight / count) ** 0.5) for weight, count in zip(weights, layers, strict=True)]


def dense_variant(variant: str, scale: Scale) -> nn.Module:
    """The network of a variant: `(N, 1, 28, 28)` float -> `(N, 10)`."""
    size = {"growth": scale.width, "blocks": scale.stages, "stem_stride": 1 if scale.data == "full" else 2}
    if variant in JOINED:
        return JoinedNet(small_densenet(**size), adds=JOINED[variant])
    return small_densenet(compact=variant == "dense", **size)


def _train(job: Job) -> Run:
    return train_on_garments(dense_variant(job.variant, job.scale), job)


JOINED = {"residual": True, "plain": False}
"""Variants that do not concatenate -> whether they add."""

COMPARED = ("dense", "residual", "plain", "basic")

RECIPES = [
    Recipe(
        name="densenet_garments",
        title="a small DenseNet on Fashion-MNIST",
        data=DATA,
        variants={
            "dense": "DenseNet-BC: layers concatenate",
            "residual": "layers add; as deep, as many weights and multiply-adds",
            "plain": "layers replace; as deep, as many weights and multiply-adds",
            "basic": "DenseNet without bottlenecks and compression, as many layers, equal growth",
        },
        scales={
            "laptop": Scale(epochs=2, batch_size=64, learning_rate=0.1, width=8, stages=(6, 6, 6), compares=("dense",)),
            "study": Scale(epochs=5, batch_size=64, learning_rate=0.1, width=8, stages=(6, 6, 6), compares=COMPARED),
            "gpu": Scale(
                epochs=30,
                batch_size=128,
                learning_rate=0.1,
                width=12,
                stages=(16, 16, 16),
                data="full",
                augment=True,
                compares=("dense", "residual"),
            ),
        },
        run=_train,
    )
]
