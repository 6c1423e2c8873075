"""The recipes of lesson 22: what the step of SSD is, which negatives count, and a fair comparison with YOLO."""

import pytest
import torch
from torch import Tensor

from crashcourse.datasets import scenes
from crashcourse.detection.ssd import SSD, predict_ssd, small_ssd
from crashcourse.detection.ssd_boxes import encode_ssd_targets, stack_ssd_targets
from crashcourse.detection.ssd_loss import hard_negatives, multibox_loss
from crashcourse.recipes import recipes
from crashcourse.recipes.detector_data import DetectionData
from crashcourse.recipes.small_objects import recall_by_size, ssd_scale
from crashcourse.recipes.ssd import RATIOS, ssd_predict, ssd_step


def batch(count: int = 3) -> tuple[Tensor, list[dict[str, Tensor]]]:
    made = scenes(count, seed=5, size=64)
    return made.images.float() / 255, [{"boxes": scene.boxes, "labels": scene.labels} for scene in made]


def network() -> SSD:
    torch.manual_seed(0)
    return small_ssd(6, image=64, width=4).eval()


@pytest.mark.parametrize("ratio", RATIOS.values(), ids=RATIOS)
def test_the_step_is_the_loss_of_the_package(ratio):
    """Fails if classes are not moved up by one for the background, a term is lost, or the ratio does not arrive."""
    model, (images, targets) = network(), batch()
    goal = stack_ssd_targets([encode_ssd_targets(t["boxes"], t["labels"] + 1, model.layout, 6) for t in targets])
    expected = multibox_loss(*model(images), goal, ratio=ratio)
    found = ssd_step(model, (images, targets), ratio=ratio)
    assert {name: value.item() for name, value in found.items()} == pytest.approx(
        {"loss": expected.total.item(), "location": expected.location.item(), "classes": expected.classes.item()}
    )
    assert found["loss"].isfinite()


def test_all_negatives_are_all_and_none_is_none():
    """Fails if "all" leaves negatives out of an image with one object, or makes NaN of an image with none."""
    loss, positive = torch.rand(2, 9000), torch.zeros(2, 9000, dtype=torch.bool)
    positive[0, 0] = True
    assert hard_negatives(loss, positive, ratio=RATIOS["all_negatives"]).sum(1).tolist() == [8999, 0]
    assert hard_negatives(loss, positive, ratio=RATIOS["mined"]).sum(1).tolist() == [3, 0]
    assert not hard_negatives(loss, positive, ratio=RATIOS["no_negatives"]).any()


def test_a_step_on_scenes_without_objects():
    """Fails if a batch of nothing but background has no finite loss and gradient."""
    model, (images, _) = network().train(), batch(2)
    nothing = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    for ratio in RATIOS.values():
        model.zero_grad()
        loss = ssd_step(model, (images, [nothing, nothing]), ratio=ratio)["loss"]
        loss.backward()
        assert loss.item() == 0
        assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_labels_begin_at_0_again():
    """Fails if detections keep SSD's labels, in which 0 is the background."""
    model, (images, _) = network(), batch()
    for plain, moved in zip(predict_ssd(model, images, most=100), ssd_predict(model, images), strict=True):
        assert len(moved["labels"])
        assert torch.equal(moved["labels"] + 1, plain["labels"])
        assert torch.equal(moved["boxes"], plain["boxes"])
        assert len(moved["scores"]) <= 100


def test_recall_by_size_by_hand():
    """Fails if a size counts another's objects, or a box of the wrong class, or one box finds two objects."""
    squares = torch.tensor([[0.0, 0, 8, 8], [20.0, 0, 28, 8], [0.0, 20, 20, 40], [40.0, 40, 80, 80]])
    target = {"boxes": squares, "labels": torch.tensor([0, 0, 1, 1])}
    data = DetectionData(torch.zeros(1, 3, 80, 80, dtype=torch.uint8), (target,), ("a", "b"))
    found = [{"boxes": squares, "labels": torch.tensor([0, 1, 1, 1]), "scores": torch.tensor([0.02, 0.9, 0.5, 0.1])}]
    assert recall_by_size(found, data) == {"recall_small": 0.5, "recall_medium": 1.0, "recall_large": 1.0}
    few = [{name: values[:1] for name, values in found[0].items()}]
    assert recall_by_size(few, data) == {"recall_small": 0.5, "recall_medium": 0.0, "recall_large": 0.0}


@pytest.mark.parametrize("name", ["laptop", "study", "gpu"])
def test_both_see_the_same_images_and_ssd_has_fewer_epochs(name):
    """Fails if one of the two learns from other images than the other, or is given more passes for the same time."""
    theirs = recipes()["small_objects"].scale(name)
    own = ssd_scale(theirs)
    shared = ("data", "image_size", "images", "test_images", "objects")
    assert [getattr(own, field) for field in shared] == [getattr(theirs, field) for field in shared]
    assert 1 <= own.epochs < theirs.epochs
