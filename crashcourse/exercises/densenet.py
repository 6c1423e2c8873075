"""Lesson 14, DenseNet: a dense layer, a transition, the channels of a network and the use of its maps, to write.

Paper: Huang, Liu, van der Maaten and Weinberger, 2017, arXiv 1608.06993: section 3 (layers, transitions, growth),
figure 5 (which layers are used). **Differs from the paper:** nothing; the package's own layers, in
`classification/densenet.py`, can leave out the bottleneck, drop units and save memory, too. The mistakes are in
`densenet_module_mistakes.py` and `densenet_function_mistakes.py`, the questions in `densenet_questions.py`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from crashcourse.exercises.case import Case
from crashcourse.exercises.densenet_function_mistakes import CHANNEL_MISTAKES, REUSE_MISTAKES
from crashcourse.exercises.densenet_module_mistakes import LAYER_MISTAKES, TRANSITION_MISTAKES
from crashcourse.exercises.densenet_questions import QUESTIONS
from crashcourse.exercises.kinds import FunctionExercise, ModuleExercise


class BottleneckLayer(nn.Module):
    """A layer of a dense block with its bottleneck: BN-ReLU-1×1, BN-ReLU-3×3, no biases.

    Args:
        in_channels: channels of all the maps that it sees, together.
        growth: channels that it adds, k. The 1×1 convolution makes 4k.
    """

    def __init__(self, in_channels: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """The new maps of this layer, and only those.

        Args:
            maps: what the block received and what each layer before made, each (N, C_i, H, W) float.

        Returns:
            (N, growth, H, W) float.
        """
        seen = torch.cat(maps, dim=1)  # (N, in_channels, H, W)
        narrow = self.conv1(self.norm1(seen).relu())  # (N, 4 growth, H, W)
        return self.conv2(self.norm2(narrow).relu())  # (N, growth, H, W)


class Transition(nn.Module):
    """Between two blocks: BN-ReLU, a 1×1 convolution without bias, 2×2 average pooling.

    Args:
        in_channels: channels that come in, m.
        compression: the share of them that it keeps, θ: ⌊θm⌋ channels.
    """

    def __init__(self, in_channels: int, compression: float = 0.5) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.conv = nn.Conv2d(in_channels, int(compression * in_channels), 1, bias=False)
        self.pool = nn.AvgPool2d(2)

    def forward(self, maps: Tensor) -> Tensor:
        """Fewer and smaller maps.

        Args:
            maps: (N, in_channels, H, W) float.

        Returns:
            (N, ⌊θm⌋, H // 2, W // 2) float.
        """
        return self.pool(self.conv(self.norm(maps).relu()))


def channels_through(stem: int, growth: int, blocks: Sequence[int], compression: float) -> list[int]:
    """The channels after every part of a DenseNet, in order: stem, block, transition, block, ..., block.

    Args:
        stem: channels after the first convolution.
        growth: channels that each layer adds, k.
        blocks: how many layers each block has. A transition stands between two blocks, none after the last.
        compression: the share of its channels that a transition keeps, θ, rounded down.

    Returns:
        2 · len(blocks) whole numbers.
    """
    channels = [stem]
    for place, layers in enumerate(blocks):
        if place > 0:
            channels.append(int(compression * channels[-1]))
        channels.append(channels[-1] + layers * growth)
    return channels


def use_of_sources(weight: Tensor, sources: Sequence[int]) -> Tensor:
    """How much a convolution uses each of the sources whose maps were concatenated before it.

    Args:
        weight: (K, C, k, k) float, the weights of the convolution.
        sources: how many of its C input channels come from each source, in order; their sum is C.

    Returns:
        (len(sources),) float: for each source, the mean absolute value of the weights that read its channels.
    """
    parts = weight.split(list(sources), dim=1)  # each (K, C_i, k, k)
    return torch.stack([part.abs().mean() for part in parts])


def _maps(channels: Sequence[int], *size: int, images: int = 2) -> list[Tensor]:
    return [torch.randn(images, count, *size) for count in channels]


def _layer_cases(seed: int) -> list[Case]:
    growth = 2 + seed % 2
    forms = [
        ([4, growth], growth, (4, 3), "the second layer: the input of the block and one layer before"),
        ([2, 2], 2, (3, 2), "the second layer, equal channels"),
        ([3, growth, growth, growth], growth, (3, 3), "the fourth layer"),
        ([2, 1, 1], 1, (1, 5), "growth 1, maps one pixel high"),
    ]
    return [
        Case(args=(_maps(channels, *size),), build={"in_channels": sum(channels), "growth": k}, label=label)
        for channels, k, size, label in forms
    ]


def _transition_cases(seed: int) -> list[Case]:
    forms = [
        (4 + 2 * (seed % 3), 0.5, (4, 4), "half of an even number of channels"),
        (7, 0.5, (4, 6), "half of an odd number: rounded down"),
        (6, 1.0, (2, 4), "all channels are kept"),
        (10, 0.25, (5, 7), "a quarter, odd sizes: the last row and column are left out"),
        (9, 0.75, (6, 4), "three quarters of 9"),
    ]
    return [
        Case(args=(torch.randn(2, count, *size),), build={"in_channels": count, "compression": share}, label=label)
        for count, share, size, label in forms
    ]


def _channel_cases(seed: int) -> list[Case]:
    growth = 3 + seed % 5
    forms = [
        (8, growth, [2], 0.5, "one block: no transition"),
        (8, growth, [3, 1], 1.0, "two blocks, everything is kept"),
        (6, 4, [2, 4], 0.5, "two blocks, half is kept"),
        (9, 4, [1, 3, 2], 0.5, "an odd number of channels, halved"),
        (10, growth, [2, 5, 3], 0.25, "a quarter is kept"),
        (64, 32, [6, 12, 24, 16], 0.5, "DenseNet-121"),
    ]
    return [Case((stem, k, blocks, share), label=label) for stem, k, blocks, share, label in forms]


def _use_cases(seed: int) -> list[Case]:
    forms = [
        (2, [1, 1], 1, "1×1, two sources of one channel"),
        (3, [4, 2], 1, "1×1, a source of four channels and one of two"),
        (4, [3, 2, 2, 2], 3, "3×3, four sources"),
        (2, [5], 1, "one source"),
        (6, [2, 6, 1 + seed % 4], 3, "3×3, three sources of unequal size"),
    ]
    shift = (-1) ** torch.arange(max(sum(sources) for _, sources, _, _ in forms))[:, None, None]
    return [
        Case((torch.randn(filters, sum(sources), side, side) + shift[: sum(sources)], sources), label=label)
        for filters, sources, side, label in forms
    ]


EXERCISES = [
    ModuleExercise(
        name="classification.dense_layer",
        title="A layer of a dense block",
        lesson=14,
        reference=BottleneckLayer,
        cases=_layer_cases,
        modes=("eval", "train"),
        hints=(
            "Join the tensors of the list along the channels. Then two convolutions, each with its BatchNorm before "
            "it.",
            "conv3×3(ReLU(BN(conv1×1(ReLU(BN(cat(maps))))))): the 1×1 from in_channels to 4k, the 3×3 from 4k to k.",
            "__init__: norm1 (in_channels), conv1, norm2 (4 growth), conv2 with padding=1, convolutions with "
            "bias=False. forward: torch.cat(maps, dim=1), then norm1, ReLU, conv1, norm2, ReLU, conv2; return that.",
        ),
        wrong=LAYER_MISTAKES,
    ),
    FunctionExercise(
        name="classification.channels_through",
        title="The channels through a DenseNet",
        lesson=14,
        reference=channels_through,
        cases=_channel_cases,
        hints=(
            "Keep a list that begins with the stem. The next number always comes from the last one.",
            "A block adds layers · growth to what it received. A transition keeps int(compression · channels).",
            "for place, layers in enumerate(blocks): append a transition if place > 0, then append the block.",
        ),
        wrong=CHANNEL_MISTAKES,
    ),
    ModuleExercise(
        name="classification.transition",
        title="A transition between two blocks",
        lesson=14,
        reference=Transition,
        cases=_transition_cases,
        modes=("eval", "train"),
        hints=(
            "Four steps in the paper's order: normalise, ReLU, mix the channels, shrink the maps.",
            "AvgPool2×2(conv1×1(ReLU(BN(maps)))), from in_channels to int(compression · in_channels).",
            "__init__: norm, conv with bias=False, pool = nn.AvgPool2d(2). forward: norm, ReLU, conv, pool.",
        ),
        wrong=TRANSITION_MISTAKES,
    ),
    FunctionExercise(
        name="classification.use_of_sources",
        title="How much a layer uses each layer before it",
        lesson=14,
        reference=use_of_sources,
        cases=_use_cases,
        hints=(
            "Which dimension of weight counts the channels that it reads? Cut it into the parts of the sources.",
            "For each part: the mean over all its numbers of |w|.",
            "weight.split(list(sources), dim=1), .abs().mean() of each part, torch.stack.",
        ),
        wrong=REUSE_MISTAKES,
    ),
    *QUESTIONS,
]
