"""Scenes: exact truth, the same from the same seed, and hard where the docstring says so."""

import contextlib
import io
import subprocess
import sys

import numpy as np
import pytest
import torch

from crashcourse.datasets import Scenes, photos, scenes
from crashcourse.datasets.scene_types import SCENE_CLASSES
from crashcourse.datasets.sprites import materials, silhouette
from crashcourse.errors import CourseError


@pytest.fixture(scope="module")
def many() -> Scenes:
    return scenes(300, seed=11)


def test_shapes_types_and_ranges(many):
    assert (tuple(many.images.shape), many.images.dtype) == ((300, 3, 128, 128), torch.uint8)
    for scene in many:
        m = len(scene)
        assert 1 <= m <= 6
        assert (tuple(scene.boxes.shape), scene.boxes.dtype) == ((m, 4), torch.float32)
        assert (tuple(scene.labels.shape), scene.labels.dtype) == ((m,), torch.int64)
        assert (tuple(scene.masks.shape), scene.masks.dtype) == ((m, 128, 128), torch.bool)
        assert (tuple(scene.keypoints.shape), scene.keypoints.dtype) == ((m, 4, 3), torch.float32)
        assert (tuple(scene.visible.shape), scene.visible.dtype) == ((m,), torch.float32)
        assert scene.image.shape == (3, 128, 128)


def test_boxes_are_tight_around_the_visible_mask(many):
    for scene in many:
        for box, mask in zip(scene.boxes.int().tolist(), scene.masks, strict=True):
            rows, columns = torch.nonzero(mask.any(1))[:, 0], torch.nonzero(mask.any(0))[:, 0]
            assert box == [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]


def test_the_rule_every_garment_shows_enough_of_itself(many):
    for scene in many:
        assert (scene.visible >= 0.3).all()
        assert (scene.visible <= 1.0).all()
        assert (scene.masks.flatten(1).sum(1) >= 16).all()


def test_masks_share_no_pixel_and_the_semantic_map_agrees(many):
    for scene in many[:50]:
        masks, semantic = scene.masks, scene.semantic
        assert int(masks.sum(0).max()) == 1
        assert torch.equal(semantic > 0, masks.any(0))
        for mask, label in zip(masks, scene.labels, strict=True):
            assert (semantic[mask] == label + 1).all()


def test_keypoints_say_truly_whether_they_are_seen(many):
    kinds = {0: 0, 1: 0, 2: 0}
    for scene in many:
        for k, points in enumerate(scene.keypoints.tolist()):
            for x, y, seen in points:
                kinds[int(seen)] += 1
                inside = 0 <= x < 128 and 0 <= y < 128
                assert inside == (seen > 0)
                if inside:
                    assert (int(scene.instances[int(y), int(x)]) == k + 1) == (seen == 2)
    assert min(kinds.values()) > 50  # seen, hidden and outside all happen
    assert kinds[2] > kinds[0] + kinds[1]


def test_keypoints_keep_their_names_under_rotation_and_mirroring(many):
    """An upright object's upper left is above its lower left, and left of its upper right; few tilts are steep."""
    points = torch.cat([scene.keypoints for scene in many])[:, :, :2]
    upper_left, upper_right, lower_right, lower_left = points.unbind(1)
    assert ((lower_left - upper_left)[:, 1] > 0).float().mean() > 0.95
    assert ((lower_right - upper_right)[:, 1] > 0).float().mean() > 0.95
    assert ((upper_right - upper_left)[:, 0] > 0).float().mean() > 0.9
    assert ((lower_right - lower_left)[:, 0] > 0).float().mean() > 0.95


def test_scenes_are_hard_and_varied(many):
    sides = torch.cat([(s.boxes[:, 2:] - s.boxes[:, :2]).amax(1) for s in many])
    visible = torch.cat([s.visible for s in many])
    counts = torch.bincount(torch.cat([s.labels for s in many]), minlength=5)
    brightness = many.images.float().mean((1, 2, 3))
    assert (sides < 20).float().mean() > 0.2
    assert (sides > 50).float().mean() > 0.08
    assert 0.2 < (visible < 0.95).float().mean() < 0.8  # covered or cut off
    assert counts.min() > 0.7 * counts.float().mean()
    assert brightness.min() < 40
    assert brightness.max() > 150
    assert len({len(s) for s in many}) >= 5


def test_objects_cannot_be_told_by_brightness_alone(many):
    """The best threshold on the grey value finds the object pixels hardly better than a guess."""
    grey = many.images.float().mean(1).int()
    inside = torch.stack([s.instances > 0 for s in many])
    below = [torch.bincount(part, minlength=256).cumsum(0) / len(part) for part in (grey[inside], grey[~inside])]
    assert (below[0] - below[1]).abs().max() < 0.3


