"""Lesson 21, YOLO: what people get wrong in the five terms, each as code that behaves so, with its hint.

Which boxes and cells a term is over, and how it is summed, is in `yolo_mask_mistakes.py`.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

Terms = dict[str, Tensor]
NAMES = ("xy", "wh", "object", "no_object", "classes")


def terms_with(
    xy: Tensor,
    root_wh: Tensor,
    confidence: Tensor,
    classes: Tensor,
    goal: Tensor,
    labels: Tensor,
    iou: Tensor,
    mine: Tensor,
    *,
    align: Callable[[Tensor], Tensor] = lambda goal: goal[..., None, :],
    place: Callable[[Tensor, Tensor], Tensor] = lambda xy, goal: (xy - goal[..., :2]) ** 2,
    size: Callable[[Tensor, Tensor], Tensor] = lambda root, goal: (root - goal[..., 2:4].sqrt()) ** 2,
    boxes: Callable[[Tensor, Tensor], Tensor] = lambda mine, there: mine,
    spread: Callable[[Tensor], Tensor] = lambda mask: mask[..., None],
    certain: Callable[[Tensor, Tensor], Tensor] = lambda mine, there: mine,
    sure: Callable[[Tensor, Tensor], Tensor] = lambda confidence, iou: (confidence - iou) ** 2,
    others: Callable[[Tensor, Tensor], Tensor] = lambda mine, there: ~mine,
    empty: Callable[[Tensor, Tensor], Tensor] = lambda confidence, iou: confidence**2,
    named: Callable[[Tensor, Tensor], Tensor] = lambda mine, there: there[..., 0].float(),
    name: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda classes, labels, confidence: (classes - labels) ** 2,
    weights: tuple[float, ...] = (5.0, 5.0, 1.0, 0.5, 1.0),
    total: Callable[[str, Tensor, Tensor], Tensor] = lambda key, values, mask: (mask * values).sum(),
) -> Terms:
    """`yolo_terms` with one thing wrong: what the keyword arguments say. `there` is `(S, S, 1)` bool."""
    there = goal[..., 4:] > 0
    in_boxes = spread(boxes(mine, there).float())  # (S, S, B, 1)
    goals = align(goal)
    parts = (
        (place(xy, goals), in_boxes),
        (size(root_wh, goals), in_boxes),
        (sure(confidence, iou), certain(mine, there).float()),
        (empty(confidence, iou), others(mine, there).float()),
        (name(classes, labels, confidence), named(mine, there)[..., None]),
    )
    return {key: weight * total(key, *part) for key, weight, part in zip(NAMES, weights, parts, strict=True)}


def _root_of_difference(root: Tensor, goal: Tensor) -> Tensor:
    return ((root**2 - goal[..., 2:4]).abs().sqrt()) ** 2


def _cross_entropy(classes: Tensor, labels: Tensor, confidence: Tensor) -> Tensor:
    return -labels * classes.log()


def _scores(classes: Tensor, labels: Tensor, confidence: Tensor) -> Tensor:
    """Class times confidence, as in the answer's scores, held against the labels."""
    return (classes * confidence.amax(-1, keepdim=True) - labels) ** 2


def _floats(*args: Tensor) -> dict[str, float]:
    return {key: value.item() for key, value in terms_with(*args).items()}


def _together(*args: Tensor) -> Tensor:
    return torch.stack(list(terms_with(*args).values())).sum()


