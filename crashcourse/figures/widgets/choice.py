"""A question with radio buttons. Its static form is the exercise panel's list of options."""

import html
from collections.abc import Callable, Mapping
from typing import Any

from crashcourse.errors import CourseError

# ipywidgets gives each option one line of 20 pixels; an answer may be a sentence, so it must wrap.
_STYLE = (
    "<style>.crashcourse-choice .widget-radio-box{height:auto}"
    ".crashcourse-choice .widget-radio-box label{display:flex;flex-direction:row-reverse;justify-content:flex-end;"
    "align-items:flex-start;height:auto;line-height:1.4;white-space:normal;margin:3px 0}"
    ".crashcourse-choice .widget-radio-box input{flex:none;margin:1px 8px 0 1px}</style>"
)


def choice_widget(question: str, options: Mapping[str, str], on_answer: Callable[[str], str]) -> Any:
    """Radio buttons under a question, a button that checks, and the verdict below. Works from the keyboard.

    Args:
        question: one or two sentences, as text.
        options: `{letter: what it says}`, at least two.
        on_answer: called with the chosen letter; what it returns, as HTML, is the verdict.

    Returns:
        An ipywidgets `VBox`, not yet displayed.

    Raises:
        CourseError: no question, fewer than two options, or an `on_answer` that cannot be called.
    """
    _check(question, options, on_answer)
    import ipywidgets

    asked = ipywidgets.HTML(f"{_STYLE}<p><strong>{html.escape(question)}</strong></p>")
    labels = [(f"{letter}) {text}", letter) for letter, text in options.items()]
    wide = ipywidgets.Layout(width="auto", max_width="100%", height="auto")
    buttons = ipywidgets.RadioButtons(options=labels, value=None, layout=wide)
    check = ipywidgets.Button(description="Check", tooltip="Check the chosen answer", disabled=True)
    verdict = ipywidgets.HTML("<p>Choose an answer, then press Check.</p>")

    def chosen(change: Mapping[str, Any]) -> None:
        check.disabled = change["new"] is None

    def pressed(_: Any) -> None:
        verdict.value = f'<div role="status" aria-live="polite">{on_answer(buttons.value)}</div>'

    buttons.observe(chosen, names="value")
    check.on_click(pressed)
    box = ipywidgets.VBox([asked, buttons, check, verdict])
    box.add_class("crashcourse-choice")
    return box


def _check(question: object, options: Mapping[str, str], on_answer: object) -> None:
    if not isinstance(question, str) or not question.strip():
        raise CourseError(f"A choice needs a question; got {question!r}.")
    if not isinstance(options, Mapping) or len(options) < 2:
        raise CourseError(f"A choice needs at least two options, {{'a': '...', 'b': '...'}}; got {options!r}.")
    if not callable(on_answer):
        raise CourseError(f"on_answer must be a function of the chosen letter; got {type(on_answer).__name__}.")
