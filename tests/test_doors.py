"""The shared checks: what passes, what does not, and the sentence for it."""

import math

import pytest
import torch

from crashcourse.doors import check_count, check_images, check_number
from crashcourse.errors import CourseError

IMAGES = torch.rand(2, 3, 8, 9)


@pytest.mark.parametrize(
    ("images", "options", "sentence"),
    [
        ([1.0], {}, r"(N, C, H, W); got list. Turn it into a tensor"),
        (IMAGES[0], {}, "got (3, 8, 9). Add the batch dimension with images[None]."),
        (IMAGES[0, 0], {}, "got (8, 9)."),
        (IMAGES.permute(0, 2, 3, 1), {"channels": 3}, "with 8 channels. Channels come second: images.permute"),
        (IMAGES, {"channels": 1}, "with 3 channels. Make them grey"),
        (IMAGES[:, :1], {"channels": 3}, "with 1 channels. Of one grey channel, images.expand(-1, 3, -1, -1)"),
        (IMAGES[:, :2], {"channels": 3}, "with 2 channels."),
        (IMAGES, {"least": 9}, "with H and W at least 9; got (2, 3, 8, 9). Resize or pad"),
        (IMAGES[..., :0], {}, "with H and W at least 1; got (2, 3, 8, 0)."),
        ((255 * IMAGES).byte(), {}, "got torch.uint8. Scale first: images.float() / 255."),
        (
            IMAGES.double(),
            {"dtype": torch.float32},
            "in torch.float32, as its weights are; got torch.float64. Use images.f",
        ),
        (
            IMAGES,
            {"dtype": torch.float16},
            "in torch.float16, as its weights are; got torch.float32. Use images.half().",
        ),
        (IMAGES.half(), {"dtype": torch.bfloat16}, "got torch.float16. Use images.bfloat16()."),
        (IMAGES, {"dtype": torch.float64}, "got torch.float32. Use images.double()."),
    ],
)
def test_images_that_do_not_pass(images, options, sentence):
    """Fails if something else than a batch of images reaches a network, or its sentence does not say what to do."""
    with pytest.raises(CourseError) as caught:
        check_images(images, "UNet", **options)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("UNet takes float images")


def test_images_that_pass():
    """Fails if a door is shut to an empty batch, to half or double precision, or to any layout."""
    for images in (
        *(IMAGES, IMAGES[:0], IMAGES.half(), IMAGES.bfloat16(), IMAGES.double(), IMAGES.requires_grad_()),
        *(IMAGES.to(memory_format=torch.channels_last), IMAGES[..., ::2], torch.full_like(IMAGES, math.nan)),
    ):
        check_images(images, "UNet", channels=3, least=5)
    check_images(IMAGES.double(), "UNet", dtype=torch.float64)


def test_autocast_takes_care_of_precision():
    """Fails if mixed precision is refused, or double precision, which autocast leaves alone, passes."""
    with torch.autocast("cpu", torch.bfloat16):
        check_images(IMAGES.bfloat16(), "UNet", dtype=torch.float32)
        check_images(IMAGES, "UNet", dtype=torch.bfloat16)
        with pytest.raises(CourseError, match=r"images\.float\(\)"):
            check_images(IMAGES.double(), "UNet", dtype=torch.float32)


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "1", None])
def test_counts_that_do_not_pass(value):
    """Fails if a float or a bool counts as a count."""
    with pytest.raises(CourseError, match=rf"width must be an integer of at least 1; got {value!r}\."):
        check_count(value, "width")
    check_count(0, "width", least=0)


@pytest.mark.parametrize(
    ("value", "options", "sentence"),
    [
        (-1, {}, "of at least 0; got -1."),
        (math.nan, {}, "of at least 0; got nan."),
        (math.inf, {}, "of at least 0; got inf."),
        ("1", {}, "of at least 0; got '1'."),
        (True, {}, "of at least 0; got True."),
        (2, {"high": 1}, "from 0 to 1; got 2."),
        (0.5, {"low": 1}, "of at least 1; got 0.5."),
        (0, {"above": 0}, "above 0; got 0."),
    ],
)
def test_numbers_that_do_not_pass(value, options, sentence):
    """Fails if a number out of its limits passes, or the sentence names other limits."""
    with pytest.raises(CourseError) as caught:
        check_number(value, "sigma", **options)
    assert str(caught.value) == f"sigma must be a number {sentence}"


def test_numbers_at_their_limits_pass():
    """Fails if a limit does not belong to what it limits."""
    check_number(0, "sigma")
    check_number(1, "sigma", high=1)
    check_number(-5.0, "angle", low=-math.inf)
    check_number(1e-9, "sigma", above=0)
