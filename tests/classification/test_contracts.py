"""The contracts of `tests/contracts.py` over AlexNet, ZFNet and VGG; the files of later papers have their own cases.

The dense layers are narrowed to 64 units: the convolutional parts are the published ones. That the published networks
as a whole are right is shown in `test_published.py` and `test_oracles.py`.
"""

import pytest

from crashcourse.classification import VGG, AlexNet, ZFNet, small_vgg
from crashcourse.classification.vgg import CHANNELS, CONFIGURATIONS, vgg_features
from tests.contracts import CONTRACTS, ModelCase


def vgg(letter: str, *, batch_norm: bool = False) -> VGG:
    return VGG(vgg_features(CONFIGURATIONS[letter], CHANNELS, batch_norm=batch_norm), 10, hidden=64, pooled=1)


def vgg_case(name: str, letter: str, *, batch_norm: bool = False) -> ModelCase:
    rate = 1e-3 if batch_norm else 1e-4
    return ModelCase(name, lambda: vgg(letter, batch_norm=batch_norm), (3, 3, 32, 32), (3, 10), learning_rate=rate)


CASES = [
    ModelCase("alexnet", lambda: AlexNet(10, hidden=64), (3, 3, 63, 63), (3, 10)),
    ModelCase(
        "alexnet_paper",
        lambda: AlexNet(10, paper=True, hidden=64),
        (3, 3, 67, 67),
        (3, 10),
        scale=64,
        learning_rate=3e-4,
        steps=150,
    ),
    ModelCase("zfnet", lambda: ZFNet(10, hidden=64), (3, 3, 47, 47), (3, 10), scale=64, learning_rate=3e-4, steps=150),
    vgg_case("vgg11", "A"),
    vgg_case("vgg13", "B"),
    vgg_case("vgg16_c", "C"),
    vgg_case("vgg16", "D"),
    vgg_case("vgg19", "E"),
    vgg_case("vgg11_bn", "A", batch_norm=True),
    vgg_case("vgg13_bn", "B", batch_norm=True),
    vgg_case("vgg16_bn", "D", batch_norm=True),
    vgg_case("vgg19_bn", "E", batch_norm=True),
    ModelCase("small_vgg", small_vgg, (4, 1, 28, 28), (4, 10)),
    ModelCase("small_vgg_plain", lambda: small_vgg(batch_norm=False), (4, 1, 28, 28), (4, 10)),
]


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_contract(case, contract):
    contract(case)
