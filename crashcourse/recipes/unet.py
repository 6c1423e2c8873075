"""Recipe of lesson 31: a small U-Net that tells touching cells apart.

Paper: Ronneberger et al., 2015, arXiv:1505.04597: valid convolutions over mirrored images, cross-entropy weighted by
equation 2, skips that are cropped and concatenated. **Differs from the paper:** cells are drawn (see
`datasets.cells`), as many as are wanted, so that none is deformed; AdamW under one cycle, batches of several images;
w_c is 1, so that with and without the map differ in its second term alone.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from crashcourse.recipes.base import Job, Recipe, Run, Scale
from crashcourse.recipes.detector_data import SEEDS
from crashcourse.recipes.settings import TrainingSettings
from crashcourse.segmentation import (
    DoubleConv,
    ResUNet,
    UNet,
    UpBlock,
    border_weight_map,
    center_crop,
    confusion_matrix,
    count_matches,
    cross_entropy,
    label_objects,
    mean_iou,
    mirror_pad,
    seg_score,
    separate_cells,
)
from crashcourse.training import Machine

if TYPE_CHECKING:
    from crashcourse.datasets import Cells

LEAST = 20
"""Objects of fewer pixels are not counted as cells: half of the smallest that is drawn."""
WATCHED = 20
"""How many test images are scored after every epoch."""


class AddingUpBlock(UpBlock):
    """An up block that adds the skip to the enlarged map, where U-Net concatenates them: half the channels to read."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, skip_channels, out_channels)
        self.convs = DoubleConv(out_channels, out_channels)

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        """(N, in_channels, h, w) and (N, out_channels, H, W), H >= 2h -> (N, out_channels, 2h - 4, 2w - 4)."""
        raised = self.up(below)
        return self.convs(raised + center_crop(skip, raised.shape[2], raised.shape[3]))


class LonelyUpBlock(AddingUpBlock):
    """An up block that does not look at the skip."""

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        """(N, in_channels, h, w), and a skip that is ignored -> (N, out_channels, 2h - 4, 2w - 4)."""
        return self.convs(self.up(below))


