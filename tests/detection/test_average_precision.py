"""Average precision: by hand, against VOC's rule as another package has it, what always holds, and what is refused."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crashcourse.detection import DetectionScores, average_precision, precision_recall
from crashcourse.errors import CourseError
from tests.detection.coco import image, made, scored

RANKED = [True, False, True, True, False]  # 3 of 4 objects are found: precision 1, 1/2, 2/3, 3/4, 3/5


def test_the_curve_and_its_three_areas_by_hand():
    """Fails if precision is not made monotone, if recall beyond the last detection counts, or with the wrong points."""
    precision, recall = precision_recall(RANKED, 4)
    assert precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3, 3 / 4, 3 / 5])
    assert recall.tolist() == pytest.approx([1 / 4, 1 / 4, 1 / 2, 3 / 4, 3 / 4])
    assert average_precision(precision, recall) == pytest.approx(1 / 4 + 1 / 4 * 3 / 4 + 1 / 4 * 3 / 4)
    # recalls 0, 0.1, 0.2 at precision 1; 0.3 to 0.7 at 3/4; 0.8, 0.9, 1 never reached
    assert average_precision(precision, recall, method="11") == pytest.approx((3 + 5 * 3 / 4) / 11)
    assert average_precision(precision, recall, method="101") == pytest.approx((26 + 50 * 3 / 4) / 101)


METHODS = ["11", "all", "101"]


@pytest.mark.parametrize("found", range(11))
def test_eleven_points_at_their_own_recalls(found):
    """Fails if 3 of 10 objects do not reach a recall of 0.3: as a float, 3 · 0.1 lies above 3 / 10."""
    curve = precision_recall([True] * found, 10)
    assert average_precision(*curve, method="11") == pytest.approx((found + 1) / 11 if found else 0)


@pytest.mark.parametrize("method", METHODS)
def test_perfect_and_nothing(method):
    assert average_precision(*precision_recall([True] * 3, 3), method=method) == 1
    assert average_precision(*precision_recall([], 3), method=method) == 0
    assert average_precision(*precision_recall([False] * 3, 3), method=method) == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.booleans(), min_size=2, max_size=12), st.sampled_from(["11", "all", "101"]), st.data())
def test_ap_rises_when_a_right_detection_moves_up(ranked, method, data):
    """Fails if a better order can score less; and wrong detections at the end must not matter."""
    objects = sum(ranked) + 1
    score = average_precision(*precision_recall(ranked, objects), method=method)
    assert average_precision(*precision_recall([*ranked, False], objects), method=method) == pytest.approx(score)
    place = data.draw(st.integers(1, len(ranked) - 1))
    better = list(ranked)
    if better[place] and not better[place - 1]:
        better[place - 1], better[place] = True, False
    assert average_precision(*precision_recall(better, objects), method=method) >= score - 1e-12


@settings(max_examples=60, deadline=None)
@given(st.lists(st.booleans(), max_size=12), st.sampled_from(METHODS), st.integers(0, 3))
def test_ap_rises_with_what_is_found_and_falls_with_what_is_missed(ranked, method, missed):
    """Fails if one more right detection harms, if one more wrong one on top or one more missed object helps, or if a
    score leaves [0, 1] or lies above the largest recall."""

    def score(ranked, objects):
        return average_precision(*precision_recall(ranked, objects), method=method)

    objects = sum(ranked) + missed + 1
    before = score(ranked, objects)
    assert 0 <= before <= 1
    assert score([*ranked, True], objects) >= before - 1e-12
    assert score([True, *ranked], objects) >= before - 1e-12
    assert score([False, *ranked], objects) <= before + 1e-12
    if method == "all":
        assert before <= sum(ranked) / objects + 1e-12
        assert score(ranked, objects + 1) <= before + 1e-12
    # mean over points: a missed object moves the curve to the left, so no point gains
    assert score(ranked, objects + 1) <= before + 1e-12


def test_one_image_by_hand():
    """Fails if the second detection of an object counts, or a class without objects enters the mean."""
    scores = DetectionScores(3, iou_thresholds=[0.5])
    target = image([[0.0, 0, 10, 10], [20, 0, 30, 10]], [0, 0])
    predicted = image([[0.0, 0, 10, 10], [0, 0, 10, 9], [20, 0, 30, 10]], [0, 0, 0])
    scores.add({**predicted, "scores": torch.tensor([0.9, 0.8, 0.7])}, target)
    for result in (scores.voc(), scores.coco()):
        assert result.recall == 1
        assert np.isnan(result.per_class[1:]).all()
    assert scores.voc().mean == pytest.approx(1 / 2 + 1 / 2 * 2 / 3)
    assert scores.coco().mean == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_voc_does_not_fall_back_and_coco_does():
    """Fails if one rule of matching is used for both: the second detection's best object is taken, another is near."""
    target = image([[0.0, 0, 10, 10], [0, 0, 10, 14]], [0, 0])
    predicted = image([[0.0, 0, 10, 10], [0, 0, 10, 10.1]], [0, 0], scores=torch.tensor([0.9, 0.8]))
    scores = DetectionScores(1, iou_thresholds=[0.5])
    scores.add(predicted, target)
    assert scores.coco().mean == 1
    assert scores.voc().mean == 0.5