def test_same_seed_same_bytes_in_another_process_too():
    code = (
        "import hashlib; from crashcourse.datasets import scenes\n"
        "s = scenes(5, seed=3, size=64)\n"
        "h = hashlib.sha256(s.images.numpy().tobytes())\n"
        "[h.update(t.numpy().tobytes()) for one in s for t in (one.boxes, one.instances, one.keypoints, one.labels)]\n"
        "print(h.hexdigest())"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    with contextlib.redirect_stdout(io.StringIO()) as here:
        exec(code, {})
    assert there == here.getvalue()
    assert len(there.strip()) == 64


def test_sides_and_clutter_are_those_asked_for():
    """Fails if a garment is smaller or larger than asked (whole ones; a border may cut), or clutter is painted."""
    large = scenes(40, seed=5, size=96, objects=(1, 1), sides=(0.5, 0.6), clutter=(0, 0))
    spans = [max(s.boxes[0, 2] - s.boxes[0, 0], s.boxes[0, 3] - s.boxes[0, 1]) for s in large if s.visible[0] > 0.99]
    assert len(spans) > 10
    assert all(0.4 * 96 < span < 0.85 * 96 for span in map(float, spans))  # turned ones span more than their long side
    cluttered = scenes(40, seed=5, size=96, objects=(1, 1), sides=(0.5, 0.6), clutter=(3, 3))
    hidden = [sum(float(s.visible[0] < 0.99) for s in made) for made in (large, cluttered)]
    assert hidden[1] > hidden[0]


@pytest.mark.parametrize(
    ("look", "sentence"),
    [
        ({"sides": (0.5, 0.2)}, "sides must be"),
        ({"sides": (0, 0.2)}, "sides must be"),
        ({"clutter": (2, 1)}, "clutter"),
    ],
)
def test_an_impossible_look_is_refused(look, sentence):
    with pytest.raises(CourseError, match=sentence):
        scenes(1, seed=0, **look)


def test_a_scene_does_not_depend_on_how_many_are_made():
    few, more = scenes(2, seed=8, size=64), scenes(5, seed=8, size=64)
    assert torch.equal(few.images, more.images[:2])
    assert torch.equal(few[1].keypoints, more[1].keypoints)
    assert not torch.equal(few.images, scenes(2, seed=9, size=64).images)


def test_the_callers_random_states_are_left_alone():
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    scenes(2, seed=0, size=64)
    assert torch.equal(torch_before, torch.get_rng_state())
    assert (numpy_before == np.random.get_state()[1]).all()


def test_splits_take_photographs_and_garments_from_their_own_side():
    assert len(materials("train").pictures) == len(photos("train"))
    assert len(materials("test").pictures) == len(photos("test"))
    own, other = (
        {sprite.tobytes() for s in materials(split).sprites for sprite in s.sharp} for split in ("train", "test")
    )
    assert not own & other
    assert not torch.equal(scenes(1, seed=0, split="test").images, scenes(1, seed=0).images)


def test_every_class_has_many_different_garments():
    assert [len(s.boxes) >= 100 for s in materials("train").sprites] == [True] * len(SCENE_CLASSES)
    assert [len(s.boxes) >= 90 for s in materials("test").sprites] == [True] * len(SCENE_CLASSES)


def test_silhouette_fills_holes_and_drops_specks():
    ink = torch.zeros(1, 1, 12, 12, dtype=torch.bool)
    ink[..., 2:9, 2:9] = True
    ink[..., 5, 5] = False  # a hole
    ink[..., 11, 11] = True  # a speck
    expected = torch.zeros_like(ink)
    expected[..., 2:9, 2:9] = True
    assert torch.equal(silhouette(ink), expected)


def test_the_range_of_objects_and_the_size_are_kept():
    crowd = scenes(10, seed=1, size=96, objects=(8, 10))
    assert crowd.images.shape == (10, 3, 96, 96)
    assert max(len(s) for s in crowd) >= 7
    assert {len(s) for s in scenes(10, seed=1, size=64, objects=(1, 1))} == {1}
    assert "10 of 96×96" in repr(crowd)
    assert len(crowd[2:5]) == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"n": 0}, "scenes(0)"),
        ({"n": 2.0}, "scenes(2.0)"),
        ({"seed": -1}, "-1"),
        ({"size": 47}, "at least 48"),
        ({"size": "128"}, "'128'"),
        ({"split": "valid"}, "test, train"),
        ({"objects": (0, 3)}, "(0, 3)"),
        ({"objects": (4, 3)}, "(4, 3)"),
        ({"objects": (1, 2, 3)}, "(1, 2, 3)"),
    ],
)
def test_bad_input_is_refused_with_what_came(arguments, says):
    with pytest.raises(CourseError) as caught:
        scenes(**{"n": 1, "seed": 0, **arguments})
    assert says in str(caught.value)
