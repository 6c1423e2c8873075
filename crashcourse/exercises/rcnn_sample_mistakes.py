"""Lesson 23: what people get wrong in choosing anchors, each as code that behaves so, with its hint."""

from collections.abc import Callable

import torch
from torch import Tensor


def _masks(iou: Tensor, *, high: float = 0.7, low: float = 0.3, best: bool = True) -> tuple[Tensor, Tensor]:
    most = iou.amax(0)
    positive = most >= high
    if best:
        positive[iou.argmax(1)] = True
    return positive, (most < low) & ~positive


def _sample(
    iou: Tensor,
    order: Tensor,
    count: int,
    *,
    masks: Callable[[Tensor], tuple[Tensor, Tensor]] = _masks,
    most: Callable[[int], int] = lambda count: count // 2,
    rest: Callable[[int, int], int] = lambda count, taken: count - taken,
    rank: Callable[[Tensor], Tensor] = lambda order: order,
    values: tuple[int, int, int] = (1, 0, -1),
    out: int | None = None,
) -> Tensor:
    """`sample_anchors` with one thing wrong: what the keyword arguments say."""
    positive, negative = masks(iou)
    order = rank(order)
    objects = order[positive[order]][: most(count)]
    background = order[negative[order]][: max(0, rest(count, len(objects)))]
    labels = torch.full((out or len(order),), values[2])
    labels[background] = values[1]
    labels[objects] = values[0]
    return labels


def _best_stays_negative(iou: Tensor) -> tuple[Tensor, Tensor]:
    positive, _ = _masks(iou)
    negative = iou.amax(0) < 0.3
    return positive & ~negative, negative


def _smallest_iou(iou: Tensor) -> tuple[Tensor, Tensor]:
    positive, _ = _masks(iou)
    return positive, (iou.amin(0) < 0.3) & ~positive


def _one_best(iou: Tensor) -> tuple[Tensor, Tensor]:
    positive = iou.amax(0) >= 0.7
    positive[iou.amax(0).argmax()] = True
    return positive, (iou.amax(0) < 0.3) & ~positive


def _strictly_above(iou: Tensor) -> tuple[Tensor, Tensor]:
    most = iou.amax(0)
    positive = most > 0.7
    positive[iou.argmax(1)] = True
    return positive, (most < 0.3) & ~positive


def _up_to(iou: Tensor) -> tuple[Tensor, Tensor]:
    positive, _ = _masks(iou)
    return positive, (iou.amax(0) <= 0.3) & ~positive


def _only_in_between(iou: Tensor) -> tuple[Tensor, Tensor]:
    positive, _ = _masks(iou)
    return positive, (iou.amax(0) >= 0.3) & ~positive


def _one_number(number: Callable[[Tensor], Tensor]) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """What an anchor has to do with all objects, in another number than the largest IoU."""

    def masks(iou: Tensor) -> tuple[Tensor, Tensor]:
        positive = number(iou) >= 0.7
        positive[iou.argmax(1)] = True
        return positive, (number(iou) < 0.3) & ~positive

    return masks


def _objects_as_anchors(iou: Tensor) -> tuple[Tensor, Tensor]:
    positive = iou.amax(0) >= 0.7
    positive[iou.argmax(0)] = True
    return positive, (iou.amax(0) < 0.3) & ~positive


def _best_is_both(iou: Tensor) -> tuple[Tensor, Tensor]:
    positive, _ = _masks(iou)
    return positive, iou.amax(0) < 0.3


