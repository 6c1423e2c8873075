"""Photographs for the recipes of part 5: patches in batches to train on, whole photographs to score on.

A recipe brings a function `make(clean, generator)` that makes examples of clean images: what the network takes, and
last the truth. It degrades patches while training, anew for every batch, and held-out photographs once.

Splits are by photograph. Patches come from `photos("train")`, scores from `photos("test")`, and a training photograph
that is held out, too, is refused: two patches of one picture share its sky, its grain and its edges.
"""

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

from crashcourse.datasets.batches import seeded_generator
from crashcourse.errors import CourseError
from crashcourse.restoration import luma

if TYPE_CHECKING:
    from crashcourse.datasets import Photo

DATA = "19 photographs (public domain, CC0, CC BY or CC BY-SA; see data/README.md)"
"""What the recipes of this part learn from, for the cards of their weights."""
Make = Callable[[Tensor, torch.Generator], tuple[Tensor, ...]]
"""`(clean (N, C, H, W) float in [0, 1], generator)` -> what the network takes, and last the truth: `(noisy, clean)`,
`(noisy, sigma, clean)`, `(low, high)`. Every tensor has N rows."""


def restoration_photos(split: str, *, grey: bool = False, side: int | None = None) -> dict[str, Tensor]:
    """Photographs by name, to train on or to score on. No photograph is in both splits.

    Args:
        split: "train" or "test"; see `crashcourse.datasets.photos`.
        grey: one channel by MATLAB's `rgb2gray`, rounded, in place of three.
        side: cut a square from the middle of each; whole photographs for None.

    Returns:
        Name -> `(C, H, W)` uint8.

    Raises:
        CourseError: an unknown split, or a side that is larger than a photograph.
    """
    from crashcourse.datasets import photos

    return {photo.name: _prepared(photo, grey, side) for photo in photos(split)}


def _prepared(photo: "Photo", grey: bool, side: int | None) -> Tensor:
    image = photo.image  # (3, H, W) uint8
    if side is not None:
        height, width = image.shape[1:]
        if not 1 <= side <= min(height, width):
            raise CourseError(f"A square of {side} pixels does not fit {photo.name}, which is {width}×{height}.")
        top, left = (height - side) // 2, (width - side) // 2
        image = image[:, top : top + side, left : left + side]
    if grey:
        image = (luma(image[None].float() / 255)[0] * 255 + 0.5).byte()  # (1, H, W)
    return image.contiguous()


