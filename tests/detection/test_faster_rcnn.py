"""Faster R-CNN's parts: deltas, anchors, matching, sampling, proposals and the four losses, by hand and by loops."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crashcourse.detection import box_iou
from crashcourse.detection.anchors import AnchorGenerator, cell_anchors, grid_anchors
from crashcourse.detection.box_deltas import HEAD_WEIGHTS, MOST_GROWTH, decode_deltas, encode_deltas
from crashcourse.detection.detection_images import DetectionTransform, ImageBatch, resize_boxes
from crashcourse.detection.faster_rcnn import small_faster_rcnn
from crashcourse.detection.matching import IGNORED, NEGATIVE, BalancedSampler, match
from crashcourse.detection.roi_heads import Selection, fast_rcnn_loss, select_detections
from crashcourse.detection.rpn import RegionProposalNetwork, RPNHead
from crashcourse.errors import CourseError
from tests.detection.test_boxes import random_boxes

SIDES = st.tuples(*[st.floats(-100, 500)] * 2, *[st.floats(1, 400)] * 2)


def as_boxes(rows):
    return torch.tensor([[x, y, x + w, y + h] for x, y, w, h in rows], dtype=torch.float64)


# ---- deltas


def test_deltas_by_hand():
    """Fails if corners stand for centres, if sizes are divided by the box's own, or without the logarithm."""
    anchor = torch.tensor([[10.0, 20, 30, 60]])  # centre (20, 40), 20 × 40
    box = torch.tensor([[10.0, 0, 50, 20]])  # centre (30, 10), 40 × 20
    expected = [0.5, -0.75, math.log(2), -math.log(2)]
    assert encode_deltas(box, anchor)[0].tolist() == pytest.approx(expected)
    weighted = [10 * 0.5, 10 * -0.75, 5 * math.log(2), -5 * math.log(2)]
    assert encode_deltas(box, anchor, HEAD_WEIGHTS)[0].tolist() == pytest.approx(weighted)
    assert decode_deltas(torch.tensor([weighted]), anchor, HEAD_WEIGHTS)[0].tolist() == pytest.approx(box[0].tolist())
    assert decode_deltas(torch.zeros(1, 4), anchor)[0].tolist() == anchor[0].tolist()


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(SIDES, SIDES), min_size=1, max_size=6), st.sampled_from([(1.0,) * 4, HEAD_WEIGHTS]))
def test_deltas_come_back_as_the_same_boxes(pairs, weights):
    """Fails if encoding and decoding disagree by a weight, a half or a sign; boxes at most 62.5 times their anchor."""
    boxes, anchors = as_boxes([box for box, _ in pairs]), as_boxes([anchor for _, anchor in pairs])
    growth = (boxes[:, 2:] - boxes[:, :2]) / (anchors[:, 2:] - anchors[:, :2])
    near = (growth < 62).all(1)
    boxes, anchors = boxes[near], anchors[near]
    deltas = encode_deltas(boxes, anchors, weights)
    assert torch.allclose(decode_deltas(deltas, anchors, weights), boxes, atol=1e-6)
    assert torch.allclose(encode_deltas(decode_deltas(deltas, anchors, weights), anchors, weights), deltas, atol=1e-6)


def test_growth_is_limited_and_shapes_broadcast():
    """Fails if a wild prediction becomes infinite, or if one anchor cannot have a box for each class."""
    anchor = torch.tensor([[0.0, 0, 16, 16]])
    wild = decode_deltas(torch.tensor([[0.0, 0, 100, -100]]), anchor)[0]
    assert wild.isfinite().all()
    assert (wild[2] - wild[0]).item() == pytest.approx(16 * math.exp(MOST_GROWTH)) == pytest.approx(1000)
    assert decode_deltas(torch.zeros(3, 5, 4), random_boxes(3)[:, None]).shape == (3, 5, 4)
    assert encode_deltas(torch.zeros(0, 4), torch.zeros(0, 4)).shape == (0, 4)


# ---- anchors


