"""Why an object was not found: what detectors get wrong, counted.

The kinds are those of Hoiem, Chodpathumwan and Dai, "Diagnosing error in object detectors", ECCV 2012, section 3, seen
from the objects instead of from the detections. **Differs from the paper:** no group of similar classes.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from crashcourse.detection.boxes import box_iou
from crashcourse.errors import CourseError

FOUND, WRONG_CLASS, BADLY_PLACED, NOT_SEEN = KINDS = ("found", "wrong class", "badly placed", "not seen")
NEAR = 0.1  # IoU from which on a box may have been meant for an object


def found_objects(
    predicted: Mapping[str, Tensor], target: Mapping[str, Tensor], *, iou_threshold: float = 0.5
) -> Tensor:
    """Which objects of an image were found: each detection, best score first, takes the free object it overlaps most.

    Args:
        predicted: "boxes" `(D, 4)` xyxy, "scores" `(D,)`, "labels" `(D,)`.
        target: "boxes" `(M, 4)`, "labels" `(M,)`.
        iou_threshold: in (0, 1]; a box of the object's class with at least this IoU has found it.

    Returns:
        `(M,)` bool.

    Raises:
        CourseError: a threshold outside (0, 1].
    """
    if not 0 < iou_threshold <= 1:
        raise CourseError(f"iou_threshold lies above 0 and up to 1; got {iou_threshold}.")
    overlap = box_iou(predicted["boxes"], target["boxes"])  # (D, M)
    fits = (overlap >= iou_threshold) & (predicted["labels"][:, None] == target["labels"])
    found = torch.zeros(len(target["labels"]), dtype=torch.bool)
    if not len(found):
        return found
    for row in predicted["scores"].argsort(descending=True, stable=True).tolist():
        free = torch.where(fits[row] & ~found, overlap[row], -1.0)
        if free.max() >= 0:
            found[free.argmax()] = True
    return found


def why_missed(
    predicted: Mapping[str, Tensor], target: Mapping[str, Tensor], *, iou_threshold: float = 0.5
) -> list[str]:
    """What became of every object of an image. Arguments and errors are those of `found_objects`.

    Returns:
        For each object one of `KINDS`: "found"; "wrong class": some box overlaps it enough, under another name; "badly
        placed": a box of its class meets it, with an IoU of at least 0.1, but not enough, or found another object;
        "not seen": nothing of the kind.
    """
    found = found_objects(predicted, target, iou_threshold=iou_threshold)
    overlap = box_iou(predicted["boxes"], target["boxes"])  # (D, M)
    same = predicted["labels"][:, None] == target["labels"]
    misnamed = ((overlap >= iou_threshold) & ~same).any(0)
    near = ((overlap >= NEAR) & same).any(0)
    return [
        FOUND if hit else WRONG_CLASS if named else BADLY_PLACED if met else NOT_SEEN
        for hit, named, met in zip(found.tolist(), misnamed.tolist(), near.tolist(), strict=True)
    ]
