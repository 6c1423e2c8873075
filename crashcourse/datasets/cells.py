"""Cells: generated pictures of touching cells with a number for every pixel's cell, made from a seed.

They look a little like HeLa cells under differential interference contrast, one of the kinds of microscopy that U-Net
was first judged by: round bodies lit from one side, grainy inside, pressed against each other, on a plate that is
unevenly lit, with noise. Inside and outside have nearly the same grey, so that no threshold finds the cells. They are
drawn, not recorded: what a network reaches here says nothing of microscopes.

Cells touch where they meet; the truth has a line of background there, as the paper's labels have for training.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from crashcourse.errors import CourseError, check_name

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]
MIN_SIZE, MAX_SIZE = 48, 512
MOST = 255  # cells in one picture, the numbers of an uint8
RADIUS = (9.0, 14.0)  # pixels, of a cell that nothing presses
LEAST_AREA = 40  # pixels of a cell in the truth
DENSITY = (7e-4, 13e-4)  # cells for each pixel of the picture
TRIES = 40


@dataclass(frozen=True, eq=False)
class Cells(Sequence[tuple[Tensor, Tensor]]):
    """Pictures and the truth about them: `cells[i]` is an image and its map of numbered cells.

    Attributes:
        images: `(N, 1, S, S)` uint8, grey.
        instances: `(N, S, S)` uint8: 0 is background, 1, 2, ... are cells; no two cells share a side or a corner.
    """

    images: Tensor
    instances: Tensor

    @property
    def masks(self) -> Tensor:
        """`(N, S, S)` int64: 1 where there is a cell, else 0."""
        return (self.instances > 0).long()

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return zip(self.images, self.instances, strict=True)

    @overload
    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]: ...
    @overload
    def __getitem__(self, index: slice) -> "Cells": ...
    def __getitem__(self, index: int | slice) -> "tuple[Tensor, Tensor] | Cells":
        if isinstance(index, slice):
            return Cells(self.images[index], self.instances[index])
        return self.images[index], self.instances[index]

    def __repr__(self) -> str:
        side, found = self.images.shape[-1], int(self.instances.flatten(1).amax(1).sum())
        return f"Cells({len(self)} of {side}×{side}, {found} cells)"


def cells(n: int, *, seed: int, size: int = 128, split: str = "train", number: tuple[int, int] | None = None) -> Cells:
    """Draw pictures of cells; the same arguments give the same bytes, and picture `i` does not depend on `n`.

    Args:
        n: how many, at least 1.
        seed: at least 0. Pictures of different seeds or splits are drawn from different random numbers.
        size: the side in pixels, 48 to 512.
        split: "train" or "test".
        number: the fewest and the most cells that are tried in a picture, 1 to 255; None takes what covers about 30 to
            55 % of it. Where no place is left, there are fewer.

    Returns:
        `Cells`: images `(N, 1, size, size)` uint8 and `instances` `(N, size, size)` uint8.

    Raises:
        CourseError: an argument outside these ranges.
    """
    _check(n, seed, size, split, number)
    fewest, most = number or tuple(min(round(density * size * size), MOST) for density in DENSITY)
    drawn = [_Plate(size, (seed, index, split == "test")).draw(fewest, most) for index in range(n)]
    images, instances = (torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True))
    return Cells(images[:, None], instances)


def _check(n: int, seed: int, size: int, split: str, number: tuple[int, int] | None) -> None:
    if not isinstance(n, int) or n < 1:
        raise CourseError(f"cells({n!r}) must draw at least 1 picture.")
    if not isinstance(seed, int) or seed < 0:
        raise CourseError(f"seed must be a whole number of at least 0, but is {seed!r}.")
    if not isinstance(size, int) or not MIN_SIZE <= size <= MAX_SIZE:
        raise CourseError(f"size must be a whole number from {MIN_SIZE} to {MAX_SIZE} pixels, but is {size!r}.")
    check_name("split", split, ("train", "test"))
    if number is not None and not (len(number) == 2 and 1 <= number[0] <= number[1] <= MOST):
        raise CourseError(f"number must be the fewest and the most cells, 1 to {MOST}, but is {number!r}.")


@dataclass(frozen=True)
class _Body:
    """One cell: a circle with bumps. `level` is 0 in its middle and 1 on its outline."""

    x: float
    y: float
    radius: float
    bumps: Array  # (3, 2): size and phase of the waves 2, 3 and 4 around the outline
    rise: float  # how steep its relief is

    def level(self, size: int) -> tuple[tuple[slice, slice], Array]:
        """The window of the picture in which the cell may lie, and the level of its pixels."""
        reach = 1.4 * self.radius
        rows, columns = (
            slice(max(int(middle - reach), 0), min(int(middle + reach) + 2, size)) for middle in (self.y, self.x)
        )
        dy = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] + np.float32(0.5 - self.y)
        dx = np.arange(columns.start, columns.stop, dtype=np.float32) + np.float32(0.5 - self.x)
        around = np.arctan2(dy, dx)
        outline = 1 + sum(a * np.cos(k * around + p) for k, (a, p) in zip((2, 3, 4), self.bumps, strict=True))
        return (rows, columns), (np.hypot(dy, dx) / (self.radius * outline)).astype(np.float32)


class _Plate:
    """Draws one picture: bodies first, then whose each pixel is, then light."""

    def __init__(self, size: int, key: tuple[int, ...]) -> None:
        self.size = size
        self.rng = np.random.default_rng([int(part) for part in key])

    def draw(self, fewest: int, most: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The image and the numbered cells, both (S, S) uint8."""
        bodies = self._bodies(int(self.rng.integers(fewest, most + 1)))
        while True:
            owner, level = self._owners(bodies)
            instances = _parted(owner)
            whole = [_is_whole(instances == number) for number in range(1, len(bodies) + 1)]
            if all(whole):
                return self._lit(bodies, owner, level), instances.astype(np.uint8)
            bodies = [body for body, kept in zip(bodies, whole, strict=True) if kept]

    def _bodies(self, wanted: int) -> list[_Body]:
        """Cells that touch or keep away, never one inside another: most are put beside one that is there."""
        found: list[_Body] = []
        for _ in range(wanted):
            for _ in range(TRIES):
                body = self._body(found)
                inside = 0 <= body.x < self.size and 0 <= body.y < self.size
                if inside and all(_apart(body, other) for other in found):
                    found.append(body)
                    break
        return found

    def _body(self, others: list[_Body]) -> _Body:
        rng = self.rng
        radius = float(rng.uniform(*RADIUS))
        x, y = rng.uniform(0, self.size, 2)
        if others and rng.random() < 0.8:
            beside, angle = others[rng.integers(len(others))], rng.uniform(0, 2 * np.pi)
            way = (radius + beside.radius) * rng.uniform(0.78, 0.95)
            x, y = beside.x + way * np.cos(angle), beside.y + way * np.sin(angle)
        bumps = np.stack([rng.uniform(0, 0.09, 3), rng.uniform(0, 2 * np.pi, 3)], 1).astype(np.float32)
        return _Body(float(x), float(y), radius, bumps, float(rng.uniform(0.6, 1.3)))

    def _owners(self, bodies: list[_Body]) -> tuple[NDArray[np.int64], Array]:
        """For each pixel the number of its cell, 0 outside of all, and its level there: the lower level wins."""
        owner = np.zeros((self.size, self.size), np.int64)
        lowest = np.ones((self.size, self.size), np.float32)
        for number, body in enumerate(bodies, 1):
            window, level = body.level(self.size)
            wins = level < lowest[window]
            owner[window][wins] = number
            lowest[window][wins] = level[wins]
        return owner, lowest

    def _lit(self, bodies: list[_Body], owner: NDArray[np.int64], level: Array) -> NDArray[np.uint8]:
        """The picture: relief lit from one side, grain, uneven light, noise."""
        rng, size = self.rng, self.size
        rise = np.array([0.0, *(body.rise * body.radius for body in bodies)], np.float32)[owner]
        inside = (owner > 0).astype(np.float32)
        height = rise * np.sqrt(np.clip(1 - level**2, 0, 1)) + 1.6 * inside * self._grain(6) + 0.5 * self._grain(9)
        down, right = np.gradient(_blurred(height.astype(np.float32)))
        angle = 0.75 * np.pi + rng.uniform(-0.5, 0.5)
        relief = np.tanh(np.float32(np.cos(angle)) * right + np.float32(np.sin(angle)) * down)
        grey = 0.45 + 0.22 * relief + inside * (0.03 + 0.05 * self._grain(4)) + 0.02 * self._grain(3)
        shade = 1 + 0.25 * self._grain(size / 2) + 0.1 * self._grain(size / 4)
        noisy = _blurred((grey * shade).astype(np.float32)) + rng.uniform(0.02, 0.05) * rng.standard_normal(
            (size, size)
        )
        return (np.clip(noisy, 0, 1) * 255 + 0.5).astype(np.uint8)

    def _grain(self, spacing: float) -> Array:
        """Smooth noise, about -1 to 1, with a random value every so many pixels."""
        nodes = max(int(self.size / spacing) + 3, 4)
        grid = Image.fromarray(self.rng.uniform(-1, 1, (nodes, nodes)).astype(np.float32))
        x, y = self.rng.uniform(0, 1, 2)
        box = (x, y, x + self.size / spacing, y + self.size / spacing)
        return np.asarray(grid.resize((self.size, self.size), Image.Resampling.BICUBIC, box), np.float32)


