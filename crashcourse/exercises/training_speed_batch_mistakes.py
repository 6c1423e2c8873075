"""Lesson 18, training speed: the rows of the table to fill in, and what people write there, each with its hint."""

IMAGES, BATCH, LARGE, RATE, MOMENTUM = 10_000, 128, 2048, 0.1, 0.9
SMALL_UPDATES, LARGE_UPDATES = "batch 32: updates in an epoch", "batch 2048: updates in an epoch"
LINEAR, WARMUP = "batch 2048: rate by linear scaling", "batch 2048: updates in a warm-up of 5 epochs"
NOISE = "batch 128, rate 0.1: noise scale"
NOISE_SCALED, NOISE_KEPT = "batch 2048, scaled rate: noise scale", "batch 2048, rate 0.1: noise scale"
GROWN, MOVED = "in place of dividing the rate by 4: the batch", "in place of doubling the rate: the momentum"


def noise_scale(rate: float, images: int, batch: int, momentum: float) -> float:
    """How strongly the choice of batches shakes the weights: g = η (N / B - 1) / (1 - m), Smith and Le, 2017."""
    return rate * (images / batch - 1) / (1 - momentum)


def _noises(change: float = 1.0, *, less: int = 1, images: int = IMAGES) -> dict[str, float]:
    """The three rows of the noise, with a factor too much, with N / B instead of N / B - 1, or with other images."""
    scaled = RATE * LARGE / BATCH
    rows = {NOISE: (RATE, BATCH), NOISE_SCALED: (scaled, LARGE), NOISE_KEPT: (RATE, LARGE)}
    made = {row: rate * (images / size - less) / (1 - MOMENTUM) for row, (rate, size) in rows.items()}
    return {row: change * value for row, value in made.items()}


