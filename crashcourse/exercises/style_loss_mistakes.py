"""Lesson 40, style transfer: what people get wrong in the content loss and in total variation, with its hints."""

from collections.abc import Callable
from functools import partial

from torch import Tensor
from torch.nn import functional as F


def _content(
    maps: Tensor, target: Tensor, *, error: Callable[[Tensor], Tensor] = lambda d: 0.5 * d.square().sum()
) -> Tensor:
    """`content_loss` with another error of the difference."""
    return error(maps - target)


CONTENT_MISTAKES = {
    "no_half": (
        partial(_content, error=lambda d: d.square().sum()),
        "The half is missing.",
    ),
    "mse": (
        partial(_content, error=lambda d: d.square().mean()),
        "That is F.mse_loss, a mean. Add up, and take half.",
    ),
    "half_mean": (
        partial(_content, error=lambda d: 0.5 * d.square().mean()),
        "You take the mean. The paper's loss is a sum.",
    ),
    "quarter": (
        partial(_content, error=lambda d: 0.25 * d.square().sum()),
        "A quarter stands in the style loss. Here it is a half.",
    ),
    "absolute": (
        partial(_content, error=lambda d: 0.5 * d.abs().sum()),
        "You take absolute differences. They are squared.",
    ),
    "root": (
        partial(_content, error=lambda d: 0.5 * d.square().sum().sqrt()),
        "You take the norm. It is squared in the formula: no root.",
    ),
    "square_of_sum": (
        partial(_content, error=lambda d: 0.5 * d.sum().square()),
        "You add up first and square afterwards. Square each difference.",
    ),
    "mean_over_places": (
        partial(_content, error=lambda d: 0.5 * d.square().mean((2, 3)).sum()),
        "You average over places. Add up over all of them.",
    ),
    "mean_over_images": (
        partial(_content, error=lambda d: 0.5 * d.square().sum((1, 2, 3)).mean()),
        "You average over images. The sum runs over them, too.",
    ),
    "for_each_image": (
        partial(_content, error=lambda d: 0.5 * d.square().sum((1, 2, 3))),
        "A number for each image comes back. One number is the loss.",
    ),
    "mean_over_images_and_places": (
        partial(_content, error=lambda d: 0.5 * d.square().sum(1).mean()),
        "You add up over channels and take the mean of the rest. Add up over images and places, too.",
    ),
    "for_each_place": (
        partial(_content, error=lambda d: 0.5 * d.square().sum(1)),
        "You add up over channels alone, and a number for each place comes back. Add up over places, too.",
    ),
    "number": (
        partial(_content, error=lambda d: 0.5 * d.square().sum().item()),
        ".item() makes a plain number, through which no gradient flows. Return the tensor.",
    ),
    "detached": (
        lambda maps, target: _content(maps.detach(), target.detach()),
        "You cut the maps off from the image, so no gradient comes to its pixels. Leave out .detach() and no_grad.",
    ),
    "not_squared": (
        partial(_content, error=lambda d: 0.5 * d.sum()),
        "The differences are not squared, so they cancel.",
    ),
    "squares_compared": (
        lambda maps, target: 0.5 * (maps.square() - target.square()).sum(),
        "You square first and subtract afterwards. (F - P)² is not F² - P².",
    ),
    "grams_compared": (
        lambda maps, target: _content(_gram(maps), _gram(target)),
        "You compare Gram matrices: that is style. Content compares the maps themselves, place by place.",
    ),
}


def _gram(maps: Tensor) -> Tensor:
    return maps.flatten(2) @ maps.flatten(2).mT


def _variation(
    images: Tensor,
    *,
    right: Callable[[Tensor], Tensor] = lambda x: x[..., :, 1:] - x[..., :, :-1],
    below: Callable[[Tensor], Tensor] = lambda x: x[..., 1:, :] - x[..., :-1, :],
    error: Callable[[Tensor], Tensor] = lambda d: d.square().sum(),
    result: Callable[[Tensor, Tensor], Tensor] = lambda right, below: right + below,
) -> Tensor:
    """`total_variation` with one thing wrong: what the keyword arguments say."""
    return result(error(right(images)), error(below(images)))


def _inner(images: Tensor) -> tuple[Tensor, Tensor]:
    """Differences to the right and below, of the pixels that have both neighbours."""
    here = images[..., :-1, :-1]
    return images[..., :-1, 1:] - here, images[..., 1:, :-1] - here


