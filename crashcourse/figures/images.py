"""Grids of pictures: data, filters, feature maps, pairs, and the examples on which a network is most wrong."""

from collections.abc import Sequence
from math import ceil
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crashcourse.errors import CourseError
from crashcourse.figures.display import Drawing, present
from crashcourse.figures.pixels import Images, around_grey, as_pictures, separate, stretched
from crashcourse.figures.style import DPI, FULL_WIDTH, canvas, course_style, figure, plain_axes

GAP = 0.06  # inches between pictures
TALLEST = 30.0  # inches


def image_grid(
    images: Images,
    titles: Sequence[str] | None = None,
    *,
    columns: int | None = None,
    normalize: bool = False,
    alt: str | None = None,
) -> None:
    """Show images in a grid.

    Args:
        images: `(N, 1 or 3, H, W)`, `(N, H, W)`, or a list of `(1 or 3, H, W)` of any sizes; uint8, or float in [0, 1].
        titles: one short text an image, shown above it. The automatic alt text quotes them, unless one is marked as
            measured by ≈; titles that hold what a trained network said want an alt text of your own.
        columns: how many stand side by side; as a rule up to 8.
        normalize: stretch each image to [0, 1] by its own range, so that any float values may come.
        alt: alt text in place of the automatic one.
    """
    present(draw_image_grid(images, titles, columns=columns, normalize=normalize), alt)


def draw_image_grid(
    images: Images, titles: Sequence[str] | None = None, *, columns: int | None = None, normalize: bool = False
) -> Drawing:
    """The drawing of `image_grid`, not shown."""
    if normalize:
        images = [stretched(one) for one in separate(images)]
    pictures = as_pictures(images)
    titles = _matching_titles(titles, len(pictures))
    columns = _columns(columns, len(pictures), default=8)
    fig = _grid(pictures, titles, columns)
    kind = "colour" if any(picture.ndim == 3 for picture in pictures) else "grey"
    many = f"{len(pictures)} {kind} images" if len(pictures) > 1 else f"One {kind} image"
    named = _quoted(titles)
    return Drawing(fig, f"{many} in a grid {columns} wide{named}.")


def filters(
    weights: Tensor | nn.Module, *, columns: int | None = None, count: int | None = 64, alt: str | None = None
) -> None:
    """Show the filters of a convolution, as colours where they see 3 channels. Mid-grey is zero.

    Args:
        weights: `(K, C, h, w)` float, or a layer with such a `.weight`. With C other than 1 or 3, only each filter's
            first channel is drawn.
        columns: how many stand side by side.
        count: how many are drawn at most; None for all.
        alt: alt text in place of the automatic one.
    """
    present(draw_filters(weights, columns=columns, count=count), alt)


def draw_filters(weights: Tensor | nn.Module, *, columns: int | None = None, count: int | None = 64) -> Drawing:
    """The drawing of `filters`, not shown."""
    bank = getattr(weights, "weight", weights)
    if not isinstance(bank, Tensor) or bank.ndim != 4:
        got = tuple(bank.shape) if isinstance(bank, Tensor) else type(bank).__name__
        raise CourseError(f"Filters are a tensor (K, C, h, w), or a layer with such a weight; got {got}.")
    total, channels, height, width = bank.shape
    drawn = bank.detach()[:count]
    drawn = drawn if channels in (1, 3) else drawn[:, :1]
    columns = _columns(columns, len(drawn), default=max(1, min(12, ceil(len(drawn) ** 0.5 * 1.4))))
    pictures = as_pictures([around_grey(one) for one in separate(drawn, what="filters")])
    fig = _grid(pictures, [""] * len(pictures), columns)
    seen = {1: "in grey", 3: "as colours"}.get(channels, f"by the first of their {channels} channels")
    which = f"{total} filters" if len(drawn) == total else f"The first {len(drawn)} of {total} filters"
    return Drawing(fig, f"{which} of {height}×{width} weights, drawn {seen}; mid-grey is zero.")


