"""Recipes of lessons 10 and 11: small relatives of AlexNet, ZFNet and VGG on Fashion-MNIST.

Papers: AlexNet: Krizhevsky, Sutskever and Hinton, NIPS 2012. ZFNet: Zeiler and Fergus, 2013, arXiv:1311.2901, section
4.1 (a smaller first kernel and stride). VGG: Simonyan and Zisserman, 2014, arXiv:1409.1556, section 2.3 (two 3×3 for
one 5×5). **Differs from the papers:** networks scaled to 28×28 images and ten classes; one cycle instead of rate drops
by hand; batch normalization (Ioffe and Szegedy, 2015) in VGG's default variant.
"""

from torch import nn

from crashcourse.classification.vgg import VGG, small_vgg, vgg_features
from crashcourse.recipes.base import Job, Recipe, Run, Scale
from crashcourse.recipes.classifier import train_on_garments

DATA = "Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017, arXiv:1708.07747), MIT licence"
STEMS = {"alexnet": (7, 4), "zfnet": (5, 2)}
"""Kernel and stride of the first convolution: 11 and 4, and 7 and 2, in the papers, on 224×224 images."""
DEPTHS = {"two_3x3": (3, 3), "one_5x5": (5,)}
"""Kernel sizes of every stage in the variants that compare them; both see 5×5 of the stage's input."""


def small_alexnet(num_classes: int = 10, *, kernel: int = 7, stride: int = 4, width: int = 16) -> nn.Sequential:
    """Five convolutions in AlexNet's order for 28×28 images, with the first kernel and stride to choose.

    Args:
        num_classes: size of the output.
        kernel, stride: of the first convolution; the kernel is odd.
        width: channels of the first convolution; the others have 2, 4, 4 and 2 times as many.

    Returns:
        `(N, 1, 28, 28)` float -> `(N, num_classes)`.
    """
    features = [
        nn.Conv2d(1, width, kernel, stride, padding=kernel // 2),  # (N, width, 28 / stride, 28 / stride)
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, padding=1),  # (N, width, 14 / stride, 14 / stride), rounded up
        nn.Conv2d(width, 2 * width, 5, padding=2),
        nn.ReLU(inplace=True),
        nn.Conv2d(2 * width, 4 * width, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(4 * width, 4 * width, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(4 * width, 2 * width, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(3),  # (N, 2 width, 3, 3)
    ]
    hidden = 8 * width
    head = [nn.Flatten(), nn.Dropout(0.2), nn.Linear(18 * width, hidden), nn.ReLU(), nn.Linear(hidden, num_classes)]
    model = nn.Sequential(*features, *head)
    for layer in model:
        if isinstance(layer, nn.Conv2d | nn.Linear):  # torch's default shrinks the signal from ReLU to ReLU
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    return model


def vgg_variant(variant: str, scale: Scale) -> VGG:
    """The VGG of a variant of `vgg_garments`: `(N, 1, 28, 28)` float -> `(N, 10)`."""
    if variant not in DEPTHS:
        return small_vgg(width=scale.width, stages=scale.stages, batch_norm=variant == "bn")
    channels = [scale.width * 2**stage for stage in range(len(scale.stages))]
    features = vgg_features([DEPTHS[variant]] * len(channels), channels, in_channels=1, batch_norm=True)
    return VGG(features, 10, hidden=4 * scale.width, pooled=3, dropout=0.2)


def _train_vgg(job: Job) -> Run:
    return train_on_garments(vgg_variant(job.variant, job.scale), job)


def _train_alexnet(job: Job) -> Run:
    kernel, stride = STEMS[job.variant]
    return train_on_garments(small_alexnet(kernel=kernel, stride=stride, width=job.scale.width), job)


VGG_GARMENTS = Recipe(
    name="vgg_garments",
    title="a narrow VGG on Fashion-MNIST",
    data=DATA,
    variants={
        "bn": "batch normalization after every convolution",
        "plain": "the paper's: no normalization",
        "two_3x3": "two 3×3 convolutions per stage, batch normalization",
        "one_5x5": "one 5×5 convolution per stage, batch normalization",
    },
    scales={
        "laptop": Scale(epochs=4, batch_size=64, learning_rate=0.1, compares=("bn",)),
        "study": Scale(epochs=6, batch_size=64, learning_rate=0.05, compares=("bn", "plain", "two_3x3", "one_5x5")),
        "gpu": Scale(
            epochs=30,
            batch_size=128,
            learning_rate=0.1,
            width=64,
            stages=(2, 2, 3),
            data="full",
            augment=True,
            compares=("bn",),
        ),
    },
    run=_train_vgg,
)

ALEXNET_GARMENTS = Recipe(
    name="alexnet_garments",
    title="a small AlexNet on Fashion-MNIST",
    data=DATA,
    variants={
        "alexnet": "first convolution 7×7, stride 4",
        "zfnet": "first convolution 5×5, stride 2",
    },
    scales={
        "laptop": Scale(epochs=5, batch_size=64, learning_rate=0.05, compares=("alexnet",)),
        "study": Scale(epochs=8, batch_size=64, learning_rate=0.05, compares=("alexnet", "zfnet")),
        "gpu": Scale(
            epochs=30,
            batch_size=128,
            learning_rate=0.05,
            width=64,
            data="full",
            augment=True,
            compares=("alexnet", "zfnet"),
        ),
    },
    run=_train_alexnet,
)

RECIPES = [VGG_GARMENTS, ALEXNET_GARMENTS]
