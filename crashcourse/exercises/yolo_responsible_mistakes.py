"""Lesson 21, YOLO: what people get wrong in who is responsible, each as code that behaves so, with its hint."""

import torch
import torch.nn.functional as F
from torch import Tensor


def _one_hot(iou: Tensor, dim: int = -1) -> Tensor:
    return torch.zeros_like(iou).scatter(dim, iou.argmax(dim, keepdim=True), 1.0).bool()


def _last_of_equals(iou: Tensor, has_object: Tensor) -> Tensor:
    return _one_hot(iou.flip(-1)).flip(-1) & has_object[..., None]


def _best_of_all(iou: Tensor, has_object: Tensor) -> Tensor:
    return _one_hot(iou.flatten(), 0).view_as(iou) & has_object[..., None]


def _best_of_the_image(iou: Tensor, has_object: Tensor) -> Tensor:
    return _one_hot(iou.flatten(), 0).view_as(iou)


def _first_wins(iou: Tensor, has_object: Tensor) -> Tensor:
    first = iou[..., 0] >= iou[..., 1]
    return torch.stack([first, ~first], -1) & has_object[..., None]


def _second_of_equals(iou: Tensor, has_object: Tensor) -> Tensor:
    first = iou[..., 0] > iou[..., 1]
    return torch.stack([first, ~first], -1) & has_object[..., None]


RESPONSIBLE_MISTAKES = {
    "every_cell": (
        lambda iou, has_object: _one_hot(iou),
        "One box of *every* cell is responsible in yours. Where there is no object there is nothing to learn a box "
        "from.",
    ),
    "every_box": (
        lambda iou, has_object: has_object[..., None].expand_as(iou),
        "All boxes of a cell learn its object in yours. One of them does: only so do boxes come to differ.",
    ),
    "all_that_meet": (
        lambda iou, has_object: (iou > 0) & has_object[..., None],
        "Every box that meets the object is responsible in yours. Only the best one of a cell is.",
    ),
    "above_a_half": (
        lambda iou, has_object: (iou > 0.5) & has_object[..., None],
        "You ask for an IoU above 0.5. The best box is responsible however bad it is: at first all are bad.",
    ),
    "best_above_a_half": (
        lambda iou, has_object: _one_hot(iou) & (iou > 0.5) & has_object[..., None],
        "The best box, but only where its IoU is above 0.5: at first none is, and nothing would ever be learned.",
    ),
    "best_that_meets": (
        lambda iou, has_object: _one_hot(iou) & (iou > 0) & has_object[..., None],
        "Where no box meets the object, nobody is responsible in yours. Then the first box is.",
    ),
    "both_of_equals": (
        lambda iou, has_object: (iou == iou.amax(-1, keepdim=True)) & has_object[..., None],
        "Equal boxes are both responsible in yours. Exactly one is: argmax takes the first.",
    ),
    "last_of_equals": (
        _last_of_equals,
        "Of equal boxes you take the last. The first is meant.",
    ),
    "worst": (
        lambda iou, has_object: _one_hot(-iou) & has_object[..., None],
        "You chose the box that overlaps least.",
    ),
    "first": (
        lambda iou, has_object: _one_hot(torch.zeros_like(iou)) & has_object[..., None],
        "You always take the first box. The one with the largest IoU is responsible.",
    ),
    "best_of_the_image": (
        _best_of_all,
        "One box of the whole image is responsible in yours. Each cell with an object has its own.",
    ),
    "across_rows": (
        lambda iou, has_object: _one_hot(iou, 0) & has_object[..., None],
        "You compare along the rows of the grid. The boxes of a cell are the last dimension.",
    ),
    "number_of_the_box": (
        lambda iou, has_object: iou.argmax(-1),
        "That is the number of the best box. Make it a mask, (S, S, B) bool: F.one_hot(...).bool().",
    ),
    "not_bool": (
        lambda iou, has_object: F.one_hot(iou.argmax(-1), iou.shape[-1]) * has_object[..., None],
        "The values are right, as integers. A mask is bool, so that values[mine] picks boxes.",
    ),
    "floats": (
        lambda iou, has_object: F.one_hot(iou.argmax(-1), iou.shape[-1]).float() * has_object[..., None],
        "The values are right, as floats. A mask is bool, so that values[mine] picks boxes: .bool(), and & in place of "
        "the product.",
    ),
    "all_equals_everywhere": (
        lambda iou, has_object: iou == iou.amax(-1, keepdim=True),
        "Two things. In cells without an object every IoU is 0, and so every box equals the largest: & "
        "has_object[..., None]. And of equal boxes only the first counts: argmax.",
    ),
    "classes_not_counted": (
        lambda iou, has_object: F.one_hot(iou.argmax(-1)).bool() & has_object[..., None],
        "F.one_hot without a number makes only as many columns as the largest index needs. Where the first box is the "
        "best everywhere, that is one. Say how many: iou.shape[-1].",
    ),
    "mask_not_aligned": (
        lambda iou, has_object: F.one_hot(iou.argmax(-1), iou.shape[-1]).bool() & has_object,
        "has_object is (S, S), your mask (S, S, B): aligned from the right, its columns meet the *boxes*. Give it a "
        "dimension at the end: has_object[..., None].",
    ),
    "one_hot_across_rows": (
        lambda iou, has_object: F.one_hot(iou.argmax(0), iou.shape[-1]).bool() & has_object[..., None],
        "argmax(0) looks for the best row of the grid. The boxes of a cell are the last dimension: argmax(-1).",
    ),
    "two_boxes": (
        _first_wins,
        "You compare box 0 with box 1. A cell may have more than two boxes: argmax(-1) compares all.",
    ),
    "two_boxes_second_of_equals": (
        _second_of_equals,
        "You compare box 0 with box 1, and of equal boxes the second wins. The first is meant, and a cell may have "
        "more than two boxes: argmax(-1) does both.",
    ),
    "one_box_at_all": (
        _best_of_the_image,
        "You mark one box in the whole image, even where there is no object. Each cell with an object has its own.",
    ),
    "inverted": (
        lambda iou, has_object: ~_one_hot(iou) & has_object[..., None],
        "Your mask is the opposite: True for the boxes that do *not* learn the object.",
    ),
}