def feature_maps(
    activations: Tensor, *, columns: int | None = None, count: int | None = 32, alt: str | None = None
) -> None:
    """Show the feature maps of one image.

    Each map is stretched by its own range: bright is a strong response.
    A map that is the same everywhere, such as one that is dead, is dark.

    Args:
        activations: `(C, H, W)` or `(1, C, H, W)` float.
        columns: how many stand side by side.
        count: how many are drawn at most; None for all.
        alt: alt text in place of the automatic one.
    """
    present(draw_feature_maps(activations, columns=columns, count=count), alt)


def draw_feature_maps(activations: Tensor, *, columns: int | None = None, count: int | None = 32) -> Drawing:
    """The drawing of `feature_maps`, not shown."""
    maps = activations[0] if activations.ndim == 4 and len(activations) == 1 else activations
    if maps.ndim != 3:
        raise CourseError(
            f"Feature maps of one image are (C, H, W) or (1, C, H, W); got {tuple(activations.shape)}. "
            "Choose one image of the batch: activations[0]."
        )
    drawn = maps.detach()[:count]
    pictures = as_pictures([stretched(one, flat=0.0) for one in separate(drawn, what="feature maps")])
    fig = _grid(pictures, [""] * len(pictures), _columns(columns, len(pictures), default=8), cmap="viridis")
    which = f"{len(maps)}" if len(drawn) == len(maps) else f"The first {len(drawn)} of {len(maps)}"
    return Drawing(fig, f"{which} feature maps of {maps.shape[1]}×{maps.shape[2]}, brighter where they respond more.")


def before_after(
    before: Images, after: Images, *, labels: tuple[str, str] = ("before", "after"), alt: str | None = None
) -> None:
    """Show pairs of images, one above the other.

    Args:
        before: the upper row, as in `image_grid`.
        after: the lower row, as many images.
        labels: the names of the two rows.
        alt: alt text in place of the automatic one.
    """
    present(draw_before_after(before, after, labels=labels), alt)


def draw_before_after(before: Images, after: Images, *, labels: tuple[str, str] = ("before", "after")) -> Drawing:
    """The drawing of `before_after`, not shown."""
    upper, lower = as_pictures(before, what="images before"), as_pictures(after, what="images after")
    if len(upper) != len(lower):
        raise CourseError(f"Pairs need as many images before as after; got {len(upper)} and {len(lower)}.")
    if len(upper) > 8:
        raise CourseError(f"At most 8 pairs fit side by side; got {len(upper)}. Choose some: images[:8].")
    titles = [labels[0]] + [""] * (len(upper) - 1) + [labels[1]] + [""] * (len(lower) - 1)
    pairs = f"{len(upper)} pairs of images" if len(upper) > 1 else "A pair of images"
    return Drawing(_grid([*upper, *lower], titles, len(upper)), f"{pairs}: above {labels[0]}, below {labels[1]}.")


def worst_errors(
    images: Images,
    labels: Tensor,
    logits: Tensor,
    classes: Sequence[str],
    *,
    count: int = 12,
    alt: str | None = None,
) -> None:
    """Show the images on which a classifier was wrong with the largest loss, the worst first.

    Args:
        images: `(N, 1 or 3, H, W)` uint8, or float in [0, 1].
        labels: `(N,)` int64, the true classes.
        logits: `(N, num_classes)` float, the network's outputs before the softmax.
        classes: the names of the classes.
        count: how many are shown at most.
        alt: alt text in place of the automatic one.
    """
    present(draw_worst_errors(images, labels, logits, classes, count=count), alt)


def draw_worst_errors(
    images: Images, labels: Tensor, logits: Tensor, classes: Sequence[str], *, count: int = 12
) -> Drawing:
    """The drawing of `worst_errors`, not shown."""
    labels, logits = torch.as_tensor(labels).detach().cpu(), torch.as_tensor(logits).detach().cpu().float()
    _check_answers(len(images), labels, logits, classes)
    losses = F.cross_entropy(logits, labels.long(), reduction="none")  # (N,)
    predicted = logits.argmax(1)
    wrong = (predicted != labels).nonzero().flatten()
    worst = wrong[losses[wrong].argsort(descending=True, stable=True)][:count].tolist()
    alt = f"Up to {count} images on which the network was wrong, the largest loss first; above each, the class that it"
    alt += " is and the class that the network saw."
    if not worst:
        return Drawing(_no_error(), alt)
    titles = [f"{classes[labels[i]]},\nsaw {classes[predicted[i]]}\nloss {losses[i]:.1f}" for i in worst]
    return Drawing(_grid(as_pictures([images[i] for i in worst]), titles, min(4, len(worst))), alt)


