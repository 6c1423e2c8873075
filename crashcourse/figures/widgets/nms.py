"""Which boxes suppression keeps, with a slider for its threshold: by mouse, or by the arrow keys."""

from typing import Any

import torch
from torch import Tensor

from crashcourse.detection.nms import batched_nms
from crashcourse.environment import is_live
from crashcourse.figures.boxes import draw_box, draw_picture
from crashcourse.figures.display import Drawing, present
from crashcourse.figures.pixels import as_pictures
from crashcourse.figures.style import GREY, course_style, figure
from crashcourse.figures.widgets.picture import picture_html, show_widget


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
