"""The recipe of lesson 16: what is compared differs in one thing, and in nothing else."""

import pytest
import torch

from crashcourse.inspection import count_macs, count_parameters
from crashcourse.recipes import mobile
from crashcourse.recipes.base import find

RECIPE = find("mobile_garments")
BUILDERS = [
    mobile.small_mobilenet_v1,
    mobile.small_mobilenet_v2,
    mobile.small_shufflenet_v1,
    mobile.small_shufflenet_v2,
    mobile.small_squeezenet,
]


def network(variant: str, scale: str = "study") -> torch.nn.Module:
    with torch.device("meta"):
        return mobile.mobile_variant(variant, RECIPE.scale(scale))


def cost(variant: str) -> tuple[int, int]:
    return count_parameters(network(variant)), count_macs(network(variant), (1, 28, 28))


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_builders_take_garments(build):
    """Another lesson that builds on these networks breaks."""
    with torch.device("meta"):
        assert build()(torch.empty(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize("scale", RECIPE.scales)
@pytest.mark.parametrize("variant", RECIPE.variants)
def test_every_variant_is_built_at_every_scale(variant, scale):
    """A width does not suit the groups, and a study ends after an hour."""
    assert network(variant, scale)(torch.empty(2, 1, 28, 28, device="meta")).shape == (2, 10)


@pytest.mark.parametrize("pair", [("linear", "relu"), ("shuffle", "no_shuffle"), ("squeeze", "squeeze_relu")])
def test_pairs_cost_the_same(pair):
    """A difference between the two could be one of size."""
    assert cost(pair[0]) == cost(pair[1])


def test_the_narrow_network_costs_what_the_separable_one_does():
    """“At equal cost” is not true: less than a tenth lies between them, in parameters and in MACs."""
    for narrow, separable, full in zip(cost("full_narrow"), cost("separable"), cost("full"), strict=True):
        assert narrow == pytest.approx(separable, rel=0.1)
        assert full > 7 * separable
