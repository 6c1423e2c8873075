"""The table of the room: every network of the papers, with where it comes from and what it costs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from crashcourse.classification.alexnet import alexnet
from crashcourse.classification.densenet import densenet121, densenet161, densenet169, densenet201
from crashcourse.classification.densenet_cifar import densenet_bc
from crashcourse.classification.efficientnet import (
    efficientnet_b0,
    efficientnet_b1,
    efficientnet_b2,
    efficientnet_b3,
    efficientnet_b4,
    efficientnet_b5,
    efficientnet_b6,
    efficientnet_b7,
)
from crashcourse.classification.googlenet import googlenet
from crashcourse.classification.mobilenet import mobilenet_v1, mobilenet_v2
from crashcourse.classification.resnet import resnet18, resnet34, resnet50, resnet101, resnet152
from crashcourse.classification.resnet_cifar import plain20, plain56, plain110, resnet20, resnet56, resnet110
from crashcourse.classification.resnet_preact import (
    preact_resnet20,
    preact_resnet56,
    preact_resnet110,
    preact_resnet164,
    preact_resnet1001,
)
from crashcourse.classification.resnext import resnext50_32x4d
from crashcourse.classification.senet import se_resnet50
from crashcourse.classification.shufflenet import shufflenet_v1, shufflenet_v2
from crashcourse.classification.squeezenet import squeezenet1_0, squeezenet1_1
from crashcourse.classification.vgg import vgg11, vgg13, vgg16, vgg16_c, vgg19
from crashcourse.classification.zfnet import zfnet
from crashcourse.errors import unknown


@dataclass(frozen=True)
class Model:
    """One network: `MODELS["vgg16"](10)` builds it for ten classes.

    Attributes:
        build: makes it, called with `num_classes`.
        paper: authors and where.
        year: in which the paper first appeared.
        parameters: how many numbers it learns, with 1000 classes (10 for 32×32 images), auxiliary heads included.
        macs: multiply-adds for one image in evaluation, with as many classes, as `inspection.count_macs` counts them.
        image_size: side of the square colour images that the paper gives it, in pixels.
    """

    build: Callable[..., nn.Module]
    paper: str
    year: int
    parameters: int
    macs: int
    image_size: int = 224

    def __call__(self, *arguments: Any, **options: Any) -> nn.Module:
        """Build it; the arguments are the builder's, `num_classes` first."""
        return self.build(*arguments, **options)


class Table(dict[str, Model]):
    """Name -> network; a name that is not there is refused with a sentence."""

    def __missing__(self, name: object) -> Model:
        raise unknown("network", str(name), self)


ALEXNET = ("Krizhevsky et al., NIPS", 2012)
ONE_COLUMN = ("Krizhevsky, 1404.5997", 2014)
ZFNET = ("Zeiler & Fergus, 1311.2901", 2013)
VGG = ("Simonyan & Zisserman, 1409.1556", 2014)
GOOGLENET = ("Szegedy et al., 1409.4842", 2014)
RESNET = ("He et al., 1512.03385", 2015)
PREACT = ("He et al., 1603.05027", 2016)
RESNEXT = ("Xie et al., 1611.05431", 2016)
DENSENET = ("Huang et al., 1608.06993", 2016)
SENET = ("Hu et al., 1709.01507", 2017)
MOBILENET_V1 = ("Howard et al., 1704.04861", 2017)
MOBILENET_V2 = ("Sandler et al., 1801.04381", 2018)
SHUFFLENET_V1 = ("Zhang et al., 1707.01083", 2017)
SHUFFLENET_V2 = ("Ma et al., 1807.11164", 2018)
SQUEEZENET = ("Iandola et al., 1602.07360", 2016)
EFFICIENTNET = ("Tan & Le, 1905.11946", 2019)

