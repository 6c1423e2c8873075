"""The encoder gives out what VGG computes, by the names of its layers, and can be brought to a common scale."""

import pytest
import torch
from torch import nn

from crashcourse.classification.vgg import small_vgg, vgg_features
from crashcourse.classification.weights import normalize
from crashcourse.datasets import photos, vgg16_weights
from crashcourse.errors import CourseError
from crashcourse.style import Encoder, random_encoder, vgg16_encoder

VGG_19 = [f"conv{stage}_{place}" for stage, count in enumerate((2, 2, 4, 4, 4), 1) for place in range(1, count + 1)]


def small(pooling: str = "average", *, seed: int = 0) -> Encoder:
    torch.manual_seed(seed)
    return Encoder(vgg_features(((3,), (3, 3), (3,)), (4, 6, 5)), pooling=pooling)


def test_the_names_are_the_papers() -> None:
    """conv4_2 is another layer than in the paper."""
    encoder = random_encoder()
    assert list(encoder.layers) == VGG_19
    assert [encoder.convolutions[name].out_channels for name in ("conv1_1", "conv4_2")] == [64, 512]
    assert encoder.convolutions["conv4_2"].in_channels == 512
    maps = encoder(torch.rand(1, 3, 32, 48), ["conv5_1", "conv1_2"])
    assert {name: tuple(value.shape) for name, value in maps.items()} == {
        "conv1_2": (1, 64, 32, 48),
        "conv5_1": (1, 512, 2, 3),
    }


def test_with_max_pooling_it_is_the_network_itself() -> None:
    """A ReLU is missing, pooling sits elsewhere, or the images are not normalised as ImageNet's weights expect."""
    torch.manual_seed(0)
    features, images = vgg_features(((3,), (3, 3), (3,)), (4, 6, 5)), torch.rand(2, 3, 16, 20)
    maps = Encoder(features, pooling="max")(images)
    with torch.no_grad():
        expected = normalize(images)
        places = {1: "conv1_1", 4: "conv2_1", 6: "conv2_2", 9: "conv3_1"}
        for place, layer in enumerate(features):
            expected = layer(expected)
            if place in places:
                torch.testing.assert_close(maps[places[place]], expected)


def test_pooling_is_the_mean_of_four() -> None:
    """Max-pooling is used where the paper averages."""
    encoder, images = small(), torch.rand(1, 3, 16, 16)
    maps = encoder(images)
    halved = maps["conv1_1"].unflatten(2, (8, 2)).unflatten(4, (8, 2)).mean((3, 5))
    torch.testing.assert_close(maps["conv2_1"], encoder.convolutions["conv2_1"](halved).relu())


