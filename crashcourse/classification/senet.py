"""SENet: a few numbers for the whole image tell every channel how much it counts.

Hu, Shen, Albanie, Sun, Wu, "Squeeze-and-excitation networks", CVPR 2018, arXiv 1709.01507: equations 2 (squeeze),
3 (excitation), 4 (scale) and 5 (the parameters that it adds), figure 3 (the block in a residual network), table 1
(SE-ResNet-50), section 5.1 (on CIFAR-10).

**Differs from the paper:** in a bottleneck the 3×3 convolution carries the stride, as in this course's ResNet and in
timm's `seresnet50`, where the authors' networks have it in the first 1×1: 4.09 billion MACs in place of 3.86. The two
dense layers have biases, as in the authors' networks, though not in equation 3. They are written as 1×1 convolutions
`fc1` and `fc2`, as in timm and torchvision: the same arithmetic, and those weights fit. Parameter names are timm's,
which are torchvision's ResNet with an `se` in every block.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from crashcourse.classification.resnet import CHANNELS, STRIDE, Bottleneck, initialize
from crashcourse.classification.resnet_cifar import CifarBlock
from crashcourse.doors import check_count, check_images
from crashcourse.errors import CourseError, unknown


class SqueezeExcitation(nn.Module):
    """Every channel is multiplied by a gate, which is computed from the means of all channels.

    Equations 2 to 4: z_c = mean of channel c, s = gate(W2 activation(W1 z + b1) + b2), output_c = s_c · input_c.

    Args:
        channels: of the maps, C.
        reduction: the layer between has C // reduction units, r in the paper.
        squeezed: units of the layer between, given directly; `reduction` is not used then. EfficientNet counts
            them from the channels that come into its block, not from those that are gated.
        activation: makes the nonlinearity between the two layers, δ in the paper.
        gate: makes the function that turns scores into gates, σ in the paper.

    Raises:
        CourseError: a number is not an integer of at least 1, or `reduction` leaves no unit.
    """

    def __init__(
        self,
        channels: int,
        *,
        reduction: int = 16,
        squeezed: int | None = None,
        activation: Callable[[], nn.Module] = nn.ReLU,
        gate: Callable[[], nn.Module] = nn.Sigmoid,
    ) -> None:
        units = squeezed_channels(channels, reduction) if squeezed is None else squeezed
        if not _is_count(channels) or not _is_count(units):
            raise CourseError(f"channels and squeezed must be integers of at least 1; got {channels!r}, {squeezed!r}.")
        super().__init__()
        self.fc1 = nn.Conv2d(channels, units, 1)
        self.activation = activation()
        self.fc2 = nn.Conv2d(units, channels, 1)
        self.gate = gate()

    def forward(self, maps: Tensor) -> Tensor:
        """The maps, every channel scaled by its gate: (N, C, H, W) float -> (N, C, H, W) float."""
        return maps * self.gates(maps)  # equation 4

    def gates(self, maps: Tensor) -> Tensor:
        """What every channel is multiplied by.

        Args:
            maps: (N, C, H, W) float.

        Returns:
            (N, C, 1, 1) float, in (0, 1) where the gate is a sigmoid.
        """
        means = maps.mean((2, 3), keepdim=True)  # equation 2: (N, C, 1, 1)
        units = self.activation(self.fc1(means))  # (N, C / r, 1, 1)
        return self.gate(self.fc2(units))  # equation 3


def squeezed_channels(channels: int, reduction: int = 16) -> int:
    """Units of the layer between, C // r.

    Raises:
        CourseError: a number is not an integer of at least 1, or no unit is left.
    """
    if not _is_count(channels) or not _is_count(reduction) or reduction > channels:
        raise CourseError(
            "channels must be an integer of at least 1, and reduction one from 1 to channels; "
            f"got {channels!r} and {reduction!r}."
        )
    return channels // reduction


def added_parameters(channels: int, reduction: int = 16) -> int:
    """What one block adds: 2 C² / r weights (equation 5) and C / r + C biases, which the paper does not count.

    Raises:
        CourseError: a number is not an integer of at least 1, or `reduction` leaves no unit.
    """
    units = squeezed_channels(channels, reduction)
    return 2 * channels * units + units + channels


class SEBottleneck(Bottleneck):
    """A bottleneck whose residual is gated before it is added to the shortcut, figure 3.

    Args:
        in_channels: channels of the input.
        width: of the stage; the output has 4 · width channels.
        stride: of the 3×3 convolution and of the shortcut.
        reduction: of `SqueezeExcitation`.
    """

    def __init__(self, in_channels: int, width: int, stride: int = 1, *, reduction: int = 16) -> None:
        super().__init__(in_channels, width, stride)
        self.se = SqueezeExcitation(width * self.expansion, reduction=reduction)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, 4 · width, H / stride, W / stride), rounded up."""
        residual = self.relu(self.bn1(self.conv1(x)))
        residual = self.relu(self.bn2(self.conv2(residual)))
        residual = self.se(self.bn3(self.conv3(residual)))
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.relu(residual + shortcut)


