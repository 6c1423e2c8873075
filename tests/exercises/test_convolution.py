"""The references of lesson 10 against independent ways to the same answer: torch's convolution, and autograd."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from crashcourse.exercises import catalogue
from crashcourse.exercises.convolution_questions import alexnet_shapes

SEEDS = range(5)


def cases(name: str, seed: int):
    return catalogue()[name].made_cases(seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_conv2d_that_learners_are_compared_with_is_torchs(seed):
    """A learner who reproduces F.conv2d would be told that it is wrong."""
    exercise = catalogue()["classification.conv2d"]
    for case in exercise.made_cases(seed):
        torch.testing.assert_close(exercise.reference(*case.args, **case.kwargs), F.conv2d(*case.args, **case.kwargs))


@pytest.mark.parametrize("seed", SEEDS)
def test_output_size_is_what_a_convolution_gives(seed):
    """The formula that learners are taught would not be torch's."""
    exercise = catalogue()["classification.output_size"]
    for case in exercise.made_cases(seed):
        size, kernel, stride, padding, dilation = (*case.args, 1, 0, 1)[:5] if len(case.args) == 2 else _full(case.args)
        layer = nn.Conv1d(1, 1, kernel, stride, padding, dilation)
        assert exercise.reference(*case.args) == layer(torch.zeros(1, 1, size)).shape[-1], case.label


def _full(arguments):
    return (*arguments, *(1, 0, 1)[len(arguments) - 2 :])


@pytest.mark.parametrize("seed", SEEDS)
def test_receptive_field_is_the_span_of_pixels_with_a_gradient(seed):
    """The field that learners compute would not be the one that a network sees."""
    exercise = catalogue()["classification.receptive_field"]
    for case in exercise.made_cases(seed):
        field = exercise.reference(*case.args)
        row = torch.zeros(1, 1, field + 40, requires_grad=True)
        signal = row
        for layer in case.args[0]:
            kernel, stride, dilation = (*layer, 1)[:3]
            signal = F.conv1d(signal, torch.ones(1, 1, kernel), stride=stride, dilation=dilation)
        signal[0, 0, 0].backward()
        touched = row.grad[0, 0].nonzero()
        assert int(touched.max() - touched.min()) + 1 == field, case.label


def test_alexnet_table_holds_the_counts_that_the_papers_layers_give():
    """Learners who count by hand, as the lesson's table says, would be told that they are wrong."""
    assert alexnet_shapes() == {
        "conv1 output": (96, 55, 55),
        "conv1 parameters": 96 * (3 * 11 * 11 + 1),
        "pool1 output": (96, 27, 27),
        "conv2 output": (256, 27, 27),
        "conv2 parameters": 256 * (48 * 5 * 5 + 1),
        "conv3 parameters": 384 * (256 * 3 * 3 + 1),
        "conv4 parameters": 384 * (192 * 3 * 3 + 1),
        "pool5 output": (256, 6, 6),
        "fc6 parameters": 4096 * (256 * 6 * 6 + 1),
    }


def test_flipped_kernel_is_told_apart_from_a_right_answer():
    """The commonest wrong answer, true convolution, would pass, or get a hint about something else."""

    def flipped(images, weight, bias=None, *, stride=1, padding=0):
        return F.conv2d(images, torch.flip(weight, (2, 3)), bias, stride, padding)

    report = catalogue()["classification.conv2d"].check(flipped)
    assert report.verdict == "wrong"
    assert "flip" in report.hint


def test_torchs_own_functions_pass():
    """A learner who calls what torch has would be refused although every number is right."""

    def conv2d(images, weight, bias=None, *, stride=1, padding=0):
        return F.conv2d(images, weight, bias, stride, padding)

    assert catalogue()["classification.conv2d"].check(conv2d).verdict == "passed"
    assert (
        catalogue()["classification.deconvnet_relu"].check(lambda signal, received: F.relu(signal)).verdict == "passed"
    )


SLIPS = {
    "if bias:": "is not None",
    "not padded": "Did you pad",
    "i*stride : i+R": "i · stride + R",
    "loops swapped": "range(height)",
    "K, _, S, R": "square kernels",
    "[:, :, j, i]": "row comes first",
    "->kn": "->nk",
    "H, W of padded": "counted twice",
}


@pytest.mark.parametrize("slip", SLIPS)
def test_slips_in_the_loop_that_the_lesson_asks_for_are_named(slip):
    """Most slips end inside einsum, whose own message tells a learner nothing."""

    def conv2d(images, weight, bias=None, *, stride=1, padding=0):
        rows, columns = weight.shape[2:]
        if slip == "K, _, S, R":
            columns, rows = rows, columns
        padded = F.pad(images, (padding,) * 4)
        height, width = ((padded if slip == "H, W of padded" else images).shape[n] for n in (2, 3))
        height = (height + 2 * padding - rows) // stride + 1
        width = (width + 2 * padding - columns) // stride + 1
        output = torch.zeros(len(images), len(weight), height, width)
        source = images if slip == "not padded" else padded
        for i in range(width if slip == "loops swapped" else height):
            for j in range(height if slip == "loops swapped" else width):
                top, left = i * stride, j * stride
                bottom, right = top + rows, left + columns
                if slip == "i*stride : i+R":
                    bottom, right = i + rows, j + columns
                patch = source[:, :, top:bottom, left:right]
                values = torch.einsum("ncrs,kcrs->kn" if slip == "->kn" else "ncrs,kcrs->nk", patch, weight)
                place = (j, i) if slip == "[:, :, j, i]" else (i, j)
                output[:, :, *place] = values
        if bias if slip == "if bias:" else bias is not None:
            output = output + bias[:, None, None]
        return output

    assert SLIPS[slip] in catalogue()["classification.conv2d"].check(conv2d).hint


def test_every_wrong_row_of_a_table_gets_its_own_hint():
    """With several wrong rows, a learner would be told about one of them, and not about which."""
    exercise = catalogue()["convolution.alexnet_shapes"]
    given = exercise.value | {"conv2 output": (256, 23, 23), "fc6 parameters": 256 * 4096 + 4096}
    report = exercise.check(given)
    assert "Hint for conv2 output: conv2 has padding 2" in report.text
    assert "Hint for fc6 parameters: fc6 does not read" in report.text
    assert report.matched in ("conv2_without_padding", "fc6_reads_maps")
    assert report.hint == exercise.wrong[report.matched].hint


@pytest.mark.parametrize(
    ("value", "said"),
    [("34,944", "without quotes"), ((34, 944), "A comma separates"), (34945, "")],
)
def test_a_number_in_another_form_is_told_how_to_be_written(value, said):
    """A learner who types 34,944, with or without quotes, would only hear that it is not right."""
    exercise = catalogue()["convolution.alexnet_shapes"]
    report = exercise.check(exercise.value | {"conv1 parameters": value})
    assert not report.passed
    assert said in report.text
    assert ("conv1 parameters: " in report.text) == bool(said)


def test_a_shape_of_another_length_is_told_how_many_values_are_expected():
    """A learner who leaves a number out of a row that no known mistake covers would only hear that it is not right."""
    exercise = catalogue()["convolution.alexnet_shapes"]
    assert "pool1 output: 3 values are expected, not 2." in exercise.check({"pool1 output": (27, 27)}).text
