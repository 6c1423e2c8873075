"""AlexNet, in the form that everybody has weights for and in the form of the paper.

Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks", NIPS 2012: section 3.3
(local response normalisation), 3.4 (overlapping pooling), 3.5 (layers), 4.2 (dropout), 5 (initialisation).
Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014, arXiv 1404.5997: the one-column
network, which torchvision implements; parameter names equal torchvision's.

**Differs from the paper:** `paper=True` is the network of 2012 on one device; its two columns are groups of
convolutions 2, 4 and 5, with the same arithmetic. The paper states 224×224 images, which an 11×11 convolution with
stride 4 does not tile; 227×227 gives its 55×55 maps. The average pooling before the classifier does nothing at
227; it lets the network take other sizes. The default form keeps torchvision's initialisation and its order of dropout.
"""

import torch
from torch import Tensor, nn

from crashcourse.doors import check_count, check_images


def paper_features() -> nn.Sequential:
    """The five convolutions of 2012, (N, 3, 227, 227) -> (N, 256, 6, 6)."""
    return nn.Sequential(
        nn.Conv2d(3, 96, 11, stride=4),  # (N, 96, 55, 55)
        nn.ReLU(inplace=True),
        response_normalization(),
        nn.MaxPool2d(3, stride=2),  # (N, 96, 27, 27)
        nn.Conv2d(96, 256, 5, padding=2, groups=2),  # (N, 256, 27, 27)
        nn.ReLU(inplace=True),
        response_normalization(),
        nn.MaxPool2d(3, stride=2),  # (N, 256, 13, 13)
        nn.Conv2d(256, 384, 3, padding=1),  # (N, 384, 13, 13)
        nn.ReLU(inplace=True),
        nn.Conv2d(384, 384, 3, padding=1, groups=2),
        nn.ReLU(inplace=True),
        nn.Conv2d(384, 256, 3, padding=1, groups=2),  # (N, 256, 13, 13)
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2),  # (N, 256, 6, 6)
    )


def response_normalization() -> nn.LocalResponseNorm:
    """Section 3.3: k = 2, n = 5, α = 1e-4, β = 0.75. PyTorch divides α by n, so that it is given 5e-4."""
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)


def one_column_features() -> nn.Sequential:
    """The five convolutions of 2014, (N, 3, 224, 224) -> (N, 256, 6, 6)."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4, padding=2),  # (N, 64, 55, 55)
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2),  # (N, 64, 27, 27)
        nn.Conv2d(64, 192, 5, padding=2),  # (N, 192, 27, 27)
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2),  # (N, 192, 13, 13)
        nn.Conv2d(192, 384, 3, padding=1),  # (N, 384, 13, 13)
        nn.ReLU(inplace=True),
        nn.Conv2d(384, 256, 3, padding=1),  # (N, 256, 13, 13)
        nn.ReLU(inplace=True),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2),  # (N, 256, 6, 6)
    )


def dense_head(num_classes: int, hidden: int) -> nn.Sequential:
    """Two dense layers of the paper, each followed by dropout, and the classifier. ZFNet has the same."""
    return nn.Sequential(
        nn.Linear(256 * 6 * 6, hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(hidden, hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(hidden, num_classes),
    )


def dropout_first_head(num_classes: int, hidden: int) -> nn.Sequential:
    """The same three dense layers in torchvision's order: dropout acts on what the first two receive."""
    return nn.Sequential(
        nn.Dropout(0.5),
        nn.Linear(256 * 6 * 6, hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(hidden, hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, num_classes),
    )


class AlexNet(nn.Module):
    """Five convolutions, three poolings, three dense layers.

    Args:
        num_classes: size of the output.
        paper: the two-column network of 2012 instead of the one-column network of 2014.
        hidden: width of the two dense layers.

    Raises:
        CourseError: `num_classes` is not an integer of at least 1.
    """

    def __init__(self, num_classes: int = 1000, *, paper: bool = False, hidden: int = 4096) -> None:
        check_count(num_classes, "num_classes")
        super().__init__()
        self.least = 67 if paper else 63
        self.features = paper_features() if paper else one_column_features()
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = (dense_head if paper else dropout_first_head)(num_classes, hidden)
        if paper:
            self._initialize_as_in_2012()

    def forward(self, images: Tensor) -> Tensor:
        """Class scores (logits).

        Args:
            images: (N, 3, H, W) float; H and W at least 63, of the paper's form 67. The published network takes
                224, of the paper's form 227.

        Returns:
            (N, num_classes) float.

        Raises:
            CourseError: another shape or an integer dtype.
        """
        dtype = self.features[0].weight.dtype
        check_images(images, "AlexNet", channels=3, least=self.least, dtype=dtype)
        features = self.avgpool(self.features(images))  # (N, 256, 6, 6)
        return self.classifier(torch.flatten(features, 1))

    def _initialize_as_in_2012(self) -> None:
        """Section 5: weights from N(0, 0.01²); biases 1 where that feeds the ReLUs a positive input, else 0."""
        layers = [module for module in self.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
        for place, layer in enumerate(layers, start=1):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.constant_(layer.bias, 1.0 if place in (2, 4, 5, 6, 7) else 0.0)


def alexnet(num_classes: int = 1000, *, paper: bool = False) -> AlexNet:
    """AlexNet, 61,100,840 parameters; with `paper=True` the two-column network of 2012, 60,965,224."""
    return AlexNet(num_classes, paper=paper)
