"""Average precision: how good a ranked list of detections is, by the rules of VOC and of COCO.

Papers: Everingham et al., "The PASCAL Visual Object Classes challenge", IJCV 2010, section 4.2 (11 points), and the
development kit of VOC2010 (all points); Lin et al., "Microsoft COCO", 2014, arXiv:1405.0312, and its evaluation code
(101 points, IoU from 0.50 to 0.95, sizes, crowds). **Differs from the papers:** boxes are continuous, so that VOC's +1
on widths and heights is left out.

Where the two differ besides the points: COCO lets a detection fall back to a second object when its first is taken, and
takes at most 100 detections of an image and class; VOC calls the second detection of an object wrong.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crashcourse.detection.boxes import box_area, box_iou, check_objects, check_pair, intersection_and_union
from crashcourse.errors import CourseError, unknown

Floats = NDArray[np.float64]
COCO_THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).round(2).tolist())
COCO_RECALLS = np.linspace(0, 1, 101)
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
        CourseError: an unknown method.
    """
    if method not in ("11", "all", "101"):
        raise unknown("method", method, ("11", "all", "101"))
    precision, recall = np.asarray(precision, float), np.asarray(recall, float)
    if not len(recall):
        return 0.0
    best = np.maximum.accumulate(precision[::-1])[::-1]  # the monotone envelope
    if method == "all":
        return float((np.diff(recall, prepend=0.0) * best).sum())
    points = COCO_RECALLS if method == "101" else np.linspace(0, 1, 11)
    place = np.searchsorted(recall, points, side="left")
    return float(np.append(best, 0.0)[place].mean())  # 0 beyond the last recall


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
        max_detections: for each image and class, the best are taken.
        sides: of the squares up to which an object is small, and medium, in pixels; both ends of a band belong to it.

    Raises:
        CourseError: no class, no threshold, a threshold outside (0, 1], or sides that do not rise from above 0.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        iou_thresholds: Sequence[float] = COCO_THRESHOLDS,
        max_detections: int = 100,
        sides: tuple[float, float] = COCO_SIDES,
    ) -> None:
        if not isinstance(num_classes, int) or num_classes < 1:
            raise CourseError(f"num_classes must be an integer of at least 1; got {num_classes!r}.")
        if not iou_thresholds or not all(0 < threshold <= 1 for threshold in iou_thresholds):
            raise CourseError(f"IoU thresholds lie above 0 and up to 1; got {list(iou_thresholds)}.")
        if not 0 < sides[0] < sides[1]:
            raise CourseError(f"sides are those of the largest small and the largest medium square; got {sides}.")
        self.num_classes, self.thresholds, self.most = num_classes, tuple(iou_thresholds), max_detections
        small, medium = (side**2 for side in sides)
        self.areas = [(0.0, 1e10), (0.0, small), (small, medium), (medium, 1e10)]  # all first; in square pixels
        self._images: list[_Image] = []

    def __len__(self) -> int:
        """Images so far."""
        return len(self._images)

    def add(self, predicted: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> None:
        """Add one image.

        Args:
            predicted: "boxes" `(D, 4)` xyxy float, "scores" `(D,)` float, "labels" `(D,)` int64.
            target: "boxes" `(G, 4)`, "labels" `(G,)`; optionally "ignore" `(G,)` bool (VOC's difficult, COCO's crowd:
                neither finding nor missing it counts), and "crowd" `(G,)` bool: also ignored, and any number of
                detections inside may match it.

        Raises:
            CourseError: what does not fit together, labels outside the classes, NaN, or an object without area.
        """
        _check_image(predicted, target, self.num_classes)
        self._images.append(_Image.of(predicted, target))

    def coco(self) -> Scores:
        """The scores by COCO's rules: 101 points, sizes, crowds."""
        ap = np.full((self.num_classes, len(self.thresholds), len(self.areas)), np.nan)
        recall = np.full(ap.shape[:2], np.nan)
        for label in range(self.num_classes):
            for number, size in enumerate(self._ranked(label, self.areas)):
                for place, (correct, objects) in enumerate(size):
                    if objects:
                        precision, found = precision_recall(correct, objects)
                        ap[label, place, number] = average_precision(precision, found, method="101")
                        if number == 0:
                            recall[label, place] = found[-1] if len(found) else 0.0
        return self._scores(ap[:, :, 0], recall, *(_mean(ap[:, :, number]) for number in (1, 2, 3)))

    def voc(self, *, method: str = "all") -> Scores:
        """The scores by VOC's rules: `method` "all" (2010) or "11" (2007).

        Raises:
            CourseError: an unknown method.
        """
        ap = np.full((self.num_classes, len(self.thresholds)), np.nan)
        recall = np.full_like(ap, np.nan)
        for label in range(self.num_classes):
            for place, threshold in enumerate(self.thresholds):
                correct, objects = self._voc_ranked(label, threshold)
                if objects:
                    precision, found = precision_recall(correct, objects)
                    ap[label, place] = average_precision(precision, found, method=method)
                    recall[label, place] = found[-1] if len(found) else 0.0
        return self._scores(ap, recall, np.nan, np.nan, np.nan)

    def _scores(self, ap: Floats, recall: Floats, small: float, medium: float, large: float) -> Scores:
        by_class = tuple(_mean(row) for row in ap)
        by_threshold = {value: _mean(ap[:, place]) for place, value in enumerate(self.thresholds)}
        return Scores(_mean(ap), by_class, by_threshold, small, medium, large, _mean(recall))

    def _ranked(self, label: int, areas: list[tuple[float, float]]) -> list[list[tuple[NDArray[np.bool_], int]]]:
        """By size and threshold: which of the ranked detections of a class are right, and the number of objects."""
        parts = [_match_coco(image, label, self.thresholds, areas, self.most) for image in self._images]
        parts = [part for part in parts if part is not None]
        if not parts:
            return [[(np.zeros(0, bool), 0)] * len(self.thresholds) for _ in areas]
        order = np.argsort(-np.concatenate([part[0] for part in parts]), kind="stable")
        right = np.concatenate([part[1] for part in parts], -1)[..., order]  # (A, T, D)
        counted = np.concatenate([part[2] for part in parts], -1)[..., order]
        objects = sum(part[3] for part in parts)  # (A,)
        return [
            [(right[a, t][counted[a, t]], int(objects[a])) for t in range(len(self.thresholds))]
            for a in range(len(areas))
        ]

    def _voc_ranked(self, label: int, threshold: float) -> tuple[NDArray[np.bool_], int]:
        parts = [_match_voc(image, label, threshold) for image in self._images]
        scores = np.concatenate([part[0] for part in parts]) if parts else np.zeros(0)
        if not len(scores):
            return np.zeros(0, bool), sum(part[3] for part in parts)
        order = np.argsort(-scores, kind="stable")
        right = np.concatenate([part[1] for part in parts])[order]
        counted = np.concatenate([part[2] for part in parts])[order]
        return right[counted], sum(part[3] for part in parts)


@dataclass(frozen=True)
class _Image:
    """One image, as arrays. Boxes keep their precision; IoU is taken in double, as COCO's code does."""

    boxes: Tensor
    areas: Floats
    scores: Floats
    labels: NDArray[np.int64]
    target_boxes: Tensor
    target_areas: Floats
    target_labels: NDArray[np.int64]
    ignore: NDArray[np.bool_]
    crowd: NDArray[np.bool_]

    @classmethod
    def of(cls, predicted: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> "_Image":
        none = torch.zeros(len(target["labels"]), dtype=torch.bool)
        crowd = target.get("crowd", none).cpu().numpy().astype(bool)
        boxes, objects = (given["boxes"].detach().cpu().double() for given in (predicted, target))
        return cls(
            boxes,
            box_area(boxes).numpy(),
            predicted["scores"].detach().cpu().double().numpy(),
            predicted["labels"].cpu().numpy(),
            objects,
            box_area(objects).numpy(),
            target["labels"].cpu().numpy(),
            target.get("ignore", none).cpu().numpy().astype(bool) | crowd,
            crowd,
        )


def _match_coco(
    image: _Image, label: int, thresholds: Sequence[float], areas: list[tuple[float, float]], most: int
) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_], NDArray[np.int64]] | None:
    """One class of one image: scores `(D,)`, right and counted `(A, T, D)`, objects `(A,)`; None where there is none.

    Detections choose in the order of their scores, each the free object of largest IoU, and an ignored one only where
    no other fits. All sizes and thresholds are matched side by side.
    """
    mine, theirs = (image.labels == label).nonzero()[0], (image.target_labels == label).nonzero()[0]
    if not len(mine) and not len(theirs):
        return None
    mine = mine[np.argsort(-image.scores[mine], kind="stable")][:most]
    low, high = np.array(areas).T[:, :, None]  # (A, 1)
    size, object_size = image.areas[mine], image.target_areas[theirs]
    outside = (size < low) | (size > high)  # (A, D)
    ignore = image.ignore[theirs] | (object_size < low) | (object_size > high)  # (A, G)
    crowd = image.crowd[theirs]
    shape = (len(areas), len(thresholds), len(mine))
    right, counted = np.zeros(shape, bool), np.ones(shape, bool)
    if len(theirs) and len(mine):
        overlap = _overlap(image.boxes[mine], image.target_boxes[theirs], crowd)  # (D, G)
        wanted = np.minimum(np.array(thresholds), 1 - 1e-10)[:, None]  # (T, 1)
        free = np.ones((*shape[:2], len(theirs)), bool)  # (A, T, G)
        for d in (overlap.max(1) >= wanted.min()).nonzero()[0]:
            fits = (free | crowd) & (overlap[d] >= wanted)  # (A, T, G)
            proper = fits & ~ignore[:, None]
            fits = np.where(proper.any(-1, keepdims=True), proper, fits)
            chosen = _last_best(np.where(fits, overlap[d], -1.0))  # (A, T)
            found = fits.any(-1)
            a, t = np.nonzero(found)
            free[a, t, chosen[a, t]] = False
            ignored = np.take_along_axis(ignore, chosen, 1)  # (A, T)
            right[:, :, d] = found & ~ignored
            counted[:, :, d] = ~(found & ignored)
        unmatched = counted & ~right
    else:
        unmatched = counted
    counted = counted & ~(unmatched & outside[:, None])
    return image.scores[mine], right, counted, (~ignore).sum(1)


