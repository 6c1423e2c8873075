"""Squeeze-and-excitation by hand and against torchvision's; SE-ResNet-50 against timm's two forms."""

import pytest
import torch
import torchvision
from torch import Tensor, nn

from crashcourse.classification.resnet import resnet50
from crashcourse.classification.resnet_cifar import CifarResNet
from crashcourse.classification.senet import (
    SEBottleneck,
    SECifarBlock,
    SEResNet,
    SqueezeExcitation,
    added_parameters,
    changed_gates,
    gates_of,
    se_resnet50,
    squeezed_channels,
)
from crashcourse.errors import CourseError
from crashcourse.inspection import count_macs, count_parameters, summarize
from tests.contracts import CONTRACTS, ModelCase

CASES = [ModelCase("se_resnet50", lambda: se_resnet50(10), (3, 3, 32, 32), (3, 10))]


def images(size: int, count: int = 2) -> Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def assert_same(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5 * float(theirs.detach().abs().max()))


def on_meta() -> SEResNet:
    with torch.device("meta"):
        return se_resnet50()


def trained() -> SEResNet:
    """A network whose running means and variances are not 0 and 1."""
    torch.manual_seed(0)
    model = se_resnet50(10)
    for buffer in model.buffers():
        buffer.data.add_(torch.rand(buffer.shape).to(buffer.dtype))
    return model


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_contract(case, contract):
    contract(case)


def test_published_sizes():
    """A gate is missing or has another width, or a stride is in another place."""
    model = on_meta()
    assert count_parameters(model) == 28_088_024
    assert count_macs(model, (3, 224, 224)) / 1e9 == pytest.approx(4.09, rel=0.01)
    rows = summarize(model, (3, 224, 224), by="child")
    shapes = [row.output_shape for row in rows if row.name == "maxpool" or row.name.startswith("layer")]
    assert shapes == [(64, 56, 56), (256, 56, 56), (512, 28, 28), (1024, 14, 14), (2048, 7, 7)]


def test_the_gates_are_all_that_is_added_to_a_resnet50():
    """The network is another ResNet, or a gate sits outside of a block; 16 gates add 2,530,992 parameters."""
    gates = [module for module in on_meta().modules() if isinstance(module, SqueezeExcitation)]
    counts = {256: 3, 512: 4, 1024: 6, 2048: 3}
    assert [gate.fc1.in_channels for gate in gates] == [c for c, count in counts.items() for _ in range(count)]
    added = sum(count * added_parameters(channels) for channels, count in counts.items())
    assert added == sum(map(count_parameters, gates)) == 2_530_992
    with torch.device("meta"):
        plain = resnet50()
    assert count_parameters(on_meta()) == count_parameters(plain) + added
    assert set(plain.state_dict()) == {name for name in on_meta().state_dict() if ".se." not in name}


def test_open_gates_leave_the_resnet():
    """Something else than the gates differs from ResNet-50 with the same weights."""
    model, plain = trained(), resnet50(10)
    plain.load_state_dict({name: value for name, value in model.state_dict().items() if ".se." not in name})
    for module in model.modules():
        if isinstance(module, SqueezeExcitation):
            module.gate = nn.Hardtanh(1.0, 1.0 + 1e-12)  # whatever the score, the gate is 1
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(images(64)), plain.eval()(images(64)))


def as_published_by_the_authors(model: SEResNet) -> SEResNet:
    """Stride in the first 1×1 of a block and a pooling that rounds up, as in the authors' Caffe networks."""
    model.maxpool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
    for module in model.modules():
        if isinstance(module, SEBottleneck):
            module.conv1.stride, module.conv2.stride = module.conv2.stride, module.conv1.stride
    return model


def test_equals_the_authors_form_but_for_the_stride():
    """More than stride and the stem's pooling differs from the authors' network (timm's `legacy_seresnet50`)."""
    import timm

    ours, theirs = as_published_by_the_authors(trained()), timm.create_model("legacy_seresnet50", num_classes=10)
    renamed = {}
    for name, value in ours.state_dict().items():
        name = name.replace(".se.", ".se_module.").replace("fc.", "last_linear.", name.startswith("fc."))
        renamed[f"layer0.{name}" if name.startswith(("conv1", "bn1")) else name] = value
    theirs.load_state_dict(renamed, strict=True)
    with torch.no_grad():
        assert_same(ours.eval()(images(64)), theirs.eval()(images(64)))
    assert count_macs(as_published_by_the_authors(on_meta()), (3, 224, 224)) / 1e9 == pytest.approx(3.86, rel=0.01)