class SECifarBlock(CifarBlock):
    """The block of ResNets for small images, its residual gated before it is added to the shortcut.

    Args:
        in_channels, out_channels, stride, shortcut: as of `CifarBlock`.
        se: makes what gates the residual, from its channels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        *,
        shortcut: str = "A",
        se: Callable[[int], nn.Module] = SqueezeExcitation,
    ) -> None:
        super().__init__(in_channels, out_channels, stride, shortcut=shortcut)
        self.se = se(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H / stride, W / stride), rounded up."""
        residual = self.relu(self.bn1(self.conv1(x)))
        residual = self.se(self.bn2(self.conv2(residual)))
        if self.residual:
            residual = residual + (x if self.downsample is None else self.downsample(x))
        return self.relu(residual)


VARIANTS: dict[str, tuple[int, int, int, int]] = {
    "50": (3, 4, 6, 3),
    "101": (3, 4, 23, 3),
    "152": (3, 8, 36, 3),
}
"""How many blocks conv2_x, conv3_x, conv4_x and conv5_x of SE-ResNet-50, 101 and 152 have: those of ResNet."""


class SEResNet(nn.Module):
    """ResNet with a squeeze-and-excitation block in every bottleneck.

    Args:
        variant: "50", "101" or "152".
        num_classes: size of the output.
        reduction: of every `SqueezeExcitation`; 16 in the paper's networks.

    Raises:
        CourseError: an unknown variant, `num_classes` below 1, or a reduction that is not from 1 to 256.
    """

    def __init__(self, variant: str = "50", num_classes: int = 1000, *, reduction: int = 16) -> None:
        check_count(num_classes, "num_classes")
        if variant not in VARIANTS:
            raise unknown("variant of SE-ResNet", str(variant), VARIANTS)
        squeezed_channels(CHANNELS[0] * SEBottleneck.expansion, reduction)
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        in_channels = 64
        for stage, (width, count) in enumerate(zip(CHANNELS, VARIANTS[variant], strict=True), start=1):
            blocks = []
            for place in range(count):
                stride = 2 if stage > 1 and place == 0 else 1
                blocks.append(SEBottleneck(in_channels, width, stride, reduction=reduction))
                in_channels = width * SEBottleneck.expansion
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(in_channels, num_classes)
        initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores (logits).

        Args:
            images: (N, 3, H, W) float; H and W at least 32, the network's stride.

        Returns:
            (N, num_classes) float.

        Raises:
            CourseError: another shape or an integer dtype.
        """
        check_images(images, "SE-ResNet", channels=3, least=STRIDE, dtype=self.fc.weight.dtype)
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))  # (N, 64, H/4, W/4)
        x = self.layer1(x)  # (N, 256, H/4, W/4)
        x = self.layer2(x)  # (N, 512, H/8, W/8)
        x = self.layer3(x)  # (N, 1024, H/16, W/16)
        x = self.layer4(x)  # (N, 2048, H/32, W/32)
        return self.fc(torch.flatten(self.avgpool(x), 1))


def se_resnet50(num_classes: int = 1000) -> SEResNet:
    """ResNet-50 with a gate in each of its 16 blocks: 28,088,024 parameters, 2,530,992 more; 4.09 billion MACs."""
    return SEResNet("50", num_classes)


@torch.no_grad()
def gates_of(model: nn.Module, images: Tensor) -> list[Tensor]:
    """The gates that a network computes for images, as it is: call `model.eval()` first.

    Args:
        model: a network with `SqueezeExcitation` blocks.
        images: a batch of N that it takes.

    Returns:
        For each block, in the order in which they run, (N, C) float.

    Raises:
        CourseError: the network has no such block.
    """
    found: list[Tensor] = []

    def note(block: SqueezeExcitation, inputs: tuple[Tensor], output: Tensor) -> None:
        found.append(block.gates(inputs[0]).flatten(1))

    with _hooked(model, lambda place: note):
        model(images)
    return found


@contextmanager
def changed_gates(model: nn.Module, change: Callable[[int, Tensor], Tensor]) -> Iterator[None]:
    """Inside, every `SqueezeExcitation` block of a network scales its maps by other gates than its own.

    Args:
        model: a network with such blocks.
        change: called with the place of a block, 0 for the first in the network's list of modules, and its own gates
            (N, C); returns the gates to be used, (N, C).

    Raises:
        CourseError: the network has no such block.
    """

    def scale(place: int, block: SqueezeExcitation, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        gates = change(place, block.gates(inputs[0]).flatten(1))  # (N, C)
        return inputs[0] * gates[:, :, None, None]

    with _hooked(model, lambda place: partial(scale, place)):
        yield


@contextmanager
def _hooked(model: nn.Module, hook: Callable[[int], Callable]) -> Iterator[None]:
    """Inside, each block has the forward hook that is made for its place."""
    blocks = [module for module in model.modules() if isinstance(module, SqueezeExcitation)]
    if not blocks:
        raise CourseError(f"{type(model).__name__} has no SqueezeExcitation block, so it has no gates.")
    with ExitStack() as stack:
        for place, block in enumerate(blocks):
            stack.callback(block.register_forward_hook(hook(place)).remove)
        yield


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
