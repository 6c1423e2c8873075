"""SSD's default boxes, offsets and matching: by hand, against plain loops, against torchvision, and what is refused."""

import math
from itertools import product

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torchvision.models.detection._utils import BoxCoder, SSDMatcher
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.image_list import ImageList

from crashcourse.detection import box_iou, convert_boxes
from crashcourse.detection.ssd_boxes import (
    SSD300,
    SSD300_COCO,
    VARIANCES,
    DefaultBoxes,
    decode_offsets,
    encode_offsets,
    encode_ssd_targets,
    match_defaults,
    stack_ssd_targets,
)
from crashcourse.errors import CourseError
from tests.detection.test_boxes import random_boxes

TINY = DefaultBoxes(40, (2, 1), (20, 40), (10, 20, 30), ((2,), ()))
FORMS = {"paper": SSD300, "torchvision": SSD300_COCO}
FORM = pytest.mark.parametrize("form", FORMS)


@FORM
def test_there_are_8732(form):
    """Fails if a map, a place or a shape is missing: 38² · 4 + 19² · 6 + 10² · 6 + 5² · 6 + 3² · 4 + 4."""
    layout = FORMS[form]
    assert layout.per_place == (4, 6, 6, 6, 4, 4)
    assert layout.counts == (5776, 2166, 600, 150, 36, 4)
    assert len(layout) == len(layout.boxes) == 8732


@FORM
def test_the_boxes_are_torchvisions(form):
    """Fails if order, centres or shapes differ from the only other implementation at hand; theirs takes both forms."""
    scales = [size / 300 for size in FORMS[form].sizes]
    steps, ratios = list(FORMS[form].steps), [list(own) for own in FORMS[form].ratios]
    generator = DefaultBoxGenerator(ratios, scales=scales, steps=steps, clip=form == "torchvision")
    maps = [torch.zeros(1, 1, side, side) for side in FORMS[form].maps]
    (theirs,) = generator(ImageList(torch.zeros(1, 3, 300, 300), [(300, 300)]), maps)
    torch.testing.assert_close(FORMS[form].boxes, theirs, rtol=0, atol=1e-4)


def test_the_boxes_of_the_authors_by_plain_loops():
    """Fails if the paper's form differs from the authors' rule, read aloud: percents, then loops over everything."""
    step = math.floor((90 - 20) / (6 - 2))  # of equation 4, over the five maps after the first
    percents = [10, *range(20, 91, step), 105]
    expected = []
    for k, (side, pixels) in enumerate(zip((38, 19, 10, 5, 3, 1), (8, 16, 32, 64, 100, 300), strict=True)):
        small, large = 300 * percents[k] / 100, 300 * percents[k + 1] / 100
        for row, column in product(range(side), repeat=2):
            x, y = (column + 0.5) * pixels, (row + 0.5) * pixels
            shapes = [(small, small), (math.sqrt(small * large),) * 2]
            for ratio in (2,) if k in (0, 4, 5) else (2, 3):
                shapes += [
                    (small * math.sqrt(ratio), small / math.sqrt(ratio)),
                    (small / math.sqrt(ratio), small * math.sqrt(ratio)),
                ]
            expected += [(x - w / 2, y - h / 2, x + w / 2, y + h / 2) for w, h in shapes]
    torch.testing.assert_close(SSD300.boxes, torch.tensor(expected), rtol=0, atol=1e-4)


def test_a_tiny_layout_by_hand():
    """Fails if rows and columns, width and height, or s and the next s are mixed up."""
    assert TINY.counts == (16, 2)
    boxes = convert_boxes(TINY.boxes, "xyxy", "cxcywh")
    assert boxes[::4, :2][:4].tolist() == [[10, 10], [30, 10], [10, 30], [30, 30]]  # along the row first
    root = math.sqrt
    shapes = [[10, 10], [root(200), root(200)], [10 * root(2), 10 / root(2)], [10 / root(2), 10 * root(2)]]
    assert torch.allclose(boxes[4:8, 2:], torch.tensor(shapes), atol=1e-5)
    assert torch.allclose(boxes[16:], torch.tensor([[20, 20, 20, 20], [20, 20, root(600), root(600)]]), atol=1e-5)


