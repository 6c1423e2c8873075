"""RoIAlign: the features of a box of any size and place, sampled between the pixels, as a small map of one fixed size.

Paper: He, Gkioxari, Dollár and Girshick, "Mask R-CNN", 2017, arXiv:1703.06870, section 3 and figure 3.
`looped_roi_align` is the algorithm as one reads it, `roi_align` the same result fast.

**Differs from the paper:** there are two settings. With `aligned=False`, as in the authors' first code and in
torchvision's detectors, a coordinate `x` of the image is `x · spatial_scale` in the map, as if the first pixel had its
centre at 0. Its centre is at 0.5, so that all samples lie half a pixel of the map too far right and down; and a box
counts as at least one pixel wide and high. With `aligned=True`, as in detectron2, half a pixel is subtracted.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from crashcourse.detection.regions import check_regions

SMALL_MAP = 1024
"""Pixels of a map up to which `roi_align` multiplies all of it with each box; on larger ones the box's window alone."""


def bilinear_sample(features: Tensor, y: float, x: float) -> Tensor:
    """The features between the pixels: the mean of the four nearest, each weighted by how near it is.

    Args:
        features: `(C, H, W)` float; pixel `(row, column)` lies at y = row, x = column.
        y, x: the place. Up to one pixel outside, the border counts; beyond that, everything is 0.

    Returns:
        `(C,)`.

    >>> bilinear_sample(torch.tensor([[[0.0, 10.0], [20.0, 30.0]]]), 0.5, 0.25).tolist()
    [12.5]
    """
    height, width = features.shape[1:]
    if not (-1 <= y <= height and -1 <= x <= width):
        return features.new_zeros(len(features))
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    down, along = y - top, x - left  # how far from the upper left pixel, 0 to 1
    upper = (1 - along) * features[:, top, left] + along * features[:, top, right]
    lower = (1 - along) * features[:, bottom, left] + along * features[:, bottom, right]
    return (1 - down) * upper + down * lower


def looped_roi_align(
    features: Tensor, rois: Tensor | Sequence[Tensor], output_size: int | tuple[int, int], *,
    spatial_scale: float = 1.0, sampling_ratio: int = -1, aligned: bool = False,
) -> Tensor:  # fmt: skip
    """RoIAlign step by step: cut each box into bins, sample each bin at a few points, take their mean.

    Args:
        features: `(N, C, H, W)` float.
        rois: `(K, 5)` float: number of the image, then x1, y1, x2, y2 in pixels of the image; or, for each image, its
            boxes `(K_i, 4)` xyxy.
        output_size: bins down and across, or one number for both.
        spatial_scale: pixels of the map for one pixel of the image, such as 1/16.
        sampling_ratio: points in a bin down and across; 0 or less: one for each pixel of the map that a bin is long.
        aligned: subtract the half pixel; see the top of this file.

    Returns:
        `(K, C, down, across)`.

    Raises:
        CourseError: wrong shapes, an image that is not there, NaN, or an output size or scale that is not above 0.
    """
    rois, down, across = check_regions("RoIAlign", features, rois, output_size, spatial_scale)
    pooled = features.new_zeros(len(rois), features.shape[1], down, across)
    for k, frame in enumerate(_frames(rois, spatial_scale, aligned)):
        y1, x1, height, width = frame[1:]
        bin_height, bin_width = height / down, width / across
        rows = sampling_ratio if sampling_ratio > 0 else math.ceil(bin_height)
        columns = sampling_ratio if sampling_ratio > 0 else math.ceil(bin_width)
        for i in range(down):
            for j in range(across):
                ys = [y1 + i * bin_height + (row + 0.5) * bin_height / rows for row in range(rows)]
                xs = [x1 + j * bin_width + (column + 0.5) * bin_width / columns for column in range(columns)]
                points = [bilinear_sample(features[int(frame[0])], float(y), float(x)) for y in ys for x in xs]
                if points:  # a box without height or width has none where their number follows from it
                    pooled[k, :, i, j] = torch.stack(points).mean(0)
    return pooled


