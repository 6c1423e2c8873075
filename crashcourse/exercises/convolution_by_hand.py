"""The mistakes that people make when they write a convolution by hand, and the hint that each deserves.

A mistake is recognised by what it does in all cases. So a hint says what is true of every code that does the same:
two slips that fail in the same places share one.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Ints = tuple[int, ...]
EINSUM = "ncrs,kcrs->nk"


def at_place(output: Tensor, i: int, j: int, values: Tensor) -> None:
    output[:, :, i, j] = values


def at_transposed_place(output: Tensor, i: int, j: int, values: Tensor) -> None:
    output[:, :, j, i] = values


def by_einsum(patch: Tensor, weight: Tensor) -> Tensor:
    return torch.einsum(EINSUM, patch, weight)


def by_view(output: Tensor, bias: Tensor | None) -> Tensor:
    return output if bias is None else output + bias.view(-1, 1, 1)


def by_hand(
    images: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    pad: Callable[[int], Ints] = lambda padding: (padding,) * 4,
    fill: float = 0.0,
    kernel: Callable[[int, int], Ints] = lambda rows, columns: (rows, columns),
    size: Callable[[Tensor, Tensor, int], Ints] = lambda images, padded, padding: tuple(padded.shape[2:]),
    places: Callable[[int, int, int], int] = lambda side, kernel, stride: (side - kernel) // stride + 1,
    loops: Callable[[int, int, int], Ints] = lambda height, width, stride: (height, width),
    zeros: Callable[[int, int], Ints] = lambda height, width: (height, width),
    corner: Callable[[int, int, int], Ints] = lambda i, j, stride: (i * stride, j * stride),
    end: Callable[[int, int, int], int] = lambda start, place, kernel: start + kernel,
    multiply: Callable[[Tensor, Tensor], Tensor] = by_einsum,
    put: Callable[..., None] = at_place,
    add: Callable[[Tensor, Tensor | None], Tensor] = by_view,
    stop: Callable[[int, int, int], bool] = lambda i, j, width: False,
) -> Tensor:
    """The loop over places with one step changed: what the keyword arguments after `padding` say."""
    rows, columns = kernel(*weight.shape[2:])
    padded = F.pad(images, pad(padding), value=fill)
    sides = size(images, padded, padding)
    height, width = (places(side, taps, stride) for side, taps in zip(sides, (rows, columns), strict=True))
    output = images.new_zeros(len(images), len(weight), *zeros(height, width))
    down, along = loops(height, width, stride)
    for i in range(down):
        for j in range(along):
            top, left = corner(i, j, stride)
            patch = padded[:, :, top : end(top, i, rows), left : end(left, j, columns)]
            put(output, i, j, multiply(patch, weight))
            if stop(i, j, along):
                return add(output, bias)
    return add(output, bias)


def with_torch(
    images: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    change: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] = lambda images, weight: (images, weight),
    result: Callable[[Tensor], Tensor] = lambda output: output,
    strides: Callable[[int], Any] = lambda stride: stride,
    pad: Callable[[int], int] = lambda padding: padding,
) -> Tensor:
    """torch's convolution of other images with other filters, or with another stride or padding, its result changed."""
    images, weight = change(images, weight)
    return result(F.conv2d(images, weight, bias, strides(stride), pad(padding)))


def corner_without_stride(images, weight, bias=None, *, stride=1, padding=0):
    output = F.conv2d(images, weight, bias, stride, padding)
    return F.conv2d(images, weight, bias, 1, padding)[:, :, : output.shape[2], : output.shape[3]]


def pixel_as_place(images, weight, bias=None, *, stride=1, padding=0):
    def put(output: Tensor, i: int, j: int, values: Tensor) -> None:
        output[:, :, i * stride, j * stride] = values

    return by_hand(images, weight, bias, stride=stride, padding=padding, put=put)


def unless_none(output: Tensor, bias: Any) -> Tensor:
    """The bias without a question whether there is one: `bias[...]`, a TypeError for None."""
    return output + bias[:, None, None]


