"""A corner of a real photograph, so that tests see edges and texture and not noise."""

from functools import cache

from torch import Tensor

from crashcourse.datasets.photographs import photos


@cache
def photo(name: str = "astronaut", side: int = 96, top: int = 0, left: int = 180) -> Tensor:
    """(1, 3, side, side) float in [0, 1]."""
    image = next(photo.image for photo in photos("test") if photo.name == name)
    return image[None, :, top : top + side, left : left + side].float() / 255
