"""Our networks against other people's with the same weights: spandrel's RCAN and DnCNN, torchsr's RCAN and EDSR."""

import importlib
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from spandrel import ModelLoader
from spandrel.architectures.DnCNN import DnCNN as TheirDnCNN
from torch import Tensor, nn

from crashcourse.restoration import EDSR, RCAN, DnCNN, dncnn_s, ffdnet, rcan
from tests.oracles import assert_same_names, assert_same_outputs, on_meta

torchsr_rcan = importlib.import_module("torchsr.models.rcan")  # the package hides its modules behind functions
spandrel_rcan = importlib.import_module("spandrel.architectures.RCAN")
torchsr_edsr = importlib.import_module("torchsr.models.edsr")


def alike(build_ours: Callable[[], nn.Module], build_theirs: Callable[[], nn.Module], images: Tensor) -> None:
    """Same names, shapes and order; weights load strictly; the same output of the same weights, to 1e-5."""
    torch.manual_seed(0)
    ours, theirs = build_ours().eval(), build_theirs().eval()
    assert [(k, v.shape) for k, v in ours.state_dict().items()] == [
        (k, v.shape) for k, v in theirs.state_dict().items()
    ]
    ours.load_state_dict(theirs.state_dict(), strict=True)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    expected = theirs(images.clone()).detach()  # spandrel multiplies its input by 255 in place
    assert float(expected.std()) > 0.01, "the images hardly matter: nothing is compared"
    torch.testing.assert_close(ours(images).detach(), expected, rtol=0, atol=1e-5)


def images(channels: int = 3, height: int = 13, width: int = 10) -> Tensor:
    return torch.rand(2, channels, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_rcan_equals_spandrels(scale):
    """A skip, the order of head and mean, a gate or the upsampler differs from the authors' code."""
    alike(
        lambda: RCAN(scale, groups=3, blocks=2, width=16, reduction=4),
        lambda: spandrel_rcan.RCAN(scale=scale, n_resgroups=3, n_resblocks=2, n_feats=16, reduction=4),
        images(),
    )


def test_rcan_equals_torchsrs():
    """As with spandrel's, which took the same code from elsewhere."""
    ours = lambda: RCAN(2, groups=2, blocks=3, width=32)  # noqa: E731
    alike(ours, lambda: torchsr_rcan.RCAN(2, 3, 32, 16, 2), images())


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_published_rcan_has_the_published_names(scale):
    """Released weights do not load: a name, a shape or the number of groups and blocks differs."""
    theirs = spandrel_rcan.RCAN(scale=scale)
    ours = on_meta(lambda: rcan(scale))
    shapes = [[(key, tuple(value.shape)) for key, value in model.state_dict().items()] for model in (ours, theirs)]
    assert shapes[0] == shapes[1]


def test_spandrel_recognises_our_rcan():
    """A file of our weights is of no use to others: spandrel reads groups, width and scale from names and shapes."""
    torch.manual_seed(0)
    model = RCAN(2, groups=3, blocks=2, width=32, reduction=8).eval()
    found = ModelLoader().load_from_state_dict(model.state_dict())
    assert (found.architecture.id, found.scale, found.tags) == ("RCAN", 2, ["32nf", "3nrg", "2nrb"])
    with torch.no_grad():
        torch.testing.assert_close(found.model.eval()(images()), model(images()), rtol=0, atol=1e-5)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("residual_scale", [1.0, 0.1])
def test_edsr_equals_torchsrs(scale, residual_scale):
    """Residual scaling goes to the skip, or head, tail or mean differ from the authors' code."""
    alike(
        lambda: EDSR(scale, 3, 16, residual_scale=residual_scale),
        lambda: torchsr_edsr.EDSR(3, 16, scale, residual_scale),
        images(),
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_dncnn_without_batch_norm_equals_spandrels(channels):
    """The authors' released weights, whose BatchNorm is merged, do not load or mean something else."""
    their = lambda depth: TheirDnCNN(in_nc=channels, out_nc=channels, nb=depth, act_mode="R")  # noqa: E731
    alike(lambda: DnCNN(channels, 17, batch_norm=False), lambda: their(17), images(channels))
    assert_same_names(lambda: DnCNN(channels, 20, batch_norm=False), lambda: their(20))


@torch.no_grad()
def test_dncnn_with_batch_norm_equals_spandrels():
    """BatchNorm's place, epsilon or averages differ from the authors' PyTorch code, whose extra biases are set to 0."""
    torch.manual_seed(0)
    ours, theirs = dncnn_s(), TheirDnCNN(nb=17)
    for buffer in ours.buffers():
        buffer.add_(torch.rand(buffer.shape).to(buffer.dtype))
    state = {name: torch.zeros_like(value) for name, value in theirs.state_dict().items()}
    assert set(ours.state_dict()) < set(state)
    theirs.load_state_dict(state | ours.state_dict(), strict=True)
    assert_same_outputs(ours, theirs, 0.2 * torch.randn(2, 1, 20, 20))


@torch.no_grad()
def test_ffdnet_equals_sub_images_through_spandrels_stack():
    """The authors' FFDNet is their DnCNN without its skip, on sub-images and a map: layers or names differ."""
    torch.manual_seed(0)
    for channels, depth, width in ((1, 15, 64), (3, 12, 96)):
        ours = ffdnet(channels)
        stack = TheirDnCNN(in_nc=4 * channels + 1, out_nc=4 * channels, nc=width, nb=depth, act_mode="R", mode="FDnCNN")
        stack.load_state_dict(ours.state_dict(), strict=True)
        noisy, level = images(channels, 12, 14), torch.tensor([15.0, 50.0])
        sub_images = F.pixel_unshuffle(noisy, 2)
        sigma = (level / 255).view(2, 1, 1, 1).repeat(1, 1, 6, 7)
        expected = F.pixel_shuffle(stack(torch.cat([sub_images, sigma], 1)), 2)
        assert float(expected.std()) > 0.01
        torch.testing.assert_close(ours(noisy, level), expected, rtol=0, atol=1e-5)
