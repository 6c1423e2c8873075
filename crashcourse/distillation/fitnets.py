"""FitNets: before it is distilled, a thin and deep student learns what the middle of its teacher computes.

Romero, Ballas, Kahou, Chassang, Gatta, Bengio, "FitNets: hints for thin deep nets", ICLR 2015, arXiv 1412.6550: section
2.2 (the hint, equation 3, and the convolutional regressor), section 2.3 (first the hints, then distillation).

A hint is the output of a teacher's layer. The student's guided layer is to predict it, through a regressor: a
convolution without padding whose kernel k makes the sizes equal, N_g - k + 1 = N_h, with the teacher's nonlinearity
behind it. The guided part and the regressor learn together; then the regressor is thrown away and the whole student is
distilled.

**Differs from the paper:** networks have ReLU instead of maxout, and so has the regressor. In the second stage the
course uses `distillation_loss` with a constant weight, where the paper's weight of the teacher falls, so that with and
without hints differ in the hints alone.
"""

import torch
from torch import Tensor, nn

from crashcourse.distillation.doors import check_form
from crashcourse.errors import CourseError


def regressor(guided: tuple[int, int, int], hint: tuple[int, int, int]) -> nn.Sequential:
    """The convolution that makes the teacher's maps from the student's, and its ReLU.

    Args:
        guided: (C, H, W) of the student's maps.
        hint: (C, H, W) of the teacher's, not larger than the student's.

    Returns:
        (N, *guided) float -> (N, *hint) float.

    Raises:
        CourseError: not three sizes, or the hint's maps are larger: no convolution without padding enlarges.
    """
    check_form(guided, "guided")
    check_form(hint, "hint")
    kernel = guided[1] - hint[1] + 1, guided[2] - hint[2] + 1  # N_g - k + 1 = N_h
    if min(kernel) < 1:
        raise CourseError(
            f"The teacher's maps are {hint[1]}×{hint[2]}, larger than the student's {guided[1]}×{guided[2]}: choose an "
            "earlier layer of the student, or a later one of the teacher."
        )
    return nn.Sequential(nn.Conv2d(guided[0], hint[0], kernel), nn.ReLU(inplace=True))


def hint_loss(hint: Tensor, regressed: Tensor) -> Tensor:
    """½ ‖u - r(v)‖², the mean over images: equation 3.

    Args:
        hint: the teacher's maps u, (N, C, H, W) float. They get no gradient.
        regressed: the student's maps behind the regressor, r(v), of the same shape.

    Returns:
        A scalar, at least 0. Half precision is computed in single, and gives float32.

    Raises:
        CourseError: shapes that differ, or that are not (N, C, H, W) float.
    """
    for maps, what in ((hint, "The hint is"), (regressed, "The student's regressed maps are")):
        if not isinstance(maps, Tensor):
            raise CourseError(f"{what} a tensor (N, C, H, W) float; got {type(maps).__name__}.")
    if hint.shape != regressed.shape or hint.ndim != 4 or not len(hint):
        raise CourseError(
            f"The hint and the student's regressed maps must both be (N, C, H, W); got {tuple(hint.shape)} and "
            f"{tuple(regressed.shape)}."
        )
    if not hint.is_floating_point() or not regressed.is_floating_point():
        raise CourseError(f"Maps are float; got {hint.dtype} and {regressed.dtype}.")
    hint = hint.detach().to(torch.promote_types(hint.dtype, torch.float32))
    return 0.5 * (hint - regressed).square().sum((1, 2, 3)).mean()


class Guided(nn.Module):
    """The student up to its guided layer, and the regressor: what the first stage trains.

    The part is the student's own layers, not a copy: `Guided(student.features[:7], regressor(...))`. When the first
    stage is over the student has learned, and this module with its regressor can go.

    Args:
        part: images -> the student's maps.
        regressor: the student's maps -> maps of the teacher's shape.
    """

    def __init__(self, part: nn.Module, regressor: nn.Module) -> None:
        super().__init__()
        self.part = part
        self.regressor = regressor

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) float -> maps of the hint's shape."""
        return self.regressor(self.part(images))
