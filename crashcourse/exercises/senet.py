"""Lesson 15, SENet: the block, what it adds to a network, and a constant gate that disappears into BatchNorm.

Paper: Hu et al., 2017, arXiv 1709.01507, equations 2 to 5. The mistakes are in `senet_block_mistakes.py` and
`senet_function_mistakes.py`, the questions in `senet_questions.py`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from crashcourse.exercises.case import Case
from crashcourse.exercises.kinds import FunctionExercise, ModuleExercise
from crashcourse.exercises.senet_block_mistakes import BLOCK_MISTAKES
from crashcourse.exercises.senet_function_mistakes import FOLD_MISTAKES, PARAMETER_MISTAKES
from crashcourse.exercises.senet_questions import QUESTIONS


class SEBlock(nn.Module):
    """Squeeze-and-excitation: every channel times a gate, which is computed from the means of all channels.

    Squeeze: the mean of each channel. Excitation: a dense layer to C // r units, ReLU, a dense layer back to C scores,
    and a sigmoid. Both are `nn.Linear` layers with biases.

    Args:
        channels: of the maps, C.
        reduction: r.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, channels // reduction)
        self.fc2 = nn.Linear(channels // reduction, channels)

    def forward(self, maps: Tensor) -> Tensor:
        """The maps, every channel scaled by its gate: (N, C, H, W) float -> (N, C, H, W) float."""
        means = maps.mean((2, 3))  # (N, C)
        units = self.fc1(means).relu()  # (N, C // r)
        gates = self.fc2(units).sigmoid()  # (N, C)
        return maps * gates[:, :, None, None]


def added_parameters(channels: Sequence[int], reduction: int = 16) -> int:
    """How many parameters SE blocks add to a network, the biases of their two dense layers included.

    Args:
        channels: of the maps that each block gates, an entry for each block: [256, 256, 512] is three blocks.
        reduction: r; the layer between has channels // reduction units.

    Returns:
        The number of weights and biases in all blocks together, an int.
    """
    total = 0
    for count in channels:
        units = count // reduction
        total += count * units + units  # the first layer
        total += units * count + count  # the second
    return total


def fold_gates(scale: Tensor, shift: Tensor, gates: Tensor) -> tuple[Tensor, Tensor]:
    """A BatchNorm's new scale and shift, with which it also does the work of constant gates that come after it.

    BatchNorm gives scale · x + shift, where x is the normalised input. The gates multiply that.

    Args:
        scale: (C,) float, the weight of the BatchNorm. It stays as it is.
        shift: (C,) float, its bias. It stays as it is.
        gates: (C,) float, what each channel is multiplied by, the same for every image.

    Returns:
        Two tensors (C,): the new scale and the new shift.
    """
    return scale * gates, shift * gates


def _maps(n: int, c: int, h: int, w: int) -> Tensor:
    """Maps whose channels differ in their means, so that there is something to squeeze."""
    return 2 * torch.randn(n, c, 1, 1) + torch.randn(n, c, h, w)


def _block_cases(seed: int) -> list[Case]:
    forms = [
        ((2, 4, 2, 4), {"channels": 4, "reduction": 1}, "as many units as channels"),
        ((3, 8, 3, 2), {"channels": 8, "reduction": 2}, "8 channels, reduction 2"),
        ((2, 10 + seed % 2, 4, 3), {"channels": 10 + seed % 2, "reduction": 4}, "channels that 4 does not divide"),
        ((2, 24, 2, 2), {"channels": 24, "reduction": 4}, "24 channels, reduction 4"),
        ((2, 48, 3, 3), {"channels": 48}, "48 channels, the usual reduction"),
    ]
    return [Case(args=(_maps(*shape),), build=build, label=label) for shape, build, label in forms]


def _parameter_cases(seed: int) -> list[Case]:
    step = 2 + seed % 4
    return [
        Case(([8], 2), label="one block"),
        Case(([16 * step],), label="one block, the usual reduction"),
        Case(([10 + 4 * step], 4), label="channels that 4 does not divide"),
        Case(([12, 12, 24], 3), label="three blocks, two of them alike"),
        Case(([64, 128, 256],), label="three blocks, the usual reduction"),
        Case(([], 4), label="no block"),
    ]


def _fold_cases(seed: int) -> list[Case]:
    def drawn(count: int) -> tuple[Tensor, Tensor, Tensor]:
        return 0.5 + torch.rand(count), torch.randn(count), 0.1 + 0.8 * torch.rand(count)

    by_hand = torch.tensor([1.0, 2.0]), torch.tensor([1.0, -1.0]), torch.tensor([0.5, 0.25])
    return [
        Case(by_hand, label="two channels"),
        Case(drawn(3), label="three channels"),
        Case(drawn(8 + seed % 5), label="more channels"),
    ]


EXERCISES = [
    ModuleExercise(
        name="classification.se_block",
        title="A squeeze-and-excitation block",
        lesson=15,
        reference=SEBlock,
        cases=_block_cases,
        hints=(
            "Squeeze to (N, C), go through two dense layers, and give the gates two more dimensions before you "
            "multiply.",
            "means: over the last two dimensions. gates = sigmoid(fc2(relu(fc1(means)))). Output: maps · gates.",
            "__init__: fc1 = nn.Linear(channels, channels // reduction) and fc2, its way back. forward: "
            "maps.mean((2, 3)), the two layers, then maps * gates[:, :, None, None].",
        ),
        wrong=BLOCK_MISTAKES,
    ),
    FunctionExercise(
        name="classification.added_parameters",
        title="What the gates of a network weigh",
        lesson=15,
        reference=added_parameters,
        cases=_parameter_cases,
        hints=(
            "Count one block first: two dense layers, each with its weights and biases. Then add up the blocks.",
            "With u = C // r units: the first layer has C·u weights and u biases, the second u·C weights and C biases.",
            "total = 0; a loop over channels that computes units and adds the four numbers; return total after it.",
        ),
        wrong=PARAMETER_MISTAKES,
    ),
    FunctionExercise(
        name="classification.fold_gates",
        title="A constant gate, folded into BatchNorm",
        lesson=15,
        reference=fold_gates,
        cases=_fold_cases,
        hints=(
            "Write down what comes out of BatchNorm and gate together for one channel, and sort it by x.",
            "g · (scale · x + shift) = (g · scale) · x + (g · shift).",
            "return scale * gates, shift * gates",
        ),
        wrong=FOLD_MISTAKES,
    ),
    *QUESTIONS,
]
