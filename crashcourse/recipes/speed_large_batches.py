"""Recipe of lesson 18: what the batch size does to training, test and sharpness, and a batch that grows.

Papers: Keskar et al., 2016, arXiv:1609.04836 (large batches find sharp minima); Hoffer, Hubara and Soudry, 2017,
arXiv:1705.08741 (the gap is too few updates); Goyal et al., 2017, arXiv:1706.02677 (linear scaling and warm-up); Smith,
Kindermans, Ying and Le, 2017, arXiv:1711.00489 (increase the batch size instead of decaying the rate). **Differs from
the papers:** a small VGG on 10,000 grey garments, up to a fifth of them in a batch, a few epochs; half a cosine instead
of rate drops where batch sizes are compared; a batch that grows by 4 twice instead of by 5 three times.

The rate at batches of 128 is the largest of those tried (0.01, 0.02, 0.03, 0.05; one seed) that, 16 times as high, does
not kill the network at batches of 2,048: the linear rule holds up to a point, and this is a fifth of the data set.
"""

from dataclasses import dataclass, replace

from crashcourse.classification.vgg import small_vgg
from crashcourse.recipes.base import Job, Recipe, Run, Scale
from crashcourse.recipes.classifier import ClassifierSettings, evaluate_classifier, train_on_garments
from crashcourse.recipes.garments import DATA
from crashcourse.recipes.settings import STAIRS
from crashcourse.recipes.speed_sharpness import sharpness
from crashcourse.training.contracts import length

SHARPNESS_IMAGES = 2000
"""Of the training images, the first so many: those whose loss may rise."""


@dataclass(frozen=True)
class Way:
    """One way to train with batches.

    Attributes:
        says: what it is.
        size: of the batch, at first.
        settings: how it trains.
        scaled: whether the rate grows with the batch, from that of the scale and its batch size (Goyal's linear rule).
    """

    says: str
    size: int
    settings: ClassifierSettings
    scaled: bool = False


_PLAIN = ClassifierSettings(schedule="cosine", drop_last=False)
WAYS = {
    "b32": Way("batches of 32", 32, _PLAIN),
    "b128": Way("batches of 128", 128, _PLAIN),
    "b512": Way("batches of 512", 512, _PLAIN),
    "b2048": Way("batches of 2,048", 2048, _PLAIN),
    "b2048_scaled": Way(
        "batches of 2,048, a rate 16 times as high, warmed up", 2048, replace(_PLAIN, schedule="warm_cosine"), True
    ),
    "decay_rate": Way(
        "batches of 128, the rate divided by 4 after 1/2 and 3/4 of the run", 128, replace(_PLAIN, schedule="staircase")
    ),
    "grow_batch": Way(
        "a constant rate, batches of 128 multiplied by 4 after 1/2 and 3/4 of the run",
        128,
        replace(_PLAIN, schedule="constant", growth=STAIRS),
    ),
}


def _train(job: Job) -> Run:
    from crashcourse.datasets import garments

    way = WAYS[job.variant]
    factor = way.size / job.scale.batch_size if way.scaled else 1
    scale = replace(job.scale, batch_size=way.size, learning_rate=factor * job.scale.learning_rate)
    model = small_vgg(width=scale.width, stages=scale.stages)
    run = train_on_garments(model, replace(job, scale=scale), settings=way.settings)

    training = garments("train", size=scale.data)
    batches = way.settings.batches(training, scale, seed=job.seed)
    fitted = evaluate_classifier(run.model, training.normalised(), training.labels)
    few = training.take(min(SHARPNESS_IMAGES, len(training))).to(next(run.model.parameters()).device)
    metrics = {
        **run.metrics,
        "train_accuracy": fitted["accuracy"],
        "gap": fitted["accuracy"] - run.metrics["accuracy"],
        "sharpness": sharpness(run.model, few.normalised(), few.labels),
        "updates": float(sum(length(batches, epoch) for epoch in range(scale.epochs))),
    }
    return replace(run, metrics=metrics)


BATCH_GARMENTS = Recipe(
    name="batch_garments",
    title="a narrow VGG on Fashion-MNIST, with batches of 32 to 2,048",
    data=DATA,
    variants={name: way.says for name, way in WAYS.items()},
    scales={
        "laptop": Scale(epochs=4, batch_size=128, learning_rate=0.01, width=8, compares=("b32",)),
        "study": Scale(epochs=12, batch_size=128, learning_rate=0.01, width=8, compares=tuple(WAYS)),
        "gpu": Scale(
            epochs=24, batch_size=128, learning_rate=0.01, width=64, stages=(2, 2, 2), data="full", compares=tuple(WAYS)
        ),
    },
    run=_train,
)

RECIPES = [BATCH_GARMENTS]
