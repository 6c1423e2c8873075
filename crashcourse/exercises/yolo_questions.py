"""Lesson 21, YOLO: the table to fill in and two questions."""

from functools import cache

from crashcourse.detection.yolo import Grid
from crashcourse.exercises.questions import AnswerExercise, ChoiceExercise

PAPER, PER_BOX = Grid(), Grid(scores_per_box=True)
HIDDEN = 4096  # units of the first dense layer
FLAT = 1024 * PAPER.cells**2


@cache
def _table() -> dict[str, int | tuple[int, ...]]:
    """Numbers of the paper's network, from the package's own grid."""
    cells = PAPER.cells
    outputs = cells**2 * PAPER.channels
    return {
        "pixels along a cell's side, 448×448 image": 448 // cells,
        "output, class scores for each cell": (cells, cells, PAPER.channels),
        "output, class scores for each box": (cells, cells, PER_BOX.channels),
        "the first, for COCO's 80 classes": (cells, cells, Grid(classes=80).channels),
        "boxes that it predicts": cells**2 * PAPER.boxes,
        "objects that it can learn in one image, at most": cells**2,
        "numbers that the last dense layer puts out": outputs,
        "parameters of the last dense layer": outputs * (HIDDEN + 1),
        "parameters of the first dense layer": HIDDEN * (FLAT + 1),
    }


QUESTIONS = [
    AnswerExercise(
        name="yolo.shapes",
        title="The output of YOLO, in numbers",
        lesson=21,
        question=(
            "The paper's network: 448×448 images, S = 7, B = 2, C = 20. The convolutions end in 1024 maps of 7×7; a "
            "dense layer makes 4096 numbers of them, and the last dense layer the output. Shapes are (S, S, numbers)."
        ),
        reference=_table,
        because=(
            "A cell has 2·5 + 20 = 30 numbers, or 2·(5 + 20) = 50 where each box has its own classes. Three quarters "
            "of the network's 272 million parameters are in one dense layer."
        ),
        hints=(
            "What does a cell say of one box? Five numbers. And how many sets of class scores has a cell?",
            "B·5 + C against B·(5 + C). One object a cell is learned, whatever B is.",
            "A dense layer has inputs · outputs weights, and a bias for each output. 7·7·1024 = 50,176.",
        ),
        wrong={
            "cells_for_pixels": (
                {"pixels along a cell's side, 448×448 image": 7},
                "7 is the number of cells along a side. How many pixels has each?",
            ),
            "four_numbers": (
                {"output, class scores for each cell": (7, 7, 28)},
                "A box has five numbers: four for its place, and its confidence.",
            ),
            "one_box": (
                {"output, class scores for each cell": (7, 7, 25)},
                "That is one box a cell. There are two, and one set of class scores.",
            ),
            "background": (
                {"output, class scores for each cell": (7, 7, 31)},
                "There is no class for background: the confidence says whether there is an object.",
            ),
            "per_box_everywhere": (
                {"output, class scores for each cell": (7, 7, 50)},
                "That is the form with class scores for each box. In the paper a cell has one set.",
            ),
            "forms_equal": (
                {"output, class scores for each box": (7, 7, 30)},
                "30 counts the class scores once. Here each of the two boxes has its own 20.",
            ),
            "coco_per_box": (
                {"the first, for COCO's 80 classes": (7, 7, 170)},
                "That is 2·(5 + 80): class scores for each box. The first form has one set a cell.",
            ),
            "coco_91": (
                {"the first, for COCO's 80 classes": (7, 7, 101)},
                "COCO's labels run to 90, but 80 classes are used.",
            ),
            "cells_for_boxes": (
                {"boxes that it predicts": 49},
                "49 cells, and two boxes in each.",
            ),
            "boxes_and_classes": (
                {"boxes that it predicts": 1960},
                "You counted a box for each class. Class scores do not make more boxes.",
            ),
            "boxes_for_objects": (
                {"objects that it can learn in one image, at most": 98},
                "98 boxes, but one object a cell: the two boxes of a cell compete for it, and share its class.",
            ),
            "classes_for_objects": (
                {"objects that it can learn in one image, at most": 20},
                "20 is the number of classes. The limit is the grid: one object a cell.",
            ),
            "numbers_of_a_cell": (
                {"numbers that the last dense layer puts out": 30},
                "That is one cell. The dense layer puts out all cells at once.",
            ),
            "last_without_bias": (
                {"parameters of the last dense layer": 1470 * HIDDEN},
                "1470 outputs of 4096 weights, yes. Each output has a bias, too.",
            ),
            "first_without_bias": (
                {"parameters of the first dense layer": HIDDEN * FLAT},
                "The weights are right. Each output has a bias, too.",
            ),
            "first_of_one_place": (
                {"parameters of the first dense layer": HIDDEN * (1024 + 1)},
                "You took 1024 inputs: that is one place. All 7·7 places enter.",
            ),
        },
    ),
    ChoiceExercise(
        name="yolo.why_no_object",
        title="Why 5 and 0.5?",
        lesson=21,
        question=(
            "An image with three objects has 98 boxes: 3 are responsible, 95 are not. What would happen with "
            "λ_coord = λ_noobj = 1?"
        ),
        options={
            "a": "Nothing: Adam scales every term to the same size.",
            "b": "The 95 would push all confidences towards 0 and drown the 3, early on above all.",
            "c": "Boxes would become too small.",
            "d": "Every box would be trained to have confidence 1.",
        },
        reference="b",
        because=(
            "The sum counts boxes, and most hold nothing. If all of them say 0, the loss is already small, and the "
            "gradient of the few responsible boxes is a small part of the whole. The paper: this 'can lead to model "
            "instability, causing training to diverge early on'."
        ),
        hints=("Which answer is right for most boxes?", "Compare how many boxes each of the five terms sums over."),
        wrong={
            "a": "Adam scales the *sum* of all terms, for each weight. It cannot tell the terms apart.",
            "c": "λ_coord weighs how much places matter, and not in which direction they go.",
            "d": "The other way round: the target of the 95 is 0.",
        },
    ),
    ChoiceExercise(
        name="yolo.two_in_a_cell",
        title="Two in one cell",
        lesson=21,
        question=(
            "A shoe stands before a bag, and both centres lie in one cell. The cell has two boxes. What can YOLO v1 "
            "(7×7×30) say at best?"
        ),
        options={
            "a": "Both: one box for the shoe and one for the bag.",
            "b": "Both, but with one confidence.",
            "c": "One object with its class. The other is never learned, and a box for it would bear the same scores.",
            "d": "Neither: two objects in a cell are ignored.",
        },
        reference="c",
        because=(
            "Targets hold one object a cell, and a cell has one set of class scores. The form with scores for each box "
            "could name both, if the targets did; version 2 gives each anchor its own object."
        ),
        hints=("What did your encode_cells do with the second object?", "How many class scores has a cell, 20 or 40?"),
        wrong={
            "a": "Two boxes, yes. But targets hold one object a cell, and both boxes share one set of class scores.",
            "b": "Each box has its own confidence. What they share is the class.",
            "d": "The first object of the cell is learned as usual.",
        },
    ),
]
