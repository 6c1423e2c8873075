"""Mistakes that people make in lesson 10's exercises on sizes and the deconvnet, with the hints they deserve.

Those on the convolution itself are in `convolution_by_hand`, those on receptive fields in `convolution_fields`.
"""

from collections.abc import Callable
from functools import partial
from math import ceil
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from crashcourse.classification.deconvnet import gradient_relu, guided_relu

# ---- classification.output_size


def size_by(
    size: int,
    kernel: int,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    *,
    reach: Callable[[int, int], int] = lambda kernel, dilation: dilation * (kernel - 1) + 1,
    pads: int = 2,
    places: Callable[[int, int], Any] = lambda steps, stride: steps // stride + 1,
) -> Any:
    """The right formula with one thing changed: what the keyword arguments after `dilation` say."""
    return places(size + pads * padding - reach(kernel, dilation), stride)


def size_divided_first(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    return (size + 2 * padding) // stride - dilation * (kernel - 1)


def size_swapped(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    return (size + 2 * padding - stride * (kernel - 1) - 1) // dilation + 1


def size_without_kernel(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    return (size + 2 * padding) // stride


def _size(**changes: Any) -> Callable[..., Any]:
    return partial(size_by, **changes)


OUTPUT_SIZE = {
    "rounded_up": (
        _size(places=lambda steps, stride: ceil(steps / stride) + 1),
        "You round up. A kernel that does not fit whole is not placed: round down with `//`.",
    ),
    "rounded": (
        _size(places=lambda steps, stride: round(steps / stride) + 1),
        "`round` goes to the nearest whole number, sometimes up. A kernel that does not fit whole is not placed: "
        "round down with `//`.",
    ),
    "as_fraction": (
        _size(places=lambda steps, stride: steps / stride + 1),
        "`/` gives a fraction. A number of pixels is whole: divide with `//`, which rounds down.",
    ),
    "without_one": (
        _size(places=lambda steps, stride: steps // stride),
        "You count the steps. The places are one more: a kernel as large as the image has no step, and 1 place.",
    ),
    "one_before_dividing": (
        _size(places=lambda steps, stride: (steps + 1) // stride),
        "Add 1 after dividing, not before: the first place is there whatever the stride is.",
    ),
    "one_inside": (
        _size(reach=lambda kernel, dilation: dilation * (kernel - 1)),
        "Your reach is one too small. A kernel of 3 reaches over 3 pixels: dilation · (kernel - 1) + 1. "
        "Subtract that whole, then divide, then add 1.",
    ),
    "without_padding": (
        _size(pads=0),
        "You ignore padding. The side is longer by it at both ends: size + 2 · padding.",
    ),
    "padded_once": (_size(pads=1), "Padding is added at both ends of the side: count it twice."),
    "padding_subtracted": (
        _size(pads=-2),
        "You subtract the padding. It makes the side longer: size + 2 · padding.",
    ),
    "without_stride": (
        _size(places=lambda steps, stride: steps + 1),
        "You ignore the stride. The kernel moves by it from place to place, so divide by it before you add 1.",
    ),
    "swapped": (
        size_swapped,
        "Stride and dilation have changed places. The dilation spreads the kernel's taps; the stride divides.",
    ),
    "without_dilation": (
        _size(reach=lambda kernel, dilation: kernel),
        "Right without dilation. With it, the taps lie further apart: from the first to the last it is "
        "dilation · (kernel - 1) + 1 pixels.",
    ),
    "without_padding_and_dilation": (
        _size(pads=0, reach=lambda kernel, dilation: kernel),
        "Right without padding and dilation. Padding makes the side longer, at both ends; dilation makes the kernel "
        "reach further.",
    ),
    "dilation_times_kernel": (
        _size(reach=lambda kernel, dilation: dilation * kernel),
        "The reach is not dilation · kernel: between `kernel` taps there are only kernel - 1 gaps. For kernel "
        "3 and dilation 2 it is 5.",
    ),
    "dilation_added": (
        _size(reach=lambda kernel, dilation: kernel + dilation - 1),
        "You widen the kernel by dilation - 1 once. Every one of its kernel - 1 gaps is widened.",
    ),
    "dilation_too_often": (
        _size(reach=lambda kernel, dilation: kernel + dilation * (kernel - 1)),
        "Your kernel reaches too far, also without dilation. The kernel - 1 steps from its first tap to its last are "
        "`dilation` each; add 1 for the first tap, not `kernel`.",
    ),
    "divided_first": (
        size_divided_first,
        "You divide the side by the stride before you take off the reach. Subtract first, then divide.",
    ),
    "without_kernel": (
        size_without_kernel,
        "The kernel plays no part. It must fit whole, so take its reach off the side before you divide.",
    ),
}

# ---- classification.deconvnet_relu


def relu_in_place(signal: Tensor, received: Tensor) -> Tensor:
    return signal.clamp_(min=0)


def relu_by_max(signal: Tensor, received: Tensor) -> Tensor:
    return max(signal, 0)  # type: ignore[call-overload]


DECONVNET_RELU = {
    "gradient": (
        gradient_relu,
        "That is the gradient's rule: it asks whether something passed forwards. The deconvnet looks at the "
        "signal that comes back.",
    ),
    "guided": (
        guided_relu,
        "That is guided backpropagation, which asks for both. The deconvnet looks at the signal only.",
    ),
    "either": (
        lambda signal, received: torch.where((signal > 0) | (received > 0), signal, 0.0),
        "The signal passes where it is positive *or* something passed forwards. The deconvnet does not look at what "
        "was received at all.",
    ),
    "product": (
        lambda signal, received: F.relu(signal * received),
        "You rectify signal · received, so two negatives pass, and values change. What was received plays no part: "
        "rectify the signal.",
    ),
    "leaky": (
        lambda signal, received: F.leaky_relu(signal),
        "A little of every negative value comes through, as in a leaky ReLU. The deconvnet's lets nothing through.",
    ),
    "passes_all": (
        lambda signal, received: signal.clone(),
        "Everything passes. A ReLU lets nothing negative through, here neither.",
    ),
    "of_received": (
        lambda signal, received: F.relu(received),
        "You repeat the forward pass. Rectify what comes back from above: the signal.",
    ),
    "negative": (
        lambda signal, received: signal.clamp(max=0),
        "You keep the negative part. The positive one passes.",
    ),
    "absolute": (
        lambda signal, received: signal.abs(),
        "Negative values become 0; you turned them into positive ones.",
    ),
    "mask_only": (
        lambda signal, received: (signal > 0).float(),
        "You return where the signal passes, as 0 and 1. Return the signal itself there.",
    ),
    "swapped": (
        lambda signal, received: torch.where(signal > 0, received, 0.0),
        "The places are right, but the values there are those of the forward pass. Let the signal through.",
    ),
    "picked": (
        lambda signal, received: signal[signal > 0],
        "signal[signal > 0] is a list of the positive values without their places. Keep the shape, with 0 where "
        "nothing passes: torch.where or .clamp(min=0).",
    ),
    "by_max": (
        relu_by_max,
        "Python's max and `if` ask whether a whole tensor is true, which is ambiguous. At every place: F.relu, "
        ".clamp(min=0) or torch.where.",
    ),
    "in_place": (
        relu_in_place,
        "The result is right, but the signal that came in was changed as well: .clamp(min=0), without the _.",
    ),
}
