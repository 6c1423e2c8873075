"""The exercises of lesson 10: convolution by hand, sizes, receptive field, AlexNet's table, the deconvnet's ReLU."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from crashcourse.classification.convolution import output_size, receptive_field
from crashcourse.classification.deconvnet import deconvnet_relu
from crashcourse.exercises import convolution_by_hand, convolution_fields
from crashcourse.exercises import convolution_mistakes as mistakes
from crashcourse.exercises.case import Case
from crashcourse.exercises.convolution_questions import QUESTIONS
from crashcourse.exercises.kinds import Exercise, FunctionExercise

# ---- classification.output_size


def _output_size_cases(seed: int) -> list[Case]:
    generator = torch.Generator().manual_seed(seed)
    size, kernel, stride, padding, dilation = (
        int(torch.randint(low, high, (1,), generator=generator))
        for low, high in ((40, 90), (2, 6), (3, 6), (2, 6), (2, 5))
    )
    return [
        Case([5, 3], label="nothing but a kernel"),
        Case([7, 7], label="a kernel as large as the image"),
        Case([224, 11, 4, 2], label="AlexNet's first layer in its usual form"),
        Case([224, 11, 4], label="a stride that does not fit exactly"),
        Case([28, 3, 1, 1], label="padding that keeps the size"),
        Case([28, 3, 2, 1], label="a stride that halves, with padding"),
        Case([32, 3, 1, 2, 2], label="dilation 2"),
        Case([9, 4, 3, 1, 2], label="an even kernel, dilation 2, stride 3"),
        Case([size, kernel, stride, padding, dilation], label="everything at once"),
    ]


# ---- classification.conv2d


def conv2d(images: Tensor, weight: Tensor, bias: Tensor | None = None, *, stride: int = 1, padding: int = 0) -> Tensor:
    """Slide K filters over a batch of images.

    Args:
        images: (N, C, H, W) float.
        weight: (K, C, R, S) float: K filters, each with R rows and S columns for every channel.
        bias: (K,) float, one number for each filter, or None.
        stride: step between two places of the kernel.
        padding: zeros added on each of the four sides.

    Returns:
        (N, K, H', W') float, where H' and W' come from output_size.
    """
    rows, columns = weight.shape[2:]
    padded = F.pad(images, (padding, padding, padding, padding))  # left, right, top, bottom
    height = (padded.shape[2] - rows) // stride + 1
    width = (padded.shape[3] - columns) // stride + 1
    output = images.new_zeros(len(images), len(weight), height, width)
    for i in range(height):
        for j in range(width):
            top, left = i * stride, j * stride
            patch = padded[:, :, top : top + rows, left : left + columns]  # (N, C, R, S)
            output[:, :, i, j] = torch.einsum("ncrs,kcrs->nk", patch, weight)
    return output if bias is None else output + bias.view(-1, 1, 1)


def _conv2d_cases(seed: int) -> list[Case]:
    generator = torch.Generator().manual_seed(seed)

    def some(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    return [  # those that tell most mistakes apart come first: a comparison ends at the first difference
        Case([some(1, 2, 4, 5), some(2, 2, 3, 2), some(2)], {"padding": 1}, label="padding 1"),
        Case([some(1, 1, 6, 7), some(2, 1, 3, 3), some(2)], {"stride": 2}, label="stride 2"),
        Case([some(2, 2, 5, 6), some(2, 2, 3, 3)], {"stride": 3, "padding": 2}, label="stride 3, padding 2"),
        Case([some(1, 1, 4, 4), some(1, 1, 3, 3)], {"stride": 2}, label="a stride with room for one place"),
        Case([some(1, 1, 7, 5), some(1, 1, 2, 2)], {"stride": 5, "padding": 1}, label="a stride of 5, padding 1"),
        Case([some(1, 1, 3, 3), some(1, 1, 2, 2)], label="one image, one channel, one 2×2 filter", picture="image"),
        Case([some(1, 1, 3, 4), some(1, 1, 2, 3)], label="neither image nor kernel is square", picture="image"),
        Case([some(1, 2, 3, 3), some(3, 2, 2, 2)], label="2 channels, 3 filters"),
        Case([some(2, 2, 4, 4), some(3, 2, 2, 2), some(3)], label="with a bias; 3 filters, an output 3 wide"),
    ]


# ---- classification.receptive_field


def _receptive_field_cases(seed: int) -> list[Case]:
    generator = torch.Generator().manual_seed(seed)
    kernels = torch.randint(2, 6, (4,), generator=generator).tolist()
    strides = [2, *torch.randint(1, 3, (2,), generator=generator).tolist(), 1]
    return [
        Case([[]], label="no layer at all: the pixel itself"),
        Case([[(5, 1)]], label="one layer"),
        Case([[(3, 1), (3, 1)]], label="two layers of stride 1"),
        Case([[(3, 2), (3, 1)]], label="a stride of 2 below"),
        Case([[(1, 2), (3, 1)]], label="a 1×1 with a stride of 2 below"),
        Case([[(7, 2), (3, 2), (5, 2), (3, 2)]], label="ZFNet up to its second pooling"),
        Case([[(3, 1, 1), (3, 1, 2), (3, 1, 4)]], label="dilations 1, 2, 4"),
        Case([[(3, 2, 3), (4, 3, 2), (2, 1)]], label="stride and dilation together"),
        Case([list(zip(kernels, strides, strict=True))], label="four layers"),
    ]


# ---- classification.deconvnet_relu


def _relu_cases(seed: int) -> list[Case]:
    generator = torch.Generator().manual_seed(seed)
    quadrants = [torch.tensor([[[[2.0, -3.0], [5.0, -7.0]]]]), torch.tensor([[[[1.0, 1.0], [-1.0, -1.0]]]])]
    mixed = [torch.randn(2, 3, 4, 4, generator=generator) for _ in range(2)]
    silent = [torch.randn(1, 1, 3, 3, generator=generator).abs() + 0.1, -torch.ones(1, 1, 3, 3)]
    return [
        Case(quadrants, label="all four combinations of signs", picture="image"),
        Case(silent, label="nothing passed forwards, all that comes back is positive", picture="image"),
        Case(mixed, label="two images with three channels"),
    ]


EXERCISES: Sequence[Exercise] = [
    FunctionExercise(
        name="classification.output_size",
        title="Output size",
        lesson=10,
        reference=output_size,
        cases=_output_size_cases,
        hints=(
            "Count the places of the kernel's first tap: the first is 0, then one every `stride` pixels. Where may the "
            "last one be?",
            "reach = dilation · (kernel - 1) + 1 pixels. The side has size + 2 · padding pixels. "
            "Places = floor((side - reach) / stride) + 1.",
            "One line for the reach, one for the answer, with `//`. Checking the arguments is optional.",
        ),
        wrong=mistakes.OUTPUT_SIZE,
    ),
    FunctionExercise(
        name="classification.conv2d",
        title="Convolution by hand",
        lesson=10,
        reference=conv2d,
        cases=_conv2d_cases,
        gradient=True,
        hints=(
            "Look at the loop above that did one channel and one filter. What changes is that a patch is now "
            "(N, C, R, S), and that it starts at (i · stride, j · stride) of the padded images.",
            "output[n, k, i, j] = bias[k] + Σ over c, r, s of "
            "weight[k, c, r, s] · padded[n, c, i · stride + r, j · stride + s].",
            "Pad with F.pad(images, (left, right, top, bottom)). Make an output of zeros (N, K, H', W'). Loop over i "
            'and j; for each take the patch and use torch.einsum("ncrs,kcrs->nk", patch, weight). At the end add '
            "bias.view(-1, 1, 1), if bias is not None.",
        ),
        wrong=convolution_by_hand.WRONG,
    ),
    FunctionExercise(
        name="classification.receptive_field",
        title="Receptive field",
        lesson=10,
        reference=receptive_field,
        cases=_receptive_field_cases,
        hints=(
            "Keep two numbers while you go up through the layers: the field (pixels seen so far), and the jump (how "
            "many pixels of the image lie between two neighbours of the current map).",
            "Both start at 1. For each layer: field += dilation · (kernel - 1) · jump, and after that jump *= stride.",
            "A loop over the layers. `kernel, stride, *rest = layer` reads both kinds; the dilation is rest[0] if "
            "there is one, else 1.",
        ),
        wrong=convolution_fields.WRONG,
    ),
    *QUESTIONS,
    FunctionExercise(
        name="classification.deconvnet_relu",
        title="The deconvnet's ReLU",
        lesson=10,
        reference=deconvnet_relu,
        cases=_relu_cases,
        hints=(
            "One of the two arguments plays no part. Which question does the deconvnet ask at a ReLU: what went "
            "forward, or what comes back?",
            "At every place: the signal where it is positive, and 0 where it is not.",
            "One line: torch.where, F.relu or .clamp(min=0), on the right argument.",
        ),
        wrong=mistakes.DECONVNET_RELU,
    ),
]
