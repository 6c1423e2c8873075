"""The recipe of Mask R-CNN, and the study of all detectors: labels, mask scores, budgets and time."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from crashcourse.detection.mask_rcnn import small_mask_rcnn
from crashcourse.recipes import recipes
from crashcourse.recipes.detector_data import detection_data
from crashcourse.recipes.detectors import DETECTORS, detector_scale, milliseconds_per_image
from crashcourse.recipes.faster_rcnn import faster_rcnn_step
from crashcourse.recipes.mask_rcnn import boxes_only, mask_rcnn_predict, mask_scores

SCALE = replace(recipes()["mask_rcnn_scenes"].scale("laptop"), image_size=64, images=4, test_images=5)


class Knowing(nn.Module):
    """Answers with what it was told, as Mask R-CNN answers: labels from 1, masks as probabilities."""

    def __init__(self, answers):
        super().__init__()
        self.answers, self.weight = list(answers), nn.Parameter(torch.zeros(()))

    def forward(self, images):
        own, self.answers = self.answers[: len(images)], self.answers[len(images) :]
        return own


def told(target, masks):
    count = len(target["labels"])
    return {
        "boxes": target["boxes"],
        "labels": target["labels"] + 1,
        "scores": torch.ones(count),
        "masks": masks.float() * 0.6,
    }


def test_masks_are_scored_as_masks():
    """Fails if boxes are scored in the masks' stead, if labels are off by one, or if batches lose images."""
    data = detection_data(SCALE, "test", masks=True)
    right = [told(target, target["masks"]) for target in data.targets]
    assert mask_scores(Knowing(right), data, batch_size=2) == {"mask_map50": 1, "mask_map": 1}
    halves = []
    for target in data.targets:
        masks = target["masks"].clone()
        for mask in masks:
            rows = mask.any(1).nonzero()[:, 0]
            mask[rows[len(rows) // 3] :] = False  # the boxes stay, and two thirds of each mask are gone
        halves.append(told(target, masks))
    assert mask_scores(Knowing(halves), data, batch_size=2)["mask_map50"] < 0.5


def test_predictions_count_from_0_and_masks_are_cut_at_one_half():
    """Fails if 0 stays background, or if masks stay probabilities."""
    target = detection_data(SCALE, "test", masks=True).targets[0]
    answer = told(target, target["masks"])
    (found,) = mask_rcnn_predict(Knowing([answer]), torch.zeros(1, 3, 64, 64))
    assert torch.equal(found["labels"], target["labels"])
    assert torch.equal(found["masks"], target["masks"])


@torch.no_grad()
def test_boxes_without_masks_are_the_same_boxes():
    """Fails if the short way leaves out a step of the long one."""
    torch.manual_seed(0)
    model, images = small_mask_rcnn(width=4).eval(), torch.rand(2, 3, 64, 64)
    whole, short = mask_rcnn_predict(model, images), boxes_only(model, images)
    assert len(whole[0]["boxes"]) > 0
    for one, other in zip(whole, short, strict=True):
        assert set(other) == {"boxes", "scores", "labels"}
        for name in other:
            assert torch.equal(one[name], other[name])


def test_the_step_is_the_sum_of_five_losses_and_leaves_targets_alone():
    """Fails if a loss is left out of the sum, or if a second step sees labels that were counted up twice."""
    data = detection_data(SCALE, "train", masks=True)
    before = [target["labels"].clone() for target in data.targets]
    losses = faster_rcnn_step(small_mask_rcnn(width=4).train(), (data.images.float() / 255, list(data.targets)))
    total = losses.pop("loss")
    assert len(losses) == 5
    assert total.item() == pytest.approx(sum(loss.item() for loss in losses.values()), rel=1e-5)
    assert all(torch.equal(target["labels"], labels) for target, labels in zip(data.targets, before, strict=True))


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_of_the_study_has_its_own_settings_and_the_common_images(name):
    """Fails if one sees other scenes or more epochs than the others, or learns at another's rate."""
    common = recipes()["detectors_scenes"].scale("study")
    made, own = detector_scale(name, common), recipes()[DETECTORS[name].recipe].scale("laptop")
    for field in ("epochs", "data", "image_size", "images", "test_images", "objects"):
        assert getattr(made, field) == getattr(common, field)
    assert (made.learning_rate, made.width, made.stages) == (own.learning_rate, own.width, own.stages)


def test_time_is_taken_for_one_image_at_a_time():
    """Fails if a batch is timed, or pixels are not 0 to 1."""
    seen = []

    def predict(model, images):
        seen.append(tuple(images.shape))
        assert images.max() <= 1
        return [{"scores": torch.zeros(0)}]

    data = detection_data(SCALE, "test", masks=True)
    assert milliseconds_per_image(predict, Knowing([]), data) >= 0
    assert seen == [(1, 3, 64, 64)] * len(data)
