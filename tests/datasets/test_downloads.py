"""Public sets through torchvision's real loaders, from a local server in place of the publisher's."""

import gzip
import hashlib
import io
import math
import os
import pickle
import socket
import tarfile

import numpy as np
import pytest
import torch
from torchvision import datasets

from crashcourse.datasets import download, downloads, fashion_mnist, garments
from crashcourse.errors import CourseError


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    folder = tmp_path / "downloads"
    monkeypatch.setattr(downloads, "downloads_dir", lambda: folder)
    monkeypatch.setattr(fashion_mnist, "downloads_dir", lambda: folder)
    monkeypatch.setattr(fashion_mnist, "SYSTEM_FOLDER", tmp_path / "nowhere")
    return folder


def idx(*sizes: int) -> bytes:
    header = bytes([0, 0, 8, len(sizes)]) + b"".join(n.to_bytes(4, "big") for n in sizes)
    noise = np.random.default_rng(0).integers(0, 10, math.prod(sizes), np.uint8) if len(sizes) == 1 else None
    return gzip.compress(header + (bytes(math.prod(sizes)) if noise is None else noise.tobytes()), 1)


@pytest.fixture
def fashion(server, monkeypatch):
    """Fashion-MNIST as torchvision knows it, its four files on the local server."""
    files = {
        "train-images-idx3-ubyte.gz": idx(60_000, 28, 28),
        "train-labels-idx1-ubyte.gz": idx(60_000),
        "t10k-images-idx3-ubyte.gz": idx(10_000, 28, 28),
        "t10k-labels-idx1-ubyte.gz": idx(10_000),
    }
    server.files = {f"/{name}": content for name, content in files.items()}
    resources = [(name, hashlib.md5(content).hexdigest()) for name, content in files.items()]
    monkeypatch.setattr(datasets.FashionMNIST, "resources", resources)
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [server.url])
    return server


def test_fashion_mnist_arrives_where_the_loader_and_garments_find_it(fashion, root):
    fashion.cuts = [20_000]
    assert download("fashion-mnist", progress=False) == root
    assert len(datasets.FashionMNIST(root)) == 60_000
    assert len(garments("test", size="auto")) == 10_000
    asked = len(fashion.asked)
    assert asked == 5  # four files, one of them in two goes
    download("fashion-mnist", progress=False)
    assert len(fashion.asked) == asked


def test_the_next_mirror_is_asked_when_one_fails(fashion, monkeypatch):
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [fashion.url + "gone/", fashion.url])
    assert (download("fashion-mnist", progress=False) / "fashion-mnist.json").exists()


def test_an_unpacking_that_was_interrupted_is_done_again(fashion, root):
    download("fashion-mnist", progress=False)
    (root / "fashion-mnist.json").unlink()
    torn = root / "FashionMNIST" / "raw" / "t10k-labels-idx1-ubyte"
    torn.write_bytes(torn.read_bytes()[:100])
    download("fashion-mnist", progress=False)
    assert torn.stat().st_size == 10_008


def test_a_damaged_archive_is_fetched_again(fashion, root):
    download("fashion-mnist", progress=False)
    (root / "fashion-mnist.json").unlink()
    archive = root / "FashionMNIST" / "raw" / "train-labels-idx1-ubyte.gz"
    archive.write_bytes(b"damaged")
    fashion.asked.clear()
    download("fashion-mnist", progress=False)
    assert fashion.asked == [("/train-labels-idx1-ubyte.gz", None)]


def test_no_network_is_one_sentence_that_says_what_still_works(root, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [f"http://127.0.0.1:{closed.getsockname()[1]}/"])
        with pytest.raises(CourseError, match=r"without a network.*Every lesson still works: garments\(\)") as caught:
            download("fashion-mnist", progress=False)
    assert "\n" not in str(caught.value)
    assert not (root / "fashion-mnist.json").exists()


def test_a_wrong_hash_is_refused(fashion):
    fashion.files["/t10k-labels-idx1-ubyte.gz"] = b"not the file"
    with pytest.raises(CourseError, match="another MD5"):
        download("fashion-mnist", progress=False)


def test_a_folder_that_cannot_be_made_is_a_sentence(fashion, root):
    root.parent.mkdir(exist_ok=True)
    root.write_text("a file is in the way")
    with pytest.raises(CourseError, match="Could not write in"):
        download("fashion-mnist", progress=False)


def test_a_disk_that_fills_while_unpacking_is_a_sentence_and_not_marked_done(fashion, root, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(datasets.FashionMNIST, "__init__", full)
    with pytest.raises(CourseError, match=r"Could not unpack Fashion-MNIST.*No space left"):
        download("fashion-mnist", progress=False)
    assert not (root / "fashion-mnist.json").exists()


def test_cifar10_arrives_through_the_real_loader(server, root, monkeypatch):
    rows = np.arange(4 * 3072, dtype=np.uint8).reshape(4, 3072)
    members = {f"data_batch_{k}": {"data": rows + k, "labels": [k] * 4} for k in range(1, 6)}
    members |= {"test_batch": {"data": rows, "labels": [0] * 4}, "batches.meta": {"label_names": list("abcdefghij")}}
    buffer = io.BytesIO()
    packed = {name: pickle.dumps(content) for name, content in members.items()}
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in packed.items():
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    sums = {name: hashlib.md5(content).hexdigest() for name, content in packed.items()}
    loader = datasets.CIFAR10
    server.files["/cifar.tar.gz"] = buffer.getvalue()
    monkeypatch.setattr(loader, "url", server.url + "cifar.tar.gz")
    monkeypatch.setattr(loader, "tgz_md5", hashlib.md5(buffer.getvalue()).hexdigest())
    monkeypatch.setattr(loader, "train_list", [[f"data_batch_{k}", sums[f"data_batch_{k}"]] for k in range(1, 6)])
    monkeypatch.setattr(loader, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(loader, "meta", {**loader.meta, "md5": sums["batches.meta"]})
    assert torch.as_tensor(loader(download("cifar10", progress=False)).data).shape == (20, 32, 32, 3)


def test_the_table_states_the_published_files_of_every_set():
    files = {name: source.files() for name, source in downloads.SOURCES.items()}
    assert {name: len(found) for name, found in files.items()} == {
        "fashion-mnist": 4,
        "cifar10": 1,
        "cifar100": 1,
        "voc2007": 2,
        "voc2012": 1,
    }
    for found in files.values():
        for file in found:
            assert len(file.md5) == 32
            assert all(url.startswith("http") and url.endswith(os.path.basename(file.path)) for url in file.urls)


@pytest.mark.parametrize(
    ("name", "nearest"), [("fashion_mnist", "fashion-mnist"), ("cifar-10", "cifar10"), ("VOC2007", "voc2007")]
)
def test_an_unknown_set_gets_the_nearest_name(name, nearest):
    with pytest.raises(CourseError, match=f"Did you mean '{nearest}'"):
        download(name)
