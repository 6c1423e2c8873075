"""Started by torchrun in the tests: train on shards and save what process 0 has."""

import sys

import torch
from training_helpers import TinyBatches, classify, sgd, tiny_model

from crashcourse.errors import CourseError
from crashcourse.training import Checkpoint, Machine, fit, one_cycle


class Unsplittable:
    """Batches without `shard`."""

    def __len__(self) -> int:
        return 1

    def epoch(self, index: int) -> list[torch.Tensor]:
        return [torch.zeros(2, 1, 8, 8)]


def main(result: str) -> None:
    torch.set_num_threads(1)
    rank = torch.distributed.get_rank if torch.distributed.is_initialized() else lambda: 0
    model = tiny_model(batch_norm=False)
    history = fit(
        model,
        TinyBatches(count=5, size=9),  # 9 samples make parts of 5 and 4
        classify,
        epochs=3,
        optimizer=sgd,
        schedule=one_cycle(),
        evaluate=lambda model: {"bias": float(model[0].bias[0])},
        accumulate=2,
        clip_norm=1.0,
        checkpoint=Checkpoint(f"{result}.checkpoint", every=2),
        machine=Machine(device="cpu"),
    )
    sentence = ""
    if torch.distributed.is_initialized():
        rank = torch.distributed.get_rank
        try:
            fit(tiny_model(), Unsplittable(), classify, epochs=1, optimizer=sgd, machine=Machine(device="cpu"))
        except CourseError as error:
            sentence = str(error)
    if rank() == 0:
        torch.save({"model": model.state_dict(), "epochs": history.epochs, "sentence": sentence}, result)


if __name__ == "__main__":
    main(sys.argv[1])
