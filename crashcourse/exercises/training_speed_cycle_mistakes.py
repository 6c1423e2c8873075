"""Lesson 18, training speed: what people get wrong in one cycle, each as code that behaves so, with its hint."""

import math
from collections.abc import Callable
from functools import partial


def _half_cosine(start: float, end: float, part: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * part)) / 2


def _straight(start: float, end: float, part: float) -> float:
    return start + (end - start) * part


def _cycle(
    step: int,
    total_steps: int,
    peak: float,
    rise: float = 0.3,
    *,
    shape: Callable[[float, float, float], float] = _half_cosine,
    momentum_shape: Callable[[float, float, float], float] | None = None,
    first: float = 1 / 25,
    final: float = 1 / 250_000,
    momenta: tuple[float, float, float] = (0.95, 0.85, 0.95),
    top: Callable[[int, float], float] = lambda total, rise: rise * total - 1,
    last: Callable[[int], float] = lambda total: total - 1,
    fallen: Callable[[float, float, float], float] = lambda step, top, last: (step - top) / (last - top),
    result: Callable[[float, float], object] = lambda rate, momentum: (rate, momentum),
) -> object:
    """`one_cycle_at` with one thing wrong: what the keyword arguments say."""
    highest, end = top(total_steps, rise), last(total_steps)
    other = momentum_shape or shape
    if step <= highest:
        part = step / highest
        return result(shape(first * peak, peak, part), other(*momenta[:2], part))
    part = fallen(step, highest, end)
    return result(shape(peak, final * peak, part), other(*momenta[1:], part))


def _falling(part: float) -> float:
    return (1 + math.cos(math.pi * part)) / 2


def _heights(
    step: int,
    total_steps: int,
    peak: float,
    rise: float = 0.3,
    *,
    up: Callable[[float], float] = lambda part: 1 - _falling(part),
    down: Callable[[float], float] = _falling,
    rate: Callable[[float, float, float], float] = lambda low, peak, height: low + (peak - low) * height,
) -> tuple[float, float]:
    """`one_cycle_at` by way of a height from 0 to 1 for rate and momentum alike, with one thing wrong."""
    top, last = rise * total_steps - 1, total_steps - 1
    low, height = (peak / 25, up(step / top)) if step <= top else (peak / 250_000, down((step - top) / (last - top)))
    return rate(low, peak, height), 0.95 - 0.1 * height


