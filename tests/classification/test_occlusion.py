"""The occlusion map against values worked by hand and captum."""

import pytest
import torch
from torch import Tensor, nn

from crashcourse.classification import small_vgg
from crashcourse.classification.occlusion import occlusion_map
from crashcourse.errors import CourseError


class Watcher(nn.Module):
    """Class 1 is likely as long as the pixel at row 2, column 5 is bright."""

    def forward(self, images: Tensor) -> Tensor:
        seen = images[:, 0, 2, 5]
        return torch.stack([torch.zeros_like(seen), 10 * seen], dim=1)


def test_covering_the_pixel_that_matters_lowers_the_probability():
    """Rows and columns of the map are swapped, or squares lie one step beside their place."""
    image = torch.ones(1, 6, 8)
    found = occlusion_map(Watcher(), image, 1, size=2, value=0.0)
    assert found.shape == (5, 7)
    low = found < 0.9
    expected = torch.zeros(5, 7, dtype=torch.bool)
    expected[1:3, 4:6] = True
    assert torch.equal(low, expected)
    torch.testing.assert_close(found[low], torch.full((4,), 0.5))
    assert torch.equal(image, torch.ones(1, 6, 8))


def test_stride_and_batches_only_skip():
    """The map depends on the batch size, or strides start elsewhere."""
    image = torch.rand(1, 28, 28, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    model = small_vgg()
    every = occlusion_map(model, image, 3, size=7)
    assert every.shape == (22, 22)
    torch.testing.assert_close(occlusion_map(model, image, 3, size=7, stride=3, batch_size=5), every[::3, ::3])
    assert model.training
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("size", [2, 3])
def test_a_centred_square_gives_a_map_that_lies_over_the_image(size: int):
    """A place of the map is drawn beside the place of the image that it speaks of, or borders are never covered."""
    found = occlusion_map(Watcher(), torch.ones(1, 6, 8), 1, size=size, value=0.0, centred=True)
    assert found.shape == (6, 8)
    expected = torch.zeros(6, 8, dtype=torch.bool)
    expected[1:4, 4:7] = True
    if size == 2:  # its middle is the lower right of its four pixels
        expected[1], expected[:, 4] = False, False
    assert torch.equal(found < 0.9, expected)
    strided = occlusion_map(Watcher(), torch.ones(1, 6, 8), 1, size=size, stride=2, value=0.0, centred=True)
    assert torch.equal(strided, found[::2, ::2])


def test_equals_captum():
    """Another square, fill value or probability than captum's occlusion."""
    from captum.attr import Occlusion

    torch.manual_seed(1)
    image, model = torch.rand(1, 28, 28), small_vgg().eval()
    model.classifier[-1].weight.data.mul_(10)
    got = occlusion_map(model, image, 2, size=7, stride=7, value=0.5)
    oracle = Occlusion(lambda images: model(images).softmax(1))
    change = oracle.attribute(image[None], (1, 7, 7), strides=(1, 7, 7), baselines=0.5, target=2)[0, 0]
    with torch.no_grad():
        whole = model(image[None]).softmax(1)[0, 2]
    torch.testing.assert_close(got, (whole - change[::7, ::7]).float(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: occlusion_map(Watcher(), torch.ones(1, 1, 6, 8), 1, size=2), "one image"),
        (lambda: occlusion_map(Watcher(), torch.ones(1, 6, 8, dtype=torch.uint8), 1, size=2), "uint8"),
        (lambda: occlusion_map(Watcher(), torch.ones(1, 6, 8), 1, size=7), "1 to 6 pixels"),
        (lambda: occlusion_map(Watcher(), torch.ones(1, 6, 8), 1, size=2, stride=0), "stride"),
        (lambda: occlusion_map(Watcher(), torch.ones(1, 6, 8), 2, size=2), "no class 2"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(call, words):
    """A learner's slip ends in a stack trace from inside PyTorch."""
    with pytest.raises(CourseError, match=words):
        call()