def roi_align(
    features: Tensor, rois: Tensor | Sequence[Tensor], output_size: int | tuple[int, int], *,
    spatial_scale: float = 1.0, sampling_ratio: int = -1, aligned: bool = False,
) -> Tensor:  # fmt: skip
    """What `looped_roi_align` returns, without its loops over bins. Arguments, result and errors are the same.

    The weight of a pixel in a sample is a weight of its row times a weight of its column. So each box has a matrix of
    weights for the rows of its window and one for the columns, `(bins, pixels)` both, and its small map is
    rows · window · columns: two products instead of four reads for each sample. On a small map the window is the whole
    map, and all boxes of an image are done at once. Gradients go to the features alone.
    """
    rois, down, across = check_regions("RoIAlign", features, rois, output_size, spatial_scale)
    image, y, x, height, width = _frames(rois, spatial_scale, aligned).unbind(1)
    rows = _Samples.of(y, height, down, sampling_ratio, features.shape[2])
    columns = _Samples.of(x, width, across, sampling_ratio, features.shape[3])
    with torch.autocast(features.device.type, enabled=False):  # weights keep the precision of the features
        if math.prod(features.shape[2:]) <= SMALL_MAP:
            return _whole_maps(
                features, image.long(), *(axis.over(features.shape[n]) for n, axis in ((2, rows), (3, columns)))
            )
        return _Windows.apply(features, image.long().tolist(), *rows.matrix(), *columns.matrix())


class _Samples(NamedTuple):
    """Along one axis: which pixels the samples of each bin read, two for each sample, with their weights.

    Attributes:
        places: `(K, bins, 2 S)` int64.
        weights: `(K, bins, 2 S)`: 0 where a sample lies outside, and of samples that a box does not have.
    """

    places: Tensor
    weights: Tensor

    @classmethod
    def of(cls, start: Tensor, size: Tensor, bins: int, ratio: int, length: int) -> "_Samples":
        """From the start and size `(K,)` of each box on an axis of `length` pixels."""
        step = (size / bins)[:, None, None]  # (K, 1, 1)
        counts = torch.full_like(step, ratio) if ratio > 0 else step.ceil().clamp(min=0)
        most = int(counts.max()) if len(counts) else 0
        number = torch.arange(most, dtype=step.dtype, device=step.device)  # (S,)
        bin_ = torch.arange(bins, dtype=step.dtype, device=step.device)[:, None]  # (bins, 1)
        place = start[:, None, None] + bin_ * step + (number + 0.5) * step / counts.clamp(min=1)  # (K, bins, S)
        counted = (place >= -1) & (place <= length) & (number < counts)
        place = place.clamp(0, length - 1)
        low = place.long()
        far = place - low
        weights = torch.stack([1 - far, far], -1) * (counted / counts.clamp(min=1))[..., None]  # (K, bins, S, 2)
        return cls(torch.stack([low, (low + 1).clamp(max=length - 1)], -1).flatten(2), weights.flatten(2))

    def over(self, length: int) -> Tensor:
        """Weights `(K, bins, length)` over all pixels of the axis."""
        return self.weights.new_zeros(*self.places.shape[:2], length).scatter_add_(2, self.places, self.weights)

    def matrix(self) -> tuple[Tensor, list[tuple[int, int]]]:
        """Weights `(K, bins, L)` over the pixels from a box's first to its last, and for each box these two."""
        if not self.places.numel():
            return self.weights.new_zeros(*self.places.shape[:2], 0), [(0, 0)] * len(self.places)
        used = self.weights > 0
        first = torch.where(used, self.places, self.places.max()).flatten(1).min(1).values  # (K,)
        last = torch.where(used, self.places, 0).flatten(1).max(1).values + 1
        last = torch.maximum(last, first)  # a box with no sample inside
        longest = max(int((last - first).max()), 1)
        matrix = self.weights.new_zeros(*self.places.shape[:2], longest)
        places = (self.places - first[:, None, None]).clamp(0, longest - 1)
        matrix.scatter_add_(2, places, self.weights)
        return matrix, list(zip(first.tolist(), last.tolist(), strict=True))


