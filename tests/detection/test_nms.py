"""NMS: by hand, against torchvision's operator and its own clear form, and what always holds."""

import math

import pytest
import torch
import torchvision.ops
from hypothesis import given, settings
from hypothesis import strategies as st

from crashcourse.detection import batched_nms, box_iou, greedy_nms, nms, soft_nms
from crashcourse.detection.nms import BLOCK, COLUMNS
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
def test_a_threshold_that_no_float_holds_is_still_the_threshold(suppress):
    """Fails if an IoU of 3/10 counts as above 0.3: in float32 it is 0.30000001. torchvision's CPU operator, which
    compares in double, drops the second box."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 3]])
    assert suppress(boxes, torch.tensor([0.9, 0.8]), 0.3).tolist() == [0, 1]


@BOTH
def test_boxes_without_area_neither_drop_nor_are_dropped(suppress):
    """Fails if 0 / 0 counts as an overlap, or as NaN loses a box."""
    flat = torch.tensor([[1.0, 1, 1, 5], [1, 1, 1, 5], [0, 0, 4, 6], [3, 3, 2, 2]])
    assert suppress(flat, torch.tensor([0.9, 0.8, 0.7, 0.6]), 0.0).tolist() == [0, 1, 2, 3]


@BOTH
def test_half_precision_boxes_are_suppressed(suppress):
    """Fails if areas overflow, so that no box is dropped on a GPU in mixed precision."""
    boxes = torch.tensor([[0.0, 0, 512, 512], [0, 0, 512, 500], [0, 0, 512, 100]]).half()
    assert suppress(boxes, torch.tensor([0.9, 0.8, 0.7]).half(), 0.5).tolist() == [0, 2]


@BOTH
def test_ties_nothing_and_one(suppress):
    """Fails if equal scores change places, or if nothing is an error."""
    same = torch.tensor([[0.0, 0, 4, 4]]).repeat(3, 1)
    assert suppress(same, torch.ones(3), 0.5).tolist() == [0]
    apart = same + torch.arange(3)[:, None] * 10
    assert suppress(apart, torch.ones(3), 0.5).tolist() == [0, 1, 2]
    assert suppress(torch.zeros(0, 4), torch.zeros(0), 0.5).shape == (0,)
    assert suppress(torch.zeros(0, 4), torch.zeros(0), 0.5).dtype == torch.int64


@BOTH
def test_only_the_order_of_scores_counts(suppress):
    """Fails if scores below 0 or of any size are taken for probabilities: a region proposal's are plain numbers."""
    boxes = random_boxes(60)
    scores = torch.randn(60, generator=torch.Generator().manual_seed(0)) * 5
    assert torch.equal(suppress(boxes, scores, 0.3), suppress(boxes, scores.sigmoid(), 0.3))


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.3, 0.5, 0.7, 0.75, 1.0])
@pytest.mark.parametrize("side", [30, 100, 1000])
def test_nms_equals_torchvisions_operator(threshold, side):
    """Fails if blocks of boxes are put together wrongly: 1,500 boxes are several blocks and parts of them, from crowded
    to sparse."""
    count = 1500
    assert count > max(2 * BLOCK, BLOCK + COLUMNS)
    boxes = random_boxes(count, side=side)
    boxes[:, 2:] = boxes[:, :2] + (boxes[:, 2:] - boxes[:, :2]).clamp(max=30)
    scores = torch.rand(count, generator=torch.Generator().manual_seed(1)).mul(50).round() / 50  # with ties
    expected = torchvision.ops.nms(boxes, scores, threshold)
    assert torch.equal(nms(boxes, scores, threshold), expected)
    assert torch.equal(greedy_nms(boxes, scores, threshold), expected)