def if_truthy(output: Tensor, bias: Tensor | None) -> Tensor:
    return output + bias.view(-1, 1, 1) if bias else output  # type: ignore[union-attr]


def plus(change: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor | None], Tensor]:
    """The bias as `change` makes it, added to the output."""
    return lambda output, bias: output if bias is None else output + change(bias)


def for_first_image(patch: Tensor, weight: Tensor) -> Tensor:
    return torch.einsum(EINSUM, patch[:1], weight)


def times(dims: Any) -> Callable[[Tensor, Tensor], Tensor]:
    """`(patch * weight).sum(...)`, which lines the images up with the filters."""
    return lambda patch, weight: (patch * weight).sum(dims)


def original_sides(images: Tensor, padded: Tensor, padding: int) -> Ints:
    return tuple(side + 2 * padding for side in images.shape[2:])


def _hand(**changes: Any) -> Callable[..., Tensor]:
    return partial(by_hand, **changes)


def _torch(**changes: Any) -> Callable[..., Tensor]:
    return partial(with_torch, **changes)


PADDING = {
    "not_padded": (
        _hand(pad=lambda p: (0, 0), size=original_sides),
        "Right without padding. With it, patches run off the image: the output has room for the padding, the image "
        "has not. Did you pad before slicing, on all four sides, and slice the padded images?",
    ),
    "padded_twice": (
        _hand(size=lambda images, padded, p: tuple(side + 2 * p for side in padded.shape[2:])),
        "Padding is counted twice. The sides of the padded images already hold it: either read H and W before "
        "F.pad, or leave 2 · padding out of the formula.",
    ),
    "padded_columns_only_sized": (
        _hand(pad=lambda p: (p, p), size=original_sides),
        "Patches run off at the bottom only: F.pad(images, (p, p)) pads columns, left and right. For all four sides "
        "it is (p, p, p, p).",
    ),
    "padding_ignored": (_torch(pad=lambda p: 0), "The padding has no effect: add zeros on all sides first."),
    "padded_columns_only": (
        _hand(pad=lambda p: (p, p)),
        "F.pad(images, (p, p)) pads the last axis only, left and right. For all four sides: (p, p, p, p).",
    ),
    "padded_rows_only": (
        _hand(pad=lambda p: (0, 0, p, p)),
        "The rows are padded, above and below, but not the columns. F.pad takes (left, right, top, bottom).",
    ),
    "padded_top_left": (
        _hand(pad=lambda p: (p, 0, p, 0)),
        "The output is that of an image padded at the left and at the top only. F.pad takes (left, right, top, "
        "bottom), and each side becomes 2 · padding longer.",
    ),
    "padded_bottom_right": (
        _hand(pad=lambda p: (0, p, 0, p)),
        "You pad at the right and at the bottom only. F.pad takes (left, right, top, bottom).",
    ),
    "shifted_by_padding": (
        _hand(pad=lambda p: (0, 2 * p, 0, 2 * p)),
        "The output has the right size, but all zeros of the padding are at the right and at the bottom. Half of "
        "them belong to the left and the top: (p, p, p, p).",
    ),
    "sized_without_padding": (
        _hand(size=lambda images, padded, p: tuple(images.shape[2:])),
        "The output has the size that it has without padding. Take the sides of the padded images.",
    ),
    "padded_with_one": (_hand(fill=1.0), "You pad with ones. Padding is zeros."),
}

