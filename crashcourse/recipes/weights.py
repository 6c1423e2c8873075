"""Weights in half precision, each file with a card that says what it is and how it was made."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from crashcourse.errors import CourseError
from crashcourse.files import write_atomically


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a reader must know before using weights.

    Attributes:
        model: the network, and the call that builds it.
        recipe: the recipe, its scale, variant and seed.
        data: what it was trained on, with the data's licence.
        metrics: on test data, with the weights as they were before rounding to half precision.
        licence: of the weights.
        made: date, hardware, versions, and the command.
    """

    model: str
    recipe: str
    data: str
    metrics: Mapping[str, float]
    licence: str
    made: str

    def text(self, name: str) -> str:
        """The card as Markdown."""
        reached = ", ".join(f"test {metric} {value:.4f}" for metric, value in self.metrics.items())
        rows = [
            ("Model", self.model),
            ("Recipe", self.recipe),
            ("Data", self.data),
            ("Reached", f"{reached} (one run, before rounding to half precision)"),
            ("Licence", self.licence),
            ("Made", self.made),
            ("Load", f'`crashcourse.recipes.load_weights(model, "{name}")`'),
        ]
        return "\n".join([f"# {name}", "", *(f"- **{label}:** {value}" for label, value in rows), ""])


def save_weights(model: nn.Module, path: Path | str, card: Card) -> None:
    """Write a model's weights in float16 as safetensors, and the card beside them as `NAME.md`.

    Raises:
        CourseError: a weight is not finite in float16, the name does not end in .safetensors, or the disk refuses.
    """
    from safetensors.torch import save

    path = Path(path)
    if path.suffix != ".safetensors":
        raise CourseError(f"Weights go into a file that ends in .safetensors; got {path.name}.")
    tensors = {name: _halved(name, value) for name, value in model.state_dict().items()}
    content = save(tensors, metadata={"card": json.dumps(asdict(card), sort_keys=True)})
    write_atomically(path.with_suffix(".md"), card.text(path.name))
    write_atomically(path, content)


def _halved(name: str, value: torch.Tensor) -> torch.Tensor:
    value = value.detach().cpu()
    half = value.half() if value.is_floating_point() else value
    if half.is_floating_point() and not torch.isfinite(half).all():
        raise CourseError(f"{name} holds values beyond float16 (largest {value.abs().max():.3g}); it cannot be saved.")
    return half.contiguous()


def load_weights(model: nn.Module, path: Path | str) -> None:
    """Load weights that `save_weights` wrote into a model of the same kind, in the model's own precision.

    Raises:
        CourseError: the file is missing, cut short, or belongs to another model.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CourseError(f"Could not read the weights {path}: missing, cut short, or not safetensors.") from error
    own = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    if own != found:
        name = next(n for n in [*own, *found] if own.get(n) != found.get(n))
        raise CourseError(
            f"The weights {path} belong to another model: {name} is {found.get(name, 'missing')} there and "
            f"{own.get(name, 'missing')} here."
        )
    model.load_state_dict(tensors)
