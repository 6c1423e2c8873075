"""The exercises of lesson 53 teach what the package does, and its count is the published one."""

import pytest
import torch
from torch import Tensor, nn

from crashcourse.exercises import catalogue
from crashcourse.exercises.rcan import Attention, Block, Group, rcan_size, shuffle_and_shave
from crashcourse.exercises.rcan_questions import QUESTIONS, SEES
from crashcourse.inspection import count_parameters
from crashcourse.restoration import RCAN, ChannelAttention, gates_of, rcan
from crashcourse.restoration.rcan import RCAB, ResidualGroup


@pytest.mark.parametrize(("scale", "border"), [(2, 0), (2, 3), (3, 2), (4, 4)])
def test_the_shuffle_is_torchs_and_the_border_is_the_images(scale: int, border: int) -> None:
    """The right answer lays maps out otherwise than `nn.PixelShuffle`, or counts the border in pixels of the maps."""
    maps = torch.randn(2, 3 * scale**2, 5, 6)
    whole = nn.PixelShuffle(scale)(maps)
    inside = whole[..., border : 5 * scale - border, border : 6 * scale - border]
    assert torch.equal(shuffle_and_shave(maps, scale, border), inside)


def test_a_crop_before_the_shuffle_is_known() -> None:
    """The mistake that the papers' protocol invites gets no hint of its own: a border `scale` times too wide."""

    def cropped_first(maps: Tensor, scale: int, border: int) -> Tensor:
        return nn.PixelShuffle(scale)(maps[..., border : maps.shape[2] - border, border : maps.shape[3] - border])

    report = catalogue()["restoration.shuffle_and_shave"].check(cropped_first, seed=0)
    assert report.matched == "crop_before_shuffle"
    assert "cut the maps before the shuffle" in report.hint


def same(ours: nn.Module, theirs: nn.Module) -> None:
    """The same function of the same weights, matched by their order."""
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    maps = torch.randn(2, 8, 5, 4)
    torch.testing.assert_close(ours(maps), theirs(maps))


def test_the_modules_are_the_packages() -> None:
    """Else learners write other parts than the network that lessons run is made of."""
    torch.manual_seed(0)
    same(Attention(8, 3), ChannelAttention(8, 3))
    same(Block(8, 2), RCAB(8, 2))
    same(Group(3, 8, 4), ResidualGroup(3, 8, 4))


def test_the_count_is_the_networks_and_the_published_one() -> None:
    """Else the lesson's table disagrees with the networks that it is about."""
    assert rcan_size(10, 20, 64) == 15_444_643
    for groups, blocks, width, reduction in ((1, 1, 4, 2), (2, 3, 9, 2), (1, 2, 16, 16)):
        network = RCAN(2, groups=groups, blocks=blocks, width=width, reduction=reduction)
        assert rcan_size(groups, blocks, width, reduction) == count_parameters(network)


def test_the_shares_that_the_table_explains() -> None:
    """Gates are not 0.8 % of the parameters, or a block does not see 5 places."""
    gates = QUESTIONS[0].value["all gates of the network: parameters"]
    with torch.device("meta"):
        assert f"{gates / count_parameters(rcan(2)):.1%}" == "0.8%"
    torch.manual_seed(0)
    block, maps = RCAB(8, None).double(), torch.randn(1, 8, 11, 11, dtype=torch.float64, requires_grad=True)
    block(maps)[0, :, 5, 5].sum().backward()
    seen = maps.grad.abs().sum((0, 1)).nonzero()
    assert int(seen.max() - seen.min()) + 1 == QUESTIONS[0].value[SEES]


@pytest.mark.parametrize("half", [slice(0, 12), slice(12, 24)])
def test_a_tile_has_gates_of_its_own(half: slice) -> None:
    """Else the right option of the question about tiles is wrong."""
    torch.manual_seed(0)
    model, image = RCAN(2, groups=1, blocks=1, width=8, reduction=2), torch.rand(1, 3, 12, 24)
    image[..., 12:] /= 8
    whole, tile = gates_of(model, image)[0], gates_of(model, image[..., half])[0]
    assert float((whole - tile).abs().max()) > 1e-3
