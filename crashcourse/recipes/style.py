"""Recipe of lesson 40: the style of a painting on a photograph, with trained features and with random ones.

Paper: Gatys, Ecker and Bethge, 2015, arXiv:1508.06576. **Differs from the paper:** VGG-16 up to conv4_1, whose ImageNet
weights travel with the course, in place of VGG-19; so content is taken at conv3_3 and style at four layers. The weight
of the style grows with the number of pixels, because the content's loss is a sum over places and the style's a mean.
A little total variation holds back the noise that the image starts from.

What is trained is one picture: a "model" of as many parameters as it has values. An epoch is a round of ten iterations
of L-BFGS. The seed chooses photograph and painting (the first three pairs in turn), the noise and the random weights.
"""

import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crashcourse.errors import CourseError
from crashcourse.recipes.base import Job, Recipe, Run, Scale
from crashcourse.style import Canvas, Encoder, gram, random_encoder, style_loss, transfer, vgg16_encoder
from crashcourse.training import History
from crashcourse.training.machine import Machine

PAIRS = (("astronaut", "bouquet"), ("mountains", "ink"), ("dogs", "valley"))
"""Photograph and painting, for the seeds in turn."""
CONTENT, STYLE = "conv3_3", ("conv1_1", "conv2_1", "conv3_1", "conv4_1")
STYLE_WEIGHT = 1500.0
"""β for each pixel of the image, where α is 1: 1e7 at 80×80."""
VARIATION = {"trained": 50.0, "random": 5.0}
"""Of total variation. Random features give losses about a tenth as large."""
VARIANTS = {
    "trained": "VGG-16 trained on ImageNet, from noise",
    "random": "VGG-16 with random weights, from noise",
    "from_content": "trained, but the photograph is where it starts",
    "max_pooling": "trained, with max-pooling as in training in place of means",
}


class Painted(nn.Module):
    """A picture as a model: it answers with itself.

    Args:
        picture: `(1, 3, H, W)` float in [0, 1].
    """

    def __init__(self, picture: Tensor) -> None:
        super().__init__()
        self.picture = nn.Parameter(picture.clone())

    def forward(self) -> Tensor:
        return self.picture  # (1, 3, H, W)


