"""Style transfer by optimisation: one image with the content of a photograph and the style of a painting.

Gatys, Ecker, Bethge, "A neural algorithm of artistic style", 2015, arXiv 1508.06576: content loss (equations 1 and 2),
Gram matrix and style loss (3 to 6), their weighted sum (7); content at conv4_2, style at conv1_1 to conv5_1 with equal
weights, white noise as the start, L-BFGS.

**Differs from the paper:** pixels are in [0, 1]. The default weights have one of its two ratios, α / β = 10⁻⁴; what it
does depends on the encoder's scale and on the image's size, because equation 1 is a sum over places and equation 4 a
mean: look at the two losses, and choose. `total_variation` is not in the paper: it is there for those who want it
(Mahendran and Vedaldi, 2014, arXiv 1412.0035, in its squared form), and off by default. The authors' later code differs
from the paper: it divides Gram matrices by the number of places and averages over their entries. Losses here are the
paper's sums. Where content and style differ in size, the Gram matrices of the style are scaled to as many places as the
content has; the paper's images are of one size.
"""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from crashcourse.errors import CourseError, check_name
from crashcourse.style.canvas import Canvas, paint
from crashcourse.style.encoder import Encoder, stage_of

CONTENT_LAYER = "conv4_2"
STYLE_LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
STARTS = ("noise", "content")


def gram(maps: Tensor) -> Tensor:
    """Inner products of all pairs of channels, over places: G = F Fᵀ, equation 3. Not normalised.

    Args:
        maps: (N, C, H, W) float.

    Returns:
        (N, C, C) float, symmetric, without negative eigenvalues.

    Raises:
        CourseError: other shapes.
    """
    _check_maps(maps)
    rows = maps.flatten(2)  # (N, C, H·W)
    return rows @ rows.mT


def content_loss(maps: Tensor, target: Tensor) -> Tensor:
    """½ Σ (F - P)², equation 1. Its gradient in F is F - P.

    Args:
        maps: F, (N, C, H, W) float.
        target: P, of the same shape.

    Returns:
        A scalar, at least 0.

    Raises:
        CourseError: other shapes.
    """
    _check_maps(maps)
    _check_maps(target)
    if maps.shape != target.shape:
        raise CourseError(f"Maps are compared with maps of their own shape; got {_form(maps)} and {_form(target)}.")
    return 0.5 * (maps - target).square().sum()


def style_layer_loss(maps: Tensor, target: Tensor) -> Tensor:
    """Σ (G - A)² / (4 C² M²), equation 4, for one layer of M = H·W places. Its gradient in F is (G - A) F / (C² M²).

    Args:
        maps: F, (N, C, H, W) float.
        target: A, the Gram matrix of the style, (N, C, C) float; its image may have another size.

    Returns:
        A scalar, at least 0.

    Raises:
        CourseError: other shapes.
    """
    _check_maps(maps)
    n, channels, height, width = maps.shape
    if not isinstance(target, Tensor) or target.shape != (n, channels, channels):
        got = _form(target) if isinstance(target, Tensor) else type(target).__name__
        raise CourseError(f"Maps {_form(maps)} are compared with Gram matrices {(n, channels, channels)}; got {got}.")
    return (gram(maps) - target).square().sum() / (4 * channels**2 * (height * width) ** 2)


def style_loss(
    maps: Mapping[str, Tensor], targets: Mapping[str, Tensor], weights: Mapping[str, float] | None = None
) -> Tensor:
    """Σ w E over the layers, equation 5.

    Args:
        maps: layer -> (N, C, H, W) float.
        targets: layer -> Gram matrix of the style, (N, C, C) float.
        weights: layer -> w; one over the number of layers by default.

    Returns:
        A scalar, at least 0.

    Raises:
        CourseError: other shapes, no layer, or a layer without maps or weight.
    """
    if not targets:
        raise CourseError("A style needs at least one layer.")
    weights = dict.fromkeys(targets, 1 / len(targets)) if weights is None else weights
    for name in targets:
        check_name("layer among the maps", name, maps)
        check_name("layer among the weights", name, weights)
    return sum(weights[name] * style_layer_loss(maps[name], target) for name, target in targets.items())


