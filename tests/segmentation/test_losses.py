"""Losses: by hand, against PyTorch and torchvision, ignored and empty masks, gradients that stay finite."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.ops import sigmoid_focal_loss

from crashcourse.errors import CourseError
from crashcourse.segmentation import binary_cross_entropy, cross_entropy, dice_loss, focal_loss

ONE_CLASS = [binary_cross_entropy, dice_loss, focal_loss]
SEVERAL = [cross_entropy, dice_loss, focal_loss]
EVERY = [*((loss, 1) for loss in ONE_CLASS), *((loss, 3) for loss in SEVERAL)]


def some(channels: int, seed: int = 0, *, ignored: float = 0.2) -> tuple[Tensor, Tensor]:
    """Logits (2, C, 4, 5) and labels, some of them ignored."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(2, channels, 4, 5, generator=generator)
    labels = torch.randint(0, max(channels, 2), (2, 4, 5), generator=generator)
    return logits, labels.masked_fill(torch.rand(2, 4, 5, generator=generator) < ignored, 255)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 5), st.integers(0, 999))
def test_cross_entropies_are_pytorchs(channels, seed):
    """Another class is taken, or ignored pixels count in the sum or in its divisor."""
    logits, labels = some(channels, seed)
    torch.testing.assert_close(cross_entropy(logits, labels), F.cross_entropy(logits, labels, ignore_index=255))
    logits, labels = some(1, seed)
    counted = labels != 255
    expected = F.binary_cross_entropy_with_logits(logits[:, 0][counted], labels[counted].float())
    torch.testing.assert_close(binary_cross_entropy(logits, labels), expected)


def test_one_channel_is_two_with_the_first_at_zero():
    """The rule of the output layer fails: one logit against background 0 is the softmax over both."""
    logits, labels = some(1)
    two = torch.cat([torch.zeros_like(logits), logits], 1)
    torch.testing.assert_close(binary_cross_entropy(logits, labels), cross_entropy(two, labels))
    torch.testing.assert_close(focal_loss(logits, labels), focal_loss(two, labels))
    torch.testing.assert_close(dice_loss(logits, labels), dice_loss(two, labels, background=False))


def test_weights_are_equation_1_divided_by_the_pixels():
    """Weights are normalised away, or those of ignored pixels count."""
    logits, labels = some(2)
    weights = torch.rand(2, 4, 5) * 10
    log_p = logits.log_softmax(1)
    expected = [
        -float(weights[n, r, c] * log_p[n, labels[n, r, c], r, c])
        for n in range(2)
        for r in range(4)
        for c in range(5)
        if labels[n, r, c] != 255
    ]
    assert float(cross_entropy(logits, labels, weights=weights)) == pytest.approx(
        sum(expected) / len(expected), rel=1e-5
    )
    torch.testing.assert_close(
        cross_entropy(logits, labels, weights=torch.full_like(weights, 3)), 3 * cross_entropy(logits, labels)
    )
    one = binary_cross_entropy(logits[:, :1], labels, weights=torch.full_like(weights, 3))
    torch.testing.assert_close(one, 3 * binary_cross_entropy(logits[:, :1], labels))


def test_dice_by_hand():
    """The factor 2 or a sum is missing, smooth is on one side only, or images are pooled."""
    logits = torch.tensor([2.0, -1.0, 0.0, 3.0]).view(1, 1, 2, 2)
    labels = torch.tensor([[[1, 0], [1, 0]]])
    p = logits.flatten().sigmoid().tolist()
    expected = 1 - (2 * (p[0] + p[2]) + 1) / (sum(p) + 2 + 1)
    assert float(dice_loss(logits, labels)) == pytest.approx(expected, rel=1e-5)
    sure = torch.tensor([[[9.0, -9.0], [-9.0, -9.0]]])[None] * 3
    both = torch.cat([sure, sure])
    truth = torch.tensor([[[1, 0], [0, 0]], [[0, 1], [1, 1]]])
    assert float(dice_loss(both, truth, smooth=1e-6)) == pytest.approx((0 + 1) / 2, abs=1e-5)
    three = torch.tensor([[[0, 1], [2, 2]]])
    certain = 50 * F.one_hot(three, 3).permute(0, 3, 1, 2).float()
    assert float(dice_loss(certain, three)) == pytest.approx(0, abs=1e-6)
    # one of four is wrong: class 0 is 2/2... found at 0 and at one of the places of 2
    slip = 50 * F.one_hot(torch.tensor([[[0, 1], [0, 2]]]), 3).permute(0, 3, 1, 2).float()
    by_class = [1 - 3 / 4, 1 - 3 / 3, 1 - 3 / 4]  # (2 · 1 + 1) / (found + true + 1)
    assert float(dice_loss(slip, three)) == pytest.approx(sum(by_class) / 3, abs=1e-6)
    assert float(dice_loss(slip, three, background=False)) == pytest.approx(sum(by_class[1:]) / 2, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 5), st.floats(0, 1), st.integers(0, 999))
