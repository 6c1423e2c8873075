"""Lesson 53, RCAN: the pixel shuffle, channel attention, a block, a group and a count of parameters to write.

Papers: Zhang et al., 2018, arXiv 1807.02758, equations 7 to 13; Shi et al., 2016, arXiv 1609.05158, equation 4. The
mistakes are in `rcan_shuffle_mistakes.py`, `rcan_attention_mistakes.py`, `rcan_block_mistakes.py`,
`rcan_group_mistakes.py` and `rcan_count_mistakes.py`, the questions in `rcan_questions.py`.
"""

import torch
from torch import Tensor, nn

from crashcourse.exercises.case import Case
from crashcourse.exercises.kinds import FunctionExercise, ModuleExercise
from crashcourse.exercises.rcan_attention_mistakes import ATTENTION_MISTAKES
from crashcourse.exercises.rcan_block_mistakes import BLOCK_MISTAKES
from crashcourse.exercises.rcan_count_mistakes import COUNT_MISTAKES
from crashcourse.exercises.rcan_group_mistakes import GROUP_MISTAKES
from crashcourse.exercises.rcan_questions import QUESTIONS
from crashcourse.exercises.rcan_shuffle_mistakes import SHUFFLE_MISTAKES


def shuffle_and_shave(maps: Tensor, scale: int, border: int) -> Tensor:
    """Pixel shuffle, and a border cut off behind it.

    Map c · scale² + a · scale + b holds, at row i and column j, the pixel of colour c in row scale · i + a and column
    scale · j + b of the image; a and b, from 0 to scale - 1, are row and column in a small square.

    Args:
        maps: (N, C · scale², H, W) float.
        scale: how many times larger the image is than a map.
        border: pixels of the *image* that are left out on every side, 0 or more.

    Returns:
        (N, C, scale · H - 2 · border, scale · W - 2 · border) float.
    """
    n, channels, height, width = maps.shape
    parts = maps.reshape(n, channels // scale**2, scale, scale, height, width)  # (N, C, a, b, i, j)
    image = parts.permute(0, 1, 4, 2, 5, 3).reshape(n, -1, scale * height, scale * width)
    return image[..., border : scale * height - border, border : scale * width - border]


class Attention(nn.Module):
    """Channel attention: every channel times a gate, which is computed from the means of all channels.

    The means go through a 1×1 convolution to C // r channels, ReLU, a 1×1 convolution back to C, and a sigmoid. Both
    convolutions have biases.

    Args:
        channels: of the maps, C.
        reduction: r.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, channels // reduction, 1)
        self.up = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """The maps, every channel scaled by its gate: (N, C, H, W) float -> (N, C, H, W) float."""
        means = maps.mean((2, 3), keepdim=True)  # (N, C, 1, 1)
        gates = self.up(self.down(means).relu()).sigmoid()  # (N, C, 1, 1)
        return maps * gates


class Block(nn.Module):
    """RCAB, a residual block with channel attention: 3×3 convolution, ReLU, 3×3 convolution, attention, plus the input.

    Sizes stay: the 3×3 convolutions have zeros around. There is no BatchNorm and no ReLU behind the sum. `Attention` is
    the class of the exercise before.

    Args:
        width: channels in and out.
        reduction: of `Attention(width, reduction)`.
    """

    def __init__(self, width: int, reduction: int = 16) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.attention = Attention(width, reduction)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) float -> (N, width, H, W) float."""
        residual = self.conv2(self.conv1(x).relu())
        return x + self.attention(residual)


class Group(nn.Module):
    """A residual group: blocks one after the other, a 3×3 convolution with zeros around, plus the group's input.

    `Block` is the class of the exercise before.

    Args:
        blocks: how many there are.
        width: channels.
        reduction: of `Block(width, reduction)`.
    """

    def __init__(self, blocks: int, width: int, reduction: int = 16) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Block(width, reduction) for _ in range(blocks)))
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) float -> (N, width, H, W) float."""
        return x + self.conv(self.blocks(x))


def rcan_size(groups: int, blocks: int, width: int, reduction: int = 16) -> int:
    """How many parameters an RCAN for ×2 has, biases included.

    From the input on: a 3×3 convolution from 3 channels to width; the groups, each with its blocks and one 3×3
    convolution; one 3×3 convolution behind all groups; a 3×3 convolution to 4 times the width, for the pixel shuffle; a
    3×3 convolution from width to 3 channels. A block has two 3×3 convolutions, and two of 1×1 for its gates.

    Args:
        groups: G.
        blocks: in each group, B.
        width: channels, C.
        reduction: r; the gates go through C // r channels.

    Returns:
        The number of weights and biases, an int.
    """
    conv = 9 * width * width + width
    units = width // reduction
    attention = width * units + units + units * width + width
    body = groups * (blocks * (2 * conv + attention) + conv) + conv
    head = 9 * 3 * width + width
    tail = (9 * width * 4 * width + 4 * width) + (9 * width * 3 + 3)
    return head + body + tail


def _shuffle_cases(seed: int) -> list[Case]:
    counted = torch.arange(1.0, 9.0).view(1, 4, 1, 2) + seed % 5
    return [
        Case((counted, 2, 0), label="four maps of 1×2, no border"),
        Case((torch.randn(2, 12, 5, 6), 2, 2), label="a border of 2 at scale 2, as papers leave it out"),
        Case((torch.randn(2, 12, 7, 8), 2, 3), label="a border of 3, which 2 does not divide"),
        Case((torch.randn(1, 36, 4, 5), 3, 1), label="scale 3, four colours, a border of 1"),
        Case((torch.randn(1, 4, 12, 11), 2, 5), label="one colour, a border of 5"),
    ]


def _maps(n: int, c: int, h: int, w: int) -> Tensor:
    """Maps whose channels differ in their means, so that the gates have something to go by."""
    return 2 * torch.randn(n, c, 1, 1) + torch.randn(n, c, h, w)


def _attention_cases(seed: int) -> list[Case]:
    forms = [
        ((2, 4, 2, 4), {"channels": 4, "reduction": 1}, "as many units as channels"),
        ((3, 8, 3, 2), {"channels": 8, "reduction": 2}, "8 channels, reduction 2"),
        ((2, 10 + seed % 2, 4, 3), {"channels": 10 + seed % 2, "reduction": 4}, "channels that 4 does not divide"),
        ((2, 32, 3, 3), {"channels": 32}, "32 channels, the usual reduction"),
    ]
    return [Case(args=(_maps(*shape),), build=build, label=label) for shape, build, label in forms]


def _block_cases(seed: int) -> list[Case]:
    forms = [
        ((1, 4, 4, 3), {"width": 4, "reduction": 2}, "4 channels"),
        ((2, 8 + seed % 3, 5, 4), {"width": 8 + seed % 3, "reduction": 3}, "more channels"),
        ((2, 16, 3, 4), {"width": 16}, "16 channels, the usual reduction"),
    ]
    return [Case(args=(_maps(*shape),), build=build, label=label) for shape, build, label in forms]


def _group_cases(seed: int) -> list[Case]:
    forms = [
        ((1, 4, 4, 3), {"blocks": 1, "width": 4, "reduction": 2}, "one block"),
        ((2, 6, 4, 4), {"blocks": 2, "width": 6, "reduction": 3}, "two blocks"),
        ((1, 4 + seed % 3, 3, 5), {"blocks": 3, "width": 4 + seed % 3, "reduction": 4}, "three blocks"),
    ]
    return [Case(args=(_maps(*shape),), build=build, label=label) for shape, build, label in forms]


def _size_cases(seed: int) -> list[Case]:
    width = 8 + seed % 5
    return [
        Case((1, 1, 4, 2), label="one group of one block, 4 channels"),
        Case((2, 3, width, 3), label="two groups of three blocks"),
        Case((3, 2, 20, 8), label="channels that the reduction does not divide"),
        Case((5, 4, 32), label="the usual reduction"),
        Case((10, 20, 64), label="the network of the paper"),
    ]


EXERCISES = [
    FunctionExercise(
        name="restoration.shuffle_and_shave",
        title="Pixel shuffle, and a border cut off",
        lesson=53,
        reference=shuffle_and_shave,
        cases=_shuffle_cases,
        hints=(
            "Cut the channels into colour, row and column of the small square: c, a, b. Behind which of i and j does a "
            "belong in the image, behind which b? And is the border counted in pixels of the maps, or of the image?",
            "reshape to (N, C, scale, scale, H, W), permute to (N, C, H, scale, W, scale), reshape to (N, C, "
            "scale · H, scale · W). Then keep rows and columns from border to side - border.",
            "parts = maps.reshape(n, -1, scale, scale, height, width); image = parts.permute(0, 1, 4, 2, 5, "
            "3).reshape(...); return image[..., border : scale * height - border, border : scale * width - border].",
        ),
        wrong=SHUFFLE_MISTAKES,
    ),
    ModuleExercise(
        name="restoration.channel_attention",
        title="Channel attention",
        lesson=53,
        reference=Attention,
        cases=_attention_cases,
        hints=(
            "One mean for each channel, two 1×1 convolutions on those, and a product with the maps.",
            "gates = sigmoid(up(relu(down(means)))), with means of shape (N, C, 1, 1). Output: maps · gates.",
            "__init__: down = nn.Conv2d(channels, channels // reduction, 1), and up, its way back. forward: "
            "maps.mean((2, 3), keepdim=True), the two of them, then maps * gates.",
        ),
        wrong=ATTENTION_MISTAKES,
    ),
    ModuleExercise(
        name="restoration.rcab",
        title="A residual channel attention block",
        lesson=53,
        reference=Block,
        cases=_block_cases,
        hints=(
            "Two convolutions with a ReLU between them make the residual. What happens to it before it is added?",
            "x + attention(conv2(relu(conv1(x)))).",
            "__init__: conv1 and conv2 with padding=1, attention = Attention(width, reduction). forward: residual, "
            "gated residual, sum.",
        ),
        wrong=BLOCK_MISTAKES,
    ),
    ModuleExercise(
        name="restoration.residual_group",
        title="A residual group",
        lesson=53,
        reference=Group,
        cases=_group_cases,
        hints=(
            "A stack of blocks, one convolution behind it, and a skip from the very start to the very end.",
            "x + conv(blocks(x)).",
            "__init__: nn.Sequential(*(Block(width, reduction) for _ in range(blocks))) and conv with padding=1. "
            "forward: x + self.conv(self.blocks(x)).",
        ),
        wrong=GROUP_MISTAKES,
    ),
    FunctionExercise(
        name="restoration.rcan_size",
        title="Parameters of an RCAN",
        lesson=53,
        reference=rcan_size,
        cases=_size_cases,
        hints=(
            "Count from the inside out: a 3×3 convolution, a pair of gates, a block, a group, the network.",
            "conv = 9 C² + C. Gates: C u + u + u C + C with u = C // r. Block: 2 conv + gates. Group: B blocks + conv. "
            "Body: G groups + conv.",
            "head = 27 C + C; tail = (9 C · 4 C + 4 C) + (27 C + 3); return head + body + tail.",
        ),
        wrong=COUNT_MISTAKES,
    ),
    *QUESTIONS,
]
