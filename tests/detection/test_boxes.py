"""Boxes: hand-worked numbers, torchvision's functions as oracle, what always holds, and what is refused."""

import itertools

import pytest
import torch
import torchvision.ops
from hypothesis import given, settings
from hypothesis import strategies as st

from crashcourse.detection import box_area, box_iou, clip_boxes, convert_boxes, generalized_box_iou
from crashcourse.detection.boxes import FORMATS, check_objects
from crashcourse.errors import CourseError


def random_boxes(count: int, seed: int = 0, side: float = 100) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * side
    return torch.cat([corner, corner + 1 + torch.rand(count, 2, generator=generator) * side / 2], 1)


@st.composite
def box_sets(draw, most: int = 6):
    number = st.integers(0, 20)
    rows = draw(st.lists(st.tuples(number, number, st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=most))
    return torch.tensor([[x, y, x + w, y + h] for x, y, w, h in rows], dtype=torch.float32)


def test_a_box_in_three_formats_by_hand():
    """Fails if a corner is taken for a centre, or a size for a corner."""
    corners = torch.tensor([10.0, 20.0, 30.0, 60.0])
    assert convert_boxes(corners, "xyxy", "xywh").tolist() == [10, 20, 20, 40]
    assert convert_boxes(corners, "xyxy", "cxcywh").tolist() == [20, 40, 20, 40]


@pytest.mark.parametrize(("start", "end"), list(itertools.product(FORMATS, FORMATS)))
def test_conversion_equals_torchvision_and_comes_back(start, end):
    """Fails if any of the nine ways is wrong, or changes its input."""
    boxes = random_boxes(50)
    given_boxes = convert_boxes(boxes, "xyxy", start)
    before = given_boxes.clone()
    there = convert_boxes(given_boxes, start, end)
    assert torch.allclose(there, torchvision.ops.box_convert(given_boxes, start, end), atol=1e-4)
    assert torch.allclose(convert_boxes(there, end, start), before, atol=1e-4)
    assert torch.equal(given_boxes, before)


def test_iou_by_hand():
    """Fails with +1 on widths, without the intersection taken off the union, or where boxes only touch."""
    box = torch.tensor([[0.0, 0.0, 2.0, 2.0]])
    others = torch.tensor([[1.0, 0.0, 3.0, 2.0], [0, 0, 2, 2], [2, 0, 4, 2], [0.5, 0.5, 1.5, 1.5], [5, 5, 6, 6]])
    assert torch.allclose(box_iou(box, others)[0], torch.tensor([1 / 3, 1, 0, 1 / 4, 0]))
    # enclosing areas 6, 4, 8, 4, 36; unions 6, 4, 8, 4, 5
    expected = torch.tensor([1 / 3, 1, 0, 1 / 4, -(36 - 5) / 36])
    assert torch.allclose(generalized_box_iou(box, others)[0], expected)


def test_iou_equals_torchvision():
    """Fails if a pair is put in the wrong row or column."""
    a, b = random_boxes(40), random_boxes(30, seed=1)
    assert torch.allclose(box_iou(a, b), torchvision.ops.box_iou(a, b), atol=1e-6)
    assert torch.allclose(generalized_box_iou(a, b), torchvision.ops.generalized_box_iou(a, b), atol=1e-6)
    assert torch.allclose(box_area(a), torchvision.ops.box_area(a))


@settings(max_examples=60, deadline=None)
@given(box_sets(), box_sets())
def test_iou_is_symmetric_within_bounds_and_one_only_on_itself(a, b):
    """Fails for any asymmetry, and for a box that counts as another."""
    iou, generalized = box_iou(a, b), generalized_box_iou(a, b)
    assert torch.equal(iou, box_iou(b, a).T)
    assert torch.equal(generalized, generalized_box_iou(b, a).T)
    assert bool(((iou >= 0) & (iou <= 1) & (generalized > -1)).all())
    same = (a[:, None] == b[None]).all(-1)
    assert torch.equal(iou == 1, same)
    assert torch.equal(generalized == 1, same)
    assert bool((generalized <= iou).all())


SIDES = st.floats(0, 1e4, width=32)
EXTENTS = st.floats(2**-10, 1e4, width=32)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(SIDES, SIDES, EXTENTS, EXTENTS), min_size=1, max_size=8))
def test_iou_stays_within_bounds_when_floats_are_rounded(rows):
    """Fails if rounding gives an IoU above 1, makes it depend on the order, or gives 1 to boxes that clearly differ."""
    corner, size = torch.tensor(rows).split(2, 1)
    boxes = torch.cat([corner, corner + size], 1)
    boxes = torch.cat([boxes, boxes * (1 + 2**-20)])  # and one beside each that is nearly the same
    iou = box_iou(boxes, boxes)
    assert torch.equal(iou, iou.T)
    assert bool(((iou >= 0) & (iou <= 1)).all())
    real = box_area(boxes) > 0  # a small box far out may have lost its area
    assert bool((iou.diagonal()[real] == 1).all())
    apart = (boxes[:, None] - boxes[None]).abs().amax(-1) > 1e-3 * (boxes[:, 2:] - boxes[:, :2]).amax(1)
    assert not bool((iou[apart] == 1).any())


