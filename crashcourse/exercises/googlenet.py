"""Lesson 12, GoogLeNet: the functions and the module to write.

Papers: Szegedy et al., 2014, arXiv 1409.4842; response normalisation: Krizhevsky et al., 2012, section 3.3. The wrong
answers are in `googlenet_norm_mistakes`, `googlenet_module_mistakes` and `googlenet_loss_mistakes`, the table and the
question in `googlenet_questions`.
"""

import torch
from torch import nn

from crashcourse.classification.googlenet import (
    BasicConv2d,
    Inception,
    local_response_norm,
    loss_with_auxiliary_heads,
)
from crashcourse.exercises.case import Case
from crashcourse.exercises.googlenet_loss_mistakes import LOSS
from crashcourse.exercises.googlenet_module_mistakes import MODULE
from crashcourse.exercises.googlenet_norm_mistakes import NORM
from crashcourse.exercises.kinds import FunctionExercise, ModuleExercise


def _norm_cases(seed: int) -> list[Case]:
    scale = 60 + 10 * (seed % 4)
    return [
        Case((torch.full((1, 3, 1, 1), 40.0) + torch.rand(1, 3, 1, 1),), {"size": 3}, "three channels, a window of 3"),
        Case((scale * torch.randn(2, 7, 3, 4),), {}, "seven channels, the constants of the paper"),
        Case((scale * torch.randn(3, 2, 2, 3),), {}, "fewer channels than the window"),
        Case(
            (torch.randn(2, 6, 4, 3),),
            {"size": 3, "alpha": 0.5, "beta": 0.5, "k": 1.0},
            "other constants, a window of 3 channels",
        ),
        Case((torch.randn(2, 9, 2, 2),), {"size": 7, "alpha": 0.25, "beta": 1.5, "k": 1.5}, "a window of 7 channels"),
        Case((torch.randn(2, 4, 2, 3),), {"size": 1, "alpha": 0.7}, "a window of 1: no neighbours"),
    ]


class Unbiased(nn.Sequential):
    """A convolution without bias, and its ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False),
            nn.ReLU(),
        )


class Normed(BasicConv2d):
    """What a module is built of once BatchNorm is known."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int) -> None:
        super().__init__(in_channels, out_channels, kernel, batch_norm=True)


def _module_cases(seed: int) -> list[Case]:
    """Hardly two layers have one shape in a case, so that a learner may create them in nearly any order.

    The first case tells apart along which dimension the paths are joined: for that, all must be equally wide, and the
    1×1 of the first and of the last path have one shape.
    """
    more = seed % 3
    tables = [
        (Unbiased, 3, (4, 2, 4, 1, 4, 4), {}, (2, 3, 7, 7), "all paths equally wide"),
        (BasicConv2d, 6 + more, (2, 3, 5, 1, 7, 4), {}, (2, 6 + more, 8, 7), "six different widths"),
        (BasicConv2d, 5, (3, 2, 4, 1, 7, 6), {"kernel": 3}, (1, 5, 7, 9), "kernel=3"),
        (Normed, 4, (2, 3, 4, 1, 6, 7 + more), {}, (3, 4, 6, 5), "a conv with BatchNorm"),
    ]
    return [
        Case(
            (torch.randn(*shape),),
            build={"conv": conv, "in_channels": ins, "widths": widths, **kernel},
            label=label,
        )
        for conv, ins, widths, kernel, shape, label in tables
    ]


def _loss_cases(seed: int) -> list[Case]:
    def logits(examples: int, classes: int, heads: int) -> tuple:
        made = [2 * torch.randn(examples, classes) for _ in range(heads + 1)]
        return made[0], made[1:], torch.randint(classes, (examples,))

    return [
        Case(logits(2, 3, 0), {}, "no auxiliary heads, as in evaluation"),
        Case(logits(2, 3, 2), {}, "two heads"),
        Case(logits(3, 4, 1), {}, "one head"),
        Case(logits(4 + seed % 3, 5, 2), {"weight": 0.5}, "two heads, another weight"),
        Case(logits(5, 6, 3), {"weight": 0.1}, "three heads, another weight"),
    ]


EXERCISES = [
    FunctionExercise(
        name="classification.local_response_norm",
        title="Local response normalisation",
        lesson=12,
        reference=local_response_norm,
        cases=_norm_cases,
        gradient=True,
        hints=(
            "For channel c, which channels are summed? From c - size // 2 to c + size // 2, as far as there are any.",
            "b_c = a_c / (k + alpha · Σ a²) ** beta: square, sum over channels, times alpha, plus k, all to the beta.",
            "for c in range(maps.shape[1]): near = maps[:, max(0, c - half) : c + half + 1], then its squares summed "
            "over dim=1; collect the channels and torch.stack them on dim=1.",
        ),
        wrong=NORM,
    ),
    ModuleExercise(
        name="classification.inception",
        title="The inception module",
        lesson=12,
        reference=Inception,
        cases=_module_cases,
        modes=("eval", "train"),
        hints=(
            "Unpack the six widths first. Each of the last three paths is an nn.Sequential of two.",
            "1×1: in → one. 3×3: in → reduce3 → three. 5×5: in → reduce5 → five. Pool: max-pool 3×3, stride 1, padding "
            "1, then in → projection. Concatenate with torch.cat(..., dim=1).",
            "self.branch2 = nn.Sequential(conv(in_channels, reduce3, 1), conv(...)); in forward: "
            "torch.cat([self.branch1(maps), ...], dim=1).",
        ),
        wrong=MODULE,
    ),
    FunctionExercise(
        name="classification.loss_with_auxiliary_heads",
        title="The loss with auxiliary heads",
        lesson=12,
        reference=loss_with_auxiliary_heads,
        cases=_loss_cases,
        gradient=True,
        hints=(
            "One cross-entropy for the network's own scores, one for each auxiliary head, all with the same labels.",
            "loss = CE(scores) + weight · (CE(head 1) + CE(head 2) + ...). With no heads, CE(scores) is left.",
            "Start with loss = F.cross_entropy(scores, labels); then a loop over auxiliary that adds to it.",
        ),
        wrong=LOSS,
    ),
]
