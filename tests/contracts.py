"""Contracts that every network keeps, over any table of models.

A room lists its networks as `ModelCase`s, in a form small enough for one core, and runs each of `CONTRACTS` on each:

    @pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    def test_contract(case, contract):
        contract(case)

Every contract is a function of a case that raises AssertionError; its docstring says what breaks when it fails. A case
bears the name of the room's network that it tries; `kept_by` says for which networks a room's tests run which contract.
"""

import copy
import importlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class ModelCase:
    """A network and how to try it.

    Attributes:
        name: for the test's name.
        build: makes the network, from the global random state.
        input_shape: (N, C, H, W) of a small batch, N >= 2, as small as the network takes.
        output_shape: of the output for that batch.
        scale: what inputs of about unit variance are multiplied by.
        learning_rate: of Adam, for overfitting one batch.
        steps: how many steps of it suffice at most.
    """

    name: str
    build: Callable[[], nn.Module]
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    scale: float = 1.0
    learning_rate: float = 1e-3
    steps: int = 60


@lru_cache(maxsize=1)
def fresh(case: ModelCase) -> nn.Module:
    """The case's network, built once for consecutive contracts; contracts that train it work on a copy."""
    torch.manual_seed(0)
    return case.build()


def inputs(case: ModelCase, seed: int = 0) -> Tensor:
    """The case's batch, the same every time: smooth patches with some noise, as far apart as images are."""
    generator = torch.Generator().manual_seed(seed)
    patches = torch.randn(*case.input_shape[:2], 3, 3, generator=generator)
    smooth = F.interpolate(patches, size=case.input_shape[2:], mode="bilinear")
    return case.scale * (smooth + 0.3 * torch.randn(case.input_shape, generator=generator))


def evaluating(case: ModelCase) -> nn.Module:
    return fresh(case).eval()


def training(case: ModelCase, *, dropout: bool = True) -> nn.Module:
    """A copy in training mode: BatchNorm's statistics follow the batch."""
    model = copy.deepcopy(fresh(case)).train()
    for module in model.modules():
        if isinstance(module, nn.Dropout) and not dropout:
            module.p = 0.0
    return model


@torch.no_grad()
def output_has_its_shape(case: ModelCase) -> None:
    """The network computes something of another shape, or infinite."""
    output = evaluating(case)(inputs(case))
    assert output.shape == case.output_shape
    assert output.isfinite().all()


def every_parameter_learns(case: ModelCase) -> None:
    """A layer was built and never used, or its gradient vanishes or explodes."""
    model = training(case)
    torch.manual_seed(1)
    model(inputs(case)).square().sum().backward()
    assert silent_parameters(model) == []


def silent_parameters(model: nn.Module) -> list[str]:
    """Names of the parameters without a gradient of finite numbers, or with nothing but zeros."""
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    return [name for name, grad in gradients.items() if grad is None or not grad.isfinite().all() or not grad.any()]


@torch.no_grad()
def examples_do_not_mix(case: ModelCase) -> None:
    """In evaluation, an example's output depends on its neighbours in the batch, or a batch of one fails."""
    model, batch = evaluating(case), inputs(case)
    together = model(batch)
    alone = torch.cat([model(example[None]) for example in batch])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5 * float(together.abs().max()))


def examples_do_not_leak_gradient(case: ModelCase) -> None:
    """The output of one example has a gradient at another one's input."""
    batch = inputs(case).requires_grad_()
    evaluating(case)(batch)[0].sum().backward()
    assert batch.grad[0].any()
    assert not batch.grad[1:].any()


@torch.no_grad()
def evaluation_is_deterministic(case: ModelCase) -> None:
    """Dropout stays on in evaluation, or a forward pass changes the network or its input."""
    model, batch = evaluating(case), inputs(case)
    before = {name: value.clone() for name, value in model.named_buffers()}
    first, second = model(batch), model(batch)
    assert torch.equal(first, second)
    assert torch.equal(batch, inputs(case))
    assert all(torch.equal(value, before[name]) for name, value in model.named_buffers())