def test_a_block_by_hand():
    """Means, biases, the two nonlinearities or their order differ from equations 2 to 4."""
    block = SqueezeExcitation(2, reduction=2)
    weights = {"fc1.weight": [[[[1.0]], [[-2.0]]]], "fc1.bias": [1.0], "fc2.bias": [0.0, -1.0]}
    weights["fc2.weight"] = [[[[2.0]]], [[[0.5]]]]
    block.load_state_dict({name: torch.tensor(value) for name, value in weights.items()}, strict=True)
    maps = torch.tensor([[[[0.0, 4.0]], [[1.0, 0.0]]], [[[0.0, 0.0]], [[1.0, 1.0]]]])
    # Means (2, 1/2) and (0, 1); units ReLU(2 - 1 + 1) = 2 and ReLU(0 - 2 + 1) = 0; scores (4, 0) and (0, -1).
    gates = torch.tensor([[4.0, 0.0], [0.0, -1.0]]).sigmoid()[:, :, None, None]
    torch.testing.assert_close(block.gates(maps), gates)
    torch.testing.assert_close(block(maps), gates * maps)


def test_a_constant_gate_scales_all_alike():
    """With weights 0 the gate is σ(bias): 1/2 where that is 0, whatever the image."""
    block, maps = SqueezeExcitation(16), torch.randn(2, 16, 3, 3)
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    assert torch.equal(block(maps), maps / 2)


@pytest.mark.parametrize(
    ("activation", "gate"), [(nn.ReLU, nn.Sigmoid), (nn.SiLU, nn.Sigmoid), (nn.ReLU, nn.Hardsigmoid)]
)
def test_equals_torchvisions_block(activation, gate):
    """The block of EfficientNet (SiLU) or of MobileNet v3 (hard sigmoid) cannot be made of this one."""
    torch.manual_seed(0)
    theirs = torchvision.ops.SqueezeExcitation(12, 5, activation=activation, scale_activation=gate)
    ours = SqueezeExcitation(12, squeezed=5, activation=activation, gate=gate)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    maps = torch.randn(2, 12, 4, 6)
    assert_same(ours(maps), theirs(maps))


def test_the_gate_comes_before_the_shortcut():
    """The sum is gated instead of the residual: with closed gates a block must be its shortcut (figure 3)."""
    torch.manual_seed(0)
    block, maps = SEBottleneck(256, 64).eval(), torch.randn(2, 256, 4, 4).relu()
    nn.init.constant_(block.se.fc2.bias, -1e4)
    torch.testing.assert_close(block(maps), maps)


def small(shortcut: str = "A") -> CifarResNet:
    """The ResNet of 8 layers for small images, gated, in evaluation mode."""
    torch.manual_seed(0)
    return CifarResNet(8, shortcut=shortcut, block=SECifarBlock).eval()


@pytest.mark.parametrize("shortcut", ["A", "B", "none"])
def test_a_small_network_is_the_resnet_with_gates(shortcut):
    """A block for small images differs from lesson 13's in more than its gate, or is gated in another place."""
    model = small(shortcut)
    torch.manual_seed(1)
    plain = CifarResNet(8, shortcut=shortcut).eval()
    plain.load_state_dict({name: value for name, value in model.state_dict().items() if ".se." not in name})
    assert count_parameters(model) == count_parameters(plain) + sum(map(added_parameters, (16, 32, 64)))
    with torch.no_grad(), changed_gates(model, lambda place, gates: torch.ones_like(gates)):
        torch.testing.assert_close(model(images(32)), plain(images(32)))


@pytest.mark.parametrize("stride", [1, 2])
def test_a_small_block_gates_its_residual_before_the_sum(stride):
    """The sum is gated, or what comes in is: with closed gates a block must be its shortcut."""
    torch.manual_seed(0)
    block, maps = SECifarBlock(16, 16, stride).eval(), torch.randn(2, 16, 6, 6).relu()
    nn.init.constant_(block.se.fc2.bias, -1e4)
    torch.testing.assert_close(block(maps), maps[:, :, ::stride, ::stride])