def test_anchors_by_hand():
    """Fails if the ratio is width over height, if the area changes with it, or if sizes and ratios change places."""
    made = cell_anchors((16, 32), (0.25, 1, 4), rounded=False)
    expected = [[32, 8], [64, 16], [16, 16], [32, 32], [8, 32], [16, 64]]
    assert (made[:, 2:] - made[:, :2]).tolist() == expected
    assert torch.equal(made[:, :2], -made[:, 2:])
    assert cell_anchors((128,), (0.5,))[0].tolist() == [-91, -45, 91, 45]  # 90.5 and 45.25, to whole pixels


def test_a_grid_of_anchors_by_hand():
    """Fails if x and y change places, if anchors of a place are apart, or if the middle of a cell is missed."""
    cells = torch.tensor([[-1.0, -2, 1, 2], [-3, -3, 3, 3]])
    made = grid_anchors(cells, (2, 3), (10, 20))
    assert made.shape == (12, 4)
    centres = (made[::2, :2] + made[::2, 2:]) / 2
    assert centres.tolist() == [[0, 0], [20, 0], [40, 0], [0, 10], [20, 10], [40, 10]]
    assert made[1].tolist() == [-3, -3, 3, 3]
    middle = grid_anchors(cells, (2, 3), (10, 20), offset=0.5)
    assert ((middle[::2, :2] + middle[::2, 2:]) / 2)[4].tolist() == [30, 15]


def test_the_papers_nine_and_strides_from_sizes():
    """Fails if a map's stride is another than the image's size by the map's."""
    anchors = AnchorGenerator(((128, 256, 512),))
    assert anchors.per_place == 9
    (made,) = anchors((64, 96), [torch.zeros(1, 1, 4, 6)])
    assert made.shape == (4 * 6 * 9, 4)
    assert ((made[-1, :2] + made[-1, 2:]) / 2).tolist() == [80, 48]
    assert not anchors.state_dict()
    assert anchors.double()((64, 96), [torch.zeros(1, 1, 4, 6).double()])[0].dtype == torch.float64


# ---- matching and sampling


def test_matching_by_hand():
    """Fails with one threshold for both sides, without the best of an object, or if it becomes that object's."""
    iou = torch.tensor([[0.8, 0.5, 0.2, 0.0, 0.7], [0.1, 0.6, 0.4, 0.05, 0.3]])
    assert match(iou, high=0.7, low=0.3).tolist() == [0, IGNORED, IGNORED, NEGATIVE, 0]
    assert match(iou, high=0.7, low=0.3, keep_best=True).tolist() == [0, 1, IGNORED, NEGATIVE, 0]
    assert match(iou, high=0.5, low=0.5).tolist() == [0, 1, NEGATIVE, NEGATIVE, 0]
    assert match(iou, high=0.5, low=0.5, least=0.1).tolist() == [0, 1, NEGATIVE, IGNORED, 0]
    shared = torch.tensor([[0.6, 0.1], [0.5, 0.2]])  # the best of both objects is box 0, which overlaps object 0 more
    assert match(shared, high=0.7, low=0.3, keep_best=True).tolist() == [0, NEGATIVE]


def test_an_object_that_meets_no_anchor_is_learned_by_none():
    """Fails if its best IoU of 0 makes every anchor positive."""
    assert match(torch.zeros(1, 3), high=0.7, low=0.3, keep_best=True).tolist() == [NEGATIVE] * 3
    assert match(torch.zeros(0, 3), high=0.7, low=0.3, keep_best=True).tolist() == [NEGATIVE] * 3
    assert match(torch.zeros(2, 0), high=0.7, low=0.3).shape == (0,)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([-1, 0, 1, 3]), max_size=40), st.integers(1, 30), st.sampled_from([0.0, 0.25, 0.5, 1.0])
)
def test_sampling_keeps_its_limits(labels, count, part):
    """Fails if an index comes twice, an ignored one comes at all, or negatives do not fill up."""
    labels = torch.tensor(labels, dtype=torch.int64)
    positive, negative = BalancedSampler(count, part)(labels)
    assert bool((labels[positive] > 0).all())
    assert bool((labels[negative] == 0).all())
    assert len(set(positive.tolist()) | set(negative.tolist())) == len(positive) + len(negative)
    assert len(positive) == min(int((labels > 0).sum()), int(count * part))
    assert len(negative) == min(int((labels == 0).sum()), count - len(positive))


