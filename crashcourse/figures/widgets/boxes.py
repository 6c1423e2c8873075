"""Two widgets on boxes: two of them to drag while their IoU is told, and suppression at a threshold to move.

A box is moved and stretched by two sliders with two handles each, from left to right and from top to bottom: with the
mouse by the handles or the bar between them, with the keyboard by the arrow keys.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from crashcourse.detection.boxes import box_area, intersection_and_union
from crashcourse.detection.nms import batched_nms
from crashcourse.environment import is_live
from crashcourse.errors import CourseError
from crashcourse.figures.boxes import draw_box, draw_picture
from crashcourse.figures.display import Drawing, present
from crashcourse.figures.pixels import as_pictures
from crashcourse.figures.style import COLOURS, GREY, course_style, figure
from crashcourse.figures.widgets.picture import picture_html, show_widget

SIDE = 20  # of the field in which the two boxes lie
Box = tuple[int, int, int, int]


def iou_explorer(
    box_a: Sequence[int] = (2, 3, 12, 13), box_b: Sequence[int] = (6, 8, 16, 18), *, alt: str | None = None
) -> None:
    """Show two boxes and their IoU. Live: with sliders that drag and stretch them. Static: as given.

    Args:
        box_a, box_b: xyxy, whole numbers between 0 and 20, with x1 < x2 and y1 < y2.
        alt: alt text in place of the automatic one, for the static figure.

    Raises:
        CourseError: a box that is not like that.
    """
    a, b = _checked(box_a), _checked(box_b)
    if is_live():
        show_widget(iou_widget(a, b), iou_message(a, b))
    else:
        present(draw_iou(a, b), alt)


def iou_message(box_a: Box, box_b: Box) -> str:
    """What the picture says, in words."""
    a, b = torch.tensor([box_a]).float(), torch.tensor([box_b]).float()
    intersection, union = (round(value.item()) for value in intersection_and_union(a, b))
    areas = f"Areas {round(box_area(a).item())} and {round(box_area(b).item())}"
    return f"{areas}; they share {intersection} and cover {union} together. IoU = {intersection / union:.2f}."


def draw_iou(box_a: Sequence[int], box_b: Sequence[int]) -> Drawing:
    """The picture of the explorer, not shown."""
    from matplotlib.patches import Rectangle

    a, b = _checked(box_a), _checked(box_b)
    with course_style():
        fig, axes = figure(width=4.2, height=4.0)
        x1, y1, x2, y2 = max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
        if x1 < x2 and y1 < y2:
            axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, color=COLOURS["green"], alpha=0.45, linewidth=0))
        draw_box(axes, a, "blue", "a", width=3)
        draw_box(axes, b, "vermilion", "b", width=3)
        ticks = range(0, SIDE + 1, 5)
        axes.set(xlim=(0, SIDE), ylim=(SIDE, 0), xticks=ticks, yticks=ticks, xlabel="x", ylabel="y", aspect="equal")
        words = iou_message(a, b)
        axes.set_title(words.rsplit(". ", 1)[1].rstrip("."))
    return Drawing(fig, words)


def iou_widget(box_a: Box, box_b: Box) -> Any:
    """The sliders and the picture that follows them, as an ipywidgets `VBox`."""
    import ipywidgets

    wide = ipywidgets.Layout(width="min(30em, 100%)")

    def slider(name: str, low: int, high: int) -> Any:
        return ipywidgets.IntRangeSlider(
            value=(low, high), min=0, max=SIDE, description=name, continuous_update=False, layout=wide
        )

    sliders = [
        slider(f"{name}: {axis}", box[place], box[place + 2])
        for name, box in (("a", box_a), ("b", box_b))
        for place, axis in enumerate("xy")
    ]
    picture = ipywidgets.HTML()

    def redraw(_: object = None) -> None:
        (ax1, ax2), (ay1, ay2), (bx1, bx2), (by1, by2) = (one.value for one in sliders)
        try:
            picture.value = picture_html(draw_iou((ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2)))
        except CourseError:
            picture.value = '<p role="status">A box without width or height has no area. Pull its handles apart.</p>'

    for one in sliders:
        one.observe(redraw, names="value")
    redraw()
    return ipywidgets.VBox([*sliders, picture])


def nms_explorer(
    image: Tensor,
    boxes: Tensor,
    scores: Tensor,
    labels: Tensor | None = None,
    *,
    iou_threshold: float = 0.5,
    alt: str | None = None,
) -> None:
    """Show which boxes suppression keeps. Live: with a slider for the threshold. Static: at `iou_threshold`.

    Args:
        image: `(C, H, W)`, float in [0, 1] or uint8.
        boxes: `(N, 4)` xyxy pixels.
        scores: `(N,)`.
        labels: `(N,)`: boxes of different labels do not suppress each other; all alike by default.
        iou_threshold: in [0, 1].
        alt: alt text in place of the automatic one, for the static figure.

    Raises:
        CourseError: what `nms` refuses.
    """
    labels = torch.zeros(len(boxes), dtype=torch.int64) if labels is None else labels
    drawing = draw_nms(image, boxes, scores, labels, iou_threshold=iou_threshold)
    if not is_live():
        present(drawing, alt)
        return
    words = drawing.alt
    picture_html(drawing)  # closes it
    show_widget(nms_widget(image, boxes, scores, labels, iou_threshold), words)


def draw_nms(image: Tensor, boxes: Tensor, scores: Tensor, labels: Tensor, *, iou_threshold: float) -> Drawing:
    """The picture of the explorer, not shown: kept boxes solid with their scores, dropped ones dashed."""
    kept = set(batched_nms(boxes, scores, labels, iou_threshold).tolist())
    (picture,) = as_pictures(image[None])
    height, width = picture.shape[:2]
    with course_style():
        fig, axes = figure(width=4.6, height=4.6 * height / width)
        draw_picture(axes, picture)
        for number in scores.argsort().tolist():  # the best is painted last
            box, score = boxes[number].tolist(), scores[number].item()
            if number in kept:
                draw_box(axes, box, "vermilion", f"{score:.2f}", width=2.5)
            else:
                draw_box(axes, box, GREY, style="--", width=1.5)
    many = f"{len(kept)} of {len(boxes)} boxes stay" if len(kept) != 1 else f"1 of {len(boxes)} boxes stays"
    return Drawing(fig, f"Threshold {iou_threshold:.2f}: {many}, drawn solid with their scores.")


def nms_widget(image: Tensor, boxes: Tensor, scores: Tensor, labels: Tensor, iou_threshold: float) -> Any:
    """The slider and the picture that follows it, as an ipywidgets `VBox`."""
    import ipywidgets

    slider = ipywidgets.FloatSlider(
        value=iou_threshold, min=0, max=1, step=0.05, description="threshold", continuous_update=False,
        layout=ipywidgets.Layout(width="min(30em, 100%)"),
    )  # fmt: skip
    picture = ipywidgets.HTML()

    def redraw(_: object = None) -> None:
        picture.value = picture_html(draw_nms(image, boxes, scores, labels, iou_threshold=slider.value))

    slider.observe(redraw, names="value")
    redraw()
    return ipywidgets.VBox([slider, picture])


def _checked(box: Sequence[int]) -> Box:
    try:
        x1, y1, x2, y2 = (int(value) for value in box)
        good = (x1, y1, x2, y2) == tuple(box) and 0 <= x1 < x2 <= SIDE and 0 <= y1 < y2 <= SIDE
    except (TypeError, ValueError):
        good = False
    if not good:
        raise CourseError(
            f"A box here is (x1, y1, x2, y2), whole numbers from 0 to {SIDE} with x1 < x2 and y1 < y2; got {box!r}."
        )
    return x1, y1, x2, y2
