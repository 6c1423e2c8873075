"""Lesson 20, boxes: the table to fill in and two questions."""

from functools import cache

import torch

from crashcourse.detection.average_precision import average_precision, precision_recall
from crashcourse.detection.boxes import box_area, box_iou, convert_boxes
from crashcourse.exercises.questions import AnswerExercise, ChoiceExercise


@cache
def _table() -> dict[str, float | int | tuple[float, ...]]:
    """Numbers of two boxes and one ranked list, by the package's own functions."""
    a, b = torch.tensor([[10.0, 10.0, 30.0, 50.0]]), torch.tensor([[20.0, 30.0, 40.0, 50.0]])
    precision, recall = precision_recall([True, False, True], 2)
    iou = box_iou(a, b).item()
    whole = (box_area(a) + box_area(b)).item()
    return {
        "a as centre and size": tuple(convert_boxes(a, "xyxy", "cxcywh")[0].tolist()),
        "area of a": int(box_area(a)),
        "area of b": int(box_area(b)),
        "intersection": round(iou * whole / (1 + iou)),
        "union": round(whole / (1 + iou)),
        "IoU": iou,
        "precision after the third detection": float(precision[2]),
        "recall after the second detection": float(recall[1]),
        "average precision, all points": average_precision(precision, recall),
    }


