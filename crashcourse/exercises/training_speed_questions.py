"""Lesson 18, training speed: the table to fill in and the two questions.

Papers: Goyal et al., 2017, arXiv 1706.02677 (linear scaling); Smith and Le, 2017, arXiv 1710.06451, and Smith et al.,
2017, arXiv 1711.00489 (noise scale); Keskar et al., 2016, arXiv 1609.04836; Hoffer et al., 2017, arXiv 1705.08741.
"""

from functools import cache
from math import ceil

from crashcourse.exercises.questions import AnswerExercise, ChoiceExercise

IMAGES, BATCH, LARGE, RATE, MOMENTUM = 10_000, 128, 2048, 0.1, 0.9
SMALL_UPDATES, LARGE_UPDATES = "batch 32: updates in an epoch", "batch 2048: updates in an epoch"
LINEAR, WARMUP = "batch 2048: rate by linear scaling", "batch 2048: updates in a warm-up of 5 epochs"
NOISE = "batch 128, rate 0.1: noise scale"
NOISE_SCALED, NOISE_KEPT = "batch 2048, scaled rate: noise scale", "batch 2048, rate 0.1: noise scale"
GROWN, MOVED = "in place of dividing the rate by 4: the batch", "in place of doubling the rate: the momentum"


def noise_scale(rate: float, images: int, batch: int, momentum: float) -> float:
    """How strongly the choice of batches shakes the weights: g = ε (N / B - 1) / (1 - m), Smith and Le, 2017."""
    return rate * (images / batch - 1) / (1 - momentum)


@cache
def _table() -> dict[str, int | float]:
    """Updates, rates and noise for batches of several sizes, computed."""
    scaled = RATE * LARGE / BATCH
    return {
        SMALL_UPDATES: ceil(IMAGES / 32),
        LARGE_UPDATES: ceil(IMAGES / LARGE),
        LINEAR: round(scaled, 9),
        WARMUP: 5 * ceil(IMAGES / LARGE),
        NOISE: round(noise_scale(RATE, IMAGES, BATCH, MOMENTUM), 9),
        NOISE_SCALED: round(noise_scale(scaled, IMAGES, LARGE, MOMENTUM), 9),
        NOISE_KEPT: round(noise_scale(RATE, IMAGES, LARGE, MOMENTUM), 9),
        GROWN: 4 * BATCH,
        MOVED: round(1 - (1 - MOMENTUM) / 2, 9),
    }


def _noises(change: float = 1.0, *, less: int = 1) -> dict[str, float]:
    """The three rows of the noise, with a factor too much, or with N / B instead of N / B - 1."""
    scaled = RATE * LARGE / BATCH
    rows = {NOISE: (RATE, BATCH), NOISE_SCALED: (scaled, LARGE), NOISE_KEPT: (RATE, LARGE)}
    made = {row: rate * (IMAGES / size - less) / (1 - MOMENTUM) for row, (rate, size) in rows.items()}
    return {row: change * value for row, value in made.items()}


QUESTIONS = [
    AnswerExercise(
        name="training_speed.batches",
        title="Updates, rates and noise for large batches",
        lesson=18,
        question=(
            "10,000 garments; an epoch has all of them, so that its last batch may be smaller. With batches of 128, "
            "a rate of 0.1 and momentum 0.9 work well. Fill in the table. The noise scale is "
            "g = ε · (N / B - 1) / (1 - m), with rate ε, N images, batch B and momentum m. Last two rows: begin with "
            "128, 0.1 and 0.9 again. Leave the rate alone, and change the batch (or the momentum) so that "
            "ε · N / (B · (1 - m)) becomes what the change of the rate would make it."
        ),
        reference=_table,
        because=(
            "Linear scaling keeps the noise roughly as it was. At an unchanged rate, a batch sixteen times as large "
            "has about a twentieth of the noise, and a sixteenth of the updates."
        ),
        hints=(
            "10,000 / B, rounded up. The rate grows as the batch does.",
            "Linear: 0.1 · 2048 / 128. Noise at 128: 0.1 / (1 - 0.9) · (10,000 / 128 - 1); 1 / (1 - 0.9) is 10.",
            "Dividing ε by 4 divides g by 4; so does a batch four times as large. Doubling ε doubles g; so does half "
            "of 1 - m.",
        ),
        wrong={
            "rounded_down": (
                {SMALL_UPDATES: 312, LARGE_UPDATES: 4},
                "You left out the last batch of the epoch. It is smaller, and makes an update, too.",
            ),
            "broken_updates": (
                {SMALL_UPDATES: 312.5},
                "There is no half update: the last, smaller batch makes a whole one.",
            ),
            "images_left": (
                {LARGE_UPDATES: 1808},
                "That is how many images the last batch of an epoch has. Which batch is it?",
            ),
            "whole_set": (
                {SMALL_UPDATES: 1875, LARGE_UPDATES: 30},
                "That is for all 60,000 images of Fashion-MNIST. Here there are 10,000.",
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
            "warmup_in_epochs": (
                {WARMUP: 5},
                "That is its length in epochs. How many updates are there in each?",
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
        },
    ),
    ChoiceExercise(
        name="training_speed.faster_epochs",
        title="Is a faster epoch faster training?",
        lesson=18,
        question="A change makes every epoch 30 % shorter. What do you need to know before you call training faster?",
        options={
            "a": "Nothing more: an epoch is the same work for everyone.",
            "b": "Whether the loss after the first epoch is lower, too.",
            "c": "How long it takes, with several seeds, until unseen images reach a fixed accuracy.",
            "d": "Whether the accuracy after the same number of epochs is higher, too.",
        },
        reference="c",
        because=(
            "Twice the batch may halve the seconds of an epoch, and double the epochs that are needed. Only the time "
            "to a fixed accuracy counts both. And because seeds differ, one run proves little."
        ),
        hints=(
            "Think of larger batches: what do they do to the seconds of an epoch, and to how much it learns?",
            "Seconds to the goal are seconds an epoch times epochs to the goal. Which option measures their product?",
        ),
        wrong={
            "a": "The same images, not the same progress: an epoch has 5 updates with batches of 2048, 313 with 32.",
            "b": "Many runs that start fast end badly: the rate that suits the first epoch may not suit the last.",
            "d": "It may learn a little less in each epoch and still be first by the clock. What is the goal?",
        },
    ),
    ChoiceExercise(
        name="training_speed.why_large_is_worse",
        title="Why is the large batch worse?",
        lesson=18,
        question=(
            "Batches of 2048 instead of 32, the same rate, the same few epochs. Accuracy is lower on unseen images, "
            "and on the training images as well. Which explanation fits?"
        ),
        options={
            "a": "Large batches over-fit: they found a sharp minimum that fits the training images too well.",
            "b": "It made 60 times fewer updates of about the same size, so it has not got far.",
            "c": "A mean over 2048 images is a worse estimate of the gradient than one over 32.",
            "d": "2048 images do not fit into the computer's fast memory, so that the gradients are less exact.",
        },
        reference="b",
        because=(
            "It is behind where it learned, too: that is under-fitting. Hoffer et al. (2017) saw the gap of large "
            "batches go away when they may make as many updates as small ones."
        ),
        hints=(
            "Which images does a network know too well when it over-fits?",
            "How many updates does an epoch of 10,000 images have in each case?",
        ),
        wrong={
            "a": "Then it would be *good* on its training images. It is worse there, too.",
            "c": "It is a better one: the mean over more images varies less. That is why a larger rate is possible.",
            "d": "Memory decides about seconds, not about numbers: the gradient is the same.",
        },
    ),
]
