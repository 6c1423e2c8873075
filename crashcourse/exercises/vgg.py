"""Lesson 11, VGG: the two functions to write, the network from its table and its parameters.

Paper: Simonyan, Zisserman, 2014, arXiv 1409.1556. The wrong answers are the references with one line changed, as
people change it.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from crashcourse.classification.vgg import vgg_features, vgg_parameters
from crashcourse.exercises.case import Case
from crashcourse.exercises.kinds import FunctionExercise, ModuleExercise


def _features_cases(seed: int) -> list[Case]:
    width = 2 + seed % 3
    tables = [
        (((3,),), (width,), {"size": (9, 7)}, "one stage of one convolution"),
        (((3, 3), (3,)), (width, 2 * width), {}, "two stages"),
        (((3,), (3, 3, 1)), (width, width + 3), {}, "with a 1×1, as in configuration C"),
        (((5,), (3, 3)), (width, 2 * width), {"in_channels": 1}, "with a 5×5, grey images"),
        (((3, 3), (3, 3)), (width, 2 * width), {"batch_norm": True}, "with BatchNorm"),
    ]
    return [
        Case(
            args=(torch.randn(2, options.get("in_channels", 3), *options.pop("size", (8, 12))),),
            build={"stages": stages, "channels": channels, **options},
            label=label,
        )
        for stages, channels, options, label in tables
    ]


def _build(
    stages,
    channels,
    *,
    in_channels=3,
    batch_norm=False,
    chained: bool = True,
    never_chained: bool = False,
    bias: bool = True,
    padding: Callable[[int], int] = lambda kernel: kernel // 2,
    kernel_of: Callable[[int], int] = lambda kernel: kernel,
    order: str = "conv norm relu",
    norm: Callable[[bool, bool], bool] | None = None,
    relu_each: bool = True,
    pool: Callable[[], nn.Module] = lambda: nn.MaxPool2d(2),
    pool_each: bool = False,
    last_pool: bool = True,
    inner_pools: bool = True,
    stride: int = 1,
) -> nn.Sequential:
    """`vgg_features` with one thing wrong: what the keyword arguments after `batch_norm` say."""
    layers: list[nn.Module] = []
    for stage, (kernels, out_channels) in enumerate(zip(stages, channels, strict=True)):
        for place, kernel in enumerate(kernels):
            kernel = kernel_of(kernel)
            last = place == len(kernels) - 1
            conv = nn.Conv2d(
                in_channels, out_channels, kernel, stride=stride if last else 1, padding=padding(kernel), bias=bias
            )
            normed = batch_norm if norm is None else norm(batch_norm, last)
            parts = {"conv": [conv], "norm": [nn.BatchNorm2d(out_channels)] if normed else []}
            parts["relu"] = [nn.ReLU()] if relu_each or last else []
            layers += [layer for name in order.split() for layer in parts[name]]
            in_channels = out_channels if chained and not never_chained else in_channels
            layers += [pool()] if pool_each and not last else []
        in_channels = in_channels if never_chained else out_channels
        end = stage == len(channels) - 1
        layers += [pool()] if stride == 1 and (last_pool if end else inner_pools) else []
    return nn.Sequential(*layers)


def _parameters_cases(seed: int) -> list[Case]:
    width = 3 + seed % 4
    return [
        Case((((3,),), (width,)), {"num_classes": 2, "image_size": 4, "hidden": 5}, "one convolution"),
        Case(
            (((3, 1), (3,), (3,)), (width, 2 * width, 3 * width)),
            {"num_classes": 10, "image_size": 28, "hidden": 8},
            "28×28 images, which three stages shrink to 14, 7 and 3",
        ),
        Case((((5,), (3, 3)), (width, width + 1)), {"in_channels": 1, "image_size": 36, "hidden": 16}, "grey images"),
        Case((((3, 3), (3, 3), (3, 3, 3)), (8, 16, 32 + width)), {}, "224×224 images, everything else by default"),
    ]


def _count(
    stages,
    channels,
    *,
    num_classes=1000,
    in_channels=3,
    image_size=224,
    hidden=4096,
    bias: int = 1,
    dense_bias: int = 1,
    power: int = 2,
    chained: bool = True,
    never_chained: bool = False,
    pixels: Callable[[int, int], int] = lambda size, stages: (size // 2**stages) ** 2,
    dense: Callable[[int, int, int], int] = lambda hidden, num_classes, bias: (
        hidden * (hidden + bias) + num_classes * (hidden + bias)
    ),
    first: bool = True,
) -> int:
    """`vgg_parameters` with one thing wrong: what the keyword arguments after `hidden` say."""
    total, before = 0, in_channels
    for kernels, out_channels in zip(stages, channels, strict=True):
        for kernel in kernels:
            total += out_channels * (before * kernel**power + bias)
            before = out_channels if chained and not never_chained else before
        before = in_channels if never_chained else out_channels
    flat = channels[-1] * pixels(image_size, len(channels))
    return total + first * hidden * (flat + dense_bias) + dense(hidden, num_classes, dense_bias)


EXERCISES = [
    ModuleExercise(
        name="classification.vgg_features",
        title="The convolutions of a VGG, from its table",
        lesson=11,
        reference=vgg_features,
        cases=_features_cases,
        modes=("eval", "train"),
        hints=(
            "Two loops: over the stages, and over the kernels of a stage. Keep a list of layers.",
            "Convolution (padding = kernel // 2), BatchNorm if asked for, ReLU; after the last of a stage, a 2×2 "
            "max-pool.",
            "for kernels, out in zip(stages, channels): for kernel in kernels: layers.append(...); in_channels = out; "
            "then one layer more; at the end nn.Sequential(*layers).",
        ),
        wrong={
            "not_chained": (
                partial(_build, chained=False),
                "Within a stage, the second convolution still expects the channels that came into the stage. "
                "After each convolution set in_channels = out_channels.",
            ),
            "never_chained": (
                partial(_build, never_chained=True),
                "Every convolution of yours expects the channels of the images. Each takes what the one before gives: "
                "set in_channels = out_channels after it.",
            ),
            "first_kernel_only": (
                lambda stages, channels, **options: vgg_features(
                    [kernels[:1] for kernels in stages], channels, **options
                ),
                "Each stage of yours has one convolution. Loop over the kernels of the stage: (3, 3) means two of 3×3.",
            ),
            "first_stage_only": (
                lambda stages, channels, **options: vgg_features(stages[:1], channels[:1], **options),
                "Only the first stage is there. Is the `return` inside the loop?",
            ),
            "no_bias": (
                partial(_build, bias=False),
                "Your convolutions have no bias. Later networks leave it out before BatchNorm; VGG keeps it.",
            ),
            "bias_or_norm": (
                lambda stages, channels, *, in_channels=3, batch_norm=False: _build(
                    stages, channels, in_channels=in_channels, batch_norm=batch_norm, bias=not batch_norm
                ),
                "With BatchNorm your convolutions lose their bias. That saves a little and became usual later; this "
                "network, like torchvision's, keeps it.",
            ),
            "norm_always": (
                partial(_build, norm=lambda wanted, last: True),
                "BatchNorm is there even when batch_norm is False. Append it only when it is asked for.",
            ),
            "norm_per_stage": (
                partial(_build, norm=lambda wanted, last: wanted and last),
                "There is one BatchNorm per stage. With batch_norm=True, one follows every convolution.",
            ),
            "no_padding": (
                partial(_build, padding=lambda kernel: 0),
                "Your convolutions shrink the maps: a 3×3 without padding loses a pixel on each side. Use "
                "padding=kernel // 2.",
            ),
            "padding_one": (
                partial(_build, padding=lambda kernel: 1),
                "padding=1 keeps the size for 3×3 only; a 1×1 grows by it and a 5×5 still shrinks. Use "
                "padding=kernel // 2.",
            ),
            "always_3x3": (
                partial(_build, kernel_of=lambda kernel: 3),
                "Every convolution of yours is 3×3. The table says how large each is: configuration C has 1×1 as well.",
            ),
            "no_relu": (
                partial(_build, order="conv norm"),
                "There is no ReLU, so the whole stack is one linear function between two poolings. "
                "Put nn.ReLU() after every convolution.",
            ),
            "relu_per_stage": (
                partial(_build, relu_each=False),
                "There is one ReLU per stage. VGG has one after every convolution: that is what makes a stack bend "
                "more often.",
            ),
            "pool_each": (
                partial(_build, pool_each=True),
                "You pool after every convolution. Pool once per stage, after its last convolution.",
            ),
            "no_last_pool": (
                partial(_build, last_pool=False),
                "The last stage does not end in a pooling layer. All of them do: five in VGG, from 224 to 7.",
            ),
            "no_pool": (
                partial(_build, last_pool=False, inner_pools=False),
                "The maps keep their full size: nothing pools. Append nn.MaxPool2d(2) after each stage.",
            ),
            "one_pool": (
                partial(_build, inner_pools=False),
                "There is one pooling layer, at the very end. Append one after each stage, inside the outer loop.",
            ),
            "pool_stride_one": (
                partial(_build, pool=lambda: nn.MaxPool2d(2, 1)),
                "Your pooling moves by one pixel, so the maps lose a pixel and are not halved. Use stride 2: "
                "nn.MaxPool2d(2).",
            ),
            "pool_three": (
                partial(_build, pool=lambda: nn.MaxPool2d(3, 2)),
                "You pool 3×3 squares. VGG pools 2×2 squares with stride 2: nn.MaxPool2d(2).",
            ),
            "rounded_up": (
                partial(_build, pool=lambda: nn.MaxPool2d(2, ceil_mode=True)),
                "With an odd number of rows, your pooling keeps half a square at the edge. Leave ceil_mode as it is.",
            ),
            "average_pool": (
                partial(_build, pool=lambda: nn.AvgPool2d(2)),
                "You take the mean of every 2×2 square. VGG takes the largest: nn.MaxPool2d(2).",
            ),
            "overlapping_pool": (
                partial(_build, pool=lambda: nn.MaxPool2d(3, 2, padding=1)),
                "You pool 3×3 squares that overlap, as AlexNet does. VGG pools 2×2 squares with stride 2: "
                "nn.MaxPool2d(2).",
            ),
            "strided": (
                partial(_build, stride=2),
                "You halve the maps with a stride of 2 in the last convolution. In VGG only max-pooling shrinks them.",
            ),
            "norm_after_relu": (
                partial(_build, order="conv relu norm"),
                "BatchNorm comes after the ReLU. It belongs between the convolution and its ReLU.",
            ),
            "norm_ignored": (
                lambda stages, channels, *, in_channels=3, batch_norm=False: _build(
                    stages, channels, in_channels=in_channels
                ),
                "batch_norm=True changes nothing in your stack: append nn.BatchNorm2d(out_channels) after each "
                "convolution then.",
            ),
            "grey_ignored": (
                lambda stages, channels, *, in_channels=3, batch_norm=False: _build(
                    stages, channels, batch_norm=batch_norm
                ),
                "The first convolution always takes 3 channels. Use the argument in_channels, which is 1 for grey "
                "images.",
            ),
        },
    ),
    FunctionExercise(
        name="classification.vgg_parameters",
        title="Count a VGG's parameters from its table",
        lesson=11,
        reference=vgg_parameters,
        cases=_parameters_cases,
        hints=(
            "Walk through the table as in vgg_features, and add up numbers in place of layers.",
            "Convolution: out · (in · k² + 1). Dense: out · (in + 1). The first dense layer sees C · H · W values.",
            "total += ... in two nested loops; image_size //= 2 after each stage; then three dense layers.",
        ),
        wrong={
            "no_biases": (
                partial(_count, bias=0, dense_bias=0),
                "The biases are missing: each filter and each dense output has one.",
            ),
            "no_conv_biases": (
                partial(_count, bias=0),
                "The dense layers are right, but each filter of a convolution has a bias, too.",
            ),
            "no_dense_biases": (
                partial(_count, dense_bias=0),
                "The convolutions are right, but each output of a dense layer has a bias, too.",
            ),
            "kernel_once": (
                partial(_count, power=1),
                "A k×k kernel has k·k weights for each input channel, not k.",
            ),
            "not_chained": (
                partial(_count, chained=False),
                "Within a stage, only the first convolution takes the channels of the stage before. The others "
                "take the "
                "stage's own.",
            ),
            "never_chained": (
                partial(_count, never_chained=True),
                "Every convolution of yours takes the channels of the images. Each takes what the one before gives.",
            ),
            "always_3x3": (
                lambda stages, channels, **options: vgg_parameters([[3] * len(k) for k in stages], channels, **options),
                "You count every kernel as 3×3. The table says how large each is: take its square in place of 9.",
            ),
            "bias_per_tap": (
                lambda stages, channels, **options: (
                    vgg_parameters(stages, channels, **options)
                    + sum(
                        out * (kernel**2 - 1)
                        for kernels, out in zip(stages, channels, strict=True)
                        for kernel in kernels
                    )
                ),
                "You count a bias for every tap of the kernel. A filter has one: out · (in · k² + 1).",
            ),
            "one_bias_per_layer": (
                lambda stages, channels, **options: (
                    vgg_parameters(stages, channels, **options)
                    - sum(out - 1 for kernels, out in zip(stages, channels, strict=True) for _ in kernels)
                ),
                "You count one bias for each convolution. It has one for each of its filters: out · (in · k² + 1).",
            ),
            "rounded_at_the_end": (
                partial(_count, pixels=lambda size, stages: int((size / 2**stages) ** 2)),
                "You divide first and round at the end: 28 becomes 14, 7, 3.5. Pooling drops the half pixel: use // 2.",
            ),
            "rounded_up": (
                partial(_count, pixels=lambda size, stages: (-(-size // 2**stages)) ** 2),
                "You round odd sizes up. Pooling 7 pixels in pairs gives 3, and drops the last one: use // 2.",
            ),
            "one_stage_too_few": (
                partial(_count, pixels=lambda size, stages: (size // 2 ** (stages - 1)) ** 2),
                "One halving is missing: the last stage ends in a pooling layer, too.",
            ),
            "fixed_hidden": (
                lambda stages, channels, *, hidden=4096, **options: vgg_parameters(stages, channels, **options),
                "You always take 4096 for the width of the dense layers. Use the argument hidden.",
            ),
            "fixed_classes": (
                lambda stages, channels, *, num_classes=1000, **options: vgg_parameters(stages, channels, **options),
                "You always take 1000 classes. Use the argument num_classes.",
            ),
            "fixed_colours": (
                lambda stages, channels, *, in_channels=3, **options: vgg_parameters(stages, channels, **options),
                "You always take 3 channels for the images. Use the argument in_channels.",
            ),
            "no_last_dense": (
                partial(_count, dense=lambda hidden, num_classes, bias: hidden * (hidden + bias)),
                "There are three dense layers. The last one, to the classes, is missing.",
            ),
            "no_convolutions": (
                lambda stages, channels, *, num_classes=1000, in_channels=3, image_size=224, hidden=4096: (
                    hidden * (channels[-1] * (image_size // 2 ** len(stages)) ** 2 + 1)
                    + hidden * (hidden + 1)
                    + num_classes * (hidden + 1)
                ),
                "You counted the three dense layers. The convolutions are missing: fewer parameters, but some.",
            ),
            "pixels_forgotten": (
                partial(_count, pixels=lambda size, stages: 1),
                "The first dense layer sees every pixel of the last maps: channels · height · width.",
            ),
            "always_seven": (
                partial(_count, pixels=lambda size, stages: 49),
                "You take 7×7 for the last maps. That is so for 224×224 and five stages; compute it from image_size.",
            ),
            "never_halved": (
                partial(_count, pixels=lambda size, stages: size**2),
                "You feed maps of the full image size to the dense layer. Each stage halves height and width.",
            ),
            "side_once": (
                partial(_count, pixels=lambda size, stages: size // 2**stages),
                "The last maps have height · width pixels. You counted one side.",
            ),
            "one_hidden": (
                partial(_count, dense=lambda hidden, num_classes, bias: num_classes * (hidden + bias)),
                "There are three dense layers: to hidden, from hidden to hidden, and to the classes. The middle "
                "one is missing.",
            ),
            "no_dense": (
                partial(_count, dense=lambda hidden, num_classes, bias: 0, first=False),
                "You counted the convolutions. The three dense layers hold most of the parameters: add them.",
            ),
        },
    ),
]
