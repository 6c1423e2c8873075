"""Lesson 20, boxes: what people get wrong in suppression and average precision, each as code, with its hint."""

from collections.abc import Callable

import torch
from torch import Tensor


def _greedy(
    iou: Tensor,
    scores: Tensor,
    threshold: float,
    *,
    descending: bool = True,
    stays: Callable[[float, float], bool] = lambda overlap, threshold: overlap <= threshold,
    result: Callable[[list[int], list[int]], list] = lambda kept, order: kept,
) -> list:
    """`suppress` with one thing wrong: what the keyword arguments say."""
    order = scores.argsort(descending=descending).tolist()
    left, kept = list(order), []
    while left:
        best = left.pop(0)
        kept.append(best)
        left = [other for other in left if stays(iou[best, other].item(), threshold)]
    return result(kept, order)


def _dropped_drop_too(iou: Tensor, scores: Tensor, threshold: float) -> list[int]:
    order = scores.argsort(descending=True).tolist()
    return [i for n, i in enumerate(order) if all(iou[i, j] <= threshold for j in order[:n])]


def _only_the_best(iou: Tensor, scores: Tensor, threshold: float) -> list[int]:
    order = scores.argsort(descending=True).tolist()
    return [order[0], *(i for i in order[1:] if iou[order[0], i] <= threshold)]


def _only_the_last_kept(iou: Tensor, scores: Tensor, threshold: float) -> list[int]:
    kept: list[int] = []
    for i in scores.argsort(descending=True).tolist():
        if not kept or iou[kept[-1], i] <= threshold:
            kept.append(i)
    return kept


def _by_place(iou: Tensor, scores: Tensor, threshold: float) -> list[int]:
    kept: list[int] = []
    for i in range(len(scores)):
        if all(iou[i, j] <= threshold for j in kept):
            kept.append(i)
    return kept


def _ranks_for_indices(iou: Tensor, scores: Tensor, threshold: float) -> list[int]:
    kept = _greedy(iou, scores, threshold)
    order = scores.argsort(descending=True).tolist()
    return [order.index(i) for i in kept]


def _iou_not_reordered(iou: Tensor, scores: Tensor, threshold: float) -> list[int]:
    order = scores.argsort(descending=True).tolist()
    left, kept = list(range(len(order))), []
    while left:
        best = left.pop(0)
        kept.append(order[best])
        left = [other for other in left if iou[best, other] <= threshold]
    return kept


def _skips(iou: Tensor, scores: Tensor, threshold: float) -> list[int]:
    left, kept = scores.argsort(descending=True).tolist(), []
    while left:
        best = left.pop(0)
        kept.append(best)
        for other in left:  # changes the list that it walks over
            if iou[best, other] > threshold:
                left.remove(other)
    return kept


NMS_MISTAKES = {
    "ascending": (
        lambda *a: _greedy(*a, descending=False),
        "You begin with the *lowest* score. Sort by falling score: argsort(descending=True).",
    ),
    "no_sorting": (
        _by_place,
        "You take the boxes in the order in which they lie. The best score comes first.",
    ),
    "at_the_threshold": (
        lambda *a: _greedy(*a, stays=lambda overlap, threshold: overlap < threshold),
        "At exactly the threshold a box stays: drop it only when its IoU is *above*.",
    ),
    "keeps_what_overlaps": (
        lambda *a: _greedy(*a, stays=lambda overlap, threshold: overlap > threshold),
        "The comparison is the wrong way round: you keep what overlaps the best box and drop what does not.",
    ),
    "dropped_boxes_drop_others": (
        _dropped_drop_too,
        "A box that has been dropped still drops others in your code. Only *kept* boxes do.",
    ),
    "one_round": (
        _only_the_best,
        "Only the very best box drops others. Every kept box does: go on with what is left.",
    ),
    "last_kept_only": (
        _only_the_last_kept,
        "You compare with the box kept last. A box must not overlap *any* kept one.",
    ),
    "removes_while_walking": (
        _skips,
        "You remove from the list that the loop walks over, so that it skips boxes. Build a new list.",
    ),
    "sorted_indices": (
        lambda *a: _greedy(*a, result=lambda kept, order: sorted(kept)),
        "You return the indices in rising order. Best score first.",
    ),
    "ranks": (
        _ranks_for_indices,
        "These are places in the sorted list. Return indices of the boxes as they came.",
    ),
    "iou_in_the_old_order": (
        _iou_not_reordered,
        "You look up IoU by place in the sorted list. Rows and columns of iou are in the old order.",
    ),
    "mask": (
        lambda iou, scores, threshold: [i in _greedy(iou, scores, threshold) for i in range(len(scores))],
        "That is a mask, True for a kept box. Return the indices, best score first.",
    ),
    "scores": (
        lambda iou, scores, threshold: [scores[i].item() for i in _greedy(iou, scores, threshold)],
        "Those are the scores of the kept boxes. Return their indices.",
    ),
    "dropped": (
        lambda *a: _greedy(*a, result=lambda kept, order: [i for i in order if i not in kept]),
        "Those are the boxes that were dropped. Return the kept ones.",
    ),
    "only_one": (
        lambda iou, scores, threshold: [int(scores.argmax())],
        "You return the best box alone. There may be several objects: go on with what is left.",
    ),
}


def _same(labels: Tensor) -> Tensor:
    return labels[:, None] == labels[None]


def _class_after_class(
    iou: Tensor, scores: Tensor, labels: Tensor, threshold: float, *, most: int | None = None, local: bool = False
) -> list[int]:
    kept: list[int] = []
    for label in labels.unique():
        places = (labels == label).nonzero()[:, 0]
        chosen = _greedy(iou[places][:, places], scores[places], threshold)[:most]
        kept += chosen if local else places[chosen].tolist()
    return kept


