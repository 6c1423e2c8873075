"""Lesson 17, EfficientNet: a block, stochastic depth, and the scaling of a stage and of a network, to write.

Papers: Tan and Le, 2019, arXiv 1905.11946; Huang et al., 2016, arXiv 1603.09382. The mistakes are in
`efficientnet_block_mistakes.py`, `efficientnet_drop_mistakes.py` and `efficientnet_scaling_mistakes.py`, the questions
in `efficientnet_questions.py`.
"""

import torch

from crashcourse.classification.efficientnet import MBConv
from crashcourse.classification.efficientnet_scaling import scale_network, scale_stage
from crashcourse.classification.stochastic_depth import drop_residuals
from crashcourse.exercises.case import Case
from crashcourse.exercises.efficientnet_block_mistakes import BLOCK_MISTAKES
from crashcourse.exercises.efficientnet_drop_mistakes import DROP_MISTAKES
from crashcourse.exercises.efficientnet_questions import QUESTIONS
from crashcourse.exercises.efficientnet_scaling_mistakes import NETWORK_MISTAKES, STAGE_MISTAKES
from crashcourse.exercises.kinds import FunctionExercise, ModuleExercise


def _block_cases(seed: int) -> list[Case]:
    width = 8 + 4 * (seed % 2)
    forms = [
        (width, width, {}, (4, 5), "equal channels, stride 1: with a shortcut"),
        (width, width, {"expansion": 1}, (4, 4), "no expansion"),
        (width, width, {"stride": 2}, (5, 4), "stride 2, large values"),
        (width, width + 2, {"kernel": 5, "expansion": 4}, (4, 5), "other channels, 5×5"),
        (width, 2 * width, {"kernel": 5, "stride": 2}, (6, 7), "other channels, stride 2, 5×5"),
        (4, 4, {"expansion": 2, "drop": 0.9}, (3, 3), "drop 0.9, in evaluation"),
    ]
    return [
        Case(
            args=(torch.randn(2, ins, *size) * (20 if "large" in label else 1),),
            build={"in_channels": ins, "out_channels": outs, **options},
            label=label,
        )
        for ins, outs, options, size, label in forms
    ]


def _drop_cases(seed: int) -> list[Case]:
    forms = [
        ([True, False], 0.5, (1, 1, 2), "two examples, one kept"),
        ([True, True], 0.2, (2, 1, 1), "two examples, both kept"),
        ([False, False], 0.75, (1, 2, 1), "two examples, both dropped"),
        ([False, True, True], 0.2, (2, 3, 3), "three examples of 3×3, two kept"),
        ([True, False, False, True], 0.0, (4, 4, 4), "probability 0, and two dropped all the same"),
    ]
    return [
        Case((torch.randn(len(kept), *shape), torch.tensor(kept), probability), label=label)
        for kept, probability, shape, label in forms
    ]


def _stage_cases(seed: int) -> list[Case]:
    more = seed % 5
    forms = [
        (32, 2 + more, 1.0, 1.0, {}, "nothing is scaled"),
        (16 + 16 * more, 1, 2.0, 3.0, {}, "whole multipliers"),
        (52, 1 + more, 1.0, 1.1, {}, "half way between two multiples"),
        (62, 1, 1.0, 1.0, {}, "the nearest multiple is above"),
        (18, 3, 1.0, 1.1, {}, "the nearest multiple is below 90 %"),
        (35, 2, 1.0, 1.5, {}, "the nearest multiple is below, not too far"),
        (30, 4, 1.1, 1.2, {}, "scaled to 33"),
        (20, 4, 1.3, 0.6, {"divisor": 4}, "multiples of 4"),
        (40, 3, 0.5, 2.2, {}, "half the width"),
    ]
    return [Case(form[:4], form[4], label=form[5]) for form in forms]


def _network_cases(seed: int) -> list[Case]:
    stages = [(16, 1), (24, 2), (40, 2), (80, 3)]
    side = 160 + 32 * (seed % 5)
    forms = [
        ([(32, 2)], side, 0, {}, "φ = 0: the baseline"),
        ([(32, 2)], 224, 1, {}, "one stage, φ = 1"),
        (stages, 224, 2, {}, "four stages, φ = 2"),
        (stages, 224, 0.5, {}, "four stages, φ = 0.5"),
        (stages, side, 3, {"alpha": 1.0, "beta": 1.3, "gamma": 1.0}, "width alone, φ = 3"),
        (stages, side, 2, {"alpha": 1.7, "beta": 1.0, "gamma": 1.0}, "depth alone, φ = 2"),
        (stages, side, 2, {"alpha": 1.0, "beta": 1.0, "gamma": 1.33}, "resolution alone, φ = 2"),
    ]
    return [Case(form[:3], form[3], label=form[4]) for form in forms]


EXERCISES = [
    FunctionExercise(
        name="classification.drop_residuals",
        title="Stochastic depth, once it is decided who is dropped",
        lesson=17,
        reference=drop_residuals,
        cases=_drop_cases,
        gradient=True,
        hints=(
            "Every example has one factor for its whole residual. What is it for the dropped ones, what for the kept?",
            "0, and 1 / (1 - probability): then the mean over many draws is the residual itself.",
            "kept as floats, divided by 1 - probability; give it the shape (N, 1, 1, 1); multiply.",
        ),
        wrong=DROP_MISTAKES,
    ),
    ModuleExercise(
        name="classification.mbconv",
        title="The block MBConv",
        lesson=17,
        reference=MBConv,
        cases=_block_cases,
        hints=(
            "MobileNet's inverted residual, with SiLU for ReLU6, and squeeze-and-excitation between the depthwise "
            "convolution and the projection.",
            "Expand 1×1 to in_channels · expansion (left out where expansion is 1), depthwise k×k with the stride, "
            "gates from in_channels // 4 units, project 1×1 without activation. Add the input where stride is 1 and "
            "the channels are equal, after stochastic_depth.",
            "__init__: nn.Sequential of conv_norm(..., activation=nn.SiLU), conv_norm(..., groups=hidden), "
            "SqueezeExcitation(hidden, squeezed=..., activation=nn.SiLU), conv_norm(..., activation=None). forward: "
            "features + stochastic_depth(residual, self.drop, training=self.training), or the residual alone.",
        ),
        wrong=BLOCK_MISTAKES,
    ),
    FunctionExercise(
        name="classification.scale_stage",
        title="Round channels and repeats",
        lesson=17,
        reference=scale_stage,
        cases=_stage_cases,
        hints=(
            "Two separate numbers: width decides the channels, depth the repeats. Only the channels need a multiple.",
            "Nearest multiple: (wanted + divisor / 2) // divisor · divisor. Compare it with 0.9 · wanted. Repeats: "
            "math.ceil.",
            "wanted = channels * width; rounded = max(divisor, int(wanted + divisor / 2) // divisor * divisor); if "
            "rounded < 0.9 * wanted: add divisor; return rounded, math.ceil(repeats * depth).",
        ),
        wrong=STAGE_MISTAKES,
    ),
    FunctionExercise(
        name="classification.scale_network",
        title="Scale a network by φ",
        lesson=17,
        reference=scale_network,
        cases=_network_cases,
        hints=(
            "Which of α, β and γ belongs to depth, to width, to resolution? How does φ enter?",
            "depth = α^φ, width = β^φ, resolution = γ^φ. A stage is scaled by your scale_stage.",
            "stages: [scale_stage(channels, repeats, beta**phi, alpha**phi) for ...]; size: round(image_size * "
            "gamma**phi). Return both.",
        ),
        wrong=NETWORK_MISTAKES,
    ),
    *QUESTIONS,
]
