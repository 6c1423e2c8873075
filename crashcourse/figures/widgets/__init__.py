"""Widgets: what a learner moves, each with a static form that carries the same message where widgets do not run."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crashcourse.figures.widgets.choice import choice_widget
    from crashcourse.figures.widgets.iou import draw_iou, iou_explorer
    from crashcourse.figures.widgets.nms import draw_nms, nms_explorer
    from crashcourse.figures.widgets.receptive_field import draw_receptive_field, receptive_field_explorer
    from crashcourse.figures.widgets.slider import picture_slider

_HOME_OF = {
    "choice_widget": "choice",
    "draw_iou": "iou",
    "draw_nms": "nms",
    "draw_receptive_field": "receptive_field",
    "iou_explorer": "iou",
    "nms_explorer": "nms",
    "picture_slider": "slider",
    "receptive_field_explorer": "receptive_field",
}
__all__ = [
    "choice_widget",
    "draw_iou",
    "draw_nms",
    "draw_receptive_field",
    "iou_explorer",
    "nms_explorer",
    "picture_slider",
    "receptive_field_explorer",
]


def __getattr__(name: str) -> Any:
    """Load the module of a widget when the widget is first asked for."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
