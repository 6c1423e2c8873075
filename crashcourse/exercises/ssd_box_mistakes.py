"""Lesson 22, SSD: what people get wrong in default boxes, each as code that behaves so, with its hint."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Shape = tuple[float, float]
Answer = Callable[[int, float, float, float, Sequence[float]], Tensor]


def _pairs(size: float, ratios: Sequence[float]) -> list[Shape]:
    found = []
    for ratio in ratios:
        long, short = size * ratio**0.5, size / ratio**0.5
        found += [(long, short), (short, long)]
    return found


def _shapes(size: float, after: float, ratios: Sequence[float]) -> list[Shape]:
    middle = (size * after) ** 0.5
    return [(size, size), (middle, middle), *_pairs(size, ratios)]


def _boxes(
    *,
    shapes: Callable[[float, float, Sequence[float]], list[Shape]] = _shapes,
    along: Callable[[int, float, int], float] = lambda k, step, side: (k + 0.5) * step,
    columns_first: bool = False,
    row: Callable[[float, float, float, float], tuple] = lambda x, y, w, h: (x, y, w, h),
) -> Answer:
    """`default_boxes` with one thing wrong: what the keyword arguments say."""

    def answer(side: int, step: float, size: float, next_size: float, ratios: Sequence[float]) -> Tensor:
        boxes = []
        for outer in range(side):
            for inner in range(side):
                column, line = (outer, inner) if columns_first else (inner, outer)
                x, y = along(column, step, side), along(line, step, side)
                boxes += [row(x, y, w, h) for w, h in shapes(size, next_size, ratios)]
        return torch.tensor(boxes)

    return answer


def _shape_by_shape(side: int, step: float, size: float, next_size: float, ratios: Sequence[float]) -> Tensor:
    right = _boxes()(side, step, size, next_size, ratios)
    return right.view(side * side, -1, 4).transpose(0, 1).reshape(-1, 4)


def _parts_of_the_image(side: int, step: float, size: float, next_size: float, ratios: Sequence[float]) -> Tensor:
    return _boxes()(side, step, size, next_size, ratios) / (side * step)


def _cut(side: int, step: float, size: float, next_size: float, ratios: Sequence[float]) -> Tensor:
    x, y, width, height = _boxes()(side, step, size, next_size, ratios).unbind(1)
    left, top, right, bottom = (
        corner.clamp(0, side * step) for corner in (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    )
    return torch.stack([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top], 1)


def _side_by_side(side: int, step: float, size: float, next_size: float, ratios: Sequence[float]) -> Tensor:
    right = _boxes()(side, step, size, next_size, ratios).view(side * side, -1, 4)
    count = right.shape[1]
    return torch.cat([right[:, 0, :2].repeat(count, 1), right[0, :, 2:].repeat(side * side, 1)], 1)


def _flipped(size: float, after: float, ratios: Sequence[float]) -> list[Shape]:
    return [(height, width) for width, height in _shapes(size, after, ratios)]


def _with_pairs(pairs: Callable[[float, float], list[Shape]]) -> Answer:
    """`default_boxes` whose boxes for one ratio are what `pairs` says of s and r."""

    def shapes(size: float, after: float, ratios: Sequence[float]) -> list[Shape]:
        return [*_shapes(size, after, ()), *(shape for ratio in ratios for shape in pairs(size, ratio))]

    return _boxes(shapes=shapes)


def _second_square(side_of: Callable[[float, float], float]) -> Answer:
    """`default_boxes` whose second square has the side that `side_of` says of s and the next s."""

    def shapes(size: float, after: float, ratios: Sequence[float]) -> list[Shape]:
        return [(size, size), (side_of(size, after),) * 2, *_pairs(size, ratios)]

    return _boxes(shapes=shapes)


BOX_MISTAKES = {
    "no_half_step": (
        _boxes(along=lambda k, step, side: k * step),
        "Your first place lies in the corner of the image. It lies in the middle of its cell: (k + 0.5) · step.",
    ),
    "one_based": (
        _boxes(along=lambda k, step, side: (k + 1.5) * step),
        "Your places begin one step too late: k runs from 0.",
    ),
    "places_not_pixels": (
        _boxes(along=lambda k, step, side: k + 0.5),
        "Your centres are counted in places. In pixels they are `step` times as far.",
    ),
    "parts_of_the_image": (
        _boxes(along=lambda k, step, side: (k + 0.5) / side),
        "Your centres are parts of the image, 0 to 1. Here everything is in pixels.",
    ),
    "all_parts_of_the_image": (
        _parts_of_the_image,
        "You divide by the side of the image. All four numbers are in pixels here.",
    ),
    "half_a_pixel": (
        _boxes(along=lambda k, step, side: k * step + 0.5),
        "Your first place lies half a *pixel* from the border. It is half a step: (k + 0.5) · step.",
    ),
    "border_to_border": (
        _boxes(along=lambda k, step, side: k * step * side / max(side - 1, 1)),
        "Your places reach from one border to the other. They lie `step` apart, the first half a step inside.",
    ),
    "one_gap_more": (
        _boxes(along=lambda k, step, side: (k + 1) * step * side / (side + 1)),
        "Your places are as far from the border as from each other. To the border it is only half a step.",
    ),
    "column_by_column": (
        _boxes(columns_first=True),
        "Your places run down the first column. They come row by row: the row is the outer loop, and x, the first "
        "number, changes fastest.",
    ),
    "y_before_x": (
        _boxes(row=lambda x, y, w, h: (y, x, h, w)),
        "x comes before y, and width before height.",
    ),
    "corners": (
        _boxes(row=lambda x, y, w, h: (x - w / 2, y - h / 2, x + w / 2, y + h / 2)),
        "Those are two corners. Return the centre and the size here.",
    ),
    "upper_left": (
        _boxes(row=lambda x, y, w, h: (x - w / 2, y - h / 2, w, h)),
        "Your x and y are the upper left corner. They are the centre here, the same for all boxes of a place.",
    ),
    "cut_at_the_border": (
        _cut,
        "You cut boxes at the border. Nothing is cut here: boxes of a place near the border reach beyond it.",
    ),
    "half_sizes": (
        _boxes(row=lambda x, y, w, h: (x, y, w / 2, h / 2)),
        "Your boxes have half the width and height.",
    ),
    "shape_by_shape": (
        _shape_by_shape,
        "All places of the first shape come first in your list. The network's outputs come place by place: all shapes "
        "of a place stand together.",
    ),
    "side_by_side": (
        _side_by_side,
        "Places and shapes run side by side in your list, so that not every place meets every shape. Loop over shapes "
        "inside the loop over places, or repeat_interleave the places.",
    ),
    "one_square": (
        _boxes(shapes=lambda size, after, ratios: [(size, size), *_pairs(size, ratios)]),
        "There is a second square at each place, of side √(s · next s).",
    ),
    "mean_of_sizes": (
        _second_square(lambda size, after: (size + after) / 2),
        "The second square's side is the *geometric* mean of both sizes: √(s · next s).",
    ),
    "next_square": (
        _second_square(lambda size, after: after),
        "Your second square has the next map's size. Its side lies between: √(s · next s).",
    ),
    "no_root_over_both": (
        _second_square(lambda size, after: size * after),
        "s · next s is an area. The side is its root.",
    ),
    "ratio_without_root": (
        _with_pairs(lambda size, ratio: [(size * ratio, size / ratio), (size / ratio, size * ratio)]),
        "Width over height is r² in your boxes. For a ratio of r, multiply one side by √r and divide the other by it.",
    ),
    "area_grows": (
        _with_pairs(lambda size, ratio: [(size * ratio, size), (size, size * ratio)]),
        "The ratio is right, the area is not: it must stay s². So s√r wide and s/√r high.",
    ),
    "only_wide": (
        _with_pairs(lambda size, ratio: [(size * ratio**0.5, size / ratio**0.5)]),
        "Each ratio gives two boxes: the wide one, and the same upright.",
    ),
    "upright_first": (
        _boxes(shapes=_flipped),
        "The wide box comes before the upright one. The third number is the width, the fourth the height.",
    ),
    "wide_ones_first": (
        _boxes(
            shapes=lambda s, after, ratios: [*_shapes(s, after, ()), *_pairs(s, ratios)[::2], *_pairs(s, ratios)[1::2]]
        ),
        "The two boxes of a ratio stand together: wide, upright, then the next ratio.",
    ),
    "ratios_of_the_second_square": (
        _boxes(shapes=lambda s, after, ratios: [*_shapes(s, after, ()), *_pairs((s * after) ** 0.5, ratios)]),
        "Boxes with a ratio have the area s², not s · next s: only the second square is larger.",
    ),
    "ratios_first": (
        _boxes(shapes=lambda s, after, ratios: [*_pairs(s, ratios), *_shapes(s, after, ())]),
        "The two squares come first, then the ratios.",
    ),
    "second_square_last": (
        _boxes(shapes=lambda s, after, ratios: [(s, s), *_pairs(s, ratios), *_shapes(s, after, ())[1:]]),
        "Your second square comes after the ratios. It is the second shape of a place.",
    ),
    "only_the_second_square": (
        _boxes(shapes=lambda s, after, ratios: _shapes(s, after, ratios)[1:]),
        "The square of side s is missing: the ratio 1, which `ratios` leaves out.",
    ),
    "one_ratio": (
        _boxes(shapes=lambda s, after, ratios: _shapes(s, after, ratios[:1])),
        "You use the first ratio only. Each of them adds two boxes.",
    ),
    "next_size_for_ratios": (
        _boxes(shapes=lambda s, after, ratios: [*_shapes(s, after, ()), *_pairs(after, ratios)]),
        "Your boxes with a ratio have the next map's area. They belong to this map: s².",
    ),
}
