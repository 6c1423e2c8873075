"""Occlusion: cover a part of the image and see whether the network still knows.

Zeiler, Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, arXiv 1311.2901, section 4.2 and
figure 6 (d).

**Differs from the paper:** nothing; size and step of the grey square are the caller's.
"""

import torch
from torch import Tensor, nn

from crashcourse.errors import CourseError


@torch.no_grad()
def occlusion_map(
    model: nn.Module,
    image: Tensor,
    target: int,
    *,
    size: int,
    stride: int = 1,
    value: float = 0.5,
    batch_size: int = 64,
    centred: bool = False,
) -> Tensor:
    """The probability of a class while a grey square slides over the image.

    Args:
        model: gives class scores (N, classes) for images (N, C, H, W). It runs in evaluation mode and is
            left as it was.
        image: (C, H, W) float.
        target: the class whose probability is recorded.
        size: side of the square in pixels.
        stride: step of the square in pixels.
        value: what the square is filled with; 0.5 is grey for images in [0, 1].
        batch_size: how many covered images run at once.
        centred: let the square's centre visit every pixel, so that it sticks out at the borders; with stride 1, the
            map then lies over the image. Otherwise the square stays inside.

    Returns:
        (rows, columns) float in [0, 1]. Entry (r, c) belongs to the square whose upper left corner (its middle, if
        `centred`) is at (r·stride, c·stride). Low values mark what the network needs.

    Raises:
        CourseError: an image of another shape, a square that does not fit, a class that does not exist.
    """
    _check(image, size, stride, batch_size)
    height, width = image.shape[1:]
    first, beyond = (-(size // 2), size - size // 2 - 1) if centred else (0, 0)
    tops = range(first, height - size + 1 + beyond, stride)
    lefts = range(first, width - size + 1 + beyond, stride)
    corners = [(top, left) for top in tops for left in lefts]
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        probabilities = [
            _class_probability(model, _cover(image, corners[start : start + batch_size], size, value), target)
            for start in range(0, len(corners), batch_size)
        ]
    finally:
        for module in training:
            module.training = True
    return torch.cat(probabilities).unflatten(0, (len(tops), len(lefts)))


def _cover(image: Tensor, corners: list[tuple[int, int]], size: int, value: float) -> Tensor:
    """One copy of the image per corner, (M, C, H, W), each with its square."""
    covered = image.repeat(len(corners), 1, 1, 1)
    for copy, (top, left) in zip(covered, corners, strict=True):
        copy[:, max(top, 0) : top + size, max(left, 0) : left + size] = value
    return covered


def _class_probability(model: nn.Module, images: Tensor, target: int) -> Tensor:
    """Softmax probability of one class, (M,)."""
    scores = model(images)
    if scores.ndim != 2 or not 0 <= target < scores.shape[1]:
        raise CourseError(f"There is no class {target}: the model gives scores of shape {tuple(scores.shape)}.")
    return scores.softmax(dim=1)[:, target]


def _check(image: Tensor, size: int, stride: int, batch_size: int) -> None:
    if not isinstance(image, Tensor) or image.ndim != 3 or not image.is_floating_point():
        came = f"{tuple(image.shape)} {image.dtype}" if isinstance(image, Tensor) else type(image).__name__
        raise CourseError(f"Expected one image (C, H, W) of floats; got {came}.")
    if stride < 1 or batch_size < 1 or not 1 <= size <= min(image.shape[1:]):
        wanted = f"a square of 1 to {min(image.shape[1:])} pixels, stride and batch_size of at least 1"
        raise CourseError(f"Expected {wanted}; got size {size}, stride {stride}, batch_size {batch_size}.")
