"""Lesson 16, small networks: a separable convolution, its cost, a channel shuffle and a fire module to write.

Papers: Howard et al., 2017, arXiv 1704.04861; Zhang et al., 2018, arXiv 1707.01083; Iandola et al., 2016, arXiv
1602.07360. The mistakes are in `mobile_module_mistakes.py` and `mobile_function_mistakes.py`, the table and the
questions in `mobile_questions.py`.
"""

import torch

from crashcourse.classification.mobilenet import cost_ratio, separable_conv
from crashcourse.classification.shufflenet import channel_shuffle
from crashcourse.classification.squeezenet import Fire
from crashcourse.exercises.case import Case
from crashcourse.exercises.kinds import FunctionExercise, ModuleExercise
from crashcourse.exercises.mobile_function_mistakes import RATIO_MISTAKES, SHUFFLE_MISTAKES
from crashcourse.exercises.mobile_module_mistakes import FIRE_MISTAKES, SEPARABLE_MISTAKES
from crashcourse.exercises.mobile_questions import QUESTIONS


def _separable_cases(seed: int) -> list[Case]:
    more = seed % 3
    forms = [
        (2, 3, 1, (3, 4), "two channels in, three out"),
        (4 + more, 8 + more, 1, (5, 4), "more channels"),
        (3, 6, 2, (6, 7), "stride 2, six channels from three"),
        (5, 4 + more, 2, (7, 5), "stride 2, odd sizes"),
    ]
    return [
        Case(
            args=(12 * torch.randn(2, ins, *size),),
            build={"in_channels": ins, "out_channels": outs, "stride": stride},
            label=label,
        )
        for ins, outs, stride, size, label in forms
    ]


def _shuffle_cases(seed: int) -> list[Case]:
    side = 2 + seed % 2
    forms = [
        (1, 6, 2, 1, 1, "two groups of three channels, one pixel"),
        (2, 6, 3, side, side + 1, "three groups of two channels"),
        (2, 12, 2, 2, side, "two groups of six channels"),
        (3, 12, 4, side, side, "four groups of three channels"),
        (2, 9, 3, 3, 2, "three groups of three channels"),
    ]
    return [Case((torch.randn(n, c, h, w), groups), label=label) for n, c, groups, h, w, label in forms]


def _ratio_cases(seed: int) -> list[Case]:
    more = seed % 5
    return [
        Case((3, 4, 3, 1), label="three channels in, four out, one pixel"),
        Case((32, 64 + more, 3, 112), label="an early layer of MobileNet"),
        Case((512, 512, 3, 14 + more), label="a late layer of MobileNet"),
        Case((24, 40, 5, 28), label="5×5"),
        Case((240, 480, 3, 14, 8), label="the 1×1 in eight groups, as in ShuffleNet"),
        Case((60, 60, 7, 9 + more, 3), label="7×7, the 1×1 in three groups"),
    ]


def _fire_cases(seed: int) -> list[Case]:
    """In no case have two layers one shape, so that a learner may create them in any order."""
    more = seed % 3
    forms = [
        (3, 2, 4, 5, (1, 3, 3, 4), "two squeezed channels, then four and five"),
        (6 + more, 3, 4, 6, (2, 6 + more, 5, 4), "more channels"),
        (8, 2, 4, 4, (2, 8, 4, 4), "as many channels out as in"),
        (5, 4, 3, 7, (3, 5, 2, 6), "fewer by 1×1 than by 3×3"),
    ]
    return [
        Case(
            args=(torch.randn(*shape),),
            build={"in_channels": ins, "squeeze": squeeze, "expand1x1": one, "expand3x3": three},
            label=label,
        )
        for ins, squeeze, one, three, shape, label in forms
    ]


EXERCISES = [
    ModuleExercise(
        name="classification.separable_conv",
        title="A separable convolution",
        lesson=16,
        reference=separable_conv,
        cases=_separable_cases,
        modes=("eval", "train"),
        hints=(
            "Two convolutions. The first looks at space and has as many groups as channels; the second mixes channels.",
            "Conv2d(C, C, 3, stride, padding=1, groups=C), BatchNorm, ReLU, Conv2d(C, K, 1), BatchNorm, ReLU. No "
            "biases.",
            "return nn.Sequential(...) of those six layers, in that order. It is a function that returns a module.",
        ),
        wrong=SEPARABLE_MISTAKES,
    ),
    FunctionExercise(
        name="classification.cost_ratio",
        title="What a separable convolution costs",
        lesson=16,
        reference=cost_ratio,
        cases=_ratio_cases,
        hints=(
            "Count three convolutions at every pixel: depthwise, 1×1, and the full one. Which terms has each?",
            "Depthwise: k²·C. 1×1 in g groups: C·K / g. Full: k²·C·K. All three times side².",
            "return (depthwise + pointwise) / full. What is left when you simplify?",
        ),
        wrong=RATIO_MISTAKES,
    ),
    FunctionExercise(
        name="classification.channel_shuffle",
        title="A channel shuffle",
        lesson=16,
        reference=channel_shuffle,
        cases=_shuffle_cases,
        hints=(
            "Write the channels as a table, a row for each group. In which order does the table have to be read?",
            "(N, C, H, W) → (N, groups, C / groups, H, W), swap the two middle dimensions, → (N, C, H, W).",
            "features.reshape(N, groups, C // groups, H, W).transpose(1, 2).reshape(N, C, H, W)",
        ),
        wrong=SHUFFLE_MISTAKES,
    ),
    ModuleExercise(
        name="classification.fire",
        title="A fire module",
        lesson=16,
        reference=Fire,
        cases=_fire_cases,
        hints=(
            "Three convolutions. Both expanding ones see what the squeezing one gives.",
            "s = ReLU(1×1(x)); the output is ReLU(1×1(s)) and ReLU(3×3(s)) side by side, the 1×1's channels first.",
            "__init__: squeeze = Conv2d(in_channels, squeeze, 1), expand1x1 = Conv2d(squeeze, expand1x1, 1), expand3x3 "
            "= Conv2d(squeeze, expand3x3, 3, padding=1), with biases. forward: torch.cat([..., ...], dim=1).",
        ),
        wrong=FIRE_MISTAKES,
    ),
    *QUESTIONS,
]
