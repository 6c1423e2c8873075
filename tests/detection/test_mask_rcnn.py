"""Mask R-CNN's branch and its small network: losses and gradients at the edges, and what comes out."""

import pytest
import torch
from torch.nn import functional as F

from crashcourse.detection import box_iou
from crashcourse.detection.faster_rcnn import ALIGNED, small_faster_rcnn
from crashcourse.detection.mask_rcnn import mask_loss, small_mask_rcnn
from crashcourse.detection.masks import mask_targets
from crashcourse.detection.matching import BalancedSampler
from crashcourse.detection.roi_heads import Samples
from crashcourse.detection.roi_pool import roi_pool
from crashcourse.errors import CourseError
from crashcourse.inspection import count_parameters

LOSSES = {"loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg", "loss_mask"}
CASES = {
    "no object": ([], []),
    "one object": ([[10.0, 20, 50, 44]], [1]),
    "on the border": ([[40.0, 30, 64, 64]], [2]),
    "two in one cell": ([[10.0, 10, 22, 20], [8, 8, 26, 26]], [2, 1]),
}


def ellipses(boxes, side=64):
    """The largest ellipse in each box, `(M, side, side)` bool."""
    centres = torch.arange(side) + 0.5
    boxes = torch.as_tensor(boxes).reshape(-1, 4)
    middle, radius = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    across = (centres - middle[:, :1]) / radius[:, :1]  # (M, side)
    down = (centres - middle[:, 1:]) / radius[:, 1:]
    return across[:, None] ** 2 + down[:, :, None] ** 2 < 1


def known(boxes, labels):
    made = torch.tensor(boxes).reshape(-1, 4)
    return {"boxes": made, "labels": torch.tensor(labels, dtype=torch.int64), "masks": ellipses(made)}


@pytest.mark.parametrize("case", CASES)
def test_losses_are_finite_and_their_gradient_is_right(case):
    """Fails if an image without objects gives NaN, or if the mask loss is not the slope of what it says it is."""
    torch.manual_seed(0)
    model = small_mask_rcnn(2, width=4).double().train()
    target, image = known(*CASES[case]), torch.rand(3, 64, 64, dtype=torch.float64)

    def losses():
        model.rpn.sampler = BalancedSampler(64, 0.5, torch.Generator().manual_seed(1))
        model.roi_heads.sampler = BalancedSampler(32, 0.5, torch.Generator().manual_seed(2))
        return model([image], [target])

    found = losses()
    assert set(found) == LOSSES
    assert all(loss.isfinite() for loss in found.values())
    everywhere = torch.autograd.grad(sum(found.values()), list(model.parameters()), retain_graph=True)
    assert all(gradient.isfinite().all() for gradient in everywhere)
    heads = model.roi_heads
    watched = [heads.mask_predictor.mask_fcn_logits.weight, heads.mask_head[0][0].weight]
    slopes = torch.autograd.grad(found["loss_mask"], watched)
    for parameter, gradient in zip(watched, slopes, strict=True):
        assert bool(gradient.any()) == (case != "no object")
        place = gradient.abs().argmax()
        with torch.no_grad():
            parameter.view(-1)[place] += 1e-6
            above = losses()["loss_mask"].item()
            parameter.view(-1)[place] -= 2e-6
            below = losses()["loss_mask"].item()
            parameter.view(-1)[place] += 1e-6
        assert (above - below) / 2e-6 == pytest.approx(gradient.flatten()[place].item(), rel=1e-3, abs=1e-7)
    if case == "no object":
        assert found["loss_mask"].item() == 0


def test_the_loss_is_that_of_the_true_classes_masks():
    """Fails if another class's mask takes part, if the mean is over all classes, or if background learns one."""
    generator = torch.Generator().manual_seed(0)
    logits, targets = torch.randn(3, 4, 5, 5, generator=generator), torch.rand(3, 5, 5, generator=generator)
    labels = torch.tensor([3, 1, 3])
    expected = sum(
        F.binary_cross_entropy(logits[r, label].sigmoid(), targets[r]).item() for r, label in enumerate(labels.tolist())
    )
    assert mask_loss(logits, labels, targets).item() == pytest.approx(expected / 3, rel=1e-5)
    logits.requires_grad_()
    (slope,) = torch.autograd.grad(mask_loss(logits, labels, targets), logits)
    learned = slope.flatten(2).any(-1)
    assert learned.tolist() == [[False, False, False, True], [False, True, False, False], [False, False, False, True]]
    none = torch.zeros(0, 4, 5, 5, requires_grad=True)
    loss = mask_loss(none, labels[:0], targets[:0])
    loss.backward()
    assert (loss.item(), none.grad.shape) == (0, none.shape)


