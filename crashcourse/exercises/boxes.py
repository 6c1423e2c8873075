"""Lesson 20, boxes: five functions to write. A test holds each to the package's own.

Papers: Everingham et al., "The PASCAL Visual Object Classes challenge", IJCV 2010, section 4.2 (IoU, precision and
recall); Felzenszwalb et al., 2010, section 6.1 (suppression). The mistakes are in
`boxes_corner_mistakes.py` and its neighbours, the questions in `boxes_questions.py`.
"""

import torch
from torch import Tensor

from crashcourse.exercises.boxes_area_mistakes import AP_MISTAKES
from crashcourse.exercises.boxes_class_mistakes import CLASS_MISTAKES
from crashcourse.exercises.boxes_corner_mistakes import CORNER_MISTAKES
from crashcourse.exercises.boxes_iou_mistakes import IOU_MISTAKES
from crashcourse.exercises.boxes_nms_mistakes import NMS_MISTAKES
from crashcourse.exercises.boxes_questions import QUESTIONS
from crashcourse.exercises.case import Case
from crashcourse.exercises.kinds import FunctionExercise


def to_corners(boxes: Tensor) -> Tensor:
    """From centre and size to two corners.

    Args:
        boxes: (N, 4) float: x and y of the centre, width, height, in pixels.

    Returns:
        (N, 4) float: x1, y1 (upper left), x2, y2 (lower right).
    """
    cx, cy, width, height = boxes.unbind(1)  # (N,) each
    return torch.stack([cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2], 1)


def pairwise_iou(boxes_a: Tensor, boxes_b: Tensor) -> Tensor:
    """Intersection over union of every box of a with every box of b.

    Args:
        boxes_a: (N, 4) float, xyxy.
        boxes_b: (M, 4) float, xyxy. Every box, of a and of b, has an area.

    Returns:
        (N, M) float in [0, 1].
    """
    upper_left = torch.maximum(boxes_a[:, None, :2], boxes_b[None, :, :2])  # (N, M, 2)
    lower_right = torch.minimum(boxes_a[:, None, 2:], boxes_b[None, :, 2:])
    intersection = (lower_right - upper_left).clamp(min=0).prod(2)  # (N, M)
    area_a = (boxes_a[:, 2:] - boxes_a[:, :2]).prod(1)  # (N,)
    area_b = (boxes_b[:, 2:] - boxes_b[:, :2]).prod(1)  # (M,)
    return intersection / (area_a[:, None] + area_b[None] - intersection)


def suppress(iou: Tensor, scores: Tensor, threshold: float) -> list[int]:
    """Non-maximum suppression: keep the best box, drop what overlaps it, go on with the rest.

    Args:
        iou: (N, N) float, the IoU of every box with every other.
        scores: (N,) float, all different.
        threshold: a box is dropped when its IoU with a kept box is above it.

    Returns:
        The indices of the kept boxes, best score first.
    """
    left = scores.argsort(descending=True).tolist()
    kept = []
    while left:
        best = left.pop(0)
        kept.append(best)
        left = [other for other in left if iou[best, other] <= threshold]
    return kept


def suppress_by_class(iou: Tensor, scores: Tensor, labels: Tensor, threshold: float) -> list[int]:
    """Non-maximum suppression within each class: boxes of different classes do not drop each other.

    Args:
        iou: (N, N) float, the IoU of every box with every other.
        scores: (N,) float, all different.
        labels: (N,) int64, the class of each box.
        threshold: as in suppress.

    Returns:
        The indices of the kept boxes of all classes together, best score first.
    """
    same = labels[:, None] == labels[None]  # (N, N)
    return suppress(iou * same, scores, threshold)


def area_under_curve(correct: Tensor, objects: int) -> float:
    """Average precision of a ranked list: the area under its precision over recall.

    Args:
        correct: (D,) bool: for each detection, best score first, whether it found an object.
        objects: how many objects there are to find.

    Returns:
        The sum, over the detections that found an object, of 1 / objects times the best precision there or later.
    """
    found = correct.cumsum(0)  # (D,)
    precision = found / torch.arange(1, len(correct) + 1)
    best = precision.flip(0).cummax(0).values.flip(0)  # of this place and all later ones
    return (best[correct].sum() / objects).item()


