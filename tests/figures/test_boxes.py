"""Boxes on pictures, and the two widgets on boxes: what they say is right, live and static say the same."""

import pytest
import torch

from crashcourse.detection import box_iou, nms
from crashcourse.errors import CourseError
from crashcourse.figures import (
    boxes_on_images,
    draw_boxes_on_images,
    draw_iou,
    draw_nms_steps,
    draw_precision_recall_curve,
    iou_explorer,
    nms_explorer,
)
from crashcourse.figures.widgets.iou import iou_message, iou_page
from crashcourse.figures.widgets.nms import draw_nms, nms_widget

IMAGE = torch.zeros(3, 40, 60)
BOXES = torch.tensor([[5.0, 5, 25, 25], [7, 6, 26, 27], [40, 10, 55, 30]])
SCORES = torch.tensor([0.9, 0.8, 0.7])


def test_boxes_are_drawn_where_they_are():
    """Fails if x and y or corners and sizes are mixed up, or a label loses its name."""
    fig, alt = draw_boxes_on_images(
        IMAGE[None], [BOXES], [torch.tensor([0, 0, 1])], classes=("top", "bag"), scores=[SCORES], titles=["found"]
    )
    (axes,) = fig.axes
    drawn = [(*patch.get_xy(), patch.get_width(), patch.get_height()) for patch in axes.patches]
    assert drawn == [(5, 5, 20, 20), (7, 6, 19, 21), (40, 10, 15, 20)]
    assert [text.get_text() for text in axes.texts] == ["top 0.90", "top 0.80", "bag 0.70"]
    assert axes.get_title(loc="left") == "found"
    assert axes.get_xlim() == (0, 60)
    assert axes.get_ylim() == (40, 0)
    assert alt == "1 picture with 3 boxes drawn around objects."


def test_pictures_without_boxes_and_lists_that_do_not_fit(displayed):
    boxes_on_images([IMAGE, IMAGE], [BOXES, torch.zeros(0, 4)], alt="Three boxes, and none.")
    assert displayed[0]["data"]["text/plain"] == "Three boxes, and none."
    with pytest.raises(CourseError, match="2 pictures came with 1 boxes"):
        draw_boxes_on_images([IMAGE, IMAGE], [BOXES])


def test_masks_are_tinted_where_they_are():
    """Fails if a mask is drawn at another place, or over the whole picture."""
    mask = torch.zeros(3, 40, 60, dtype=torch.bool)
    mask[0, 5:25, 5:25] = True
    fig, alt = draw_boxes_on_images(IMAGE[None], [BOXES], [torch.tensor([0, 0, 1])], masks=[mask])
    first = fig.axes[0].images[1]  # after the picture
    assert torch.equal(torch.from_numpy(first.get_array()[..., 3]) > 0, mask[0])
    assert list(first.get_extent()) == [0, 60, 40, 0]
    assert alt == "1 picture with 3 boxes drawn around objects, and their masks."


def test_the_steps_of_suppression_are_those_of_greedy_nms():
    """Fails if a panel keeps or drops something else than the loop does."""
    fig, alt = draw_nms_steps(IMAGE, BOXES, SCORES, iou_threshold=0.5)
    titles = [axes.get_title(loc="left") for axes in fig.axes]
    assert titles == ["3 boxes", "keep 0.90, drop 1", "keep 0.70, drop 0"]
    assert alt == "Suppression of 3 boxes: 2 boxes are kept, the best first; they drop 1, 0 others."
    with pytest.raises(CourseError, match="no steps"):
        draw_nms_steps(IMAGE, BOXES[:0], SCORES[:0])


def test_the_curve_has_the_points_of_the_list():
    """Fails if precision and recall are exchanged, if the envelope is not there, or if the words name another area."""
    fig, alt = draw_precision_recall_curve([True, False, True, True, False], 4)
    steps, raw, eleven = fig.axes[0].lines
    assert raw.get_xdata() == pytest.approx([1 / 4, 1 / 4, 1 / 2, 3 / 4, 3 / 4])
    assert raw.get_ydata() == pytest.approx([1, 1 / 2, 2 / 3, 3 / 4, 3 / 5])
    assert steps.get_ydata() == pytest.approx([1, 1, 3 / 4, 3 / 4, 3 / 4, 3 / 5])
    assert eleven.get_ydata() == pytest.approx([1, 1, 1, 0.75, 0.75, 0.75, 0.75, 0.75, 0, 0, 0])
    assert "5 detections, 3 of them right, for 4 objects" in alt
    assert alt.endswith("of area 0.625.")
    with pytest.raises(CourseError, match="no curve"):
        draw_precision_recall_curve([], 4)


