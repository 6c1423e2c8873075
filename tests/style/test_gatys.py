"""The losses of the paper and their gradients by hand; images that are made of them, and made again after a break."""

import pytest
import torch
from torch import Tensor

from crashcourse.classification.vgg import vgg_features
from crashcourse.errors import CourseError
from crashcourse.style import (
    Canvas,
    Encoder,
    Objective,
    content_loss,
    gram,
    random_encoder,
    reconstruct_content,
    reconstruct_style,
    style_layer_loss,
    style_loss,
    total_variation,
    transfer,
)

LAYERS = ("conv1_1", "conv2_1")


def encoder(*, double: bool = False) -> Encoder:
    torch.manual_seed(0)
    made = Encoder(vgg_features(((3,), (3, 3)), (8, 12)))
    return made.double() if double else made


def image(seed: int, height: int = 20, width: int = 24) -> Tensor:
    """Two colours in stripes: something to be reconstructed."""
    generator = torch.Generator().manual_seed(seed)
    colours = torch.rand(2, 3, generator=generator)
    stripes = ((torch.arange(height)[:, None] * (seed + 1) + torch.arange(width)) // 5 % 2)[None]
    return torch.where(stripes == 0, colours[0][:, None, None], colours[1][:, None, None])[None]


def maps_of(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def gradient(loss: Tensor, of: Tensor) -> Tensor:
    return torch.autograd.grad(loss, of)[0]


# ---- the losses


def test_the_gram_matrix_by_hand() -> None:
    """It runs over places instead of channels, or is divided by something."""
    maps = torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]], [[0.0, -1.0]]]])
    assert gram(maps).tolist() == [[[5.0, 3.0, -2.0], [3.0, 9.0, 0.0], [-2.0, 0.0, 1.0]]]


def test_the_gram_matrix_knows_nothing_of_places() -> None:
    """Style depends on where something is; or the matrix is not symmetric, or has a negative eigenvalue."""
    maps = maps_of(0, 2, 5, 3, 4)
    shuffled = maps.flatten(2)[..., torch.randperm(12)].view_as(maps)
    torch.testing.assert_close(gram(maps), gram(shuffled))
    torch.testing.assert_close(gram(maps), gram(maps).mT)
    assert float(torch.linalg.eigvalsh(gram(maps)).min()) > -1e-9


def test_the_content_loss_is_equations_1_and_2() -> None:
    """The half is missing, a mean is taken, or the gradient is not F - P, and 0 where the ReLU is closed."""
    before, target = maps_of(0, 1, 4, 3, 5).requires_grad_(), maps_of(1, 1, 4, 3, 5).relu()
    maps = before.relu()
    loss = content_loss(maps, target)
    assert loss.item() == pytest.approx(float(((maps - target) ** 2).detach().sum()) / 2)
    expected = torch.where(before > 0, maps - target, 0.0).detach()
    torch.testing.assert_close(gradient(loss, before), expected)


def test_the_style_loss_is_equations_4_and_6() -> None:
    """A factor is lost, or the gradient is not (Fᵀ (G - A))ᵀ / (N² M²), and 0 where the ReLU is closed."""
    before, style = maps_of(0, 1, 4, 3, 5).requires_grad_(), maps_of(1, 1, 4, 3, 5).relu()
    maps, target = before.relu(), gram(style)
    loss = style_layer_loss(maps, target)
    n, m = 4, 15
    assert loss.item() == pytest.approx(float((gram(maps) - target).detach().square().sum()) / (4 * n**2 * m**2))
    rows = maps.flatten(2)[0]  # F, (N, M)
    closed = (rows.T @ (gram(maps) - target)[0]).T / (n**2 * m**2)
    expected = torch.where(before > 0, closed.view_as(before[0])[None], 0.0).detach()
    torch.testing.assert_close(gradient(loss, before), expected)


def test_the_style_loss_by_hand() -> None:
    """One channel, two places: G = 5, A = 1, E = 16 / (4 · 1 · 4)."""
    maps, target = torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([[[1.0]]])
    assert style_layer_loss(maps, target).item() == pytest.approx(1.0)