def training_is_deterministic(case: ModelCase) -> None:
    """The same seed gives other dropout masks or another gradient."""
    model = training(case)
    outputs = []
    for _ in range(2):
        torch.manual_seed(3)
        outputs.append(model(inputs(case)).detach())
    assert torch.equal(*outputs)


def construction_is_random_by_seed(case: ModelCase) -> None:
    """Two seeds build the same network, or one seed builds two."""
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        states.append(next(case.build().parameters()).detach().clone())
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def overfits_one_batch(case: ModelCase) -> None:
    """The network cannot learn even a handful of examples by heart: a broken path, initialisation or output."""
    model = training(case, dropout=False)
    batch = inputs(case)
    labels = torch.arange(len(batch)) % case.output_shape[1]
    optimizer = torch.optim.Adam(model.parameters(), case.learning_rate, fused=True)
    for _ in range(case.steps):
        optimizer.zero_grad()
        scores = model(batch)
        loss = F.cross_entropy(scores, labels)
        if loss.item() < 0.1:
            break
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1, f"after {case.steps} steps the loss is {loss.item():.3f}"
    assert torch.equal(scores.argmax(1), labels)


@torch.no_grad()
def channels_last_agrees(case: ModelCase) -> None:
    """A `view` or a reshape assumes one memory layout and scrambles channels in the other.

    In float64: the rounding of float32 grows with an untrained network's outputs, and differs between processors.
    """
    batch = inputs(case).double()
    model = copy.deepcopy(evaluating(case)).double()
    expected = model(batch)
    model = model.to(memory_format=torch.channels_last)
    got = model(batch.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-7 * float(expected.abs().max()))


def trains_in_channels_last(case: ModelCase) -> None:
    """A step of training computes another output, gradient or statistic in the other memory layout.

    In float64, because BatchNorm over a few values magnifies rounding; without dropout, whose masks are drawn in the
    order of memory.
    """
    steps = []
    for layout in (torch.contiguous_format, torch.channels_last):
        model = training(case, dropout=False).double().to(memory_format=layout)
        torch.manual_seed(3)
        output = model(inputs(case).double().contiguous(memory_format=layout))
        output.square().sum().backward()
        gradient = torch.cat([parameter.grad.flatten() for parameter in model.parameters()])
        statistics = [buffer.double().flatten() for buffer in model.buffers()]
        steps.append((output.detach(), gradient, torch.cat(statistics) if statistics else output.new_zeros(1)))
    for expected, got in zip(*steps, strict=True):
        assert (got - expected).norm() <= 1e-4 * expected.norm()


