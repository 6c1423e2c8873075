"""Numbered segments in colours, and a U-shaped network drawn as a U."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from crashcourse.errors import CourseError
from crashcourse.figures.display import Drawing, present
from crashcourse.figures.style import COLOURS, FULL_WIDTH, GREY, course_style, figure, plain_axes

PALETTE = ("orange", "sky", "green", "vermilion", "purple", "yellow", "blue")
BACKGROUND = (0.12, 0.12, 0.12)
Shape = tuple[int, int, int]


def painted(numbers: Tensor) -> Tensor:
    """Maps of numbers as pictures: 0 is nearly black, other numbers take the colours in turn, starting anew after 7.

    Args:
        numbers: `(N, H, W)` or `(H, W)` whole numbers from 0 on: cells, or classes.

    Returns:
        `(N, 3, H, W)` or `(3, H, W)` float in [0, 1].

    Raises:
        CourseError: not such maps.
    """
    if numbers.ndim not in (2, 3) or numbers.is_floating_point():
        raise CourseError(f"painted takes whole numbers (N, H, W) or (H, W); got {tuple(numbers.shape)}.")
    colours = [[int(COLOURS[name][i : i + 2], 16) / 255 for i in (1, 3, 5)] for name in PALETTE]
    numbers = numbers.long().cpu()
    places = torch.where(numbers > 0, (numbers - 1) % len(PALETTE) + 1, 0)
    return torch.tensor([list(BACKGROUND), *colours])[places].movedim(-1, -3)


def u_diagram(
    down: Sequence[Shape], up: Sequence[Shape], image: Shape, scores: Shape, *, alt: str | None = None
) -> None:
    """Show a U-Net as a U: a box for each level and side, with arrows for pooling, enlarging and skips.

    A box is as high as its maps are, and as wide as they are many, by their square roots.

    Args:
        down: (C, H, W) behind each level of the contracting path, from the finest to the coarsest.
        up: the same of the expansive path, from the second coarsest to the finest.
        image, scores: what goes in and comes out.
        alt: alt text in place of the automatic one.

    Raises:
        CourseError: not one level fewer on the way up.
    """
    present(draw_u_diagram(down, up, image, scores), alt)


def draw_u_diagram(down: Sequence[Shape], up: Sequence[Shape], image: Shape, scores: Shape) -> Drawing:
    """The drawing of `u_diagram`, not shown."""
    if len(up) != len(down) - 1:
        raise CourseError(f"A U of {len(down)} levels has {len(down) - 1} up blocks; got {len(up)}.")
    levels, tallest = len(down), max(image[1], 1)
    most = max(shape[0] for shape in down)

    def box(shape: Shape, x: float, level: float, colour: str) -> tuple[float, float]:
        """Draw one; returns its left and right edges."""
        height, width = 0.62 * (shape[1] / tallest) ** 0.5, 0.1 + 0.55 * (shape[0] / most) ** 0.5
        axes.add_patch(_rectangle(x - width / 2, level - height / 2, width, height, COLOURS[colour]))
        above = colour == "black"  # what goes in and comes out has neighbours
        place = level - height / 2 - 0.06 if above else level + height / 2 + 0.05
        words = f"{shape[0]} × {shape[1]}²"
        axes.text(x, place, words, ha="center", va="bottom" if above else "top", size=10)
        return x - width / 2, x + width / 2

    with course_style():
        fig, axes = figure(width=FULL_WIDTH, height=0.95 * levels + 0.3)
        plain_axes(axes)
        last = 2 * levels
        axes.set(xlim=(-0.6, last + 0.6), ylim=(levels - 0.6, -0.6))
        _, start = box(image, 0, 0, "black")
        edges = []
        for level, shape in enumerate(down):
            x = level + 1.0
            left, right = box(shape, x, level, "blue")
            edges.append(right)
            if level:
                _arrow(axes, (x - 1, level - 0.42), (x - 1, level), (left - 0.05, level), COLOURS["vermilion"])
            else:
                axes.annotate("", (left - 0.05, 0), (start + 0.05, 0), arrowprops=_way(COLOURS["black"]))
        for level, shape in zip(range(levels - 2, -1, -1), up, strict=True):
            x = last - level - 1.0
            below = right
            left, right = box(shape, x, level, "orange")
            _arrow(axes, (below + 0.05, level + 1), (x, level + 1), (x, level + 0.58), COLOURS["green"])
            axes.annotate("", (left - 0.05, level), (edges[level] + 0.05, level), arrowprops=_way(GREY))
            needed = 2 * (up[levels - 3 - level] if level < levels - 2 else down[-1])[1]
            cut = f"{down[level][1]} → {needed}" if needed != down[level][1] else f"{needed}"
            axes.text((left + edges[level]) / 2, level - 0.06, cut, ha="center", va="bottom", size=10, color=GREY)
            if level == 0:
                out, _ = box(scores, last, 0, "black")
                axes.annotate("", (out - 0.05, 0), (right + 0.05, 0), arrowprops=_way(COLOURS["black"]))
    pairs = [(skip[1], 2 * below[1]) for skip, below in zip(down[-2::-1], (down[-1], *up[:-1]), strict=True)]
    cuts = ", ".join(f"{skip} to {kept}" for skip, kept in pairs if skip != kept)
    return Drawing(
        fig,
        f"A network drawn as a U of {levels} levels: channels and sides go {_path(down)} on the way down and "
        f"{_path(up)} on the way up, and {scores[0]} × {scores[1]}² comes out of {image[0]} × {image[1]}². An arrow "
        f"leads across at each level; {f'the sides of the skips are cut from {cuts}' if cuts else 'no skip is cut'}.",
    )


def _path(shapes: Sequence[Shape]) -> str:
    return ", ".join(f"{channels} × {side}²" for channels, side, _ in shapes)


def _rectangle(x: float, y: float, width: float, height: float, colour: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), width, height, color=colour, linewidth=0)


def _way(colour: str) -> dict[str, Any]:
    return {"arrowstyle": "-|>", "color": colour, "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0}


def _arrow(
    axes: Any, start: tuple[float, float], corner: tuple[float, float], end: tuple[float, float], colour: str
) -> None:
    """An arrow with one corner."""
    axes.plot([start[0], corner[0]], [start[1], corner[1]], color=colour, linewidth=1.6)
    axes.annotate("", end, corner, arrowprops=_way(colour))
