"""Mistakes that people make when they compute a receptive field, with the hints they deserve."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

Layers = Sequence[Sequence[int]]


def triples(layers: Iterable[Sequence[int]]) -> list[tuple[int, int, int]]:
    return [(*layer, 1)[:3] for layer in layers]  # type: ignore[misc]


def field_by(
    layers: Layers,
    *,
    start: int = 1,
    first_jump: int = 1,
    adds: Callable[[int, int, int, int], int] = lambda kernel, stride, dilation, jump: dilation * (kernel - 1) * jump,
    next_jump: Callable[[int, int, int], int] = lambda jump, stride, dilation: jump * stride,
) -> int:
    """The right recurrence with one thing changed: what the keyword arguments say."""
    field, jump = start, first_jump
    for kernel, stride, dilation in triples(layers):
        field += adds(kernel, stride, dilation, jump)
        jump = next_jump(jump, stride, dilation)
    return field


def field_unpacks_two(layers: Layers) -> int:
    field, jump = 1, 1
    for kernel, stride in layers:
        field, jump = field + (kernel - 1) * jump, jump * stride
    return field


def field_unpacks_three(layers: Layers) -> int:
    return field_by([(kernel, stride, dilation) for kernel, stride, dilation in layers])


def field_third_item(layers: Layers) -> int:
    return field_by([(layer[0], layer[1], layer[2]) for layer in layers])


def field_upside_down(layers: Layers) -> int:
    return field_by(list(layers)[::-1])


def field_dilation_second(layers: Layers) -> int:
    return field_by([(kernel, stride, dilation) for kernel, dilation, stride in triples(layers)])


def field_skips_1x1(layers: Layers) -> int:
    return field_by([layer for layer in layers if layer[0] != 1])


def field_first_layer(layers: Layers) -> int | None:
    return field_by(layers[:1]) if layers else None


def field_product(layers: Layers) -> int:
    field = 1
    for kernel, _, dilation in triples(layers):
        field *= dilation * (kernel - 1) + 1
    return field


def field_product_of_kernels(layers: Layers) -> int:
    field = 1
    for kernel, *_ in layers:
        field *= kernel
    return field


def field_times_stride(layers: Layers) -> int:
    field = 1
    for kernel, stride, dilation in triples(layers):
        field = field * stride + dilation * (kernel - 1)
    return field


def field_jump(layers: Layers) -> int:
    jump = 1
    for _, stride, *_ in layers:
        jump *= stride
    return jump


def _field(**changes: Any) -> Callable[[Layers], int]:
    return partial(field_by, **changes)


WRONG = {
    "unpacks_two": (
        field_unpacks_two,
        "A layer may have three numbers, kernel, stride and dilation, so it cannot always be unpacked into two. Use "
        "`kernel, stride, *rest = layer`; `rest` is then [] or [dilation].",
    ),
    "unpacks_three": (
        field_unpacks_three,
        "A layer may have two numbers only; its dilation is then 1. Use `kernel, stride, *rest = layer`; `rest` is "
        "[] or [dilation].",
    ),
    "third_item": (
        field_third_item,
        "A layer of two numbers has no third item: its dilation is then 1. Ask for len(layer) first, or use "
        "`kernel, stride, *rest = layer`.",
    ),
    "own_stride": (
        _field(adds=lambda kernel, stride, dilation, jump: dilation * (kernel - 1) * jump * stride),
        "You multiply the jump by a layer's own stride before you use it. The layer's taps lie on the map "
        "*below* it: add to the field first, then update the jump.",
    ),
    "stride_without_jump": (
        _field(adds=lambda kernel, stride, dilation, jump: dilation * (kernel - 1) * stride),
        "You multiply by a layer's own stride. What counts is how far apart its inputs lie: the product of the "
        "strides of all layers *below* it, the jump.",
    ),
    "from_zero": (
        _field(start=0),
        "Everywhere one too few. With no layer at all, a pixel sees itself: the field starts at 1.",
    ),
    "whole_kernels": (
        _field(adds=lambda kernel, stride, dilation, jump: dilation * kernel * jump),
        "Each layer adds kernel - 1 pixels, not kernel: one of its taps was counted before. Two 3×3 see 5.",
    ),
    "whole_kernels_from_zero": (
        _field(start=0, adds=lambda kernel, stride, dilation, jump: dilation * kernel * jump),
        "Start the field at 1, the pixel itself, and let each layer add kernel - 1 steps, not kernel: two 3×3 see 5.",
    ),
    "sum_of_kernels": (
        _field(start=0, adds=lambda kernel, stride, dilation, jump: kernel),
        "You add the kernels up. They overlap: two 3×3 see 5 pixels, not 6. Start at 1, let each layer add kernel - 1, "
        "and then think of strides below it.",
    ),
    "tap_too_many": (
        _field(adds=lambda kernel, stride, dilation, jump: (dilation * kernel - 1) * jump),
        "Right without dilation. With it, a layer does not add dilation · kernel - 1: its kernel - 1 gaps are "
        "`dilation` each.",
    ),
    "without_strides": (
        _field(next_jump=lambda jump, stride, dilation: 1),
        "Right for stride 1. After a stride of 2, neighbours of the map are 2 pixels of the image apart, so "
        "that every later tap counts double.",
    ),
    "without_dilation": (
        _field(adds=lambda kernel, stride, dilation, jump: (kernel - 1) * jump),
        "Right without dilation. A layer may have three numbers; the third is the distance between its taps.",
    ),
    "only_kernels": (
        _field(adds=lambda kernel, stride, dilation, jump: kernel - 1),
        "Right for stride 1 without dilation. What a layer adds also depends on its dilation and on the strides "
        "below it: dilation · (kernel - 1) · jump.",
    ),
    "jump_with_dilation": (
        _field(next_jump=lambda jump, stride, dilation: jump * stride * dilation),
        "The dilation does not change the jump. It spreads the taps of its own layer; the neighbours above lie as far "
        "apart as before. Only the stride multiplies the jump.",
    ),
    "dilation_in_the_next_jump": (
        _field(
            adds=lambda kernel, stride, dilation, jump: (kernel - 1) * jump,
            next_jump=lambda jump, stride, dilation: jump * stride * dilation,
        ),
        "The dilation counts one layer too late: it goes into the jump. It belongs to its own layer, which adds "
        "dilation · (kernel - 1) · jump.",
    ),
    "dilation_second": (
        field_dilation_second,
        "You read a layer as (kernel, dilation, stride). The stride is the second number, the dilation the third.",
    ),
    "skips_1x1": (
        field_skips_1x1,
        "You skip kernels of 1. They add nothing to the field, but their stride still multiplies the jump.",
    ),
    "upside_down": (
        field_upside_down,
        "You take the layers as if the last one were at the image. Either the loop is upside down, or you use the rule "
        "for the way down, (field - 1) · stride + kernel, on the way up.",
    ),
    "field_times_stride": (
        field_times_stride,
        "You multiply the field by the stride. A stride does not change what was seen before; it makes later taps lie "
        "further apart. Keep it in a second number, the jump.",
    ),
    "last_stride_only": (
        _field(next_jump=lambda jump, stride, dilation: stride),
        "The jump is only the last stride. Strides multiply: two of 2 make neighbours 4 pixels apart.",
    ),
    "strides_added": (
        _field(next_jump=lambda jump, stride, dilation: jump + stride),
        "You add the stride to the jump. Strides multiply: the jump starts at 1, and each layer does jump *= stride.",
    ),
    "strides_summed": (
        _field(
            first_jump=0,
            adds=lambda kernel, stride, dilation, jump: dilation * (kernel - 1) * max(jump, 1),
            next_jump=lambda jump, stride, dilation: jump + stride,
        ),
        "Your jump is the sum of the strides. It is their product: two of 2 make 4, but three of 2 make 8.",
    ),
    "jump_from_zero": (
        _field(first_jump=0),
        "The field never grows, because the jump starts at 0 and stays there. In the image itself, neighbours lie 1 "
        "pixel apart: start at 1.",
    ),
    "jump_returned": (
        field_jump,
        "You return the product of the strides, which is the jump. Return the field.",
    ),
    "product": (
        field_product,
        "You multiply the kernels. They overlap: two 3×3 of stride 1 see 5 pixels, not 9.",
    ),
    "product_of_kernels": (
        field_product_of_kernels,
        "You multiply the kernels up, and leave dilations out. Kernels overlap, so each layer *adds* to the field: two "
        "3×3 of stride 1 see 5 pixels, not 9.",
    ),
    "return_in_loop": (
        field_first_layer,
        "Only the first layer counts, and with no layer nothing is returned. Is the `return` inside the loop? Move it "
        "to the left.",
    ),
}
