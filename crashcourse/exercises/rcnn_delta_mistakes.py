"""Lesson 23: what people get wrong in box deltas, both ways, each as code that behaves so, with its hint."""

import math
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
}


def _decode(
    deltas: Tensor,
    anchors: Tensor,
    *,
    move: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda t, ca, sa: ca + t * sa,
    grow: Two = lambda t, sa: sa * t.exp(),
    corners: Two = lambda c, s: torch.cat([c - s / 2, c + s / 2], 1),
) -> Tensor:
    """`deltas_to_box` with one thing wrong: what the keyword arguments say."""
    centre, size = _parts(anchors)
    return corners(move(deltas[:, :2], centre, size), grow(deltas[:, 2:], size))


def _moved_by_the_new_size(deltas: Tensor, anchors: Tensor) -> Tensor:
    centre, size = _parts(anchors)
    new = size * deltas[:, 2:].exp()
    middle = centre + deltas[:, :2] * new
    return torch.cat([middle - new / 2, middle + new / 2], 1)


def _from_the_anchors_corner(deltas: Tensor, anchors: Tensor) -> Tensor:
    return _decode(deltas, anchors, move=lambda t, ca, sa: ca - sa / 2 + t * sa)


DECODE_MISTAKES = {
    "no_exponential": (
        lambda *a: _decode(*a, grow=lambda t, sa: sa * t),
        "You multiply the anchor's size by tw. tw is a logarithm: take exp(tw) first.",
    ),
    "linear": (
        lambda *a: _decode(*a, grow=lambda t, sa: sa * (1 + t)),
        "1 + tw is only nearly exp(tw), and below −1 the box turns inside out. Take exp.",
    ),
    "exponential_alone": (
        lambda *a: _decode(*a, grow=lambda t, sa: t.exp()),
        "exp(tw) is how many times as wide as the anchor: multiply by the anchor's size.",
    ),
    "added": (
        lambda *a: _decode(*a, grow=lambda t, sa: sa + t.exp()),
        "You add exp(tw) to the anchor's size. Multiply.",
    ),
    "divided": (
        lambda *a: _decode(*a, grow=lambda t, sa: sa / t.exp()),
        "You divide by exp(tw): what should grow shrinks. Multiply.",
    ),
    "base_2": (
        lambda *a: _decode(*a, grow=lambda t, sa: sa * 2**t),
        "You take powers of 2. tw is a natural logarithm: exp.",
    ),
    "base_10": (
        lambda *a: _decode(*a, grow=lambda t, sa: sa * torch.exp(t * math.log(10))),
        "You take powers of 10. tw is a natural logarithm: exp.",
    ),
    "pixels": (
        lambda *a: _decode(*a, move=lambda t, ca, sa: ca + t),
        "You move the centre by tx pixels. tx is in widths of the anchor: multiply by its size.",
    ),
    "subtracted": (
        lambda *a: _decode(*a, move=lambda t, ca, sa: ca - t * sa),
        "The centre moves the wrong way: add tx · wa.",
    ),
    "anchor_forgotten": (
        lambda *a: _decode(*a, move=lambda t, ca, sa: t * sa),
        "The anchor's own centre is missing: xa + tx · wa.",
    ),
    "moved_by_the_new_size": (
        _moved_by_the_new_size,
        "You move by parts of the *new* size. tx is in widths of the anchor.",
    ),
    "sides_swapped": (
        lambda *a: _decode(*a, move=lambda t, ca, sa: ca + t * sa.flip(1)),
        "You multiply tx by the anchor's height and ty by its width. x goes with the width, y with the height.",
    ),
    "from_the_anchors_corner": (
        _from_the_anchors_corner,
        "You start from the anchor's upper left corner. Deltas start from its centre.",
    ),
    "centre_as_corner": (
        lambda *a: _decode(*a, corners=lambda c, s: torch.cat([c, c + s], 1)),
        "You took the new centre for the upper left corner. Go half the size to either side.",
    ),
    "whole_size": (
        lambda *a: _decode(*a, corners=lambda c, s: torch.cat([c - s, c + s], 1)),
        "Your boxes are twice as large: from the centre it is *half* the width to an edge.",
    ),
    "still_centre_and_size": (
        lambda *a: _decode(*a, corners=lambda c, s: torch.cat([c, s], 1)),
        "You return centre and size. Two corners are wanted: x1, y1, x2, y2.",
    ),
    "minus_one": (
        lambda *a: _decode(*a, corners=lambda c, s: torch.cat([c - s / 2, c + s / 2 - 1], 1)),
        "You subtract 1, as for numbers of pixels. Coordinates here are continuous: a box is x2 − x1 wide.",
    ),
    "corners_moved": (
        lambda deltas, anchors: (
            anchors + deltas * torch.cat([anchors[:, 2:] - anchors[:, :2], anchors[:, 2:] - anchors[:, :2]], 1)
        ),
        "You move the corners one by one. The first two deltas move the centre, the last two change the size.",
    ),
}
