"""DnCNN: predict the noise and take it off.

Zhang, Zuo, Chen, Meng, Zhang, "Beyond a Gaussian denoiser: residual learning of deep CNN for image denoising", IEEE
Transactions on Image Processing, 2017, arXiv 1608.03981: equation 1 (the loss), section III.A (depth), figure 1 (the
network), section IV.A (DnCNN-S, DnCNN-B and DnCNN-3). All have 64 channels and 3×3 kernels throughout:
convolution and ReLU, then convolution, BatchNorm and ReLU, then one convolution. The padding is zeros, so the output is
as large as the input.

**Differs from the paper:** nothing in the network. Layers are numbered as in the authors' later PyTorch code (KAIR),
where BatchNorm is folded into the convolutions: those weights load with `batch_norm=False`, and `merge_batch_norm`
makes the same of ours. Initialisation and BatchNorm's epsilon are those of the authors' MATLAB code, where a
convolution before BatchNorm has a bias that is never trained; here it has none. BatchNorm's averages take in a tenth of
each batch, PyTorch's rule; KAIR's `momentum=0.9` means nine tenths there.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from crashcourse.doors import check_count, check_images
from crashcourse.errors import CourseError

WIDTH = 64
"""Channels of every layer between the first and the last."""


class Variant(NamedTuple):
    """A network of the paper.

    Attributes:
        depth: convolutions, D in the paper.
        patch: side of the squares that it was trained on, about as large as what one output pixel sees.
        degradations: what it was trained to undo.
    """

    depth: int
    patch: int
    degradations: str


VARIANTS = {
    "S": Variant(17, 40, "Gaussian noise of one known level: 15, 25 or 50"),
    "B": Variant(20, 50, "Gaussian noise of any level from 0 to 55"),
    "3": Variant(20, 50, "Gaussian noise from 0 to 55, bicubic ×2, ×3 or ×4, JPEG of quality 5 to 99"),
}
"""DnCNN-S, DnCNN-B and DnCNN-3 (section IV.A): S for specific, B for blind, 3 for three tasks with one network."""


class DnCNN(nn.Module):
    """A stack of convolutions that predicts what is wrong with an image.

    Args:
        channels: 1 for grey images, 3 for colour.
        depth: number of convolutions, D in the paper; at least 2. One output pixel sees 2 D + 1 pixels along a side.
        width: channels between.
        batch_norm: normalise behind every convolution but the first and the last.
        residual: predict the noise and subtract it. Without, the last layer gives out the image itself, which the paper
            compares with in figure 2.

    Raises:
        CourseError: a number that is not an integer of at least 1, or a depth of 1.
    """

    def __init__(
        self, channels: int = 1, depth: int = 17, *, width: int = WIDTH, batch_norm: bool = True, residual: bool = True
    ) -> None:
        for value, what, least in ((channels, "channels", 1), (depth, "depth", 2), (width, "width", 1)):
            check_count(value, what, least=least)
        super().__init__()
        self.residual = residual
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
        for _ in range(depth - 2):
            layers.append(nn.Conv2d(width, width, 3, padding=1, bias=not batch_norm))
            if batch_norm:
                layers.append(nn.BatchNorm2d(width, eps=1e-4))
            layers.append(nn.ReLU(inplace=True))
        layers.append(nn.Conv2d(width, channels, 3, padding=1))
        self.model = nn.Sequential(*layers)
        _initialize(self, width)

    def forward(self, noisy: Tensor) -> Tensor:
        """The restored image, x̂ = y - R(y).

        Args:
            noisy: (N, channels, H, W) float, about [0, 1]; any H and W. Values are not checked: 0 to 255 passes, and
                gives nothing of use.

        Returns:
            The same shape. Neither clipped nor rounded.

        Raises:
            CourseError: another shape or an integer dtype.
        """
        first = self.model[0]
        check_images(noisy, "DnCNN", channels=first.in_channels, dtype=first.weight.dtype)
        output = self.model(noisy)  # (N, channels, H, W)
        return noisy - output if self.residual else output

    def noise(self, noisy: Tensor) -> Tensor:
        """What the network takes off, R(y): (N, channels, H, W) -> the same shape."""
        return noisy - self(noisy)


def residual_loss(restored: Tensor, clean: Tensor) -> Tensor:
    """Equation 1: half the squared error, summed over the pixels of an image and averaged over the N images.

    The paper writes it for the residual, ||R(y) - (y - x)||²; with x̂ = y - R(y) that is ||x̂ - x||².

    Args:
        restored: (N, C, H, W) float, x̂.
        clean: the same shape, x.

    Returns:
        A scalar; 0 for no image. It grows with the size of the patches, and so do its gradients.

    Raises:
        CourseError: no images, or shapes that differ.
    """
    for images in (restored, clean):
        check_images(images, "residual_loss")
    if restored.shape != clean.shape:
        raise CourseError(f"One shape for both, please; got {tuple(restored.shape)} and {tuple(clean.shape)}.")
    return (restored - clean).square().sum() / (2 * max(len(clean), 1))


def dncnn_s(channels: int = 1) -> DnCNN:
    """DnCNN-S, for one noise level: 17 layers, 556,097 parameters in grey; one output pixel sees 35×35."""
    return DnCNN(channels, VARIANTS["S"].depth)


def dncnn_b(channels: int = 1) -> DnCNN:
    """DnCNN-B, blind, for noise of any level up to 55: 20 layers, 667,073 parameters in grey; 41×41."""
    return DnCNN(channels, VARIANTS["B"].depth)


def dncnn_3(channels: int = 1) -> DnCNN:
    """DnCNN-3, for noise, bicubic enlargement and JPEG: the layers of DnCNN-B, trained on all three."""
    return DnCNN(channels, VARIANTS["3"].depth)


@torch.no_grad()
def merge_batch_norm(model: DnCNN) -> DnCNN:
    """The same function in evaluation, without BatchNorm: its scale and shift go into the convolutions before it.

    Args:
        model: a trained network. It is left as it is.

    Returns:
        A network with `batch_norm=False`, in evaluation mode, on the same device: 555,137 parameters for DnCNN-S.
    """
    convolutions = [layer for layer in model.model if isinstance(layer, nn.Conv2d)]
    norms = [None, *(layer for layer in model.model if isinstance(layer, nn.BatchNorm2d)), None]
    if len(norms) != len(convolutions):
        raise CourseError("This DnCNN has no BatchNorm to merge.")
    first = convolutions[0]
    options = {"width": first.out_channels, "batch_norm": False, "residual": model.residual}
    merged = DnCNN(first.in_channels, len(convolutions), **options).to(first.weight)
    targets = [layer for layer in merged.model if isinstance(layer, nn.Conv2d)]
    for target, source, norm in zip(targets, convolutions, norms, strict=True):
        if norm is None:
            target.load_state_dict(source.state_dict())
            continue
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        target.weight.copy_(source.weight * scale[:, None, None, None])
        target.bias.copy_(norm.bias - norm.running_mean * scale)
    return merged.eval()


def _initialize(model: nn.Module, width: int) -> None:
    """As the authors' `DnCNN_init_model_64_25_Res_Bnorm_Adam.m`, version 1.1: He's deviation everywhere.

    BatchNorm's scales start small, at most about 0.2 and none nearer to 0 than 0.025, so that a fresh network takes off
    little and starts near the noisy image.
    """
    deviation = (2 / (9 * width)) ** 0.5
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0, deviation)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            scale = nn.init.normal_(module.weight, 0, deviation).detach()
            scale.copy_(torch.where(scale >= 0, scale.clamp(min=0.025), scale.clamp(max=-0.025)))
