"""Looking inside: what in the image made this unit fire?

Zeiler, Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, arXiv 1311.2901: section 2.1 (the
projection back to pixels). Simonyan, Vedaldi, Zisserman, "Deep inside convolutional networks", 2013, arXiv 1312.6034,
section 4: the gradient does the same except at the ReLU. Springenberg, Dosovitskiy, Brox, Riedmiller, "Striving for
simplicity: the all convolutional net", 2014, arXiv 1412.6806, figure 1: guided backpropagation does both.

A network is run forwards up to a layer. Every activation of that layer but one is set to zero. What is left goes back,
layer by layer: pooling is undone by putting each value where the maximum came from (the switch), a convolution by the
transposed convolution with the same filters. The rules differ in what they do at a ReLU, in one line each.

**Differs from the paper:** the paper does not say how it undoes contrast normalisation. Here the deconvnet rule
leaves it out; the other two are defined by the gradient and take its exact backward pass. Images are not rescaled.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crashcourse.errors import CourseError, unknown

LAYERS = (nn.Conv2d, nn.ReLU, nn.MaxPool2d, nn.LocalResponseNorm, nn.BatchNorm2d, nn.AvgPool2d, nn.Dropout, nn.Identity)
"""What a stack may be made of."""


def gradient_relu(signal: Tensor, received: Tensor) -> Tensor:
    """The gradient's rule at a ReLU: the signal passes where the forward pass let something through.

    Args:
        signal: (N, C, H, W) float, what comes back from the layer above.
        received: (N, C, H, W) float, what the ReLU received in the forward pass.

    Returns:
        (N, C, H, W) float, what goes on to the layer below.
    """
    return torch.where(received > 0, signal, 0.0)


def deconvnet_relu(signal: Tensor, received: Tensor) -> Tensor:
    """The deconvnet's rule at a ReLU: what comes back is rectified, as what went forward was.

    Args:
        signal: (N, C, H, W) float, what comes back from the layer above.
        received: (N, C, H, W) float, what the ReLU received in the forward pass.

    Returns:
        (N, C, H, W) float, what goes on to the layer below.
    """
    return torch.where(signal > 0, signal, 0.0)


def guided_relu(signal: Tensor, received: Tensor) -> Tensor:
    """Guided backpropagation's rule at a ReLU: both conditions at once.

    Args:
        signal: (N, C, H, W) float, what comes back from the layer above.
        received: (N, C, H, W) float, what the ReLU received in the forward pass.

    Returns:
        (N, C, H, W) float, what goes on to the layer below.
    """
    return torch.where((signal > 0) & (received > 0), signal, 0.0)


RULES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "gradient": gradient_relu,
    "deconvnet": deconvnet_relu,
    "guided": guided_relu,
}


def unpool(signal: Tensor, switches: Tensor, size: tuple[int, int]) -> Tensor:
    """Undo max-pooling: put every value where the maximum was found; add where windows overlapped.

    Args:
        signal: (N, C, H', W') float.
        switches: (N, C, H', W') int64, as `F.max_pool2d(..., return_indices=True)` gives them: row·W + column.
        size: (H, W) before pooling.

    Returns:
        (N, C, H, W) float, zero wherever no maximum was found.

    Raises:
        CourseError: signal and switches differ in shape, or a switch lies outside `size`.
    """
    height, width = size
    if signal.shape != switches.shape or signal.ndim != 4:
        shapes = f"{tuple(signal.shape)} and {tuple(switches.shape)}"
        raise CourseError(f"Expected a signal and its switches of one shape (N, C, H', W'); got {shapes}.")
    if switches.numel() and not 0 <= int(switches.min()) <= int(switches.max()) < height * width:
        raise CourseError(f"The switches point outside an image of {height}×{width}; give the size before pooling.")
    pixels = signal.new_zeros(*signal.shape[:2], height * width)
    return pixels.scatter_add(2, switches.flatten(2), signal.flatten(2)).unflatten(2, (height, width))


@dataclass(frozen=True)
class Trace:
    """A forward pass, kept.

    Attributes:
        layers: the layers that ran.
        values: `values[0]` is the images; `values[i + 1]` is what layer i gave, (N, C_i, H_i, W_i) float.
        switches: for every max-pooling layer, by its place, where the maxima were: (N, C, H', W') int64.
    """

    layers: tuple[nn.Module, ...]
    values: tuple[Tensor, ...]
    switches: dict[int, Tensor]


@torch.no_grad()
def record(stack: nn.Sequential, images: Tensor, layer: int | None = None) -> Trace:
    """Run a stack forwards, as in evaluation, and keep every value and every pooling switch.

    Args:
        stack: a flat `nn.Sequential` of the layers in `LAYERS`, such as `vgg16().features`. It is left as it was.
        images: (N, C, H, W) float.
        layer: place of the last layer to run, counted from 0; all when left out.

    Raises:
        CourseError: a layer of another kind, a place that does not exist, images of another shape.
    """
    _check(stack, images, layer)
    layers = tuple(stack)[: len(stack) if layer is None else layer + 1]
    values, switches = [images], {}
    for place, module in enumerate(layers):
        if isinstance(module, nn.MaxPool2d):
            value, switches[place] = _pool(module, values[-1])
        else:
            value = _forward(module, values[-1])
        values.append(value)
    return Trace(layers, tuple(values), switches)


@dataclass(frozen=True)
class Projection:
    """One unit of every image, projected back to pixels.

    Attributes:
        pixels: (N, C, H, W) float, positive and negative: what the unit's activation is made of.
        channels: (N,) int64, the unit's channel.
        positions: (N, 2) int64, the unit's row and column in its map.
        values: (N,) float, its activation. `pixels` is proportional to it; `pixels / value` starts from 1 instead.
    """

    pixels: Tensor
    channels: Tensor
    positions: Tensor
    values: Tensor


@torch.no_grad()
def project(
    stack: nn.Sequential,
    images: Tensor,
    layer: int,
    *,
    channel: int | None = None,
    position: tuple[int, int] | None = None,
    rule: str = "deconvnet",
) -> Projection:
    """Project one activation of a layer back to the pixels that it came from (section 2.1).

    Args:
        stack: as in `record`.
        images: (N, C, H, W) float; each is projected on its own.
        layer: place of the layer in the stack, counted from 0.
        channel: the unit's channel; the one with the strongest activation when left out.
        position: the unit's (row, column); where its channel is strongest when left out.
        rule: what happens at a ReLU: "deconvnet", "gradient" or "guided".

    Raises:
        CourseError: an unknown rule, a unit that does not exist, or as in `record`.
    """
    if rule not in RULES:
        raise unknown("rule", rule, RULES)
    trace = record(stack, images, layer)
    channels, positions = _choose(trace.values[-1], channel, position)
    units = (torch.arange(len(images), device=images.device), channels, positions[:, 0], positions[:, 1])
    signal = torch.zeros_like(trace.values[-1])
    signal[units] = trace.values[-1][units]  # every activation but one is zero
    for place in reversed(range(len(trace.layers))):
        signal = _back(trace, place, signal, rule)
    return Projection(signal, channels, positions, trace.values[-1][units])


def _back(trace: Trace, place: int, signal: Tensor, rule: str) -> Tensor:
    """One layer backwards."""
    layer, received = trace.layers[place], trace.values[place]
    if isinstance(layer, nn.ReLU):
        return RULES[rule](signal, received)
    if isinstance(layer, nn.MaxPool2d):
        return unpool(signal, trace.switches[place], tuple(received.shape[2:]))
    if isinstance(layer, nn.Conv2d):
        return _transpose(layer, signal, tuple(received.shape[2:]))
    if isinstance(layer, nn.LocalResponseNorm) and rule == "deconvnet":
        return signal
    return _exact_backward(layer, received, signal)


def _transpose(layer: nn.Conv2d, signal: Tensor, size: tuple[int, int]) -> Tensor:
    """The transposed convolution: the same filters, flipped, from outputs to inputs. The bias plays no part."""
    settings = list(zip(size, layer.kernel_size, layer.stride, layer.padding, layer.dilation, strict=True))
    unreached = [
        (n + 2 * p - d * (k - 1) - 1) % s for n, k, s, p, d in settings
    ]  # pixels at the end that no kernel met
    signal = F.conv_transpose2d(
        signal, layer.weight, None, layer.stride, layer.padding, unreached, layer.groups, layer.dilation
    )
    return signal  # (N, C, H, W)


def _exact_backward(layer: nn.Module, received: Tensor, signal: Tensor) -> Tensor:
    """The gradient through one layer, by autograd."""
    with torch.enable_grad():
        received = received.detach().requires_grad_()
        return torch.autograd.grad(_forward(layer, received), received, signal)[0]


def _forward(layer: nn.Module, received: Tensor) -> Tensor:
    """A layer in evaluation mode that leaves its input alone, however it was built."""
    if isinstance(layer, nn.ReLU):
        return received.clamp(min=0)
    if isinstance(layer, nn.Dropout):
        return received
    if isinstance(layer, nn.BatchNorm2d):
        mean, variance = layer.running_mean, layer.running_var
        return F.batch_norm(received, mean, variance, layer.weight, layer.bias, mean is None, 0.0, layer.eps)
    return layer(received)


def _pool(layer: nn.MaxPool2d, received: Tensor) -> tuple[Tensor, Tensor]:
    settings = (layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.ceil_mode)
    return F.max_pool2d(received, *settings, return_indices=True)


def _choose(activations: Tensor, channel: int | None, position: tuple[int, int] | None) -> tuple[Tensor, Tensor]:
    """Channel (N,) and position (N, 2) of each image's unit: given, or the strongest."""
    channels, height, width = activations.shape[1:]
    if channel is not None and not 0 <= channel < channels:
        raise CourseError(f"There is no channel {channel}: this layer has channels 0 to {channels - 1}.")
    if position is not None and not (0 <= position[0] < height and 0 <= position[1] < width):
        raise CourseError(f"There is no position {tuple(position)}: this layer's maps have {height}×{width} places.")
    allowed = torch.zeros(channels, height, width, dtype=torch.bool, device=activations.device)
    row, column = (slice(None), slice(None)) if position is None else position
    allowed[slice(None) if channel is None else channel, row, column] = True
    strongest = activations.masked_fill(~allowed, -torch.inf).flatten(1).argmax(dim=1)  # (N,)
    rows, columns = strongest % (height * width) // width, strongest % width
    return strongest // (height * width), torch.stack([rows, columns], dim=1)


