"""Feature pyramid: every level as strong as the top, at the resolution of its own.

Paper: Lin, Dollár, Girshick, He, Hariharan and Belongie, "Feature pyramid networks for object detection", 2016,
arXiv:1612.03144: section 3 and figure 3 (laterals, sum, smoothing), section 4.1 (P6), equation 1 (which level a region
is taken from). **Differs from the paper:** nothing; names and initialisation are torchvision's.
"""

import math
from collections.abc import Callable, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from crashcourse.detection.backbone import ResNetBody
from crashcourse.detection.boxes import box_area
from crashcourse.detection.regions import numbered
from crashcourse.errors import CourseError

Pool = Callable[..., Tensor]
"""`roi_pool` or `roi_align`: `pool(features, rois, output_size, spatial_scale=...)` -> `(K, C, height, width)`, of
features `(N, C, H, W)` and regions `(K, 5)`: the image's number, then xyxy in pixels of the image."""


class FeaturePyramid(nn.Module):
    """1×1 laterals, a path from the top that doubles and adds, 3×3 smoothing, and one level more.

    Args:
        in_channels: of the maps that come in, finest first.
        out_channels: of every level.

    Raises:
        CourseError: no map, or channels below 1.
    """

    def __init__(self, in_channels: Sequence[int], out_channels: int = 256) -> None:
        super().__init__()
        if not in_channels or min(*in_channels, out_channels) < 1:
            raise CourseError(f"A pyramid needs channels of at least one map; got {in_channels} and {out_channels}.")
        self.inner_blocks = nn.ModuleList(nn.Sequential(nn.Conv2d(width, out_channels, 1)) for width in in_channels)
        self.layer_blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(out_channels, out_channels, 3, padding=1)) for _ in in_channels
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight, a=1)
                nn.init.zeros_(module.bias)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """C2, C3, ... -> P2, P3, ..., and one level at half the size of the last.

        Args:
            maps: `(N, in_channels[i], H_i, W_i)`, finest first, each about half as large as the one before.

        Returns:
            One level more than maps, each `(N, out_channels, H_i, W_i)`.

        Raises:
            CourseError: another number of maps than in the constructor.
        """
        if len(maps) != len(self.inner_blocks):
            raise CourseError(f"This pyramid takes {len(self.inner_blocks)} maps; got {len(maps)}.")
        merged = [lateral(given) for lateral, given in zip(self.inner_blocks, maps, strict=True)]
        for level in range(len(merged) - 1, 0, -1):  # from the top down
            merged[level - 1] = merge(merged[level - 1], merged[level])
        levels = [smooth(level) for smooth, level in zip(self.layer_blocks, merged, strict=True)]
        return [*levels, levels[-1][:, :, ::2, ::2]]  # P6: every second place of P5


def merge(lateral: Tensor, above: Tensor) -> Tensor:
    """One step down: the coarser map is enlarged to the size of the lateral, every place repeated, and added.

    Args:
        lateral: `(N, C, H, W)`.
        above: `(N, C, about H / 2, about W / 2)`.

    Returns:
        `(N, C, H, W)`.
    """
    return lateral + F.interpolate(above, size=lateral.shape[-2:], mode="nearest")


class PyramidBackbone(nn.Module):
    """A body and the pyramid over it.

    Args:
        body: images -> maps, finest first; has `out_channels`.
        out_channels: of every level.
    """

    def __init__(self, body: nn.Module, out_channels: int = 256) -> None:
        super().__init__()
        self.body = body
        self.fpn = FeaturePyramid(body.out_channels, out_channels)
        self.out_channels = out_channels

    def forward(self, images: Tensor) -> list[Tensor]:
        """`(N, 3, H, W)` -> P2 to P6 of a ResNet: `(N, out_channels, H / 4, 8, 16, 32, 64, W / ...)`, rounded up."""
        return self.fpn(self.body(images))


def resnet_fpn(variant: str = "50", *, frozen_norm: bool = False) -> PyramidBackbone:
    """A ResNet with a pyramid of 256 channels; over ResNet-50 it has 26,852,416 parameters, 26,799,296 frozen."""
    return PyramidBackbone(ResNetBody(variant, frozen_norm=frozen_norm))


def assign_levels(
    boxes: Tensor, least: int, most: int, *, canonical_size: float = 224.0, canonical_level: int = 4
) -> Tensor:  # fmt: skip
    """The level that a region's features are taken from: ⌊4 + log2(√(w h) / 224)⌋ (equation 1).

    Args:
        boxes: `(K, 4)` xyxy pixels.
        least, most: the finest and the coarsest level there are: 2 and 5.
        canonical_size, canonical_level: a square of 224 pixels goes to level 4.

    Returns:
        `(K,)` int64, between `least` and `most`.
    """
    side = box_area(boxes).sqrt()
    exact = canonical_level + (side / canonical_size).log2() + 1e-6  # 224 itself must not fall below
    return exact.floor().clamp(least, most).long()


class MultiScalePool(nn.Module):
    """Takes each region's features from one level of a pyramid, or from the one map there is.

    Args:
        pool: `roi_pool` or `roi_align` with the last options filled in, see `Pool`.
        output_size: height and width of a region's features.
        strides: of the maps to take from, finest first, as powers of 2; more maps may follow, and are not used.
        canonical_size, canonical_level: see `assign_levels`.

    Raises:
        CourseError: no stride, or one that is not a power of 2.
    """

    def __init__(
        self,
        pool: Pool,
        output_size: tuple[int, int] = (7, 7),
        strides: Sequence[int] = (4, 8, 16, 32),
        *,
        canonical_size: float = 224.0,
        canonical_level: int = 4,
    ) -> None:
        super().__init__()
        if not strides or any(stride < 1 or stride & (stride - 1) for stride in strides):
            raise CourseError(f"Strides are powers of 2, such as (4, 8, 16, 32); got {tuple(strides)}.")
        self.pool, self.output_size, self.strides = pool, tuple(output_size), tuple(strides)
        self.canonical = {"canonical_size": canonical_size, "canonical_level": canonical_level}

    def extra_repr(self) -> str:
        """Size and strides."""
        return f"output_size={self.output_size}, strides={self.strides}"

    def forward(self, features: Sequence[Tensor], boxes: Sequence[Tensor]) -> Tensor:
        """Features of all regions.

        Args:
            features: `(N, C, H_i, W_i)`, one for each stride at least.
            boxes: for each of the N images `(K_n, 4)` xyxy pixels of the batch.

        Returns:
            `(ΣK_n, C, *output_size)`: the regions of the first image, then of the second, ...
        """
        rois = numbered(boxes)  # (K, 5)
        if len(self.strides) == 1:
            return self.pool(features[0], rois, self.output_size, spatial_scale=1 / self.strides[0])
        first, last = (int(math.log2(stride)) for stride in (self.strides[0], self.strides[-1]))
        levels = assign_levels(rois[:, 1:], first, last, **self.canonical) - first
        pooled = features[0].new_zeros(len(rois), features[0].shape[1], *self.output_size)
        for level, stride in enumerate(self.strides):
            here = (levels == level).nonzero()[:, 0]
            own = self.pool(features[level], rois[here], self.output_size, spatial_scale=1 / stride)
            pooled[here] = own.to(pooled.dtype)  # autocast may differ between levels
        return pooled
