"""ZFNet: AlexNet after its authors had looked inside.

Zeiler, Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, arXiv 1311.2901: section 3 (training
details), section 4.1 and figure 3 (the architecture). The projection that showed what to change is in `deconvnet.py`.

The first kernel shrinks from 11×11 to 7×7 and its stride from 4 to 2, because the projections of AlexNet showed dead
filters in layer 1 and aliasing in layer 2. Nothing is split into two groups.

**Differs from the paper:** the paper gives neither padding nor the constants of its contrast normalisation. Padding 1
and pooling that rounds up reproduce the maps of figure 3 (110, 55, 26, 13, 13, 13, 6); the normalisation is AlexNet's.
"All weights are initialized to 10⁻²" is read as a standard deviation: equal weights would stay equal.
"""

import torch
from torch import Tensor, nn

from crashcourse.classification.alexnet import dense_head, response_normalization
from crashcourse.doors import check_count, check_images
from crashcourse.errors import CourseError


def zfnet_features() -> nn.Sequential:
    """The five convolutions of figure 3, (N, 3, 224, 224) -> (N, 256, 6, 6)."""
    return nn.Sequential(
        nn.Conv2d(3, 96, 7, stride=2, padding=1),  # (N, 96, 110, 110)
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),  # (N, 96, 55, 55)
        response_normalization(),
        nn.Conv2d(96, 256, 5, stride=2),  # (N, 256, 26, 26)
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),  # (N, 256, 13, 13)
        response_normalization(),
        nn.Conv2d(256, 384, 3, padding=1),  # (N, 384, 13, 13)
        nn.ReLU(inplace=True),
        nn.Conv2d(384, 384, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(384, 256, 3, padding=1),  # (N, 256, 13, 13)
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),  # (N, 256, 6, 6)
    )


class ZFNet(nn.Module):
    """Five convolutions, three poolings, three dense layers.

    Args:
        num_classes: size of the output.
        hidden: width of the two dense layers.

    Raises:
        CourseError: `num_classes` is not an integer of at least 1.
    """

    least = 47

    def __init__(self, num_classes: int = 1000, *, hidden: int = 4096) -> None:
        check_count(num_classes, "num_classes")
        super().__init__()
        self.features = zfnet_features()
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))  # nothing to do at 224
        self.classifier = dense_head(num_classes, hidden)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores (logits).

        Args:
            images: (N, 3, H, W) float; H, W at least 47; 224 to be the published network. The paper's are
                roughly in [-128, 128], mean image subtracted, and its initialisation expects that range.

        Returns:
            (N, num_classes) float.

        Raises:
            CourseError: another shape or an integer dtype.
        """
        check_images(images, "ZFNet", channels=3, least=self.least, dtype=self.features[0].weight.dtype)
        features = self.avgpool(self.features(images))  # (N, 256, 6, 6)
        return self.classifier(torch.flatten(features, 1))


def zfnet(num_classes: int = 1000) -> ZFNet:
    """ZFNet, 62,357,608 parameters."""
    return ZFNet(num_classes)


@torch.no_grad()
def renormalize_filters(model: nn.Module, radius: float = 0.1) -> None:
    """Section 3: after a training step, scale every filter whose root mean square exceeds `radius` back to it.

    Args:
        model: its `nn.Conv2d` weights are changed in place.
        radius: largest root mean square allowed; positive.

    Raises:
        CourseError: `radius` is not positive.
    """
    if not radius > 0:
        raise CourseError(f"radius must be positive; got {radius!r}.")
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            root_mean_square = module.weight.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
            module.weight.mul_((radius / root_mean_square).clamp(max=1.0))
