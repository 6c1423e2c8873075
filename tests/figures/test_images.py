"""Grids: the right picture in the right place, in the right range, in the right order."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from crashcourse.errors import CourseError
from crashcourse.figures import (
    draw_before_after,
    draw_feature_maps,
    draw_filters,
    draw_image_grid,
    draw_worst_errors,
    png_bytes,
)


def drawn(drawing) -> list[np.ndarray]:
    """The arrays in the figure, in the order of the grid."""
    return [np.asarray(axes.images[0].get_array()) for axes in drawing.figure.axes]


def titles(drawing) -> list[str]:
    return [axes.get_title() for axes in drawing.figure.axes]


def flat(*colours: tuple[int, int, int]) -> torch.Tensor:
    """One flat 8×8 image a colour: (N, 3, 8, 8) uint8."""
    return torch.tensor(colours, dtype=torch.uint8)[:, :, None, None].expand(-1, -1, 8, 8)


def test_colours_arrive_in_the_picture_row_by_row():
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    with Image.open(io.BytesIO(png_bytes(draw_image_grid(flat(*colours), columns=2).figure))) as png:
        picture, (width, height) = png.convert("RGB"), png.size
        places = [(width // 4, height // 4), (3 * width // 4, height // 4), (width // 4, 3 * height // 4)]
        assert [picture.getpixel(place) for place in places] == colours
        assert picture.getpixel((3 * width // 4, 3 * height // 4)) == (255, 255, 255)


def test_uint8_float_and_list_are_drawn_alike():
    images = torch.randint(0, 256, (3, 3, 6, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    expected = drawn(draw_image_grid(images))
    for same in (images.float() / 255, list(images)):
        for got, want in zip(drawn(draw_image_grid(same)), expected, strict=True):
            np.testing.assert_allclose(got, want, atol=1e-6)
    assert expected[0].shape == (6, 5, 3)
    np.testing.assert_allclose(expected[1], images[1].permute(1, 2, 0) / 255)


def test_grey_images_keep_black_black_and_white_white():
    half = torch.full((1, 1, 4, 4), 0.5)
    (axes,) = draw_image_grid(half).figure.axes
    assert axes.images[0].get_clim() == (0, 1)
    assert axes.images[0].get_cmap().name == "gray"


def test_a_mask_of_booleans_is_drawn():
    assert drawn(draw_image_grid(torch.eye(3, dtype=torch.bool)[None]))[0].max() == 1


def test_images_of_different_sizes_stand_in_one_grid():
    assert [a.shape for a in drawn(draw_image_grid([torch.zeros(3, 20, 10), torch.zeros(1, 5, 9)]))] == [
        (20, 10, 3),
        (5, 9),
    ]


def test_drawing_does_not_touch_the_images_or_need_their_graph():
    images = torch.rand(2, 1, 4, 4, requires_grad=True)
    before = images.detach().clone()
    draw_image_grid(images, normalize=True)
    assert torch.equal(images.detach(), before)


def test_normalize_stretches_each_image_by_itself():
    images = torch.stack([torch.tensor([[-3.0, 1.0]]), torch.tensor([[10.0, 30.0]])])
    for array in drawn(draw_image_grid(images, normalize=True)):
        assert array.tolist() == [[0.0, 1.0]]


def test_the_alt_text_says_how_many_and_quotes_titles_once():
    alt = draw_image_grid(torch.zeros(3, 8, 8), ["bag", "coat", "bag"]).alt
    assert alt == "3 grey images in a grid 3 wide, titled bag, coat."


def test_measured_titles_stay_out_of_the_alt_text_that_tests_compare():
    assert "0.9" not in draw_image_grid(torch.zeros(1, 8, 8), ["bag ≈ 0.9"]).alt


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (torch.zeros(8, 8), r"shape \(N, 1 or 3, H, W\).*got \(8, 8\).*image\[None\]"),
        (torch.zeros(2, 4, 8, 8), r"must be \(1 or 3, H, W\).*got \(4, 8, 8\)"),
        (torch.zeros(0, 1, 8, 8), "empty"),
        ([], "empty"),
        (torch.zeros(1, 1, 0, 8), "at least one pixel"),
        (torch.full((1, 1, 2, 2), 255.0), r"from 255 to 255.*normalize=True"),
        (torch.full((1, 1, 2, 2), -0.5), "from -0.5"),
        (torch.full((1, 1, 2, 2), float("nan")), "from nan"),
        (torch.zeros(1, 1, 900, 9), "do not fit in one figure"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_what_came(images, sentence):
    with pytest.raises(CourseError, match=sentence):
        draw_image_grid(images)


def test_wrong_titles_and_columns_are_refused():
    with pytest.raises(CourseError, match="as many titles; got 2"):
        draw_image_grid(torch.zeros(3, 8, 8), ["a", "b"])
    with pytest.raises(CourseError, match="columns=0"):
        draw_image_grid(torch.zeros(3, 8, 8), columns=0)


def test_nan_is_refused_before_it_is_stretched():
    with pytest.raises(CourseError, match="NaN"):
        draw_feature_maps(torch.full((1, 2, 2), float("nan")))


def test_zero_weights_are_mid_grey_whatever_the_other_weights_are():
    weights = torch.zeros(1, 3, 2, 2)
    weights[0, 0, 0, 0] = 4.0
    (array,) = drawn(draw_filters(weights))
    assert array[1, 1].tolist() == [0.5, 0.5, 0.5]
    assert array[0, 0].tolist() == [1.0, 0.5, 0.5]


def test_filters_come_from_a_layer_and_say_which_channel_is_drawn():
    drawing = draw_filters(torch.nn.Conv2d(8, 70, 3), count=64)
    assert drawing.alt.startswith("The first 64 of 70 filters of 3×3 weights, drawn by the first of their 8 channels")
    assert len(drawing.figure.axes) == 64


def test_a_dead_feature_map_is_dark_and_others_fill_the_range():
    maps = torch.stack([torch.zeros(2, 2), torch.tensor([[1.0, 3.0], [1.0, 1.0]])])
    dead, alive = drawn(draw_feature_maps(maps[None]))
    assert dead.max() == 0
    assert (alive.min(), alive.max()) == (0, 1)


@pytest.mark.parametrize("draw", [draw_filters, draw_feature_maps])
def test_tensors_of_another_shape_are_refused(draw):
    with pytest.raises(CourseError, match=r"\(2, 3\)"):
        draw(torch.zeros(2, 3))


def test_pairs_stand_one_above_the_other():
    before, after = flat((255, 0, 0), (0, 255, 0)), flat((0, 0, 255), (255, 255, 0))
    drawing = draw_before_after(before, after, labels=("noisy", "clean"))
    assert [array[0, 0].tolist() for array in drawn(drawing)] == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]]
    assert titles(drawing) == ["noisy", "", "clean", ""]
    assert drawing.alt == "2 pairs of images: above noisy, below clean."
    with pytest.raises(CourseError, match="got 2 and 1"):
        draw_before_after(before, after[:1])
    with pytest.raises(CourseError, match="At most 8"):
        draw_before_after(torch.zeros(9, 4, 4), torch.zeros(9, 4, 4))


CLASSES = ("bag", "coat")


def test_worst_errors_are_only_errors_sorted_by_loss():
    images = torch.arange(4).float().view(4, 1, 1, 1).expand(4, 1, 2, 2) / 4
    labels = torch.tensor([0, 0, 1, 1])
    logits = torch.tensor([[0.0, 1.0], [9.0, 0.0], [5.0, 0.0], [2.0, 0.0]])  # wrong, right, very wrong, wrong
    drawing = draw_worst_errors(images, labels, logits, CLASSES)
    assert [array[0, 0] for array in drawn(drawing)] == [0.5, 0.75, 0.0]
    assert titles(drawing)[0] == "coat,\nsaw bag\nloss 5.0"
    assert len(drawn(draw_worst_errors(images, labels, logits, CLASSES, count=2))) == 2


def test_the_alt_text_of_errors_does_not_depend_on_what_the_network_learned():
    images, labels = torch.zeros(3, 1, 4, 4), torch.tensor([0, 1, 0])
    wrong, right = torch.tensor([[0.0, 9.0]] * 3), torch.tensor([[9.0, 0.0], [0.0, 9.0], [9.0, 0.0]])
    drawings = [draw_worst_errors(images, labels, logits, CLASSES) for logits in (wrong, right)]
    assert drawings[0].alt == drawings[1].alt
    assert "wrong on none" in drawings[1].figure.axes[0].texts[0].get_text()


@pytest.mark.parametrize(
    ("labels", "logits", "sentence"),
    [
        (torch.tensor([0]), torch.zeros(2, 2), r"labels \(1,\)"),
        (torch.tensor([0, 1]), torch.zeros(2), r"logits \(2,\)"),
        (torch.tensor([0, 1]), torch.zeros(2, 3), "3 logits an image but 2 class names"),
        (torch.tensor([0, 2]), torch.zeros(2, 2), r"0\.\.1; got 0\.\.2"),
    ],
)
def test_answers_that_do_not_fit_the_images_are_refused(labels, logits, sentence):
    with pytest.raises(CourseError, match=sentence):
        draw_worst_errors(torch.zeros(2, 1, 4, 4), labels, logits, CLASSES)
