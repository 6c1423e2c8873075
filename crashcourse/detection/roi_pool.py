"""RoIPool: the features of a box of any size, as a small map of one fixed size, by rounding and maxima.

Paper: Girshick, "Fast R-CNN", 2015, arXiv:1504.08083, section 2.1. `looped_roi_pool` is the algorithm as one reads it,
`roi_pool` the same result fast. **Differs from the paper:** nothing; what it leaves open is as in the author's code
and in torchvision: coordinates are rounded to the nearest pixel of the map (halves away from 0), and both the first and
the last pixel belong to the box: it is `last − first + 1` pixels wide. Bins are cut in whole numbers here; those
two divide in floats, which now and then gives a bin a pixel too many: of 7 bins not below 57 pixels, in float32.
"""

import math
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

from crashcourse.detection.regions import check_regions


def looped_roi_pool(
    features: Tensor, rois: Tensor | Sequence[Tensor], output_size: int | tuple[int, int], *, spatial_scale: float = 1.0
) -> Tensor:
    """RoIPool step by step: round each box to pixels of the map, cut it into bins, take the largest value in each.

    Args:
        features: `(N, C, H, W)` float.
        rois: `(K, 5)` float: number of the image, then x1, y1, x2, y2 in pixels of the image; or, for each image, its
            boxes `(K_i, 4)` xyxy.
        output_size: bins down and across, or one number for both.
        spatial_scale: pixels of the map for one pixel of the image, such as 1/16.

    Returns:
        `(K, C, down, across)`. Bins that lie outside the map are 0. Neighbouring bins may share a row or a column.

    Raises:
        CourseError: wrong shapes, an image that is not there, NaN, or an output size or scale that is not above 0.
    """
    rois, down, across = check_regions("RoIPool", features, rois, output_size, spatial_scale)
    pooled = features.new_zeros(len(rois), features.shape[1], down, across)
    on_map = (rois[:, 1:] * spatial_scale).tolist()
    for k, (image, (x1, y1, x2, y2)) in enumerate(zip(rois[:, 0].tolist(), on_map, strict=True)):
        rows = _bins_of_box(y1, y2, down, features.shape[2])
        columns = _bins_of_box(x1, x2, across, features.shape[3])
        for i, (top, bottom) in enumerate(rows):
            for j, (left, right) in enumerate(columns):
                if top < bottom and left < right:
                    here = features[int(image), :, top:bottom, left:right]  # (C, height, width of the bin)
                    pooled[k, :, i, j] = here.flatten(1).max(1).values
    return pooled


