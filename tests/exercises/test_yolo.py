"""The references of lesson 21 are the package's own functions in other clothes."""

import pytest
import torch
import torch.nn.functional as F

from crashcourse.detection.yolo import Grid, decode, encode_targets, stack_targets
from crashcourse.detection.yolo_loss import overlaps, responsible, yolo_v1_loss
from crashcourse.exercises.yolo import EXERCISES, decode_cells, encode_cells, responsible_box, yolo_terms
from crashcourse.exercises.yolo_loss_mistakes import terms_with

TERMS = next(exercise for exercise in EXERCISES if exercise.name == "detection.yolo_terms")
GRID = Grid(cells=4, boxes=2, classes=3)
SIZE = 64


def drawn(seed, count=4):
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * 44
    boxes = torch.cat([corner, corner + 3 + torch.rand(count, 2, generator=generator) * 16], 1)
    labels = torch.randint(3, (count,), generator=generator)
    output = 0.05 + 0.9 * torch.rand(1, 4, 4, GRID.channels, generator=generator)
    return boxes, labels, output


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [0, 4])
def test_the_references_are_right(seed, count):
    """Fails if a right answer would be refused, or the lesson taught another rule than the package's."""
    boxes, labels, output = drawn(seed, count)
    target = encode_targets(boxes, labels, GRID, (SIZE, SIZE))
    goal = encode_cells(boxes, GRID.cells, SIZE)
    where = target.has_object[..., None]
    assert torch.allclose(goal, torch.cat([target.xy, target.wh, where.float()], -1), atol=1e-5)

    batch, found = stack_targets([target]), GRID.split(output)
    iou, distance = overlaps(found, batch, GRID)
    mine = responsible_box(iou[0], target.has_object)
    meets = iou.amax(-1, keepdim=True) > 0  # elsewhere the package takes the nearest box, the exercise the first
    assert torch.equal((mine & meets[0]), (responsible(iou, distance, batch.has_object) & meets)[0])

    one_hot = F.one_hot(target.labels, GRID.classes) * where
    mine = responsible(iou, distance, batch.has_object)[0]
    pieces = (found.xy[0], found.root_wh[0], found.confidence[0], found.classes[0])
    terms = yolo_terms(*pieces, goal, one_hot.float(), iou[0], mine)
    expected = yolo_v1_loss(output, batch, GRID)._asdict()
    assert list(terms) == list(expected)
    for name, value in terms.items():
        assert value.item() == pytest.approx(expected[name].item(), abs=1e-5), name

    theirs, scores = decode(output, GRID, (SIZE, SIZE))
    ours = decode_cells(*pieces, SIZE)
    assert torch.allclose(ours[0], theirs[0], atol=1e-4)
    assert torch.allclose(ours[1], scores[0])


def backwards(*args):
    """The right terms, in another order."""
    return dict(reversed(yolo_terms(*args).items()))


def no_gradient_to_iou(*args):
    """Right: the IoU is a number to aim at."""
    return yolo_terms(*args[:6], args[6].detach(), args[7])


def whole_tables(*args):
    """Right, with products in place of indices: the gradient of a root at 0 is no part of the answer."""
    return terms_with(*args)


@pytest.mark.parametrize("right", [backwards, no_gradient_to_iou, whole_tables])
@pytest.mark.parametrize("seed", range(3))
def test_other_right_ways_to_the_terms_pass(right, seed):
    """Fails if checking gradients would refuse an answer for the order of its keys, or for what nobody asked for."""
    report = TERMS.check(right, seed)
    assert report.passed, report.text


def test_a_term_that_teaches_nothing_fails():
    """Fails if only the values of the terms were looked at: the network would never learn its confidence."""

    def detached(xy, root_wh, confidence, classes, goal, labels, iou, mine):
        terms = yolo_terms(xy, root_wh, confidence, classes, goal, labels, iou, mine)
        return {**terms, "object": ((confidence.detach() - iou)[mine] ** 2).sum()}

    report = TERMS.check(detached, 0)
    assert (report.verdict, report.matched) == ("wrong", "nothing_learned"), report.text
