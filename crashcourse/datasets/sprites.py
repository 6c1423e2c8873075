"""What scenes are made of: garments cut out of their black background, and photographs to put them on."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from crashcourse.datasets.fashion_mnist import garments
from crashcourse.datasets.photographs import photos

# The garments of each scene class, as labels of Fashion-MNIST. Sandals are left out: their silhouette falls to pieces.
GARMENTS = {"top": (0, 2, 4, 6), "trousers": (1,), "dress": (3,), "shoe": (7, 9), "bag": (8,)}
PER_CLASS = 160
BORDER = 4  # pixels of nothing around the 28×28, so that interpolation and blur end in nothing
INK = 12  # grey levels above which a pixel is cloth


class Sprites(NamedTuple):
    """Cut-out garments of one scene class.

    Attributes:
        sharp: `(K, 36, 36, 2)` float32: grey 0 to 1, and the silhouette 0 or 1.
        half: `(K, 18, 18, 2)` float32: the same, averaged over 2×2, for small objects.
        soft: `(K, 36, 36, 1)` float32: the silhouette blurred, for shadows.
        boxes: `(K, 4)` float32: the silhouette's box, xyxy in pixels of `sharp`.
        corners: `(K, 4, 2)` float32: x and y of its upper left, upper right, lower right and lower left corner.
    """

    sharp: NDArray[np.float32]
    half: NDArray[np.float32]
    soft: NDArray[np.float32]
    boxes: NDArray[np.float32]
    corners: NDArray[np.float32]


class Materials(NamedTuple):
    """Sprites by class; photographs as pictures (to crop) and as `(H, W, 3)` uint8 arrays (to take texture from)."""

    sprites: tuple[Sprites, ...]
    pictures: tuple[Image.Image, ...]
    textures: tuple[NDArray[np.uint8], ...]


@lru_cache(maxsize=2)
def materials(split: str) -> Materials:
    """The garments and photographs of "train" or "test"; nothing is in both."""
    images, labels = (lambda s: (s.images, s.labels))(garments(split))
    arrays = [photo.image.permute(1, 2, 0).numpy() for photo in photos(split)]
    sprites = tuple(_sprites(images, labels, members) for members in GARMENTS.values())
    return Materials(sprites, tuple(Image.fromarray(a) for a in arrays), tuple(arrays))


def _sprites(images: Tensor, labels: Tensor, members: tuple[int, ...]) -> Sprites:
    each = PER_CLASS // len(members)
    rows = torch.cat([torch.nonzero(labels == member)[:each, 0] for member in members])
    grey = F.pad(images[rows].float() / 255, (BORDER,) * 4)  # (K, 1, 36, 36)
    shape = silhouette(grey * 255 > INK).float()
    good = shape.mean((1, 2, 3)) > 0.1
    sharp = torch.cat([grey, shape], 1)[good]  # (K, 2, 36, 36)
    soft = F.avg_pool2d(F.avg_pool2d(sharp[:, 1:], 5, 1, 2), 3, 1, 1)
    boxes, corners = _geometry(sharp[:, 1] > 0.5)
    last = (torch.permute(t, (0, 2, 3, 1)).contiguous().numpy() for t in (sharp, F.avg_pool2d(sharp, 2), soft))
    return Sprites(*last, boxes, corners)


def silhouette(ink: Tensor) -> Tensor:
    """What the background cannot reach from the border: the cloth with its dark parts, without loose specks.

    Args:
        ink: `(K, 1, H, W)` bool, where something is seen.

    Returns:
        `(K, 1, H, W)` bool: one connected piece for each.
    """
    outside = torch.zeros_like(ink)
    outside[..., 0, :] = outside[..., -1, :] = outside[..., 0] = outside[..., -1] = True
    solid = ~_flood(outside & ~ink, ~ink)
    thickness = sum(F.avg_pool2d(solid.float(), size, 1, size // 2) for size in (3, 5, 7, 9))
    thickest = thickness.flatten(1).argmax(1)
    seed = F.one_hot(thickest, ink[0].numel()).bool().view_as(ink)
    return _flood(seed & solid, solid)


def _flood(seed: Tensor, allowed: Tensor) -> Tensor:
    cross = torch.tensor([[0.0, 1, 0], [1, 1, 1], [0, 1, 0]]).view(1, 1, 3, 3)
    while True:
        grown = (F.conv2d(seed.float(), cross, padding=1) > 0.5) & allowed
        if torch.equal(grown, seed):
            return seed
        seed = grown


def _geometry(shape: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Boxes (K, 4) and corners (K, 4, 2) of silhouettes (K, H, W)."""
    y, x = (axis.float() + 0.5 for axis in torch.meshgrid(*map(torch.arange, shape.shape[1:]), indexing="ij"))
    boxes, corners = [], []
    for one in shape:
        xy = torch.stack([x[one], y[one]], 1)  # (P, 2)
        boxes.append(torch.cat([xy.amin(0) - 0.5, xy.amax(0) + 0.5]))
        towards = torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
        extreme = xy[(xy @ towards.T).argmax(0)]  # (4, 2)
        inward = F.normalize(xy.mean(0) - extreme, dim=1)
        corners.append(extreme + 1.5 * inward)  # inside the cloth, not on its edge
    return torch.stack(boxes).numpy(), torch.stack(corners).numpy()
