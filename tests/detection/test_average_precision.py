"""Average precision: by hand, against pycocotools and VOC's rule as another package has it, and what is refused."""

import contextlib
import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crashcourse.detection import DetectionScores, average_precision, precision_recall
from crashcourse.errors import CourseError

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


@pytest.mark.parametrize("method", ["11", "all", "101"])
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


def image(boxes, labels, **more):
    return {"boxes": torch.tensor(boxes).reshape(-1, 4), "labels": torch.tensor(labels, dtype=torch.int64), **more}


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


def made(seed, images, *, crowd=0.1, classes=4):
    """Images with objects of all sizes, detections near them, ties among scores, and some crowds."""
    rng = np.random.default_rng(seed)
    for _ in range(images):
        count = int(rng.integers(0, 8))
        corner, size = rng.uniform(0, 300, (count, 2)), np.exp(rng.uniform(np.log(8), np.log(200), (count, 2)))
        boxes = np.concatenate([corner, corner + size], 1).round(1)
        labels = rng.integers(0, classes, count)
        source = rng.integers(0, count, int(rng.integers(0, 14))) if count else np.zeros(0, int)
        near = boxes[source] + rng.normal(0, 6, (len(source), 4))
        near = np.concatenate([np.minimum(near[:, :2], near[:, 2:]), np.maximum(near[:, :2], near[:, 2:])], 1)
        guessed = np.where(rng.random(len(source)) < 0.8, labels[source], rng.integers(0, classes, len(source)))
        predicted = image(near, guessed, scores=torch.tensor(rng.random(len(source)).round(2)))
        yield predicted, image(boxes, labels, crowd=torch.tensor(rng.random(count) < crowd))


def by_pycocotools(data, classes=4):
    """COCO's own twelve numbers."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth = {"images": [], "annotations": [], "categories": [{"id": label} for label in range(classes)], "info": {}}
    results = []
    for number, (predicted, target) in enumerate(data, start=1):
        truth["images"].append({"id": number})
        for box, label, crowd in zip(target["boxes"].tolist(), target["labels"], target["crowd"], strict=True):
            size = box[2] - box[0], box[3] - box[1]
            entry = {"id": len(truth["annotations"]) + 1, "image_id": number, "category_id": int(label)}
            entry |= {"bbox": [*box[:2], *size], "area": size[0] * size[1], "iscrowd": int(crowd)}
            truth["annotations"].append(entry)
        for box, label, score in zip(*(predicted[key].tolist() for key in ("boxes", "labels", "scores")), strict=True):
            bbox = [*box[:2], box[2] - box[0], box[3] - box[1]]
            results.append({"image_id": number, "category_id": label, "bbox": bbox, "score": score})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


@pytest.mark.parametrize("seed", range(5))
def test_equal_to_pycocotools(seed):
    """Fails for any difference of the rules: points, thresholds, sizes, crowds, ties, the best hundred."""
    data = list(made(seed, 60))
    scores = DetectionScores(4)
    for predicted, target in data:
        scores.add(predicted, target)
    ours, theirs = scores.coco(), by_pycocotools(data)
    found = [ours.mean, ours.per_threshold[0.5], ours.per_threshold[0.75], ours.small, ours.medium, ours.large]
    assert [*found, ours.recall] == pytest.approx([*theirs[:6], theirs[8]], abs=1e-6)


def test_only_the_best_hundred_detections_count_as_in_pycocotools():
    """Fails if a detection beyond the hundredth enters."""
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 400, (30, 2))
    boxes = np.concatenate([corner, corner + 40], 1)
    near = np.repeat(boxes, 5, 0) + rng.normal(0, 4, (150, 4))
    target = image(boxes, [0] * 30, crowd=torch.zeros(30, dtype=torch.bool))
    data = [(image(near, [0] * 150, scores=torch.tensor(rng.random(150))), target)]
    scores = DetectionScores(1)
    scores.add(*data[0])
    theirs = by_pycocotools(data, 1)
    assert [scores.coco().mean, scores.coco().recall] == pytest.approx([theirs[0], theirs[8]], abs=1e-6)


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


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: DetectionScores(0), "num_classes"),
        (lambda: DetectionScores(1, iou_thresholds=[]), "thresholds"),
        (lambda: DetectionScores(1, iou_thresholds=[1.5]), "1.5"),
        (lambda: DetectionScores(1).add(image([[0.0, 0, 5, 5]], [0]), GOOD), "scores did not come"),
        (lambda: DetectionScores(1).add(GOOD, image([[0.0, 0, 5, 5]], [1])), "between 0 and 0"),
        (lambda: DetectionScores(1).add(GOOD, image([[0.0, 0, 0, 5]], [0])), "x1 < x2"),
        (lambda: DetectionScores(1).add({**GOOD, "scores": torch.ones(2)}, GOOD), "1 boxes, but 2 scores"),
        (lambda: DetectionScores(1).add({**GOOD, "scores": torch.tensor([float("nan")])}, GOOD), "NaN"),
        (lambda: average_precision([1.0], [1.0], method="12"), "method"),
        (lambda: precision_recall([True], 0), "at least 1"),
        (lambda: precision_recall([True, True], 1), "Match each once"),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(CourseError, match=sentence):
        call()