def _corner_cases(seed: int) -> list[Case]:
    made = torch.rand(6, 4) * 40 + 10
    made[:, 2:] += torch.tensor([3.0, 20.0])  # height and width differ
    return [
        Case((torch.tensor([[20.0, 30.0, 10.0, 4.0]]),), label="one box, wider than high"),
        Case((torch.tensor([[5.0, 9.0, 3.0, 8.0], [8.0, 8.0, 1.0, 5.0]]),), label="two boxes with odd sizes"),
        Case((torch.tensor([[4.0, 3.0, 10.0, 8.0]]),), label="a box that leaves the image"),
        Case((made,), label="six boxes"),
    ]


def _boxes(count: int, spread: float) -> Tensor:
    corner = torch.rand(count, 2) * spread
    return torch.cat([corner, corner + 2 + torch.rand(count, 2) * 10], 1)


def _iou_cases(seed: int) -> list[Case]:
    one = torch.tensor([[0.0, 0.0, 4.0, 2.0]])
    return [
        Case((one, torch.tensor([[2.0, 1.0, 5.0, 3.0]])), label="a corner overlaps"),
        Case((one, torch.tensor([[6.0, 0.0, 8.0, 2.0]])), label="side by side, apart"),
        Case((one, torch.tensor([[6.0, 5.0, 8.0, 7.0]])), label="apart in both directions"),
        Case((one, torch.tensor([[20.0, 20.0, 22.0, 22.0]])), label="far apart in both directions"),
        Case((one, torch.tensor([[0.0, 5.0, 4.0, 7.0]])), label="one above the other, apart"),
        Case((one, torch.tensor([[1.0, 0.5, 2.0, 1.5]])), label="one inside the other"),
        Case((one, one.clone()), label="the same box"),
        Case((_boxes(2, 6), _boxes(3, 6)), label="two against three"),
        Case((_boxes(4, 12), _boxes(4, 12)), label="four against four"),
    ]


def _iou_matrix(boxes: Tensor) -> Tensor:
    return pairwise_iou(boxes, boxes)


def _nms_cases(seed: int) -> list[Case]:
    chain = torch.tensor([[1.0, 0.5, 0.1], [0.5, 1.0, 0.5], [0.1, 0.5, 1.0]])
    beside = torch.tensor([[1.0, 0.0, 0.6], [0.0, 1.0, 0.0], [0.6, 0.0, 1.0]])
    shuffled = torch.randperm(8)
    grouped = _boxes(3, 40)[torch.tensor([0, 0, 0, 1, 1, 2, 2, 2])] + torch.rand(8, 4)
    return [
        Case((torch.eye(1), torch.tensor([0.7]), 0.5), label="one box"),
        Case((torch.eye(2), torch.tensor([0.2, 0.9]), 0.5), label="two boxes apart, the better one last"),
        Case((chain, torch.tensor([0.9, 0.8, 0.7]), 0.4), label="a chain: each overlaps the next"),
        Case((chain, torch.tensor([0.7, 0.9, 0.8]), 0.4), label="a chain, the best in the middle"),
        Case((chain, torch.tensor([0.9, 0.7, 0.8]), 0.4), label="a chain, the worst in the middle"),
        Case((beside, torch.tensor([0.9, 0.8, 0.7]), 0.5), label="two objects, three boxes"),
        Case((beside, torch.tensor([0.5, 0.3, 0.4]), 0.5), label="two objects, low scores"),
        Case((chain, torch.tensor([0.9, 0.8, 0.7]), 0.5), label="IoU equal to the threshold"),
        Case((_iou_matrix(grouped), (shuffled + 1) / 10, 0.3), label="three objects, eight boxes"),
        Case((_iou_matrix(_boxes(10, 12)), torch.randperm(10) / 10 + 0.05, 0.25), label="ten crowded boxes"),
    ]