STRIDE = {
    "end_without_stride": (
        _hand(end=lambda start, place, taps: place + taps),
        "Right for a stride of 1. With more, patches have the wrong size: where they start at i · stride, they end at "
        "i · stride + R.",
    ),
    "sized_without_stride": (
        _hand(places=lambda side, taps, stride: side - taps + 1),
        "With a stride, patches run off the image: there are fewer places. Divide by the stride: "
        "(H + 2P - R) // stride + 1.",
    ),
    "pixel_as_place": (
        pixel_as_place,
        "With a stride, you write outside of the output. Where the loop goes over pixels, 0, stride, 2 · stride, the "
        "places are 0, 1, 2: output[:, :, i // stride, j // stride], or loop over places.",
    ),
    "corner_without_stride": (
        corner_without_stride,
        "The output has the right size, but all patches come from the upper left: patch (i, j) starts at "
        "(i · stride, j · stride), not at (i, j).",
    ),
    "stride_ignored": (
        _torch(strides=lambda stride: 1),
        "The stride has no effect. It divides the number of places, and it multiplies where they are.",
    ),
    "stride_down_only": (
        _torch(strides=lambda stride: (stride, 1)),
        "The stride works along the rows' index i only. Columns move by it as well: j · stride.",
    ),
    "stride_along_only": (
        _torch(strides=lambda stride: (1, stride)),
        "The stride works along the columns' index j only. Rows move by it as well: i · stride.",
    ),
    "off_by_one": (
        _torch(result=lambda output: output[:, :, :-1, :-1]),
        "One row and one column are missing: there are (H + 2P - R) // stride + 1 places, not one fewer.",
    ),
    "last_place_left_out": (
        _hand(loops=lambda height, width, stride: (height - 1, width - 1)),
        "The last row and the last column of the output were never filled. range(height) already stops before height.",
    ),
}

SIDES = {
    "one_side_of_the_kernel": (
        _hand(kernel=lambda rows, columns: (columns, rows)),
        "Right for square kernels. A patch has as many rows as the kernel (R) and as many columns (S): "
        "weight.shape is (K, C, R, S).",
    ),
    "image_taken_as_square": (
        _hand(size=lambda images, padded, p: (padded.shape[2],) * 2),
        "You use the height for both sides of the output. The width is another number: images.shape is (N, C, H, W).",
    ),
    "height_and_width_swapped": (
        _hand(size=lambda images, padded, p: (padded.shape[3], padded.shape[2])),
        "Patches run off where the image is not square: do the rows go by the height, and the columns by the width? "
        "images.shape is (N, C, H, W).",
    ),
    "loops_swapped": (
        _hand(loops=lambda height, width, stride: (width, height)),
        "Patches run off where the output is not square: i goes over its rows, range(height), and j over its columns, "
        "range(width).",
    ),
    "put_transposed": (
        _hand(put=at_transposed_place),
        "You write to output[:, :, j, i]. The row comes first: output[:, :, i, j].",
    ),
    "zeros_transposed": (
        _hand(zeros=lambda height, width: (width, height)),
        "Right where the output is square. It is made with its sides swapped: zeros(N, K, height, width).",
    ),
    "output_transposed": (
        _torch(result=lambda output: output.transpose(2, 3)),
        "The output is transposed: it is (N, K, H', W'), the row i before the column j.",
    ),
    "flipped": (
        _torch(change=lambda images, weight: (images, weight.flip(2, 3))),
        "You flip the kernel, as convolution in mathematics does. In deep learning it is not flipped: tap (0, "
        "0) meets the patch's upper left pixel.",
    ),
    "kernel_transposed": (
        _torch(change=lambda images, weight: (images, weight.transpose(2, 3))),
        "The kernel is transposed: weight[k, c, r, s] has the row r first, then the column s.",
    ),
    "einsum_transposes_the_kernel": (
        _hand(multiply=partial(torch.einsum, "ncrs,kcsr->nk")),
        "The rows of the patch meet the columns of the kernel. In einsum, both have r before s: ncrs and kcrs.",
    ),
}

