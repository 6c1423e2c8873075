"""A recipe that trains in a moment on noise, for the tests of studies and records."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from crashcourse.recipes import Recipe, Run, Scale, classify, evaluate_classifier
from crashcourse.recipes.base import Job, recipes
from crashcourse.training import Machine, fit

TRAINED: list[tuple[str, int]] = []
"""The variant and seed of every run that really trained."""


class Noise:
    def __init__(self, rank: int = 0, world: int = 1) -> None:
        generator = torch.Generator().manual_seed(1)
        self.images = torch.randn(32, 1, 4, 4, generator=generator)
        self.labels = torch.arange(32) % 2
        self.rank, self.world = rank, world

    def __len__(self) -> int:
        return 4

    def epoch(self, index: int) -> Iterator[tuple[Tensor, Tensor]]:
        for rows in torch.arange(32).split(8):
            mine = rows.tensor_split(self.world)[self.rank]
            yield self.images[mine], self.labels[mine]

    def shard(self, rank: int, world: int) -> "Noise":
        return Noise(rank, world)


def run(job: Job) -> Run:
    TRAINED.append((job.variant, job.seed))
    hidden = 8 if job.variant == "narrow" else 16
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, hidden), nn.ReLU(), nn.Linear(hidden, 2))
    history = fit(
        model,
        Noise(),
        classify,
        epochs=job.scale.epochs,
        optimizer=lambda p: torch.optim.SGD(p, lr=job.scale.learning_rate),
        checkpoint=job.checkpoint,
        machine=Machine(device="cpu"),
        progress=False,
    )
    return Run(model, history, evaluate_classifier(model, Noise().images, Noise().labels), history.seconds)


TINY = Recipe(
    name="tiny",
    title="two layers on noise",
    data="noise, free",
    variants={"narrow": "8 hidden units", "wide": "16 hidden units"},
    scales={
        "laptop": Scale(epochs=2, batch_size=8, learning_rate=0.1, compares=("narrow",)),
        "study": Scale(epochs=3, batch_size=8, learning_rate=0.1, compares=("narrow", "wide")),
        "gpu": Scale(epochs=3, batch_size=8, learning_rate=0.1, compares=("narrow",)),
    },
    run=run,
)


def install() -> None:
    recipes()["tiny"] = TINY
