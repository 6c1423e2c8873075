"""Studies: several variants, several seeds, one record. An interrupted study goes on where it was."""

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from importlib.metadata import version
from pathlib import Path

import torch

import crashcourse
from crashcourse import places
from crashcourse.errors import CourseError
from crashcourse.files import locked, read_json, write_atomically
from crashcourse.recipes.base import Recipe, Run, find, train
from crashcourse.recipes.records import Record, Seed
from crashcourse.recipes.showing import record_table
from crashcourse.recipes.weights import Card, save_weights
from crashcourse.training import Checkpoint
from crashcourse.training.machine import Machine, agree, join


def study(name: str, *, scale: str = "study", seeds: int = 3, variants: Sequence[str] | None = None) -> Record:
    """Run a recipe for several seeds and variants, print a line for each run, and write the record at the end.

    Finished runs are kept in the learner's folder until then, and the run under way has a checkpoint there: the same
    call goes on from them after an interruption. Under `torchrun` all processes share each run and one writes.
    At gpu scale the weights of the default variant's first seed are written beside the record, with a card.

    Args:
        name: a recipe, such as "vgg_garments".
        scale: "laptop", "study" or "gpu".
        seeds: how many; they are 0, 1, 2, ...
        variants: which to compare; those of the scale by default.

    Raises:
        CourseError: an unknown recipe, scale or variant, seeds below 1, another process at the same study, or a folder
            that cannot be written.
        KeyboardInterrupt: the learner stopped it; finished runs are kept.
    """
    recipe, chosen = _checked(name, scale, seeds, variants)
    rank, world = join() if int(os.environ.get("WORLD_SIZE", "1")) > 1 else (0, 1)
    with _working_folder(f"{name}.{scale}", rank) as folder:
        desk = _Desk(recipe, scale, folder, rank)
        many = "1 seed" if seeds == 1 else f"{seeds} seeds"
        desk.say(f"{name} at {scale} scale: {', '.join(chosen)}; {many} each, on {hardware(world)}")
        order = [(variant, seed) for variant in chosen for seed in range(seeds)]
        if recipe.timed:
            order.sort(key=lambda job: job[1])
        done = {job: desk.run(*job) for job in order}
        runs = {variant: [done[variant, seed] for seed in range(seeds)] for variant in chosen}
        record = Record(
            recipe=name,
            scale=scale,
            date=date.today().isoformat(),
            hardware=hardware(world),
            versions=versions(),
            settings=recipe.scale(scale).settings(),
            variants=runs,
            descriptions={variant: recipe.variants[variant] for variant in chosen},
        )
        if rank == 0:
            _publish(record, desk, folder)
    return record


def _checked(name: str, scale: str, seeds: int, variants: Sequence[str] | None) -> tuple[Recipe, list[str]]:
    recipe = find(name)
    if not isinstance(seeds, int) or isinstance(seeds, bool) or seeds < 1:
        raise CourseError(f"A study needs at least 1 seed; got {seeds!r}.")
    if isinstance(variants, str) or (variants is not None and not variants):
        raise CourseError(f"variants is a list of names, such as [{recipe.default!r}]; got {variants!r}.")
    chosen = [recipe.variant(variant) for variant in variants or recipe.scale(scale).compares]
    return recipe, list(dict.fromkeys(chosen))


@contextmanager
def _working_folder(name: str, rank: int) -> Iterator[Path]:
    folder = places.home_dir() / "studies" / name
    if rank != 0:
        yield folder
        return
    with locked(folder, timeout=2):
        yield folder


