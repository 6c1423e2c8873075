"""The exercises of lesson 40 teach what the package does."""

import torch

from crashcourse import style
from crashcourse.exercises.style import content_loss, gram, style_layer_loss, total_variation
from crashcourse.exercises.style_questions import QUESTIONS, SEES
from crashcourse.style import random_encoder


def test_the_functions_are_the_packages() -> None:
    """Else learners write other losses than those that make the lesson's pictures."""
    torch.manual_seed(0)
    maps, target = torch.randn(1, 6, 3, 5), torch.randn(1, 6, 3, 5)
    torch.testing.assert_close(gram(maps), style.gram(maps))
    torch.testing.assert_close(content_loss(maps, target), style.content_loss(maps, target))
    layer = style_layer_loss(maps, gram(target))
    torch.testing.assert_close(layer, style.style_layer_loss(maps, style.gram(target)))
    torch.testing.assert_close(total_variation(maps), style.total_variation(maps))


def test_what_a_place_of_conv2_1_sees() -> None:
    """The table's right answer is wrong: the gradient of a place in the middle reaches other pixels."""
    image = torch.rand(1, 3, 32, 32, requires_grad=True)
    random_encoder()(image, ["conv2_1"])["conv2_1"][0, :, 8, 8].sum().backward()
    seen = image.grad.abs().sum((0, 1)).nonzero()
    assert (seen.max(0).values - seen.min(0).values + 1).tolist() == [QUESTIONS[0].value[SEES]] * 2
