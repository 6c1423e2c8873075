"""What `fit` costs over the plain loop that does the same.

    pytest tests/benchmarks/test_training.py --benchmark-only

The same small VGG, batches and updates, one thread, CPU seconds of one process; what `fit` adds must stay below 5 %.
"""

import time
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from crashcourse.classification.vgg import small_vgg
from crashcourse.datasets import Batches
from crashcourse.recipes import classify
from crashcourse.training import Machine, fit


def garment_like() -> Batches:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(1280, 1, 28, 28, generator=generator)
    return Batches(images, torch.arange(1280) % 10, batch_size=64)


def plain(model: nn.Module, batches: Batches) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    model.train()
    for images, labels in batches.epoch(0):
        optimizer.zero_grad()
        logits = model(images)
        loss = F.cross_entropy(logits, labels)
        (logits.argmax(1) == labels).float().mean()
        loss.backward()
        optimizer.step()


def fitted(model: nn.Module, batches: Batches) -> None:
    fit(
        model,
        batches,
        classify,
        epochs=1,
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.01, momentum=0.9),
        machine=Machine(device="cpu"),
        progress=False,
    )


def seconds(train: Callable[[nn.Module, Batches], None]) -> float:
    torch.manual_seed(0)
    model, batches = small_vgg(width=8), garment_like()
    started = time.process_time()
    train(model, batches)
    return time.process_time() - started


@pytest.mark.benchmark
def test_fit_costs_little_over_a_plain_loop(benchmark: Callable[..., object]) -> None:
    """Fails if `fit` adds 5 % to the time of the plain loop on a small network."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        seconds(fitted)  # imports accelerate, warms caches
        pairs = [(seconds(plain), seconds(fitted)) for _ in range(7)]
        benchmark.pedantic(seconds, args=(fitted,), rounds=1)
    finally:
        torch.set_num_threads(threads)
    ratio = min(b for _, b in pairs) / min(a for a, _ in pairs)
    benchmark.extra_info["fit over plain loop"] = ratio
    print(f"fit takes ≈ {ratio:.3f} times the plain loop")
    assert ratio < 1.05