class _Desk:
    """Where a study's runs are done and their results laid down until all are there."""

    def __init__(self, recipe: Recipe, scale: str, folder: Path, rank: int) -> None:
        self.recipe, self.scale, self.folder, self.rank = recipe, scale, folder, rank

    def say(self, line: str) -> None:
        if self.rank == 0:
            print(line, flush=True)

    def stem(self, variant: str, seed: int) -> str:
        """A name for a run's files that changes with its budget and with the versions, so that no stale one is used."""
        made_of = json.dumps([self.recipe.scale(self.scale).settings(), versions()], sort_keys=True)
        return f"{variant}.{seed}.{hashlib.sha256(made_of.encode()).hexdigest()[:8]}"

    def run(self, variant: str, seed: int) -> Seed:
        """The result of one run, kept from before or trained now."""
        path = self.folder / f"{self.stem(variant, seed)}.json"
        kept = agree(_read(path) if self.rank == 0 else None)
        if kept is None:
            kept = self._train(variant, seed, path)
            note = f"{kept.seconds:.1f} s"
        else:
            note = "kept from before"
        reached = ", ".join(f"{metric} {value:.4f}" for metric, value in kept.metrics.items())
        self.say(f"  {variant}, seed {seed}: test {reached} ({note})")
        return kept

    def _train(self, variant: str, seed: int, path: Path) -> Seed:
        checkpoint = Checkpoint(path.with_suffix(".pt"))
        kept = None if self.recipe.timed else checkpoint
        run = train(self.recipe.name, scale=self.scale, seed=seed, variant=variant, checkpoint=kept)
        if run.history.interrupted:
            self.say("The study stops here. Finished runs are kept; the same command goes on from them.")
            raise KeyboardInterrupt
        result = _result(run, seed)
        if self.rank == 0:
            if self._wants_weights(variant, seed):
                save_weights(run.model, path.with_suffix(".safetensors"), self._card(variant, seed, result))
            write_atomically(path, json.dumps(asdict(result)) + "\n")
            for file in (Path(checkpoint.path), checkpoint.previous):
                file.unlink(missing_ok=True)
        return result

    def _wants_weights(self, variant: str, seed: int) -> bool:
        return self.scale == "gpu" and seed == 0 and variant == self.recipe.default

    def _card(self, variant: str, seed: int, result: Seed) -> Card:
        command = f"crashcourse train {self.recipe.name} --scale {self.scale}"
        made_with = ", ".join(f"{library} {number}" for library, number in versions().items())
        return Card(
            model=f"{self.recipe.title}: {self.recipe.variants[variant]}; {result.parameters:,} parameters",
            recipe=f"{self.recipe.name}, {self.scale} scale, variant {variant}, seed {seed}",
            data=self.recipe.data,
            metrics=result.metrics,
            licence="MIT, as the course",
            made=f"{date.today().isoformat()} on {hardware()} with {made_with}, by `{command}`",
        )


def _publish(record: Record, desk: _Desk, folder: Path) -> None:
    """Write the record, take the weights with it, and clear the desk."""
    weights = folder / f"{desk.stem(desk.recipe.default, 0)}.safetensors"
    path = record.write()
    if weights.exists():
        target = path.with_suffix(".safetensors")
        write_atomically(target, weights.read_bytes())
        card = weights.with_suffix(".md").read_text(encoding="utf-8").replace(weights.name, target.name)
        write_atomically(target.with_suffix(".md"), card)
    shutil.rmtree(folder, ignore_errors=True)
    desk.say(record_table(record))
    desk.say(f"written: {path.name} in {path.parent.name}/")


def _result(run: Run, seed: int) -> Seed:
    names = run.history.epochs[0]
    return Seed(
        seed=seed,
        metrics=dict(run.metrics),
        curves={name: run.history.curve(name) for name in names},
        seconds=round(run.seconds, 2),
        parameters=sum(parameter.numel() for parameter in run.model.parameters()),
    )


def _read(path: Path) -> Seed | None:
    """A kept result; None where there is none, or none that can be read: it is then trained again."""
    try:
        return Seed(**read_json(path))
    except (CourseError, TypeError):
        return None


def versions() -> dict[str, str]:
    """The versions that a result depends on."""
    return {
        "crashcourse": crashcourse.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "accelerate": version("accelerate"),
    }


def hardware(processes: int = 1) -> str:
    """The device's name, with its threads or its number: "AMD EPYC 7763, 2 threads", "2 × NVIDIA L4"."""
    device = Machine().resolved().device
    if device == "cuda":
        return f"{processes} × {torch.cuda.get_device_name()}" if processes > 1 else torch.cuda.get_device_name()
    if device == "mps":
        return f"{_processor()} GPU"
    threads = torch.get_num_threads() * processes
    return f"{_processor()}, {threads} thread{'' if threads == 1 else 's'}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine() or "CPU"
