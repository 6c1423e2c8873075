"""What the networks of this room reached on ImageNet, as published: error on the 50,000 validation images.

Numbers from two kinds of source are kept apart, since they do not compare. `TORCHVISION` holds those of torchvision's
weights: one protocol, a single crop from the middle, though the training recipes differ by years. `PAPERS` holds what
the papers print; papers test with one crop or with ten, and train as they like. Errors are in per cent: top-1, the
first guess is wrong; top-5, the right class is not among the first five.

**Differs from the papers:** nothing. Where versions of a paper disagree, the source says so.
"""

from typing import NamedTuple


class Published(NamedTuple):
    """One published result.

    Attributes:
        top1: error of the first guess, in per cent; None where it is not printed.
        top5: error of the first five guesses, in per cent; None where it is not printed.
        crops: crops of each image whose scores are averaged.
        side: of each crop, in pixels.
        source: where it is printed.
    """

    top1: float | None
    top5: float | None
    crops: int
    side: int
    source: str


def _single(top1: float, top5: float, side: int = 224) -> Published:
    """A row of torchvision's table, which prints accuracies."""
    return Published(round(100 - top1, 3), round(100 - top5, 3), 1, side, "torchvision, IMAGENET1K_V1")


TORCHVISION: dict[str, Published] = {
    "alexnet": _single(56.522, 79.066),
    "vgg11": _single(69.020, 88.628),
    "vgg16": _single(71.592, 90.382),
    "vgg16_bn": _single(73.360, 91.516),
    "vgg19": _single(72.376, 90.876),
    "googlenet": _single(69.778, 89.530),
    "squeezenet1_0": _single(58.092, 80.420),
    "resnet18": _single(69.758, 89.078),
    "resnet50": _single(76.130, 92.862),
    "resnet152": _single(78.312, 94.046),
    "resnext50_32x4d": _single(77.618, 93.698),
    "densenet121": _single(74.434, 91.972),
    "mobilenet_v2": _single(71.878, 90.286),
    "shufflenet_v2_x1_0": _single(69.362, 88.316),
    "efficientnet_b0": _single(77.692, 93.532),
    "efficientnet_b1": _single(78.642, 94.186, 240),
    "efficientnet_b2": _single(80.608, 95.310, 288),
    "efficientnet_b3": _single(82.008, 96.054, 300),
    "efficientnet_b4": _single(83.384, 96.594, 380),
    "efficientnet_b5": _single(83.444, 96.628, 456),
    "efficientnet_b6": _single(84.008, 96.916, 528),
    "efficientnet_b7": _single(84.122, 96.908, 600),
}
"""Name in `MODELS` -> torchvision's result. B2 is tested at 288 pixels there, and was made for 260."""

PAPERS: dict[str, Published] = {
    "alexnet_paper": Published(40.7, 18.2, 10, 227, "NIPS 2012, one network"),
    "zfnet": Published(38.4, 16.5, 10, 224, "1311.2901, one network"),
    "googlenet_paper": Published(None, 10.07, 1, 224, "1409.4842, one network, one crop"),
    "resnet50": Published(22.85, 6.71, 10, 224, "1512.03385"),
    "resnet152": Published(21.43, 5.71, 10, 224, "1512.03385"),
    "squeezenet1_0": Published(42.5, 19.7, 1, 224, "1602.07360"),
    "densenet121": Published(25.02, 7.71, 1, 224, "1608.06993"),
    "resnext50_32x4d": Published(22.2, None, 1, 224, "1611.05431"),
    "mobilenet_v1": Published(29.4, None, 1, 224, "1704.04861"),
    "shufflenet_v1_g8": Published(32.4, None, 1, 224, "1707.01083"),
    "se_resnet50": Published(23.29, 6.62, 1, 224, "1709.01507"),
    "mobilenet_v2": Published(28.0, None, 1, 224, "1801.04381"),
    "efficientnet_b0": Published(22.9, 6.7, 1, 224, "1905.11946, table 2 of the fifth version; 23.7 in the first"),
    "efficientnet_b7": Published(15.7, 3.0, 1, 600, "1905.11946, table 2 of the fifth version; 15.6 in the first"),
}
"""Name in `MODELS` -> the paper's own result. Nothing here can check these; they are quoted."""
