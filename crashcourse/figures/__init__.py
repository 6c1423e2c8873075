"""Pictures, tables and widgets: tensors in, a figure with alt text out.

A helper named after what it shows (`image_grid`, `learning_curves`, ...) draws, shows and returns nothing. Its twin
`draw_...` returns a `Drawing` (the figure and its automatic alt text) without showing it. matplotlib loads with the
first drawing, ipywidgets with the first widget.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crashcourse.figures.boxes import boxes_on_images, draw_boxes_on_images, draw_nms_steps, nms_steps
    from crashcourse.figures.confusion import confusion_matrix, draw_confusion_matrix
    from crashcourse.figures.curves import draw_learning_curves, learning_curves
    from crashcourse.figures.display import Drawing, png_bytes, show
    from crashcourse.figures.images import (
        before_after,
        draw_before_after,
        draw_feature_maps,
        draw_filters,
        draw_image_grid,
        draw_worst_errors,
        feature_maps,
        filters,
        image_grid,
        worst_errors,
    )
    from crashcourse.figures.live import LiveCurves, LivePicture
    from crashcourse.figures.network import draw_network_diagram, network_diagram, network_table
    from crashcourse.figures.ranking import draw_precision_recall_curve, precision_recall_curve
    from crashcourse.figures.scatter import draw_trade_off, trade_off
    from crashcourse.figures.source import show_source
    from crashcourse.figures.style import COLOURS, course_style, figure
    from crashcourse.figures.tables import show_table
    from crashcourse.figures.widgets.choice import choice_widget
    from crashcourse.figures.widgets.iou import draw_iou, iou_explorer
    from crashcourse.figures.widgets.nms import draw_nms, nms_explorer
    from crashcourse.figures.widgets.receptive_field import draw_receptive_field, receptive_field_explorer
    from crashcourse.figures.widgets.slider import picture_slider

_HOMES = {
    "boxes": ("boxes_on_images", "draw_boxes_on_images", "draw_nms_steps", "nms_steps"),
    "confusion": ("confusion_matrix", "draw_confusion_matrix"),
    "curves": ("draw_learning_curves", "learning_curves"),
    "display": ("Drawing", "png_bytes", "show"),
    "images": (
        "before_after",
        "draw_before_after",
        "draw_feature_maps",
        "draw_filters",
        "draw_image_grid",
        "draw_worst_errors",
        "feature_maps",
        "filters",
        "image_grid",
        "worst_errors",
    ),
    "live": ("LiveCurves", "LivePicture"),
    "network": ("draw_network_diagram", "network_diagram", "network_table"),
    "ranking": ("draw_precision_recall_curve", "precision_recall_curve"),
    "scatter": ("draw_trade_off", "trade_off"),
    "source": ("show_source",),
    "style": ("COLOURS", "course_style", "figure"),
    "tables": ("show_table",),
    "widgets.choice": ("choice_widget",),
    "widgets.iou": ("draw_iou", "iou_explorer"),
    "widgets.nms": ("draw_nms", "nms_explorer"),
    "widgets.receptive_field": ("draw_receptive_field", "receptive_field_explorer"),
    "widgets.slider": ("picture_slider",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [  # noqa: RUF022 (grouped as above)
    "boxes_on_images",
    "draw_boxes_on_images",
    "draw_nms_steps",
    "nms_steps",
    "confusion_matrix",
    "draw_confusion_matrix",
    "draw_learning_curves",
    "learning_curves",
    "Drawing",
    "png_bytes",
    "show",
    "before_after",
    "draw_before_after",
    "draw_feature_maps",
    "draw_filters",
    "draw_image_grid",
    "draw_worst_errors",
    "feature_maps",
    "filters",
    "image_grid",
    "worst_errors",
    "LiveCurves",
    "LivePicture",
    "draw_network_diagram",
    "network_diagram",
    "network_table",
    "draw_precision_recall_curve",
    "precision_recall_curve",
    "draw_trade_off",
    "trade_off",
    "show_source",
    "COLOURS",
    "course_style",
    "figure",
    "show_table",
    "draw_iou",
    "draw_nms",
    "iou_explorer",
    "nms_explorer",
    "choice_widget",
    "draw_receptive_field",
    "receptive_field_explorer",
    "picture_slider",
]


def __getattr__(name: str) -> Any:
    """Load the module of a helper when the helper is first asked for."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
