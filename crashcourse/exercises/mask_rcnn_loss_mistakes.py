"""Lesson 24, Mask R-CNN: what people get wrong in the mask loss, each as code that behaves so, with its hint."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor, Tensor], Tensor | float]


def _own(logits: Tensor, labels: Tensor) -> Tensor:
    return logits[torch.arange(len(labels)), labels]


def _of_own(loss: Callable[[Tensor, Tensor], Tensor | float]) -> Loss:
    """A loss of the right mask and its target."""
    return lambda logits, labels, targets: loss(_own(logits, labels), targets)


def _of_mask(choose: Callable[[Tensor, Tensor], Tensor]) -> Loss:
    """The right loss of another mask."""
    return lambda logits, labels, targets: F.binary_cross_entropy_with_logits(choose(logits, labels), targets)


def _bce(own: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:
    return F.binary_cross_entropy_with_logits(own, targets, reduction=reduction)


def _softmax(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    return F.binary_cross_entropy(_own(logits.softmax(1), labels), targets)


def _all_classes(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    return _bce(logits, targets[:, None].expand_as(logits))


def _others_empty(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    whole = torch.zeros_like(logits)
    whole[torch.arange(len(labels)), labels] = targets
    return _bce(logits, whole)


def _pixel_classes(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """Every pixel is classified: the object's class inside the mask, class 0 outside."""
    wanted = labels[:, None, None] * (targets > 0.5)
    return F.cross_entropy(logits, wanted)


def _squares_of_logits(own: Tensor, targets: Tensor) -> Tensor:
    return F.mse_loss(own, targets)


def _dice(own: Tensor, targets: Tensor) -> Tensor:
    drawn = own.sigmoid()
    return 1 - 2 * (drawn * targets).sum() / (drawn + targets).sum()


