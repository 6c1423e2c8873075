"""The drawn network: its rows are the module's, its sums the published ones."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from crashcourse.errors import CourseError
from crashcourse.figures import draw_network_diagram, network_table
from crashcourse.figures.network import network_rows, short_count


def small() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, padding=1),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 8, 3),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(8 * 4, 10),
    )


def test_rows_are_the_layers_that_weigh_cost_or_resize():
    rows = network_rows(small(), (1, 8, 8))
    assert [(row.kind, row.output_shape) for row in rows] == [
        ("Conv2d", (4, 8, 8)),
        ("Conv2d", (4, 8, 8)),
        ("MaxPool2d", (4, 4, 4)),
        ("Conv2d", (8, 2, 2)),
        ("Linear", (10,)),
    ]
    assert [row.parameters for row in rows] == [40, 148, 0, 296, 330]
    assert [row.macs for row in rows] == [36 * 64, 144 * 64, 0, 288 * 4, 320]


def test_stages_end_with_pooling_and_lose_nothing():
    layers, stages = network_rows(small(), (1, 8, 8)), network_rows(small(), (1, 8, 8), by="stage")
    assert [(row.name, row.kind) for row in stages] == [
        ("0–3", "2 Conv2d, MaxPool2d"),
        ("4", "Conv2d"),
        ("7", "Linear"),
    ]
    for field in ("parameters", "macs"):
        assert sum(getattr(row, field) for row in stages) == sum(getattr(row, field) for row in layers)


def test_the_table_of_vgg16_ends_with_the_published_sums(capsys):
    from crashcourse.classification.vgg import vgg16

    with torch.device("meta"):
        network_table(vgg16(), (3, 224, 224), by="stage", caption="VGG-16")
    text = capsys.readouterr().out
    assert text.splitlines()[0] == "VGG-16"
    assert text.splitlines()[-1].split() == ["total", "138,357,544", "15,470,264,320"]


def test_boxes_are_higher_for_larger_maps_and_wider_for_more_channels():
    def box(axes, row):
        patches = [patch for patch in axes.patches if patch.get_linewidth() > 0]
        return patches[3 * row].get_width(), patches[3 * row].get_height()

    axes = draw_network_diagram(small(), (1, 8, 8)).figure.axes[0]
    first, pooled, wide = box(axes, 0), box(axes, 2), box(axes, 3)
    assert first[0] == pooled[0] < wide[0]
    assert first[1] > pooled[1] > wide[1]


def test_rows_given_by_hand_are_drawn_without_a_module():
    rows = [SimpleNamespace(name="a", kind="Conv2d", output_shape=(3, 4, 4), parameters=0, macs=0)]
    drawing = draw_network_diagram(rows, title="By hand")
    assert drawing.alt.startswith("Diagram of By hand, 1 rows from input to output with shapes 3×4×4. 0 parameters")


def test_every_text_of_a_large_network_stays_inside_the_figure_and_off_its_neighbours():
    from crashcourse.classification.vgg import vgg16

    with torch.device("meta"):
        fig = draw_network_diagram(vgg16(), (3, 224, 224)).figure
    fig.draw_without_rendering()
    boxes = [text.get_window_extent() for text in fig.axes[0].texts]
    assert all(box.x0 >= -1 and box.x1 <= fig.bbox.width + 1 for box in boxes)
    clashes = [(a, b) for i, a in enumerate(boxes) for b in boxes[i + 1 :] if a.overlaps(b)]
    assert clashes == []


@pytest.mark.parametrize(
    ("name", "shape", "by"),
    [("small_vgg", (1, 28, 28), "layer"), ("vgg16_bn", (3, 224, 224), "layer"), ("googlenet", (3, 224, 224), "stage")],
)
def test_a_name_does_not_run_into_its_box(name, shape, by):
    """The names of batch normalisation, ten wide letters longer than those of convolutions, cover the drawing."""
    import crashcourse.classification as room

    with torch.device("meta"):
        build = room.small_vgg if name == "small_vgg" else room.MODELS[name]
        fig = draw_network_diagram(build(), shape, by=by).figure
    fig.draw_without_rendering()
    axes = fig.axes[0]
    boxes = [patch.get_window_extent() for patch in axes.patches[::3]]  # then come two bars
    found = [t.get_text() for t in axes.texts if any(t.get_window_extent().overlaps(box) for box in boxes)]
    assert found == []


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (896, "896"), (999, "999"), (1792, "1.79 k"), (999_600, "1.00 M"), (36_928, "36.9 k"),
     (138_357_544, "138 M"), (15_470_264_320, "15.5 G")],
)  # fmt: skip
def test_counts_are_told_in_three_digits(count, text):
    assert short_count(count) == text


@pytest.mark.parametrize(
    ("network", "shape", "by", "sentence"),
    [
        (small(), None, "layer", "input_shape="),
        (small(), (1, 8, 8), "stages", "Did you mean 'stage'"),
        (small(), (3, 8, 8), "layer", r"cannot take one example of shape \(3, 8, 8\)"),
        ([3], None, "layer", "name, kind, output_shape, parameters and macs; got 3"),
        ([], None, "layer", "has 0"),
        (nn.Sequential(*[nn.Linear(2, 2) for _ in range(61)]), (2,), "layer", "by='stage'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(network, shape, by, sentence):
    with pytest.raises(CourseError, match=sentence):
        network_rows(network, shape, by=by)
