"""The contracts of `tests/contracts.py` for networks that give out a score for every pixel: one is asked otherwise."""

import torch
import torch.nn.functional as F

from tests.contracts import CONTRACTS, Contract, ModelCase, inputs, overfits_one_batch, training


def learns_masks_by_heart(case: ModelCase) -> None:
    """The network cannot learn the masks of even one batch: a broken path, initialisation or output."""
    model, batch = training(case, dropout=False), inputs(case)
    smooth = F.avg_pool2d(F.pad(batch, (2, 2, 2, 2), mode="replicate"), 5, stride=1).mean(1)
    height, width = case.output_shape[2:]
    top, left = (batch.shape[2] - height) // 2, (batch.shape[3] - width) // 2
    middle = smooth[:, top : top + height, left : left + width]
    masks = middle > middle.median()  # the brighter half of what the network answers for
    optimizer = torch.optim.Adam(model.parameters(), case.learning_rate, fused=True)
    for _ in range(case.steps):
        optimizer.zero_grad()
        scores = model(batch)
        towards = scores[:, 0] if scores.shape[1] == 1 else scores[:, 1] - scores[:, 0]
        loss = F.binary_cross_entropy_with_logits(towards, masks.float())
        if loss.item() < 0.1:
            break
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1, f"after {case.steps} steps the loss is {loss.item():.3f}"
    assert float(((towards > 0) == masks).float().mean()) > 0.95


INSTEAD: dict[Contract, Contract] = {overfits_one_batch: learns_masks_by_heart}

MASK_CONTRACTS = tuple(INSTEAD.get(contract, contract) for contract in CONTRACTS)
