"""Lesson 31, U-Net: what people get wrong in the border weight map, each as code that behaves so, with its hint."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor


def _squared_sum(d1: Tensor, d2: Tensor) -> Tensor:
    return (d1 + d2) ** 2


def _two(distances: Tensor) -> tuple[Tensor, Tensor]:
    d1, d2 = distances.topk(2, 0, largest=False).values
    return d1, d2


def _class_part(cells: Tensor, class_weights: Tensor) -> Tensor:
    return class_weights[(cells > 0).long()]


def _weights(
    distances: Tensor,
    cells: Tensor,
    class_weights: Tensor,
    w0: float = 10.0,
    sigma: float = 5.0,
    *,
    two: Callable[[Tensor], tuple[Tensor, Tensor]] = _two,
    above: Callable[[Tensor, Tensor], Tensor] = _squared_sum,
    below: Callable[[float], float] = lambda sigma: 2 * sigma**2,
    sign: float = -1.0,
    where: Callable[[Tensor], Tensor] = lambda cells: cells == 0,
    own: Callable[[Tensor, Tensor], Tensor] = _class_part,
    join: Callable[[Tensor, Tensor], Tensor] = torch.add,
) -> Tensor:
    """`border_weights` with one thing wrong: what the keyword arguments say."""
    border = w0 * torch.exp(sign * above(*two(distances)) / below(sigma))
    return join(own(cells, class_weights), border * where(cells))


def _farthest(distances: Tensor) -> tuple[Tensor, Tensor]:
    d1, d2 = distances.topk(2, 0, largest=True).values
    return d1, d2


def _every(distances: Tensor) -> tuple[Tensor, Tensor]:
    return distances.sum(0), torch.zeros_like(distances[0])


def _nearest_and_farthest(distances: Tensor) -> tuple[Tensor, Tensor]:
    return distances.min(0).values, distances.max(0).values


def _nearest_twice(distances: Tensor) -> tuple[Tensor, Tensor]:
    return distances.min(0).values, distances.min(0).values


def _outside_w0(
    distances: Tensor, cells: Tensor, class_weights: Tensor, w0: float = 10.0, sigma: float = 5.0
) -> Tensor:
    border = torch.exp(-_squared_sum(*_two(distances)) / (2 * sigma**2))
    return w0 * (_class_part(cells, class_weights) + border * (cells == 0))


def _without_ties(distances: Tensor) -> tuple[Tensor, Tensor]:
    d1 = distances.min(0).values
    return d1, distances.where(distances > d1, torch.inf).min(0).values


def _along_a_row(distances: Tensor) -> tuple[Tensor, Tensor]:
    ordered = distances.sort(-1).values
    return ordered[0], ordered[1]


def _with_places(distances: Tensor) -> tuple[Tensor, Tensor]:
    values, places = distances.topk(2, 0, largest=False)
    return values, places


def _always_ten(
    distances: Tensor, cells: Tensor, class_weights: Tensor, w0: float = 10.0, sigma: float = 5.0
) -> Tensor:
    return _weights(distances, cells, class_weights, 10.0, sigma)


def _inside_the_exponent(
    distances: Tensor, cells: Tensor, class_weights: Tensor, w0: float = 10.0, sigma: float = 5.0
) -> Tensor:
    border = torch.exp(-w0 * _squared_sum(*_two(distances)) / (2 * sigma**2))
    return _class_part(cells, class_weights) + border * (cells == 0)


def _density(distances: Tensor, cells: Tensor, class_weights: Tensor, w0: float = 10.0, sigma: float = 5.0) -> Tensor:
    return _weights(distances, cells, class_weights, w0 / (sigma * (2 * torch.pi) ** 0.5), sigma)


def _mean_of_one(
    distances: Tensor, cells: Tensor, class_weights: Tensor, w0: float = 10.0, sigma: float = 5.0
) -> Tensor:
    weights = _weights(distances, cells, class_weights, w0, sigma)
    return weights / weights.mean()


def _counted(cells: Tensor, class_weights: Tensor) -> Tensor:
    inside = cells > 0
    return torch.where(inside, (~inside).float().mean(), inside.float().mean())


WEIGHT_MISTAKES = {
    "sum_of_squares": (
        partial(_weights, above=lambda d1, d2: d1**2 + d2**2),
        "You square the distances before you add them. The sum is squared: (d1 + d2)².",
    ),
    "not_squared": (
        partial(_weights, above=lambda d1, d2: d1 + d2),
        "The square is missing: exp(-(d1 + d2)² / (2σ²)).",
    ),
    "without_two": (
        partial(_weights, below=lambda sigma: sigma**2),
        "The 2 below the line is missing: 2σ².",
    ),
    "sigma_not_squared": (
        partial(_weights, below=lambda sigma: 2 * sigma),
        "σ is squared below the line: 2σ².",
    ),
    "two_sigma_squared": (
        partial(_weights, below=lambda sigma: (2 * sigma) ** 2),
        "You square 2σ, which is 4σ². Below the line stands 2σ².",
    ),
    "sign": (
        partial(_weights, sign=1.0),
        "The minus sign is missing: weights should fall with the distance.",
    ),
    "nearest_only": (
        partial(_weights, above=lambda d1, d2: d1**2),
        "Only d1 is there. Along a cell that stands alone d1 is small, too; it is d2 that tells that another is near.",
    ),
    "second_only": (
        partial(_weights, above=lambda d1, d2: d2**2),
        "Only d2 is there. Both are added.",
    ),
    "difference": (
        partial(_weights, above=lambda d1, d2: (d2 - d1) ** 2),
        "You subtract the distances. That is 0 half-way between any two cells, however far apart: add them.",
    ),
    "product": (
        partial(_weights, above=lambda d1, d2: (d1 * d2) ** 2),
        "You multiply the distances. They are added.",
    ),
    "mean": (
        partial(_weights, above=lambda d1, d2: ((d1 + d2) / 2) ** 2),
        "You take the mean of both distances. The paper takes their sum.",
    ),
    "farthest": (
        partial(_weights, two=_farthest),
        "You took the two farthest cells: topk takes the largest unless told otherwise.",
    ),
    "nearest_and_farthest": (
        partial(_weights, two=_nearest_and_farthest),
        "d2 is the distance to the second nearest cell; you took the farthest.",
    ),
    "nearest_twice": (
        partial(_weights, two=_nearest_twice),
        "d2 is d1 once more. It is the distance to the second nearest cell.",
    ),
    "first_two_cells": (
        partial(_weights, two=lambda distances: (distances[0], distances[1])),
        "You took the first two cells for every pixel. Which are nearest differs from pixel to pixel.",
    ),
    "all_cells": (
        partial(_weights, two=_every),
        "You add the distances to all cells. Only the two nearest count.",
    ),
    "on_cells_too": (
        partial(_weights, where=lambda cells: torch.ones_like(cells)),
        "Yours raises the pixels of cells, too, as the equation is printed. Here, as in the authors' code, the "
        "border's term counts on background only.",
    ),
    "on_cells_only": (
        partial(_weights, where=lambda cells: cells > 0),
        "The border's term is on the cells. It belongs on the background between them.",
    ),
    "class_weights_swapped": (
        partial(_weights, own=lambda cells, class_weights: class_weights[(cells == 0).long()]),
        "The class weights are swapped: the first is that of the background.",
    ),
    "class_weights_by_number": (
        partial(_weights, own=lambda cells, class_weights: class_weights[cells.clamp(max=1) * 0]),
        "Every pixel has the background's class weight. Where there is a cell it is the second.",
    ),
    "no_class_weights": (
        partial(_weights, own=lambda cells, class_weights: torch.ones(cells.shape)),
        "w_c is 1 in yours. It is given: class_weights.",
    ),
    "border_only": (
        partial(_weights, own=lambda cells, class_weights: torch.zeros(cells.shape)),
        "The first term w_c is missing: pixels far from borders would count for nothing.",
    ),
    "multiplied": (
        partial(_weights, join=lambda own, border: own * (1 + border)),
        "You multiply the border's term with w_c. The two are added.",
    ),
    "w0_on_both": (
        _outside_w0,
        "w0 stands before the border's term only.",
    ),
    "divided_then_multiplied": (
        partial(_weights, below=lambda sigma: 2 / sigma**2),
        "x / 2 * sigma**2 is (x / 2) · σ². Put what is below the line in brackets: x / (2 * sigma**2).",
    ),
    "numbers_as_index": (
        partial(_weights, own=lambda cells, class_weights: class_weights[cells]),
        "cells holds the number of a cell, class_weights two classes. Every cell is of class 1: (cells > 0).long().",
    ),
    "mask_as_index": (
        partial(_weights, own=lambda cells, class_weights: class_weights[cells > 0]),
        "True and False as an index say which entries to keep. To look up one for each pixel, use whole numbers: "
        "(cells > 0).long().",
    ),
    "first_cell_only": (
        partial(
            _weights,
            own=lambda cells, class_weights: class_weights[(cells == 1).long()],
            where=lambda cells: cells != 1,
        ),
        "Only cell 1 is a cell in yours. Every number but 0 is one.",
    ),
    "product_of_terms": (
        partial(_weights, join=torch.mul),
        "You multiply the two terms, so that cells count for nothing. They are added.",
    ),
    "product_on_background": (
        partial(_weights, join=lambda own, border: torch.where(border > 0, own * border, own)),
        "On background you multiply the two terms. They are added.",
    ),
    "background_without_class_weight": (
        partial(_weights, join=lambda own, border: torch.where(border > 0, border, own)),
        "On background w_c is missing: the border's term is added to it, and does not take its place.",
    ),
    "cells_without_class_weight": (
        partial(_weights, join=lambda own, border: own * (border > 0) + border),
        "Cells count for nothing in yours: only the border's term is for background only. w_c is there at every pixel.",
    ),
    "along_a_row": (
        partial(_weights, two=_along_a_row),
        "You sort the distances along a row of pixels. Sort them over the cells: dimension 0.",
    ),
    "values_and_places": (
        partial(_weights, two=_with_places),
        "topk returns two tensors, the values and their places. d1 and d2 are both in the first: .values.",
    ),
    "without_ties": (
        partial(_weights, two=_without_ties),
        "Where two cells are equally near, you skip the second. There d2 is as large as d1.",
    ),
    "w0_is_ten": (
        _always_ten,
        "w0 is 10 in yours, whatever is asked for. That is only what it is unless told otherwise.",
    ),
    "sigma_is_five": (
        partial(_weights, below=lambda sigma: 50.0),
        "σ is 5 in yours, whatever is asked for. That is only what it is unless told otherwise.",
    ),
    "w0_in_the_exponent": (
        _inside_the_exponent,
        "w0 is inside of exp. It stands before it: w0 * torch.exp(...).",
    ),
    "density": (
        _density,
        "You divide by σ√(2π), as for a normal distribution. Here the bell is w0 high.",
    ),
    "mean_of_one": (
        _mean_of_one,
        "You divide the map by its mean. It is taken as it is.",
    ),
    "class_weights_counted": (
        partial(_weights, own=_counted),
        "You compute w_c from how often each class is there. It is given: class_weights.",
    ),
}
