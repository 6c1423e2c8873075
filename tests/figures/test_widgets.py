"""Widgets: what they say is right, live and static say the same, and bad questions are refused."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from crashcourse.classification.convolution import receptive_field
from crashcourse.errors import CourseError
from crashcourse.figures.widgets import choice_widget, draw_receptive_field, receptive_field_explorer
from crashcourse.figures.widgets.receptive_field import explorer_widget, message, seen

OPTIONS = {"a": "more weights", "b": "fewer weights"}


def test_the_answer_reaches_the_check_and_its_verdict_the_page():
    asked = []
    box = choice_widget("Why <3×3>?", OPTIONS, lambda letter: asked.append(letter) or f"<p>not {letter}</p>")
    question, buttons, check, verdict = box.children
    assert "Why &lt;3×3&gt;?" in question.value
    assert [label for label, _ in buttons.options] == ["a) more weights", "b) fewer weights"]
    assert (buttons.value, check.disabled) == (None, True)
    buttons.value = "b"
    assert not check.disabled
    check.click()
    assert asked == ["b"]
    assert "<p>not b</p>" in verdict.value
    assert 'role="status"' in verdict.value


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("", OPTIONS, len), "needs a question"),
        (("Why?", {"a": "x"}, len), "at least two options"),
        (("Why?", ["a", "b"], len), "at least two options"),
        (("Why?", OPTIONS, "b"), "must be a function"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(arguments, sentence):
    with pytest.raises(CourseError, match=sentence):
        choice_widget(*arguments)


LAYERS = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(LAYERS)
def test_the_pixels_seen_are_those_with_a_gradient_and_their_paths_its_size(layers):
    """Oracle: with all weights one, the gradient of an output by an input counts the paths between them."""
    field = receptive_field(layers)
    pixels = torch.ones(1, 1, field, dtype=torch.float64, requires_grad=True)
    output = pixels
    for kernel, stride, dilation in layers:
        output = F.conv1d(output, torch.ones(1, 1, kernel, dtype=torch.float64), stride=stride, dilation=dilation)
    output[0, 0, 0].backward()
    paths = seen(layers)[0]
    assert [paths.get(place, 0) for place in range(field)] == pixels.grad.flatten().tolist()
    assert max(paths) + 1 == field


def test_the_words_tell_field_jump_and_output_size():
    assert message([(3, 1, 1), (2, 2, 1)], 28) == (
        "One output of 2 layers (3×3, stride 1; 2×2, stride 2) sees 4×4 input pixels. Two neighbouring outputs look "
        "2 pixels apart. Without padding, a 28×28 input gives a 13×13 output."
    )


def test_the_words_own_up_to_pixels_that_dilation_skips_and_to_inputs_that_are_too_small():
    assert "sees 9×9 input pixels, but uses only 25 of these 81." in message([(3, 1, 2)] * 2, 28)
    assert "A 8×8 input is too small" in message([(3, 1, 2)] * 2, 8)


def test_static_output_is_a_figure_with_the_same_words(displayed):
    receptive_field_explorer([(3, 1)] * 3)
    assert displayed[0]["data"]["text/plain"] == message([(3, 1, 1)] * 3, 64)
    assert "image/png" in displayed[0]["data"]


def test_live_output_is_a_widget_whose_text_twin_has_the_same_words(watched):
    receptive_field_explorer([(3, 1)] * 3)
    (shown,) = watched
    assert shown["data"]["text/plain"] == message([(3, 1, 1)] * 3, 64)
    assert "application/vnd.jupyter.widget-view+json" in shown["data"]


def test_moving_each_slider_changes_what_is_seen():
    *sliders, picture = explorer_widget([(3, 1, 1)] * 2, 64).children
    assert 'alt="One output of 2 layers of 3×3, stride 1 sees 5×5' in picture.value
    for slider, value, field in zip(sliders, (3, 5, 2, 2), (7, 13, 29, 57), strict=True):
        slider.value = value
        assert f"sees {field}×{field} input pixels" in picture.value


def test_a_stack_too_large_to_draw_is_told_in_the_widget_and_the_sliders_still_move():
    *sliders, picture = explorer_widget([(7, 3, 3)], 64).children
    sliders[0].value = 5
    assert "At most 8 layers that see at most 1000 pixels" in picture.value
    sliders[0].value = 1
    assert "sees 19×19" in picture.value


@pytest.mark.parametrize("layers", [[], [(3,)], [(3, 0)], [(3, 1, 1, 1)], [3], [(3.5, 1)], "33", [(3, 1), None], 7])
def test_layers_that_are_none_are_refused_with_an_example(layers):
    with pytest.raises(CourseError, match=r"For example: \[\(3, 1\), \(3, 2\)\]"):
        draw_receptive_field(layers)


@pytest.mark.parametrize("layers", [[(3, 1)] * 9, [(7, 3, 3)] * 5])
def test_stacks_too_large_to_draw_are_refused(layers):
    with pytest.raises(CourseError, match="can be drawn"):
        draw_receptive_field(layers)