@settings(max_examples=60, deadline=None)
@given(box_sets(), st.floats(-50, 50), st.floats(0.1, 20))
def test_iou_does_not_depend_on_place_and_unit(boxes, shift, scale):
    """Fails if the coordinates themselves enter, such as with +1 on widths: metres must give what pixels give."""
    iou = box_iou(boxes, boxes)
    assert torch.allclose(box_iou(boxes * scale + shift, boxes * scale + shift), iou, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_areas_of_half_precision_boxes_do_not_overflow(dtype):
    """Fails if float16 multiplies 256 by 256: infinity over infinity is NaN."""
    boxes = torch.tensor([[0.0, 0, 512, 256], [0, 0, 512, 512]], dtype=dtype)
    assert box_area(boxes).tolist() == [512 * 256, 512 * 512]
    assert box_iou(boxes, boxes).tolist() == [[1, 0.5], [0.5, 1]]
    assert generalized_box_iou(boxes, boxes).tolist() == [[1, 0.5], [0.5, 1]]


def test_no_boxes_and_boxes_without_area_give_numbers():
    """Fails with NaN where 0 is divided by 0."""
    none, flat = torch.zeros(0, 4), torch.tensor([[1.0, 1.0, 1.0, 5.0]])
    assert box_iou(none, flat).shape == (0, 1)
    assert box_iou(flat, flat).item() == 0
    assert box_area(torch.tensor([[5.0, 5.0, 1.0, 1.0]])).item() == 0
    assert generalized_box_iou(flat, flat).isfinite().all()


def test_generalized_iou_pulls_boxes_together_where_iou_cannot():
    """Fails if the enclosing term has no gradient."""
    box = torch.tensor([[10.0, 0.0, 12.0, 2.0]], requires_grad=True)
    target = torch.tensor([[0.0, 0.0, 2.0, 2.0]])
    assert torch.autograd.grad(box_iou(box, target).sum(), box)[0].abs().sum() == 0
    gradient = torch.autograd.grad(generalized_box_iou(box, target).sum(), box)[0]
    assert gradient[0, 0] < 0  # a left edge further to the left, towards the target, would be better


def test_clipping():
    """Fails if height and width are exchanged, or a box beside the image keeps an area."""
    boxes = torch.tensor([[-5.0, -5.0, 50.0, 8.0], [20.0, 3.0, 28.0, 9.0], [40, 20, 50, 30]])
    clipped = clip_boxes(boxes, (10, 30))
    assert clipped.tolist() == [[0, 0, 30, 8], [20, 3, 28, 9], [30, 10, 30, 10]]
    assert box_area(clipped)[2] == 0
    random = random_boxes(50) - 20
    assert torch.equal(clip_boxes(random, (60, 80)), torchvision.ops.clip_boxes_to_image(random, (60, 80)))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: box_iou(torch.zeros(4), torch.zeros(1, 4)), "shape \\(N, 4\\)"),
        (lambda: box_iou(torch.zeros(1, 5), torch.zeros(1, 4)), "four numbers"),
        (lambda: box_iou(torch.zeros(1, 4, dtype=torch.int64), torch.zeros(1, 4)), "float"),
        (lambda: box_area([[0, 0, 1, 1]]), "tensor"),
        (lambda: convert_boxes(torch.zeros(1, 4), "xyxy", "xyhw"), "xywh"),
        (lambda: clip_boxes(torch.zeros(1, 4), 30), "height, width"),
        (lambda: clip_boxes(torch.zeros(1, 4), (30, 0)), "above 0"),
        (lambda: check_objects(torch.tensor([[0.0, 0, 5, 5], [3, 3, 3, 9]])), "Box 1 is"),
        (lambda: check_objects(torch.tensor([[9.0, 0, 5, 5]])), "x1 < x2"),
        (lambda: check_objects(torch.tensor([[0.0, 0, float("nan"), 5]])), "finite"),
    ],
)
def test_what_is_not_a_box_is_refused(call, sentence):
    with pytest.raises(CourseError, match=sentence):
        call()
