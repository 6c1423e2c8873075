"""Photographs: real, credited, and never in both splits."""

import pytest
import torch

from crashcourse.datasets import paintings, photographs, photos
from crashcourse.errors import CourseError


@pytest.mark.parametrize(("split", "count"), [("train", 19), ("test", 10)])
def test_every_photograph_is_a_picture_with_credit_licence_and_source(split, count):
    some = photos(split)
    assert len(some) == count
    for photo in some:
        assert photo.image.dtype == torch.uint8
        assert photo.image.shape[0] == 3
        assert min(photo.image.shape[1:]) >= 300
        assert photo.image.float().std() > 10  # something is on it
        assert photo.credit
        assert photo.licence
        assert photo.source
    assert [photo.name for photo in some] == sorted(photo.name for photo in some)


def test_training_photographs_are_at_most_640_pixels_long():
    assert {max(photo.image.shape[1:]) for photo in photos("train")} <= set(range(536, 641))


def test_no_photograph_is_in_both_splits():
    """By name, by source, and by look: the closest pair of small grey versions is still far apart."""
    train, test = photos("train"), photos("test")
    assert not {p.name for p in train} & {p.name for p in test}
    assert not {p.source for p in train} & {p.source for p in test}

    def small(photo):
        grey = photo.image.float().mean(0, keepdim=True)[None]
        tiny = torch.nn.functional.adaptive_avg_pool2d(grey, 16).flatten()
        return (tiny - tiny.mean()) / tiny.norm()

    likeness = torch.stack([small(p) for p in train]) @ torch.stack([small(p) for p in test]).T
    assert float(likeness.max()) < 0.9


def test_test_photographs_are_what_scikit_image_gives():
    from skimage import data

    ours = {photo.name: photo.image for photo in photos("test")}
    assert torch.equal(ours["astronaut"], torch.from_numpy(data.astronaut()).permute(2, 0, 1))
    assert torch.equal(ours["coins"][1], torch.from_numpy(data.coins()))


def test_what_a_caller_changes_does_not_reach_the_next_caller():
    photos("test")[0].image.zero_()
    assert photos("test")[0].image.any()


def test_a_photograph_says_who_made_it():
    bridge = next(photo for photo in photos() if photo.name == "bridge")
    assert repr(bridge) == "Photo('bridge', 640×360, Sander Klootwijk, 2018, CC BY-SA 4.0)"


def test_every_painting_is_a_square_with_painter_licence_and_source():
    """A painting lacks its card, is grey, or is no square."""
    some = paintings()
    assert [painting.name for painting in some] == [
        "bouquet",
        "chrysanthemums",
        "ink",
        "seashore",
        "valley",
        "venice",
    ]
    for painting in some:
        assert painting.image.shape == (3, 256, 256)
        assert painting.image.dtype == torch.uint8
        assert painting.image.float().std() > 10
        assert "The Metropolitan Museum of Art" in painting.credit
        assert painting.licence == "CC0 1.0"
    assert not {p.name for p in some} & {p.name for p in photos("train") + photos("test")}


def test_an_unknown_split_gets_the_nearest_one():
    with pytest.raises(CourseError, match="'train'"):
        photos("trian")


def test_a_truncated_photograph_is_refused_by_name(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    folder.mkdir()
    for file, *_ in photographs.TEST_PHOTOS.values():
        (folder / file).write_bytes((photographs.package_folder() / file).read_bytes()[:5000])
    monkeypatch.setattr(photographs, "package_folder", lambda: folder)
    with pytest.raises(CourseError, match=r"astronaut\.png"):
        photos("test")