def test_the_words_of_the_iou_explorer_are_its_numbers():
    a, b = (2, 3, 12, 13), (6, 8, 16, 18)
    assert iou_message(a, b) == "Areas 100 and 100; they share 30 and cover 170 together. IoU = 30 / 170 = 0.176"
    iou = box_iou(torch.tensor([a]).float(), torch.tensor([b]).float()).item()
    assert f"{iou:.3f}" == "0.176"
    assert iou_message((0, 0, 4, 4), (0, 0, 1, 1)).endswith("IoU = 1 / 16 = 0.063")  # a tie goes up, as in the script


def test_the_live_explorer_has_the_words_of_the_static_one(watched):
    """What a drag or a key does to them is tested in a browser."""
    iou_explorer()
    (shown,) = watched
    words = iou_message((2, 3, 12, 13), (6, 8, 16, 18))
    assert shown["data"]["text/plain"] == words
    assert f">{words}</p>" in shown["data"]["text/html"]


def test_the_live_page_can_be_reached_by_keyboard_and_stands_twice_in_a_notebook():
    """Fails if a box cannot be focused, does not say where it is, or if two explorers share a name."""
    one, two = iou_page((0, 1, 4, 5), (4, 0, 8, 4)), iou_page((0, 1, 4, 5), (4, 0, 8, 4))
    assert one.count('tabindex="0"') == 2
    assert 'aria-label="Box a: 0, 1 to 4, 5"' in one
    assert one.splitlines()[0] != two.splitlines()[0]


def test_static_iou_is_a_figure_with_the_same_words(displayed):
    iou_explorer((0, 0, 4, 4), (4, 0, 8, 4))
    assert displayed[0]["data"]["text/plain"].endswith("IoU = 0 / 32 = 0.000")
    assert "image/png" in displayed[0]["data"]


def test_the_nms_slider_keeps_what_nms_keeps():
    labels = torch.zeros(3, dtype=torch.int64)
    slider, picture = nms_widget(IMAGE, BOXES, SCORES, labels, 0.5).children
    for threshold in (0.0, 0.5, 0.75, 1.0):
        slider.value = threshold
        count = len(nms(BOXES, SCORES, threshold))
        assert f"Threshold {threshold:.2f}: {count} of 3 boxes stay" in picture.value
    assert "1 of 1 boxes stays" in draw_nms(IMAGE, BOXES[:1], SCORES[:1], labels[:1], iou_threshold=0.5).alt


def test_the_static_nms_explorer_has_the_words(displayed):
    nms_explorer(IMAGE, BOXES, SCORES)
    assert displayed[0]["data"]["text/plain"].startswith("Threshold 0.50: 2 of 3 boxes stay")


@pytest.mark.parametrize("box", [(0, 0, 0, 4), (0, 0, 21, 4), (0.5, 0, 4, 4), (0, 0, 4), None])
def test_boxes_off_the_field_are_refused(box):
    with pytest.raises(CourseError, match="whole numbers from 0 to 20"):
        draw_iou(box, (0, 0, 4, 4))


def test_words_of_two_boxes_do_not_cover_each_other():
    """Fails if an object with two names shows one of them: the second goes to the foot of its box."""
    from crashcourse.figures.boxes import draw_box, draw_picture
    from crashcourse.figures.style import figure

    _, axes = figure()
    draw_picture(axes, torch.zeros(100, 100, 3))
    for box, words in (((10, 20, 50, 80), "dress"), ((12, 22, 50, 70), "trousers"), ((60, 20, 90, 80), "bag")):
        draw_box(axes, box, "sky", words)
    assert {text.get_text(): text.get_position() for text in axes.texts} == {
        "dress": (10, 20),
        "trousers": (12, 70),
        "bag": (60, 20),
    }
