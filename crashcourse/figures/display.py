"""Show a figure with the words that stand for it.

What front ends do with alt text (read in their sources, JupyterLab 4.6 and nbconvert 7.17): JupyterLab's image renderer
writes no `alt` attribute; nbconvert's `classic` template takes it from the output's metadata, and its `lab` template
writes "No description has been provided". An `<img>` of our own would carry one, but as HTML its pixels would be
compared by nbval. So the words are stored three times: as metadata of the PNG, as its text/plain twin, and as a
paragraph after the picture that only screen readers meet. Tests compare the words and skip the picture.
"""

import html
import io
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from crashcourse.environment import in_notebook
from crashcourse.errors import CourseError
from crashcourse.figures.style import course_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHORTEST_ALT = 20
PALETTE_ERROR = 2.0  # root mean square, of 255
_HIDDEN = "position:absolute;width:1px;height:1px;margin:-1px;overflow:hidden;clip:rect(0,0,0,0);white-space:nowrap"


class Drawing(NamedTuple):
    """A figure, and the alt text that its helper wrote for it."""

    figure: "Figure"
    alt: str


def show(fig: "Figure", alt: str) -> None:
    """Show a figure as a PNG with alt text, and close it. Outside a notebook it is only closed.

    Args:
        fig: a matplotlib figure.
        alt: what a reader should see in it, in a sentence, for those who do not see it. It is compared by
            tests, so no measured number belongs here.

    Raises:
        CourseError: `fig` is not a figure, or `alt` does not say anything.
    """
    words = checked_alt(alt)
    _check_figure(fig)
    try:
        if in_notebook():
            _display(png_bytes(fig), words)
    finally:
        close(fig)


def present(drawing: Drawing, alt: str | None) -> None:
    """Show a drawing under the caller's alt text, or under its own where the caller gave none."""
    show(drawing.figure, alt=drawing.alt if alt is None else alt)


def checked_alt(alt: str) -> str:
    """The alt text on one line; an error where there is none or it says too little."""
    words = " ".join(alt.split()) if isinstance(alt, str) else ""
    if len(words) < SHORTEST_ALT or " " not in words:
        raise CourseError(
            f"A figure needs alt text of at least {SHORTEST_ALT} characters that says what a reader should see; "
            f"got {alt!r}. For example: alt='Loss falls for both networks; the one with BatchNorm falls faster.'"
        )
    return words


def bundle(png: bytes, alt: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The data and the metadata under which a notebook stores a picture."""
    import base64

    data = {"image/png": base64.b64encode(png).decode("ascii"), "text/plain": alt}
    return data, {"image/png": {"alt": alt}}


def spoken(alt: str) -> dict[str, str]:
    """The paragraph that carries the alt text to screen readers where the picture itself cannot."""
    text = html.escape(f"Figure: {alt}")
    return {"text/html": f'<p class="jp-sr-only" style="{_HIDDEN}">{text}</p>'}


def png_bytes(fig: "Figure") -> bytes:
    """The figure as a PNG: no metadata (the same figure gives the same bytes), a palette where it is not seen."""
    from PIL import Image

    raw = io.BytesIO()
    with course_style():
        fig.savefig(raw, format="png")
    with Image.open(raw) as opened:
        picture = opened.convert("RGB")
    return min((_encoded(image) for image in _candidates(picture)), key=len)


def close(fig: "Figure") -> None:
    """Free a figure: also in pyplot, if it is pyplot that keeps it, lest the cell show it a second time."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(fig)
    fig.clear()


def _check_figure(fig: object) -> None:
    from matplotlib.figure import Figure

    if not isinstance(fig, Figure):
        hint = " Give its .figure." if hasattr(fig, "figure") else ""
        raise CourseError(f"show() takes a matplotlib Figure; got {type(fig).__name__}.{hint}")


def _display(png: bytes, alt: str) -> None:
    from IPython.display import display

    data, metadata = bundle(png, alt)
    display(data, metadata=metadata, raw=True)
    display(spoken(alt), raw=True)


def _candidates(picture: Any) -> list[Any]:
    """The picture itself, and its version in 256 colours if the eye cannot tell the two apart."""
    from PIL import Image

    palette = picture.quantize(colors=256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    return [picture, palette] if _difference(picture, palette.convert("RGB")) <= PALETTE_ERROR else [picture]


def _difference(left: Any, right: Any) -> float:
    from PIL import ImageChops, ImageStat

    squares = ImageStat.Stat(ImageChops.difference(left, right)).rms
    return max(squares)


def _encoded(picture: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
