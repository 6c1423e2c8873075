"""In-memory batches against a DataLoader that augments image by image: the same flip, crop and normalisation.

    pytest tests/benchmarks/test_batches.py --benchmark-only

Images in a second, single process and one thread each; the ratio must be at least 5.
"""

import time
from collections.abc import Callable
from functools import partial

import torch

from crashcourse.datasets import Batches, ImageSet, garments, random_crop, random_flip

BATCH = 128


class PerSample(torch.utils.data.Dataset):
    """The ordinary way: one image, one label, torchvision's transforms."""

    def __init__(self, images: ImageSet) -> None:
        from torchvision.transforms import v2

        self.data = images
        self.transform = v2.Compose(
            [
                v2.RandomHorizontalFlip(),
                v2.RandomCrop(28, padding=2),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(images.mean, images.std),
            ]
        )

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.transform(self.data.images[index]), self.data.labels[index]


def in_memory(images: ImageSet) -> Batches:
    return images.batches(BATCH, augment=[random_flip, partial(random_crop, pad=2)])


def seconds(run: Callable[[], object], repeats: int = 3) -> float:
    def once() -> float:
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    return min(once() for _ in range(repeats))


def last(batches: object) -> tuple[int, float]:
    count = total = 0
    for images, _ in batches:
        count += len(images)
        total += float(images[0, 0, 0, 0])
    return count, total


def test_batches_are_five_times_as_fast_as_a_dataloader(benchmark):
    images = garments("test")
    loader = torch.utils.data.DataLoader(PerSample(images), BATCH, shuffle=True)
    assert last(loader)[0] == last(in_memory(images))[0] == len(images)
    slow = seconds(lambda: last(loader), repeats=2)
    benchmark(lambda: last(in_memory(images)))
    fast = seconds(lambda: last(in_memory(images)))
    benchmark.extra_info |= {
        "images per second": round(len(images) / fast),
        "DataLoader, images per second": round(len(images) / slow),
        "ratio": round(slow / fast, 1),
    }
    print(
        f"in memory {len(images) / fast:,.0f} images/s, DataLoader {len(images) / slow:,.0f}, ratio {slow / fast:.1f}"
    )
    assert slow / fast >= 5
