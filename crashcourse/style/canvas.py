"""An image that is being optimised, by L-BFGS, and all that it takes to go on after a break.

Liu and Nocedal, "On the limited memory BFGS method for large scale optimization", Mathematical Programming, 1989, as
torch has it, with a line search for the strong Wolfe conditions. The unknowns are the pixels: there is nothing to
learn, so there are no batches and no epochs, and `crashcourse.training.fit` is of no use here.
"""

import copy
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from crashcourse.errors import CourseError
from crashcourse.files import write_atomically

_FORMAT = 1


@dataclass(frozen=True, eq=False)
class Canvas:
    """An image between two rounds of its optimisation.

    Attributes:
        image: (1, 3, H, W) float, as the optimiser has it: not clipped.
        rounds: how many rounds are done.
        losses: name -> its value at the start of each round: "content", "style", "variation", "loss".
        optimizer: the state of L-BFGS: directions, gradients, step lengths.
        interrupted: whether the learner stopped it in the round that would have been next.
    """

    image: Tensor
    rounds: int = 0
    losses: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    optimizer: Mapping[str, Any] | None = field(default=None, repr=False)
    interrupted: bool = False

    @property
    def picture(self) -> Tensor:
        """(1, 3, H, W) float in [0, 1]: the image, clipped, to be looked at."""
        return self.image.clamp(0, 1)

    def save(self, path: Path | str) -> None:
        """Write the canvas, whole or not at all.

        Raises:
            CourseError: the folder cannot be written.
        """
        buffer = io.BytesIO()
        losses = {name: list(values) for name, values in self.losses.items()}
        state = {"image": self.image, "rounds": self.rounds, "losses": losses, "optimizer": self.optimizer}
        torch.save({"format": _FORMAT, **state}, buffer)
        write_atomically(Path(path), buffer.getvalue())

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a canvas that `save` wrote.

        Raises:
            CourseError: the file is missing, cut short, or no canvas.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            if state.pop("format") != _FORMAT:
                raise KeyError("format")
            losses = {name: tuple(values) for name, values in state.pop("losses").items()}
            return cls(losses=losses, **state)
        except Exception as error:
            raise CourseError(f"Could not read a canvas from {path}: missing, cut short, or another file.") from error


def paint(
    canvas: Canvas,
    objective: Callable[[Tensor], Mapping[str, Tensor]],
    *,
    rounds: int,
    iterations: int = 10,
    callback: Callable[[Canvas], object] | None = None,
) -> Canvas:
    """Optimise the pixels of an image until so many rounds are done in all.

    Where it is interrupted, in whatever place, the canvas is that of the last whole round, and the same call with that
    canvas goes on to the very image that the uninterrupted call would have given.

    Args:
        canvas: where to start, or to go on.
        objective: image (1, 3, H, W) -> losses, of which "loss" is minimised.
        rounds: how many, those that the canvas has behind it included.
        iterations: of L-BFGS in a round; each takes one evaluation of the objective or a few.
        callback: called with the canvas after each round: to show the picture, or to save it.

    Returns:
        The canvas; `interrupted` where the learner stopped it.

    Raises:
        CourseError: a number below 1, or a loss that became NaN or infinite.
    """
    for name, value in (("rounds", rounds), ("iterations", iterations)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise CourseError(f"{name} is a whole number of at least 1; got {value!r}.")
    try:
        while canvas.rounds < rounds:
            canvas = _round(canvas, objective, iterations)
            if callback is not None:
                callback(canvas)
    except KeyboardInterrupt:
        return Canvas(canvas.image, canvas.rounds, canvas.losses, canvas.optimizer, interrupted=True)
    return canvas


def _round(canvas: Canvas, objective: Callable[[Tensor], Mapping[str, Tensor]], iterations: int) -> Canvas:
    """One round, on a copy: the canvas that came stays as it was."""
    image = canvas.image.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
    # tolerances of 0: a round does its iterations, however small the losses are
    options = {"max_iter": iterations, "history_size": 10, "tolerance_grad": 0.0, "tolerance_change": 0.0}
    rule = torch.optim.LBFGS([image], max_eval=10 * iterations, line_search_fn="strong_wolfe", **options)
    if canvas.optimizer is not None:
        rule.load_state_dict({**rule.state_dict(), "state": copy.deepcopy(canvas.optimizer)})
    first: dict[str, float] = {}

    def closure() -> Tensor:
        rule.zero_grad()
        losses = objective(image)
        losses["loss"].backward()
        if not first:
            first.update({name: float(value.detach()) for name, value in losses.items()})
        return losses["loss"]

    rule.step(closure)
    if not torch.isfinite(image).all():
        raise CourseError("The image became NaN or infinite. Lower the weights, or start from another image.")
    losses = {name: (*canvas.losses.get(name, ()), value) for name, value in first.items()}
    state = copy.deepcopy(rule.state_dict()["state"])
    return Canvas(image.detach().clone(), canvas.rounds + 1, losses, state)
