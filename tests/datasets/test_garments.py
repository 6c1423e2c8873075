"""Garments: the embedded subset is what it says, and the full set is found or its absence explained."""

import gzip
import shutil

import pytest
import torch

from crashcourse.datasets import ImageSet, fashion_mnist, garments
from crashcourse.datasets.fashion_mnist import CLASSES, read_idx
from crashcourse.errors import CourseError
from crashcourse.places import data_dir


@pytest.fixture(autouse=True)
def nothing_but_the_subset(tmp_path, monkeypatch):
    monkeypatch.setattr(fashion_mnist, "downloads_dir", lambda: tmp_path / "downloads")
    monkeypatch.setattr(fashion_mnist, "SYSTEM_FOLDER", tmp_path / "system")


@pytest.mark.parametrize(("split", "count"), [("train", 10_000), ("test", 2_000)])
def test_the_subset_is_balanced_and_shuffled_as_published(split, count):
    some = garments(split)
    assert (tuple(some.images.shape), some.images.dtype) == ((count, 1, 28, 28), torch.uint8)
    assert torch.bincount(some.labels).tolist() == [count // 10] * 10
    assert some.classes == CLASSES
    assert len(some.labels[:100].unique()) == 10


def test_the_first_labels_are_the_published_ones():
    """The order of the official files: ankle boot first in both, then as anyone who opened them knows."""
    assert garments("train").labels[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]
    assert garments("test").labels[:10].tolist() == [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]


def test_no_image_is_in_both_splits():
    train = {bytes(image.numpy()) for image in garments("train").images}
    assert len(train) > 9_990
    assert not [k for k, image in enumerate(garments("test").images) if bytes(image.numpy()) in train]


def test_normalised_images_have_about_zero_mean_and_unit_deviation():
    normal = garments().normalised()
    assert normal.dtype == torch.float32
    assert abs(float(normal.mean())) < 0.02
    assert abs(float(normal.std()) - 1) < 0.02


def test_normalise_against_hand_worked_values():
    one = ImageSet(
        torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1), torch.tensor([0, 1]), ("a", "b"), (0.5,), (0.25,)
    )
    assert one.normalised().flatten().tolist() == [-2.0, 2.0]


def test_what_a_caller_changes_does_not_reach_the_next_caller():
    first = garments("test")
    first.images.zero_()
    assert garments("test").images.any()


def test_take_and_split_keep_images_with_labels_and_share_nothing():
    some = garments("test")
    assert torch.equal(some.take(7).labels, some.labels[:7])
    left, right = some.split(500, seed=4)
    assert (len(left), len(right)) == (500, 1500)
    again = some.split(500, seed=4)[0]
    assert torch.equal(left.images, again.images)
    assert not torch.equal(left.images, some.split(500, seed=5)[0].images)
    both = torch.cat([left.images, right.images]).flatten(1).long().sum(1).sort().values
    assert torch.equal(both, some.images.flatten(1).long().sum(1).sort().values)
    assert repr(some) == "ImageSet(2,000 images of 1×28×28, 10 classes)"
    assert some.to("meta").images.device.type == "meta"


def test_batches_of_a_set_are_normalised():
    images, labels = next(garments("test").batches(64, seed=1).epoch(0))
    assert (images.dtype, tuple(images.shape), tuple(labels.shape)) == (torch.float32, (64, 1, 28, 28), (64,))


def official_files(folder, train=60_000, test=10_000):
    folder.mkdir(parents=True)
    for prefix, count in (("train", train), ("t10k", test)):
        for kind, sizes in (("images-idx3", (count, 28, 28)), ("labels-idx1", (count,))):
            header = bytes([0, 0, 8, len(sizes)]) + b"".join(n.to_bytes(4, "big") for n in sizes)
            size = count * (784 if len(sizes) == 3 else 1)
            (folder / f"{prefix}-{kind}-ubyte.gz").write_bytes(gzip.compress(header + bytes(size), 1))


@pytest.mark.parametrize("where", ["downloads/FashionMNIST/raw", "system"])
def test_the_full_set_is_found_where_it_was_downloaded_or_installed(tmp_path, where):
    assert len(garments(size="auto")) == 10_000
    official_files(tmp_path / where)
    assert len(garments(size="full")) == len(garments(size="auto")) == 60_000
    assert len(garments("test", size="full")) == 10_000
    assert len(garments()) == 10_000


def test_a_missing_full_set_says_how_to_get_it_and_what_still_works():
    with pytest.raises(CourseError, match=r'download\("fashion-mnist"\).*embedded 10,000 images'):
        garments(size="full")


def test_a_full_set_of_another_size_is_refused(tmp_path):
    official_files(tmp_path / "system", train=100)
    with pytest.raises(CourseError, match="60,000 images"):
        garments(size="full")


@pytest.mark.parametrize(("arguments", "says"), [({"split": "tset"}, "'test'"), ({"size": "ful"}, "'full'")])
def test_an_unknown_name_gets_the_nearest_one(arguments, says):
    with pytest.raises(CourseError, match=says):
        garments(**arguments)


def test_damaged_files_are_refused_by_name(tmp_path):
    good = (data_dir() / "garments" / "t10k-labels-idx1-ubyte.gz").read_bytes()
    raw = gzip.decompress(good)
    broken = {
        "cut.gz": good[:500],
        "bit.gz": good[:300] + bytes([good[300] ^ 255]) + good[301:],
        "text.gz": gzip.compress(b"hello, this is no idx file"),
        "empty.gz": gzip.compress(b""),
        "short.gz": gzip.compress(raw[:-10]),
        "plain.gz": raw,
    }
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CourseError) as caught:
            read_idx(tmp_path / name)
        assert name in str(caught.value)
    with pytest.raises(CourseError, match=r"nowhere\.gz"):
        read_idx(tmp_path / "nowhere.gz")


def test_a_damaged_subset_is_refused(tmp_path, monkeypatch):
    shutil.copytree(data_dir() / "garments", tmp_path / "garments")
    labels = tmp_path / "garments" / "train-labels-idx1-ubyte.gz"
    labels.write_bytes(labels.read_bytes()[:1000])
    monkeypatch.setattr(fashion_mnist, "data_dir", lambda: tmp_path)
    with pytest.raises(CourseError, match="train-labels"):
        garments()


@pytest.mark.parametrize(
    ("images", "labels", "mean", "says"),
    [
        (torch.zeros(2, 1, 4, 4), torch.zeros(2).long(), (0.5,), "uint8"),
        (torch.zeros(2, 4, 4, dtype=torch.uint8), torch.zeros(2).long(), (0.5,), "(2, 4, 4)"),
        (torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.zeros(3).long(), (0.5,), "(2,) int64"),
        (torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.zeros(2), (0.5,), "float32"),
        (torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.zeros(2).long(), (0.5, 0.5), "channels"),
        (torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.tensor([0, 2]), (0.5,), "0 to 1"),
    ],
)
def test_a_set_that_does_not_fit_together_is_refused(images, labels, mean, says):
    with pytest.raises(CourseError) as caught:
        ImageSet(images, labels, ("a", "b"), mean, (1.0,))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "call", [lambda s: s.take(0), lambda s: s.take(2001), lambda s: s.split(0), lambda s: s.split(2000)]
)
def test_taking_more_or_less_than_there_is_is_refused(call):
    with pytest.raises(CourseError, match=r"1 to \d+"):
        call(garments("test"))
