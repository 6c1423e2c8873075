"""Average precision: how good a ranked list of detections is, by the rules of VOC and of COCO.

Papers: Everingham et al., "The PASCAL Visual Object Classes challenge", IJCV 2010, section 4.2 (11 points), and the
development kit of VOC2010 (all points); Lin et al., "Microsoft COCO", 2014, arXiv:1405.0312, and its evaluation code
(101 points, IoU from 0.50 to 0.95, sizes, crowds). **Differs from the papers:** boxes are continuous, so that VOC's +1
on widths and heights is left out.

Where the two differ besides the points: COCO lets a detection fall back to a second object when its first is taken, and
takes at most 100 detections of an image and class; VOC calls the second detection of an object wrong.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from crashcourse.detection.boxes import check_objects, check_pair
from crashcourse.detection.scored_image import Floats, Matched, ScoredImage, match_coco, match_voc
from crashcourse.errors import CourseError, unknown

COCO_THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).round(2).tolist())
COCO_RECALLS = np.linspace(0, 1, 101)  # rounded as in COCO's code, so that some lie just above n / 100
VOC_RECALLS = np.arange(11) / 10
COCO_SIDES = (32.0, 96.0)
"""Sides in pixels of the squares up to which an object is small, and medium."""


def precision_recall(correct: Sequence[bool] | NDArray[np.bool_], objects: int) -> tuple[Floats, Floats]:
    """Precision and recall of the first 1, 2, 3, ... detections of a ranked list.

    Args:
        correct: for each detection, best score first, whether it found an object.
        objects: how many there were to find, at least 1.

    Returns:
        Two arrays `(D,)`: the part of the detections so far that are right, and the part of the objects that are found.

    Raises:
        CourseError: fewer than 1 object, or more right detections than objects.
    """
    found = np.cumsum(np.asarray(correct, dtype=bool))
    if objects < 1:
        raise CourseError(f"Recall needs at least 1 object to find; got {objects}.")
    if len(found) and found[-1] > objects:
        raise CourseError(f"{found[-1]} detections are called right, but there are {objects} objects. Match each once.")
    return found / np.arange(1, len(found) + 1), found / objects


def average_precision(precision: Floats, recall: Floats, *, method: str = "all") -> float:
    """The area under a precision-recall curve, by one of three rules.

    All of them first replace the precision at each recall by the best one at that recall or beyond.

    Args:
        precision, recall: `(D,)`, as `precision_recall` gives them; D may be 0.
        method: "11" (VOC2007: the mean at recall 0, 0.1, ..., 1), "all" (VOC2010: the exact area under the steps) or
            "101" (COCO: the mean at recall 0, 0.01, ..., 1).

    Returns:
        In [0, 1].

    Raises:
        CourseError: an unknown method, two lengths, NaN or a number outside [0, 1], or a recall that falls.
    """
    if method not in ("11", "all", "101"):
        raise unknown("method", method, ("11", "all", "101"))
    precision, recall = np.asarray(precision, float), np.asarray(recall, float)
    _check_curve(precision, recall)
    if not len(recall):
        return 0.0
    best = np.maximum.accumulate(precision[::-1])[::-1]  # the monotone envelope
    if method == "all":
        return float((np.diff(recall, prepend=0.0) * best).sum())
    points = COCO_RECALLS if method == "101" else VOC_RECALLS
    place = np.searchsorted(recall, points, side="left")
    return float(np.append(best, 0.0)[place].mean())  # 0 beyond the last recall


def _check_curve(precision: Floats, recall: Floats) -> None:
    if precision.ndim != 1 or precision.shape != recall.shape:
        raise CourseError(f"Each recall has one precision; got shapes {precision.shape} and {recall.shape}.")
    for name, values in (("precision", precision), ("recall", recall)):
        if not ((values >= 0) & (values <= 1)).all():
            raise CourseError(f"{name} lies between 0 and 1; got {values.min():g} to {values.max():g}.")
    if (np.diff(recall) < 0).any():
        raise CourseError("recall never falls along a ranked list. Sort the detections by falling score first.")


@dataclass(frozen=True)
class Scores:
    """Results of a `DetectionScores`, each in [0, 1], or NaN where there was no such object.

    Attributes:
        mean: the mean over classes and IoU thresholds: COCO's AP, or VOC's mAP.
        per_class: `(classes,)` the same for each class, NaN for a class without objects.
        per_threshold: IoU threshold -> mean over classes.
        small, medium, large: mean over classes and thresholds for objects up to 32², up to 96², and above, in square
            pixels, unless other `sides` were asked for. NaN by VOC's rule, which has no sizes.
        recall: mean of the largest recall, with up to 100 detections for each image and class.
    """

    mean: float
    per_class: tuple[float, ...]
    per_threshold: Mapping[float, float]
    small: float
    medium: float
    large: float
    recall: float


class DetectionScores:
    """Collects the detections of many images, and scores them all.

    Args:
        num_classes: labels are 0 to num_classes - 1.
        iou_thresholds: from which IoU on an object counts as found.
        max_detections: by COCO's rules, for each image and class the best are taken.
        sides: of the squares up to which an object is small, and medium, in pixels; both ends of a band belong to it.
        by: "boxes", or "masks": what IoU and areas are taken of.

    Raises:
        CourseError: no class, no threshold, a threshold outside (0, 1], no detection at all, sides that do not rise
            from above 0, or an unknown `by`.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        iou_thresholds: Sequence[float] = COCO_THRESHOLDS,
        max_detections: int = 100,
        sides: tuple[float, float] = COCO_SIDES,
        by: str = "boxes",
    ) -> None:
        if not isinstance(num_classes, int) or num_classes < 1:
            raise CourseError(f"num_classes must be an integer of at least 1; got {num_classes!r}.")
        if not iou_thresholds or not all(0 < threshold <= 1 for threshold in iou_thresholds):
            raise CourseError(f"IoU thresholds lie above 0 and up to 1; got {list(iou_thresholds)}.")
        if not isinstance(max_detections, int) or max_detections < 1:
            raise CourseError(f"max_detections must be an integer of at least 1; got {max_detections!r}.")
        if not 0 < sides[0] < sides[1]:
            raise CourseError(f"sides are those of the largest small and the largest medium square; got {sides}.")
        if by not in ("boxes", "masks"):
            raise unknown("overlap", by, ("boxes", "masks"))
        self.num_classes, self.thresholds, self.most = num_classes, tuple(iou_thresholds), max_detections
        self.by, (small, medium) = by, (side**2 for side in sides)
        self.bands = [(0.0, 1e10), (0.0, small), (small, medium), (medium, 1e10)]  # all first; in square pixels
        self._images = 0
        self._of_class: dict[int, list[ScoredImage]] = defaultdict(list)

    def __len__(self) -> int:
        """Images so far."""
        return self._images

    def add(self, predicted: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> None:
        """Add one image.

        Args:
            predicted: "boxes" `(D, 4)` xyxy float (or "masks" `(D, H, W)` bool), "scores" `(D,)` float, "labels" `(D,)`
                int64.
            target: "boxes" `(G, 4)` (or "masks" `(G, H, W)`), "labels" `(G,)`; optionally "ignore" `(G,)` bool (VOC's
                difficult: neither finding nor missing it counts), "crowd" `(G,)` bool (also ignored, and any number of
                detections inside may match it), and "area" `(G,)`, which says how large an object is in place of its
                box or mask, as COCO's files do.

        Raises:
            CourseError: what does not fit together, labels outside the classes, NaN, or an object without area.
        """
        _check_image(predicted, target, self.num_classes, self.by)
        image = ScoredImage.of(predicted, target, self.by)
        for label in {*image.labels.tolist(), *image.object_labels.tolist()}:
            self._of_class[label].append(image)
        self._images += 1

    def coco(self) -> Scores:
        """The scores by COCO's rules: 101 points, sizes, crowds."""
        ap, recall = self._by_class(
            lambda image, label: match_coco(image, label, self.thresholds, self.bands, self.most),
            "101",
            len(self.bands),
        )
        return self._scores(ap[..., 0], recall, *(_mean(ap[..., band]) for band in (1, 2, 3)))

    def voc(self, *, method: str = "all") -> Scores:
        """The scores by VOC's rules: `method` "all" (2010) or "11" (2007).

        Raises:
            CourseError: an unknown method.
        """
        if method not in ("11", "all"):
            raise unknown("method", method, ("11", "all"))
        ap, recall = self._by_class(lambda image, label: match_voc(image, label, self.thresholds), method, 1)
        return self._scores(ap[..., 0], recall, np.nan, np.nan, np.nan)

    def _by_class(self, match: Callable[[ScoredImage, int], Matched], method: str, bands: int) -> tuple[Floats, Floats]:
        """Average precision `(classes, T, bands)` and largest recall `(classes, T)`; NaN where there is no object."""
        ap = np.full((self.num_classes, len(self.thresholds), bands), np.nan)
        recall = np.full(ap.shape[:2], np.nan)
        for label, images in self._of_class.items():
            right, counted, objects = _ranked([match(image, label) for image in images])
            for band in np.flatnonzero(objects):
                for place in range(len(self.thresholds)):
                    correct = right[band, place][counted[band, place]]
                    precision, found = precision_recall(correct, int(objects[band]))
                    ap[label, place, band] = average_precision(precision, found, method=method)
                    if band == 0:
                        recall[label, place] = found[-1] if len(found) else 0.0
        return ap, recall

    def _scores(self, ap: Floats, recall: Floats, small: float, medium: float, large: float) -> Scores:
        by_class = tuple(_mean(row) for row in ap)
        by_threshold = {value: _mean(ap[:, place]) for place, value in enumerate(self.thresholds)}
        return Scores(_mean(ap), by_class, by_threshold, small, medium, large, _mean(recall))


def _ranked(parts: Sequence[Matched]) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.int64]]:
    """The images of one class put together: right and counted `(A, T, D)`, best score first, and objects `(A,)`."""
    order = np.argsort(-np.concatenate([part.scores for part in parts]), kind="stable")
    right = np.concatenate([part.right for part in parts], -1)[..., order]
    counted = np.concatenate([part.counted for part in parts], -1)[..., order]
    return right, counted, sum(part.objects for part in parts)