def _last_best(values: Floats) -> NDArray[np.int64]:
    """Index of the largest value along the last axis; of equals the last, as in COCO's code."""
    return values.shape[-1] - 1 - values[..., ::-1].argmax(-1)


def _overlap(boxes: Tensor, objects: Tensor, crowd: NDArray[np.bool_]) -> Floats:
    """IoU `(D, G)`; with a crowd, the part of the detection that lies inside."""
    if not crowd.any():
        return box_iou(boxes, objects).numpy()
    intersection, union = intersection_and_union(boxes, objects)
    whole = torch.where(torch.from_numpy(crowd), box_area(boxes)[:, None], union)
    return (intersection / whole.clamp(min=torch.finfo(whole.dtype).tiny)).numpy()


def _match_voc(image: _Image, label: int, threshold: float) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_], int]:
    """One class of one image by VOC's rule: each detection chooses its best object, taken or not."""
    mine, theirs = np.flatnonzero(image.labels == label), np.flatnonzero(image.target_labels == label)
    mine = mine[np.argsort(-image.scores[mine], kind="stable")]
    ignore = image.ignore[theirs]
    right, counted = np.zeros(len(mine), bool), np.ones(len(mine), bool)
    if len(mine) and len(theirs):
        overlap = box_iou(image.boxes[mine], image.target_boxes[theirs]).numpy()
        taken = np.zeros(len(theirs), bool)
        for d, row in enumerate(overlap):
            best = int(row.argmax())
            if row[best] < threshold:
                continue
            counted[d] = not ignore[best]
            right[d] = counted[d] and not taken[best]
            taken[best] = True
    return image.scores[mine], right, counted, int((~ignore).sum())


