"""SSD's loss: by hand, against plain loops and torchvision's, its gradient numerically, and what is refused."""

import math
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.models.detection import ssd as their_ssd
from torchvision.models.detection._utils import BoxCoder

from crashcourse.detection.ssd_boxes import (
    DefaultBoxes,
    SsdTarget,
    encode_ssd_targets,
    match_defaults,
    stack_ssd_targets,
)
from crashcourse.detection.ssd_loss import hard_negatives, multibox_loss
from crashcourse.errors import CourseError

LAYOUT = DefaultBoxes(96, (6, 3, 1), (16, 32, 96), (16, 32, 64, 90), ((2,), (2,), ()))
CASES = {
    "no object": ([], []),
    "one object": ([[10.0, 20, 50, 44]], [1]),
    "on the border": ([[80.0, 70, 96, 96]], [2]),
    "beyond the border": ([[80.0, 70, 104, 110]], [2]),
    "two in one place": ([[10.0, 10, 26, 24], [9.0, 10, 26, 26]], [2, 1]),
    "several": ([[10.0, 20, 50, 44], [60.0, 60, 90, 95], [70.0, 5, 80, 15]], [1, 2, 1]),
}


def target_of(case):
    boxes, labels = CASES[case]
    return encode_ssd_targets(torch.tensor(boxes).reshape(-1, 4), torch.tensor(labels, dtype=torch.int64), LAYOUT, 3)


def test_negatives_by_hand():
    """Fails if the easiest are taken, if positives are among them, or if images share their quota."""
    loss = torch.tensor([[9.0, 1, 5, 2, 4, 3], [1.0, 2, 3, 4, 5, 6]])
    positive = torch.tensor([[True, False, False, False, False, False], [False] * 6])
    assert hard_negatives(loss, positive).tolist() == [[False, False, True, False, True, True], [False] * 6]
    assert hard_negatives(loss, positive, ratio=1).tolist()[0] == [False, False, True, False, False, False]
    assert not hard_negatives(loss, positive, ratio=0).any()


def test_when_there_are_fewer_negatives_than_wanted():
    """Fails if positives fill the quota, which counts them twice."""
    positive = torch.tensor([[True, True, False, True]])
    assert hard_negatives(torch.tensor([[3.0, 1, 0, 2]]), positive).tolist() == [[False, False, True, False]]
    assert not hard_negatives(torch.ones(1, 3), torch.ones(1, 3, dtype=torch.bool)).any()


def test_of_equals_the_first_count():
    assert hard_negatives(torch.ones(1, 6), torch.tensor([[False] * 5 + [True]])).tolist() == [
        [True, True, True, False, False, False]
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=12), st.integers(0, 4))
def test_negatives_are_the_hardest(rows, ratio):
    """Fails if one that is left out has a higher loss than one that counts, or if there are too many or too few."""
    loss, positive = (torch.tensor([part]) for part in zip(*rows, strict=True))
    counted = hard_negatives(loss.float(), positive, ratio=ratio)[0]
    negative = ~positive[0]
    assert int(counted.sum()) == min(ratio * int(positive.sum()), int(negative.sum()))
    assert not bool((counted & positive[0]).any())
    left = loss[0][negative & ~counted]
    if len(left) and counted.any():
        assert left.max() <= loss[0][counted].min()


def test_the_loss_by_hand():
    """Fails if a term is not divided by the positives, if an easy negative counts, or if smooth L1 is not it."""
    logits = torch.zeros(1, 5, 2)
    logits[0, :, 0] = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0])  # surer and surer of the background
    labels = torch.tensor([[1, 0, 0, 0, 0]])
    offsets = torch.tensor([[[0.5, -2.0, 0.0, 0.0], *[[9.0] * 4] * 4]])
    loss = multibox_loss(offsets, logits, SsdTarget(labels, torch.zeros(1, 5, 4)))
    assert loss.location.item() == pytest.approx(0.5 * 0.25 + 1.5)
    hardest = [math.log(1 + math.exp(-score)) for score in (1, 2, 3)]  # three for one; the fourth is left out
    assert loss.classes.item() == pytest.approx(math.log(2) + sum(hardest), rel=1e-6)
    assert loss.total.item() == pytest.approx(loss.location.item() + loss.classes.item())


def by_loops(offsets, logits, target):
    """Equations 1 to 3, read aloud over plain numbers."""
    location, classes, positives = 0.0, 0.0, 0
    for row, own, labels, wanted in zip(offsets, logits, target.labels, target.offsets, strict=True):
        costs = [
            math.log(sum(math.exp(v) for v in place)) - place[label]
            for place, label in zip(own.tolist(), labels.tolist(), strict=True)
        ]
        mine = [p for p, label in enumerate(labels.tolist()) if label > 0]
        negatives = sorted((-cost, p) for p, cost in enumerate(costs) if p not in mine)
        positives += len(mine)
        classes += sum(costs[p] for p in mine) + sum(-cost for cost, _ in negatives[: 3 * len(mine)])
        for p in mine:
            for got, right in zip(row[p].tolist(), wanted[p].tolist(), strict=True):
                gap = abs(got - right)
                location += 0.5 * gap**2 if gap < 1 else gap - 0.5
    return location / max(1, positives), classes / max(1, positives)