def test_a_generator_fixes_the_sample():
    """Fails if a sample depends on torch's own generator when it has one of its own, or is always the same."""
    labels = (torch.arange(200) % 3 == 0).long()
    drawn = [BalancedSampler(20, 0.5, torch.Generator().manual_seed(seed))(labels) for seed in (0, 0, 1)]
    assert torch.equal(drawn[0][0], drawn[1][0])
    assert not torch.equal(drawn[0][0], drawn[2][0])


# ---- proposals


def tiny_rpn(**options):
    anchors = AnchorGenerator(((16,),), (1.0,), offset=0.5)
    return RegionProposalNetwork(anchors, RPNHead(4, 1), **options)


def batch(sizes, shape=(32, 32)):
    return ImageBatch(torch.zeros(len(sizes), 3, *shape), list(sizes), list(sizes))


def test_outputs_lie_as_anchors_do():
    """Fails if the channels of an output are taken for places."""
    head = RPNHead(2, 3)
    features = torch.randn(1, 2, 4, 5)
    (objectness,), (deltas,) = head([features])
    hidden = head.conv(features)
    assert objectness.shape == (1, 60)
    assert deltas.shape == (1, 60, 4)
    place = (2 * 5 + 3) * 3 + 1  # row 2, column 3, anchor 1
    assert objectness[0, place] == head.cls_logits(hidden)[0, 1, 2, 3]
    assert torch.equal(deltas[0, place], head.bbox_pred(hidden)[0, 4:8, 2, 3])


def test_proposals_by_hand():
    """Fails if boxes are not cut off, duplicates stay, order is lost, or an image's padding is proposed."""
    rpn = tiny_rpn(before_nms=(3, 3), after_nms=(2, 2)).eval()
    anchors = [torch.tensor([[0.0, 0, 16, 16], [1, 1, 17, 17], [20, 0, 36, 16], [40, 40, 56, 56]])]
    objectness = [torch.tensor([[2.0, 1.0, 0.0, -3.0]])]
    ((boxes, scores),) = rpn.propose(objectness, [torch.zeros(1, 4, 4)], anchors, [(32, 32)])
    assert boxes.tolist() == [[0, 0, 16, 16], [20, 0, 32, 16]]
    assert scores.tolist() == pytest.approx([1 / (1 + math.exp(-2)), 0.5])
    ((outside, _),) = rpn.propose([torch.tensor([[5.0]])], [torch.zeros(1, 1, 4)], [anchors[0][3:]], [(32, 32)])
    assert outside.shape == (0, 4)


def test_levels_do_not_suppress_each_other_and_training_keeps_its_own_number():
    """Fails if suppression runs over all maps at once, or if the limits of training and evaluation are swapped."""
    rpn = tiny_rpn(before_nms=(5, 5), after_nms=(4, 1))
    same = torch.tensor([[0.0, 0, 16, 16]])
    arguments = ([torch.ones(1, 1), torch.zeros(1, 1)], [torch.zeros(1, 1, 4)] * 2, [same, same], [(32, 32)])
    assert len(rpn.train().propose(*arguments)[0][0]) == 2
    assert len(rpn.eval().propose(*arguments)[0][0]) == 1


def test_anchors_that_leave_the_image_may_be_left_out():
    """Fails if the paper's rule is turned off, or looks at the padded size."""
    rpn = tiny_rpn(inside_only=True)
    anchors = torch.tensor([[-4.0, 0, 12, 16], [0, 0, 16, 16], [10, 10, 26, 26], [16, 16, 32, 32]])
    box = torch.tensor([[-2.0, 0, 14, 16]])
    assert rpn.assign(anchors, box, (28, 28)).tolist() == [IGNORED, 0, NEGATIVE, IGNORED]
    assert tiny_rpn().assign(anchors, box, (28, 28)).tolist() == [0, 0, NEGATIVE, NEGATIVE]


# ---- losses


