"""Lesson 21, YOLO: the table to fill in. The two questions with options are in `yolo_choices.py`."""

from functools import cache

from crashcourse.detection.yolo import Grid
from crashcourse.exercises.questions import AnswerExercise

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
        "the cell-score form, for COCO's 80 classes": (cells, cells, Grid(classes=80).channels),
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
            "dense layer makes 4096 numbers of them, and the last dense layer the output. Shapes are (S, S, numbers). "
            "A cell learns one object, whatever B is."
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
                {"the cell-score form, for COCO's 80 classes": (7, 7, 170)},
                "That is 2·(5 + 80): class scores for each box. The form with scores for each cell has one set.",
            ),
            "coco_91": (
                {"the cell-score form, for COCO's 80 classes": (7, 7, 101)},
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
            "cells_squared": (
                {"pixels along a cell's side, 448×448 image": 49},
                "49 is the number of all cells. Along a side there are 7.",
            ),
            "side_of_a_stride": (
                {"pixels along a cell's side, 448×448 image": 32},
                "32 would make 14 cells along a side. There are 7.",
            ),
            "numbers_first": (
                {"output, class scores for each cell": (30, 7, 7)},
                "The numbers of a cell come last here: (S, S, numbers).",
            ),
            "cells_in_a_row": (
                {"output, class scores for each cell": (49, 30)},
                "That is the list of cells. As a grid it is (S, S, numbers).",
            ),
            "with_batch": (
                {"output, class scores for each cell": (2, 7, 7, 30)},
                "One shape for the whole cell: both boxes are among its numbers. (S, S, numbers).",
            ),
            "classes_of_one_box": (
                {"output, class scores for each box": (7, 7, 45)},
                "45 = 5 + 2·20: the five numbers, too, are there for each box.",
            ),
            "classes_three_times": (
                {"output, class scores for each box": (7, 7, 60)},
                "60 is 2·30: the whole cell twice. A box has 5 numbers and 20 class scores.",
            ),
            "four_numbers_each": (
                {"output, class scores for each box": (7, 7, 48)},
                "48 = 2·(4 + 20). Each box has a confidence, too.",
            ),
            "classes_alone": (
                {"output, class scores for each box": (7, 7, 40)},
                "40 are the class scores alone. Each box has its five numbers besides.",
            ),
            "three_boxes": (
                {"output, class scores for each box": (7, 7, 35)},
                "35 = 3·5 + 20 is three boxes and one set of classes. Here are two boxes, each with its own.",
            ),
            "coco_one_box": (
                {"the cell-score form, for COCO's 80 classes": (7, 7, 85)},
                "That is one box: 5 + 80. A cell has two, and 80 scores once.",
            ),
            "coco_four_numbers": (
                {"the cell-score form, for COCO's 80 classes": (7, 7, 88)},
                "88 = 2·4 + 80. A box has five numbers: its confidence, too.",
            ),
            "coco_confidences": (
                {"the cell-score form, for COCO's 80 classes": (7, 7, 82)},
                "82 are two confidences and the classes. The boxes' places are missing.",
            ),
            "coco_classes_alone": (
                {"the cell-score form, for COCO's 80 classes": (7, 7, 80)},
                "80 are the class scores alone. Two boxes of five numbers come before them.",
            ),
            "coco_on_top": (
                {"the cell-score form, for COCO's 80 classes": (7, 7, 110)},
                "110 = 30 + 80. COCO's classes take the place of the 20, they are not added to them.",
            ),
            "coco_four_boxes": (
                {"the cell-score form, for COCO's 80 classes": (7, 7, 100)},
                "100 = 4·5 + 80, or 20 + 80. A cell has two boxes of five numbers: 10 + 80.",
            ),
            "four_boxes": (
                {"boxes that it predicts": 196},
                "196 = 4·49: you counted the four numbers of a place. Each cell has two boxes.",
            ),
            "boxes_of_a_row": (
                {"boxes that it predicts": 14},
                "14 is one row of cells. There are seven rows.",
            ),
            "boxes_of_a_cell": (
                {"boxes that it predicts": 2},
                "2 is one cell. The network answers for all cells at once.",
            ),
            "numbers_for_boxes": (
                {"boxes that it predicts": 1470},
                "1470 is how many *numbers* come out. How many boxes are in them?",
            ),
            "classes_for_boxes": (
                {"boxes that it predicts": 980},
                "980 = 49·20 are the class scores. Each cell has two boxes.",
            ),
            "one_object": (
                {"objects that it can learn in one image, at most": 1},
                "One is the limit of a cell. The image has many.",
            ),
            "objects_of_two_boxes": (
                {"objects that it can learn in one image, at most": 2},
                "Two boxes a cell, but they compete for one object. And the image has many cells.",
            ),
            "objects_of_a_row": (
                {"objects that it can learn in one image, at most": 7},
                "7 is one row of cells. There are seven rows.",
            ),
            "hidden_for_outputs": (
                {"numbers that the last dense layer puts out": 4096},
                "4096 go into the last layer. What comes out is the whole output: S·S·numbers.",
            ),
            "outputs_of_boxes": (
                {"numbers that the last dense layer puts out": 2450},
                "2450 = 49·50 belongs to the form with class scores for each box. The paper's has 30 a cell.",
            ),
            "outputs_of_one_box": (
                {"numbers that the last dense layer puts out": 1225},
                "1225 = 49·25 counts one box a cell. There are two: 30 numbers.",
            ),
            "outputs_of_coco": (
                {"numbers that the last dense layer puts out": 4410},
                "4410 = 49·90 is for COCO's 80 classes. The paper's network has 20.",
            ),
            "last_of_one_cell": (
                {"parameters of the last dense layer": 30 * (HIDDEN + 1)},
                "122,910 is the layer of one cell. All 49 come out of it.",
            ),
            "last_outputs_alone": (
                {"parameters of the last dense layer": 1470},
                "1470 are the outputs. Each has 4096 weights, and a bias.",
            ),
            "last_one_bias_each_input": (
                {"parameters of the last dense layer": 1470 * HIDDEN + HIDDEN},
                "You counted a bias for each input. There is one for each output.",
            ),
            "first_bias_of_inputs": (
                {"parameters of the first dense layer": HIDDEN * FLAT + FLAT},
                "You counted a bias for each input. There is one for each output: 4096.",
            ),
            "first_is_last": (
                {"parameters of the first dense layer": 1470 * HIDDEN + 1470},
                "That is the last layer. The first takes 7·7·1024 numbers and puts out 4096.",
            ),
            "first_inputs_alone": (
                {"parameters of the first dense layer": FLAT},
                "50,176 are the inputs. Each of the 4096 units has a weight for every one of them.",
            ),
            "first_of_the_image": (
                {"parameters of the first dense layer": HIDDEN * (3 * 448**2 + 1)},
                "You took the pixels of the image for inputs. The 1024 maps of 7×7 go in.",
            ),
            "first_added": (
                {"parameters of the first dense layer": FLAT + HIDDEN},
                "You added inputs and outputs. Each output has a weight for *every* input: multiply.",
            ),
        },
    ),
]
