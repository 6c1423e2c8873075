"""Lesson 22, SSD: what people get wrong in matching, each as code that behaves so, with its hint."""

import torch
from torch import Tensor


def _above(iou: Tensor, threshold: float) -> Tensor:
    """The first rule alone: each default box and its best object."""
    best, matched = iou.max(0)
    return torch.where(best > threshold, matched, -1)


def _each_object(iou: Tensor, matched: Tensor) -> Tensor:
    """The second rule on top: each object and its best default box."""
    matched = matched.clone()
    matched[iou.argmax(1)] = torch.arange(len(iou))
    return matched


def _nothing(iou: Tensor) -> Tensor:
    return torch.full((iou.shape[1],), -1)


def _first_rule_wins(iou: Tensor, threshold: float) -> Tensor:
    good = _above(iou, threshold)
    return torch.where(good >= 0, good, _each_object(iou, _nothing(iou)))


def _only_the_homeless(iou: Tensor, threshold: float) -> Tensor:
    matched = _above(iou, threshold)
    for number in range(len(iou)):
        if not (matched == number).any():
            matched[iou[number].argmax()] = number
    return matched


def _any_above(iou: Tensor, threshold: float, *, last: bool) -> Tensor:
    matched = _nothing(iou)
    for number in range(len(iou)) if last else reversed(range(len(iou))):
        matched[iou[number] > threshold] = number
    return _each_object(iou, matched)


def _best_per_object_above(iou: Tensor, threshold: float) -> Tensor:
    matched = _above(iou, threshold)
    best, place = iou.max(1)
    matched[place[best > threshold]] = torch.arange(len(iou))[best > threshold]
    return matched


def _transposed(iou: Tensor, threshold: float) -> Tensor:
    best, matched = iou.max(1)
    return torch.where(best > threshold, matched, -1)


def _at_least(iou: Tensor, threshold: float) -> Tensor:
    best, matched = iou.max(0)
    return _each_object(iou, torch.where(best >= threshold, matched, -1))


def _threshold_last(iou: Tensor, threshold: float) -> Tensor:
    matched = _each_object(iou, iou.argmax(0))
    matched[iou.amax(0) <= threshold] = -1
    return matched


def _own_best_above(iou: Tensor, threshold: float) -> Tensor:
    best, place = iou.max(1)
    matched = _nothing(iou)
    matched[place[best > threshold]] = torch.arange(len(iou))[best > threshold]
    return matched


def _unless_tiny(iou: Tensor, threshold: float) -> Tensor:
    matched = _above(iou, threshold)
    for number, row in enumerate(iou):
        if row.max() > 0.1:
            matched[row.argmax()] = number
    return matched


def _below(iou: Tensor, threshold: float) -> Tensor:
    best, matched = iou.max(0)
    return _each_object(iou, torch.where(best < threshold, matched, -1))


def _pairs(iou: Tensor, threshold: float) -> Tensor:
    learned = iou > threshold
    learned[torch.arange(len(iou)), iou.argmax(1)] = True
    return learned


MATCH_MISTAKES = {
    "threshold_only": (
        _above,
        "An object that no default box overlaps well is learned by none in your code. Each object's best default box "
        "learns it, however little they overlap.",
    ),
    "best_only": (
        lambda iou, threshold: _each_object(iou, _nothing(iou)),
        "Only one default box learns each object. All those above the threshold do, too.",
    ),
    "at_the_threshold": (
        _at_least,
        "At exactly the threshold a default box stays background: above means >.",
    ),
    "first_rule_wins": (
        _first_rule_wins,
        "A default box that an object needs as its best one was left to another object, which it overlaps more. The "
        "object's claim comes last and wins.",
    ),
    "only_the_homeless": (
        _only_the_homeless,
        "You give a best default box only to objects that have none yet. Every object gets its best one, also when "
        "others learn it too.",
    ),
    "best_must_be_above": (
        _best_per_object_above,
        "Your second rule asks for the threshold again. It is there for the objects that nothing overlaps that much.",
    ),
    "last_object": (
        lambda iou, threshold: _any_above(iou, threshold, last=True),
        "Where several objects are above the threshold you take the last one. Take the one with the largest IoU.",
    ),
    "first_object": (
        lambda iou, threshold: _any_above(iou, threshold, last=False),
        "Where several objects are above the threshold you take the first one. Take the one with the largest IoU.",
    ),
    "no_background": (
        lambda iou, threshold: _each_object(iou, iou.argmax(0)),
        "Every default box learns an object in your code. Most see only background: -1 unless the IoU is above the "
        "threshold.",
    ),
    "background_is_zero": (
        lambda iou, threshold: _each_object(iou, _above(iou, threshold).clamp(min=0)),
        "0 is the first object. Background is -1 here.",
    ),
    "from_one": (
        lambda iou, threshold: _each_object(iou, _above(iou, threshold)) + 1,
        "You count objects from 1, with 0 for background. Here objects count from 0 and background is -1.",
    ),
    "mask": (
        lambda iou, threshold: _each_object(iou, _above(iou, threshold)) >= 0,
        "That says whether a default box learns an object. Say which one.",
    ),
    "wrong_dimension": (
        _transposed,
        "You return one number for each object. Return one for each default box: the maximum runs over the objects, "
        "dimension 0.",
    ),
    "half": (
        lambda iou, threshold: _each_object(iou, _above(iou, 0.5)),
        "Your threshold is 0.5 whatever the argument says.",
    ),
    "no_rule": (
        lambda iou, threshold: iou.argmax(0),
        "Each default box learns its best object in your code, even with an IoU of 0. The first rule asks for more "
        "than the threshold; the second looks along the other dimension, at each object's best default box.",
    ),
    "threshold_last": (
        _threshold_last,
        "Your last step sets all default boxes below the threshold to background, also those that are an object's "
        "best. The second rule comes last.",
    ),
    "own_best_above": (
        _own_best_above,
        "Each object has at most one default box in your code, and only above the threshold. By the first rule all "
        "above the threshold learn it; by the second its best one does, however little they overlap.",
    ),
    "unless_tiny": (
        _unless_tiny,
        "Objects that hardly overlap any default box are learned by none in your code. An IoU of 0.02 is enough for "
        "the second rule, if no other is larger.",
    ),
    "below_the_threshold": (
        _below,
        "You keep what overlaps *less* than the threshold. Those are background.",
    ),
    "box_of_each_object": (
        lambda iou, threshold: iou.argmax(1),
        "Those are the best default boxes, one number for each object. Turn it round: for each default box, the number "
        "of its object.",
    ),
    "both_transposed": (
        lambda iou, threshold: _each_object(iou.T, _above(iou.T, threshold)),
        "Rows of iou are objects, columns default boxes. Both your rules run along the wrong dimension: the first one "
        "looks along 0, the second along 1.",
    ),
    "pairs": (
        _pairs,
        "That is a mask of all pairs, (M, P). Return one number for each default box: which object it learns.",
    ),
    "ones": (
        lambda iou, threshold: torch.where(_each_object(iou, _above(iou, threshold)) >= 0, 1, -1),
        "You mark matched default boxes with 1. Put the index of the object there.",
    ),
}