def _background_last(iou: Tensor, order: Tensor, count: int) -> Tensor:
    """As `_best_is_both`, and background is written over objects."""
    positive, negative = _best_is_both(iou)
    objects = order[positive[order]][: count // 2]
    labels = torch.full_like(order, -1)
    labels[objects] = 1
    labels[order[negative[order]][: count - len(objects)]] = 0
    return labels


def _best_first(iou: Tensor, order: Tensor, count: int) -> Tensor:
    positive, negative = _masks(iou)
    objects = torch.where(positive, iou.amax(0), -1).argsort(descending=True)[: min(count // 2, int(positive.sum()))]
    labels = torch.full_like(order, -1)
    labels[order[negative[order]][: count - len(objects)]] = 0
    labels[objects] = 1
    return labels


def _best_above_the_limit(iou: Tensor, order: Tensor, count: int) -> Tensor:
    labels = _sample(iou, order, count)
    labels[iou.argmax(1)] = 1
    return labels


def _first_of_all(iou: Tensor, order: Tensor, count: int) -> Tensor:
    return _sample(iou, order[:count], count, out=len(order))


def _all_positives_count(iou: Tensor, order: Tensor, count: int) -> Tensor:
    there = int(_masks(iou)[0].sum())
    return _sample(iou, order, count, rest=lambda count, taken: count - there)


def _as_ranks(iou: Tensor, order: Tensor, count: int) -> Tensor:
    return _sample(iou, order.argsort(), count)


def _indices(iou: Tensor, order: Tensor, count: int) -> Tensor:
    labels = _sample(iou, order, count)
    return torch.cat([order[labels[order] == 1], order[labels[order] == 0]])


def _only_best(iou: Tensor) -> tuple[Tensor, Tensor]:
    positive = torch.zeros(iou.shape[1], dtype=torch.bool)
    positive[iou.argmax(1)] = True
    return positive, (iou.amax(0) < 0.3) & ~positive


def _everything_else(iou: Tensor) -> tuple[Tensor, Tensor]:
    positive, _ = _masks(iou)
    return positive, ~positive


def _objects_of(iou: Tensor, order: Tensor, count: int) -> Tensor:
    labels = _sample(iou, order, count)
    return torch.where(labels == 1, iou.argmax(0) + 1, labels)


SAMPLE_MISTAKES = {
    "no_best": (
        lambda *a: _sample(*a, masks=lambda iou: _masks(iou, best=False)),
        "An object without an anchor of 0.7 is learned by none in your code. The best anchor of each object counts.",
    ),
    "only_best": (
        lambda *a: _sample(*a, masks=_only_best),
        "Only the best anchor of each object is positive in your code. All with an IoU of 0.7 or more are.",
    ),
    "one_best_for_all": (
        lambda *a: _sample(*a, masks=_one_best),
        "You take the best anchor of all objects together. *Each* object has its own: iou.argmax(1).",
    ),
    "best_stays_negative": (
        lambda *a: _sample(*a, masks=_best_stays_negative),
        "The best anchor of an object is background in your code where its IoU is below 0.3. It is positive, however "
        "small its IoU.",
    ),
    "threshold_half": (
        lambda *a: _sample(*a, masks=lambda iou: _masks(iou, high=0.5)),
        "You count anchors from 0.5 on. That is the second stage's rule; the RPN asks for 0.7.",
    ),
    "in_between_is_background": (
        lambda *a: _sample(*a, masks=_everything_else),
        "Everything that is not positive is background in your code. From 0.3 to 0.7 an anchor is neither.",
    ),
    "background_up_to_half": (
        lambda *a: _sample(*a, masks=lambda iou: _masks(iou, low=0.5)),
        "Background ends at 0.3, not at 0.5.",
    ),
    "background_of_one_object": (
        lambda *a: _sample(*a, masks=_smallest_iou),
        "You look at the smallest IoU. An anchor is background when its IoU with *every* object is below 0.3.",
    ),
    "half_background": (
        lambda *a: _sample(*a, rest=lambda count, taken: count // 2),
        "You take half of `count` as background, always. Where objects are few, background fills up to `count`.",
    ),
    "as_many_as_objects": (
        lambda *a: _sample(*a, rest=lambda count, taken: taken),
        "You take as much background as objects. It fills up to `count`.",
    ),
    "all_positives": (
        lambda *a: _sample(*a, most=lambda count: count),
        "More than half of your anchors may be objects. At most count // 2 are.",
    ),
    "all_background": (
        lambda *a: _sample(*a, rest=lambda count, taken: 10**6),
        "You take all background. There are hundreds of times more of it: stop at `count` in all.",
    ),
    "quarter": (
        lambda *a: _sample(*a, most=lambda count: count // 4),
        "A quarter is the second stage's part. In the RPN up to half are objects.",
    ),
    "order_ignored": (
        lambda *a: _sample(*a, rank=lambda order: order.sort().values),
        "You take anchors as they lie, so that the upper left of the image is learned most. Take them in `order`.",
    ),
    "order_backwards": (
        lambda *a: _sample(*a, rank=lambda order: order.flip(0)),
        "You take anchors from the end of `order`. Begin at its start.",
    ),
    "not_taken_is_background": (
        lambda *a: _sample(*a, values=(1, 0, 0)),
        "Anchors that are not taken are 0, as background is. They are -1.",
    ),
    "background_is_minus_one": (
        lambda *a: _sample(*a, values=(1, -1, 0)),
        "Background is 0 and what is not taken is -1. You have them the other way round.",
    ),
    "which_object": (
        _objects_of,
        "Your labels say which object it is. The RPN only asks whether there is one: 1 for all.",
    ),
    "strictly_above": (
        lambda *a: _sample(*a, masks=_strictly_above),
        "An IoU of exactly 0.7 is positive: ≥, not >.",
    ),
    "up_to_and_with": (
        lambda *a: _sample(*a, masks=_up_to),
        "An IoU of exactly 0.3 is no background: <, not ≤.",
    ),
    "in_between_only": (
        lambda *a: _sample(*a, masks=_only_in_between),
        "You take the anchors between 0.3 and 0.7 as background. They are neither; background is *below* 0.3.",
    ),
    "smallest_for_both": (
        lambda *a: _sample(*a, masks=_one_number(lambda iou: iou.amin(0))),
        "You compare an anchor's smallest IoU with both thresholds. The object that it fits best counts: iou.amax(0).",
    ),
    "mean_over_objects": (
        lambda *a: _sample(*a, masks=_one_number(lambda iou: iou.mean(0))),
        "You average an anchor's IoU over the objects. It can fit one at most: take the largest, iou.amax(0).",
    ),
    "objects_as_anchors": (
        lambda *a: _sample(*a, masks=_objects_as_anchors),
        "iou.argmax(0) is the number of an object, and you use it as an anchor's. The best anchors: iou.argmax(1).",
    ),
    "best_is_both": (
        lambda *a: _sample(*a, masks=_best_is_both),
        "The best anchor of an object still counts among the background where its IoU is below 0.3, and takes a place "
        "there. Background are the *other* anchors.",
    ),
    "background_over_objects": (
        _background_last,
        "You write background over the best anchor of an object where its IoU is below 0.3. Leave positives out of the "
        "negatives.",
    ),
    "best_first": (
        _best_first,
        "You take the positives with the largest IoU. Take them as they come in `order`.",
    ),
    "best_above_the_limit": (
        _best_above_the_limit,
        "You set the best anchor of each object after the draw, beyond the limit. It is a candidate like the others.",
    ),
    "first_of_all": (
        _first_of_all,
        "You look at the first `count` of all anchors only. Go through `order` until enough *candidates* are found.",
    ),
    "all_positives_count": (
        _all_positives_count,
        "You subtract all positives from `count`. Only those that were taken leave fewer places for background.",
    ),
    "three_to_one": (
        lambda *a: _sample(*a, rest=lambda count, taken: 3 * taken),
        "You take three of background for each object, as SSD does. Here background fills up to `count`.",
    ),
    "order_as_ranks": (
        _as_ranks,
        "You read `order` as each anchor's rank. It lists anchors: order[0] is the number of the first to take.",
    ),
    "labels_in_order": (
        lambda iou, order, count: _sample(iou, order, count)[order],
        "Your labels lie in the sequence of `order`. Label i belongs to anchor i: labels[objects] = 1.",
    ),
    "indices": (
        _indices,
        "You return the numbers of the anchors that are taken. A label for every anchor is wanted: 1, 0 or -1.",
    ),
}