def test_each_region_learns_the_mask_of_its_own_object_and_background_none():
    """Fails if masks are those of another object, or if regions of background are asked for one."""
    model = small_mask_rcnn(2, width=4).train()
    target = known([[4.0, 4, 28, 28], [30, 20, 60, 60]], [1, 2])
    boxes = torch.tensor([[28.0, 18, 60, 62], [0, 40, 20, 60], [4, 4, 30, 30]])
    samples = Samples(boxes, torch.tensor([2, 0, 1]), torch.tensor([1, 0, 0]))
    features = model.backbone(torch.rand(1, 3, 64, 64))
    logits = model.roi_heads.mask_logits(features, [boxes[[0, 2]]])
    goals = mask_targets(target["masks"], boxes[[0, 2]], torch.tensor([1, 0]), 14, aligned=True)
    expected = mask_loss(logits, torch.tensor([2, 1]), goals)
    found = model.roi_heads.mask_losses(features, [samples], [target])
    torch.testing.assert_close(found, expected)


def test_it_is_the_small_faster_rcnn_with_a_branch():
    """Fails if boxes come from another network than lesson 23's, so that the two could not be compared."""
    plain, more = small_faster_rcnn(5, width=8), small_mask_rcnn(5, width=8)
    names = set(plain.state_dict())
    assert {name for name in more.state_dict() if name not in names} == {
        f"roi_heads.mask_{part}.{kind}"
        for part in ("head.0.0", "head.1.0", "predictor.conv5_mask", "predictor.mask_fcn_logits")
        for kind in ("weight", "bias")
    }
    more.load_state_dict(plain.state_dict(), strict=False)
    images = torch.rand(2, 3, 64, 64)
    for boxes, both in zip(plain.eval()(images), more.eval()(images), strict=True):
        assert len(both["boxes"]) > 0
        assert torch.equal(boxes["boxes"], both["boxes"])
        assert torch.equal(boxes["scores"], both["scores"])
        assert both["masks"].shape == (len(both["boxes"]), 64, 64)
    branch = 9 * 32 * 16 + 16 + 9 * 16 * 16 + 16 + 4 * 16 * 16 + 16 + 6 * 16 + 6
    assert count_parameters(more) - count_parameters(plain) == branch
    assert count_parameters(small_mask_rcnn()) == 367_169


def test_the_pool_is_used_in_both_branches():
    """Fails if a study of RoIPool pools masks by RoIAlign."""
    for pool in (ALIGNED, roi_pool):
        heads = small_mask_rcnn(2, width=4, pool=pool).roi_heads
        assert heads.box_roi_pool.pool is heads.mask_roi_pool.pool is pool


def test_an_image_without_detections():
    """Fails if nothing found is an error, or has masks of another size."""
    model = small_mask_rcnn(2, width=4).eval()
    with torch.no_grad():
        model.roi_heads.box_predictor.cls_score.bias[0] = 50  # background everywhere
    (found,) = model(torch.rand(1, 3, 48, 64))
    assert found["boxes"].shape == (0, 4)
    assert found["masks"].shape == (0, 48, 64)


def test_the_small_network_learns_boxes_and_masks_by_heart():
    """Fails if masks are cut out, learned, chosen or put back in another place: then four images cannot be learned."""
    torch.manual_seed(0)
    model = small_mask_rcnn(2, width=8).train()
    boxes = [[4.0, 4, 28, 28], [24.0, 12, 60, 48], [12.0, 36, 36, 60], [2.0, 2, 50, 20]]
    targets = [known([box], [1 + n % 2]) for n, box in enumerate(boxes)]
    images = torch.rand(4, 3, 64, 64) * 0.2
    for n, target in enumerate(targets):
        images[n, n % 2] += 0.7 * target["masks"][0]
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(80):
        optimizer.zero_grad()
        sum(model(images, targets).values()).backward()
        optimizer.step()
    with torch.no_grad():
        for module in model.backbone.modules():  # batch statistics, as they were learned with
            if isinstance(module, torch.nn.BatchNorm2d):
                module.track_running_stats, module.running_mean, module.running_var = False, None, None
        found = model.eval()(images)
    for result, target in zip(found, targets, strict=True):
        assert result["labels"][0] == target["labels"][0]
        assert box_iou(result["boxes"][:1], target["boxes"]).item() > 0.7
        mask, true = result["masks"][0] > 0.5, target["masks"][0]
        assert (mask & true).sum() / (mask | true).sum() > 0.7


GOOD = known([[4.0, 4, 20, 20]], [1])


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ({**GOOD, "boxes": torch.tensor([[4.0, 4, 4, 20]])}, "x1 < x2"),
        ({name: GOOD[name] for name in ("boxes", "labels")}, 'needs "masks"'),
        ({**GOOD, "masks": torch.zeros(1, 64, 64)}, "no pixel"),
        ({**GOOD, "masks": GOOD["masks"][:, :32]}, "as large as the image"),
    ],
)
def test_bad_targets_are_refused(target, sentence):
    """Fails if a box without area or an empty mask trains in silence."""
    model = small_mask_rcnn(2, width=4).train()
    with pytest.raises(CourseError, match=sentence):
        model([torch.zeros(3, 64, 64)], [target])
    with pytest.raises(CourseError, match="counts background"):
        small_mask_rcnn(0)
