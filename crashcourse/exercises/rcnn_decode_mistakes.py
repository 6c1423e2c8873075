"""Lesson 23: what people get wrong in applying box deltas, each as code that behaves so, with its hint."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Two = Callable[[Tensor, Tensor], Tensor]


def _parts(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Centres and sizes, `(N, 2)` each."""
    return (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]


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


def _all_from_the_corner(deltas: Tensor, anchors: Tensor) -> Tensor:
    corner, size = anchors[:, :2], anchors[:, 2:] - anchors[:, :2]
    corner = corner + deltas[:, :2] * size
    return torch.cat([corner, corner + size * deltas[:, 2:].exp()], 1)


def _as_centre_and_size(deltas: Tensor, anchors: Tensor) -> Tensor:
    centre, size = anchors[:, :2], anchors[:, 2:]
    return _decode(deltas, torch.cat([centre - size / 2, centre + size / 2], 1))


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
    "all_from_the_corner": (
        _all_from_the_corner,
        "You move the upper left corner and grow from there. tx and ty move the centre, and the box grows around it.",
    ),
    "size_kept": (
        lambda *a: _decode(*a, grow=lambda t, sa: sa),
        "Your boxes keep their anchors' sizes. tw and th change them: wa · exp(tw).",
    ),
    "centre_kept": (
        lambda *a: _decode(*a, move=lambda t, ca, sa: ca),
        "Your boxes stay where their anchors are. tx and ty move the centre.",
    ),
    "move_divided": (
        lambda *a: _decode(*a, move=lambda t, ca, sa: ca + t / sa),
        "You divide tx by the anchor's width. That was the way there; the way back multiplies.",
    ),
    "exponential_of_all": (
        lambda *a: _decode(*a, grow=lambda t, sa: (sa * t).exp()),
        "You take exp(wa · tw). Only tw is a logarithm: wa · exp(tw).",
    ),
    "sum_of_corners": (
        lambda *a: _decode(*a, move=lambda t, ca, sa: 2 * ca + t * sa),
        "The anchor's centre is *half* the sum of its corners; yours lies twice as far out.",
    ),
    "read_as_centre_and_size": (
        _as_centre_and_size,
        "You read anchors as centre and size. They are x1, y1, x2, y2: compute centre and size first.",
    ),
    "sizes_first": (
        lambda deltas, anchors: _decode(deltas[:, [2, 3, 0, 1]], anchors),
        "You read the deltas as tw, th, tx, ty. Their order is tx, ty, tw, th.",
    ),
    "x_first": (
        lambda *a: _decode(*a)[:, [0, 2, 1, 3]],
        "The numbers are right, their order is not: x1, y1, x2, y2.",
    ),
    "not_below_zero": (
        lambda *a: _decode(*a).clamp(min=0),
        "You clip boxes at 0. That is a step of its own, later: a box may reach beyond the image here.",
    ),
    "whole_pixels": (
        lambda *a: _decode(*a).round(),
        "You round to whole pixels. Coordinates are continuous: leave them as they are.",
    ),
}
