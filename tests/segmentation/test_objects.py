"""Single cells from a mask, and the SEG measure by hand and on merged cells."""

import math

import pytest
import torch
from scipy import ndimage

from crashcourse.datasets import cells
from crashcourse.errors import CourseError
from crashcourse.segmentation import cell_ious, count_matches, label_objects, seg_score, separate_cells


def test_parts_touch_along_sides_only_and_are_numbered_in_order():
    """Pixels that share a corner become one cell, or numbers have gaps where small parts were left out."""
    mask = torch.tensor([[1, 1, 0, 0], [0, 0, 1, 0], [1, 0, 1, 1]])
    assert label_objects(mask).tolist() == [[1, 1, 0, 0], [0, 0, 2, 0], [3, 0, 2, 2]]
    assert label_objects(mask.bool(), least=2).tolist() == [[1, 1, 0, 0], [0, 0, 2, 0], [0, 0, 2, 2]]
    assert label_objects(mask, least=4).sum() == 0
    assert label_objects(torch.zeros(2, 2, dtype=torch.bool)).tolist() == [[0, 0], [0, 0]]
    assert label_objects(torch.ones(2, 2, dtype=torch.bool)).tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize("seed", range(3))
def test_parts_are_scipys(seed):
    """A part is split or joined."""
    mask = torch.rand(30, 40, generator=torch.Generator().manual_seed(seed)) < 0.6
    assert label_objects(mask).tolist() == ndimage.label(mask.numpy())[0].tolist()


def test_the_truth_of_generated_cells_comes_back():
    """Cells touch in the truth, so that no mask could be right: SEG of the true mask's parts is not 1."""
    for _, instances in cells(6, seed=2):
        found = label_objects(instances > 0)
        assert int(found.max()) == len(instances.unique()) - 1
        assert seg_score(found, instances) == 1


def test_seg_by_hand():
    """A match needs more than half of the cell, and the IoU is that with the whole object."""
    true = torch.tensor([[1, 1, 1, 0, 5, 5]])
    assert cell_ious(torch.tensor([[1, 1, 0, 0, 2, 0]]), true).tolist() == pytest.approx([2 / 3, 0])  # half is not more
    assert cell_ious(torch.tensor([[9, 9, 9, 9, 9, 9]]), true).tolist() == pytest.approx([3 / 6, 2 / 6])
    assert seg_score(torch.tensor([[9, 9, 9, 9, 9, 9]]), true) == pytest.approx((3 / 6 + 2 / 6) / 2)
    assert cell_ious(torch.zeros_like(true), true).tolist() == [0, 0]
    assert math.isnan(seg_score(true, torch.zeros_like(true)))
    assert seg_score(true * 3, true) == 1  # numbers are names


def test_merged_cells_score_low_where_pixels_score_high():
    """SEG sees no more than pixels do: a filled line between cells would not cost anything."""
    instances = cells(1, seed=4, size=160).instances[0]
    filled = label_objects(torch.from_numpy(ndimage.binary_closing((instances > 0).numpy(), iterations=2)))
    agreement = float(((filled > 0) == (instances > 0)).float().mean())
    assert agreement > 0.9
    assert seg_score(filled, instances) < 0.6


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: label_objects(m.float()), "whole numbers or bool"),
        (lambda m: label_objects(m[None]), r"\(H, W\)"),
        (lambda m: label_objects(m, least=0), "least"),
        (lambda m: seg_score(m, m[:1]), r"one shape; got \(2, 2\) and \(1, 2\)"),
        (lambda m: seg_score(m.float(), m), "found takes one map"),
        (lambda m: seg_score(m, [[1]]), "cells takes one map.*list"),
        (lambda m: count_matches(m, m[:1]), "one shape"),
        (lambda m: count_matches(m, m, above=0.3), "above must be at least 0.5 and below 1"),
        (lambda m: separate_cells(m, m[:1]), "one shape"),
        (lambda m: separate_cells(m, m, gap=0), "gap"),
    ],
)
def test_what_is_refused_and_in_which_words(call, words):
    """Probabilities pass for numbered cells."""
    with pytest.raises(CourseError, match=words):
        call(torch.eye(2, dtype=torch.int64))


def test_matches_by_hand():
    """An IoU of one half counts, an object matches two cells, or background is an object."""
    true = torch.tensor([[1, 1, 1, 0, 5, 5, 0, 0]])
    assert count_matches(torch.tensor([[1, 1, 0, 0, 2, 2, 0, 7]]), true) == (2, 3, 2)  # 2 of 3 pixels, all, no cell
    assert count_matches(torch.tensor([[9, 9, 9, 9, 9, 9, 0, 0]]), true) == (0, 1, 2)  # 3 of 6 is not above one half
    assert count_matches(torch.tensor([[1, 1, 0, 0, 2, 2, 0, 7]]), true, above=0.7) == (1, 3, 2)
    assert count_matches(torch.zeros_like(true), true) == (0, 0, 2)
    assert count_matches(true, torch.zeros_like(true)) == (0, 2, 0)


def test_separate_cells_by_hand():
    """Cells that stand alone are asked for, or two cells under one object are separate."""
    true = torch.tensor([[1, 1, 0, 0, 2, 2, 0, 0, 0, 0, 3, 3]])  # 1 and 2 touch; 3 is five away
    assert separate_cells(true, true) == (2, 2)
    assert separate_cells(true, true, gap=5) == (3, 3)
    assert separate_cells(true, true, gap=2) == (0, 0)
    merged = torch.tensor([[4, 4, 4, 4, 4, 4, 0, 0, 0, 0, 3, 3]])
    assert separate_cells(merged, true) == (0, 2)
    half = torch.tensor([[4, 4, 4, 4, 4, 0, 0, 0, 0, 0, 0, 0]])  # half of cell 2 is not more than half
    assert separate_cells(half, true) == (1, 2)
    assert separate_cells(torch.zeros_like(true), true) == (0, 2)
    diagonal = torch.tensor([[8, 0, 0], [0, 0, 0], [0, 0, 2]])  # two away, over the corner; numbers are names
    assert separate_cells(diagonal, diagonal) == (2, 2)
    assert separate_cells(diagonal, diagonal, gap=1) == (0, 0)
    assert separate_cells(diagonal, torch.zeros_like(diagonal)) == (0, 0)


def test_generated_cells_touch_and_their_truth_is_separate():
    """The gap is less than the line of background that the truth has between touching cells."""
    instances = cells(1, seed=4, size=160).instances[0]
    own, touching = separate_cells(instances, instances)
    assert own == touching > 10
    filled = label_objects(torch.from_numpy(ndimage.binary_closing((instances > 0).numpy(), iterations=2)))
    assert separate_cells(filled, instances)[0] < 0.3 * touching
