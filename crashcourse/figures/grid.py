"""A picture cut into the cells of a detector's grid: who learns what, and how a detection comes about."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from crashcourse.errors import CourseError
from crashcourse.figures.boxes import BOX_COLOURS, draw_box, draw_picture
from crashcourse.figures.display import Drawing, present
from crashcourse.figures.pixels import as_pictures
from crashcourse.figures.style import COLOURS, FULL_WIDTH, course_style, figure


def cells_on_images(
    images: Tensor | Sequence[Tensor],
    cells: int,
    boxes: Sequence[Tensor],
    labels: Sequence[Tensor],
    *,
    titles: Sequence[str] | None = None,
    alt: str | None = None,
) -> None:
    """Show pictures with a grid, the objects' boxes and centres, and the cells that the centres lie in.

    Args:
        images: `(N, C, S, S)` or a list of `(C, S, S)`: float in [0, 1] or uint8.
        cells: along a side.
        boxes: for each picture `(M, 4)` xyxy pixels.
        labels: for each picture `(M,)` int64: the colour of a box.
        titles: one for each picture.
        alt: alt text in place of the automatic one.

    Raises:
        CourseError: lists that are not as long as the pictures are many, or fewer than 1 cell.
    """
    present(draw_cells_on_images(images, cells, boxes, labels, titles=titles), alt)


def draw_cells_on_images(
    images: Tensor | Sequence[Tensor],
    cells: int,
    boxes: Sequence[Tensor],
    labels: Sequence[Tensor],
    *,
    titles: Sequence[str] | None = None,
) -> Drawing:
    """The figure of `cells_on_images`, not shown."""
    pictures = as_pictures(images)
    for name, given in (("boxes", boxes), ("labels", labels), ("titles", titles)):
        if given is not None and len(given) != len(pictures):
            raise CourseError(f"{len(pictures)} pictures came with {len(given)} {name}; each picture needs its own.")
    _check_cells(cells)
    with course_style():
        side = FULL_WIDTH / len(pictures)
        fig, grid = figure(1, len(pictures), height=max(1.5, side + (0.3 if titles else 0.0)), squeeze=False)
        for place, (axes, picture) in enumerate(zip(grid.flat, pictures, strict=True)):
            draw_picture(axes, picture)
            step = picture.shape[1] / cells
            _lines(axes, picture, cells)
            for box, label in zip(boxes[place].tolist(), labels[place].tolist(), strict=True):
                colour = BOX_COLOURS[label % len(BOX_COLOURS)]
                x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
                column, row = (min(int(value / step), cells - 1) for value in (x, y))
                _fill(axes, column, row, step, colour)
                draw_box(axes, box, colour)
                axes.plot(x, y, "o", color=COLOURS[colour], markeredgecolor="white", markersize=6)
            if titles is not None:
                axes.set_title(titles[place], size=11, weight="normal")
    many = "A picture" if len(pictures) == 1 else f"{len(pictures)} pictures"
    return Drawing(
        fig, f"{many} under a grid of {cells}×{cells} cells; a dot marks each object's centre, and its cell is tinted."
    )


def from_cells_to_boxes(
    image: Tensor,
    boxes: Tensor,
    confidence: Tensor,
    cell_labels: Tensor,
    found: Tensor,
    found_labels: Tensor,
    *,
    classes: Sequence[str],
    alt: str | None = None,
) -> None:
    """Show how a grid's output becomes detections, as in figure 2 of the YOLO paper (Redmon et al., 2015).

    Args:
        image: `(C, H, W)` float in [0, 1] or uint8.
        boxes: `(K, 4)` xyxy pixels: all boxes.
        confidence: `(K,)`: a box is drawn the thicker.
        cell_labels: `(S, S)` int64: the class that each cell names.
        found: `(D, 4)` xyxy: what is left after threshold and suppression.
        found_labels: `(D,)` int64.
        classes: names of the labels.
        alt: alt text in place of the automatic one.

    Raises:
        CourseError: boxes and confidences that do not fit, or a grid that is not square.
    """
    drawing = draw_from_cells_to_boxes(image, boxes, confidence, cell_labels, found, found_labels, classes=classes)
    present(drawing, alt)


def draw_from_cells_to_boxes(
    image: Tensor,
    boxes: Tensor,
    confidence: Tensor,
    cell_labels: Tensor,
    found: Tensor,
    found_labels: Tensor,
    *,
    classes: Sequence[str],
) -> Drawing:
    """The figure of `from_cells_to_boxes`, not shown."""
    if len(boxes) != len(confidence) or len(found) != len(found_labels):
        raise CourseError(
            f"Each box has a confidence, each detection a label; got {len(boxes)} and {len(confidence)}, "
            f"{len(found)} and {len(found_labels)}."
        )
    if cell_labels.ndim != 2 or cell_labels.shape[0] != cell_labels.shape[1]:
        raise CourseError(f"cell_labels are (S, S): a class for each cell; got {tuple(cell_labels.shape)}.")
    (picture,) = as_pictures(image[None])
    cells = len(cell_labels)
    step = picture.shape[1] / cells
    with course_style():
        fig, (first, second, third) = figure(1, 3, height=2.9)
        for axes, title in ((first, "boxes, by confidence"), (second, "class of each cell"), (third, "detections")):
            draw_picture(axes, picture)
            axes.set_title(title, size=11, weight="normal")
        for place in confidence.argsort().tolist():
            sure = float(confidence[place].clamp(0, 1))
            draw_box(first, boxes[place].tolist(), "black", width=0.3 + 4 * sure)
        for row, column in torch.cartesian_prod(torch.arange(cells), torch.arange(cells)).tolist():
            _fill(second, column, row, step, BOX_COLOURS[int(cell_labels[row, column]) % len(BOX_COLOURS)], alpha=0.6)
        _lines(second, picture, cells)
        for box, label in zip(found.tolist(), found_labels.tolist(), strict=True):
            draw_box(third, box, BOX_COLOURS[label % len(BOX_COLOURS)], classes[label])
        _legend(fig, classes)
    return Drawing(
        fig,
        f"Three copies of one picture: all {len(boxes)} boxes, thicker where confidence is higher; a map of {cells}×"
        f"{cells} cells coloured by the class that each names; and the detections that are left.",
    )


def _lines(axes: Any, picture: Tensor, cells: int) -> None:
    height, width = picture.shape[:2]
    for number in range(1, cells):
        axes.plot([number * width / cells] * 2, [0, height], color="white", linewidth=0.8, alpha=0.8)
        axes.plot([0, width], [number * height / cells] * 2, color="white", linewidth=0.8, alpha=0.8)


def _fill(axes: Any, column: int, row: int, step: float, colour: str, *, alpha: float = 0.45) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((column * step, row * step), step, step, color=COLOURS[colour], alpha=alpha, linewidth=0))


def _legend(fig: Any, classes: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    patches = [
        Patch(color=COLOURS[BOX_COLOURS[label % len(BOX_COLOURS)]], label=name) for label, name in enumerate(classes)
    ]
    fig.legend(handles=patches, loc="outside lower center", ncols=min(6, len(patches)))


def _check_cells(cells: int) -> None:
    if not isinstance(cells, int) or cells < 1:
        raise CourseError(f"A grid has at least 1 cell along a side; got {cells!r}.")