QUESTIONS = [
    AnswerExercise(
        name="boxes.by_hand",
        title="Two boxes and a ranked list, by hand",
        lesson=20,
        question=(
            "a = (10, 10, 30, 50) and b = (20, 30, 40, 50), xyxy. And a ranked list: right, wrong, right, where there "
            "are 2 objects. Fractions such as 2 / 3 are fine."
        ),
        reference=_table,
        because="IoU is 200 / 1000. The list has an area of 1/2 · 1 + 1/2 · 2/3 = 5/6.",
        hints=(
            "Draw both boxes on paper. The intersection is a box as well.",
            "Union: both areas, minus the intersection. Precision: right so far / detections so far.",
            "The intersection is (20, 30, 30, 50). Each right detection adds 1/2 times its precision.",
        ),
        wrong={
            "corner_for_centre": (
                {"a as centre and size": (10.0, 10.0, 20.0, 40.0)},
                "That is corner and size (xywh). The centre lies half the size further.",
            ),
            "half_sizes": (
                {"a as centre and size": (20.0, 30.0, 10.0, 20.0)},
                "The centre is right; width and height are whole, not half.",
            ),
            "height_first": (
                {"a as centre and size": (20.0, 30.0, 40.0, 20.0)},
                "Width comes before height.",
            ),
            "plus_one": (
                {"area of a": 861, "area of b": 441},
                "You added 1 to each side, as for numbers of pixels. Coordinates are continuous.",
            ),
            "product_of_corners": (
                {"area of a": 1500, "area of b": 2000},
                "You multiplied x2 by y2. Sides are differences: x2 − x1 and y2 − y1.",
            ),
            "sum_for_union": (
                {"union": 1200, "IoU": 200 / 1200},
                "1200 is the sum of both areas (and, by chance, the box around both). What they share is in both of "
                "them: take it off once.",
            ),
            "union_without_shared": (
                {"union": 800},
                "You took the intersection off twice. What both cover belongs to the union.",
            ),
            "smaller_box": (
                {"IoU": 0.5},
                "That is the intersection over the smaller box. Divide by the union.",
            ),
            "intersection_of_sides": (
                {"intersection": 100},
                "The intersection is 10 wide and 20 high.",
            ),
            "intersection_square": (
                {"intersection": 400},
                "The intersection runs from x = 20 to 30 and from y = 30 to 50: 10 by 20.",
            ),
            "recall_for_precision": (
                {"precision after the third detection": 1.0},
                "That is the recall. Precision: of three detections, how many are right?",
            ),
            "precision_for_recall": (
                {"recall after the second detection": 0.0},
                "Recall does not fall when a detection is wrong: one of two objects has been found.",
            ),
            "second_is_right": (
                {"recall after the second detection": 1.0},
                "The second detection is wrong. One of two objects has been found so far.",
            ),
            "last_precision_only": (
                {"average precision, all points": 2 / 3},
                "That is the precision of the whole list. The first half of recall was reached with precision 1.",
            ),
            "mean_of_three": (
                {"average precision, all points": (1 + 0.5 + 2 / 3) / 3},
                "You averaged over all three detections. The wrong one adds no recall, so it adds no area.",
            ),
            "upside_down": (
                {"IoU": 5.0},
                "That is union over intersection. IoU is never above 1.",
            ),
            "larger_box": (
                {"IoU": 0.25},
                "That is the intersection over the area of a. Divide by the union.",
            ),
            "wrong_part": (
                {"precision after the third detection": 1 / 3},
                "One of three is *wrong*. Precision is the part that is right.",
            ),
            "precision_one_earlier": (
                {"precision after the third detection": 0.5},
                "That is the precision after the second detection. The third is right again.",
            ),
            "recall_by_detections": (
                {"recall after the second detection": 1 / 3},
                "Recall divides by the objects that are there, 2, and not by the three detections.",
            ),
            "recall_halved": (
                {"recall after the second detection": 0.25},
                "Precision has no part in recall: of two objects, how many have been found?",
            ),
            "area_by_slopes": (
                {"average precision, all points": 19 / 24},
                "You join the points by slopes. The area is made of steps: two rectangles, each 1/2 wide.",
            ),
            "area_not_divided": (
                {"average precision, all points": 5 / 3},
                "1 + 2/3, and each is a step of 1/2: divide by the number of objects.",
            ),
            "area_by_detections": (
                {"average precision, all points": 5 / 9},
                "You divide by three detections. There are 2 objects, so each step is 1/2 wide.",
            ),
            "second_step_at_a_half": (
                {"average precision, all points": 0.75},
                "The second step ends at the third detection. Its precision is 2/3 there, not 1/2.",
            ),
            "area_is_all": (
                {"average precision, all points": 1.0},
                "Precision 1 holds for the first half of recall only.",
            ),
            "eleven_points": (
                {"average precision, all points": (6 + 5 * 2 / 3) / 11},
                "That is the mean over 11 points. All points: 1/2 · 1 + 1/2 · 2/3.",
            ),
        },
    ),
    ChoiceExercise(
        name="boxes.what_threshold",
        title="A threshold that is too low",
        lesson=20,
        question="Two people stand close together; their true boxes have an IoU of 0.6. NMS at 0.5 will ...",
        options={
            "a": "keep both, since each has a high score.",
            "b": "drop one of them, however sure the detector is of both.",
            "c": "average the two boxes.",
            "d": "drop both, since they overlap.",
        },
        reference="b",
        because=(
            "NMS looks at overlap and at the order of scores, never at how high they are. Crowds are where it fails; "
            "soft-NMS lowers the score instead."
        ),
        hints=("What does NMS know of a box? What does it not know?", "Follow the loop with these two boxes."),
        wrong={
            "a": "A high score decides who is kept first. It does not protect the other one: 0.6 is above 0.5.",
            "c": "NMS never changes a box. It keeps it or drops it.",
            "d": "The better of the two is taken first, and stays. Only the other is dropped.",
        },
    ),
    ChoiceExercise(
        name="boxes.why_not_accuracy",
        title="Why not accuracy?",
        lesson=20,
        question="Why is a detector not scored by its accuracy, right detections by all decisions?",
        options={
            "a": "Because accuracy takes too long to compute for many boxes.",
            "b": "Because boxes are floats, and a float is never exactly right.",
            "c": "Because the places where it rightly says nothing cannot be counted.",
            "d": "Because there is more than one class, and classes are rarely balanced.",
        },
        reference="c",
        because=(
            "There is no end of boxes that hold nothing, so true negatives cannot be counted. Precision and recall do "
            "without them, and average precision looks at every cut of the scores at once."
        ),
        hints=("What would be a true negative here?", "How many boxes can be drawn in an image?"),
        wrong={
            "a": "It would take no longer than average precision. Ask what would have to be counted.",
            "b": "That is what the IoU threshold is for: it decides what counts as right. Something else is missing.",
            "d": "Accuracy copes with many classes, as in lesson 11. What is new here is where nothing is found.",
        },
    ),
]
