"""Lesson 40, style transfer: the Gram matrix, the content loss, the style loss and total variation to write.

Paper: Gatys et al., 2015, arXiv 1508.06576, equations 1, 3 and 4. The mistakes are in `style_gram_mistakes.py` and
`style_loss_mistakes.py`, the questions in `style_questions.py`.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from crashcourse.exercises.case import Case
from crashcourse.exercises.isolation import Budget
from crashcourse.exercises.kinds import FunctionExercise
from crashcourse.exercises.outcome import Outcome
from crashcourse.exercises.style_gram_mistakes import GRAM_MISTAKES, STYLE_MISTAKES
from crashcourse.exercises.style_loss_mistakes import CONTENT_MISTAKES, VARIATION_MISTAKES
from crashcourse.exercises.style_questions import QUESTIONS


def gram(maps: Tensor) -> Tensor:
    """The Gram matrix of each image: the inner product of every channel with every channel, over all places.

    G[i, j] = Σ F[i, place] · F[j, place]. It is not divided by anything.

    Args:
        maps: (N, C, H, W) float.

    Returns:
        (N, C, C) float.
    """
    rows = maps.flatten(2)  # (N, C, H·W)
    return rows @ rows.transpose(1, 2)  # (N, C, C)


def content_loss(maps: Tensor, target: Tensor) -> Tensor:
    """Half the sum of squared differences between the maps of two images: ½ Σ (F - P)².

    Args:
        maps: F, (N, C, H, W) float, of the image that is being made.
        target: P, (N, C, H, W) float, of the photograph.

    Returns:
        A scalar tensor.
    """
    return 0.5 * (maps - target).square().sum()


def style_layer_loss(maps: Tensor, target: Tensor) -> Tensor:
    """The style loss of one layer: Σ (G - A)² / (4 C² M²), with C channels and M = H · W places.

    G is the Gram matrix of the maps, not divided by anything: `gram(maps)` of the exercise before.

    Args:
        maps: (1, C, H, W) float, of the image that is being made.
        target: A, (1, C, C) float, the Gram matrix of the painting.

    Returns:
        A scalar tensor.
    """
    _, channels, height, width = maps.shape
    difference = gram(maps) - target  # (1, C, C)
    return difference.square().sum() / (4 * channels**2 * (height * width) ** 2)


def total_variation(images: Tensor) -> Tensor:
    """How rough images are: squared differences of each pixel to its right neighbour and to the one below, added up.

    Pixels at the right edge have no right neighbour, and those at the bottom none below.

    Args:
        images: (N, C, H, W) float.

    Returns:
        A scalar tensor.
    """
    right = images[:, :, :, 1:] - images[:, :, :, :-1]  # (N, C, H, W - 1)
    below = images[:, :, 1:, :] - images[:, :, :-1, :]  # (N, C, H - 1, W)
    return right.square().sum() + below.square().sum()


def _gram_cases(seed: int) -> list[Case]:
    by_hand = torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]]])
    return [
        Case((by_hand,), label="two channels, two places"),
        Case((torch.randn(1, 3, 2, 4),), label="one image"),
        Case((1 + torch.randn(2, 4 + seed % 3, 3, 5),), label="two images"),
    ]


def _content_cases(seed: int) -> list[Case]:
    by_hand = torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([[[[0.0, 4.0]]]])
    return [
        Case(by_hand, label="two places"),
        Case((torch.randn(1, 3, 4, 2), torch.randn(1, 3, 4, 2)), label="one image"),
        Case((torch.randn(2, 2, 3, 4 + seed % 3), torch.randn(2, 2, 3, 4 + seed % 3)), label="two images"),
    ]


def _style_cases(seed: int) -> list[Case]:
    def drawn(channels: int, height: int, width: int) -> tuple[Tensor, Tensor]:
        return torch.randn(1, channels, height, width).relu(), gram(torch.randn(1, channels, height, width).relu())

    by_hand = torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([[[1.0]]])
    return [
        Case(by_hand, label="one channel, two places"),
        Case(drawn(3, 2, 4), label="three channels"),
        Case(drawn(5 + seed % 3, 4, 3), label="more channels"),
    ]


def _variation_cases(seed: int) -> list[Case]:
    by_hand = torch.tensor([[[[0.0, 1.0], [2.0, 5.0]]]])
    return [
        Case((by_hand,), label="four pixels"),
        Case((torch.rand(1, 3, 4, 5),), label="one image"),
        Case((torch.rand(2, 3, 5 + seed % 3, 4),), label="two images"),
    ]


class _LossExercise(FunctionExercise):
    """A loss from which pixels learn: the gradient of the maps counts, that of the target does not."""

    def run(self, candidate: Callable[..., Any], case: Case, budget: Budget) -> Outcome:
        @wraps(candidate)
        def prepared(maps: Tensor, target: Tensor) -> Any:
            return candidate(maps, target.detach())

        return super().run(prepared, case, budget)


EXERCISES = [
    FunctionExercise(
        name="style.gram",
        title="The Gram matrix",
        lesson=40,
        reference=gram,
        gradient=True,
        cases=_gram_cases,
        hints=(
            "First make each channel a row of numbers, one for each place. Then multiply each row with each row.",
            "G = F Fᵀ for each image, with F of shape (C, H·W).",
            "rows = maps.flatten(2); return rows @ rows.transpose(1, 2)",
        ),
        wrong=GRAM_MISTAKES,
    ),
    _LossExercise(
        name="style.content_loss",
        title="The content loss",
        lesson=40,
        reference=content_loss,
        gradient=True,
        cases=_content_cases,
        hints=(
            "Subtract, square, add up. What stands before the sum?",
            "½ Σ (F - P)², over images, channels and places.",
            "return 0.5 * (maps - target).square().sum()",
        ),
        wrong=CONTENT_MISTAKES,
    ),
    _LossExercise(
        name="style.layer_loss",
        title="The style loss of a layer",
        lesson=40,
        reference=style_layer_loss,
        gradient=True,
        cases=_style_cases,
        hints=(
            "Compare Gram matrices, not maps. Then divide by numbers that you can read off the shape of the maps.",
            "Σ (G - A)² / (4 · C² · (H·W)²).",
            "_, channels, height, width = maps.shape; (gram(maps) - target).square().sum() / (4 * ...)",
        ),
        wrong=STYLE_MISTAKES,
    ),
    FunctionExercise(
        name="style.total_variation",
        title="Total variation",
        lesson=40,
        reference=total_variation,
        gradient=True,
        cases=_variation_cases,
        hints=(
            "Shift the image by one column and subtract; then by one row.",
            "Σ (x[i, j+1] - x[i, j])² + Σ (x[i+1, j] - x[i, j])².",
            "right = images[:, :, :, 1:] - images[:, :, :, :-1]; below likewise; the two sums of squares, added.",
        ),
        wrong=VARIATION_MISTAKES,
    ),
    *QUESTIONS,
]
