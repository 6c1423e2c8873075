"""NMS: by hand, against torchvision's operator and its own clear form, and what always holds."""

import pytest
import torch
import torchvision.ops
from hypothesis import given, settings
from hypothesis import strategies as st

from crashcourse.detection import batched_nms, box_iou, greedy_nms, nms, soft_nms
from crashcourse.errors import CourseError
from tests.detection.test_boxes import box_sets, random_boxes

BOTH = pytest.mark.parametrize("suppress", [greedy_nms, nms], ids=["greedy_nms", "nms"])


@BOTH
def test_the_chain_by_hand(suppress):
    """Fails if a dropped box goes on suppressing: the third overlaps the second only, which the first has dropped."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]])
    scores = torch.tensor([0.9, 0.8, 0.7])
    assert suppress(boxes, scores, 0.3).tolist() == [0, 2]
    assert suppress(boxes, scores, 0.5).tolist() == [0, 1, 2]
    assert suppress(boxes, torch.tensor([0.7, 0.9, 0.8]), 0.3).tolist() == [1]


@BOTH
def test_exactly_at_the_threshold_a_box_stays(suppress):
    """Fails with >= for >."""
    boxes = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 1]])  # IoU 0.5
    assert suppress(boxes, torch.tensor([0.9, 0.8]), 0.5).tolist() == [0, 1]
    assert suppress(boxes, torch.tensor([0.9, 0.8]), 0.49).tolist() == [0]


@BOTH
def test_ties_nothing_and_one(suppress):
    """Fails if equal scores change places, or if nothing is an error."""
    same = torch.tensor([[0.0, 0, 4, 4]]).repeat(3, 1)
    assert suppress(same, torch.ones(3), 0.5).tolist() == [0]
    apart = same + torch.arange(3)[:, None] * 10
    assert suppress(apart, torch.ones(3), 0.5).tolist() == [0, 1, 2]
    assert suppress(torch.zeros(0, 4), torch.zeros(0), 0.5).shape == (0,)
    assert suppress(torch.zeros(0, 4), torch.zeros(0), 0.5).dtype == torch.int64


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("side", [30, 100, 1000])
def test_nms_equals_torchvisions_operator(threshold, side):
    """Fails if blocks of boxes are put together wrongly: 500 boxes are eight blocks, from crowded to sparse."""
    boxes = random_boxes(500, side=side)
    boxes[:, 2:] = boxes[:, :2] + (boxes[:, 2:] - boxes[:, :2]).clamp(max=30)
    scores = torch.rand(500, generator=torch.Generator().manual_seed(1)).mul(50).round() / 50  # with ties
    expected = torchvision.ops.nms(boxes, scores, threshold)
    assert torch.equal(nms(boxes, scores, threshold), expected)
    assert torch.equal(greedy_nms(boxes, scores, threshold), expected)


def test_classes_do_not_suppress_each_other():
    """Fails if labels are ignored, also for a label and a coordinate so large that offsets lose precision."""
    boxes, labels = random_boxes(300), torch.arange(300) % 4
    scores = torch.rand(300, generator=torch.Generator().manual_seed(1))
    kept = batched_nms(boxes, scores, labels, 0.4)
    assert torch.equal(kept, torchvision.ops.batched_nms(boxes, scores, labels, 0.4))
    far = boxes + 1e5
    by_class = [(labels == label).nonzero()[:, 0] for label in range(4)]
    expected = torch.cat([places[greedy_nms(far[places], scores[places], 0.4)] for places in by_class])
    found = batched_nms(far, scores, labels * 10**9, 0.4)
    assert torch.equal(found.sort().values, expected.sort().values)


@settings(max_examples=60, deadline=None)
@given(box_sets(most=8), st.randoms(use_true_random=False), st.sampled_from([0.2, 0.5, 0.8]))
def test_what_always_holds(boxes, random, threshold):
    """Fails if the best box goes, if a kept pair overlaps, if a second pass drops more, or if the order matters."""
    scores = torch.tensor(random.sample(range(100), len(boxes)), dtype=torch.float32)
    kept = nms(boxes, scores, threshold)
    assert kept[0] == scores.argmax()
    overlap = box_iou(boxes[kept], boxes[kept]).fill_diagonal_(0)
    assert bool((overlap <= threshold).all())
    assert torch.equal(nms(boxes[kept], scores[kept], threshold), torch.arange(len(kept)))
    order = torch.tensor(random.sample(range(len(boxes)), len(boxes)))
    assert torch.equal(order[nms(boxes[order], scores[order], threshold)], kept)


def test_soft_nms_by_hand():
    """Fails if the weight is linear where it is Gaussian, if scores fall once instead of each time, or in any order."""
    boxes = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 1], [0, 0, 2, 1], [8, 8, 9, 9]])
    scores = torch.tensor([1.0, 0.8, 0.6, 0.5])
    kept, lowered = soft_nms(boxes, scores, method="linear", iou_threshold=0.3)
    # the second loses half to the first; the third half to the first, and all that is left to the second
    assert kept.tolist() == [0, 3, 1]
    assert torch.allclose(lowered, torch.tensor([1.0, 0.5, 0.4]))
    kept, lowered = soft_nms(boxes, scores, sigma=0.5)
    once = torch.tensor(-0.25 / 0.5).exp()
    twice = once * torch.tensor(-1 / 0.5).exp()
    assert kept.tolist() == [0, 3, 1, 2]
    assert torch.allclose(lowered, torch.stack([torch.tensor(1.0), torch.tensor(0.5), 0.8 * once, 0.6 * twice]))
    assert scores.tolist() == pytest.approx([1.0, 0.8, 0.6, 0.5])  # the input stays


def test_linear_soft_nms_with_equal_boxes_is_nms():
    """Fails if a box that lies on a better one keeps any score."""
    boxes = random_boxes(4).repeat(3, 1)
    scores = torch.rand(12, generator=torch.Generator().manual_seed(0)) + 0.1
    assert torch.equal(soft_nms(boxes, scores, method="linear", iou_threshold=0.99)[0], nms(boxes, scores, 0.99))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda f: f(torch.rand(3, 4), torch.rand(2), 0.5), "one score"),
        (lambda f: f(torch.rand(3, 4), torch.rand(3), 1.5), "between 0 and 1"),
        (lambda f: f(torch.rand(3, 4), torch.tensor([1, float("nan"), 1]), 0.5), "NaN"),
        (lambda f: f(torch.full((1, 4), float("inf")), torch.rand(1), 0.5), "infinite"),
        (lambda f: f(torch.rand(4), torch.rand(1), 0.5), "boxes\\[None\\]"),
    ],
)
@BOTH
def test_bad_input_is_refused(suppress, call, sentence):
    with pytest.raises(CourseError, match=sentence):
        call(suppress)


def test_bad_options_are_refused():
    boxes, scores = random_boxes(2), torch.rand(2)
    with pytest.raises(CourseError, match="gaussian"):
        soft_nms(boxes, scores, method="hard")
    with pytest.raises(CourseError, match="sigma"):
        soft_nms(boxes, scores, sigma=0)
    with pytest.raises(CourseError, match="one label"):
        batched_nms(boxes, scores, torch.zeros(3), 0.5)
