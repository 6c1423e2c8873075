"""Lesson 13, ResNet: what people get wrong in its two functions, each as code that behaves so, with its hint."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor


def _grouped(
    images: Tensor,
    weight: Tensor,
    groups: int,
    *,
    parts: Callable[[Tensor, int], list[Tensor]] = lambda images, groups: list(images.chunk(groups, 1)),
    filters: Callable[[Tensor, int], list[Tensor]] = lambda weight, groups: list(weight.chunk(groups, 0)),
    padding: Callable[[int], int] = lambda kernel: kernel // 2,
    merge: Callable[[list[Tensor]], Tensor] = lambda outs: torch.cat(outs, 1),
) -> Tensor:
    """`split_transform_merge` with one thing wrong: what the keyword arguments say."""
    pairs = zip(parts(images, groups), filters(weight, groups), strict=False)
    return merge([F.conv2d(part, own, padding=padding(weight.shape[-1])) for part, own in pairs])


def _slices(images: Tensor, groups: int) -> list[Tensor]:
    size = images.shape[1] // groups
    return [images[:, g : g + size] for g in range(groups)]


def _filters_by_channels(weight: Tensor, groups: int) -> list[Tensor]:
    size = weight.shape[1]  # C / groups
    return [weight[g * size : (g + 1) * size] for g in range(groups)]


GROUP_MISTAKES = {
    "no_groups": (
        lambda images, weight, groups: F.conv2d(images, weight, padding=weight.shape[-1] // 2),
        "All C channels meet filters that see C / groups of them. Split the images along dimension 1, the channels.",
    ),
    "size_for_count": (
        partial(
            _grouped,
            parts=lambda images, groups: list(images.split(groups, 1)),
            filters=lambda weight, groups: list(weight.split(groups, 0)),
        ),
        "split(groups) makes parts *of* `groups` channels, chunk(groups) makes `groups` parts. You want the second.",
    ),
    "size_for_filters": (
        partial(_grouped, filters=lambda weight, groups: list(weight.split(groups, 0))),
        "weight.split(groups) makes parts *of* `groups` filters. Use chunk, or split(K // groups).",
    ),
    "filters_not_split": (
        partial(_grouped, filters=lambda weight, groups: [weight] * groups),
        "Every part meets all the filters: too many channels come out. Each group has its own K / groups filters.",
    ),
    "first_filters": (
        partial(_grouped, filters=lambda weight, groups: [weight.chunk(groups, 0)[0]] * groups),
        "Every part meets the filters of the first group. Each group has its own.",
    ),
    "first_part": (
        partial(_grouped, parts=lambda images, groups: [images.chunk(groups, 1)[0]] * groups),
        "Every group looks at the first part of the channels. Each has its own part.",
    ),
    "filter_channels_split": (
        partial(_grouped, filters=lambda weight, groups: list(weight.chunk(groups, 1))),
        "You split the filters along dimension 1, the channels that they see. Filters are counted by dimension 0.",
    ),
    "strided_channels": (
        partial(_grouped, parts=lambda images, groups: [images[:, g::groups] for g in range(groups)]),
        "Your parts take every groups-th channel. A group is a run of neighbouring channels.",
    ),
    "strided_filters": (
        partial(_grouped, filters=lambda weight, groups: [weight[g::groups] for g in range(groups)]),
        "Your groups take every groups-th filter. The first K / groups filters belong to the first group.",
    ),
    "slice_start": (
        partial(_grouped, parts=_slices),
        "Your slices begin at g and overlap. Group g begins at g · C / groups.",
    ),
    "filters_by_channels": (
        partial(_grouped, filters=_filters_by_channels),
        "You cut the filters by C / groups, as the channels. There are K of them: K / groups for each group.",
    ),
    "reversed": (
        partial(_grouped, filters=lambda weight, groups: list(weight.chunk(groups, 0))[::-1]),
        "The first part meets the last filters. Keep the order of both.",
    ),
    "one_group": (
        partial(_grouped, merge=lambda outs: outs[0]),
        "Only the first group comes back. Is the `return` inside the loop?",
    ),
    "last_group": (
        partial(_grouped, merge=lambda outs: outs[-1]),
        "Only the last group comes back. Collect the results in a list and join them.",
    ),
    "added": (
        partial(_grouped, merge=lambda outs: torch.stack(outs).sum(0)),
        "You add the groups. Here they stand side by side: torch.cat along the channels.",
    ),
    "averaged": (
        partial(_grouped, merge=lambda outs: torch.stack(outs).mean(0)),
        "You average the groups. Here they stand side by side: torch.cat along the channels.",
    ),
    "joined_along_batch": (
        partial(_grouped, merge=lambda outs: torch.cat(outs, 0)),
        "You joined the groups along the batch. Channels are dimension 1.",
    ),
    "joined_along_rows": (
        partial(_grouped, merge=lambda outs: torch.cat(outs, 2)),
        "You joined the groups along the rows. Channels are dimension 1.",
    ),
    "joined_along_columns": (
        partial(_grouped, merge=lambda outs: torch.cat(outs, -1)),
        "You joined the groups along the columns. Channels are dimension 1.",
    ),
    "stacked": (
        partial(_grouped, merge=lambda outs: torch.stack(outs, 1)),
        "torch.stack makes a new dimension. torch.cat joins along the channels.",
    ),
    "interleaved": (
        partial(_grouped, merge=lambda outs: torch.stack(outs, 2).flatten(1, 2)),
        "The groups come out interleaved: channel 0 of each, then channel 1. The whole first group comes first.",
    ),
    "list": (
        partial(_grouped, merge=list),
        "A list of the groups comes back. Join them with torch.cat(..., dim=1).",
    ),
    "no_padding": (
        partial(_grouped, padding=lambda kernel: 0),
        "The maps shrink: pad with k // 2 zeros.",
    ),
    "padding_one": (
        partial(_grouped, padding=lambda kernel: 1),
        "padding=1 keeps the size for 3×3 only. Take it from the kernel: k // 2.",
    ),
}


def _gradient(
    x: Tensor,
    weights: Tensor,
    residual: bool,
    *,
    layer: Callable[[Tensor, Tensor], Tensor] = lambda h, weight: torch.relu(h @ weight.T),
    join: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda h, branch, start: h + branch,
    order: Callable[[Tensor], Tensor] = lambda weights: weights,
    loss: Callable[[Tensor], Tensor] = lambda h: h.sum(),
    result: Callable[[Tensor, Tensor], Tensor] = lambda gradient, h: gradient,
) -> Tensor:
    """`input_gradient` with one thing wrong: what the keyword arguments say."""
    start = x.detach().clone().requires_grad_()
    h = start
    for weight in order(weights):
        branch = layer(h, weight)
        h = join(h, branch, start) if residual else branch
    loss(h).backward()
    return result(start.grad, h)


def _last_layer_linear(x: Tensor, weights: Tensor, residual: bool) -> Tensor:
    start = x.detach().clone().requires_grad_()
    h = start
    for place, weight in enumerate(weights):
        branch = h @ weight.T
        branch = branch if place == len(weights) - 1 else torch.relu(branch)
        h = h + branch if residual else branch
    h.sum().backward()
    return start.grad


def _unrecorded(h: Tensor, weight: Tensor) -> Tensor:
    return torch.relu(h @ weight.T).detach()


def _unrecorded_sum(h: Tensor, branch: Tensor, start: Tensor) -> Tensor:
    return (h + branch).detach()


def _on_x_itself(x: Tensor, weights: Tensor, residual: bool) -> Tensor:
    h = x.requires_grad_()
    for weight in weights:
        branch = torch.relu(h @ weight.T)
        h = h + branch if residual else branch
    h.sum().backward()
    return x.grad.clone()


def _none(x: Tensor, weights: Tensor, residual: bool) -> None:
    return None


GRADIENT_MISTAKES = {
    "always_plain": (
        lambda x, weights, residual: _gradient(x, weights, False),
        "residual is ignored: your stack is always plain. With residual, a layer gives h + F(h).",
    ),
    "always_residual": (
        lambda x, weights, residual: _gradient(x, weights, True),
        "residual is ignored: your stack always adds h. Without residual, a layer gives F(h) alone.",
    ),
    "swapped": (
        lambda x, weights, residual: _gradient(x, weights, not residual),
        "The two cases are swapped: with residual=True, h is added.",
    ),
    "shortcut_from_the_input": (
        partial(_gradient, join=lambda h, branch, start: start + branch),
        "Each of your layers adds the first x. It adds its own input, the h of the layer before.",
    ),
    "relu_after_the_sum": (
        lambda x, weights, residual: _gradient(
            x,
            weights,
            residual,
            layer=lambda h, weight: h @ weight.T if residual else torch.relu(h @ weight.T),
            join=lambda h, branch, start: torch.relu(h + branch),
        ),
        "You apply ReLU to the sum. Here F(h) = ReLU(h Wᵀ), and h is added after it.",
    ),
    "no_relu": (
        partial(_gradient, layer=lambda h, weight: h @ weight.T),
        "There is no ReLU in the layers.",
    ),
    "not_transposed": (
        partial(_gradient, layer=lambda h, weight: torch.relu(h @ weight)),
        "You multiply by W. nn.Linear, and this stack, multiply by its transpose: h @ weight.T.",
    ),
    "reversed": (
        partial(_gradient, order=lambda weights: weights.flip(0)),
        "The layers run in reverse order. autograd goes backwards by itself: run them from the first to the last.",
    ),
    "first_layer": (
        partial(_gradient, order=lambda weights: weights[:1]),
        "Only the first layer is there. Is `backward` or `return` inside the loop?",
    ),
    "one_layer_too_few": (
        partial(_gradient, order=lambda weights: weights[1:]),
        "The first layer is missing. Loop over all weights.",
    ),
    "last_layer_missing": (
        partial(_gradient, order=lambda weights: weights[:-1]),
        "The last layer is missing. Every weight is one layer.",
    ),
    "relu_before_the_matrix": (
        partial(_gradient, layer=lambda h, weight: torch.relu(h) @ weight.T),
        "You apply ReLU to h and then multiply. First h Wᵀ, then ReLU.",
    ),
    "one_shortcut": (
        lambda x, weights, residual: _gradient(x, weights, False) + (1 if residual else 0),
        "There is one shortcut around the whole stack. Every layer has its own: h = h + F(h) inside the loop.",
    ),
    "last_layer_linear": (
        _last_layer_linear,
        "The last layer of yours has no ReLU. All layers have one.",
    ),
    "slope_of_the_end": (
        lambda x, weights, residual: torch.ones_like(x),
        "Every value is 1: that is the gradient at the last h. Ask for it at the tensor that you started from.",
    ),
    "tuple": (
        partial(_gradient, result=lambda gradient, h: (gradient,)),
        "torch.autograd.grad gives a tuple, one gradient for each input that you name. Take the first: [0].",
    ),
    "nothing_recorded": (
        lambda x, weights, residual: _gradient(x, weights, residual, layer=_unrecorded, join=_unrecorded_sum),
        "autograd has recorded nothing. Call requires_grad_() on your copy of x before the layers, and run them "
        "outside torch.no_grad().",
    ),
    "on_x_itself": (
        _on_x_itself,
        "You let x itself record gradients. x.grad is then added to at every call, and the second call with the same x "
        "gives the sum. Work on a copy: x.clone().requires_grad_().",
    ),
    "none": (
        _none,
        "None comes back. autograd fills .grad only in the tensor on which you called requires_grad_(), the copy that "
        "you started from: not in the last h, nor in a clone made afterwards. Or is a `return` missing?",
    ),
    "mean": (
        partial(_gradient, loss=lambda h: h.mean()),
        "That is the gradient of the mean. Take the sum of all outputs.",
    ),
    "squared": (
        partial(_gradient, loss=lambda h: h.square().sum()),
        "That is the gradient of the sum of squares. Take the sum of the outputs themselves.",
    ),
    "norm_of_outputs": (
        partial(_gradient, loss=lambda h: h.norm()),
        "That is the gradient of the outputs' norm. Take their sum.",
    ),
    "not_summed": (
        partial(_gradient, loss=lambda h: h),
        "backward() needs one number to start from: h.sum().backward().",
    ),
    "outputs": (
        partial(_gradient, result=lambda gradient, h: h.detach()),
        "The outputs of the stack come back. The gradient is in start.grad after backward().",
    ),
    "norm": (
        partial(_gradient, result=lambda gradient, h: gradient.norm()),
        "The gradient's norm comes back. Return the gradient itself, of the shape of x.",
    ),
    "summed_over_batch": (
        partial(_gradient, result=lambda gradient, h: gradient.sum(0)),
        "The gradient is summed over the batch. Return one row for each row of x.",
    ),
    "absolute": (
        partial(_gradient, result=lambda gradient, h: gradient.abs()),
        "The signs of the gradient are gone. Return it as it is.",
    ),
}
