"""U-Net: published size and shapes, a plain forward pass with the same weights, what fits, how it begins."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crashcourse.errors import CourseError
from crashcourse.inspection import count_macs, count_parameters, summarize
from crashcourse.segmentation import UNet, UpBlock, center_crop, small_unet, unet_2015, unet_padded
from tests.contracts import ModelCase
from tests.segmentation.mask_contracts import MASK_CONTRACTS


def case(name: str, side: int, out: int, *, learning_rate: float = 3e-3, **options: object) -> ModelCase:
    widths = options.pop("widths", (8, 16, 32))
    return ModelCase(
        name,
        lambda: UNet(2, 2, widths=widths, **options),
        (3, 2, side, side + 4),
        (3, 2, out, out + 4),
        learning_rate=learning_rate,
        steps=400,
    )


CASES = [
    case("unet_2015", 52, 12, dropout=0.5),
    case("unet_padded", 24, 24, padded=True, batch_norm=True),
    ModelCase("small_unet", lambda: small_unet(1, 3), (2, 1, 52, 52), (2, 3, 12, 12), learning_rate=3e-3, steps=400),
    ModelCase(
        "small_unet_padded",
        lambda: small_unet(1, 1, padded=True),
        (2, 1, 24, 28),
        (2, 1, 24, 28),
        learning_rate=3e-3,
        steps=400,
    ),
]


@pytest.mark.parametrize("contract", MASK_CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_contract(case, contract):
    contract(case)


def test_published_size():
    """A bias, a level or a convolution too many; figure 1's network has 23 convolutional layers."""
    with torch.device("meta"):
        model = unet_2015()
    assert count_parameters(model) == 31_030_658
    convolutions = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
    assert len(convolutions) == 23
    assert count_macs(model, (1, 572, 572)) == 150_428_424_448
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in model.modules())


def test_the_sides_of_figure_1():
    """A size of the paper's figure 1 is another one: zeros came in, or a crop or a pooling went wrong."""
    with torch.device("meta"):
        model = unet_2015()
    sides = {row.name: row.output_shape for row in summarize(model, (1, 572, 572))}

    def square(name: str, channels: int, side: int) -> None:
        assert sides[name] == (channels, side, side), name

    down = [(64, 570, 568), (128, 282, 280), (256, 138, 136), (512, 66, 64), (1024, 30, 28)]
    for level, (channels, first, second) in enumerate(down):
        square(f"contracting.{level}.0", channels, first)
        square(f"contracting.{level}.2", channels, second)
    up = [(512, 56, 54, 52), (256, 104, 102, 100), (128, 200, 198, 196), (64, 392, 390, 388)]
    for level, (channels, raised, first, second) in enumerate(up):
        square(f"expansive.{level}.up", channels, raised)
        square(f"expansive.{level}.convs.0", channels, first)
        square(f"expansive.{level}.convs.2", channels, second)
    square("scores", 2, 388)
    assert model(torch.empty(1, 1, 572, 588, device="meta")).shape == (1, 2, 388, 404)


def plain(state: dict[str, Tensor], images: Tensor, poolings: int) -> Tensor:
    """Figure 1, line by line, with the weights in their order; nothing of the package's own parts."""
    weights = iter(list(state.values()))

    def pair(x: Tensor) -> Tensor:
        for _ in range(2):
            x = F.relu(F.conv2d(x, next(weights), next(weights)))
        return x

    x, skips = pair(images), []
    for _ in range(poolings):
        skips.append(x)
        x = pair(F.max_pool2d(x, 2))
    while skips:
        x = F.conv_transpose2d(x, next(weights), next(weights), stride=2)
        skip = skips.pop()
        rows, columns = ((skip.shape[axis] - x.shape[axis]) // 2 for axis in (2, 3))
        skip = skip[:, :, rows : skip.shape[2] - rows, columns : skip.shape[3] - columns]
        x = pair(torch.cat((skip, x), 1))
    x = F.conv2d(x, next(weights), next(weights))
    assert next(weights, None) is None
    return x


@torch.no_grad()
@pytest.mark.parametrize("widths", [(4,), (4, 6), (4, 6, 8), (3, 4, 5, 6, 7)])
def test_the_forward_pass_is_that_of_figure_1(widths):
    """The network computes something else than the paper draws: the order of layers, the crop, the ReLUs."""
    torch.manual_seed(0)
    model = UNet(2, 3, widths=widths, dropout=0.5).eval()
    for parameter in model.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))  # biases, too
    sides = model.least_side, model.least_side + model.stride
    images = torch.randn(2, 2, *sides)
    expected = plain(model.state_dict(), images, len(widths) - 1)
    torch.testing.assert_close(model(images), expected, rtol=1e-5, atol=1e-5)
    assert expected.std() > 0.01


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("levels", [1, 2, 3, 4, 5])
def test_what_fits_is_what_can_be_computed(levels, padded):
    """`fits`, `least_side` and `margin` promise sizes that the layers do not make, or refuse sizes that they do."""
    with torch.device("meta"):
        model = UNet(1, 1, widths=(1,) * levels, padded=padded)
        possible = {side: out for side in range(1, 260) if (out := computed_side(side, levels - 1, padded))}
        for side in range(1, 260):
            assert model.fits(side) == (side in possible), side
            if side in possible:
                assert possible[side] == side - 2 * model.margin
                if side < 100 or levels > 4:
                    assert model(torch.empty(1, 1, side, side)).shape[2:] == (possible[side],) * 2
            below, above = model.nearest_sides(side)
            assert model.fits(below)
            assert model.fits(above)
            assert below <= side <= above or below == above == model.least_side > side
            assert not any(model.fits(between) for between in range(below + 1, above))