def test_focal_is_torchvisions(gamma, alpha, seed):
    """α and 1 - α are swapped, γ is on p in place of 1 - p, or 1 - p in place of p is under the logarithm."""
    logits, labels = some(1, seed, ignored=0)
    for a, theirs in ((alpha, alpha), (None, -1)):
        expected = sigmoid_focal_loss(logits[:, 0], labels.float(), alpha=theirs, gamma=gamma, reduction="mean")
        torch.testing.assert_close(focal_loss(logits, labels, gamma=gamma, alpha=a), expected, rtol=1e-4, atol=1e-6)


def test_focal_over_classes_by_its_formula():
    """The probability of another class is taken; with γ = 0 it is not cross-entropy."""
    logits, labels = some(3)
    counted = labels != 255
    p = logits.softmax(1).gather(1, labels.masked_fill(~counted, 0)[:, None])[:, 0]
    torch.testing.assert_close(focal_loss(logits, labels, gamma=1.5), -((1 - p) ** 1.5 * p.log())[counted].mean())
    torch.testing.assert_close(focal_loss(logits, labels, gamma=0), cross_entropy(logits, labels))


@pytest.mark.parametrize(("loss", "channels"), EVERY)
def test_ignored_pixels_count_for_nothing(loss, channels):
    """An ignored pixel changes the loss or gets a gradient, or takes part as class 0."""
    logits, labels = some(channels)
    moved = torch.where((labels == 255)[:, None], -5 * logits, logits)
    torch.testing.assert_close(loss(moved, labels), loss(logits, labels))
    logits.requires_grad_()
    loss(logits, labels).backward()
    ignored = (labels == 255)[:, None].expand_as(logits)
    assert not logits.grad[ignored].any()
    assert logits.grad[~ignored].all()


@pytest.mark.parametrize(("loss", "channels"), EVERY)
def test_all_ignored_is_zero_with_zero_gradients(loss, channels):
    """A batch without labels makes NaN, and with it the network."""
    logits = torch.randn(2, channels, 3, 3, requires_grad=True)
    value = loss(logits, torch.full((2, 3, 3), 255))
    value.backward()
    assert float(value.detach()) == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))
    empty = loss(torch.zeros(0, channels, 3, 3), torch.zeros(0, 3, 3, dtype=torch.int64))
    assert float(empty) == 0


@pytest.mark.parametrize(("loss", "channels"), EVERY)
@pytest.mark.parametrize("truth", [0, 1])
def test_masks_of_one_kind_are_finite_and_found_empty_they_cost_little(loss, channels, truth):
    """An empty mask divides by nothing, or is never right."""
    labels = torch.full((1, 6, 6), truth)
    towards = 20.0 if truth else -20.0
    logits = torch.full((1, channels, 6, 6), -20.0)
    if channels == 1:
        logits[:] = towards
    else:
        logits[:, truth] = 20.0
    logits.requires_grad_()
    value = loss(logits, labels)
    value.backward()
    assert 0 <= float(value.detach()) < 1e-4
    assert logits.grad.isfinite().all()
    assert float(loss(-logits, labels).detach()) > 0.3