class PatchBatches:
    """Square patches of photographs for `fit`, turned and mirrored at random, in batches that are made as a whole.

    Every place of every photograph is as likely as any other. A batch depends on `(seed, epoch, its number)` alone, its
    degradation too, so that a run that resumes at any batch sees what the uninterrupted run saw. The chance is drawn on
    the CPU; the photographs lie on the device, one after the other in one tensor, and a batch is a single look-up.

    Args:
        photographs: `(C, H, W)` uint8 each, of any sizes.
        make: see `Make`.
        patch: side of the patches.
        batch_size: patches in a batch, for all processes together.
        count: patches in an epoch; what does not fill a batch is left out.
        seed: an integer.
        turn: put each patch into one of its eight positions at random.
        device: where the photographs are kept.

    Raises:
        CourseError: no photographs, different channels, bytes expected, a patch larger than a photograph, or fewer
            patches than a batch.
    """

    def __init__(
        self,
        photographs: Sequence[Tensor],
        make: Make,
        *,
        patch: int,
        batch_size: int,
        count: int,
        seed: int = 0,
        turn: bool = True,
        device: str | None = None,
    ) -> None:
        _check(photographs, patch, batch_size, count)
        self.make, self.patch, self.batch_size, self.count = make, patch, batch_size, count
        self.seed, self.turn, self.rank, self.world = seed, turn, 0, 1
        self.pixels = torch.cat([image.flatten(1) for image in photographs], 1).to(device)  # (C, all pixels)
        sizes = torch.tensor([image.shape[1:] for image in photographs])  # (P, 2)
        self.widths, self.starts = sizes[:, 1], sizes.prod(1).cumsum(0) - sizes.prod(1)  # (P,)
        self.places = sizes - patch + 1  # (P, 2): how many rows and columns a patch can begin at

    def __len__(self) -> int:
        return self.count // self.batch_size

    def __repr__(self) -> str:
        return f"PatchBatches({len(self)} batches of {self.batch_size} from {len(self.widths)} photographs)"

    def epoch(self, index: int, *, start: int = 0) -> Iterator[tuple[Tensor, ...]]:
        """The batches of one epoch, from batch `start` on: tuples as `make` gives them."""
        return (self._batch(index, number) for number in range(start, len(self)))

    def shard(self, rank: int, world: int) -> Self:
        """This process's part of every batch.

        Raises:
            CourseError: a batch cannot be cut into equal parts.
        """
        if self.batch_size % world:
            raise CourseError(f"A batch of {self.batch_size} patches cannot be cut into {world} equal parts.")
        part = copy(self)
        part.rank, part.world = rank, world
        return part

    def _batch(self, epoch: int, number: int) -> tuple[Tensor, ...]:
        generator = seeded_generator(self.seed, epoch, number, "patches")
        made = self.make(self.patches(generator), generator)
        size = self.batch_size // self.world
        return tuple(tensor[self.rank * size : (self.rank + 1) * size] for tensor in made)

    def patches(self, generator: torch.Generator) -> Tensor:
        """`batch_size` clean patches: `(N, C, S, S)` float in [0, 1]."""
        n, last = self.batch_size, self.patch - 1
        photo = torch.multinomial(self.places.prod(1).double(), n, replacement=True, generator=generator)  # (N,)
        corner = (torch.rand(n, 2, generator=generator, dtype=torch.float64) * self.places[photo]).long()  # (N, 2)
        flips = torch.randint(2, (3, n, 1, 1), generator=generator).bool() & self.turn
        x = torch.arange(self.patch).expand(1, self.patch, -1)
        rows, columns = torch.where(flips[0], x, x.mT), torch.where(flips[0], x.mT, x)  # (N, S, S): mirrored or not
        rows, columns = torch.where(flips[1], last - rows, rows), torch.where(flips[2], last - columns, columns)
        top, left = corner[:, 0].view(-1, 1, 1), corner[:, 1].view(-1, 1, 1)
        at = self.starts[photo].view(-1, 1, 1) + (top + rows) * self.widths[photo].view(-1, 1, 1) + left + columns
        found = self.pixels[:, at.to(self.pixels.device)]  # (C, N, S, S) uint8
        return found.transpose(0, 1).float() / 255


def _check(photographs: Sequence[Tensor], patch: int, batch_size: int, count: int) -> None:
    if not len(photographs) or any(p.ndim != 3 or p.dtype != torch.uint8 for p in photographs):
        raise CourseError("PatchBatches takes photographs (C, H, W) uint8, at least one.")
    if len({len(p) for p in photographs}) > 1:
        raise CourseError("All photographs must be grey, or all in colour; these have different channels.")
    least = min(min(p.shape[1:]) for p in photographs)
    if not 1 <= patch <= least:
        raise CourseError(f"Patches of {patch}×{patch} do not fit the smallest photograph, with a side of {least}.")
    if not 1 <= batch_size <= count:
        raise CourseError(f"{count} patches an epoch make no batch of {batch_size}; choose more, or smaller batches.")


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Photographs to score on, degraded once.

    Attributes:
        examples: name -> what `make` gave for this photograph alone, `(1, ...)` each; the truth comes last.
    """

    examples: dict[str, tuple[Tensor, ...]]

    def __len__(self) -> int:
        return len(self.examples)

    def __repr__(self) -> str:
        return f"HeldOut({', '.join(self.examples)})"


def held_out(make: Make, *, grey: bool = False, side: int | None = None, seed: int = 0) -> HeldOut:
    """The test photographs, and what was done to them; the same for the same seed, whatever else is drawn.

    Args:
        make, grey, side: see `Make` and `restoration_photos`.
        seed: of the degradation. Runs of all seeds are scored on the same one.
    """
    images = restoration_photos("test", grey=grey, side=side)
    return HeldOut(
        {
            name: make(image[None].float() / 255, seeded_generator(seed, name, "held out"))
            for name, image in images.items()
        }
    )


def check_apart(training: dict[str, Tensor], held: HeldOut) -> None:
    """Refuse to train on a photograph that is held out.

    Raises:
        CourseError: the photograph's name.
    """
    if both := sorted(set(training) & set(held.examples)):
        raise CourseError(f"{both[0]!r} is held out to test on, so nothing may be trained on it. Choose other photos.")
