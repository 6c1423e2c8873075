"""Distillation: a small network learns from what a large one answers. One file per paper: lessons 42 and 43.

Logits are `(N, K)` float, before any softmax, wherever nothing else is said.
"""

from crashcourse.distillation.fitnets import Guided, hint_loss, regressor
from crashcourse.distillation.soft_targets import (
    distillation_loss,
    fitted_bias,
    logit_loss,
    raise_logit,
    soft_cross_entropy,
    soft_loss,
    soften,
)

__all__ = [
    "Guided",
    "distillation_loss",
    "fitted_bias",
    "hint_loss",
    "logit_loss",
    "raise_logit",
    "regressor",
    "soft_cross_entropy",
    "soft_loss",
    "soften",
]
