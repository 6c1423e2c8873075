"""Masks into boxes and back: by hand, against torchvision's functions, and how much the round trip loses."""

import pytest
import torch
from torchvision.models.detection.roi_heads import paste_masks_in_image, project_masks_on_boxes

from crashcourse.datasets import scenes
from crashcourse.detection.masks import check_masks, mask_targets, paste_masks
from crashcourse.errors import CourseError


def random_boxes(count: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    """Boxes of all sizes in and around an image, also beyond its border."""
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * torch.tensor([width, height]) * 1.2 - 8
    return torch.cat([corner, corner + 0.5 + torch.rand(count, 2, generator=generator) ** 2 * width], 1)


def test_a_target_by_hand():
    """Fails if the target is of another object, turned, or taken from the whole image."""
    masks = torch.zeros(2, 4, 6, dtype=torch.bool)
    masks[1, 1:3, 2:5] = True  # rows 1 and 2, columns 2, 3, 4
    boxes = torch.tensor([[2.0, 0.0, 6.0, 4.0]])
    target = mask_targets(masks, boxes, torch.tensor([1]), 4, aligned=True)
    assert target[0].tolist() == [[0, 0, 0, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]
    assert not mask_targets(masks, boxes, torch.tensor([0]), 4, aligned=True).any()


def test_targets_equal_torchvisions():
    """Fails if objects and boxes are paired in another way."""
    generator = torch.Generator().manual_seed(0)
    masks = torch.rand(3, 50, 60, generator=generator) < 0.5
    boxes, objects = random_boxes(20, 50, 60), torch.randint(3, (20,), generator=generator)
    expected = project_masks_on_boxes(masks, boxes, objects, 28)
    torch.testing.assert_close(mask_targets(masks, boxes, objects, 28), expected, atol=1e-5, rtol=0)


def test_pasting_in_whole_pixels_equals_torchvisions():
    """Fails if a box is cut off in another way, also one over the border or wholly outside."""
    generator = torch.Generator().manual_seed(1)
    masks, boxes = torch.rand(40, 28, 28, generator=generator), random_boxes(40, 50, 60)
    inside = (boxes[:, 2:] > 2).all(1) & (boxes[:, :2] < torch.tensor([58.0, 48.0])).all(1)
    masks, boxes = masks[inside], boxes[inside]  # torchvision cannot paste what lies wholly outside
    assert len(boxes) > 20
    expected = paste_masks_in_image(masks[:, None], boxes, (50, 60))[:, 0]
    torch.testing.assert_close(paste_masks(masks, boxes, (50, 60), whole_pixels=True), expected, atol=1e-5, rtol=0)
    outside = torch.tensor([[-40.0, -40.0, -10.0, -10.0], [100.0, 100.0, 120.0, 120.0]])
    assert not paste_masks(masks[:2], outside, (50, 60), whole_pixels=True).any()


def test_pasting_asks_the_mask_at_the_centre_of_each_pixel():
    """Fails with the half pixel on either side left out: a ramp over a box must come out as the same ramp."""
    ramp = ((torch.arange(8) + 0.5) / 8).expand(1, 8, 8)  # at each centre, how far along the box it lies
    box = torch.tensor([[3.25, 2.5, 19.75, 12.0]])
    pasted = paste_masks(ramp, box, (16, 24))[0]
    columns = torch.arange(24) + 0.5
    expected = (columns - 3.25) / 16.5
    inner = (columns > 3.25 + 16.5 / 16) & (columns < 19.75 - 16.5 / 16)  # beyond the outer centres it falls to 0
    assert inner.sum() >= 13
    for row in range(4, 11):
        torch.testing.assert_close(pasted[row, inner], expected[inner], atol=1e-5, rtol=0)
    assert not pasted[:, :2].any()
    assert not pasted[:2].any()


@pytest.mark.parametrize("whole_pixels", [False, True])
def test_nothing_to_paste(whole_pixels):
    """Fails if an image without detections is an error."""
    none = paste_masks(torch.zeros(0, 28, 28), torch.zeros(0, 4), (5, 6), whole_pixels=whole_pixels)
    assert none.shape == (0, 5, 6)


def round_trip(size: int, *, aligned: bool, whole_pixels: bool) -> float:
    """The mean IoU of true masks with themselves after RoIAlign to `size` and back, over 60 scenes."""
    found = []
    for scene in scenes(60, seed=5, size=112):
        target = mask_targets(scene.masks, scene.boxes, torch.arange(len(scene)), size, aligned=aligned)
        back = paste_masks(target, scene.boxes, (112, 112), whole_pixels=whole_pixels) > 0.5
        shared, either = (back & scene.masks).flatten(1).sum(1), (back | scene.masks).flatten(1).sum(1)
        found.append(shared / either)
    return torch.cat(found).mean().item()


def test_the_round_trip_loses_little_and_each_half_pixel_costs():
    """Fails if both ways do not undo each other: half a pixel in one of them costs a tenth of a small object's IoU."""
    exact = round_trip(28, aligned=True, whole_pixels=False)
    assert exact > 0.97
    assert exact - round_trip(28, aligned=False, whole_pixels=False) > 0.02
    assert exact - round_trip(28, aligned=True, whole_pixels=True) > 0.02


def test_masks_on_the_border_of_the_image():
    """Fails if an object that the border cuts off is not drawn up to it."""
    masks = torch.zeros(1, 10, 10, dtype=torch.bool)
    masks[0, 6:, 7:] = True
    box = torch.tensor([[7.0, 6.0, 10.0, 10.0]])
    target = mask_targets(masks, box, torch.zeros(1, dtype=torch.int64), 12, aligned=True)
    assert torch.equal(paste_masks(target, box, (10, 10)) > 0.5, masks)


@pytest.mark.parametrize(
    ("masks", "boxes", "sentence"),
    [
        (torch.zeros(2, 28, 14), torch.zeros(2, 4), "shape \\(D, S, S\\)"),
        (torch.zeros(2, 28, 28, dtype=torch.bool), torch.zeros(2, 4), "float"),
        (torch.zeros(2, 28, 28), torch.zeros(3, 4), "as many boxes"),
        (torch.zeros(2, 28, 28), torch.zeros(2, 5), "four numbers each"),
    ],
)
def test_what_cannot_be_pasted_is_refused(masks, boxes, sentence):
    with pytest.raises(CourseError, match=sentence):
        paste_masks(masks, boxes, (5, 5))


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ({"boxes": torch.zeros(1, 4)}, 'needs "masks"'),
        ({"boxes": torch.zeros(1, 4), "masks": torch.ones(2, 8, 8)}, "as many as boxes"),
        ({"boxes": torch.zeros(1, 4), "masks": torch.ones(1, 4, 8)}, "as large as the image"),
        ({"boxes": torch.zeros(2, 4), "masks": torch.stack([torch.ones(8, 8), torch.zeros(8, 8)])}, "object 1"),
    ],
)
def test_masks_that_cannot_be_learned_are_refused(target, sentence):
    with pytest.raises(CourseError, match=sentence):
        check_masks(torch.zeros(3, 8, 8), target)
