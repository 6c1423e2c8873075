"""The published results: torchvision's are those in its package, and every row belongs to a network of the room."""

import pytest
import torchvision.models

from crashcourse.classification.imagenet import PAPERS, TORCHVISION
from crashcourse.classification.models import MODELS


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvisions_results_are_torchvisions(name):
    """A digit was copied wrong, or the crop is another."""
    weights = torchvision.models.get_model_weights(name).IMAGENET1K_V1
    printed = weights.meta["_metrics"]["ImageNet-1K"]
    row = TORCHVISION[name]
    assert (100 - row.top1, 100 - row.top5) == pytest.approx((printed["acc@1"], printed["acc@5"]))
    assert [row.side] == weights.transforms().crop_size


def test_every_row_is_a_network_with_possible_numbers():
    """A row cannot be joined with parameters and MACs, or top-5 is worse than top-1."""
    for name, row in [*TORCHVISION.items(), *PAPERS.items()]:
        assert name in MODELS
        assert row.crops in (1, 10)
        assert 0 < (row.top5 or 1) < (row.top1 or 49) < 50
        assert row.top1 or row.top5
        assert row.source


def test_two_sources_agree_where_both_were_measured_alike():
    """The paper's row and torchvision's are of different networks: one crop each, and far apart."""
    both = [name for name in TORCHVISION if name in PAPERS and PAPERS[name].crops == 1]
    assert len(both) >= 5
    for name in both:
        assert PAPERS[name].top1 == pytest.approx(TORCHVISION[name].top1, abs=1.0)