def _whole_maps(features: Tensor, image: Tensor, by_row: Tensor, by_column: Tensor) -> Tensor:
    """For each image all its boxes at once: (weights of their rows) · (the map) · (weights of their columns).

    Args:
        features: `(N, C, H, W)`.
        image: `(K,)` int64.
        by_row: `(K, down, H)`.
        by_column: `(K, across, W)`.

    Returns:
        `(K, C, down, across)`.
    """
    by_row, by_column = by_row.to(features.dtype), by_column.to(features.dtype)
    maps = features.permute(0, 2, 3, 1)  # (N, H, W, C)
    order = image.argsort(stable=True)
    parts = []
    for n, own in enumerate(order.split(image.bincount(minlength=len(features)).tolist())):
        down = by_row[own].flatten(0, 1) @ maps[n].flatten(1)  # (K_n · down, W · C)
        down = down.unflatten(0, (len(own), by_row.shape[1])).unflatten(2, maps.shape[2:])  # (K_n, down, W, C)
        parts.append(by_column[own][:, None] @ down)  # (K_n, down, across, C)
    back = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))
    return torch.cat(parts)[back].permute(0, 3, 1, 2)


Spans = list[tuple[int, int]]


class _Windows(torch.autograd.Function):
    """Every box as (weights of its rows) · (its window of the map) · (weights of its columns).

    The gradient is written here because autograd would make a map of zeros for each window.
    """

    @staticmethod
    def forward(
        ctx, features: Tensor, image: list[int], by_row: Tensor, rows: Spans, by_column: Tensor, columns: Spans
    ):
        by_row, by_column = by_row.to(features.dtype), by_column.to(features.dtype)
        ctx.save_for_backward(by_row, by_column)
        ctx.shape, ctx.windows = features.shape, list(zip(image, rows, columns, strict=True))
        maps = features.permute(0, 2, 3, 1)  # (N, H, W, C)
        pixels = sum((bottom - top) * (right - left) for _, (top, bottom), (left, right) in ctx.windows)
        if pixels > maps[..., 0].numel():
            maps = maps.contiguous()  # one copy of everything, rather than one of each window
        pooled = features.new_empty(len(image), by_row.shape[1], by_column.shape[1], maps.shape[3])
        for k, (number, (top, bottom), (left, right)) in enumerate(ctx.windows):
            window = maps[number, top:bottom, left:right]  # (h, w, C)
            down = (by_row[k, :, : bottom - top] @ window.flatten(1)).unflatten(1, window.shape[1:])  # (down, w, C)
            torch.matmul(by_column[k, :, : right - left], down, out=pooled[k])  # (down, across, C)
        return pooled.permute(0, 3, 1, 2)  # (K, C, down, across)

    @staticmethod
    def backward(ctx, grad: Tensor):
        by_row, by_column = ctx.saved_tensors
        count, channels, height, width = ctx.shape
        whole = grad.new_zeros(count, height, width, channels)
        grad = grad.permute(0, 2, 3, 1).contiguous()  # (K, down, across, C)
        for k, (number, (top, bottom), (left, right)) in enumerate(ctx.windows):
            down = by_column[k, :, : right - left].T @ grad[k]  # (down, w, C)
            window = by_row[k, :, : bottom - top].T @ down.flatten(1)  # (h, w · C)
            whole[number, top:bottom, left:right] += window.unflatten(1, down.shape[1:])
        return whole.permute(0, 3, 1, 2), None, None, None, None, None


def _frames(rois: Tensor, spatial_scale: float, aligned: bool) -> Tensor:
    """From `(K, 5)` boxes in the image to `(K, 5)` number, y1, x1, height, width in the map."""
    corners = rois[:, 1:] * spatial_scale - (0.5 if aligned else 0.0)
    size = corners[:, 2:] - corners[:, :2]
    size = size if aligned else size.clamp(min=1)
    return torch.cat([rois[:, :1], corners[:, :2].flip(1), size.flip(1)], 1)
