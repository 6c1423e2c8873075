"""Lesson 21, YOLO: what people get wrong in the five terms, each as code that behaves so, with its hint."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

Terms = dict[str, Tensor]


def _terms(
    xy: Tensor,
    root_wh: Tensor,
    confidence: Tensor,
    classes: Tensor,
    goal: Tensor,
    labels: Tensor,
    iou: Tensor,
    mine: Tensor,
    *,
    square: Callable[[Tensor], Tensor] = lambda difference: difference**2,
    size: Callable[[Tensor, Tensor], Tensor] = lambda root, wh: (root - wh.sqrt()) ** 2,
    boxes: Callable[[Tensor, Tensor], Tensor] = lambda mine, there: mine,
    certain: Callable[[Tensor, Tensor], Tensor] = lambda mine, there: mine,
    target: Callable[[Tensor], Tensor] = lambda iou: iou,
    others: Callable[[Tensor, Tensor], Tensor] = lambda mine, there: ~mine,
    named: Callable[[Tensor, Tensor], Tensor] = lambda mine, there: there[..., 0].float(),
    name: Callable[[Tensor, Tensor], Tensor] = lambda classes, labels: (classes - labels) ** 2,
    weights: tuple[float, ...] = (5.0, 5.0, 1.0, 0.5, 1.0),
    total: Callable[[Tensor], Tensor] = Tensor.sum,
) -> Terms:
    """`yolo_terms` with one thing wrong: what the keyword arguments say. `there` is `(S, S, 1)` bool."""
    there = goal[..., 4:] > 0
    in_boxes = boxes(mine, there).float()[..., None]  # (S, S, B, 1)
    goals = goal[..., None, :]
    parts = (
        in_boxes * square(xy - goals[..., :2]),
        in_boxes * size(root_wh, goals[..., 2:4]),
        certain(mine, there).float() * square(confidence - target(iou)),
        others(mine, there).float() * square(confidence),
        named(mine, there)[..., None] * name(classes, labels),
    )
    names = ("xy", "wh", "object", "no_object", "classes")
    return {key: weight * total(part) for key, weight, part in zip(names, weights, parts, strict=True)}


def _in_the_cell(mine: Tensor, there: Tensor) -> Tensor:
    return there.expand_as(mine)


def _root_of_difference(root: Tensor, wh: Tensor) -> Tensor:
    return ((root**2 - wh).abs().sqrt()) ** 2


def _cross_entropy(classes: Tensor, labels: Tensor) -> Tensor:
    return -labels * classes.log()


LOSS_MISTAKES = {
    "root_of_the_difference": (
        partial(_terms, size=_root_of_difference),
        "You took the square root of the *difference* of two sizes, and squared it: that is the plain difference. Take "
        "the roots first, then the difference, then the square.",
    ),
    "no_roots": (
        partial(_terms, size=lambda root, wh: (root**2 - wh) ** 2),
        "You compare width with width. Compare √w with √w, so that 5 pixels count for more on a small box.",
    ),
    "root_against_size": (
        partial(_terms, size=lambda root, wh: (root - wh) ** 2),
        "root_wh holds roots, goal holds sizes. Take the root of the goal before you compare.",
    ),
    "root_of_a_root": (
        partial(_terms, size=lambda root, wh: (root.sqrt() - wh.sqrt()) ** 2),
        "root_wh is a root already: the network puts it out so. You took another one.",
    ),
    "all_boxes_of_the_cell": (
        partial(_terms, boxes=_in_the_cell),
        "All boxes of a cell with an object learn its place in yours. Only the responsible one does: values[mine].",
    ),
    "all_boxes_at_all": (
        partial(_terms, boxes=lambda mine, there: torch.ones_like(mine)),
        "Boxes of empty cells are pulled to (0, 0) in yours. Only responsible boxes learn a place: values[mine].",
    ),
    "target_is_1": (
        partial(_terms, target=torch.ones_like),
        "Your confidence should become 1. Its target is the IoU: how good the box is that it speaks for.",
    ),
    "confidence_of_all_in_the_cell": (
        partial(_terms, certain=_in_the_cell),
        "The confidence of every box of the cell is compared with its IoU in yours. Only the responsible one's is.",
    ),
    "empty_cells_only": (
        partial(_terms, others=lambda mine, there: ~there.expand_as(mine)),
        "Your fourth term counts empty cells alone. It counts *every* box that is not responsible, also the other "
        "boxes of a cell with an object: ~mine.",
    ),
    "all_boxes_are_no_object": (
        partial(_terms, others=lambda mine, there: torch.ones_like(mine)),
        "Your fourth term pushes responsible boxes down, too. Leave them out: ~mine.",
    ),
    "for_each_box": (
        partial(_terms, named=lambda mine, there: there[..., 0].float() * mine.shape[-1]),
        "You count the class error once for each box. A cell has one set of class scores: count it once a cell.",
    ),
    "every_cell_has_a_class": (
        partial(_terms, named=lambda mine, there: torch.ones_like(there[..., 0], dtype=torch.float32)),
        "Empty cells are taught to name no class in yours. Their class scores are free: confidence says there is none.",
    ),
    "cross_entropy": (
        partial(_terms, name=_cross_entropy),
        "That is cross-entropy. This paper takes squared differences for classes, too; version 2 changed it.",
    ),
    "right_class_only": (
        partial(_terms, name=lambda classes, labels: labels * (classes - labels) ** 2),
        "You look at the right class alone. The others should be 0, and count when they are not.",
    ),
    "weights_swapped": (
        partial(_terms, weights=(0.5, 0.5, 1.0, 5.0, 1.0)),
        "λ_coord and λ_noobj are swapped: places count 5, boxes without an object 0.5.",
    ),
    "no_weights": (
        partial(_terms, weights=(1.0, 1.0, 1.0, 1.0, 1.0)),
        "The weights are missing: 5 for both terms on places, 0.5 for boxes without an object.",
    ),
    "no_coord": (
        partial(_terms, weights=(1.0, 1.0, 1.0, 0.5, 1.0)),
        "λ_coord is missing: the terms on centre and size count 5.",
    ),
    "no_noobj": (
        partial(_terms, weights=(5.0, 5.0, 1.0, 1.0, 1.0)),
        "λ_noobj is missing: boxes without an object count 0.5.",
    ),
    "coord_on_confidence": (
        partial(_terms, weights=(5.0, 5.0, 5.0, 0.5, 1.0)),
        "λ_coord weighs places alone. The confidence of responsible boxes counts 1.",
    ),
    "size_weighs_1": (
        partial(_terms, weights=(5.0, 1.0, 1.0, 0.5, 1.0)),
        "λ_coord weighs sizes, too: 5 for both terms on places.",
    ),
    "means": (
        partial(_terms, total=Tensor.mean),
        "You take means, so that the many empty boxes dilute the few that matter. The terms are sums.",
    ),
    "absolute": (
        partial(_terms, square=torch.abs, size=lambda root, wh: (root - wh.sqrt()).abs()),
        "You take absolute differences. All terms are squared ones.",
    ),
}
