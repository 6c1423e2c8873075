"""Lesson 50, DnCNN: what people get wrong in SSIM of a window, each as code that behaves so, with its hint."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor


def _window(
    x: Tensor,
    y: Tensor,
    weight: Tensor,
    *,
    weigh: Callable[[Tensor], Tensor] = lambda weight: weight,
    constants: tuple[float, float] = (0.01**2, 0.03**2),
    centred: bool = True,
    variance: Callable[[Tensor], Tensor] = lambda variance: variance,
    covariance: Callable[[Tensor], Tensor] = lambda covariance: covariance,
    doubled: tuple[float, float] = (2.0, 2.0),
    light_below: Callable[[Tensor, Tensor], Tensor] = lambda a, b: a**2 + b**2,
    structure_below: Callable[[Tensor, Tensor], Tensor] = lambda a, b: a + b,
    result: Callable[[Tensor, Tensor], Tensor] = lambda light, structure: light * structure,
) -> Tensor:
    """`window_ssim` with one thing wrong: what the keyword arguments say."""
    weight, (c1, c2) = weigh(weight), constants
    mean_x, mean_y = (weight * x).sum(), (weight * y).sum()
    a, b = (x - mean_x, y - mean_y) if centred else (x, y)
    variances = variance((weight * a**2).sum()), variance((weight * b**2).sum())
    both = covariance((weight * a * b).sum())
    light = (doubled[0] * mean_x * mean_y + c1) / (light_below(mean_x, mean_y) + c1)
    structure = (doubled[1] * both + c2) / (structure_below(*variances) + c2)
    return result(light, structure)


WINDOW_MISTAKES = {
    "weights_ignored": (
        partial(_window, weigh=lambda weight: torch.full_like(weight, 1 / weight.numel())),
        "All pixels count alike. The mean of anything is the sum of weight · anything.",
    ),
    "mean_of_weighted": (
        partial(_window, weigh=lambda weight: weight / weight.numel()),
        "(weight * x).mean() divides by 121 once more. The weights add up to 1: take the sum.",
    ),
    "constants_not_squared": (
        partial(_window, constants=(0.01, 0.03)),
        "Your constants are not squared: C1 = 0.01², C2 = 0.03².",
    ),
    "constants_of_bytes": (
        partial(_window, constants=((0.01 * 255) ** 2, (0.03 * 255) ** 2)),
        "Those constants are for bytes, (0.01 · 255)². These windows are in [0, 1].",
    ),
    "constants_swapped": (
        partial(_window, constants=(0.03**2, 0.01**2)),
        "C1 and C2 have changed places: 0.01² goes with the means, 0.03² with the variances.",
    ),
    "same_constant": (
        partial(_window, constants=(0.01**2, 0.01**2)),
        "C2 is 0.03², not 0.01².",
    ),
    "not_centred": (
        partial(_window, centred=False),
        "Your variances are mean squares: the mean has to be subtracted first, or its square afterwards.",
    ),
    "unbiased": (
        partial(_window, variance=lambda v: v * 121 / 120, covariance=lambda v: v * 121 / 120),
        "You divide by N - 1. The weights add up to 1: nothing is divided.",
    ),
    "deviation": (
        partial(_window, variance=torch.sqrt),
        "You took square roots. The denominator has variances, σ², not deviations.",
    ),
    "product_of_deviations": (
        lambda x, y, weight: _product_of_deviations(x, y, weight),
        "You multiply the two deviations. σxy is the covariance, Σ w (x - μx) (y - μy), which is negative for "
        "opposites.",
    ),
    "absolute_covariance": (
        partial(_window, covariance=torch.abs),
        "You took the absolute value of the covariance. An image and its negative are not alike.",
    ),
    "light_not_doubled": (
        partial(_window, doubled=(1.0, 2.0)),
        "The 2 before μx μy is missing: equal windows would not get 1.",
    ),
    "structure_not_doubled": (
        partial(_window, doubled=(2.0, 1.0)),
        "The 2 before σxy is missing: equal windows would not get 1.",
    ),
    "nothing_doubled": (
        partial(_window, doubled=(1.0, 1.0)),
        "Both factors of 2 are missing: equal windows would get about 1/4.",
    ),
    "correlation": (
        partial(
            _window,
            doubled=(2.0, 1.0),
            structure_below=lambda a, b: (a * b).sqrt(),
        ),
        "That is the correlation, σxy / (σx σy): it does not notice lost contrast. SSIM has 2 σxy / (σx² + σy²).",
    ),
    "means_not_squared": (
        partial(_window, light_below=lambda a, b: a + b),
        "The means below the line are not squared.",
    ),
    "sum_squared": (
        partial(_window, light_below=lambda a, b: (a + b) ** 2),
        "(μx + μy)² is not μx² + μy².",
    ),
    "light_alone": (
        partial(_window, result=lambda light, structure: light),
        "That compares brightness alone. Multiply by the factor of the variances.",
    ),
    "structure_alone": (
        partial(_window, result=lambda light, structure: structure),
        "That compares contrast and structure alone. Multiply by the factor of the means.",
    ),
    "averaged": (
        partial(_window, result=lambda light, structure: (light + structure) / 2),
        "You average the two factors. They are multiplied.",
    ),
    "a_distance": (
        partial(_window, result=lambda light, structure: 1 - light * structure),
        "1 - SSIM is a loss. SSIM itself is 1 for equal windows.",
    ),
    "no_constants": (
        partial(_window, constants=(0.0, 0.0)),
        "C1 and C2 are missing. In flat windows you divide 0 by 0.",
    ),
    "means_unweighted": (
        lambda x, y, weight: _from_means(x, y, weight, x.mean(), y.mean()),
        "Your means are not weighted, and the variances are. All five numbers are.",
    ),
    "spread_unweighted": (
        lambda x, y, weight: _from_means(
            x, y, torch.full_like(weight, 1 / weight.numel()), (weight * x).sum(), (weight * y).sum()
        ),
        "Your means are weighted, and the variances and the covariance are not. All five numbers are.",
    ),
    "torch_var": (
        lambda x, y, weight: _formula(*_five(x, y, weight)[:2], x.var(), y.var(), _five(x, y, weight)[4]),
        "torch.var knows no weights, and divides by 120. A variance here is Σ w (x - μx)².",
    ),
    "variance_squared": (
        partial(_window, variance=torch.square),
        "You square the variances. The 2 in σx² is there already: Σ w (x - μx)² is σx².",
    ),
    "absolute_deviation": (
        lambda x, y, weight: _formula(
            *_five(x, y, weight)[:2],
            (weight * (x - (weight * x).sum()).abs()).sum(),
            (weight * (y - (weight * y).sum()).abs()).sum(),
            _five(x, y, weight)[4],
        ),
        "You average absolute differences from the mean. A variance averages their squares.",
    ),
    "weight_squared": (
        lambda x, y, weight: _from_means(x, y, weight**2, (weight * x).sum(), (weight * y).sum()),
        "The weight is inside the square, so that it counts twice. It stands before it: weight * (x - μx) ** 2.",
    ),
    "weighted_first": (
        lambda x, y, weight: _from_means(
            weight * x, weight * y, torch.ones_like(weight), (weight * x).sum(), (weight * y).sum()
        ),
        "You multiply the windows by the weights first, and take deviations of the products. The weight comes last: "
        "weight * (x - μx) ** 2.",
    ),
    "bracket": (
        lambda x, y, weight: _formula(*_five(x, y, weight), bracket=False),
        "Python divides by the first factor of the denominator only, and multiplies by the second. Put both into one "
        "pair of brackets.",
    ),
    "added": (
        partial(_window, result=lambda light, structure: light + structure),
        "You add the two factors. They are multiplied.",
    ),
    "deviations_below": (
        partial(_window, structure_below=lambda a, b: 2 * (a * b).sqrt()),
        "Below the line are the two variances, σx² + σy², not 2 σx σy: lost contrast would go unnoticed.",
    ),
    "clipped": (
        partial(_window, result=lambda light, structure: (light * structure).clamp(min=0)),
        "You clip SSIM at 0. It is negative where one window is the other's negative.",
    ),
}


def _product_of_deviations(x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    mean_x, mean_y = (weight * x).sum(), (weight * y).sum()
    var_x, var_y = (weight * (x - mean_x) ** 2).sum(), (weight * (y - mean_y) ** 2).sum()
    light = (2 * mean_x * mean_y + 0.0001) / (mean_x**2 + mean_y**2 + 0.0001)
    return light * (2 * (var_x * var_y).sqrt() + 0.0009) / (var_x + var_y + 0.0009)


def _five(x: Tensor, y: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
    """Both means, both variances and the covariance, all weighted."""
    mean_x, mean_y = (weight * x).sum(), (weight * y).sum()
    a, b = x - mean_x, y - mean_y
    return mean_x, mean_y, (weight * a**2).sum(), (weight * b**2).sum(), (weight * a * b).sum()


def _formula(
    mean_x: Tensor, mean_y: Tensor, var_x: Tensor, var_y: Tensor, covariance: Tensor, *, bracket: bool = True
) -> Tensor:
    """SSIM of the five numbers; without the bracket, what Python makes of a / b * c."""
    above = (2 * mean_x * mean_y + 0.0001) * (2 * covariance + 0.0009)
    light, structure = mean_x**2 + mean_y**2 + 0.0001, var_x + var_y + 0.0009
    return above / (light * structure) if bracket else above / light * structure


def _from_means(x: Tensor, y: Tensor, weight: Tensor, mean_x: Tensor, mean_y: Tensor) -> Tensor:
    """SSIM with means that are given; the weight is for the variances and the covariance."""
    a, b = x - mean_x, y - mean_y
    return _formula(mean_x, mean_y, (weight * a**2).sum(), (weight * b**2).sum(), (weight * a * b).sum())
