"""Each network against somebody else's same network: one training step and one inference, in both memory layouts.

    pytest tests/benchmarks/test_classification.py --benchmark-only -s
    pytest tests/benchmarks/test_classification.py --benchmark-only -s -k "resnet and 32"

Ours and theirs (`tests/others.py`: torchvision's, timm's or pytorchcv's) take turns on one thread, each with the same
images, in the layout that both have by default (NCHW) and in channels-last (NHWC). What is compared is the time of the
processor, which other programs do not lengthen; the ratio is the median over the turns. A ratio above the bound is
measured again with four times the turns before it counts. The table of all ratios is printed at the end.

At 224×224 a step takes one image, at 32×32 four. Networks for 32×32 images are tried at 32 only; AlexNet and ZFNet,
which do not take so small ones, at 64 and not at all. Pytorchcv's ZFNet does not take channels-last images.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from functools import lru_cache

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crashcourse.classification import MODELS
from tests.oracles import Pair
from tests.others import OTHERS, any_size

BOUND = 1.05
SECONDS = 2.0
"""About as long is each network run before a ratio is believed, and four times as long before it is called slow."""

LAYOUTS = {"NCHW": torch.contiguous_format, "NHWC": torch.channels_last}
Step = Callable[[], object]
Row = tuple[str, int]


def sides(name: str) -> tuple[int, ...]:
    """Which sizes of images the two networks are tried with."""
    if MODELS[name].image_size == 32:
        return (32,)
    return {"alexnet": (64, 224), "zfnet": (224,)}.get(name, (32, 224))


ROWS = [
    (name, side, layout)
    for name in OTHERS
    for side in sides(name)
    for layout in LAYOUTS
    if (name, layout) != ("zfnet", "NHWC")
]


@lru_cache(maxsize=1)
def pair(name: str) -> Pair:
    """Ours and theirs as their builders make them."""
    torch.manual_seed(0)
    ours, theirs = OTHERS[name].ours(), OTHERS[name].build()
    if OTHERS[name].prepare is any_size:
        any_size(ours, theirs)
    return ours, theirs


def batch(side: int, layout: str) -> Tensor:
    count = 1 if side == 224 else 4
    images = torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(0))
    return images.contiguous(memory_format=LAYOUTS[layout])


def trainer(model: nn.Module, side: int, layout: str) -> Step:
    """A training step: forward, loss, backward, plain SGD."""
    model.train().to(memory_format=LAYOUTS[layout])
    images = batch(side, layout)
    labels = torch.arange(len(images))
    optimizer = torch.optim.SGD(model.parameters(), 1e-4)

    def step() -> None:
        optimizer.zero_grad()
        scores = model(images)
        heads = (scores,) if isinstance(scores, Tensor) else scores
        sum(F.cross_entropy(head, labels) for head in heads).backward()
        optimizer.step()

    return step


def evaluator(model: nn.Module, side: int, layout: str) -> Step:
    """Scores of a batch in evaluation mode, without gradients."""
    model.eval().to(memory_format=LAYOUTS[layout])
    images = batch(side, layout)

    def step() -> None:
        with torch.inference_mode():
            model(images)

    return step


MODES = {"train": trainer, "infer": evaluator}


def seconds(step: Step) -> float:
    start = time.process_time()
    step()
    return time.process_time() - start


def race(ours: Step, theirs: Step, budget: float) -> list[tuple[float, float]]:
    """Times of ours and theirs, in turns; who goes first changes from turn to turn."""
    once = max(seconds(ours), seconds(theirs))  # warms up, too
    turns = []
    for place in range(min(100, max(5, round(budget / once)))):
        if place % 2:
            turns.append((seconds(ours), seconds(theirs)))
        else:
            turns.append((seconds(theirs), seconds(ours))[::-1])
    return turns


def ratio(turns: list[tuple[float, float]]) -> float:
    return statistics.median(ours / theirs for ours, theirs in turns)


@pytest.fixture(scope="module")
def table() -> Iterator[dict[tuple[Row, str], tuple[float, float]]]:
    """Ratio and our milliseconds for every row and column; printed when all have run."""
    found: dict[tuple[Row, str], tuple[float, float]] = {}
    yield found
    columns = [f"{mode} {layout}" for mode in MODES for layout in LAYOUTS]
    print("\nTime of ours / theirs, and ours in ms, one thread\n")
    print("| network | side | " + " | ".join(columns) + " |\n" + "|---" * (2 + len(columns)) + "|")
    for name, side in dict.fromkeys(row for row, _ in found):
        cells = [found.get(((name, side), column)) for column in columns]
        shown = [f"{cell[0]:.2f} ({cell[1]:.0f})" if cell else "" for cell in cells]
        print(f"| {name} | {side} | " + " | ".join(shown) + " |")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("name", "side", "layout"), ROWS)
def test_no_slower_than_others(name, side, layout, mode, benchmark, table):
    """Checks at the door, a needless copy or another order of layers make a network slower than everybody else's."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        ours, theirs = (MODES[mode](model, side, layout) for model in pair(name))
        turns = race(ours, theirs, SECONDS)
        if ratio(turns) > BOUND:
            turns = race(ours, theirs, 4 * SECONDS)
        benchmark.pedantic(ours, rounds=1)
    finally:
        torch.set_num_threads(threads)
    got = ratio(turns)
    table[(name, side), f"{mode} {layout}"] = got, 1000 * min(mine for mine, _ in turns)
    benchmark.extra_info |= {"ratio": got, "turns": len(turns)}
    print(f"{name} {side} {mode} {layout}: {got:.3f} times theirs, over {len(turns)} turns")
    assert got < BOUND
