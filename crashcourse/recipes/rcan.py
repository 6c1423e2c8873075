"""Recipes of lesson 53: small RCANs on photographs, with and without attention and skips, and plain stacks by depth.

Paper: Zhang et al., 2018, arXiv:1807.02758: table 1 (what attention, long and short skips are worth), section 4.1 (L1,
Adam, patches of 48×48 before enlarging, batches of 16). **Differs from the paper:** 19 photographs in place of 800;
Adam under one cycle in place of halving; at laptop and study scale 4 groups of 3 blocks of 16 channels, whose gates go
through 4 units as the paper's do, smaller patches, and a few hundred updates at a learning rate that suits them. As in
the paper the network itself makes the whole image: nothing is added to an interpolated one.

`depth_photos` compares what comes before RCAN: convolutions one after the other without any skip, and EDSR's residual
blocks, with as many parameters.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from crashcourse.recipes.base import Job, Recipe, Run, Scale
from crashcourse.recipes.photographs import DATA
from crashcourse.recipes.restorer import absolute_error_step, train_on_photos
from crashcourse.restoration import EDSR, RCAN, degrade_bi, super_resolution_scores
from crashcourse.restoration.edsr import SuperResolver

ENLARGE = 2
"""How much larger all networks of this lesson make a photograph."""
UNITS = 4
"""What the gates of all channels go through: 64 // 16 units in the paper's network."""
scores_on_y = partial(super_resolution_scores, scale=ENLARGE)
"""PSNR and SSIM as the papers print them."""


def enlarge(clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Makes examples: small images of 8 bits, and the clean ones: (N, 3, H / 2, W / 2) and (N, 3, H, W)."""
    return degrade_bi(clean, ENLARGE), clean


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What an RCAN has, in the words of table 1.

    Attributes:
        long_skip, short_skip, attention: LSC, SSC and CA of the table.
    """

    long_skip: bool = True
    short_skip: bool = True
    attention: bool = True

    def build(self, scale: Scale) -> RCAN:
        """A fresh RCAN. `scale.stages` says how many blocks each residual group has, the same number for all."""
        return RCAN(
            ENLARGE,
            groups=len(scale.stages),
            blocks=scale.stages[0],
            width=scale.width,
            reduction=max(scale.width // UNITS, 1),
            attention=self.attention,
            short_skip=self.short_skip,
            long_skip=self.long_skip,
        )


PARTS: Mapping[str, Parts] = {
    "rcan": Parts(),
    "long_short": Parts(attention=False),
    "short_attention": Parts(long_skip=False),
    "long_attention": Parts(short_skip=False),
    "attention": Parts(long_skip=False, short_skip=False),
    "short": Parts(long_skip=False, attention=False),
    "long": Parts(short_skip=False, attention=False),
    "none": Parts(long_skip=False, short_skip=False, attention=False),
}
"""Variant -> what its network has: the eight columns of table 1."""


class PlainStack(SuperResolver):
    """Convolutions and ReLUs one after the other, and no skip of any kind.

    Args:
        convolutions: in the body.
        width: channels.
    """

    def __init__(self, convolutions: int, width: int) -> None:
        layers: list[nn.Module] = []
        for _ in range(convolutions):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU(inplace=True)]
        super().__init__(nn.Sequential(*layers), scale=ENLARGE, width=width, long_skip=False)


def stack(variant: str, width: int) -> SuperResolver:
    """The network of a variant of `depth_photos`: "plain_9" has 9 convolutions in its body, and so has "skips_9"."""
    kind, convolutions = variant.split("_")
    if kind == "plain":
        return PlainStack(int(convolutions), width)
    return EDSR(ENLARGE, int(convolutions) // 2, width)


def _train_rcan(job: Job) -> Run:
    return _train(PARTS[job.variant].build(job.scale), job)


def _train_stack(job: Job) -> Run:
    return _train(stack(job.variant, job.scale.width), job)


def _train(model: nn.Module, job: Job) -> Run:
    return train_on_photos(model, job, make=enlarge, step=absolute_error_step, measure=scores_on_y)


LAPTOP = Scale(
    epochs=4,
    batch_size=8,
    learning_rate=4e-3,
    weight_decay=0,
    width=16,
    stages=(3, 3, 3, 3),
    patch=32,
    images=8 * 100,
    test_side=192,
    compares=("rcan",),
)
GPU = Scale(  # the network, the patches, the batches and the updates of the paper's table 1
    epochs=50,
    batch_size=16,
    learning_rate=2e-4,
    weight_decay=0,
    width=64,
    stages=(20,) * 10,
    patch=96,
    images=16 * 1000,
    compares=("rcan", "none"),
)
RCAN_PHOTOS = Recipe(
    name="rcan_photos",
    title="an RCAN that makes photographs twice as large",
    data=DATA,
    variants={
        "rcan": "long skip, short skips, channel attention",
        "long_short": "long skip, short skips",
        "short_attention": "short skips, channel attention",
        "long_attention": "long skip, channel attention",
        "attention": "channel attention",
        "short": "short skips",
        "long": "long skip",
        "none": "none of the three; residual blocks",
    },
    scales={"laptop": LAPTOP, "study": replace(LAPTOP, compares=tuple(PARTS)), "gpu": GPU},
    run=_train_rcan,
)
DEPTHS = (3, 9, 25)
"""Convolutions in the bodies that `depth_photos` compares."""
STACKS = {
    **{f"skips_{depth}": f"{depth} convolutions, in residual blocks and under a long skip" for depth in DEPTHS},
    **{f"plain_{depth}": f"{depth} convolutions, no skip" for depth in DEPTHS},
}
DEPTH_PHOTOS = Recipe(
    name="depth_photos",
    title="stacks of convolutions, with and without skips, that make photographs twice as large",
    data=DATA,
    variants=STACKS,
    scales={
        "laptop": replace(LAPTOP, stages=(), compares=("skips_3",)),
        "study": replace(LAPTOP, stages=(), compares=tuple(STACKS)),
        "gpu": replace(GPU, stages=(), epochs=20, compares=tuple(STACKS)),
    },
    run=_train_stack,
)

RECIPES = [RCAN_PHOTOS, DEPTH_PHOTOS]
