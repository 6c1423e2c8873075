"""Scenes: garments on real photographs with exact boxes, masks and keypoints, made from a seed.

Every scene is a random crop of a photograph with garments, one to six unless told otherwise, and with clutter that
hides them and that a detector may take for objects. Garments are coloured at random and take texture from photographs;
their size is drawn evenly on a logarithmic scale, so that small ones are as common as large ones; light, shadows and
noise differ by scene.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from crashcourse.datasets.scene_types import Scene, Scenes
from crashcourse.datasets.sprites import Materials, materials
from crashcourse.errors import CourseError, check_name

Array = NDArray[np.float32]
VISIBLE = 0.3  # a garment shows at least this part of itself ...
PIXELS = 16  # ... and at least so many pixels, or it is not in the picture at all
SMALLEST_SIDE = 10.0  # of an object's long side, in pixels
TRIES = 8
MIN_SIZE = 48


def scenes(
    n: int,
    *,
    seed: int,
    size: int = 128,
    split: str = "train",
    objects: tuple[int, int] = (1, 6),
    sides: tuple[float, float] = (0.09, 0.55),
    clutter: tuple[int, int] = (0, 3),
) -> Scenes:
    """Make scenes; the same arguments give the same bytes, and scene `i` does not depend on `n`.

    The visible-fraction rule: every garment in a picture is labelled, and shows at least 0.3 of itself and 16 pixels.
    What would break this for itself or for a garment below it is painted elsewhere or not at all, so that a scene may
    hold fewer objects than were drawn for it, but never none.

    Args:
        n: how many, at least 1.
        seed: at least 0. Scenes of different seeds have nothing in common but their materials.
        size: the side in pixels, at least 48.
        split: "train" or "test": which photographs and garments; no photograph and no garment is in both.
        objects: the fewest and the most garments that are drawn for a scene.
        sides: the shortest and the longest long side of a garment, as parts of the image's side; at least 10 pixels.
        clutter: the fewest and the most pieces of clutter.

    Returns:
        `Scenes`: images `(N, 3, size, size)` uint8, and a `Scene` for each.

    Raises:
        CourseError: an argument outside these ranges.
    """
    _check(n, seed, size, split, objects)
    _check_look(sides, clutter)
    stock = materials(split)
    made = [_Painter(stock, size, (seed, index, split == "test"), sides).paint(objects, clutter) for index in range(n)]
    images = torch.from_numpy(np.stack([image for image, _ in made]))  # (N, 3, S, S)
    return Scenes(images, tuple(Scene(image, *known) for image, (_, known) in zip(images, made, strict=True)))


def _check(n: int, seed: int, size: int, split: str, objects: tuple[int, int]) -> None:
    if not isinstance(n, int) or n < 1:
        raise CourseError(f"scenes({n!r}) must make at least 1 scene.")
    if not isinstance(seed, int) or seed < 0:
        raise CourseError(f"seed must be a whole number of at least 0, but is {seed!r}.")
    if not isinstance(size, int) or size < MIN_SIZE:
        raise CourseError(f"size must be a whole number of at least {MIN_SIZE} pixels, but is {size!r}.")
    check_name("split", split, ("train", "test"))
    if not (len(objects) == 2 and 1 <= objects[0] <= objects[1] <= 50):
        raise CourseError(f"objects must be the fewest and the most in a scene, 1 to 50, but is {objects!r}.")


def _check_look(sides: tuple[float, float], clutter: tuple[int, int]) -> None:
    if not (len(sides) == 2 and 0 < sides[0] <= sides[1] <= 1):
        raise CourseError(
            f"sides must be the shortest and the longest garment, above 0 and at most 1, but is {sides!r}."
        )
    if not (len(clutter) == 2 and 0 <= clutter[0] <= clutter[1] <= 50):
        raise CourseError(f"clutter must be the fewest and the most pieces in a scene, 0 to 50, but is {clutter!r}.")


class _Pose(NamedTuple):
    """Where a thing of its own frame goes: x = centre + scale · R(angle) · (own - middle)."""

    centre: Array  # (2,) pixels of the scene
    middle: Array  # (2,) the point of its own frame that lies there
    scale: float
    angle: float

    def forward(self, points: Array) -> Array:
        """(P, 2) own frame -> scene."""
        return self.centre + self.scale * (points - self.middle) @ self._rotation().T

    def own(self, left: int, top: int, width: int, height: int) -> tuple[Array, Array]:
        """The own x and y, (height, width), of the scene's pixels in a window."""
        x = np.arange(left, left + width, dtype=np.float32) + np.float32(0.5 - self.centre[0])
        y = np.arange(top, top + height, dtype=np.float32)[:, None] + np.float32(0.5 - self.centre[1])
        (a, b), (c, d) = self._rotation().T / np.float32(self.scale)
        return a * x + b * y + self.middle[0], c * x + d * y + self.middle[1]

    def window(self, box: Array) -> tuple[int, int, int, int]:
        """left, top, width, height of the scene's pixels that may hold a box of the own frame."""
        x0, y0, x1, y1 = box
        corners = self.forward(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32))
        low, high = np.floor(corners.min(0)).astype(int) - 1, np.ceil(corners.max(0)).astype(int) + 1
        return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])

    def _rotation(self) -> Array:
        c, s = np.cos(self.angle), np.sin(self.angle)
        return np.array([[c, -s], [s, c]], np.float32)