@torch.no_grad()
def strongest_images(stack: nn.Sequential, images: Tensor, layer: int, channel: int, *, count: int = 9) -> Tensor:
    """The images that excite a channel most, strongest first, as in figure 2 of the paper.

    Args:
        stack: as in `record`.
        images: (N, C, H, W) float.
        layer: place of the layer in the stack, counted from 0.
        channel: the channel.
        count: how many images; at most N are given.

    Returns:
        (min(count, N),) int64, indices into `images`.

    Raises:
        CourseError: a channel that does not exist, a count below 1, or as in `record`.
    """
    if count < 1:
        raise CourseError(f"count must be at least 1; got {count}.")
    activations = record(stack, images, layer).values[-1]
    _choose(activations, channel, None)
    return activations[:, channel].amax(dim=(1, 2)).topk(min(count, len(images))).indices


def _check(stack: nn.Sequential, images: Tensor, layer: int | None) -> None:
    if not isinstance(stack, nn.Sequential) or not len(stack):
        raise CourseError(f"Expected a flat nn.Sequential of layers, model.features; got {type(stack).__name__}.")
    strange = [
        f"{place} ({type(module).__name__})" for place, module in enumerate(stack) if not isinstance(module, LAYERS)
    ]
    if strange:
        known = ", ".join(kind.__name__ for kind in LAYERS)
        raise CourseError(f"Cannot project through layer {strange[0]}; it may be one of {known}.")
    for place, module in enumerate(stack):
        if isinstance(module, nn.Conv2d) and (module.padding_mode != "zeros" or isinstance(module.padding, str)):
            raise CourseError(f"Layer {place} must pad with zeros, by a number; got {module}.")
    if layer is not None and not 0 <= layer < len(stack):
        raise CourseError(f"There is no layer {layer}: the stack has layers 0 to {len(stack) - 1}.")
    if not isinstance(images, Tensor) or images.ndim != 4 or not images.is_floating_point():
        came = f"{tuple(images.shape)} {images.dtype}" if isinstance(images, Tensor) else type(images).__name__
        raise CourseError(f"Expected images (N, C, H, W) of floats; got {came}.")
    first = next((module for module in stack if isinstance(module, nn.Conv2d)), None)
    if first is not None and images.shape[1] != first.in_channels:
        raise CourseError(f"The stack takes images with {first.in_channels} channels; got {tuple(images.shape)}.")