def test_layers_are_weighted() -> None:
    """Equation 5: the weights are not a fifth each by default, or those that are given are ignored."""
    maps = {"a": maps_of(0, 1, 2, 3, 3), "b": maps_of(1, 1, 3, 2, 2)}
    targets = {"a": gram(maps_of(2, 1, 2, 3, 3)), "b": gram(maps_of(3, 1, 3, 2, 2))}
    parts = {name: style_layer_loss(maps[name], targets[name]) for name in maps}
    torch.testing.assert_close(style_loss(maps, targets), (parts["a"] + parts["b"]) / 2)
    torch.testing.assert_close(style_loss(maps, targets, {"a": 2.0, "b": 0.5}), 2 * parts["a"] + 0.5 * parts["b"])


def test_the_objective_is_equation_7() -> None:
    """α and β have changed places, a part has lost its weight, or no gradient reaches the image."""
    looks, picture = encoder(double=True), image(3).double().requires_grad_()
    content, style = image(1).double(), image(2).double()
    with torch.no_grad():
        targets = looks(content, ["conv2_2"])
        grams = {name: gram(maps) for name, maps in looks(style, LAYERS).items()}
    objective = Objective(
        encoder=looks,
        content=targets,
        style=grams,
        content_weight=2.0,
        style_weight=30.0,
        variation_weight=0.5,
    )
    losses, maps = objective(picture), looks(picture)
    expected = {
        "content": content_loss(maps["conv2_2"], targets["conv2_2"]),
        "style": style_loss(maps, grams),
        "variation": total_variation(picture),
    }
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value)
    whole = 2 * expected["content"] + 30 * expected["style"] + 0.5 * expected["variation"]
    torch.testing.assert_close(losses["loss"], whole)
    assert torch.autograd.gradcheck(lambda pixels: objective(pixels)["loss"], (picture,), atol=1e-4, fast_mode=True)


def test_total_variation_by_hand() -> None:
    """A direction is missing, or differences wrap around: 1 + 9 across, 4 + 16 down."""
    images = torch.tensor([[[[0.0, 1.0], [2.0, 5.0]]]])
    assert total_variation(images).item() == pytest.approx(1 + 9 + 4 + 16)
    assert total_variation(torch.full((2, 3, 4, 5), 0.7)).item() == 0


# ---- the images


def test_content_comes_back() -> None:
    """The optimiser does not find the image whose maps it is shown, or it is shown other maps."""
    target = image(1)
    canvas = reconstruct_content(target, encoder(), "conv1_1", rounds=6)
    noise = torch.rand(target.shape, generator=torch.Generator().manual_seed(0))
    assert canvas.losses["loss"][-1] < 1e-3 * canvas.losses["loss"][0]
    assert float((canvas.picture - target).abs().mean()) < 0.2 * float((noise - target).abs().mean())
    assert set(canvas.losses) == {"loss", "content"}


def test_style_comes_back_without_its_place() -> None:
    """The Gram matrices are not reached, or the image itself is: then it is no texture."""
    target, looks = image(1), encoder()
    canvas = reconstruct_style(target, looks, LAYERS, rounds=6)
    assert canvas.losses["style"][-1] < 1e-2 * canvas.losses["style"][0]
    found, wanted = (gram(looks(picture, ["conv2_1"])["conv2_1"]) for picture in (canvas.image, target))
    assert float((found - wanted).norm() / wanted.norm()) < 0.2
    assert float((canvas.picture - target).abs().mean()) > 0.05


def test_transfer_lowers_both_losses_and_weights_choose() -> None:
    """One of the two images is ignored, or a larger weight for the style does not bring it nearer."""
    looks, content, style = encoder(), image(1), image(2)
    options = {"content_layer": "conv2_2", "style_layers": LAYERS, "rounds": 5}
    low, high = (transfer(content, style, looks, style_weight=weight, **options) for weight in (1.0, 1e4))
    for canvas in (low, high):
        assert canvas.losses["loss"][-1] < 0.5 * canvas.losses["loss"][0]
        assert canvas.picture.shape == content.shape
        assert 0 <= float(canvas.picture.min()) <= float(canvas.picture.max()) <= 1
    assert high.losses["style"][-1] < low.losses["style"][-1]
    assert low.losses["content"][-1] < high.losses["content"][-1]


def test_the_layers_of_the_paper_on_vgg_19() -> None:
    """The default layers are not VGG-19's, or five stages deep the gradient no longer reaches the pixels."""
    content, style = image(1, 32, 32), image(2, 32, 32)
    looks = random_encoder().rescale(torch.cat([content, style]))
    canvas = transfer(content, style, looks, rounds=2, iterations=5)
    for name in ("content", "style"):
        assert canvas.losses[name][-1] < 0.5 * canvas.losses[name][0]


