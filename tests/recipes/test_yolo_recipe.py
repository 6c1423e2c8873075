"""The recipe of lesson 21: its step is the paper's loss, its variants differ in what they say, and it learns."""

import pytest
import torch

from crashcourse.datasets.voc import VOC_CLASSES
from crashcourse.detection import box_iou, encode_batch, yolo_v1_loss
from crashcourse.recipes import Scale, recipes, train
from crashcourse.recipes.base import Job
from crashcourse.recipes.yolo import CELL, yolo_predict, yolo_step, yolo_variant

SCALE = Scale(
    epochs=1, batch_size=4, learning_rate=3e-3, compares=(), width=8, stages=(1, 1, 1), data="clear_scenes",
    image_size=48, images=8, test_images=4, objects=(1, 3),
)  # fmt: skip


def batch(images=3, size=48):
    """Images with one rectangle each, bright on the left and dark on the right, and what is in them."""
    generator = torch.Generator().manual_seed(0)
    pictures, targets = 0.1 * torch.rand(images, 3, size, size, generator=generator) + 0.4, []
    for place in range(images):
        x, y = 4 + 9 * place, 6 + 5 * place
        pictures[place, :, y : y + 20, x : x + 14] = float(place % 2)
        box = torch.tensor([[float(x), y, x + 14, y + 20]])
        targets.append({"boxes": box, "labels": torch.tensor([place % 2])})
    return pictures, targets


def test_the_step_is_equation_3_with_its_terms_by_name():
    """Fails if a term is lost, if images and targets change places, or if λ does not reach the loss."""
    torch.manual_seed(0)
    model = yolo_variant("per_cell", SCALE, 5).eval()
    images, targets = batch()
    boxes, labels = ([target[name] for target in targets] for name in ("boxes", "labels"))
    goal = encode_batch(boxes, labels, model.grid, (48, 48))
    expected = yolo_v1_loss(model(images), goal, model.grid)
    terms = yolo_step(model, (images, targets))
    assert list(terms) == ["loss", "xy", "wh", "object", "no_object", "classes"]
    assert terms["loss"].item() == pytest.approx(expected.total.item())
    assert all(terms[name].item() == pytest.approx(value.item()) for name, value in expected._asdict().items())
    equal = yolo_step(model, (images, targets), coord=1.0, no_object=1.0)
    assert equal["xy"].item() == pytest.approx(expected.xy.item() / 5)
    assert equal["no_object"].item() == pytest.approx(expected.no_object.item() * 2)


def test_variants_say_what_they_differ_in(monkeypatch):
    """Fails if the per-box form has the paper's output, or if `equal` trains with the paper's weights."""
    per_cell, per_box, equal = (yolo_variant(name, SCALE, 5).grid for name in recipes()["yolo_scenes"].variants)
    assert (per_cell.cells, per_cell.channels, per_box.channels) == (48 // CELL, 15, 20)
    assert equal == per_cell
    assert recipes()["yolo_voc"].scale("gpu").compares == tuple(recipes()["yolo_voc"].variants)
    runs = {name: recipes()["yolo_scenes"].run(Job(SCALE, name, 0, progress=False)) for name in ("per_cell", "equal")}
    first, second = (run.history.epochs[0] for run in runs.values())
    assert first["loss"] == pytest.approx(sum(first[name] for name in ("xy", "wh", "object", "no_object", "classes")))
    assert second["xy"] < first["xy"] / 2


def test_grids_grow_with_the_images_and_voc_has_its_classes():
    """Fails if a scale's image size or its stages do not reach the network."""
    large = recipes()["yolo_voc"].scale("gpu")
    with torch.device("meta"):
        model = yolo_variant("per_cell", large, len(VOC_CLASSES))
        assert model(torch.zeros(1, 3, large.image_size, large.image_size)).shape == (1, 14, 14, 30)
    assert sum(isinstance(layer, torch.nn.Conv2d) for layer in model.features) == 1 + sum(large.stages) + 2


def test_it_learns_its_batch_by_step_and_predict():
    """Fails if step and predict disagree on layout: then three rectangles cannot be found again."""
    torch.manual_seed(0)
    model, (images, targets) = yolo_variant("per_box", SCALE, 2), batch()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(150):
        optimizer.zero_grad()
        yolo_step(model, (images, targets))["loss"].backward()
        optimizer.step()
    for found, known in zip(yolo_predict(model, images), targets, strict=True):  # with the statistics of the batch
        assert len(found["boxes"]) <= 100
        assert found["labels"][0] == known["labels"][0]
        assert box_iou(found["boxes"][:1], known["boxes"]).item() > 0.7


def test_an_image_without_objects_can_be_trained_on():
    """Fails if a batch needs an object: VOC has images in which all are difficult, and those are left out."""
    model = yolo_variant("per_cell", SCALE, 5)
    none = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    terms = yolo_step(model, (batch(2)[0], [none, none]))
    terms["loss"].backward()
    assert terms["xy"] == terms["wh"] == terms["object"] == terms["classes"] == 0
    assert all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("seed", [0, 1])
def test_a_run_repeats_itself_by_seed(seed, monkeypatch):
    """Fails if the order of images, flips or weights comes from elsewhere than the seed."""
    recipe = recipes()["yolo_scenes"]
    monkeypatch.setitem(recipes(), "yolo_scenes", type(recipe)(**{**vars(recipe), "scales": {"laptop": SCALE}}))
    losses = [train("yolo_scenes", seed=seed, progress=False).history.last("loss") for _ in range(2)]
    assert losses[0] == losses[1]
