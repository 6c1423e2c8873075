"""Live curves: one picture that moves while someone watches, nothing at all where nobody does."""

import pytest

from crashcourse.figures import live
from crashcourse.figures.live import LiveCurves

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