def test_a_difficult_object_neither_helps_nor_harms():
    """Fails if finding it counts as wrong, or missing it lowers recall."""
    target = image([[0.0, 0, 10, 10], [20, 0, 30, 10]], [0, 0], ignore=torch.tensor([False, True]))
    for boxes in ([[0.0, 0, 10, 10], [20, 0, 30, 10]], [[0.0, 0, 10, 10]]):
        scores = DetectionScores(1, iou_thresholds=[0.5])
        scores.add(image(boxes, [0] * len(boxes), scores=torch.linspace(0.5, 0.4, len(boxes))), target)
        assert scores.voc().mean == scores.coco().mean == 1


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("method", ["11", "all"])
def test_equal_to_another_package_by_vocs_rule(seed, method):
    """Fails for any difference in VOC's matching or points. The package adds 1 to sizes, so boxes are made to match."""
    from mean_average_precision import MetricBuilder

    metric = MetricBuilder.build_evaluation_metric("map_2d", async_mode=False, num_classes=4)
    scores = DetectionScores(4, iou_thresholds=[0.5])
    for predicted, target in made(seed, 30, crowd=0):
        size = 1 + 0 * predicted["boxes"]
        size[:, :2] = 0
        other = 1 + 0 * target["boxes"]
        other[:, :2] = 0
        ranks = predicted["scores"] + torch.rand(len(size), dtype=torch.float64) * 1e-6  # no ties: theirs is not stable
        scores.add({**predicted, "scores": ranks}, target)
        ones = [predicted["boxes"] - size, predicted["labels"][:, None], ranks[:, None]]
        twos = [target["boxes"] - other, target["labels"][:, None], torch.zeros(len(other), 2)]
        metric.add(torch.cat(ones, 1).numpy(), torch.cat(twos, 1).numpy())
    points = np.arange(0, 1.1, 0.1) if method == "11" else None
    theirs = metric.value(iou_thresholds=0.5, recall_thresholds=points)["mAP"]
    assert scores.voc(method=method).mean == pytest.approx(float(theirs), abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["11", "all"]))
def test_vocs_score_falls_with_the_threshold(seed, method):
    """Fails if a stricter IoU can find more, or finds it earlier."""
    thresholds = [0.1, 0.3, 0.5, 0.7, 0.9]
    scores = scored(made(seed, 8, crowd=0, classes=2), 2, iou_thresholds=thresholds)
    values = list(scores.voc(method=method).per_threshold.values())
    assert all(later <= earlier + 1e-12 or np.isnan(later) for earlier, later in itertools.pairwise(values))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_scores_do_not_depend_on_the_order_of_images_and_boxes_nor_on_the_size_of_scores(seed):
    """Fails if anything but the ranking by score counts."""
    rng = np.random.default_rng(seed)
    data = list(made(seed, 10))
    for predicted, _ in data:
        predicted["scores"] += torch.tensor(rng.random(len(predicted["scores"]))) * 1e-3  # no ties
    shuffled = []
    for place in rng.permutation(len(data)):
        (predicted, target), changed = data[place], []
        for given_part in (predicted, target):
            order = torch.from_numpy(rng.permutation(len(given_part["labels"])))
            changed.append({name: values[order] for name, values in given_part.items()})
        changed[0]["scores"] = changed[0]["scores"] ** 3 * 7 - 2  # rises with the score
        shuffled.append(tuple(changed))
    for rule in ("coco", "voc"):
        one, two = (getattr(scored(some), rule)() for some in (data, shuffled))
        assert one.per_class == pytest.approx(two.per_class, nan_ok=True)
        assert one.recall == pytest.approx(two.recall, nan_ok=True)


