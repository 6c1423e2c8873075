"""Garments: Fashion-MNIST, real photographs of clothes from a shop's catalogue, 28×28 grey.

Xiao, Rasul and Vollgraf 2017, arXiv 1708.07747. MIT licence, Zalando SE.
"""

import gzip
import math
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from crashcourse.datasets.images import ImageSet
from crashcourse.errors import CourseError, check_name
from crashcourse.places import data_dir, downloads_dir

CLASSES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
MEAN, STD = 0.2860, 0.3530  # of the 60,000 training images, on the scale 0 to 1
SYSTEM_FOLDER = Path("/usr/share/datasets/fashion-mnist")  # where the Debian package dataset-fashion-mnist puts it
_PREFIX = {"train": "train", "test": "t10k"}
_COUNT = {("train", "subset"): 10_000, ("test", "subset"): 2_000, ("train", "full"): 60_000, ("test", "full"): 10_000}


def garments(split: str = "train", *, size: str = "subset") -> ImageSet:
    """Fashion-MNIST: ten classes of clothes, grey, light on black.

    The subset travels with the course: the first 1,000 training and 200 test images of each class, in the official
    order.

    Args:
        split: "train" or "test".
        size: "subset" (10,000 and 2,000 images), "full" (60,000 and 10,000), or "auto": full where it is found.

    Returns:
        images `(N, 1, 28, 28)` uint8 and labels `(N,)` int64; mean 0.2860 and deviation 0.3530 are those of the full
        training set.

    Raises:
        CourseError: an unknown split or size, a damaged file, or the full set is not on this computer.
    """
    check_name("split", split, _PREFIX)
    check_name("size", size, ("subset", "full", "auto"))
    folder = None if size == "subset" else full_folder()
    if folder is None and size == "full":
        raise CourseError(
            'The full Fashion-MNIST is not on this computer. With a network, download("fashion-mnist") fetches 31 MB; '
            "on Debian and Ubuntu the package dataset-fashion-mnist has it too. Everything else works with the "
            "embedded 10,000 images: leave out size."
        )
    images, labels = _read(folder or data_dir() / "garments", split, "full" if folder else "subset")
    return ImageSet(images.clone(), labels.clone(), CLASSES, (MEAN,), (STD,))


def full_folder() -> Path | None:
    """The folder that holds the four official files, downloaded or from the system's package; None without them."""
    names = [f"{prefix}-{kind}-ubyte.gz" for prefix in _PREFIX.values() for kind in ("images-idx3", "labels-idx1")]
    for folder in (downloads_dir() / "FashionMNIST" / "raw", SYSTEM_FOLDER):
        if all((folder / name).is_file() for name in names):
            return folder
    return None


@lru_cache(maxsize=2)
def _read(folder: Path, split: str, size: str) -> tuple[Tensor, Tensor]:
    images = read_idx(folder / f"{_PREFIX[split]}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{_PREFIX[split]}-labels-idx1-ubyte.gz")
    count = _COUNT[split, size]
    if images.shape != (count, 28, 28) or labels.shape != (count,):
        raise CourseError(
            f"{folder} should hold {count:,} images of 28×28 and as many labels, but holds {tuple(images.shape)} "
            f"and {tuple(labels.shape)}. Fetch it again."
        )
    return images.unsqueeze(1), labels.long()  # (N, 1, 28, 28), (N,)


def read_idx(path: Path) -> Tensor:
    """One compressed file of the MNIST family: a magic number, the sizes, then bytes.

    Returns:
        A uint8 tensor with the dimensions that the file states.

    Raises:
        CourseError: the file is missing, cut short, damaged or in another format.
    """
    try:
        data = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise CourseError(
            f"Could not read {path}: {reason}. Fetch it again, or restore it from the repository."
        ) from error
    if len(data) < 4 or data[:3] != b"\0\0\x08" or len(data) < 4 + 4 * data[3]:
        raise CourseError(f"{path} is not a file of the MNIST family (idx, bytes).")
    shape = [int(n) for n in np.frombuffer(data, ">i4", data[3], offset=4)]
    start = 4 + 4 * len(shape)
    if len(data) - start != math.prod(shape):
        raise CourseError(
            f"{path} states {math.prod(shape):,} bytes for {shape} but holds {len(data) - start:,}. Fetch it again."
        )
    return torch.frombuffer(bytearray(data), dtype=torch.uint8, offset=start).view(shape)
