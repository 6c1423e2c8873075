"""YOLO v1: the published size, targets and loss by hand and against plain loops, decoding, and what is refused."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crashcourse.detection import box_iou, yolo_loss
from crashcourse.detection.yolo import Grid, boxes_of, decode, encode_batch, encode_targets, predict, stack_targets
from crashcourse.detection.yolo_loss import overlaps, yolo_v1_loss
from crashcourse.detection.yolo_network import SmallYolo, YoloV1, small_yolo, yolo_v1
from crashcourse.errors import CourseError
from crashcourse.inspection import count_parameters
from tests.contracts import CONTRACTS, ModelCase, overfits_one_batch

FORMS = pytest.mark.parametrize("per_box", [False, True], ids=["per cell", "per box"])
TINY = Grid(cells=2, boxes=2, classes=3)


def targets(boxes, labels, grid=TINY, size=(100, 100)):
    found = encode_targets(torch.tensor(boxes).reshape(-1, 4), torch.tensor(labels, dtype=torch.int64), grid, size)
    return stack_targets([found])


def test_the_published_network():
    """Fails if any layer is missing or has another width: 24 convolutions and two dense layers."""
    with torch.device("meta"):
        network = yolo_v1()
        assert network(torch.zeros(1, 3, 448, 448)).shape == (1, 7, 7, 30)
    assert count_parameters(network.features) == 60_155_968
    assert count_parameters(network) == 271_703_550
    assert sum(isinstance(layer, torch.nn.Conv2d) for layer in network.features) == 24


def test_stage_by_stage_shapes():
    """Fails if a stride or a pool moves."""
    sizes = []
    with torch.device("meta"):
        images = torch.zeros(1, 3, 448, 448)
        for layer in yolo_v1().features:
            images = layer(images)
            if not sizes or images.shape[-1] != sizes[-1][-1]:
                sizes.append((images.shape[1], images.shape[-1]))
    assert sizes == [(64, 224), (64, 112), (192, 56), (512, 28), (1024, 14), (1024, 7)]


@FORMS
def test_channels(per_box):
    """Fails if class scores are counted once for each box in the paper's form, or once for each cell in the other."""
    assert Grid(scores_per_box=per_box).channels == (50 if per_box else 30)


def test_targets_by_hand():
    """Fails if x and y, rows and columns, or parts of a cell and of the image are mixed up."""
    target = targets([[60.0, 10, 80, 60]], [2])
    assert target.has_object[0].tolist() == [[False, True], [False, False]]  # centre (70, 35): column 1, row 0
    assert target.xy[0, 0, 1].tolist() == pytest.approx([0.4, 0.7])
    assert target.wh[0, 0, 1].tolist() == pytest.approx([0.2, 0.5])
    assert target.labels[0, 0, 1] == 2


def test_an_image_need_not_be_square():
    target = targets([[150.0, 10, 170, 30]], [0], size=(100, 200))  # centre (160, 20)
    assert target.xy[0, 0, 1].tolist() == pytest.approx([0.6, 0.4])
    assert target.wh[0, 0, 1].tolist() == pytest.approx([0.1, 0.2])


def test_borders_nothing_and_two_in_one_cell():
    """Fails if a centre on the border has no cell, if nothing is an error, or if the second replaces the first."""
    assert targets([[98.0, 98, 102, 102]], [1]).has_object[0, 1, 1]
    assert targets([[98.0, 98, 102, 102]], [1]).xy[0, 1, 1].tolist() == [1, 1]
    assert not targets([], []).has_object.any()
    assert targets([[0.0, 0, 20, 20], [0, 0, 30, 30]], [1, 2]).labels[0, 0, 0] == 1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(*[st.floats(0.05, 0.95)] * 2, *[st.floats(0.02, 0.8)] * 2), max_size=4), st.integers(2, 7))
