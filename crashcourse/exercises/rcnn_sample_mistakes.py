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
) -> Tensor:
    """`sample_anchors` with one thing wrong: what the keyword arguments say."""
    positive, negative = masks(iou)
    order = rank(order)
    objects = order[positive[order]][: most(count)]
    background = order[negative[order]][: max(0, rest(count, len(objects)))]
    labels = torch.full_like(order, values[2])
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
    """Exactly 0.7 is left out unless it is the best: the best of an object does not count as such where it is 0.7."""
    most = iou.amax(0)
    positive = most > 0.7
    positive[iou.argmax(1)] = iou.amax(1) != 0.7
    return positive, (most < 0.3) & ~positive


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
}