def test_the_losses_of_proposals_equal_plain_loops():
    """Fails if a mean is over the wrong number, or if negatives are asked for boxes."""
    rpn = tiny_rpn()
    chosen = (torch.tensor([0, 3]), torch.tensor([1, 2]))
    rpn.sampler = lambda labels: (chosen[0][labels[chosen[0]] > 0], chosen[1])
    anchors = torch.tensor([[0.0, 0, 16, 16], [50, 50, 66, 66], [80, 0, 96, 16], [30, 30, 46, 46]])
    boxes = [torch.tensor([[2.0, 1, 16, 16], [30, 28, 46, 46]]), torch.zeros(0, 4)]
    generator = torch.Generator().manual_seed(0)
    objectness, deltas = torch.randn(2, 4, generator=generator), torch.randn(2, 4, 4, generator=generator)
    losses = rpn.losses(objectness, deltas, anchors, batch([(100, 100)] * 2), [{"boxes": own} for own in boxes])
    wrong, off = 0.0, 0.0
    for image, place, positive in ((0, 0, 1), (0, 3, 1), (0, 1, 0), (0, 2, 0), (1, 1, 0), (1, 2, 0)):
        chance = 1 / (1 + math.exp(-objectness[image, place].item()))
        wrong -= math.log(chance if positive else 1 - chance)
        if positive:
            goal = encode_deltas(boxes[0][place // 3][None], anchors[place][None])[0]
            for gap in (deltas[image, place] - goal).abs().tolist():
                off += gap**2 / 2 * 9 if gap < 1 / 9 else gap - 1 / 18
    assert losses["loss_objectness"].item() == pytest.approx(wrong / 6, rel=1e-5)
    assert losses["loss_rpn_box_reg"].item() == pytest.approx(off / 6, rel=1e-5)


def test_the_losses_of_the_second_stage_equal_plain_loops():
    """Fails if background is asked for a box, if all classes move, or if the mean is over objects only."""
    generator = torch.Generator().manual_seed(0)
    logits, deltas = torch.randn(4, 3, generator=generator), torch.randn(4, 3, 4, generator=generator)
    labels, goals = torch.tensor([2, 0, 1, 0]), torch.randn(2, 4, generator=generator)
    losses = fast_rcnn_loss(logits, deltas, labels, goals)
    wrong = sum(-logits[k].log_softmax(0)[label].item() for k, label in enumerate(labels.tolist()))
    off = 0.0
    for row, label, goal in ((0, 2, 0), (2, 1, 1)):
        for gap in (deltas[row, label] - goals[goal]).abs().tolist():
            off += gap**2 / 2 * 9 if gap < 1 / 9 else gap - 1 / 18
    assert losses["loss_classifier"].item() == pytest.approx(wrong / 4, rel=1e-5)
    assert losses["loss_box_reg"].item() == pytest.approx(off / 4, rel=1e-5)
    nothing = fast_rcnn_loss(
        torch.zeros(0, 3), torch.zeros(0, 3, 4), torch.zeros(0, dtype=torch.int64), torch.zeros(0, 4)
    )
    assert [loss.item() for loss in nothing.values()] == [0, 0]


def test_regions_to_learn_from_by_hand():
    """Fails if objects are not among the regions, if labels are those of another, or if easy background stays in."""
    heads = small_faster_rcnn(2, width=4).roi_heads
    heads.sampler = lambda labels: ((labels > 0).nonzero()[:, 0], (labels == 0).nonzero()[:, 0])
    proposals = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30], [21, 20, 31, 30], [60, 60, 70, 70], [7, 0, 14, 10]])
    target = {"boxes": torch.tensor([[20.0, 20, 30, 30], [0, 0, 11, 10]]), "labels": torch.tensor([2, 1])}
    samples = heads.sample(proposals, target)
    assert samples.boxes.tolist() == [*proposals.tolist(), *target["boxes"].tolist()]
    assert samples.labels.tolist() == [1, 2, 2, 0, 0, 2, 1]
    assert samples.objects[samples.labels > 0].tolist() == [1, 0, 0, 0, 1]
    heads.background = (0.1, 0.5)
    assert heads.sample(proposals, target).labels.tolist() == [1, 2, 2, 0, 2, 1]  # (60, 60) meets nothing
    none = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    assert heads.sample(proposals, none).labels.tolist() == [0] * 5


