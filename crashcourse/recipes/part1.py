"""Every network of part 1 on the same garments, at the same cost: what lesson 17 draws on one chart.

Each network keeps its paper's form, and is as wide as costs about two million multiply-adds for an image of 28×28. All
see the same images in the same order, under the same optimizer and schedule. **Differs from the papers:** everything
that made each of them good on ImageNet: its size, its images, its own training recipe. The three networks without
BatchNorm have a quarter of the others' learning rate.

The metrics hold the processor's seconds of training too, because seconds on the wall also count what else the machine
does.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from torch import nn

from crashcourse.classification.efficientnet import small_efficientnet
from crashcourse.classification.googlenet import small_googlenet
from crashcourse.classification.mobilenet import MobileNetV2
from crashcourse.classification.resnet import Bottleneck
from crashcourse.classification.resnet_cifar import CifarResNet
from crashcourse.classification.resnet_preact import PreActResNet
from crashcourse.classification.shufflenet import ShuffleNetV2
from crashcourse.classification.vgg import small_vgg
from crashcourse.recipes.base import Job, Recipe, Run, Scale
from crashcourse.recipes.classifier import train_on_garments
from crashcourse.recipes.densenet import small_densenet
from crashcourse.recipes.garments import DATA, small_alexnet
from crashcourse.recipes.mobile import small_mobilenet_v1, small_shufflenet_v1, small_squeezenet
from crashcourse.recipes.senet import small_senet

V2_STAGES = ((1, 16, 1, 1), (6, 24, 3, 2), (6, 32, 2, 2))
"""Expansion, channels, repeats and first stride of the stages of the small MobileNet v2."""


def small_resnext(*, width: int = 32, groups: int = 8) -> CifarResNet:
    """Six bottlenecks whose 3×3 has groups: `(N, 1, 28, 28)` float -> `(N, 10)`.

    Args:
        width: channels of the first stage, a multiple of 32.
        groups: of every 3×3, the cardinality; the first stage has width / 16 channels in each.
    """

    def block(in_channels: int, out_channels: int, stride: int = 1, *, shortcut: str = "B") -> Bottleneck:
        inner = out_channels // Bottleneck.expansion
        return Bottleneck(in_channels, inner, stride, groups=groups, base_width=128 // groups)

    return CifarResNet(14, in_channels=1, width=width, stem_stride=2, shortcut="B", block=block)


def _multiple(channels: float, of: int = 1) -> int:
    """The multiple of `of` that is nearest, at least one."""
    return max(1, round(channels / of)) * of


def _mobilenet_v2(factor: float) -> MobileNetV2:
    options = {"dropout": 0.0, "in_channels": 1, "stages": V2_STAGES, "last_channels": 128}
    return MobileNetV2(10, width=factor, **options)


def _shufflenet_v2(factor: float) -> ShuffleNetV2:
    channels = tuple(_multiple(count * factor, 4) for count in (72, 144, 288, 256))
    return ShuffleNetV2(10, in_channels=1, channels=channels, repeats=(2, 2, 2), small_images=True)


NETWORKS: dict[str, Callable[[float], nn.Module]] = {
    "alexnet": lambda factor: small_alexnet(width=_multiple(19 * factor)),
    "zfnet": lambda factor: small_alexnet(kernel=5, stride=2, width=_multiple(11 * factor)),
    "vgg": lambda factor: small_vgg(width=_multiple(12 * factor)),
    "googlenet": lambda factor: small_googlenet(width=_multiple(8 * factor, 4)),
    "resnet": lambda factor: CifarResNet(20, in_channels=1, width=_multiple(8 * factor), stem_stride=2),
    "preact": lambda factor: PreActResNet(20, in_channels=1, width=_multiple(8 * factor), stem_stride=2),
    "resnext": lambda factor: small_resnext(width=_multiple(32 * factor, 32)),
    "densenet": lambda factor: small_densenet(growth=_multiple(6 * factor), blocks=(4, 4, 4)),
    "squeezenet": lambda factor: small_squeezenet(),
    "mobilenet_v1": lambda factor: small_mobilenet_v1(width=0.75 * factor),
    "senet": lambda factor: small_senet("se", width=_multiple(8 * factor, 4), stem_stride=2),
    "shufflenet_v1": lambda factor: small_shufflenet_v1(groups=4, width=2 * factor),
    "mobilenet_v2": _mobilenet_v2,
    "shufflenet_v2": _shufflenet_v2,
    "efficientnet": lambda factor: small_efficientnet(width=1.1 * factor, depth=1.5, stem_stride=2),
}
"""Variant -> its network, from the factor by which all widths are multiplied; in the order of the papers."""

WITHOUT_NORM = ("alexnet", "zfnet", "squeezenet")
"""Networks that do not bear the learning rate of the others: in trials SqueezeNet stayed at chance with half of it."""


def part_network(variant: str, *, width: int = 16) -> nn.Module:
    """The network of a variant: `(N, 1, 28, 28)` float -> `(N, 10)`; 16 is the width at which all cost the same."""
    return NETWORKS[variant](width / 16)


def _train(job: Job) -> Run:
    rate = job.scale.learning_rate * (0.25 if job.variant in WITHOUT_NORM else 1.0)
    start = time.process_time()
    run = train_on_garments(
        part_network(job.variant, width=job.scale.width), replace(job, scale=replace(job.scale, learning_rate=rate))
    )
    return replace(run, metrics={**run.metrics, "train_cpu_seconds": time.process_time() - start})


COMPARED = tuple(NETWORKS)

RECIPES = [
    Recipe(
        name="part_garments",
        title="every network of part 1 on Fashion-MNIST, at equal cost",
        data=DATA,
        variants={
            "alexnet": "AlexNet, first convolution 7×7 with stride 4, a quarter of the learning rate",
            "zfnet": "ZFNet, first convolution 5×5 with stride 2, a quarter of the learning rate",
            "vgg": "VGG with BatchNorm, four convolutions",
            "googlenet": "GoogLeNet with BatchNorm, four inception modules",
            "resnet": "ResNet-20, shortcut A",
            "preact": "ResNet-20, pre-activation",
            "resnext": "ResNeXt, six bottlenecks of eight groups",
            "densenet": "DenseNet-BC, three blocks of four layers",
            "squeezenet": "SqueezeNet, six fire modules, a quarter of the learning rate",
            "mobilenet_v1": "MobileNet, five separable convolutions",
            "senet": "ResNet-20 with squeeze-and-excitation",
            "shufflenet_v1": "ShuffleNet, six units of four groups",
            "mobilenet_v2": "MobileNet v2, six inverted residuals",
            "shufflenet_v2": "ShuffleNet v2, six split units",
            "efficientnet": "EfficientNet, ten MBConv blocks",
        },
        scales={
            "laptop": Scale(epochs=2, batch_size=64, learning_rate=0.1, compares=("alexnet",)),
            "study": Scale(epochs=3, batch_size=64, learning_rate=0.1, compares=COMPARED),
            "gpu": Scale(
                epochs=30, batch_size=128, learning_rate=0.1, width=32, data="full", augment=True, compares=COMPARED
            ),
        },
        run=_train,
        timed=True,
    )
]
