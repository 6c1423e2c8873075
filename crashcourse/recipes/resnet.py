"""Recipe of lesson 13: plain, residual and pre-activation networks of two depths on Fashion-MNIST.

Papers: He, Zhang, Ren and Sun, 2015, arXiv:1512.03385, section 4.2 (plain against residual on CIFAR-10); the same,
2016, arXiv:1603.05027 (pre-activation). **Differs from the papers:** grey garments of 28×28, a few epochs under one
cycle; at laptop and study scale half the channels and a stem of stride 4.

The metrics hold accuracy and loss on the *training* images too, measured after training, in evaluation mode:
degradation is a failure to fit, and shows there.
"""

from dataclasses import replace

from torch import nn

from crashcourse.classification.resnet_cifar import CifarResNet
from crashcourse.classification.resnet_preact import PreActResNet
from crashcourse.recipes.base import Job, Recipe, Run, Scale
from crashcourse.recipes.classifier import evaluate_classifier, train_on_garments
from crashcourse.recipes.garments import DATA

FAMILIES = {"resnet": "A", "plain": "none"}


def depth_variant(variant: str, scale: Scale) -> nn.Module:
    """The network of a variant such as "plain56": `(N, 1, 28, 28)` float -> `(N, 10)`."""
    family, depth = variant.rstrip("0123456789"), int(variant[len(variant.rstrip("0123456789")) :])
    size = {"in_channels": 1, "width": scale.width, "stem_stride": 1 if scale.data == "full" else 4}
    if family == "preact":
        return PreActResNet(depth, **size)
    return CifarResNet(depth, shortcut=FAMILIES[family], **size)


def _train(job: Job) -> Run:
    from crashcourse.datasets import garments

    run = train_on_garments(depth_variant(job.variant, job.scale), job)
    training = garments("train", size=job.scale.data)
    fitted = evaluate_classifier(run.model, training.normalised(), training.labels)
    return replace(run, metrics={**run.metrics, **{f"train_{name}": value for name, value in fitted.items()}})


COMPARED = ("resnet20", "resnet56", "plain20", "plain56", "preact56")

DEPTH_GARMENTS = Recipe(
    name="depth_garments",
    title="plain and residual networks of 20 and 56 layers on Fashion-MNIST",
    data=DATA,
    variants={
        "resnet20": "20 layers, residual, shortcut A",
        "resnet56": "56 layers, residual, shortcut A",
        "plain20": "20 layers, no shortcuts",
        "plain56": "56 layers, no shortcuts",
        "preact20": "20 layers, residual, pre-activation",
        "preact56": "56 layers, residual, pre-activation",
    },
    scales={
        "laptop": Scale(epochs=3, batch_size=128, learning_rate=0.1, width=8, compares=("resnet20",)),
        "study": Scale(epochs=6, batch_size=128, learning_rate=0.1, width=8, compares=COMPARED),
        "gpu": Scale(
            epochs=30,
            batch_size=128,
            learning_rate=0.1,
            width=16,
            data="full",
            augment=True,
            compares=COMPARED,
        ),
    },
    run=_train,
)

RECIPES = [DEPTH_GARMENTS]