def test_starts() -> None:
    """Noise depends on the state of a generator, or the start is not where the optimisation begins."""
    looks, content, style = encoder(), image(1), image(2)
    options = {"content_layer": "conv2_2", "style_layers": LAYERS, "rounds": 1, "iterations": 2}
    assert transfer(content, style, looks, start="content", **options).losses["content"] == (0.0,)
    own = transfer(content, style, looks, start=style, **options)
    assert own.losses["style"][0] == pytest.approx(0, abs=1e-6)
    torch.manual_seed(1)
    first = transfer(content, style, looks, **options)
    torch.manual_seed(2)
    assert torch.equal(first.image, transfer(content, style, looks, **options).image)
    assert not torch.equal(first.image, transfer(content, style, looks, seed=1, **options).image)
    assert torch.equal(content, image(1))


def test_a_canvas_outside_the_range_goes_on() -> None:
    """The range of a start is asked of a canvas too, which the optimiser does not clip."""
    target, looks = image(1), encoder()
    canvas = reconstruct_content(target, looks, "conv1_1", rounds=1, iterations=1, start=Canvas(3 * target - 1))
    assert canvas.rounds == 1


def test_images_in_any_order_of_memory() -> None:
    """An image that was cut from a photograph, or permuted, ends in an error of the optimiser."""
    looks, content, style = encoder(), image(1), image(2)
    options = {"content_layer": "conv2_2", "style_layers": LAYERS, "rounds": 1, "iterations": 2, "start": "content"}
    expected = transfer(content, style, looks, **options).image
    other = content.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(transfer(other, style, looks, **options).image, expected)


def test_a_style_of_another_size() -> None:
    """A style that is twice as large has Gram matrices four times as large, and the image becomes brighter for it."""
    looks, style = encoder(), image(2, 16, 16)
    twice = style.repeat(1, 1, 2, 1)
    target = image(1, 16, 16)
    options = {"content_layer": "conv2_2", "style_layers": ("conv1_1",), "rounds": 1, "iterations": 1}
    small, large = (transfer(target, s, looks, start=style, **options).losses["style"][0] for s in (style, twice))
    assert small == pytest.approx(0, abs=1e-6)
    noise = transfer(target, style, looks, **options).losses["style"][0]
    assert large < 0.01 * noise


class Stop:
    """A learner who stops the run in the middle of a round: at one evaluation of the encoder."""

    def __init__(self, evaluation: int) -> None:
        self.left = evaluation

    def __call__(self, *_: object) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("evaluation", [4, 11, 23])
def test_interrupted_and_gone_on_it_is_the_same_image(evaluation: int, tmp_path: object) -> None:
    """The state of L-BFGS is lost, or half a round is kept; also when the canvas has been on a disk."""
    looks, content, style = encoder(), image(1), image(2)
    options = {"content_layer": "conv2_2", "style_layers": LAYERS, "rounds": 5, "iterations": 4}
    whole = transfer(content, style, looks, **options)
    hook = looks.convolutions["conv1_1"].register_forward_pre_hook(Stop(evaluation + 2))  # two for the targets
    broken = transfer(content, style, looks, **options)
    hook.remove()
    assert broken.interrupted
    assert broken.rounds < 5
    broken.save(tmp_path / "canvas.pt")
    for start in (broken, Canvas.load(tmp_path / "canvas.pt")):
        resumed = transfer(content, style, looks, start=start, **options)
        assert torch.equal(resumed.image, whole.image)
        assert resumed.losses == whole.losses
        assert resumed.rounds == 5
        assert not resumed.interrupted


def test_the_callback_sees_each_round_and_may_stop() -> None:
    """The live picture lags, or is not clipped; or a stop within it loses the round."""
    looks, target, seen = encoder(), image(1), []

    def watch(canvas: Canvas) -> None:
        seen.append((canvas.rounds, canvas.picture))
        if canvas.rounds == 2:
            raise KeyboardInterrupt

    canvas = reconstruct_content(target, looks, "conv2_2", rounds=4, iterations=2, callback=watch)
    assert [rounds for rounds, _ in seen] == [1, 2]
    assert canvas.interrupted
    assert torch.equal(canvas.picture, seen[-1][1])
    assert torch.equal(canvas.picture, canvas.image.clamp(0, 1))


