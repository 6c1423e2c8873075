"""Lesson 13, ResNet: two residual blocks, a grouped convolution and a gradient to write.

Papers: He et al., 2015, arXiv 1512.03385; He et al., 2016, arXiv 1603.05027; Xie et al., 2016, arXiv 1611.05431. The
mistakes are in `resnet_block_mistakes.py`, `resnet_preact_mistakes.py` and `resnet_function_mistakes.py`, the questions
in `resnet_questions.py`.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from crashcourse.classification.resnet import BasicBlock
from crashcourse.classification.resnet_preact import PreActBlock
from crashcourse.classification.resnext import split_transform_merge
from crashcourse.errors import CourseError
from crashcourse.exercises.case import Case
from crashcourse.exercises.isolation import Budget, quiet
from crashcourse.exercises.kinds import FunctionExercise, ModuleExercise
from crashcourse.exercises.outcome import Outcome
from crashcourse.exercises.resnet_block_mistakes import BLOCK_MISTAKES
from crashcourse.exercises.resnet_function_mistakes import GRADIENT_MISTAKES, GROUP_MISTAKES
from crashcourse.exercises.resnet_preact_mistakes import PREACT_MISTAKES
from crashcourse.exercises.resnet_questions import QUESTIONS


def input_gradient(x: Tensor, weights: Tensor, residual: bool) -> Tensor:
    """The gradient of the sum of all outputs with respect to the input of a stack of dense layers with ReLU.

    Args:
        x: (N, D) float, the input of the first layer. It stays as it is.
        weights: (L, D, D) float, a matrix W for each of L layers: F(h) = ReLU(h Wᵀ), without biases.
        residual: True for h + F(h) in every layer, False for F(h) alone.

    Returns:
        (N, D) float, the gradient at x.
    """
    start = x.detach().clone().requires_grad_()
    h = start
    for weight in weights:
        branch = torch.relu(h @ weight.T)  # (N, D)
        h = h + branch if residual else branch
    h.sum().backward()
    return start.grad


class CalledTwice(FunctionExercise):
    """A function that is called twice with the same tensors, as the lesson calls it; the second result counts.

    What a first call leaves in its input, a gradient that is added to the next, shows in the second. And None is an
    error here, since it is what `.grad` holds in a tensor that has not got any.
    """

    def run(self, candidate: Callable[..., Any], case: Case, budget: Budget) -> Outcome:
        """What a candidate does in one case, when it is called for the second time."""

        @wraps(candidate)
        def twice(*args: Any, **kwargs: Any) -> Any:
            with quiet():
                candidate(*args, **kwargs)
            result = candidate(*args, **kwargs)
            if result is None:
                raise CourseError("None came back; a tensor is expected. Is it the .grad of a tensor that has none?")
            return result

        return super().run(twice, case, budget)


def _block_cases(seed: int) -> list[Case]:
    width = 3 + seed % 3
    forms = [
        (width, width, 1, (5, 4), "equal channels, stride 1: the identity fits"),
        (width, width + 2, 1, (4, 5), "more channels, stride 1"),
        (width, width, 2, (2, 2), "equal channels, stride 2"),
        (width, 2 * width, 2, (7, 8), "twice the channels, stride 2, an odd height"),
    ]
    return [
        Case(
            args=(torch.randn(2, ins, *size),),
            build={"in_channels": ins, "width": outs, "stride": stride},
            label=label,
        )
        for ins, outs, stride, size, label in forms
    ]


def _preact_cases(seed: int) -> list[Case]:
    cases = _block_cases(seed)
    builds = [{**case.build, "out_channels": case.build["width"]} for case in cases]
    return [
        Case(args=case.args, build={k: v for k, v in build.items() if k != "width"}, label=case.label)
        for case, build in zip(cases, builds, strict=True)
    ]


def _group_cases(seed: int) -> list[Case]:
    size = 3 + seed % 2
    forms = [
        (1, 2, 2, 4, 3, "two groups of two channels"),
        (2, 6, 3, 9, 3, "three groups, from six channels to nine"),
        (1, 4, 4, 4, 1, "1×1, a group for every channel"),
        (2, 4, 1, 3, 5, "5×5, one group: an ordinary convolution"),
        (1, 12, 2, 4, 3, "two groups of six channels"),
    ]
    return [
        Case((torch.randn(n, c, size, size + 1), torch.randn(k, c // groups, side, side), groups), label=label)
        for n, c, groups, k, side, label in forms
    ]


def _gradient_cases(seed: int) -> list[Case]:
    forms = [
        (1, 1, 2, False, "one plain layer"),
        (1, 1, 2, True, "one residual layer"),
        (2, 3, 4, False, "three plain layers"),
        (2, 3, 4, True, "three residual layers"),
        (3, 6, 8, True, "six residual layers"),
        (3, 6, 8, False, "six plain layers"),
    ]
    drawn = [
        Case((torch.rand(n, d) + 0.5, 0.4 * torch.randn(layers, d, d) + 0.3, residual), label=label)
        for n, layers, d, residual, label in forms
    ]
    scale = 1 + torch.rand(1).item()
    falling = torch.tensor([[1.0, -1.0], [1.0, -1.0]])[None]  # a gradient below zero
    silent = torch.tensor([[-1.0, 0.2], [0.5, -2.0]])[None]  # a branch that ReLU closes
    # ReLU closes one unit of each layer, and x has a value below zero: only so do three mistakes with ReLU differ.
    closing = torch.tensor([[[2.0, 1.0], [1.0, 2.0]], [[1.0, 1.0], [-1.0, 1.0]]])
    return [
        *drawn,
        Case((scale * torch.tensor([[3.0, 1.0]]), falling, False), label="one plain layer with negative weights"),
        Case((scale * torch.tensor([[1.0, 3.0]]), silent, True), label="one residual layer whose branch is silent"),
        Case((scale * torch.tensor([[1.0, -1.0]]), closing, False), label="two plain layers, each with a silent unit"),
    ]


EXERCISES = [
    ModuleExercise(
        name="classification.residual_block",
        title="A residual block with its shortcut",
        lesson=13,
        reference=BasicBlock,
        cases=_block_cases,
        modes=("eval", "train"),
        hints=(
            "Two branches from the same x: two convolutions, and the shortcut. They are added; the last ReLU follows.",
            "ReLU(BN(conv(ReLU(BN(conv(x))))) + shortcut(x)). The first convolution has the stride. The shortcut is x, "
            "or, where stride or channels change, a 1×1 convolution with the same stride and its BatchNorm.",
            "__init__: conv1, bn1, conv2, bn2, and downsample = None or nn.Sequential(1×1 convolution, BatchNorm), all "
            "convolutions with bias=False. forward: compute the residual, then the shortcut, add, ReLU.",
        ),
        wrong=BLOCK_MISTAKES,
    ),
    CalledTwice(
        name="classification.input_gradient",
        title="The gradient at the input of a stack",
        lesson=13,
        reference=input_gradient,
        cases=_gradient_cases,
        seconds=30.0,  # torch.func.grad loads a compiler at its first call
        hints=(
            "Make a copy of x that records gradients, run the layers on it, and ask autograd.",
            "A layer is relu(h @ weight.T), and with residual the old h is added to it. Sum the last h, call backward.",
            "start = x.clone().requires_grad_(); h = start; a loop over weights that replaces h; h.sum().backward(); "
            "return start.grad.",
        ),
        wrong=GRADIENT_MISTAKES,
    ),
    ModuleExercise(
        name="classification.preact_block",
        title="A pre-activation block",
        lesson=13,
        reference=PreActBlock,
        cases=_preact_cases,
        modes=("eval", "train"),
        hints=(
            "BatchNorm and ReLU come before each convolution. Nothing comes after the sum.",
            "active = ReLU(BN(x)); residual = conv(ReLU(BN(conv(active)))); the output is shortcut + residual. The "
            "shortcut is x itself, or a 1×1 convolution of active where the shape changes.",
            "__init__: bn1 (in_channels), conv1, bn2 (out_channels), conv2, downsample = None or one 1×1 convolution "
            "with the stride, all without bias. forward: active, shortcut, residual, sum.",
        ),
        wrong=PREACT_MISTAKES,
    ),
    FunctionExercise(
        name="classification.split_transform_merge",
        title="A grouped convolution: split, transform, merge",
        lesson=13,
        reference=split_transform_merge,
        cases=_group_cases,
        hints=(
            "Which dimension of images counts channels, and which dimension of weight counts filters? Cut both.",
            "Part g of the channels meets part g of the filters. With stride 1 and k // 2 zeros the size stays.",
            "chunk(groups, dim=1) and chunk(groups, dim=0), F.conv2d for each pair, torch.cat(..., dim=1).",
        ),
        wrong=GROUP_MISTAKES,
    ),
    *QUESTIONS,
]
