"""Lesson 23: what people get wrong in making box deltas, each as code that behaves so, with its hint."""

from collections.abc import Callable

import torch
from torch import Tensor


def _parts(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Centres and sizes, `(N, 2)` each."""
    return (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]


Two = Callable[[Tensor, Tensor], Tensor]


def _encode(
    boxes: Tensor,
    anchors: Tensor,
    *,
    move: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor] = lambda c, ca, s, sa: (c - ca) / sa,
    grow: Two = lambda s, sa: (s / sa).log(),
) -> Tensor:
    """`box_to_deltas` with one thing wrong: what the keyword arguments say."""
    (centre, size), (anchor_centre, anchor_size) = _parts(boxes), _parts(anchors)
    return torch.cat([move(centre, anchor_centre, size, anchor_size), grow(size, anchor_size)], 1)


def _from_corners(boxes: Tensor, anchors: Tensor) -> Tensor:
    size = anchors[:, 2:] - anchors[:, :2]
    return torch.cat([(boxes[:, :2] - anchors[:, :2]) / size, _encode(boxes, anchors)[:, 2:]], 1)


def _both_corners(boxes: Tensor, anchors: Tensor) -> Tensor:
    size = anchors[:, 2:] - anchors[:, :2]
    return (boxes - anchors) / torch.cat([size, size], 1)


def _plus_one(boxes: Tensor, anchors: Tensor) -> Tensor:
    more = torch.tensor([0.0, 0.0, 1.0, 1.0])
    return _encode(boxes + more, anchors + more)


def _as_centre_and_size(boxes: Tensor) -> Tensor:
    """Corners that are taken for a centre and a size, as corners again."""
    return torch.cat([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], 1)


ENCODE_MISTAKES = {
    "no_logarithm": (
        lambda *a: _encode(*a, grow=lambda s, sa: s / sa),
        "tw and th are the plain ratios. Take their logarithm: 0 then means as large as the anchor.",
    ),
    "difference_of_sizes": (
        lambda *a: _encode(*a, grow=lambda s, sa: (s - sa) / sa),
        "You take the relative difference of the sizes. tw = log(w / wa), so that twice and half are alike.",
    ),
    "logarithm_of_the_size": (
        lambda *a: _encode(*a, grow=lambda s, sa: s.log()),
        "You take the logarithm of the size alone. Divide by the anchor's size first.",
    ),
    "ratio_upside_down": (
        lambda *a: _encode(*a, grow=lambda s, sa: (sa / s).log()),
        "tw and th have the wrong sign: the box's size over the anchor's, not the other way round.",
    ),
    "log2": (
        lambda *a: _encode(*a, grow=lambda s, sa: (s / sa).log2()),
        "Those are logarithms to base 2. Take natural ones, log().",
    ),
    "log10": (
        lambda *a: _encode(*a, grow=lambda s, sa: (s / sa).log10()),
        "Those are logarithms to base 10. Take natural ones, log().",
    ),
    "divided_by_the_box": (
        lambda *a: _encode(*a, move=lambda c, ca, s, sa: (c - ca) / s),
        "You divide by the box's size. It is not known when a box is predicted: divide by the *anchor's*.",
    ),
    "not_divided": (
        lambda *a: _encode(*a, move=lambda c, ca, s, sa: c - ca),
        "tx and ty are in pixels. Divide by the anchor's width and height, so that large and small boxes are alike.",
    ),
    "multiplied": (
        lambda *a: _encode(*a, move=lambda c, ca, s, sa: (c - ca) * sa),
        "You multiply by the anchor's size. To encode, divide; the way back multiplies.",
    ),
    "wrong_way": (
        lambda *a: _encode(*a, move=lambda c, ca, s, sa: (ca - c) / sa),
        "tx and ty have the wrong sign: from the anchor to the box, (x − xa).",
    ),
    "roles_swapped": (
        lambda boxes, anchors: _encode(anchors, boxes),
        "You encode the anchor with respect to the box. It is the other way round.",
    ),
    "width_for_both": (
        lambda *a: _encode(*a, move=lambda c, ca, s, sa: (c - ca) / sa[:, :1]),
        "You divide ty by the anchor's width. y goes with the height.",
    ),
    "sides_swapped": (
        lambda *a: _encode(*a, move=lambda c, ca, s, sa: (c - ca) / sa.flip(1)),
        "You divide tx by the anchor's height and ty by its width. x goes with the width, y with the height.",
    ),
    "upper_left_corners": (
        _from_corners,
        "You compare the upper left corners. tx and ty go from centre to centre.",
    ),
    "both_corners": (
        _both_corners,
        "Those are differences of corners. tx and ty go from centre to centre; tw and th compare sizes.",
    ),
    "plus_one": (
        _plus_one,
        "You add 1 to widths and heights, as for numbers of pixels. Coordinates here are continuous.",
    ),
    "order": (
        lambda *a: _encode(*a)[:, [0, 2, 1, 3]],
        "The numbers are right, their order is not: tx, ty, tw, th.",
    ),
    "one_more_in_the_ratio": (
        lambda *a: _encode(*a, grow=lambda s, sa: ((s + 1) / (sa + 1)).log()),
        "You add 1 to the sizes that you compare, as for numbers of pixels. A box is x2 − x1 wide.",
    ),
    "logarithm_of_the_difference": (
        lambda *a: _encode(*a, grow=lambda s, sa: (s - sa).log()),
        "You take the logarithm of a difference, which may be 0 or less. log(w / wa) is log(w) − log(wa).",
    ),
    "logarithm_of_one_more": (
        lambda *a: _encode(*a, grow=lambda s, sa: (s / sa).log1p()),
        "You take log(1 + w / wa). Without the 1, a box as large as its anchor has tw = 0.",
    ),
    "one_size_for_both": (
        lambda *a: _encode(*a, move=lambda c, ca, s, sa: (c - ca) / sa.prod(1, keepdim=True).sqrt()),
        "You divide both by the root of the anchor's area. tx is in widths, ty in heights.",
    ),
    "sums_of_corners": (
        lambda *a: _encode(*a, move=lambda c, ca, s, sa: 2 * (c - ca) / sa),
        "tx and ty are twice as large. A centre is *half* the sum of both corners.",
    ),
    "distances": (
        lambda *a: _encode(*a, move=lambda c, ca, s, sa: ((c - ca) / sa).abs()),
        "tx and ty have lost their sign. A box on the left of its anchor, or above it, has negative ones.",
    ),
    "divided_by_variances": (
        lambda *a: _encode(*a) / torch.tensor([0.1, 0.1, 0.2, 0.2]),
        "You divide by SSD's variances. Here the deltas stay as the four equations give them.",
    ),
    "read_as_centre_and_size": (
        lambda *a: _encode(*map(_as_centre_and_size, a)),
        "You read x1, y1, x2, y2 as centre and size. They are two corners: compute centre and size first.",
    ),
    "stacked_the_other_way": (
        lambda *a: _encode(*a).T,
        "Your result is (4, N): one row for tx, and so on. Stack along dimension 1, so that each box has a row.",
    ),
}