def total_variation(images: Tensor) -> Tensor:
    """The sum of squared differences between neighbours, to the right and below: how rough images are.

    Args:
        images: (N, C, H, W) float.

    Returns:
        A scalar, at least 0.

    Raises:
        CourseError: other shapes.
    """
    _check_maps(images)
    right = images[..., :, 1:] - images[..., :, :-1]  # (N, C, H, W - 1)
    below = images[..., 1:, :] - images[..., :-1, :]  # (N, C, H - 1, W)
    return right.square().sum() + below.square().sum()


@dataclass(frozen=True, eq=False, kw_only=True)
class Objective:
    """What an image is to become: α · content + β · style + variation, equation 7. Call it with an image.

    Attributes:
        encoder: what looks at the image.
        content: layer -> the maps that the image is to have there, P.
        style: layer -> the Gram matrix that it is to have there, A.
        content_weight: α.
        style_weight: β.
        layer_weights: layer -> w of the style; equal by default.
        variation_weight: of `total_variation`.
    """

    encoder: Encoder
    content: Mapping[str, Tensor] = field(default_factory=dict)
    style: Mapping[str, Tensor] = field(default_factory=dict)
    content_weight: float = 1.0
    style_weight: float = 1e4
    layer_weights: Mapping[str, float] | None = None
    variation_weight: float = 0.0

    def __post_init__(self) -> None:
        if not self.content and not self.style:
            raise CourseError("An objective needs a content, a style, or both.")

    def __call__(self, image: Tensor) -> dict[str, Tensor]:
        """The losses of an image (1, 3, H, W): "loss", and its parts without their weights."""
        maps = self.encoder(image, {*self.content, *self.style})
        parts, weights = {}, {}
        if self.content:
            parts["content"] = sum(content_loss(maps[name], target) for name, target in self.content.items())
            weights["content"] = self.content_weight
        if self.style:
            parts["style"] = style_loss(maps, self.style, self.layer_weights)
            weights["style"] = self.style_weight
        if self.variation_weight:
            parts["variation"] = total_variation(image)
            weights["variation"] = self.variation_weight
        return {"loss": sum(weights[name] * part for name, part in parts.items()), **parts}


def transfer(
    content: Tensor,
    style: Tensor,
    encoder: Encoder,
    *,
    rounds: int = 20,
    iterations: int = 10,
    start: str | Tensor | Canvas = "noise",
    seed: int = 0,
    content_layer: str = CONTENT_LAYER,
    style_layers: Collection[str] = STYLE_LAYERS,
    content_weight: float = 1.0,
    style_weight: float = 1e4,
    variation_weight: float = 0.0,
    callback: Callable[[Canvas], object] | None = None,
) -> Canvas:
    """An image with the content of one and the style of another.

    Args:
        content: (1, 3, H, W) float in [0, 1].
        style: (1, 3, H, W) float in [0, 1], of any size.
        encoder: what looks at them.
        rounds, iterations, callback: of `paint`.
        start: "noise", "content", an image (1, 3, H, W) float in [0, 1] of the content's size, or the canvas of a call
            that was interrupted.
        seed: of the noise.
        content_layer, style_layers: names of layers; at least one of the style.
        content_weight, style_weight, variation_weight: α, β, and that of `total_variation`.

    Returns:
        The canvas: `canvas.picture` is the image. Where the learner stopped it, `start=canvas` goes on.

    Raises:
        CourseError: images of another shape, kind or range, other names, no layer of the style, or a weight that is
            not a number of at least 0.
    """
    weights = {"content_weight": content_weight, "style_weight": style_weight, "variation_weight": variation_weight}
    _check_weights(**weights)
    _check_image(content, "The content")
    _check_image(style, "The style")
    objective = Objective(
        encoder=encoder,
        content=_maps_of(content, encoder, [content_layer]),
        style=_grams_of(style, encoder, style_layers, like=content),
        **weights,
    )
    canvas = _started(start, content, seed)
    return paint(canvas, objective, rounds=rounds, iterations=iterations, callback=callback)


def reconstruct_content(
    image: Tensor,
    encoder: Encoder,
    layer: str = CONTENT_LAYER,
    *,
    rounds: int = 10,
    iterations: int = 10,
    start: str | Tensor | Canvas = "noise",
    seed: int = 0,
    variation_weight: float = 0.0,
    callback: Callable[[Canvas], object] | None = None,
) -> Canvas:
    """An image that a layer takes for another one: what the layer still knows of it.

    Args, returns and errors are those of `transfer`, for one image and without a style.
    """
    _check_weights(variation_weight=variation_weight)
    _check_image(image, "The image")
    target = _maps_of(image, encoder, [layer])
    objective = Objective(encoder=encoder, content=target, variation_weight=variation_weight)
    return paint(_started(start, image, seed), objective, rounds=rounds, iterations=iterations, callback=callback)


