"""Lesson 22, SSD: what people get wrong in matching and in hard negatives, each as code, with its hint."""

from collections.abc import Callable

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
}


def _chosen(
    loss: Tensor,
    positive: Tensor,
    ratio: int,
    *,
    descending: bool = True,
    out_of_the_way: float = -torch.inf,
    quota: Callable[[Tensor, int], Tensor] = lambda positive, ratio: ratio * positive.sum(1, keepdim=True),
) -> Tensor:
    """`hardest_negatives`, positives not yet taken out, with one thing wrong: what the keyword arguments say."""
    hidden = loss.masked_fill(positive, out_of_the_way if descending else torch.inf)
    rank = hidden.argsort(1, descending=descending).argsort(1)
    return rank < quota(positive, ratio)


def _right(loss: Tensor, positive: Tensor, ratio: int) -> Tensor:
    return _chosen(loss, positive, ratio) & ~positive


def _not_hidden(loss: Tensor, positive: Tensor, ratio: int) -> Tensor:
    rank = loss.argsort(1, descending=True).argsort(1)
    return (rank < ratio * positive.sum(1, keepdim=True)) & ~positive


def _whole_batch(loss: Tensor, positive: Tensor, ratio: int) -> Tensor:
    return _right(loss.view(1, -1), positive.view(1, -1), ratio).view_as(loss)


def _one_argsort(loss: Tensor, positive: Tensor, ratio: int) -> Tensor:
    order = loss.masked_fill(positive, -torch.inf).argsort(1, descending=True)
    return (order < ratio * positive.sum(1, keepdim=True)) & ~positive


def _in_order(loss: Tensor, positive: Tensor, ratio: int) -> Tensor:
    return ~positive & ((~positive).cumsum(1) <= ratio * positive.sum(1, keepdim=True))


def _indices(loss: Tensor, positive: Tensor, ratio: int) -> list[list[int]]:
    return [row.nonzero()[:, 0].tolist() for row in _right(loss, positive, ratio)]


def _quota(quota: Callable[[Tensor, int], Tensor]) -> Callable[[Tensor, Tensor, int], Tensor]:
    return lambda loss, positive, ratio: _chosen(loss, positive, ratio, quota=quota) & ~positive


def _above_the_mean(loss: Tensor, positive: Tensor, ratio: int) -> Tensor:
    return (loss > loss.mean(1, keepdim=True)) & ~positive


NEGATIVE_MISTAKES = {
    "easiest": (
        lambda *a: _chosen(*a, descending=False) & ~a[1],
        "You keep the negatives with the *lowest* loss: those that the network already knows. Sort by falling loss.",
    ),
    "positives_take_places": (
        _not_hidden,
        "Positives with a high loss take places among the hardest, so that too few negatives are left. Put their loss "
        "to -inf before you sort.",
    ),
    "positives_fill_up": (
        _chosen,
        "Where there are not enough negatives, positives come after them and are counted as negatives. End with "
        "& ~positive.",
    ),
    "with_positives": (
        lambda *a: _right(*a) | a[1],
        "Your result holds the positives, too. Only negatives are asked for.",
    ),
    "whole_batch": (
        _whole_batch,
        "You count and sort over the whole batch. Each image has its own quota: sort along dimension 1.",
    ),
    "one_argsort": (
        _one_argsort,
        "argsort says which entry stands at a place. The place of an entry, its rank, is the argsort of that.",
    ),
    "in_order": (
        _in_order,
        "You take the first negatives as they lie. The highest loss decides.",
    ),
    "all_negatives": (
        lambda loss, positive, ratio: ~positive,
        "Every negative counts in your code. Thousands of easy ones would drown the few positives: keep ratio · "
        "positives.",
    ),
    "three": (
        _quota(lambda positive, ratio: 3 * positive.sum(1, keepdim=True)),
        "You take three for each positive whatever `ratio` says.",
    ),
    "as_many_as_positives": (
        _quota(lambda positive, ratio: positive.sum(1, keepdim=True)),
        "You take one for each positive. Take `ratio` for each.",
    ),
    "ratio_in_all": (
        _quota(lambda positive, ratio: torch.full_like(positive.sum(1, keepdim=True), ratio)),
        "You take `ratio` negatives for an image. It is `ratio` for each of its positives.",
    ),
    "never_none": (
        _quota(lambda positive, ratio: ratio * positive.sum(1, keepdim=True).clamp(min=1)),
        "An image without a positive has no negatives that count: ratio · 0.",
    ),
    "positives_in_the_ratio": (
        _quota(lambda positive, ratio: (ratio - 1) * positive.sum(1, keepdim=True)),
        "ratio counts negatives alone: with 3 there are three negatives and one positive.",
    ),
    "of_the_negatives": (
        _quota(lambda positive, ratio: (~positive).sum(1, keepdim=True) // ratio),
        "You keep a part of the negatives. How many count depends on the positives: ratio times as many.",
    ),
    "above_the_mean": (
        _above_the_mean,
        "You keep what is above the mean loss. How many there are is fixed: ratio · positives.",
    ),
    "indices": (
        _indices,
        "Those are the indices of the negatives that count. Return a mask, (N, P) bool.",
    ),
}
