"""Live curves: one picture that moves while someone watches, nothing at all where nobody does."""

import pytest
import torch

from crashcourse.figures import live
from crashcourse.figures.live import LiveCurves, LivePicture

EPOCHS = [{"loss": 1.0 / n} for n in range(1, 6)]


def test_nothing_is_shown_where_output_is_static(displayed):
    curves = LiveCurves("training")
    curves.update(EPOCHS)
    curves.close()
    assert displayed == []


def test_one_display_is_updated_in_place_and_ends_with_every_epoch(watched, monkeypatch):
    monkeypatch.setattr(live, "SECONDS_BETWEEN", 0.0)
    curves = LiveCurves("training")
    for n in range(1, 6):
        curves.update(EPOCHS[:n])
    curves.close()
    pictures = [shown for shown in watched if "image/png" in shown["data"]]
    assert [shown["update"] for shown in pictures] == [False, True, True, True, True]
    assert pictures[-1]["data"]["text/plain"] == "Learning curves over 5 epochs: loss."
    assert "Learning curves over 5 epochs" in watched[-1]["data"]["text/html"]


def test_fast_epochs_do_not_draw_every_time_but_the_last_one_is_drawn(watched):
    curves = LiveCurves()
    for n in range(1, 6):
        curves.update(EPOCHS[:n])
    assert len(watched) == 1
    curves.close()
    assert watched[1]["update"]
    assert "5 epochs" in watched[1]["data"]["text/plain"]


@pytest.mark.parametrize("epochs", [[], [{"loss": 1.0}]])
def test_closing_twice_or_without_an_epoch_is_quiet(watched, epochs):
    curves = LiveCurves()
    if epochs:
        curves.update(epochs)
    curves.close()
    before = len(watched)
    curves.close()
    assert len(watched) == before == 2 * len(epochs)


def test_a_picture_is_redrawn_in_place_where_someone_watches(watched, monkeypatch):
    """Rounds pile up below each other, or the picture stays as it was."""
    monkeypatch.setattr(live, "SECONDS_BETWEEN", 0.0)
    picture = LivePicture("Painting")
    for number in range(1, 4):
        picture.update(torch.full((1, 3, 16, 16), number / 4), number)
    assert [shown["update"] for shown in watched] == [False, True, True]
    assert watched[-1]["data"]["text/plain"] == "Painting after round 3"
    assert len({shown["data"]["image/png"] for shown in watched}) == 3


def test_a_picture_is_not_drawn_more_often_than_once_a_second(watched):
    """Drawing takes longer than painting."""
    picture = LivePicture("Painting")
    for number in range(5):
        picture.update(torch.zeros(1, 3, 16, 16), number)
    assert len(watched) == 1


def test_no_picture_is_shown_where_output_is_static(displayed):
    """A build stores pictures of a half-finished optimisation, which differ from machine to machine."""
    LivePicture("Painting").update(torch.zeros(1, 3, 16, 16), 1)
    assert displayed == []
