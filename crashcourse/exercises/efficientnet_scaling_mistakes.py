"""Lesson 17, EfficientNet: what people get wrong in scaling, each as code that behaves so, with its hint."""

import math
from collections.abc import Callable, Sequence
from functools import partial

from crashcourse.classification.efficientnet_scaling import scale_stage


def _nearest(wanted: float, divisor: int) -> int:
    return max(divisor, int(wanted + divisor / 2) // divisor * divisor)


def _channels(wanted: float, divisor: int) -> int:
    rounded = _nearest(wanted, divisor)
    return rounded if rounded >= 0.9 * wanted else rounded + divisor


def _evenly(wanted: float, divisor: int) -> int:
    rounded = max(divisor, round(wanted / divisor) * divisor)
    return rounded if rounded >= 0.9 * wanted else rounded + divisor


def _ninety_of_baseline(channels: int, repeats: int, width: float, depth: float, divisor: int = 8) -> tuple[int, int]:
    rounded = _nearest(channels * width, divisor)
    return (rounded if rounded >= 0.9 * channels else rounded + divisor), math.ceil(repeats * depth)


def _stage(
    channels: int,
    repeats: int,
    width: float,
    depth: float,
    divisor: int = 8,
    *,
    wide: Callable[[float, int], float] = _channels,
    deep: Callable[[float], float] = math.ceil,
) -> tuple[float, float]:
    """`scale_stage` with one thing wrong: how channels or repeats are rounded."""
    return wide(channels * width, divisor), deep(repeats * depth)


STAGE_MISTAKES = {
    "ninety_forgotten": (
        partial(_stage, wide=_nearest),
        "18 channels become 16, which is less than 90 % of 18. Then the next multiple is taken.",
    ),
    "multiple_below": (
        partial(_stage, wide=lambda wanted, divisor: max(divisor, int(wanted // divisor) * divisor)),
        "You take the multiple below. The nearest one is wanted, and one that is not below 90 %.",
    ),
    "multiple_below_then_ninety": (
        partial(
            _stage,
            wide=lambda wanted, divisor: (
                int(wanted // divisor) * divisor + (divisor if wanted // divisor * divisor < 0.9 * wanted else 0)
            ),
        ),
        "You start from the multiple below, so 52 becomes 48. Start from the nearest: add divisor / 2 first.",
    ),
    "multiple_above": (
        partial(_stage, wide=lambda wanted, divisor: math.ceil(wanted / divisor) * divisor),
        "You always take the multiple above: 35 becomes 40. The nearest, 32, is above 90 % of 35, so it stays.",
    ),
    "half_to_even": (
        partial(_stage, wide=_evenly),
        "Python's round() takes the even number half way: round(6.5) is 6. Half way goes up here: int(x + 0.5).",
    ),
    "ninety_of_baseline": (
        _ninety_of_baseline,
        "You compare with 90 % of the baseline's channels. Compare with 90 % of the scaled ones, channels · width.",
    ),
    "no_multiple": (
        partial(_stage, wide=lambda wanted, divisor: int(wanted + 0.5)),
        "The channels are rounded to whole numbers. They must be multiples of divisor.",
    ),
    "divisor_fixed": (
        lambda channels, repeats, width, depth, divisor=8: _stage(channels, repeats, width, depth),
        "Your multiples are always those of 8. Use the argument divisor.",
    ),
    "repeats_below": (
        partial(_stage, deep=int),
        "The repeats are rounded down, so a small multiplier adds no block. Round up: math.ceil.",
    ),
    "repeats_nearest": (
        partial(_stage, deep=round),
        "The repeats are rounded to the nearest. They are rounded up: math.ceil.",
    ),
    "repeats_plus_one": (
        partial(_stage, deep=lambda wanted: int(wanted) + 1),
        "int(x) + 1 adds a block where x is whole already. math.ceil does not.",
    ),
    "repeats_not_rounded": (
        partial(_stage, deep=float),
        "The repeats are not rounded. A stage has a whole number of blocks.",
    ),
    "repeats_in_multiples": (
        lambda channels, repeats, width, depth, divisor=8: (
            _channels(channels * width, divisor),
            _channels(repeats * depth, divisor),
        ),
        "You round the repeats to multiples, too. Only channels need them.",
    ),
    "exchanged": (
        lambda channels, repeats, width, depth, divisor=8: _stage(channels, repeats, depth, width, divisor),
        "width and depth are exchanged: width multiplies the channels, depth the repeats.",
    ),
    "reversed": (
        lambda channels, repeats, width, depth, divisor=8: _stage(channels, repeats, width, depth, divisor)[::-1],
        "You return (repeats, channels). Channels come first.",
    ),
    "width_for_both": (
        lambda channels, repeats, width, depth, divisor=8: _stage(channels, repeats, width, width, divisor),
        "width multiplies both. The repeats are multiplied by depth.",
    ),
    "rounded_first": (
        lambda channels, repeats, width, depth, divisor=8: (
            int(_channels(channels, divisor) * width),
            math.ceil(repeats * depth),
        ),
        "You round the channels before you multiply. Multiply first, then round.",
    ),
    "not_scaled": (
        lambda channels, repeats, width, depth, divisor=8: _stage(channels, repeats, 1.0, 1.0, divisor),
        "Nothing is scaled: multiply the channels by width and the repeats by depth.",
    ),
}


Stages = Sequence[tuple[int, int]]


def _network(
    stages: Stages,
    image_size: int,
    phi: float,
    alpha: float = 1.2,
    beta: float = 1.1,
    gamma: float = 1.15,
    *,
    power: Callable[[float, float], float] = lambda base, phi: base**phi,
    factors: Callable[[float, float, float], tuple[float, float, float]] = lambda depth, width, side: (
        depth,
        width,
        side,
    ),
    stage: Callable[[int, int, float, float], tuple[float, float]] = scale_stage,
    pixels: Callable[[float], float] = round,
) -> tuple[list[tuple[float, float]], float]:
    """`scale_network` with one thing wrong: what the keyword arguments after `gamma` say."""
    depth, width, side = factors(power(alpha, phi), power(beta, phi), power(gamma, phi))
    return [stage(channels, repeats, width, depth) for channels, repeats in stages], pixels(image_size * side)


def _step_by_step(
    stages: Stages, image_size: int, phi: float, alpha: float = 1.2, beta: float = 1.1, gamma: float = 1.15
) -> tuple[list[tuple[int, int]], int]:
    for _ in range(math.ceil(phi)):
        stages, image_size = _network(stages, image_size, 1, alpha, beta, gamma)
    return list(stages), image_size


def _growing(
    stages: Stages, image_size: int, phi: float, alpha: float = 1.2, beta: float = 1.1, gamma: float = 1.15
) -> tuple[list[tuple[int, int]], int]:
    depth, width = alpha**phi, beta**phi
    scaled = [scale_stage(c, r, width ** (i + 1), depth) for i, (c, r) in enumerate(stages)]
    return scaled, round(image_size * gamma**phi)


NETWORK_MISTAKES = {
    "times_phi": (
        partial(_network, power=lambda base, phi: base * phi),
        "φ multiplies the bases, so φ = 0 gives nothing at all. It is their exponent: alpha**phi.",
    ),
    "linear": (
        partial(_network, power=lambda base, phi: 1 + (base - 1) * phi),
        "You add the same part for every step: 1 + 0.2 φ. Steps multiply: alpha**phi.",
    ),
    "one_step": (
        partial(_network, power=lambda base, phi: base),
        "φ is never used. Raise α, β and γ to it.",
    ),
    "phi_to_the_base": (
        partial(_network, power=lambda base, phi: phi**base),
        "You raise φ to the base. It is the other way round: alpha**phi.",
    ),
    "exponential": (
        partial(_network, power=lambda base, phi: math.exp(base * phi) if phi else 1.0),
        "You use exp(base · φ). The base is α itself: alpha**phi.",
    ),
    "depth_for_width": (
        partial(_network, factors=lambda depth, width, side: (width, depth, side)),
        "α and β are exchanged: α is for depth (repeats), β for width (channels), and scale_stage takes width first.",
    ),
    "width_for_resolution": (
        partial(_network, factors=lambda depth, width, side: (depth, side, width)),
        "β and γ are exchanged: β is for width (channels), γ for resolution (the image).",
    ),
    "depth_for_resolution": (
        partial(_network, factors=lambda depth, width, side: (side, width, depth)),
        "α and γ are exchanged: α is for depth (repeats), γ for resolution (the image).",
    ),
    "width_squared": (
        partial(_network, factors=lambda depth, width, side: (depth, width**2, side)),
        "You multiply the channels by β² per step. The square is in the cost; the channels grow by β.",
    ),
    "resolution_squared": (
        partial(_network, factors=lambda depth, width, side: (depth, width, side**2)),
        "You multiply the side by γ² per step. The square is in the cost; the side grows by γ.",
    ),
    "all_squared": (
        partial(_network, factors=lambda depth, width, side: (depth, width**2, side**2)),
        "β² and γ² are what the cost grows by. Channels grow by β and the side by γ.",
    ),
    "side_as_it_was": (
        partial(_network, factors=lambda depth, width, side: (depth, width, 1.0)),
        "The images keep their size. γ scales their side.",
    ),
    "channels_not_rounded": (
        partial(_network, stage=lambda channels, repeats, width, depth: (channels * width, math.ceil(repeats * depth))),
        "The channels are not rounded. Use scale_stage.",
    ),
    "channels_whole": (
        partial(
            _network,
            stage=lambda channels, repeats, width, depth: (round(channels * width), math.ceil(repeats * depth)),
        ),
        "The channels are whole, but no multiples of 8. Use scale_stage.",
    ),
    "pixels_below": (
        partial(_network, pixels=int),
        "int() cuts the fraction of a pixel off. Round to the nearest.",
    ),
    "pixels_above": (
        partial(_network, pixels=math.ceil),
        "The side is rounded up. Round to the nearest pixel.",
    ),
    "pixels_in_eights": (
        partial(_network, pixels=lambda side: int(side + 4) // 8 * 8),
        "You round the side to a multiple of 8. Only channels are; the side is rounded to a whole pixel.",
    ),
    "pixels_not_rounded": (
        partial(_network, pixels=float),
        "The side of the image is not rounded: an image has whole pixels.",
    ),
    "step_by_step": (
        _step_by_step,
        "You scale φ times by one step and round each time, so errors add up, and φ = 0.5 is not possible. Raise to φ "
        "first, then round once.",
    ),
    "growing": (
        _growing,
        "Later stages grow more in yours. Every stage is scaled by the same width and depth.",
    ),
    "first_stage_only": (
        lambda stages, *arguments, **options: (
            [_network(stages, *arguments, **options)[0][0]],
            _network(stages, *arguments, **options)[1],
        ),
        "Only the first stage comes back. Is the `return` inside the loop?",
    ),
    "size_first": (
        lambda *arguments, **options: _network(*arguments, **options)[::-1],
        "You return the size of the image first. The stages come first.",
    ),
    "stages_only": (
        lambda *arguments, **options: _network(*arguments, **options)[0],
        "Only the stages come back. Return the image's size, too: stages, image_size.",
    ),
}