def _class_cases(seed: int) -> list[Case]:
    heap, apart = torch.tensor([[1.0, 0.8], [0.8, 1.0]]), torch.eye(3)
    chain = torch.tensor([[1.0, 0.5, 0.1], [0.5, 1.0, 0.5], [0.1, 0.5, 1.0]])
    grouped = _iou_matrix(_boxes(3, 40)[torch.tensor([0, 0, 0, 1, 1, 2, 2, 2])] + torch.rand(8, 4))
    labels = torch.tensor([0, 1, 0, 1, 1, 2, 0, 2])
    return [
        Case((heap, torch.tensor([0.6, 0.9]), torch.tensor([0, 1]), 0.5), label="one place, two classes"),
        Case((heap, torch.tensor([0.6, 0.9]), torch.tensor([2, 2]), 0.5), label="one place, one class"),
        Case((chain, torch.tensor([0.9, 0.8, 0.7]), torch.tensor([0, 1, 1]), 0.4), label="a chain of two classes"),
        Case((apart, torch.tensor([0.5, 0.7, 0.6]), torch.tensor([0, 0, 1]), 0.5), label="three boxes apart"),
        Case((grouped, (torch.randperm(8) + 1) / 10, labels, 0.3), label="three heaps, three classes"),
        Case(
            (_iou_matrix(_boxes(10, 12)), torch.randperm(10) / 10 + 0.05, torch.arange(10) % 2, 0.25),
            label="ten crowded boxes of two classes",
        ),
    ]


def _ap_cases(seed: int) -> list[Case]:
    ranked = torch.rand(12) < 0.6
    ranked[[0, 5]] = torch.tensor([False, True])
    return [
        Case((torch.tensor([True]), 1), label="one detection, right"),
        Case((torch.tensor([True]), 2), label="one of two objects found"),
        Case((torch.tensor([False, True]), 1), label="wrong first, then right"),
        Case((torch.tensor([True, False, True, True, False]), 4), label="three of four objects, two wrong"),
        Case((torch.tensor([False, True, True]), 3), label="wrong first, then two of three objects"),
        Case((torch.tensor([False, False]), 2), label="nothing right"),
        Case((ranked, int(ranked.sum()) + 2), label="twelve detections"),
    ]


EXERCISES = [
    FunctionExercise(
        name="detection.to_corners",
        title="From centre and size to corners",
        lesson=20,
        reference=to_corners,
        cases=_corner_cases,
        hints=(
            "How far is the left edge from the centre?",
            "x1 = cx − width / 2 and x2 = cx + width / 2; the same for y with the height.",
            "Take the four columns apart with unbind(1), and torch.stack([...], 1) four new ones.",
        ),
        wrong=CORNER_MISTAKES,
    ),
    FunctionExercise(
        name="detection.pairwise_iou",
        title="IoU of every pair",
        lesson=20,
        reference=pairwise_iou,
        cases=_iou_cases,
        hints=(
            "The intersection is a box: its upper left corner is the larger of the two, its lower right the smaller.",
            "intersection / (area a + area b − intersection). Apart, a side would be negative.",
            "boxes_a[:, None, :2] against boxes_b[None, :, :2] gives (N, M, 2); clamp(min=0) before the product.",
        ),
        wrong=IOU_MISTAKES,
    ),
    FunctionExercise(
        name="detection.suppress",
        title="Non-maximum suppression",
        lesson=20,
        reference=suppress,
        cases=_nms_cases,
        hints=(
            "A loop over what is left, best score first. Who drops whom?",
            "Only kept boxes drop others. Above the threshold means >, not ≥.",
            "left = indices by falling score; while left: best = left.pop(0), keep it, filter left by iou[best].",
        ),
        plain=True,
        wrong=NMS_MISTAKES,
    ),
    FunctionExercise(
        name="detection.suppress_by_class",
        title="Suppression, class by class",
        lesson=20,
        reference=suppress_by_class,
        cases=_class_cases,
        hints=(
            "Two boxes of different classes should behave as if they were far apart.",
            "What would their IoU be then? Change that, in a new matrix, and leave the rest to suppress.",
            "labels[:, None] == labels[None] is True where two boxes are of one class. Multiply iou by it.",
        ),
        plain=True,
        wrong=CLASS_MISTAKES,
    ),
    FunctionExercise(
        name="detection.area_under_curve",
        title="Average precision",
        lesson=20,
        reference=area_under_curve,
        cases=_ap_cases,
        hints=(
            "Count right detections so far: that gives precision (by place) and recall (by objects).",
            "Each right detection adds a step of recall of 1 / objects, with the best precision from there on.",
            "correct.cumsum(0) / arange(1, D + 1); a running maximum from the right: flip, cummax, flip.",
        ),
        plain=True,
        wrong=AP_MISTAKES,
    ),
    *QUESTIONS,
]