def test_areas_and_clipping():
    """Fails if a ratio changes the area, or if clipping touches centres, the paper's form, or sides that fit."""
    for number in range(6):
        areas = SSD300.shapes(number).prod(1)
        assert torch.allclose(areas[[0, *range(2, len(areas))]], torch.tensor(float(SSD300.sizes[number]) ** 2))
    assert SSD300.shapes(5).max() > 300
    assert SSD300_COCO.shapes(5).max() == 300
    assert SSD300.boxes.min() < 0  # at the border a box reaches beyond the image
    assert SSD300.boxes.max() > 300


def test_boxes_on_the_cpu_while_a_network_is_made_of_shapes():
    """Fails if the first use under another default device spoils the boxes for good."""
    layout = DefaultBoxes(40, (2,), (20,), (10, 20), ((),))
    with torch.device("meta"):
        assert layout.boxes.sum() == 20 * 4 * 8


# ---- offsets


def test_offsets_by_hand():
    """Fails if a variance is missing or multiplied, or if the division is by the object's size."""
    default, box = torch.tensor([[10.0, 10, 30, 50]]), torch.tensor([[14.0, 14, 54, 54]])
    # centres (20, 30) and (34, 34); sizes 20×40 and 40×40
    expected = [14 / 20 / 0.1, 4 / 40 / 0.1, math.log(2) / 0.2, 0.0]
    assert encode_offsets(box, default)[0].tolist() == pytest.approx(expected, abs=1e-5)
    plain = encode_offsets(box, default, variances=(1, 1, 1, 1))[0].tolist()
    assert plain == pytest.approx([0.7, 0.1, math.log(2), 0], abs=1e-6)
    assert decode_offsets(torch.tensor([expected]), default)[0].tolist() == pytest.approx(box[0].tolist(), abs=1e-4)
    assert encode_offsets(default, default).abs().max() == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.floats(-20, 120)] * 4, *[st.floats(0.5, 150)] * 4), min_size=1, max_size=5))
def test_offsets_come_back_as_the_same_boxes(rows):
    """Fails if encoding and decoding disagree by a variance, a logarithm or a corner."""
    values = torch.tensor(rows, dtype=torch.float64)
    boxes, defaults = (
        convert_boxes(torch.cat([values[:, :2], values[:, 4:6]], 1), "cxcywh", "xyxy"),
        convert_boxes(torch.cat([values[:, 2:4], values[:, 6:]], 1), "cxcywh", "xyxy"),
    )
    assume(bool((boxes[:, 2:] - boxes[:, :2] < 60 * (defaults[:, 2:] - defaults[:, :2])).all()))
    torch.testing.assert_close(decode_offsets(encode_offsets(boxes, defaults), defaults), boxes, rtol=1e-8, atol=1e-7)


def test_offsets_are_torchvisions():
    """Fails if the two would need other weights, or treat the largest size differently."""
    coder = BoxCoder((10.0, 10.0, 5.0, 5.0))
    boxes, defaults = random_boxes(50, seed=1), random_boxes(50, seed=2)
    theirs = coder.encode_single(boxes, defaults)
    torch.testing.assert_close(encode_offsets(boxes, defaults), theirs, rtol=1e-5, atol=1e-5)
    wild = 40 * torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    decoded = decode_offsets(wild, defaults)
    torch.testing.assert_close(decoded, coder.decode_single(wild, defaults), rtol=1e-5, atol=1e-2)
    assert decoded.isfinite().all()
    assert decode_offsets(torch.full((1, 4), 1e4), defaults[:1]).isfinite().all()


