"""The networks of `MODELS` as other people wrote them: torchvision, timm, pytorchcv.

`OTHERS` has an entry for every row that somebody else has too, `WITHOUT_OTHER` the rows that nobody has and the test
that stands in. `classification/test_oracles.py` compares them number by number, and the benchmarks race them.
"""

import importlib
import types
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import timm
import torchvision.models
from torch import Tensor, nn

from crashcourse.classification import MODELS, resnet20, resnet56, resnet110
from tests.oracles import Builder, Pair, twins


@dataclass(frozen=True)
class Other:
    """Somebody else's network for a row of `MODELS`.

    Attributes:
        build: makes it, called without arguments or with `num_classes`.
        ours: our builder of the same form, where it is not the row's.
        side: of the images with which the two are compared.
        count: how many of them.
        gain: of `twins`.
        same_names: parameters have the same names, so that the field's weights load; else the same order.
        prepare: changes both networks, where they differ on purpose; it says in what.
    """

    build: Builder
    ours: Builder
    side: int = 64
    count: int = 2
    gain: float = 6.0
    same_names: bool = False
    prepare: Callable[[nn.Module, nn.Module], None] = lambda ours, theirs: None

    def pair(self) -> Pair:
        """Ours and theirs, with the same weights, made the same function."""
        ours, theirs = twins(self.ours, self.build, gain=self.gain)
        self.prepare(ours, theirs)
        return ours, theirs


def of_torchvision(name: str, *, gain: float = 6.0, side: int = 64, count: int = 2, **options: object) -> Other:
    """Torchvision's network of the same name."""
    build = partial(getattr(torchvision.models, name), **options)
    return Other(build, MODELS[name], side=side, count=count, gain=gain, same_names=True)


def of_pytorchcv(module: str, builder: str) -> Builder:
    """A builder of pytorchcv."""
    return getattr(importlib.import_module(f"pytorchcv.models.{module}"), builder)


def any_size(_: nn.Module, theirs: nn.Module) -> None:
    """Theirs averages 7×7 maps and nothing else; ours averages maps of any size."""
    theirs.features.final_pool = nn.AdaptiveAvgPool2d(1)


def plain_relu(_: nn.Module, theirs: nn.Module) -> None:
    """Theirs has ReLU6, the paper of MobileNet v1 has ReLU."""
    for module in theirs.modules():
        if isinstance(getattr(module, "act", None), nn.ReLU6):
            module.act = nn.ReLU()


def without_normalization(ours: nn.Module, theirs: nn.Module) -> None:
    """Theirs normalises before the pooling of ZFNet, ours behind it, as the paper says."""
    for place in (3, 7):
        assert isinstance(ours.features[place], nn.LocalResponseNorm)
        ours.features[place] = nn.Identity()
    for module in theirs.modules():
        if hasattr(module, "use_lrn"):
            module.use_lrn = False


def without_shortcuts(build: Builder) -> Builder:
    """Theirs with every shortcut cut: the plain network of the paper, which it does not have."""

    def forward(unit: nn.Module, x: Tensor) -> Tensor:
        return unit.activ(unit.body(x))

    def plain(**options: object) -> nn.Module:
        model = build(**options)
        for unit in model.modules():
            if hasattr(unit, "resize_identity"):
                unit.identity_conv = nn.Identity()
                unit.forward = types.MethodType(forward, unit)
        return model

    return plain


VGGS = [f"vgg{depth}{norm}" for norm in ("", "_bn") for depth in (11, 13, 16, 19)]
RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d")
MOBILE = ("mobilenet_v2", *(f"shufflenet_v2_x{width}" for width in ("0_5", "1_0", "1_5", "2_0")))
WITH_SHORTCUTS = {20: resnet20, 56: resnet56, 110: resnet110}
"""Pytorchcv's have projections, form B of the paper; the rows of the table have form A."""


def small(depth: int) -> Builder:
    return of_pytorchcv("resnet_cifar", f"resnet{depth}_cifar10")


OTHERS: dict[str, Other] = {
    **{name: of_torchvision(name) for name in ("alexnet", *VGGS, *MOBILE)},
    # Branches are small beside their shortcuts, so that sums over 50 blocks keep the last digits.
    **{name: of_torchvision(name, gain=3) for name in RESNETS},
    **{f"densenet{depth}": of_torchvision(f"densenet{depth}", side=45, count=3) for depth in (121, 161, 169, 201)},
    # An odd side, on which rounding shows; four images, of which stochastic depth drops some.
    **{f"squeezenet1_{minor}": of_torchvision(f"squeezenet1_{minor}", side=65) for minor in (0, 1)},
    **{f"efficientnet_b{size}": of_torchvision(f"efficientnet_b{size}", count=4) for size in range(8)},
    "googlenet": of_torchvision("googlenet", side=96, init_weights=False),
    "se_resnet50": Other(partial(timm.create_model, "seresnet50"), MODELS["se_resnet50"], gain=3, same_names=True),
    "mobilenet_v1": Other(partial(timm.create_model, "mobilenetv1_100"), MODELS["mobilenet_v1"], prepare=plain_relu),
    "zfnet": Other(of_pytorchcv("zfnet", "zfnet"), MODELS["zfnet"], side=224, prepare=without_normalization),
    **{
        f"shufflenet_v1_g{groups}": Other(
            of_pytorchcv("shufflenet", f"shufflenet_g{groups}_w1"), MODELS[f"shufflenet_v1_g{groups}"], prepare=any_size
        )
        for groups in (1, 2, 3, 4, 8)
    },
    **{
        f"resnet{depth}": Other(small(depth), partial(build, shortcut="B"), side=32, gain=3)
        for depth, build in WITH_SHORTCUTS.items()
    },
    **{
        f"plain{depth}": Other(without_shortcuts(small(depth)), MODELS[f"plain{depth}"], side=32)
        for depth in WITH_SHORTCUTS
    },
    **{
        f"preact_resnet{depth}": Other(
            of_pytorchcv("preresnet_cifar", f"preresnet{depth}{'bn' if depth == 164 else ''}_cifar10"),
            MODELS[f"preact_resnet{depth}"],
            side=32,
            gain=3,
        )
        for depth in (20, 56, 110, 164, 1001)
    },
    "densenet_bc100": Other(
        of_pytorchcv("densenet_cifar", "densenet100_k12_bc_cifar10"), MODELS["densenet_bc100"], side=32
    ),
}

WITHOUT_OTHER = {
    "alexnet_paper": "test_published.test_alexnet_of_2012_by_hand",
    "vgg16_c": "test_published.test_vggs_by_hand",
    "googlenet_paper": "test_googlenet.test_the_papers_form_equals_the_sum_over_its_table",
}
"""Rows that no package has -> the test that adds up their parameters and multiply-adds from the paper's table."""
