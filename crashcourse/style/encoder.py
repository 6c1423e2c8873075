"""What style transfer looks at images with: the convolutions of a VGG, by their names in the paper.

Gatys, Ecker, Bethge, "A neural algorithm of artistic style", 2015, arXiv 1508.06576, section "Methods": VGG-19 without
its dense layers, average pooling in place of max-pooling; in the version of CVPR 2016 also weights that are scaled so
that the mean activation of each filter over images and places is 1.

**Differs from the paper:** the scaling is an explicit call, `rescale`, on the images that you give it, not on ImageNet.
ImageNet's weights of VGG-19 come by `Encoder(load_pretrained("vgg19").features)`, over the network. `vgg16_encoder`
takes those of the smaller VGG-16 that travel with the course, which end at conv4_1. `random_encoder` needs none.
"""

from collections.abc import Collection, Mapping
from copy import deepcopy
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crashcourse.classification.vgg import CHANNELS, CONFIGURATIONS, vgg_features
from crashcourse.classification.weights import MEAN, STD
from crashcourse.doors import check_images
from crashcourse.errors import CourseError, check_name

POOLINGS = {"average": F.avg_pool2d, "max": F.max_pool2d}


def stage_of(layer: str) -> int:
    """The stage of a layer by its name: 4 for "conv4_2". The images are halved before each stage but the first."""
    return int(layer.removeprefix("conv").partition("_")[0])


class Encoder(nn.Module):
    """The convolutions of a VGG, named `conv1_1` to `conv5_4`: what each gives out is taken behind its ReLU.

    The weights are copies, frozen: it is the image that is to change.

    Args:
        features: the convolutional part of a VGG without BatchNorm, such as `vgg19().features`.
        pooling: "average", as in the paper, or "max", as the network was trained.

    Raises:
        CourseError: an unknown pooling, or other layers than convolutions, ReLUs and 2×2 max-pools.
    """

    def __init__(self, features: nn.Sequential, *, pooling: str = "average") -> None:
        check_name("pooling", pooling, POOLINGS)
        super().__init__()
        self.pooling = pooling
        self.convolutions = nn.ModuleDict()
        stage, place = 1, 1
        for layer in features:
            if isinstance(layer, nn.MaxPool2d):
                stage, place = stage + 1, 1
            elif isinstance(layer, nn.Conv2d):
                self.convolutions[f"conv{stage}_{place}"] = deepcopy(layer)
                place += 1
            elif not isinstance(layer, nn.ReLU):
                raise CourseError(
                    f"An encoder is made of convolutions, ReLUs and max-pools; these features hold a "
                    f"{type(layer).__name__}. Take a VGG without BatchNorm."
                )
        if not self.convolutions:
            raise CourseError("An encoder needs at least one convolution in its features; build them with vgg19().")
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))
        self.requires_grad_(False).eval()

    def extra_repr(self) -> str:
        return f"pooling={self.pooling!r}"

    @property
    def layers(self) -> tuple[str, ...]:
        """The names, from the image on."""
        return tuple(self.convolutions)

    def forward(self, images: Tensor, layers: Collection[str] | None = None) -> dict[str, Tensor]:
        """The maps of some layers; no layer behind the last of them is computed.

        Args:
            images: (N, 3, H, W) float in [0, 1]; values outside are taken as they are. H, W at least 16.
            layers: names, such as {"conv1_1", "conv4_2"}; all by default.

        Returns:
            Name -> (N, C, H / 2^(stage - 1), W / 2^(stage - 1)) float, at least 0, in the order of the network.

        Raises:
            CourseError: another shape, an integer dtype, an unknown layer, or one name that is in no tuple.
        """
        check_images(images, "An encoder", channels=3, least=16, dtype=self.mean.dtype)
        if isinstance(layers, str):
            raise CourseError(f"layers are a tuple of names; got the text {layers!r}. For one layer: ({layers!r},).")
        names = self.layers if layers is None else tuple(layers)
        for name in names:
            check_name("layer", name, self.layers)
        wanted = set(names)
        maps, stage, found = (images - self.mean) / self.std, 1, {}
        for name, convolution in self.convolutions.items():
            if len(found) == len(wanted):
                break
            if stage_of(name) != stage:
                maps, stage = POOLINGS[self.pooling](maps, 2), stage_of(name)
            maps = convolution(maps).relu()
            if name in wanted:
                found[name] = maps
        return found

    @torch.no_grad()
    def rescale(self, images: Tensor) -> Self:
        """Scale the weights so that the mean activation of every filter on these images is 1, in place.

        What a layer passes on to the next is divided by its means, and the next layer's weights are multiplied by them:
        each layer still sees what it saw, in another unit. A filter that is silent on all images stays as it is.

        Args:
            images: (N, 3, H, W) float in [0, 1].

        Returns:
            The encoder itself.

        Raises:
            CourseError: as for `forward`.
        """
        before: Tensor | None = None
        for name, convolution in self.convolutions.items():
            if before is not None:
                convolution.weight *= before[:, None, None]
            means = self(images, [name])[name].mean((0, 2, 3))  # (C,)
            means = torch.where(means > 0, means, 1.0)
            convolution.weight /= means[:, None, None, None]
            if convolution.bias is not None:
                convolution.bias /= means
            before = means
        return self


def vgg16_encoder(weights: Mapping[str, Tensor], *, pooling: str = "average") -> Encoder:
    """VGG-16 with weights that you have, as far as they reach.

    Args:
        weights: torchvision's name -> tensor, "features.0.weight", "features.0.bias" and so on, without gaps, as
            `crashcourse.datasets.vgg16_weights()` gives them: they end at conv4_1.
        pooling: as for `Encoder`.

    Raises:
        CourseError: names or shapes that are not VGG-16's, or a gap.
    """
    features, places = _empty("D"), [name.split(".")[1] for name in weights if name.startswith("features.")]
    last = max((int(place) for place in places if place.isdecimal()), default=-1)
    features = features[: last + 2]  # with the ReLU behind it
    try:
        features.load_state_dict({name.removeprefix("features."): values for name, values in weights.items()})
    except RuntimeError as error:
        raise CourseError(f"These are not the weights of VGG-16's first convolutions: {error}") from error
    return Encoder(features, pooling=pooling)


def random_encoder(*, configuration: str = "E", seed: int = 0, pooling: str = "average") -> Encoder:
    """A VGG with random weights, as its paper would start training: the baseline that has learned nothing.

    Args:
        configuration: of the paper's table: "E" is VGG-19, "D" is VGG-16.
        seed: of the weights; the global generators are left alone.
        pooling: as for `Encoder`.

    Raises:
        CourseError: an unknown configuration or pooling.
    """
    features = _empty(configuration)
    generator = torch.Generator().manual_seed(seed)
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)
    return Encoder(features, pooling=pooling)


def _empty(configuration: str) -> nn.Sequential:
    """The convolutions of a VGG on the CPU, their weights not yet set; no draw from the global generator."""
    check_name("configuration", configuration, CONFIGURATIONS)
    with torch.device("meta"):
        features = vgg_features(CONFIGURATIONS[configuration], CHANNELS)
    return features.to_empty(device="cpu")
