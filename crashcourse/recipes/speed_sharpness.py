"""Sharpness: how far the loss can rise in a small box around the weights.

Keskar, Mudigere, Nocedal, Smelyanskiy and Tang, "On large-batch training for deep learning: generalization gap and
sharp minima", ICLR 2017, arXiv:1609.04836, section 2.2.2: the box of equation 3 over all weights, and equation 4.
**Differs from the paper:** the maximum is sought by signed gradient ascent and projection in place of L-BFGS-B, so what
is found is a lower bound, as theirs is; the rise is given as it is, not divided by 1 + loss.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crashcourse.errors import CourseError


def sharpness(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float = 1e-3,
    steps: int = 10,
    loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
    batch_size: int = 500,
) -> float:
    """The largest rise of the loss that was found where each weight w moves by at most epsilon · (|w| + 1).

    Each step moves every weight by a quarter of its own reach in the direction in which the loss rises, and back into
    the box where it has left it. The model is as it was afterwards. Call `model.eval()` first: batch statistics would
    change with the weights. A rescaled network computes the same with another sharpness (Dinh et al., 2017,
    arXiv:1703.04933), so compare networks of one architecture, trained with one weight decay.

    Args:
        model: images -> scores.
        images: `(N, C, H, W)` float, normalised as in training.
        labels: `(N,)` int64.
        epsilon: half the side of the box, relative to |w| + 1; 0.001 and 0.0005 in the paper.
        steps: of the ascent.
        loss: a function of scores and labels that is a mean over the batch.
        batch_size: images at a time; the gradient of a step is that of all images.

    Returns:
        Largest loss found, minus the loss at the weights themselves: at least 0.

    Raises:
        CourseError: epsilon is not positive, steps is below 1, or there are no images.
    """
    if not epsilon > 0:
        raise CourseError(f"sharpness(epsilon=...) is the size of the box, above 0; got {epsilon}.")
    if steps < 1 or not len(images):
        raise CourseError(f"sharpness() needs images and at least 1 step; got {len(images)} images, {steps} steps.")
    weights = [p for p in model.parameters() if p.requires_grad]
    centres = [w.detach().clone() for w in weights]
    reaches = [epsilon * (c.abs() + 1) for c in centres]  # equation 3, with A the identity
    parts = list(zip(images.split(batch_size), labels.split(batch_size), strict=True))

    def climb() -> tuple[float, list[Tensor]]:
        """The loss over all images, and its gradient."""
        total, slopes = 0.0, [torch.zeros_like(w) for w in weights]
        for some, their_labels in parts:
            value = loss(model(some), their_labels) * (len(some) / len(images))
            total += value.item()
            for slope, gradient in zip(slopes, torch.autograd.grad(value, weights), strict=True):
                slope += gradient
        return total, slopes

    try:
        start, slopes = climb()
        highest = start
        for _ in range(steps):
            with torch.no_grad():
                for w, c, reach, slope in zip(weights, centres, reaches, slopes, strict=True):
                    w.copy_(torch.clamp(w + reach / 4 * slope.sign(), c - reach, c + reach))
            height, slopes = climb()
            highest = max(highest, height)
    finally:
        with torch.no_grad():
            for w, c in zip(weights, centres, strict=True):
                w.copy_(c)
    return highest - start
