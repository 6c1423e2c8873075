"""Lesson 18, training speed: what people get wrong in smoothed labels, each as code that behaves so, with its hint."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F


def _table(logits: Tensor, labels: Tensor, at_label: float, elsewhere: float) -> Tensor:
    """What the label's class and the other classes get: (N, K)."""
    truth = torch.full_like(logits, elsewhere)
    truth[torch.arange(len(labels)), labels] = at_label
    return truth


def _smoothed(
    logits: Tensor,
    labels: Tensor,
    epsilon: float = 0.1,
    *,
    shares: Callable[[float, int], tuple[float, float]] = lambda e, k: (1 - e + e / k, e / k),
    logs: Callable[[Tensor], Tensor] = lambda logits: F.log_softmax(logits, dim=1),
    reduce: Callable[[Tensor], Tensor] = lambda products: products.sum(dim=1).mean(),
    sign: int = -1,
) -> Tensor:
    """`smoothed_cross_entropy` with one thing wrong: what the keyword arguments say."""
    truth = _table(logits.detach(), labels, *shares(epsilon, logits.shape[1]))
    return sign * reduce(truth * logs(logits))


def _smoothed_predictions(logits: Tensor, labels: Tensor, epsilon: float = 0.1) -> Tensor:
    mixed = (1 - epsilon) * F.softmax(logits, dim=1) + epsilon / logits.shape[1]
    return F.nll_loss(mixed.log(), labels)


def _squared(logits: Tensor, labels: Tensor, epsilon: float = 0.1) -> Tensor:
    classes = logits.shape[1]
    truth = _table(logits.detach(), labels, 1 - epsilon + epsilon / classes, epsilon / classes)
    return (F.softmax(logits, dim=1) - truth).square().sum(dim=1).mean()


def _every_label(logits: Tensor, labels: Tensor, epsilon: float = 0.1) -> Tensor:
    truth = torch.full_like(logits.detach(), epsilon / logits.shape[1])
    truth[:, labels] += 1 - epsilon
    return -(truth * F.log_softmax(logits, dim=1)).sum(dim=1).mean()


def _narrow_one_hot(logits: Tensor, labels: Tensor, epsilon: float = 0.1) -> Tensor:
    truth = (1 - epsilon) * F.one_hot(labels) + epsilon / logits.shape[1]
    return -(truth * F.log_softmax(logits, dim=1)).sum(dim=1).mean()


def _softmax_by_hand(logits: Tensor) -> Tensor:
    return (logits.exp() / logits.exp().sum(dim=1, keepdim=True)).log()


