"""Lesson 18, training speed: the table to fill in and the two questions.

The mistakes of the table, and what its rows are called, are in `training_speed_batch_mistakes.py`.

Papers: Goyal et al., 2017, arXiv 1706.02677 (linear scaling); Smith and Le, 2017, arXiv 1710.06451, and Smith et al.,
2017, arXiv 1711.00489 (noise scale); Keskar et al., 2016, arXiv 1609.04836; Hoffer et al., 2017, arXiv 1705.08741.
"""

from functools import cache
from math import ceil

from crashcourse.exercises.questions import AnswerExercise, ChoiceExercise
from crashcourse.exercises.training_speed_batch_mistakes import (
    BATCH,
    BATCH_MISTAKES,
    GROWN,
    IMAGES,
    LARGE,
    LARGE_UPDATES,
    LINEAR,
    MOMENTUM,
    MOVED,
    NOISE,
    NOISE_KEPT,
    NOISE_SCALED,
    RATE,
    SMALL_UPDATES,
    WARMUP,
    noise_scale,
)


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


QUESTIONS = [
    AnswerExercise(
        name="training_speed.batches",
        title="Updates, rates and noise for large batches",
        lesson=18,
        question=(
            "10,000 garments; an epoch has all of them, so that its last batch may be smaller. With batches of 128, "
            "a rate of 0.1 and momentum 0.9 work well. Fill in the table, with three digits at least. Three rows ask "
            "for the noise scale g = η · (N / B - 1) / (1 - m), with rate η, N images, batch B and momentum m. The "
            "last two rows take it without the -1: η · N / (B · (1 - m)). Both begin with 128, 0.1 and 0.9 again. "
            "Leave the rate alone: which batch (or momentum) makes as much noise as the change of the rate would?"
        ),
        reference=_table,
        because=(
            "Linear scaling keeps the noise roughly as it was. At an unchanged rate, a batch sixteen times as large "
            "has about a twentieth of the noise, and a sixteenth of the updates."
        ),
        hints=(
            "10,000 / B, rounded up. The rate grows as the batch does.",
            "Linear: 0.1 · 2048 / 128. Noise at 128: 0.1 / (1 - 0.9) · (10,000 / 128 - 1); 1 / (1 - 0.9) is 10.",
            "Without the -1: dividing η by 4 divides the noise by 4, and so does a batch four times as large. Doubling "
            "η doubles it, and so does half of 1 - m.",
        ),
        wrong=BATCH_MISTAKES,
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