class _Painter:
    """Paints one scene, from the back to the front."""

    def __init__(self, stock: Materials, size: int, key: tuple[int, ...], sides: tuple[float, float]) -> None:
        self.stock, self.size = stock, size
        self.shortest = max(SMALLEST_SIDE, sides[0] * size)
        self.longest = max(self.shortest, sides[1] * size)
        self.rng = np.random.default_rng([int(part) for part in key])
        self.canvas = self._background()  # (S, S, 3) float32, 0 to 1
        self.instances = np.zeros((size, size), np.uint8)
        self.light = self.rng.uniform(0, 2 * np.pi)  # where shadows fall
        self.areas: list[int] = []  # of each garment, were nothing before it and the image larger
        self.shown: list[int] = []  # visible pixels so far
        self.labels: list[int] = []
        self.corners: list[Array] = []

    def paint(
        self, objects: tuple[int, int], clutter: tuple[int, int]
    ) -> tuple[NDArray[np.uint8], tuple[torch.Tensor, ...]]:
        """The image (3, S, S) and what `Scene` knows about it."""
        wanted = int(self.rng.integers(objects[0], objects[1] + 1))
        pieces = int(self.rng.integers(clutter[0], clutter[1] + 1))
        order = self.rng.permutation([True] * (wanted - 1) + [False] * pieces)
        for is_garment in (True, *order):
            for _ in range(TRIES):
                if self._garment() if is_garment else self._clutter():
                    break
        return self._developed(), self._truth()

    def _background(self) -> Array:
        picture = self.stock.pictures[self.rng.integers(len(self.stock.pictures))]
        side = self.rng.uniform(0.4, 1.0) * min(picture.size)
        x, y = self.rng.uniform(0, picture.width - side), self.rng.uniform(0, picture.height - side)
        crop = picture.resize((self.size, self.size), Image.Resampling.BILINEAR, (x, y, x + side, y + side))
        pixels = np.asarray(crop, np.float32) / 255
        return np.ascontiguousarray(pixels[:, ::-1] if self.rng.random() < 0.5 else pixels)

    def _garment(self) -> bool:
        """Try to paint one garment; False where the rule forbids the place that was drawn."""
        rng = self.rng
        label = int(rng.integers(len(self.stock.sprites)))
        sprites = self.stock.sprites[label]
        which = int(rng.integers(len(sprites.boxes)))
        box = sprites.boxes[which]
        long_side = self.shortest * (self.longest / self.shortest) ** rng.random()
        scale = long_side / max(box[2] - box[0], box[3] - box[1])
        pose = self._pose((box[:2] + box[2:]) / 2, scale, rng.normal(0, 0.35))
        mirrored = rng.random() < 0.5
        left, top, width, height = pose.window(box)
        x, y = pose.own(left, top, width, height)
        x = box[0] + box[2] - x if mirrored else x
        source, step = (sprites.half[which], 2) if scale < 0.7 else (sprites.sharp[which], 1)
        grey, alpha = _sample(source, x / step, y / step)
        alpha = np.clip((alpha - 0.5) * max(1.0, scale / step) + 0.5, 0, 1)  # an edge one pixel wide
        inside = self._clipped(left, top, width, height)
        if not self._fits(alpha > 0.5, inside, new=True):
            return False
        self._shadow(sprites.soft[which], box, pose, mirrored, long_side)
        colour = self._cloth(grey, height, width)
        self._paste(colour, alpha, inside, number=len(self.labels) + 1)
        self._record(label, int((alpha > 0.5).sum()), sprites.corners[which], box, pose, mirrored)
        return True

    def _clutter(self) -> bool:
        """Try to paint an ellipse or a bar with a photograph's texture: not to be found, but to hide behind."""
        rng = self.rng
        half = self.size * rng.uniform(0.03, 0.14, 2).astype(np.float32) * (1.0, rng.choice([1.0, 2.5]))
        pose = self._pose(np.zeros(2, np.float32), 1.0, rng.uniform(0, np.pi))
        left, top, width, height = pose.window(np.concatenate([-half, half]))
        x, y = pose.own(left, top, width, height)
        if rng.random() < 0.5:
            distance = (1 - np.hypot(x / half[0], y / half[1])) * half.min()
        else:
            distance = np.minimum(half[0] - abs(x), half[1] - abs(y))
        alpha = np.clip(distance + 0.5, 0, 1)
        inside = self._clipped(left, top, width, height)
        if not self._fits(alpha > 0.5, inside, new=False):
            return False
        self._paste(self._cloth(np.full_like(alpha, rng.uniform(0.5, 1)), height, width), alpha, inside, number=0)
        return True

    def _pose(self, middle: Array, scale: float, angle: float) -> _Pose:
        centre = self.rng.uniform(0.02, 0.98, 2).astype(np.float32) * np.float32(self.size)
        return _Pose(centre, middle, float(scale), float(angle))

    def _clipped(self, left: int, top: int, width: int, height: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """The part of a window that lies in the image: as slices of the image, and of the window."""
        rows = slice(max(top, 0), max(min(top + height, self.size), 0))
        columns = slice(max(left, 0), max(min(left + width, self.size), 0))
        return (rows, columns), (
            slice(rows.start - top, rows.stop - top),
            slice(columns.start - left, columns.stop - left),
        )

    def _fits(self, mask: NDArray[np.bool_], inside: tuple, *, new: bool) -> bool:
        """Whether the rule still holds for the new thing and for everything below it."""
        here, there = inside
        seen = mask[there]
        if new and not _enough(int(seen.sum()), int(mask.sum())):
            return False
        hidden = np.bincount(self.instances[here][seen], minlength=len(self.areas) + 1)[1:]
        left = [shown - gone for shown, gone in zip(self.shown, hidden.tolist(), strict=True)]
        if not all(_enough(pixels, area) for pixels, area in zip(left, self.areas, strict=True)):
            return False
        self.shown = left + ([int(seen.sum())] if new else [])
        return True

    def _shadow(self, soft: Array, box: Array, pose: _Pose, mirrored: bool, long_side: float) -> None:
        fall = np.array([np.cos(self.light), np.sin(self.light)], np.float32) * long_side * self.rng.uniform(0.04, 0.14)
        pose = pose._replace(centre=pose.centre + np.float32(fall))
        left, top, width, height = pose.window(box + np.array([-3.5, -3.5, 3.5, 3.5], np.float32))
        here, there = self._clipped(left, top, width, height)
        x, y = pose.own(left, top, width, height)
        x = box[0] + box[2] - x if mirrored else x
        (shade,) = _sample(soft, x[there], y[there])
        self.canvas[here] *= 1 - np.float32(self.rng.uniform(0.2, 0.6)) * shade[..., None]

    def _cloth(self, grey: Array, height: int, width: int) -> Array:
        """(height, width, 3): the garment's own light and dark, a random colour, and the texture of a photograph."""
        rng = self.rng
        texture = self.stock.textures[rng.integers(len(self.stock.textures))]
        step = int(rng.integers(1, 4))
        rows, columns = (self._stretch(*pair, step) for pair in ((texture.shape[0], height), (texture.shape[1], width)))
        pattern = texture[rows[:, None], columns].astype(np.float32) / 255
        share = np.float32(rng.uniform(0.1, 0.75))
        colour = rng.uniform(0.1, 1, 3).astype(np.float32)
        slope = np.linspace(-1, 1, width, dtype=np.float32) * np.float32(rng.uniform(-0.25, 0.25))
        shade = (np.float32(0.3) + np.float32(0.8) * grey) * (1 + slope)
        return (colour + share * (pattern - colour)) * shade[..., None]

    def _stretch(self, length: int, n: int, step: int) -> NDArray[np.int64]:
        """`n` places `step` apart along `length`, from a random start; round the end only where there is no room."""
        return (self.rng.integers(max(1, length - step * n)) + step * np.arange(n)) % length

    def _paste(self, colour: Array, alpha: Array, inside: tuple, *, number: int) -> None:
        here, there = inside
        cover = alpha[there][..., None]
        self.canvas[here] += cover * (colour[there] - self.canvas[here])
        self.instances[here][alpha[there] > 0.5] = number

    def _record(self, label: int, area: int, corners: Array, box: Array, pose: _Pose, mirrored: bool) -> None:
        if mirrored:  # the mirror image's upper left was upper right
            corners = corners[[1, 0, 3, 2]] * np.array([-1, 1], np.float32) + np.array([box[0] + box[2], 0], np.float32)
        self.labels.append(label)
        self.areas.append(area)
        self.corners.append(pose.forward(corners).astype(np.float32))

    def _developed(self) -> NDArray[np.uint8]:
        """The canvas under this scene's light and camera: a gradient, a gain, a tint, noise; (3, S, S) uint8."""
        rng = self.rng
        along = np.linspace(-1, 1, self.size, dtype=np.float32)
        slope = rng.uniform(0, 0.3)
        falling = 1 + slope * (np.cos(self.light) * along + np.sin(self.light) * along[:, None])
        light = (rng.uniform(0.6, 1.2) * falling).astype(np.float32)
        image = self.canvas.transpose(2, 0, 1) * light  # (3, S, S)
        image *= rng.uniform(0.92, 1.08, (3, 1, 1)).astype(np.float32)
        image += np.float32(rng.uniform(0, 0.04)) * rng.standard_normal(image.shape, np.float32)
        return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)

    def _truth(self) -> tuple[torch.Tensor, ...]:
        boxes = np.array([_tight(self.instances == number) for number in range(1, len(self.labels) + 1)], np.float32)
        visible = np.array(self.shown, np.float32) / np.array(self.areas, np.float32)
        keypoints = np.stack([self._with_visibility(k, corners) for k, corners in enumerate(self.corners)])
        return (
            torch.from_numpy(boxes),
            torch.tensor(self.labels),
            torch.from_numpy(self.instances),
            torch.from_numpy(keypoints),
            torch.from_numpy(visible),
        )

    def _with_visibility(self, index: int, corners: Array) -> Array:
        """(4, 2) x, y -> (4, 3) x, y, visibility."""
        place = np.floor(corners).astype(int)
        within = ((place >= 0) & (place < self.size)).all(1)
        column, row = place.clip(0, self.size - 1).T
        seen = self.instances[row, column] == index + 1
        return np.column_stack([corners, within * (1 + seen)]).astype(np.float32)


def _enough(pixels: int, area: int) -> bool:
    return pixels >= PIXELS and pixels >= VISIBLE * area


def _sample(source: Array, x: Array, y: Array) -> list[Array]:
    """Each channel of source (H, W, C) at continuous x and y (h, w), between pixels by their distance; zero outside."""
    height, width, channels = source.shape
    x = np.clip(x - 0.5, 0, width - 1.001)
    y = np.clip(y - 0.5, 0, height - 1.001)
    column, row = x.astype(np.int32), y.astype(np.int32)
    fx, fy = (x - column)[..., None], (y - row)[..., None]
    flat, at = source.reshape(-1, channels), row * width + column
    above = flat[at] + fx * (flat[at + 1] - flat[at])
    below = flat[at + width] + fx * (flat[at + width + 1] - flat[at + width])
    both = above + fy * (below - above)
    return [both[..., channel] for channel in range(channels)]


def _tight(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
