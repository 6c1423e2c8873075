"""Measures against scikit-image's, tiles against one pass, RCAN's step against spandrel's in the same memory layout.

    pytest tests/benchmarks/test_restoration.py --benchmark-only -s

Ours and theirs take turns in one process on one thread. What is compared is the time of the processor, which other
programs do not lengthen; a ratio is the median over the turns.
"""

import importlib
import statistics
from collections.abc import Callable

import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from crashcourse.restoration import RCAN, DnCNN, psnr, ssim, tiled
from tests.benchmarks.processor import seconds

BOUNDS = {"psnr": 4.0, "ssim": 1.25}
"""How much longer ours may take. PSNR is a few passes over the images, and the check of their range is another one."""

LAYOUTS = {"NCHW": torch.contiguous_format, "NHWC": torch.channels_last}


def raced(benchmark, ours: Callable[[], object], theirs: Callable[[], object], turns: int) -> float:
    """The median ratio of ours to theirs; kept with the benchmark, and printed."""
    ours(), theirs()  # warms up
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(turns)]
    benchmark.pedantic(ours, rounds=1)
    ratio = statistics.median(mine / other for mine, other in pairs)
    mine, other = (1000 * statistics.median(column) for column in zip(*pairs, strict=True))
    benchmark.extra_info |= {"ratio": ratio, "ours, ms": mine, "theirs, ms": other}
    print(f"\nours {mine:.1f} ms, theirs {other:.1f} ms, ratio {ratio:.2f}")
    return ratio


@pytest.mark.parametrize("side", [128, 512])
@pytest.mark.parametrize("measure", ["psnr", "ssim"])
def test_measures_keep_up_with_scikit_images(measure, side, benchmark):
    """Validation waits for its measures: a batch of four colour images, ours at once, theirs one after the other."""
    generator = torch.Generator().manual_seed(0)
    a, b = torch.rand(2, 4, 3, side, side, generator=generator)
    arrays = [[image.permute(1, 2, 0).contiguous().numpy() for image in images] for images in (a, b)]
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}

    def theirs() -> list[float]:
        if measure == "psnr":
            return [peak_signal_noise_ratio(y, x, data_range=1.0) for x, y in zip(*arrays, strict=True)]
        return [structural_similarity(x, y, channel_axis=-1, **options) for x, y in zip(*arrays, strict=True)]

    ours = psnr if measure == "psnr" else ssim
    assert ours(a, b).tolist() == pytest.approx(theirs(), abs=1e-4)
    assert raced(benchmark, lambda: ours(a, b), theirs, 5) < BOUNDS[measure]


def test_what_tiles_cost_over_one_pass(benchmark):
    """Tiles compute their margins twice: at 64 + 2 · 5 pixels that is up to a third more work, and little else."""
    torch.manual_seed(0)
    model, images = DnCNN(1, 5, width=32).eval(), torch.rand(1, 1, 256, 256)
    with torch.inference_mode():
        ratio = raced(benchmark, lambda: tiled(model, images, tile=64, margin=5), lambda: model(images), 9)
    work = sum((min(start + 69, 256) - max(start - 5, 0)) for start in range(0, 256, 64)) ** 2 / 256**2
    print(f"work {work:.2f} times one pass")
    assert ratio < 1.25 * work


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_step_of_rcan_is_no_slower_than_spandrels(layout, benchmark):
    """Checks at the door, a needless copy or another order of layers make the network slower than the field's."""
    theirs_room = importlib.import_module("spandrel.architectures.RCAN")  # slow to import: only here
    torch.manual_seed(0)
    ours = RCAN(2, groups=3, blocks=4, width=32, reduction=8)
    theirs = theirs_room.RCAN(scale=2, n_resgroups=3, n_resblocks=4, n_feats=32, reduction=8)
    theirs.load_state_dict(ours.state_dict())
    images = torch.rand(2, 3, 32, 32).contiguous(memory_format=LAYOUTS[layout])

    def trainer(model: torch.nn.Module) -> Callable[[], None]:
        model.to(memory_format=LAYOUTS[layout])
        for shift in (model.sub_mean, model.add_mean):  # in spandrel's the mean colour is a parameter
            shift.requires_grad_(False)
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 1e-4)

        def step() -> None:
            optimizer.zero_grad()
            model(images.clone()).abs().mean().backward()  # a clone: spandrel's changes its input
            optimizer.step()

        return step

    assert raced(benchmark, trainer(ours), trainer(theirs), 9) < 1.05