CYCLE_MISTAKES = {
    "straight_lines": (
        partial(_cycle, shape=_straight),
        "Yours goes in straight lines. Here both ways are half a cosine: (1 + cos(π · part)) / 2 goes from 1 to 0.",
    ),
    "momentum_straight": (
        partial(_cycle, momentum_shape=_straight),
        "The rate is right. Your momentum goes in straight lines: it follows half a cosine, too.",
    ),
    "exponential": (
        partial(_cycle, shape=lambda start, end, part: start * (end / start) ** part, momentum_shape=_half_cosine),
        "Your rate is multiplied by the same factor at every step. It goes along half a cosine.",
    ),
    "quarter_cosine": (
        partial(_cycle, shape=lambda start, end, part: end + (start - end) * math.cos(math.pi * part / 2)),
        "You took a quarter of a cosine, up to π / 2. Half a cosine goes up to π, and is flat at both ends.",
    ),
    "quarter_sine": (
        partial(_heights, up=lambda part: math.sin(math.pi / 2 * part), down=lambda part: math.cos(math.pi / 2 * part)),
        "You took quarters, up to π / 2: a sine up, a cosine down. It is *half* a cosine, (1 ± cos(π · part)) / 2, "
        "and so flat at both ends.",
    ),
    "no_pi": (
        partial(_cycle, shape=lambda start, end, part: end + (start - end) * (1 + math.cos(part)) / 2),
        "π is missing: as the part goes from 0 to 1, the cosine has to go from cos(0) to cos(π).",
    ),
    "no_lowest": (
        partial(_heights, rate=lambda low, peak, height: peak * height),
        "Your rate is the peak times a half cosine, so it is 0 at both ends. It starts at peak / 25 and ends at peak / "
        "250000: low + (peak - low) · c.",
    ),
    "whole_peak_added": (
        partial(_heights, rate=lambda low, peak, height: low + peak * height),
        "You add the whole peak to the low end, so that the rate climbs above the peak. Only peak - low is added.",
    ),
    "rise_backwards": (
        partial(_heights, up=_falling),
        "Your second phase is right, and the first one runs backwards: to rise, c is (1 - cos(π · part)) / 2, with a "
        "minus.",
    ),
    "peak_at_part_of_last": (
        partial(_cycle, top=lambda total, rise: rise * (total - 1)),
        "Your peak is at rise * (total_steps - 1). It is at rise * total_steps - 1: first multiply, then subtract.",
    ),
    "end_one_earlier": (
        partial(_cycle, last=lambda total: total - 2),
        "Your rate is lowest one step too early: the last step is total_steps - 1, so divide by total_steps - 1 - top.",
    ),
    "falls_one_later": (
        partial(_cycle, fallen=lambda step, top, last: (step - top - 1) / (last - top - 1)),
        "Your fall begins one step after the peak. The second phase begins at the peak itself: (step - top) / (last - "
        "top).",
    ),
    "falls_one_later_and_never_ends": (
        partial(_cycle, fallen=lambda step, top, last: (step - top - 1) / (last - top)),
        "You subtract 1 too much above the line: your fall begins a step late and does not reach its end.",
    ),
    "divided_twice": (
        partial(_cycle, final=1 / 25 / 250_000),
        "Your rate ends at peak / 25 / 250000. The 25 is in the 250000 already: peak / 250000.",
    ),
    "not_halved": (
        partial(_cycle, shape=lambda start, end, part: end + (start - end) * (1 + math.cos(math.pi * part))),
        "1 + cos goes from 2 to 0. Divide it by 2.",
    ),
    "backwards": (
        partial(_cycle, shape=lambda start, end, part: start + (end - start) * (1 + math.cos(math.pi * part)) / 2),
        "Each of your phases runs from its end to its start: (1 + cos(π · part)) / 2 begins with 1, so it belongs to "
        "the start.",
    ),
    "peak_one_later": (
        partial(_cycle, top=lambda total, rise: rise * total),
        "Your peak comes one step late: steps count from 0, so it is at rise * total_steps - 1.",
    ),
    "peak_rounded": (
        partial(_cycle, top=lambda total, rise: int(rise * total) - 1),
        "You round the place of the peak. It may lie between two steps: leave rise * total_steps - 1 as it is.",
    ),
    "end_one_later": (
        partial(_cycle, last=lambda total: total),
        "Your last step does not reach the end: it is total_steps - 1, as steps count from 0.",
    ),
    "all_one_later": (
        partial(_cycle, top=lambda total, rise: rise * total, last=lambda total: total),
        "You count steps from 1 to total_steps. They go from 0 to total_steps - 1; the peak comes one earlier, too.",
    ),
    "falls_from_the_start": (
        partial(_cycle, fallen=lambda step, top, last: step / last),
        "After the peak your part is step / last: it does not begin with 0. Subtract where the phase begins, above "
        "and below the line.",
    ),
    "falls_too_slowly": (
        partial(_cycle, fallen=lambda step, top, last: (step - top) / last),
        "The second phase is shorter than the whole run: divide by last - top.",
    ),
    "starts_at_zero": (
        partial(_cycle, first=0.0),
        "Your rate starts at 0. It starts at peak / 25.",
    ),
    "no_rise": (
        partial(_cycle, first=1.0),
        "Your rate starts at the peak. It starts at peak / 25 and has to rise.",
    ),
    "ends_at_zero": (
        partial(_cycle, final=0.0),
        "Your rate ends at 0, to the last bit. It ends at peak / 250000: small, but not nothing.",
    ),
    "ends_as_it_began": (
        partial(_cycle, final=1 / 25),
        "Your rate ends where it began, at peak / 25. It goes far below: to peak / 250000.",
    ),
    "ends_ten_thousandth": (
        partial(_cycle, final=1e-4),
        "Your rate ends at peak / 10000. The 10000 of OneCycleLR divides the rate of the *first* step: peak / 25 / "
        "10000.",
    ),
    "momentum_with_rate": (
        partial(_cycle, momenta=(0.85, 0.95, 0.85)),
        "Your momentum rises and falls with the rate. It goes the other way: lowest where the rate is highest.",
    ),
    "momentum_stays_low": (
        partial(_cycle, momenta=(0.95, 0.85, 0.85)),
        "After the peak your momentum stays at 0.85. It rises again, to 0.95.",
    ),
    "momentum_fixed": (
        partial(_cycle, momenta=(0.95, 0.95, 0.95)),
        "Your momentum never changes. It falls to 0.85 while the rate rises, and comes back.",
    ),
    "rise_ignored": (
        lambda step, total_steps, peak, rise=0.3: _cycle(step, total_steps, peak),
        "rise is ignored: your peak is always at three tenths. Use the argument.",
    ),
    "peak_ignored": (
        lambda step, total_steps, peak, rise=0.3: _cycle(step, total_steps, 1.0, rise),
        "peak is ignored: your highest rate is always 1.",
    ),
    "rate_only": (
        partial(_cycle, result=lambda rate, momentum: rate),
        "Only the rate comes back. Return rate and momentum.",
    ),
    "swapped": (
        partial(_cycle, result=lambda rate, momentum: (momentum, rate)),
        "Both numbers are there, in the wrong order: the rate comes first.",
    ),
}
