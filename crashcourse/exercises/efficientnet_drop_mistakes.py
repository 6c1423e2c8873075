"""Lesson 17, EfficientNet: what people get wrong in stochastic depth, each as code that behaves so, with its hint."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor


def _dropped(
    residual: Tensor,
    kept: Tensor,
    probability: float,
    *,
    factors: Callable[[Tensor, float], Tensor] = lambda kept, probability: kept / (1 - probability),
    apply: Callable[[Tensor, Tensor], Tensor] = lambda residual, factors: residual * factors[:, None, None, None],
) -> Tensor:
    """`drop_residuals` with one thing wrong: what the keyword arguments say."""
    return apply(residual, factors(kept.to(residual.dtype), probability))


def _in_place(residual: Tensor, kept: Tensor, probability: float) -> Tensor:
    residual *= (kept.to(residual.dtype) / (1 - probability))[:, None, None, None]
    return residual


DROP_MISTAKES = {
    "not_scaled": (
        partial(_dropped, factors=lambda kept, probability: kept),
        "The kept residuals are not scaled up. Divide by 1 - probability, or their mean shrinks while training.",
    ),
    "scaled_down": (
        partial(_dropped, factors=lambda kept, probability: kept * (1 - probability)),
        "You multiply by 1 - probability. That is what the paper does in evaluation; here you divide by it, in "
        "training.",
    ),
    "divided_by_probability": (
        partial(_dropped, factors=lambda kept, probability: kept / probability),
        "You divide by the probability of being dropped. Divide by that of being kept, 1 - probability.",
    ),
    "divided_by_share": (
        partial(_dropped, factors=lambda kept, probability: kept / kept.mean()),
        "You divide by the share that happens to be kept in this batch. It is divided by the probability, which does "
        "not depend on the draw; and a batch can be dropped whole.",
    ),
    "turned_round": (
        partial(_dropped, factors=lambda kept, probability: (1 - kept) / (1 - probability)),
        "Those that are kept become zero, and those that are dropped stay. True means kept.",
    ),
    "turned_round_not_scaled": (
        partial(_dropped, factors=lambda kept, probability: 1 - kept),
        "Those that are kept become zero, and those that are dropped stay; and nothing is scaled up.",
    ),
    "last_axis": (
        partial(_dropped, apply=lambda residual, factors: residual * factors),
        "kept has shape (N,), and broadcasting lines it up with the last axis, the columns. Give it the shape "
        "(N, 1, 1, 1).",
    ),
    "rows": (
        partial(_dropped, apply=lambda residual, factors: residual * factors[:, None]),
        "A shape of (N, 1) lines up with the rows of the maps. Give it the shape (N, 1, 1, 1).",
    ),
    "channels": (
        partial(_dropped, apply=lambda residual, factors: residual * factors[:, None, None]),
        "A shape of (N, 1, 1) lines up with the channels. Give it the shape (N, 1, 1, 1): one more axis.",
    ),
    "left_out": (
        lambda residual, kept, probability: residual[kept] / (1 - probability),
        "The dropped examples are missing from the result. They stay in the batch, as zeros.",
    ),
    "whole_batch": (
        partial(_dropped, factors=lambda kept, probability: kept.min().expand(len(kept)) / (1 - probability)),
        "One dropped example drops the whole batch. Every example has its own decision.",
    ),
    "everything_scaled": (
        lambda residual, kept, probability: residual / (1 - probability),
        "Nobody is dropped: kept is never used.",
    ),
    "dropped_stay": (
        lambda residual, kept, probability: torch.where(
            kept[:, None, None, None], residual / (1 - probability), residual
        ),
        "The dropped examples keep their residual unscaled. They become zero.",
    ),
    "in_place": (
        _in_place,
        "`*=` changes the residual that came in. Make a new tensor: residual * ...",
    ),
    "detached": (
        lambda residual, kept, probability: _dropped(residual.detach(), kept, probability),
        "No gradient gets through: .detach(), .data, .item() or torch.no_grad() cuts it off. Those that are kept must "
        "learn.",
    ),
    "summed": (
        partial(_dropped, apply=lambda residual, factors: residual + residual * factors[:, None, None, None]),
        "You add the residual once more. The block adds it to its input; return the scaled residual alone.",
    ),
}
