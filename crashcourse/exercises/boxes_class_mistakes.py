"""Lesson 20, boxes: what people get wrong in suppression by class, each as code, with its hint."""

from collections.abc import Callable

from torch import Tensor

from crashcourse.exercises.boxes_nms_mistakes import greedy


def _same(labels: Tensor) -> Tensor:
    return labels[:, None] == labels[None]


def _class_after_class(
    iou: Tensor, scores: Tensor, labels: Tensor, threshold: float, *, most: int | None = None, local: bool = False
) -> list[int]:
    kept: list[int] = []
    for label in labels.unique():
        places = (labels == label).nonzero()[:, 0]
        chosen = greedy(iou[places][:, places], scores[places], threshold)[:most]
        kept += chosen if local else places[chosen].tolist()
    return kept


def _by_score(kept: list[int], scores: Tensor, *, best_first: bool = True) -> list[int]:
    return sorted(kept, key=lambda place: scores[place].item(), reverse=best_first)


def _matrix_changed(iou: Tensor, scores: Tensor, labels: Tensor, threshold: float) -> list[int]:
    iou *= _same(labels)
    return greedy(iou, scores, threshold)


def _twice(iou: Tensor, scores: Tensor, labels: Tensor, threshold: float) -> list[int]:
    kept = greedy(iou * _same(labels), scores, threshold)
    return [kept[place] for place in greedy(iou[kept][:, kept], scores[kept], threshold)]


def _each(
    classes: Callable[[Tensor], list[int]],
    matrix: Callable[[Tensor, Tensor], Tensor] = lambda iou, own: iou[own][:, own],
) -> Callable[[Tensor, Tensor, Tensor, float], list[int]]:
    """Suppression in the classes that `classes` says, one after the other, sorted by score at the end."""

    def wrong(iou: Tensor, scores: Tensor, labels: Tensor, threshold: float) -> list[int]:
        kept: list[int] = []
        for label in classes(labels):
            own = (labels == label).nonzero()[:, 0]
            kept += own[greedy(matrix(iou, own), scores[own], threshold)].tolist()
        return _by_score(kept, scores)

    return wrong


def _every(labels: Tensor) -> list[int]:
    return labels.unique().tolist()


def _rows(iou: Tensor, own: Tensor) -> Tensor:
    return iou[own]


def _columns(iou: Tensor, own: Tensor) -> Tensor:
    return iou[own].T


def _lists(iou: Tensor, scores: Tensor, labels: Tensor, threshold: float) -> list[list[int]]:
    places = [(labels == label).nonzero()[:, 0] for label in labels.unique()]
    return [own[greedy(iou[own][:, own], scores[own], threshold)].tolist() for own in places]


def _ranks(iou: Tensor, scores: Tensor, labels: Tensor, threshold: float) -> list[int]:
    return scores[_class_after_class(iou, scores, labels, threshold)].argsort(descending=True).tolist()


def _mended(iou: Tensor, scores: Tensor, labels: Tensor, threshold: float) -> list[int]:
    kept = greedy(iou, scores, threshold)
    lost = [i for i in range(len(scores)) if i not in kept and labels[i] not in labels[kept]]
    return _by_score(kept + lost, scores)


def _others_at_zero(iou: Tensor, scores: Tensor, labels: Tensor, threshold: float) -> list[int]:
    kept: list[int] = []
    for label in labels.unique():
        kept += greedy(iou, scores * (labels == label), threshold)
    return _by_score(kept, scores)


CLASS_MISTAKES = {
    "across_classes": (
        lambda iou, scores, labels, threshold: greedy(iou, scores, threshold),
        "A shoe drops a bag in your code: boxes of *different* classes must not drop each other. Use the labels.",
    ),
    "only_across_classes": (
        lambda iou, scores, labels, threshold: greedy(iou * ~_same(labels), scores, threshold),
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
            i for i in greedy(iou * _same(labels), scores, threshold) if labels[i] == labels[scores.argmax()]
        ],
        "Only the class of the very best box is left. Between classes the IoU should count as 0, not as 1 or more.",
    ),
    "matrix_changed": (
        _matrix_changed,
        "The result is right, but you changed `iou` itself: whoever looks at it now finds zeros. Make a new matrix: "
        "iou * same, not iou *= same.",
    ),
    "twice": (
        _twice,
        "You suppress by class, and then once more over all classes: the second round drops across classes again.",
    ),
    "places_within_the_class_unsorted": (
        lambda *a: _class_after_class(*a, local=True),
        "suppress counts within the class that you gave it. Translate with own[kept], then sort all by score.",
    ),
    "last_class_left_out": (
        _each(lambda labels: list(range(int(labels.max())))),
        "range(labels.max()) ends before the last class. Loop over labels.unique().",
    ),
    "class_0_left_out": (
        _each(lambda labels: list(range(1, int(labels.max()) + 1))),
        "Class 0 never has its turn: labels begin at 0.",
    ),
    "counted_classes": (
        _each(lambda labels: list(range(len(labels.unique())))),
        "You count to the number of classes that occur, but labels may have gaps. Loop over labels.unique().",
    ),
    "first_class_only": (
        _each(lambda labels: _every(labels)[:1]),
        "Only the first class is there. Is the `return` inside the loop?",
    ),
    "a_round_for_each_box": (
        _each(lambda labels: labels.tolist()),
        "Some boxes come several times: you loop over the labels of all boxes. Each class once: labels.unique().",
    ),
    "ranks": (
        _ranks,
        "argsort of the kept scores gives places in your list. Return kept[place] for each of them.",
    ),
    "rows_only": (
        _each(_every, _rows),
        "iou[own] chooses rows and leaves all columns. Rows and columns: iou[own][:, own].",
    ),
    "rows_only_kept_second": (
        _each(_every, _columns),
        "iou[own] has all columns still, so that suppress reads other boxes there. Choose both: iou[own][:, own].",
    ),
    "pairs_for_a_block": (
        _each(_every, lambda iou, own: iou[own, own]),
        "iou[own, own] is the diagonal, one number for each box. For the block: iou[own][:, own].",
    ),
    "list_of_lists": (
        _lists,
        "You return a list for each class. One list of all: kept += ..., not append, and sort it by score.",
    ),
    "mended": (
        _mended,
        "You suppress over all, and bring back classes that vanished. A class with one box left may have lost others: "
        "suppress class by class from the start.",
    ),
    "others_at_zero": (
        _others_at_zero,
        "With a score of 0 the boxes of other classes still take part, and are kept. Leave them out.",
    ),
}
