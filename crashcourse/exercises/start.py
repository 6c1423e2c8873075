"""The exercises of lesson 00: wrong, almost right, right."""

from collections.abc import Sequence

import torch
from torch import Tensor

from crashcourse.exercises.case import Case
from crashcourse.exercises.kinds import FunctionExercise
from crashcourse.exercises.questions import AnswerExercise, ChoiceExercise


def to_float(images: Tensor) -> Tensor:
    """Turn pixels into numbers that a network likes.

    Args:
        images: (N, 1, H, W) uint8, from 0 (black) to 255 (white).

    Returns:
        (N, 1, H, W) float32, from 0 (black) to 1 (white).
    """
    return images.float() / 255


def _to_float_cases(seed: int) -> list[Case]:
    generator = torch.Generator().manual_seed(seed)
    shape = (2, 1, 3, 3)
    dim = torch.randint(20, 100, shape, generator=generator, dtype=torch.uint8)
    bright = torch.randint(0, 256, (1, 1, 6, 6), generator=generator, dtype=torch.uint8)
    bright[0, 0, 0, :2] = torch.tensor([0, 255], dtype=torch.uint8)
    return [
        Case([torch.tensor([[[[0, 51], [102, 255]]]], dtype=torch.uint8)], label="four pixels"),
        Case([dim], label="dim pictures: none of their pixels is black or white"),
        Case([bright], label="black and white in one picture", picture="image"),
    ]


def _whole_numbers(images: Tensor) -> Tensor:
    return images // 255