MODELS: dict[str, Model] = Table()
MODELS |= {
    "alexnet": Model(alexnet, *ONE_COLUMN, 61_100_840, 714_188_480),
    "alexnet_paper": Model(partial(alexnet, paper=True), *ALEXNET, 60_965_224, 724_406_816, 227),
    "zfnet": Model(zfnet, *ZFNET, 62_357_608, 1_168_032_896),
    "vgg11": Model(vgg11, *VGG, 132_863_336, 7_609_090_048),
    "vgg13": Model(vgg13, *VGG, 133_047_848, 11_308_466_176),
    "vgg16": Model(vgg16, *VGG, 138_357_544, 15_470_264_320),
    "vgg16_c": Model(vgg16_c, *VGG, 133_638_952, 11_770_888_192),
    "vgg19": Model(vgg19, *VGG, 143_667_240, 19_632_062_464),
    "vgg11_bn": Model(partial(vgg11, batch_norm=True), *VGG, 132_868_840, 7_609_090_048),
    "vgg13_bn": Model(partial(vgg13, batch_norm=True), *VGG, 133_053_736, 11_308_466_176),
    "vgg16_bn": Model(partial(vgg16, batch_norm=True), *VGG, 138_365_992, 15_470_264_320),
    "vgg19_bn": Model(partial(vgg19, batch_norm=True), *VGG, 143_678_248, 19_632_062_464),
    "googlenet": Model(googlenet, *GOOGLENET, 13_004_888, 1_498_376_192),
    "googlenet_paper": Model(partial(googlenet, paper=True), *GOOGLENET, 13_378_280, 1_582_671_872),
    "resnet18": Model(resnet18, *RESNET, 11_689_512, 1_814_073_344),
    "resnet34": Model(resnet34, *RESNET, 21_797_672, 3_663_761_408),
    "resnet50": Model(resnet50, *RESNET, 25_557_032, 4_089_184_256),
    "resnet101": Model(resnet101, *RESNET, 44_549_160, 7_801_405_440),
    "resnet152": Model(resnet152, *RESNET, 60_192_808, 11_513_626_624),
    "resnet20": Model(resnet20, *RESNET, 269_722, 40_551_040, 32),
    "resnet56": Model(resnet56, *RESNET, 853_018, 125_485_696, 32),
    "resnet110": Model(resnet110, *RESNET, 1_727_962, 252_887_680, 32),
    "plain20": Model(plain20, *RESNET, 269_722, 40_551_040, 32),
    "plain56": Model(plain56, *RESNET, 853_018, 125_485_696, 32),
    "plain110": Model(plain110, *RESNET, 1_727_962, 252_887_680, 32),
    "preact_resnet20": Model(preact_resnet20, *PREACT, 272_282, 40_813_184, 32),
    "preact_resnet56": Model(preact_resnet56, *PREACT, 855_578, 125_747_840, 32),
    "preact_resnet110": Model(preact_resnet110, *PREACT, 1_730_522, 253_149_824, 32),
    "preact_resnet164": Model(preact_resnet164, *PREACT, 1_703_258, 247_646_720, 32),
    "preact_resnet1001": Model(preact_resnet1001, *PREACT, 10_327_706, 1_490_995_712, 32),
    "resnext50_32x4d": Model(resnext50_32x4d, *RESNEXT, 25_028_904, 4_230_479_872),
    "densenet121": Model(densenet121, *DENSENET, 7_978_856, 2_834_161_664),
    "densenet161": Model(densenet161, *DENSENET, 28_681_000, 7_727_907_072),
    "densenet169": Model(densenet169, *DENSENET, 14_149_480, 3_359_843_328),
    "densenet201": Model(densenet201, *DENSENET, 20_013_928, 4_291_365_888),
    "densenet_bc100": Model(partial(densenet_bc, 100, 12), *DENSENET, 769_162, 287_929_692, 32),
    "se_resnet50": Model(se_resnet50, *SENET, 28_088_024, 4_091_699_200),
    "mobilenet_v1": Model(mobilenet_v1, *MOBILENET_V1, 4_231_976, 568_740_352),
    "mobilenet_v2": Model(mobilenet_v2, *MOBILENET_V2, 3_504_872, 300_774_272),
    "shufflenet_v1_g1": Model(partial(shufflenet_v1, groups=1), *SHUFFLENET_V1, 1_531_936, 143_078_976),
    "shufflenet_v1_g2": Model(partial(shufflenet_v1, groups=2), *SHUFFLENET_V1, 1_733_848, 140_836_512),
    "shufflenet_v1_g3": Model(partial(shufflenet_v1, groups=3), *SHUFFLENET_V1, 1_865_728, 137_460_672),
    "shufflenet_v1_g4": Model(partial(shufflenet_v1, groups=4), *SHUFFLENET_V1, 1_968_344, 134_339_776),
    "shufflenet_v1_g8": Model(partial(shufflenet_v1, groups=8), *SHUFFLENET_V1, 2_434_768, 138_365_952),
    "shufflenet_v2_x0_5": Model(partial(shufflenet_v2, width=0.5), *SHUFFLENET_V2, 1_366_792, 40_476_448),
    "shufflenet_v2_x1_0": Model(partial(shufflenet_v2, width=1.0), *SHUFFLENET_V2, 2_278_604, 144_907_992),
    "shufflenet_v2_x1_5": Model(partial(shufflenet_v2, width=1.5), *SHUFFLENET_V2, 3_503_624, 295_759_392),
    "shufflenet_v2_x2_0": Model(partial(shufflenet_v2, width=2.0), *SHUFFLENET_V2, 7_393_996, 583_253_464),
    "squeezenet1_0": Model(squeezenet1_0, *SQUEEZENET, 1_248_424, 818_924_576),
    "squeezenet1_1": Model(squeezenet1_1, *SQUEEZENET, 1_235_496, 349_151_936),
    "efficientnet_b0": Model(efficientnet_b0, *EFFICIENTNET, 5_288_548, 385_814_752, 224),
    "efficientnet_b1": Model(efficientnet_b1, *EFFICIENTNET, 7_794_184, 686_802_832, 240),
    "efficientnet_b2": Model(efficientnet_b2, *EFFICIENTNET, 9_109_994, 993_561_872, 260),
    "efficientnet_b3": Model(efficientnet_b3, *EFFICIENTNET, 12_233_232, 1_827_141_392, 300),
    "efficientnet_b4": Model(efficientnet_b4, *EFFICIENTNET, 19_341_616, 4_393_771_024, 380),
    "efficientnet_b5": Model(efficientnet_b5, *EFFICIENTNET, 30_389_784, 10_266_384_752, 456),
    "efficientnet_b6": Model(efficientnet_b6, *EFFICIENTNET, 43_040_704, 19_067_593_536, 528),
    "efficientnet_b7": Model(efficientnet_b7, *EFFICIENTNET, 66_347_960, 37_745_884_192, 600),
}
"""Name -> network, all for colour images; the names are torchvision's wherever torchvision has the network."""


def models_table() -> str:
    """`MODELS` as text, a row for each network: image size, parameters, millions of multiply-adds, year and paper."""
    rows = [("network", "image", "parameters", "MACs (M)", "year", "paper")]
    for name, model in MODELS.items():
        cost = f"{model.macs / 1e6:,.0f}"
        rows.append((name, str(model.image_size), f"{model.parameters:,}", cost, str(model.year), model.paper))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if column in (0, 5) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    notes = (
        "MACs (M): millions of multiply-adds for one image: half of what PyTorch's own counter says, which counts a",
        "multiplication and an addition as two. Papers that say FLOPs mean MACs. GoogLeNet's parameters include those",
        "of its auxiliary heads, which act in training only.",
        "Networks for 32×32 images are counted with 10 classes, the others with 1000.",
    )
    return "\n".join([*lines, "", *notes])
