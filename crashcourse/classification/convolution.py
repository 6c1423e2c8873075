"""Convolution by hand: the operation in three forms, its output size, its cost and what it sees.

LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", 1998, section II.A. Size
arithmetic: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, arXiv 1603.07285,
chapters 2 and 5. Receptive field: Araujo, Norris, Sim, "Computing receptive fields of convolutional neural networks",
Distill, 2019.

**Differs from the papers:** as everywhere in deep learning, the kernel is not flipped, so this is cross-correlation.

Shapes: N images, C input channels, K filters, G groups, kernels of R rows and S columns, output (H', W').
Several functions are answers to exercises. They use torch alone, so that their source runs when pasted into a cell;
for the same reason their errors are plain ValueErrors.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """How many places a kernel takes along one side of an image: the side of the output.

    Args:
        size: pixels along the side, before padding.
        kernel: taps of the kernel along the side.
        stride: step between two places.
        padding: pixels added at each end.
        dilation: distance between two taps.

    Returns:
        The number of output pixels, at least 1.

    Raises:
        ValueError: a number is out of range, or the kernel reaches over more than the padded side.
    """
    reach = dilation * (kernel - 1) + 1  # pixels from the kernel's first tap to its last
    if min(size, kernel, stride, dilation) < 1 or padding < 0:
        raise ValueError(
            f"size, kernel, stride, dilation must be >= 1, padding >= 0; got {size, kernel, stride, dilation, padding}."
        )
    if reach > size + 2 * padding:
        raise ValueError(f"The kernel reaches over {reach} pixels; the padded side has only {size + 2 * padding}.")
    return (size + 2 * padding - reach) // stride + 1


def conv2d(
    images: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> Tensor:
    """Convolve: for every kernel position, add the pixels that it meets, weighted, to the output.

    Group g of the filters sees group g of the channels only. With groups = 1, every filter sees all channels.

    Args:
        images: (N, C, H, W) float.
        weight: (K, C / groups, R, S) float, one row per filter.
        bias: (K,) float, or None.
        stride: step between two places of the kernel.
        padding: zeros added on each of the four sides.
        dilation: distance between two taps of the kernel.
        groups: number of groups; divides C and K.

    Returns:
        (N, K, H', W') float.

    Raises:
        ValueError: the shapes do not fit each other.
    """
    if images.ndim != 4 or weight.ndim != 4 or images.shape[1] != weight.shape[1] * groups or len(weight) % groups:
        shapes = f"images {tuple(images.shape)}, weight {tuple(weight.shape)}, groups {groups}"
        raise ValueError(
            f"Expected images (N, C, H, W), weight (K, C / groups, R, S), groups dividing K; got {shapes}."
        )
    if min(stride, dilation) < 1 or padding < 0 or (bias is not None and bias.shape != weight.shape[:1]):
        raise ValueError("Expected stride and dilation of at least 1, padding of at least 0, and one bias per filter.")
    rows, columns = weight.shape[2:]
    padded = F.pad(images, (padding, padding, padding, padding))
    height = (padded.shape[2] - dilation * (rows - 1) - 1) // stride + 1
    width = (padded.shape[3] - dilation * (columns - 1) - 1) // stride + 1
    if min(height, width) < 1:
        raise ValueError(f"A {rows}×{columns} kernel, dilation {dilation}, does not fit in {tuple(padded.shape[2:])}.")
    pixels = padded.unflatten(1, (groups, -1))  # (N, G, C/G, H + 2P, W + 2P)
    filters = weight.unflatten(0, (groups, -1))  # (G, K/G, C/G, R, S)
    output = torch.zeros((), dtype=images.dtype, device=images.device)
    for row in range(rows):
        for column in range(columns):
            top, left = row * dilation, column * dilation
            met = pixels[..., top::stride, left::stride][..., :height, :width]  # (N, G, C/G, H', W')
            output = output + torch.einsum("ngchw,gkc->ngkhw", met, filters[..., row, column])
    output = output.flatten(1, 2)  # (N, K, H', W')
    return output if bias is None else output + bias.view(-1, 1, 1)


def im2col(images: Tensor, kernel: tuple[int, int], *, stride: int = 1, padding: int = 0, dilation: int = 1) -> Tensor:
    """Copy the patch under every place of the kernel into a column, as `F.unfold` does.

    Args:
        images: (N, C, H, W) float.
        kernel: rows R and columns S of the kernel.
        stride: step between two places of the kernel.
        padding: zeros added on each of the four sides.
        dilation: distance between two taps of the kernel.

    Returns:
        (N, C·R·S, H'·W') float: one column per place, one row per channel and tap.

    Raises:
        ValueError: `images` does not have four dimensions, or the kernel does not fit.
    """
    if images.ndim != 4:
        raise ValueError(f"Expected images (N, C, H, W); got {tuple(images.shape)}.")
    rows, columns = kernel
    height = output_size(images.shape[2], rows, stride, padding, dilation)
    width = output_size(images.shape[3], columns, stride, padding, dilation)
    padded = F.pad(images, (padding, padding, padding, padding))
    taps = [
        padded[:, :, row * dilation :: stride, column * dilation :: stride][..., :height, :width]
        for row in range(rows)
        for column in range(columns)
    ]
    return torch.stack(taps, dim=2).flatten(1, 2).flatten(2)  # (N, C, R·S, H', W') -> (N, C·R·S, H'·W')


def conv2d_as_matmul(
    images: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> Tensor:
    """The same convolution as one matrix product per group: filters as rows times patches as columns.

    Arguments, result and errors as in `conv2d`. Memory: the patches are R·S times as large as the images.
    """
    if images.ndim != 4 or weight.ndim != 4 or images.shape[1] != weight.shape[1] * groups or len(weight) % groups:
        shapes = f"images {tuple(images.shape)}, weight {tuple(weight.shape)}, groups {groups}"
        raise ValueError(
            f"Expected images (N, C, H, W), weight (K, C / groups, R, S), groups dividing K; got {shapes}."
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"Expected one bias per filter, {tuple(weight.shape[:1])}; got {tuple(bias.shape)}.")
    rows, columns = weight.shape[2:]
    patches = im2col(images, (rows, columns), stride=stride, padding=padding, dilation=dilation)
    patches = patches.unflatten(1, (groups, -1))  # (N, G, C/G·R·S, H'·W')
    filters = weight.flatten(1).unflatten(0, (groups, -1))  # (G, K/G, C/G·R·S)
    output = (filters @ patches).flatten(1, 2)  # (N, K, H'·W')
    height = output_size(images.shape[2], rows, stride, padding, dilation)
    output = output.unflatten(2, (height, -1))  # (N, K, H', W')
    return output if bias is None else output + bias.view(-1, 1, 1)


def conv_parameters(in_channels: int, out_channels: int, kernel: int, *, groups: int = 1, bias: bool = True) -> int:
    """How many numbers a convolution with a square kernel learns.

    Args:
        in_channels: channels C of the input.
        out_channels: filters K.
        kernel: side of the square kernel.
        groups: number of groups; divides C and K.
        bias: whether every filter has a bias.

    Raises:
        ValueError: a number is below 1, or `groups` does not divide both C and K.
    """
    if min(in_channels, out_channels, kernel, groups) < 1 or in_channels % groups or out_channels % groups:
        raise ValueError(
            f"Expected numbers >= 1, groups dividing both channels; got {in_channels, out_channels, kernel, groups}."
        )
    return out_channels * (in_channels // groups) * kernel * kernel + (out_channels if bias else 0)


def conv_macs(
    in_channels: int, out_channels: int, kernel: int, out_height: int, out_width: int | None = None, *, groups: int = 1
) -> int:
    """Multiply-adds of a convolution for one image: those of one output pixel, times the output's pixels.

    Args:
        in_channels: channels C of the input.
        out_channels: filters K.
        kernel: side of the square kernel.
        out_height: rows H' of the output.
        out_width: columns W' of the output; as many as rows when left out.
        groups: number of groups; divides C and K.

    Raises:
        ValueError: a number is below 1, or `groups` does not divide both C and K.
    """
    out_width = out_height if out_width is None else out_width
    if min(out_height, out_width) < 1:
        raise ValueError(f"Expected an output of at least 1×1; got {out_height}×{out_width}.")
    return conv_parameters(in_channels, out_channels, kernel, groups=groups, bias=False) * out_height * out_width


def receptive_field(layers: list[tuple[int, ...]]) -> int:
    """How many input pixels, along one side, one output pixel depends on.

    Args:
        layers: (kernel, stride) or (kernel, stride, dilation) of each layer, from the input up. Pooling counts too.

    Raises:
        ValueError: a layer is not two or three integers of at least 1.
    """
    field, jump = 1, 1  # pixels seen; distance in the image between two neighbours of a map
    for layer in layers:
        if len(layer) not in (2, 3) or min(layer) < 1:
            raise ValueError(f"Expected (kernel, stride) or (kernel, stride, dilation), all at least 1; got {layer}.")
        kernel, stride, dilation = (*layer, 1)[:3]
        field += dilation * (kernel - 1) * jump
        jump *= stride
    return field


def receptive_field_steps(layers: list[tuple[int, ...]]) -> list[tuple[int, int]]:
    """Receptive field and jump after every layer, in input pixels.

    Args:
        layers: as in `receptive_field`.

    Returns:
        One (field, jump) per layer: what one of its output pixels sees, and how far apart two neighbours look.
    """
    layers = [tuple(layer) for layer in layers]
    steps, jump = [], 1
    for place, layer in enumerate(layers, start=1):
        field = receptive_field(layers[:place])
        jump *= layer[1]
        steps.append((field, jump))
    return steps


def layers_of(stack: nn.Module) -> list[tuple[int, int, int]]:
    """(kernel, stride, dilation) of every convolution and pooling layer of a stack, as `receptive_field` takes them.

    Args:
        stack: a module whose layers run one after another, with square kernels.

    Raises:
        ValueError: a kernel, stride or dilation differs between rows and columns.
    """
    found = []
    for module in stack.modules():
        if isinstance(module, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
            settings = (module.kernel_size, module.stride, getattr(module, "dilation", 1))
            pairs = [pair if isinstance(pair, tuple) else (pair, pair) for pair in settings]
            if any(rows != columns for rows, columns in pairs):
                raise ValueError(f"Expected square kernels, strides and dilations; got {module}.")
            found.append(tuple(rows for rows, _ in pairs))
    return found
