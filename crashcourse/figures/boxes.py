"""Boxes on pictures: what a detector says, or what is there."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from crashcourse.errors import CourseError
from crashcourse.figures.display import Drawing, present
from crashcourse.figures.images import Images
from crashcourse.figures.pixels import as_pictures
from crashcourse.figures.style import COLOURS, FULL_WIDTH, course_style, figure

BOX_COLOURS = ("vermilion", "sky", "yellow", "green", "purple", "orange", "blue")


def boxes_on_images(
    images: Images,
    boxes: Sequence[Tensor],
    labels: Sequence[Tensor] | None = None,
    *,
    classes: Sequence[str] | None = None,
    scores: Sequence[Tensor] | None = None,
    titles: Sequence[str] | None = None,
    columns: int | None = None,
    alt: str | None = None,
) -> None:
    """Show pictures with boxes drawn over them.

    Args:
        images: `(N, C, H, W)` or a list of `(C, H, W)`: float in [0, 1] or uint8, C 1 or 3.
        boxes: for each picture `(M, 4)` xyxy pixels; M may be 0.
        labels: for each picture `(M,)` int64: the colour of a box, and its name where `classes` are given.
        classes: names of the labels.
        scores: for each picture `(M,)`, written beside the name.
        titles: one for each picture.
        columns: pictures in a row.
        alt: alt text in place of the automatic one.

    Raises:
        CourseError: a list that is not as long as the pictures are many.
    """
    drawing = draw_boxes_on_images(
        images, boxes, labels, classes=classes, scores=scores, titles=titles, columns=columns
    )
    present(drawing, alt)


def draw_boxes_on_images(
    images: Images,
    boxes: Sequence[Tensor],
    labels: Sequence[Tensor] | None = None,
    *,
    classes: Sequence[str] | None = None,
    scores: Sequence[Tensor] | None = None,
    titles: Sequence[str] | None = None,
    columns: int | None = None,
) -> Drawing:
    """The figure of `boxes_on_images`, not shown."""
    pictures = as_pictures(images)
    for name, given in (("boxes", boxes), ("labels", labels), ("scores", scores), ("titles", titles)):
        if given is not None and len(given) != len(pictures):
            raise CourseError(f"{len(pictures)} pictures came with {len(given)} {name}; each picture needs its own.")
    columns = columns or min(4, len(pictures))
    rows = -(-len(pictures) // columns)
    side = FULL_WIDTH / columns
    with course_style():
        height = max(1.0, rows * (side + (0.3 if titles else 0.1)))
        fig, grid = figure(rows, columns, height=height, squeeze=False)
        for axes in grid.flat:
            axes.axis("off")
        for place, (axes, picture) in enumerate(zip(grid.flat, pictures, strict=False)):
            draw_picture(axes, picture)
            own = labels[place].tolist() if labels is not None else [0] * len(boxes[place])
            sure = scores[place].tolist() if scores is not None else [None] * len(boxes[place])
            for box, label, score in zip(boxes[place].tolist(), own, sure, strict=True):
                draw_box(axes, box, BOX_COLOURS[label % len(BOX_COLOURS)], _words(label, score, classes))
            if titles is not None:
                axes.set_title(titles[place], size=11, weight="normal")
    count = sum(len(own) for own in boxes)
    many = "1 picture" if len(pictures) == 1 else f"{len(pictures)} pictures"
    return Drawing(fig, f"{many} with {count} boxes drawn around objects.")


def draw_picture(axes: Any, picture: Tensor) -> None:
    """Draw a picture `(H, W)` or `(H, W, 3)` in the coordinates of boxes: its upper left corner is (0, 0)."""
    height, width = picture.shape[:2]
    axes.imshow(picture.numpy(), extent=(0, width, height, 0), vmin=0, vmax=1)
    axes.axis("off")


def draw_box(
    axes: Any, box: Sequence[float], colour: str, words: str = "", *, style: str = "-", width: float = 2
) -> None:
    """Draw one xyxy box, with words at its upper left corner."""
    from matplotlib.patches import Rectangle

    x1, y1, x2, y2 = box
    ink = COLOURS.get(colour, colour)
    axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=ink, linewidth=width, linestyle=style))
    if words:
        frame = {"facecolor": ink, "edgecolor": "none", "pad": 1, "alpha": 0.9}
        bright = colour in ("yellow", "sky", "orange", "purple")
        axes.text(x1, y1, words, size=8, color="black" if bright else "white", va="bottom", bbox=frame, clip_on=True)


def _words(label: int, score: float | None, classes: Sequence[str] | None) -> str:
    name = classes[label] if classes is not None else ""
    return f"{name} {score:.2f}".strip() if score is not None else name
