"""FFDNet: published sizes, sub-images and map by hand, levels in all their forms, odd sizes."""

import pytest
import torch
from torch import Tensor, nn

from crashcourse.errors import CourseError
from crashcourse.inspection import count_parameters
from crashcourse.restoration import FFDNet, ffdnet
from tests.contracts import ModelCase
from tests.restoration.image_contracts import IMAGE_CONTRACTS


class AtOneLevel(nn.Module):
    """FFDNet as a network of images alone, for the contracts."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.network = FFDNet(channels, 4, 16)

    def forward(self, noisy: Tensor) -> Tensor:
        return self.network(noisy, 25)


CASES = [
    ModelCase("ffdnet", lambda: AtOneLevel(1), (4, 1, 12, 14), (4, 1, 12, 14), scale=0.25, learning_rate=1e-2),
    ModelCase("ffdnet_colour", lambda: AtOneLevel(3), (2, 3, 9, 13), (2, 3, 9, 13), scale=0.25, learning_rate=1e-2),
]


@pytest.mark.parametrize("contract", IMAGE_CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_contract(case, contract):
    contract(case)


def what_goes_in(model: FFDNet, noisy: Tensor, sigma: float | Tensor) -> Tensor:
    """The input of the first convolution."""
    seen: list[Tensor] = []
    hook = model.model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    try:
        model(noisy, sigma)
    finally:
        hook.remove()
    return seen[0].detach()


def test_published_sizes():
    """The map has four channels, as deepinv's (487,044 and 854,700), or depth and width are swapped."""
    assert count_parameters(ffdnet()) == 485_316
    assert count_parameters(ffdnet(3)) == 852_108
    kinds = [type(layer).__name__ for layer in ffdnet().model]
    assert kinds == ["Conv2d", "ReLU"] * 14 + ["Conv2d"]


def test_sub_images_and_map_by_hand():
    """The map is not on the scale of the image, comes first, or sub-images come in another order."""
    noisy = torch.arange(16.0).view(1, 1, 4, 4) / 16
    got = what_goes_in(FFDNet(1, 2, 3), noisy, 51)
    corners = [[[0, 2], [8, 10]], [[1, 3], [9, 11]], [[4, 6], [12, 14]], [[5, 7], [13, 15]]]
    assert torch.equal(got[0, :4], torch.tensor(corners) / 16)
    torch.testing.assert_close(got[0, 4], torch.full((2, 2), 0.2))


def test_colours_come_one_after_the_other():
    """Sub-images of the three colours are interleaved, and released weights do not fit."""
    noisy = torch.arange(3.0).view(1, 3, 1, 1).expand(1, 3, 2, 4)
    got = what_goes_in(FFDNet(3, 2, 3), noisy, 0)
    assert got[0, :, 0, 0].tolist() == [0] * 4 + [1] * 4 + [2] * 4 + [0]


def test_a_level_in_every_form():
    """A number, one for each image and a map are not the same level; a map is sampled, not averaged."""
    torch.manual_seed(0)
    model, noisy = FFDNet(1, 3, 8), torch.rand(2, 1, 6, 8)
    with torch.no_grad():
        expected = torch.cat([model(noisy[:1], 20), model(noisy[1:], 40)])
        levels = torch.tensor([20.0, 40])
        torch.testing.assert_close(model(noisy, levels), expected)
        torch.testing.assert_close(model(noisy, levels.view(2, 1, 1, 1)), expected)
        torch.testing.assert_close(model(noisy, levels.view(2, 1, 1, 1).expand(2, 1, 6, 8)), expected)
        torch.testing.assert_close(model(noisy, torch.tensor(20.0))[:1], expected[:1])
    level = 255 * torch.arange(8.0).view(1, 1, 2, 4)
    assert what_goes_in(model, torch.rand(1, 1, 2, 4), level)[0, 4].tolist() == [[2.5, 4.5]]


def test_the_level_matters_and_only_where_it_is():
    """The map is not used, or a pixel's level acts further than its receptive field."""
    torch.manual_seed(0)
    model, noisy = FFDNet(1, 3, 8), torch.rand(1, 1, 40, 40)
    level = torch.full((1, 1, 40, 40), 10.0)
    other = level.clone()
    other[..., :2, :2] = 60
    with torch.no_grad():
        change = (model(noisy, level) - model(noisy, other)).abs()[0, 0]
    assert bool(change[:2, :2].all())
    assert not change[8:].any()  # three layers see three places of two pixels each
    assert not change[:, 8:].any()


@pytest.mark.parametrize("size", [(7, 8), (8, 5), (1, 1), (3, 3)])
def test_odd_sizes_are_padded_by_their_last_pixel(size):
    """Odd sizes are refused, cut, or padded with zeros, which makes a dark line."""
    torch.manual_seed(0)
    model, noisy = FFDNet(3, 3, 8), torch.rand(2, 3, *size)
    rows, columns = (torch.arange(length + length % 2).clamp(max=length - 1) for length in size)
    with torch.no_grad():
        got, larger = model(noisy, 30), model(noisy[:, :, rows][..., columns], 30)
    assert got.shape == noisy.shape
    torch.testing.assert_close(got, larger[..., : size[0], : size[1]])
    level = torch.rand(2, 1, *size)
    with torch.no_grad():
        torch.testing.assert_close(
            model(noisy, level),
            model(noisy[:, :, rows][..., columns], level[:, :, rows][..., columns])[..., : size[0], : size[1]],
        )


def test_levels_of_a_tensor_compile_and_export():
    """That a level is looked at breaks the graph."""
    torch.manual_seed(0)
    model, noisy, levels = FFDNet(1, 2, 4).eval(), torch.rand(2, 1, 4, 4), torch.tensor([20.0, 40])
    torch.compiler.reset()
    with torch.no_grad():
        expected = model(noisy, levels)
        compiled = torch.compile(model, fullgraph=True, backend="eager")(noisy, levels)
        exported = torch.export.export(model, (noisy, levels)).module()(noisy, levels)
    torch.compiler.reset()
    torch.testing.assert_close(compiled, expected)
    torch.testing.assert_close(exported, expected)


def test_what_is_refused_and_in_which_words():
    """A slip ends in a stack trace from inside a convolution, or passes as a result."""
    model, noisy = FFDNet(3, 2, 4), torch.rand(2, 3, 4, 4)
    for call, words in (
        (lambda: model(noisy, -1), "sigma"),
        (lambda: model(noisy, torch.tensor([25.0, -1])), "never negative; got -1 to 25"),
        (lambda: model(noisy, torch.full((2, 1, 4, 4), float("nan"))), "finite and never negative; got nan"),
        (lambda: model(noisy, torch.rand(3)), r"sigma of shape \(3,\) does not fit"),
        (lambda: model(noisy, torch.rand(2, 3, 4, 4)), "one channel for all colours"),
        (lambda: model(noisy, torch.rand(2, 1, 2, 2)), "does not fit"),
        (lambda: model(noisy[:, :1], 25), "makes three equal ones"),
        (lambda: model((255 * noisy).byte(), 25), "/ 255"),
        (lambda: ffdnet(2), "FFDNet with so many channels"),
        (lambda: FFDNet(1, 1), "depth"),
        (lambda: FFDNet(0), "channels"),
    ):
        with pytest.raises(CourseError, match=words):
            call()


def test_an_empty_batch():
    """A last, empty batch stops a run."""
    assert ffdnet()(torch.rand(0, 1, 4, 4), 25).shape == (0, 1, 4, 4)
