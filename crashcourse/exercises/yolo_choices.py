"""Lesson 21, YOLO: two questions with options."""

from crashcourse.exercises.questions import ChoiceExercise

CHOICES = [
    ChoiceExercise(
        name="yolo.why_no_object",
        title="Why 5 and 0.5?",
        lesson=21,
        question=(
            "An image with three objects has 98 boxes: 3 are responsible, 95 are not. What would happen with "
            "λ_coord = λ_noobj = 1?"
        ),
        options={
            "a": "Little: Adam would scale the gradients of all five terms to the same size.",
            "b": "The 95 would pull confidences towards 0 and drown what the 3 have to learn.",
            "c": "Boxes would become too small, since errors in their sizes would count less.",
            "d": "Every box would be trained towards confidence 1, whatever it holds or not.",
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
            "a": "Both: one of its boxes for the shoe with its class, the other for the bag.",
            "b": "Both, each in a box with a class of its own, but with a single confidence.",
            "c": "One of them, with its class: no target holds the other, nor has it scores.",
            "d": "Neither: a cell in which two centres lie is left out, as if it were empty.",
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