def _bins_of_box(low: float, high: float, count: int, length: int) -> list[tuple[int, int]]:
    """First pixel of each bin, and the one behind its last, along one axis of a map of `length` pixels."""
    first, last = _nearest(low), _nearest(high)
    size = max(last - first + 1, 1)
    bins = [(first + i * size // count, first - (-(i + 1) * size // count)) for i in range(count)]  # floor, ceiling
    return [(min(max(start, 0), length), min(max(end, 0), length)) for start, end in bins]


def _nearest(value: float) -> int:
    """The nearest whole number, halves away from 0; Python's own `round` goes to the even one."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def roi_pool(
    features: Tensor, rois: Tensor | Sequence[Tensor], output_size: int | tuple[int, int], *, spatial_scale: float = 1.0
) -> Tensor:
    """What `looped_roi_pool` returns, without its loops. Arguments, result and errors are the same.

    The largest value of any run of pixels is that of two runs which cover it together, of 1, 2, 4, 8, ... pixels.
    So maxima over squares and oblongs of these sizes are made of the whole map, each from the one half its size, and a
    bin is the largest of four of them. The gradient goes to the pixel that was largest; of equals to the first.
    """
    rois, down, across = check_regions("RoIPool", features, rois, output_size, spatial_scale)
    rows = _bins(rois[:, 2], rois[:, 4], down, spatial_scale, features.shape[2])
    columns = _bins(rois[:, 1], rois[:, 3], across, spatial_scale, features.shape[3])
    image = rois[:, 0].long()
    by_place = features.permute(0, 2, 3, 1)  # (N, H, W, C)
    if features.requires_grad and torch.is_grad_enabled():
        keys = _maxima(_keys(by_place.detach()), image, rows, columns)
        table = by_place.reshape(-1, features.shape[1])  # (N·H·W, C)
        places = keys.bitwise_and_(PLACES).neg_().add_(PLACES)  # (K, down, across, C)
        empty = (rows.size <= 0)[:, :, None, None] | (columns.size <= 0)[:, None, :, None]
        pooled = table.gather(0, places.clamp_(max=len(table) - 1).flatten(0, 2)).view(places.shape)
        pooled = pooled.masked_fill(empty, 0) if empty.any() else pooled
    else:
        pooled = _maxima(by_place.contiguous(), image, rows, columns)
    return pooled.permute(0, 3, 1, 2)


PLACES = 2**32 - 1


def _keys(values: Tensor) -> Tensor:
    """A whole number for each value: larger for a larger value, and of equals for the one that comes first.

    Args:
        values: `(N, H, W, C)` float.

    Returns:
        `(N, H, W, C)` int64: in its upper half the value's rank, in its lower `PLACES` minus the row of `(N·H·W, C)`.
    """
    if values.dtype == torch.float64:
        flat = values.flatten(0, 2)
        rank = flat.unique(return_inverse=True)[1].view(values.shape)
    else:
        bits = (values.float() + 0.0).view(torch.int32)  # -0.0 becomes 0.0; positive floats are in order as integers
        rank = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long()
    place = torch.arange(math.prod(values.shape[:3]), device=values.device).view(*values.shape[:3], 1)
    return (rank << 32) | (PLACES - place)


class _Bins(NamedTuple):
    """Along one axis, for all boxes: `(K, bins)` int64 each.

    Attributes:
        start: first pixel of a bin.
        end: the one behind its last.
    """

    start: Tensor
    end: Tensor

    @property
    def size(self) -> Tensor:
        """Pixels; 0 or less for an empty bin."""
        return self.end - self.start

    @property
    def level(self) -> Tensor:
        """The largest power of 2 that fits in a bin, as an exponent; 0 for an empty one."""
        return self.size.clamp(min=1).double().log2().floor().long()


def _bins(low: Tensor, high: Tensor, count: int, scale: float, length: int) -> _Bins:
    """`_bins_of_box` for all boxes at once."""
    first, last = (((side * scale).abs() + 0.5).floor().copysign(side).long()[:, None] for side in (low, high))
    size = (last - first + 1).clamp(min=1)  # (K, 1)
    number = torch.arange(count, device=low.device)  # (bins,)
    start = first + (number * size).div(count, rounding_mode="floor")
    end = first - (-(number + 1) * size).div(count, rounding_mode="floor")
    return _Bins(start.clamp(0, length), end.clamp(0, length))


def _maxima(values: Tensor, image: Tensor, rows: _Bins, columns: _Bins) -> Tensor:
    """The largest value of each bin, from maxima over 1, 2, 4, ... rows and columns of the whole map.

    Args:
        values: `(N, H, W, C)`.
        image: `(K,)`.
        rows, columns: bins of the K boxes down and across.

    Returns:
        `(K, down, across, C)`; 0 for an empty bin.
    """
    found = values.new_zeros(*rows.size.shape, columns.size.shape[1], values.shape[3])
    filled = (rows.size > 0)[:, :, None] & (columns.size > 0)[:, None, :]  # (K, down, across)
    for ky in range(int(rows.level.max()) + 1 if rows.level.numel() else 0):
        wider = values  # maxima over 2^ky rows and 1, 2, 4, ... columns
        for kx in range(int(columns.level.max()) + 1):
            k, i, j = (filled & (rows.level == ky)[:, :, None] & (columns.level == kx)[:, None, :]).nonzero().T
            if len(k):
                tops = (rows.start[k, i], rows.end[k, i] - 2**ky)
                lefts = (columns.start[k, j], columns.end[k, j] - 2**kx)
                height, width = wider.shape[1:3]
                table = wider.reshape(-1, values.shape[3])
                best = values.new_empty(len(k), values.shape[3])
                other = torch.empty_like(best)
                for number, (top, left) in enumerate(product(tops, lefts)):
                    place = (image[k] * height + top) * width + left
                    torch.index_select(table, 0, place, out=other if number else best)
                    best = torch.maximum(best, other, out=best) if number else best
                found[k, i, j] = best
            wider = _doubled(wider, 2, 2**kx)
        values = _doubled(values, 1, 2**ky)
    return found


def _doubled(maxima: Tensor, dim: int, size: int) -> Tensor:
    """From maxima over `size` pixels along a dimension to those over twice as many."""
    length = max(0, maxima.shape[dim] - size)
    return torch.maximum(maxima.narrow(dim, 0, length), maxima.narrow(dim, maxima.shape[dim] - length, length))
