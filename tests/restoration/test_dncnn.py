"""DnCNN: published sizes, equation 1, what is subtracted from what, BatchNorm merged, and noise that must go."""

import pytest
import torch
from torch import nn

from crashcourse.classification.convolution import layers_of, receptive_field
from crashcourse.errors import CourseError
from crashcourse.inspection import count_parameters
from crashcourse.restoration import DnCNN, dncnn_3, dncnn_b, dncnn_s, gaussian_noise, merge_batch_norm, residual_loss
from crashcourse.restoration.dncnn import VARIANTS
from tests.contracts import ModelCase
from tests.restoration.image_contracts import IMAGE_CONTRACTS
from tests.restoration.photographs import photo

SMALL = {"width": 12, "depth": 5}
CASES = [
    ModelCase("dncnn_s", lambda: DnCNN(1, **SMALL), (4, 1, 12, 14), (4, 1, 12, 14), scale=0.25, learning_rate=1e-2),
    ModelCase(
        "dncnn_colour",
        lambda: DnCNN(3, **SMALL),
        (2, 3, 9, 13),
        (2, 3, 9, 13),
        scale=0.25,
        learning_rate=1e-2,
        steps=150,
    ),
    ModelCase(
        "dncnn_direct",
        lambda: DnCNN(1, residual=False, batch_norm=False, **SMALL),
        (4, 1, 12, 12),
        (4, 1, 12, 12),
        scale=0.25,
        learning_rate=1e-2,
        steps=150,
    ),
]


@pytest.mark.parametrize("contract", IMAGE_CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_contract(case, contract):
    contract(case)


@pytest.mark.parametrize(
    ("build", "channels", "with_norm", "merged"),
    [
        (dncnn_s, 1, 556_097, 555_137),
        (dncnn_s, 3, 558_403, 557_443),
        (dncnn_b, 1, 667_073, 665_921),
        (dncnn_b, 3, 669_379, 668_227),
        (dncnn_3, 1, 667_073, 665_921),
    ],
)
def test_published_sizes(build, channels, with_norm, merged):
    """A layer, a bias or a BatchNorm too many; 668,227 is also deepinv's colour DnCNN, which has no BatchNorm."""
    model = build(channels)
    assert count_parameters(model) == with_norm
    assert count_parameters(merge_batch_norm(model)) == merged


@pytest.mark.parametrize(("build", "letter", "field"), [(dncnn_s, "S", 35), (dncnn_b, "B", 41), (dncnn_3, "3", 41)])
def test_what_a_pixel_sees(build, letter, field):
    """Depth and patch do not belong together as in the paper, which trains on patches about as large as the field."""
    with torch.device("meta"):
        layers = layers_of(build())
    assert len(layers) == VARIANTS[letter].depth
    assert receptive_field(layers) == field == 2 * VARIANTS[letter].depth + 1
    assert VARIANTS[letter].patch >= field
    torch.manual_seed(0)
    network = DnCNN(1, 4, width=8, batch_norm=False).double()
    image = torch.rand(1, 1, 15, 15, dtype=torch.float64, requires_grad=True)
    network(image)[0, 0, 7, 7].backward()
    seen = image.grad[0, 0].nonzero()
    assert [int(seen.min()), int(seen.max())] == [3, 11]  # 4 layers: 9 pixels


def test_layers_come_in_the_papers_order():
    """BatchNorm stands at the first or the last layer, or a convolution before it has a bias."""
    kinds = [type(layer).__name__ for layer in DnCNN(1, 4).model]
    assert kinds == ["Conv2d", "ReLU", *["Conv2d", "BatchNorm2d", "ReLU"] * 2, "Conv2d"]
    biases = [layer.bias is not None for layer in DnCNN(1, 4).model if isinstance(layer, nn.Conv2d)]
    assert biases == [True, False, False, True]
    assert all(layer.bias is not None for layer in DnCNN(1, 4, batch_norm=False).model if isinstance(layer, nn.Conv2d))


def test_the_noise_is_taken_off():
    """The output is noise, image plus noise, or noise minus image."""
    model, noisy = DnCNN(1, 3, width=4).eval(), torch.rand(2, 1, 5, 6)
    predicted = model.model(noisy)
    torch.testing.assert_close(model(noisy), noisy - predicted)
    torch.testing.assert_close(model.noise(noisy), predicted)
    direct = DnCNN(1, 3, width=4, residual=False).eval()
    torch.testing.assert_close(direct(noisy), direct.model(noisy))
    torch.testing.assert_close(direct.noise(noisy) + direct(noisy), noisy)


def test_equation_1_by_hand():
    """The mean over pixels, no half, or a sum over images: two images with errors (1, 2) and (2, 0) lose 9 / 4."""
    clean = torch.zeros(2, 1, 1, 2)
    restored = torch.tensor([1.0, 2, 2, 0]).view(2, 1, 1, 2)
    assert float(residual_loss(restored, clean)) == 9 / 4
    assert float(residual_loss(restored[:0], clean[:0])) == 0
    model, noisy = DnCNN(1, 3, width=4), torch.rand(2, 1, 5, 6)
    clean = noisy - 0.1 * torch.randn(2, 1, 5, 6)
    theirs = (model.model(noisy) - (noisy - clean)).square().sum() / 4  # ||R(y) - (y - x)||² / 2N, as the paper writes
    torch.testing.assert_close(residual_loss(model(noisy), clean), theirs)


def test_merged_networks_compute_the_same():
    """A scale, a shift, a variance or a layer is lost; or the network that is merged changes."""
    torch.manual_seed(0)
    model = DnCNN(3, 6, width=8)
    for value in model.buffers():
        if value.is_floating_point():
            value.add_(torch.rand_like(value))
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.bias)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    merged, images = merge_batch_norm(model), torch.rand(2, 3, 9, 11)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in merged.modules())
    with torch.no_grad():
        torch.testing.assert_close(merged(images), model.eval()(images))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert merge_batch_norm(DnCNN(1, 3, residual=False)).residual is False


