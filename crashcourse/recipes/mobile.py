"""Recipe of lesson 16: small networks for phones on Fashion-MNIST, each beside the same network without its idea.

Papers: MobileNet: Howard et al., 2017, arXiv:1704.04861, table 4 (separable against full convolutions). MobileNetV2:
Sandler et al., 2018, arXiv:1801.04381, figure 6a (linear against ReLU6 bottlenecks). ShuffleNet: Zhang et al., 2018,
arXiv:1707.01083, table 3 (with and without the shuffle). SqueezeNet: Iandola et al., 2016, arXiv:1602.07360.
**Differs from the papers:** networks of six to twenty layers for grey images of 28×28 and ten classes; a few epochs
under one cycle. SqueezeNet trains by AdamW (Loshchilov and Hutter, 2017, arXiv:1711.05101) at a hundredth of the rate.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from torch import nn

from crashcourse.classification.mobilenet import (
    InvertedResidual,
    MobileNetV1,
    MobileNetV2,
    full_conv,
)
from crashcourse.classification.shufflenet import ShuffleNetV1, ShuffleNetV2
from crashcourse.classification.squeezenet import SqueezeNet
from crashcourse.recipes.base import Job, Recipe, Run, Scale
from crashcourse.recipes.classifier import ClassifierSettings, train_on_garments
from crashcourse.recipes.garments import DATA

LAYERS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1))
"""Output channels and stride of the blocks of the small version 1, before its width."""
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 2, 2))
"""Expansion, channels, repeats and first stride of the stages of the small version 2."""


def small_mobilenet_v1(*, width: float = 0.5, full: bool = False, stem_stride: int = 2) -> MobileNetV1:
    """Five separable convolutions: `(N, 1, 28, 28)` float -> `(N, 10)`.

    Args:
        width: the multiplier of all channels.
        full: 3×3 convolutions over all channels in place of the separable ones.
        stem_stride: stride of the first convolution.
    """
    block = {"block": full_conv} if full else {}
    return MobileNetV1(10, width=width, in_channels=1, stem_stride=stem_stride, layers=LAYERS, **block)


def small_mobilenet_v2(*, width: float = 0.5, linear: bool = True, stem_stride: int = 2) -> MobileNetV2:
    """Five inverted residuals: `(N, 1, 28, 28)` float -> `(N, 10)`.

    Args:
        width: the multiplier of all channels.
        linear: False puts a ReLU6 after every projection.
        stem_stride: stride of the first convolution.
    """
    return MobileNetV2(
        10,
        width=width,
        dropout=0.0,
        in_channels=1,
        stem_stride=stem_stride,
        stages=STAGES,
        last_channels=128,
        block=partial(InvertedResidual, linear=linear),
    )


def small_shufflenet_v1(*, groups: int = 8, width: float = 1.0, shuffle: bool = True) -> ShuffleNetV1:
    """Six shuffle units: `(N, 1, 28, 28)` float -> `(N, 10)`.

    Args:
        groups: of the 1×1 convolutions.
        width: multiplier of all channels.
        shuffle: False leaves out every shuffle.
    """
    return ShuffleNetV1(
        10,
        groups=groups,
        width=width,
        in_channels=1,
        channels=(96, 192, 384),
        repeats=(2, 2, 2),
        small_images=True,
        shuffle=shuffle,
    )


def small_shufflenet_v2() -> ShuffleNetV2:
    """Six split units: `(N, 1, 28, 28)` float -> `(N, 10)`."""
    return ShuffleNetV2(10, in_channels=1, channels=(48, 96, 192, 256), repeats=(2, 2, 2), small_images=True)


def small_squeezenet(*, rectified: bool = False) -> SqueezeNet:
    """Six fire modules: `(N, 1, 28, 28)` float -> `(N, 10)`.

    Args:
        rectified: the paper's ReLU after the last convolution, which can silence one of ten classes for good.
    """
    return SqueezeNet(10, version="small", dropout=0.2, in_channels=1, rectified=rectified)


NARROW = 0.35
"""What makes full convolutions as cheap as the separable ones: about √(1/9 + 1/K), for the network's typical K."""

NETWORKS: Mapping[str, Callable[[float], nn.Module]] = {
    "separable": lambda width: small_mobilenet_v1(width=width),
    "full": lambda width: small_mobilenet_v1(width=width, full=True),
    "full_narrow": lambda width: small_mobilenet_v1(width=NARROW * width, full=True),
    "shuffle": lambda width: small_shufflenet_v1(width=max(1, 2 * width)),  # narrower it cannot be cut into groups
    "no_shuffle": lambda width: small_shufflenet_v1(width=max(1, 2 * width), shuffle=False),
    "linear": lambda width: small_mobilenet_v2(width=width),
    "relu": lambda width: small_mobilenet_v2(width=width, linear=False),
    "shuffle_v2": lambda width: small_shufflenet_v2(),
    "squeeze": lambda width: small_squeezenet(),
    "squeeze_relu": lambda width: small_squeezenet(rectified=True),
}
"""Variant -> its network, from the multiplier of version 1."""


def mobile_variant(variant: str, scale: Scale) -> nn.Module:
    """The network of a variant at a scale: `(N, 1, 28, 28)` float -> `(N, 10)`."""
    return NETWORKS[variant](scale.width / 32)


def _train(job: Job) -> Run:
    model, settings = mobile_variant(job.variant, job.scale), ClassifierSettings()
    if job.variant.startswith("squeeze"):  # it has no BatchNorm, and plain gradient descent hardly moves it
        job = replace(job, scale=replace(job.scale, learning_rate=job.scale.learning_rate / 100))
        settings = ClassifierSettings(optimizer="adamw")
    return train_on_garments(model, job, settings=settings)


COMPARED = (
    "separable",
    "full",
    "full_narrow",
    "linear",
    "relu",
    "shuffle",
    "no_shuffle",
    "squeeze",
    "squeeze_relu",
)

RECIPES = [
    Recipe(
        name="mobile_garments",
        title="small MobileNets, ShuffleNets and SqueezeNets on Fashion-MNIST",
        data=DATA,
        variants={
            "separable": "MobileNet v1, five separable convolutions",
            "full": "the same layout with full 3×3 convolutions",
            "full_narrow": "full 3×3 convolutions, narrowed to the cost of the separable ones",
            "linear": "MobileNet v2, five inverted residuals",
            "relu": "the same with a ReLU6 after every projection",
            "shuffle": "ShuffleNet v1, six units of eight groups",
            "no_shuffle": "the same without any shuffle",
            "shuffle_v2": "ShuffleNet v2, six split units",
            "squeeze": "SqueezeNet, six fire modules, no ReLU after the last convolution",
            "squeeze_relu": "the same with the paper's last ReLU",
        },
        scales={
            "laptop": Scale(epochs=3, batch_size=128, learning_rate=0.3, compares=("separable",)),
            "study": Scale(epochs=6, batch_size=128, learning_rate=0.3, compares=COMPARED),
            "gpu": Scale(
                epochs=30, batch_size=128, learning_rate=0.3, width=32, data="full", augment=True, compares=COMPARED
            ),
        },
        run=_train,
    )
]