def _by_score(kept: list[int], scores: Tensor, *, best_first: bool = True) -> list[int]:
    return sorted(kept, key=lambda place: scores[place].item(), reverse=best_first)


def _matrix_changed(iou: Tensor, scores: Tensor, labels: Tensor, threshold: float) -> list[int]:
    iou *= _same(labels)
    return _greedy(iou, scores, threshold)


CLASS_MISTAKES = {
    "across_classes": (
        lambda iou, scores, labels, threshold: _greedy(iou, scores, threshold),
        "A shoe drops a bag in your code: boxes of *different* classes must not drop each other. Use the labels.",
    ),
    "only_across_classes": (
        lambda iou, scores, labels, threshold: _greedy(iou * ~_same(labels), scores, threshold),
        "The wrong way round: in your code only boxes of different classes drop each other.",
    ),
    "class_after_class": (
        _class_after_class,
        "Your list has one class after the other. Put them together by falling score: whoever reads on may take the "
        "best ten.",
    ),
    "places_within_the_class": (
        lambda *a: _by_score(_class_after_class(*a, local=True), a[1]),
        "These are places within each class. Translate them to indices of all boxes: places[kept].",
    ),
    "one_of_each_class": (
        lambda *a: _by_score(_class_after_class(*a, most=1), a[1]),
        "Each class keeps its best box alone. There may be several objects of one class.",
    ),
    "worst_first": (
        lambda *a: _by_score(_class_after_class(*a), a[1], best_first=False),
        "The right boxes, with the worst first. Best score first: reverse=True.",
    ),
    "by_index": (
        lambda *a: sorted(_class_after_class(*a)),
        "The right boxes, in the order of their indices. Best score first.",
    ),
    "best_class_only": (
        lambda iou, scores, labels, threshold: [
            i for i in _greedy(iou * _same(labels), scores, threshold) if labels[i] == labels[scores.argmax()]
        ],
        "Only the class of the very best box is left. Keep the boxes of all classes.",
    ),
    "matrix_changed": (
        _matrix_changed,
        "The result is right, but you changed `iou` itself: whoever looks at it now finds zeros. Make a new matrix: "
        "iou * same, not iou *= same.",
    ),
}


def _curve(correct: Tensor) -> Tensor:
    return correct.cumsum(0) / torch.arange(1, len(correct) + 1)


def _envelope(precision: Tensor) -> Tensor:
    return precision.flip(0).cummax(0).values.flip(0)


def _eleven(correct: Tensor, objects: int) -> float:
    recall, best = correct.cumsum(0) / objects, _envelope(_curve(correct))
    points = [best[recall >= step / 10 - 1e-6] for step in range(11)]
    return sum(point[0].item() if len(point) else 0.0 for point in points) / 11


AP_MISTAKES = {
    "no_envelope": (
        lambda correct, objects: (_curve(correct)[correct].sum() / objects).item(),
        "The precision at each place is used as it is. Take the best precision at that place *or any later one*.",
    ),
    "envelope_from_the_left": (
        lambda correct, objects: (_curve(correct).cummax(0).values[correct].sum() / objects).item(),
        "Your running maximum goes from the first detection on. It must come from the right: flip before and after.",
    ),
    "mean_over_found": (
        lambda correct, objects: (_envelope(_curve(correct))[correct].sum() / max(1, int(correct.sum()))).item(),
        "You divide by the objects that were found. Those that were missed count, too: divide by `objects`.",
    ),
    "mean_over_detections": (
        lambda correct, objects: _envelope(_curve(correct)).mean().item(),
        "You average over all detections. Only those that found an object move recall on; divide by `objects`.",
    ),
    "all_places": (
        lambda correct, objects: (_envelope(_curve(correct)).sum() / objects).item(),
        "You also add the precision at wrong detections. Recall does not grow there, so they add no area.",
    ),
    "precision_at_the_end": (
        lambda correct, objects: (correct.sum() / len(correct)).item(),
        "That is the precision of the whole list. Order counts: sum over places.",
    ),
    "recall_at_the_end": (
        lambda correct, objects: (correct.sum() / objects).item(),
        "That is the recall of the whole list. Weigh each step of recall with its precision.",
    ),
    "counted_from_zero": (
        lambda correct, objects: (
            _envelope(correct.cumsum(0) / torch.arange(len(correct)).clamp(min=1))[correct].sum() / objects
        ).item(),
        "The first detection is number 1: divide by arange(1, D + 1), not by arange(D).",
    ),
    "eleven_points": (
        _eleven,
        "That is the mean over 11 points of recall (VOC 2007). Here the exact area is wanted: all steps.",
    ),
    "trapezoid": (
        lambda correct, objects: torch.trapezoid(_curve(correct), correct.cumsum(0) / objects).item(),
        "You join the points by slopes (trapz). The curve is made of steps: each right detection adds 1 / objects "
        "times the best precision from there on.",
    ),
    "f1": (
        lambda correct, objects: (2 * correct.sum() / (len(correct) + objects)).item(),
        "That is the F1 score of the whole list. Average precision goes through it place by place.",
    ),
    "false_positives_only": (
        lambda correct, objects: (_envelope(1 - _curve(correct))[correct].sum() / objects).item(),
        "You used the part that is wrong. Precision is the part that is right.",
    ),
    "per_cent": (
        lambda correct, objects: (100 * _envelope(_curve(correct))[correct].sum() / objects).item(),
        "That is per cent. Average precision lies between 0 and 1.",
    ),
}
