"""What detectors take from a classifier: the four stages of a ResNet, and BatchNorm that no longer learns.

Paper: He et al., "Deep residual learning", 2015, arXiv:1512.03385, appendix A: BatchNorm is fixed when a detector is
fine-tuned, since a batch of one or two large images says little about means. **Differs from the paper:** names of
parameters and buffers are torchvision's.
"""

import torch
from torch import Tensor, nn

from crashcourse.classification.resnet import ResNet
from crashcourse.errors import CourseError


class FrozenBatchNorm2d(nn.Module):
    """BatchNorm with its statistics, scale and shift as constants: one multiplication and one addition a channel.

    Args:
        channels: of the maps.
        eps: added to the variance. Weights of torchvision's detectors were trained with 0, see `set_norm_eps`.
    """

    def __init__(self, channels: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", torch.ones(channels))
        self.register_buffer("bias", torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def extra_repr(self) -> str:
        """Channels and eps."""
        return f"{len(self.weight)}, eps={self.eps}"

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` -> the same shape."""
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        shift = self.bias - self.running_mean * scale
        return x * scale.view(1, -1, 1, 1) + shift.view(1, -1, 1, 1)


def freeze_batch_norm(module: nn.Module) -> nn.Module:
    """Put a `FrozenBatchNorm2d` with the same values in the place of every BatchNorm inside; returns the module."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            frozen = FrozenBatchNorm2d(child.num_features, eps=child.eps)
            values = {key: value for key, value in child.state_dict().items() if key != "num_batches_tracked"}
            frozen.load_state_dict({key: value.clone() for key, value in values.items()}, assign=True)
            setattr(module, name, frozen)
        else:
            freeze_batch_norm(child)
    return module


def set_norm_eps(module: nn.Module, eps: float) -> None:
    """Set the eps of every `FrozenBatchNorm2d` inside. Torchvision's weights called COCO_V1 need 0."""
    for layer in module.modules():
        if isinstance(layer, FrozenBatchNorm2d):
            layer.eps = eps


class ResNetBody(nn.Module):
    """A ResNet without its head: gives out the maps of all four stages.

    Args:
        variant: "18", "34", "50", "101" or "152".
        frozen_norm: whether BatchNorm is fixed, as for weights from ImageNet; with random weights it has to learn.

    Raises:
        CourseError: an unknown variant.
    """

    def __init__(self, variant: str = "50", *, frozen_norm: bool = False) -> None:
        super().__init__()
        network = ResNet(variant, 1)
        if frozen_norm:
            freeze_batch_norm(network)
        for name in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"):
            self.add_module(name, getattr(network, name))
        expansion = network.fc.in_features // 512
        self.out_channels = tuple(width * expansion for width in (64, 128, 256, 512))

    def forward(self, images: Tensor) -> list[Tensor]:
        """`(N, 3, H, W)` float -> C2 to C5: `(N, out_channels[i], H / 4, 8, 16, 32, W / ...)`, rounded up."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))  # (N, 64, H/4, W/4)
        maps = []
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            maps.append(x)
        return maps


def train_last_stages(body: ResNetBody, stages: int) -> None:
    """Let only the last stages of a pretrained body learn: 3 of 5 is usual, the stem counting as the first.

    Raises:
        CourseError: a number outside 0 to 5.
    """
    if not 0 <= stages <= 5:
        raise CourseError(f"A ResNet has 5 stages with its stem, so 0 to 5 may learn; got {stages}.")
    learning = ("layer4", "layer3", "layer2", "layer1", "conv1")[:stages] + (("bn1",) if stages == 5 else ())
    for name, parameter in body.named_parameters():
        parameter.requires_grad_(name.split(".")[0] in learning)
