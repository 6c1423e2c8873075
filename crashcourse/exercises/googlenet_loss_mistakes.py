"""Lesson 12, GoogLeNet: what people get wrong in the loss with auxiliary heads: one thing changed in each."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from crashcourse.classification.googlenet import loss_with_auxiliary_heads


def _loss(
    scores,
    auxiliary,
    labels,
    *,
    weight=0.3,
    entropy: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
    heads: Callable[[list[Tensor]], list[Tensor]] = list,
    total: Callable[[Tensor, list[Tensor], float], Tensor] = lambda own, extra, weight: own + weight * sum(extra),
) -> Tensor:
    """`loss_with_auxiliary_heads` with one thing wrong: what the last three keyword arguments say."""
    return total(entropy(scores, labels), [entropy(logits, labels) for logits in heads(auxiliary)], weight)


def _two_heads(scores, auxiliary, labels, *, weight=0.3):
    first, second = auxiliary
    return loss_with_auxiliary_heads(scores, [first, second], labels, weight=weight)


def _two_places(scores, auxiliary, labels, *, weight=0.3):
    loss = F.cross_entropy(scores, labels) + weight * F.cross_entropy(auxiliary[0], labels)
    return loss + weight * F.cross_entropy(auxiliary[1], labels)


def _returns_inside(scores, auxiliary, labels, *, weight=0.3):
    loss = F.cross_entropy(scores, labels)
    for logits in auxiliary:
        loss = loss + weight * F.cross_entropy(logits, labels)
        return loss


def _returns_inside_or_after(scores, auxiliary, labels, *, weight=0.3):
    return loss_with_auxiliary_heads(scores, list(auxiliary)[:1], labels, weight=weight)


def _compounded(scores, auxiliary, labels, *, weight=0.3):
    loss = F.cross_entropy(scores, labels)
    for logits in auxiliary:
        loss = weight * (loss + F.cross_entropy(logits, labels))
    return loss


def _logits_mixed(scores, auxiliary, labels, *, weight=0.3):
    return F.cross_entropy(scores + weight * sum(auxiliary), labels)


LOSS = {
    "weight_missing": (
        partial(_loss, total=lambda own, extra, weight: own + sum(extra)),
        "The auxiliary losses count fully. Multiply each by weight.",
    ),
    "weight_fixed": (
        lambda scores, auxiliary, labels, *, weight=0.3: loss_with_auxiliary_heads(scores, auxiliary, labels),
        "You always use 0.3. Use the argument weight.",
    ),
    "all_weighted": (
        partial(_loss, total=lambda own, extra, weight: weight * (own + sum(extra))),
        "The network's own loss is multiplied by weight, too. It counts fully.",
    ),
    "own_weighted": (
        partial(_loss, total=lambda own, extra, weight: weight * own + sum(extra)),
        "weight is on the wrong side: it multiplies the auxiliary losses, not the network's own.",
    ),
    "balanced": (
        partial(_loss, total=lambda own, extra, weight: (1 - weight) * own + weight * sum(extra)),
        "You weigh the network's own loss with 1 - weight. It counts fully; the auxiliary losses come on top.",
    ),
    "averaged": (
        partial(_loss, total=lambda own, extra, weight: own + weight * sum(extra) / max(1, len(extra))),
        "You average the auxiliary losses. Add them up, each times weight.",
    ),
    "all_averaged": (
        partial(_loss, total=lambda own, extra, weight: (own + weight * sum(extra)) / (1 + len(extra))),
        "You divide by the number of losses. Add them up and leave it so.",
    ),
    "subtracted": (
        partial(_loss, total=lambda own, extra, weight: own - weight * sum(extra)),
        "You subtract the auxiliary losses, so that the heads would learn to be wrong.",
    ),
    "multiplied": (
        partial(_loss, total=lambda own, extra, weight: own * weight * sum(extra)),
        "You multiply the losses with each other. Add them.",
    ),
    "powers": (
        partial(_loss, total=lambda own, extra, weight: own + sum(weight ** (i + 1) * e for i, e in enumerate(extra))),
        "The weight shrinks from head to head. Each has the same.",
    ),
    "compounded": (
        _compounded,
        "Inside your loop, weight multiplies the loss so far as well. Write loss = loss + weight * ...",
    ),
    "overwritten": (
        partial(_loss, total=lambda own, extra, weight: weight * extra[-1] if extra else own),
        "Inside your loop, loss is overwritten; only the last head is left. Add to it: loss = loss + ...",
    ),
    "own_only": (
        partial(_loss, total=lambda own, extra, weight: own),
        "The auxiliary heads are missing from the loss.",
    ),
    "heads_only": (
        partial(_loss, total=lambda own, extra, weight: weight * sum(extra)),
        "The network's own loss is missing. It counts fully.",
    ),
    "list_returned": (
        partial(_loss, total=lambda own, extra, weight: [own, *(weight * loss for loss in extra)]),
        "You return a list of losses. Add them up: one number is expected.",
    ),
    "stack_of_nothing": (
        partial(_loss, total=lambda own, extra, weight: own + weight * torch.stack(extra).sum()),
        "In evaluation there are no heads, and torch.stack refuses an empty list. Python's sum gives 0 for it, and so "
        "does a loop that adds.",
    ),
    "list_as_logits": (
        lambda scores, auxiliary, labels, *, weight=0.3: (
            F.cross_entropy(scores, labels) + weight * F.cross_entropy(auxiliary, labels)
        ),
        "auxiliary is a list, with the logits of one head in each place. Take the cross-entropy of each.",
    ),
    "weight_of_classes": (
        lambda scores, auxiliary, labels, *, weight=0.3: (
            F.cross_entropy(scores, labels) + sum(F.cross_entropy(one, labels, weight=weight) for one in auxiliary)
        ),
        "F.cross_entropy's own `weight` weighs classes, one number for each. Multiply the loss instead: weight * loss.",
    ),
    "logits_scaled": (
        lambda scores, auxiliary, labels, *, weight=0.3: loss_with_auxiliary_heads(
            scores, [weight * logits for logits in auxiliary], labels, weight=1.0
        ),
        "You multiply the heads' logits by weight. It multiplies their losses.",
    ),
    "returned_inside": (
        _returns_inside,
        "The `return` is inside the loop: only the first head counts, and without heads nothing is returned.",
    ),
    "first_head_only": (
        _returns_inside_or_after,
        "Only the first auxiliary head counts. Loop over all of them; is a `return` inside the loop?",
    ),
    "last_head_only": (
        partial(_loss, heads=lambda heads: list(heads)[-1:]),
        "Only the last auxiliary head counts. Add inside the loop, at every turn.",
    ),
    "two_heads_unpacked": (
        _two_heads,
        "You unpack exactly two heads. There may be none, in evaluation, or more: loop over auxiliary.",
    ),
    "two_heads_by_place": (
        _two_places,
        "You use auxiliary[0] and auxiliary[1]. There may be none, in evaluation, or more: loop over auxiliary.",
    ),
    "logits_mixed": (
        _logits_mixed,
        "You add up the logits and take one cross-entropy. Take one for each, and add up the losses.",
    ),
    "stacked_heads": (
        lambda scores, auxiliary, labels, *, weight=0.3: (
            F.cross_entropy(scores, labels) + weight * F.cross_entropy(sum(auxiliary), labels)
            if auxiliary
            else F.cross_entropy(scores, labels)
        ),
        "You add up the heads' logits and take one cross-entropy of the sum. Take one for each head.",
    ),
    "softmax_first": (
        partial(_loss, entropy=lambda logits, labels: F.cross_entropy(logits.softmax(1), labels)),
        "F.cross_entropy takes logits and does the softmax itself. Yours is done twice.",
    ),
    "nll": (
        partial(_loss, entropy=F.nll_loss),
        "F.nll_loss expects logarithms of probabilities. For logits, use F.cross_entropy.",
    ),
    "summed_over_batch": (
        partial(_loss, entropy=lambda logits, labels: F.cross_entropy(logits, labels, reduction="sum")),
        "Your cross-entropy is a sum over the batch. Leave it at the mean, so that the batch's size does not matter.",
    ),
    "not_reduced": (
        partial(_loss, entropy=lambda logits, labels: F.cross_entropy(logits, labels, reduction="none")),
        "You return a loss for each example. One number is expected, the mean over the batch.",
    ),
    "labels_first": (
        partial(_loss, entropy=lambda logits, labels: F.cross_entropy(labels, logits)),
        "The order of arguments is F.cross_entropy(logits, labels).",
    ),
    "mean_squared": (
        partial(
            _loss,
            entropy=lambda logits, labels: F.mse_loss(logits.softmax(1), F.one_hot(labels, logits.shape[1]) + 0.0),
        ),
        "You compare probabilities with one-hot labels by their squares. Use F.cross_entropy.",
    ),
    "plain_number": (
        lambda scores, auxiliary, labels, *, weight=0.3: loss_with_auxiliary_heads(
            scores, auxiliary, labels, weight=weight
        ).item(),
        ".item() makes a plain number, through which no gradient flows. Return the tensor.",
    ),
    "heads_detached": (
        partial(_loss, heads=lambda heads: [logits.detach() for logits in heads]),
        "The auxiliary losses are cut off from the network (detach, no_grad or item), so that they teach it nothing.",
    ),
}
