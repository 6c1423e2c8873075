"""Lesson 22, SSD: what people get wrong in choosing hard negatives, each as code that behaves so, with its hint."""

from collections.abc import Callable

import torch
from torch import Tensor


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


def _ranked(loss: Tensor, positive: Tensor, ratio: int, *, dim: int, descending: bool = True) -> Tensor:
    rank = loss.masked_fill(positive, -torch.inf).argsort(dim, descending=descending).argsort(dim)
    return (rank < ratio * positive.sum(1, keepdim=True)) & ~positive


def _by_topk(loss: Tensor, positive: Tensor, ratio: int) -> Tensor:
    chosen = torch.zeros_like(positive)
    for row, costs in enumerate(loss.masked_fill(positive, -torch.inf)):
        chosen[row, costs.topk(ratio * int(positive[row].sum())).indices] = True
    return chosen & ~positive


def _first_places(loss: Tensor, positive: Tensor, ratio: int) -> Tensor:
    return (torch.arange(loss.shape[1]) < ratio * positive.sum(1, keepdim=True)) & ~positive


def _hiding(hidden: Tensor, loss: Tensor, positive: Tensor, ratio: int) -> Tensor:
    rank = loss.masked_fill(hidden, -torch.inf).argsort(1, descending=True).argsort(1)
    return rank < ratio * positive.sum(1, keepdim=True)


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
    "positives_as_they_are": (
        lambda *a: _hiding(torch.zeros_like(a[1]), *a),
        "Positives are ranked and kept like negatives in your code. Hide them before you sort, and leave them out of "
        "the result.",
    ),
    "only_positives_ranked": (
        lambda *a: _hiding(~a[1], *a),
        "You put the negatives out of the way and rank the positives. It is the other way round.",
    ),
    "quota_of_the_batch": (
        _quota(lambda positive, ratio: ratio * positive.sum()),
        "Each image gets a quota for the positives of the whole batch. Count its own: sum along dimension 1.",
    ),
    "fullest_image": (
        _quota(lambda positive, ratio: ratio * positive.sum(1).max()),
        "Each image gets the quota of the image with most positives. Count its own.",
    ),
    "count_across_images": (
        _quota(lambda positive, ratio: ratio * positive.sum(0)),
        "positive.sum(0) says in how many images a default box is positive. Count along dimension 1, with "
        "keepdim=True: one quota for each image.",
    ),
    "one_too_many": (
        _quota(lambda positive, ratio: ratio * positive.sum(1, keepdim=True) + 1),
        "You keep one too many in each image: ranks begin at 0, so that k of them are < k.",
    ),
    "across_images": (
        lambda *a: _ranked(*a, dim=0),
        "You sort along dimension 0, the same default box in all images. Sort each image: dimension 1.",
    ),
    "rising": (
        lambda *a: _ranked(*a, dim=1, descending=False),
        "You sort by rising loss: the hidden positives, at -inf, come first, then the easiest negatives. Sort with "
        "descending=True.",
    ),
    "first_places": (
        _first_places,
        "You mark the first places of the row. Mark the default boxes that stand there after sorting: their numbers "
        "are in the argsort.",
    ),
    "topk_without_limit": (
        _by_topk,
        "topk fails if you ask for more than there are. An image may have fewer negatives than ratio · positives: take "
        "the smaller number.",
    ),
    "order": (
        lambda loss, positive, ratio: loss.masked_fill(positive, -torch.inf).argsort(1, descending=True)[:, :ratio],
        "Those are numbers of default boxes, the hardest first. Return a mask, (N, P) bool, with ratio · positives of "
        "them in each image.",
    ),
}