def _apart(body: _Body, other: _Body) -> bool:
    return np.hypot(body.x - other.x, body.y - other.y) > 0.75 * (body.radius + other.radius)


def _parted(owner: NDArray[np.int64]) -> NDArray[np.int64]:
    """The cells without the pixels that have another cell among their eight neighbours."""
    padded = np.pad(owner, 1)
    meets = np.zeros(owner.shape, bool)
    for row in range(3):
        for column in range(3):
            neighbour = padded[row : row + owner.shape[0], column : column + owner.shape[1]]
            meets |= (neighbour != owner) & (neighbour > 0)
    return np.where(meets, 0, owner)


def _is_whole(cell: Mask) -> bool:
    """Whether a cell is large enough and in one piece, from side to side."""
    if int(cell.sum()) < LEAST_AREA:
        return False
    rows, columns = np.flatnonzero(cell.any(1)), np.flatnonzero(cell.any(0))
    cell = np.pad(cell[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 1)
    runs = (cell[1:-1, 1:] > cell[1:-1, :-1]).sum(1)
    linked = (cell[1:-2] & cell[2:-1]).any(1)
    return bool((runs == 1).all() and linked.all()) or _is_connected(cell)


def _is_connected(cell: Mask) -> bool:
    """Whether all of a mask, empty along its border, is reached from its first pixel by steps to the side."""
    reached = np.zeros_like(cell)
    reached.flat[cell.argmax()] = True
    before, count = 0, 1
    while before < count:
        grown = reached.copy()
        grown[1:] |= reached[:-1]
        grown[:-1] |= reached[1:]
        grown[:, 1:] |= reached[:, :-1]
        grown[:, :-1] |= reached[:, 1:]
        reached = grown & cell
        before, count = count, int(reached.sum())
    return count == int(cell.sum())


def _blurred(image: Array) -> Array:
    """A little out of focus: 1 2 1 down and along."""
    padded = np.pad(image, 1, mode="edge")
    rows = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return (rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 4