LOSS_MISTAKES = {
    "root_of_the_difference": (
        partial(terms_with, size=_root_of_difference),
        "You took the square root of the *difference* of two sizes, and squared it: that is the plain difference. Take "
        "the roots first, then the difference, then the square.",
    ),
    "no_roots": (
        partial(terms_with, size=lambda root, goal: (root**2 - goal[..., 2:4]) ** 2),
        "You compare width with width. Compare √w with √w, so that 5 pixels count for more on a small box.",
    ),
    "root_against_size": (
        partial(terms_with, size=lambda root, goal: (root - goal[..., 2:4]) ** 2),
        "root_wh holds roots, goal holds sizes. Take the root of the goal before you compare.",
    ),
    "size_against_root": (
        partial(terms_with, size=lambda root, goal: (root**2 - goal[..., 2:4].sqrt()) ** 2),
        "You square root_wh and take the root of the goal: sizes against roots. root_wh is a root already, leave it "
        "as it is.",
    ),
    "root_of_a_root": (
        partial(terms_with, size=lambda root, goal: (root.sqrt() - goal[..., 2:4].sqrt()) ** 2),
        "root_wh is a root already: the network puts it out so. You took another one.",
    ),
    "height_first": (
        partial(terms_with, size=lambda root, goal: (root - goal[..., 2:4].sqrt().flip(-1)) ** 2),
        "Your widths are compared with heights. The goal is x, y, w, h, and root_wh has the width first, too.",
    ),
    "width_alone": (
        partial(terms_with, size=lambda root, goal: (root - goal[..., 2:3].sqrt()) ** 2),
        "goal[..., 2:3] is the width alone, and broadcasting compares the height with it, too. Both are goal[..., "
        "2:4].",
    ),
    "one_place_on": (
        partial(terms_with, size=lambda root, goal: (root - goal[..., 3:5].sqrt()) ** 2),
        "goal[..., 3:5] is the height and the flag. Width and height are goal[..., 2:4]: the end is not included.",
    ),
    "not_aligned": (
        partial(terms_with, align=lambda goal: goal),
        "goal[..., :2] is (S, S, 2), xy is (S, S, B, 2): aligned from the right, the goal's columns meet the "
        "*boxes*, without a word where S = B. Make room for the boxes: goal[..., None, :2].",
    ),
    "aligned_with_columns": (
        partial(terms_with, align=lambda goal: goal[:, None]),
        "goal[:, None] makes room between rows and columns, so that the goal's columns meet the boxes. The boxes "
        "come third: goal[:, :, None], or goal[..., None, :2].",
    ),
    "target_is_1": (
        partial(terms_with, sure=lambda confidence, iou: (confidence - 1) ** 2),
        "Your confidence should become 1. Its target is the IoU: how good the box is that it speaks for.",
    ),
    "nothing_learned": (
        partial(terms_with, sure=lambda confidence, iou: (confidence.detach() - iou) ** 2),
        "The values are right, but you detached the confidence, so that it would never learn. The number without a "
        "gradient is its target, the IoU.",
    ),
    "no_object_aims_at_iou": (
        partial(terms_with, empty=lambda confidence, iou: (confidence - iou) ** 2),
        "Your fourth term compares with the IoU. Boxes that are not responsible should say 0, also where they "
        "overlap the object.",
    ),
    "no_object_aims_at_1": (
        partial(terms_with, empty=lambda confidence, iou: (1 - confidence) ** 2),
        "Your fourth term pushes boxes without an object towards 1. They should say 0: confidence².",
    ),
    "no_object_not_squared": (
        partial(terms_with, empty=lambda confidence, iou: confidence),
        "Your fourth term sums the confidences as they are. It is a squared difference from 0, as all terms are: "
        "confidence².",
    ),
    "cross_entropy": (
        partial(terms_with, name=_cross_entropy),
        "That is cross-entropy. This paper takes squared differences for classes, too; version 2 changed it.",
    ),
    "right_class_only": (
        partial(terms_with, name=lambda classes, labels, confidence: labels * (classes - labels) ** 2),
        "You look at the right class alone. The others should be 0, and count when they are not.",
    ),
    "scores_for_classes": (
        partial(terms_with, name=_scores),
        "You multiply the class scores by the confidence first. That is for the answer's scores; the loss compares "
        "the class scores alone with the labels.",
    ),
    "weights_swapped": (
        partial(terms_with, weights=(0.5, 0.5, 1.0, 5.0, 1.0)),
        "λ_coord and λ_noobj are swapped: places count 5, boxes without an object 0.5.",
    ),
    "no_weights": (
        partial(terms_with, weights=(1.0, 1.0, 1.0, 1.0, 1.0)),
        "The weights are missing: 5 for both terms on places, 0.5 for boxes without an object.",
    ),
    "no_coord": (
        partial(terms_with, weights=(1.0, 1.0, 1.0, 0.5, 1.0)),
        "λ_coord is missing: the terms on centre and size count 5.",
    ),
    "no_noobj": (
        partial(terms_with, weights=(5.0, 5.0, 1.0, 1.0, 1.0)),
        "λ_noobj is missing: boxes without an object count 0.5.",
    ),
    "coord_on_confidence": (
        partial(terms_with, weights=(5.0, 5.0, 5.0, 0.5, 1.0)),
        "λ_coord weighs places alone. The confidence of responsible boxes counts 1.",
    ),
    "size_weighs_1": (
        partial(terms_with, weights=(5.0, 1.0, 1.0, 0.5, 1.0)),
        "λ_coord weighs sizes, too: 5 for both terms on places.",
    ),
    "noobj_on_object": (
        partial(terms_with, weights=(5.0, 5.0, 0.5, 1.0, 1.0)),
        "The 0.5 is on the wrong term: responsible boxes count 1, all the *other* boxes 0.5.",
    ),
    "noobj_on_both": (
        partial(terms_with, weights=(5.0, 5.0, 0.5, 0.5, 1.0)),
        "You weigh both terms of confidence by 0.5. Only boxes that are not responsible count half.",
    ),
    "weight_in_the_square_of_xy": (
        partial(terms_with, weights=(25.0, 5.0, 1.0, 0.5, 1.0)),
        "In the term of xy the 5 is inside the square, so it counts 25. Square the difference first, then multiply.",
    ),
    "weight_in_the_squares_of_places": (
        partial(terms_with, weights=(25.0, 25.0, 1.0, 0.5, 1.0)),
        "In xy and wh the 5 is inside the square, so it counts 25. Square the differences first, then multiply.",
    ),
    "weights_in_all_squares": (
        partial(terms_with, weights=(25.0, 25.0, 1.0, 0.25, 1.0)),
        "Your weights are inside the squares: 5 counts 25, and 0.5 counts 0.25. Square first, then multiply.",
    ),
    "floats": (
        _floats,
        "You give back plain numbers. Nothing could be learned from them: keep the tensors, without .item() or "
        "float().",
    ),
    "together": (
        _together,
        "You added the five terms up. They are wanted one by one, in a dict, so that each can be looked at.",
    ),
}