SUMS = {
    "mean": (
        lambda images, weight, bias=None, **options: with_torch(images, weight / weight[0].numel(), bias, **options),
        "You average over the taps. A convolution adds them up: use a sum, not a mean.",
    ),
    "mean_of_channels": (
        lambda images, weight, bias=None, **options: with_torch(images, weight / weight.shape[1], bias, **options),
        "You average over the channels. They are added up, like the taps.",
    ),
    "first_channel": (
        _torch(change=lambda images, weight: (images[:, :1], weight[:, :1])),
        "Only the first channel arrives in the output. Every filter has weights for all channels: add them up.",
    ),
    "first_filter_only": (
        _hand(multiply=lambda patch, weight: torch.einsum(EINSUM, patch, weight[:1])),
        "All maps are made by the first filter. Filter k makes map k.",
    ),
    "first_image_only": (
        _torch(change=lambda images, weight: (images[:1], weight)),
        "Only the first image comes out. All N images of the batch are convolved.",
    ),
    "first_image_for_all": (
        _hand(multiply=for_first_image),
        "Every image of the batch gets the maps of the first one. Take patches of all images: padded[:, :, ...].",
    ),
    "batch_summed": (
        _hand(multiply=partial(torch.einsum, "ncrs,kcrs->k")),
        "Right for one image. With two, their results are added: einsum must keep n, as in `->nk`.",
    ),
    "filters_first": (
        _hand(multiply=partial(torch.einsum, "ncrs,kcrs->kn")),
        "The values come as (K, N) and do not fit into output[:, :, i, j], which is (N, K): einsum ends in `->nk`.",
    ),
    "all_summed": (
        _hand(multiply=times(())),
        "You add up over everything, the filters and the images too. A place has N · K values: add up over c, r, s "
        "only.",
    ),
    "images_meet_filters": (
        _hand(multiply=times((1, 2, 3))),
        "patch * weight lines image n up with filter n. Every image meets every filter: use einsum, or make them "
        "(N, 1, C, R, S) and (1, K, C, R, S).",
    ),
}

BIAS = {
    "without_bias": (
        _hand(add=lambda output, bias: output),
        "All is right but the bias: filter k adds bias[k] to its whole map.",
    ),
    "if_bias": (
        _hand(add=if_truthy),
        "Right without a bias. With one, is there an `if bias:`? A tensor of several numbers is neither true nor "
        "false: use `if bias is not None`.",
    ),
    "bias_of_none": (
        _hand(add=unless_none),
        "Right with a bias. Without one it is None, which cannot be indexed or added: use `if bias is not None`.",
    ),
    "view_of_none": (
        _hand(add=lambda output, bias: output + bias.view(-1, 1, 1)),
        "Right with a bias. Without one it is None, which has no .view or .shape: use `if bias is not None`.",
    ),
    "bias_on_width": (
        _hand(add=plus(lambda bias: bias)),
        "`output + bias` lines the K biases up with the last axis, which is the width. They belong to axis 1: "
        "bias.view(-1, 1, 1). It fails silently when the width happens to be K.",
    ),
    "bias_on_height": (
        _hand(add=plus(lambda bias: bias.view(-1, 1))),
        "The K biases are lined up with the rows of the output. They belong to axis 1: bias.view(-1, 1, 1).",
    ),
    "bias_twice": (_hand(add=plus(lambda bias: 2 * bias.view(-1, 1, 1))), "The bias is added twice. Once is enough."),
    "bias_subtracted": (_hand(add=plus(lambda bias: -bias.view(-1, 1, 1))), "The bias is subtracted. Add it."),
    "first_bias_only": (
        _hand(add=plus(lambda bias: bias[0])),
        "Every map gets the first bias. Filter k has its own, bias[k].",
    ),
}

RETURN = {
    "return_in_inner_loop": (
        _hand(stop=lambda i, j, width: True),
        "Only the place (0, 0) was computed. Is the `return` inside the loops?",
    ),
    "return_in_outer_loop": (
        _hand(stop=lambda i, j, width: j == width - 1),
        "Only the first row of the output was computed. Is the `return` inside the loop over i?",
    ),
    "detached": (
        _torch(result=Tensor.detach),
        "The numbers are right, but no gradient flows through them, so no filter could be learned. Stay in "
        "torch: no .item(), .detach(), .numpy() or torch.tensor(...).",
    ),
}

WRONG = PADDING | STRIDE | SIDES | SUMS | BIAS | RETURN