def test_targets_come_back_as_the_same_boxes(rows, cells):
    """Fails if encoding and decoding disagree by a cell, a root or a scale."""
    grid = Grid(cells=cells, boxes=1, classes=2)
    boxes = torch.tensor([[x - w / 2, y - h / 2, x + w / 2, y + h / 2] for x, y, w, h in rows]).reshape(-1, 4) * 96
    target = stack_targets([encode_targets(boxes, torch.ones(len(boxes), dtype=torch.int64), grid, (96, 96))])
    output = torch.cat(
        [
            torch.nn.functional.one_hot(target.labels, 2) * target.has_object[..., None],
            target.has_object[..., None],
            target.xy,
            target.wh.sqrt(),
        ],
        -1,
    )
    found, scores = decode(output, grid, (96, 96))
    assert int((scores[0].max(-1).values > 0).sum()) == int(target.has_object.sum())
    decoded = found[0][scores[0, :, 1] > 0]
    if len(decoded):
        assert bool((box_iou(decoded, boxes).amax(1) > 0.999).all())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(*[st.floats(0.05, 1)] * 2, *[st.floats(0.02, 0.8)] * 2), max_size=6), min_size=1, max_size=3
    ),
    st.integers(1, 5),
)
def test_a_batch_of_targets_is_the_targets_of_its_images(rows, cells):
    """Fails if the fast form gives an object to another cell or image, or lets a later object of a cell win."""
    grid, size = Grid(cells=cells, boxes=1, classes=9), (64, 96)
    scale = torch.tensor([96.0, 64.0, 96.0, 64.0])
    boxes = [
        torch.tensor([[x - w / 2, y - h / 2, x + w / 2, y + h / 2] for x, y, w, h in own]).reshape(-1, 4) * scale
        for own in rows
    ]
    labels = [torch.arange(len(own)) for own in boxes]
    slow = stack_targets([encode_targets(b, n, grid, size) for b, n in zip(boxes, labels, strict=True)])
    fast = encode_batch(boxes, labels, grid, size)
    for name in slow._fields:
        a, b = getattr(slow, name), getattr(fast, name)
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        assert torch.equal(a, b), name


@FORMS
def test_a_perfect_output_costs_nothing_and_each_error_its_own_term(per_box):
    """Fails if a weight is missing, if roots are taken of differences, or if a term leaks into another."""
    grid = Grid(2, 2, 3, scores_per_box=per_box)
    target = targets([[60.0, 10, 80, 60]], [2], grid)
    output = torch.zeros(1, 2, 2, grid.channels)
    found = grid.split(output)  # views
    if per_box:
        found.classes[0, 0, 1, 0, 2] = 1
    else:
        found.classes[0, 0, 1, 2] = 1
    found.confidence[0, 0, 1, 0] = 1
    found.xy[0, 0, 1, 0] = torch.tensor([0.4, 0.7])
    found.root_wh[0, 0, 1, 0] = torch.tensor([math.sqrt(0.2), math.sqrt(0.5)])
    assert yolo_v1_loss(output, target, grid).total.item() == pytest.approx(0, abs=1e-10)

    def near(*values):
        return pytest.approx(values, rel=1e-4, abs=1e-5)

    def with_change(name, index, value):
        changed = output.clone()
        getattr(grid.split(changed), name)[index] += value
        return yolo_v1_loss(changed, target, grid)

    by_name = with_change("confidence", (0, 1, 0, 1), 0.5)  # a cell without an object
    assert (by_name.no_object.item(), by_name.total.item()) == near(0.125, 0.125)
    by_name = with_change("confidence", (0, 0, 1, 1), 0.5)  # the box beside the responsible one
    assert (by_name.no_object.item(), by_name.object.item()) == near(0.125, 0)
    by_name = with_change("confidence", (0, 0, 1, 0), -0.4)
    assert (by_name.object.item(), by_name.total.item()) == near(0.16, 0.16)
    by_name = with_change("classes", (0, 0, 1, 0) if per_box else (0, 0, 1), 0.1)
    assert (by_name.classes.item(), by_name.total.item()) == near(0.03, 0.03)
    by_name = with_change("classes", (0, 1, 1), 0.7)  # no object: class scores are free
    assert by_name.total.item() == pytest.approx(0, abs=1e-10)
    by_name = with_change("xy", (0, 0, 1, 0, 0), 0.1)
    assert by_name.xy.item() == pytest.approx(5 * 0.01, rel=1e-4)
    assert by_name.object.item() > 0  # its target, the IoU, has fallen
    by_name = with_change("root_wh", (0, 0, 1, 0, 1), 0.1)
    assert by_name.wh.item() == pytest.approx(5 * 0.01, rel=1e-4)