def test_nothing_at_all_is_not_a_score():
    """Fails if an empty data set scores 0 or 1."""
    scores = DetectionScores(2)
    none = image([], [], scores=torch.zeros(0))
    scores.add(none, image([], []))
    assert len(scores) == 1
    assert np.isnan([scores.coco().mean, scores.voc().mean]).all()
    scores.add(none, image([[0.0, 0, 5, 5]], [1]))
    assert (scores.coco().mean, scores.voc().mean) == (0, 0)


GOOD = image([[0.0, 0, 5, 5]], [0], scores=torch.ones(1))
MASK = {"masks": torch.ones(1, 4, 4, dtype=torch.bool), "labels": torch.zeros(1).long(), "scores": torch.ones(1)}


def add(predicted, target=GOOD, **options):
    DetectionScores(1, **options).add({**GOOD, **predicted}, target)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: DetectionScores(0), "num_classes"),
        (lambda: DetectionScores(1, iou_thresholds=[]), "thresholds"),
        (lambda: DetectionScores(1, iou_thresholds=[1.5]), "1.5"),
        (lambda: DetectionScores(1, max_detections=0), "max_detections"),
        (lambda: DetectionScores(1, sides=(96, 32)), "sides"),
        (lambda: DetectionScores(1, by="mask"), "masks"),
        (lambda: DetectionScores(1).voc(method="101"), "method"),
        (lambda: DetectionScores(1).add(image([[0.0, 0, 5, 5]], [0]), GOOD), "scores did not come"),
        (lambda: add({}, image([[0.0, 0, 5, 5]], [1])), "between 0 and 0"),
        (lambda: add({}, image([[0.0, 0, 0, 5]], [0])), "x1 < x2"),
        (lambda: add({}, {**GOOD, "area": torch.ones(2)}), "1 boxes, but area of shape \\(2,\\)"),
        (lambda: add({"scores": torch.ones(2)}), "1 boxes, but scores of shape \\(2,\\)"),
        (lambda: add({"scores": [1.0]}), "got list"),
        (lambda: add({"labels": torch.zeros(1)}), "whole numbers"),
        (lambda: add({"scores": torch.tensor([float("nan")])}), "NaN"),
        (lambda: add({"boxes": torch.tensor([[0.0, 0, float("inf"), 5]])}), "infinite"),
        (lambda: add(MASK, {**MASK, "masks": torch.zeros(1, 4, 4).bool()}, by="masks"), "no pixel"),
        (lambda: add(MASK, {**MASK, "masks": torch.ones(1, 5, 4).bool()}, by="masks"), "one size"),
        (lambda: add({**MASK, "masks": torch.rand(1, 4, 4)}, MASK, by="masks"), "bool"),
        (lambda: average_precision([1.0], [1.0], method="12"), "method"),
        (lambda: average_precision([1.0], [0.5, 1.0]), "one precision"),
        (lambda: average_precision([float("nan")], [1.0]), "precision lies between"),
        (lambda: average_precision([1.0], [float("nan")]), "recall lies between"),
        (lambda: average_precision([1.0, 1.0], [0.5, 0.4]), "never falls"),
        (lambda: precision_recall([True], 0), "at least 1"),
        (lambda: precision_recall([True, True], 1), "Match each once"),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(CourseError, match=sentence):
        call()
