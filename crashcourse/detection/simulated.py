"""Detections made up from the truth: they stand in for a detector in lesson 20, before lesson 21 trains one.

A trained detector answers several times for one object, is the surer the better its box fits, mistakes some objects for
others, misses some and sees some where nothing is. So do these, by chance and from a seed. Nothing is learned, and no
claim about a real detector can rest on them.
"""

import torch
from torch import Tensor

from crashcourse.detection.boxes import box_iou, check_objects, clip_boxes, convert_boxes
from crashcourse.errors import CourseError


def simulated_detections(
    boxes: Tensor,
    labels: Tensor,
    *,
    num_classes: int,
    size: tuple[int, int],
    seed: int,
    answers: int = 8,
    jitter: float = 0.1,
    missed: float = 0.1,
    confused: float = 0.1,
    false_alarms: int = 4,
) -> dict[str, Tensor]:
    """What a made-up detector says of one image.

    Args:
        boxes: `(M, 4)` xyxy float: the objects that are there; M may be 0.
        labels: `(M,)` int64: their classes.
        num_classes: labels are 0 to num_classes - 1.
        size: height and width of the image.
        seed: the same seed and arguments give the same answers.
        answers: the most that an object gets; an object that is not missed gets at least 1.
        jitter: standard deviation of the middle of an answer, as a part of the box's sides, and of the logarithm of its
            sides.
        missed: part of the objects that get no answer.
        confused: part of the answers that name another class, with a lower score.
        false_alarms: how many answers are at places drawn at random.

    Returns:
        "boxes" `(D, 4)` xyxy within the image, "scores" `(D,)` in (0, 1), "labels" `(D,)`, in no order.

    Raises:
        CourseError: objects that are none, or labels that do not fit them.
    """
    check_objects(boxes)
    if labels.shape != boxes.shape[:1]:
        raise CourseError(f"Each of {len(boxes)} objects has one label; got labels of shape {tuple(labels.shape)}.")
    draw = _Draw(seed)
    times = draw.whole(1, answers, len(boxes)) * (draw.part(len(boxes)) >= missed)  # (M,)
    source = torch.arange(len(boxes)).repeat_interleave(times)
    near = _shaken(boxes[source], jitter, draw)
    sure = (0.55 + 0.45 * draw.part(len(boxes)))[source]  # some objects are harder than others
    fit = box_iou(near, boxes)[torch.arange(len(near)), source]
    score = sure * (0.3 + 0.7 * fit) + 0.04 * draw.normal(len(near))
    wrong = draw.part(len(near)) < (confused if num_classes > 1 else 0.0)
    other = (labels[source] + draw.whole(1, max(1, num_classes - 1), len(near))) % num_classes
    found = clip_boxes(torch.cat([near, _anywhere(false_alarms, size, draw)]), size)
    kept = ((found[:, 2:] - found[:, :2]) > 1).all(1)  # what was shaken out of the image is gone
    scores = torch.cat([torch.where(wrong, 0.6 * score, score), 0.7 * draw.part(false_alarms) ** 2])
    named = torch.cat([torch.where(wrong, other, labels[source]), draw.whole(0, num_classes - 1, false_alarms)])
    return {"boxes": found[kept], "scores": scores.clamp(0.01, 0.99)[kept], "labels": named[kept]}


class _Draw:
    """Random numbers of one generator."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def part(self, *shape: int) -> Tensor:
        """Evenly from 0 to 1."""
        return torch.rand(*shape, generator=self.generator)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator)

    def whole(self, low: int, high: int, count: int) -> Tensor:
        """Whole numbers from low to high, both included."""
        return torch.randint(low, high + 1, (count,), generator=self.generator)


def _shaken(boxes: Tensor, jitter: float, draw: _Draw) -> Tensor:
    centre, side = convert_boxes(boxes, "xyxy", "cxcywh").split(2, 1)
    centre = centre + jitter * side * draw.normal(len(boxes), 2)
    side = side * (jitter * draw.normal(len(boxes), 2)).exp()
    return convert_boxes(torch.cat([centre, side], 1), "cxcywh", "xyxy")


def _anywhere(count: int, size: tuple[int, int], draw: _Draw) -> Tensor:
    whole = torch.tensor([float(size[1]), float(size[0])])  # x, y
    side = whole * 0.08 * 5 ** draw.part(count, 2)  # from 0.08 to 0.4 of the image's sides
    corner = draw.part(count, 2) * (whole - side)
    return torch.cat([corner, corner + side], 1)