def square(image: Tensor, size: int) -> Tensor:
    """The largest square in the middle of a picture, as an image to be painted.

    Args:
        image: `(3, H, W)` uint8.
        size: side of the result, in pixels.

    Returns:
        `(1, 3, size, size)` float in [0, 1].

    Raises:
        CourseError: another shape or dtype, or a size below 16.
    """
    if image.ndim != 3 or image.shape[0] != 3 or image.dtype != torch.uint8 or size < 16:
        raise CourseError(
            f"square takes (3, H, W) uint8 and a size of at least 16; got {tuple(image.shape)} {image.dtype}, {size}."
        )
    height, width = image.shape[1:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = image[None, :, top : top + side, left : left + side].float() / 255
    return F.interpolate(middle, size=(size, size), mode="bicubic", antialias=True).clamp(0, 1)


def pair(number: int, size: int) -> tuple[Tensor, Tensor]:
    """A photograph and a painting, each `(1, 3, size, size)` float in [0, 1]; numbers beyond the list start again."""
    from crashcourse.datasets import paintings, photos

    wanted, painter = PAIRS[number % len(PAIRS)]
    photographs = {photo.name: photo.image for split in ("train", "test") for photo in photos(split)}
    painted = {painting.name: painting.image for painting in paintings()}
    return square(photographs[wanted], size), square(painted[painter], size)


def edge_likeness(first: Tensor, second: Tensor) -> float:
    """The correlation between the edges of two pictures: 1 for the same drawing, about 0 for two that share nothing.

    An edge is the length of the gradient of the grey picture, averaged over 3×3 pixels. Colours and the strength of
    contrasts have no say in it; it needs no network.

    Args:
        first, second: `(1, 3, H, W)` float in [0, 1], of one size.

    Raises:
        CourseError: other shapes.
    """
    if first.shape != second.shape or first.ndim != 4 or first.shape[:2] != (1, 3):
        raise CourseError(
            f"Edges are compared between two (1, 3, H, W); got {tuple(first.shape)} and {tuple(second.shape)}."
        )
    rows = torch.stack([_edges(picture).flatten() for picture in (first, second)])
    return torch.corrcoef(rows)[0, 1].item()


def _edges(picture: Tensor) -> Tensor:
    grey = picture.mean(1, keepdim=True)  # (1, 1, H, W)
    right = grey[..., :-1, 1:] - grey[..., :-1, :-1]
    below = grey[..., 1:, :-1] - grey[..., :-1, :-1]
    return F.avg_pool2d((right.square() + below.square()).sqrt(), 3, stride=1)


def encoder_for(variant: str, *, seed: int = 0) -> Encoder:
    """What a variant looks with."""
    from crashcourse.datasets import vgg16_weights

    if variant == "random":
        return random_encoder(configuration="D", seed=seed)
    return vgg16_encoder(vgg16_weights(), pooling="max" if variant == "max_pooling" else "average")


@torch.no_grad()
def judged(picture: Tensor, content: Tensor, style: Tensor) -> dict[str, float]:
    """What a picture has of both, whoever painted it.

    Returns:
        "edges": `edge_likeness` to the content. "style": the style loss by the trained features, in parts of the
        photograph's own.
    """
    encoder = encoder_for("trained").to(picture.device)
    targets = {name: gram(maps) for name, maps in encoder(style, STYLE).items()}
    own, before = (style_loss(encoder(image, STYLE), targets).item() for image in (picture, content))
    return {"edges": edge_likeness(picture, content), "style": own / before}


def _train(job: Job) -> Run:
    device = Machine().resolved().device
    size = job.scale.image_size
    content, style = (image.to(device) for image in pair(job.seed, size))
    path = Path(job.checkpoint.path) if job.checkpoint else None
    start: str | Canvas = "content" if job.variant == "from_content" else "noise"
    if path is not None and path.exists():
        start = Canvas.load(path)
    began = time.perf_counter()
    canvas = transfer(
        content,
        style,
        encoder_for(job.variant, seed=job.seed).to(device),
        rounds=job.scale.epochs,
        start=start,
        seed=job.seed,
        content_layer=CONTENT,
        style_layers=STYLE,
        style_weight=STYLE_WEIGHT * size**2,
        variation_weight=VARIATION.get(job.variant, VARIATION["trained"]),
        callback=(lambda canvas: canvas.save(path)) if path else None,
    )
    seconds = time.perf_counter() - began
    names = ("loss", "content", "style")
    rounds = [dict(zip(names, values, strict=True)) for values in zip(*(canvas.losses[n] for n in names), strict=True)]
    metrics = judged(canvas.picture, content, style)
    if job.progress:
        print(f"{canvas.rounds} rounds, loss {canvas.losses['loss'][-1]:.3g}, {seconds:.0f} s")
    return Run(Painted(canvas.picture).eval(), History(rounds, seconds, canvas.interrupted), metrics, seconds)


def _scale(rounds: int, size: int, compares: tuple[str, ...]) -> Scale:
    return Scale(
        epochs=rounds, batch_size=1, learning_rate=1.0, weight_decay=0.0, compares=compares, data="pictures",
        image_size=size, width=64, stages=(),
    )  # fmt: skip


STYLE_TRANSFER = Recipe(
    name="style_transfer",
    title="the style of a painting on a photograph, by L-BFGS on the pixels",
    data="photographs and paintings (CC0, CC BY, public domain; data/README.md), ImageNet features",
    variants=VARIANTS,
    scales={
        "laptop": _scale(5, 64, ("trained", "random")),
        "study": _scale(10, 96, ("trained", "random")),
        "gpu": _scale(50, 512, ("trained", "random")),
    },
    run=_train,
)

RECIPES = [STYLE_TRANSFER]
