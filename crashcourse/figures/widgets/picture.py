"""What widgets share: a picture with its words, as HTML, and a live widget with a text twin."""

import base64
import html
from typing import Any

from crashcourse.figures.display import Drawing, checked_alt, close, png_bytes


def picture_html(drawing: Drawing) -> str:
    """A drawing as an image with its words below, which a screen reader hears when they change. Closes the figure."""
    try:
        encoded = base64.b64encode(png_bytes(drawing.figure)).decode("ascii")
    finally:
        close(drawing.figure)
    words = html.escape(checked_alt(drawing.alt))
    image = f'<img alt="{words}" src="data:image/png;base64,{encoded}" style="max-width:100%;height:auto">'
    return f'<div style="line-height:1.4">{image}<p role="status" aria-live="polite">{words}</p></div>'


def show_widget(box: Any, words: str) -> None:
    """Show an ipywidgets box, with words for where widgets do not live."""
    from IPython.display import display

    data = dict(box._repr_mimebundle_())
    data["text/plain"] = words
    display(data, raw=True)
