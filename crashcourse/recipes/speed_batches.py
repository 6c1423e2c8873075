"""Two other ways to batches: one image at a time, as most tutorials do, and batches that grow from epoch to epoch.

Papers: Smith, Kindermans, Ying and Le, "Don't decay the learning rate, increase the batch size", 2017,
arXiv:1711.00489. **Differs from the paper:** the batch grows at the start of an epoch only.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from crashcourse.datasets import Batches, ImageSet
from crashcourse.datasets.batches import seeded_generator
from crashcourse.errors import CourseError


class PerImage(torch.utils.data.Dataset):
    """Garments one by one, as `torchvision.datasets.FashionMNIST` gives them: a PIL image through transforms.

    Args:
        images: the garments; they stay where they are, one copy is made for each item.
        augment: mirror, shift and erase, by torchvision's transforms. Their chance is torch's global generator's.
    """

    def __init__(self, images: ImageSet, *, augment: bool = False) -> None:
        from torchvision import transforms

        self.images = images
        side = images.images.shape[-1]
        before = [transforms.RandomHorizontalFlip(), transforms.RandomCrop(side, padding=2)] if augment else []
        after = [transforms.RandomErasing(scale=(0.08, 0.08), ratio=(1, 1))] if augment else []
        normalise = [transforms.ToTensor(), transforms.Normalize(images.mean, images.std)]
        self.transform = transforms.Compose([*before, *normalise, *after])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """One image `(1, 28, 28)` float32, normalised, and its label."""
        from PIL import Image

        picture = Image.fromarray(self.images.images[index, 0].numpy())
        return self.transform(picture), int(self.images.labels[index])


class LoaderBatches:
    """Batches through torch's `DataLoader` over `PerImage`, in its own process, with full batches only.

    The order of epoch `e` is that of `crashcourse.datasets.Batches` with the same seed, so that the two differ in time
    alone: without augmentation they give the same numbers.

    Args:
        images: on the CPU.
        batch_size: images in a batch.
        seed: of the order.
        augment: see `PerImage`.

    Raises:
        CourseError: fewer images than one batch.
    """

    def __init__(self, images: ImageSet, batch_size: int, *, seed: int = 0, augment: bool = False) -> None:
        if len(images) < batch_size:
            raise CourseError(f"{len(images)} images give no batch of {batch_size}; choose a smaller batch_size.")
        self.dataset, self.batch_size, self.seed = PerImage(images, augment=augment), batch_size, seed

    def __len__(self) -> int:
        return len(self.dataset) // self.batch_size

    def epoch(self, index: int, *, start: int = 0) -> Iterator[list[Tensor]]:
        """The batches of one epoch, from batch `start` on: `(N, 1, 28, 28)` float32 and `(N,)` int64."""
        order = torch.randperm(len(self.dataset), generator=seeded_generator(self.seed, index, "order"))
        rows = order.split(self.batch_size)[start : len(self)]
        own = torch.Generator()  # so that the loader draws nothing from the generator that dropout draws from
        return iter(torch.utils.data.DataLoader(self.dataset, batch_sampler=[r.tolist() for r in rows], generator=own))


class GrowingBatches:
    """Batches whose size is a list: one for each epoch of the run.

    Each epoch goes through the same images in the same order as it would with batches of any other size. A run that
    stops goes on from its checkpoint as with constant batches, since an epoch depends on its index alone.

    Args:
        make: makes batches of a size: `make(64)`.
        sizes: the size in each epoch.

    Raises:
        CourseError: no sizes, or one of which `make` has too few images for.
    """

    def __init__(self, make: Callable[[int], Batches], sizes: Sequence[int]) -> None:
        if not sizes:
            raise CourseError("GrowingBatches takes the batch size of every epoch; got none.")
        self.make, self.sizes = make, list(sizes)
        self.kinds = {size: make(size) for size in sizes}

    def __len__(self) -> int:
        """Batches in the first epoch."""
        return self.length(0)

    def length(self, index: int) -> int:
        """Batches in epoch `index`."""
        return len(self._at(index))

    def epoch(self, index: int, *, start: int = 0) -> Iterator[Any]:
        """The batches of epoch `index`, from batch `start` on."""
        return self._at(index).epoch(index, start=start)

    def shard(self, rank: int, world: int) -> "GrowingBatches":
        """This process's part of every batch."""
        return GrowingBatches(lambda size: self.make(size).shard(rank, world), self.sizes)

    def _at(self, index: int) -> Batches:
        if not 0 <= index < len(self.sizes):
            raise CourseError(
                f"These batches have sizes for epochs 0 to {len(self.sizes) - 1}; epoch {index} has none."
            )
        return self.kinds[self.sizes[index]]
