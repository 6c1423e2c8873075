"""Learning curves and the confusion matrix: what is drawn is what was measured."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from crashcourse.errors import CourseError
from crashcourse.figures import draw_confusion_matrix, draw_learning_curves
from crashcourse.figures.confusion import count_confusions

RUN = [{"loss": 2.0, "accuracy": 0.5, "test_accuracy": 0.4}, {"loss": 1.0, "accuracy": 0.75, "test_accuracy": 0.6}]


def lines(axes) -> list[tuple[list[float], str]]:
    return [(list(line.get_ydata()), line.get_linestyle()) for line in axes.lines]


def test_a_history_becomes_a_panel_a_metric_with_held_out_values_dashed():
    loss, accuracy = draw_learning_curves(RUN).figure.axes
    assert lines(loss) == [([2.0, 1.0], "-")]
    assert lines(accuracy) == [([50.0, 75.0], "-"), ([40.0, 60.0], "--")]
    assert [axes.get_title(loc="left") for axes in (loss, accuracy)] == ["loss", "accuracy (%)"]
    assert list(loss.lines[0].get_xdata()) == [1, 2]


def test_an_object_with_epochs_is_a_history_as_well_as_its_list():
    from_object = draw_learning_curves(SimpleNamespace(epochs=RUN))
    assert lines(from_object.figure.axes[0]) == lines(draw_learning_curves(RUN).figure.axes[0])


def test_seeds_become_their_mean_and_a_band_from_least_to_largest():
    seeds = [[{"loss": 1.0}, {"loss": 3.0}], [{"loss": 2.0}, {"loss": 7.0}]]
    (axes,) = draw_learning_curves({"net": seeds}).figure.axes
    assert lines(axes)[0][0] == [1.5, 5.0]
    corners = axes.collections[0].get_paths()[0].vertices
    assert {tuple(corner) for corner in corners} >= {(1, 1), (1, 2), (2, 3), (2, 7)}


def test_seeds_of_unequal_length_are_compared_over_the_epochs_they_share():
    (axes,) = draw_learning_curves({"net": [[{"loss": 1.0}], [{"loss": 3.0}, {"loss": 9.0}]]}).figure.axes
    assert lines(axes)[0][0] == [2.0]


def test_nine_labels_are_told_apart_and_named_in_the_legend():
    drawing = draw_learning_curves({f"net {i}": [{"loss": 1.0 + i}] for i in range(9)})
    looks = [(line.get_color(), line.get_marker()) for line in drawing.figure.axes[0].lines]
    assert len(set(looks)) == 9
    assert [text.get_text() for text in drawing.figure.legends[0].get_texts()] == [f"net {i}" for i in range(9)]


def test_metrics_can_be_chosen_and_unknown_ones_name_the_nearest():
    (axes,) = draw_learning_curves(RUN, ["test_accuracy"]).figure.axes
    assert lines(axes)[0][0] == [40.0, 60.0]
    with pytest.raises(CourseError, match="Did you mean 'accuracy'"):
        draw_learning_curves(RUN, ["acuracy"])
    with pytest.raises(CourseError, match=r"such as \['loss'\]"):
        draw_learning_curves(RUN, "loss")


def test_the_alt_text_names_runs_and_metrics_but_no_measured_value():
    other = [dict.fromkeys(epoch, 0.123) for epoch in RUN]
    alts = {draw_learning_curves({"plain": run}).alt for run in (RUN, other)}
    assert alts == {
        "Learning curves over 2 epochs: loss and accuracy, a line for each of: plain; "
        "dashed lines are on held-out images."
    }


@pytest.mark.parametrize(
    ("histories", "sentence"),
    [
        ({}, "no history"),
        ([], "Expected a history"),
        (3, "Expected a history.*got int"),
        ({"a": SimpleNamespace(epochs=[])}, "'a' holds no whole epoch"),
        ({"a": [RUN, 3]}, "Expected a history.*'a'"),
        ([{"epoch": 1.0}], "no metric"),
    ],
)
def test_what_is_no_history_is_refused(histories, sentence):
    with pytest.raises(CourseError, match=sentence):
        draw_learning_curves(histories)


def test_confusions_are_counted_with_the_right_class_as_row():
    labels, predictions = torch.tensor([0, 0, 1, 2]), torch.tensor([0, 1, 1, 0])
    assert count_confusions(labels, predictions, 3).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]
    logits = torch.nn.functional.one_hot(predictions, 3).float()
    assert torch.equal(count_confusions(labels, logits, 3), count_confusions(labels, predictions, 3))


def test_the_matrix_shows_per_cent_of_each_right_class_and_survives_an_absent_one():
    drawing = draw_confusion_matrix(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]), ("a", "b", "c"))
    axes = drawing.figure.axes[0]
    assert np.asarray(axes.images[0].get_array()).tolist() == [[50, 50, 0], [0, 100, 0], [0, 0, 0]]
    assert [text.get_text() for text in axes.texts] == ["50", "50", "100"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")


@pytest.mark.parametrize(
    ("labels", "predictions", "sentence"),
    [
        (torch.tensor([0, 1]), torch.tensor([0]), r"got \(2,\) and \(1,\)"),
        (torch.tensor([], dtype=torch.long), torch.tensor([], dtype=torch.long), "N at least 1"),
        (torch.tensor([0, 5]), torch.tensor([0, 1]), r"0\.\.1; got 0\.\.5"),
        (torch.tensor([0, 1]), torch.tensor([0, -1]), r"got -1\.\.1"),
        (torch.tensor([0.0, 1.0]), torch.tensor([0, 1]), "integers; got torch.float32"),
    ],
)
def test_classes_that_do_not_fit_are_refused(labels, predictions, sentence):
    with pytest.raises(CourseError, match=sentence):
        draw_confusion_matrix(labels, predictions, ("a", "b"))
