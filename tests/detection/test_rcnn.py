"""R-CNN and Fast R-CNN: the warp, SVMs and ridge regression by definition, whole detectors, and what is refused."""

import pytest
import torch
import torchvision.ops
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from crashcourse.datasets import scenes
from crashcourse.detection import DetectionScores, box_iou
from crashcourse.detection.detection_images import DetectionTransform
from crashcourse.detection.fast_rcnn import FastRCNN, SingleMap
from crashcourse.detection.faster_rcnn import small_faster_rcnn
from crashcourse.detection.fpn import MultiScalePool
from crashcourse.detection.matching import BalancedSampler
from crashcourse.detection.rcnn import RCNN, fit_rcnn, fit_svms, ridge_regression, warp_regions
from crashcourse.detection.roi_heads import FastRCNNPredictor, RoIHeads, TwoMLPHead
from crashcourse.detection.roi_pool import roi_pool
from crashcourse.detection.segment_proposals import segment_proposals
from crashcourse.errors import CourseError

# ---- proposals


def best_iou(found, *numbers):
    """How well a box is proposed. The image is smoothed before it is cut to pieces, so that edges move by a pixel."""
    return box_iou(found, torch.tensor([numbers], dtype=torch.float32)).max().item()


def test_a_square_on_a_plain_ground_is_proposed():
    """Fails if rows and columns change places, or the last pixel is left out."""
    image = torch.zeros(3, 60, 80)
    image[:, 10:30, 20:60] = 1
    found = segment_proposals(image)
    assert best_iou(found, 20, 10, 60, 30) > 0.9
    assert best_iou(found, 10, 20, 30, 60) < 0.5


def test_pairs_of_touching_pieces_are_proposed_and_large_or_tiny_ones_are_not():
    """Fails if neighbours are not joined, or if nearly the whole image is a proposal."""
    image = torch.zeros(3, 80, 80)
    image[0, 20:40, 20:40] = 1  # red on the left of green
    image[1, 20:40, 40:60] = 1
    image[2, 70:73, 70:73] = 1
    found = segment_proposals(image)
    assert best_iou(found, 20, 20, 60, 40) > 0.8
    assert best_iou(found, 20, 20, 40, 40) > 0.8
    sides = found[:, 2:] - found[:, :2]
    assert sides.max() <= 0.7 * 80
    assert sides.min() >= 6


def test_proposals_repeat_are_limited_and_differ():
    """Fails if the order depends on torch's generator, or near duplicates stay."""
    image = scenes(1, seed=3, size=96).images[0]
    found = segment_proposals(image)
    torch.manual_seed(7)
    assert torch.equal(found, segment_proposals(image))
    assert torch.equal(found[:20], segment_proposals(image, most=20))
    assert not torch.equal(found[:20], segment_proposals(image, most=20, seed=1))
    assert (box_iou(found, found).fill_diagonal_(0) <= 0.8).all()
    assert torch.equal(segment_proposals(image.float() / 255)[:5], found[:5])


def test_most_objects_of_scenes_have_a_proposal():
    """A gain that must be there: 0.94 were measured, where as many random boxes find about 0.6."""
    data = scenes(12, seed=5, size=128, split="test")
    best = torch.cat([box_iou(scene.boxes, segment_proposals(scene.image)).amax(1) for scene in data])
    assert (best >= 0.5).float().mean() > 0.85


# ---- the warp


def test_the_warp_of_whole_pixels_is_a_crop():
    """Fails if x and y change places, or if samples lie half a pixel off."""
    image = torch.rand(3, 20, 30)
    (found,) = warp_regions(image, torch.tensor([[4.0, 6, 14, 16]]), 10, context=0)
    torch.testing.assert_close(found, image[:, 6:16, 4:14])