VARIATION_MISTAKES = {
    "right_alone": (
        partial(_variation, result=lambda right, below: right),
        "The neighbours below are missing.",
    ),
    "below_alone": (
        partial(_variation, result=lambda right, below: below),
        "The neighbours to the right are missing.",
    ),
    "absolute": (
        partial(_variation, error=lambda d: d.abs().sum()),
        "You take absolute differences: another total variation, kornia's. Here they are squared.",
    ),
    "mean": (
        partial(_variation, error=lambda d: d.square().mean()),
        "You take means. Add up.",
    ),
    "halved": (
        partial(_variation, result=lambda right, below: (right + below) / 2),
        "You take half of it. There is no factor.",
    ),
    "wrapped": (
        partial(_variation, right=lambda x: x.roll(-1, 3) - x, below=lambda x: x.roll(-1, 2) - x),
        "torch.roll wraps around: pixels at the edge meet those of the other side. Cut with slices.",
    ),
    "inner_grid": (
        partial(
            _variation,
            right=lambda x: x[..., :-1, 1:] - x[..., :-1, :-1],
            below=lambda x: x[..., 1:, :-1] - x[..., :-1, :-1],
        ),
        "You leave out the last row in one direction, the last column in the other. Each has its own edge.",
    ),
    "diagonal": (
        partial(
            _variation,
            right=lambda x: x[..., 1:, 1:] - x[..., :-1, :-1],
            result=lambda right, below: right,
        ),
        "You compare with the neighbour to the right and below, at once. These are two neighbours.",
    ),
    "two_apart": (
        partial(
            _variation, right=lambda x: x[..., :, 2:] - x[..., :, :-2], below=lambda x: x[..., 2:, :] - x[..., :-2, :]
        ),
        "You compare pixels that are two apart. Neighbours are one apart.",
    ),
    "squares_first": (
        lambda images: (
            (images[..., 1:].square() - images[..., :-1].square()).sum()
            + (images[..., 1:, :].square() - images[..., :-1, :].square()).sum()
        ),
        "You square the pixels and subtract afterwards. Subtract, then square.",
    ),
    "not_squared": (
        partial(_variation, error=lambda d: d.sum()),
        "The differences are not squared: rises and falls cancel.",
    ),
    "square_of_sum": (
        partial(_variation, error=lambda d: d.sum().square()),
        "You add up first and square afterwards. Square each difference.",
    ),
    "root": (
        partial(_variation, result=lambda right, below: (right + below).sqrt()),
        "You take a root of the sum. There is none.",
    ),
    "added_then_squared": (
        lambda images: sum(_inner(images)).square().sum(),
        "You add the two differences of a pixel and square afterwards: a rise to the right and a fall below cancel. "
        "Square each of them.",
    ),
    "lengths": (
        lambda images: sum(d.square() for d in _inner(images)).sqrt().sum(),
        "You add up √(right² + below²), the length of the slope at each pixel. Here there is no root.",
    ),
    "zeros_around": (
        partial(
            _variation, right=lambda x: F.pad(x, (0, 1)).diff(dim=3), below=lambda x: F.pad(x, (0, 0, 0, 1)).diff(dim=2)
        ),
        "You put zeros behind the edge and compare with them. Pixels at the edge have no neighbour there.",
    ),
    "both_sides": (
        partial(_variation, result=lambda right, below: 2 * (right + below)),
        "You count each pair of neighbours twice, once from either side. Right and below are enough.",
    ),
    "curvature": (
        partial(_variation, right=lambda x: x.diff(2, dim=3), below=lambda x: x.diff(2, dim=2)),
        "You took differences of differences. In diff(n, dim), n says how often.",
    ),
    "grey": (
        lambda images: _variation(images.mean(1, keepdim=True)),
        "You take the mean of the colours first. Each channel has differences of its own.",
    ),
    "first_image": (
        lambda images: _variation(images[:1]),
        "You look at the first image alone. Add up over all of them.",
    ),
    "mean_over_images": (
        lambda images: _variation(images) / len(images),
        "You divide by the number of images. The sum runs over them, too.",
    ),
    "across_channels": (
        partial(_variation, right=lambda x: x[:, 1:] - x[:, :-1]),
        "You compare colours of one pixel. Neighbours are in the dimensions of height and width: the last two.",
    ),
    "for_each_image": (
        partial(_variation, error=lambda d: d.square().sum((1, 2, 3))),
        "A number for each image comes back. Add those up, too.",
    ),
}