def by_loops(output, boxes, labels, grid, size):
    """Equation 3 for one image, read aloud: sums over cells and boxes of plain numbers."""
    S, B, C = grid.cells, grid.boxes, grid.classes
    found = [part[0] for part in grid.split(output.double())]
    terms = dict.fromkeys(("xy", "wh", "object", "no_object", "classes"), 0.0)
    owner = {}
    for box, label in zip(boxes, labels, strict=True):
        x, y = (box[0] + box[2]) / 2 / size * S, (box[1] + box[3]) / 2 / size * S
        owner.setdefault((min(int(y), S - 1), min(int(x), S - 1)), (box, x, y, label))
    for i in range(S):
        for j in range(S):
            chosen = None
            if (i, j) in owner:
                box, x, y, label = owner[i, j]
                w, h = (box[2] - box[0]) / size, (box[3] - box[1]) / size
                ious, gaps = [], []
                for b in range(B):
                    px, py = found[2][i, j, b].tolist()
                    pw, ph = (found[3][i, j, b] ** 2).tolist()
                    cx, cy = (px + j) / S, (py + i) / S
                    mine = torch.tensor([[cx - pw / 2, cy - ph / 2, cx + pw / 2, cy + ph / 2]])
                    truth = torch.tensor([[x / S - w / 2, y / S - h / 2, x / S + w / 2, y / S + h / 2]])
                    ious.append(box_iou(mine, truth).item())
                    gaps.append(math.dist((cx, cy, pw, ph), (x / S, y / S, w, h)))
                chosen = ious.index(max(ious)) if max(ious) > 0 else gaps.index(min(gaps))
                terms["xy"] += 5 * sum((found[2][i, j, chosen] - torch.tensor([x - j, y - i])).pow(2).tolist())
                root = torch.tensor([math.sqrt(w), math.sqrt(h)])
                terms["wh"] += 5 * sum((found[3][i, j, chosen] - root).pow(2).tolist())
                terms["object"] += (found[1][i, j, chosen].item() - ious[chosen]) ** 2
                scores = found[0][i, j, chosen] if grid.scores_per_box else found[0][i, j]
                terms["classes"] += sum((scores[c].item() - (c == label)) ** 2 for c in range(C))
            for b in range(B):
                if b != chosen:
                    terms["no_object"] += 0.5 * found[1][i, j, b].item() ** 2
    return terms


CASES = {
    "no object": ([], []),
    "one object": ([[10.0, 20, 50, 44]], [1]),
    "on the border": ([[80.0, 70, 96, 96]], [0]),
    "two in one cell": ([[10.0, 10, 22, 20], [8, 8, 26, 26]], [2, 0]),
    "several": ([[10.0, 20, 50, 44], [60, 60, 90, 95], [70, 5, 80, 15]], [1, 2, 0]),
}


@FORMS
@pytest.mark.parametrize("case", CASES, ids=CASES)
@pytest.mark.parametrize("seed", range(4))
def test_the_loss_equals_plain_loops_and_its_gradient_is_right(case, per_box, seed, monkeypatch):
    """Fails for any error in indices, masks, responsibility or weights; the gradient is checked numerically."""
    boxes, labels = CASES[case]
    grid = Grid(3, 2, 3, scores_per_box=per_box)
    target = targets(boxes, labels, grid, (96, 96))
    torch.manual_seed(seed)
    output = torch.rand(1, 3, 3, grid.channels, dtype=torch.float64)
    if seed == 3:  # boxes so small that none meets an object
        grid.split(output).root_wh.mul_(1e-3)
    expected = by_loops(output, boxes, labels, grid, 96)
    assert {
        name: value.item() for name, value in yolo_v1_loss(output, target, grid)._asdict().items()
    } == pytest.approx(expected, rel=1e-5, abs=1e-9)
    output.requires_grad_()
    loss = yolo_v1_loss(output, target, grid)
    for name, value in loss._asdict().items():
        (gradient,) = torch.autograd.grad(value, output, retain_graph=True)
        assert gradient.isfinite().all(), name
    fixed = overlaps(grid.split(output.detach()), target, grid)  # the target of `object` moves without gradient
    monkeypatch.setattr(yolo_loss, "overlaps", lambda *arguments: fixed)
    assert torch.autograd.gradcheck(lambda values: yolo_v1_loss(values, target, grid).total, output)
    (frozen,) = torch.autograd.grad(yolo_v1_loss(output, target, grid).total, output)
    (ours,) = torch.autograd.grad(loss.total, output)
    assert torch.equal(ours, frozen)


