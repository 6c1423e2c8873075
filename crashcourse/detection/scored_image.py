"""One image's detections beside its objects, and which of them count as right by COCO's rule and by VOC's.

Papers: Lin et al., "Microsoft COCO", 2014, arXiv:1405.0312, and its evaluation code; Everingham et al., "The PASCAL
Visual Object Classes challenge", IJCV 2010, section 4.2. `average_precision.py` puts many images together.

D detections and G objects of an image, A bands of areas, T IoU thresholds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crashcourse.detection.boxes import box_area, intersection_and_union

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Matched(NamedTuple):
    """What became of the detections of one class in one image.

    Attributes:
        scores: `(D,)`, falling.
        right: `(A, T, D)`: found an object.
        counted: `(A, T, D)`: False for what is neither right nor wrong.
        objects: `(A,)`: how many there were to find.
    """

    scores: Floats
    right: Bools
    counted: Bools
    objects: NDArray[np.int64]


@dataclass(frozen=True)
class ScoredImage:
    """One image, as arrays. Overlaps are taken in double precision, as in COCO's code.

    Attributes:
        scores, labels, areas: `(D,)` of the detections.
        overlap: `(D, G)` IoU; with a crowd, the part of the detection that lies inside.
        object_labels, object_areas, ignore, crowd: `(G,)` of the objects.
    """

    scores: Floats
    labels: NDArray[np.int64]
    areas: Floats
    overlap: Floats
    object_labels: NDArray[np.int64]
    object_areas: Floats
    ignore: Bools
    crowd: Bools

    @classmethod
    def of(cls, predicted: Mapping[str, Tensor], target: Mapping[str, Tensor], by: str) -> "ScoredImage":
        """From what `DetectionScores.add` takes; `by` is "boxes" or "masks"."""
        none = torch.zeros(len(target["labels"]), dtype=torch.bool)
        crowd = target.get("crowd", none).cpu().bool()
        found, objects = (given[by].detach().cpu() for given in (predicted, target))
        areas, object_areas, overlap = (_of_boxes if by == "boxes" else _of_masks)(found, objects, crowd)
        return cls(
            predicted["scores"].detach().cpu().double().numpy(),
            predicted["labels"].cpu().numpy(),
            areas.numpy(),
            overlap.numpy(),
            target["labels"].cpu().numpy(),
            target["area"].cpu().double().numpy() if "area" in target else object_areas.numpy(),
            (target.get("ignore", none).cpu().bool() | crowd).numpy(),
            crowd.numpy(),
        )

    def of_class(self, label: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places of the detections, best score first, and of the objects of one class."""
        mine, theirs = np.flatnonzero(self.labels == label), np.flatnonzero(self.object_labels == label)
        return mine[np.argsort(-self.scores[mine], kind="stable")], theirs


def match_coco(
    image: ScoredImage, label: int, thresholds: Sequence[float], bands: Sequence[tuple[float, float]], most: int
) -> Matched:
    """One class of one image by COCO's rule.

    Detections choose in the order of their scores, each the free object of largest IoU, and an ignored one only where
    no other fits. All bands and thresholds are matched side by side.
    """
    mine, theirs = image.of_class(label)
    mine = mine[:most]
    low, high = np.array(bands).T[:, :, None]  # (A, 1)
    size, object_size = image.areas[mine], image.object_areas[theirs]
    outside = (size < low) | (size > high)  # (A, D)
    ignore = image.ignore[theirs] | (object_size < low) | (object_size > high)  # (A, G)
    crowd = image.crowd[theirs]
    overlap = image.overlap[mine][:, theirs]  # (D, G)
    wanted = np.minimum(np.array(thresholds), 1 - 1e-10)[:, None]  # (T, 1)
    shape = (len(bands), len(thresholds), len(mine))
    right, counted = np.zeros(shape, bool), np.ones(shape, bool)
    free = np.ones((*shape[:2], len(theirs)), bool)  # (A, T, G)
    for d in np.flatnonzero(overlap.max(1, initial=0.0) >= wanted.min()):
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
    counted &= right | ~outside[:, None]  # an unmatched detection of another size is not wrong
    return Matched(image.scores[mine], right, counted, (~ignore).sum(1))


def match_voc(image: ScoredImage, label: int, thresholds: Sequence[float]) -> Matched:
    """One class of one image by VOC's rule: each detection chooses its best object, taken or not. One band: all."""
    mine, theirs = image.of_class(label)
    ignore = image.ignore[theirs]
    wanted = np.array(thresholds)
    right, counted = np.zeros((len(wanted), len(mine)), bool), np.ones((len(wanted), len(mine)), bool)
    taken = np.zeros((len(wanted), len(theirs)), bool)
    for d, row in enumerate(image.overlap[mine][:, theirs] if len(theirs) else ()):
        best = int(row.argmax())
        fits = row[best] >= wanted  # (T,)
        counted[:, d] = ~(fits & ignore[best])
        right[:, d] = fits & ~taken[:, best] & ~ignore[best]
        taken[:, best] |= fits
    return Matched(image.scores[mine], right[None], counted[None], np.array([(~ignore).sum()]))


def _last_best(values: Floats) -> NDArray[np.int64]:
    """Index of the largest value along the last axis; of equals the last, as in COCO's code."""
    return values.shape[-1] - 1 - values[..., ::-1].argmax(-1)


def _of_boxes(boxes: Tensor, objects: Tensor, crowd: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Areas `(D,)` and `(G,)`, overlap `(D, G)`."""
    boxes, objects = boxes.double(), objects.double()
    areas = box_area(boxes)
    return areas, box_area(objects), _ratio(areas, *intersection_and_union(boxes, objects), crowd)


def _of_masks(masks: Tensor, objects: Tensor, crowd: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same for `(D, H, W)` and `(G, H, W)` bool."""
    masks, objects = masks.flatten(1).float(), objects.flatten(1).float()  # sums of ones are exact to 2²⁴ pixels
    shared, areas, object_areas = (masks @ objects.T).double(), masks.sum(1).double(), objects.sum(1).double()
    return areas, object_areas, _ratio(areas, shared, areas[:, None] + object_areas - shared, crowd)


def _ratio(areas: Tensor, shared: Tensor, union: Tensor, crowd: Tensor) -> Tensor:
    whole = torch.where(crowd, areas[:, None], union)  # (D, G)
    return shared / whole.clamp(min=torch.finfo(whole.dtype).tiny)