LABEL_MISTAKES = {
    "every_label": (
        _every_label,
        "truth[:, labels] takes the labels' columns in *every* row, so each example gets the labels of all. Take one "
        "place a row: truth[torch.arange(N), labels].",
    ),
    "narrow_one_hot": (
        _narrow_one_hot,
        "F.one_hot(labels) makes as many columns as the largest label in the batch needs. Say how many classes there "
        "are: F.one_hot(labels, K).",
    ),
    "number_not_tensor": (
        lambda logits, labels, epsilon=0.1: _smoothed(logits, labels, epsilon).item(),
        "A float comes back, and a float has no backward: nothing could learn from it. Return the tensor, without "
        ".item().",
    ),
    "softmax_by_hand": (
        partial(_smoothed, logs=_softmax_by_hand),
        "exp of a large score is infinite, and infinite / infinite is no number. F.log_softmax never takes exp of a "
        "large number.",
    ),
    "tiny_number_added": (
        partial(_smoothed, logs=lambda logits: (F.softmax(logits, dim=1) + 1e-8).log()),
        "log(p + 1e-8) stops at -18.4, however wrong the network is, and lets no gradient through there. F.log_softmax "
        "needs no such help.",
    ),
    "not_smoothed": (
        partial(_smoothed, shares=lambda e, k: (1.0, 0.0)),
        "epsilon is ignored: that is the usual cross-entropy.",
    ),
    "others_only": (
        partial(_smoothed, shares=lambda e, k: (1 - e, e / (k - 1))),
        "You share epsilon out among the *other* classes, K - 1 of them. Here all K get a share, the label's too.",
    ),
    "label_without_share": (
        partial(_smoothed, shares=lambda e, k: (1 - e, e / k)),
        "At the label its own share is missing, so that the truth does not add up to 1: 1 - epsilon + epsilon / K.",
    ),
    "nothing_shared": (
        partial(_smoothed, shares=lambda e, k: (1 - e, 0.0)),
        "You take epsilon from the label's class, and nobody gets it. Every class gets epsilon / K.",
    ),
    "label_keeps_all": (
        partial(_smoothed, shares=lambda e, k: (1.0, e / k)),
        "Your label's class keeps 1, so that the truth adds up to more than 1. It gets 1 - epsilon + epsilon / K.",
    ),
    "label_keeps_all_and_share": (
        partial(_smoothed, shares=lambda e, k: (1 + e / k, e / k)),
        "You add the shares without taking epsilon from the label's class first.",
    ),
    "whole_epsilon_each": (
        partial(_smoothed, shares=lambda e, k: (1 - e, e)),
        "Each other class of yours gets the whole epsilon. It is shared out: epsilon / K each.",
    ),
    "added_epsilon_each": (
        partial(_smoothed, shares=lambda e, k: (1.0, e)),
        "Each class of yours gets the whole epsilon, and the label's 1 - epsilon more. A share is epsilon / K.",
    ),
    "swapped": (
        partial(_smoothed, shares=lambda e, k: (e + (1 - e) / k, (1 - e) / k)),
        "epsilon and 1 - epsilon are swapped: your label's class gets the small part.",
    ),
    "always_a_tenth": (
        lambda logits, labels, epsilon=0.1: _smoothed(logits, labels),
        "You always smooth by 0.1. Use the argument epsilon.",
    ),
    "always_ten_classes": (
        partial(_smoothed, shares=lambda e, k: (1 - e + e / 10, e / 10)),
        "You always share among ten classes. K is logits.shape[1].",
    ),
    "shared_over_batch": (
        lambda logits, labels, epsilon=0.1: _smoothed(
            logits, labels, epsilon, shares=lambda e, k: (1 - e + e / len(labels), e / len(labels))
        ),
        "You share epsilon among the N examples. It is shared among the K classes.",
    ),
    "summed": (
        partial(_smoothed, reduce=lambda products: products.sum()),
        "That is the sum over the examples. Take their mean.",
    ),
    "averaged_over_classes": (
        partial(_smoothed, reduce=lambda products: products.mean()),
        "You average over the classes as well. Sum over classes, average over examples: .sum(dim=1).mean().",
    ),
    "not_averaged": (
        partial(_smoothed, reduce=lambda products: products.sum(dim=1)),
        "A loss for each example comes back. Take the mean over them.",
    ),
    "softmax_over_batch": (
        partial(_smoothed, logs=lambda logits: F.log_softmax(logits, dim=0)),
        "Your softmax runs over the examples. Classes are dimension 1.",
    ),
    "log_of_softmax": (
        partial(_smoothed, logs=lambda logits: F.softmax(logits, dim=1).log()),
        "For large scores your softmax is exactly 0, and its logarithm infinite. F.log_softmax does both safely.",
    ),
    "no_logarithm": (
        partial(_smoothed, logs=lambda logits: F.softmax(logits, dim=1)),
        "The logarithm is missing: F.log_softmax, not F.softmax.",
    ),
    "no_softmax": (
        partial(_smoothed, logs=lambda logits: logits),
        "The scores go in as they are. They have to become log-probabilities first: F.log_softmax.",
    ),
    "softmax_twice": (
        partial(_smoothed, logs=lambda logits: F.log_softmax(F.softmax(logits, dim=1), dim=1)),
        "There are two softmaxes, one after the other. F.log_softmax contains the only one.",
    ),
    "sign": (
        partial(_smoothed, sign=1),
        "The minus is missing: the logarithm of a probability is negative, a loss is not.",
    ),
    "predictions_smoothed": (
        _smoothed_predictions,
        "You smooth what the network predicts. It is the labels that are smoothed, outside the logarithm.",
    ),
    "squared": (
        _squared,
        "Those are squared differences. Cross-entropy is - truth · log(probability).",
    ),
}
