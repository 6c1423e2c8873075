"""Average precision by COCO's rules, against COCO's own code: on random images, crowded ones, masks, and by hand."""

import numpy as np
import pytest
import torch

from tests.detection.coco import by_pycocotools, image, made, made_masks, scored


def assert_equal_to_pycocotools(data, classes, **options):
    """Every number that both have, to 1e-6."""
    ours, theirs = scored(data, classes, **options).coco(), by_pycocotools(data, classes, **options)
    found = [ours.mean, ours.per_threshold[0.5], ours.per_threshold[0.75], ours.small, ours.medium, ours.large]
    assert np.nan_to_num([*found, ours.recall], nan=-1) == pytest.approx([*theirs.stats[:6], theirs.stats[8]], abs=1e-6)
    known = theirs.ap[:, (theirs.ap >= 0).all(0)]  # (10, classes with objects)
    assert np.isnan(ours.per_class).tolist() == (theirs.ap < 0).all(0).tolist()
    assert [value for value in ours.per_class if value == value] == pytest.approx(known.mean(0), abs=1e-6)
    if known.size:
        assert list(ours.per_threshold.values()) == pytest.approx(known.mean(1), abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_equal_to_pycocotools(seed):
    """Fails for any difference of the rules: points, thresholds, sizes, crowds, ties, classes without objects."""
    assert_equal_to_pycocotools(list(made(seed, 60)), 5)


@pytest.mark.parametrize("seed", range(3))
def test_equal_to_pycocotools_with_areas_of_their_own_and_in_crowded_images(seed):
    """Fails if the area that COCO's files give (of the mask) is not used for sizes, or if many objects are confused."""
    rng = np.random.default_rng(seed)
    data = list(made(seed, 25, crowd=0.3, classes=2, objects=30, detections=90))
    for _, target in data:
        size = target["boxes"][:, 2:] - target["boxes"][:, :2]
        target["area"] = size.prod(1) * torch.tensor(rng.uniform(0.2, 1, len(size)))
    assert_equal_to_pycocotools(data, 2)


@pytest.mark.parametrize("seed", range(3))
def test_equal_to_pycocotools_by_masks(seed):
    """Fails if IoU, areas or crowds are taken of anything but the pixels."""
    assert_equal_to_pycocotools(list(made_masks(seed, 40)), 3, by="masks")


TWO = [[0.0, 0, 40, 40], [60, 0, 100, 40]]
BY_HAND = {
    "perfect": (TWO, [0.9, 0.8], TWO, {}),
    "nothing found": ([[200.0, 0, 240, 40]], [0.9], TWO, {}),
    "found twice": ([TWO[0], [0, 0, 40, 39], TWO[1]], [0.9, 0.8, 0.7], TWO, {}),
    "exactly at a threshold": ([[0.0, 0, 40, 30], [60, 0, 100, 20]], [0.9, 0.8], TWO, {}),
    "equal scores": ([TWO[0], [0, 0, 40, 1], TWO[1]], [0.5, 0.5, 0.5], TWO, {}),
    "one object in another": ([[0.0, 0, 40, 40]], [0.9], [[0.0, 0, 40, 40], [0, 0, 40, 36]], {}),
    "inside a crowd, twice": ([[0.0, 0, 9, 9], [20, 20, 30, 30], TWO[1]], [0.9, 0.8, 0.7], TWO, {"crowd": [1, 0]}),
    "only a crowd": ([TWO[0]], [0.9], [TWO[0]], {"crowd": [1]}),
    "at the ends of the bands": (
        [[0.0, 0, 32, 32], [100, 0, 196, 96]],
        [0.9, 0.8],
        [[0.0, 0, 32, 32], [100, 0, 196, 96]],
        {},
    ),
    "another size than its object": ([[0.0, 0, 32, 32]], [0.9], [[0.0, 0, 33, 33]], {}),
    "a detection without area": ([[5.0, 5, 5, 9], TWO[0]], [0.9, 0.8], TWO, {}),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_hand_made_cases_equal_pycocotools(name):
    """Fails for the rule that the case is named after."""
    boxes, values, objects, more = BY_HAND[name]
    target = image(objects, [0] * len(objects))
    target["crowd"] = torch.tensor(more.get("crowd", [0] * len(objects))).bool()
    data = [(image(boxes, [0] * len(boxes), scores=torch.tensor(values, dtype=torch.float64)), target)]
    assert_equal_to_pycocotools(data, 1)


def test_only_the_best_hundred_detections_count_as_in_pycocotools():
    """Fails if a detection beyond the hundredth enters."""
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 400, (30, 2))
    boxes = np.concatenate([corner, corner + 40], 1)
    near = np.repeat(boxes, 5, 0) + rng.normal(0, 4, (150, 4))
    data = [(image(near, [0] * 150, scores=torch.tensor(rng.random(150))), image(boxes, [0] * 30))]
    assert_equal_to_pycocotools(data, 1)