def test_gates_of_every_block_in_order():
    """Gates come in another order, of the wrong maps, or the network is left with hooks."""
    model, batch = small(), images(32, count=3)
    found = gates_of(model, batch)
    assert [tuple(gates.shape) for gates in found] == [(3, 16), (3, 32), (3, 64)]
    with torch.no_grad():
        x = model.relu(model.bn1(model.conv1(batch)))
        block = model.layer1[0]
        residual = block.bn2(block.conv2(block.relu(block.bn1(block.conv1(x)))))
        torch.testing.assert_close(found[0], block.se.gates(residual).flatten(1))
    assert not any(module._forward_hooks for module in model.modules())
    assert not any(gates.requires_grad for gates in found)


def test_changed_gates_are_used_inside_only():
    """A change reaches the wrong block, is not used by the blocks after it, or stays after the `with`."""
    model, batch = small(), images(32)
    own = gates_of(model, batch)
    with torch.no_grad():
        before = model(batch)
        with changed_gates(model, lambda place, gates: 2 * gates if place == 1 else gates):
            inside, changed = gates_of(model, batch), model(batch)
        after = model(batch)
    torch.testing.assert_close(inside[:2], own[:2])  # what block 1 computes itself does not change
    assert not torch.allclose(inside[2], own[2])
    assert not torch.allclose(changed, before)
    assert torch.equal(after, before)


def test_an_error_inside_leaves_the_network_as_it_was():
    """After a slip in `change` the network would go on with hooks on it."""
    model = small()
    with pytest.raises(ZeroDivisionError), changed_gates(model, lambda place, gates: 1 / 0):
        model(images(32))
    assert not any(module._forward_hooks for module in model.modules())


def test_a_network_without_gates_has_none_to_show():
    """An empty list, or a change without any effect, would pass for a result."""
    with pytest.raises(CourseError, match="no SqueezeExcitation block"):
        gates_of(CifarResNet(8), images(32))


def test_squeezed_channels():
    """The layer between is rounded otherwise, or `squeezed` and `reduction` are mixed up."""
    assert [squeezed_channels(channels) for channels in (16, 31, 256)] == [1, 1, 16]
    assert SqueezeExcitation(96, reduction=24).fc1.out_channels == 4
    assert SqueezeExcitation(96, squeezed=24).fc1.out_channels == 24
    assert added_parameters(12, 3) == count_parameters(SqueezeExcitation(12, reduction=3))
    assert SEResNet("50", 10, reduction=32).layer1[0].se.fc1.out_channels == 8


def test_the_deeper_variants():
    """The rows for 101 and 152 are not the paper's: so many layers have weights, gates and shortcuts not counted."""
    for variant in ("101", "152"):
        with torch.device("meta"):
            model = SEResNet(variant)
        names = [n for n, m in model.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear)) and ".se." not in n]
        assert sum("downsample" not in name for name in names) == int(variant)


def test_an_empty_batch_and_the_least_image():
    """The last, empty batch of a filtered data set stops a run, or the sentence names another size than it takes."""
    model = on_meta().eval()
    assert model(torch.empty(0, 3, 32, 32, device="meta")).shape == (0, 1000)
    assert model(torch.empty(1, 3, 32, 32, device="meta")).shape == (1, 1000)
    with pytest.raises(CourseError, match="at least 32"):
        model(torch.empty(1, 3, 32, 31, device="meta"))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: SqueezeExcitation(8), "reduction one from 1 to channels; got 8 and 16"),
        (lambda: SqueezeExcitation(0), "got 0 and 16"),
        (lambda: SqueezeExcitation(8, reduction=0), "got 8 and 0"),
        (lambda: SqueezeExcitation(8, reduction=2.0), "got 8 and 2.0"),
        (lambda: SqueezeExcitation(8, squeezed=0), "squeezed"),
        (lambda: SqueezeExcitation(True, squeezed=1), "channels and squeezed"),
        (lambda: added_parameters(8, 9), "got 8 and 9"),
        (lambda: SEResNet("50", reduction=257), "got 256 and 257"),
        (lambda: SEResNet("18"), "variant of SE-ResNet named '18'"),
        (lambda: se_resnet50(0), "num_classes"),
        (lambda: se_resnet50(True), "num_classes"),
        (lambda: on_meta()(torch.empty(1, 1, 32, 32)), "with 1 channels"),
        (lambda: on_meta()(torch.empty(3, 32, 32)), r"images\[None\]"),
        (lambda: on_meta()(torch.empty(1, 3, 32, 32, dtype=torch.uint8)), "/ 255"),
    ],
)
def test_what_is_refused_and_in_which_words(call, words):
    """A network of another form than asked for is built, or a slip ends in a stack trace from inside PyTorch."""
    with pytest.raises(CourseError, match=words):
        call()