def test_no_layer_behind_the_last_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A style of conv1_1 pays for the whole network."""
    encoder, ran = small(), []
    for name, convolution in encoder.convolutions.items():
        convolution.register_forward_hook(lambda *_, name=name: ran.append(name))
    encoder(torch.rand(1, 3, 16, 16), ["conv2_1"])
    assert ran == ["conv1_1", "conv2_1"]


def test_its_weights_are_frozen_copies() -> None:
    """The classifier that the features belong to is changed, or its weights collect gradients."""
    features = vgg_features(((3,), (3,)), (4, 4))
    before = features[0].weight.detach().clone()
    encoder = Encoder(features).rescale(torch.rand(2, 3, 16, 16))
    assert torch.equal(features[0].weight, before)
    assert features[0].weight.requires_grad
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_rescaled_filters_have_a_mean_of_one(pooling: str) -> None:
    """Filters still differ in scale, or layers see something else than before, apart from the unit."""
    torch.manual_seed(1)
    encoder, images = small(pooling, seed=1), torch.rand(3, 3, 16, 16)
    with torch.no_grad():
        for convolution in encoder.convolutions.values():
            convolution.bias.uniform_(-0.1, 0.1)
        encoder.convolutions["conv2_1"].weight[3] = 0.0  # a filter that is silent
        encoder.convolutions["conv2_1"].bias[3] = -1.0
    before = encoder(images)
    after = encoder.rescale(images)(images)
    for name in encoder.layers:
        means = before[name].mean((0, 2, 3), keepdim=True)
        alive = means > 0
        torch.testing.assert_close(after[name], before[name] / torch.where(alive, means, 1.0), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(after[name].mean((0, 2, 3))[alive.flatten()], torch.ones(int(alive.sum())))
    assert (before["conv2_1"][:, 3] == 0).all()


def test_random_weights_are_the_seeds_alone() -> None:
    """The baseline changes with what ran before, or two seeds give one encoder; or the signal dies with depth."""
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = random_encoder(seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    again, other = random_encoder(seed=1), random_encoder(seed=2)
    weights = [encoder.convolutions["conv1_1"].weight for encoder in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    maps = first(torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert 0.1 < float(maps["conv5_1"].std() / maps["conv1_1"].std()) < 10


def test_vgg_16_as_far_as_its_weights_reach() -> None:
    """The layers get other weights than those of their name, or the network goes on without any."""
    encoder = vgg16_encoder(vgg16_weights())
    assert encoder.layers == ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3", "conv4_1")
    for name, place in (("conv1_2", 2), ("conv3_3", 14), ("conv4_1", 17)):
        assert torch.equal(encoder.convolutions[name].weight, vgg16_weights()[f"features.{place}.weight"])


def test_what_it_learned_is_in_the_weights() -> None:
    """The images reach the trained weights in another scale, or in BGR: an untrained network would do as well.

    Two halves of one photograph look alike, halves of two photographs do not: by the means of a deep layer, the other
    half is among the two nearest far more often with trained weights than with random ones.
    """
    halves = []
    for photo in photos("train"):
        part = photo.image[:, :320, :320].float()[None] / 255
        small = torch.nn.functional.interpolate(part, size=(64, 64), mode="area")
        halves.append(torch.cat([small[..., :32], small[..., 32:]]))
    images = torch.stack(halves).flatten(0, 1)  # (38, 3, 64, 32)
    found = {}
    for name, encoder in (
        ("trained", vgg16_encoder(vgg16_weights())),
        ("random", random_encoder(configuration="D")),
    ):
        means = encoder(images, ["conv4_1"])["conv4_1"].mean((2, 3))  # (38, 512)
        means = torch.nn.functional.normalize(means - means.mean(0))
        likeness = (means @ means.T).fill_diagonal_(-2)
        partner = torch.arange(len(images)) ^ 1
        found[name] = int((likeness.argsort(1, descending=True)[:, :2] == partner[:, None]).sum())
    assert found["trained"] > found["random"] + 4, found


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: vgg16_encoder({}), "not the weights of VGG-16"),
        (lambda: vgg16_encoder({"features.0.weight": torch.zeros(64, 3, 3, 3)}), "not the weights of VGG-16"),
        (lambda: vgg16_encoder({"features.0.weight": torch.zeros(64, 1, 3, 3)}), "size mismatch"),
        (lambda: random_encoder(configuration="F"), "configuration"),
        (lambda: Encoder(small_vgg(in_channels=3).features), "BatchNorm"),
        (lambda: Encoder(nn.Sequential(nn.ReLU())), "at least one convolution"),
        (lambda: Encoder(vgg_features(((3,),), (4,)), pooling="avg"), "pooling"),
        (lambda: small()(torch.rand(1, 3, 16, 16), ["conv2_3"]), "layer named 'conv2_3'"),
        (lambda: small()(torch.rand(1, 3, 16, 16), "conv1_1"), r"tuple of names.*\('conv1_1',\)"),
        (lambda: small()(torch.rand(1, 3, 16, 16), [["conv1_1"]]), "no layer named"),
        (lambda: small()(torch.rand(3, 16, 16)), r"images\[None\]"),
        (lambda: small()(torch.rand(1, 1, 16, 16)), "1 channels"),
        (lambda: small()(torch.zeros(1, 3, 16, 16, dtype=torch.uint8)), "255"),
        (lambda: small()(torch.rand(1, 3, 8, 16)), "at least 16"),
    ],
)
def test_bad_input_is_a_sentence(call: object, sentence: str) -> None:
    """A slip ends in an error of torch."""
    with pytest.raises(CourseError, match=sentence):
        call()
