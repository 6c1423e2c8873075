"""Tiny students and teachers, for the tests of what lesson 42 trains."""

from dataclasses import replace

import pytest

from crashcourse.datasets import garments
from crashcourse.recipes import distillation, missing_class
from crashcourse.recipes.base import Job, find
from crashcourse.recipes.distillation import few_labels

TINY = replace(find("distil_garments").scale("laptop"), epochs=4, images=40, batch_size=20)


def shrink(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the garments and a narrow teacher, so that a run takes a second; and no teacher from before."""
    import crashcourse.datasets

    few = {split: few_labels(garments(split), count, seed=0) for split, count in (("train", 400), ("test", 100))}
    monkeypatch.setattr(crashcourse.datasets, "garments", lambda split, size: few[split])
    monkeypatch.setattr(distillation, "WIDER", 2)
    monkeypatch.setattr(distillation, "TEACHERS", {"subset": {"epochs": 1, "batch_size": 25}})
    monkeypatch.setattr(distillation, "_TEACHERS", {})
    monkeypatch.setattr(missing_class, "HELD_OUT", 100)


def job(variant: str = "distilled", seed: int = 0, **changes: object) -> Job:
    """A run of `TINY`, changed."""
    return Job(replace(TINY, **changes), variant, seed, progress=False)
