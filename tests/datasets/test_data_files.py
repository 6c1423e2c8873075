"""The shipped files: as they were made, each with its card, and small."""

import importlib.util
import re

import pytest

from crashcourse.datasets import manifest, verify
from crashcourse.errors import CourseError
from crashcourse.places import data_dir, in_clone

FOLDERS = ("garments", "paintings", "photos", "weights")
SHIPPED = sorted(p for folder in FOLDERS for p in (data_dir() / folder).iterdir() if p.suffix != ".lock")


def test_every_file_has_its_hash():
    found = verify()
    assert len(found) == len(SHIPPED) + 10
    assert [sentence for _, ok, sentence in found if not ok] == []


def test_nothing_is_shipped_without_a_manifest_entry():
    listed = {entry["file"] for entry in manifest.entries()}
    assert {path.relative_to(data_dir()).as_posix() for path in SHIPPED} == listed


@pytest.mark.parametrize("entry", manifest.entries(), ids=lambda entry: entry["file"])
def test_the_readme_lists_source_version_licence_credit_hash_and_making(entry):
    readme = (data_dir() / "README.md").read_text(encoding="utf-8")
    (row,) = [line for line in readme.splitlines() if f"`{entry['file']}`" in line]
    for field in ("sha256", "source", "licence", "credit", "made"):
        assert entry[field] in row
    assert re.search(r"\d+\.\d+", entry["source"]), "no version"


def test_data_stays_small():
    assert sum(p.stat().st_size for p in data_dir().rglob("*") if p.is_file() and "downloads" not in p.parts) <= 45e6
    assert sum(p.stat().st_size for p in SHIPPED) <= 20e6


def test_the_cards_are_those_that_the_script_writes():
    """A README edited by hand would be lost at the next run of data/prepare.py."""
    assert in_clone()
    spec = importlib.util.spec_from_file_location("prepare", data_dir() / "prepare.py")
    prepare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(prepare)
    assert prepare.readme(manifest.entries()) == (data_dir() / "README.md").read_text(encoding="utf-8")
    pictures = {f"photos/{one.name}.png" for one in prepare.PICTURES}
    pictures |= {f"paintings/{one.name}.png" for one in prepare.PAINTINGS} | {"weights/vgg16_conv4_1.safetensors"}
    assert pictures | {
        f"garments/{prefix}-{kind}-ubyte.gz"
        for prefix, _ in prepare.GARMENTS.values()
        for kind in ("images-idx3", "labels-idx1")
    } == {entry["file"] for entry in manifest.entries()}


def test_a_photograph_is_halved_at_least_and_upright(tmp_path):
    """Less than half, and the old compression would still be in it; not upright, and it lies on its side."""
    import io

    from PIL import Image

    spec = importlib.util.spec_from_file_location("prepare", data_dir() / "prepare.py")
    prepare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(prepare)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    for size, expected in (((1000, 600), (300, 500)), ((2560, 1280), (320, 640))):
        buffer = io.BytesIO()
        Image.new("RGB", size).save(buffer, "JPEG", exif=exif)
        assert prepare.reduced(buffer.getvalue()).size == expected


@pytest.fixture
def prepare():
    spec = importlib.util.spec_from_file_location("prepare", data_dir() / "prepare.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_painting_is_cut_to_a_square_and_halved_at_least(prepare):
    """A frame or the old compression would be learned as style, or a square would be squeezed."""
    for painting in prepare.PAINTINGS:
        left, top, right, bottom = painting.box
        assert right - left == bottom - top >= 2 * prepare.PAINTING_SIDE
    with pytest.raises(CourseError, match="at least 512"):
        prepare.write_painting(prepare.PAINTINGS[0]._replace(box=(0, 0, 500, 500)), b"")


def test_weights_are_turned_to_torchs_order(prepare):
    """A kernel is transposed wrongly, a layer is taken for another, or more than conv4_1 is shipped."""
    import pickle

    import numpy as np

    shapes = [(3, 3, 3 + n, 4 + n) for n in range(10)]  # (height, width, in, out)
    kernels = [np.arange(np.prod(shape), dtype=np.float32).reshape(shape) for shape in shapes]
    layers = {f"Conv_{n}": {"kernel": kernel, "bias": np.full(4 + n, n)} for n, kernel in enumerate(kernels)}
    content = pickle.dumps({"VGG16_0": layers}, protocol=3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    state = prepare.vgg16_state(content)
    assert len(state) == 16
    assert state["features.10.weight"].shape == (8, 7, 3, 3)
    assert state["features.10.weight"][5, 2, 0, 1] == np.float16(kernels[4][0, 1, 2, 5])
    assert (state["features.10.bias"] == 4).all()
    assert state["features.17.weight"].dtype == np.float16


def test_a_pickle_that_calls_something_is_refused(prepare):
    """Reading the archive would run whatever its author wrote."""
    import pickle

    with pytest.raises(CourseError, match=r"builtins\.print"):
        prepare.vgg16_state(pickle.dumps(print))


def test_an_archive_with_another_hash_is_refused(tmp_path):
    spec = importlib.util.spec_from_file_location("prepare", data_dir() / "prepare.py")
    prepare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(prepare)
    (tmp_path / prepare.SOURCES["lomiri"].file).write_bytes(b"something else")
    with pytest.raises(CourseError, match="expected a99ff6a3"):
        prepare.fetch("lomiri", tmp_path)


@pytest.fixture
def copy_of_data(tmp_path, monkeypatch):
    import shutil

    shutil.copytree(data_dir() / "garments", tmp_path / "garments")
    text = (data_dir() / "manifest.json").read_text(encoding="utf-8")
    (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
    monkeypatch.setattr(manifest, "data_dir", lambda: tmp_path)
    return tmp_path


def test_missing_and_damaged_files_are_told_apart(copy_of_data):
    with open(copy_of_data / "garments" / "t10k-labels-idx1-ubyte.gz", "r+b") as file:
        file.write(b"x")
    told = {name: (ok, sentence) for name, ok, sentence in verify()}
    assert told["photos/bridge.png"] == (
        False,
        "photos/bridge.png is missing. Restore it from the repository or install again.",
    )
    assert "damaged" in told["garments/t10k-labels-idx1-ubyte.gz"][1]
    assert told["garments/train-labels-idx1-ubyte.gz"][0]


@pytest.mark.parametrize("content", ["", "{}", '[{"file": "x"}]', '["x"]', "[1, 2"])
def test_a_damaged_manifest_is_one_finding_not_a_crash(copy_of_data, content):
    (copy_of_data / "manifest.json").write_text(content)
    name, ok, sentence = verify()[0]
    assert (name, ok) == ("manifest.json", False)
    assert "manifest.json" in sentence


def test_without_scikit_image_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(manifest, "find_spec", lambda name: None)
    name, ok, sentence = verify()[-1]
    assert (name, ok) == ("scikit-image", False)
    assert "pip install" in sentence
