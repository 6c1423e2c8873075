"""Batches from tensors in memory, the same for the same seed, whoever asks and wherever training resumes."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import Self

import torch
from torch import Tensor

from crashcourse.errors import CourseError

Augmentation = Callable[[Tensor, torch.Generator], Tensor]


def seeded_generator(*parts: object) -> torch.Generator:
    """A generator on the CPU whose state depends on `parts` alone: a seed, an epoch, a batch."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


class Batches:
    """Tensors with one row for each example, in shuffled and augmented batches.

    The order of epoch `e` depends on `(seed, e)` alone, and the augmentation of its batch `b` on `(seed, e, b)`
    alone, so that a run that resumes at any batch sees what the uninterrupted run saw. Rows are gathered, augmented
    and transformed as a whole batch on the device where the tensors are; the chance is drawn on the CPU and is the
    same on every device.

    Args:
        tensors: one or more tensors whose first dimensions agree; the first holds the images, `(N, C, H, W)`, as a
            rule uint8.
        batch_size: rows in a batch, for all processes together.
        seed: an integer; another seed gives another order and another augmentation.
        shuffle: give each epoch its own order; without it the rows come as they lie.
        augment: one function of `(images, generator)` or a sequence of them (see `augment`), applied to the first
            tensor.
        transform: a function of the first tensor's batch, applied last: a normalisation.
        drop_last: leave out the last batch when it is not full.
        channels_last: give the images in channels-last memory format.

    Raises:
        CourseError: no tensors, different lengths or devices, or a batch size that leaves no batch.
    """

    def __init__(
        self,
        *tensors: Tensor,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        augment: Augmentation | Sequence[Augmentation] | None = None,
        transform: Callable[[Tensor], Tensor] | None = None,
        drop_last: bool = False,
        channels_last: bool = False,
    ) -> None:
        _check(tensors, batch_size, drop_last)
        self.tensors = tensors
        self.batch_size, self.seed, self.shuffle, self.drop_last = batch_size, seed, shuffle, drop_last
        self.augment = (augment,) if callable(augment) else tuple(augment or ())
        self.transform, self.channels_last = transform, channels_last
        self.rank, self.world = 0, 1

    def __len__(self) -> int:
        """Batches in an epoch."""
        return self.rows // self.batch_size if self.drop_last else -(-self.rows // self.batch_size)

    def __repr__(self) -> str:
        share = f", share {self.rank} of {self.world}" if self.world > 1 else ""
        return f"Batches({len(self)} batches of {self.batch_size} from {self.rows:,} rows{share})"

    @property
    def rows(self) -> int:
        """Examples in all."""
        return len(self.tensors[0])

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        """The batches of epoch 0: for a look, or for an evaluation."""
        return self.epoch(0)

    def epoch(self, index: int, *, start: int = 0) -> Iterator[tuple[Tensor, ...]]:
        """The batches of one epoch, from batch `start` on.

        Returns:
            An iterator of tuples, one tensor for each tensor given, with up to `batch_size` rows (a share of them
            after `shard`).

        Raises:
            CourseError: `index` is negative, or `start` is not a batch of the epoch.
        """
        if index < 0:
            raise CourseError(f"Epochs are counted from 0, but epoch({index}) was asked for.")
        if not 0 <= start <= len(self):
            raise CourseError(f"start = {start} is outside the {len(self)} batches of an epoch.")
        order = self._order(index)
        return (self._batch(order, index, number) for number in range(start, len(self)))

    def to(self, device: torch.device | str) -> Self:
        """The same batches, with the tensors on another device."""
        moved = copy(self)
        moved.tensors = tuple(tensor.to(device) for tensor in self.tensors)
        return moved

    def shard(self, rank: int, world: int) -> Self:
        """The part of every batch that process `rank` of `world` works on: equal parts of the *same* global batch.

        Each process draws the augmentation of the whole batch and keeps its rows, so that all parts together are
        exactly the batch of a single process.

        Raises:
            CourseError: `rank` is not one of 0 to `world - 1`, or a batch cannot be cut into `world` equal parts.
        """
        if not 0 <= rank < world:
            raise CourseError(f"rank = {rank} is not one of the {world} processes, counted from 0.")
        sizes = [self.batch_size] * (self.rows >= self.batch_size)
        sizes += [self.rows % self.batch_size] * (not self.drop_last)
        if uneven := [size for size in sizes if size % world]:
            raise CourseError(
                f"A batch of {uneven[0]} rows cannot be cut into {world} equal parts; choose a batch_size that divides "
                f"by {world}" + (", and drop_last=True for the last batch." if not self.drop_last else ".")
            )
        part = copy(self)
        part.rank, part.world = rank, world
        return part

    def _order(self, epoch: int) -> Tensor:
        if self.shuffle:
            order = torch.randperm(self.rows, generator=seeded_generator(self.seed, epoch, "order"))
        else:
            order = torch.arange(self.rows)
        return order.to(self.tensors[0].device)

    def _batch(self, order: Tensor, epoch: int, number: int) -> tuple[Tensor, ...]:
        rows = order[number * self.batch_size : (number + 1) * self.batch_size]
        part = slice(self.rank * len(rows) // self.world, (self.rank + 1) * len(rows) // self.world)
        first, *rest = self.tensors
        if self.augment:
            images = self._augmented(first[rows], epoch, number)[part]
        else:
            images = first[rows[part]]
        if self.transform is not None:
            images = self.transform(images)
        if self.channels_last and images.ndim == 4:
            images = images.contiguous(memory_format=torch.channels_last)
        return images, *(tensor[rows[part]] for tensor in rest)

    def _augmented(self, images: Tensor, epoch: int, number: int) -> Tensor:
        generator = seeded_generator(self.seed, epoch, number)
        for augment in self.augment:
            images = augment(images, generator)
        return images


def _check(tensors: tuple[Tensor, ...], batch_size: int, drop_last: bool) -> None:
    if not tensors or any(not isinstance(t, Tensor) or t.ndim == 0 for t in tensors):
        raise CourseError("Batches takes one or more tensors with a first dimension that counts the examples.")
    lengths = [len(tensor) for tensor in tensors]
    if len(set(lengths)) > 1:
        raise CourseError(
            f"The tensors of Batches must have as many rows each, but have {', '.join(map(str, lengths))}."
        )
    if len({tensor.device for tensor in tensors}) > 1:
        raise CourseError("The tensors of Batches lie on different devices; move them to one with .to(device).")
    if not isinstance(batch_size, int) or batch_size < 1:
        raise CourseError(f"batch_size must be a whole number of at least 1, but is {batch_size!r}.")
    if lengths[0] == 0 or (drop_last and lengths[0] < batch_size):
        raise CourseError(f"{lengths[0]} rows give no batch of {batch_size}; give more rows or a smaller batch_size.")