class Framed(nn.Module):
    """A padded network for pictures whose sides its poolings do not divide.

    It takes `margin` mirrored pixels more on every side, and cuts them off its answer.
    """

    def __init__(self, network: nn.Module, margin: int) -> None:
        super().__init__()
        self.network, self.margin = network, margin

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H + 2 · margin, W + 2 · margin) -> (N, classes, H, W)."""
        logits, m = self.network(images), self.margin
        return logits[..., m : logits.shape[2] - m, m : logits.shape[3] - m]


def with_up_blocks(network: UNet, block: Callable[[int, int, int], UpBlock]) -> UNet:
    """The same network with other up blocks, new ones: valid convolutions only."""
    sizes = [(old.up.in_channels, old.up.out_channels) for old in network.expansive]
    network.expansive = nn.ModuleList(block(below, width, width) for below, width in sizes)
    return network


def unet_variant(variant: str, scale: Scale) -> nn.Module:
    """The network of a variant of `unet_cells`: a level for each of `scale.stages`, each twice as wide as the last."""
    if variant in ("padded", "resunet"):
        rest = -scale.image_size % 2 ** (len(scale.stages) - 1)
        network = _whole(variant, scale)
        return Framed(network, rest // 2) if rest else network
    return _whole(variant, scale)


def _whole(variant: str, scale: Scale) -> UNet | ResUNet:
    widths = tuple(scale.width * 2**level for level in range(len(scale.stages)))
    if variant == "resunet":
        return ResUNet(1, 2, widths=widths)
    deep = len(widths) == 5  # as in 2015; small networks learn too little in a minute to lose half of it
    network = UNet(1, 2, widths=widths, padded=variant == "padded", dropout=0.5 if deep else 0.0)
    blocks = {"added": AddingUpBlock, "no_skips": LonelyUpBlock}
    return with_up_blocks(network, blocks[variant]) if variant in blocks else network


def as_input(images: Tensor) -> Tensor:
    """(N, C, H, W) uint8 -> float of about -2 to 2: what the networks of this recipe are trained on."""
    return (images.float() / 255 - 0.5) / 0.25


def segment_step(model: nn.Module, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """The step of a U-Net: cross-entropy, each pixel times its weight where there are weights.

    Args:
        model: images -> logits.
        batch: images `(N, C, H + 2 · margin, W + 2 · margin)` float, labels `(N, H, W)`, and weights `(N, H, W)` or
            nothing.
    """
    images, labels, *weights = batch
    logits = model(images).float()
    loss = cross_entropy(logits, labels, weights=weights[0] if weights else None)
    return {"loss": loss, "accuracy": (logits.argmax(1) == labels).float().mean()}


@torch.no_grad()
def segment(model: nn.Module, images: Tensor, *, batch_size: int = 20) -> Tensor:
    """The class of every pixel, each image in one pass, mirrored by the network's margin. Call `model.eval()` first.

    Args:
        model: with a `margin`.
        images: (N, C, H, W) uint8.
        batch_size: images in memory at a time.

    Returns:
        (N, H, W) int64 on the CPU.
    """
    device = next(model.parameters()).device
    parts = (mirror_pad(as_input(part.to(device)), model.margin) for part in images.split(batch_size))
    return torch.cat([model(part).argmax(1).cpu() for part in parts])


def cell_scores(found: Tensor, instances: Tensor) -> dict[str, float]:
    """How well cells were found, by pixels and one by one.

    Args:
        found: (N, H, W), 1 where a cell is said to be.
        instances: (N, H, W), the true cells, numbered.

    Returns:
        "f1": 2 · matched / (found + true) cells, matched with an IoU above 0.5. "separate": of the cells that touch
        another, the part that has an object of its own. "seg": the mean over images of SEG. "mean_iou": of the pixels
        of cells and background.
    """
    objects = [label_objects(mask, least=LEAST) for mask in found]
    counts = torch.tensor([count_matches(*pair) for pair in zip(objects, instances, strict=True)]).sum(0)
    touching = torch.tensor([separate_cells(*pair) for pair in zip(objects, instances, strict=True)]).sum(0)
    seg = [seg_score(*pair) for pair in zip(objects, instances, strict=True)]
    matched, said, true = counts.tolist()
    return {
        "f1": 2 * matched / max(said + true, 1),
        "separate": int(touching[0]) / max(int(touching[1]), 1),
        "seg": sum(seg) / len(seg),
        "mean_iou": mean_iou(confusion_matrix(found, (instances > 0).long(), 2)),
    }


@lru_cache(maxsize=4)
def cell_pictures(split: str, count: int, size: int) -> "Cells":
    """The cells of a scale, the same for every variant and every seed of a run."""
    from crashcourse.datasets import cells

    return cells(count, seed=SEEDS[split], size=size, split=split)


def train_segmenter(
    model: nn.Module, job: Job, tensors: tuple[Tensor, ...], score: Callable[[nn.Module, int | None], dict[str, float]]
) -> Run:
    """Train within the job's budget.

    Args:
        model: images -> logits, with a `margin`.
        job: budget, seed, checkpoint.
        tensors: images `(N, C, S, S)` uint8, labels `(N, S, S)` int64, and weights `(N, S, S)` or nothing; all on the
            device where the images are to be kept.
        score: `score(model, count)`: metrics on the first `count` test images, on all for None.

    Returns:
        The run. Its history has the scores of the first `WATCHED` test images after each epoch, as "test_...".
    """
    from crashcourse.datasets import Batches

    margin = model.margin
    batches = Batches(
        *tensors,
        batch_size=job.scale.batch_size,
        seed=job.seed,
        transform=lambda images: mirror_pad(as_input(images), margin),
        drop_last=True,
    )

    def evaluate(model: nn.Module) -> dict[str, float]:
        return {f"test_{name}": value for name, value in score(model, WATCHED).items()}

    history = TrainingSettings().fit(model, batches, segment_step, job, evaluate=evaluate)
    return Run(model, history, score(model, None), history.seconds)


def _score_cells(scale: Scale, model: nn.Module, count: int | None) -> dict[str, float]:
    test = cell_pictures("test", scale.test_images, scale.image_size)[:count]
    return cell_scores(segment(model, test.images), test.instances)


def _train_cells(job: Job) -> Run:
    scale, device = job.scale, Machine().resolved().device
    training = cell_pictures("train", scale.images, scale.image_size)
    tensors = [training.images.to(device), training.masks.to(device)]
    if job.variant != "plain":
        maps = [border_weight_map(one.to(device)) for one in training.instances]
        tensors.append(torch.stack(maps))
    model = unet_variant(job.variant, scale)
    return train_segmenter(model, job, tuple(tensors), partial(_score_cells, scale))


CELLS = Scale(
    epochs=5,
    batch_size=4,
    learning_rate=5e-3,
    compares=("border",),
    width=8,
    stages=(2, 2, 2),
    weight_decay=1e-4,
    data="cells",
    image_size=128,
    images=120,
    test_images=40,
)
UNET_CELLS = Recipe(
    name="unet_cells",
    title="a small U-Net on touching cells",
    data="cells: drawn by the course, MIT licence",
    variants={
        "border": "valid convolutions, skips concatenated, loss weighted by the border weight map",
        "plain": "as border, every pixel with weight 1",
        "padded": "as border, zeros around every 3×3 convolution",
        "added": "as border, skips added instead of concatenated",
        "no_skips": "as border, without skips",
        "resunet": "ResU-Net of the same widths, loss weighted by the border weight map",
    },
    scales={
        "laptop": CELLS,
        "study": replace(CELLS, compares=("border", "plain", "padded", "added", "no_skips", "resunet")),
        "gpu": replace(
            CELLS,
            epochs=40,
            batch_size=8,
            learning_rate=1e-3,
            compares=("border", "plain"),
            width=64,
            stages=(2, 2, 2, 2, 2),
            image_size=388,
            images=400,
            test_images=50,
        ),
    },
    run=_train_cells,
)

RECIPES = [UNET_CELLS]
