"""The recipe of lesson 31: what each variant is, what is learned from, how cells are scored, and that all train."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from crashcourse.datasets import cells
from crashcourse.recipes import recipes, train
from crashcourse.recipes import unet as recipe
from crashcourse.segmentation import UNet, border_weight_map, overlap_tile

CELLS = recipes()["unet_cells"]
LAPTOP = CELLS.scale("laptop")


def shrunk(name: str, monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    """The laptop scale of a recipe, with hardly anything in it."""
    found = recipes()[name]
    small = replace(found.scale("laptop"), epochs=1, batch_size=2, images=4, test_images=3, width=2, **changes)
    monkeypatch.setitem(recipes(), name, replace(found, scales={**found.scales, "laptop": small}))


class Painted(nn.Module):
    """Says what it was told, whatever it sees; `margin` pixels on every side are taken away."""

    margin = 3

    def __init__(self, classes: Tensor) -> None:
        super().__init__()
        self.classes, self.weight, self.seen = list(classes), nn.Parameter(torch.zeros(())), []

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(images)
        own, self.classes = self.classes[: len(images)], self.classes[len(images) :]
        return nn.functional.one_hot(torch.stack(own), 2).movedim(3, 1).float()


@pytest.mark.parametrize("name", CELLS.variants)
@torch.no_grad()
def test_a_variant_labels_the_pixels_of_its_pictures(name):
    """A variant's output is not as large as the labels, at any scale."""
    for scale in ("laptop", "study", "gpu"):
        budget = CELLS.scale(scale)
        with torch.device("meta"):
            model = recipe.unet_variant(name, budget)
            side = budget.image_size + 2 * model.margin
            assert model(torch.empty(1, 1, side, side)).shape == (1, 2, budget.image_size, budget.image_size)


def test_the_gpus_network_is_that_of_2015():
    """The full scale trains another network than the paper's, or one without its dropout."""
    with torch.device("meta"):
        model = recipe.unet_variant("border", CELLS.scale("gpu"))
    assert sum(parameter.numel() for parameter in model.parameters()) == 31_030_658
    assert model.dropout.p == 0.5


@torch.no_grad()
def test_a_frame_is_cut_off_again():
    """A framed network answers for other pixels than those in the middle, or for its frame."""
    where = torch.arange(100.0).view(1, 1, 10, 10)
    assert torch.equal(recipe.Framed(nn.Identity(), 2)(where), where[..., 2:8, 2:8])
    assert isinstance(recipe.unet_variant("padded", replace(LAPTOP, image_size=130)), recipe.Framed)
    assert not isinstance(recipe.unet_variant("padded", LAPTOP), recipe.Framed)


@torch.no_grad()
def test_skips_are_added_or_left_out():
    """`added` concatenates after all, or `no_skips` sees its skip."""
    below, skip = torch.randn(1, 8, 4, 4), torch.randn(1, 4, 12, 12)
    for block, sees in ((recipe.AddingUpBlock(8, 4, 4), True), (recipe.LonelyUpBlock(8, 4, 4), False)):
        out = block(below, skip)
        assert out.shape == (1, 4, 4, 4)
        other = skip.clone()
        other[:, :, 4:8, 4:8] += 1
        assert torch.equal(block(below, other), out) != sees
        other = skip.clone()
        other[:, :, 0], other[:, :, -1] = 99, 99  # beyond the middle
        assert torch.equal(block(below, other), out)
    block = recipe.AddingUpBlock(8, 4, 4)
    raised = block.up(below)
    torch.testing.assert_close(block(below, skip), block.convs(raised + skip[:, :, 2:10, 2:10]))
    network = recipe.unet_variant("added", LAPTOP)
    assert all(isinstance(up, recipe.AddingUpBlock) for up in network.expansive)
    assert sum(p.numel() for p in network.parameters()) < sum(
        p.numel() for p in recipe.unet_variant("border", LAPTOP).parameters()
    )


def test_only_plain_goes_without_the_weight_map(monkeypatch):
    """Variants differ in more than their names say: `plain` sees weights, or another variant none."""
    shrunk("unet_cells", monkeypatch, image_size=48)
    seen = {}

    def watched(model, batch):
        seen[name] = batch
        return recipe_step(model, batch)

    recipe_step = recipe.segment_step
    monkeypatch.setattr(recipe, "segment_step", watched)
    for name in CELLS.variants:
        run = train("unet_cells", variant=name, progress=False)
        assert set(run.metrics) == {"f1", "separate", "seg", "mean_iou"}
        assert "test_f1" in run.history.epochs[0]
        assert not run.model.training
    assert {name for name, batch in seen.items() if len(batch) == 2} == {"plain"}
    images, labels, weights = seen["border"]
    assert images.shape[2] == labels.shape[1] + 2 * 20  # mirrored by the margin
    assert float(images.abs().max()) <= 2
    assert float(weights.max()) > 2
    assert seen["padded"][0].shape[2:] == labels.shape[1:]


