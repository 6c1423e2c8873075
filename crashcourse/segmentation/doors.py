"""The checks at the doors of this room: one sentence for logits and labels that a function cannot take."""

from torch import Tensor

from crashcourse.errors import CourseError

IGNORE = 255
"""The label of pixels that count for nothing, as in PASCAL VOC and Cityscapes."""


def check_logits(logits: Tensor, labels: Tensor, what: str, *, channels: int | None = None) -> None:
    """Refuse logits and labels that are not of one batch of maps.

    Args:
        logits: expected (N, C, H, W) float, C, H and W at least 1.
        labels: expected (N, H, W), whole numbers or bool.
        what: whose door this is.
        channels: C, where only one will do.
    """
    expected = f"{what} takes logits (N, {channels or 'C'}, H, W) float, as a network gives them out, before softmax"
    if not isinstance(logits, Tensor):
        raise CourseError(f"{expected}; got {type(logits).__name__}.")
    fits = logits.ndim == 4 and channels in (None, logits.shape[1]) and min(logits.shape[1:]) > 0
    if not fits or not logits.is_floating_point():
        raise CourseError(f"{expected}; got {tuple(logits.shape)} {logits.dtype}.")
    n, _, height, width = logits.shape
    if not isinstance(labels, Tensor) or tuple(labels.shape) != (n, height, width):
        got = tuple(labels.shape) if isinstance(labels, Tensor) else type(labels).__name__
        advice = " Take the channel away with labels[:, 0]." if got == (n, 1, height, width) else ""
        raise CourseError(f"{what} takes labels of shape ({n}, {height}, {width}) for these logits; got {got}.{advice}")
    if labels.is_floating_point():
        raise CourseError(f"{what} takes labels that are whole numbers or bool; got {labels.dtype}. Use labels.long().")


def check_labels(labels: Tensor, classes: int, what: str, ignore: int | None) -> None:
    """Refuse labels that are neither of the classes 0 to `classes - 1` nor the ignored one."""
    counted = labels if ignore is None else labels[labels != ignore]
    if not counted.numel():
        return
    low, high = int(counted.min()), int(counted.max())
    if low < 0 or high >= classes:
        spared = "" if ignore is None else f", or {ignore} to be ignored"
        raise CourseError(f"{what} takes labels from 0 to {classes - 1}{spared}; these run from {low} to {high}.")
