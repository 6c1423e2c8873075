"""The contracts of `tests/contracts.py` for networks that give out images: three of them are asked otherwise."""

import torch
import torch.nn.functional as F

from tests.contracts import (
    CONTRACTS,
    Contract,
    ModelCase,
    bfloat16_autocast_agrees,
    evaluating,
    inputs,
    overfits_one_batch,
    silent_parameters,
    training,
    trains_in_bfloat16,
)


def learns_one_batch_by_heart(case: ModelCase) -> None:
    """The network cannot turn even one noisy batch into given smooth images: a broken path or initialisation."""
    model = training(case)
    batch = inputs(case)
    smooth = F.avg_pool2d(F.pad(batch, (3, 3, 3, 3), mode="replicate"), 7, stride=1)
    target = F.interpolate(smooth, size=case.output_shape[2:], mode="bilinear")
    optimizer = torch.optim.Adam(model.parameters(), case.learning_rate, fused=True)
    goal = 0.05 * float(target.var())  # to give out the input would leave about four times as much
    for _ in range(case.steps):
        optimizer.zero_grad()
        loss = F.mse_loss(model(batch), target)
        if loss.item() < goal:
            return
        loss.backward()
        optimizer.step()
    raise AssertionError(
        f"after {case.steps} steps the error is {loss.item() / float(target.var()):.3f} of the images'"
    )


@torch.no_grad()
def bfloat16_autocast_is_near(case: ModelCase) -> None:
    """Mixed precision fails, or loses more than bfloat16's 8 bits explain. What is added at the end may be float32."""
    model, batch = evaluating(case), inputs(case)
    expected = model(batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = model(batch)
    assert got.dtype in (torch.bfloat16, torch.float32)
    assert (got.float() - expected).norm() <= 0.05 * expected.norm()


def trains_in_bfloat16_too(case: ModelCase) -> None:
    """A step of mixed precision, in channels-last as it is used, fails or leaves a parameter without a gradient."""
    model = training(case).to(memory_format=torch.channels_last)
    torch.manual_seed(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(inputs(case).contiguous(memory_format=torch.channels_last))
    output.float().square().sum().backward()
    assert silent_parameters(model) == []


INSTEAD: dict[Contract, Contract] = {
    overfits_one_batch: learns_one_batch_by_heart,
    bfloat16_autocast_agrees: bfloat16_autocast_is_near,
    trains_in_bfloat16: trains_in_bfloat16_too,
}

IMAGE_CONTRACTS = tuple(INSTEAD.get(contract, contract) for contract in CONTRACTS)
