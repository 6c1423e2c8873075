"""DenseNet against torchvision's and against the paper's sizes; dense connection and checkpointing by hand."""

import copy
from collections.abc import Callable
from functools import partial

import pytest
import torch
import torchvision.models
from torch import Tensor, nn

from crashcourse.classification import densenet, densenet_cifar
from crashcourse.classification.densenet import Configuration, DenseBlock, DenseLayer, DenseNet, Transition
from crashcourse.classification.densenet_cifar import densenet_basic, densenet_bc
from crashcourse.errors import CourseError
from crashcourse.inspection import count_parameters, summarize
from tests.contracts import CONTRACTS, DEEP_CONTRACTS, ModelCase

# Channels × side after the stem, every block and transition.
MAPS = {
    "densenet121": "64×56 256×56 128×28 512×28 256×14 1024×14 512×7 1024×7",
    "densenet169": "64×56 256×56 128×28 512×28 256×14 1280×14 640×7 1664×7",
    "densenet201": "64×56 256×56 128×28 512×28 256×14 1792×14 896×7 1920×7",
    "densenet161": "96×56 384×56 192×28 768×28 384×14 2112×14 1056×7 2208×7",
}
SMALL_PUBLISHED = {
    ("densenet_basic", 40, 12): 1_019_722,
    ("densenet_basic", 100, 12): 6_979_642,
    ("densenet_basic", 100, 24): 27_249_082,
    ("densenet_bc", 100, 12): 769_162,
    ("densenet_bc", 250, 24): 15_324_406,
    ("densenet_bc", 190, 40): 25_624_430,
}
# The form for ImageNet with two layers a block, which are compiled with numbers; those of the paper only as shapes.
SHORT = Configuration(32, (2, 2, 2, 2), 64)


def small_case(name: str, build: Callable[[], DenseNet]) -> ModelCase:
    return ModelCase(name, build, (3, 3, 12, 12), (3, 10), learning_rate=3e-3)


CASES = [
    ModelCase("densenet", lambda: DenseNet(SHORT, 10), (3, 3, 32, 32), (3, 10)),
    small_case("densenet_basic", lambda: densenet_basic(10, 8)),
    small_case("densenet_bc", lambda: densenet_bc(16, 8)),
    small_case("checkpointing", lambda: densenet_bc(16, 8, checkpointing=True)),
]


DEEP = [
    *(
        ModelCase(name, partial(getattr(densenet, name), 10), (3, 3, 32, 32), (3, 10))
        for name in ("densenet121", "densenet161", "densenet169", "densenet201")
    ),
    small_case("densenet_bc100", partial(densenet_bc, 100, 12)),
]


def builder(name: str) -> Callable[..., DenseNet]:
    return getattr(densenet, name, None) or getattr(densenet_cifar, name)


def on_meta(name: str, *arguments: int) -> DenseNet:
    with torch.device("meta"):
        return builder(name)(*arguments)


def images(size: int, count: int = 2) -> Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def maps_of(model: DenseNet, size: int) -> str:
    rows = summarize(model.features, (3, size, size), by="child")
    kinds = {"DenseBlock", "Transition", "MaxPool2d"}
    return " ".join(f"{row.output_shape[0]}×{row.output_shape[1]}" for row in rows if row.kind in kinds)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_contract(case, contract):
    contract(case)