def test_the_warp_stretches_and_keeps_its_margin():
    """Fails if the margin is taken from the box instead of around it, or not counted in pixels of the square."""
    image = torch.rand(2, 24, 24)
    (found,) = warp_regions(image, torch.tensor([[8.0, 10, 12, 12]]), 12, context=2)  # 4 × 2 becomes 8 × 8
    (bare,) = warp_regions(image, torch.tensor([[8.0, 10, 12, 12]]), 8, context=0)
    torch.testing.assert_close(found[:, 2:10, 2:10], bare)
    (wide,) = warp_regions(image, torch.tensor([[7.0, 9.5, 13, 12.5]]), 12, context=0)
    torch.testing.assert_close(found, wide)


def test_outside_the_image_the_warp_is_zero():
    (found,) = warp_regions(torch.ones(1, 10, 10), torch.tensor([[-10.0, 0, 0, 10]]), 8, context=0)
    assert found.abs().max() <= 0.5  # the last column lies half outside
    assert not found[:, :, :-1].any()


@settings(max_examples=25, deadline=None)
@given(*[st.floats(0, 12)] * 2, *[st.floats(3, 12)] * 2)
def test_the_warp_equals_roi_align(x, y, width, height):
    """An independent oracle inside the image: one bilinear sample in the middle of each bin."""
    image = torch.rand(2, 30, 30, generator=torch.Generator().manual_seed(0))
    boxes = torch.tensor([[x + 3, y + 3, x + 3 + width, y + 3 + height]])
    expected = torchvision.ops.roi_align(image[None], [boxes], 9, sampling_ratio=1, aligned=True)
    torch.testing.assert_close(warp_regions(image, boxes, 9, context=0), expected, atol=1e-4, rtol=1e-4)


# ---- SVMs and ridge regression


def test_an_svm_by_hand():
    """Two points at −1 and 1: w = 2C·2(1 − w) gives w = 4C / (1 + 4C), b = 0."""
    layer = nn.Linear(1, 1)
    for cost in (0.1, 1.0, 10.0):
        fit_svms(layer, torch.tensor([[-1.0], [1.0]]), torch.tensor([[-1.0], [1.0]]), cost=cost)
        assert layer.weight.item() == pytest.approx(4 * cost / (1 + 4 * cost), rel=1e-3)
        assert layer.bias.item() == pytest.approx(0, abs=1e-4)