def trains_in_bfloat16(case: ModelCase) -> None:
    """A step of mixed precision, in channels-last as it is used, fails or leaves a parameter without a gradient."""
    model = training(case).to(memory_format=torch.channels_last)
    torch.manual_seed(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(inputs(case).contiguous(memory_format=torch.channels_last))
    assert output.dtype == torch.bfloat16
    output.float().square().sum().backward()
    assert silent_parameters(model) == []


@torch.no_grad()
def bfloat16_autocast_agrees(case: ModelCase) -> None:
    """Mixed precision fails, or loses more than bfloat16's 8 bits explain."""
    model, batch = evaluating(case), inputs(case)
    expected = model(batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = model(batch)
    assert got.dtype == torch.bfloat16
    assert (got.float() - expected).norm() <= 0.05 * expected.norm()


def exports(case: ModelCase) -> None:
    """`torch.export` meets Python that depends on data, or the exported program computes something else."""
    model, batch = evaluating(case), inputs(case)
    dynamic = {0: torch.export.Dim("batch", min=1, max=64)}
    program = torch.export.export(model, (batch,), dynamic_shapes=(dynamic,)).module()
    with torch.no_grad():
        expected = model(batch[:1])
        torch.testing.assert_close(program(batch[:1]), expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def compiles_whole(case: ModelCase) -> None:
    """`torch.compile` breaks the graph, or the compiled network or its gradient differ."""
    torch.compiler.reset()
    model, batch = evaluating(case), inputs(case).requires_grad_()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    expected, got = model(batch), compiled(batch)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5 * float(expected.detach().abs().max()))
    wanted = torch.autograd.grad(expected.sum(), batch)[0]
    gradient = torch.autograd.grad(got.sum(), batch)[0]
    torch.testing.assert_close(gradient, wanted, rtol=1e-3, atol=1e-4 * float(wanted.abs().max()))
    torch.compiler.reset()


def state_round_trips(case: ModelCase) -> None:
    """Something the network needs is neither parameter nor buffer, so that saved weights do not restore it."""
    torch.manual_seed(5)
    other = case.build().eval()
    other.load_state_dict(evaluating(case).state_dict(), strict=True)
    with torch.no_grad():
        assert torch.equal(other(inputs(case)), evaluating(case)(inputs(case)))


Contract = Callable[[ModelCase], None]

CONTRACTS: tuple[Contract, ...] = (
    output_has_its_shape,
    every_parameter_learns,
    examples_do_not_mix,
    examples_do_not_leak_gradient,
    evaluation_is_deterministic,
    training_is_deterministic,
    construction_is_random_by_seed,
    overfits_one_batch,
    channels_last_agrees,
    trains_in_channels_last,
    bfloat16_autocast_agrees,
    trains_in_bfloat16,
    exports,
    compiles_whole,
    state_round_trips,
)


# ---- for deep networks


def exports_as_shapes(case: ModelCase) -> None:
    """`exports` for deep networks, on the meta device: nothing is computed, and the program takes other batches."""
    model, batch = on_meta(case)
    dynamic = {0: torch.export.Dim("batch", min=1, max=64)}
    program = torch.export.export(model, (batch,), dynamic_shapes=(dynamic,)).module()
    assert program(batch[:1]).shape == (1, *case.output_shape[1:])


def compiles_as_shapes(case: ModelCase) -> None:
    """`compiles_whole` for deep networks, on the meta device: one graph from end to end, nothing is computed."""
    torch.compiler.reset()
    model, batch = on_meta(case)
    assert torch.compile(model, fullgraph=True, backend="eager")(batch).shape == case.output_shape
    torch.compiler.reset()


def on_meta(case: ModelCase) -> tuple[nn.Module, Tensor]:
    """The case's network, evaluating, and its batch, both as shapes without numbers."""
    with torch.device("meta"):
        return case.build().eval(), torch.empty(case.input_shape)


AS_SHAPES = {exports: exports_as_shapes, compiles_whole: compiles_as_shapes}
"""What takes too long for deep networks -> what shows as much of it as can be seen without numbers."""

DEEP_CONTRACTS = tuple(AS_SHAPES.get(contract, contract) for contract in CONTRACTS)


def kept_by(folder: Path) -> dict[str, dict[Contract, ModelCase]]:
    """Name of a network -> the contracts that the tests of this folder run with it, and the case that they run.

    Reads the marks of the tests, so that a case that is listed and never tried does not count.
    """
    kept: dict[str, dict[Contract, ModelCase]] = defaultdict(dict)
    for path in sorted(folder.glob("test_*.py")):
        if "tests.contracts" not in path.read_text(encoding="utf-8"):
            continue
        for test in list(vars(importlib.import_module(f"tests.{folder.name}.{path.stem}")).values()):
            marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
            values = [value for mark in marks for value in mark.args[1]]
            for case in (value for value in values if isinstance(value, ModelCase)):
                kept[case.name] |= {value: case for value in values if value in (*CONTRACTS, *DEEP_CONTRACTS)}
    return dict(kept)