def _rounded_down(images: Tensor) -> Tensor:
    return (images // 255).float()


def _not_divided(images: Tensor) -> Tensor:
    return images.float()


def _by_256(images: Tensor) -> Tensor:
    return images.float() / 256


def _by_the_brightest(images: Tensor) -> Tensor:
    return images.float() / images.max()


def _stretched(images: Tensor) -> Tensor:
    images = images.float()
    return (images - images.min()) / (images.max() - images.min())


def _centred(images: Tensor) -> Tensor:
    return images.float() / 127.5 - 1


def _double(images: Tensor) -> Tensor:
    return images.double() / 255


def _inverted(images: Tensor) -> Tensor:
    return 1 - images.float() / 255


def _flat(images: Tensor) -> Tensor:
    return images.flatten(1).float() / 255


def _in_place(images: Tensor) -> Tensor:
    result = images.float() / 255
    images.zero_()
    return result


def _unchanged(images: Tensor) -> Tensor:
    return images


def _whole_quotient(images: Tensor) -> Tensor:
    return images.int() // 255


def _by_the_brightest_of_each(images: Tensor) -> Tensor:
    return images.float() / images.amax((1, 2, 3), keepdim=True).clamp(min=1)


def _without_channel(images: Tensor) -> Tensor:
    return images.squeeze(1).float() / 255


def _channel_last(images: Tensor) -> Tensor:
    return images.permute(0, 2, 3, 1).float() / 255


def _standardised(images: Tensor) -> Tensor:
    images = images.float()
    return (images - images.mean()) / images.std()


def _around_zero(images: Tensor) -> Tensor:
    return images.float() / 255 - 0.5


def _black_or_white(images: Tensor) -> Tensor:
    return (images.float() / 255).round()


def _cut_off(images: Tensor) -> Tensor:
    return images.float().clamp(0, 1)


def _half(images: Tensor) -> Tensor:
    return (images / 255).half()


def _divided_in_place(images: Tensor) -> Tensor:
    images /= 255
    return images


EXERCISES: Sequence[FunctionExercise | AnswerExercise | ChoiceExercise] = [
    FunctionExercise(
        name="start.to_float",
        title="Pixels to numbers",
        lesson=0,
        reference=to_float,
        cases=_to_float_cases,
        hints=(
            "Look at the largest value a pixel can have, and at the dtype that is asked for.",
            "new = old / 255, computed in float32.",
            "return images.float() / ...",
        ),
        wrong={
            "unchanged": (
                _unchanged,
                "The pixels come back as they were. Divide them by 255, and return the quotient.",
            ),
            "whole_numbers": (
                _whole_numbers,
                "Your result is uint8, which cannot hold a fraction: every grey became 0. Divide with `/`, and "
                "keep floats.",
            ),
            "whole_quotient": (_whole_quotient, "`//` gives whole numbers: every grey became 0. Divide with `/`."),
            "black_or_white": (_black_or_white, "Every grey became black or white: do not round the quotient."),
            "cut_off": (_cut_off, "Everything above 0 became 1: clamping cuts off, it does not scale. Divide by 255."),
            "half": (
                _half,
                "Almost: float16 is too coarse for training in small steps. Use .float(), which is float32.",
            ),
            "divided_in_place": (
                _divided_in_place,
                "In place, the tensor stays uint8 and cannot hold fractions. Make a new one: images / 255.",
            ),
            "standardised": (_standardised, "That is mean 0 and deviation 1. Here black must be 0 and white 1."),
            "around_zero": (_around_zero, "Your numbers run from -0.5 to 0.5. Black must stay 0, and white become 1."),
            "by_the_brightest_of_each": (
                _by_the_brightest_of_each,
                "You divide each picture by its own brightest pixel, so a dim picture becomes bright. "
                "Divide by 255, always.",
            ),
            "without_channel": (
                _without_channel,
                "The channel is gone. Keep the shape (N, 1, H, W), also for one channel.",
            ),
            "channel_last": (_channel_last, "The numbers are right; leave the order (N, 1, H, W) as it is."),
            "rounded_down": (
                _rounded_down,
                "Every pixel below 255 became 0: `//` drops the rest, on floats as well. Divide with `/`.",
            ),
            "not_divided": (_not_divided, "The dtype is right, but white is still 255. Divide by 255."),
            "by_256": (
                _by_256,
                "Almost: there are 256 values, but the largest is 255, so white must be divided by 255.",
            ),
            "by_the_brightest": (
                _by_the_brightest,
                "Almost: you divide by the brightest pixel that happens to be there, so a dim picture becomes bright. "
                "Divide by 255, always.",
            ),
            "stretched": (
                _stretched,
                "You stretch from the darkest to the brightest pixel that happen to be there. 0 must stay 0, and 255 "
                "must become 1: divide by 255.",
            ),
            "centred": (_centred, "Your numbers run from -1 to 1. Here they should run from 0 to 1."),
            "double": (
                _double,
                "Almost: float64 takes twice the memory for digits nobody needs. Use .float(), which is float32.",
            ),
            "inverted": (_inverted, "Black and white are swapped: 0 stays 0."),
            "flat": (_flat, "The numbers are right; keep the shape (N, 1, H, W) as it is."),
            "in_place": (
                _in_place,
                "The result is right, but the pictures that came in were changed as well. Leave them alone.",
            ),
        },
    ),
    AnswerExercise(
        name="start.guessing",
        title="How good is guessing?",
        lesson=0,
        question="Ten classes, each as common as the others. What share of the pictures does a blind guess get right?",
        reference=1 / 10,
        because=(
            "One class in ten is the right one: 0.1, or 10 %. What a network has learned is what it gets above that."
        ),
        hints=("The answer is a number from 0 to 1.", "Share right = number of right classes / number of classes."),
        wrong={
            "percent": (10, "That is the percentage. As a share, 100 % is 1: how much is 10 %?"),
            "coin": (0.5, "One half is for two classes. Here there are ten."),
            "number_of_classes": (1, "A blind guess is not always right. How many of the ten classes are?"),
            "one_in_nine": (1 / 9, "That is 1 to 9, the odds. As a share, it is 1 right out of all 10."),
            "wrong_share": (0.9, "That is the share it gets wrong."),
            "never": (0, "A blind guess is right now and then: one class of the ten is the right one."),
            "one_in_hundred": (0.01, "Only the guess is random: whatever the garment is, 1 of 10 guesses names it."),
            "count": (200, "That is how many of 2000 it gets right. Divide by how many there are."),
        },
    ),
    ChoiceExercise(
        name="start.measured",
        title="What ≈ means",
        lesson=0,
        question="A lesson shows: accuracy ≈ 0.871 (at least 0.8). Your machine prints 0.866. What does that mean?",
        options={
            "a": "Something is broken: the numbers should be the same to the last digit.",
            "b": "All is well: the number was measured here, and what the lesson claims is that it is at least 0.8.",
            "c": "The number was rounded from 0.871.",
        },
        reference="b",
        because=(
            "≈ marks what was measured on this machine. What the lesson promises stands in brackets, and is checked."
        ),
        wrong={
            "a": "Training adds up millions of numbers in an order that depends on the machine: digits differ.",
            "c": "0.866 is not a rounding of 0.871: it is another measurement.",
        },
    ),
]