def test_svms_are_at_their_minimum_and_leave_out_what_they_should():
    """Fails if the optimizer stops early, if classes disturb each other, or if a sign of 0 counts."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(60, 5, generator=generator)
    signs = torch.randint(-1, 2, (60, 3), generator=generator).float()
    layer = nn.Linear(5, 3)
    fit_svms(layer, features, signs, cost=0.5)
    weight, bias = (parameter.detach().requires_grad_() for parameter in (layer.weight, layer.bias))
    slack = (1 - signs * (features @ weight.T + bias)).clamp(min=0) * (signs != 0)
    gradient = torch.autograd.grad(weight.square().sum() / 2 + 0.5 * slack.square().sum(), (weight, bias))
    assert all(part.abs().max() < 1e-2 for part in gradient)
    used = signs[:, 1] != 0
    alone = nn.Linear(5, 1)
    fit_svms(alone, features[used], signs[used, 1:2], cost=0.5)
    torch.testing.assert_close(alone.weight[0], layer.weight[1], atol=1e-3, rtol=1e-2)


def test_ridge_regression_finds_a_plane_and_its_gradient_is_zero():
    """Fails if the bias is penalised, or the penalty has another weight."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(50, 4, generator=generator) + 3
    truth = torch.randn(2, 4, generator=generator)
    targets = features @ truth.T + torch.tensor([100.0, -7.0])
    weight, bias = ridge_regression(features, targets, 1e-6)
    torch.testing.assert_close(weight, truth, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(bias, torch.tensor([100.0, -7.0]), atol=1e-2, rtol=1e-3)
    w, b = (part.double().requires_grad_() for part in ridge_regression(features, targets, 10.0))
    loss = (features.double() @ w.T + b - targets.double()).square().sum() + 10 * w.square().sum()
    assert all(part.abs().max() < 1e-2 for part in torch.autograd.grad(loss, (w, b)))
    none = ridge_regression(torch.zeros(0, 4), torch.zeros(0, 2), 10.0)
    assert not none[0].any()
    assert not none[1].any()


# ---- whole detectors


def squares(count, seed=0):
    """Images of a red or a green square on a dark ground, and proposals near it and elsewhere."""
    generator = torch.Generator().manual_seed(seed)
    images, proposals, targets = [], [], []
    for n in range(count):
        image = torch.rand(3, 48, 48, generator=generator) * 0.2
        x, y = torch.randint(4, 24, (2,), generator=generator).tolist()
        side = int(torch.randint(12, 20, (1,), generator=generator))
        image[n % 2, y : y + side, x : x + side] += 0.7
        box = torch.tensor([[float(x), y, x + side, y + side]])
        near = box + torch.randn(8, 4, generator=generator) * torch.tensor([1.5, 1.5, 1.5, 1.5])
        corner = torch.rand(12, 2, generator=generator) * 30
        far = torch.cat([corner, corner + 14], 1)
        images.append(image)
        proposals.append(torch.cat([near, far]))
        targets.append({"boxes": box, "labels": torch.tensor([1 + n % 2])})
    return images, proposals, targets


def score(found, targets, classes=2):
    scores = DetectionScores(classes, iou_thresholds=(0.5, 0.75))
    for own, target in zip(found, targets, strict=True):
        scores.add({**own, "labels": own["labels"] - 1}, {**target, "labels": target["labels"] - 1})
    return scores.coco().per_threshold


def features():
    """Fixed features of a region: its colours, coarse."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten())


def test_rcnn_finds_squares_and_its_regression_improves_their_boxes():
    """A gain that must be there: AP 1 at IoU 0.5 from colours, and boxes better than the proposals' at 0.75."""
    model = RCNN(features(), 48, 2, size=24, context=4).eval()
    images, proposals, targets = squares(24)
    swapped = [{**target, "labels": 3 - target["labels"]} for target in targets]
    fit_rcnn(model, images, proposals, swapped, cost=0.1, penalty=1.0)
    assert score(model(*squares(10, 1)[:2]), squares(10, 1)[2])[0.5] < 0.2
    fit_rcnn(model, images, proposals, targets, cost=0.1, penalty=1.0)
    images, proposals, targets = squares(10, 1)
    found = model(images, proposals)
    with_regression = score(found, targets)
    assert with_regression[0.5] > 0.95
    model.regressor.weight.data.zero_()
    model.regressor.bias.data.zero_()
    assert with_regression[0.75] > score(model(images, proposals), targets)[0.75]
    best = found[0]
    assert (best["scores"].diff() <= 0).all()
    assert box_iou(best["boxes"][:1], targets[0]["boxes"]).item() > 0.5


def test_rcnn_runs_its_network_once_for_each_proposal():
    """Fails if regions are judged without a run of their own: that is the point of R-CNN."""
    seen = []

    class Counting(nn.Module):
        def forward(self, regions):
            seen.append(regions.shape)
            return regions.mean((2, 3))

    images, proposals, _ = squares(1)
    RCNN(Counting(), 3, 2, size=16, context=2)(images, [proposals[0].repeat(4, 1)])
    assert seen == [(64, 3, 16, 16), (16, 3, 16, 16)]


def test_rcnn_without_proposals_or_objects():
    """Fails if an image with nothing breaks the others."""
    images, proposals, targets = squares(4)
    model = RCNN(features(), 48, 2, size=16, context=2).eval()
    nothing = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    fit_rcnn(model, images, proposals, [*targets[:3], nothing])
    (found,) = model(images[:1], [torch.zeros(0, 4)])
    assert found["boxes"].shape == (0, 4)
    assert warp_regions(images[0], torch.zeros(0, 4), 8, context=0).shape == (0, 3, 8, 8)


def small_fast_rcnn(classes=2, width=8):
    body = small_faster_rcnn(classes, width=width).backbone
    pool = MultiScalePool(roi_pool, (5, 5), strides=(8,))
    predictor = FastRCNNPredictor(32, classes + 1)
    heads = RoIHeads(pool, TwoMLPHead(4 * width * 25, 32), predictor, sampler=BalancedSampler(16, 0.25))
    return FastRCNN(body, heads, DetectionTransform(None, divisible=8))


def test_fast_rcnn_learns_given_proposals():
    """Fails if proposals are scaled twice or not at all, or if labels or boxes come out shifted."""
    torch.manual_seed(0)
    model = small_fast_rcnn().train()
    images, proposals, targets = squares(8)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(50):
        optimizer.zero_grad()
        losses = model(images, proposals, targets)
        assert set(losses) == {"loss_classifier", "loss_box_reg"}
        sum(losses.values()).backward()
        optimizer.step()
    for module in model.modules():  # batch statistics, as they were learned with
        if isinstance(module, nn.BatchNorm2d):
            module.track_running_stats, module.running_mean, module.running_var = False, None, None
    with torch.no_grad():
        assert score(model.eval()(images, proposals), targets)[0.5] > 0.9


def test_fast_rcnn_scales_proposals_with_the_image():
    """Fails if proposals stay in the old pixels while the image grows."""
    torch.manual_seed(0)
    images, proposals, _ = squares(2)
    model = small_fast_rcnn().eval()
    seen = []
    model.roi_heads.box_roi_pool.register_forward_pre_hook(lambda module, given: seen.append(given[1]))
    model(images, proposals)
    model.transform.min_size, model.transform.max_size = 96, 200
    found = model(images, proposals)
    assert torch.allclose(seen[1][0], seen[0][0] * 2)
    assert all((own["boxes"] <= 48).all() for own in found)


def test_one_map_is_one_map():
    body = SingleMap(nn.Conv2d(3, 7, 3, padding=1), 7)
    (made,) = body(torch.zeros(2, 3, 8, 8))
    assert made.shape == (2, 7, 8, 8)


SQUARES = squares(2)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: segment_proposals(torch.zeros(1, 3, 20, 20)), "one image"),
        (lambda: segment_proposals([[0]]), "list"),
        (lambda: segment_proposals(torch.zeros(3, 20, 20), scales=()), "one scale"),
        (lambda: warp_regions(torch.zeros(3, 20, 20), torch.tensor([[5.0, 5, 5, 9]])), "x1 < x2"),
        (lambda: warp_regions(torch.zeros(3, 20, 20), torch.tensor([[5.0, 5, 8, 9]]), 20, context=10), "margin below"),
        (lambda: RCNN(features(), 48, 2)(SQUARES[0], SQUARES[1][:1]), "2 images came with 1 sets"),
        (lambda: fit_rcnn(RCNN(features(), 48, 2), SQUARES[0], SQUARES[1], SQUARES[2][:1]), "each needs all"),
        (
            lambda: fit_rcnn(RCNN(features(), 48, 1), *SQUARES),
            "from 1 to 1",
        ),
        (
            lambda: fit_rcnn(
                RCNN(features(), 48, 2),
                SQUARES[0],
                SQUARES[1],
                [{"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}] * 2,
            ),
            "without an object",
        ),
        (lambda: ridge_regression(torch.zeros(1, 1), torch.zeros(1, 1), 0), "above 0"),
        (lambda: small_fast_rcnn().eval()(SQUARES[0], SQUARES[1][:1]), "2 images came with 1 sets"),
        (lambda: small_fast_rcnn().eval()(SQUARES[0], [torch.tensor([[3.0, 3, 3, 9]])] * 2), "x1 < x2"),
        (lambda: small_fast_rcnn().train()(*SQUARES[:2]), "model.eval"),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(CourseError, match=sentence):
        call()