@pytest.mark.parametrize("contract", DEEP_CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("case", DEEP, ids=lambda case: case.name)
def test_contract_of_deep_networks(case, contract):
    contract(case)


@pytest.mark.parametrize("name", MAPS)
def test_maps_of_every_block(name):
    """A block adds other channels than layers · k, or a transition does not halve."""
    assert maps_of(on_meta(name), 224) == MAPS[name]


@pytest.mark.parametrize(("name", "depth", "growth"), SMALL_PUBLISHED)
def test_published_sizes_for_small_images(name, depth, growth):
    """Transitions of the basic form compress, bottlenecks have another width, or depth is counted otherwise."""
    model = on_meta(name, depth, growth)
    assert count_parameters(model) == SMALL_PUBLISHED[name, depth, growth]
    assert sum(isinstance(module, (nn.Conv2d, nn.Linear)) for module in model.modules()) == depth


def test_maps_for_small_images():
    """A block halves its maps, or a transition keeps (basic) or halves (BC) other channels than the paper's."""
    assert maps_of(on_meta("densenet_basic", 40, 12), 32) == "160×32 160×16 304×16 304×8 448×8"
    assert maps_of(on_meta("densenet_bc", 100, 12), 32) == "216×32 108×16 300×16 150×8 342×8"


def test_initial_weights_are_torchvisions():
    """Convolutions start from other weights, or the dense layer with a bias: one seed must give the same network."""
    torch.manual_seed(0)
    theirs = torchvision.models.DenseNet(32, (2, 2, 2, 2), 64, num_classes=10).state_dict()
    torch.manual_seed(0)
    ours = DenseNet(SHORT, 10).state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_layer_sees_every_layer_before():
    """Dense connection is lost: layer l must take the input and all l - 1 outputs, in order (equation 2)."""
    torch.manual_seed(0)
    block, batch = DenseBlock(3, 5, 2).eval(), torch.randn(2, 5, 4, 4)
    maps = batch
    for layer in block.values():
        middle = layer.conv1(torch.relu(layer.norm1(maps)))
        maps = torch.cat([maps, layer.conv2(torch.relu(layer.norm2(middle)))], 1)
    assert maps.shape == (2, 5 + 3 * 2, 4, 4)
    torch.testing.assert_close(block(batch), maps)
    assert torch.equal(block(batch)[:, :5], batch)


def test_a_transition_by_hand():
    """Pooling comes before the convolution, rounds up, or the order BN-ReLU-conv is another."""
    torch.manual_seed(0)
    transition, maps = Transition(4, 2).eval(), torch.randn(1, 4, 5, 5)
    convolved = torch.relu(maps) * (1 + 1e-5) ** -0.5  # fresh BatchNorm divides by the root of 1 + eps
    convolved = torch.einsum("oi,nihw->nohw", transition.conv.weight[:, :, 0, 0], convolved)[..., :4, :4]
    expected = convolved.reshape(1, 2, 2, 2, 2, 2).mean((3, 5))
    torch.testing.assert_close(transition(maps), expected)


def step(model: nn.Module, batch: Tensor) -> list[Tensor]:
    """Output, gradients and buffers of one pass forward and backward."""
    torch.manual_seed(1)
    model.zero_grad()
    output = model(batch)
    output.square().sum().backward()
    return [output.detach(), *(p.grad.clone() for p in model.parameters()), *(b.clone() for b in model.buffers())]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("build", [densenet_basic, densenet_bc])
def test_checkpointing_changes_nothing(build, training):
    """Recomputing draws other dropout masks, moves running statistics twice, or leaves a BatchNorm changed."""
    torch.manual_seed(0)
    plain = build(16, 6, dropout=0.3).train(training)
    saving = build(16, 6, dropout=0.3, checkpointing=True).train(training)
    saving.load_state_dict(plain.state_dict(), strict=True)
    for _ in range(2):
        for expected, got in zip(step(plain, images(12)), step(saving, images(12)), strict=True):
            assert torch.equal(expected, got)
    assert [norm.momentum for norm in saving.modules() if isinstance(norm, nn.BatchNorm2d)] == [
        norm.momentum for norm in plain.modules() if isinstance(norm, nn.BatchNorm2d)
    ]


def test_checkpointing_changes_nothing_when_compiled():
    """The compiled form recomputes a change of the running statistics too, or breaks the graph."""
    torch.compiler.reset()
    torch.manual_seed(0)
    plain = densenet_bc(10, 6, checkpointing=True).train()
    compiled = torch.compile(copy.deepcopy(plain), fullgraph=True, backend="aot_eager")
    for expected, got in zip(step(plain, images(8)), step(compiled, images(8)), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)
    torch.compiler.reset()


@pytest.mark.parametrize(("checkpointing", "runs"), [(False, 1), (True, 2)])
def test_checkpointing_recomputes_what_comes_before_the_bottleneck(checkpointing, runs, monkeypatch):
    """The option does nothing, or works without a gradient too; only the first BatchNorm may run twice."""
    model = densenet_bc(10, 4, checkpointing=checkpointing)
    layer = model.features.denseblock1.denselayer1
    calls = []
    layer.norm1.register_forward_hook(lambda *_: calls.append("first"))
    layer.conv2.register_forward_hook(lambda *_: calls.append("second"))
    step(model, images(8))
    assert (calls.count("first"), calls.count("second")) == (runs, 1)
    calls.clear()
    monkeypatch.setattr(densenet, "checkpoint", None)  # without a gradient there is nothing to save
    with torch.no_grad():
        model(images(8))
    assert (calls.count("first"), calls.count("second")) == (1, 1)


def test_dropout_follows_every_convolution_but_the_first():
    """Dropout is missing behind a bottleneck or a transition, acts on the stem, or stays on in evaluation."""
    torch.manual_seed(0)
    model = densenet_bc(16, 8, dropout=0.5)
    shares: dict[str, float] = {}

    def record(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda _, inputs: shares.update({name: float((inputs[0] == 0).float().mean())})

    block = model.features.denseblock1
    block.denselayer1.norm1.register_forward_pre_hook(record("stem"))
    block.denselayer1.norm2.register_forward_pre_hook(record("bottleneck"))
    model.features.transition1.pool.register_forward_pre_hook(record("transition"))
    new = block(torch.randn(4, 16, 16, 16))[:, 16:]
    assert float((new == 0).float().mean()) == pytest.approx(0.5, abs=0.05)
    model(images(16, count=4))
    assert shares.pop("stem") == 0
    assert shares == pytest.approx({"bottleneck": 0.5, "transition": 0.5}, abs=0.05)
    model.eval()(images(16, count=4))
    assert max(shares.values()) == 0


def test_a_layer_without_bottleneck_is_one_convolution():
    """The basic form has the BatchNorm and convolution of a bottleneck all the same."""
    layer = DenseLayer(5, 3, bottleneck=0)
    assert [name for name, _ in layer.named_children()] == ["norm1", "relu1", "conv1"]
    assert layer.conv1.weight.shape == (3, 5, 3, 3)
    assert "bottleneck=0" in repr(layer)


@pytest.mark.parametrize("name", ["densenet_basic", "densenet_bc"])
def test_the_least_size_is_the_least_size(name):
    """The sentence names a size that fails, or refuses one that works; for the larger networks see `test_doors.py`."""
    model, least = on_meta(name).eval(), 4
    assert model(torch.empty(0, 3, least, least, device="meta")).shape[0] == 0
    assert model(torch.empty(1, 3, least, least, device="meta")).shape[0] == 1
    with pytest.raises(CourseError, match=f"at least {least}"):
        model(torch.empty(1, 3, least - 1, least, device="meta"))
    with pytest.raises(RuntimeError):
        model.features(torch.empty(1, 3, least - 1, least - 1, device="meta"))


@pytest.mark.parametrize(("stride", "blocks", "least"), [(2, 3, 7), (3, 2, 4), (4, 3, 13), (2, 1, 1)])
def test_the_least_size_with_a_stride_in_the_stem(stride, blocks, least):
    """The stem rounds down, its stride is ignored, or the sentence names another size than the network needs."""
    with torch.device("meta"):
        model = DenseNet(Configuration(2, (1,) * blocks, 4, small_images=True, stem_stride=stride), 10).eval()
    side = -(-28 // stride)
    assert model.features.conv0(torch.empty(1, 3, 28, 28, device="meta")).shape == (1, 4, side, side)
    assert model(torch.empty(1, 3, least, least, device="meta")).shape == (1, 10)
    with pytest.raises(CourseError, match=f"at least {least}"):
        model(torch.empty(1, 3, least - 1, least, device="meta"))
    with pytest.raises(RuntimeError):
        model.features(torch.empty(1, 3, least - 1, least - 1, device="meta"))


@pytest.mark.parametrize("training", [True, False])
def test_the_layers_of_the_exercises_are_those_of_the_network(training):
    """What learners write in lesson 14 is another layer or another transition than the package's."""
    from crashcourse.exercises import densenet as exercises

    torch.manual_seed(0)
    ours, theirs = DenseLayer(7, 2).train(training), exercises.BottleneckLayer(7, 2).train(training)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    maps = [torch.randn(2, channels, 4, 5) for channels in (3, 2, 2)]
    torch.testing.assert_close(theirs(maps), ours(maps))
    ours, theirs = Transition(7, 3).train(training), exercises.Transition(7).train(training)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    torch.testing.assert_close(theirs(torch.cat(maps, 1)), ours(torch.cat(maps, 1)))


@pytest.mark.parametrize("name", densenet.CONFIGURATIONS)
def test_the_channels_of_the_exercise_are_those_of_the_network(name):
    """What learners count in lesson 14 is another network."""
    from crashcourse.exercises.densenet import channels_through

    configuration = densenet.CONFIGURATIONS[name]
    counts = channels_through(
        configuration.stem_channels, configuration.growth, configuration.blocks, configuration.compression
    )
    expected = [int(row.split("×")[0]) for row in maps_of(on_meta(f"densenet{name}"), 224).split()]
    assert counts == expected


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: densenet_bc(101), "4 plus a multiple of 6.*10, 16.*101"),
        (lambda: densenet_basic(41), "4 plus a multiple of 3.*7, 10.*41"),
        (lambda: densenet_bc(4), "got 4"),
        (lambda: densenet_bc("100"), "got '100'"),
        (lambda: densenet_bc(10, 0), "growth"),
        (lambda: densenet_bc(10, 4, in_channels=0), "in_channels"),
        (lambda: densenet_bc(10, 4, dropout=1.0), "dropout < 1"),
        (lambda: densenet_bc(10, 4, 0), "num_classes"),
        (lambda: densenet.densenet121(0), "num_classes"),
        (lambda: densenet.densenet121(True), "num_classes"),
        (lambda: DenseNet(Configuration(4, (), 8)), "every block"),
        (lambda: DenseNet(Configuration(4, (1, 0), 8)), "every block"),
        (lambda: DenseNet(Configuration(4, (1,), 8, bottleneck=-1)), "bottleneck"),
        (lambda: DenseNet(Configuration(4, (1,), 8, stem_stride=0)), "stem_stride"),
        (lambda: DenseNet(Configuration(4, (1,), 8, compression=0.0)), "compression"),
        (lambda: densenet_bc(10, 4)(torch.zeros(1, 1, 8, 8)), "with 1 channels"),
        (lambda: densenet_bc(10, 4, in_channels=1)(torch.zeros(1, 3, 8, 8)), r"\(N, 1, H, W\)"),
        (lambda: densenet_bc(10, 4)(torch.zeros(1, 3, 8, 8, dtype=torch.uint8)), "/ 255"),
        (lambda: densenet_bc(10, 4)(torch.zeros(3, 8, 8)), r"images\[None\]"),
    ],
)
def test_what_is_refused_and_in_which_words(call, words):
    """A network of another form than asked for is built, or a slip ends in a stack trace from inside PyTorch."""
    with pytest.raises(CourseError, match=words):
        call()