def _mean(values: Floats) -> float:
    """The mean of what is not NaN; NaN where nothing is left."""
    values = np.asarray(values)
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float("nan")


def _check_image(predicted: Mapping[str, Tensor], target: Mapping[str, Tensor], num_classes: int, by: str) -> None:
    for what, given, names, more in (
        ("predicted", predicted, (by, "scores", "labels"), ()),
        ("target", target, (by, "labels"), ("ignore", "crowd", "area")),
    ):
        missing = [name for name in names if name not in given]
        if missing:
            raise CourseError(f"{what} needs {', '.join(names)}; {', '.join(missing)} did not come.")
        for name in (*names, *(name for name in more if name in given)):
            if not isinstance(given[name], Tensor):
                raise CourseError(f"{what}: {name} must be a tensor; got {type(given[name]).__name__}.")
            if given[name].ndim == 0 or len(given[name]) != len(given[by]):
                shape = tuple(given[name].shape)
                raise CourseError(f"{what} has {len(given[by])} {by}, but {name} of shape {shape}.")
        labels = given["labels"]
        if labels.is_floating_point():
            raise CourseError(f"{what}: labels are whole numbers; got {labels.dtype}. Use .long().")
        if len(labels) and (int(labels.min()) < 0 or int(labels.max()) >= num_classes):
            raise CourseError(
                f"{what}: labels lie between 0 and {num_classes - 1}; got {int(labels.min())} to {int(labels.max())}."
            )
    if by == "boxes":
        check_pair(predicted["boxes"], target["boxes"])
        check_objects(target["boxes"])
    else:
        _check_masks(predicted["masks"], target["masks"])
    finite = by == "masks" or bool(predicted["boxes"].isfinite().all())
    if not bool(predicted["scores"].isfinite().all()) or not finite:
        raise CourseError("There is a NaN or an infinite number among the detections; training may have diverged.")


def _check_masks(masks: Tensor, objects: Tensor) -> None:
    for given in (masks, objects):
        if given.ndim != 3 or given.is_floating_point():
            raise CourseError(f"Masks are (N, H, W) bool; got {tuple(given.shape)} {given.dtype}. Use masks > 0.5.")
    if masks.shape[1:] != objects.shape[1:]:
        sizes = tuple(masks.shape[1:]), tuple(objects.shape[1:])
        raise CourseError(f"Masks of detections and objects have one size; got {sizes[0]} and {sizes[1]}.")
    empty = (~objects.flatten(1).any(1)).nonzero()
    if len(empty):
        raise CourseError(f"The mask of object {int(empty[0])} has no pixel. Leave such objects out.")
