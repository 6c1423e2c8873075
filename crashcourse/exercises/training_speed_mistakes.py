"""Lesson 18, training speed: what people get wrong in the two schedules, as code that behaves so, with its hint."""

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


def _warmed(
    step: int,
    batch_size: int,
    images: int,
    base_rate: float = 0.1,
    base_batch: int = 256,
    epochs: int = 5,
    *,
    scaled: Callable[[float, float], float] = lambda rate, factor: rate * factor,
    start: Callable[[float, float], float] = lambda rate, target: rate,
    per_epoch: Callable[[int, int], float] = lambda images, batch: math.ceil(images / batch),
    part: Callable[[int, float, float], float] = lambda step, steps, per_epoch: min(1.0, step / steps),
    result: Callable[[float, float, float], float] = lambda low, target, part: low + (target - low) * part,
) -> float:
    """`warmed_rate` with one thing wrong: what the keyword arguments say."""
    target = scaled(base_rate, batch_size / base_batch)
    each = per_epoch(images, batch_size)
    return result(start(base_rate, target), target, part(step, epochs * each, each))


WARMUP_MISTAKES = {
    "square_root": (
        partial(_warmed, scaled=lambda rate, factor: rate * factor**0.5),
        "You scale by the square root of the batch. That is another rule (Hoffer et al.); this one is in proportion.",
    ),
    "inverse": (
        partial(_warmed, scaled=lambda rate, factor: rate / factor),
        "Your rate falls with the batch. Larger batches make fewer steps, and each may be larger.",
    ),
    "not_scaled": (
        partial(_warmed, scaled=lambda rate, factor: rate),
        "The rate is not scaled: it goes up by batch_size / base_batch.",
    ),
    "batch_times_rate": (
        lambda step, batch_size, images, base_rate=0.1, base_batch=256, epochs=5: _warmed(
            step, batch_size, images, base_rate, 1, epochs
        ),
        "You multiply by the batch. Its ratio to base_batch counts: batch_size / base_batch.",
    ),
    "from_zero": (
        partial(_warmed, start=lambda rate, target: 0.0),
        "Your warm-up begins with 0. It begins with base_rate, which is known to work.",
    ),
    "no_warmup": (
        partial(_warmed, part=lambda step, steps, per_epoch: 1.0),
        "There is no warm-up: the scaled rate comes at once.",
    ),
    "jump": (
        partial(_warmed, part=lambda step, steps, per_epoch: float(step >= steps)),
        "Your rate waits at base_rate and then jumps. It changes by the same amount at every update.",
    ),
    "by_epoch": (
        partial(_warmed, part=lambda step, steps, per_epoch: min(1.0, step // per_epoch * per_epoch / steps)),
        "Your rate changes once in an epoch. It changes at every update.",
    ),
    "never_stops": (
        partial(_warmed, part=lambda step, steps, per_epoch: step / steps),
        "After the warm-up your rate goes on. It stays at the scaled rate: min(1.0, ...).",
    ),
    "back_to_base": (
        partial(_warmed, part=lambda step, steps, per_epoch: step / steps if step < steps else 0.0),
        "After the warm-up you are back at base_rate. The scaled rate stays.",
    ),
    "epochs_as_updates": (
        partial(_warmed, part=lambda step, steps, per_epoch: min(1.0, step / (steps / per_epoch))),
        "Your warm-up ends after so many *updates*. `epochs` counts epochs, each of many updates.",
    ),
    "epochs_as_images": (
        lambda step, batch_size, images, base_rate=0.1, base_batch=256, epochs=5: _warmed(
            step, batch_size, images, base_rate, base_batch, epochs, per_epoch=lambda images, batch: images
        ),
        "You take an update for every image. There is one for every batch.",
    ),
    "last_batch_forgotten": (
        partial(_warmed, per_epoch=lambda images, batch: images // batch),
        "You count full batches only. The last batch of an epoch is smaller, and it makes an update, too: round up.",
    ),
    "not_whole": (
        partial(_warmed, per_epoch=lambda images, batch: images / batch),
        "An epoch of yours has a broken number of updates. The last, smaller batch makes a whole one: round up.",
    ),
    "base_batch_updates": (
        lambda step, batch_size, images, base_rate=0.1, base_batch=256, epochs=5: _warmed(
            step,
            batch_size,
            images,
            base_rate,
            base_batch,
            epochs,
            per_epoch=lambda images, batch: math.ceil(images / base_batch),
        ),
        "You count the updates of an epoch for base_batch. The batches are batch_size large: there are fewer.",
    ),
    "one_early": (
        partial(_warmed, part=lambda step, steps, per_epoch: min(1.0, (step + 1) / steps)),
        "You are one update ahead: before the first one, with step 0, the rate is base_rate.",
    ),
    "multiplied": (
        partial(_warmed, result=lambda low, target, part: low * (target / low) ** part),
        "Your rate is multiplied by the same factor at every update. The same amount is *added*.",
    ),
    "added_to_base": (
        partial(_warmed, result=lambda low, target, part: low + target * part),
        "You add the whole scaled rate to base_rate. Only the difference between the two is added.",
    ),
    "always_256": (
        lambda step, batch_size, images, base_rate=0.1, base_batch=256, epochs=5: _warmed(
            step, batch_size, images, base_rate, 256, epochs
        ),
        "You always divide by 256. Use the argument base_batch.",
    ),
    "always_a_tenth": (
        lambda step, batch_size, images, base_rate=0.1, base_batch=256, epochs=5: _warmed(
            step, batch_size, images, 0.1, base_batch, epochs
        ),
        "You always take 0.1 for the known rate. Use the argument base_rate.",
    ),
    "always_five": (
        lambda step, batch_size, images, base_rate=0.1, base_batch=256, epochs=5: _warmed(
            step, batch_size, images, base_rate, base_batch
        ),
        "Your warm-up always lasts five epochs. Use the argument epochs.",
    ),
}