def test_decoding_a_batch_is_decoding_its_images():
    """Fails if broadcasting pairs an offset with another default box."""
    defaults = random_boxes(6, seed=3)
    offsets = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    together = decode_offsets(offsets, defaults)
    assert torch.equal(together, torch.stack([decode_offsets(own, defaults) for own in offsets]))
    assert VARIANCES == (0.1, 0.1, 0.2, 0.2)


# ---- matching


def squares(*corners, side=10.0):
    return torch.tensor([[x, y, x + side, y + side] for x, y in corners])


def test_matching_by_hand():
    """Fails if the best default box of a bad fit is lost, if the threshold is not one, or if objects are swapped."""
    defaults = squares((0, 0), (2, 0), (30, 0), (60, 60))
    objects = squares((1, 0), (36, 0))  # IoU 9/11 with both of the first; 4/16 with the third
    assert match_defaults(defaults, objects).tolist() == [0, 0, 1, -1]
    assert match_defaults(defaults, objects, threshold=0.9).tolist() == [0, -1, 1, -1]
    assert match_defaults(defaults, objects.flip(0)).tolist() == [1, 1, 0, -1]


def test_exactly_at_the_threshold_is_not_above():
    """Fails if "higher than a threshold (0.5)" becomes "at least"."""
    defaults = torch.tensor([[0.0, 0, 10, 10], [0.0, 0, 10, 20]])
    assert box_iou(defaults[:1], defaults[1:]).item() == 0.5
    assert match_defaults(defaults, defaults[:1]).tolist() == [0, -1]


def test_nothing_to_match():
    assert match_defaults(TINY.boxes, torch.zeros(0, 4)).tolist() == [-1] * 18


def test_two_objects_that_want_the_same_default_box():
    """Fails if one of two objects goes away empty, which is what a plain assignment of the best does."""
    defaults = squares((0, 0), (7, 0), (50, 50))
    objects = squares((1, 0), (0, 0))  # both fit the first best; the second perfectly
    assert box_iou(objects, defaults).argmax(1).tolist() == [0, 0]
    assert match_defaults(defaults, objects).tolist() == [1, 0, -1]
    assert match_defaults(defaults, objects.flip(0)).tolist() == [0, 1, -1]
    three = squares((1, 0), (0, 0), (0, 1))  # more objects than default boxes
    assert sorted(match_defaults(defaults[:2], three).tolist()) != [-1, -1]


def by_loops(defaults, objects, threshold):
    """The authors' rule, read aloud: the best pair of all, again and again; then whoever overlaps enough."""
    iou = [[box_iou(d[None], o[None]).item() for o in objects] for d in defaults]
    owner = [-1] * len(defaults)
    free = set(range(len(objects)))
    while free and -1 in owner:
        pairs = [(iou[d][o], -o, -d) for d in range(len(defaults)) if owner[d] < 0 for o in free]
        _, o, d = max(pairs)
        owner[-d] = -o
        free.remove(-o)
    for d in range(len(defaults)):
        if owner[d] < 0:
            best = max(range(len(objects)), key=lambda o: iou[d][o])
            if iou[d][best] > threshold:
                owner[d] = best
    return owner


@pytest.mark.parametrize("seed", range(12))
def test_matching_equals_plain_loops(seed):
    """Fails for any error in the order of the two rules, also where objects want the same default box."""
    defaults = random_boxes(14, seed=seed)
    objects = random_boxes(1 + seed % 5, seed=100 + seed)
    if seed % 3 == 0:
        objects = torch.cat([objects, objects + 0.25])
    assert match_defaults(defaults, objects).tolist() == by_loops(defaults, objects, 0.5)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.floats(0, 260)] * 2, *[st.floats(4, 280)] * 2), min_size=1, max_size=8, unique=True))
def test_every_object_is_learned_and_every_other_match_overlaps(rows):
    """Fails if an object has no default box, or a default box learns one that it does not overlap."""
    objects = torch.tensor([[x, y, min(x + w, 300), min(y + h, 300)] for x, y, w, h in rows])
    matched = match_defaults(SSD300.boxes, objects)
    assert set(range(len(objects))) <= set(matched.tolist())
    iou = box_iou(objects, SSD300.boxes)
    mine = matched >= 0
    low = iou[matched[mine], mine.nonzero()[:, 0]] <= 0.5
    assert int(low.sum()) <= len(objects)
    assert not bool((iou.amax(0)[~mine] > 0.5).any())


