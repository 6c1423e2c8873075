"""Boxes on pictures: what a detector says, or what is there."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from crashcourse.detection.boxes import box_iou
from crashcourse.detection.nms import greedy_nms
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
    masks: Sequence[Tensor] | None = None,
    titles: Sequence[str] | None = None,
    columns: int | None = None,
    alt: str | None = None,
) -> None:
    """Show pictures with boxes drawn over them, and masks where there are any.

    Args:
        images: `(N, C, H, W)` or a list of `(C, H, W)`: float in [0, 1] or uint8, C 1 or 3.
        boxes: for each picture `(M, 4)` xyxy pixels; M may be 0.
        labels: for each picture `(M,)` int64: the colour of a box, and its name where `classes` are given.
        classes: names of the labels.
        scores: for each picture `(M,)`, written beside the name.
        masks: for each picture `(M, H, W)` bool: pixels tinted in the colour of their box.
        titles: one for each picture.
        columns: pictures in a row.
        alt: alt text in place of the automatic one.

    Raises:
        CourseError: a list that is not as long as the pictures are many.
    """
    drawing = draw_boxes_on_images(
        images, boxes, labels, classes=classes, scores=scores, masks=masks, titles=titles, columns=columns
    )
    present(drawing, alt)


def draw_boxes_on_images(
    images: Images,
    boxes: Sequence[Tensor],
    labels: Sequence[Tensor] | None = None,
    *,
    classes: Sequence[str] | None = None,
    scores: Sequence[Tensor] | None = None,
    masks: Sequence[Tensor] | None = None,
    titles: Sequence[str] | None = None,
    columns: int | None = None,
) -> Drawing:
    """The figure of `boxes_on_images`, not shown."""
    pictures = as_pictures(images)
    lists = {"boxes": boxes, "labels": labels, "scores": scores, "masks": masks, "titles": titles}
    for name, given in lists.items():
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
            for mask, label in zip(masks[place] if masks is not None else (), own, strict=False):
                _tint(axes, mask, BOX_COLOURS[label % len(BOX_COLOURS)])
            sure = scores[place].tolist() if scores is not None else [None] * len(boxes[place])
            for box, label, score in zip(boxes[place].tolist(), own, sure, strict=True):
                draw_box(axes, box, BOX_COLOURS[label % len(BOX_COLOURS)], _words(label, score, classes))
            if titles is not None:
                axes.set_title(titles[place], size=11, weight="normal")
    count = sum(len(own) for own in boxes)
    many = "1 picture" if len(pictures) == 1 else f"{len(pictures)} pictures"
    boxes_word = "1 box" if count == 1 else f"{count} boxes"
    return Drawing(fig, f"{many} with {boxes_word} drawn around objects{', and their masks' if masks else ''}.")


def nms_steps(image: Tensor, boxes: Tensor, scores: Tensor, *, iou_threshold: float = 0.5, most: int = 7) -> None:
    """Show greedy suppression step by step: a panel for each box that is kept, up to `most`.

    Args:
        image: `(C, H, W)`, float in [0, 1] or uint8.
        boxes: `(N, 4)` xyxy pixels, N at least 1.
        scores: `(N,)`.
        iou_threshold: in [0, 1].
        most: panels at most.

    Raises:
        CourseError: what `nms` refuses, or no box.
    """
    present(draw_nms_steps(image, boxes, scores, iou_threshold=iou_threshold, most=most), None)


def draw_nms_steps(
    image: Tensor, boxes: Tensor, scores: Tensor, *, iou_threshold: float = 0.5, most: int = 7
) -> Drawing:
    """The figure of `nms_steps`, not shown: kept boxes solid, those that the newest one drops dashed, others thin."""
    kept = greedy_nms(boxes, scores, iou_threshold).tolist()
    if not kept:
        raise CourseError("Suppression of no box at all has no steps to draw.")
    (picture,) = as_pictures(image[None])
    columns = min(4, 1 + min(most, len(kept)))
    rows = -(-(1 + min(most, len(kept))) // columns)
    left, said = set(range(len(boxes))), []
    with course_style():
        side = FULL_WIDTH / columns
        fig, grid = figure(
            rows, columns, height=rows * (side * picture.shape[0] / picture.shape[1] + 0.3), squeeze=False
        )
        for axes in grid.flat:
            axes.axis("off")
        _panel(grid.flat[0], picture, f"{len(boxes)} boxes")
        for number in left:
            draw_box(grid.flat[0], boxes[number].tolist(), "sky", width=1)
        for step, (axes, best) in enumerate(zip(grid.flat[1:], kept, strict=False), start=1):
            left.discard(best)
            dropped = {n for n in left if box_iou(boxes[[best]], boxes[[n]]).item() > iou_threshold}
            left -= dropped
            _panel(axes, picture, f"keep {scores[best]:.2f}, drop {len(dropped)}")
            for number in left:
                draw_box(axes, boxes[number].tolist(), "sky", width=1)
            for number in dropped:
                draw_box(axes, boxes[number].tolist(), "yellow", style="--", width=1.2)
            for number in kept[:step]:
                draw_box(axes, boxes[number].tolist(), "vermilion", width=2.5 if number == best else 1.5)
            said.append(f"{len(dropped)}")
    steps = "1 box is" if len(kept) == 1 else f"{len(kept)} boxes are"
    return Drawing(
        fig, f"Suppression of {len(boxes)} boxes: {steps} kept, the best first; they drop {', '.join(said)} others."
    )


def _panel(axes: Any, picture: Tensor, title: str) -> None:
    draw_picture(axes, picture)
    axes.set_title(title, size=10, weight="normal")


def _tint(axes: Any, mask: Tensor, colour: str) -> None:
    """Pixels of a mask `(H, W)` bool in a colour, half transparent."""
    import numpy as np
    from matplotlib.colors import to_rgb

    height, width = mask.shape
    layer = np.zeros((height, width, 4), np.float32)
    layer[..., :3] = to_rgb(COLOURS[colour])
    layer[..., 3] = 0.55 * mask.numpy()
    axes.imshow(layer, extent=(0, width, height, 0))


def draw_picture(axes: Any, picture: Tensor) -> None:
    """Draw a picture `(H, W)` or `(H, W, 3)` in the coordinates of boxes: its upper left corner is (0, 0)."""
    height, width = picture.shape[:2]
    axes.imshow(picture.numpy(), extent=(0, width, height, 0), vmin=0, vmax=1)
    axes.axis("off")


def draw_box(
    axes: Any, box: Sequence[float], colour: str, words: str = "", *, style: str = "-", width: float = 2
) -> None:
    """Draw one xyxy box, its words on the upper left corner, or in the lower left one where others stand already."""
    from matplotlib.patches import Rectangle

    x1, y1, x2, y2 = box
    ink = COLOURS.get(colour, colour)
    axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=ink, linewidth=width, linestyle=style))
    if words:
        frame = {"facecolor": ink, "edgecolor": "none", "pad": 1, "alpha": 0.9}
        bright = colour in ("yellow", "sky", "orange", "purple")
        near = 0.1 * abs(axes.get_ylim()[1] - axes.get_ylim()[0])  # about the height of two lines
        others = (text.get_position() for text in axes.texts)
        taken = any(abs(x - x1) < 2 * near and abs(y - y1) < near for x, y in others)
        y = y2 if taken else y1
        axes.text(x1, y, words, size=8, color="black" if bright else "white", va="bottom", bbox=frame, clip_on=True)


def _words(label: int, score: float | None, classes: Sequence[str] | None) -> str:
    name = classes[label] if classes is not None else ""
    return f"{name} {score:.2f}".strip() if score is not None else name