def test_a_fresh_network_leaves_the_image_nearly_as_it_is():
    """It starts by adding more noise than it will take off: BatchNorm's scales start as large as 1."""
    torch.manual_seed(0)
    model, noisy = dncnn_s(), gaussian_noise(photo(side=48)[:, :1], 25, 0)
    assert float(model.noise(noisy).detach().std()) < 25 / 255
    scales = torch.cat([layer.weight.detach() for layer in model.model if isinstance(layer, nn.BatchNorm2d)])
    assert float(scales.abs().min()) == pytest.approx(0.025)
    convolutions = [layer.weight.detach() for layer in model.model if isinstance(layer, nn.Conv2d)]
    assert all(float(weight.std()) == pytest.approx((2 / 576) ** 0.5, rel=0.1) for weight in convolutions)


def test_other_images_than_it_was_built_for_are_refused():
    """A slip ends in a stack trace from inside a convolution, or passes as a result."""
    grey, colour = DnCNN(1, 2), DnCNN(3, 2)
    for call, words in (
        (lambda: grey(torch.rand(1, 3, 8, 8)), r"with 3 channels. Make them grey with luma"),
        (lambda: colour(torch.rand(1, 1, 8, 8)), "makes three equal ones"),
        (lambda: colour(torch.rand(1, 8, 8, 3)), "permute"),
        (lambda: grey(torch.rand(1, 8, 8)), r"images\[None\]"),
        (lambda: grey(torch.zeros(1, 1, 8, 8, dtype=torch.uint8)), "/ 255"),
        (lambda: grey(torch.rand(1, 1, 8, 8).double()), r"images.float\(\)"),
        (lambda: grey([1, 2]), "got list"),
        (lambda: DnCNN(0), "channels must be an integer of at least 1"),
        (lambda: DnCNN(1, 1), "depth must be an integer of at least 2"),
        (lambda: DnCNN(1, 17.0), "depth"),
        (lambda: DnCNN(1, 5, width=0), "width"),
        (lambda: merge_batch_norm(DnCNN(1, 5, batch_norm=False)), "no BatchNorm to merge"),
        (lambda: residual_loss(torch.rand(1, 1, 4, 4), torch.rand(1, 1, 4, 5)), "One shape for both"),
        (lambda: residual_loss(*torch.zeros(2, 1, 1, 4, 4, dtype=torch.uint8)), "Scale first"),
        (lambda: residual_loss(torch.rand(1, 1, 4, 4), None), "got NoneType"),
        (lambda: grey(torch.rand(1, 1, 8, 8).half()), r"in torch.float32, as its weights are; got torch.float16"),
    ):
        with pytest.raises(CourseError, match=words):
            call()


def test_any_size_and_an_empty_batch():
    """A size that no pooling restricts is refused, or a last, empty batch stops a run."""
    model = dncnn_s().eval()
    with torch.no_grad():
        for shape in ((1, 1, 1, 1), (2, 1, 3, 50), (0, 1, 8, 8)):
            assert model(torch.rand(shape)).shape == shape
