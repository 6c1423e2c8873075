"""Full public data sets, fetched once into the layout of torchvision's loaders, which then check and unpack them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from crashcourse.datasets.fetch import NoNetworkError, fetch
from crashcourse.errors import CourseError, check_name
from crashcourse.files import locked, write_atomically
from crashcourse.places import downloads_dir


class File(NamedTuple):
    """One file of a set: its address (mirrors in turn), where torchvision's loader looks for it, its published MD5."""

    urls: tuple[str, ...]
    path: str
    md5: str


class Source(NamedTuple):
    """A public data set.

    Attributes:
        title: its name in the field.
        megabytes: what the network has to bring, about.
        files: what to fetch, as torchvision's loader states it.
        load: torchvision's loaders of all its splits, for a root folder, with `download=True`.
        unpacked: what the loader unpacks without checking it again; an interrupted unpacking is thrown away.
        without: what still works without this set.
    """

    title: str
    megabytes: int
    files: Callable[[], list[File]]
    load: Callable[[Path], list[Any]]
    unpacked: tuple[str, ...]
    without: str


def _mnist_files() -> list[File]:
    from torchvision.datasets import FashionMNIST as Loader

    return [
        File(tuple(f"{mirror}{name}" for mirror in Loader.mirrors), f"FashionMNIST/raw/{name}", md5)
        for name, md5 in Loader.resources
    ]


def _mnist(root: Path) -> list[Any]:
    from torchvision.datasets import FashionMNIST as Loader

    return [Loader(root, train=train, download=True) for train in (True, False)]


def _cifar_files(name: str) -> Callable[[], list[File]]:
    def files() -> list[File]:
        from torchvision import datasets

        loader = getattr(datasets, name)
        return [File((loader.url,), loader.filename, loader.tgz_md5)]

    return files


def _cifar(name: str) -> Callable[[Path], list[Any]]:
    def load(root: Path) -> list[Any]:
        from torchvision import datasets

        return [getattr(datasets, name)(root, train=train, download=True) for train in (True, False)]

    return load


def _voc_files(*keys: str) -> Callable[[], list[File]]:
    def files() -> list[File]:
        from torchvision.datasets.voc import DATASET_YEAR_DICT as TABLE

        return [File((TABLE[key]["url"],), TABLE[key]["filename"], TABLE[key]["md5"]) for key in keys]

    return files


def _voc(year: str, *image_sets: str) -> Callable[[Path], list[Any]]:
    def load(root: Path) -> list[Any]:
        from torchvision.datasets import VOCDetection as Loader

        return [Loader(root, year=year, image_set=image_set, download=True) for image_set in image_sets]

    return load


_GARMENTS = "Every lesson still works: garments() uses the 10,000 embedded images"
_SCENES = "Every lesson still works: scenes() makes images with boxes and masks"
SOURCES = {
    "fashion-mnist": Source(
        "Fashion-MNIST", 31, _mnist_files, _mnist, ("FashionMNIST/raw/*-ubyte",), f"{_GARMENTS} of the same set."
    ),
    "cifar10": Source("CIFAR-10", 170, _cifar_files("CIFAR10"), _cifar("CIFAR10"), (), f"{_GARMENTS} in its place."),
    "cifar100": Source(
        "CIFAR-100", 169, _cifar_files("CIFAR100"), _cifar("CIFAR100"), (), f"{_GARMENTS} in its place."
    ),
    "voc2007": Source(
        "PASCAL VOC 2007",
        911,
        _voc_files("2007", "2007-test"),
        _voc("2007", "trainval", "test"),
        ("VOCdevkit/VOC2007",),
        f"{_SCENES} in its place.",
    ),
    "voc2012": Source(
        "PASCAL VOC 2012",
        2000,
        _voc_files("2012"),
        _voc("2012", "trainval"),
        ("VOCdevkit/VOC2012",),
        f"{_SCENES} in its place.",
    ),
}


def download(name: str, *, progress: bool = True) -> Path:
    """Fetch a public data set, unless it is there already, and unpack it with torchvision's own loader.

    The addresses and hashes are torchvision's. An interrupted download goes on where it stopped.

    Args:
        name: "fashion-mnist", "cifar10", "cifar100", "voc2007" or "voc2012".
        progress: show a bar for each file.

    Returns:
        The root folder for torchvision's loaders: `torchvision.datasets.CIFAR10(download("cifar10"))`.

    Raises:
        CourseError: an unknown name; no network (the sentence says what still works); a wrong hash; a disk that is full
            or may not be written.
    """
    check_name("data set", name, SOURCES)
    source, root = SOURCES[name], downloads_dir()
    mark = root / f"{name}.json"
    files = source.files()
    if _is_marked(mark, files):
        return root
    for file in files:
        _fetch_from_any(file, root, source, progress)
    with locked(mark, timeout=3600.0):
        if not _is_marked(mark, files):
            _unpack(source, root)
            write_atomically(mark, json.dumps({file.path: file.md5 for file in files}, indent=1) + "\n")
    return root


def _is_marked(mark: Path, files: list[File]) -> bool:
    """Whether these very files were fetched and unpacked before, to the end, and are still there."""
    try:
        done = json.loads(mark.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return done == {file.path: file.md5 for file in files} and all(
        (mark.parent / file.path).is_file() for file in files
    )


def _fetch_from_any(file: File, root: Path, source: Source, progress: bool) -> None:
    problems: list[CourseError] = []
    for url in file.urls:
        try:
            (root / file.path).parent.mkdir(parents=True, exist_ok=True)
            fetch(url, root / file.path, file.md5, progress=progress)
            return
        except OSError as error:
            raise CourseError(f"Could not write in {root}: {error.strerror or error}. {source.without}") from error
        except CourseError as error:
            problems.append(error)
    no_network = all(isinstance(problem, NoNetworkError) for problem in problems)
    reason = f"{source.title} ({source.megabytes} MB) cannot be fetched without a network: " if no_network else ""
    raise CourseError(f"{reason}{' '.join(map(str, problems))} {source.without}") from problems[-1]


def _unpack(source: Source, root: Path) -> None:
    """Let torchvision check and unpack; what an interrupted unpacking left behind is removed first."""
    for pattern in source.unpacked:
        for path in root.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    try:
        source.load(root)
    except (OSError, EOFError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise CourseError(f"Could not unpack {source.title} in {root}: {reason}. {source.without}") from error
