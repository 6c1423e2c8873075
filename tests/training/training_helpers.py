"""Small models and batches for the tests of training, without any data set."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class TinyBatches:
    """`count` batches of `size` random images with labels, in an order that depends on the epoch alone."""

    def __init__(self, count: int = 5, size: int = 8, *, rank: int = 0, world: int = 1, as_dict: bool = False) -> None:
        generator = torch.Generator().manual_seed(7)
        self.images = torch.randn(count * size, 1, 8, 8, generator=generator)
        self.labels = (self.images.mean((1, 2, 3)) > 0).long()
        self.count, self.size, self.rank, self.world, self.as_dict = count, size, rank, world, as_dict

    def __len__(self) -> int:
        return self.count

    def epoch(self, index: int) -> Iterator[tuple[Tensor, Tensor] | dict[str, Tensor]]:
        order = torch.randperm(len(self.images), generator=torch.Generator().manual_seed(index))
        for rows in order.split(self.size):
            mine = rows.tensor_split(self.world)[self.rank]
            pair = self.images[mine], self.labels[mine]
            yield {"images": pair[0], "labels": pair[1]} if self.as_dict else pair

    def shard(self, rank: int, world: int) -> "TinyBatches":
        return TinyBatches(self.count, self.size, rank=rank, world=world, as_dict=self.as_dict)


def tiny_model(*, dropout: float = 0.0, batch_norm: bool = True, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    norm = nn.BatchNorm2d(4) if batch_norm else nn.Identity()
    return nn.Sequential(nn.Conv2d(1, 4, 3), norm, nn.ReLU(), nn.Dropout(dropout), nn.Flatten(), nn.Linear(4 * 36, 2))


def classify(model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    images, labels = batch
    logits = model(images)
    return {"loss": F.cross_entropy(logits, labels), "accuracy": (logits.argmax(1) == labels).float().mean()}


def sgd(parameters: Iterator[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.05, momentum=0.9)


def same_weights(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))