def _mean(values: Floats) -> float:
    """The mean of what is not NaN; NaN where nothing is left."""
    values = np.asarray(values)
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float("nan")


def _check_image(predicted: Mapping[str, Tensor], target: Mapping[str, Tensor], num_classes: int) -> None:
    for what, given, names in (
        ("predicted", predicted, ("boxes", "scores", "labels")),
        ("target", target, ("boxes", "labels")),
    ):
        missing = [name for name in names if name not in given]
        if missing:
            raise CourseError(f"{what} needs {', '.join(names)}; {', '.join(missing)} did not come.")
        check_pair(given["boxes"], given["boxes"])
        for name, values in given.items():
            if len(values) != len(given["boxes"]):
                raise CourseError(f"{what} has {len(given['boxes'])} boxes, but {len(values)} {name}.")
        labels = given["labels"]
        if len(labels) and (int(labels.min()) < 0 or int(labels.max()) >= num_classes):
            raise CourseError(
                f"{what}: labels lie between 0 and {num_classes - 1}; got {int(labels.min())} to {int(labels.max())}."
            )
    check_objects(target["boxes"])
    if bool(predicted["scores"].isnan().any()) or not bool(predicted["boxes"].isfinite().all()):
        raise CourseError("There is a NaN or an infinite number among the detections; training may have diverged.")


Detector = Callable[[Tensor], Sequence[Mapping[str, Tensor]]]
"""Images `(N, 3, H, W)` -> for each, "boxes", "scores" and "labels" as `DetectionScores.add` takes them."""
