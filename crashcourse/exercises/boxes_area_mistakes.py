"""Lesson 20, boxes: what people get wrong in average precision, each as code, with its hint."""

import torch
from torch import Tensor


def _curve(correct: Tensor) -> Tensor:
    return correct.cumsum(0) / torch.arange(1, len(correct) + 1)


def _envelope(precision: Tensor) -> Tensor:
    return precision.flip(0).cummax(0).values.flip(0)


def _eleven(correct: Tensor, objects: int) -> float:
    recall, best = correct.cumsum(0) / objects, _envelope(_curve(correct))
    points = [best[recall >= step / 10 - 1e-6] for step in range(11)]
    return sum(point[0].item() if len(point) else 0.0 for point in points) / 11


def _strictly_later(correct: Tensor, objects: int) -> float:
    later = torch.cat([_envelope(_curve(correct))[1:], torch.zeros(1)])
    return (later[correct].sum() / objects).item()


def _turned(correct: Tensor, objects: int) -> float:
    turned = correct.flip(0)
    return (_curve(turned).cummax(0).values[turned].sum() / objects).item()


def _rest_added(correct: Tensor, objects: int) -> float:
    curve = _curve(correct)
    return (_envelope(curve)[correct].sum() / objects + (1 - correct.sum() / objects) * curve[-1]).item()


def _not_unpacked(correct: Tensor, objects: int) -> float:
    return _curve(correct).flip(0).cummax(0).flip(0)[correct].sum().item() / objects


def _stacked(correct: Tensor, objects: int) -> float:
    best = _envelope(_curve(correct))
    return torch.stack([best[i] for i in range(len(correct)) if correct[i]]).sum().item() / objects


AP_MISTAKES = {
    "no_envelope": (
        lambda correct, objects: (_curve(correct)[correct].sum() / objects).item(),
        "The precision at each place is used as it is. Take the best precision at that place *or any later one*.",
    ),
    "envelope_from_the_left": (
        lambda correct, objects: (_curve(correct).cummax(0).values[correct].sum() / objects).item(),
        "Your running maximum goes from the first detection on. It must come from the right: flip before and after.",
    ),
    "mean_over_found": (
        lambda correct, objects: _envelope(_curve(correct))[correct].mean().item(),
        "You divide by the objects that were found. Those that were missed count, too: divide by `objects`.",
    ),
    "mean_over_detections": (
        lambda correct, objects: _envelope(_curve(correct)).mean().item(),
        "You average over all detections. Only those that found an object move recall on; divide by `objects`.",
    ),
    "all_places": (
        lambda correct, objects: (_envelope(_curve(correct)).sum() / objects).item(),
        "You also add the precision at wrong detections. Recall does not grow there, so they add no area.",
    ),
    "precision_at_the_end": (
        lambda correct, objects: (correct.sum() / len(correct)).item(),
        "That is the precision of the whole list. Order counts: sum over places.",
    ),
    "recall_at_the_end": (
        lambda correct, objects: (correct.sum() / objects).item(),
        "That is the recall of the whole list. Weigh each step of recall with its precision.",
    ),
    "counted_from_zero": (
        lambda correct, objects: (
            _envelope(correct.cumsum(0) / torch.arange(len(correct)).clamp(min=1))[correct].sum() / objects
        ).item(),
        "The first detection is number 1: divide by arange(1, D + 1), not by arange(D).",
    ),
    "eleven_points": (
        _eleven,
        "That is the mean over 11 points of recall (VOC 2007). Here the exact area is wanted: all steps.",
    ),
    "trapezoid": (
        lambda correct, objects: torch.trapezoid(_curve(correct), correct.cumsum(0) / objects).item(),
        "You join the points by slopes (trapz). The curve is made of steps: each right detection adds 1 / objects "
        "times the best precision from there on.",
    ),
    "f1": (
        lambda correct, objects: (2 * correct.sum() / (len(correct) + objects)).item(),
        "That is the F1 score of the whole list. Average precision goes through it place by place.",
    ),
    "false_positives_only": (
        lambda correct, objects: (_envelope(1 - _curve(correct))[correct].sum() / objects).item(),
        "You used the part that is wrong. Precision is the part that is right.",
    ),
    "per_cent": (
        lambda correct, objects: (100 * _envelope(_curve(correct))[correct].sum() / objects).item(),
        "That is per cent. Average precision lies between 0 and 1.",
    ),
    "not_divided": (
        lambda correct, objects: _envelope(_curve(correct))[correct].sum().item(),
        "The sum is right. Each right detection is a step of 1 / objects: divide by `objects`.",
    ),
    "by_detections": (
        lambda correct, objects: (_envelope(_curve(correct))[correct].sum() / len(correct)).item(),
        "You divide by the number of detections. The steps of recall are 1 / objects.",
    ),
    "not_turned_back": (
        lambda correct, objects: (_curve(correct).flip(0).cummax(0).values[correct].sum() / objects).item(),
        "Your running maximum is still in reverse order. Flip it back before you choose the right detections.",
    ),
    "list_turned": (
        _turned,
        "You turn the list before you count. Precision is counted from the best score on; turn only the precision.",
    ),
    "indices": (
        lambda correct, objects: (_curve(correct).flip(0).cummax(0).indices.flip(0)[correct].sum() / objects).item(),
        "Those are the places of the maxima. cummax returns values and indices: take .values.",
    ),
    "strictly_later": (
        _strictly_later,
        "You take the best precision *after* each place. The place itself counts, too.",
    ),
    "largest_of_all": (
        lambda correct, objects: (_curve(correct).max() * correct.sum() / objects).item(),
        "You take the largest precision of the whole list everywhere. Only this place and later ones count.",
    ),
    "first_step_missing": (
        lambda correct, objects: (_envelope(_curve(correct))[1:] * (correct.cumsum(0) / objects).diff()).sum().item(),
        "The step from recall 0 to the first point is missing: trapz and diff begin at that point. Put a recall of 0 "
        "in front, or add up the right detections.",
    ),
    "precision_by_objects": (
        lambda correct, objects: (_envelope(correct.cumsum(0) / objects)[correct].sum() / objects).item(),
        "You divide right detections by the objects: that is recall. Precision divides by the place, 1 to D.",
    ),
    "times_recall": (
        lambda correct, objects: (_envelope(_curve(correct)) * correct.cumsum(0) / objects**2).sum().item(),
        "You weigh with recall itself. Weigh with how much recall *grows*: 1 / objects at each right detection.",
    ),
    "all_places_as_they_are": (
        lambda correct, objects: (_curve(correct).sum() / objects).item(),
        "You add up precision at every place. Only right detections move recall on, each with the best precision there "
        "or later.",
    ),
    "last_precision": (
        lambda correct, objects: (_curve(correct)[-1] * correct.sum() / objects).item(),
        "That is precision times recall at the end of the list: one rectangle. Each step has a precision of its own.",
    ),
    "rest_added": (
        _rest_added,
        "You also count the recall that was never reached. What was missed earns nothing.",
    ),
    "cummax_not_unpacked": (
        _not_unpacked,
        "cummax returns a pair, values and indices: write .cummax(0).values.",
    ),
    "nothing_right_fails": (
        _stacked,
        "It fails when nothing is right: there is nothing to stack. Start from a sum of 0.",
    ),
}
