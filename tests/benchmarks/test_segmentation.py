"""What the overlap-tile strategy costs over one pass: its windows overlap, and little else.

    pytest tests/benchmarks/test_segmentation.py --benchmark-only -s

Tiles and one pass take turns in one process on one thread. What is compared is the time of the processor, which other
programs do not lengthen; the ratio is the median over the turns.
"""

import statistics

import pytest
import torch

from crashcourse.inspection import count_macs
from crashcourse.segmentation import mirror_pad, overlap_tile, small_unet
from tests.benchmarks.processor import seconds

BOUND = 1.5
"""How much longer tiles may take than their multiply-adds say. First layers, which see most of a window's margin, have
few channels: they take more of the time than of the work."""
TURNS = 7


@pytest.mark.parametrize("tile", [64, 128])
def test_what_overlapping_tiles_cost_over_one_pass(tile, benchmark):
    """Windows copied more than once, or one tile more than it takes, would cost more than the overlap's own work."""
    torch.manual_seed(0)
    model, image = small_unet(widths=(16, 32, 64)).eval(), torch.rand(1, 1, 256, 256)

    def tiles() -> torch.Tensor:
        return overlap_tile(model, image, tile)

    @torch.no_grad()
    def one_pass() -> torch.Tensor:
        return model(mirror_pad(image, model.margin))

    torch.testing.assert_close(tiles(), one_pass(), atol=1e-5, rtol=0)  # and warms up
    pairs = [(seconds(tiles), seconds(one_pass)) for _ in range(TURNS)]
    benchmark.pedantic(tiles, rounds=1)
    ratio = statistics.median(mine / other for mine, other in pairs)
    window, whole = (count_macs(model, (1, *[side + 2 * model.margin] * 2)) for side in (tile, 256))
    work = (256 // tile) ** 2 * window / whole
    benchmark.extra_info |= {"ratio": ratio, "work": work}
    print(f"\ntiles of {tile}: {ratio:.2f} times the time of one pass, {work:.2f} times its multiply-adds")
    assert ratio < BOUND * work