def computed_side(side: int, poolings: int, padded: bool) -> int | None:
    """The output's side, step by step; None where a map that is pooled is odd or nothing is left."""
    loss = 0 if padded else 4
    for _ in range(poolings):
        side -= loss
        if side < 1 or side % 2:
            return None
        side //= 2
    side -= loss
    for _ in range(poolings):
        if side < 1:
            return None
        side = 2 * side - loss
    return side if side > 0 else None


def test_skips_are_concatenated_and_cropped_in_the_middle():
    """A skip is added, cut from a corner, or left out of the sum."""
    torch.manual_seed(0)
    block = UpBlock(6, 3, 3)
    assert block.convs[0].in_channels == 6
    for parameter in block.parameters():
        parameter.data.abs_()  # so that no ReLU hides what is seen
    below, skip = torch.rand(1, 6, 4, 5), torch.rand(1, 3, 14, 16, requires_grad=True)
    block(below, skip).sum().backward()
    seen = skip.grad.abs().sum((0, 1)) > 0
    assert seen[3:11, 3:13].all()
    assert int(seen.sum()) == 8 * 10
    image = torch.arange(35.0).view(1, 1, 5, 7)
    assert center_crop(image, 3, 3).tolist() == [[[[9, 10, 11], [16, 17, 18], [23, 24, 25]]]]
    assert center_crop(image, 5, 7).equal(image)
    assert center_crop(image, 2, 2).tolist() == [[[[9, 10], [16, 17]]]]


def test_initial_weights_keep_the_variance():
    """Weights are not drawn from N(0, √(2/N)), N the summed values: 576 for 3×3 over 64 channels, as the paper says."""
    torch.manual_seed(0)
    model = UNet(1, 2, widths=(64, 128))
    second, up = model.contracting[0][2], model.expansive[0].up
    assert float(second.weight.detach().std()) == pytest.approx((2 / 576) ** 0.5, rel=0.02)
    assert float(up.weight.detach().std()) == pytest.approx((2 / 128) ** 0.5, rel=0.02)
    assert not any(layer.bias.any() for layer in (second, up, model.scores))


def test_dropout_is_behind_the_last_two_levels_only():
    """Dropout acts in evaluation or on the fine levels, or not at all."""
    torch.manual_seed(0)
    model = UNet(1, 2, widths=(4, 4, 4), dropout=0.5).train()
    seen = []
    model.dropout.register_forward_hook(lambda layer, args, output: seen.append(output))
    model(torch.randn(1, 1, 60, 60))
    assert [tuple(maps.shape[2:]) for maps in seen] == [(24, 24), (8, 8)]
    with torch.device("meta"):
        assert unet_2015().dropout.p == 0.5
        assert unet_padded().dropout.p == 0


def test_the_padded_one_keeps_the_size():
    """Zeros are missing, or BatchNorm came with another number of biases."""
    with torch.device("meta"):
        model = unet_padded(3, 21)
        assert model(torch.empty(1, 3, 96, 128)).shape == (1, 21, 96, 128)
        # against unet_2015 with as many channels: 18 biases became 18 scales and shifts
        plain_size = count_parameters(UNet(3, 21))
        assert count_parameters(model) - plain_size == sum(
            layer.num_features for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)
        )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: small_unet()(torch.rand(1, 1, 50, 61)),
            "44, 48, 52 and so on, 4 apart.*got 50×61.*48 or 52 high and 60",
        ),
        (lambda: small_unet()(torch.rand(1, 1, 52, 20)), "Nearest: 44 wide"),
        (lambda: small_unet(padded=True)(torch.rand(1, 1, 3, 8)), "4, 8, 12 and so on.*Nearest: 4 high"),
        (lambda: small_unet()(torch.rand(1, 52, 52)), r"images\[None\]"),
        (lambda: small_unet()(torch.rand(1, 3, 52, 52)), "3 channels"),
        (lambda: small_unet()(torch.zeros(1, 1, 52, 52, dtype=torch.uint8)), "255"),
        (lambda: small_unet()(torch.rand(1, 1, 52, 52, dtype=torch.float64)), r"images.float\(\)"),
        (lambda: small_unet()([1]), "got list"),
        (lambda: UNet(0, 2), "in_channels must be an integer of at least 1; got 0"),
        (lambda: UNet(1, 2.0), "out_channels"),
        (lambda: UNet(1, 2, widths=()), "widths"),
        (lambda: UNet(1, 2, widths=(4, 0)), "each of widths"),
        (lambda: UNet(1, 2, widths=64), "widths"),
        (lambda: UNet(1, 2, dropout=1.0), "below 1"),
        (lambda: UNet(1, 2, dropout=-0.1), "dropout"),
        (lambda: center_crop(torch.zeros(1, 1, 4, 4), 5, 4), "No 5×4 can be cut out of 4×4"),
    ],
)
def test_what_is_refused_and_in_which_words(call, words):
    """A slip gives a stack trace from inside PyTorch, or a sentence that does not say what would fit."""
    with pytest.raises(CourseError, match=words):
        call()