@pytest.mark.parametrize("seed", range(6))
def test_matching_is_torchvisions_where_no_two_want_the_same(seed):
    """Fails if we and torchvision disagree on anything but two objects with one best default box."""
    objects = random_boxes(6, seed=seed, side=180)
    iou = box_iou(objects, SSD300_COCO.boxes)
    assert len(iou.argmax(1).unique()) == 6, "this test would compare what is meant to differ"
    assert torch.equal(match_defaults(SSD300_COCO.boxes, objects), SSDMatcher(0.5)(iou).clamp(min=-1))


# ---- targets


def test_targets_by_hand():
    """Fails if labels are shifted, or if offsets are those of another object."""
    boxes, labels = torch.tensor([[0.0, 0, 20, 20], [22.0, 21, 38, 40]]), torch.tensor([3, 1])
    target = encode_ssd_targets(boxes, labels, TINY, 4)
    matched = match_defaults(TINY.boxes, boxes)
    assert target.labels.tolist() == [0 if own < 0 else int(labels[own]) for own in matched.tolist()]
    for place in range(len(TINY)):
        own = int(matched[place])
        expected = encode_offsets(boxes[own][None], TINY.boxes[place][None])[0] if own >= 0 else torch.zeros(4)
        assert torch.equal(target.offsets[place], expected)
    both = stack_ssd_targets([target, encode_ssd_targets(boxes[:0], labels[:0], TINY, 4)])
    assert both.labels.shape == (2, 18)
    assert both.labels[1].sum() == both.offsets[1].abs().sum() == 0


def test_a_box_on_the_border_is_learned_as_it_is():
    """Fails if it is cut off, or refused: only its centre has to lie in the image."""
    target = encode_ssd_targets(torch.tensor([[30.0, 30, 50, 50]]), torch.tensor([1]), TINY, 2)
    mine = target.labels == 1
    assert int(mine.sum()) >= 1
    decoded = decode_offsets(target.offsets[mine], TINY.boxes[mine])
    assert torch.allclose(decoded, torch.tensor([30.0, 30, 50, 50]), atol=1e-4)


def targets(box, label=1):
    return encode_ssd_targets(torch.tensor([box]), torch.tensor([label]), TINY, 3)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: targets([10.0, 10, 10, 20]), "Box 0 is .*x1 < x2"),
        (lambda: targets([10.0, 10, float("nan"), 20]), "finite"),
        (lambda: targets([41.0, 10, 60, 20]), "outside the 40×40 image"),
        (lambda: targets([10.0, 10, 20, 20], 0), "between 1 and 2.*Add 1"),
        (lambda: targets([10.0, 10, 20, 20], 3), "between 1 and 2"),
        (lambda: encode_ssd_targets(torch.ones(0, 4), torch.tensor([1]), TINY, 3), "each needs one"),
        (lambda: encode_offsets(torch.rand(3, 4), torch.rand(2, 4)), "expected \\(..., 2, 4\\)"),
        (lambda: encode_offsets(torch.rand(2, 5), torch.rand(2, 4)), "expected \\(..., 2, 4\\)"),
        (lambda: decode_offsets(torch.rand(2, 4), torch.rand(2, 4).long()), "float"),
        (lambda: match_defaults(torch.rand(4), torch.rand(0, 4)), "shape \\(N, 4\\)"),
        (lambda: DefaultBoxes(40, (2,), (20,), (10,), ((),)), "one size more"),
        (lambda: DefaultBoxes(40, (2,), (0,), (10, 20), ((),)), "above 0"),
        (lambda: DefaultBoxes(40, (), (), (10,), ()), "one size more"),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(CourseError, match=sentence):
        call()
