"""Lesson 24, Mask R-CNN: what people get wrong in a pyramid's way down, each as code that behaves so, with its hint."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Maps = Sequence[Tensor]
Merge = Callable[[Maps, Maps], Any]


def _nearest(above: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(above, size=like.shape[-2:], mode="nearest")


def _laterals(maps: Maps, weights: Maps) -> list[Tensor]:
    return [F.conv2d(level, weight) for level, weight in zip(maps, weights, strict=True)]


def _down(
    levels: Maps,
    *,
    enlarge: Callable[[Tensor, Tensor], Tensor] = _nearest,
    join: Callable[[Tensor, Tensor], Tensor] = torch.add,
) -> list[Tensor]:
    """From the top down, with one thing wrong: what the keyword arguments say."""
    merged = list(levels)
    for place in range(len(merged) - 2, -1, -1):
        merged[place] = join(merged[place], enlarge(merged[place + 1], merged[place]))
    return merged


def _enlarged_by(enlarge: Callable[[Tensor, Tensor], Tensor]) -> Merge:
    return lambda maps, weights: _down(_laterals(maps, weights), enlarge=enlarge)


def _joined_by(join: Callable[[Tensor, Tensor], Tensor]) -> Merge:
    return lambda maps, weights: _down(_laterals(maps, weights), join=join)


def _interpolated(mode: str, corners: bool | None = None) -> Merge:
    return _enlarged_by(
        lambda above, like: F.interpolate(above, size=like.shape[-2:], mode=mode, align_corners=corners)
    )


def _sum_before(maps: Maps, weights: Maps) -> list[Tensor]:
    """The coarser map itself is added before the 1×1; fails where channels differ."""
    return _laterals(_down(maps), weights)


def _laterals_added(maps: Maps, weights: Maps) -> list[Tensor]:
    own = _laterals(maps, weights)
    added = [low + _nearest(high, low) for low, high in pairwise(own)]
    return [*added, own[-1]]


def _top_to_all(maps: Maps, weights: Maps) -> list[Tensor]:
    own = _laterals(maps, weights)
    return [*(low + _nearest(own[-1], low) for low in own[:-1]), own[-1]]


def _upwards(maps: Maps, weights: Maps) -> list[Tensor]:
    merged = _laterals(maps, weights)
    for place in range(1, len(merged)):
        merged[place] = merged[place] + F.adaptive_max_pool2d(merged[place - 1], merged[place].shape[-2:])
    return merged


def _pooled_down(maps: Maps, weights: Maps) -> list[Tensor]:
    merged = _laterals(maps, weights)
    for place in range(1, len(merged)):
        merged[place] = merged[place] + merged[place - 1][..., ::2, ::2]
    return merged


def _tiled(above: Tensor, like: Tensor) -> Tensor:
    return above.repeat(1, 1, 2, 2)[..., : like.shape[-2], : like.shape[-1]]


def _with_zeros(above: Tensor, like: Tensor) -> Tensor:
    wide = torch.zeros_like(like)
    wide[..., ::2, ::2] = above
    return wide


def _weights_once(maps: Maps, weights: Maps) -> list[Tensor]:
    """The 1×1 of a level is applied to the sum that already holds what came from above."""
    merged = [F.conv2d(maps[-1], weights[-1])]
    for level, weight in zip(maps[-2::-1], weights[-2::-1], strict=True):
        merged.insert(0, F.conv2d(level + _nearest(merged[0], level), weight))
    return merged


def _fine_to_coarse(maps: Maps, weights: Maps) -> list[Tensor]:
    merged = _laterals(maps, weights)
    for place in range(1, len(merged)):
        merged[place] = merged[place] + _nearest(merged[place - 1], merged[place])
    return merged


def _finest_alone(maps: Maps, weights: Maps) -> list[Tensor]:
    own = _laterals(maps, weights)
    return [own[0], *_down(own)[1:]] if len(own) > 1 else own


def _weights_in_order(maps: Maps, weights: Maps) -> list[Tensor]:
    """Maps from the coarsest on, weights from the finest on; fails where channels differ."""
    return _down(_laterals(maps, weights[::-1]))


def _finer_weights_in_order(maps: Maps, weights: Maps) -> list[Tensor]:
    """As above, with the coarsest level apart and right."""
    return _down(_laterals(maps, [*weights[:-1][::-1], weights[-1]]))


def _coarsest_as_it_is(maps: Maps, weights: Maps) -> list[Tensor]:
    """The coarsest level without its 1×1; fails where channels differ."""
    return _down([*_laterals(maps[:-1], weights[:-1]), maps[-1]])


def _sides_turned(above: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(above, size=(like.shape[3], like.shape[2]), mode="nearest")


def _each_enlarged_at_once(maps: Maps, weights: Maps) -> list[Tensor]:
    own = _laterals(maps, weights)
    return [sum(_nearest(high, low) for high in own[place:]) for place, low in enumerate(own)]


MERGE_MISTAKES = {
    "bilinear": (
        _interpolated("bilinear", False),
        "You enlarge bilinearly. The pyramid repeats every place: mode='nearest'.",
    ),
    "bilinear_corners": (
        _interpolated("bilinear", True),
        "You enlarge bilinearly, and with align_corners. The pyramid repeats every place: mode='nearest'.",
    ),
    "nearest_by_centres": (
        _interpolated("nearest-exact"),
        "Nearly: 'nearest-exact' looks from the centres, and differs where a side is odd. Here each place is repeated "
        "from the start: mode='nearest'.",
    ),
    "twice": (
        _enlarged_by(lambda above, like: F.interpolate(above, scale_factor=2, mode="nearest")),
        "A side of 5 becomes 3 and, doubled, 6. Enlarge to the size of the finer level: size=lateral.shape[-2:].",
    ),
    "tiled": (
        _enlarged_by(_tiled),
        "repeat puts whole copies of the map side by side. Repeat every *place*: F.interpolate(mode='nearest').",
    ),
    "zeros_between": (
        _enlarged_by(_with_zeros),
        "You leave zeros between the places. Repeat each of them instead.",
    ),
    "before_the_1x1": (
        _sum_before,
        "You add before the 1×1 convolution. Levels have different channels; the 1×1 makes them equal first, then they "
        "are added.",
    ),
    "1x1_of_the_sum": (
        _weights_once,
        "What comes from above goes through the finer level's 1×1 once more. The 1×1 is for the lateral alone: add "
        "after it.",
    ),
    "laterals_added": (
        _laterals_added,
        "Each level receives the *lateral* of the one above, so that the top reaches one level only. Pass the sum on: "
        "begin at the top, range(len(maps) − 2, −1, −1).",
    ),
    "top_to_all": (
        _top_to_all,
        "You add the top level to all others at once. It goes step by step: each level passes on its own sum.",
    ),
    "upwards": (
        _upwards,
        "You go from the finest to the coarsest. Meaning is at the top: it is the coarse map that is enlarged.",
    ),
    "upwards_by_stride": (
        _pooled_down,
        "You thin out the finer level and add it to the coarser one. The way is from the top down: enlarge the coarse.",
    ),
    "mean": (
        _joined_by(lambda lateral, above: (lateral + above) / 2),
        "You take the mean of both. The pyramid takes their sum.",
    ),
    "product": (
        _joined_by(torch.mul),
        "You multiply. The pyramid adds.",
    ),
    "relu": (
        _joined_by(lambda lateral, above: (lateral + above).relu()),
        "There is no ReLU in the pyramid, neither on laterals nor on sums.",
    ),
    "concatenated": (
        _joined_by(lambda lateral, above: torch.cat([lateral, above], 1)),
        "You concatenate, and the channels grow at every level. The pyramid adds, and all levels have D.",
    ),
    "in_place_of": (
        _joined_by(lambda lateral, above: above),
        "The finer level's own map is gone: what came from above replaces it. Add the two.",
    ),
    "nothing_added": (
        _laterals,
        "Those are the laterals. Nothing has come down from above yet.",
    ),
    "coarsest_first": (
        lambda maps, weights: _down(_laterals(maps, weights))[::-1],
        "The numbers are right, their order is not: finest first, as the maps came.",
    ),
    "coarsest_missing": (
        lambda maps, weights: _down(_laterals(maps, weights))[:-1],
        "The coarsest level is missing. It has nothing to receive, but it is one of the pyramid's levels.",
    ),
    "finest_only": (
        lambda maps, weights: _down(_laterals(maps, weights))[0],
        "Only the finest level comes back. All are needed: large objects are found on the coarse ones.",
    ),
    "fine_to_coarse": (
        _fine_to_coarse,
        "You go from the finest level to the coarsest, and shrink. Go from the top down: what is coarse is enlarged.",
    ),
    "finest_alone": (
        _finest_alone,
        "The finest level has received nothing. range(len(maps) - 2, 0, -1) ends before level 0: end it at -1.",
    ),
    "weights_in_order": (
        _weights_in_order,
        "You go through the maps from the coarsest on, and through the weights from the finest on. Reverse both, or "
        "make all laterals first.",
    ),
    "finer_weights_in_order": (
        _finer_weights_in_order,
        "The coarsest level has its own weights; the finer ones go from the top down, and theirs from the finest on. "
        "Reverse the weights as you reverse the maps: weights[-2::-1].",
    ),
    "coarsest_as_it_is": (
        _coarsest_as_it_is,
        "The coarsest level has a 1×1 convolution, too: without it its channels are the backbone's.",
    ),
    "sides_turned": (
        _enlarged_by(_sides_turned),
        "size is (H, W), and you give (W, H). Take it from the finer level: lateral.shape[-2:].",
    ),
    "each_enlarged_at_once": (
        _each_enlarged_at_once,
        "You enlarge every coarser lateral straight to this level and add them all. With odd sides that is not what "
        "step by step gives: enlarge the *sum* of the level above.",
    ),
}