def test_weights_belong_to_their_pictures(monkeypatch):
    """Images, labels and maps come in different orders."""
    shrunk("unet_cells", monkeypatch, image_size=48)
    batches = []
    step = recipe.segment_step
    monkeypatch.setattr(recipe, "segment_step", lambda model, batch: (batches.append(batch), step(model, batch))[1])
    train("unet_cells", progress=False)
    made = recipe.cell_pictures("train", 4, 48)
    maps = border_weight_map(made.instances)
    for images, labels, weights in batches:
        for image, label, weight in zip(images, labels, weights, strict=True):
            middle = image[:, 20:-20, 20:-20]
            (row,) = [i for i in range(4) if torch.equal(recipe.as_input(made.images[i : i + 1])[0], middle)]
            assert torch.equal(label, made.masks[row])
            torch.testing.assert_close(weight, maps[row])


def test_training_and_test_cells_are_others():
    """What is tested on was trained on."""
    first, other = (recipe.cell_pictures(split, 2, 48) for split in ("train", "test"))
    assert not torch.equal(first.images, other.images)


@torch.no_grad()
def test_segmenting_is_one_pass_over_the_mirrored_image():
    """Pixels are not those that the network was trained on, images are lost between batches, or nothing is mirrored."""
    images = cells(3, seed=5, size=48).images
    told = torch.randint(0, 2, (3, 48, 48))
    model = Painted(told)
    assert torch.equal(recipe.segment(model, images, batch_size=2), told)
    assert [tuple(one.shape) for one in model.seen] == [(2, 1, 54, 54), (1, 1, 54, 54)]
    assert torch.equal(model.seen[0][:, :, 2, 3:-3], recipe.as_input(images[:2])[:, :, 1])  # row -1 is row 1
    network = UNet(1, 2, widths=(2, 4, 4)).eval()
    in_tiles = overlap_tile(network, recipe.as_input(images), 24).argmax(1)
    assert float((recipe.segment(network, images) == in_tiles).float().mean()) > 0.999


def test_cells_are_scored_by_hand():
    """Images are mixed up, specks count as cells, or pixels are those of one class alone."""
    truth = torch.zeros(2, 30, 30, dtype=torch.uint8)
    truth[0, 2:12, 2:12], truth[0, 2:12, 14:24] = 1, 2  # two that touch
    truth[1, 5:15, 5:15] = 1  # one alone
    right = (truth > 0).long()
    assert recipe.cell_scores(right, truth) == {"f1": 1, "separate": 1, "seg": 1, "mean_iou": 1}
    speck = right.clone()
    speck[1, 25, 25] = 1
    assert recipe.cell_scores(speck, truth)["f1"] == 1
    merged = right.clone()
    merged[0, 2:12, 12:14] = 1
    found = recipe.cell_scores(merged, truth)
    assert found["f1"] == pytest.approx(2 * 1 / (2 + 3))
    assert found["separate"] == 0
    assert found["seg"] == pytest.approx((2 * 100 / 220 / 2 + 1) / 2)
    assert found["mean_iou"] == pytest.approx((300 / 320 + 1480 / 1500) / 2)
    nothing = recipe.cell_scores(torch.zeros_like(right), truth)
    assert (nothing["f1"], nothing["separate"]) == (0, 0)


def test_the_step_weighs_pixels():
    """The weights are not used, or they are in the accuracy as well."""
    logits = torch.zeros(1, 2, 2, 2)
    logits[0, 1, 0] = 3.0
    labels = torch.tensor([[[1, 1], [1, 0]]])

    def network(images):
        return logits

    plain = recipe.segment_step(network, (logits, labels))
    ones = recipe.segment_step(network, (logits, labels, torch.ones(1, 2, 2)))
    double = recipe.segment_step(network, (logits, labels, torch.full((1, 2, 2), 2.0)))
    assert plain["loss"] == ones["loss"]
    assert double["loss"].item() == pytest.approx(2 * plain["loss"].item())
    assert plain["accuracy"] == double["accuracy"] == 0.75