def test_a_batch_is_the_mean_of_its_images():
    """Fails if the loss is divided by cells or boxes, or not by images."""
    grid = Grid(3, 2, 3)
    output = torch.rand(2, 3, 3, grid.channels)
    both = [encode_targets(torch.tensor(b).reshape(-1, 4), torch.tensor(n), grid, (96, 96)) for b, n in
            (CASES["several"], CASES["one object"])]  # fmt: skip
    alone = [yolo_v1_loss(output[i : i + 1], stack_targets(both[i : i + 1]), grid).total for i in (0, 1)]
    assert yolo_v1_loss(output, stack_targets(both), grid).total.item() == pytest.approx((sum(alone) / 2).item())


def test_prediction_scores_by_class_times_confidence_and_suppresses():
    """Fails if scores are confidences alone, if boxes leave the image, or if low scores stay."""
    grid = Grid(2, 2, 3)
    output = torch.zeros(1, 2, 2, grid.channels)
    found = grid.split(output)
    found.classes[0, 0, 0] = torch.tensor([0.1, 0.9, 0.0])
    found.confidence[0, 0, 0] = torch.tensor([0.8, 0.6])
    found.xy[0, 0, 0] = 0.5
    found.root_wh[0, 0, 0] = torch.tensor([[0.9, 0.9], [0.88, 0.88]])
    (result,) = predict(lambda images: output, torch.zeros(1, 3, 100, 100), grid)
    assert result["labels"].tolist() == [1]
    assert result["scores"].tolist() == pytest.approx([0.72])
    assert result["boxes"][0].tolist() == pytest.approx([0, 0, 65.5, 65.5])
    (none,) = predict(lambda images: output, torch.zeros(1, 3, 100, 100), grid, least_score=0.8)
    assert none["boxes"].shape == (0, 4)


def test_a_box_is_an_answer_for_every_class_that_scores():
    """Fails if only the best class of a box answers, if classes suppress each other, or if the worst answers stay."""
    grid = Grid(2, 1, 3)
    output = torch.zeros(1, 2, 2, grid.channels)
    found = grid.split(output)
    found.classes[0, 0, 0] = torch.tensor([0.5, 0.9, 0.02])
    found.classes[0, 1, 1] = torch.tensor([0.0, 0.0, 0.6])
    found.confidence[0, [0, 1], [0, 1]] = 1
    found.xy[0] = 0.5
    found.root_wh[0] = 0.5
    (result,) = predict(lambda images: output, torch.zeros(1, 3, 100, 100), grid, least_score=0.1)
    assert result["labels"].tolist() == [1, 2, 0]
    assert result["scores"].tolist() == pytest.approx([0.9, 0.6, 0.5])
    assert torch.equal(result["boxes"][0], result["boxes"][2])
    (best,) = predict(lambda images: output, torch.zeros(1, 3, 100, 100), grid, least_score=0.1, most=2)
    assert best["labels"].tolist() == [1, 2]


def test_boxes_outside_the_image_are_no_answers():
    """Fails if a box that is cut off to nothing stays, or one that reaches over the border goes."""
    grid = Grid(2, 2, 1)
    output = torch.zeros(1, 2, 2, grid.channels)
    found = grid.split(output)
    found.classes[0, 0, 0, 0] = 1
    found.confidence[0, 0, 0] = torch.tensor([0.9, 0.8])
    found.xy[0, 0, 0] = torch.tensor([[-0.6, 0.5], [-0.1, 0.5]])  # centres at -30 and -5
    found.root_wh[0, 0, 0] = 0.2**0.5
    (result,) = predict(lambda images: output, torch.zeros(1, 3, 100, 100), grid)
    assert result["scores"].tolist() == pytest.approx([0.8])
    assert result["boxes"][0].tolist() == pytest.approx([0, 15, 5, 35], abs=1e-4)


SMALL = ModelCase("small_yolo", lambda: small_yolo(3, cells=3, width=8), (3, 3, 48, 48), (3, 3, 3, 13))