def test_selection_by_hand():
    """Fails if background is detected, if classes suppress each other, or if a limit is not kept."""
    box = torch.tensor([10.0, 10, 20, 20])
    boxes = box.repeat(2, 3, 1)
    boxes[1, :, [0, 2]] += 1
    scores = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]])
    found = select_detections(boxes, scores, (100, 100), Selection())
    assert found["labels"].tolist() == [1, 2]
    assert found["scores"].tolist() == pytest.approx([0.6, 0.3])
    assert len(select_detections(boxes, scores, (100, 100), Selection(iou_threshold=0.9))["labels"]) == 4
    assert len(select_detections(boxes, scores, (100, 100), Selection(most=1))["labels"]) == 1
    assert len(select_detections(boxes, scores, (100, 100), Selection(least_score=0.55))["labels"]) == 1
    assert len(select_detections(boxes, scores, (10, 100), Selection())["labels"]) == 0  # all below the image


# ---- images


def test_images_are_normalised_scaled_padded_and_boxes_follow():
    """Fails if boxes keep the old pixels, if the longer side grows too long, or if padding is not 0."""
    transform = DetectionTransform(64, 100, divisible=32)
    images = [torch.rand(3, 32, 40), torch.rand(3, 32, 128)]
    box = torch.tensor([[4.0, 8, 20, 24]])
    made, targets = transform(images, [{"boxes": box, "labels": torch.tensor([1])}] * 2)
    assert made.sizes == [(64, 80), (25, 100)]
    assert made.original == [(32, 40), (32, 128)]
    assert made.tensor.shape == (2, 3, 64, 128)
    assert not made.tensor[1, :, 25:].any()
    assert not made.tensor[0, :, :, 80:].any()
    assert targets[0]["boxes"].tolist() == [[8, 16, 40, 48]]
    assert torch.allclose(targets[1]["boxes"], box * torch.tensor([100 / 128, 25 / 32, 100 / 128, 25 / 32]))
    assert torch.allclose(resize_boxes(targets[1]["boxes"], (25, 100), (32, 128)), box, atol=1e-5)
    still, _ = DetectionTransform(None, divisible=8)(images[:1])
    expected = (images[0] - transform.mean) / transform.std
    assert torch.allclose(still.tensor[0], expected)


# ---- the whole small network

CASES = {
    "no object": ([], []),
    "one object": ([[10.0, 20, 50, 44]], [1]),
    "on the border": ([[40.0, 30, 64, 64]], [2]),
    "two in one cell": ([[10.0, 10, 22, 20], [8, 8, 26, 26]], [2, 1]),
    "outside the image": ([[200.0, 200, 220, 220]], [1]),
}


@pytest.mark.parametrize("case", CASES)
def test_losses_are_finite_and_their_gradient_is_right(case):
    """Fails if nothing to learn gives NaN, or if a gradient leaks through proposals or targets."""
    torch.manual_seed(0)
    model = small_faster_rcnn(2, width=4).double().train()
    boxes, labels = CASES[case]
    target = {"boxes": torch.tensor(boxes).reshape(-1, 4), "labels": torch.tensor(labels, dtype=torch.int64)}
    image = torch.rand(3, 64, 64, dtype=torch.float64)

    def losses():
        model.rpn.sampler = BalancedSampler(64, 0.5, torch.Generator().manual_seed(1))
        model.roi_heads.sampler = BalancedSampler(32, 0.25, torch.Generator().manual_seed(2))
        return model([image], [target])

    found = losses()
    assert set(found) == {"loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg"}
    for name, parameter in (
        ("loss_classifier", model.roi_heads.box_predictor.cls_score.weight),
        ("loss_box_reg", model.roi_heads.box_head.fc7.weight),
        ("loss_objectness", model.rpn.head.cls_logits.weight),
        ("loss_rpn_box_reg", model.rpn.head.bbox_pred.bias),
    ):
        (gradient,) = torch.autograd.grad(found[name], parameter, retain_graph=True)
        assert gradient.isfinite().all(), name
        place = gradient.abs().argmax()
        with torch.no_grad():
            parameter.view(-1)[place] += 1e-6
            above = losses()[name].item()
            parameter.view(-1)[place] -= 2e-6
            below = losses()[name].item()
            parameter.view(-1)[place] += 1e-6
        # proposals pass no gradient, but move: the second stage's own parameters do not move them
        if not (name == "loss_rpn_box_reg" and case == "outside the image"):
            assert (above - below) / 2e-6 == pytest.approx(gradient.view(-1)[place].item(), rel=1e-3, abs=1e-7), name