@pytest.mark.parametrize(("loss", "channels"), EVERY)
@pytest.mark.parametrize("size", [1e2, 1e4, 1e30])
def test_gradients_stay_finite_however_sure_the_network_is(loss, channels, size):
    """log 0, or 0 · ∞ in a gradient."""
    logits, labels = some(channels)
    logits = (size * logits.sign()).requires_grad_()
    value = loss(logits, labels)
    value.backward()
    assert math.isfinite(float(value.detach()))
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 5.0])
def test_focal_gradients_are_finite_for_any_gamma(gamma):
    """(1 - p) ** 0.5 has an infinite slope at p = 1."""
    for channels in (1, 3):
        logits = torch.full((1, channels, 1, 2), -90.0)
        logits[:, -1] = 90.0
        logits.requires_grad_()
        focal_loss(logits, torch.tensor([[[channels // 2, channels // 2]]]), gamma=gamma).backward()
        focal_loss(logits, torch.tensor([[[max(channels - 1, 1)] * 2]]), gamma=gamma).backward()
        assert logits.grad.isfinite().all()


@pytest.mark.parametrize(("loss", "channels"), EVERY)
def test_half_precision_is_computed_in_single(loss, channels):
    """bfloat16 logits lose the loss to 8 bits, or to an overflow in the sums."""
    logits, labels = some(channels)
    value = loss(logits.bfloat16(), labels)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(logits.bfloat16().float(), labels))


@pytest.mark.parametrize(("loss", "channels"), EVERY)
def test_gradients_are_those_of_differences(loss, channels):
    """A branch is cut off from the graph."""
    logits, labels = some(channels)
    logits = logits.double().requires_grad_()
    step = 1e-3 * torch.randn(logits.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    loss(logits, labels).backward()
    change = float(loss(logits.detach() + step, labels) - loss(logits.detach() - step, labels)) / 2
    assert change == pytest.approx(float((logits.grad * step).sum()), rel=2e-2, abs=1e-6)


def test_bool_masks_are_labels():
    """A mask has to be converted first."""
    logits, labels = some(1, ignored=0)
    for loss in ONE_CLASS:
        torch.testing.assert_close(loss(logits, labels == 1), loss(logits, labels))
        torch.testing.assert_close(loss(logits, labels.byte()), loss(logits, labels))


@pytest.mark.parametrize(("loss", "channels"), EVERY)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x.byte(), r"takes logits .*got \(2, \d, 4, 5\) torch.uint8"),
        (lambda x: x[0], r"takes logits .*got \(\d, 4, 5\)"),
        (lambda x: x[..., :0], r"takes logits .*got \(2, \d, 4, 0\)"),
        (lambda x: x.tolist(), "takes logits .*got list"),
    ],
)
def test_what_is_no_logits(loss, channels, change, words):
    """The sentence speaks of images, and advises to divide logits by 255."""
    logits, labels = some(channels)
    with pytest.raises(CourseError, match=words):
        loss(change(logits), labels)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x, y: binary_cross_entropy(x.expand(-1, 2, -1, -1), y), r"\(N, 1, H, W\)"),
        (lambda x, y: cross_entropy(x, y), "use binary_cross_entropy, or 2 channels"),
        (lambda x, y: binary_cross_entropy(x, y[:, None]), r"labels\[:, 0\]"),
        (lambda x, y: binary_cross_entropy(x, y[:1]), r"\(2, 4, 5\) for these logits; got \(1, 4, 5\)"),
        (lambda x, y: binary_cross_entropy(x, y.float()), r"labels.long\(\)"),
        (lambda x, y: binary_cross_entropy(x, [1]), "got list"),
        (lambda x, y: binary_cross_entropy(x, y + 1), "labels from 0 to 1, or 255 to be ignored; these run from"),
        (lambda x, y: binary_cross_entropy(x, y, ignore=None), r"from 0 to 1; these run from \d to 255"),
        (lambda x, y: binary_cross_entropy(x, y, weights=torch.ones(4, 5)), r"weights must be.*\(2, 4, 5\); got"),
        (lambda x, y: binary_cross_entropy(x, y, weights=[[1.0]]), "weights must be a tensor.*got list"),
        (lambda x, y: dice_loss(x, y, smooth=0), "smooth must be a number above 0"),
        (lambda x, y: dice_loss(x.expand(-1, 3, -1, -1), y + 2), "labels from 0 to 2"),
        (lambda x, y: focal_loss(x, y, gamma=-1), "gamma"),
        (lambda x, y: focal_loss(x, y, alpha=1.5), "alpha must be a number from 0 to 1"),
        (lambda x, y: focal_loss(x.expand(-1, 3, -1, -1), y, alpha=0.25), "with several classes leave it out"),
    ],
)
def test_what_is_refused_and_in_which_words(call, words):
    """A wrong shape is broadcast into a number that looks like a loss."""
    with pytest.raises(CourseError, match=words):
        call(*some(1))