@pytest.mark.parametrize("count", [300, 2 * COLUMNS])
def test_classes_do_not_suppress_each_other(count):
    """Fails if labels are ignored, also for a label and a coordinate so large that offsets lose precision; or if the
    two ways, for few boxes and for many, differ."""
    boxes, labels = random_boxes(count), torch.arange(count) % 4
    scores = torch.rand(count, generator=torch.Generator().manual_seed(1))
    kept = batched_nms(boxes, scores, labels, 0.4)
    assert torch.equal(kept, torchvision.ops.batched_nms(boxes, scores, labels, 0.4))
    far, ties = boxes + 1e5, scores.mul(20).round() / 20
    by_class = [(labels == label).nonzero()[:, 0] for label in range(4)]
    apart = torch.cat([places[greedy_nms(far[places], ties[places], 0.4)] for places in by_class]).sort().values
    expected = apart[ties[apart].argsort(descending=True, stable=True)]
    assert torch.equal(batched_nms(far, ties, labels * 10**9, 0.4), expected)


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
    labels = torch.tensor(random.choices(range(3), k=len(boxes)))
    by_class = [(labels == label).nonzero()[:, 0] for label in range(3)]
    apart = torch.cat([places[nms(boxes[places], scores[places], threshold)] for places in by_class])
    together = batched_nms(boxes, scores, labels, threshold)
    assert torch.equal(together, apart[scores[apart].argsort(descending=True)])
    shuffled = batched_nms(boxes[order], scores[order], labels[order], threshold)
    assert torch.equal(order[shuffled], together)