def outputs(seed, images=1):
    generator = torch.Generator().manual_seed(seed)
    offsets = 2 * torch.randn(images, len(LAYOUT), 4, generator=generator, dtype=torch.float64)
    logits = 2 * torch.randn(images, len(LAYOUT), 3, generator=generator, dtype=torch.float64)
    return offsets, logits


@pytest.mark.parametrize("case", CASES, ids=CASES)
@pytest.mark.parametrize("seed", range(3))
def test_the_loss_equals_plain_loops_and_its_gradient_is_right(case, seed):
    """Fails for any error in masks or counts; and where there is nothing to learn, if the gradient is not 0."""
    target = stack_ssd_targets([target_of(case)])
    offsets, logits = (part.requires_grad_() for part in outputs(seed))
    loss = multibox_loss(offsets, logits, target)
    assert (loss.location.item(), loss.classes.item()) == pytest.approx(by_loops(offsets, logits, target), abs=1e-9)
    slopes = torch.autograd.grad(loss.total, (offsets, logits))
    for slope in slopes:
        assert slope.isfinite().all()
        assert bool(slope.any()) == (case != "no object")
    assert not slopes[0][target.labels == 0].any()  # background is asked nothing about boxes
    generator = torch.Generator().manual_seed(seed)
    for which, (values, slope) in enumerate(zip((offsets, logits), slopes, strict=True)):
        step = 1e-6 * torch.randn(values.shape, generator=generator, dtype=torch.float64)
        moved = [[offsets.detach(), logits.detach()] for _ in range(2)]
        moved[0][which], moved[1][which] = (values + step).detach(), (values - step).detach()
        up, down = (multibox_loss(*pair, target).total.item() for pair in moved)
        assert (up - down) / 2 == pytest.approx((slope * step).sum().item(), abs=1e-10)


def theirs(offsets, logits, cases):
    """torchvision's loss of the same outputs, from its own matching and encoding."""
    network = SimpleNamespace(box_coder=BoxCoder((10.0, 10.0, 5.0, 5.0)), neg_to_pos_ratio=3.0)
    wanted, matched = [], []
    for case in cases:
        boxes, labels = CASES[case]
        boxes = torch.tensor(boxes).reshape(-1, 4)
        wanted.append({"boxes": boxes, "labels": torch.tensor(labels, dtype=torch.int64)})
        matched.append(match_defaults(LAYOUT.boxes, boxes))
    anchors = [LAYOUT.boxes] * len(cases)
    found = their_ssd.SSD.compute_loss(
        network, wanted, {"bbox_regression": offsets, "cls_logits": logits}, anchors, matched
    )
    return found["bbox_regression"].item(), found["classification"].item()


@pytest.mark.parametrize("seed", range(3))
def test_the_loss_is_torchvisions(seed):
    """Fails if the loss of a batch, one image of which is empty, differs from the other implementation."""
    cases = ("several", "no object", "one object", "on the border")
    offsets, logits = (part.float() for part in outputs(seed, len(cases)))
    loss = multibox_loss(offsets, logits, stack_ssd_targets([target_of(case) for case in cases]))
    expected = theirs(offsets, logits, cases)
    assert (loss.location.item(), loss.classes.item()) == pytest.approx(expected, rel=1e-5)


def test_both_terms_are_divided_by_the_positives_of_the_whole_batch():
    """Fails if it is a mean over images: then one object in an empty street weighs as much as a crowd."""
    offsets, logits = outputs(0, 2)
    pair = [target_of("several"), target_of("one object")]
    counts = [int((target.labels > 0).sum()) for target in pair]
    alone = [multibox_loss(offsets[i : i + 1], logits[i : i + 1], stack_ssd_targets(pair[i : i + 1])) for i in (0, 1)]
    both = multibox_loss(offsets, logits, stack_ssd_targets(pair))
    expected = sum(n * loss.total.item() for n, loss in zip(counts, alone, strict=True)) / sum(counts)
    assert both.total.item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: hard_negatives(torch.ones(3), torch.ones(3, dtype=torch.bool)), "\\(N, P\\)"),
        (lambda: hard_negatives(torch.ones(1, 3), torch.ones(1, 2, dtype=torch.bool)), "\\(1, 3\\) and \\(1, 2\\)"),
        (lambda: hard_negatives(torch.ones(1, 3), torch.ones(1, 3, dtype=torch.bool), ratio=-1), "at least 0"),
        (
            lambda: multibox_loss(torch.ones(2, 4), torch.ones(2, 3), stack_ssd_targets([target_of("no object")])),
            "offsets \\(N, P, 4\\)",
        ),
        (lambda: multibox_loss(*outputs(0), target_of("no object")), "targets \\(N, P\\)"),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(CourseError, match=sentence):
        call()
