"""Losses of dense prediction: cross-entropy for one class and for several, Dice, focal.

The rule of the output layer: one class alone has one channel, a sigmoid and binary cross-entropy, and background needs
no channel; several classes have a channel each, background included, a softmax and cross-entropy.

- Weighted cross-entropy: Ronneberger et al., "U-Net", 2015, arXiv 1505.04597, equation 1.
- Dice: Milletari, Navab, Ahmadi, "V-Net", 2016, arXiv 1606.04797, section 3.
- Focal: Lin, Goyal, Girshick, He, Dollár, "Focal loss for dense object detection", 2017, arXiv 1708.02002, section 3.

**Differs from the papers:** all are means, where U-Net's equation is a sum and the focal loss is divided by the number
of objects. Dice has the probabilities themselves below the line, where V-Net has their squares, and `smooth` on both
sides, so that an empty mask that is found empty costs nothing.

Everywhere logits are (N, C, H, W) float and labels (N, H, W) whole numbers. Pixels labelled `ignore` count for nothing;
where all are ignored, the loss is 0 and so are its gradients.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from crashcourse.doors import check_number
from crashcourse.errors import CourseError
from crashcourse.segmentation.doors import IGNORE, check_labels, check_logits


def binary_cross_entropy(
    logits: Tensor, labels: Tensor, *, weights: Tensor | None = None, ignore: int | None = IGNORE
) -> Tensor:
    """The loss for one class: -log p where it is, -log(1 - p) where it is not, p = sigmoid(logit).

    Args:
        logits: (N, 1, H, W) float.
        labels: (N, H, W), 1 or True where the class is, 0 where it is not.
        weights: (N, H, W) float, how much a pixel counts; None is 1.
        ignore: the label of pixels that do not count; None if there is none.

    Returns:
        The mean of weight · loss over the pixels that count, a scalar.
    """
    check_logits(logits, labels, "binary_cross_entropy", channels=1)
    check_labels(labels, 2, "binary_cross_entropy", ignore)
    counted = _counted(labels, ignore)
    loss = F.binary_cross_entropy_with_logits(logits[:, 0].float(), (labels == 1).float(), reduction="none")
    return _mean(loss, counted, weights)


def cross_entropy(
    logits: Tensor, labels: Tensor, *, weights: Tensor | None = None, ignore: int | None = IGNORE
) -> Tensor:
    """The loss for several classes, background included: -log of the softmax at the right class.

    Args:
        logits: (N, C, H, W) float, C >= 2.
        labels: (N, H, W), 0 to C - 1.
        weights: (N, H, W) float, how much a pixel counts, such as `border_weight_map`; None is 1.
        ignore: the label of pixels that do not count; None if there is none.

    Returns:
        The mean of weight · loss over the pixels that count, a scalar: equation 1 of the paper, divided by how many
        pixels there are and not by their weights.
    """
    check_logits(logits, labels, "cross_entropy")
    if logits.shape[1] < 2:
        raise CourseError("With one channel the softmax is 1 everywhere: use binary_cross_entropy, or 2 channels.")
    check_labels(labels, logits.shape[1], "cross_entropy", ignore)
    counted = _counted(labels, ignore)
    target = labels.long().masked_fill(~counted, 0)
    return _mean(F.cross_entropy(logits.float(), target, reduction="none"), counted, weights)


def dice_loss(
    logits: Tensor, labels: Tensor, *, smooth: float = 1.0, background: bool = True, ignore: int | None = IGNORE
) -> Tensor:
    """1 - (2 Σ p q + smooth) / (Σ p + Σ q + smooth): how little prediction p and truth q overlap.

    The sums run over one image, so that a small object counts as much as a large one.

    Args:
        logits: (N, 1, H, W) for one class, else (N, C, H, W).
        labels: (N, H, W): 1 or True where the one class is; 0 to C - 1.
        smooth: above 0; keeps an empty mask from dividing by nothing.
        background: whether class 0 of several is one of those that the mean is over.
        ignore: the label of pixels that do not count; None if there is none.

    Returns:
        The mean over images and classes, a scalar in [0, 1].
    """
    check_logits(logits, labels, "dice_loss")
    check_number(smooth, "smooth", above=0)
    channels = logits.shape[1]
    check_labels(labels, max(channels, 2), "dice_loss", ignore)
    counted = _counted(labels, ignore)[:, None]
    if channels == 1:
        found, truth = logits.float().sigmoid(), (labels == 1)[:, None]
    else:
        target = labels.long()[:, None].masked_fill(~counted, 0)
        found, truth = logits.float().softmax(1), target == torch.arange(channels, device=logits.device).view(-1, 1, 1)
        if not background:
            found, truth = found[:, 1:], truth[:, 1:]
    found, truth = found * counted, (truth & counted).float()
    overlap, both = (found * truth).sum((2, 3)), found.sum((2, 3)) + truth.sum((2, 3))  # (N, C)
    return _mean_or_zero(1 - (2 * overlap + smooth) / (both + smooth))


def focal_loss(
    logits: Tensor,
    labels: Tensor,
    *,
    gamma: float = 2.0,
    alpha: float | None = None,
    ignore: int | None = IGNORE,
) -> Tensor:
    """-(1 - p)^γ log p, where p is the probability of the truth: pixels that are right already count for little.

    Args:
        logits: (N, 1, H, W) for one class, else (N, C, H, W).
        labels: (N, H, W): 1 or True where the one class is; 0 to C - 1.
        gamma: at least 0; 0 is cross-entropy.
        alpha: with one class, what its pixels count, the others counting 1 - alpha (the paper's α); None is 1 for all.
        ignore: the label of pixels that do not count; None if there is none.

    Returns:
        The mean over the pixels that count, a scalar.
    """
    check_logits(logits, labels, "focal_loss")
    check_number(gamma, "gamma")
    channels = logits.shape[1]
    check_labels(labels, max(channels, 2), "focal_loss", ignore)
    counted = _counted(labels, ignore)
    if channels == 1:
        towards = torch.where(labels == 1, logits[:, 0].float(), -logits[:, 0].float())
        right, wrong = F.logsigmoid(towards), F.logsigmoid(-towards)  # log p and log(1 - p)
    else:
        right, wrong = _log_right_and_wrong(logits.float(), labels.long().masked_fill(~counted, 0))
    weights = _alpha_weights(alpha, labels, channels)
    return _mean(-torch.exp(gamma * wrong) * right, counted, weights)


def _log_right_and_wrong(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """log p and log(1 - p), p the softmax at the target: from logits, so that neither is the logarithm of 0."""
    own = target[:, None] == torch.arange(logits.shape[1], device=logits.device).view(-1, 1, 1)
    whole = logits.logsumexp(1)
    right = logits.gather(1, target[:, None])[:, 0] - whole
    return right, logits.masked_fill(own, -torch.inf).logsumexp(1) - whole


def _alpha_weights(alpha: float | None, labels: Tensor, channels: int) -> Tensor | None:
    if alpha is None:
        return None
    if channels > 1:
        raise CourseError("alpha weighs one class against its background; with several classes leave it out.")
    check_number(alpha, "alpha")
    if alpha > 1:
        raise CourseError(f"alpha must be a number from 0 to 1; got {alpha!r}.")
    return torch.where(labels == 1, alpha, 1 - alpha)


def _counted(labels: Tensor, ignore: int | None) -> Tensor:
    """Where pixels count: bool of the labels' shape."""
    if ignore is None or labels.dtype == torch.bool:
        return torch.ones_like(labels, dtype=torch.bool)
    return labels != ignore


def _mean(loss: Tensor, counted: Tensor, weights: Tensor | None) -> Tensor:
    if weights is not None:
        if not isinstance(weights, Tensor) or weights.shape != loss.shape:
            got = tuple(weights.shape) if isinstance(weights, Tensor) else type(weights).__name__
            raise CourseError(f"weights must be a tensor of the labels' shape {tuple(loss.shape)}; got {got}.")
        loss = loss * weights
    return _mean_or_zero(loss[counted])


def _mean_or_zero(values: Tensor) -> Tensor:
    return values.sum() / max(values.numel(), 1)
