"""The table of the room: every network of the papers, with where it comes from and what it costs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from crashcourse.errors import unknown
from crashcourse.segmentation.resunet import resunet
from crashcourse.segmentation.unet import small_unet, unet_2015, unet_padded


@dataclass(frozen=True)
class Network:
    """One network that labels pixels: `MODELS["unet_2015"]()` builds it.

    Attributes:
        build: makes it; without arguments it has the channels below.
        paper: authors and where.
        year: in which the paper first appeared.
        channels: of the images, and of the scores.
        parameters: how many numbers it learns.
        macs: multiply-adds for one image in evaluation, as `inspection.count_macs` counts them.
        image_size: side of the square images that the paper gives it, in pixels; of ours where it gives none.
        output_size: side of the scores.
    """

    build: Callable[..., nn.Module]
    paper: str
    year: int
    channels: tuple[int, int]
    parameters: int
    macs: int
    image_size: int
    output_size: int

    def __call__(self, *arguments: Any, **options: Any) -> nn.Module:
        """Build it; the arguments are the builder's."""
        return self.build(*arguments, **options)


class Table(dict[str, Network]):
    """Name -> network; a name that is not there is refused with a sentence."""

    def __missing__(self, name: object) -> Network:
        raise unknown("network", str(name), self)


UNET = ("Ronneberger et al., 1505.04597", 2015)
RESUNET = ("Xue, Deep learning crash course", 2021)

MODELS: dict[str, Network] = Table()
MODELS |= {
    "unet_2015": Network(unet_2015, *UNET, (1, 2), 31_030_658, 150_428_424_448, 572, 388),
    "unet_padded": Network(unet_padded, *UNET, (1, 2), 31_036_546, 192_384_335_872, 512, 512),
    "small_unet": Network(small_unet, *UNET, (1, 2), 116_770, 628_332_096, 188, 148),
    "small_unet_padded": Network(partial(small_unet, padded=True), *UNET, (1, 2), 116_770, 893_583_360, 192, 192),
    "resunet": Network(resunet, *RESUNET, (1, 1), 1_711_233, 43_167_776_768, 512, 512),
}


def models_table() -> str:
    """`MODELS` as text, a row for each network: sizes, channels, parameters, multiply-adds, year and paper."""
    rows = [("network", "image", "scores", "channels", "parameters", "MACs (M)", "year", "paper")]
    for name, model in MODELS.items():
        sides, channels = (str(model.image_size), str(model.output_size)), "{} to {}".format(*model.channels)
        cost = (f"{model.parameters:,}", f"{model.macs / 1e6:,.0f}")
        rows.append((name, *sides, channels, *cost, str(model.year), model.paper))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in (0, 7) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