@pytest.mark.parametrize("contract", [c for c in CONTRACTS if c is not overfits_one_batch], ids=lambda c: c.__name__)
def test_the_small_network_keeps_the_contract(contract):
    """Instead of `overfits_one_batch`, which needs one label an image: `test_the_small_network_learns_its_batch`."""
    contract(SMALL)


def test_the_small_network_stage_by_stage():
    """Fails if the stem works at full size, which costs most of the time, or if a stage loses a convolution."""
    model, shapes = small_yolo(), []
    features = torch.zeros(1, 3, 112, 112)
    for layer in model.features:
        features = layer(features)
        if isinstance(layer, torch.nn.Conv2d):
            shapes.append(tuple(features.shape[1:]))
    assert shapes == [(24, 28, 28), (24, 28, 28), (48, 14, 14), (48, 14, 14), (96, 7, 7), (96, 7, 7)]
    assert count_parameters(model) == 163_983
    deeper = SmallYolo(model.grid, width=8, stages=(0, 2, 3))
    widths = [layer.out_channels for layer in deeper.features if isinstance(layer, torch.nn.Conv2d)]
    assert widths == [8, 16, 16, 16, 32, 32, 32, 32]


def test_the_small_network_begins_with_boxes_in_the_middle_of_their_cells():
    """Fails if the head's biases stand at other channels: then training begins with boxes of no size."""
    torch.manual_seed(0)
    model = small_yolo(3, cells=3, width=8).eval()
    with torch.no_grad():
        found = model.grid.split(model(torch.rand(2, 3, 48, 48)))
    assert (found.xy - 0.5).abs().max() < 0.2
    assert (found.root_wh - 0.5).abs().max() < 0.2
    assert found.confidence.abs().max() < 0.2
    assert found.classes.abs().max() < 0.2


def test_the_small_network_learns_its_batch():
    """Fails if a sign, a mask or the order of the output is wrong: then four scenes cannot be learned by heart."""
    torch.manual_seed(0)
    model = small_yolo(classes=2, cells=3, width=8)
    images = torch.rand(4, 3, 48, 48)
    boxes = [[[4.0, 4, 20, 20]], [[20.0, 10, 44, 40]], [[10.0, 28, 30, 46]], [[2.0, 2, 40, 16]]]
    goal = stack_targets(
        [encode_targets(torch.tensor(b), torch.tensor([i % 2]), model.grid, (48, 48)) for i, b in enumerate(boxes)]
    )
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(120):
        optimizer.zero_grad()
        yolo_v1_loss(model(images), goal, model.grid).total.backward()
        optimizer.step()
    for i, result in enumerate(predict(model, images, model.grid)):  # batch statistics, as they were learned with
        assert result["labels"][0] == i % 2
        assert box_iou(result["boxes"][:1], torch.tensor(boxes[i])).item() > 0.7


def test_boxes_of_a_cell():
    assert boxes_of(torch.full((2, 2, 1, 2), 0.5), torch.full((2, 2, 1, 2), 0.5), TINY)[1, 0, 0].tolist() == [
        0,
        0.5,
        0.5,
        1,
    ]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Grid(cells=0), "cells"),
        (lambda: Grid(classes=2.5), "classes"),
        (lambda: TINY.split(torch.zeros(1, 2, 2, 12)), "\\(N, 2, 2, 13\\)"),
        (lambda: targets([[10.0, 10, 10, 20]], [0]), "x1 < x2"),
        (lambda: targets([[10.0, 10, 10, 10]], [0]), "x1 < x2"),
        (lambda: targets([[10.0, 10, 20, 20]], [3]), "between 0 and 2"),
        (lambda: targets([[110.0, 10, 120, 20]], [0]), "outside the 100×100 image"),
        (lambda: targets([[10.0, 10, 20, 20]], [0, 1]), "each box needs one"),
        (lambda: encode_batch([torch.tensor([[5.0, 5, 5, 9]])], [torch.tensor([0])], TINY, (9, 9)), "x1 < x2"),
        (lambda: small_yolo()(torch.zeros(1, 3, 64, 64)), "112"),
        (lambda: SmallYolo(TINY, stages=(1, 1)), "three stages"),
        (lambda: YoloV1(TINY, hidden=8)(torch.zeros(1, 3, 448, 448)), "128"),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(CourseError, match=sentence):
        call()
