"""Pictures of one knob's settings: a slider goes through them, by mouse or by the arrow keys. They are made before."""

from collections.abc import Sequence
from typing import Any

from crashcourse.environment import is_live
from crashcourse.errors import CourseError
from crashcourse.figures.display import Drawing, present
from crashcourse.figures.images import draw_image_grid
from crashcourse.figures.pixels import Images, separate
from crashcourse.figures.widgets.picture import picture_html, show_widget


def picture_slider(
    images: Images, settings: Sequence[object], *, knob: str, start: int = 0, alt: str | None = None
) -> None:
    """Show a picture for each setting of a knob. Live: one at a time, with a slider. Static: all, side by side.

    Args:
        images: `(N, 1 or 3, H, W)` or a list of `(1 or 3, H, W)`; uint8, or float in [0, 1].
        settings: what the knob stood at for each of them, in order.
        knob: its name: "style weight".
        start: which is shown first.
        alt: alt text in place of the automatic one, for the static figure.

    Raises:
        CourseError: fewer than two pictures, another number of settings, settings that are equal, or no such start.
    """
    singles, names = _checked(images, settings, start)
    if is_live():
        show_widget(slider_widget(singles, names, knob, start), words_for(knob, names, start))
    else:
        present(draw_settings(singles, names, knob), alt)


def words_for(knob: str, settings: Sequence[str], number: int) -> str:
    """What a picture is, in words."""
    return f"{knob} {settings[number]}: picture {number + 1} of {len(settings)}"


def draw_settings(images: Images, settings: Sequence[str], knob: str) -> Drawing:
    """All pictures side by side, each under its setting, not shown."""
    drawing = draw_image_grid(images, settings, columns=min(5, len(settings)))
    return Drawing(drawing.figure, f"{len(settings)} pictures, one for each {knob}: {', '.join(settings)}.")


def draw_setting(images: Images, settings: Sequence[str], knob: str, number: int) -> Drawing:
    """One of the pictures, not shown."""
    fig = draw_image_grid([images[number]], [f"{knob} {settings[number]}"], columns=1).figure
    return Drawing(fig, words_for(knob, settings, number))


def slider_widget(images: Images, settings: Sequence[str], knob: str, start: int) -> Any:
    """The slider and the picture that follows it, as an ipywidgets `VBox`."""
    import ipywidgets

    slider = ipywidgets.SelectionSlider(
        options=[(name, number) for number, name in enumerate(settings)], value=start, description=knob,
        continuous_update=False, style={"description_width": "initial"},
        layout=ipywidgets.Layout(width="min(30em, 100%)"),
    )  # fmt: skip
    picture = ipywidgets.HTML()

    def redraw(_: object = None) -> None:
        picture.value = picture_html(draw_setting(images, settings, knob, slider.value))

    slider.observe(redraw, names="value")
    redraw()
    return ipywidgets.VBox([slider, picture])


def _checked(images: Images, settings: Sequence[object], start: int) -> tuple[list[Any], list[str]]:
    singles, names = separate(images), [str(setting) for setting in settings]
    if len(singles) != len(names) or len(names) < 2:
        raise CourseError(
            f"A slider goes through two pictures or more, with a setting for each; got {len(singles)} pictures and "
            f"{len(names)} settings."
        )
    if len(set(names)) < len(names):
        raise CourseError(f"Each setting is another one; got {', '.join(names)}.")
    if start not in range(len(names)):
        raise CourseError(f"start is the number of a picture, 0 to {len(names) - 1}; got {start!r}.")
    return singles, names