def test_the_small_network_learns_its_batch():
    """Fails if a sign, a mask or an order is wrong anywhere: then four images cannot be learned by heart."""
    torch.manual_seed(0)
    model = small_faster_rcnn(2, width=8).train()
    images = torch.rand(4, 3, 64, 64) * 0.2
    boxes = [[4.0, 4, 28, 28], [24.0, 12, 60, 48], [12.0, 36, 36, 60], [2.0, 2, 50, 20]]
    for image, (x1, y1, x2, y2), n in zip(images, boxes, range(4), strict=True):
        image[n % 2, int(y1) : int(y2), int(x1) : int(x2)] += 0.7
    targets = [{"boxes": torch.tensor([b]), "labels": torch.tensor([1 + n % 2])} for n, b in enumerate(boxes)]
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(100):
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


def box(*numbers):
    return torch.tensor([numbers], dtype=torch.float32)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: encode_deltas(box(0, 0, 0, 5), box(0, 0, 4, 4)), "no area"),
        (lambda: encode_deltas(box(0, 0, 4, 4), box(5, 0, 4, 4)), "no area"),
        (lambda: encode_deltas(torch.zeros(2, 4), torch.zeros(1, 4)), "2 boxes for 1 anchors"),
        (lambda: decode_deltas(torch.zeros(2, 5), torch.zeros(2, 4)), "four numbers"),
        (lambda: cell_anchors((), (1,)), "sizes above 0"),
        (lambda: cell_anchors((16,), (0,)), "ratios above 0"),
        (lambda: AnchorGenerator(()), "one map at least"),
        (lambda: AnchorGenerator(((8,),))((8, 8), [torch.zeros(1, 1, 1, 1)] * 2), "1 maps, and 2 maps"),
        (lambda: match(torch.zeros(1, 1), high=0.3, low=0.7), "thresholds|Thresholds"),
        (lambda: match(torch.zeros(1), high=0.7, low=0.3), "objects, boxes"),
        (lambda: BalancedSampler(0, 0.5), "at least 1"),
        (lambda: BalancedSampler(10, 1.5), "between 0 and 1"),
        (lambda: small_faster_rcnn(0), "counts background"),
    ],
)
def test_bad_input_of_the_parts_is_refused(call, sentence):
    with pytest.raises(CourseError, match=sentence):
        call()


GOOD = {"boxes": box(4, 4, 20, 20), "labels": torch.tensor([1])}
IMAGE = torch.zeros(3, 32, 32)


@pytest.mark.parametrize(
    ("images", "targets", "sentence"),
    [
        ([IMAGE], [{**GOOD, "boxes": box(4, 4, 4, 20)}], "x1 < x2"),
        ([IMAGE], [{**GOOD, "labels": torch.tensor([0])}], "0 is background"),
        ([IMAGE], [{**GOOD, "labels": torch.tensor([3])}], "from 1 to 2"),
        ([IMAGE], [{**GOOD, "labels": torch.tensor([1, 1])}], "each box needs one"),
        ([IMAGE], [{**GOOD, "labels": torch.tensor([1.0])}], "int64"),
        ([IMAGE], [{"boxes": GOOD["boxes"]}], "'labels' is missing"),
        ([IMAGE], [GOOD, GOOD], "1 images came with 2 targets"),
        ([IMAGE], None, "model.eval"),
        ([], [], "empty list"),
        ([IMAGE[0]], [GOOD], "\\(3, H, W\\)"),
        ([IMAGE.to(torch.uint8)], [GOOD], "float images"),
    ],
)
def test_bad_images_and_targets_are_refused(images, targets, sentence):
    """Fails if a wrong target trains in silence, or fails far from where it came in."""
    model = small_faster_rcnn(2, width=4).train()
    with pytest.raises(CourseError, match=sentence):
        model(images, targets)