def test_a_finished_canvas_stays() -> None:
    """The same call once more paints on."""
    target, looks = image(1), encoder()
    done = reconstruct_content(target, looks, "conv1_1", rounds=2, iterations=2)
    again = reconstruct_content(target, looks, "conv1_1", rounds=2, iterations=2, start=done)
    assert torch.equal(done.image, again.image)


GOOD = torch.rand(1, 3, 16, 16)
SMALL = {"content_layer": "conv2_1", "style_layers": LAYERS, "rounds": 1}


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: gram(torch.zeros(2, 3)), r"\(N, C, H, W\) float"),
        (lambda: gram(torch.zeros(1, 2, 3, 3).long()), "int64"),
        (lambda: content_loss(torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 3, 4)), "own shape"),
        (lambda: content_loss(torch.zeros(1, 2, 3, 3), None), "got NoneType"),
        (lambda: style_layer_loss(torch.zeros(1, 2, 3, 3), torch.zeros(1, 3, 3)), "Gram matrices"),
        (lambda: style_layer_loss(torch.zeros(1, 2, 3, 3), None), "Gram matrices.*got NoneType"),
        (lambda: style_loss({}, {}), "at least one layer"),
        (lambda: style_loss({"conv1_1": GOOD}, {"conv2_1": gram(GOOD)}), "layer among the maps"),
        (lambda: style_loss({"a": GOOD}, {"a": gram(GOOD)}, {"b": 1.0}), "layer among the weights"),
        (lambda: total_variation(torch.zeros(3)), "float"),
        (lambda: Objective(encoder=encoder()), "a content, a style"),
        (lambda: transfer(torch.rand(2, 3, 16, 16), GOOD, encoder(), **SMALL), "The content is one image"),
        (lambda: transfer(GOOD, torch.rand(3, 16, 16), encoder(), **SMALL), "The style is one image"),
        (lambda: transfer(255 * GOOD, GOOD, encoder(), **SMALL), r"content has values in \[0, 1\].*Divide by 255"),
        (lambda: transfer(GOOD[:, :1], GOOD, encoder(), **SMALL), r"images.expand\(-1, 3, -1, -1\)"),
        (lambda: transfer(GOOD[..., :0], GOOD, encoder(), **SMALL), r"not 0; got \(1, 3, 16, 0\)"),
        (lambda: transfer(GOOD, GOOD, encoder(), start=255 * GOOD, **SMALL), "The start has values.*Divide by 255"),
        (lambda: transfer(GOOD, GOOD, encoder(), start=(255 * GOOD).byte(), **SMALL), "The start is float"),
        (lambda: transfer(GOOD, GOOD, encoder(), start=None, **SMALL), "The start is one image.*NoneType"),
        (lambda: transfer(GOOD, GOOD, encoder(), **{**SMALL, "style_layers": "conv1_1"}), "tuple of names"),
        (
            lambda: transfer(GOOD, GOOD, encoder(), **{**SMALL, "style_layers": ()}),
            "at least one layer.*reconstruct_con",
        ),
        (lambda: reconstruct_style(GOOD, encoder(), ()), "at least one layer"),
        (lambda: transfer((255 * GOOD).byte(), GOOD, encoder(), **SMALL), "255"),
        (lambda: transfer(GOOD * float("nan"), GOOD, encoder(), **SMALL), "nan"),
        (lambda: transfer(GOOD, GOOD, encoder(), **{**SMALL, "content_layer": "conv9_1"}), "layer named 'conv9_1'"),
        (lambda: transfer(GOOD, GOOD, encoder(), start="nose", **SMALL), "Did you mean 'noise'"),
        (lambda: transfer(GOOD, GOOD, encoder(), start=torch.rand(1, 3, 16, 17), **SMALL), "shape of the image"),
        (lambda: transfer(GOOD, GOOD, encoder(), style_weight=-1.0, **SMALL), "style_weight"),
        (lambda: transfer(GOOD, GOOD, encoder(), **{**SMALL, "rounds": 0}), "rounds"),
        (lambda: reconstruct_content(GOOD, encoder(), "conv2_1", iterations=1.5), "iterations"),
        (lambda: reconstruct_style(None, encoder(), LAYERS), "NoneType"),
        (lambda: Canvas.load("no such file"), "Could not read a canvas"),
    ],
)
def test_bad_input_is_a_sentence(call: object, sentence: str) -> None:
    """A slip ends in an error of torch, or in an image of noise."""
    with pytest.raises(CourseError, match=sentence):
        call()