def _every_label(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    masks = logits[:, labels]  # (R, R, S, S)
    return _bce(masks, targets[:, None].expand_as(masks))


def _one_hot_times_logits(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    chosen = logits * F.one_hot(labels, logits.shape[1])[:, :, None, None]
    return _bce(chosen, targets[:, None].expand_as(logits))


def _first_pixel(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """gather with an index of one pixel: (R, 1, 1, 1)."""
    own = logits.gather(1, labels[:, None, None, None]).squeeze(1)
    return _bce(own.expand_as(targets), targets)


def _unsigned(own: Tensor, targets: Tensor) -> Tensor:
    drawn = own.sigmoid()
    return (targets * drawn.log() + (1 - targets) * (1 - drawn).log()).mean()


LOSS_MISTAKES = {
    "softmax": (
        _softmax,
        "You make the classes compete with a softmax. Each mask has its own sigmoid: the class is decided elsewhere.",
    ),
    "pixel_classes": (
        _pixel_classes,
        "You classify every pixel with a cross-entropy over the classes. The mask is a yes or no for one class.",
    ),
    "all_classes": (
        _all_classes,
        "You ask the masks of all classes for this object. Only that of its own class learns from it.",
    ),
    "others_empty": (
        _others_empty,
        "You teach the masks of the other classes to be empty. They take no part at all: no loss, no gradient.",
    ),
    "best_class": (
        _of_mask(lambda logits, labels: logits.amax(1)),
        "You take the largest logit over the classes at each pixel. In training the true class is known: use labels.",
    ),
    "predicted_class": (
        _of_mask(lambda logits, labels: _own(logits, logits.mean((2, 3)).argmax(1))),
        "You pick the class whose mask is strongest. In training the true class is known: use labels.",
    ),
    "one_off": (
        _of_mask(lambda logits, labels: _own(logits, labels - 1)),
        "Your classes are one off: K counts background, so that label 1 is channel 1.",
    ),
    "background": (
        _of_mask(lambda logits, labels: logits[:, 0]),
        "You always take channel 0. Take the channel of each region's own class.",
    ),
    "first_label": (
        _of_mask(lambda logits, labels: logits[:, labels[0]]),
        "You take the first region's class for all of them. Each region has its own label.",
    ),
    "every_pair": (
        _of_mask(lambda logits, labels: logits[:, labels]),
        "Logits and targets differ in shape: the targets are (R, S, S), one mask for each region. logits holds K for "
        "each, and logits[:, labels] holds R. Pick one by one: logits[torch.arange(R), labels].",
    ),
    "mean_over_classes": (
        _of_mask(lambda logits, labels: logits.mean(1)),
        "You average the masks of all classes. Pick the one of the true class.",
    ),
    "sum": (
        _of_own(lambda own, targets: _bce(own, targets, "sum")),
        "That is the sum. Take the mean over regions and pixels, or large maps would outweigh the other losses.",
    ),
    "pixels_summed": (
        _of_own(lambda own, targets: _bce(own, targets, "none").sum((1, 2)).mean()),
        "You sum over the pixels and average over regions only. The mean goes over both.",
    ),
    "regions_summed": (
        _of_own(lambda own, targets: _bce(own, targets, "none").mean((1, 2)).sum()),
        "You average over pixels and sum over the regions. The mean goes over both.",
    ),
    "divided_by_all": (
        lambda logits, labels, targets: _bce(_own(logits, labels), targets, "sum") / logits.numel(),
        "You divide by all K masks. Only one of them is in the sum.",
    ),
    "for_each_region": (
        _of_own(lambda own, targets: _bce(own, targets, "none").mean((1, 2))),
        "There is a number for each region. The loss is one number: their mean.",
    ),
    "for_each_pixel": (
        _of_own(lambda own, targets: _bce(own, targets, "none")),
        "There is a number for each pixel. The loss is one number: their mean.",
    ),
    "sigmoid_twice": (
        _of_own(lambda own, targets: _bce(own.sigmoid(), targets)),
        "The sigmoid is applied twice: ..._with_logits has its own.",
    ),
    "no_sigmoid": (
        _of_own(lambda own, targets: F.binary_cross_entropy(own.clamp(0, 1), targets)),
        "You clamp the logits into [0, 1]. They become probabilities by a sigmoid.",
    ),
    "squares": (
        _of_own(lambda own, targets: F.mse_loss(own.sigmoid(), targets)),
        "That is the squared distance. The mask branch has binary cross-entropy.",
    ),
    "squares_of_logits": (
        _of_own(_squares_of_logits),
        "That is the squared distance of logits to targets. Use binary cross-entropy, with the sigmoid in it.",
    ),
    "dice": (
        _of_own(_dice),
        "That is the Dice loss of segmentation networks. The paper has binary cross-entropy.",
    ),
    "hard_targets": (
        _of_own(lambda own, targets: _bce(own, (targets > 0.5).float())),
        "You round the targets. RoIAlign gives parts of pixels on purpose: leave them as they are.",
    ),
    "inverted": (
        _of_own(lambda own, targets: _bce(own, 1 - targets)),
        "You teach the background: the target is 1 where the object is.",
    ),
    "object_pixels_only": (
        _of_own(lambda own, targets: (_bce(own, targets, "none") * targets).sum() / targets.sum()),
        "You count pixels of the object only. Then a mask that fills its box costs nothing: all pixels count.",
    ),
    "number": (
        _of_own(lambda own, targets: _bce(own, targets).item()),
        "That is a plain number, which nothing can learn from. Return the tensor.",
    ),
    "detached": (
        _of_own(lambda own, targets: _bce(own.detach(), targets)),
        "No gradient comes back to the logits. Leave out detach(), .data or no_grad().",
    ),
    "every_label": (
        _every_label,
        "logits[:, labels] pairs every region with every label, and you ask all R masks for this region's object. Pair "
        "them one by one: logits[torch.arange(R), labels].",
    ),
    "logits_as_probabilities": (
        _of_own(lambda own, targets: F.binary_cross_entropy(own, targets)),
        "binary_cross_entropy wants probabilities. Logits go into binary_cross_entropy_with_logits.",
    ),
    "object_half": (
        _of_own(lambda own, targets: -(targets * own.sigmoid().log()).mean()),
        "You have the half for the object, −t log p. The other half, −(1 − t) log(1 − p), is for the pixels around it.",
    ),
    "one_hot_times_logits": (
        _one_hot_times_logits,
        "You multiply the logits by the one-hot label: the others become 0, which means a probability of one half, and "
        "they are still counted. Pick the mask of the class.",
    ),
    "first_pixel": (
        _first_pixel,
        "gather takes as many pixels as the index has: yours has one for each region, and that one is repeated. Pick "
        "with logits[torch.arange(R), labels].",
    ),
    "arguments_swapped": (
        _of_own(lambda own, targets: _bce(targets, own)),
        "The arguments are swapped: logits first, then targets.",
    ),
    "sign": (
        _of_own(_unsigned),
        "The sign is missing: logarithms of probabilities are below 0, and a loss is their negative mean.",
    ),
    "regions_by_label": (
        _of_mask(lambda logits, labels: logits[labels]),
        "logits[labels] picks *regions*. The class is the second dimension: logits[torch.arange(R), labels].",
    ),
    "one_too_far": (
        _of_mask(lambda logits, labels: _own(logits, labels + 1)),
        "Labels count background already: label 1 is channel 1. Leave out the + 1.",
    ),
    "softmax_over_pixels": (
        _of_own(lambda own, targets: F.binary_cross_entropy(own.flatten(1).softmax(1).view_as(own), targets)),
        "Your softmax goes over the pixels, which then compete. Each pixel has a sigmoid of its own.",
    ),
}
