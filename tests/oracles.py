"""Our networks against other people's: the same random weights in both, the same numbers out.

`tests/others.py` names for each row of `MODELS` the same network by somebody else, and
`classification/test_oracles.py` compares them all. A test file may compare a pair of its own:

    ours, theirs = twins(mobilenet_v2, torchvision.models.mobilenet_v2)
    assert_same_names(mobilenet_v2, torchvision.models.mobilenet_v2)
    assert_same_outputs(ours, theirs, images(64))
    assert_same_training(ours, theirs, images(64))
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

Builder = Callable[[], nn.Module]
Pair = tuple[nn.Module, nn.Module]


def on_meta(build: Builder) -> nn.Module:
    """The network as shapes, without numbers."""
    with torch.device("meta"):
        return build()


def twins(build_ours: Builder, build_theirs: Builder, *, gain: float = 6.0) -> Pair:
    """Both networks with the same random weights, matched by name, or by order where names differ.

    The parameters are the same tensors, which halves the memory; running statistics are each network's own.

    Args:
        build_ours, build_theirs: make them; called on the meta device.
        gain: the variance of a layer's weights times its inputs, thrice: 6 keeps the size of a signal through ReLUs.
    """
    ours, theirs = on_meta(build_ours), on_meta(build_theirs)
    generator = torch.Generator().manual_seed(0)
    weights = {key: _fill(key, shape, generator, gain) for key, shape in theirs.state_dict().items()}
    theirs.load_state_dict(weights, strict=True, assign=True)
    own = {key for key, _ in theirs.named_buffers()}  # a network changes these, and never its parameters here
    values = {key: value.clone() if key in own else value for key, value in weights.items()}
    if set(values) != set(ours.state_dict()):
        values = dict(zip(ours.state_dict(), values.values(), strict=True))
    ours.load_state_dict(values, strict=True, assign=True)
    return ours, theirs


def _fill(key: str, shape: Tensor, generator: torch.Generator, gain: float) -> Tensor:
    """Random values that keep the signal's size, and none that is a fresh network's (BatchNorm's 0 and 1)."""
    if key.endswith("num_batches_tracked"):
        return torch.tensor(3)
    values = torch.empty(shape.shape).uniform_(-1, 1, generator=generator)
    if shape.ndim == 1:
        return values.abs_().add_(0.5) if key.endswith(("weight", "running_var")) else values.mul_(0.1)
    return values.mul_((gain / shape[0].numel()) ** 0.5)


def images(size: int, count: int = 2) -> Tensor:
    """(count, 3, size, size) float, the same every time."""
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def assert_close(got: Tensor, expected: Tensor) -> None:
    """Equal to 1e-5 of the largest value, of which what differs between the images is a hundredth or more."""
    assert expected.isfinite().all()
    assert expected.std(0).max() > 0.01 * expected.abs().max(), "the images hardly matter: nothing is compared"
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


def assert_same_names(build_ours: Builder, build_theirs: Builder, *, in_order: bool = True) -> None:
    """Names, shapes and order of all parameters and buffers agree, and weights load strictly both ways."""
    ours, theirs = on_meta(build_ours), on_meta(build_theirs)
    shapes = [[(key, tuple(value.shape)) for key, value in m.state_dict().items()] for m in (ours, theirs)]
    assert dict(shapes[0]) == dict(shapes[1])
    assert shapes[0] == shapes[1] or not in_order
    theirs.load_state_dict(ours.state_dict(), strict=True, assign=True)
    ours.load_state_dict(theirs.state_dict(), strict=True, assign=True)


@torch.no_grad()
def assert_same_outputs(ours: nn.Module, theirs: nn.Module, batch: Tensor) -> None:
    """Evaluation mode: the same function of the same weights."""
    assert_close(ours.eval()(batch), theirs.eval()(batch))


@torch.no_grad()
def assert_same_training(ours: nn.Module, theirs: nn.Module, batch: Tensor) -> None:
    """Training mode from one seed: the same masks, outputs, running statistics and use of random numbers."""
    results, following = [], []
    for model in (ours.train(), theirs.train()):
        torch.manual_seed(2)
        outputs = model(batch)
        results.append((outputs,) if isinstance(outputs, Tensor) else outputs)
        following.append(torch.rand(1))
    for got, expected in zip(*results, strict=True):
        assert_close(got, expected)
    assert torch.equal(*following), "one network drew more random numbers than the other"
    for got, expected in zip(ours.buffers(), theirs.buffers(), strict=True):
        torch.testing.assert_close(got, expected)