def _check_answers(count: int, labels: Tensor, logits: Tensor, classes: Sequence[str]) -> None:
    if labels.ndim != 1 or logits.ndim != 2 or not len(labels) == len(logits) == count:
        raise CourseError(
            f"Expected N images, labels (N,) and logits (N, {len(classes)}); got {count} images, "
            f"labels {tuple(labels.shape)} and logits {tuple(logits.shape)}."
        )
    if logits.shape[1] != len(classes):
        raise CourseError(f"There are {logits.shape[1]} logits an image but {len(classes)} class names.")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(classes):
        raise CourseError(f"Labels must lie in 0..{len(classes) - 1}; got {int(labels.min())}..{int(labels.max())}.")


def _quoted(titles: list[str]) -> str:
    """The titles as part of an alt text, each once; nothing where they hold measured numbers."""
    names = [" ".join(title.split()) for title in dict.fromkeys(titles) if title]
    return f", titled {', '.join(names)}" if names and not any("≈" in name for name in names) else ""


def _no_error() -> Any:
    fig, axes = figure(height=0.8)
    plain_axes(axes)
    axes.text(0.5, 0.5, "The network was wrong on none of them.", ha="center", va="center", size=13)
    return fig


def _columns(columns: int | None, count: int, *, default: int) -> int:
    if columns is None:
        return min(default, count)
    if not 1 <= columns <= 16:
        raise CourseError(f"A grid is 1 to 16 images wide; got columns={columns}.")
    return min(columns, count)


def _matching_titles(titles: Sequence[str] | None, count: int) -> list[str]:
    titles = [""] * count if titles is None else [str(title) for title in titles]
    if len(titles) != count:
        raise CourseError(f"A grid of {count} images needs as many titles; got {len(titles)}.")
    return titles


def _grid(pictures: list[Tensor], titles: list[str], columns: int, *, cmap: str = "gray") -> Any:
    """A figure of pictures, each under its title; `(H, W)` ones go through the colour map, from 0 to 1."""
    width = min(FULL_WIDTH, 2.6 * columns)
    cell = width / columns
    rows = [pictures[start : start + columns] for start in range(0, len(pictures), columns)]
    heights = [(cell - GAP) * max(p.shape[0] / p.shape[1] for p in row) for row in rows]
    size = _title_size(titles, cell)
    title_height = max(title.count("\n") + 1 if title else 0 for title in titles) * size * 1.3 / 72
    total = sum(heights) + len(rows) * (title_height + GAP)
    if total > TALLEST:
        raise CourseError(f"{len(pictures)} images this tall do not fit in one figure. Show fewer: images[:{columns}].")
    fig = canvas(width, total)
    top = total
    with course_style():
        for row, (shown, height) in enumerate(zip(rows, heights, strict=True)):
            top -= title_height + GAP / 2
            for column, picture in enumerate(shown):
                box = (column * cell + GAP / 2, top - height, cell - GAP, height)
                title = titles[row * columns + column]
                _place(fig, box, picture, title, size, cmap)
            top -= height + GAP / 2
    return fig


def _place(fig: Any, box: tuple[float, ...], picture: Tensor, title: str, size: float, cmap: str) -> None:
    """One picture at the top of its box, given as left, bottom, width and height in inches."""
    wide, high = fig.get_size_inches()
    axes = fig.add_axes((box[0] / wide, box[1] / high, box[2] / wide, box[3] / high), anchor="N")
    plain_axes(axes)
    smooth = "nearest" if picture.shape[1] <= box[2] * DPI else "antialiased"  # keep pixels square when enlarging
    axes.imshow(picture.numpy(), cmap=cmap, vmin=0, vmax=1, interpolation=smooth)
    axes.set_title(title, size=size, weight="normal", loc="center", pad=3)


def _title_size(titles: list[str], inches: float) -> float:
    """The font size, from 7 to 12 points, at which the longest line of a title fits its column."""
    longest = max((len(line) for title in titles for line in title.split("\n")), default=0)
    return max(7.0, min(12.0, inches * 72 / max(longest * 0.62, 1)))