BATCH_MISTAKES = {
    "rounded_down": (
        {SMALL_UPDATES: 312, LARGE_UPDATES: 4},
        "You left out the last batch of the epoch. It is smaller, and makes an update, too.",
    ),
    "broken_updates": (
        {SMALL_UPDATES: 312.5},
        "There is no half update: the last, smaller batch makes a whole one.",
    ),
    "broken_large": (
        {LARGE_UPDATES: IMAGES / LARGE},
        "That is 10,000 / 2048. Four batches are full, and the rest makes one more update: round up.",
    ),
    "images_left": (
        {LARGE_UPDATES: 1808},
        "That is how many images the last batch of an epoch has. Which batch is it?",
    ),
    "whole_set": (
        {SMALL_UPDATES: 1875, LARGE_UPDATES: 30},
        "That is for all 60,000 images of Fashion-MNIST. Here there are 10,000.",
    ),
    "whole_set_warmup": (
        {WARMUP: 150},
        "Those are five epochs of all 60,000 images of Fashion-MNIST. Here there are 10,000.",
    ),
    "broken_warmup": (
        {WARMUP: 5 * IMAGES / LARGE},
        "There are no broken updates. Round up in each epoch, then take five of them.",
    ),
    "square_root_rate": (
        {LINEAR: 0.4},
        "That is the square root rule. Linear: the batch is 16 times as large, and so is the rate.",
    ),
    "rate_down": (
        {LINEAR: 0.00625},
        "You divide the rate. With larger batches there are fewer updates, and each may go further.",
    ),
    "rate_times_batch": (
        {LINEAR: 204.8},
        "You multiply by the batch. Its ratio to 128 counts.",
    ),
    "rate_by_256": (
        {LINEAR: 0.8},
        "256 is the batch of Goyal et al. Here the rate of 0.1 belongs to batches of 128.",
    ),
    "rate_from_32": (
        {LINEAR: 6.4},
        "You scale from batches of 32. The rate of 0.1 belongs to batches of 128.",
    ),
    "rate_factor": (
        {LINEAR: 16},
        "That is how many times as large the batch is. Multiply it by the rate of 0.1.",
    ),
    "warmup_in_epochs": (
        {WARMUP: 5},
        "5 is how many epochs the warm-up has. It is also how many updates one epoch has: multiply the two.",
    ),
    "warmup_of_128": (
        {WARMUP: 395},
        "Those are five epochs with batches of 128. Batches of 2048 make fewer updates.",
    ),
    "warmup_rounded_down": (
        {WARMUP: 20},
        "You left out the last batch of each epoch. It is smaller, and makes an update, too.",
    ),
    "warmup_rounded_at_the_end": (
        {WARMUP: 24},
        "You took 5 · 10,000 images at once. Each epoch ends with a smaller batch of its own.",
    ),
    "no_momentum": (
        _noises(1 - MOMENTUM),
        "Momentum is missing: it makes each gradient count 1 / (1 - 0.9) = 10 times.",
    ),
    "times_one_minus_momentum": (
        _noises((1 - MOMENTUM) ** 2),
        "You multiply by 1 - m. The noise is divided by it.",
    ),
    "divided_by_momentum": (
        _noises((1 - MOMENTUM) / MOMENTUM),
        "You divide by m. It is 1 - m.",
    ),
    "not_less_one": (
        _noises(less=0),
        "You left out the -1. It matters for large batches: with B = N there is no noise at all.",
    ),
    "neither": (
        {NOISE: RATE * IMAGES / BATCH, NOISE_SCALED: 16 * RATE * IMAGES / LARGE, NOISE_KEPT: RATE * IMAGES / LARGE},
        "That is η · N / B: both the -1 and the division by 1 - m are missing.",
    ),
    "noise_of_the_whole_set": (
        _noises(images=60_000),
        "N is 60,000 in yours. Here there are 10,000 training images.",
    ),
    "rounded_first": (
        {NOISE: 78, NOISE_SCALED: 64, NOISE_KEPT: 4},
        "You round N / B up to whole updates. The noise scale takes the ratio as it is.",
    ),
    "one_off_the_batch": (
        {NOISE: IMAGES / (BATCH - 1), NOISE_SCALED: 16 * IMAGES / (LARGE - 1), NOISE_KEPT: IMAGES / (LARGE - 1)},
        "The -1 is taken off B. It is taken off the ratio: (N / B) - 1.",
    ),
    "noise_at_0.95": (
        {NOISE: 2 * noise_scale(RATE, IMAGES, BATCH, MOMENTUM)},
        "That is twice the noise, as with momentum 0.95. Momentum is 0.9 in this row.",
    ),
    "noise_kept": (
        {NOISE_SCALED: noise_scale(RATE, IMAGES, BATCH, MOMENTUM)},
        "Linear scaling keeps η · N / B, and the noise only roughly: mind the -1. Put in the new rate and batch.",
    ),
    "noise_rows_swapped": (
        {
            NOISE_SCALED: noise_scale(RATE, IMAGES, LARGE, MOMENTUM),
            NOISE_KEPT: noise_scale(16 * RATE, IMAGES, LARGE, MOMENTUM),
        },
        "These two rows are swapped: the scaled rate is the higher one, and makes more noise.",
    ),
    "noise_of_the_old_batch": (
        {NOISE_SCALED: noise_scale(16 * RATE, IMAGES, BATCH, MOMENTUM)},
        "The rate is scaled in yours, and B is 128 still. In this row B is 2048.",
    ),
    "noise_unchanged": (
        {NOISE_KEPT: noise_scale(RATE, IMAGES, BATCH, MOMENTUM)},
        "That is the noise with batches of 128. In this row B is 2048.",
    ),
    **{
        f"noise_at_rate_{rate:g}": (
            {NOISE_SCALED: noise_scale(rate, IMAGES, LARGE, MOMENTUM)},
            f"The formula is right, with a rate of {rate:g} in it. Correct the rate first, three rows above.",
        )
        for rate in (0.00625, 0.4, 0.8, 6.4, 16, 204.8)
    },
    **{
        f"rounded_to_{value:g}": (
            {row: value},
            f"{value:g} is rounded too far: give three digits at least.",
        )
        for row, value in ((NOISE, 77), (NOISE_SCALED, 62), (NOISE_KEPT, 3.9))
    },
    "batch_over_images": (
        {
            NOISE: RATE / (1 - MOMENTUM) * (1 - BATCH / IMAGES),
            NOISE_KEPT: RATE / (1 - MOMENTUM) * (1 - LARGE / IMAGES),
        },
        "That is 1 - B / N. The noise has N / B - 1: how many times the batch fits into the rest.",
    ),
    "batch_smaller": (
        {GROWN: 32},
        "A smaller batch makes more noise. Dividing the rate makes less.",
    ),
    "batch_doubled": (
        {GROWN: 256},
        "Twice the batch halves the noise. Dividing the rate by 4 leaves a quarter.",
    ),
    "batch_squared": (
        {GROWN: 2048},
        "16 times the batch leaves a sixteenth of the noise. Dividing the rate by 4 leaves a quarter.",
    ),
    "batch_added": (
        {GROWN: 132},
        "You added 4 images. The batch has to be multiplied.",
    ),
    "batch_exact": (
        {GROWN: IMAGES / (1 + (IMAGES / BATCH - 1) / 4)},
        "You kept the -1 of the exact formula. This row asks for η · N / (B · (1 - m)), without it.",
    ),
    "batch_exact_rounded_up": (
        {GROWN: 494},
        "That is the exact formula, with its -1, rounded up. This row asks for η · N / (B · (1 - m)).",
    ),
    "momentum_doubled": (
        {MOVED: 1.8},
        "Momentum stays below 1. What has to be halved is 1 - m.",
    ),
    "momentum_halved": (
        {MOVED: 0.45},
        "You halved m, which makes less noise. What has to be halved is 1 - m.",
    ),
    "rest_doubled": (
        {MOVED: 0.8},
        "You doubled 1 - m. The noise is divided by it, so that makes half the noise.",
    ),
    "ten_times": (
        {MOVED: 0.99},
        "1 - 0.99 is a tenth of 1 - 0.9: ten times the noise.",
    ),
    "rest_itself": (
        {MOVED: 0.05},
        "That is the new 1 - m. What is m then?",
    ),
    "one_and_momentum": (
        {MOVED: 1.9},
        "With momentum above 1 the velocity grows for ever. Halve 1 - m, which is 0.1 now.",
    ),
    "momentum_root": (
        {MOVED: MOMENTUM**0.5},
        "That is the square root of m. It is 1 - m that divides the noise: halve it.",
    ),
}
