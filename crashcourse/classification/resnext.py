"""ResNeXt: a residual block that splits, transforms and merges.

Xie, Girshick, Dollár, Tu, He, "Aggregated residual transformations for deep neural networks", CVPR 2017, arXiv
1611.05431: equation 2 (the sum over C transformations), figure 3 (three equal forms; the network is form (c), the
grouped convolution), table 1 (ResNeXt-50 32×4d).

**Differs from the paper:** nothing but parameter names and initialisation, which are torchvision's.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from crashcourse.classification.resnet import ResNet


def split_transform_merge(images: Tensor, weight: Tensor, groups: int) -> Tensor:
    """A grouped convolution of stride 1, one group at a time: split the channels, convolve each part, join.

    Args:
        images: (N, C, H, W) float.
        weight: (K, C / groups, k, k) float, k odd; the first K / groups filters belong to the first group.
        groups: how many parts; it divides C and K.

    Returns:
        (N, K, H, W) float: padded with k // 2 zeros, the size of the maps stays.
    """
    parts = images.chunk(groups, dim=1)  # each (N, C / groups, H, W)
    filters = weight.chunk(groups, dim=0)  # each (K / groups, C / groups, k, k)
    padding = weight.shape[-1] // 2
    merged = [F.conv2d(part, own, padding=padding) for part, own in zip(parts, filters, strict=True)]
    return torch.cat(merged, dim=1)


def resnext50_32x4d(num_classes: int = 1000) -> ResNet:
    """ResNet-50 with 32 groups of 4 channels in the first stage: 25,028,904 parameters, 4.23 billion MACs."""
    return ResNet("50", num_classes, groups=32, base_width=4)
