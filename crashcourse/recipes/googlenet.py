"""Recipe of lesson 12: a small GoogLeNet on Fashion-MNIST, with the head and the auxiliary classifiers to compare.

Paper: Szegedy et al., 2014, arXiv:1409.4842, sections 4 and 5. **Differs from the paper:** a network scaled to
28×28 images and ten classes; one cycle instead of falling rates; batch normalization (Ioffe and Szegedy, 2015) in the
variants `average` and `dense`.
"""

from torch import Tensor, nn

from crashcourse.classification.googlenet import loss_with_auxiliary_heads, small_googlenet
from crashcourse.recipes.base import Job, Recipe, Run, Scale
from crashcourse.recipes.classifier import train_on_garments
from crashcourse.recipes.garments import DATA

VARIANTS = {
    "average": {},
    "dense": {"head": "dense"},
    "plain": {"batch_norm": False},
    "plain_aux": {"batch_norm": False, "aux_heads": True},
}
"""Variant -> what it changes of `small_googlenet`."""


def classify_with_heads(model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    """The step of a classifier that may have auxiliary heads, each of which counts 0.3 (section 5).

    Args:
        model: images `(N, C, H, W)` float -> logits `(N, classes)`, or a tuple of them, the network's own first.
        batch: images, and labels `(N,)` int64.

    Returns:
        {"loss": scalar, the heads included, "accuracy": scalar in [0, 1], of the network's own scores}.
    """
    images, labels = batch
    outputs = model(images)
    scores, *auxiliary = (outputs,) if isinstance(outputs, Tensor) else outputs
    loss = loss_with_auxiliary_heads(scores, auxiliary, labels)
    return {"loss": loss, "accuracy": (scores.argmax(1) == labels).float().mean()}


def _train(job: Job) -> Run:
    model = small_googlenet(width=job.scale.width, **VARIANTS[job.variant])
    return train_on_garments(model, job, step=classify_with_heads)


RECIPES = [
    Recipe(
        name="googlenet_garments",
        title="a small GoogLeNet on Fashion-MNIST",
        data=DATA,
        variants={
            "average": "batch normalization; the mean of each map, then one dense layer",
            "dense": "batch normalization; a hidden dense layer on all pixels of the last maps",
            "plain": "no normalization, no auxiliary heads",
            "plain_aux": "no normalization, two auxiliary heads",
        },
        scales={
            "laptop": Scale(epochs=3, batch_size=64, learning_rate=0.05, width=8, compares=("average",)),
            "study": Scale(
                epochs=4,
                batch_size=64,
                learning_rate=0.05,
                width=8,
                compares=("average", "dense", "plain", "plain_aux"),
            ),
            "gpu": Scale(
                epochs=30,
                batch_size=128,
                learning_rate=0.1,
                width=64,
                data="full",
                augment=True,
                compares=("average",),
            ),
        },
        run=_train,
    )
]
