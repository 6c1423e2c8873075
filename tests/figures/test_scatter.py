"""What quality costs: every point at its place, larger networks as larger circles, labels that can be read."""

import pytest

from crashcourse.errors import CourseError
from crashcourse.figures import draw_trade_off
from crashcourse.figures.scatter import LARGEST, SMALLEST, Point

NETWORKS = [("A", 0.1, 60.0, 4e6, "old"), ("B", 1.0, 70.0, 1e6, "new"), ("C", 10.0, 80.0, 2e6, "new")]


def circles(drawing):
    return [
        (tuple(map(float, at)), float(area))
        for group in drawing.figure.axes[0].collections
        for at, area in zip(group.get_offsets(), group.get_sizes(), strict=True)
    ]


def labels(drawing):
    drawing.figure.canvas.draw()
    return {text.get_text(): text.get_window_extent() for text in drawing.figure.axes[0].texts}


def test_circles_stand_where_the_numbers_say_with_areas_in_proportion():
    """A circle misleads: its place, or a radius in proportion instead of the area."""
    assert circles(draw_trade_off(NETWORKS, "cost", "quality")) == [
        ((0.1, 60.0), LARGEST),
        ((1.0, 70.0), LARGEST / 4),
        ((10.0, 80.0), LARGEST / 2),
    ]


def test_points_without_size_are_small_dots_and_axes_are_named():
    drawing = draw_trade_off([Point("A", -1.0, 2.0)], "cost (s)", "quality (%)", log=False)
    assert circles(drawing) == [((-1.0, 2.0), SMALLEST)]
    axes = drawing.figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_xscale()) == ("cost (s)", "quality (%)", "linear")
    assert "A" in drawing.alt
    assert "quality (%) against cost (s)" in drawing.alt
    assert not drawing.figure.legends


def test_groups_have_colours_that_the_legend_names():
    drawing = draw_trade_off(NETWORKS, "cost", "quality")
    old, new = drawing.figure.axes[0].collections
    assert tuple(old.get_facecolor()[0]) != tuple(new.get_facecolor()[0])
    assert [text.get_text() for text in drawing.figure.legends[0].get_texts()] == ["old", "new"]


def test_labels_of_a_crowd_do_not_cover_each_other_nor_leave_the_axes():
    """Ten networks within a few per cent, as in the lesson: some labels could not be read."""
    crowd = [(f"network {i}", 2.0 + 0.05 * (i % 3), 87.0 + 0.2 * i, 1e4 * (i + 1)) for i in range(10)]
    drawing = draw_trade_off(crowd, "cost", "quality")
    boxes = labels(drawing)
    assert set(boxes) == {name for name, *_ in crowd}
    around = drawing.figure.axes[0].get_window_extent()
    names = list(boxes)
    for index, name in enumerate(names):
        assert around.x0 - 2 <= boxes[name].x0
        assert boxes[name].x1 <= around.x1 + 2
        assert not any(boxes[name].overlaps(boxes[other]) for other in names[index + 1 :])


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(CourseError, match="empty"):
        draw_trade_off([], "cost", "quality")
    with pytest.raises(CourseError, match="log=False"):
        draw_trade_off([("A", 0.0, 1.0)], "cost", "quality")
