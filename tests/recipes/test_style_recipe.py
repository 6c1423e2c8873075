"""The recipe of lesson 40: what it starts from, how its results are judged, and that a break costs nothing."""

from dataclasses import replace

import pytest
import torch

from crashcourse.errors import CourseError
from crashcourse.recipes import recipes, train
from crashcourse.recipes.style import PAIRS, Painted, edge_likeness, encoder_for, judged, pair, square
from crashcourse.style import Canvas
from crashcourse.training import Checkpoint


@pytest.fixture
def small(monkeypatch):
    """The recipe on images of 24 pixels, for two rounds."""
    recipe = recipes()["style_transfer"]
    scales = {name: replace(scale, epochs=2, image_size=24) for name, scale in recipe.scales.items()}
    monkeypatch.setitem(recipes(), recipe.name, replace(recipe, scales=scales))
    return recipe


def test_detectors_are_still_told_from_other_recipes_with_an_image_size():
    """The recipe is trained as a detector by the detectors' test, or a detector no longer is."""
    from tests.recipes.test_detector import DETECTORS

    assert "style_transfer" not in DETECTORS
    assert {"yolo_scenes", "ssd_scenes", "mask_rcnn_scenes"} <= set(DETECTORS)


@pytest.mark.parametrize("variant", ["trained", "random", "from_content", "max_pooling"])
def test_every_variant_paints(small, variant):
    """A variant breaks before its budget matters, or does not lower what it should."""
    run = train("style_transfer", variant=variant, progress=False)
    assert run.model().shape == (1, 3, 24, 24)
    assert set(run.metrics) == {"edges", "style"}
    assert run.history.curve("style")[-1] < 0.7 * run.history.curve("style")[0]
    assert not run.model.training
    assert sum(p.numel() for p in run.model.parameters()) == 3 * 24 * 24


def test_the_seed_chooses_the_pair_and_the_noise(small):
    """Three seeds are three times the same run."""
    first, again, other = (train("style_transfer", seed=seed, progress=False) for seed in (0, 0, 1))
    assert torch.equal(first.model.picture, again.model.picture)
    assert not torch.equal(first.model.picture, other.model.picture)
    assert not torch.equal(pair(0, 32)[0], pair(1, 32)[0])
    assert torch.equal(pair(0, 32)[1], pair(len(PAIRS), 32)[1])


def test_a_run_goes_on_from_its_checkpoint(small, tmp_path, monkeypatch):
    """After a break the picture begins again from noise, or ends as another one."""
    whole = train("style_transfer", progress=False)
    checkpoint, save, seen = Checkpoint(tmp_path / "canvas.pt"), Canvas.save, []

    def save_then_stop(canvas, path):
        save(canvas, path)
        seen.append(canvas.rounds)
        if len(seen) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(Canvas, "save", save_then_stop)
    stopped = train("style_transfer", checkpoint=checkpoint, progress=False)
    assert stopped.history.interrupted
    on = train("style_transfer", checkpoint=checkpoint, progress=False)
    assert seen == [1, 2]
    torch.testing.assert_close(on.model.picture, whole.model.picture)
    assert on.history.epochs == whole.history.epochs


def test_the_square_is_the_middle():
    """A picture is squeezed, cut at an edge, or leaves its range."""
    image = torch.zeros(3, 40, 100, dtype=torch.uint8)
    image[:, :, 30:70] = 255
    assert square(image, 20).shape == (1, 3, 20, 20)
    torch.testing.assert_close(square(image, 20), torch.ones(1, 3, 20, 20))
    assert torch.equal(square(image.mT.contiguous(), 20), torch.ones(1, 3, 20, 20))
    for bad in (image.float(), image[:1], image[None]):
        with pytest.raises(CourseError, match=r"\(3, H, W\) uint8"):
            square(bad, 20)


def test_edges_know_the_drawing_and_not_its_colours():
    """A picture in other colours is taken for another one, or another one for the same."""
    torch.manual_seed(0)
    content, other = pair(0, 48)[0], pair(1, 48)[0]
    assert edge_likeness(content, content) == pytest.approx(1)
    assert edge_likeness(0.3 + 0.5 * (1 - content), content) == pytest.approx(1, abs=1e-3)
    assert edge_likeness(content, content.flip(3)) < 0.6
    assert edge_likeness(other, content) < 0.4
    assert abs(edge_likeness(torch.rand_like(content), content)) < 0.15
    with pytest.raises(CourseError, match="compared"):
        edge_likeness(content, content[..., :40])


def test_judged_by_one_measure_for_all():
    """The photograph does not have all of its content, or the painting all of its style."""
    content, style = pair(0, 32)
    assert judged(content, content, style) == {"edges": pytest.approx(1), "style": pytest.approx(1)}
    assert judged(style, content, style)["style"] == pytest.approx(0, abs=1e-5)


def test_variants_look_with_what_their_name_says():
    """Random is trained, or max-pooling averages."""
    assert encoder_for("max_pooling").pooling == "max"
    assert encoder_for("trained").pooling == encoder_for("random").pooling == "average"
    first = [encoder_for(name).convolutions["conv1_1"].weight for name in ("trained", "from_content", "random")]
    assert torch.equal(first[0], first[1])
    assert not torch.equal(first[0], first[2])
    assert torch.equal(Painted(torch.ones(1, 3, 16, 16))(), torch.ones(1, 3, 16, 16))
