"""Boxes against compiled code: suppression against torchvision's operator, evaluation against pycocotools.

    pytest tests/benchmarks/test_detection_boxes.py --benchmark-only -s

Ours and theirs take turns in one process on one thread. What is compared is the time of the processor, which other
programs do not lengthen; a ratio is the median over the turns. That of `nms` and of the evaluation must not be above 1.
"""

import contextlib
import io
import statistics
from collections.abc import Callable

import pytest
import torch
import torchvision.ops
from torch import Tensor

from crashcourse.detection import batched_nms, nms
from tests.benchmarks.processor import seconds
from tests.detection.coco import evaluation, made, scored

BOXES = 10_000
# Side of the image and largest side of a box: from boxes that hardly meet to heaps of them.
FIELDS = {"sparse": (3000, 50), "usual": (1000, 100), "crowded": (1000, 500)}
IMAGES = {"few": (5, 6, 12), "many": (20, 8, 30)}  # classes, most objects, most detections of an image


def random_boxes(side: float, largest: float) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    corner = torch.rand(BOXES, 2, generator=generator) * side
    size = 1 + torch.rand(BOXES, 2, generator=generator) * (largest - 1)
    return torch.cat([corner, corner + size], 1), torch.rand(BOXES, generator=generator)


def raced(benchmark, ours: Callable[[], object], theirs: Callable[[], object], turns: int) -> float:
    """The median ratio of ours to theirs; kept with the benchmark, and printed."""
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(turns)]
    benchmark.pedantic(ours, rounds=1)
    ratio = statistics.median(mine / other for mine, other in pairs)
    mine, other = (1000 * statistics.median(column) for column in zip(*pairs, strict=True))
    benchmark.extra_info |= {"ratio": ratio, "ours, ms": mine, "theirs, ms": other}
    print(f"\nours {mine:.1f} ms, theirs {other:.1f} ms, ratio {ratio:.2f}")
    return ratio


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("field", FIELDS)
def test_nms_of_10000_boxes_is_no_slower_than_torchvisions_operator(field, threshold, benchmark):
    """Fails if the blocks no longer fit a cache, or if every box takes a step of its own."""
    boxes, scores = random_boxes(*FIELDS[field])
    assert torch.equal(nms(boxes, scores, threshold), torchvision.ops.nms(boxes, scores, threshold))
    ours, theirs = (lambda f=f: f(boxes, scores, threshold) for f in (nms, torchvision.ops.nms))
    assert raced(benchmark, ours, theirs, turns=11) <= 1


@pytest.mark.parametrize("field", FIELDS)
def test_batched_nms_of_10000_boxes_does_not_compare_classes(field, benchmark):
    """Fails if all pairs are compared, which took up to 15 times torchvision's time. As it is, about 2 times."""
    boxes, scores = random_boxes(*FIELDS[field])
    labels = torch.arange(BOXES) % 20
    ours, theirs = (lambda f=f: f(boxes, scores, labels, 0.5) for f in (batched_nms, torchvision.ops.batched_nms))
    assert set(ours().tolist()) == set(theirs().tolist())
    assert raced(benchmark, ours, theirs, turns=11) <= 4


@pytest.mark.parametrize("kind", IMAGES)
def test_evaluation_of_5000_images_is_no_slower_than_pycocotools(kind, benchmark):
    """Fails if adding, matching and ranking take longer than COCO's evaluate and accumulate, from what is in memory."""
    classes, objects, detections = IMAGES[kind]
    data = list(made(0, 5000, classes=classes, objects=objects, detections=detections))
    found = {}

    def ours() -> None:
        found["ours"] = scored(data, classes).coco()

    run = evaluation(data, classes)

    def theirs() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            run.evaluate()
            run.accumulate()

    ratio = raced(benchmark, ours, theirs, turns=1)
    with contextlib.redirect_stdout(io.StringIO()):
        run.summarize()
    assert found["ours"].mean == pytest.approx(run.stats[0], abs=1e-6)
    assert ratio <= 1
