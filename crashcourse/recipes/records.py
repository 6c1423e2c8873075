"""Records of training runs: what was measured, on what, when, and how often.

A record is a JSON file `NAME.SCALE.json` that only `study` writes. Lessons quote its fields in their prose.
"""

import json
import math
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from crashcourse import places
from crashcourse.errors import CourseError, unknown
from crashcourse.files import read_json, write_atomically
from crashcourse.recipes.base import find

STATISTICS = ("std", "min", "max")


@dataclass(frozen=True)
class Seed:
    """One finished run of a study.

    Attributes:
        seed: the run's seed.
        metrics: on test data, after the last epoch.
        curves: metric -> one value per epoch.
        seconds: the time that training took.
        parameters: how many the model has.
    """

    seed: int
    metrics: dict[str, float]
    curves: dict[str, list[float]]
    seconds: float
    parameters: int


@dataclass(frozen=True)
class Record:
    """A whole study, as recorded.

    Attributes:
        recipe, scale: what was run.
        date: the day on which it ended, as 2026-01-31.
        hardware: the device's name, with threads or the number of GPUs.
        versions: library -> version.
        settings: the budget that every run had.
        variants: variant -> its runs, the recipe's default first.
        descriptions: variant -> what it differs in.
    """

    recipe: str
    scale: str
    date: str
    hardware: str
    versions: dict[str, str]
    settings: dict[str, Any]
    variants: dict[str, list[Seed]]
    descriptions: dict[str, str] = field(default_factory=dict)

    def field(self, path: str) -> float | int | str:
        """A field, by the name under which prose quotes it.

        Of the default variant, or of another as "VARIANT.FIELD": a metric's mean over seeds ("accuracy"), its spread
        ("accuracy_std", "accuracy_min", "accuracy_max"; std is the sample's, n - 1), "seeds" (how many), "seconds"
        (mean of one run), "parameters". Of the whole record: "hardware", "date", "torch" and other versions, "epochs"
        and other settings, "total_seconds".

        Raises:
            CourseError: there is no such field (the nearest is suggested), or the spread of a single seed is asked for.
        """
        variant, dot, name = path.rpartition(".")
        if dot and variant not in self.variants:
            raise unknown(f"variant in the record {self.recipe}.{self.scale}", variant, self.variants)
        if not dot:
            general = self._general()
            if name in general:
                return general[name]
            variant = next(iter(self.variants))
        return self._of_variant(self.variants[variant], name, [] if dot else list(self._general()))

    def curves(self, metric: str, variant: str | None = None) -> list[list[float]]:
        """A metric's curve for every seed of a variant: one value per epoch.

        Raises:
            CourseError: the record has no such variant or metric.
        """
        variant = variant or next(iter(self.variants))
        if variant not in self.variants:
            raise unknown("variant", variant, self.variants)
        runs = self.variants[variant]
        if metric not in runs[0].curves:
            raise unknown("curve", metric, runs[0].curves)
        return [run.curves[metric] for run in runs]

    def _general(self) -> dict[str, float | int | str]:
        seconds = sum(run.seconds for runs in self.variants.values() for run in runs)
        whole = {"hardware": self.hardware, "date": self.date, "total_seconds": seconds}
        return {**self.settings, **self.versions, **whole}

    def _of_variant(self, runs: list[Seed], name: str, others: list[str]) -> float | int:
        if name == "seeds":
            return len(runs)
        if name == "seconds":
            return statistics.fmean(run.seconds for run in runs)
        if name == "parameters":
            return runs[0].parameters
        metric, _, kind = name.rpartition("_")
        if kind not in STATISTICS or metric not in runs[0].metrics:
            metric, kind = name, "mean"
        if metric not in runs[0].metrics:
            spread = [f"{m}_{s}" for m in runs[0].metrics for s in STATISTICS]
            known = [*runs[0].metrics, *spread, "seeds", "seconds", "parameters", *others]
            raise unknown(f"field in the record {self.recipe}.{self.scale}", name, known)
        values = [run.metrics[metric] for run in runs]
        if kind == "std" and len(values) == 1:
            raise CourseError(f"{self.recipe}.{self.scale} holds one seed, so {name} is not known. Record more seeds.")
        return {"mean": statistics.fmean, "std": statistics.stdev, "min": min, "max": max}[kind](values)

    def write(self) -> Path:
        """Write the record where records belong, whole or not at all. Only `study` does this.

        Returns:
            The file: in the project for a clone, in the learner's folder otherwise.

        Raises:
            CourseError: the folder cannot be written.
        """
        path = folder_for_new() / f"{self.recipe}.{self.scale}.json"
        write_atomically(path, json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")
        return path

    @classmethod
    def read(cls, path: Path) -> "Record":
        """Read a record from its file.

        Raises:
            CourseError: the file is missing, cut short, or not a record.
        """
        values = read_json(path)
        try:
            runs = {name: [Seed(**run) for run in found] for name, found in values.pop("variants").items()}
            record = cls(**values, variants=runs)
            numbers = [v for found in runs.values() for run in found for v in (run.seconds, *run.metrics.values())]
            if not runs or not all(runs.values()) or not all(math.isfinite(number) for number in numbers):
                raise ValueError("a variant without runs, or a number that is not finite")
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise CourseError(f"{path} is not a record of a training run ({error}). Run its study again.") from error
        return record


def folder_for_new() -> Path:
    """Where a study writes: the project's records in a clone, the learner's own folder in an installed course."""
    return places.records_dir() if places.in_clone() else places.home_dir() / "records"


def load_record(name: str, scale: str) -> Record | None:
    """The record of a recipe at a scale; the course's own before one that was made on this computer.

    Returns:
        The record, or None where the run has not been recorded yet.

    Raises:
        CourseError: an unknown recipe or scale, or a file that is not a record.
    """
    find(name).scale(scale)
    for folder in (places.records_dir(), folder_for_new()):
        path = folder / f"{name}.{scale}.json"
        if path.exists():
            return Record.read(path)
    return None
