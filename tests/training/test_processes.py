"""Several processes: the same result as one, for the same global batch."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent


def start(program: list[str], result: Path) -> tuple[dict[str, object], str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CRASHCOURSE_STATIC": "1", "PYTHONPATH": str(HERE)}
    done = subprocess.run(
        [sys.executable, *program, str(HERE / "two_processes.py"), str(result)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return torch.load(result), done.stdout


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def test_two_processes_give_the_result_of_one(tmp_path: Path) -> None:
    """Fails if shards repeat samples, uneven parts weigh alike, or both processes print or write."""
    one, line = start([], tmp_path / "one.pt")
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-addr", "127.0.0.1"]
    two, lines = start([*torchrun, "--master-port", str(free_port())], tmp_path / "two.pt")
    for name, weight in one["model"].items():
        torch.testing.assert_close(two["model"][name], weight, rtol=0, atol=1e-6)
    for a, b in zip(one["epochs"], two["epochs"], strict=True):
        assert a == pytest.approx(b, abs=1e-6)
    assert line.count("trained 3 epochs of 5 batches") == lines.count("trained 3 epochs of 5 batches") == 1
    assert "2 processes share the work, but Unsplittable has no shard(rank, world)" in two["sentence"]
