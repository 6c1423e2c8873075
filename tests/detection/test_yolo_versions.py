"""The pieces of YOLO v2 to v5: by hand, and CIoU against torchvision."""

import pytest
import torch
import torchvision.ops

from crashcourse.detection.yolo_assignment import (
    IGNORED_V2,
    IGNORED_V3,
    OBJECTNESS_V5,
    best_anchor,
    cells_v5,
    left_in_peace,
    match_v5,
    shape_iou,
    size_weight,
)
from crashcourse.detection.yolo_versions import (
    V5_SIZES,
    VERSIONS,
    anchors_by_k_means,
    complete_box_iou,
    decode_v2,
    decode_v5,
)
from crashcourse.errors import CourseError
from tests.detection.test_boxes import random_boxes


def test_anchors_find_the_shapes_that_are_there():
    """Fails if the distance is not one of shapes, or if anchors wander: three kinds of boxes give three anchors."""
    generator = torch.Generator().manual_seed(0)
    kinds = torch.tensor([[10.0, 30], [30, 10], [80, 80]])
    sizes = (kinds[:, None] * (1 + 0.05 * torch.randn(3, 40, 2, generator=generator))).flatten(0, 1)
    anchors = anchors_by_k_means(sizes[torch.randperm(120, generator=generator)], 3)
    assert bool((shape_iou(kinds, anchors).amax(1) > 0.9).all())
    assert bool((anchors.prod(1).diff() >= 0).all())


def test_more_anchors_fit_better():
    """Fails if k-means gets stuck at its start."""
    boxes = random_boxes(300)
    sizes = boxes[:, 2:] - boxes[:, :2]
    fits = [shape_iou(sizes, anchors_by_k_means(sizes, count)).amax(1).mean().item() for count in (1, 3, 9)]
    assert fits == sorted(fits)
    start = sizes[sizes.prod(1).argsort()][[50, 150, 250]]
    assert fits[1] > shape_iou(sizes, start).amax(1).mean().item()


def test_decoding_by_hand():
    """Fails if a cell is added twice, or anchors are added for multiplied."""
    cells, anchors = torch.tensor([[3.0, 1.0]]), torch.tensor([[2.0, 4.0]])
    zero = torch.zeros(1, 4)
    assert decode_v2(zero, cells, anchors).tolist() == [[3.5, 1.5, 2, 4]]
    assert decode_v5(zero, cells, anchors).tolist() == [[3.5, 1.5, 2, 4]]
    far = torch.full((1, 4), 30.0)
    assert decode_v5(far, cells, anchors)[0].tolist() == pytest.approx([4.5, 2.5, 8, 16])
    assert decode_v2(far, cells, anchors)[0, :2].tolist() == pytest.approx([4, 2])
    assert decode_v2(far, cells, anchors)[0, 2] > 1e12


def test_ciou_equals_torchvision_with_its_gradient():
    """Fails for any of the three terms, or if α passes a gradient."""
    a, b = random_boxes(60).double().requires_grad_(), random_boxes(60, seed=1).double()
    ours, theirs = 1 - complete_box_iou(a, b), torchvision.ops.complete_box_iou_loss(a, b)
    assert torch.allclose(ours, theirs, atol=1e-6)
    mine, other = (torch.autograd.grad(loss.sum(), a)[0] for loss in (ours, theirs))
    assert torch.allclose(mine, other, atol=1e-5)
    assert complete_box_iou(b, b).tolist() == pytest.approx([1] * 60)


def test_one_anchor_learns_an_object():
    """Fails if the largest anchor wins, or the nearest in area: shape decides."""
    anchors = torch.tensor([[2.0, 8.0], [8.0, 2.0], [10.0, 10.0]])
    assert best_anchor(torch.tensor([[1.0, 7.0], [7.0, 1.0], [4.0, 4.0], [30.0, 30.0]]), anchors).tolist() == [
        0,
        1,
        0,
        2,
    ]
    assert shape_iou(torch.tensor([[4.0, 4.0]]), anchors)[0].tolist() == pytest.approx([8 / 24, 8 / 24, 16 / 100])


def test_nearly_right_boxes_are_left_in_peace():
    """Fails if any overlap is enough, if the threshold itself is, or if an image without objects is an error."""
    objects = torch.tensor([[0.0, 0, 10, 10]])
    predicted = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 6], [0, 0, 10, 6.5], [20, 20, 30, 30]])  # IoU 1, .6, .65, 0
    assert left_in_peace(predicted, objects, IGNORED_V2).tolist() == [True, False, True, False]
    assert left_in_peace(predicted, objects, IGNORED_V3).tolist() == [True, False, False, False]
    assert left_in_peace(predicted, objects[:0], IGNORED_V3).tolist() == [False] * 4


def test_small_objects_count_more():
    """Fails if the weight falls with the side, or is not 2 for a point and 1 for the whole image."""
    assert size_weight(torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.5, 0.5]])).tolist() == [2, 1, 1.75]
    assert OBJECTNESS_V5 == (4.0, 1.0, 0.4)


def test_matching_by_shape():
    """Fails if one side within the factor is enough, or the factor itself still matches."""
    sizes, anchors = torch.tensor([[8.0, 8.0], [8.0, 1.0], [40.0, 8.0]]), torch.tensor([[4.0, 4.0], [10.0, 10.0]])
    assert match_v5(sizes, anchors).tolist() == [[True, True], [False, False], [False, False]]
    assert match_v5(torch.tensor([[31.9, 8.0]]), torch.tensor([[8.0, 8.0]])).item()


def test_neighbouring_cells_learn_too():
    """Fails if the farther neighbour is taken, or one outside the grid."""
    assert cells_v5(torch.tensor([[2.2, 1.7]]), 4) == [(0, 1, 2), (0, 1, 1), (0, 2, 2)]
    assert cells_v5(torch.tensor([[0.2, 3.9]]), 4) == [(0, 3, 0)]


def test_the_table_of_versions():
    assert [version.name for version in VERSIONS] == ["v1", "v2", "v3", "v4", "v5"]
    assert [version.year for version in VERSIONS] == sorted(version.year for version in VERSIONS)
    assert (V5_SIZES["s"].parameters, V5_SIZES["x"].parameters) == (7.3, 87.7)
    assert (V5_SIZES["s"].ap, V5_SIZES["m"].ap50, V5_SIZES["x"].ap) == (36.7, 63.3, 50.4)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: anchors_by_k_means(torch.zeros(3, 2), 1), "above 0"),
        (lambda: anchors_by_k_means(torch.ones(3, 2), 4), "1 to 3 anchors"),
        (lambda: complete_box_iou(random_boxes(2), random_boxes(3)), "pairs"),
        (lambda: left_in_peace(random_boxes(2), random_boxes(3), 60), "between 0 and 1"),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(CourseError, match=sentence):
        call()