def reconstruct_style(
    image: Tensor,
    encoder: Encoder,
    layers: Collection[str] = STYLE_LAYERS,
    *,
    rounds: int = 10,
    iterations: int = 10,
    start: str | Tensor | Canvas = "noise",
    seed: int = 0,
    variation_weight: float = 0.0,
    callback: Callable[[Canvas], object] | None = None,
) -> Canvas:
    """A texture: an image with the Gram matrices of another one, and nothing else of it.

    Args, returns and errors are those of `transfer`, for one image and without a content. The result has its size.
    """
    _check_weights(variation_weight=variation_weight)
    _check_image(image, "The image")
    target = _grams_of(image, encoder, layers, like=image)
    objective = Objective(encoder=encoder, style=target, style_weight=1.0, variation_weight=variation_weight)
    return paint(_started(start, image, seed), objective, rounds=rounds, iterations=iterations, callback=callback)


@torch.no_grad()
def _maps_of(image: Tensor, encoder: Encoder, layers: Collection[str]) -> dict[str, Tensor]:
    return encoder(image, layers)


@torch.no_grad()
def _grams_of(image: Tensor, encoder: Encoder, layers: Collection[str], *, like: Tensor) -> dict[str, Tensor]:
    """The Gram matrices of an image, scaled to the places that another image has in each layer."""
    if not layers:
        raise CourseError(
            'A style needs at least one layer, such as ("conv1_1",); got none. '
            "Without a style: reconstruct_content(image, encoder)."
        )
    targets = {}
    for name, maps in encoder(image, layers).items():
        places = math.prod(side // 2 ** (stage_of(name) - 1) for side in like.shape[2:])
        targets[name] = gram(maps) * (places / maps[0, 0].numel())
    return targets


def _started(start: str | Tensor | Canvas, image: Tensor, seed: int) -> Canvas:
    """The canvas to begin with."""
    if isinstance(start, str):
        check_name("start", start, STARTS)
        noise = torch.rand(image.shape, generator=torch.Generator().manual_seed(seed)).to(image)
        return Canvas(image.clone() if start == "content" else noise)
    if not isinstance(start, Canvas):
        _check_image(start, "The start")
    canvas = start if isinstance(start, Canvas) else Canvas(start)
    if canvas.image.shape != image.shape:
        raise CourseError(f"The start must have the shape of the image, {_form(image)}; got {_form(canvas.image)}.")
    return Canvas(canvas.image.to(image), canvas.rounds, canvas.losses, canvas.optimizer)


def _check_image(image: Tensor, what: str) -> None:
    expected = f"{what} is one image (1, 3, H, W) float in [0, 1]"
    if not isinstance(image, Tensor):
        raise CourseError(f"{expected}; got {type(image).__name__}.")
    if image.ndim != 4 or image.shape[:2] != (1, 3) or not image.numel():
        grey = image.ndim == 4 and image.shape[1] == 1
        advice = " Of one grey channel, images.expand(-1, 3, -1, -1) makes three equal ones." if grey else ""
        raise CourseError(f"{expected}, H and W not 0; got {_form(image)}.{advice}")
    if not image.is_floating_point():
        raise CourseError(f"{what} is float in [0, 1]; got {image.dtype}. Scale first: image.float() / 255.")
    low, high = (float(value) for value in image.detach().aminmax())
    if not -1e-3 <= low <= high <= 1.001:  # false for NaN, too
        advice = " Divide by 255." if low >= 0 and 2 < high <= 255 else ""
        raise CourseError(f"{what} has values in [0, 1]; these run from {low:.4g} to {high:.4g}.{advice}")


def _check_weights(**weights: float) -> None:
    for name, value in weights.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value < float("inf"):
            raise CourseError(f"{name} is a number of at least 0; got {value!r}.")


def _check_maps(maps: Tensor) -> None:
    if not isinstance(maps, Tensor) or maps.ndim != 4 or not maps.is_floating_point():
        got = f"{_form(maps)} {maps.dtype}" if isinstance(maps, Tensor) else type(maps).__name__
        raise CourseError(f"Maps are (N, C, H, W) float; got {got}.")


def _form(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)
