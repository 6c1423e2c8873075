"""COCO's own evaluation of made-up detections, as an oracle for tests and a rival for benchmarks."""

import contextlib
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from crashcourse.detection import DetectionScores

Given = tuple[dict[str, Tensor], dict[str, Tensor]]


def image(boxes: Sequence[Sequence[float]], labels: Sequence[int], **more: Tensor) -> dict[str, Tensor]:
    """Boxes and labels as tensors, and what else there is."""
    return {
        "boxes": torch.as_tensor(boxes).reshape(-1, 4),
        "labels": torch.as_tensor(labels, dtype=torch.int64),
        **more,
    }


def made(
    seed: int, images: int, *, crowd: float = 0.1, classes: int = 4, objects: int = 7, detections: int = 13
) -> Iterator[Given]:
    """Images with objects of all sizes, detections near them, ties among scores, and some crowds."""
    rng = np.random.default_rng(seed)
    for _ in range(images):
        count = int(rng.integers(0, objects + 1))
        corner, size = rng.uniform(0, 300, (count, 2)), np.exp(rng.uniform(np.log(8), np.log(200), (count, 2)))
        boxes = np.concatenate([corner, corner + size], 1).round(1)
        labels = rng.integers(0, classes, count)
        source = rng.integers(0, count, int(rng.integers(0, detections + 1))) if count else np.zeros(0, int)
        near = boxes[source] + rng.normal(0, 6, (len(source), 4))
        near = np.concatenate([np.minimum(near[:, :2], near[:, 2:]), np.maximum(near[:, :2], near[:, 2:])], 1)
        guessed = np.where(rng.random(len(source)) < 0.8, labels[source], rng.integers(0, classes, len(source)))
        predicted = image(near, guessed, scores=torch.tensor(rng.random(len(source)).round(2)))
        yield predicted, image(boxes, labels, crowd=torch.tensor(rng.random(count) < crowd))


def made_masks(seed: int, images: int, *, side: int = 40, classes: int = 3) -> Iterator[Given]:
    """Images with round objects, detections moved and grown, and some crowds; no boxes."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]

    def discs(centres: np.ndarray, radii: np.ndarray) -> Tensor:
        distance = np.hypot(rows - centres[:, :1, None], columns - centres[:, 1:, None])
        return torch.from_numpy(distance <= radii[:, None, None])

    for _ in range(images):
        count = int(rng.integers(1, 5))
        centres, radii = rng.uniform(5, side - 5, (count, 2)), rng.uniform(2, 12, count)
        source = rng.integers(0, count, int(rng.integers(0, 8)))
        moved, grown = centres[source] + rng.normal(0, 1, (len(source), 2)), radii[source] * rng.uniform(0.8, 1.2)
        labels = torch.from_numpy(rng.integers(0, classes, count))
        crowd = torch.from_numpy(rng.random(count) < 0.1)
        yield (
            {
                "masks": discs(moved, grown),
                "labels": labels[source],
                "scores": torch.from_numpy(rng.random(len(source))),
            },
            {"masks": discs(centres, radii), "labels": labels, "crowd": crowd},
        )


def scored(data: Iterable[Given], classes: int = 4, **options: Any) -> DetectionScores:
    """The package's accumulator, full."""
    scores = DetectionScores(classes, **options)
    for predicted, target in data:
        scores.add(predicted, target)
    return scores


class Coco(NamedTuple):
    """The twelve numbers that COCO prints, and average precision `(thresholds, classes)`, -1 without objects."""

    stats: np.ndarray
    ap: np.ndarray


def evaluation(data: Sequence[Given], classes: int, *, by: str = "boxes") -> Any:
    """A `COCOeval` that has read the data and not begun."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth = {"images": [], "annotations": [], "categories": [{"id": label} for label in range(classes)], "info": {}}
    results = []
    for number, (predicted, target) in enumerate(data, start=1):
        height, width = target["masks"].shape[1:] if by == "masks" else (0, 0)
        truth["images"].append({"id": number, "height": height, "width": width})
        crowd = target.get("crowd", torch.zeros(len(target["labels"]))).tolist()
        shapes, own = _shapes(target, by), target.get("area")
        for place, (shape, label) in enumerate(zip(shapes, target["labels"].tolist(), strict=True)):
            entry = {"id": len(truth["annotations"]) + 1, "image_id": number, "category_id": label, **shape}
            entry |= {"area": shape["area"] if own is None else float(own[place]), "iscrowd": int(crowd[place])}
            truth["annotations"].append(entry)
        scores, labels = predicted["scores"].tolist(), predicted["labels"].tolist()
        for shape, label, score in zip(_shapes(predicted, by), labels, scores, strict=True):
            result = {name: value for name, value in shape.items() if name != "area"}
            results.append({"image_id": number, "category_id": label, "score": score, **result})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        return COCOeval(coco, coco.loadRes(results), "bbox" if by == "boxes" else "segm")


def _shapes(given: dict[str, Tensor], by: str) -> list[dict[str, Any]]:
    """For each box or mask what COCO's files hold."""
    if by == "boxes":
        corners = given["boxes"].double().tolist()
        sized = [(x1, y1, x2 - x1, y2 - y1) for x1, y1, x2, y2 in corners]
        return [{"bbox": list(box), "area": box[2] * box[3]} for box in sized]
    from pycocotools import mask

    return [
        {"segmentation": mask.encode(np.asfortranarray(one.numpy().astype(np.uint8))), "area": float(one.sum())}
        for one in given["masks"]
    ]


def by_pycocotools(data: Sequence[Given], classes: int = 4, *, by: str = "boxes") -> Coco:
    """What COCO's own code says of the data."""
    run = evaluation(data, classes, by=by)
    with contextlib.redirect_stdout(io.StringIO()):
        run.evaluate()
        run.accumulate()
        run.summarize()
    return Coco(run.stats, run.eval["precision"][:, :, :, 0, -1].mean(1))  # all recalls, all sizes, 100 detections
