"""Recipes: a named pairing of model, data, loss and budget, at three scales, and the records of their runs.

In a lesson `train("vgg_garments")` runs the laptop scale live, `show_record` shows a recorded study, and `gpu_cell`
runs the gpu scale where there is a GPU. In a shell `crashcourse train vgg_garments --scale study` runs `study`, which
alone writes records.
"""

from crashcourse.recipes.base import Recipe, Run, Scale, recipes, train
from crashcourse.recipes.classifier import classify, evaluate_classifier
from crashcourse.recipes.records import Record, load_record
from crashcourse.recipes.showing import gpu_cell, record_table, show_record
from crashcourse.recipes.studies import study
from crashcourse.recipes.timing import TimeToAccuracy, time_to_accuracy
from crashcourse.recipes.weights import Card, load_weights, save_weights

__all__ = [
    "Card",
    "Recipe",
    "Record",
    "Run",
    "Scale",
    "TimeToAccuracy",
    "classify",
    "evaluate_classifier",
    "gpu_cell",
    "load_record",
    "load_weights",
    "recipes",
    "record_table",
    "save_weights",
    "show_record",
    "study",
    "time_to_accuracy",
    "train",
]
