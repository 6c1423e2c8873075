"""Lesson 20, boxes: what people get wrong in suppression, each as code, with its hint."""

from collections.abc import Callable

from torch import Tensor


def greedy(
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
    kept = greedy(iou, scores, threshold)
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


def _whole_heap(iou: Tensor, scores: Tensor, threshold: float) -> list[int]:
    left, kept = scores.argsort(descending=True).tolist(), []
    while left:
        kept.append(left.pop(0))
        heap = [kept[-1]]
        for one in heap:  # grows while it is walked
            heap += [other for other in left if iou[one, other] > threshold]
            left = [other for other in left if other not in heap]
    return kept


def _apart_from_any(iou: Tensor, scores: Tensor, threshold: float) -> list[int]:
    kept: list[int] = []
    for i in scores.argsort(descending=True).tolist():
        if not kept or any(iou[i, k] <= threshold for k in kept):
            kept.append(i)
    return kept


def _one_before(iou: Tensor, scores: Tensor, threshold: float) -> list[int]:
    order = scores.argsort(descending=True).tolist()
    return order[:1] + [i for i, before in zip(order[1:], order, strict=False) if iou[before, i] <= threshold]


def _both_dropped(iou: Tensor, scores: Tensor, threshold: float) -> list[int]:
    order = scores.argsort(descending=True).tolist()
    return [i for i in order if int((iou[i] > threshold).sum()) == 1]


def _shifted_row(iou: Tensor, scores: Tensor, threshold: float) -> list[int]:
    left, kept = scores.argsort(descending=True), []
    while len(left):
        best = int(left[0])
        kept.append(best)
        left = left[1:][iou[best][1 : len(left)] <= threshold]
    return kept


def _weighed(iou: Tensor, scores: Tensor, threshold: float) -> list[int]:
    kept: list[int] = []
    for i in scores.argsort(descending=True).tolist():
        if all(iou[i, k] * scores[k] <= threshold for k in kept):
            kept.append(i)
    return kept


NMS_MISTAKES = {
    "ascending": (
        lambda *a: greedy(*a, descending=False),
        "You begin with the *lowest* score. Sort by falling score: argsort(descending=True).",
    ),
    "no_sorting": (
        _by_place,
        "You take the boxes in the order in which they lie. The best score comes first.",
    ),
    "at_the_threshold": (
        lambda *a: greedy(*a, stays=lambda overlap, threshold: overlap < threshold),
        "At exactly the threshold a box stays: drop it only when its IoU is *above*.",
    ),
    "keeps_what_overlaps": (
        lambda *a: greedy(*a, stays=lambda overlap, threshold: overlap > threshold),
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
        lambda *a: greedy(*a, result=lambda kept, order: sorted(kept)),
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
        lambda iou, scores, threshold: [i in greedy(iou, scores, threshold) for i in range(len(scores))],
        "That is a mask, True for a kept box. Return the indices, best score first.",
    ),
    "scores": (
        lambda iou, scores, threshold: [scores[i].item() for i in greedy(iou, scores, threshold)],
        "Those are the scores of the kept boxes. Return their indices.",
    ),
    "dropped": (
        lambda *a: greedy(*a, result=lambda kept, order: [i for i in order if i not in kept]),
        "Those are the boxes that were dropped. Return the kept ones.",
    ),
    "only_one": (
        lambda iou, scores, threshold: [int(scores.argmax())],
        "You return the best box alone. There may be several objects: go on with what is left.",
    ),
    "whole_heap": (
        _whole_heap,
        "You drop a whole heap: what overlaps the best, what overlaps that, and so on. Only overlap with a kept box "
        "counts.",
    ),
    "apart_from_any": (
        _apart_from_any,
        "You keep a box that is clear of *any* kept one. It has to be clear of all of them.",
    ),
    "one_before": (
        _one_before,
        "You compare each box with the one before it in the sorted list. Compare it with all kept boxes.",
    ),
    "both_dropped": (
        _both_dropped,
        "Of two boxes that overlap, both go in your code. The better one stays.",
    ),
    "scores_cut": (
        lambda iou, scores, threshold: [i for i in greedy(iou, scores, threshold) if scores[i] > threshold],
        "The threshold is for the IoU. You also hold scores against it, and lose boxes of low score.",
    ),
    "ascending_turned": (
        lambda *a: greedy(*a, descending=False)[::-1],
        "You begin with the lowest score and turn the list at the end. The *best* box drops others: sort first.",
    ),
    "shifted_row": (
        _shifted_row,
        "After the first round, places in `left` are not columns of iou. Look up iou[best, left], by index.",
    ),
    "weighed": (
        _weighed,
        "You multiply the IoU by a score. Compare the IoU alone with the threshold.",
    ),
    "all_dropped": (
        lambda iou, scores, threshold: [],
        "Nothing is left: the IoU of a box with itself is 1, so each drops itself. Compare with the others.",
    ),
    "all_kept": (
        lambda iou, scores, threshold: scores.argsort(descending=True).tolist(),
        "Every box is kept. A `for` goes on over the list that it began with, whatever is dropped: use `while left`.",
    ),
}
