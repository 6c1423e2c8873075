"""Real photographs and paintings in colour, with names, credits and licences.

Photographs: ours to train on, scikit-image's to test on. Paintings: squares of six, with visible strokes.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from crashcourse.datasets.manifest import entries, package_folder
from crashcourse.errors import CourseError, check_name
from crashcourse.places import data_dir

# scikit-image's own names: (file, credit, licence), from the docstrings of `skimage.data` (scikit-image 0.26).
TEST_PHOTOS = {
    "astronaut": ("astronaut.png", "NASA (Eileen Collins)", "public domain"),
    "brick": ("brick.png", "CC0Textures (Bricks25)", "CC0"),
    "camera": ("camera.png", "Lav Varshney", "CC0"),
    "chelsea": ("chelsea.png", "Stefan van der Walt", "CC0"),
    "coffee": ("coffee.png", "Rachel Michetti, Pikolo Espresso Bar", "CC0"),
    "coins": ("coins.png", "Brooklyn Museum Collection", "no known copyright restrictions"),
    "grass": ("grass.png", "DeviantArt, linolafett", "CC0"),
    "gravel": ("gravel.png", "CC0Textures (Gravel04)", "CC0"),
    "hubble": ("hubble_deep_field.jpg", "NASA, Hubble eXtreme Deep Field", "public domain"),
    "rocket": ("rocket.jpg", "SpaceX (launch of DSCOVR)", "public domain"),
}


@dataclass(frozen=True, eq=False)
class Photo:
    """One photograph, or a part of a painting.

    Attributes:
        name: a short name.
        image: `(3, H, W)` uint8, RGB; a grey photograph has three equal channels.
        credit: who made it.
        licence: under which licence it may be used.
        source: the package and file that it comes from.
    """

    name: str
    image: Tensor
    credit: str
    licence: str
    source: str

    def __repr__(self) -> str:
        _, height, width = self.image.shape
        return f"Photo({self.name!r}, {width}×{height}, {self.credit}, {self.licence})"


def photos(split: str = "train") -> list[Photo]:
    """The photographs of a split, in the order of their names. No photograph is in both splits.

    Args:
        split: "train": 19 photographs that travel with the course, 536 to 640 pixels on the long side, reduced at least
            twice and kept without loss. "test": ten photographs of 384 to 1,000 pixels from the scikit-image package.

    Raises:
        CourseError: an unknown split, or a file that is missing or damaged.
    """
    check_name("split", split, ("train", "test"))
    return [
        Photo(name, _read(path).clone(), credit, licence, source)
        for name, path, credit, licence, source in _list(split)
    ]


def paintings() -> list[Photo]:
    """Squares of six paintings that travel with the course, in the order of their names: 256×256, kept without loss.

    Raises:
        CourseError: a file that is missing or damaged.
    """
    return [
        Photo(name, _read(path).clone(), credit, licence, source)
        for name, path, credit, licence, source in _ours("paintings")
    ]


def _list(split: str) -> list[tuple[str, Path, str, str, str]]:
    if split == "test":
        folder = package_folder()
        return [
            (name, folder / file, credit, licence, f"scikit-image, skimage/data/{file}")
            for name, (file, credit, licence) in TEST_PHOTOS.items()
        ]
    return _ours("photos")


def _ours(folder: str) -> list[tuple[str, Path, str, str, str]]:
    """Name, file, credit, licence and source of the pictures in one of our folders, by name."""
    ours = sorted((e for e in entries() if e["file"].startswith(f"{folder}/")), key=lambda e: e["file"])
    return [(Path(e["file"]).stem, data_dir() / e["file"], e["credit"], e["licence"], e["source"]) for e in ours]


@lru_cache(maxsize=64)
def _read(path: Path) -> Tensor:
    from PIL import Image

    try:
        with Image.open(path) as image:
            pixels = np.array(image.convert("RGB"))  # (H, W, 3)
    except (OSError, SyntaxError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CourseError(f"Could not read the picture {path}: {reason}. Restore it from the repository.") from error
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()  # (3, H, W)
