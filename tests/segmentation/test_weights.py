"""The border weight map: by hand, fast against readable, distances against SciPy's, and what class weights do."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from crashcourse.datasets import cells
from crashcourse.errors import CourseError
from crashcourse.segmentation import balance, border_weight_map, cell_distances, looped_border_weight_map


def scattered(height: int, width: int, numbers: int, seed: int) -> Tensor:
    """A map with a few numbered pixels, some numbers in several pieces, some absent."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, numbers + 1, (height, width), generator=generator)
    return labels * (torch.rand(height, width, generator=generator) < 0.25)


def test_a_row_by_hand():
    """Distances are squared before they are added, one is left out, 2σ² is σ², or cells get the border's weight."""
    row = torch.tensor([[1, 0, 0, 0, 7]])
    found = border_weight_map(row, w0=10, sigma=5)
    two_cells = 10 * math.exp(-(4**2) / 50)  # d1 + d2 is 4 in every place between
    assert found[0].tolist() == pytest.approx([1, 1 + two_cells, 1 + two_cells, 1 + two_cells, 1])
    corner = torch.tensor([[2, 0, 0], [0, 0, 0], [0, 0, 3]])
    middle = 1 + 4 * math.exp(-((2 * math.sqrt(2)) ** 2) / (2 * 3**2))
    assert float(border_weight_map(corner, w0=4, sigma=3)[1, 1]) == pytest.approx(middle)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 9), st.integers(1, 9), st.integers(0, 5), st.integers(0, 999), st.floats(0, 20), st.floats(0.5, 9)
)
def test_fast_is_readable(height, width, numbers, seed, w0, sigma):
    """The two forms differ: a cell of several pieces, of one pixel, at the border, or no cell at all."""
    instances = scattered(height, width, numbers, seed)
    options = {"w0": w0, "sigma": sigma, "class_weights": torch.tensor([0.5, 3.0])}
    found, expected = border_weight_map(instances, **options), looped_border_weight_map(instances, **options)
    assert (found.dtype, found.shape) == (torch.float32, instances.shape)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 999))
def test_distances_are_scipys(height, width, seed):
    """The distance to a cell is that within its row or column, or to its middle."""
    instances = scattered(height, width, 4, seed)
    numbers = [number for number in instances.unique().tolist() if number]
    found = cell_distances(instances)
    assert found.shape == (len(numbers), height, width)
    for distances, number in zip(found, numbers, strict=True):
        expected = torch.from_numpy(distance_transform_edt((instances != number).numpy())).float()
        torch.testing.assert_close(distances, expected)


def test_fewer_than_two_cells_have_no_border():
    """One cell, or none, makes infinite or missing weights."""
    for instances in (torch.zeros(4, 5, dtype=torch.uint8), torch.eye(4, dtype=torch.uint8)):
        assert border_weight_map(instances).equal(torch.ones(instances.shape))


def test_the_line_between_cells_weighs_most():
    """On pictures as lessons have them: weights lie on cells' background lines, and nowhere on cells."""
    instances = cells(4, seed=1).instances
    weights = border_weight_map(instances)
    assert weights.shape == instances.shape
    assert (weights[instances > 0] == 1).all()
    assert 8 < float(weights.max()) <= 11
    heavy = weights > 6
    nearest = torch.stack([cell_distances(one).topk(2, 0, largest=False).values.sum(0) for one in instances])
    assert float(nearest[heavy].max()) < 6 < float(nearest[(instances == 0) & ~heavy].min()) + 1
    one = border_weight_map(instances[2])
    assert torch.equal(weights[2], one)


def test_class_weights_are_the_papers_first_term():
    """w_c multiplies the border's term, or cells and background are swapped."""
    row = torch.tensor([[1, 0, 0, 2]])
    plain, weighted = border_weight_map(row), border_weight_map(row, class_weights=torch.tensor([0.25, 4.0]))
    torch.testing.assert_close(weighted - plain, torch.tensor([[3.0, -0.75, -0.75, 3.0]]))


def test_balance_lets_classes_count_alike():
    """The rare class still counts for less, or an absent one for infinitely much."""
    labels = torch.tensor([0, 0, 0, 1])
    assert balance(labels).tolist() == pytest.approx([4 / 6, 4 / 2])
    weights = balance(labels)[labels]
    assert float(weights[labels == 0].sum()) == pytest.approx(float(weights[labels == 1].sum()))
    assert float(weights.mean()) == pytest.approx(1)
    assert balance(torch.tensor([[2, 2], [1, 1]]), 3).tolist() == pytest.approx([0, 2 / 3, 2 / 3])
    assert balance(torch.tensor([], dtype=torch.int64)).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: border_weight_map(x > 0), r"which cell a pixel belongs to: label_objects\(mask\)"),
        (lambda x: border_weight_map(x.float()), "whole numbers"),
        (lambda x: border_weight_map(x[0]), r"\(H, W\) or \(N, H, W\); got \(4,\)"),
        (lambda x: border_weight_map([[1]]), "got list"),
        (lambda x: border_weight_map(x, sigma=0), "sigma must be a number above 0; got 0"),
        (lambda x: border_weight_map(x, w0=-1), "w0 must be a number of at least 0"),
        (lambda x: border_weight_map(x, w0=math.nan), "w0"),
        (lambda x: border_weight_map(x, class_weights=torch.ones(3)), r"two numbers.*\(3,\)"),
        (lambda x: border_weight_map(x, class_weights=[1, 2]), r"a tensor of two numbers.*got \[1, 2\]"),
        (lambda x: cell_distances(x[None]), r"cell_distances takes.*one map at a time; got \(1, 4, 4\)"),
        (lambda x: cell_distances(x.tolist()), "cell_distances takes.*got list"),
        (lambda x: cell_distances(x > 0), r"cell_distances takes whole numbers.*label_objects\(mask\)"),
        (lambda x: looped_border_weight_map(x[None]), r"one map at a time; got \(1, 4, 4\)"),
        (lambda x: balance(torch.tensor([0, 2])), "0 to 1; these run from 0 to 2"),
    ],
)
def test_what_is_refused_and_in_which_words(call, words):
    """A mask passes for numbered cells, and weighs nothing."""
    with pytest.raises(CourseError, match=words):
        call(torch.eye(4, dtype=torch.int64))