@settings(max_examples=60, deadline=None)
@given(box_sets(most=12), st.randoms(use_true_random=False), st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_equal_scores_are_taken_in_the_order_of_the_boxes(boxes, random, threshold):
    """Fails if nms, greedy_nms and torchvision's operator break ties in different ways."""
    scores = torch.tensor([random.choice([0.2, 0.5, 0.9]) for _ in boxes])
    kept = greedy_nms(boxes, scores, threshold)
    assert torch.equal(nms(boxes, scores, threshold), kept)
    if threshold != 0.3:  # not a float32; see above
        assert torch.equal(torchvision.ops.nms(boxes, scores, threshold), kept)


def by_the_papers_figure(boxes, scores, weight, least):
    """Soft-NMS as figure 2 of Bodla et al. has it, with lists and plain floats: an oracle."""
    left, found = {i: s for i, s in enumerate(scores) if s >= least}, []
    while left:
        best = max(left, key=left.get)
        found.append((best, left.pop(best)))
        x1, y1, x2, y2 = boxes[best]
        for i, (u1, v1, u2, v2) in enumerate(boxes):
            if i in left:
                shared = max(0.0, min(x2, u2) - max(x1, u1)) * max(0.0, min(y2, v2) - max(y1, v1))
                left[i] *= weight(shared / ((x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1) - shared))
        left = {i: s for i, s in left.items() if s >= least}
    return found


@settings(max_examples=80, deadline=None)
@given(box_sets(most=8), st.randoms(use_true_random=False), st.sampled_from(["gaussian", "linear"]))
def test_soft_nms_is_the_papers_figure_and_what_always_holds(boxes, random, method):
    """Fails for another weight, another order, another tie, a score that rises, or a best box that loses."""
    boxes = boxes.double()
    scores = torch.tensor([random.choice(range(1, 100)) / 100 for _ in boxes], dtype=torch.float64)  # ties, too
    weights = {"gaussian": lambda iou: math.exp(-(iou**2) / 0.4), "linear": lambda iou: 1 - iou if iou > 0.25 else 1}
    expected = by_the_papers_figure(boxes.tolist(), scores.tolist(), weights[method], 0.01)
    options = {"method": method, "sigma": 0.4, "iou_threshold": 0.25, "least_score": 0.01}
    kept, lowered = soft_nms(boxes, scores, **options)
    assert kept.tolist() == [place for place, _ in expected]
    assert lowered.tolist() == pytest.approx([score for _, score in expected], abs=1e-12)
    assert kept[0] == scores.argmax()
    assert lowered[0] == scores.max()
    assert bool((lowered <= scores[kept]).all())
    assert bool((lowered.diff() <= 0).all())
    if len(set(scores.tolist())) == len(scores) == len(kept):  # a lowered score may still meet another one
        order = torch.tensor(random.sample(range(len(boxes)), len(boxes)))
        again, lowered_again = soft_nms(boxes[order], scores[order], **options)
        assert lowered_again.tolist() == pytest.approx(lowered.tolist())
        if len(set(lowered.tolist())) == len(lowered):
            assert torch.equal(order[again], kept)


def test_soft_nms_of_nothing_of_ties_and_of_low_scores():
    """Fails if nothing is an error, if equal scores change places, or if a score below the least is kept."""
    kept, lowered = soft_nms(torch.zeros(0, 4), torch.zeros(0))
    assert (kept.shape, kept.dtype, lowered.shape) == ((0,), torch.int64, (0,))
    apart = torch.tensor([[0.0, 0, 4, 4]]) + torch.arange(4)[:, None] * 10.0
    kept, lowered = soft_nms(apart, torch.tensor([0.5, 0.5, 0.0, 0.5]))
    assert (kept.tolist(), lowered.tolist()) == ([0, 1, 3], [0.5, 0.5, 0.5])


def test_soft_nms_breaks_a_tie_that_lowering_makes_by_the_order_of_the_boxes():
    """Fails if the order after the first box decides: the third box falls from 0.8 to the second's 0.4."""
    boxes = torch.tensor([[0.0, 0, 2, 2], [8, 8, 9, 9], [0, 0, 2, 1]])
    kept, lowered = soft_nms(boxes, torch.tensor([1.0, 0.4, 0.8]), method="linear", iou_threshold=0.3)
    assert (kept.tolist(), lowered.tolist()) == ([0, 1, 2], pytest.approx([1.0, 0.4, 0.4]))


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


FOUR = {
    "greedy_nms": greedy_nms,
    "nms": nms,
    "batched_nms": lambda boxes, scores, threshold: batched_nms(boxes, scores, torch.zeros(len(boxes)), threshold),
    "soft_nms": lambda boxes, scores, threshold: soft_nms(boxes, scores, iou_threshold=threshold),
}


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda f: f(torch.rand(3, 4), torch.rand(2), 0.5), "one score"),
        (lambda f: f(torch.rand(3, 4), torch.rand(3), 1.5), "between 0 and 1"),
        (lambda f: f(torch.rand(3, 4), torch.rand(3), float("nan")), "between 0 and 1"),
        (lambda f: f(torch.rand(3, 4), torch.tensor([1, float("nan"), 1]), 0.5), "NaN"),
        (lambda f: f(torch.rand(3, 4), torch.tensor([1, float("inf"), 1]), 0.5), "infinite"),
        (lambda f: f(torch.full((1, 4), float("inf")), torch.rand(1), 0.5), "infinite"),
        (lambda f: f(torch.full((1, 4), float("nan")), torch.rand(1), 0.5), "NaN"),
        (lambda f: f(torch.rand(4), torch.rand(1), 0.5), "boxes\\[None\\]"),
        (lambda f: f(torch.rand(3, 4), [0.1, 0.2, 0.3], 0.5), "got list"),
        (lambda f: f(torch.rand(3, 4), torch.arange(3), 0.5), "got torch.int64"),
    ],
)
@pytest.mark.parametrize("suppress", FOUR.values(), ids=FOUR)
def test_bad_input_is_refused(suppress, call, sentence):
    """Fails if one of the four lets pass what the others refuse."""
    with pytest.raises(CourseError, match=sentence):
        call(suppress)


def test_bad_options_are_refused():
    boxes, scores = random_boxes(2), torch.rand(2)
    with pytest.raises(CourseError, match="gaussian"):
        soft_nms(boxes, scores, method="hard")
    with pytest.raises(CourseError, match="sigma"):
        soft_nms(boxes, scores, sigma=0)
    with pytest.raises(CourseError, match="at least 0"):
        soft_nms(boxes, scores - 2)
    with pytest.raises(CourseError, match="one label"):
        batched_nms(boxes, scores, torch.zeros(3), 0.5)
    with pytest.raises(CourseError, match="got list"):
        batched_nms(boxes, scores, [0, 1], 0.5)
