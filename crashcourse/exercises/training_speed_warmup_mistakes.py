"""Lesson 18, training speed: what people get wrong in the scaled rate with warm-up, each with its hint."""

import math
from collections.abc import Callable
from functools import partial


def _warmed(
    step: int,
    batch_size: int,
    images: int,
    base_rate: float = 0.1,
    base_batch: int = 256,
    epochs: int = 5,
    *,
    factor: Callable[[int, int], float] = lambda batch, base: batch / base,
    scaled: Callable[[float, float], float] = lambda rate, factor: rate * factor,
    start: Callable[[float, float], float] = lambda rate, target: rate,
    per_epoch: Callable[[int, int], float] = lambda images, batch: math.ceil(images / batch),
    warmup: Callable[[int, int, int], float] | None = None,
    part: Callable[[int, float, float], float] = lambda step, steps, per_epoch: min(1.0, step / steps),
    result: Callable[[float, float, float], float] = lambda low, target, part: low + (target - low) * part,
) -> float:
    """`warmed_rate` with one thing wrong: what the keyword arguments say."""
    target = scaled(base_rate, factor(batch_size, base_batch))
    each = per_epoch(images, batch_size)
    steps = warmup(epochs, images, batch_size) if warmup else epochs * each
    return result(start(base_rate, target), target, part(step, steps, each))


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
    "one_more": (
        partial(_warmed, per_epoch=lambda images, batch: images // batch + 1),
        "images // batch_size + 1 is one too many where the batches come out even: then no smaller one is left. Round "
        "up: math.ceil(images / batch_size).",
    ),
    "rounded_once": (
        partial(_warmed, warmup=lambda epochs, images, batch: math.ceil(epochs * images / batch)),
        "You round up once, for all epochs of the warm-up together. Each of them ends with a smaller batch of its own.",
    ),
    "epochs_forgotten": (
        partial(_warmed, warmup=lambda epochs, images, batch: math.ceil(images / batch)),
        "Your warm-up lasts one epoch. Multiply its updates by epochs.",
    ),
    "epochs_forgotten_not_whole": (
        partial(_warmed, warmup=lambda epochs, images, batch: images / batch),
        "Your warm-up has images / batch_size updates. Round that up, and multiply by epochs: it lasts several.",
    ),
    "one_step_less": (
        partial(_warmed, part=lambda step, steps, per_epoch: min(1.0, step / (steps - 1))),
        "Divide by all the updates of the warm-up, not by one less: at step = warm-up steps, the rate is there.",
    ),
    "one_step_more": (
        partial(_warmed, part=lambda step, steps, per_epoch: step / (steps + 1) if step <= steps else 1.0),
        "You divide by one more than the updates of the warm-up, so that your rate arrives one update late.",
    ),
    "never_smaller": (
        partial(_warmed, scaled=lambda rate, factor: max(rate, rate * factor)),
        "For small batches your rate never goes below base_rate. Scale them, too: a smaller batch, a smaller rate.",
    ),
    "least_of_both": (
        partial(
            _warmed,
            part=lambda step, steps, per_epoch: step / steps,
            result=lambda low, target, part: min(target, low + (target - low) * part),
        ),
        "min(target, ...) stops a rate that rises. With batches below base_batch it falls, and min takes the target at "
        "once. Limit the part instead: min(1.0, step / warmup_steps).",
    ),
    "whole_factor": (
        partial(_warmed, factor=lambda batch, base: batch // base),
        "batch_size // base_batch drops the remainder, and is 0 for small batches. Divide with /.",
    ),
    "base_rate_left_out": (
        partial(_warmed, scaled=lambda rate, factor: factor),
        "The rate to be reached is base_rate times batch_size / base_batch. Yours is the ratio alone.",
    ),
    "grown_base_then_jump": (
        partial(
            _warmed,
            part=lambda step, steps, per_epoch: step / steps,
            result=lambda low, target, part: low * part if part < 1 else target,
        ),
        "Yours goes from 0 to base_rate, and then jumps. Go from base_rate to the scaled rate.",
    ),
    "arguments_ignored": (
        lambda step, batch_size, images, base_rate=0.1, base_batch=256, epochs=5: _warmed(step, batch_size, images),
        "0.1, 256 and 5 are written into your code. Use the arguments base_rate, base_batch and epochs.",
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
