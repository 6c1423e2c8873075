"""RoIAlign against torchvision's compiled operator, in turns in one process, at the sizes of Mask R-CNN.

    pytest tests/benchmarks/test_detection_masks.py --benchmark-only -s

What is compared is the time of the processor on one thread; the ratio is the median over the turns.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial

import pytest
import torch
import torchvision.ops

from crashcourse.detection.roi_align import roi_align

BOUND = 2.0
CASES = {
    "box head, P4": (256, (50, 68), 512, 7, 1 / 16, 2),
    "box head, P2": (256, (200, 272), 512, 7, 1 / 4, 2),
    "few boxes on P2": (256, (200, 272), 5, 7, 1 / 4, 2),
    "mask head, P4": (256, (50, 68), 128, 14, 1 / 16, 2),
    "as many samples as pixels, P4": (256, (50, 68), 512, 7, 1 / 16, -1),
    "targets of masks": (1, (800, 1088), 128, 28, 1.0, -1),
}
"""Channels, size of the map, boxes, bins, scale, samples a bin."""


def work(align: Callable[..., torch.Tensor], name: str, *, train: bool) -> Callable[[], object]:
    """One pooling, or one with its gradient, of boxes of 5 to 30 % of the map's sides."""
    channels, (height, width), boxes, bins, scale, ratio = CASES[name]
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(1, channels, height, width, generator=generator).requires_grad_(train)
    whole = torch.tensor([width, height]) / scale
    corner = torch.rand(boxes, 2, generator=generator) * whole * 0.7
    size = (0.05 + 0.25 * torch.rand(boxes, 2, generator=generator)) * whole
    rois = torch.cat([torch.zeros(boxes, 1), corner, corner + size], 1)
    pool = partial(align, features, rois, (bins, bins), spatial_scale=scale, sampling_ratio=ratio)
    if not train:
        return pool
    gradient = torch.ones(boxes, channels, bins, bins)
    return lambda: torch.autograd.grad(pool(), features, gradient)


def seconds(step: Callable[[], object]) -> float:
    start = time.process_time()
    step()
    return time.process_time() - start


@pytest.mark.parametrize("train", [False, True], ids=["forward", "with gradient"])
@pytest.mark.parametrize("name", CASES)
def test_no_slower_than_twice_torchvisions(name, train, benchmark):
    """A loop over bins, or a map of zeros for each box's gradient, would be slower many times over."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        ours, theirs = (work(align, name, train=train) for align in (roi_align, torchvision.ops.roi_align))
        ours(), theirs()
        turns = [(seconds(ours), seconds(theirs)) for _ in range(7)]
        benchmark.pedantic(ours, rounds=1)
    finally:
        torch.set_num_threads(threads)
    ratio = statistics.median(mine / other for mine, other in turns)
    milliseconds = [1000 * statistics.median(column) for column in zip(*turns, strict=True)]
    benchmark.extra_info |= {"ratio": ratio}
    print(f"{name}: {milliseconds[0]:.1f} ms, torchvision {milliseconds[1]:.1f} ms, {ratio:.2f} times as long")
    assert ratio < BOUND
