"""RCAN: over 400 convolutions, skips within skips, and a gate for every channel.

Zhang, Li, Li, Wang, Zhong, Fu, "Image super-resolution using very deep residual channel attention networks", ECCV 2018,
arXiv 1807.02758: section 3.2 (residual in residual, equations 3 to 7), section 3.3 (channel attention, equations 8 to
10), section 3.4 (RCAB, equations 11 to 13), section 4.1 (10 groups of 20 blocks, 64 channels, reduction 16), table 1
(what attention and skips are worth). Head, upsampler and long skip are EDSR's; channel attention is SENet's block.

**Differs from the paper:** nothing in the network. As in the authors' code the blocks have no residual scaling, the
convolutions of the gates have biases, and images are in [0, 255] minus the mean colour inside; outside they are in
[0, 1]. Parameters have its names, so that its weights load with `strict=True`; its mean colour is a buffer here, and
not counted. `long_skip`, `short_skip` and `attention` take away what table 1 takes away.
"""

import torch
from torch import Tensor, nn

from crashcourse.doors import check_count
from crashcourse.errors import CourseError
from crashcourse.restoration.edsr import SuperResolver


class ChannelAttention(nn.Module):
    """Every channel times a gate, computed from the means of all channels: s = σ(W_U δ(W_D z)), equations 8 to 10.

    Args:
        channels: of the maps, C.
        reduction: the layer between has C // reduction units, r in the paper.

    Raises:
        CourseError: a number is not an integer of at least 1, or `reduction` leaves no unit.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        check_count(channels, "channels")
        check_count(reduction, "reduction")
        if reduction > channels:
            raise CourseError(f"reduction {reduction} leaves no unit of {channels} channels; choose 1 to {channels}.")
        super().__init__()
        self.conv_du = nn.Sequential(
            nn.Conv2d(channels, channels // reduction, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // reduction, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return maps * self.gates(maps)  # equation 10

    def gates(self, maps: Tensor) -> Tensor:
        """What every channel is multiplied by: (N, C, H, W) -> (N, C, 1, 1) in (0, 1)."""
        return self.conv_du(maps.mean((2, 3), keepdim=True))  # equations 8 and 9


class RCAB(nn.Module):
    """Residual channel attention block: x + CA(conv(ReLU(conv(x)))), equations 11 to 13.

    Args:
        width: channels.
        reduction: of the channel attention; None leaves it out.
    """

    def __init__(self, width: int, reduction: int | None = 16) -> None:
        super().__init__()
        attention = [] if reduction is None else [ChannelAttention(width, reduction)]
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
            *attention,
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) -> (N, width, H, W)."""
        return self.body(x) + x


class ResidualGroup(nn.Module):
    """Blocks, a convolution, and a short skip around them all: equation 7.

    Args:
        blocks: how many RCABs.
        width: channels.
        reduction: of the channel attention; None leaves it out.
        short_skip: add what comes in to what comes out.
    """

    def __init__(self, blocks: int, width: int, reduction: int | None = 16, *, short_skip: bool = True) -> None:
        super().__init__()
        self.short_skip = short_skip
        self.body = nn.Sequential(
            *(RCAB(width, reduction) for _ in range(blocks)), nn.Conv2d(width, width, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) -> (N, width, H, W)."""
        return self.body(x) + x if self.short_skip else self.body(x)


class RCAN(SuperResolver):
    """Residual in residual: groups of blocks, each with its skip, and a long skip around all groups (equation 4).

    Args:
        scale: 2, 3, 4 or another power of two.
        groups: residual groups, G in the paper.
        blocks: RCABs in each group, B in the paper.
        width: channels, C in the paper.
        reduction: of the channel attention, r in the paper.
        attention, short_skip, long_skip: False takes away what table 1 calls CA, SSC and LSC. The skip inside of each
            RCAB stays, as in the paper.

    Raises:
        CourseError: another scale, a count below 1, or a reduction that leaves no unit.
    """

    def __init__(
        self,
        scale: int = 2,
        *,
        groups: int = 10,
        blocks: int = 20,
        width: int = 64,
        reduction: int = 16,
        attention: bool = True,
        short_skip: bool = True,
        long_skip: bool = True,
    ) -> None:
        for value, what in ((groups, "groups"), (blocks, "blocks"), (width, "width"), (reduction, "reduction")):
            check_count(value, what)
        ratio = reduction if attention else None
        stack = [ResidualGroup(blocks, width, ratio, short_skip=short_skip) for _ in range(groups)]
        body = nn.Sequential(*stack, nn.Conv2d(width, width, 3, padding=1))
        super().__init__(body, scale=scale, width=width, long_skip=long_skip)


def rcan(scale: int = 2) -> RCAN:
    """RCAN of the paper, 10 groups of 20 blocks: 15,444,643, 15,629,283 or 15,592,355 parameters for ×2, ×3 or ×4."""
    return RCAN(scale)


@torch.no_grad()
def gates_of(model: nn.Module, images: Tensor) -> list[Tensor]:
    """The gates that a network computes for images, from the first block to the last.

    Args:
        model: a network with `ChannelAttention`.
        images: (N, 3, H, W) that it takes.

    Returns:
        For each block (N, C) float in (0, 1), on the images' device.

    Raises:
        CourseError: the network has no channel attention.
    """
    found: list[Tensor] = []

    def note(block: ChannelAttention, inputs: tuple[Tensor], output: Tensor) -> None:
        found.append(block.gates(inputs[0]).flatten(1))

    blocks = [module for module in model.modules() if isinstance(module, ChannelAttention)]
    if not blocks:
        raise CourseError(f"{type(model).__name__} has no channel attention, so it has no gates.")
    hooks = [block.register_forward_hook(note) for block in blocks]
    try:
        model(images)
    finally:
        for hook in hooks:
            hook.remove()
    return found
